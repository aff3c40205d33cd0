"""`python -m tests.faults --seeds 10000`: live so many worlds and report. `--seed S`: one of them, with all that happens."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from typing import get_args

from .report import MOST_HOLDS, ROUGH, Tally, complaints, killed_at_every_point, pages
from .weather import Kind
from .workers import Lived, Order, live
from .world import spoken

#: Worlds with faulty submissions only, for each hundred of all kinds.
ROUGH_SHARE = 5


def main() -> int:
    asked = _arguments()
    if asked.seed is not None:
        return _one(asked.seed, asked.kind)
    began = time.monotonic()
    tally, every = Tally(kind=asked.kind), Tally(kind=asked.kind)
    orders = [
        Order(seed=seed, kind=asked.kind, compared=True) for seed in range(asked.first, asked.first + asked.seeds)
    ]
    for lived in _shown(live(orders, processes=asked.processes), len(orders)):
        tally.add(lived)
    rough = [
        Order(seed=seed, kind=asked.kind, climate=ROUGH) for seed in range(max(1, asked.seeds * ROUGH_SHARE // 100))
    ]
    for lived in live(killed_at_every_point(asked.kind), processes=asked.processes):
        every.add(lived)
    holds = _holds(tally, live(rough, processes=asked.processes))
    print("\n".join(pages(tally, every, holds, time.monotonic() - began)))
    tally.broken.extend(every.broken)
    if tally.broken:
        print("\n".join(["", *complaints(tally)]))
        return 1
    if asked.kind == "replay" and holds[0] > MOST_HOLDS * holds[1]:
        print("\nToo many holds.")
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this world alone, with everything that happens in it")
    parser.add_argument(
        "--kind", choices=get_args(Kind), default="replay", help="what the provider does with a known key"
    )
    parser.add_argument("--processes", type=int, help="as many as there are cores, unless said")
    return parser.parse_args()


def _one(seed: int, kind: Kind) -> int:
    (lived,) = live([Order(seed=seed, kind=kind)])
    print(spoken(lived.told.events))
    for entry in lived.told.journal:
        print("  ".join(str(value) for value in entry if value not in ("", None)))
    for violation in lived.told.violations:
        print(f"VIOLATED: {violation}")
    return 0 if lived.told.is_fine else 1


def _holds(tally: Tally, rough: Iterable[Lived]) -> tuple[int, int]:
    held = takes = 0
    for lived in rough:
        held, takes = held + lived.told.held_first, takes + lived.told.takes
        if not lived.told.is_fine:
            tally.broken.append(lived)
    return held, takes


def _shown(worlds: Iterable[Lived], count: int) -> Iterator[Lived]:
    """How far it is, where somebody looks."""
    for number, lived in enumerate(worlds, 1):
        if sys.stderr.isatty() and number % 20 == 0:
            print(f"\r{number:,} of {count:,} worlds", end="", file=sys.stderr, flush=True)
        yield lived
    if sys.stderr.isatty():
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
