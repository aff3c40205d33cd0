"""The live view of a run: a bar for each stage and the variants at work; one line a variant where there is no terminal."""

import time
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from callsheet.cli import console
from callsheet.plan import Plan
from callsheet.steps.progress import STAGES, Event, Stage

#: Variants at work that are shown by name.
ROWS = 8
WORDS: dict[Stage, str] = {
    "prepare": "prepare",
    "stage": "upload",
    "submit": "submit",
    "follow": "render",
    "deliver": "archive",
}


class Live:
    """`with Live(plan) as live: …` and hand `live.hear` to the run."""

    def __init__(self, plan: Plan) -> None:
        self._labels = [line.variant.label for line in plan.lines if line.action in ("shoot", "attach")]
        self._done: dict[Stage, set[str]] = {stage: set() for stage in STAGES}
        self._at_work: dict[str, Event] = {}
        self._failed: set[str] = set()
        self._began = time.monotonic()
        self._screen: Screen | None = None

    def __enter__(self) -> Self:
        if console.err.is_terminal and self._labels:
            self._screen = Screen(
                get_renderable=self._picture, console=console.err, refresh_per_second=8, transient=True
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
        if event.state == "done":
            self._done[event.stage].add(event.label)
            self._at_work.pop(event.label, None)
        elif event.state == "failed":
            self._failed.add(event.label)
            self._at_work.pop(event.label, None)
        else:
            self._at_work[event.label] = event
        if self._screen is None and (event.state == "failed" or (event.state == "done" and event.stage == "deliver")):
            self._line(event)

    def _line(self, event: Event) -> None:
        ended = len(self._done["deliver"]) + len(self._failed)
        word = "archived" if event.state == "done" else "failed"
        console.say(
            f"{self._clock()}  {ended:>4} of {len(self._labels)}  {word:<8}  {event.label}  {event.detail}".rstrip()
        )

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:02d}:{seconds:02d}"

    def _picture(self) -> RenderableType:
        bars = Table.grid(padding=(0, 1))
        for stage in STAGES:
            done, total = len(self._done[stage]), len(self._labels)
            bar = ProgressBar(total=max(total, 1), completed=done, width=32)
            bars.add_row(Text(WORDS[stage], style="bold"), bar, f"{done:>4} of {total}")
        return Group(bars, self._rows(), Text(self._foot(), style="dim"))

    def _rows(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        for label, event in sorted(self._at_work.items(), key=lambda item: -STAGES.index(item[1].stage))[:ROWS]:
            percent = f"{event.fraction:>4.0%}" if event.state == "moved" else "    "
            table.add_row(Text(f"  {WORDS[event.stage]:<8}", style="cyan"), percent, Text(label))
        return table

    def _foot(self) -> str:
        failed = f", {len(self._failed)} failed" if self._failed else ""
        more = max(0, len(self._at_work) - ROWS)
        others = f", {more} more at work" if more else ""
        return f"  {self._clock()}{others}{failed}"
