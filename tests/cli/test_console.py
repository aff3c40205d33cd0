"""Tables on terminals of any width and encoding: names stand under each other, and none is ever broken."""

import io
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from rich.text import Text

from callsheet.cli import console, tables
from callsheet.cli.screen import Console
from callsheet.cli.terminal import SPELT_OUT, Stream

NAMES = ("variant", "action", "credits", "why")
LONG = "beach--brand-a--dusk-" + "-".join(["very"] * 30) + "--16x9"
Show = Callable[[list[tuple[console.Piece, ...]]], list[str]]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """show(rows, width=…, encoding=…): the lines of a table as a terminal gets them."""

    def lines(rows: list[tuple[console.Piece, ...]], *, width: int = 80, encoding: str = "utf-8") -> list[str]:
        file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=SPELT_OUT)
        monkeypatch.setattr(console, "out", Stream(file=file, width=width))
        tables.table(NAMES, rows, right=("credits",))
        file.seek(0)
        return file.read().splitlines()

    return lines


def test_nothing_from_outside_steers_the_terminal(show: Callable[..., list[str]]) -> None:
    """A file that is called so would write over the question what may be spent."""
    hostile = "clip\x1b[2A\x1b]0;title\x07\x9b31m\u202e.mp4\r"
    (_, line) = show([(hostile, "shoot", "1", "日本 👩\u200d👧 \u3000é")])
    assert line.startswith("clip\ufffd[2A\ufffd]0;title\ufffd\ufffd31m\ufffd.mp4\ufffd")
    assert line.endswith("日本 👩\u200d👧 \u3000é")


def test_where_there_is_room_a_row_is_a_line(show: Callable[..., list[str]]) -> None:
    assert show([("beach--none--dusk--16x9", "shoot", "63.84", "not rendered yet"), ("cup", "skip", "–", "")]) == [
        "variant                  action  credits  why",
        "beach--none--dusk--16x9  shoot     63.84  not rendered yet",
        "cup                      skip          –",
    ]


def test_free_text_that_has_no_room_stands_below_its_row(show: Callable[..., list[str]]) -> None:
    assert show([("beach--none--dusk--16x9", "shoot", "63.84", "its prompt changed by a word")], width=44) == [
        "variant                  action  credits",
        "beach--none--dusk--16x9  shoot     63.84",
        "    its prompt changed by a word",
    ]


def test_a_long_name_stands_above_its_row_and_is_not_broken(show: Callable[..., list[str]]) -> None:
    assert show([(LONG, "shoot", "63.84", "not rendered yet")]) == [
        "variant",
        "    action  credits",
        LONG,
        "    shoot     63.84",
        "    not rendered yet",
    ]


def test_what_has_no_room_side_by_side_becomes_a_list(show: Callable[..., list[str]]) -> None:
    why = "archived as beach/" + "b" * 40 + ".mp4, nothing of it changed"
    assert show([("beach", "shoot", "1234567.1234", why)], width=20) == [
        "beach",
        "    action shoot,",
        "    credits",
        "    1234567.1234",
        "    archived as",
        "    beach/" + "b" * 40 + ".mp4,",
        "    nothing of it",
        "    changed",
    ]


def test_characters_of_two_columns_keep_the_columns_under_each_other(show: Callable[..., list[str]]) -> None:
    rows = [("beach--夏の海--16x9", "shoot", "36", "海"), ("beach--sea--16x9", "skip", "–", "x")]
    lines = show([tuple(row) for row in rows])
    assert [
        cell_len(line[: line.index(word)]) for line, word in zip(lines, ("action", "shoot", "skip"), strict=True)
    ] == [21] * 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_screen_that_knows_few_characters_gets_all_of_them_spelt_out_in_columns(
    encoding: str, show: Callable[..., list[str]]
) -> None:
    rows = [("café–夏", "shoot", "≤ 4", "3 × … → “x”"), ("beach", ("skip", "dim"), "–", "x")]
    lines = show([tuple(row) for row in rows], encoding=encoding)
    shown = "".join(lines)
    assert shown.encode(encoding)
    assert "\\u590f" in lines[1]
    if encoding == "ascii":
        assert lines[1] == 'caf\\xe9-\\u590f  shoot      <= 4  3 x ... -> "x"'
    columns = [line.index(word) for line, word in zip(lines, ("action", "shoot", "skip"), strict=True)]
    assert len(set(columns)) == 1


def test_colours_can_be_asked_for_and_make_no_terminal_of_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    pipe = io.StringIO()
    asked = Console(file=pipe)
    asked.print(Text("red", style="red"))
    assert "\x1b[31mred" in pipe.getvalue()
    assert not asked.is_terminal, "a view that redraws would fill a log"


def test_a_dumb_terminal_gets_no_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    class Seat(io.StringIO):
        def isatty(self) -> bool:
            return True

    seat = Seat()
    Console(file=seat).print(Text("red", style="bold red"))
    assert seat.getvalue() == "red\n"
