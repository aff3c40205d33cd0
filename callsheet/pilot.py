"""A pilot: few variants in which every pair of axis values that occurs in the campaign is seen once, for little money.

Most of what a look gets wrong shows in two axes at a time (this prompt on that clip, this shape with those references).
Finding the cheapest such set is NP-hard. Greedy set cover comes near: what covers the most new pairs for a credit is taken
next, and what the others cover is dropped at the end. It is repeated with other orders among equals, and the cheapest
outcome is kept; there is no chance in it, so the same campaign always has the same pilot.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from callsheet import axes
from callsheet.credits import Credits, total
from callsheet.sweep import Variant

#: Tries with other orders; fewer for a large campaign, so that 10,000 variants take seconds.
MOST_TRIES = 12
#: Variants looked at in all tries together.
WORK = 40_000
#: Gains for a credit are compared as whole numbers, of this many parts.
PARTS = 10**15
#: Knuth's multiplicative hash: spreads neighbours, and is the same everywhere.
SPREAD = 2_654_435_761


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """`variants` in plan order, out of `of`. What they cover together: every pair; with one axis only, every value of it."""

    variants: tuple[Variant, ...]
    of: int
    pairs: int
    values: int
    credits: Credits  # one take of each of its variants
    of_credits: Credits  # one take of each of all

    @property
    def spoken(self) -> str:
        """ "24 of 216 variants cover all 93 pairs; $21.18 of $190.59"."""
        count, money = f"{len(self.variants)} of {self.of} variants", f"${self.credits.usd} of ${self.of_credits.usd}"
        if not self.values:
            return f"{count}, which are all the same variant; {money}"
        covered = f"all {self.pairs} pairs" if self.pairs else f"all {self.values} values"
        return f"{count} cover {covered}; {money}"

    def as_json(self) -> dict[str, Any]:
        return {
            "variants": len(self.variants),
            "of": self.of,
            "pairs": self.pairs,
            "credits": str(self.credits),
            "of_credits": str(self.of_credits),
        }


def pairwise(variants: Sequence[Variant], prices: Mapping[str, Credits]) -> Pilot:
    """The pilot of these variants; of several takes the first. `prices`: of one take, by label."""
    firsts = _first_takes(variants)
    cells, pairs, values = _cells(firsts)
    costs = [prices[variant.label].units for variant in firsts]
    chosen = _cheapest_cover(cells, costs) if values else [min(range(len(firsts)), key=lambda one: (costs[one], one))]
    kept = tuple(firsts[one] for one in chosen)
    return Pilot(
        variants=kept,
        of=len(variants),
        pairs=pairs,
        values=values,
        credits=total([prices[variant.label] for variant in kept]),
        of_credits=total([prices[variant.label] for variant in variants]),
    )


def _first_takes(variants: Sequence[Variant]) -> list[Variant]:
    first: dict[str, Variant] = {}
    for variant in variants:
        if variant.slug not in first or variant.take < first[variant.slug].take:
            first[variant.slug] = variant
    return list(first.values())


def _cells(variants: Sequence[Variant]) -> tuple[list[list[int]], int, int]:
    """What each variant covers, by number: every pair of its values on swept axes, and every such value. How many of each."""
    swept = axes.swept(variants)
    pairs: dict[Any, int] = {}
    values: dict[Any, int] = {}
    cells = []
    for variant in variants:
        here = [item for item in axes.values_of(variant).items() if item[0] in swept]
        of_pairs = [pairs.setdefault(pair, 2 * len(pairs)) for pair in combinations(here, 2)]
        cells.append(of_pairs + [values.setdefault(value, 2 * len(values) + 1) for value in here])
    return cells, len(pairs), len(values)


def _cheapest_cover(cells: Sequence[Sequence[int]], costs: Sequence[int]) -> list[int]:
    """The cheapest cover of all tries; of equally cheap ones the smallest, then the first. In order."""
    covers = (_needed(_greedy(cells, divisors, ranks), cells, costs) for divisors, ranks in _tries(costs))
    return min(covers, key=lambda cover: (sum(costs[one] for one in cover), len(cover), cover))


def _tries(costs: Sequence[int]) -> Iterator[tuple[list[int], list[Any]]]:
    """What a gain is divided by, and the ranks among equals: by price or as if all were of one price, in several orders."""
    count = len(costs)
    for number in range(max(2, min(MOST_TRIES, WORK // count))):
        divisors = [max(cost, 1) for cost in costs] if number % 2 == 0 else [1] * count
        turn = SPREAD * (number // 2 * 2 + 1)
        order = range(count) if number < 2 else [(one * turn >> 3) % 2**32 for one in range(count)]
        yield divisors, list(zip(costs, order, range(count), strict=True))


def _greedy(cells: Sequence[Sequence[int]], divisors: Sequence[int], ranks: Sequence[Any]) -> list[int]:
    """A cover, best gain first. A gain only shrinks as others are chosen, so a stale one in the heap is an upper bound."""
    open_ = {item for cell in cells for item in cell}
    heap = [(-(len(cell) * PARTS // divisors[one]), ranks[one], one) for one, cell in enumerate(cells)]
    heapq.heapify(heap)
    chosen = []
    while open_:
        _, rank, one = heap[0]
        gain = sum(item in open_ for item in cells[one])
        now = (-(gain * PARTS // divisors[one]), rank, one)
        if not gain:
            heapq.heappop(heap)
        elif now > heap[0]:
            heapq.heapreplace(heap, now)
        else:
            heapq.heappop(heap)
            chosen.append(one)
            open_.difference_update(cells[one])
    return chosen


def _needed(chosen: Sequence[int], cells: Sequence[Sequence[int]], costs: Sequence[int]) -> list[int]:
    """Without what the others cover: the dearest go first. In order."""
    covered = Counter(item for one in chosen for item in cells[one])
    kept = set(chosen)
    for one in sorted(chosen, key=lambda one: (-costs[one], -one)):
        if all(covered[item] > 1 for item in cells[one]):
            kept.discard(one)
            covered.subtract(cells[one])
    return sorted(kept)
