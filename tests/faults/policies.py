"""What others do under the same faults: pure retry policies over the same worlds, to compare with. No part of the product.

A policy keeps no ledger. It remembers which results it has as files, sends what it has none of, and when it is killed and
run again it begins from there: so did the programs that these policies were taken from.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

import httpx

from .footage import PROMPTS
from .provider import API, ScriptedProvider
from .virtual import Loop
from .weather import Crash, Fate, Kind, Weather
from .world import World

#: Seconds that a request may take; as many as ours.
LIMIT = 30.0
#: Points of a policy, which only sends, for each point of ours, which commits and writes too.
SHARE_OF_POINTS = 5
#: Runs in good weather until everything is there.
MOST_RECOVERIES = 4
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How a paid request is sent. tries: after the first. has_key: one for each request, in memory while the process lives."""

    name: str
    tries: int
    has_key: bool = False


POLICIES = (
    Policy(name="send again, up to 10 times (as fal's client does)", tries=10),
    Policy(name="send again, up to twice (as Runway's client does)", tries=2),
    Policy(name="send again with one key, kept in memory", tries=4, has_key=True),
)


class Died(BaseException):
    """The process is gone. Nothing catches it."""


class GivenUp(Exception):
    """This variant did not come to a result in this run."""


def double_charges(policy: Policy, seed: int, kind: Kind, weather: Weather) -> int:
    """Jobs that were charged beyond one for each prompt, when this policy has lived the world of this seed."""
    world = World(fate=Fate(seed=seed, kind=kind, weather=weather))
    files: set[str] = set()
    for number, crash in enumerate((*weather.crashes, None)):
        _live(policy, world, files, crash)
        if crash is not None:
            world.time.seconds += weather.downtimes[number] if number < len(weather.downtimes) else 1.0
    world.fate.is_calm = True
    for _ in range(MOST_RECOVERIES):
        if files == set(PROMPTS):
            break
        _live(policy, world, files, None)
    ScriptedProvider(world, b"").settle()
    return world.book.charged_twice


def _live(policy: Policy, world: World, files: set[str], crash: Crash | None) -> None:
    at = 1 + crash.at // SHARE_OF_POINTS if crash else None
    passed = 0

    def point(_name: str) -> None:
        nonlocal passed
        passed += 1
        if passed == at:
            raise Died

    provider = ScriptedProvider(world, b"film", point=point)
    loop = Loop(world.time)
    try:
        loop.run_until_complete(_run(policy, provider, files))
    except Died:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(_buried(asyncio.all_tasks(loop)))
    finally:
        loop.close()


async def _buried(tasks: "Sequence[asyncio.Task[None]] | set[asyncio.Task[None]]") -> None:
    me = asyncio.current_task()
    await asyncio.gather(*(task for task in tasks if task is not me), return_exceptions=True)


async def _run(policy: Policy, provider: ScriptedProvider, files: set[str]) -> None:
    missing = [prompt for prompt in PROMPTS if prompt not in files]
    ends = await asyncio.gather(*(_edit(policy, provider, prompt, files) for prompt in missing), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, GivenUp):
            raise end


async def _edit(policy: Policy, provider: ScriptedProvider, prompt: str, files: set[str]) -> None:
    job = await _submitted(policy, provider, prompt)
    link = await _followed(provider, job)
    for _ in range(5):
        answer = await _asked(provider, httpx.Request("GET", link))
        if answer is not None and answer.status_code == 200:
            files.add(prompt)
            return
        await asyncio.sleep(2)
    raise GivenUp


async def _submitted(policy: Policy, provider: ScriptedProvider, prompt: str) -> str:
    dice = Random(f"{prompt} {provider.moment}")
    key = {"Idempotency-Key": str(UUID(int=dice.getrandbits(128)))} if policy.has_key else {}
    for attempt in range(policy.tries + 1):
        body = json.dumps({"model": "kling-o1-video-edit", "prompt": prompt}).encode()
        request = httpx.Request("POST", f"https://{API}/v1/videos/generations", content=body, headers=key)
        answer = await _asked(provider, request)
        if answer is not None and answer.status_code == 200:
            document = _document(answer)
            if "id" in document:
                return str(document["id"])
        elif answer is not None and answer.status_code not in AGAIN:
            raise GivenUp
        await asyncio.sleep(min(2**attempt, 30) * dice.uniform(0.5, 1))
    raise GivenUp


async def _followed(provider: ScriptedProvider, job: str) -> str:
    for _ in range(60):
        await asyncio.sleep(30)
        answer = await _asked(provider, httpx.Request("GET", f"https://{API}/v1/tasks/{job}"))
        document = _document(answer) if answer is not None and answer.status_code == 200 else {}
        links = document.get("results")
        if document.get("status") == "completed" and isinstance(links, list):
            return str(links[0])
        if document.get("status") == "failed":
            raise GivenUp
    raise GivenUp


async def _asked(provider: ScriptedProvider, request: httpx.Request) -> httpx.Response | None:
    """None where no whole answer came in time."""
    try:
        async with asyncio.timeout(LIMIT):
            answer = await provider.handle_async_request(request)
            await answer.aread()
            return answer
    except (httpx.TransportError, TimeoutError):
        return None


def _document(answer: httpx.Response) -> dict[str, object]:
    try:
        document = json.loads(answer.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
