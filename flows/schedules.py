"""The deployments of campaigns that run by themselves: what Prefect has, what it should have, and how it gets there.

A deployment is found by its name and its schedule by its slug, so nothing is ever made twice. Deployments of other checkouts
on the same server, and those that a person made, are left alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentScheduleUpdate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.server.schemas import schedules as served
from prefect.utilities.callables import parameter_schema
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from callsheet.deployment import SLUG, TAG, TOLD, Step, Wanted
from callsheet.errors import SpecError

FLOW = "campaign"
ENTRYPOINT = f"flows/{FLOW}.py:{FLOW}"
CHANGE_DIRECTORY = "prefect.deployments.steps.set_working_directory"
#: An occurrence that comes while the one before it still runs is dropped: after a long standstill the late ones must not
#: all be paid for, one after the other. Seconds that a worker has to get a run going, until its place is free again.
ONE_AT_A_TIME: dict[str, Any] = {"collision_strategy": "CANCEL_NEW", "grace_period_seconds": 600}
#: Monday; intervals and rules are counted from its midnight, whenever they are deployed.
ANCHOR = datetime(2024, 1, 1)

Timing = CronSchedule | IntervalSchedule | RRuleSchedule


async def compare(
    root: Path, wanted: Sequence[Wanted], pool: str, lost: Callable[[str, str], str]
) -> tuple[list[Step], bool]:
    """What has to be done with each deployment, and whether there is one of `reconcile`. Nothing is changed.

    lost: why the deployment of a campaign at a path and of a name has lost it. SpecError where another checkout has a
    deployment of a campaign of this name.
    """
    async with get_client() as client:
        there = {one.name: one for one in await _deployed(client)}
        steps = [await _step(root, one, there.get(one.name), pool) for one in wanted]
        named = {one.name for one in wanted}
        for name, found in sorted(there.items()):
            spec = str(found.parameters.get("spec", ""))
            why = lost(spec, name) if name not in named and _directory(found) == str(root) else ""
            if why:
                steps.append(Step(name=name, spec=spec, action="remove", why=why, id=str(found.id)))
        return steps, await _is_reconciled(client)


async def apply(root: Path, wanted: Sequence[Wanted], pool: str, steps: Sequence[Step]) -> bool:
    """Do it. Was the work pool made, which was not there?"""
    by_name = {one.name: one for one in wanted}
    async with get_client() as client:
        is_new = bool(wanted) and await _make_pool(client, pool)
        for step in steps:
            if step.action == "create":
                await _create(client, _facts(root, by_name[step.name], pool), by_name[step.name])
            elif step.action == "update":
                await _update(client, step.id, _facts(root, by_name[step.name], pool), by_name[step.name])
            elif step.action == "remove":
                await client.delete_deployment(step.id)  # type: ignore[arg-type]  # an id as text is taken, too
    return is_new


async def _deployed(client: PrefectClient) -> list[DeploymentResponse]:
    """Every deployment that was made by this command, of whatever checkout."""
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    found: list[DeploymentResponse] = []
    while page := await client.read_deployments(deployment_filter=tagged, limit=200, offset=len(found)):
        found += page
    return found


async def _is_reconciled(client: PrefectClient) -> bool:
    try:
        await client.read_deployment_by_name("reconcile/reconcile")
    except ObjectNotFound:
        return False
    return True


async def _step(root: Path, one: Wanted, found: DeploymentResponse | None, pool: str) -> Step:
    timing = _timing(one)
    comes = await _next(timing)
    if not comes:
        raise SpecError(
            f"the schedule {one.schedule.spoken} never comes again.", where=one.spec, hint="Change or remove it."
        )
    step = Step(name=one.name, spec=one.spec, action="create", why=one.schedule.spoken, next=comes)
    if found is None:
        return step
    _refuse_foreign(root, found)
    moved = _moved(_facts(root, one, pool), timing, found)
    return replace(
        step,
        action="update" if moved else "keep",
        why=", ".join(moved),
        paused=found.paused or not all(schedule.active for schedule in found.schedules),
        id=str(found.id),
    )


def _refuse_foreign(root: Path, found: DeploymentResponse) -> None:
    """SpecError where a checkout that is still there has made this deployment: one campaign would take the other's place."""
    other = _directory(found)
    if other and other != str(root) and (Path(other) / "prefect.yaml").is_file():
        raise SpecError(
            f"the deployment {FLOW}/{found.name} belongs to the checkout {other}.",
            where=str(root),
            hint="Rename one of the campaigns, or use another Prefect server.",
        )


def _directory(found: DeploymentResponse) -> str:
    for step in found.pull_steps or []:
        if CHANGE_DIRECTORY in step:
            return str(step[CHANGE_DIRECTORY]["directory"])
    return ""


def _facts(root: Path, one: Wanted, pool: str) -> dict[str, Any]:
    """Everything about its deployment but the schedule, as both creating and updating take it."""
    return {
        "description": f"The campaign {one.campaign}, by itself: {one.schedule.spoken}. A plan dearer than its "
        "approve_above waits for a person.",
        "entrypoint": ENTRYPOINT,
        "parameters": {"spec": one.spec, "sandbox": one.sandbox},
        "tags": one.tags,
        "pull_steps": [{CHANGE_DIRECTORY: {"directory": str(root)}}],
        "work_pool_name": pool,
        "concurrency_limit": 1,
        "concurrency_options": ConcurrencyOptions(**ONE_AT_A_TIME),
        "enforce_parameter_schema": True,
        "parameter_openapi_schema": parameter_schema(load_flow_from_entrypoint(f"{root}/{ENTRYPOINT}")).model_dump(),
    }


def _moved(facts: dict[str, Any], timing: Timing, found: DeploymentResponse) -> list[str]:
    """What is different of a deployment that is there, in words."""
    limit = found.global_concurrency_limit
    there = {name: getattr(found, name, None) for name in facts} | {"concurrency_limit": limit and limit.limit}
    there["concurrency_options"] = found.concurrency_options
    moved = [name.replace("_", " ") for name, value in facts.items() if _plain(value) != _plain(there[name])]
    schedules = [schedule.schedule for schedule in found.schedules if schedule.slug == SLUG]
    is_alone = len(schedules) == 1 and all(schedule.slug for schedule in found.schedules)
    if not is_alone or schedules[0].model_dump(mode="json") != timing.model_dump(mode="json"):
        moved.insert(0, "schedule")
    return moved


def _plain(value: Any) -> Any:
    """Tags have no order."""
    if isinstance(value, ConcurrencyOptions):
        return value.model_dump(mode="json")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(value)
    return value


def _timing(one: Wanted) -> Timing:
    schedule = one.schedule
    if schedule.interval is not None:
        anchor: Any = ANCHOR.replace(tzinfo=ZoneInfo(schedule.timezone))
        return IntervalSchedule(interval=schedule.interval, anchor_date=anchor, timezone=schedule.timezone)
    if schedule.rrule:
        begin = f"DTSTART:{ANCHOR:%Y%m%dT%H%M%S}"  # as the server spells it
        return RRuleSchedule(rrule=f"{begin}\n{schedule.rrule}", timezone=schedule.timezone)
    return CronSchedule(cron=schedule.cron, timezone=schedule.timezone)


async def _next(timing: Timing) -> tuple[datetime, ...]:
    """As the server will work them out."""
    kinds: dict[type[Timing], Any] = {
        CronSchedule: served.CronSchedule,
        IntervalSchedule: served.IntervalSchedule,
        RRuleSchedule: served.RRuleSchedule,
    }
    dates = await kinds[type(timing)](**timing.model_dump()).get_dates(n=TOLD, start=datetime.now(UTC))
    return tuple(dates)


async def _make_pool(client: PrefectClient, pool: str) -> bool:
    try:
        await client.read_work_pool(pool)
    except ObjectNotFound:
        template = await get_default_base_job_template_for_infrastructure_type("process")
        try:
            await client.create_work_pool(WorkPoolCreate(name=pool, type="process", base_job_template=template or {}))
        except ObjectAlreadyExists:  # somebody else was faster
            return False
        return True
    return False


async def _create(client: PrefectClient, facts: dict[str, Any], one: Wanted) -> None:
    flow_id = await client.create_flow_from_name(FLOW)
    schedule = DeploymentScheduleCreate(schedule=_timing(one), slug=SLUG, active=True)
    await client.create_deployment(flow_id=flow_id, name=one.name, schedules=[schedule], **facts)


async def _update(client: PrefectClient, deployment: Any, facts: dict[str, Any], one: Wanted) -> None:
    """Its schedule is found by its slug, and stays paused if a person has paused it."""
    schedule = DeploymentScheduleUpdate(schedule=_timing(one), slug=SLUG)
    await client.update_deployment(deployment, DeploymentUpdate(schedules=[schedule], **facts))
