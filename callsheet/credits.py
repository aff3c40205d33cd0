"""Exact money. A `Credits` is a whole number of units; 1 credit is 10,000 units and 68 credits are 1 US dollar.

Both figures are the provider's own (its pricing rules of 2026-10-10 count in 1/10000 credit, and its docs give the
dollar rate). No float ever touches an amount.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import total_ordering
from typing import Self

#: Units in one credit.
UNITS_PER_CREDIT = 10_000
#: Credits in one US dollar.
CREDITS_PER_USD = 68

#: Commas only where they group thousands: "$40,00" is forty dollars to one half of the world and 4,000 to nobody.
_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
_AMOUNT = re.compile(rf"\s*(?:\$\s*(?P<usd>{_NUMBER})|(?P<number>{_NUMBER})\s*(?P<unit>credits?|usd))\s*", re.I)


@total_ordering
@dataclass(frozen=True, kw_only=True, slots=True)
class Credits:
    """An amount of credits, never rounded. `units` are 1/10000 credit."""

    units: int = 0

    @classmethod
    def of(cls, amount: "int | str | Decimal") -> Self:
        """Credits from a decimal number of credits: `Credits.of("63.84")`. ValueError below 1/10000."""
        try:
            units = Decimal(amount) * UNITS_PER_CREDIT
        except InvalidOperation:
            raise ValueError(f"{amount!r} is not a decimal number") from None
        if not units.is_finite() or units != units.to_integral_value():
            raise ValueError(f"{amount} is finer than 1/{UNITS_PER_CREDIT} credit")
        return cls(units=int(units))

    @classmethod
    def of_usd(cls, amount: "int | str | Decimal") -> Self:
        """Credits from US dollars: `Credits.of_usd("40.00")` is 2720 credits. ValueError where that is not exact."""
        return cls.of(Decimal(amount) * CREDITS_PER_USD)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Credits from what a person writes: "$40.00", "40 USD" or "2720 credits". ValueError otherwise."""
        match = _AMOUNT.fullmatch(text)
        if match is None:
            raise ValueError('an amount is written like "$40.00" or "2720 credits"')
        digits = (match["usd"] or match["number"]).replace(",", "")
        if match["usd"] or match["unit"].lower() == "usd":
            return cls.of_usd(digits)
        return cls.of(digits)

    @classmethod
    def of_ceiling(cls, text: str) -> Self:
        """What a run may cost at most, as `--max-usd` and the flow's `max_usd` take it: dollars ("25.00", "$25"), or another
        amount where it says so ("2720.5 credits"). ValueError otherwise."""
        text = text.strip()
        return cls.parse(f"${text}" if text[-1:].isdigit() and not text.startswith("$") else text)

    def __add__(self, other: "Credits") -> "Credits":
        return Credits(units=self.units + other.units)

    def __sub__(self, other: "Credits") -> "Credits":
        return Credits(units=self.units - other.units)

    def __mul__(self, count: int) -> "Credits":
        return Credits(units=self.units * count)

    def __lt__(self, other: "Credits") -> bool:
        return self.units < other.units

    def __bool__(self) -> bool:
        return self.units != 0

    def __str__(self) -> str:
        """The decimal form of JSON and sidecars: "63.84", "120"; no trailing zeros, no exponent."""
        whole, rest = divmod(abs(self.units), UNITS_PER_CREDIT)
        sign = "-" if self.units < 0 else ""
        return f"{sign}{whole}.{rest:04d}".rstrip("0").rstrip(".")

    @property
    def usd(self) -> Decimal:
        """US dollars, rounded up to the cent: what to budget, never less than what is charged."""
        exact = Decimal(self.units) / (UNITS_PER_CREDIT * CREDITS_PER_USD)
        return exact.quantize(Decimal("0.01"), rounding=ROUND_CEILING)

    @property
    def spoken(self) -> str:
        """For people: "63.84 credits ($0.94)"."""
        return f"{self} credit{'' if self.units == UNITS_PER_CREDIT else 's'} (${self.usd})"


ZERO = Credits()


def total(amounts: "list[Credits] | tuple[Credits, ...]") -> Credits:
    """The sum; zero for none."""
    return Credits(units=sum(amount.units for amount in amounts))
