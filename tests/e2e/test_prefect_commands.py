"""The commands of Prefect that the documents name, typed as they stand there: a worker, deployments, a run that waits for a
person and is answered with curl, one that was approved beforehand, and the hourly reconcile."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.documents import ROOT, blocks
from tests.prefect_api import ask

from .conftest import CAMPAIGN, PATIENCE, NewStudio, Studio

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
#: Two prompts in two shapes at $0.53 each, dearer together than what nobody has to be asked about.
DEAR = (
    CAMPAIGN.replace("budget: $5.00", "budget: $5.00\napprove_above: $0.60")
    .replace("prompts:", "prompts:\n  neon: Neon signs at night.")
    .replace("[16:9]", "[16:9, 9:16]")
)  # fmt: skip


def document(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def line_of(name: str, begins: str) -> str:
    """The one command of this document's code blocks that begins so, lines that go on joined."""
    lines = [
        line.strip().removeprefix("$ ")
        for _, block in blocks(document(name))
        for line in block.replace("\\\n", " ").splitlines()
    ]
    (found,) = {line for line in lines if line.startswith(begins)}
    return found


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A terminal in the studio, whose commands reach the server, the paid stand-in, and Prefect."""

    studio: Studio
    api: str

    @property
    def environment(self) -> dict[str, str]:
        place = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PWD": str(self.studio.root)}
        return self.studio.environment(**place, PREFECT_API_URL=self.api, NO_COLOR="1", COLUMNS="200")

    def type(self, line: str) -> str:
        """What a line prints. It has to end well."""
        words = ["bash", "-ec", line]
        ended = subprocess.run(
            words,
            cwd=self.studio.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def flow_run(self, line: str) -> str:
        """The id of the flow run that `prefect deployment run …` makes."""
        found = re.search(r"UUID: ([0-9a-f-]{36})", self.type(line))
        assert found is not None
        return found[1]

    def state(self, run: str) -> dict[str, Any]:
        return dict(ask(self.api, f"flow_runs/{run}")["state"])

    def wait(self, run: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while not is_so(state := self.state(run)):
            assert state["type"] not in ("CRASHED", "FAILED"), state
            assert time.monotonic() < deadline, state
            time.sleep(0.5)
        return state


@contextmanager
def busy(times: int) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says 503 so many times, as Prefect's does where its database is locked, and then accepts; its API,
    and the bodies that it was sent."""
    bodies: list[bytes] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            accepts = len(bodies) > times
            answer = b'{"status":"ACCEPT"}' if accepts else b'{"exception_message":"Service Unavailable"}'
            self.send_response(200 if accepts else 503)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api", bodies
        server.shutdown()


@pytest.fixture(scope="module")
def shell(new_studio: NewStudio, paid: Mapping[str, str], prefect_api: str) -> Iterator[Shell]:
    """A studio with everything deployed, and a worker for it, as docs/scale.md sets them up."""
    studio = new_studio(**paid, PREFECT_API_URL=prefect_api)
    for name in ("hello", "spring"):
        (studio.root / f"specs/{name}.yaml").write_text(DEAR.replace("campaign: tiny", f"campaign: {name}"))
    (studio.root / "flows").unlink()
    shutil.copytree(ROOT / "flows", studio.root / "flows")  # a worker runs them from this very folder
    here = Shell(studio=studio, api=prefect_api)
    worker = subprocess.Popen(
        ["bash", "-ec", f"exec {line_of('scale.md', 'prefect worker start')}"],
        cwd=studio.root, env=here.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert worker.stdout is not None
        told = ""
        while "started" not in told:
            read = worker.stdout.readline()
            assert read, told
            told += read
        assert "`prefect --no-prompt deploy --all`, with `CALLSHEET_CHECKOUT` set" in document("scale.md")
        here.type("CALLSHEET_CHECKOUT=$PWD prefect --no-prompt deploy --all")
        yield here
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=PATIENCE)


def test_a_dear_run_waits_and_the_request_of_the_document_answers_it(shell: Shell) -> None:
    run = shell.flow_run(line_of("scale.md", "prefect deployment run"))
    waiting = shell.wait(run, lambda state: state["name"] == "Suspended")
    assert "4 variants, 144 credits ($2.12)" in waiting["message"]
    request = line_of("approval.md", "curl -s")
    assert "leave_out" in request
    told = shell.type(request.replace("curl -s", f"ID={run}; curl -sS --fail-with-body", 1))
    assert '"status":"ACCEPT"' in told, told
    ended = shell.wait(run, lambda state: state["type"] == "COMPLETED")
    assert "2 of 2 archived" in ended["message"]
    assert list((shell.studio.root / "archive/spring").glob("*--dusk--*.mp4"))
    assert not list((shell.studio.root / "archive/spring").glob("*--neon--*.mp4"))


def test_the_request_of_the_document_is_sent_again_to_a_server_that_is_busy(tmp_path: Path) -> None:
    request = line_of("approval.md", "curl -s")
    with busy(2) as (api, bodies):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PREFECT_API_URL": api, "ID": "any"}
        told = subprocess.run(["bash", "-ec", request], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.endswith('"status":"ACCEPT"}'), told
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


def test_a_plan_that_was_approved_by_its_digest_is_not_asked_about(shell: Shell) -> None:
    plan = json.loads(shell.type("callsheet plan specs/hello.yaml --paid --json"))
    line = line_of("approval.md", "prefect deployment run").replace("DIGEST", plan["digest"]).replace("NAME", "Ada")
    shell.wait(shell.flow_run(line), lambda state: state["type"] == "COMPLETED")
    manifest = json.loads((shell.studio.root / "archive/hello/manifest.json").read_text())
    assert [entry["state"] for entry in manifest["entries"]] == ["archived"] * 4


def test_reconcile_is_deployed_and_runs_when_somebody_says_so(shell: Shell) -> None:
    shell.type(line_of("schedule.md", "CALLSHEET_CHECKOUT=$PWD prefect"))
    found = re.search(r"`(prefect deployment run reconcile/reconcile)`", document("recovery.md"))
    assert found is not None
    assert shell.wait(shell.flow_run(found[1]), lambda state: state["type"] == "COMPLETED")["name"] == "Completed"
