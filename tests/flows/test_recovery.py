"""What died or was cancelled has a defined end: what is paid comes home, nothing new is bought, and Prefect's list says how."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callsheet.approval import Ruling
from callsheet.credits import Credits
from callsheet.ledger.book import Ledger
from callsheet.ledger.ownership import new_id
from tests import books
from tests.flows.conftest import PATIENCE, ROOT, Flow, Server
from tests.prefect_api import ask
from tests.steps.footage import make_studio
from tests.steps.local_provider import LocalProvider, serving

pytestmark = pytest.mark.slow

KEY = "sk-evo-4f9d27c1e8b35a60"
DOCUMENT = """\
campaign: tiny
model: kling-o1-video-edit
budget: $40.00
clips:
  beach: media/cup.mp4
prompts:
  dusk: Re-light the scene at dusk.
  dawn: Re-light the scene at dawn.
aspect_ratios: [16:9]
"""


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def post(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = ask(server.api, path, body)
    return told


def states(spec: Path) -> list[str]:
    with closing(Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")) as ledger:
        return [str(take.state) for take in ledger.takes()]


def kill_a_run(spec: Path) -> None:
    """kill -9 of a run on the sandbox, right after the second of its jobs is in the ledger."""
    words = [sys.executable, "-m", "tests.steps.walk", str(spec), "after the job id is committed"]
    killed = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=PATIENCE)
    assert killed.returncode == -9, killed.stderr


def believed_to_run(server: Server, spec: Path) -> str:
    """A flow run that Prefect has as Running, of a run whose process is gone."""
    flow = post(server, "flows/", {"name": "campaign"})
    run = post(server, "flow_runs/", {"flow_id": flow["id"], "name": "killed", "state": {"type": "RUNNING"}})
    with closing(Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")) as ledger:
        known = {"campaign": "tiny", "route": "sandbox", "who": "process 1", "flow_run": run["id"]}
        ledger.begin_run(new_id(), **known)
    return str(run["id"])


def waiting(server: Server, spec: Path) -> str:
    """A flow run that waits for a person, whom it asked two days ago."""
    flow = post(server, "flows/", {"name": "campaign"})
    state = {"type": "PAUSED", "name": "Suspended"}
    run = post(server, "flow_runs/", {"flow_id": flow["id"], "name": "waiting", "state": state})
    at = datetime.now(UTC) - timedelta(days=2)
    with closing(Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")) as ledger:
        what: dict[str, Any] = {"campaign": "tiny", "route": "sandbox", "plan": "p" * 64, "credits": Credits.of(72)}
        asked = Ruling(word="asked", by="", at=at, expires_at=at + timedelta(days=1), flow_run=run["id"], **what)
        ledger.rule(asked)
    return str(run["id"])


def test_reconcile_marks_a_dead_run_and_brings_home_what_it_left_needing_only_the_ledger(
    campaign: Flow, server: Server, tmp_path: Path
) -> None:
    spec = make_studio(tmp_path / "studio", DOCUMENT)
    root = spec.parent.parent
    kill_a_run(spec)
    dead, asked = believed_to_run(server, spec), waiting(server, spec)
    ended = campaign.reconcile(root)
    assert ended["state"] == "COMPLETED", ended
    assert ended["message"] == "2 of 2 takes of dead runs finished; 1 dead run marked as crashed; 1 question expired"
    assert states(spec) == ["archived", "archived"]
    assert len(books.jobs(root / ".callsheet")) == 2
    crashed = server.flow_run(dead)["state"]
    assert crashed["type"] == "CRASHED"
    assert crashed["message"].startswith("its process is gone; what it had sent is followed by the next run")
    expired = server.flow_run(asked)["state"]
    assert (expired["type"], expired["name"]) == ("CANCELLED", "Expired")
    assert expired["message"].startswith("nobody answered until ")


def test_a_run_that_is_cancelled_in_prefect_sends_nothing_new_and_follows_what_is_paid(
    campaign: Flow, server: Server, tmp_path: Path
) -> None:
    spec = make_studio(tmp_path / "studio", DOCUMENT)
    with serving() as provider:
        held = Held(provider)
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY, "CALLSHEET_MAX_IN_FLIGHT": "1"}
        running = campaign.start((str(spec),), settings)
        until(lambda: provider.submits)
        found = server.ask("flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}})
        (run,) = (
            one for one in found if one["parameters"].get("spec") == str(spec)
        )  # killed runs of other tests run on
        post(server, f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})
        until(lambda: any("cancelled in Prefect" in log["message"] for log in server.find("logs", run["id"])))
        held.release()
        out, err = running.communicate(timeout=PATIENCE)
        assert len(provider.submits) == 1
    ended = json.loads(out) if out else {"state": err}
    assert ended["state"] == "CANCELLED"
    assert ended["message"] == "cancelled in Prefect: 1 of 2 archived, 1 not made"
    assert server.flow_run(run["id"])["state"]["message"] == ended["message"]
    assert states(spec) == ["archived"]


class Held:
    """Jobs that are at work until they are let go of."""

    def __init__(self, provider: LocalProvider) -> None:
        self._is_held = True
        provider.in_the_making = lambda _job: self._is_held

    def release(self) -> None:
        self._is_held = False
