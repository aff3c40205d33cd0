"""`callsheet reconcile`: finish what a dead run left; settle what is in doubt by evidence, or say what a person can do."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsheet.cli import completion, console, options, run
from callsheet.cli.plan import has_key
from callsheet.credits import total
from callsheet.errors import MediaError, SpecError
from callsheet.evidence import ACCEPTED

if TYPE_CHECKING:
    from callsheet.steps.settle import Weighed


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
    lost: Annotated[
        int | None,
        typer.Option(metavar="TAKE", help="Give up take TAKE, which is paid for and whose result cannot be had."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Send what is reserved and was never sent, without asking.")
    ] = False,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Without a Prefect server.")] = False,
    json: options.Json = False,
) -> None:
    """Finish every live take of a campaign; nothing new is bought. A take in doubt is looked for at the provider.

    What evidence does not settle can be settled by hand.
    """
    from callsheet.steps import settle

    console.under_way()
    if accepted:
        asyncio.run(settle.accepted(spec, take_id=accepted[0], job=accepted[1]))
    if not_accepted is not None:
        settle.not_accepted(spec, not_accepted)
    if lost is not None:
        take = asyncio.run(settle.lost(spec, lost))
        console.say(f"take {take.id} {take.slug}: {take.reason}; {take.cost.spoken} stay charged")
    for weighed in asyncio.run(settle.by_evidence(spec)):
        _tell(spec, weighed)
    on_sandbox = sandbox or not has_key(spec)
    if on_sandbox and not sandbox:
        console.say("No EVOLINK_API_KEY is set, so only takes of the sandbox are finished.")
    send = _may_send(spec, sandbox=on_sandbox, yes=yes)
    try:
        run.run(
            spec, sandbox=on_sandbox, yes=True, attach_only=True, send_reserved=send, ephemeral=ephemeral, json=json
        )
    except (SpecError, MediaError):
        _rescue(spec, sandbox=on_sandbox)
        raise


def _tell(spec: Path, weighed: "Weighed") -> None:
    """What was found of a take; or since when it is in doubt, what was looked at, and what a person can say of it."""
    take = weighed.take
    if weighed.job:
        console.say(f"take {take.id} {take.slug}: {weighed.why}", style="green")
        return
    why = take.reason or "it was sent, and no answer is recorded"
    console.say(f"take {take.id} {take.slug}: in doubt since {take.updated_at:%Y-%m-%d %H:%M} UTC: {why}")
    console.say(f"    Looked for it at the provider: {weighed.why}.")
    for job in weighed.candidates:
        console.say(f"    It may be job {job}:  callsheet reconcile {spec} --accepted {take.id} {job}")
    if not weighed.candidates:
        console.say(f"    It is at the provider as job JOB:  callsheet reconcile {spec} --accepted {take.id} JOB")
    if take.reason == ACCEPTED:
        console.say(f"    Nobody can find its job:           callsheet reconcile {spec} --lost {take.id}")
    else:
        console.say(f"    The provider never had it:         callsheet reconcile {spec} --not-accepted {take.id}")


def _may_send(spec: Path, *, sandbox: bool, yes: bool) -> bool:
    """May takes that are reserved and were never sent be sent now? A person says so; without one they are left alone."""
    from callsheet.steps import settle

    takes = settle.unsent(spec, sandbox=sandbox)
    if not takes or yes:
        return yes
    count = "1 take is" if len(takes) == 1 else f"{len(takes)} takes are"
    cost = total([take.price for take in takes]).spoken
    ids = ", ".join(str(take.id) for take in takes)
    console.say(
        f"{count} reserved and never sent (take {ids}); to send {'it' if len(takes) == 1 else 'them'} costs {cost}."
    )
    if console.can_ask():
        return console.ask(f"Spend {cost}?")
    console.say("    Left alone, for there is no terminal to ask at: --yes sends, and so does a run of the campaign.")
    return False


def _rescue(spec: Path, *, sandbox: bool) -> None:
    """The campaign cannot be run, and links of results die within a day: bring home what is paid for all the same."""
    from callsheet.steps import strays

    for stray in asyncio.run(strays.rescue(spec, sandbox=sandbox)):
        console.say(f"take {stray.take.id} {stray.take.slug}: {stray.words}")
