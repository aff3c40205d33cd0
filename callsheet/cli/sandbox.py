"""`callsheet sandbox`: serve the local provider until interrupted."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from callsheet import hosts
from callsheet.cli import console


def sandbox(
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)
    ] = 4100,
    allow_loopback_callbacks: Annotated[
        bool, typer.Option("--allow-loopback-callbacks", help="Call back at plain http on this machine too, for tests.")
    ] = False,
    while_used: Annotated[bool, typer.Option("--while-used", hidden=True)] = False,
) -> None:
    """Serve the provider's API on this machine, free and offline.

    It renders drafts instead of the real thing, until Ctrl-C.
    """
    from callsheet.sandbox import server
    from callsheet.steps import draw_up, settings

    root = settings.studio_root(Path.cwd() / "-")
    found = settings.read(root)
    draw_up.make_home(found)

    def ready(url: str) -> None:
        console.tell(f"Callsheet sandbox on {url}")
        console.say(f"Playground: open {url}/ in a browser.")
        console.say(f"Point a client at it with EVOLINK_BASE_URL={url} and any EVOLINK_API_KEY. Ctrl-C stops it.")

    # A studio that hears its callbacks on this machine wants them from the sandbox of its runs as well.
    here = found.callback_url is not None and hosts.is_loopback(urlsplit(found.callback_url).hostname or "")
    server.serve(
        home=found.home,
        port=port,
        while_used=while_used,
        loopback_callbacks=allow_loopback_callbacks or here,
        studio=root if (root / settings.MARKER).is_file() else None,
        on_ready=ready,
    )
