"""A campaign of two variants, and the walk of all of them in this process, as the flow does it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from callsheet.errors import CallsheetError
from callsheet.ledger.book import Ledger
from callsheet.steps import deliver, follow, outcome, prepare, retake, stage, stand_by, strays, studio, submit, wrap
from callsheet.steps.wrap import Account
from callsheet.take import Take

T = TypeVar("T")

CAMPAIGN = """\
campaign: tiny
model: kling-o1-video-edit
budget: $2.00
clips:
  cup: media/cup.mp4
prompts:
  good: A good one.
  odd: An odd one.
aspect_ratios: [16:9]
"""
ODD = "An odd one."


async def run(
    spec: Path,
    *,
    tries: int = 1,
    only: Sequence[str] = (),
    again: Sequence[str] = (),
    attach_only: bool = False,
    max_usd: str | None = None,
    one_by_one: bool = False,
    occurrence: datetime | None = None,
    part: str | None = None,
    approved: str | None = None,
    **chosen: Any,
) -> tuple[Account, dict[str, BaseException | None]]:
    """Walk every variant as the flow does, each stage tried again while its error says that it is safe."""
    chosen |= {"only": only, "again": again, "part": part}
    async with studio.opened(spec, sandbox=False, attach_only=attach_only, occurrence=occurrence, **chosen) as at:
        outcome.approve(at, approved=approved or at.plan.digest, by="test", max_usd=max_usd)
        labels = outcome.to_walk(at.plan)
        turn = asyncio.Semaphore(1 if one_by_one else len(labels) or 1)
        left = [] if part else strays.found(at)
        ended, collected = await asyncio.gather(
            asyncio.gather(*(in_turn(turn, at, label, tries) for label in labels), return_exceptions=True),
            asyncio.gather(*(strays.collect(take) for take in left), return_exceptions=True),
        )
        outcome.raise_defects([*ended, *collected])
        account = await wrap.wrap(
            outcome.errors(labels, ended), strays.told(at, left, collected), is_part=part is not None
        )
        return account, dict(zip(labels, ended, strict=True))


async def in_turn(turn: asyncio.Semaphore, at: studio.Studio, label: str, tries: int) -> None:
    async with turn:
        await shoot(at, label, tries)


async def shoot(at: studio.Studio, label: str, tries: int) -> None:
    paid = outcome.paid_take(at.plan, label)
    if outcome.is_elsewhere(label):
        if await stand_by.stand_by(label):
            return
        paid = outcome.taken_over(label)
    if paid is not None:
        await follow.follow(paid, label)
        await _tried(tries, lambda: deliver.deliver(paid, label))
        return
    await prepare.prepare(label)

    async def make() -> int:
        await stage.stage(label)
        take = await _tried(tries, lambda: submit.submit(label))
        await follow.follow(take, label)
        return take

    async with at.in_flight:
        take = await retake.until_made(label, make)
        await _tried(tries, lambda: deliver.deliver(take, label))


async def _tried(tries: int, step: Callable[[], Awaitable[T]]) -> T:
    """What a step gives, tried again as the flow does."""
    for _ in range(tries - 1):
        try:
            return await step()
        except CallsheetError as error:
            if error.retry != "safe":
                raise
    return await step()


def takes(spec: Path) -> list[Take]:
    ledger = Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")
    found = ledger.takes()
    ledger.close()
    return list(found)
