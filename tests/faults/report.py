"""What was seen of many worlds, on one page."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from .footage import PROMPTS
from .policies import POLICIES
from .weather import Crash, Kind, Weather
from .workers import Lived, Order

#: Faults of the paid request alone, each twentieth of them; no crash. A hold is what a person would have to settle.
ROUGH = Weather(submit=0.05)
#: Holds for each take that such weather may leave.
MOST_HOLDS = 0.005
#: More points than a run in good weather passes; a test makes sure of it.
POINTS = 180
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
    #: By the policy's number, and whether a process died.
    twice: Counter[tuple[int, bool]] = field(default_factory=Counter)
    compared: Counter[bool] = field(default_factory=Counter)
    broken: list[Lived] = field(default_factory=list)

    def add(self, lived: Lived) -> None:
        told = lived.told
        self.worlds += 1
        self.lives += len(told.points)
        for name in ("crashes", "jobs", "charged", "archived", "takes", "held", "virtual"):
            setattr(self, name, getattr(self, name) + getattr(told, name))
        self.met.update(told.met)
        self.died_at.update(told.died_at)
        if lived.twice:
            had_crash = bool(lived.given.crashes)
            self.compared[had_crash] += 1
            self.twice.update({(number, had_crash): count for number, count in enumerate(lived.twice)})
        if not told.is_fine:
            self.broken.append(lived)

    def doubles(self, *, crashes: bool) -> int:
        """Double charges of our own, in worlds with crashes or without."""
        return sum(lived.told.twice for lived in self.broken if bool(lived.given.crashes) is crashes)


def killed_at_every_point(kind: Kind, *, step: int = 1) -> list[Order]:
    """A world of good weather for each point of a run, in which the process is killed just there, and some behind it."""
    climates = [Weather(crashes=(Crash(at=at),), downtimes=(1.0,)) for at in range(1, POINTS + 1, step)]
    return [Order(seed=0, kind=kind, climate=climate) for climate in climates]


def pages(tally: Tally, every: Tally, holds: tuple[int, int], seconds: float) -> Iterator[str]:
    """The report, line by line. every: worlds with one kill each, at one point after the other. holds: takes left in
    doubt, and takes, in weather where only submissions fail."""
    yield f"Worlds           {tally.worlds:>9,}   of kind {tally.kind}; {_days(tally.virtual)} in {seconds:,.0f} s"
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
        yield f"Charged twice, in the same worlds {'no crash':>32} {'crashes':>9}"
        yield f"  {'worlds':<54} {tally.compared[False]:>9,} {tally.compared[True]:>9,}"
        for number, policy in enumerate(POLICIES):
            yield f"  {policy.name:<54} {tally.twice[number, False]:>9,} {tally.twice[number, True]:>9,}"
        yield f"  {'ours: the ledger decides':<54} {tally.doubles(crashes=False):>9,} {tally.doubles(crashes=True):>9,}"
    yield ""
    yield (
        f"Killed once at each point of a run: {every.crashes} of {every.worlds} worlds, {every.jobs:,} jobs for "
        f"{every.worlds * len(PROMPTS):,} variants, {len(every.broken)} violations"
    )
    held, takes = holds
    share = f"{100 * held / takes:.2f} %"
    most = f"at most {100 * MOST_HOLDS:.1f} %"
    yield f"Held in doubt where 5 % of submissions fail: {held:,} of {takes:,} takes, {share} ({most})"


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
