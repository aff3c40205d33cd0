"""What a job costs here, worked out from the catalogue's price rule alone.

On purpose not Callsheet's own tariff: the provider's bill is a second, independent computation, so that a plan that
agrees with it proves something.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Any

from callsheet.catalogue import Model, Options, PriceRule

#: Units (1/10000 credit) in one credit, credits in one US dollar and in one yuan.
UNITS = 10_000
CREDITS_PER_USD = 68
CREDITS_PER_CNY = 10

#: What a new book starts with, in units.
START_BALANCE = 100_000 * UNITS

_HALF = Fraction(1, 2)


def quantity(rule: PriceRule, *, clip_seconds: Fraction | None, options: Options) -> Fraction:
    """What is counted at submission: seconds of the clip or of the result, or one thing. Between floor and cap."""
    if rule.quantity == "one":
        return Fraction(1)
    if rule.quantity == "duration":
        asked = Fraction(next(int(value) for name, value in options if name == "duration"))
    elif clip_seconds is None:
        raise ValueError("a model that is priced by its clip has one")
    else:
        asked = clip_seconds
    return _bounded(_stepped(asked, rule), rule)


def _stepped(seconds: Fraction, rule: PriceRule) -> Fraction:
    steps = seconds / rule.step
    return (ceil(steps) if rule.rounding == "up" else floor(steps + _HALF)) * rule.step


def _bounded(seconds: Fraction, rule: PriceRule) -> Fraction:
    billed = max(seconds, rule.floor_seconds)
    return billed if rule.cap_seconds is None else min(billed, rule.cap_seconds)


def units_for(count: Fraction, rule: PriceRule, options: Options = ()) -> int:
    """The price of so much, in units; half a unit rounds up, as the provider's rules say."""
    return max(floor(count * rule.units * rule.factor(options) + _HALF), rule.minimum)


def reserved_for(model: Model, *, clip_seconds: Fraction | None, options: Options) -> int:
    """What a submission holds, in units. clip_seconds: of its clip, exactly, None without one."""
    rule = model.price
    return units_for(quantity(rule, clip_seconds=clip_seconds, options=options), rule, options)


def charge_for(model: Model, *, reserved: int, result_seconds: Fraction | None, options: Options) -> int:
    """What a result costs in the end, in units, never more than was reserved.

    `request_then_actual`: the seconds of the result to the nearest whole one (rules file of 2026-10-10).
    """
    rule = model.price
    if rule.basis == "request_only" or result_seconds is None:
        return reserved
    return min(reserved, units_for(Fraction(floor(result_seconds + _HALF)), rule, options))


def credits_of(units: int) -> int | float:
    """Units as the number of credits that JSON shows.

    JSON knows one kind of number; the double nearest to a figure of four decimals prints as that very figure (up to
    2^53 / 10^4 credits), so the text on the wire is exact.
    """
    whole, rest = divmod(units, UNITS)
    return whole if rest == 0 else units / UNITS


def dollars_of(units: int) -> float:
    return round(units / UNITS / CREDITS_PER_USD, 4)


def usage(rule: PriceRule, *, reserved: int, charged: int | None) -> dict[str, Any]:
    """The `usage` of a task: what was reserved, and once it is settled what was used."""
    shown: dict[str, Any] = {
        "billing_rule": rule_name(rule),
        "credits_reserved": credits_of(reserved),
        "user_group": "default",
    }
    if charged is not None:
        shown["credits_used"] = credits_of(charged)
        shown["cost"] = {"credits": credits_of(charged), "usd": dollars_of(charged)}
    return shown


def rule_name(rule: PriceRule) -> str:
    return "per_call" if rule.quantity == "one" else "per_second"


def statement(state: str, *, reserved: int, charged: int | None) -> dict[str, Any]:
    """The `billing` of a task. One that ends without a result is never charged, and says so twice."""
    if state == "completed":
        charge, refund = "charged", "not_required"
    elif state in ("failed", "cancelled"):
        charge, refund = "released", "completed"
    else:
        charge, refund = "reserved", "not_required"
    came_back = state in ("failed", "cancelled")
    return {
        "refund_scope": "account_balance",
        "charge_status": charge,
        "refund_status": refund,
        "reserved_credits": credits_of(reserved),
        "charged_credits": credits_of(charged or 0),
        "refunded_credits": credits_of(reserved if came_back else 0),
    }
