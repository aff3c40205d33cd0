"""Whether a job that the provider ended without a result may be tried again as a new take, and how long to wait before."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from callsheet.errors import JobFailed


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


def wait(error: JobFailed, *, made: int, most: int, loopback: bool, chance: float) -> timedelta | None:
    """How long to wait before the next take; None where there must be none.

    made: retakes of this variant in this run so far, of `most`. chance: from 0 to 1. The provider's own word on how long
    to wait counts where it is longer.
    """
    if not error.may_retake or made >= most:
        return None
    least, longest = ON_LOOPBACK if loopback else PASSING.get(error.says.code, Wait(60, 120))
    drawn = timedelta(seconds=least + (longest - least) * chance)
    return max(drawn, error.after or drawn)
