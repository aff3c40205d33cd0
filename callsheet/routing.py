"""Routes: where paid jobs may go, which models each serves and at what price.

Which of them gets the next job is a matter of price and of how each fares (`health`). A take stays with the route it was
sent to, whatever becomes of that route.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from callsheet.credits import Credits

if TYPE_CHECKING:
    from callsheet.take import Take

#: Names of the built-in routes, as the ledger keeps them. Drafts of the sandbox never count as renders of the provider.
SANDBOX = "sandbox"
LOOPBACK = "loopback"
EVOLINK = "evolink"
#: Routes whose renders are drafts, and cost nothing: the sandbox, and whatever stands in for the provider on this machine.
PLAY = (SANDBOX, LOOPBACK)

#: What a provider does with an Idempotency-Key that it has seen: gives the first job again, refuses, or ignores it.
Idempotency = Literal["replay", "reject", "none"]
KINDS: tuple[Idempotency, ...] = ("replay", "reject", "none")


def may_ask_again(kind: Idempotency, take: "Take", now: datetime, window: timedelta) -> bool:
    """May the request key of this take be sent again, so long after its first sending?

    Not when that was in the future: the clock was set back since, and how old the key is nobody knows.
    """
    return kind != "none" and timedelta(0) <= now - take.sent_at <= window


class Limits(NamedTuple):
    """What a route takes, from all processes together: jobs at a time, submissions in any minute. None: no limit."""

    in_flight: int | None = None
    per_minute: int | None = None


class Card(NamedTuple):
    """What there is to know of a route besides its address and its key."""

    name: str
    idempotency: Idempotency = "replay"
    #: Models that it serves; None for every one of the catalogue.
    models: frozenset[str] | None = None
    #: Its price as a multiple of the catalogue's, and that of single models where it differs.
    factor: Fraction = Fraction(1)
    factors: Mapping[str, Fraction] = MappingProxyType({})
    limits: Limits = Limits()

    def serves(self, model: str) -> bool:
        return self.models is None or model in self.models

    def price(self, model: str, listed: Credits) -> Credits:
        """What a take costs here whose price in the catalogue is `listed`; a fraction of a unit rounds half up."""
        factor = self.factors.get(model, self.factor)
        return listed if factor == 1 else Credits(units=floor(listed.units * factor + Fraction(1, 2)))


class Offer(NamedTuple):
    """What a take costs on a route."""

    route: str
    price: Credits


class Pool(NamedTuple):
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
