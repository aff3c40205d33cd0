"""A big plan cut into slices, each of which another process can run: which variants, and the plan that is approved for each.

A slice is a part of the campaign from one variant to another, by their places, so that those of one clip, which is prepared
once a machine, stay together. What is the same purchase as a variant of an earlier slice is left to that one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from callsheet import plan as planning
from callsheet.credits import Credits
from callsheet.errors import SpecError
from callsheet.plan import Line, Plan
from callsheet.routing import Pool
from callsheet.take import CHARGED
from callsheet.yamltext import shown


@dataclass(frozen=True, kw_only=True)
class Part:
    """The variants of a campaign from `first` to `last`, by their places in it, which are counted from 1."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __contains__(self, place: int) -> bool:
        return self.first <= place <= self.last

    @classmethod
    def read(cls, text: str) -> "Part":
        """Of "501-1000". SpecError for anything else."""
        first, _, last = text.partition("-")
        places = [int(digits) for digits in (first, last) if digits.isascii() and digits.isdigit() and len(digits) < 10]
        if len(places) != 2 or not 1 <= places[0] <= places[1]:
            raise SpecError(f"{shown(text)} is not a part of a campaign.", where="part", hint="Write 501-1000.")
        return cls(first=places[0], last=places[1])


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What one process does of a plan."""

    part: Part
    #: Labels of the lines that it walks, and of those in its part that it leaves alone.
    labels: tuple[str, ...]
    without: tuple[str, ...]
    #: The plan that it will draw up if nothing has changed by then.
    plan: Plan

    @property
    def costs(self) -> Credits:
        return self.plan.costs


def cut(plan: Plan, *, places: Sequence[str], walked: Collection[str], size: int, pool: Pool) -> tuple[Slice, ...]:
    """The slices of a plan, of at most `size` variants to walk each. places: the labels of the whole campaign, in order.

    walked: the labels that are to be walked, each content once. Other lines of the plan that have something left to do
    belong to nobody.
    """
    ranks = {label: place for place, label in enumerate(places, start=1)}
    order = sorted(walked, key=ranks.__getitem__)
    wanted = frozenset(line.key for line in plan.lines if line.action in ("shoot", "attach"))
    lines = sorted(plan.lines, key=lambda line: ranks[line.variant.label])
    ranked = [ranks[line.variant.label] for line in lines]
    cuts = []
    for begin in range(0, len(order), size):
        labels = tuple(order[begin : begin + size])
        part = Part(first=ranks[labels[0]], last=ranks[labels[-1]])
        inside = lines[bisect_left(ranked, part.first) : bisect_right(ranked, part.last)]
        without = tuple(_left_alone(inside, frozenset(labels), wanted))
        others = frozenset(without)
        mine = tuple(line for line in inside if line.variant.label not in others)
        cuts.append(
            Slice(
                part=part,
                labels=labels,
                without=without,
                plan=planning.narrowed(plan, mine, several=len(pool.cards) > 1),
            )
        )
    return tuple(cuts)


def _left_alone(lines: Sequence[Line], labels: Collection[str], wanted: Collection[str]) -> list[str]:
    """Lines of a part that are another slice's, or nobody's: they would be bought there too. Those with the content of one
    that is walked here are known for it. wanted: the keys that have something left to do anywhere in the plan."""
    keys = {line.key for line in lines if line.variant.label in labels}
    return [
        line.variant.label
        for line in lines
        if line.variant.label not in labels and line.key not in keys and not _is_at_rest(line, wanted)
    ]


def _is_at_rest(line: Line, wanted: Collection[str]) -> bool:
    """Is it skipped or blocked for a reason of its own, not for being the same as a line of another slice? What is rendered
    afresh has a take, too."""
    is_done = line.take is not None and line.take.state in CHARGED and line.key not in wanted
    return line.action == "blocked" or (line.action == "skip" and is_done)
