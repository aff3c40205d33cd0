"""`callsheet reconcile`: what a dead run left, finished; what is in doubt, listed with what settles it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import completion, console, options, run
from callsheet.cli.plan import has_key
from callsheet.errors import MediaError, SpecError


def reconcile(
    spec: options.Spec,
    sandbox: options.Sandbox = False,
    accepted: Annotated[
        tuple[int, str] | None,
        typer.Option(metavar="TAKE JOB", help="The provider has take TAKE as job JOB: follow it."),
    ] = None,
    not_accepted: Annotated[
        int | None,
        typer.Option(
            metavar="TAKE",
            help="The provider never had take TAKE: release its hold.",
            autocompletion=completion.takes_in_doubt,
        ),
    ] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Without a Prefect server.")] = False,
    json: options.Json = False,
) -> None:
    """Finish every live take of a campaign; nothing new is bought. A take in doubt can be settled by hand."""
    from callsheet.steps import settle

    if accepted:
        asyncio.run(settle.accepted(spec, take_id=accepted[0], job=accepted[1]))
    if not_accepted is not None:
        settle.not_accepted(spec, not_accepted)
    for take in settle.doubtful(spec):
        why = take.reason or "it was sent, and no answer is recorded"
        console.say(f"take {take.id} {take.slug}: in doubt since {take.updated_at:%Y-%m-%d %H:%M} UTC: {why}")
        console.say(f"    It is at the provider as job JOB:  callsheet reconcile {spec} --accepted {take.id} JOB")
        console.say(f"    The provider never had it:         callsheet reconcile {spec} --not-accepted {take.id}")
    on_sandbox = sandbox or not has_key(spec)
    if on_sandbox and not sandbox:
        console.say("No EVOLINK_API_KEY is set, so only takes of the sandbox are finished.")
    try:
        run.run(spec, sandbox=on_sandbox, yes=True, attach_only=True, ephemeral=ephemeral, json=json)
    except (SpecError, MediaError):
        _rescue(spec, sandbox=on_sandbox)
        raise


def _rescue(spec: Path, *, sandbox: bool) -> None:
    """The campaign cannot be run, and links of results die within a day: bring home what is paid for all the same."""
    from callsheet.steps import strays

    for stray in asyncio.run(strays.rescue(spec, sandbox=sandbox)):
        console.say(f"take {stray.take.id} {stray.take.slug}: {stray.words}")
