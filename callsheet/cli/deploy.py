"""`callsheet deploy`: one deployment of Prefect for each campaign that has a schedule; those that lost theirs are removed."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import checkout, completion, console, options
from callsheet.deployment import POOL, Step
from callsheet.errors import Unavailable
from callsheet.nearest import listed
from callsheet.steps import settings

STYLE = {"create": "green", "update": "green", "keep": "dim", "remove": "yellow"}
DONE = {"create": "created", "update": "updated", "keep": "unchanged", "remove": "removed"}


def deploy(
    specs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SPEC...]",
            help="Campaigns; all in specs/ where none is named.",
            show_default=False,
            autocompletion=completion.specs,
        ),
    ] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="They render free drafts by the local provider.")] = False,
    pool: Annotated[str, typer.Option("--pool", metavar="NAME", help="The work pool whose workers run them.")] = POOL,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove what lost its campaign or schedule without asking.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Have Prefect run each campaign with a schedule by itself. Nothing is rendered now, and nothing is spent.

    Done twice it changes nothing, and no schedule is ever there twice.
    """
    from callsheet.steps import timetable

    checkout.require_prefect("deploy")
    root = settings.find_checkout(Path.cwd(), *(spec.absolute().parent for spec in specs or ()))
    named, unread = (specs, []) if specs else timetable.of_checkout(root)
    for file in unread:
        console.say(f"{file.relative_to(root)} is no campaign that can run, and is left out: callsheet check says why.")
    wanted = timetable.wanted(root, named, sandbox=sandbox)
    settings.forbid_telemetry()
    api, is_named = _server(), settings.names_prefect_server()
    settings.point_prefect_at(api)
    schedules = checkout.flows(root, "schedules")
    steps, is_reconciled = asyncio.run(
        schedules.compare(root, wanted, pool, lambda spec, name: timetable.lost(root, spec, name))
    )
    doing, left = _agreed(steps, yes=yes)
    is_new_pool = asyncio.run(schedules.apply(root, wanted, pool, doing))
    if json:
        documents = [step.as_json() for step in doing] + [{**step.as_json(), "action": "left"} for step in left]
        done = any(step.action != "keep" for step in doing)
        console.document(
            {"changed": done, "pool": pool, "deployments": documents, "next": _commands(pool, is_reconciled)}
        )
        return
    _tell(root, doing, left, pool if is_new_pool else "")
    if wanted:
        if not settings.read(root).has_key and not sandbox:
            console.say("No EVOLINK_API_KEY is set here: a worker needs it in its environment, or in .env.", "yellow")
        console.tell()
        console.tell("Next:")
        if not is_named:  # Prefect's own commands start a server of their own else
            console.tell(f"  export PREFECT_API_URL={api}")
        for command in _commands(pool, is_reconciled):
            console.tell(f"  {command}")


def _server() -> str:
    """The API URL of the server that answers. Unavailable, which says how one is started: schedules need one that stays."""
    from callsheet.cli import prefect_server

    api = settings.prefect_api_url()
    if prefect_server.look(api):
        return api
    host, _, port = api.removesuffix("/api").partition("://")[2].rpartition(":")
    raise Unavailable(
        f"No Prefect server answers at {api.removesuffix('/api')}, and a schedule needs one that stays.",
        hint=f"Start it: {settings.QUIET_SERVER} {settings.own_pages(port)} {_prefect()} server start --background "
        f"--host {host} --port {port}",
        retry="never",
    )


def _agreed(steps: Sequence[Step], *, yes: bool) -> tuple[list[Step], list[Step]]:
    """What is done, and what is left though it could be removed: nobody has said that it may."""
    doing = [step for step in steps if step.action != "remove"]
    removing = [step for step in steps if step.action == "remove"]
    if not removing or yes:
        return [*doing, *removing], []
    for step in removing:
        console.say(f"campaign/{step.name}: {step.why}")
    what = "this deployment" if len(removing) == 1 else f"these {len(removing)} deployments"
    if console.can_ask() and console.ask(f"Remove {what} and the runs scheduled for it?"):
        return [*doing, *removing], []
    return doing, removing


def _tell(root: Path, doing: Sequence[Step], left: Sequence[Step], new_pool: str) -> None:
    """What was done with each deployment, and when it runs next."""
    if new_pool:
        console.tell(f"created    work pool {new_pool}, of processes", style="green")
    for step in doing:
        why = f": {step.why}" if step.why else ""
        console.tell(f"{DONE[step.action]:<11}campaign/{step.name} ({step.spec}){why}", style=STYLE[step.action])
        if step.next and step.action != "remove":
            times = listed([f"{moment:%a %Y-%m-%d %H:%M}" for moment in step.next])
            console.tell(f"{'':<11}{'paused; its times are' if step.paused else 'next'} {times}, {step.next[0].tzinfo}")
    for step in left:
        console.tell(f"left       campaign/{step.name} ({step.spec}): --yes removes it", style="yellow")
    if not any(step.action != "keep" for step in doing):
        console.tell("Nothing to do." if doing or left else f"No campaign of {root} has a schedule: nothing to do.")


def _commands(pool: str, is_reconciled: bool) -> list[str]:
    """What to run next: the hourly reconcile, where it is not there, and a worker."""
    found = [] if is_reconciled else [f"CALLSHEET_CHECKOUT=$PWD {_prefect()} --no-prompt deploy --name reconcile"]
    return [*found, f"{_prefect()} worker start --pool {pool}"]


def _prefect() -> Path:
    return Path(sys.executable).with_name("prefect")
