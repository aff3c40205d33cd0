"""The flow of this checkout, its runs told to the session's Prefect server, and what that server knows."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.prefect_api import ask

ROOT = Path(__file__).parents[2]
#: Seconds. The recorder writes in batches; a busy machine takes its time.
PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """The Prefect server's API, and its database on this disk."""

    api: str
    home: Path

    def find(self, what: str, run: str) -> list[dict[str, Any]]:
        """Everything of one kind that belongs to this flow run: task_runs, artifacts, logs."""
        return self.ask(f"{what}/filter", {what: {"flow_run_id": {"any_": [run]}}, "limit": 200})

    def flow_run(self, run: str) -> dict[str, Any]:
        return self.ask("flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]

    def task_runs(self, run: str) -> list[dict[str, Any]]:
        """The task runs of a flow run that has ended, once the server has written down the end of each."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.find("task_runs", run)
            if found and all(one["state_type"] in ("COMPLETED", "FAILED", "CRASHED") for one in found):
                return found
            assert time.monotonic() < deadline, [(one["name"], one["state_type"]) for one in found]
            time.sleep(0.2)

    def event(self, run: str, name: str) -> dict[str, Any]:
        """The one event of this name that is about this flow run, once the server has written it down."""
        deadline = time.monotonic() + PATIENCE
        related = {"id": [f"prefect.flow-run.{run}"]}
        while True:
            found: Any = self.ask("events/filter", {"filter": {"event": {"name": [name]}, "related": related}})
            if found["events"]:
                (event,) = found["events"]
                return dict(event)
            assert time.monotonic() < deadline, name
            time.sleep(0.2)

    def ask(self, path: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(self.api, path, body)
        return found

    def written(self) -> bytes:
        """Every byte of its database: whatever it was told, events included."""
        return b"".join(file.read_bytes() for file in sorted(self.home.glob("prefect.db*")))


@dataclass(frozen=True, kw_only=True)
class Flow:
    """The flow, run in a process of its own and told to the server."""

    prefect: Mapping[str, str]

    def run(self, spec: Path, *words: str, **settings: str) -> dict[str, str]:
        """Its `run` (an id), `state`, `message`, and `error` where one of ours ended it. words: sandbox, approved=DIGEST,
        occurrence=TIME."""
        out, err = self.start((str(spec), *words), settings).communicate(timeout=PATIENCE * 2)
        return self._told(out, err)

    def reconcile(self, root: Path, **settings: str) -> dict[str, str]:
        """The same of the flow `reconcile`, in this checkout."""
        out, err = self.start(("reconcile",), settings, cwd=root).communicate(timeout=PATIENCE * 2)
        return self._told(out, err)

    def start(self, words: Sequence[str], settings: Mapping[str, str], cwd: Path = ROOT) -> "subprocess.Popen[str]":
        """Without waiting for its end."""
        return self._popen(["tests.flows.drive", *words], settings, cwd)

    def execute(self, run: str, **settings: str) -> str:
        """A flow run of a deployment, in a process as a worker starts one in the end; what it wrote."""
        process = self._popen(["prefect.engine", run], settings, ROOT)
        out, err = process.communicate(timeout=PATIENCE * 2)
        assert process.returncode == 0, out + err
        return out + err

    def _popen(self, module: Sequence[str], settings: Mapping[str, str], cwd: Path) -> "subprocess.Popen[str]":
        steers = ("EVOLINK_", "CALLSHEET_", "PREFECT_")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(steers)}
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=cwd,
            env={**plain, **self.prefect, "PYTHONPATH": str(ROOT), **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _told(self, out: str, err: str) -> dict[str, str]:
        assert out, err
        found: dict[str, str] = json.loads(out)
        return found


@pytest.fixture(scope="session")
def server(prefect: Mapping[str, str], prefect_api: str) -> Server:
    return Server(api=prefect_api, home=Path(prefect["PREFECT_HOME"]))


@pytest.fixture(scope="session")
def campaign(prefect: Mapping[str, str]) -> Flow:
    return Flow(prefect=prefect)
