"""What renders, and who takes a job: the cheapest engine that is up; when it goes down, the next cheapest.

`cost` is what a second of result costs whoever runs the gateway; the client's price is the catalogue's, whoever serves.
A switch that a person threw is in the book. An engine whose tools are missing is left alone for a while by itself.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from callsheet.sandbox.book import Book
from callsheet.sandbox.engine import Shot

Progress = Callable[[float], None]
#: Turns a shot into a finished video file; tells its progress as 0.0 to 1.0. The seam for other engines.
Render = Callable[[Shot, Path, Progress], Awaitable[None]]

#: How long an engine that could not work at all is left alone.
REST = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """cost: credits for a second of result. at_once: renders at the same time."""

    name: str
    cost: Fraction
    at_once: int
    render: Render


class NoEngine(Exception):
    """All engines are down."""


@dataclass(kw_only=True)
class Engines:
    """The engines of a server, in no order."""

    rows: Sequence[Engine]
    book: Book
    clock: Callable[[], datetime]
    _resting: dict[str, datetime] = field(default_factory=dict)

    @property
    def at_once(self) -> int:
        """Renders at the same time: what the cheapest engine bears."""
        return min(self.rows, key=lambda row: row.cost).at_once

    def up(self) -> list[Engine]:
        """Those that may be asked now, the cheapest first."""
        return sorted((row for row in self.rows if self.is_up(row.name)), key=lambda row: (row.cost, row.name))

    def is_up(self, name: str) -> bool:
        return name not in self.book.engines_down() and not self._rests(name)

    def told(self) -> list[dict[str, Any]]:
        """All of them, the cheapest first, and how each is."""
        rows = sorted(self.rows, key=lambda row: (row.cost, row.name))
        return [
            {"name": row.name, "cost": float(row.cost), "health": "up" if self.is_up(row.name) else "down"}
            for row in rows
        ]

    def switch(self, name: str, *, is_down: bool) -> None:
        """By hand; LookupError for a name that is none."""
        if name not in {row.name for row in self.rows}:
            raise LookupError(name)
        self.book.switch_engine(name, is_down=is_down)
        if not is_down:
            self._resting.pop(name, None)

    def rest(self, name: str) -> None:
        """It could not work at all: leave it alone for a while."""
        self._resting[name] = self.clock() + REST

    def _rests(self, name: str) -> bool:
        return name in self._resting and self.clock() < self._resting[name]


async def copied(shot: Shot, target: Path, on_progress: Progress, *, delay: timedelta, plate: Render) -> None:
    """The clip itself after a fixed wait, as instant bytes for load tests; of a shot without a clip, `plate` renders one."""
    await asyncio.sleep(delay.total_seconds())
    if shot.clip is None:
        await plate(shot, target, on_progress)
        return
    await asyncio.to_thread(_copy, shot.clip, target)
    on_progress(1.0)


def _copy(source: Path, target: Path) -> None:
    """By name where the disk can: neither is ever written to again."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # a disk without second names (exFAT, many network shares), or a file that has all it may have
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, part)
        part.replace(target)
