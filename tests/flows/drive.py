"""Run as a program: call the flow of this checkout directly, and write how it ended as JSON.

`python -m tests.flows.drive SPEC [sandbox] [approved=DIGEST] [occurrence=TIME]`, or `… drive reconcile` in a checkout, with
the environment that says where Prefect's server is; one is started where none answers. A process of its own, because
Prefect leaves connections open for as long as the process lives.
"""

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from callsheet.cli import prefect_server
from callsheet.errors import CallsheetError
from callsheet.steps import settings

ROOT = Path(__file__).parents[2]


def drive(spec: str, *, sandbox: bool, **given: str) -> dict[str, str]:
    settings.point_prefect_at(prefect_server.ensure(ROOT))
    from prefect.flows import load_flow_from_entrypoint  # it reads its settings when it is imported

    campaign: Any = load_flow_from_entrypoint(f"{ROOT}/flows/campaign.py:campaign")
    state, error = asyncio.run(ended(campaign(spec=spec, sandbox=sandbox, **given, return_state=True)))
    return {
        "run": str(state.state_details.flow_run_id),
        "state": state.type.value,
        "message": state.message,
        "error": type(error).__name__ if isinstance(error, CallsheetError) else "",
    }


async def ended(run: Coroutine[Any, Any, Any]) -> tuple[Any, Any]:
    """The final state, and what `callsheet run` reads from it where there is no account."""
    state = await run
    return state, await state.aresult(raise_on_failure=False)


def reconcile() -> dict[str, str]:
    """The flow `reconcile` in the checkout that this process stands in."""
    settings.point_prefect_at(prefect_server.ensure(ROOT))
    from prefect.flows import load_flow_from_entrypoint

    flow: Any = load_flow_from_entrypoint(f"{ROOT}/flows/reconcile.py:reconcile")
    state = asyncio.run(flow(return_state=True))
    return {"run": str(state.state_details.flow_run_id), "state": state.type.value, "message": state.message}


if __name__ == "__main__":
    words = sys.argv[2:]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    is_reconcile = sys.argv[1] == "reconcile"
    told = reconcile() if is_reconcile else drive(sys.argv[1], sandbox="sandbox" in words, **given)
    sys.stdout.write(json.dumps(told))
