"""What a variant costs: billed seconds and the exact price, by the model's own rule in the catalogue."""

from fractions import Fraction
from math import ceil, floor

from callsheet.catalogue import Model, PriceRule
from callsheet.credits import Credits


def billed_seconds(rule: PriceRule, seconds: Fraction) -> Fraction:
    """Seconds as the provider bills them: rounded up to a hundredth, then within the rule's floor and cap.

    min(max(ceil(s * 100) / 100, floor), cap): the quantity of the provider's pricing rules of 2026-10-10, and the cap of
    its documents. ValueError for a length below zero.
    """
    if seconds < 0:
        raise ValueError(f"a clip cannot be {seconds} seconds long")
    hundredths = Fraction(ceil(seconds * 100), 100)
    return min(max(hundredths, rule.floor_seconds), rule.cap_seconds)


def price_of(model: Model, seconds: Fraction) -> Credits:
    """The exact price of one take of a prepared clip of this length; a fraction of a unit rounds half up, as the rule does."""
    units = billed_seconds(model.price, seconds) * model.price.units
    return Credits(units=floor(units + Fraction(1, 2)))
