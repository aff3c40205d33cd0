"""A world: everything that outlives a process of ours. It is pickled when one dies, so it holds no loop, file or task."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .virtual import Time
from .weather import Fate

#: Credits of one job, in units of 1/10000 credit: 3 s at 12 credits.
PRICE = 360_000


@dataclass(kw_only=True)
class Job:
    """A job that the provider has accepted, and so charges for. Times in seconds of the world."""

    id: str
    prompt: str
    key: str
    body: bytes = field(repr=False)
    accepted: float
    done: float
    #: Why it ends without a result; "" where it ends well. kept: the credits do not come back.
    failure: str = ""
    kept: bool = False


@dataclass(kw_only=True)
class Book:
    """The provider's own. late: requests that are still on their way to it, with when they come."""

    jobs: dict[str, Job] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    late: list[tuple[float, str, bytes]] = field(default_factory=list)
    uploads: int = 0

    @property
    def charged_twice(self) -> int:
        """Charges beyond one for each prompt. What the provider keeps of a job that it failed is another matter."""
        paid = [job.prompt for job in self.jobs.values() if not job.failure]
        return len(paid) - len(set(paid))


@dataclass(kw_only=True)
class World:
    """One seed's world, and what was seen of it."""

    fate: Fate
    time: Time = field(default_factory=Time)
    book: Book = field(default_factory=Book)
    #: What happened, line by line; and what must never happen, if it did.
    events: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    #: Points that the present life has passed, and at which of them it ends.
    points: int = 0
    #: By how many variants the budget was raised.
    richer: int = 0
    crash_at: int | None = None
    crash_kills: bool = True
    crashes: int = 0
    requests: int = 0
    #: Points of the lives before.
    lives: list[int] = field(default_factory=list)
    #: Points where a crash came true, by name.
    died_at: list[str] = field(default_factory=list)

    def say(self, what: str) -> None:
        self.events.append(f"{self.time.seconds:11.2f}  {what}")

    def violate(self, what: str) -> None:
        self.say(f"VIOLATED: {what}")
        self.violations.append(what)

    def confess(self, error: BaseException) -> None:
        """A life ended with what is no error of ours."""
        self.violate(f"a defect of the program: {type(error).__name__}: {error}".replace("\n", " "))
        self.events.extend(traceback.format_exception(error))

    def pass_request(self) -> None:
        """One more request; the machine's clock may be set just then."""
        self.requests += 1
        for at, by in self.fate.weather.jumps:
            if at == self.requests:
                self.time.skew += by
                self.fate.met["clock: set " + ("forward" if by > 0 else "back")] = 1
                self.say(f"the clock of this machine jumps by {by / 3600:+.2f} h")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is reported of a world once it is over."""

    seed: int
    violations: tuple[str, ...]
    events: tuple[str, ...]
    met: dict[str, int]
    crashes: int
    #: Points of each life.
    points: tuple[int, ...]
    jobs: int
    charged: int
    #: Charges beyond one for each content.
    twice: int
    takes: int
    archived: int
    held: int
    #: Takes in doubt when the bad weather ended.
    held_first: int
    died_at: tuple[str, ...]
    #: Journal of the ledger without what is random by nature.
    journal: tuple[tuple[Any, ...], ...]
    virtual: float

    @property
    def is_fine(self) -> bool:
        return not self.violations


def spoken(events: Sequence[str]) -> str:
    return "\n".join(events)
