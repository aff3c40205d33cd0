"""`callsheet check`: every problem of one or more campaigns, media included; nothing spent."""

from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import console, options
from callsheet.errors import Problem, SpecError, SpecInvalid, SpecSyntax


def check(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", help="Campaigns, YAML files.", show_default=False)],
    json: options.Json = False,
) -> None:
    """Find every problem of the campaigns and their media. Nothing is spent, nothing is sent."""
    found: list[Problem] = []
    code = 0
    for spec in specs:
        problems, wrong = _problems(spec)
        found += problems
        code = code or wrong
    if json:
        console.document({"ok": code == 0, "problems": [problem.as_json() for problem in found]})
    elif code or found:
        console.problems(found)
        errors = sum(problem.severity == "error" for problem in found)
        console.say(
            f"{errors} problem{'' if errors == 1 else 's'}. Nothing was spent." if code else "Nothing was spent."
        )
    if code:
        raise typer.Exit(code)


def _problems(spec: Path) -> tuple[list[Problem], int]:
    from callsheet.steps import settings
    from callsheet.steps.load import load
    from callsheet.steps.survey import survey

    try:
        loaded = load(spec)
        surveyed = survey(loaded, settings.read(loaded.root).home)
    except (SpecInvalid, SpecSyntax) as error:
        return list(error.problems), error.exit_code
    except SpecError as error:
        where = error.where or str(spec)
        return [Problem(file=where, line=1, column=1, path="", message=error.what, hint=error.hint)], error.exit_code
    console.say(f"{spec}: {len(loaded.variants)} variants, no problem that stops it.")
    return list(surveyed.warnings), 0
