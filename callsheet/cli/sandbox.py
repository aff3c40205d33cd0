"""`callsheet sandbox`: serve the local provider until interrupted."""

import math
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from callsheet import hosts
from callsheet.cli import console, options
from callsheet.errors import SpecError

if TYPE_CHECKING:
    from callsheet.sandbox.faults import Script

GIGABYTE = 1_000_000_000


class EngineName(StrEnum):
    draft = "draft"
    copy = "copy"


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("is not a number of seconds.")
    return value


def sandbox(
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)
    ] = 4100,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="What renders: drafts, or the clip itself at once, for load tests.", show_default="draft"),
    ] = None,
    render_seconds: Annotated[
        float | None,
        typer.Option(
            callback=_finite,
            metavar="SECONDS",
            help="How long a render of --engine copy takes; at once, unless said.",
            min=0,
            max=86_400,
        ),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What is to go wrong, and when (docs/sandbox.md).")
    ] = None,
    balance: Annotated[
        int, typer.Option(metavar="CREDITS", help="Play credits that a new account starts with.", min=0, max=10**9)
    ] = 100_000,
    max_disk_gb: Annotated[
        int, typer.Option(metavar="GB", help="Uploads and results it keeps at most.", min=1, max=100_000)
    ] = 20,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch no input from outside this machine.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse fields that a model does not have; the provider ignores them.")
    ] = False,
    string_codes: Annotated[
        bool, typer.Option("--string-codes", help="error.code as text, as the live gateway was seen to send it.")
    ] = False,
    allow_loopback_callbacks: Annotated[
        bool, typer.Option("--allow-loopback-callbacks", help="Call back at plain http on this machine too, for tests.")
    ] = False,
    while_used: Annotated[bool, typer.Option("--while-used", hidden=True)] = False,
    json: options.Json = False,
) -> None:
    """Serve the provider's API on this machine, free and offline.

    It renders drafts instead of the real thing, until Ctrl-C.
    """
    from callsheet.sandbox import server
    from callsheet.sandbox.faults import Faults
    from callsheet.sandbox.policy import Policy
    from callsheet.steps import draw_up, settings

    root = settings.studio_root(Path.cwd() / "-")
    found = settings.read(root)
    script = None if faults is None else _script(faults)
    draw_up.make_home(found)

    def ready(url: str) -> None:
        if json:
            console.document({"url": url, "playground": f"{url}/"})
        else:
            console.tell(f"Callsheet sandbox on {url}")
        console.say(f"Playground: open {url}/ in a browser.")
        console.say(f"Point a client at it with EVOLINK_BASE_URL={url} and any EVOLINK_API_KEY. Ctrl-C stops it.")

    # A studio that hears its callbacks on this machine wants them from the sandbox of its runs as well.
    here = found.callback_url is not None and hosts.is_loopback(urlsplit(found.callback_url).hostname or "")
    chosen = engine.value if engine else found.sandbox_engine.partition(":")[0]
    if render_seconds is not None and chosen != EngineName.copy:
        raise typer.BadParameter("is for --engine copy only.", param_hint="'--render-seconds'")
    seconds = found.render_seconds if render_seconds is None else render_seconds
    policy = Policy(
        strict=strict or while_used,  # a run's own requests are checked to the letter
        string_codes=string_codes,
        public_inputs=not (offline or while_used),
        loopback_callbacks=allow_loopback_callbacks or here,
        engine=chosen,
        render_time=timedelta(seconds=seconds if chosen == EngineName.copy else 0),
        most_disk=max_disk_gb * GIGABYTE,
    )
    server.serve(
        home=found.home,
        port=port,
        while_used=while_used,
        policy=policy,
        granted=balance * 10_000,
        faults=Faults(script),
        studio=root if (root / settings.MARKER).is_file() else None,
        on_ready=ready,
    )


def _script(file: Path) -> "Script":
    """SpecError with every mistake of the file."""
    from callsheet.sandbox import faults

    try:
        text = file.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror or error}.", where=str(file)) from error
    return faults.read(text, file=str(file))
