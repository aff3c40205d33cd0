"""Finish what dead runs left, every hour: nothing new is bought, and the ledger alone says what there is to do.

Whatever died (a worker, a server, a machine), what was sent goes on at the provider, and links of its results live a day. A
run that Prefect believes to run though its process is gone is marked as crashed.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.flows import load_flow_from_entrypoint
from prefect.states import Cancelled, Completed, Crashed, Failed

from callsheet.errors import CallsheetError, MediaError, SpecError
from callsheet.redact import redact
from callsheet.steps import ask, left_behind, load, settings, settle, strays
from callsheet.steps.left_behind import Left

log = logging.getLogger("callsheet.takes")

#: What is said of a run in Prefect's list whose process is gone.
GONE = "its process is gone; what it had sent is followed by the next run or by reconcile, and nothing is paid again"


@flow(name="reconcile", flow_run_name="reconcile", validate_parameters=False, persist_result=False)
async def reconcile() -> "State[Any]":
    """Mark runs that are dead, settle what is in doubt by evidence, and bring home what nobody works on."""
    root = settings.find_checkout(Path.cwd())
    crashed, expired = await mark_dead(root), await end_expired(root)
    for weighed in await settle.of_ledger(settings.read(root)):
        log.info("take %d %s: %s", weighed.take.id, weighed.take.slug, redact(weighed.why))
    left = await asyncio.to_thread(left_behind.found, root)
    reasons = [reason for one in left if (reason := await finish(root, one))]
    return ended(root, left, reasons, crashed, expired)


async def finish(root: Path, left: Left) -> str:
    """Bring home what is left of one campaign, or say why not. Where its file is gone or cannot be used, as strays."""
    log.info("finishing what is left of %s", left.words)
    try:
        if left.spec is None:
            await strays.rescue_all(load.only_named(root, left.campaign), sandbox=left.sandbox)
            return ""
        return await walk(left.spec, left)
    except CallsheetError as error:
        return redact(f"{left.campaign}: {error.what}")


async def walk(spec: Path, left: Left) -> str:
    """As its own flow does, less everything that would be bought."""
    campaign: Any = load_flow_from_entrypoint(f"{Path(__file__).with_name('campaign.py')}:campaign")
    state: State[Any] = await campaign(
        spec=str(spec), sandbox=left.sandbox, attach_only=True, approved_by="reconcile", return_state=True
    )
    error = None if state.is_completed() else await state.aresult(raise_on_failure=False)
    if isinstance(error, SpecError | MediaError):
        await strays.rescue(spec, sandbox=left.sandbox)
        return ""
    return "" if state.is_completed() else redact(f"{left.campaign}: {state.message}")


def ended(root: Path, left: Sequence[Left], reasons: Sequence[str], crashed: int, expired: int) -> "State[Any]":
    """How it went: failed while something is still not home, so that somebody looks."""
    ids = [number for one in left for number in one.ids]
    live = left_behind.still_live(root, ids) if ids else ()
    words = f"{len(ids) - len(live)} of {len(ids)} takes of dead runs finished" if ids else "no dead run left anything"
    words += f"; {crashed} dead run{'' if crashed == 1 else 's'} marked as crashed" if crashed else ""
    words += f"; {expired} question{'' if expired == 1 else 's'} expired" if expired else ""
    if not live and not reasons:
        return Completed(message=words)
    told = [*reasons, *(f"take {take.id} {take.slug} is {take.state}" for take in live[:5])]
    return Failed(message=f"{words}; {'; '.join(told)}")


async def mark_dead(root: Path) -> int:
    """How many runs Prefect believed to run whose process is gone. They are crashed; one that was being cancelled, is."""
    async with get_client() as client:
        running = {str(run.id): run for run in await campaign_runs(client, StateType.RUNNING, StateType.CANCELLING)}
        since = {name: run.state.timestamp for name, run in running.items() if run.state is not None}
        gone = await asyncio.to_thread(left_behind.dead, root, since)
        for name in gone:
            run = running[name]
            is_cancelling = run.state is not None and run.state.is_cancelling()
            state: State[Any] = Cancelled(message=GONE) if is_cancelling else Crashed(message=GONE)
            await client.set_flow_run_state(UUID(name), state, force=True)
            log.info("flow run %s: %s", run.name, GONE)
    return len(gone)


async def end_expired(root: Path) -> int:
    """How many runs waited for a person, and nobody answered in time. They end calmly; Prefect would have them fail."""
    async with get_client() as client:
        waiting = [str(run.id) for run in await campaign_runs(client, StateType.PAUSED)]
        expired = await asyncio.to_thread(ask.expired, root, waiting)
        for name, words in expired.items():
            await client.set_flow_run_state(UUID(name), Cancelled(name="Expired", message=words))
            log.info("flow run %s: %s", name, words)
    return len(expired)


async def campaign_runs(client: PrefectClient, *types: StateType) -> list[FlowRun]:
    """Every run of the flow `campaign` in one of these states."""
    states = FlowRunFilterStateType(any_=[*types])
    found: list[FlowRun] = []
    while page := await client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=["campaign"])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=states)),
        limit=200,
        offset=len(found),
    ):
        found += page
    return found
