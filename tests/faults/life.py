"""One life of our process: a run of the campaign from its plan to its manifest, as the flow walks it, without Prefect.

This is the only module that knows how a run is opened and walked.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from callsheet.errors import CallsheetError
from callsheet.provider.client import Provider, Route
from callsheet.steps import (
    clock,
    deliver,
    follow,
    outcome,
    prepare,
    retake,
    stage,
    stand_by,
    strays,
    studio,
    submit,
    wrap,
)

from .crash import Mortal
from .provider import OnDeparture, ScriptedProvider
from .virtual import Loop
from .world import World

T = TypeVar("T")

#: How often each stage is tried again, as flows/campaign.py has it (a test compares them).
RETRIES = {"prepare": 1, "stage": 4, "submit": 4, "follow": 8, "deliver": 4, "wait_for": 4, "collect": 4}


class Defect(Exception):
    """The run ended with something that is no error of ours: a bug of the program."""


def live(
    world: World, spec: Path, result: bytes, *, mortal: Mortal, on_departure: OnDeparture, attach_only: bool
) -> str:
    """Run the campaign once; how it ended, in words. Defect where it ended with anything but an account or an error."""
    transport = ScriptedProvider(world, result, point=mortal.point, on_departure=on_departure)

    def provider_of(route: Route) -> Provider:
        return Provider(route, transport=transport)

    random.seed(world.fate.seed)
    with (
        clock.read_from(world.time.wall),
        studio.reaching(provider_of),
        asyncio.Runner(loop_factory=lambda: Loop(world.time)) as runner,
    ):
        return runner.run(_runs(world, spec, attach_only, mortal))


async def _runs(world: World, spec: Path, attach_only: bool, mortal: Mortal) -> str:
    """The run, and a second one beside it where the schedule fires twice."""
    mortal.main = asyncio.current_task()
    second = world.fate.weather.second_run
    if second is None or world.fate.is_calm:
        return await _ended(world, spec, attach_only)
    world.fate.met["schedule: fired twice"] = 1
    ends = await asyncio.gather(
        _ended(world, spec, attach_only), _after(second, lambda: _ended(world, spec, attach_only))
    )
    return " | ".join(ends)


async def _after(seconds: float, work: Callable[[], Awaitable[T]]) -> T:
    await asyncio.sleep(seconds)
    return await work()


async def _ended(world: World, spec: Path, attach_only: bool) -> str:
    try:
        return await _run(world, spec, attach_only)
    except CallsheetError as error:
        return f"{type(error).__name__}: {error.what}"


async def _run(world: World, spec: Path, attach_only: bool) -> str:
    async with studio.opened(spec, sandbox=False, attach_only=attach_only) as at:
        outcome.approve(at, approved=at.plan.digest, by="faults", max_usd=None)
        labels = outcome.to_walk(at.plan)
        left = strays.found(at)
        ended, collected = await asyncio.gather(
            asyncio.gather(*(_shoot(label, number, at) for number, label in enumerate(labels)), return_exceptions=True),
            asyncio.gather(*map(_collected, left), return_exceptions=True),
        )
        for error in (*ended, *collected):
            if isinstance(error, Exception):
                world.say(f"a variant ended with {type(error).__name__}: {error}".replace("\n", " "))
        account = await wrap.wrap(outcome.errors(labels, ended), strays.told(at, left, collected))
        outcome.raise_defects([*ended, *collected])
        return account.message


async def _collected(take: int) -> None:
    await _tried("collect", f"{take}", lambda: strays.collect(take))


async def _shoot(label: str, number: int, at: studio.Studio) -> None:
    async def make() -> int:
        await _tried("stage", label, lambda: stage.stage(label))
        take = await _tried("submit", label, lambda: submit.submit(label))
        await _tried("follow", label, lambda: follow.follow(take, label))
        return take

    await asyncio.sleep(number / 50)
    with outcome.end_told(label):
        paid = outcome.paid_take(at.plan, label)
        if outcome.is_elsewhere(label):
            if await _tried("wait_for", label, lambda: stand_by.stand_by(label)):
                return
            paid = outcome.taken_over(label)
        if paid is not None:
            await _tried("follow", label, lambda: follow.follow(paid, label))
            await _tried("deliver", label, lambda: deliver.deliver(paid, label))
            return
        await _tried("prepare", label, lambda: prepare.prepare(label))
        async with at.on_the_way:
            async with at.in_flight:
                take = await retake.until_made(label, make)
            await _tried("deliver", label, lambda: deliver.deliver(take, label))


async def _tried(name: str, label: str, work: Callable[[], Awaitable[T]]) -> T:
    """Again only what says of itself that trying again is safe, after what the other side asked for and a longer pause."""
    dice = random.Random(f"{name} {label}")
    for attempt in range(RETRIES[name] + 1):
        try:
            return await work()
        except CallsheetError as error:
            if error.retry != "safe" or attempt == RETRIES[name]:
                raise
            await asyncio.sleep(error.after.total_seconds() if error.after else 0)
            await asyncio.sleep(2**attempt * dice.uniform(1, 1.5))
    raise AssertionError("unreachable")
