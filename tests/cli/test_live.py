"""The live view on terminals of every size: what it shows of a run, never higher or wider than the terminal."""

import io
from fractions import Fraction
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from callsheet.cli.live import Live
from callsheet.credits import ZERO, Credits
from callsheet.plan import Footage, LedgerView, Plan, draw_up
from callsheet.steps.progress import STAGES, Event
from callsheet.sweep import expand
from tests.unit.campaigns import campaign

LABELS = [variant.label for variant in expand(campaign())]
FIRST, SECOND = LABELS[:2]


def plan() -> Plan:
    variants = expand(campaign())
    return draw_up(
        campaign="hello",
        route="sandbox",
        variants=variants,
        footage={
            variant.label: Footage(clip=variant.label, window=None, seconds=Fraction(4), references=())
            for variant in variants
        },
        rerender="changed",
        budget=Credits.of("9999"),
        view=LedgerView(takes={}, earlier={}, held=ZERO, charged=ZERO),
    )


class Run:
    """A run that is told by hand, watched on a terminal of this size."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.now = 1000.0
        self.terminal = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)
        self.live = Live(plan(), terminal=self.terminal, clock=lambda: self.now)

    def tell(self, label: str, stage: Any, state: Any, fraction: float = 0.0, detail: str = "") -> None:
        self.live.hear(Event(label=label, stage=stage, state=state, fraction=fraction, detail=detail))

    def render(self, label: str, fraction: float) -> None:
        self.tell(label, "follow", "moved", fraction)

    def end(self, label: str) -> None:
        for stage in STAGES:
            self.tell(label, stage, "done", 1.0)

    def lines(self) -> list[str]:
        picture = self.live.picture()
        with self.terminal.capture() as captured:
            self.terminal.print(picture)
        return [line.rstrip() for line in captured.get().splitlines()]


def test_every_stage_has_its_bar_and_its_count() -> None:
    run = Run()
    run.tell(FIRST, "prepare", "done", 1.0)
    assert [line.split()[0] for line in run.lines()[:5]] == ["prepare", "upload", "submit", "render", "archive"]
    assert [line[-7:].strip() for line in run.lines()[:2]] == ["1 of 24", "0 of 24"]


def test_what_an_earlier_run_has_sent_has_its_first_stages_behind_it() -> None:
    run = Run()
    run.tell(FIRST, "follow", "began")
    assert [line[-7:].strip() for line in run.lines()[:5]] == ["1 of 24"] * 3 + ["0 of 24"] * 2
    run.tell(SECOND, "submit", "failed")
    assert [line[-7:].strip() for line in run.lines()[:3]] == ["1 of 24"] * 3


def test_what_moves_is_named_and_what_waits_is_counted() -> None:
    run = Run()
    run.tell(FIRST, "follow", "began")
    run.tell(SECOND, "follow", "began")
    run.tell(LABELS[2], "prepare", "began")
    assert run.lines()[-1] == "  2 at the provider, 1 to prepare"
    run.render(SECOND, 0.42)
    assert run.lines()[-2:] == [f"  render    42% {SECOND}", "  and 1 at the provider, 1 to prepare"]


def test_the_time_left_is_told_from_the_pace_of_rendering_and_is_coarse() -> None:
    run = Run()
    run.now += 30
    assert run.lines()[5] == "00:30"
    run.render(FIRST, 0.0)
    for label in LABELS[:6]:
        run.end(label)
    run.now += 60
    assert run.lines()[5] == "01:30   about 3 min left"  # a quarter in one minute
    run.now += 3
    assert run.lines()[5] == "01:33   about 3 min left"


def test_the_first_percent_gives_no_estimate() -> None:
    run = Run()
    run.render(FIRST, 0.01)
    run.now += 60
    assert run.lines()[5] == "01:00"


def test_the_last_thing_it_says_is_that_the_board_is_written() -> None:
    run = Run()
    for label in LABELS:
        run.end(label)
    assert run.lines()[5] == "00:00   writing manifest and review board"


@pytest.mark.parametrize(("state", "word"), [("failed", "failed"), ("pending", "pending"), ("in_doubt", "in doubt")])
def test_a_variant_that_came_to_nothing_is_shown_with_its_reason_and_moves_no_more(state: str, word: str) -> None:
    run = Run()
    run.render(FIRST, 0.3)
    run.tell(FIRST, "follow", state, detail="the job ended without a result")
    lines = run.lines()
    assert lines[5] == f"00:00   1 {word}"
    assert lines[6:] == [f"  {word:<13} {FIRST}: the job ended without a result"[:80]]


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (60, 20), (40, 12), (24, 9)])
def test_it_is_never_higher_or_wider_than_the_terminal(width: int, height: int) -> None:
    run = Run(width, height)
    for label in LABELS[:3]:
        run.tell(label, "follow", "failed", detail="a long reason " * 20)
    for label in LABELS[3:]:
        run.render(label, 0.5)
    lines = run.lines()
    assert len(lines) < height  # the cursor stands in one more
    assert max(cell_len(line) for line in lines) <= width
    assert lines[5].startswith("00:00")


def test_without_a_terminal_that_redraws_each_end_is_one_line() -> None:
    log = io.StringIO()
    live = Live(plan(), terminal=Console(file=log, width=200), clock=lambda: 0.0)
    with live:
        live.hear(Event(label=FIRST, stage="follow", state="moved", fraction=0.5))
        live.hear(Event(label=FIRST, stage="deliver", state="done", detail="hello/beach.mp4"))
        live.hear(Event(label=SECOND, stage="submit", state="in_doubt", detail="the answer was lost"))
    assert log.getvalue().splitlines() == [
        f"00:00     1 of 24  archived  {FIRST}  hello/beach.mp4",
        f"00:00     2 of 24  in doubt  {SECOND}  the answer was lost",
    ]


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    log = io.StringIO()
    live = Live(plan(), terminal=Console(file=log, force_terminal=True, width=200), clock=lambda: 0.0)
    with live:
        live.hear(Event(label=FIRST, stage="deliver", state="done", detail="hello/beach.mp4"))
    assert log.getvalue() == f"00:00     1 of 24  archived  {FIRST}  hello/beach.mp4\n"
