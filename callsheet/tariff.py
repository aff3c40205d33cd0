"""What a variant costs: the billed quantity and the exact price, by the model's own rule in the catalogue."""

from fractions import Fraction
from math import ceil, floor

from callsheet.catalogue import Model, Options, PriceRule
from callsheet.credits import Credits

HALF = Fraction(1, 2)


def billed_seconds(rule: PriceRule, seconds: Fraction) -> Fraction:
    """Seconds as the provider bills them: in whole steps of the rule, then within its floor and cap.

    For O1 edit min(max(ceil(s * 100) / 100, 3), 10): the quantity of the provider's pricing rules of 2026-10-10, and the
    cap of its documents. ValueError for a length below zero.
    """
    if seconds < 0:
        raise ValueError(f"a clip cannot be {seconds} seconds long")
    steps = seconds / rule.step
    whole = (ceil(steps) if rule.rounding == "up" else floor(steps + HALF)) * rule.step
    billed = max(whole, rule.floor_seconds)
    return billed if rule.cap_seconds is None else min(billed, rule.cap_seconds)


def price_of(model: Model, seconds: Fraction, options: Options = ()) -> Credits:
    """The exact price of one take; a fraction of a unit rounds half up, as the rules do.

    seconds: of the prepared clip, or of the result where the model's quantity is `duration` (`quantity_of`).
    What is reserved at submission; a model settled on its result may cost less, see `most_of`.
    """
    rule = model.price
    quantity = Fraction(1) if rule.quantity == "one" else billed_seconds(rule, seconds)
    exact = quantity * rule.units * rule.factor(options)
    return Credits(units=max(floor(exact + HALF), rule.minimum))


def most_of(model: Model, seconds: Fraction, options: Options = ()) -> Credits:
    """The most that one take can be charged: for a model settled on its result, whole seconds rounded up."""
    price = price_of(model, seconds, options)
    if model.price.basis == "request_only":
        return price
    return max(price, price_of(model, Fraction(ceil(seconds)), options))


def quantity_of(model: Model, clip_seconds: Fraction, options: Options) -> Fraction:
    """The seconds that are priced: those of the prepared clip, or those that `duration` asks for."""
    if model.price.quantity != "duration":
        return clip_seconds
    return Fraction(next(int(value) for name, value in options if name == "duration"))
