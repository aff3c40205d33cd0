"""A run of a deployment whose plan is dear waits for a person without a process, and does what the person says, once."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from callsheet.ledger.book import Ledger
from tests.flows.conftest import ROOT, Flow, Server
from tests.prefect_api import ask
from tests.steps.footage import make_studio
from tests.steps.local_provider import serving

pytestmark = pytest.mark.slow

KEY = "sk-evo-4f9d27c1e8b35a60"
DOCUMENT = """\
campaign: NAME
model: kling-o1-video-edit
budget: $40.00
approve_above: $0.50
clips:
  beach: media/cup.mp4
prompts:
  dusk: Re-light the scene at dusk.
  dawn: Re-light the scene at dawn.
aspect_ratios: [16:9]
"""


def call(server: Server, path: str, body: Mapping[str, Any] | None = None) -> Any:
    return ask(server.api, path, body)


def deployed(server: Server, name: str) -> str:
    """A deployment of the flow of this checkout, as `callsheet deploy` makes one; nobody but the test executes its runs."""
    directory = {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
    facts = {"name": name, "entrypoint": "flows/campaign.py:campaign", "pull_steps": [directory]}
    return str(
        call(server, "deployments/", {**facts, "flow_id": call(server, "flows/", {"name": "campaign"})["id"]})["id"]
    )


def started(server: Server, deployment: str, spec: Path) -> str:
    run = call(server, f"deployments/{deployment}/create_flow_run", {"parameters": {"spec": str(spec)}})
    return str(run["id"])


def state(server: Server, run: str) -> dict[str, Any]:
    return dict(server.flow_run(run)["state"])


def schema(server: Server, run: str) -> dict[str, Any]:
    """The form that the UI shows."""
    key = state(server, run)["state_details"]["run_input_keyset"]["schema"]
    return dict(call(server, f"flow_runs/{run}/input/{key}"))


def resume(server: Server, run: str, **answer: Any) -> str:
    """Press the button: ACCEPT, or the reason why not."""
    told = call(server, f"flow_runs/{run}/resume", {"run_input": answer})
    return str(told["details"].get("reason") or told["status"])


def test_a_dear_plan_waits_without_a_process_and_is_bought_once_rejected_or_narrowed_as_a_person_says(
    campaign: Flow, server: Server, tmp_path: Path
) -> None:
    names = ("bought", "rejected")
    specs = {name: make_studio(tmp_path / name, DOCUMENT.replace("NAME", name)) for name in names}
    deployment = deployed(server, "approval")
    with serving() as provider, ThreadPoolExecutor() as both:
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY}

        def execute(runs: Mapping[str, str]) -> None:
            list(both.map(lambda run: campaign.execute(run, **settings), runs.values()))

        runs = {name: started(server, deployment, spec) for name, spec in specs.items()}
        execute(runs)
        for run in runs.values():
            waits = state(server, run)
            assert (waits["type"], waits["name"]) == ("PAUSED", "Suspended")
            assert "UTC: 2 variants, 72 credits ($1.06), plan " in waits["message"]
            event = server.event(run, "callsheet.needs-approval")
            assert event["payload"]["link"].endswith(f"/runs/flow-run/{run}")
        for spec in specs.values():  # nothing is left behind that waits
            with closing(Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")) as ledger:
                assert ledger.running() == ()
        fields = schema(server, runs["bought"])["properties"]
        assert fields["leave_out"]["items"]["enum"] == ["prompt=dusk", "prompt=dawn"]
        assert fields["cap_usd"]["maximum"] == 1.06
        plans = {name: schema(server, run)["properties"]["plan"]["default"] for name, run in runs.items()}

        yes = {"decision": "approve", "approved_by": "Ada", "cap_usd": 1.06, "plan": plans["bought"]}
        wrong: tuple[dict[str, Any], ...] = (
            {"plan": plans["rejected"]},
            {"cap_usd": 2},
            {"approved_by": ""},
            {"leave_out": ["clip=x"]},
        )
        for other in wrong:
            assert resume(server, runs["bought"], **{**yes, **other}).startswith("Reason: "), other
        narrow = {**yes, "cap_usd": 0.6, "leave_out": ["prompt=dawn"]}
        assert resume(server, runs["bought"], **narrow) == "ACCEPT"
        assert resume(server, runs["bought"], **yes) == "Cannot resume a flow run that is not paused."
        no = {"decision": "reject", "approved_by": "Bo", "note": "too dear", "plan": plans["rejected"]}
        assert resume(server, runs["rejected"], **no) == "ACCEPT"
        execute(runs)

        told = state(server, runs["bought"])
        assert (told["type"], told["message"]) == ("COMPLETED", "1 of 1 archived")
        told = state(server, runs["rejected"])
        assert (told["type"], told["name"]) == ("CANCELLED", "Rejected")
        assert told["message"].startswith("rejected by Bo (too dear): nothing was sent, plan ")
        assert [prompt for prompt, _ in provider.submits] == ["Re-light the scene at dusk."]
