"""`callsheet sandbox`: serve the local provider until interrupted."""

from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import console


def sandbox(
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)
    ] = 4100,
    while_used: Annotated[bool, typer.Option("--while-used", hidden=True)] = False,
) -> None:
    """Serve the provider's API on this machine, free and offline.

    It renders drafts instead of the real thing, until Ctrl-C.
    """
    from callsheet.sandbox import server
    from callsheet.steps import draw_up, settings

    found = settings.read(settings.studio_root(Path.cwd() / "-"))
    draw_up.make_home(found)

    def ready(url: str) -> None:
        console.tell(f"Callsheet sandbox on {url}")
        console.say(f"Point a client at it with EVOLINK_BASE_URL={url} and any EVOLINK_API_KEY. Ctrl-C stops it.")

    server.serve(home=found.home, port=port, while_used=while_used, on_ready=ready)
