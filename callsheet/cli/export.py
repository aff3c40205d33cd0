"""`callsheet export`: the archived films as CSV: names, links, axes, verdicts."""

from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import console, options


def export(
    spec: options.Spec,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write a .csv file.")] = None,
    approved: Annotated[bool, typer.Option("--approved", help="Only what a reviewer approved.")] = False,
    verdicts: Annotated[
        Path | None,
        typer.Option("--verdicts", metavar="FILE", help="What reviewers said, where it is not beside the manifest."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Print the films of a campaign as CSV, for ad platforms."""
    from callsheet import export as tables
    from callsheet.steps import export as exporting
    from callsheet.steps.load import load

    loaded = load(spec)
    found = exporting.export(loaded, verdicts=verdicts, approved=approved)
    rows = found.rows
    if out is not None:
        exporting.write(rows, out)
        console.say(f"{len(rows)} film{'' if len(rows) == 1 else 's'} in {out}")
    if found.unseen:
        console.say(f"{found.spoken_unseen}: look at {'it' if found.unseen == 1 else 'them'}, callsheet review {spec}")
    if found.gone:
        told = "1 approval is" if found.gone == 1 else f"{found.gone} approvals are"
        console.say(f"{told} of content that the campaign no longer has: it was edited since.")
    if any(row["draft"] for row in rows):
        console.say("These are drafts of the sandbox, and not for an ad platform yet.")
    if json:
        console.document(
            {
                "campaign": loaded.campaign.name,
                "films": rows,
                "unseen": found.unseen,
                "gone": found.gone,
                "file": None if out is None else str(out),
            }
        )
    elif out is None:
        console.raw(tables.text(rows))
