"""Routes: where paid jobs may go, which models each serves and at what price; and which of them gets the next job.

The cheapest that is well gets it. A route that is down gives way to the next cheapest; one that refuses the key or the
account gets nothing more. A take stays with the route it was sent to, whatever becomes of that route.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from types import MappingProxyType
from typing import Literal

from callsheet.credits import Credits

#: Names of the built-in routes, as the ledger keeps them. Drafts of the sandbox never count as renders of the provider.
SANDBOX = "sandbox"
LOOPBACK = "loopback"
EVOLINK = "evolink"
#: Routes whose renders are drafts, and cost nothing: the sandbox, and whatever stands in for the provider on this machine.
PLAY = (SANDBOX, LOOPBACK)

#: What a provider does with an Idempotency-Key that it has seen: gives the first job again, refuses, or ignores it.
Idempotency = Literal["replay", "reject", "none"]
KINDS: tuple[Idempotency, ...] = ("replay", "reject", "none")

#: Refusals in a row, each proof that nothing was accepted, after which a route counts as down.
OPENS_AFTER = 3
#: Seconds for which it then counts as down, twice as long after each try that fails again, and at most.
OPEN_FOR, OPEN_AT_MOST = 30.0, 600.0
#: A provider that asks to wait longer than this is down for now; a shorter wait is waited for.
WORTH_WAITING = 60.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a route takes, from all processes together: jobs at a time, submissions in any minute. None: no limit."""

    in_flight: int | None = None
    per_minute: int | None = None


@dataclass(frozen=True, kw_only=True)
class Card:
    """What there is to know of a route besides its address and its key."""

    name: str
    idempotency: Idempotency = "replay"
    #: Models that it serves; None for every one of the catalogue.
    models: frozenset[str] | None = None
    #: Its price as a multiple of the catalogue's, and that of single models where it differs.
    factor: Fraction = Fraction(1)
    factors: Mapping[str, Fraction] = field(default_factory=lambda: MappingProxyType({}))
    limits: Limits = Limits()

    def serves(self, model: str) -> bool:
        return self.models is None or model in self.models

    def price(self, model: str, listed: Credits) -> Credits:
        """What a take costs here whose price in the catalogue is `listed`; a fraction of a unit rounds half up."""
        factor = self.factors.get(model, self.factor)
        return listed if factor == 1 else Credits(units=floor(listed.units * factor + Fraction(1, 2)))


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a take costs on a route."""

    route: str
    price: Credits


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The routes that the jobs of a run may go to, in the order of the file. Never empty.

    name: what runs, plans and claims are called after: the built-in route, usable or not, so that it stays the same.
    """

    name: str
    cards: tuple[Card, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(card.name for card in self.cards)

    def card(self, route: str) -> Card:
        """KeyError for a route that is not of the pool."""
        return {card.name: card for card in self.cards}[route]

    def offers(self, model: str, listed: Credits) -> tuple[Offer, ...]:
        """Who serves this model, the cheapest first; of the same price, the first of the file."""
        found = [Offer(route=card.name, price=card.price(model, listed)) for card in self.cards if card.serves(model)]
        return tuple(sorted(found, key=lambda offer: offer.price))


def alone(name: str) -> Pool:
    """A route by itself, at the catalogue's prices."""
    return Pool(name=name, cards=(Card(name=name),))


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
        return min(OPEN_FOR * 2.0 ** (self._refusals - OPENS_AFTER), OPEN_AT_MOST)


def in_order(offers: Sequence[Offer], health: Mapping[str, Health], now: float) -> Iterator[Offer]:
    """The offers that may be taken, the best first: the cheapest of those that are well, then those that are down. A route
    that was stopped is none of them."""
    going = [offer for offer in offers if not health[offer.route].stopped]
    yield from (offer for offer in going if health[offer.route].is_well(now))
    yield from (offer for offer in going if not health[offer.route].is_well(now))
