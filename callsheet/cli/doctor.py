"""`callsheet doctor`: is this machine ready, what does it lack, and how is that got."""

import asyncio
from importlib import metadata
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from callsheet import checkup, hosts
from callsheet.checkup import Check
from callsheet.cli import console, options, terminal
from callsheet.cli.tables import INDENT, folded
from callsheet.errors import CallsheetError
from callsheet.steps import settings

MARKS = {"ok": ("ok", "green"), "note": ("--", "yellow"), "no": ("no", "bold red")}

Online = Annotated[
    bool, typer.Option("--online", help="Also ask the provider whether it takes the key. It costs nothing.")
]


def doctor(online: Online = False, json: options.Json = False) -> None:
    """Say what this machine lacks for a run, and how to get it.

    Asks no other machine, unless --online is given. Exit code 0: a sandbox run can work (with --online: a paid one too);
    else that of the first thing that is missing.
    """
    checks = asyncio.run(_all(online=online, aloud=not json))
    code = checkup.exit_code(checks)
    if json:
        console.document({"ok": code == 0, "checks": [check.as_json() for check in checks]})
    if code:
        raise typer.Exit(code)


async def _all(*, online: bool, aloud: bool) -> list[Check]:
    """Every check, each told as soon as it is done."""
    from callsheet.steps.examine import ask_provider, examine

    checks: list[Check] = []

    def done(check: Check) -> None:
        checks.append(check)
        if aloud:
            _tell(check)

    async for check in examine(Path.cwd()):
        done(check)
    done(_prefect(online=online))
    done(_terminal())
    if online and all(check.name != "settings" for check in checks):  # where it would be asked is not known there
        done(await ask_provider(Path.cwd()))
    return checks


def _tell(found: Check) -> None:
    """One line, to standard output; on a terminal its further lines stand below the first."""
    mark, style = MARKS[found.status]
    room = terminal.out.width - len(INDENT) if terminal.out.is_terminal else terminal.PIPE_WIDTH
    for number, line in enumerate(folded(found.line, room)):
        console.show(terminal.out, (INDENT if number else f"{mark:<{len(INDENT)}}", style), line)


def _prefect(*, online: bool) -> Check:
    """The server that a run would report to."""
    from callsheet.cli import prefect_server

    try:
        api = settings.prefect_api_url()
    except CallsheetError as error:
        return checkup.of_error("prefect", error)
    parts = urlsplit(api)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if not hosts.is_loopback(parts.hostname or "") and not online:
        what = f"PREFECT_API_URL is {place}, another machine, which was not asked"
        return Check(name="prefect", status="note", message=what, hint="`callsheet doctor --online` asks it.")
    try:
        there = prefect_server.look(api)
    except CallsheetError as error:
        return checkup.of_error("prefect", error)
    how = f"its server answers at {place}" if there else f"no server at {place} yet: a run starts it"
    return Check(name="prefect", status="ok", message=f"{_prefect_version()}: {how}")


def _prefect_version() -> str:
    """Read without loading it, which takes seconds. That it is not installed at all is said with the packages."""
    try:
        return f"Prefect {metadata.version('prefect')}"
    except metadata.PackageNotFoundError:
        return "Prefect"


def _terminal() -> Check:
    encoding = terminal.out.encoding
    if encoding == "utf-8":
        return Check(name="terminal", status="ok", message="the terminal takes UTF-8")
    what = f"the terminal takes {encoding} only: other characters are spelt out"
    return Check(name="terminal", status="note", message=what, hint="Set LC_ALL=C.UTF-8 or PYTHONUTF8=1.")
