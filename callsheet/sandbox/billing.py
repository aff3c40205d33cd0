"""What a job costs here, worked out from the catalogue's price rule alone.

On purpose not Callsheet's own tariff: the provider's bill is a second, independent computation, so that a plan that
agrees with it proves something.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Any

from callsheet.catalogue import PriceRule

#: Units (1/10000 credit) in one credit, and credits in one US dollar.
UNITS = 10_000
CREDITS_PER_USD = 68

#: What a new book starts with, in units.
START_BALANCE = 100_000 * UNITS


def billed_seconds(seconds: Fraction, rule: PriceRule) -> Fraction:
    """The length that is paid for: up to the next hundredth, at least the floor, at most the cap."""
    hundredths = Fraction(ceil(seconds * 100), 100)
    billed = max(hundredths, rule.floor_seconds)
    return billed if rule.cap_seconds is None else min(billed, rule.cap_seconds)


def units_for(seconds: Fraction, rule: PriceRule) -> int:
    """The price of a clip of this container length, in units; half a unit rounds up, as the provider's rule says."""
    exact = billed_seconds(seconds, rule) * rule.units
    return floor(exact + Fraction(1, 2))


def credits_of(units: int) -> int | float:
    """Units as the number of credits that JSON shows.

    JSON knows one kind of number; the double nearest to a figure of four decimals prints as that very figure (up to
    2^53 / 10^4 credits), so the text on the wire is exact.
    """
    whole, rest = divmod(units, UNITS)
    return whole if rest == 0 else units / UNITS


def dollars_of(units: int) -> float:
    return round(units / UNITS / CREDITS_PER_USD, 4)


def usage(*, reserved: int, charged: int | None) -> dict[str, Any]:
    """The `usage` of a task: what was reserved, and once it is settled what was used."""
    shown: dict[str, Any] = {
        "billing_rule": "per_second",
        "credits_reserved": credits_of(reserved),
        "user_group": "default",
    }
    if charged is not None:
        shown["credits_used"] = credits_of(charged)
        shown["cost"] = {"credits": credits_of(charged), "usd": dollars_of(charged)}
    return shown


def statement(state: str, *, reserved: int, charged: int | None) -> dict[str, Any]:
    """The `billing` of a task. A failed one is never charged, and says so by charge_status as by refund_status."""
    if state == "completed":
        charge, refund = "charged", "not_required"
    elif state == "failed":
        charge, refund = "released", "completed"
    else:
        charge, refund = "reserved", "not_required"
    return {
        "refund_scope": "account_balance",
        "charge_status": charge,
        "refund_status": refund,
        "reserved_credits": credits_of(reserved),
        "charged_credits": credits_of(charged or 0),
        "refunded_credits": credits_of(reserved if state == "failed" else 0),
    }
