"""One line of the table: what was measured, against what, and what it should be."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """`ours` and `theirs` in `unit`. at_most, at_least: what the ratio ours / theirs should be."""

    what: str
    ours: float
    against: str
    theirs: float
    unit: str = "s"
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def holds(self) -> bool:
        low, high = self.at_least, self.at_most
        return (low is None or self.ratio >= low) and (high is None or self.ratio <= high)

    @property
    def aim(self) -> str:
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else ""

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "ours": self.ours,
            "against": self.against,
            "theirs": self.theirs,
            "unit": self.unit,
            "ratio": self.ratio,
            "at_most": self.at_most,
            "at_least": self.at_least,
            "holds": self.holds,
        }
