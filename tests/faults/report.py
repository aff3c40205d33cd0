"""What was seen of many worlds, on one page."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from .policies import POLICIES
from .weather import Kind, Weather
from .workers import Lived

#: Faults of the paid request alone, each twentieth of them; no crash. A hold is what a person would have to settle.
ROUGH = Weather(submit=0.05)
#: Holds for each take that such weather may leave.
MOST_HOLDS = 0.005
#: Violations that are shown.
SHOWN = 5


@dataclass(kw_only=True)
class Tally:
    """Sums over worlds. twice: double charges of each policy, and of ours."""

    kind: Kind
    worlds: int = 0
    crashes: int = 0
    lives: int = 0
    jobs: int = 0
    charged: int = 0
    archived: int = 0
    takes: int = 0
    held: int = 0
    virtual: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    died_at: Counter[str] = field(default_factory=Counter)
    twice: Counter[int] = field(default_factory=Counter)
    compared: int = 0
    broken: list[Lived] = field(default_factory=list)

    def add(self, lived: Lived) -> None:
        told = lived.told
        self.worlds += 1
        for name in ("crashes", "lives", "jobs", "charged", "archived", "takes", "held", "virtual"):
            setattr(self, name, getattr(self, name) + getattr(told, name))
        self.met.update(told.met)
        self.died_at.update(told.died_at)
        if lived.twice:
            self.compared += 1
            self.twice.update(dict(enumerate(lived.twice)))
        if not told.is_fine:
            self.broken.append(lived)

    @property
    def doubles(self) -> int:
        """Worlds in which we charged twice."""
        return sum("times" in violation for lived in self.broken for violation in lived.told.violations)


def pages(tally: Tally, holds: tuple[int, int] | None, seconds: float) -> Iterator[str]:
    """The report, line by line. holds: takes left in doubt, and takes, in weather where only submissions fail."""
    yield f"Worlds           {tally.worlds:>9,}   of kind {tally.kind}, in {seconds:,.0f} s; {_days(tally.virtual)} of virtual time"
    yield f"Runs             {tally.lives:>9,}   {tally.crashes:,} of them ended by kill -9 or an interrupt"
    yield f"Jobs accepted    {tally.jobs:>9,}   {tally.charged:,} of them charged"
    yield f"Takes            {tally.takes:>9,}   {tally.archived:,} archived, {tally.held:,} held in doubt in the end"
    yield f"Violations       {len(tally.broken):>9,}"
    yield ""
    yield "Faults that came true"
    yield from _columns(tally.met)
    yield ""
    yield "Where a process died"
    yield from _columns(tally.died_at)
    if tally.compared:
        yield ""
        yield f"Charged twice, in the same {tally.compared:,} worlds"
        for number, policy in enumerate(POLICIES):
            yield f"  {policy.name:<58} {tally.twice[number]:>7,}"
        yield f"  {'callsheet':<58} {tally.doubles:>7,}"
    if holds is not None:
        held, takes = holds
        yield ""
        share = f"{100 * held / takes:.2f} %"
        yield f"Held in doubt where 5 % of submissions fail: {held:,} of {takes:,} takes, {share} (at most {100 * MOST_HOLDS:.1f} %)"


def _columns(counts: Counter[str]) -> Iterator[str]:
    width = max((len(name) for name in counts), default=0)
    names = sorted(counts)
    half = (len(names) + 1) // 2
    for left, right in zip(names[:half], [*names[half:], ""], strict=False):
        second = f"   {right:<{width}} {counts[right]:>7,}" if right else ""
        yield f"  {left:<{width}} {counts[left]:>7,}{second}"


def _days(seconds: float) -> str:
    return f"{timedelta(seconds=seconds).days:,} days"


def complaints(tally: Tally) -> Iterator[str]:
    """What was violated, and how to see one of these worlds alone."""
    for lived in tally.broken[:SHOWN]:
        yield f"seed {lived.order.seed}:"
        yield from (f"  {violation}" for violation in lived.told.violations)
        yield f"  see it alone: python -m tests.faults --seed {lived.order.seed} --kind {lived.order.kind}"
    if len(tally.broken) > SHOWN:
        seeds = ", ".join(str(lived.order.seed) for lived in tally.broken[SHOWN : SHOWN + 40])
        yield f"and {len(tally.broken) - SHOWN} more: {seeds}"
