"""`callsheet run`: plan, approve, then the flow of this checkout; live progress, and a calm account at the end."""

import asyncio
import importlib.util
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callsheet.cli import console, options
from callsheet.cli.plan import where
from callsheet.credits import Credits
from callsheet.errors import CallsheetError, NotApproved, SpecError
from callsheet.steps import settings
from callsheet.steps.draw_up import Drawn, draw_up

if TYPE_CHECKING:
    from callsheet.steps.wrap import Account

#: A dearer plan than this is shown line by line only up to so many lines; `callsheet plan` shows them all.
LINES_SHOWN = 60


def run(
    spec: options.Spec,
    sandbox: options.Sandbox = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve the plan without asking.")] = False,
    only: options.Only = None,
    again: options.Again = None,
    max_usd: Annotated[
        str | None, typer.Option("--max-usd", metavar="USD", help="Most that this run may cost.")
    ] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Without a Prefect server that stays.")] = False,
    json: options.Json = False,
    attach_only: Annotated[bool, typer.Option("--attach-only", hidden=True)] = False,
) -> None:
    """Render what the plan says, archive it, build the review board."""
    from callsheet.cli import prefect_server
    from callsheet.steps import studio

    began = time.monotonic()
    root = settings.find_checkout(Path.cwd(), spec.absolute().parent)
    _check_usd(max_usd)
    drawn = draw_up(spec, sandbox=sandbox, only=only or (), again=again or (), attach_only=attach_only)
    studio.require_key(drawn.settings, sandbox=sandbox)
    approved_by = _approve(drawn, yes=yes, max_usd=max_usd, json=json)
    if ephemeral:
        settings.point_prefect_at(None)
    else:
        settings.point_prefect_at(prefect_server.ensure(root))
    flow = _load_flow(root)
    account = _until_stopped(
        _walk(
            lambda: flow(
                spec=str(spec),
                sandbox=sandbox,
                only=only or [],
                again=again or [],
                attach_only=attach_only,
                max_usd=max_usd,
                approved=drawn.plan.digest,
                approved_by=approved_by,
                return_state=True,
            ),
            drawn,
        )
    )
    if json:
        console.document(account.as_json())
    else:
        _summary(account, timedelta(seconds=time.monotonic() - began))
    if account.exit_code:
        raise typer.Exit(account.exit_code)


def _until_stopped(walk: Coroutine[Any, Any, "Account"]) -> "Account":
    """Run it; SIGTERM, which Prefect turns into an exception of its own, ends it as Ctrl-C does."""
    try:
        return asyncio.run(walk)
    except BaseException as error:
        if type(error).__name__ == "TerminationSignal":
            raise KeyboardInterrupt from error
        raise


def _check_usd(amount: str | None) -> None:
    if amount is None:
        return
    try:
        Credits.of_usd(amount)
    except (ValueError, ArithmeticError):
        raise SpecError(
            f"{amount!r} is not an amount of dollars.", where="--max-usd", hint="Write it like --max-usd 25.00"
        ) from None


def _approve(drawn: Drawn, *, yes: bool, max_usd: str | None, json: bool) -> str:
    """Show the plan and get a person's word where one is needed. BudgetError; nothing has started by then."""
    from callsheet import plan as planning

    console.problems(drawn.survey.warnings)
    for name, value in console.plan_facts(drawn.plan, where=where(drawn)):
        console.say(f"{name:<10} {value}")
    for line in drawn.plan.of("blocked"):
        console.say(f"  blocked  {line.variant.label}: {line.reason}", style="red")
    ceiling = None if max_usd is None else Credits.of_usd(max_usd)
    limit = drawn.loaded.campaign.approve_above
    place = drawn.budget_place
    confirmed = yes
    if not yes and drawn.plan.credits and not json:
        planning.approve(drawn.plan, by="terminal", confirmed=True, ceiling=ceiling, place=place)
        confirmed = _ask(drawn)
    planning.approve(drawn.plan, by="terminal", confirmed=confirmed, approve_above=limit, ceiling=ceiling, place=place)
    return "--yes" if yes else "terminal"


def _ask(drawn: Drawn) -> bool:
    free = drawn.plan.route == "sandbox"
    question = "Render these drafts?" if free else f"Spend {drawn.plan.credits.spoken}?"
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise NotApproved("The plan was not approved.", hint="Pass --yes to approve it without being asked.")
    return True


def _load_flow(root: Path) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The flow of this checkout: the wheel's single upward import. NoCheckout has been ruled out by then."""
    file = root / "flows" / "campaign.py"
    found = importlib.util.spec_from_file_location("campaign", file)
    if found is None or found.loader is None or not file.is_file():
        raise SpecError(
            "The checkout has no flows/campaign.py.", where=str(root), hint="Restore it from the repository."
        )
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    flow: Callable[..., Coroutine[Any, Any, Any]] = module.campaign
    return flow


async def _walk(start: Callable[[], Coroutine[Any, Any, Any]], drawn: Drawn) -> "Account":
    """Run the flow under the eyes of the live view. An error of ours that ended the flow is raised as it is."""
    from callsheet.cli.live import Live
    from callsheet.steps import outcome, studio

    accounts: list[Account] = []
    with Live(drawn.plan) as live, studio.watched_by(live.hear), outcome.reported_to(accounts.append):
        state = await start()
    if accounts:
        return accounts[-1]
    result = await state.aresult(raise_on_failure=False)
    if isinstance(result, CallsheetError):
        raise result
    if isinstance(result, BaseException):
        raise result
    raise RuntimeError(f"the flow ended as {state} without an account")


def _summary(account: "Account", took: timedelta) -> None:
    """Variants, credits, time, and where everything is."""
    for ended in account.ended:
        if ended.outcome in ("failed", "in_doubt", "pending"):
            style = console.OUTCOME_STYLE[ended.outcome]
            console.tell(
                f"{ended.outcome.replace('_', ' '):<9} {ended.line.variant.label}: {ended.reason}", style=style
            )
    spent = account.credits.spoken if account.credits else "nothing"
    if account.route == "sandbox" and account.credits:
        spent += " the provider would have charged; the sandbox is free"
    minutes, seconds = divmod(round(took.total_seconds()), 60)
    facts = [
        ("variants", account.message),
        ("credits", spent),
        ("time", f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"),
        ("files", str(account.manifest.parent)),
        ("board", account.board.as_uri()),
    ]
    console.tell()
    for name, value in facts:
        console.tell(f"{name:<10} {value}")
