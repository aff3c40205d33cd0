"""`python -m tests.scale.paper`: 100,000 variants on 50 workers, in virtual time, and where the limits are.

Real: the watch of each worker, with its pace; what a commit takes on PostgreSQL, measured first; what it takes to plan and to
cut that many variants. Modelled, by figures that are printed: the provider, which renders and takes so many jobs at a time;
the ledger, one writer after the other; each worker's line to the internet.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from fractions import Fraction

from callsheet import digest
from callsheet.credits import ZERO, Credits
from callsheet.ledger.book import Booking, Ledger
from callsheet.plan import Footage, LedgerView, Plan, draw_up
from callsheet.provider.watch import Watch
from callsheet.routing import alone
from callsheet.slices import Slice, cut
from callsheet.steps.outcome import to_walk
from callsheet.sweep import Variant
from tests import postgres, virtual
from tests.contracts.watched import Scripted

#: A render takes from two to four minutes; a result has 12 MB; a line 50 Mbit/s. Assumptions, all three.
RENDER = (120.0, 240.0)
MEGABYTES, MEGABYTES_A_SECOND = 12.0, 6.25
#: Downloads at a time, as the studio has it (callsheet/steps/studio.py DOWNLOADS).
DOWNLOADS = 4
#: Commits of a take that comes home: reserved, submitting, submitted, succeeded, archived.
COMMITS = 5
#: Task runs of a variant, as flows/campaign.py has them: prepare, stage, submit, follow, deliver.
TASK_RUNS = 5
#: Starts a second of one run (flows/campaign.py STARTS_PER_SECOND).
STARTS = 50.0
MEASURED_TAKES = 200


@dataclass(kw_only=True)
class Works:
    """What all workers share, and what it has been asked."""

    commit: float
    room: asyncio.Semaphore | None
    writer: asyncio.Lock = field(default_factory=asyncio.Lock)
    written: float = 0.0
    queue: int = 0
    longest_queue: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    late: float = 0.0
    done: int = 0

    async def write(self, commits: int = 1) -> None:
        """One writer at a time, as the ledger has it."""
        self.queue += 1
        self.longest_queue = max(self.longest_queue, self.queue)
        async with self.writer:
            await asyncio.sleep(commits * self.commit)
            self.written += commits * self.commit
        self.queue -= 1

    @asynccontextmanager
    async def at_provider(self) -> AsyncIterator[None]:
        if self.room is not None:
            await self.room.acquire()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.room is not None:
                self.room.release()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One scenario, lived to its end."""

    hours: float
    works: Works
    requests: int
    #: Seconds that the lines of all workers were busy.
    fetched: float


async def live(slices: list[int], *, workers: int, in_flight: int, room: int | None, commit: float) -> Seen:
    """Every worker takes the next slice as soon as it has made one. slices: how many variants each has."""
    works = Works(commit=commit, room=None if room is None else asyncio.Semaphore(room))
    left = iter(enumerate(slices))
    providers = [Scripted({}) for _ in range(workers)]
    fetched = await asyncio.gather(
        *(_work(left, provider, works, in_flight, seed) for seed, provider in enumerate(providers))
    )
    now = asyncio.get_running_loop().time()
    asked = sum(provider.requests for provider in providers)
    return Seen(hours=now / 3600, works=works, requests=asked, fetched=sum(fetched))


async def _work(left: Iterator[tuple[int, int]], provider: Scripted, works: Works, in_flight: int, seed: int) -> float:
    """One worker, a slice at a time. Seconds that its line was busy."""
    dice, fetched = random.Random(seed), 0.0
    async with provider:
        for number, variants in left:
            places, line = asyncio.Semaphore(in_flight), asyncio.Semaphore(DOWNLOADS)
            async with Watch(provider) as watch:
                await works.write()  # the claim of its variants
                walks = (
                    _walk(f"{number}-{one}", one, provider, watch, works, places, line, dice.uniform(*RENDER))
                    for one in range(variants)
                )
                fetched += sum(await asyncio.gather(*walks))
    return fetched


async def _walk(
    job: str,
    number: int,
    provider: Scripted,
    watch: Watch,
    works: Works,
    places: asyncio.Semaphore,
    line: asyncio.Semaphore,
    render: float,
) -> float:
    await asyncio.sleep(number / STARTS)
    clock = asyncio.get_running_loop().time
    async with places:
        await works.write()
        async with works.at_provider():
            await works.write(2)
            provider.ends[job] = clock() + render
            await watch.until_done(job)
            works.late += clock() - provider.ends.pop(job)
            await works.write()
        async with line:  # four share the line, so each has a quarter of it
            seconds = MEGABYTES / MEGABYTES_A_SECOND
            await asyncio.sleep(seconds * DOWNLOADS)
        await works.write()
    works.done += 1
    return seconds


def planned(variants: int) -> tuple[Plan, float]:
    """A plan of so many, of clips with 100 variants each, and the seconds that drawing it up took."""
    some = [_variant(number) for number in range(variants)]
    footage = {
        one.label: Footage(clip=digest.of_bytes(one.clip.encode()), window=None, seconds=Fraction(5), references=())
        for one in some
    }
    began = time.perf_counter()
    view = LedgerView(takes={}, earlier={}, held=ZERO, charged=ZERO)
    plan = draw_up(
        campaign="big", route="evolink", variants=some, footage=footage, rerender="changed", budget=None, view=view
    )
    return plan, time.perf_counter() - began


def _variant(number: int) -> Variant:
    clip, slug = f"clip-{number // 100}", f"v{number:06d}"
    return Variant(
        campaign="big", clip=clip, references="", prompt=f"p{number % 100}", aspect_ratio="16:9", keep_original_sound=None,
        model="kling-o1-video-edit", options=(), framing="native", take=1, variables=(), text=f"Look {number % 100}.",
        prompt_slug=f"p{number % 100}", slug=slug, label=slug,
    )  # fmt: skip


def seconds_of_a_commit() -> float:
    """On PostgreSQL on this machine, with its disk's fsync off: the ledger's own work and the way there and back."""
    with postgres.server() as url, closing(Ledger(url)) as ledger:
        began = time.perf_counter()
        for number in range(MEASURED_TAKES):
            booking = Booking(
                campaign="big", route="evolink", slug=f"v{number}", key=f"{number:064x}", number=1, price=Credits.of(60),
                plan="p", supersedes=0, budget=Credits.of(10**7),
            )  # fmt: skip
            take = ledger.reserve(booking)
            ledger.submitting(take.id, request={"prompt": "x" * 500})
            ledger.submitted(take.id, job=f"task-{number}")
            ledger.succeeded(take.id, charged=Credits.of(60))
            ledger.archived(take.id, archive=f"big/v{number}.mp4", sha256="0" * 64)
        return (time.perf_counter() - began) / (MEASURED_TAKES * COMMITS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scale.paper", description=__doc__)
    parser.add_argument("--variants", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--slice", type=int, default=500)
    parser.add_argument("--commit-ms", type=float, help="instead of what is measured")
    asked = parser.parse_args()
    commit = seconds_of_a_commit() if asked.commit_ms is None else asked.commit_ms / 1000
    plan, drawing = planned(asked.variants)
    began = time.perf_counter()
    cuts: tuple[Slice, ...] = cut(
        plan,
        places=[line.variant.label for line in plan.lines],
        walked=to_walk(plan),
        size=asked.slice,
        pool=alone("evolink"),
    )
    cutting = time.perf_counter() - began
    print(f"{asked.variants:,} variants: planned in {drawing:.1f} s, cut into {len(cuts)} slices in {cutting:.1f} s")
    print(f"a commit: {1000 * commit:.1f} ms on PostgreSQL here, so {1 / commit:.0f} a second, {COMMITS} a variant\n")
    sizes = [len(one.labels) for one in cuts]
    print("jobs at a time    hours  ledger  writers waiting  seen late  questions a job  variants  line")
    print("worker  route            busy    at most          on average                  a minute  busy")
    for in_flight, room in ((20, None), (40, None), (100, None), (40, 200), (40, 50)):
        seen = virtual.run(live(sizes, workers=asked.workers, in_flight=in_flight, room=room, commit=commit))
        works, wall = seen.works, 3600 * seen.hours
        print(
            f"{in_flight:>6}  {room or 'any':>5}  {seen.hours:>9.2f}  {works.written / wall:>5.0%}   "
            f"{works.longest_queue:>6}           {works.late / works.done:>5.1f} s     {seen.requests / works.done:>5.2f}"
            f"            {60 * works.done / wall:>7.0f}  {seen.fetched / wall / asked.workers:>5.0%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
