"""What a big campaign runs on: a Prefect server on PostgreSQL, a ledger on it, a provider, and workers with homes of their own.

Each is a process on loopback. A worker with a home of its own shares nothing with the others but PostgreSQL, the archive and
the checkout, as one on another machine does.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.conftest import free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
KEY = "sk-evo-4f9d27c1e8b35a60"
POOL = "callsheet"
#: Seconds in which a process is up on a busy machine.
PATIENCE = 180


@dataclass(kw_only=True)
class Site:
    """Everything of one trial. `settings` is what every process of Callsheet and Prefect finds in its environment."""

    root: Path
    settings: dict[str, str]
    _opened: list[IO[bytes]] = field(default_factory=list)

    def environment(self, **settings: str) -> dict[str, str]:
        steers = ("EVOLINK_", "CALLSHEET_", "PREFECT_", "AWS_")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(steers)}
        return {**plain, **self.settings, **settings}

    def start(self, name: str, words: list[str], cwd: Path | None = None, **settings: str) -> "subprocess.Popen[bytes]":
        """A process with a session of its own; what it says goes to `<name>.log`."""
        log = (self.root / f"{name}.log").open("ab")
        self._opened.append(log)
        return subprocess.Popen(
            words,
            cwd=cwd or self.root,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def call(self, *words: str) -> str:
        """A command of Prefect, to its end."""
        ended = subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            cwd=self.root / "studio",
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ended.returncode == 0, f"{words}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def log(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text("utf-8", "replace")

    def close(self) -> None:
        for log in self._opened:
            log.close()


def until(what: Callable[[], Any], limit: float = PATIENCE, period: float = 0.2) -> Any:
    """What `what` gives once it is something. AssertionError after the limit."""
    end = time.monotonic() + limit
    while not (found := what()):
        assert time.monotonic() < end, f"not within {limit:.0f} s"
        time.sleep(period)
    return found


def database(url: str, name: str) -> str:
    """The URL of a new database beside this one."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@contextmanager
def prefect_server(site: Site, database_url: str) -> Iterator[None]:
    """On PostgreSQL. Its address is in the settings of the site from then on."""
    port = free_port()
    site.settings["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    place = database_url.replace("postgresql://", "postgresql+asyncpg://", 1)
    words = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = site.start("server", words, PREFECT_API_DATABASE_CONNECTION_URL=place)
    try:
        until(lambda: _answers(f"{site.settings['PREFECT_API_URL']}/health"))
        yield
    finally:
        end(server)


@contextmanager
def provider(site: Site, seconds: int) -> Iterator[Path]:
    """A sandbox that copies, by itself: the paid provider of this trial. The folder of its book."""
    home, port = site.root / "provider", free_port()
    words = [
        str(BIN / "callsheet"),
        "sandbox",
        "--port",
        str(port),
        "--engine",
        "copy",
        "--render-seconds",
        str(seconds),
    ]
    server = site.start("provider", words, ROOT, CALLSHEET_HOME=str(home), EVOLINK_API_KEY=KEY)
    site.settings |= {"EVOLINK_BASE_URL": f"http://127.0.0.1:{port}", "EVOLINK_API_KEY": KEY}
    try:
        until(lambda: _answers(f"{site.settings['EVOLINK_BASE_URL']}/v1/credits", {"Authorization": f"Bearer {KEY}"}))
        yield home
    finally:
        end(server)


def worker(site: Site, name: str, places: int) -> "subprocess.Popen[bytes]":
    """One that takes so many runs at a time, with a home of its own."""
    words = [str(BIN / "prefect"), "worker", "start", "--pool", POOL, "--type", "process"]
    words += ["--limit", str(places), "--name", name]
    return site.start(name, words, site.root / "studio", CALLSHEET_HOME=str(site.root / f"home-{name}"))


def family(process: int) -> list[int]:
    """This process and everything that it has started, as /proc has it now."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def kill(process: "subprocess.Popen[bytes]") -> int:
    """kill -9 of a worker and of all its runs at once, as when its machine loses power; how many processes that were."""
    found = family(process.pid)
    for one in found:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    process.wait(PATIENCE)
    return len(found)


def end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM to it, and SIGKILL to what is left of its family."""
    if process.poll() is not None:
        return
    found = family(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(60)
    for one in found:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    process.wait(PATIENCE)


def _answers(url: str, headers: Mapping[str, str] | None = None) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers or {})), timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
