"""Which route gets a variant's next take; and what each answer to a submission says of the route that gave it."""

import asyncio
import copy
import logging

from callsheet.errors import BudgetExceeded, InsufficientCredit, ProviderError, Unauthorized, Unavailable
from callsheet.health import in_order
from callsheet.plan import Line, price_of_take
from callsheet.routing import Offer
from callsheet.steps.studio import Counter, Studio

log = logging.getLogger("callsheet.takes")

#: Refusals of one model: the route may serve others (the provider's list of codes).
OF_A_MODEL = frozenset({"key_model_not_allowed", "model_access_denied"})


def choose(studio: Studio, line: Line) -> Offer:
    """The cheapest route that is well and serves the model. Unauthorized, InsufficientCredit: those that do were stopped,
    and why; nothing is sent any more. BudgetExceeded: only dearer ones are left, and they would pass --max-usd.
    """
    model = line.variant.model
    offers = offers_of(studio, line)
    open_to = [offer for offer in offers if model not in studio.counters[offer.route].refused]
    health = {name: counter.health for name, counter in studio.counters.items()}
    found = list(in_order(open_to, health, _now()))
    if not found:
        raise _why_stopped(studio.counters[offers[0].route], model)
    affordable = [offer for offer in found if offer.price <= line.price or _may_cost(studio, line, offer)]
    if not affordable:
        raise BudgetExceeded(
            f"only route {found[0].route} is left for it, at {found[0].price.spoken}, and that would pass --max-usd.",
            where=line.variant.label,
            hint="Wait until the cheaper route is well again, or raise --max-usd.",
        )
    return affordable[0]


def offers_of(studio: Studio, line: Line) -> tuple[Offer, ...]:
    """Who serves this variant and at what price, the cheapest first."""
    return studio.drawn.pool.offers(line.variant.model, price_of_take(line.variant, line.seconds))


def _may_cost(studio: Studio, line: Line, offer: Offer) -> bool:
    """With all that is still to be bought for this plan at its price."""
    return studio.ceiling is None or studio.plan.costs + studio.dearer + offer.price - line.costs <= studio.ceiling


def another_serves(studio: Studio, line: Line) -> bool:
    """Is there a route that was not stopped, to give way to?"""
    model = line.variant.model
    counters = (studio.counters[offer.route] for offer in offers_of(studio, line))
    return any(not counter.health.stopped and model not in counter.refused for counter in counters)


def gives_way(studio: Studio, line: Line, counter: Counter) -> bool:
    """A route that has no room left: is it out of reach too, with its jobs in it, and another one there for this variant?"""
    if not counter.watch.is_in_trouble:
        return False
    counter.health.fell_silent(_now())
    return choose(studio, line).route != counter.card.name


def sending(counter: Counter) -> None:
    counter.health.try_it(_now())


def took(counter: Counter) -> None:
    counter.health.took_one()


def refused(counter: Counter, model: str, error: ProviderError) -> ProviderError:
    """A submission was provably not accepted: what that says of the route, and the error to tell. Of a doubt nothing is
    concluded. Of many refusals that stop a route, on their way at the same time, the first is told for all.
    """
    if isinstance(error, Unavailable):
        was_well = counter.health.is_well(_now())
        counter.health.took_none(_now(), wait=error.after.total_seconds() if error.after else None)
        if was_well and not counter.health.is_well(_now()):
            log.warning("route %s is down for now: %s", counter.card.name, error.what)
    elif isinstance(error, Unauthorized) and error.says.code in OF_A_MODEL:
        return copy.copy(counter.refused.setdefault(model, error))
    elif isinstance(error, Unauthorized | InsufficientCredit):
        if counter.refusal is None:
            log.error("nothing more is sent on route %s: %s", counter.card.name, error.what)
        counter.refusal = counter.refusal or error
        counter.health.stopped = True
        return copy.copy(counter.refusal)
    return error


def why_stopped(counter: Counter, model: str) -> ProviderError | None:
    """The refusal that stopped this route for this model, while a variant waited for its turn; None where nothing did."""
    return _why_stopped(counter, model) if counter.health.stopped or model in counter.refused else None


def _why_stopped(counter: Counter, model: str) -> ProviderError:
    """The refusal that stopped it, for one more variant that was not sent because of it."""
    first = counter.refused.get(model) or counter.refusal
    if first is None:
        raise LookupError(f"route {counter.card.name} was not stopped")
    return copy.copy(first)


def _now() -> float:
    return asyncio.get_running_loop().time()
