"""`callsheet review`: build the review board again from the manifest in the archive."""

from typing import Annotated

import typer

from callsheet.cli import console, options
from callsheet.errors import NothingToShoot


def review(
    spec: options.Spec,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: options.Json = False,
) -> None:
    """Build the review board of a campaign again and say where it is."""
    from callsheet.archive.disk import DiskStore
    from callsheet.sidecar import Manifest
    from callsheet.steps.load import load
    from callsheet.steps.wrap import write_board

    loaded = load(spec)
    store = DiskStore(loaded.root / loaded.campaign.archive.to)
    key = f"{loaded.campaign.name}/manifest.json"
    if not store.exists(key):
        raise NothingToShoot(
            "Nothing of this campaign is in the archive yet.",
            where=str(spec),
            hint=f"Run it first: callsheet run {spec} --sandbox",
        )
    page = write_board(store, Manifest.model_validate_json(store.path(key).read_bytes()))
    if json:
        console.document({"campaign": loaded.campaign.name, "board": str(page)})
    else:
        console.tell(str(page))
    if open_it:
        typer.launch(page.as_uri())
