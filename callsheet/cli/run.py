"""`callsheet run`: plan, approve, then the flow of this checkout; live progress, and a calm account at the end."""

import asyncio
import inspect
import shlex
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callsheet.cli import checkout, console, options
from callsheet.cli.plan import facts_of, where
from callsheet.credits import Credits
from callsheet.errors import CallsheetError, NotApproved, SpecError
from callsheet.nearest import listed
from callsheet.selection import Selection
from callsheet.steps import draw_up, settings
from callsheet.steps.draw_up import Drawn

if TYPE_CHECKING:
    from callsheet.steps.record import Recorded
    from callsheet.steps.wrap import Account, Outcome


def run(
    spec: options.OptionalSpec = None,
    sandbox: Annotated[
        bool | None,
        typer.Option(
            "--sandbox/--paid",
            help="Free drafts by the local provider, where nothing leaves this machine; without it, the provider renders.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve the plan without asking.")] = False,
    only: options.Only = None,
    skip: options.Skip = None,
    limit: options.Limit = None,
    pilot: options.Pilot = None,
    verdicts: options.Verdicts = None,
    promote: options.Promote = None,
    keep_unjudged: options.KeepUnjudged = False,
    again: options.Again = None,
    again_flagged: options.AgainFlagged = False,
    max_usd: Annotated[
        str | None, typer.Option("--max-usd", metavar="USD", help="Most that this run may cost.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Exactly the plan in this file (plan --out), or nothing."),
    ] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Without a Prefect server that stays.")] = False,
    json: options.Json = False,
) -> None:
    """Render what the plan says, archive it, build the review board."""
    began = time.monotonic()
    checkout.require_prefect("run")
    on_sandbox = bool(sandbox)
    if again_flagged:
        again = [*(again or ()), *options.flagged(spec, sandbox=on_sandbox)]
    selection = options.selection(only, skip, again, limit, pilot, verdicts, promote, keep_unjudged)
    recorded = None if plan is None else _recorded(plan, spec, selection, sandbox=sandbox)
    if recorded is not None:
        spec, on_sandbox, selection = recorded.spec, recorded.sandbox, recorded.plan.chosen
    if spec is None:
        raise SpecError("no campaign was named.", hint="Write callsheet run SPEC, or callsheet run --plan FILE.")
    account = render(
        spec, sandbox=on_sandbox, selection=selection, recorded=recorded, max_usd=max_usd, yes=yes, ephemeral=ephemeral
    )
    if json:
        console.document(account.as_json())
    else:
        tell(account, time.monotonic() - began)
    if account.exit_code:
        raise typer.Exit(account.exit_code)


def render(
    spec: Path,
    *,
    sandbox: bool,
    selection: Selection,
    recorded: "Recorded | None" = None,
    max_usd: str | None = None,
    yes: bool,
    ephemeral: bool,
    attach_only: bool = False,
    send_reserved: bool = False,
) -> "Account":
    """Show the plan, get a word for what it costs, and run the flow of this checkout; how everything ended.

    attach_only: buy nothing, and send what is reserved with send_reserved only. Raises what ended the flow, if it is ours.
    """
    from callsheet.cli import prefect_server
    from callsheet.steps import record, studio

    root = settings.find_checkout(Path.cwd(), spec.absolute().parent)
    settings.refuse_foreign(settings.studio_root(spec))
    ceiling = _ceiling(max_usd)
    if not ephemeral:
        settings.prefect_api_url()  # a wrong address is told before anything else
    if recorded is not None:
        drawn = record.draw_up_again(recorded)
    else:
        drawn = draw_up.draw_up(
            spec, sandbox=sandbox, attach_only=attach_only, send_reserved=send_reserved, **selection.as_arguments()
        )
    studio.require_key(drawn.settings, sandbox=sandbox)
    approved_by = _approve(drawn, yes=yes, ceiling=ceiling)
    draw_up.make_archive(drawn)
    draw_up.open_ledger(drawn.settings).close()
    if ephemeral:
        settings.point_prefect_at(None)
    else:
        settings.point_prefect_at(prefect_server.ensure(root))
    flow = checkout.flows(root, "campaign").campaign
    asked = {name: value for name, value in selection.as_arguments().items() if value}
    _refuse_unknown(asked, flow, root)
    console.under_way(partial(_how_far, drawn, attach_only=attach_only))
    return _until_stopped(
        _walk(
            lambda: flow(
                spec=str(spec),
                sandbox=sandbox,
                **asked,  # and no more: a checkout with older flows runs on
                **({"send_reserved": True} if send_reserved else {}),
                attach_only=attach_only,
                max_usd=max_usd,
                approved=drawn.plan.digest,
                approved_by=approved_by,
                return_state=True,
            ),
            drawn,
        )
    )


def _how_far(drawn: Drawn, *, attach_only: bool) -> str:
    """For a person who leaves."""
    from callsheet.steps import tally

    again = shlex.join(["callsheet", *tally.next_words(drawn, attach_only=attach_only)])
    return ". ".join(filter(None, (tally.so_far(drawn), f"Go on: {again}")))


def _refuse_unknown(asked: Mapping[str, Any], flow: Any, root: Path) -> None:
    """SpecError for an option that the flows of this studio, laid out by an older Callsheet, do not know."""
    known = inspect.signature(flow.fn).parameters
    if strange := [name for name in asked if name not in known]:
        option = f"--{strange[0].replace('_', '-')}"
        what = f"{option} is newer than the flows of this studio, which do not know it."
        hint = f"Leave it out, or renew {root / 'flows'}: move it away, and run callsheet init here."
        raise SpecError(what, where=str(root / "flows/campaign.py"), hint=hint)


def _recorded(file: Path, spec: Path | None, selection: Selection, *, sandbox: bool | None) -> "Recorded":
    """The plan to run. SpecError where the command line says something besides it."""
    from callsheet.steps import record

    if selection:
        raise SpecError(
            f"--plan runs what was selected when the plan was drawn up, and {selection.words[0]} selects anew.",
            where=str(file),
            hint=f"Leave {selection.words[0]} out, or draw up another plan.",
        )
    return record.read(file, spec=spec, sandbox=sandbox)


def _until_stopped(walk: Coroutine[Any, Any, "Account"]) -> "Account":
    """Run it. Whatever stops it from outside is an interrupt: a task cancelled by `_heed_sigterm`, or the exception that
    Prefect makes of a SIGTERM before that."""
    try:
        return asyncio.run(walk)
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error
    except BaseException as error:
        if type(error).__name__ == "TerminationSignal":
            raise KeyboardInterrupt from error
        raise


def _heed_sigterm() -> None:
    """From here on SIGTERM cancels this task, as Ctrl-C does.

    Prefect's own handler raises at whatever line the event loop happens to be; in the wrong task that is lost, and the run
    goes on.
    """
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _ceiling(amount: str | None) -> Credits | None:
    if amount is None:
        return None
    try:
        return Credits.of_ceiling(amount)
    except ValueError:
        raise SpecError(
            f"{amount!r} is not an amount of dollars.", where="--max-usd", hint="Write it like --max-usd 25.00"
        ) from None


def _approve(drawn: Drawn, *, yes: bool, ceiling: Credits | None) -> str:
    """Show the plan and get a person's word for what it costs. BudgetError; nothing has started by then."""
    from callsheet import plan as planning
    from callsheet.steps.estimate import estimate

    console.problems(drawn.survey.warnings)
    console.facts(facts_of(drawn, estimate(drawn), where=where(drawn)), aside=True)
    for line in drawn.plan.of("blocked"):
        console.say(f"  blocked  {line.variant.label}: {line.reason}", style="red")
    planning.approve(drawn.plan, by="terminal", confirmed=True, ceiling=ceiling, place=drawn.budget_place)
    if drawn.plan.credits and not yes:
        _ask(drawn)
    return "--yes" if yes else "terminal"


def _ask(drawn: Drawn) -> None:
    """Return if a person at the terminal says yes. NotApproved, also where there is no terminal to ask at."""
    plan, limit = drawn.plan, drawn.loaded.campaign.approve_above
    above = f", above approve_above ({limit.spoken})" if limit is not None and plan.credits > limit else ""
    cost = f"this run costs {plan.credits.spoken}{above}"
    if not console.can_ask():
        raise NotApproved(
            f"{cost}, and there is no terminal to ask for approval at.",
            hint=f"Look at `callsheet plan {drawn.loaded.spec}`, then pass --yes to approve it without being asked.",
        )
    free = plan.route == "sandbox"
    if not console.ask("Render these drafts?" if free else f"Spend {plan.credits.spoken}{above}?"):
        raise NotApproved("these drafts were not approved." if free else f"{cost}, and it was not approved.")


async def _walk(start: Callable[[], Coroutine[Any, Any, Any]], drawn: Drawn) -> "Account":
    """Run the flow under the eyes of the live view. An error of ours that ended the flow is raised as it is."""
    from callsheet.cli.live import Live
    from callsheet.steps import outcome, studio

    accounts: list[Account] = []
    with (
        Live(drawn.plan) as live,
        studio.watched_by(live.hear, on_open=_heed_sigterm),
        outcome.reported_to(accounts.append),
    ):
        state = await start()
    if accounts:
        return accounts[-1]
    result = await state.aresult(raise_on_failure=False)
    if isinstance(result, CallsheetError):
        raise result
    if isinstance(result, BaseException):
        raise result
    raise RuntimeError(f"the flow ended as {state} without an account")


def _undone(account: "Account") -> "list[tuple[Outcome, str, list[str]]]":
    """What did not come home, those with the same reason together: a key that is refused is told once, and not 200 times."""
    found: dict[tuple[Outcome, str], list[str]] = {}
    for ended in account.ended:
        if ended.outcome in ("failed", "in_doubt", "pending"):
            found.setdefault((ended.outcome, ended.reason), []).append(ended.line.variant.label)
    return [(outcome, reason, labels) for (outcome, reason), labels in found.items()]


def tell(account: "Account", took: float) -> None:
    """Variants, credits, time, and where everything is. took: seconds."""
    from callsheet import quality

    for outcome, reason, labels in _undone(account):
        who = labels[0] if len(labels) == 1 else f"{len(labels)} variants ({listed(labels, most=3)})"
        console.tell(f"{outcome.replace('_', ' '):<9} {who}: {reason}", style=console.OUTCOME_STYLE[outcome])
    for ended in account.flagged:
        words = quality.spoken(ended.quality) if ended.quality else ""
        console.tell(f"flagged   {ended.line.variant.label}: {words}", style="yellow")
    for stray in account.strays:
        style = "green" if stray.is_settled else "yellow"
        console.tell(f"take {stray.take.id} {stray.take.slug}, no longer in the campaign: {stray.words}", style=style)
    spent = account.credits.spoken if account.credits else "nothing"
    if account.route == "sandbox" and account.credits:
        spent += " the provider would have charged; the sandbox is free"
    minutes, seconds = divmod(round(took), 60)
    time_taken = f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
    console.tell()
    console.facts([("variants", account.message), ("credits", spent), ("time", time_taken)])
    if account.flags:
        kept = "in the archive" if account.route == "sandbox" else "paid for and in the archive"
        console.tell(f"quality    {account.flags}; {kept}, numbers in each film's .json")
    for name, place in (("files", account.files), ("board", account.board.as_uri())):
        console.tell(f"{name:<10} {place}")  # in one piece, to be copied
