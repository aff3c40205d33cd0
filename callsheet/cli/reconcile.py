"""`callsheet reconcile`: finish what dead runs left; settle what is in doubt by evidence, or say what a person can do."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from callsheet.cli import checkout, completion, console, options
from callsheet.cli import run as running
from callsheet.cli.plan import has_key
from callsheet.credits import total
from callsheet.errors import CallsheetError, MediaError, SpecError
from callsheet.evidence import ACCEPTED
from callsheet.selection import Selection
from callsheet.take import State

if TYPE_CHECKING:
    from callsheet.steps.left_behind import Left
    from callsheet.steps.settle import Weighed
    from callsheet.steps.strays import Stray
    from callsheet.steps.wrap import Account


class End(NamedTuple):
    """How the takes of a campaign ended: an exit code, the same for a program, and what tells a person."""

    code: int
    told: dict[str, Any]
    tell: Callable[[], None] = lambda: None


def reconcile(
    spec: options.SpecOrAll = None,
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
    """Finish what dead runs left; nothing new is bought.

    Of one campaign, or of all. A take in doubt is looked for at the provider. What evidence does not settle can be settled
    by hand.
    """
    from callsheet.steps import settings, settle

    if spec is not None:
        settings.refuse_foreign(settings.studio_root(spec))
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
    if spec is None:
        end = _all(sandbox=sandbox, yes=yes, ephemeral=ephemeral)
    else:
        on_sandbox = sandbox or not has_key(spec)
        if on_sandbox and not sandbox:
            console.say("No EVOLINK_API_KEY is set, so only takes of the sandbox are finished.")
        end = _one(spec, sandbox=on_sandbox, yes=yes, ephemeral=ephemeral)
    if json:
        console.document(end.told)
    else:
        end.tell()
    if end.code:
        raise typer.Exit(end.code)


def _all(*, sandbox: bool, yes: bool, ephemeral: bool) -> End:
    """Every campaign of which the ledger has something that nobody works on. What stops one stops no other, a defect
    included; the highest of their exit codes counts."""
    from callsheet.steps import left_behind, settings

    root = settings.find_checkout(Path.cwd())
    left = [one for one in left_behind.found(root, reserved=True) if one.sandbox or not sandbox]
    if not left:
        console.say(
            "Nothing is left to finish: a run that lives works on every take that is not settled, or there is none."
        )
    ends = []
    for one in left:
        console.under_way(lambda: "Go on: callsheet reconcile")
        console.say(f"{one.words} left by a run that died", style="bold")
        try:
            end = _left(root, one, yes=yes, ephemeral=ephemeral)
        except CallsheetError as error:
            console.error(error)
            end = End(error.exit_code, console.failure(error))
        except Exception as failure:  # of one campaign: links of the others' results die within a day
            console.defect(failure)
            end = End(console.UNEXPECTED, {"ok": False})
        code = end.code or _still_left(root, one)
        told = {"campaign": one.campaign, "sandbox": one.sandbox, **end.told}
        ends.append(End(code, told, end.tell))

    def tell() -> None:
        for end in ends:
            end.tell()

    return End(max([0, *(end.code for end in ends)]), {"campaigns": [end.told for end in ends]}, tell)


def _still_left(root: Path, left: "Left") -> int:
    """The exit code of what is paid for, or may be, and did not come home."""
    from callsheet.steps import left_behind, strays

    live = [take for take in left_behind.still_live(root, left.ids) if take.state is not State.RESERVED]
    if left.elsewhere or not live:
        return 0
    for take in live:
        console.say(f"take {take.id} {take.slug} is {str(take.state).replace('_', ' ')} still", style="yellow")
    return strays.exit_code(live)


def _left(root: Path, left: "Left", *, yes: bool, ephemeral: bool) -> End:
    """Of one campaign. Where its file is gone or does not read, what it paid for is brought home without it; what another
    checkout that shares the ledger has run last is left to that one, whose archive it belongs to."""
    from callsheet.steps import load, strays

    if left.elsewhere:
        console.say(f"    Its last run was that of {left.elsewhere}, in another checkout: reconcile it there.")
        return End(0, {"elsewhere": left.elsewhere})
    if left.spec is not None:
        return _one(left.spec, sandbox=left.sandbox, yes=yes, ephemeral=ephemeral)
    console.say(
        f"    Its file is gone, or cannot be read: what is paid for goes to {left.campaign}/strays/ of the archive."
    )
    found = asyncio.run(strays.rescue_all(load.only_named(root, left.campaign), sandbox=left.sandbox))
    _say(found)
    return End(strays.exit_code([stray.take for stray in found]), {"strays": [stray.as_json() for stray in found]})


def _one(spec: Path, *, sandbox: bool, yes: bool, ephemeral: bool) -> End:
    """Of the campaign in this file, by its own flow. SpecError, MediaError where it cannot be run: it was tried without it."""
    from callsheet.steps import strays

    began = time.monotonic()
    checkout.require_prefect("reconcile")
    send = _may_send(spec, sandbox=sandbox, yes=yes)
    try:
        account = _finished(spec, sandbox=sandbox, send=send, ephemeral=ephemeral)
    except (SpecError, MediaError):
        _say(asyncio.run(strays.rescue(spec, sandbox=sandbox)))
        raise
    took = time.monotonic() - began
    return End(account.exit_code, account.as_json(), lambda: running.tell(account, took))


def _finished(spec: Path, *, sandbox: bool, send: bool, ephemeral: bool) -> "Account":
    return running.render(
        spec,
        sandbox=sandbox,
        selection=Selection(),
        yes=True,
        ephemeral=ephemeral,
        attach_only=True,
        send_reserved=send,
    )


def _tell(spec: Path | None, weighed: "Weighed") -> None:
    """What was found of a take; or since when it is in doubt, what was looked at, and what a person can say of it."""
    from callsheet.steps import settle

    take, typed = weighed.take, settle.typed(spec)
    if weighed.job:
        console.say(f"take {take.id} {take.slug}: {weighed.why}", style="green")
        return
    why = take.reason or "it was sent, and no answer is recorded"
    console.say(f"take {take.id} {take.slug}: in doubt since {take.updated_at:%Y-%m-%d %H:%M} UTC: {why}")
    console.say(f"    Looked for it at the provider: {weighed.why}.")
    for job in weighed.candidates:
        console.say(f"    It may be job {job}:  {typed} --accepted {take.id} {job}")
    if not weighed.candidates:
        console.say(f"    It is at the provider as job JOB:  {typed} --accepted {take.id} JOB")
    if take.reason == ACCEPTED:
        console.say(f"    Nobody can find its job:           {typed} --lost {take.id}")
    else:
        console.say(f"    The provider never had it:         {typed} --not-accepted {take.id}")


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


def _say(strays: "tuple[Stray, ...]") -> None:
    """What came of takes whose campaign cannot be run: links of results die within a day, so they are fetched without it."""
    for stray in strays:
        console.say(f"take {stray.take.id} {stray.take.slug}: {stray.words}")
