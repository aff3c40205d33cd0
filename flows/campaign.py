"""The whole pipeline: plan, approve, then every variant through prepare, stage, submit, follow, deliver; then wrap up.

Prefect sees one flow run for a campaign and one task run for each stage of each variant. Each stage retries by one fact on
the error, `error.retry`; what may be done twice is decided by the ledger, never here. Tasks are awaited and gathered
(never `.submit`: an async task submitted costs a thread), and only labels and ids cross into them.
"""

import asyncio
import logging
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.events.clients import NullEventsClient
from prefect.events.worker import EventsWorker
from prefect.runtime import flow_run
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Completed, Crashed, Failed
from prefect.tasks import exponential_backoff
from prefect.utilities.importtools import load_script_as_module

from callsheet.approval import Ruling
from callsheet.errors import BudgetError, CallsheetError
from callsheet.occurrence import in_utc
from callsheet.occurrence import read as read_occurrence
from callsheet.plan import Plan
from callsheet.redact import redact
from callsheet.steps import ask as asking
from callsheet.steps import bulletin, outcome, slicing, stand_by, stopping, strays, studio, wrap
from callsheet.steps import deliver as delivering
from callsheet.steps import follow as following
from callsheet.steps import prepare as preparing
from callsheet.steps import retake as retaking
from callsheet.steps import stage as staging
from callsheet.steps import submit as submitting

#: Starts a second; the server's event queue drops, silently, what comes much faster (measured).
STARTS_PER_SECOND = 50
#: Of what waits for a place anyway.
LATER_PER_SECOND = 40
#: Seconds between two words about one encode, about a whole campaign, and between two looks whether the run was cancelled.
PROGRESS_PERIOD = 1.0
CAMPAIGN_PERIOD = 2.0
HEED_PERIOD = 5.0
CANCELLED = "cancelled in Prefect"

T = TypeVar("T")


log = logging.getLogger("callsheet.media")

if not get_current_settings().api.url:
    # A server inside this process (--ephemeral) is gone with it, so nobody hears its events; Prefect's own client for them
    # takes the empty address for one, and fails, aloud, at each.
    EventsWorker.set_client_override(NullEventsClient)


async def is_safe(_task: Any, _run: TaskRun, state: "State[Any]") -> bool:
    """Retry only what says of itself that trying again is safe; wait as long as the other side asked."""
    error = await state.aresult(raise_on_failure=False)
    if not isinstance(error, CallsheetError) or error.retry != "safe":
        return False
    await asyncio.sleep(error.after.total_seconds() if error.after else 0)
    return True


POLICY: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "retry_condition_fn": is_safe,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "persist_result": False,
}


@task(task_run_name="prepare {label}", retries=1, **POLICY)
async def prepare(label: str) -> None:
    moved: asyncio.Queue[float] = asyncio.Queue()
    showing = asyncio.create_task(show_encode(label, moved))
    try:
        await preparing.prepare(label, on_encode=moved.put_nowait)
        moved.put_nowait(1.0)
        await asyncio.wait([showing])
    finally:
        showing.cancel()


@task(task_run_name="stage {label}", retries=4, **POLICY)
async def stage(label: str) -> None:
    await staging.stage(label)


@task(task_run_name="submit {label}", retries=4, **POLICY)
async def submit(label: str) -> int:
    return await submitting.submit(label)


@task(task_run_name="follow {label}", retries=8, **POLICY)
async def follow(label: str, take: int) -> None:
    await following.follow(take, label)


@task(task_run_name="deliver {label}", retries=4, **POLICY)
async def deliver(label: str, take: int) -> str:
    return await delivering.deliver(take, label)


@task(task_run_name="stand by {label}", retries=4, **POLICY)
async def wait_for(label: str) -> bool:
    return await stand_by.stand_by(label)


@task(task_run_name="collect take {take}", retries=4, **POLICY)
async def collect(take: int) -> None:
    await strays.collect(take)


async def show_encode(label: str, moved: "asyncio.Queue[float]") -> None:
    """A progress bar on the task run, from the first word of an encode to its last, brought up to date once a second.

    A server that does not take it stops no encode.
    """
    fraction = await moved.get()
    if fraction >= 1:  # nothing is encoded for this variant
        return
    key = re.sub(r"[^a-z0-9]+", "-", f"prepare-{label}".lower())
    try:
        bar = await acreate_progress_artifact(round(100 * fraction, 1), key, "the encode of its clip")
        told = time.monotonic()
        while fraction < 1:
            fraction = await moved.get()
            if fraction >= 1 or time.monotonic() - told > PROGRESS_PERIOD:
                told = time.monotonic()
                await aupdate_progress_artifact(bar, round(100 * fraction, 1))
    except Exception as error:  # a bar that cannot be shown must not end what is paid for
        log.warning("the progress of %s is not shown: %s", label, redact(str(error)))


async def shoot(label: str, number: int, at: studio.Studio) -> None:
    """One variant's walk. What is sent is bounded by `in_flight`, what is sent and not home yet by `on_the_way`, preparation
    and uploads by limits of their own; what an earlier run has sent is only brought home.

    As many as may be sent at once begin soon; those that have to wait for a place anyway are made ready when nothing is sent.
    """
    paid = outcome.paid_take(at.plan, label)
    later = 0 if paid is not None else max(number + 1 - at.drawn.settings.max_in_flight, 0)
    await asyncio.sleep((number - later) / STARTS_PER_SECOND + later / LATER_PER_SECOND)

    async def make() -> int:
        stopping.refuse(at, label)
        with at.sending.held():
            take = await submit(label)
        await follow(label, take)
        return take

    with outcome.end_told(label):
        if outcome.is_elsewhere(label):
            if await wait_for(label):
                return
            paid = outcome.taken_over(label)
        if paid is not None:
            await follow(label, paid)
            await deliver(label, paid)
            return
        if later:
            await at.sending.given()
        stopping.refuse(at, label)
        await prepare(label)
        stopping.refuse(at, label)
        await stage(label)  # before its place comes free: while it is uploaded another renders
        async with at.on_the_way:
            async with at.in_flight:
                take = await retaking.until_made(label, make)
            await at.sending.given()
            await deliver(label, take)


async def posted(what: str, posting: Awaitable[T]) -> T | None:
    """Show something in Prefect. A server that does not take it must not end what is paid for."""
    try:
        return await posting
    except Exception as error:
        log.warning("%s is not shown in Prefect: %s", what, redact(str(error)))
        return None


async def tag(names: list[str]) -> None:
    """Tags of this run only: a tag of a task run asks the server for its concurrency limit at every start."""
    async with get_client() as client:
        others = {name for name in flow_run.tags if not name.startswith(bulletin.PLAN)}  # it may have been another one
        await client.update_flow_run(flow_run.id, tags=sorted({*others, *names}))


def notify(notice: bulletin.Notice) -> None:
    """Emit an event that automations can act on (docs/monitoring.md)."""
    try:
        emit_event(notice.name, resource=notice.resource, payload=dict(notice.payload))
    except Exception as error:  # as for what is posted
        log.warning("%s is not told to Prefect: %s", notice.name, redact(str(error)))


@asynccontextmanager
async def progress_shown(key: str | None, progress: bulletin.Progress) -> AsyncIterator[None]:
    """A bar on the flow run that moves with its variants."""
    bar = await posted("the progress", acreate_progress_artifact(progress.percent, key, progress.words))

    async def move() -> None:
        told = (progress.percent, progress.words)
        while bar is not None:
            await asyncio.sleep(CAMPAIGN_PERIOD)
            if told != (told := (progress.percent, progress.words)):
                await posted("the progress", aupdate_progress_artifact(bar, *told))

    moving = asyncio.create_task(move())
    try:
        yield
    finally:
        moving.cancel()
    if bar is not None:
        await posted("the progress", aupdate_progress_artifact(bar, progress.percent, progress.words))


def key_of(at: studio.Studio, kind: str) -> str | None:
    """Under which all runs of a campaign post something; a slice posts it for its own run only."""
    return None if at.drawn.loaded.part is not None else f"{at.plan.campaign}-{kind}"


async def post_end(at: studio.Studio, account: wrap.Account, spec: str) -> None:
    """How it ended: what each variant cost, what failed and what to do about it, where everything is."""
    bulletin.say_end(account)
    rows, cost = outcome.rows(account), bulletin.cost(account)
    await posted("the outcome", acreate_table_artifact(rows, key_of(at, "outcome"), cost))
    if failures := bulletin.failures_page(account, spec):
        await posted("the failures", acreate_markdown_artifact(failures, key_of(at, "failures"), account.message))
    page = bulletin.result_page(account, spec)
    await posted("the result", acreate_markdown_artifact(page, key_of(at, "result"), account.message))
    for notice in bulletin.of_end(at, account, spec):
        notify(notice)


async def is_cancelled() -> bool:
    """Has somebody cancelled this run in Prefect? A server that does not answer has not said so."""
    try:
        async with get_client() as client:
            state = (await client.read_flow_run(UUID(flow_run.id))).state
    except Exception as error:
        log.debug("Prefect cannot be asked about this run: %s", redact(str(error)))
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())


async def watch_for_cancel(at: studio.Studio) -> None:
    while True:
        await asyncio.sleep(HEED_PERIOD)
        if await is_cancelled():
            stopping.stop(at, CANCELLED)
            return


async def stopped(at: studio.Studio) -> "State[Any]":
    """How a run ends that did not make everything, because it was to stop."""
    cancelled = await is_cancelled()
    words = stopping.words(at, CANCELLED if cancelled else at.stopping)
    log.warning("%s", words)  # a worker writes over the message of a cancelled run
    return Cancelled(message=words) if cancelled else Crashed(message=words)


@contextmanager
def heeding(at: studio.Studio) -> Iterator[None]:
    """For the block, a cancellation in Prefect stops the sending. SIGTERM, by which a worker ends this process, does so at
    once, and in a few seconds everything; where a command watches, that one heeds it."""

    def go() -> None:
        stopping.stop(at, "stopped by its worker")
        stopping.leave_soon(at)

    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
    is_ours = not studio.heeds_signals() and threading.current_thread() is threading.main_thread()
    if is_ours:
        loop.add_signal_handler(signal.SIGTERM, go)
    watching = asyncio.create_task(watch_for_cancel(at))
    try:
        yield
    finally:
        watching.cancel()
        if is_ours:
            loop.remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, before)


def run_name() -> str:
    """hello, or hello (sandbox, selected), or hello 501-1000: what the list of runs shows."""
    given = flow_run.parameters
    if given.get("part"):
        return f"{Path(given['spec']).stem} {given['part']}"
    about = {
        "sandbox": given.get("sandbox"),
        "pilot": given.get("pilot"),
        "reviewed": given.get("verdicts"),
        "selected": any(given.get(name) for name in ("only", "skip", "limit")),
        "again": given.get("again"),
        "collecting": given.get("attach_only"),
    }
    words = ", ".join(word for word, is_so in about.items() if is_so)
    return f"{Path(given['spec']).stem}{f' ({words})' if words else ''}"


def occurrence_of(given: str | None) -> datetime | None:
    """When the schedule fired that made this run; what was given, where none did."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None and context.flow_run.auto_scheduled:
        return in_utc(flow_run.scheduled_start_time)
    return None if given is None else read_occurrence(given)


@flow(name="campaign", flow_run_name=run_name, validate_parameters=False, persist_result=False)
async def campaign(
    spec: str,
    sandbox: bool = False,
    only: list[str] | None = None,
    skip: list[str] | None = None,
    again: list[str] | None = None,
    limit: int | None = None,
    pilot: str | None = None,
    verdicts: str | None = None,
    promote: list[str] | None = None,
    keep_unjudged: bool = False,
    attach_only: bool = False,
    send_reserved: bool = False,
    max_usd: str | None = None,
    occurrence: str | None = None,
    part: str | None = None,
    cut_by: str | None = None,
    approved: str | None = None,
    approved_by: str = "schedule",
) -> "State[Any]":
    """Run the campaign at `spec`. A plan dearer than the campaign's approve_above waits for a person, where this is a run of a
    deployment: it is suspended, with a form. `approved` is the digest of a plan that a person confirmed already.
    `occurrence`: the time of a schedule, for a run that no schedule of Prefect made; what was made for an occurrence is not
    made for it again. `part`: a slice of it, which the flow run `cut_by` gave away; that one brings home what slices leave,
    and writes the manifest."""
    approval = beside("approval")
    answer = await approval.answer()
    chosen: dict[str, Any] = {
        "only": only or (),
        "skip": skip or (),
        "again": again or (),
        "limit": limit,
        "pilot": pilot,
        "verdicts": verdicts,
        "promote": promote or (),
        **({"keep_unjudged": True} if keep_unjudged else {}),  # an older Callsheet does not know it
    }
    chosen |= {"occurrence": occurrence_of(occurrence), "flow_run": flow_run.id or ""}
    way: dict[str, Any] = {"sandbox": sandbox, "attach_only": attach_only, "send_reserved": send_reserved, "part": part}
    way["left_out"] = answer.left_out if answer is not None and answer.is_yes else ()
    async with studio.opened(Path(spec), **chosen, **way) as at, meanwhile(post_plan(at)):
        try:
            slicing.refuse_stranger(at, cut_by)
            told = asking.settle(
                at,
                answer,
                spec=spec,
                approved=approved,
                by=approved_by,
                max_usd=max_usd,
                can_ask=part is None and approval.is_deployed(),
            )
        except BudgetError as refusal:
            notify(bulletin.of_refusal(at, refusal, spec))
            return Failed(name=bulletin.state_of(refusal), message=f"nothing was sent: {refusal.what}", data=refusal)
        if told is None and not (slicing.is_big(at, part=part, attach_only=attach_only) and await is_shared()):
            return await walk(at, spec)
        sharing = slicing.Sharing(drawn=at.drawn, by=slicing.approver(at, approved_by), ceiling=at.ceiling)
    # From here on nothing is claimed, opened or running.
    if isinstance(told, Ruling):
        return Cancelled(name="Rejected", message=asking.rejection(told))
    if told is not None:
        notify(told.notice(approval.link()))
        await approval.suspend(told)
    return await share(spec, sharing, chosen)


@asynccontextmanager
async def meanwhile(work: Awaitable[None]) -> AsyncIterator[None]:
    """Do this beside the block, to its end: what is sent need not wait for it."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        await task


async def post_plan(at: studio.Studio) -> None:
    """What it would do and cost, before anybody is asked."""
    bulletin.say_plan(at.plan)
    await posted("the tags", tag(bulletin.tags(at.plan)))
    title = outcome.plan_title(at.plan)
    await posted("the plan", acreate_table_artifact(outcome.plan_rows(at.plan), key_of(at, "plan"), title))


async def share(spec: str, sharing: slicing.Sharing, chosen: Mapping[str, Any]) -> "State[Any]":
    """A big plan, made by other processes; then everything that they left, and how it ended."""
    told = await beside("slices").share(sharing, is_cancelled)
    if told is None:
        return Cancelled(message=CANCELLED) if await is_cancelled() else Crashed(message=slicing.LEFT)
    async with studio.opened(Path(spec), **chosen, sandbox=False, attach_only=True) as at:
        return await walk(at, spec, shared=sharing.plan, told=slicing.told_to(at, told))


def beside(name: str) -> Any:
    """Another file of `flows/`, by its path: from where this one is loaded, the folder need not be on sys.path. Only once this
    one is loaded: Prefect loads one file at a time, and waits for ever for the one that waits for another."""
    return load_script_as_module(str(Path(__file__).with_name(f"{name}.py")))


async def is_shared() -> bool:
    """Are there workers to share with? A command does all of it in its own process, where a person watches it."""
    return bool(beside("approval").is_deployed() and await beside("slices").can_share())


async def walk(
    at: studio.Studio, spec: str, *, shared: Plan | None = None, told: Mapping[str, str] | None = None
) -> "State[Any]":
    """Everything that is left to do, and how it ended. shared: the plan that others have made most of, with the reasons
    that they told by label."""
    labels = outcome.to_walk(at.plan)
    is_part = at.drawn.loaded.part is not None
    left = [] if is_part else strays.found(at)
    walked = (shoot(label, number, at) for number, label in enumerate(labels))
    with heeding(at):
        async with progress_shown(key_of(at, "progress"), bulletin.watch(at, labels)):
            work = asyncio.gather(
                asyncio.gather(*walked, return_exceptions=True),
                asyncio.gather(*(collect(take) for take in left), return_exceptions=True),
            )
            done = await stopping.unless_left(at, work)
    if done is None:
        return await stopped(at)
    ended, collected = done
    errors = {**(told or {}), **outcome.errors(labels, ended)}
    account = await wrap.wrap(errors, strays.told(at, left, collected), shared, is_part=is_part)
    await post_end(at, account, spec)
    outcome.raise_defects([*ended, *collected])
    outcome.report(account)
    if (at.stopping and account.exit_code) or await is_cancelled():  # then Prefect takes no other end
        return await stopped(at)
    return Completed(message=account.message) if account.exit_code == 0 else Failed(message=account.message)
