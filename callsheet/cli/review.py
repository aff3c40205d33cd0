"""`callsheet review`: build the review board again from the manifest in the archive; serve it, to keep verdicts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsheet.cli import console, options

if TYPE_CHECKING:
    from callsheet.sidecar import Manifest
    from callsheet.steps.shelve import Shelf


def review(
    spec: options.Spec,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it on 127.0.0.1 until Ctrl-C; its verdicts are kept in the archive.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", help="Of --serve; 4190 or any free one, unless said.", min=0, max=65535, show_default=False
        ),
    ] = None,
    verdicts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Merge verdicts that a board exported into the archive's.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Build the review board of a campaign again and say where it is."""
    from callsheet.steps import judge, settings, wrap
    from callsheet.steps.load import load

    if port is not None and not serve:
        raise typer.BadParameter("is for --serve only.", param_hint="'--port'")
    loaded = load(spec)
    found = settings.read(loaded.root)
    shelf, manifest = wrap.laid_out(loaded)
    if verdicts is not None:
        _merge(shelf, manifest, verdicts, home=found.home)
    known = judge.known(shelf.store, manifest)
    page = wrap.write_board(shelf, manifest, known)
    counts = known.counts({entry.key: entry.sha256 for entry in manifest.entries})
    facts = {"campaign": loaded.campaign.name, "board": str(page), "verdicts": counts}

    def ready(url: str) -> None:
        if json:
            console.document({**facts, "url": url})
        else:
            console.tell(url)
            console.say("The board is served on this machine only, to who knows this address. Ctrl-C stops it.")
        if open_it:
            typer.launch(url)

    if serve:
        from callsheet.steps import show  # a web server takes a third of a second to load

        show.serve(loaded, found, port=port, on_ready=ready)
        return
    if json:
        console.document(facts)
    else:
        console.tell(str(page))
    if open_it:
        typer.launch(page.as_uri())


def _merge(shelf: "Shelf", manifest: "Manifest", file: Path, *, home: Path) -> None:
    from callsheet.steps import judge

    news, foreign = judge.read_file(file, manifest)
    judge.keep(shelf, manifest, news, home=home)
    left_out = f"; {foreign} of variants that the campaign does not have are left out" if foreign else ""
    count = len(news.verdicts)
    console.say(f"{count} verdict{'' if count == 1 else 's'} merged from {file}{left_out}.")
