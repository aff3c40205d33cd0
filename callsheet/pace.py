"""When to ask about a job again: by the provider's own estimate, by how long the last takes took, and within bounds.

Seconds throughout. A job may end long before anybody expects it, with an error, so nothing is waited for without a question
longer than `longest`; and it may never end, so there is no last question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: Without anything to expect, the pause is a tenth of the time that was waited already.
SHARE_OF_AGE = 0.1
#: Where takes of this kind end at any time between two points, a tenth of what lies between them.
SHARE_OF_WINDOW = 0.1
#: The first question comes a fifth before the soonest of the last takes. So it is also seen when they become faster: what
#: is learned counts from sending to asking, and would else never fall.
SOONER = 0.8
#: An estimate is believed by halves: half of what is left passes before the next question, until what is left is short.
BELIEVED = 0.5
#: Pauses vary by this much to each side, so that many machines do not ask in step.
JITTER = 0.1

#: While nothing answers, the pause doubles up to this many times `slowest`.
SLOWEST_IN_TROUBLE = 4

#: Durations from which something is learned, and as many of the last ones as count.
FEWEST, MOST = 5, 50
#: A take that took this many times the median was picked up by a later run: that says nothing about the provider.
ODD = 4


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often to ask. first: before the first question where nothing is expected; tick to slowest: between questions;
    longest: without any question, whatever is expected. expects: whether to wait for an expected end at all; a provider
    on this machine is asked whenever it may have changed."""

    first: float
    tick: float
    slowest: float
    longest: float
    expects: bool = True


@dataclass(frozen=True, kw_only=True)
class Usual:
    """How long takes of this kind took lately: a tenth of them took less than `soonest`, a tenth more than `latest`."""

    soonest: float
    median: float
    latest: float


def usual(durations: Sequence[float]) -> Usual | None:
    """What the last takes tell; None where there are too few of them."""
    positive = sorted(seconds for seconds in durations[:MOST] if seconds > 0)
    if len(positive) < FEWEST:
        return None
    median = positive[len(positive) // 2]
    plain = [seconds for seconds in positive if seconds <= median * ODD]
    return Usual(soonest=_quantile(plain, 0.1), median=_quantile(plain, 0.5), latest=_quantile(plain, 0.9))


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def until_first(*, elapsed: float, left: float | None, usual: Usual | None, pace: Pace, chance: float) -> float:
    """Seconds until the first question about a job, `elapsed` after it was sent. left: what it has left in the provider's
    word; 0 for one of an earlier run, which may have ended long ago. chance: 0 to 1."""
    if left == 0:
        return pace.tick / 10  # so that those who come at the same time share the question
    soon = pace.first if left is None else min(pace.first, left)
    if not pace.expects or (usual is None and left is None):
        return soon
    wait = _expected(elapsed, left, usual, pace) if usual else _believed(left or 0, pace)
    return min(max(_varied(wait, chance), soon), pace.longest)


def until_next(*, elapsed: float, left: float | None, usual: Usual | None, pace: Pace, chance: float) -> float:
    """Seconds until the next question: never less than a tick, and never so many that the job is asked about later than
    `slowest` after the end that is expected."""
    if pace.expects and usual is not None:
        wait = _expected(elapsed, left, usual, pace)
    elif pace.expects and left:
        wait = min(_believed(left, pace), pace.slowest)
    else:
        wait = min(elapsed * SHARE_OF_AGE, pace.slowest)
    return max(min(_varied(wait, chance), pace.longest), pace.tick)


def backed_off(failures: int, pace: Pace) -> float:
    """Seconds without any question after so many rounds in a row that nobody answered: doubled, and bounded."""
    return min(pace.tick * 2.0 ** min(failures, 10), max(pace.slowest * SLOWEST_IN_TROUBLE, pace.tick))


def _expected(elapsed: float, left: float | None, usual: Usual, pace: Pace) -> float:
    """By what the last takes took, and by the provider's word as far as they bear it out."""
    opens = usual.soonest * SOONER
    if elapsed < opens:
        wait = opens - elapsed
    elif elapsed <= usual.latest:
        wait = min((usual.latest - opens) * SHARE_OF_WINDOW, pace.slowest)
    else:
        wait = min((elapsed - usual.latest) * SHARE_OF_AGE, pace.slowest)
    if not left or elapsed + left > usual.latest:
        return wait
    said = _believed(left, pace)
    return min(max(wait, said if elapsed < opens else min(said, pace.slowest)), left)


def _believed(left: float, pace: Pace) -> float:
    return left if left <= pace.slowest else left * BELIEVED


def _varied(wait: float, chance: float) -> float:
    return wait * (1 - JITTER + 2 * JITTER * chance)
