"""How routes fare: a circuit breaker for each, and which of several gets the next job.

The cheapest that is well gets it. A route that is down gives way to the next cheapest; one that refuses the key or the
account gets nothing more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from callsheet.routing import Offer

#: Refusals in a row, each proof that nothing was accepted, after which a route counts as down.
OPENS_AFTER = 3
#: Seconds for which it then counts as down, twice as long after each try that fails again, and at most.
OPEN_FOR, OPEN_AT_MOST = 30.0, 600.0
#: A provider that asks to wait longer than this is down for now; a shorter wait is waited for.
WORTH_WAITING = 60.0


@dataclass(kw_only=True)
class Health:
    """How a route fares in this process: a circuit breaker. Moments are seconds of any clock that only grows."""

    #: It gets nothing more, for as long as the process lives.
    stopped: bool = False
    _refusals: int = 0
    _down_until: float = 0.0

    def is_well(self, now: float) -> bool:
        return not self.stopped and now >= self._down_until

    def try_it(self, now: float) -> None:
        """A job is on its way to it. One that was down is tried by one job at a time."""
        if self._refusals >= OPENS_AFTER:
            self._down_until = max(self._down_until, now + self._pause())

    def took_one(self) -> None:
        self._refusals, self._down_until = 0, 0.0

    def fell_silent(self, now: float) -> None:
        """It is out of reach, by what was asked of it besides jobs."""
        self._refusals = max(self._refusals, OPENS_AFTER)
        self._down_until = max(self._down_until, now + self._pause())

    def took_none(self, now: float, *, wait: float | None = None) -> None:
        """It provably accepted nothing: out of reach, or busy. wait: the seconds that it asks for."""
        self._refusals += 1
        if self._refusals >= OPENS_AFTER:
            self._down_until = now + self._pause()
        if wait is not None and wait > WORTH_WAITING:
            self._down_until = max(self._down_until, now + wait)

    def _pause(self) -> float:
        doubled = min(self._refusals - OPENS_AFTER, 10)  # a thousand jobs may be refused at once
        return min(OPEN_FOR * 2.0**doubled, OPEN_AT_MOST)


def in_order(offers: Sequence[Offer], health: Mapping[str, Health], now: float) -> Iterator[Offer]:
    """The offers that may be taken, the best first: the cheapest of those that are well, then those that are down. A route
    that was stopped is none of them."""
    going = [offer for offer in offers if not health[offer.route].stopped]
    yield from (offer for offer in going if health[offer.route].is_well(now))
    yield from (offer for offer in going if not health[offer.route].is_well(now))
