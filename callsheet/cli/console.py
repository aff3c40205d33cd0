"""The only writer to the terminal. Results go to standard output, everything said about them to standard error.

With `--json` exactly one document is written to standard output. Colours follow the terminal and NO_COLOR (rich's rule).
"""

import io
import json
import logging
import re
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any

from callsheet.cli import terminal
from callsheet.cli.terminal import PIPE_WIDTH, SPELT_OUT, Stream, has_hung_up
from callsheet.errors import MONEY_WORDS, CallsheetError, Problem, SpecInvalid, SpecSyntax
from callsheet.yamltext import MAX_BYTES

out, err = terminal.out, terminal.err

#: Of the word in front of a problem.
SEVERITY_STYLE = {"error": "bold red", "warning": "bold yellow", "note": "cyan"}
OUTCOME_STYLE = {"archived": "green", "skipped": "dim", "failed": "red", "in_doubt": "yellow", "pending": "yellow"}
#: Columns of a fact's name.
FACT = 11
#: Columns of a problem's line that are shown, and how many of them at least lie in front of its place.
EXCERPT, LEAD = 160, 100
#: The exit code of what no one foresaw.
UNEXPECTED = 70
#: Of a line and a column, behind the name of a file.
_PLACE = re.compile(r":\d+:\d+$")

#: A text, or one with its style in rich's words.
Piece = str | tuple[str, str]


def say(text: str = "", style: str = "") -> None:
    """One line about what is going on, to standard error."""
    show(err, (text, style))


def tell(text: str = "", style: str = "") -> None:
    """One line of a result, to standard output."""
    show(out, (text, style))


def show(stream: Stream, *pieces: Piece, end: str = "\n") -> None:
    """One line of pieces, each in its style.

    rich, which knows terminals, is loaded only where there may be one and something is coloured.
    """
    pairs = [(piece, "") if isinstance(piece, str) else piece for piece in pieces]
    parts = [(terminal.legible(text), style) for text, style in pairs]
    if stream.may_colour and any(style for _, style in parts):
        from rich.text import Text

        from callsheet.cli import screen

        (screen.err if stream.stderr else screen.out).print(Text.assemble(*parts), end=end)
    else:
        stream.put("".join(text for text, _ in parts) + end)


def facts(pairs: Iterable[tuple[str, str]], *, aside: bool = False) -> None:
    """Name and value, one below the other; `aside`: to standard error. A long value is broken between words on a terminal."""
    target = err if aside else out
    for name, value in pairs:
        room = max(target.width - FACT, 20) if target.is_terminal else PIPE_WIDTH
        lines = [
            line
            for text in value.splitlines()
            for line in wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
        ]
        for head, line in zip_longest((name,), lines, fillvalue=""):
            show(target, f"{head:<{FACT}}{line}")


class Aside(logging.Handler):
    """Lines of the log for a person who waits, to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), style="dim")


def fit() -> None:
    """Make ready for whatever is at the other end: a character that it does not know is spelt out, never an error.

    From here on the fetching of remote sources is told too, since every command that plans may have to wait for it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SPELT_OUT)
    fetching = logging.getLogger("callsheet.sources")
    fetching.setLevel(logging.INFO)
    fetching.addHandler(Aside())


def hang_up_if_gone() -> None:
    """Leave as a program whose reader has gone, if it has. SystemExit."""
    if has_hung_up(sys.__stdout__):
        out.hang_up()


def can_ask() -> bool:
    """Is there a person at the other end of standard input?"""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(question: str) -> bool:
    """A person's answer, on standard error so that standard output stays a result. Anything but a yes is a no."""
    show(err, (f"{question} [y/N] ", "bold"), end="")
    _wait_for_a_line()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _wait_for_a_line() -> None:
    """Until standard input can be read, or a signal came. A Ctrl-C in the instant before a read blocks would be heard only
    after the line; Python writes it to this socket even then."""
    heard, tell = socket.socketpair()
    with heard, tell:
        tell.setblocking(False)
        before = signal.set_wakeup_fd(tell.fileno())
        try:
            select.select([sys.stdin, heard], [], [])
        finally:
            signal.set_wakeup_fd(before)


def document(value: Any) -> None:
    """The one JSON document of a `--json` command."""
    out.put(json.dumps(value, indent=2, ensure_ascii=not out.takes_all) + "\n")


def raw(text: str) -> None:
    """Text as it is, to standard output (schemas, files)."""
    out.put(text)


def failure(problem: CallsheetError) -> dict[str, Any]:
    """An error of ours as the JSON document of a `--json` command that ended with it."""
    from callsheet.redact import redact

    return {
        "ok": False,
        "error": {
            "kind": type(problem).__name__,
            "exit_code": problem.exit_code,
            "where": problem.where,
            "message": redact(problem.what),
            "hint": redact(problem.hint),
            "spent": problem.spent,
        },
        "problems": [one.as_json() for one in getattr(problem, "problems", ())],
    }


def error(problem: CallsheetError) -> None:
    """An error of ours: every problem with its line of the file, or where, what, money, what to do."""
    if isinstance(problem, (SpecInvalid, SpecSyntax)):
        problems(problem.problems)
        say(MONEY_WORDS[problem.spent])
        return
    from callsheet.redact import redact

    where = f"{problem.where}: " if problem.where else ""
    word = "" if _PLACE.search(problem.where) else "error: "
    show(err, (where, "bold"), (word, "bold red"), redact(problem.what), f" {MONEY_WORDS[problem.spent]}")
    if problem.hint:
        say(f"    {redact(problem.hint)}")


class _Leaving:
    """What leaving now means for money: only a run, or what settles one, has sent anything."""

    is_under_way = False
    so_far: Callable[[], str] | None = None


def under_way(so_far: Callable[[], str] | None = None) -> None:
    """From here on something may be at the provider. so_far: says, to a person who leaves, how far it has come."""
    _Leaving.is_under_way, _Leaving.so_far = True, so_far


def interrupted() -> None:
    """Ctrl-C, in words."""
    goes_on = "What was submitted goes on at the provider; run the campaign again to collect it."
    say(f"Interrupted. {goes_on if _Leaving.is_under_way else MONEY_WORDS['no']}")
    if _Leaving.so_far is not None and (told := _Leaving.so_far()):
        say(f"    {told}")


def defect(failure: Exception) -> None:
    """Something that no one foresaw: what Python says of it, without secrets, and where to look for the money."""
    from callsheet.redact import redact

    say(redact("".join(traceback.format_exception(failure))).rstrip(), style="dim")
    show(err, ("unexpected error: ", "bold red"), redact(" ".join(f"{type(failure).__name__}: {failure}".split())))
    say("    This is a defect of Callsheet; please report it with the lines above.")
    shows = "`callsheet status` shows what was submitted; run the campaign again to go on, nothing is paid twice."
    say(f"    {shows if _Leaving.is_under_way else MONEY_WORDS['no']}")


def problems(found: Iterable[Problem]) -> None:
    """Each problem as `file:line:column: path: what`, with the line and a caret under the place, and what to do. What is no
    error, or is none of a line, says so before its path."""
    for problem in found:
        word = "" if problem.severity == "error" and problem.line else f"{problem.severity}: "
        subject = f"{problem.path}: " if problem.path else ""
        style = SEVERITY_STYLE[problem.severity]
        show(err, (f"{problem.place}: ", "bold"), (f"{word}{subject}", style), problem.message)
        for line in _excerpt(problem) if problem.severity != "note" else ():
            say(line, style="dim")
        if problem.hint:
            say(f"    {problem.hint}")


def _excerpt(problem: Problem) -> Sequence[str]:
    """The line of the file and a caret; nothing where the file is gone, the line is not in it, or a secret is."""
    if not problem.line:
        return ()
    from rich.cells import cell_len

    from callsheet.redact import redact

    try:
        with Path(problem.file).open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", errors="replace")
        line = text.splitlines()[problem.line - 1]
    except (OSError, IndexError):
        return ()
    if redact(line) != line:
        return ()
    begin = max(0, problem.column - 1 - LEAD) if len(line) > EXCERPT else 0
    shown = "".join(c if c.isprintable() else "·" for c in line[begin : begin + EXCERPT])
    return (
        f"{problem.line:>5} | {shown}",
        f"{' ' * 5} | {' ' * cell_len(err.spelt(shown[: problem.column - 1 - begin]))}^",
    )
