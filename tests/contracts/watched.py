"""Many jobs that take their time, followed in virtual time: how often the provider is asked, and how late an end is seen."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from callsheet.errors import ProviderError, Unavailable
from callsheet.provider.client import BATCH, JobStatus, Provider, Route
from tests import virtual

ROUTE = Route(
    name="evolink", api="https://api.example.com", files="https://files.example.com", key=SecretStr("sk-evo-1")
)


@dataclass(kw_only=True)
class Measured:
    requests: int
    late: float  # seconds, on average
    asked_at: list[float]


class Scripted(Provider):
    """A provider whose jobs end at given seconds of the loop's clock. estimates: does it say how long they take?

    trouble: questions, by their number, that it answers with this.
    """

    def __init__(
        self, ends: dict[str, float], *, estimates: bool = False, trouble: dict[int, Unavailable] | None = None
    ) -> None:
        super().__init__(ROUTE)
        self.ends = ends
        self.estimates = estimates
        self.trouble = trouble or {}
        self.asked_at: list[float] = []
        self.requests = 0

    async def answers(self, jobs: Sequence[str]) -> dict[str, JobStatus | ProviderError]:
        now, number = asyncio.get_running_loop().time(), len(self.asked_at)
        self.asked_at.append(now)
        self.requests += -(-len(jobs) // BATCH)
        if number in self.trouble:
            return dict.fromkeys(jobs, self.trouble[number])
        return {job: self._status(job, now) for job in jobs}

    def _status(self, job: str, now: float) -> JobStatus:
        left = self.ends[job] - now
        if left <= 0:
            return JobStatus(
                job=job, state="succeeded", progress=100, result=SecretStr("https://cdn.example.com/a.mp4")
            )
        said = timedelta(seconds=int(left)) if self.estimates else None
        return JobStatus(job=job, state="processing", progress=10, estimated=said)


def lengths(count: int = 100) -> list[float]:
    """Of jobs of one to three minutes."""
    source = random.Random(7)
    return [source.uniform(60, 180) for _ in range(count)]


def measure(watch_of: Callable[[Provider], Any], *, estimates: bool = False, **known: Any) -> Measured:
    """Follow a hundred jobs, sent half a second apart. known: what else is known of each (`until_done`)."""

    async def all_of_them() -> Measured:
        took = lengths()
        provider = Scripted({f"job-{n}": n / 2 + seconds for n, seconds in enumerate(took)}, estimates=estimates)
        late: list[float] = []

        async def one(watch: Any, number: int) -> None:
            job = f"job-{number}"
            await asyncio.sleep(number / 2)
            said = timedelta(seconds=int(took[number])) if estimates else None
            await watch.until_done(job, estimate=said, **known)
            late.append(asyncio.get_running_loop().time() - provider.ends[job])

        async with provider, watch_of(provider) as watch:
            await asyncio.gather(*(one(watch, number) for number in range(len(took))))
        return Measured(requests=provider.requests, late=sum(late) / len(late), asked_at=provider.asked_at)

    random.seed(7)  # of the jitter: the same figures every time
    return virtual.run(all_of_them())
