"""Arguments and options that several commands share, worded once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callsheet.cli import completion

if TYPE_CHECKING:
    from callsheet.selection import Selection

Spec = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC", help="The campaign, a YAML file.", show_default=False, autocompletion=completion.specs
    ),
]


def _optional_spec(help: str) -> Any:
    return typer.Argument(metavar="[SPEC]", help=help, show_default=False, autocompletion=completion.specs)


OptionalSpec = Annotated[Path | None, _optional_spec("The campaign; a --plan knows its own.")]
SpecOrAll = Annotated[Path | None, _optional_spec("Only this campaign; all of them otherwise.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="GLOB",
        help="Only variants whose slug matches; may be given several times.",
        autocompletion=completion.slugs,
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--skip",
        metavar="GLOB",
        help="Not the variants whose slug matches; may be given several times.",
        autocompletion=completion.slugs,
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", help="Shoot only the first N of what the plan would shoot.", min=1)
]
Pilot = Annotated[
    str | None,
    typer.Option("--pilot", metavar="pairwise", help="Only a few variants, with every pair of axis values in one."),
]
Verdicts = Annotated[
    str | None,
    typer.Option(
        "--verdicts",
        metavar="FILE",
        help="The next round after a review: without what it rejected, with one more take of what it wants again.",
    ),
]
Promote = Annotated[
    list[str] | None,
    typer.Option(
        "--promote",
        metavar="MODEL|RATIO",
        help="With --verdicts: only the winners, by this model, or in this aspect ratio too; may be repeated.",
    ),
]
KeepUnjudged = Annotated[
    bool,
    typer.Option(
        "--keep-unjudged",
        help="With --verdicts: keep what nobody judged, even if every judged variant with the same prompt (or other value) was "
        "rejected.",
    ),
]
Again = Annotated[
    list[str] | None,
    typer.Option(
        "--again",
        metavar="GLOB",
        help="Render these again although they are archived. It costs again.",
        autocompletion=completion.slugs,
    ),
]
AgainFlagged = Annotated[
    bool,
    typer.Option("--again-flagged", help="Render again, once, what the quality checks flag. It costs again."),
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Free drafts by the local provider; nothing leaves this machine.")
]


def selection(
    only: list[str] | None,
    skip: list[str] | None,
    again: list[str] | None,
    limit: int | None,
    pilot: str | None,
    verdicts: str | None = None,
    promote: list[str] | None = None,
    keep_unjudged: bool = False,
) -> "Selection":
    """What these options choose. SpecError."""
    from callsheet.selection import Selection

    return Selection(
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        again=tuple(again or ()),
        limit=limit,
        pilot=pilot,
        verdicts=verdicts,
        promote=tuple(promote or ()),
        keep_unjudged=keep_unjudged,
    )


def flagged(spec: Path | None, *, sandbox: bool) -> list[str]:
    """What --again-flagged adds to --again. SpecError without a campaign, NothingToShoot where nothing is flagged."""
    from callsheet.errors import SpecError
    from callsheet.steps import look_up

    if spec is None:
        what = "a plan in a file has its own --again, and --again-flagged adds to it."
        raise SpecError(
            what,
            where="--again-flagged",
            hint="Draw the plan up with it: callsheet plan SPEC --again-flagged --out FILE",
        )
    return list(look_up.flagged(spec, sandbox=sandbox))
