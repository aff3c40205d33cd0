"""Where the money of a plan goes: for each axis, what each of its values adds up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from callsheet import axes
from callsheet.credits import Credits, total
from callsheet.plan import Line


@dataclass(frozen=True, kw_only=True)
class Share:
    """The lines with one value of an axis. `value` None: the lines that are not on it (a variable their prompt lacks)."""

    value: str | None
    variants: int
    shoot: int
    credits: Credits  # new money, as in the plan's total

    def as_json(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "variants": self.variants,
            "shoot": self.shoot,
            "credits": str(self.credits),
            "usd": str(self.credits.usd),
        }


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis with more than one value; its shares add up to the plan."""

    name: str
    shares: tuple[Share, ...]

    def as_json(self) -> dict[str, Any]:
        return {"axis": self.name, "values": [share.as_json() for share in self.shares]}


def by_axis(lines: Sequence[Line]) -> tuple[Axis, ...]:
    """Every axis that these lines sweep, values in plan order."""
    money = [(line.action == "shoot", line.credits.units) for line in lines]
    found = []
    for name, column in axes.columns([line.variant for line in lines]).items():
        sums: dict[str | None, list[int]] = {value: [0, 0, 0] for value in dict.fromkeys(column)}
        for value, (is_shot, units) in zip(column, money, strict=True):
            tally = sums[value]
            tally[0] += 1
            tally[1] += is_shot
            tally[2] += units
        values = sorted(sums, key=lambda value: value is None)  # those without a value last
        shares = (_share(value, *sums[value]) for value in values)
        found.append(Axis(name=name, shares=tuple(shares)))
    return tuple(found)


def _share(value: str | None, variants: int, shoot: int, units: int) -> Share:
    return Share(value=value, variants=variants, shoot=shoot, credits=Credits(units=units))


def summed(value: str | None, lines: Sequence[Line]) -> Share:
    """These lines as one share."""
    return Share(
        value=value,
        variants=len(lines),
        shoot=sum(line.action == "shoot" for line in lines),
        credits=total([line.credits for line in lines]),
    )


def shortened(shares: Sequence[Share], most: int) -> tuple[Share, ...]:
    """At most so many shares: the first ones, and the others added up in the last."""
    if len(shares) <= most:
        return tuple(shares)
    rest = shares[most - 1 :]
    others = Share(
        value=f"… {len(rest)} more",
        variants=sum(share.variants for share in rest),
        shoot=sum(share.shoot for share in rest),
        credits=total([share.credits for share in rest]),
    )
    return (*shares[: most - 1], others)
