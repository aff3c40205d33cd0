"""`callsheet webhooks`: hear what the provider calls back, until interrupted."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import console, options


def webhooks(
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port to listen on; 0 takes any free one.", min=0, max=65535)
    ] = 4180,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen on, where the proxy finds it.")
    ] = "127.0.0.1",
    json: options.Json = False,
) -> None:
    """Hear the provider's callbacks, until Ctrl-C.

    Your own TLS proxy passes them on to it. Of a job at work a callback is a hint: the run that follows it asks at once how
    it stands. Of a take in doubt it is evidence: a run and `callsheet reconcile` weigh it. Nothing is paid or moved here.
    """
    from callsheet.steps import hear, settings

    found = settings.read(settings.studio_root(Path.cwd() / "-"))
    told = logging.getLogger("callsheet.takes")
    told.setLevel(logging.INFO)
    told.addHandler(console.Aside())

    def ready(url: str) -> None:
        if json:
            console.document({"url": url, "callback_url": found.callback_url})
        else:
            console.tell(f"Hearing callbacks on {url}")
        if found.callback_url is None:
            console.say("CALLSHEET_CALLBACK_URL is not set, so no request names an address for them yet.")

    hear.serve(found, host=host, port=port, on_ready=ready)
