"""Asking a person: the form of a suspended flow run, what was answered to it, and how it waits without a process.

What an answer means is decided in `callsheet.steps.ask`, and the ledger keeps it. Here is only what Prefect shows and hands
back. Beside `campaign.py`, which loads it by path.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import Pause
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from prefect.input.actions import aread_flow_run_input
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for
from pydantic import Field, create_model

from callsheet.approval import LONGEST_NAME, LONGEST_NOTE, Answer, Question
from callsheet.digest import short
from callsheet.redact import redact
from callsheet.steps import ask as asking

log = logging.getLogger("callsheet.run")

#: Prefect ends what nobody answers as Failed. By then `reconcile`, which comes every hour, has ended it calmly.
GRACE = timedelta(hours=2)


def is_deployed() -> bool:
    """Is this a run of a deployment? Only such a one can be resumed, since a new process is started for it."""
    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and context.flow_run.deployment_id is not None


async def answer() -> Answer | None:
    """What a person answered to the last question of this run; None where nothing was asked, or nobody can be heard."""
    if not is_deployed():
        return None
    try:
        states = await states_of_this_run()
        asked = next((number for number, state in reversed([*enumerate(states)]) if keyset_of(state)), None)
        if asked is None:
            return None
        raw, later = await answer_under(keyset_of(states[asked])), states[asked + 1 :]
    except Exception as error:  # then it is asked again, which costs nothing
        log.warning("what was answered cannot be read: %s", redact(str(error)))
        return None
    sent = next((state.timestamp for state in later if state.is_scheduled()), datetime.now(UTC))
    found = asking.read(raw, sent) if raw else None
    was_rejected = found is not None and not found.is_yes and any(state.is_final() for state in later)
    return None if was_rejected else found  # who starts a rejected run once more wants to be asked


async def answer_under(keyset: Mapping[str, str]) -> dict[str, Any] | None:
    """What a form sent, with the defaults of what it did not send, as Prefect reads it; None where it sent nothing."""
    run = UUID(flow_run.id)
    raw: dict[str, Any] | None = await aread_flow_run_input(keyset["response"], run)
    if not raw:
        return None
    schema: dict[str, Any] = await aread_flow_run_input(keyset["schema"], run)
    fields = schema.get("properties", {})
    return {**{name: field["default"] for name, field in fields.items() if "default" in field}, **raw}


async def states_of_this_run() -> "list[State[Any]]":
    async with get_client() as client:
        found = await client.read_flow_run_states(UUID(flow_run.id))
    return sorted(found, key=lambda state: state.timestamp)


def keyset_of(state: "State[Any]") -> dict[str, str]:
    """Under which keys its form and the answer lie; nothing for a state that asks nothing."""
    return dict(state.state_details.run_input_keyset or {}) if state.is_paused() else {}


async def suspend(to_ask: asking.Asking) -> None:
    """Wait for a person without a process. Does not return: Prefect starts another process once somebody has answered."""
    question = to_ask.question
    times = sum(1 for state in await states_of_this_run() if keyset_of(state))
    lasting = question.until + GRACE - datetime.now(UTC)
    try:
        await asuspend_flow_run(
            wait_for_input=form(question, to_ask.page),
            timeout=int(lasting.total_seconds()),
            key=f"{short(question.plan.digest)}-{times + 1}",
        )
    except Pause as signal:
        await say(signal, question.message)
        raise


async def say(signal: Pause, message: str) -> None:
    """Have the list of runs say what it waits for: Prefect suspends without a word."""
    if signal.state is None:
        return
    try:
        async with get_client() as client:
            run = await client.read_flow_run(UUID(flow_run.id))
            if run.state_id == signal.state.id:  # nobody has answered yet
                state = signal.state.model_copy(update={"message": message})
                await client.set_flow_run_state(run.id, state, force=True)
    except Exception as error:
        log.warning("what the run waits for is not shown: %s", redact(str(error)))


def link() -> str:
    """Where a browser finds this run and its form."""
    return url_for("flow-run", obj_id=flow_run.id) or ""


def form(question: Question, page: str) -> type[RunInput]:
    """What a person fills in. Its schema is checked by the server, so nothing else can be sent."""
    price = float(question.price.usd)
    values: list[Any] = [*question.values]
    fields: dict[str, Any] = {
        "decision": (
            Literal["approve", "reject"],
            Field(title="Decision", description="Rejected, the run ends and nothing is sent."),
        ),
        "approved_by": (
            str,
            Field(title="Your name", min_length=1, max_length=LONGEST_NAME, description="Kept with the answer."),
        ),
        "cap_usd": (
            float,
            Field(
                default=price,
                title="Cap in USD",
                ge=0,
                le=price,
                description="The most that the run may cost. It can only be lowered.",
            ),
        ),
        "leave_out": (
            list[str],
            Field(
                default=[],
                title="Leave out",
                description="What is paid for already comes home all the same.",
                json_schema_extra={"items": {"type": "string", "enum": values}},
            ),
        ),
        "note": (str, Field(default="", title="Note", max_length=LONGEST_NOTE)),
        "plan": (
            str,
            Field(
                default=question.plan.digest,
                title="Plan",
                description="The one that this form is about, and no other.",
                json_schema_extra={"enum": [question.plan.digest]},
            ),
        ),
    }
    if not values:
        del fields["leave_out"]
    made: type[RunInput] = create_model("Approval", __base__=RunInput, **fields)
    return made.with_initial_data(description=page)
