"""Whether a job that the provider ended without a result may be tried again as a new take, and how long to wait before."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple


class Wait(NamedTuple):
    """Seconds: somewhere from `least` to `most`, so that many takes that failed together do not come back together."""

    least: float
    most: float


#: The codes that the provider calls passing, in its list of task errors and in its own client, with the wait that this
#: client asks for. It names none for the two that say 30 to 60 here: theirs is that of a provider short of resources.
PASSING: Mapping[str, Wait] = {
    "service_error": Wait(60, 75),
    "generation_timeout": Wait(30, 60),
    "resource_exhausted": Wait(30, 60),
    "quota_exceeded": Wait(30, 60),
    "service_unavailable": Wait(60, 120),
}
#: A provider on this machine is not short of anything.
ON_LOOPBACK = Wait(0.1, 0.2)


def is_passing(code: str, *, is_charged: bool) -> bool:
    """May a job that ended with this code be tried again without paying twice? Never one whose charge is kept."""
    return code in PASSING and not is_charged


def wait(code: str, *, asked: timedelta | None, loopback: bool, chance: float) -> timedelta:
    """How long to wait before the next take. asked: by the provider, for this very job; it counts where it is longer.
    chance: from 0 to 1."""
    least, most = ON_LOOPBACK if loopback else PASSING[code]
    drawn = timedelta(seconds=least + (most - least) * chance)
    return max(drawn, asked or drawn)
