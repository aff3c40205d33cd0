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
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

from rich.cells import cell_len
from rich.text import Text

from callsheet.breakdown import Axis, Share, shortened
from callsheet.changes import FileChange
from callsheet.checkup import Check
from callsheet.cli.terminal import SPELT_OUT, Console, has_hung_up
from callsheet.credits import Credits, total
from callsheet.errors import MONEY_WORDS, CallsheetError, Problem, SpecInvalid, SpecSyntax
from callsheet.mending import Mended
from callsheet.pilot import Pilot
from callsheet.plan import Line, Plan, decimal_seconds, worst_case
from callsheet.redact import redact
from callsheet.suggest import Suggestion
from callsheet.take import Take
from callsheet.why import Difference, Explanation, Part
from callsheet.work import Work
from callsheet.yamltext import MAX_BYTES

#: Of the word in front of a problem.
SEVERITY_STYLE = {"error": "bold red", "warning": "bold yellow", "note": "cyan"}
#: Columns where standard output is no terminal: one line a row, for grep and for logs.
PIPE_WIDTH = 1000
#: Spaces between the columns of a table, and in front of what stands below a row.
GAP, INDENT = 2, " " * 4
#: Columns of a fact's name.
FACT = 11
#: Lines of a plan that are shown without being asked for, and files; and values of one axis, at most.
LINES_SHOWN, FILES_SHOWN, VALUES_SHOWN = 60, 20, 20
#: Columns of a problem's line that are shown, and how many of them at least lie in front of its place.
EXCERPT, LEAD = 160, 100

#: NO_COLOR means plain text: rich by itself would still write bold and dim.
COLOURS: Literal["auto"] | None = None if Console().no_color else "auto"

out = Console(highlight=False, soft_wrap=True, color_system=COLOURS)
if not out.is_terminal:
    out.width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns  # COLUMNS, where somebody set it
err = Console(stderr=True, highlight=False, soft_wrap=True, color_system=COLOURS)

ACTION_STYLE = {"shoot": "green", "attach": "cyan", "skip": "dim", "blocked": "red"}
OUTCOME_STYLE = {"archived": "green", "skipped": "dim", "failed": "red", "in_doubt": "yellow", "pending": "yellow"}


def say(text: str = "", style: str = "") -> None:
    """One line about what is going on, to standard error."""
    err.print(Text(text, style=style))


def tell(text: str = "", style: str = "") -> None:
    """One line of a result, to standard output."""
    out.print(Text(text, style=style))


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
            target.print(Text(f"{head:<{FACT}}{line}"))


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


def failure(problem: CallsheetError) -> None:
    """The one JSON document of a `--json` command that ended with an error of ours."""
    document(
        {
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
    )


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
        style = SEVERITY_STYLE[problem.severity]
        subject = f"{problem.path}: " if problem.path else ""
        err.print(
            Text.assemble(
                (f"{problem.place}: ", "bold"), (f"{problem.severity}: ", style), f"{subject}{problem.message}"
            )
        )
        for line in _excerpt(problem) if problem.severity != "note" else ():
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


def plan(lines: Sequence[Line], *, all_lines: bool) -> None:
    """The lines of a plan with what each costs now and why; of very many only the blocked ones, unless all are wanted."""
    shown = lines if all_lines or len(lines) <= LINES_SHOWN else [line for line in lines if line.action == "blocked"]
    rows = [
        (
            line.variant.label,
            Text(line.action, style=ACTION_STYLE[line.action]),
            decimal_seconds(line.seconds),
            str(line.credits) if line.credits else "–",
            line.reason,
        )
        for line in shown
    ]
    if rows:
        table(("variant", "action", "seconds", "credits", "why"), rows, right=("seconds", "credits"))
        tell()
    if len(shown) < len(lines):
        say(f"{len(lines) - len(shown)} lines are not shown; --lines shows all of them.", style="dim")


def by_axis(axes: Sequence[Axis], whole: Share) -> None:
    """What each value of each axis adds up to, and what they all do. Nothing where nothing new is spent."""
    if not axes or not whole.credits:
        return
    rows = [
        (axis.name if number == 0 else "", share)
        for axis in axes
        for number, share in enumerate(shortened(axis.shares, VALUES_SHOWN))
    ]
    cells = [_share_cells(name, share) for name, share in [*rows, ("all", whole)]]
    width = max(len(row[-1]) for row in cells)
    names = ("axis", "value", "variants", "shoot", "credits", "USD".rjust(width))
    table(names, [(*row[:-1], row[-1].rjust(width)) for row in cells], right=("variants", "shoot", "credits"))
    tell()


def _share_cells(name: str, share: Share) -> tuple[str, ...]:
    value = share.value if share.value is not None else "(without)"
    credits = str(share.credits) if share.credits else "–"
    usd = f"${share.credits.usd}" if share.credits else "–"
    return name, "" if name == "all" else value, str(share.variants), str(share.shoot), credits, usd


DECISION_STYLE = {"pass": "green", "remux": "cyan", "transcode": "yellow"}


def mended(files: Sequence[Mended], *, all_files: bool) -> None:
    """What is done to each file, how many variants use it, and why."""
    shown = files if all_files else files[:FILES_SHOWN]
    rows = [
        (one.file, Text(one.decision, style=DECISION_STYLE[one.decision]), str(one.variants), one.why) for one in shown
    ]
    if rows:
        table(("file", "preparation", "variants", "why"), rows, right=("variants",))
        tell()
    if len(shown) < len(files):
        say(f"{len(files) - len(shown)} files are not shown; --lines shows all of them.", style="dim")


def plan_facts(
    drawn: Plan,
    *,
    where: str,
    work: Work,
    selected: str = "",
    pilot: Pilot | None = None,
    approve_above: Credits | None = None,
) -> Sequence[tuple[str, str]]:
    """The totals of a plan as name and value.

    selected: what it leaves out, in words. approve_above: a dearer plan is shown with the worst that it can come to.
    """
    counts = ", ".join(f"{len(drawn.of(a))} {a}" for a in ("shoot", "attach", "skip", "blocked") if drawn.of(a))
    facts = [("campaign", drawn.campaign), ("route", where), ("variants", f"{len(drawn.lines)}: {counts}")]
    if selected:
        facts.append(("selected", selected))
    if pilot is not None:
        facts.append(("pilot", pilot.spoken))
    facts.append(("cost", _cost(drawn)))
    budget = drawn.budget
    if budget.limit is None:
        facts.append(
            ("budget", f"none: nothing but --max-usd limits a run ({budget.charged} charged, {budget.held} held)")
        )
    elif budget.left is not None:
        short = drawn.credits - budget.left
        missing = f"; this run needs {short.spoken} more" if short > Credits() else ""
        parts = f"{budget.charged} charged, {budget.held} held, {budget.left} left{missing}"
        facts.append(("budget", f"{budget.limit.spoken}: {parts}"))
    if approve_above is not None and drawn.credits > approve_above:
        facts.append(("at worst", _worst(drawn, approve_above)))
    facts.append(("media", work.spoken))
    facts.append(("plan", drawn.digest[:12]))
    return facts


def _worst(drawn: Plan, approve_above: Credits) -> str:
    budget, worst = drawn.budget, worst_case(drawn)
    own = worst - budget.charged - budget.held
    of = "" if budget.limit is None else f" of {budget.limit.spoken}"
    sum_of_it = f"{budget.charged} charged + {budget.held} held + {own} of this plan"
    return f"{worst.spoken}{of}: {sum_of_it}; a person confirms above {approve_above.spoken}"


def suggestions(found: Sequence[Suggestion]) -> None:
    """Cheaper ways: what each saves, what to write where, and what it changes."""
    tell()
    if not found:
        tell("No cheaper way to the same campaign was found.")
        return
    for suggestion in found:
        tell(suggestion.spoken, style="bold")
        for edit in suggestion.proposal.edits:
            tell(f"    {edit.spoken}")
        tell(f"    {suggestion.note}", style="dim")
    if len(found) > 1:
        tell("Each saving is for that change alone; together they may save less than their sum.")


WORD_STYLE = {"same": "", "removed": "red", "added": "green"}
WORD_MARKS = {"same": ("", ""), "removed": ("[-", "-]"), "added": ("{+", "+}")}


def explanation(told: Explanation) -> None:
    """One line of a plan: what is done and why, the price, every part with its place, and what changed."""
    line = told.line
    cost = f"{line.credits.spoken} of new money" if line.credits else "nothing new"
    facts = [
        ("variant", line.variant.label),
        ("action", f"{line.action}: {line.reason}"),
        ("cost", cost),
        ("price", told.price.spoken),
        ("", told.price.spoken_rule),
        ("prepared", told.prepared),
        ("key", line.key),
    ]
    for name, value in facts:
        tell(f"{name:<10} {value}")
    tell()
    rows = [row for part in told.parts for row in _part_rows(part)]
    table(("part", "from", "value"), rows)
    if told.earlier is not None:
        tell()
        _changes(told.earlier, told.differences)


def _part_rows(part: Part) -> Iterator[tuple[str, str, str]]:
    """A row for the value, and one more for each further place it comes from."""
    first, *others = (f"{one.place} {one.path}" if one.place else "default" for one in part.origins)
    yield part.title, first, part.text
    for other in others:
        yield "", other, ""


def _changes(earlier: Take, differences: Sequence[Difference] | None) -> None:
    since = f"since take {earlier.id} of {earlier.updated_at:%Y-%m-%d %H:%M} UTC ({earlier.archive})"
    if differences is None:
        tell(f"{since}: its parts were not recorded then")
        return
    tell(f"{since}:")
    for difference in differences:
        name = f"  {difference.change.title:<14} "
        if difference.words:
            marked = [(word, *WORD_MARKS[word.kind]) for word in difference.words]
            pieces = [(f"{left}{word.text}{right}", WORD_STYLE[word.kind]) for word, left, right in marked]
            out.print(Text.assemble(name, *pieces))
        elif difference.files:
            for file in difference.files:
                tell(f"{name}{_file_change(file)}")
        else:
            tell(f"{name}{difference.before} -> {difference.after}")


def _file_change(file: FileChange) -> str:
    before, after = file.before[:12], file.after[:12]
    name = file.file or f"a file with the digest {before or after}"
    how = f"{before} -> {after}" if file.kind == "changed" else before or after
    return f"{file.kind}: {name} ({how})" if file.file else f"{file.kind}: {name}"


def _cost(drawn: Plan) -> str:
    """New money; and what live takes hold already, which this run may turn into a charge."""
    going_on = total([line.take.cost for line in drawn.of("attach") if line.take])
    new = drawn.credits.spoken if drawn.credits else "nothing"
    return f"{new} new; {going_on.spoken} of takes that go on are held already" if going_on else new
