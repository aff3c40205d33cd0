"""A campaign that several workers share: its slices as runs of the deployment `campaign/slice`, until all of them have ended.

The ledger says whose process lives; Prefect, which believes a run of a dead worker to run for ever, is told. What is left of
such a slice is started again. This run itself buys nothing meanwhile, and can die: the slices go on.
"""

import asyncio
import json
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Cancelling, Crashed

from callsheet.redact import redact
from callsheet.slices import Slice
from callsheet.steps import slicing
from callsheet.steps.slicing import Sharing

log = logging.getLogger("callsheet.run")

IsCancelled = Callable[[], Awaitable[bool]]

DEPLOYMENT = "campaign/slice"
#: Seconds between two looks at the slices; between two starts, so that workers do not all survey and upload at once.
PERIOD = 5.0
PACE = 0.5
#: Seconds in which a run that a worker has taken is in the ledger: the import of prefect, and the claim of its variants. One
#: that is slower and was given up wrongly costs nothing twice: the ledger says whose each variant is.
SOON = 120.0
#: Seconds after which it is said that no worker takes a slice.
PATIENCE = 120.0
#: How often what is left of dead slices is started again.
ROUNDS = 3
#: How often Prefect is asked to cancel a slice, a second apart.
TRIES = 10
NOBODY = (
    "no worker takes a slice: this run has a place itself, so the work pool and its workers need two places at least"
)
GONE = "its process is gone; what it had sent is followed by the campaign's run, and nothing is paid again"


async def can_share() -> bool:
    """Is there a deployment of slices on this server?"""
    async with get_client() as client:
        try:
            await client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound:
            return False
    return True


async def share(sharing: Sharing, is_cancelled: IsCancelled) -> dict[str, tuple[str, str]] | None:
    """Have every slice made. Why variants did not come home, by label: the cause in words, and the reason. None where this
    process has to go, or was cancelled: its slices with it then. is_cancelled: was this run, in Prefect?"""
    told: dict[str, tuple[str, str]] = {}
    plans: list[str] = []
    async with get_client() as client, slicing.attending(sharing, flow_run.id or ""):
        with leaving_on_signal() as leaving:
            bar = await progress_of(sharing.plan.campaign)
            cuts = slicing.cut(sharing)
            for number in range(ROUNDS):
                plans += [one.plan.digest for one in cuts]
                runs = await start(sharing, cuts, number, leaving, is_cancelled)
                done = await finish(client, sharing, runs, plans, bar, leaving, is_cancelled)
                if done is None:
                    return None
                told |= {label: why for name, state in done.items() for label, why in whole(runs[name], state).items()}
                told |= await outcomes(client, [UUID(name) for name in runs])
                undone = [runs[name] for name, state in done.items() if is_unfinished(state)]
                cuts = await slicing.left_of(sharing, undone) if undone else ()
                if not cuts:
                    break
                log.warning("%d slices were not finished: what is left of them is started again", len(undone))
    return told


async def progress_of(campaign: str) -> UUID | None:
    try:
        bar: UUID = await acreate_progress_artifact(0.0, f"{campaign}-progress", "slices")
    except Exception as error:  # as in `show`
        log.warning("the progress is not shown: %s", redact(str(error)))
        return None
    return bar


@contextmanager
def leaving_on_signal() -> Iterator[asyncio.Event]:
    """Set by SIGTERM, with which a worker ends this process."""
    leaving, loop = asyncio.Event(), asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)
    loop.add_signal_handler(signal.SIGTERM, leaving.set)
    try:
        yield leaving
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)


def whole(one: Slice, state: "State[Any] | None") -> dict[str, tuple[str, str]]:
    """A slice that came to nothing as a whole: why, for each of its variants, where nothing more is known of it."""
    if state is not None and state.is_completed():
        return {}
    words = redact((state.message if state is not None else "") or "its run is gone")
    return dict.fromkeys(one.labels, ("failed", f"slice {one.part}: {words}"))


async def start(
    sharing: Sharing, cuts: Sequence[Slice], number: int, leaving: asyncio.Event, is_cancelled: IsCancelled
) -> dict[str, Slice]:
    """The slices by the id of their flow run, as far as this run is to go on. Doing it twice starts none twice; a run that is
    tried again has slices of its own, since those of the time before have ended."""
    runs: dict[str, Slice] = {}
    for one in cuts:
        if leaving.is_set() or await is_cancelled():
            break
        made = await arun_deployment(
            DEPLOYMENT,
            parameters={**slicing.parameters(sharing, one, is_first=number == 0), "cut_by": flow_run.id},
            timeout=0,
            tags=[f"campaign:{sharing.plan.campaign}", "slice"],
            idempotency_key=f"{flow_run.id}-{flow_run.run_count}-{number}-{one.part}",
        )
        runs[str(made.id)] = one
        log.info("slice %s: %d variants, %s", one.part, len(one.labels), one.costs.spoken)
        await asyncio.sleep(PACE)
    return runs


async def finish(
    client: PrefectClient,
    sharing: Sharing,
    runs: Mapping[str, Slice],
    plans: Collection[str],
    bar: UUID | None,
    leaving: asyncio.Event,
    is_cancelled: IsCancelled,
) -> "dict[str, State[Any] | None] | None":
    """How each ended, once all have. Those whose process is gone are crashed; all are cancelled with this run. None where
    this process has to go."""
    began, is_told = time.monotonic(), False
    taken: dict[str, float] = {}
    while True:
        asked = await seen(client, runs)
        found = asked or {}
        going = unended(found)
        await show(sharing, plans, bar)
        if leaving.is_set() or await is_cancelled():
            if await is_cancelled():
                await cancel(client, runs)
            return None
        if asked is not None and not going:
            return {name: found[name].state if name in found else None for name in runs}
        await bury(client, sharing, going, taken)
        if not is_told and time.monotonic() - began > PATIENCE and not any(map(is_begun, found.values())):
            is_told = True
            log.warning("%s", NOBODY)
        with suppress(TimeoutError):
            await asyncio.wait_for(leaving.wait(), PERIOD)


async def seen(client: PrefectClient, runs: Collection[str]) -> dict[str, FlowRun] | None:
    """The runs as Prefect has them; None where its server does not answer now."""
    try:
        return await read(client, runs)
    except Exception as error:
        log.warning("Prefect cannot be asked about the slices: %s", redact(str(error)))
        return None


async def show(sharing: Sharing, plans: Collection[str], bar: UUID | None) -> None:
    """A bar that cannot be shown must not end what is paid for."""
    if bar is None:
        return
    try:
        percent, words = await asyncio.to_thread(slicing.how_far, sharing, plans)
        await aupdate_progress_artifact(bar, percent, words)
    except Exception as error:
        log.warning("the progress is not shown: %s", redact(str(error)))


def unended(runs: Mapping[str, FlowRun]) -> dict[str, FlowRun]:
    return {name: run for name, run in runs.items() if run.state is None or not run.state.is_final()}


async def cancel(client: PrefectClient, runs: Collection[str]) -> None:
    """With this run. Where only its process has to go, they go on. One that Prefect does not take now is tried again: it
    would go on buying."""
    for _ in range(TRIES):
        found = await seen(client, runs)
        left = {
            name: run
            for name, run in unended(found or {}).items()
            if run.state is None or not run.state.is_cancelling()
        }
        if found is not None and not left:
            return
        for name, run in left.items():
            await cancel_one(client, name, run)
        await asyncio.sleep(1)
    log.warning("not every slice could be cancelled: cancel those that are still running")


async def cancel_one(client: PrefectClient, name: str, run: FlowRun) -> None:
    log.info("slice %s is cancelled with the campaign's run", run.name)
    try:
        await client.set_flow_run_state(UUID(name), Cancelling(message="the campaign's run was cancelled"))
    except Exception as error:
        log.warning("slice %s is not cancelled yet: %s", run.name, redact(str(error)))


def is_begun(run: FlowRun) -> bool:
    return run.state is not None and not run.state.is_scheduled()


async def bury(client: PrefectClient, sharing: Sharing, runs: Mapping[str, FlowRun], taken: dict[str, float]) -> None:
    """Tell Prefect of those that a worker has taken and whose process is gone, or never came so far as the ledger."""
    begun = [name for name, run in runs.items() if is_begun(run)]
    now = time.monotonic()
    for name in begun:
        taken.setdefault(name, now)
    dead, unknown = await slicing.gone(sharing, begun)
    for name in sorted(dead | {name for name in unknown if now - taken[name] > SOON}):
        try:
            await client.set_flow_run_state(UUID(name), Crashed(message=GONE), force=True)
        except Exception as error:  # the next look finds it again
            log.warning("Prefect cannot be told about slice %s: %s", runs[name].name, redact(str(error)))
        else:
            log.warning("slice %s: %s", runs[name].name, GONE)


def is_unfinished(state: "State[Any] | None") -> bool:
    """Did it end before it had tried everything: crashed, or the plan was another when it came to it? What somebody has
    cancelled is not started again."""
    return state is None or state.is_crashed() or state.name == "PlanChanged"


async def read(client: PrefectClient, runs: Collection[str]) -> dict[str, FlowRun]:
    found: dict[str, FlowRun] = {}
    names = [UUID(name) for name in runs]
    for begin in range(0, len(names), 200):
        some = FlowRunFilter(id=FlowRunFilterId(any_=names[begin : begin + 200]))
        found |= {str(run.id): run for run in await client.read_flow_runs(flow_run_filter=some, limit=200)}
    return found


async def outcomes(client: PrefectClient, runs: Sequence[UUID]) -> dict[str, tuple[str, str]]:
    """Cause and reason of every variant that did not come home, as the slices' outcome tables say it. A table that cannot be
    read must not end what is paid for."""
    told: dict[str, tuple[str, str]] = {}
    for run in runs:
        try:
            told |= await outcome_of(client, run)
        except Exception as error:
            log.warning("why variants of a slice did not come home cannot be read: %s", redact(str(error)))
    return told


async def outcome_of(client: PrefectClient, run: UUID) -> dict[str, tuple[str, str]]:
    told: dict[str, tuple[str, str]] = {}
    tables = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    for table in await client.read_artifacts(artifact_filter=tables):
        if table.type == "table":
            rows = json.loads(str(table.data))
            told |= {row["variant"]: (row["cause"], redact(row["reason"])) for row in rows if row.get("cause")}
    return told
