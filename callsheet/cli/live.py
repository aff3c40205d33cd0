"""The live view of a run: a bar for each stage, how long it takes, and the variants that move; one line a variant where
there is no terminal that can redraw."""

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from callsheet.cli import console, screen
from callsheet.cli.terminal import legible
from callsheet.plan import Plan
from callsheet.steps.progress import STAGES, UNDONE, Event, Stage

#: Variants at work that are shown by name where the terminal is high enough, and of those that came to nothing the last.
ROWS, UNDONE_ROWS = 8, 2
#: Lines besides those: the bars, the clock, what waits, and the one that the cursor is in.
OTHER_LINES = len(STAGES) + 3
#: Columns of a bar at most, and of what stands around it: the stage, and `1000 of 1000`.
BAR, AROUND_BAR = 32, 7 + 13 + 2
#: An estimate from less than this share of the work would jump about.
ENOUGH = 0.05
WORDS: dict[Stage, str] = {
    "prepare": "prepare",
    "stage": "upload",
    "submit": "submit",
    "follow": "render",
    "deliver": "archive",
}
#: What a variant that does not move waits for.
WAITS: dict[Stage, str] = {
    "prepare": "to prepare",
    "stage": "to upload",
    "submit": "to submit",
    "follow": "at the provider",
    "deliver": "to archive",
}


class Live:
    """`with Live(plan) as live: …` and hand `live.hear` to the run. `clock`: seconds that only grow."""

    def __init__(
        self, plan: Plan, *, terminal: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = {
            line.variant.label: float(line.seconds) for line in plan.lines if line.action in ("shoot", "attach")
        }
        self._terminal = terminal or screen.err
        self._redraws = self._terminal.is_terminal and not self._terminal.is_dumb_terminal and bool(self._seconds)
        self._clock = clock
        self._began = clock()
        #: When the provider was first heard to render; what came before says nothing about how long the rest takes.
        self._rendering_since: float | None = None
        self._done: dict[Stage, set[str]] = {stage: set() for stage in STAGES}
        self._at_work: dict[str, Event] = {}
        self._undone: dict[str, Event] = {}
        self._screen: Screen | None = None

    def __enter__(self) -> Self:
        if self._redraws:
            self._screen = Screen(
                get_renderable=self.picture, console=self._terminal, refresh_per_second=8, transient=True
            )
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._screen is not None:
            self._screen.stop()

    def hear(self, event: Event) -> None:
        """Take in what a step says."""
        if event.state in UNDONE:
            self._undone[event.label] = event
            self._at_work.pop(event.label, None)
        elif event.state == "done":
            self._done[event.stage].add(event.label)
            self._at_work.pop(event.label, None)
        else:
            self._at_work[event.label] = event
        if event.state not in UNDONE:  # what an earlier run has sent begins in the middle
            for before in STAGES[: STAGES.index(event.stage)]:
                self._done[before].add(event.label)
        if self._rendering_since is None and event.stage == "follow" and event.state == "moved":
            self._rendering_since = self._clock()
        if not self._redraws and (event.state in UNDONE or (event.state == "done" and event.stage == "deliver")):
            self._line(event)

    def picture(self) -> RenderableType:
        """All of the view, no higher and no wider than the terminal."""
        room = max(0, self._terminal.height - OTHER_LINES)
        undone = list(self._undone.values())[::-1][: min(UNDONE_ROWS, room)][::-1]
        rows = min(ROWS, room - len(undone))
        moving = [event for event in self._at_work.values() if event.state == "moved" and event.fraction > 0]
        shown = sorted(moving, key=lambda event: (-STAGES.index(event.stage), -event.fraction))[:rows]
        lines: list[RenderableType] = [
            self._bars(),
            Text(legible(self._foot()), style="bold", no_wrap=True, overflow="ellipsis"),
        ]
        lines += [
            _cut(f"  {_word(event):<13} {event.label}: {event.detail}", style=console.OUTCOME_STYLE[event.state])
            for event in undone
        ]
        lines += [_row(event) for event in shown]
        if waiting := self._waiting(shown):
            lines.append(_cut(f"  {waiting}", style="dim"))
        return Group(*lines)

    def _line(self, event: Event) -> None:
        ended = len(self._done["deliver"]) + len(self._undone)
        word = "archived" if event.state == "done" else _word(event)
        line = f"{self._elapsed()}  {ended:>4} of {len(self._seconds)}  {word:<8}  {event.label}  {event.detail}"
        self._terminal.print(Text(legible(line.rstrip())), soft_wrap=True)

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(self._clock() - self._began), 60)
        return f"{minutes:02d}:{seconds:02d}"

    def _bars(self) -> RenderableType:
        bars = Table.grid(padding=(0, 1))
        total = len(self._seconds)
        width = max(1, min(BAR, self._terminal.width - AROUND_BAR))
        for stage in STAGES:
            done = len(self._done[stage])
            bar = ProgressBar(
                total=max(total, 1), completed=done, width=width, complete_style="cyan", finished_style="green"
            )
            bars.add_row(Text(WORDS[stage], style="bold"), bar, f"{done:>4} of {total}")
        return bars

    def _foot(self) -> str:
        counts = Counter(_word(event) for event in self._undone.values())
        undone = ", ".join(f"{count} {word}" for word, count in counts.items())
        return "   ".join(part for part in (self._elapsed(), self._left(), undone) if part)

    def _left(self) -> str:
        """What the rest may take, at the pace since the provider began to render; weighed by the length of the clips."""
        if len(self._done["deliver"]) + len(self._undone) == len(self._seconds):
            return "writing manifest and review board"
        if self._rendering_since is None:
            return ""
        share = sum(self._ended(label) * seconds for label, seconds in self._seconds.items()) / self._total
        if share < ENOUGH or share > 1 - ENOUGH / 10:
            return ""
        return f"about {_rounded((self._clock() - self._rendering_since) * (1 - share) / share)} left"

    @property
    def _total(self) -> float:
        return sum(self._seconds.values())

    def _ended(self, label: str) -> float:
        """How much of this variant is over, from 0 to 1; archiving takes next to nothing beside rendering."""
        if label in self._undone or label in self._done["follow"]:
            return 1.0
        event = self._at_work.get(label)
        return event.fraction if event is not None and event.stage == "follow" else 0.0

    def _waiting(self, shown: list[Event]) -> str:
        """What of the work is not shown by name, by what it waits for."""
        rest = Counter(event.stage for event in self._at_work.values() if event not in shown)
        counts = ", ".join(f"{rest[stage]} {WAITS[stage]}" for stage in reversed(STAGES) if rest[stage])
        return f"and {counts}" if shown and counts else counts


def _word(event: Event) -> str:
    return event.state.replace("_", " ")


def _row(event: Event) -> Text:
    return _cut(f"  {WORDS[event.stage]:<8} {event.fraction:>4.0%} ", style="cyan").append(event.label, style="default")


def _cut(text: str, *, style: str) -> Text:
    return Text(legible(text), style=style, no_wrap=True, overflow="ellipsis")


def _rounded(seconds: float) -> str:
    """So coarse that it stands still while one looks: tens of seconds, then minutes, then hours and minutes."""
    if seconds <= 55:
        return f"{max(1, round(seconds / 10)) * 10} s"
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
