"""`callsheet check`: every problem of one or more campaigns, media included; nothing spent."""

from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import completion, console, options
from callsheet.errors import Problem, SpecError, SpecInvalid, SpecSyntax


def check(
    specs: Annotated[
        list[Path],
        typer.Argument(
            metavar="SPEC...", help="Campaigns, YAML files.", show_default=False, autocompletion=completion.specs
        ),
    ],
    json: options.Json = False,
) -> None:
    """Find every problem of campaigns and their media. Nothing is spent, nothing is sent."""
    found: list[Problem] = []
    code = 0
    for spec in specs:
        told, wrong = _problems(spec, aloud=not json)
        found += told
        code = code or wrong
    if json:
        notes = [problem.as_json() for problem in found if problem.severity == "note"]
        problems = [problem.as_json() for problem in found if problem.severity != "note"]
        console.document({"ok": code == 0, "problems": problems, "notes": notes})
    elif code:
        errors = sum(problem.severity == "error" for problem in found)
        console.say(f"{errors} problem{'' if errors == 1 else 's'}. Nothing was spent.")
    if code:
        raise typer.Exit(code)


def _problems(spec: Path, *, aloud: bool) -> tuple[list[Problem], int]:
    """What is wrong with one campaign, said at once where it is to be said, and the exit code for it."""
    from callsheet.steps import settings, timetable
    from callsheet.steps.load import resolve
    from callsheet.steps.survey import mended, over_budget, survey

    try:
        loaded = resolve(spec)
        if loaded.remote:
            from callsheet.steps.bring import bring

            loaded = bring(loaded)
        surveyed = survey(loaded, settings.read(loaded.root).home)
        if wrong := tuple(timetable.problems(loaded.campaign)):
            raise SpecInvalid(wrong)
    except (SpecInvalid, SpecSyntax) as error:
        if aloud:
            console.problems(error.problems)
        return list(error.problems), error.exit_code
    except SpecError as error:  # no place in a file: there is no file, or the environment is wrong
        problem = Problem(file=error.where or str(spec), line=0, column=0, path="", message=error.what, hint=error.hint)
        if aloud:
            console.problems([problem])
        return [problem], error.exit_code
    over = list(over_budget(surveyed))
    warnings = [*surveyed.warnings, *over]
    notes = list(mended(surveyed))
    if aloud:
        console.problems([*warnings, *notes])
        count = sum(loaded.setups.values())
        so = "nothing is wrong, but a run of all of it would not start" if over else "no problem that stops it"
        console.say(f"{spec}: {count} variant{'' if count == 1 else 's'}, {so}.")
        if loaded.campaign.schedule is not None:
            console.say(
                f"    It runs by itself once it is deployed, {loaded.campaign.schedule.spoken}: callsheet deploy {spec}"
            )
    return [*warnings, *notes], 0
