"""What all tests share: one Prefect and one PostgreSQL server for those that need them, and properties without a clock."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from callsheet.steps.settings import of_background_server

from .postgres import schema, server

if TYPE_CHECKING:
    from .buckets import BucketServer

#: A deadline for each example of a property would measure how busy this machine is.
settings.register_profile("callsheet", deadline=None)
settings.load_profile("callsheet")

#: Seconds in which a Prefect server is up, on a busy machine.
START_LIMIT = 120


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Settings for whole runs: a Prefect server that the first of them starts, stopped by its id at the end."""
    home = tmp_path_factory.mktemp("prefect")
    yield {"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api", "PREFECT_HOME": str(home)}
    pid = home / "server.pid"
    if pid.exists():
        end(int(pid.read_text()))


@pytest.fixture(scope="session")
def prefect_api(prefect: Mapping[str, str]) -> str:
    """The API of that server, which answers; it is started here where no run has started it."""
    api = prefect["PREFECT_API_URL"]
    if not _answers(api):
        port = api.removesuffix("/api").rpartition(":")[2]
        words = ["server", "start", "--background", "--host", "127.0.0.1", "--port", port]
        environment = {**of_background_server(int(port)), **prefect}
        subprocess.run([sys.executable, "-m", "prefect", *words], env=environment, check=True, timeout=START_LIMIT)
    deadline = time.monotonic() + START_LIMIT
    while not _answers(api):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return api


def _answers(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=3) as answer:
            return bool(answer.read() == b"true")
    except OSError:
        return False


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL database; each test has a schema of its own in it."""
    with server() as url:
        yield url


@pytest.fixture
def postgres_schema(postgres: str) -> Iterator[str]:
    """The URL of an empty place for a ledger on PostgreSQL."""
    with schema(postgres) as url:
        yield url


def end(process: int) -> None:
    """SIGTERM, and SIGKILL where that is not obeyed within ten seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(100):
            try:
                os.kill(process, number if _ == 0 else 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: Files that take a minute or more, the longest first. Begun last, they would leave the other processes with nothing to do.
LONGEST = (
    "e2e/test_killed.py",
    "e2e/test_stopped.py",
    "e2e/test_commands.py",
    "e2e/test_bad_input.py",
    "e2e/test_plan.py",
    "flows/test_campaign_flow.py",
    "flows/test_approval.py",
    "flows/test_recovery.py",
    "media/test_generated_drafts.py",
    "steps/test_killed.py",
    "e2e/test_board.py",
    "e2e/test_attached.py",
    "e2e/test_reserved.py",
    "contracts/test_sandbox.py",
    "media/test_clips.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file the order stays."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get("/".join(item.path.parts[-2:]), len(place)))


@pytest.fixture(scope="session")
def bucket_server() -> "Iterator[BucketServer]":
    """A server of S3; moto is loaded for it, which takes a second."""
    from .buckets import serving as serving_buckets

    with serving_buckets() as running:
        yield running


@pytest.fixture
def bucket(bucket_server: "BucketServer", monkeypatch: pytest.MonkeyPatch) -> "BucketServer":
    """The server with an empty bucket, and an environment that leads to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in bucket_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket_server.emptied().close()
    return bucket_server
