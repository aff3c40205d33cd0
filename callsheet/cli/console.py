"""The only writer to the terminal. Results go to standard output, everything said about them to standard error.

With `--json` exactly one document is written to standard output. Colours follow the terminal and NO_COLOR (rich's rule).
"""

import codecs
import io
import json
import shutil
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from callsheet.checkup import Check
from callsheet.cli.terminal import SPELT_OUT, Console, has_hung_up
from callsheet.credits import Credits
from callsheet.errors import MONEY_WORDS, CallsheetError, Problem, SpecInvalid, SpecSyntax
from callsheet.plan import Plan, decimal_seconds
from callsheet.redact import redact
from callsheet.yamltext import MAX_BYTES

#: Columns where standard output is no terminal: one line a row, for grep and for logs.
PIPE_WIDTH = 1000
#: Spaces between the columns of a table, and in front of what stands below a row.
GAP, INDENT = 2, " " * 4
#: Columns of a problem's line that are shown, and how many of them at least lie in front of its place.
EXCERPT, LEAD = 160, 100

out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out.width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns  # COLUMNS, where somebody set it
err = Console(stderr=True, highlight=False, soft_wrap=True)

ACTION_STYLE = {"shoot": "green", "attach": "cyan", "skip": "dim", "blocked": "red"}
OUTCOME_STYLE = {"archived": "green", "skipped": "dim", "failed": "red", "in_doubt": "yellow", "pending": "yellow"}


def say(text: str = "", style: str = "") -> None:
    """One line about what is going on, to standard error."""
    err.print(Text(text, style=style))


def tell(text: str = "", style: str = "") -> None:
    """One line of a result, to standard output."""
    out.print(Text(text, style=style))


def fit() -> None:
    """Make ready for whatever is at the other end: a character that it does not know is spelt out, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SPELT_OUT)


def hang_up_if_gone() -> None:
    """Leave as a program whose reader has gone, if it has. SystemExit."""
    if has_hung_up(sys.__stdout__):
        out.on_broken_pipe()


def encoding() -> str:
    """What standard output takes, by Python's own name, as utf-8 or ascii."""
    return codecs.lookup(out.encoding).name


CHECK_MARK = {"ok": ("ok", "green"), "note": ("--", "yellow"), "no": ("no", "bold red")}


def check(found: Check) -> None:
    """One line of `callsheet doctor`, to standard output; on a terminal its further lines stand below the first."""
    mark, style = CHECK_MARK[found.status]
    room = out.width - len(INDENT) if out.is_terminal else PIPE_WIDTH
    for number, line in enumerate(_folded(Text(found.line), room)):
        out.print(Text.assemble((INDENT if number else f"{mark:<{len(INDENT)}}", style), line))


def can_ask() -> bool:
    """Is there a person at the other end of standard input?"""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(question: str) -> bool:
    """A person's answer, on standard error so that standard output stays a result. Anything but a yes is a no."""
    err.print(Text(f"{question} [y/N] ", style="bold"), end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def table(names: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Sequence[str] = ()) -> None:
    """Rows under their names, to standard output; `right`: names of columns that are set flush right.

    The last column is free text. Where the terminal is too narrow for it, it stands below its row. Where it is too narrow
    for the others too, the widest of them, a name, stands above its row, and what is then still too wide becomes a list.
    No name or number is ever broken.
    """
    cells = [[_legible(cell) for cell in row] for row in rows]
    header = [Text(out.spelt(name), style="bold") for name in names]
    widths = [max(cell.cell_len for cell in column) for column in zip(header, *cells, strict=True)]
    flush = [name in right for name in names]
    inner = list(range(len(names) - 1))
    if _room(widths) <= out.width:
        for row in (header, *cells):
            out.print(_line(row, widths, flush))
    elif _room(widths[:-1]) <= out.width:
        for row in (header, *cells):
            out.print(_line([row[column] for column in inner], widths, flush))
            if row is not header:
                _below(row[-1])
    else:
        _stacked(header, cells, widths, flush)


def _stacked(
    header: Sequence[Text], cells: Sequence[Sequence[Text]], widths: Sequence[int], flush: Sequence[bool]
) -> None:
    """Each row as its widest column of words, a line of the others below it, and the free text below that."""
    title = max(range(len(widths) - 1), key=lambda column: (not flush[column], widths[column]))
    others = [column for column in range(len(widths) - 1) if column != title]
    shape = [widths[column] for column in others], [flush[column] for column in others]
    fits = _room(shape[0]) + len(INDENT) <= out.width
    for row in (header, *cells) if fits else cells:
        out.print(row[title])
        if fits:
            out.print(Text(INDENT) + _line([row[column] for column in others], *shape))
        else:
            named = (f"{header[column].plain} {row[column].plain}" for column in others if row[column].plain)
            _below(Text(", ".join(named)))
        if row is not header:
            _below(row[-1])


def _below(cell: Text) -> None:
    """Free text under its row, in as many lines as it takes."""
    if cell.plain:
        for part in _folded(cell, out.width - len(INDENT)):
            out.print(Text(INDENT) + part)


def _folded(text: Text, room: int) -> Iterator[Text]:
    """Lines of at most so many columns, broken between words only: a path or a name is there to be copied."""
    line = Text()
    for word in text.split(" "):
        if line and line.cell_len + 1 + word.cell_len > room:
            yield line
            line = Text()
        line = line + Text(" ") + word if line else word
    yield line


def _room(widths: Sequence[int]) -> int:
    """Columns that they take side by side."""
    return sum(widths) + GAP * (len(widths) - 1)


def _legible(cell: str | Text) -> Text:
    """As the terminal will show it, so that what is measured is what is seen."""
    text = Text(cell) if isinstance(cell, str) else cell.copy()
    if not out.takes_all:
        text.plain = out.spelt(text.plain)
    return text


def _line(cells: Sequence[Text], widths: Sequence[int], flush: Sequence[bool]) -> Text:
    """One row; what is last has no spaces behind it."""
    line = Text()
    for cell, width, right in zip(cells, widths, flush, strict=False):
        spaces = " " * max(0, width - cell.cell_len)
        line.append_text(Text(spaces) + cell if right else cell + Text(spaces)).append(" " * GAP)
    line.rstrip()
    return line


def document(value: Any) -> None:
    """The one JSON document of a `--json` command."""
    out.put(json.dumps(value, indent=2, ensure_ascii=not out.takes_all) + "\n")


def raw(text: str) -> None:
    """Text as it is, to standard output (schemas, files)."""
    out.put(text)


def error(problem: CallsheetError) -> None:
    """An error of ours: every problem with its line of the file, or where, what, money, what to do."""
    if isinstance(problem, (SpecInvalid, SpecSyntax)):
        problems(problem.problems)
        say(MONEY_WORDS[problem.spent])
        return
    where = f"{problem.where}: " if problem.where else ""
    err.print(
        Text.assemble((where, "bold"), ("error: ", "bold red"), redact(problem.what), f" {MONEY_WORDS[problem.spent]}")
    )
    if problem.hint:
        say(f"    {redact(problem.hint)}")


def defect(failure: Exception) -> None:
    """Something that no one foresaw: what Python says of it, without secrets, and where to look for the money."""
    say(redact("".join(traceback.format_exception(failure))).rstrip(), style="dim")
    err.print(
        Text.assemble(
            ("unexpected error: ", "bold red"), redact(" ".join(f"{type(failure).__name__}: {failure}".split()))
        )
    )
    say("    This is a defect of Callsheet; please report it with the lines above.")
    say("    `callsheet status` shows what was submitted; run the campaign again to go on, nothing is paid twice.")


def problems(found: Iterable[Problem]) -> None:
    """Each problem as `file:line:column: path: what`, with the line and a caret under the place, and what to do."""
    for problem in found:
        style = "bold red" if problem.severity == "error" else "bold yellow"
        subject = f"{problem.path}: " if problem.path else ""
        err.print(
            Text.assemble(
                (f"{problem.place}: ", "bold"), (f"{problem.severity}: ", style), f"{subject}{problem.message}"
            )
        )
        for line in _excerpt(problem):
            err.print(Text(line, style="dim"))
        if problem.hint:
            say(f"    {problem.hint}")


def _excerpt(problem: Problem) -> Sequence[str]:
    """The line of the file and a caret; nothing where the file is gone or the line is not in it."""
    if not problem.line:
        return ()
    try:
        with Path(problem.file).open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", errors="replace")
        line = text.splitlines()[problem.line - 1]
    except (OSError, IndexError):
        return ()
    begin = max(0, problem.column - 1 - LEAD) if len(line) > EXCERPT else 0
    shown = "".join(c if c.isprintable() else "·" for c in line[begin : begin + EXCERPT])
    return (
        f"{problem.line:>5} | {shown}",
        f"{' ' * 5} | {' ' * cell_len(err.spelt(shown[: problem.column - 1 - begin]))}^",
    )


def plan(drawn: Plan, *, where: str) -> None:
    """The plan as a table with totals: what each variant costs now and why."""
    rows = [
        (
            line.variant.label,
            Text(line.action, style=ACTION_STYLE[line.action]),
            decimal_seconds(line.seconds),
            str(line.credits) if line.credits else "–",
            line.reason,
        )
        for line in drawn.lines
    ]
    table(("variant", "action", "seconds", "credits", "why"), rows, right=("seconds", "credits"))
    tell()
    for name, value in plan_facts(drawn, where=where):
        tell(f"{name:<10} {value}")


def plan_facts(drawn: Plan, *, where: str) -> Sequence[tuple[str, str]]:
    """The totals of a plan as name and value."""
    counts = ", ".join(f"{len(drawn.of(a))} {a}" for a in ("shoot", "attach", "skip", "blocked") if drawn.of(a))
    facts = [("campaign", drawn.campaign), ("route", where), ("variants", f"{len(drawn.lines)}: {counts}")]
    facts.append(("cost", _cost(drawn.credits)))
    budget = drawn.budget
    if budget.limit is not None and budget.left is not None:
        short = drawn.credits - budget.left
        missing = f"; this run needs {short.spoken} more" if short > Credits() else ""
        parts = f"{budget.charged} charged, {budget.held} held, {budget.left} left{missing}"
        facts.append(("budget", f"{budget.limit.spoken}: {parts}"))
    facts.append(("plan", drawn.digest[:12]))
    return facts


def _cost(credits: Credits) -> str:
    return credits.spoken if credits else "nothing"
