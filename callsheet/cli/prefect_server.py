"""The Prefect server that a run reports to: the one that answers, or one started in the background, said plainly."""

import http.client
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from callsheet import hosts
from callsheet.cli import console
from callsheet.errors import PortTaken, Unavailable
from callsheet.steps import settings

#: A new server on a new database is healthy in about 8 s on two cores; a busy machine gets longer.
PATIENCE = timedelta(seconds=90)


def ensure(root: Path) -> str:
    """The API URL of a server that answers. Starts one on this machine where none does, and says how to stop it.

    Unavailable when PREFECT_API_URL names another machine that does not answer; PortTaken when something that is not
    Prefect has the local port.
    """
    settings.forbid_telemetry()
    api = settings.prefect_api_url()
    if look(api):
        return api
    host, port = _place(api)
    _start(root, host, port)
    _await(api)
    ui = f"http://{host}:{port}"
    console.say(f"Started a Prefect server: watch the run at {ui}")
    stop = Path(sys.executable).with_name("prefect")
    console.say(f"It keeps running, with the history of your runs. Stop it with: {stop} server stop")
    return api


def look(api: str) -> bool:
    """Does a Prefect server answer there? Where a run could not start one either, the error that it would end with."""
    if _is_healthy(api):
        return True
    parts = urlsplit(api)
    host, port = _place(api)
    if not hosts.is_loopback(host):
        raise Unavailable(
            f"No Prefect server answers at {parts.scheme}://{parts.netloc.rpartition('@')[2]} (PREFECT_API_URL).",
            hint="Start it, unset PREFECT_API_URL to use one on this machine, or pass --ephemeral for none.",
            retry="never",
        )
    if settings.port_is_taken(host, port):
        raise PortTaken(
            f"Port {port} of this machine is taken by something that is not a Prefect server.",
            hint=f"Free it, choose {_other_port(port)}, or pass --ephemeral for no server.",
        )
    return False


def _place(api: str) -> tuple[str, int]:
    """Host and port of an address."""
    parts = urlsplit(api)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _other_port(port: int) -> str:
    other = port + 1 if port < 65535 else port - 1
    if settings.names_prefect_server():
        return f"another port, as {other}, in PREFECT_API_URL"
    return f"another with PREFECT_SERVER_API_PORT={other}"


def _is_healthy(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=3) as answer:  # noqa: S310 an http URL of the user's own
            return bool(json.loads(answer.read(64)) is True)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError):
        return False


def _start(root: Path, host: str, port: int) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "prefect",
        "server",
        "start",
        "--background",
        "--host",
        host,
        "--port",
        str(port),
    ]
    console.say("Starting a Prefect server in the background (some ten seconds) …", style="dim")
    settings.forget_dead_prefect_server()
    try:
        ended = subprocess.run(  # noqa: S603 our own interpreter
            command,
            cwd=root,
            env=settings.of_background_server(port),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE.total_seconds(),
            check=False,
            start_new_session=True,  # Ctrl-C in the run is not meant for the server
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"The Prefect server did not start within {PATIENCE.total_seconds():.0f} s: this machine may be very busy.",
            hint="Run again, or pass --ephemeral to run without one.",
            retry="never",
        ) from None
    if ended.returncode:
        said = " ".join((ended.stderr or ended.stdout).split())[-400:]
        raise Unavailable(
            f"The Prefect server did not start: {said}", hint="Pass --ephemeral to run without one.", retry="never"
        )


def _await(api: str) -> None:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while not _is_healthy(api):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The Prefect server started, but does not answer at {api}.",
                hint="Look at `prefect server status`, or pass --ephemeral to run without one.",
                retry="never",
            )
        time.sleep(0.25)
