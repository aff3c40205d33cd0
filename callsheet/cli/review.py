"""`callsheet review`: build the review board again from the manifest in the archive."""

from typing import Annotated

import typer

from callsheet.cli import console, options


def review(
    spec: options.Spec,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: options.Json = False,
) -> None:
    """Build the review board of a campaign again and say where it is."""
    from callsheet.steps.load import load
    from callsheet.steps.wrap import rebuild_board

    loaded = load(spec)
    page = rebuild_board(loaded)
    if json:
        console.document({"campaign": loaded.campaign.name, "board": str(page)})
    else:
        console.tell(str(page))
    if open_it:
        typer.launch(page.as_uri())
