"""The only writer to the terminal. Results go to standard output, everything said about them to standard error.

With `--json` exactly one document is written to standard output. Colours follow the terminal and NO_COLOR (rich's rule).
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from callsheet.credits import Credits
from callsheet.errors import MONEY_WORDS, CallsheetError, Problem, SpecInvalid, SpecSyntax
from callsheet.plan import Plan, decimal_seconds
from callsheet.redact import redact

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ACTION_STYLE = {"shoot": "green", "attach": "cyan", "skip": "dim", "blocked": "red"}
OUTCOME_STYLE = {"archived": "green", "skipped": "dim", "failed": "red", "in_doubt": "yellow", "pending": "yellow"}


def say(text: str = "", style: str = "") -> None:
    """One line about what is going on, to standard error."""
    err.print(Text(text, style=style))


def tell(text: str = "", style: str = "") -> None:
    """One line of a result, to standard output."""
    out.print(Text(text, style=style))


def show(renderable: Any) -> None:
    """A table or another renderable, to standard output."""
    out.print(renderable)


def document(value: Any) -> None:
    """The one JSON document of a `--json` command."""
    out.file.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    out.file.flush()


def raw(text: str) -> None:
    """Text as it is, to standard output (schemas, files)."""
    out.file.write(text)
    out.file.flush()


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
    try:
        lines = Path(problem.file).read_text("utf-8", errors="replace").splitlines()
        line = lines[problem.line - 1]
    except (OSError, IndexError):
        return ()
    shown = "".join(character if character.isprintable() else "·" for character in line)[:160]
    number = f"{problem.line:>5} | "
    return (f"{number}{shown}", f"{' ' * 5} | {' ' * min(problem.column - 1, len(shown))}^")


def plan(drawn: Plan, *, where: str) -> None:
    """The plan as a table with totals: what each variant costs now and why."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("variant", no_wrap=True)
    table.add_column("action")
    table.add_column("seconds", justify="right")
    table.add_column("credits", justify="right")
    table.add_column("why", overflow="fold")
    for line in drawn.lines:
        action = Text(line.action, style=ACTION_STYLE[line.action])
        credits = str(line.credits) if line.credits else "–"
        table.add_row(escape(line.variant.label), action, decimal_seconds(line.seconds), credits, escape(line.reason))
    show(table)
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
        parts = f"{budget.charged} charged, {budget.held} held, {budget.left} left"
        facts.append(("budget", f"{budget.limit.spoken}: {parts}"))
    facts.append(("plan", drawn.digest[:12]))
    return facts


def _cost(credits: Credits) -> str:
    return credits.spoken if credits else "nothing"
