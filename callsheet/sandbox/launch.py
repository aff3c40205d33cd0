"""The sandbox for the length of a run: the one that is up, or one started for it; it ends when its last user is gone.

A server that dies under a run is started again at the same address, and goes on with the jobs of its book.
"""

import asyncio
import http.client
import json
import logging
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from callsheet.errors import Unavailable
from callsheet.sandbox.place import Lock, Place, locked

log = logging.getLogger("callsheet.sandbox")

#: Any key opens the sandbox; this one cannot be taken for a real one.
KEY = "sk-evo-sandbox"
#: How long a server may take to answer, or another run to start it.
START_LIMIT = timedelta(seconds=30)
HEALTH_PERIOD = timedelta(milliseconds=50)
HEALTH_LIMIT = timedelta(seconds=2)
#: A server that is just ending holds the users' lock for an instant.
JOIN_LIMIT = timedelta(seconds=10)
#: How often a run looks whether its server still lives.
LIFE_PERIOD = timedelta(milliseconds=500)
#: Deaths of servers under one run that are made good; a job that kills its server is failed by the book after five.
MOST_RESTARTS = 20
#: Characters of the log shown when a start fails.
LOG_TAIL = 1500

#: What the process may not know, whatever it is of: it reads media of strangers, and has no use for any key. Ours are
#: settings, but for the paid provider's key and the ledger's address, which may hold a password.
WITHHELD = re.compile(
    r"EVOLINK_API_KEY|CALLSHEET_LEDGER|AWS_.*|PG.*|(?!CALLSHEET_).*(KEY|TOKEN|SECRET|PASSW|CREDENTIAL).*"
)

_started: set[int] = set()


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the sandbox answers, the file service included, and a key that it takes."""

    url: str
    key: str = KEY


@asynccontextmanager
async def running(
    home: Path, *, command: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Address]:
    """A sandbox of this home that answers, for the length of the block. Runs at the same time share one.

    command: what starts a server, default `python -m callsheet sandbox --port 0 --while-used`. environment: what it
    inherits, default this process's own; CALLSHEET_HOME is set and the paid provider's key is left out.
    Raises Unavailable, with the end of the server's log, where none answers within 30 s. A server that dies meanwhile is
    started again at the same address, with the same book; where that cannot be, the block is cancelled and Unavailable
    raised in its place. On leaving, the server is not stopped: it ends by itself when nobody uses it, also when this
    process is killed.
    """

    async def find_or_start() -> str:
        return await _found_or_started(place, lambda: _start(place, home, command, environment))

    _reap()
    place = Place.under(home)
    async with locked(place.users_lock, shared=True, limit=JOIN_LIMIT) as joined:
        if not joined:
            raise Unavailable(f"The sandbox of {home} is ending and does not finish.", hint=f"See {place.log}.")
        url = await find_or_start()
        async with _kept_up(place, url, find_or_start):
            yield Address(url=url)
    _reap()


@asynccontextmanager
async def _kept_up(place: Place, url: str, start: Callable[[], Awaitable[str]]) -> AsyncIterator[None]:
    """Keep a server answering at `url` for the length of the block, or cancel the block and raise Unavailable instead."""
    block, lost = asyncio.current_task(), list[Exception]()

    async def keep() -> None:
        try:
            await _keep_up(place, url, start)
        except Exception as error:  # a defect too ends the block: nobody else would tell it that its server is gone
            lost.append(error)
            if block is not None:
                block.cancel()

    keeper = asyncio.create_task(keep(), name="callsheet sandbox keeper")
    try:
        yield
    except asyncio.CancelledError:
        if block is None or not lost:
            raise
        block.uncancel()
        raise lost[0] from None
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])


async def _keep_up(place: Place, url: str, start: Callable[[], Awaitable[str]]) -> None:
    """Start a server again whenever there is none. Unavailable when it cannot be, or when that is no use any more."""
    for _ in range(MOST_RESTARTS):
        now = await _next_start(place, start)
        if now != url:
            raise _lost(
                place, f"Started again, it is at {now}: its port {urlsplit(url).port} is taken by another program."
            )
    await _until_gone(place)
    raise _lost(place, f"It was started again every time, and ended {MOST_RESTARTS + 1} times in one run.")


async def _next_start(place: Place, start: Callable[[], Awaitable[str]]) -> str:
    """The URL of the next server, once this one is gone."""
    try:
        await _until_gone(place)
        _reap()
        log.warning("the sandbox ended in the middle of the run; it is started again")
        return await start()
    except Unavailable as error:
        raise _lost(place, error.what) from error
    except OSError as error:
        raise _lost(place, f"It cannot be started again: {error.strerror or error}.") from error


async def _until_gone(place: Place) -> None:
    """Wait until no process serves this home. The lock tells it at once; a server that is only slow still has it."""
    server = Lock(place.server_lock)
    while not server.take(shared=True):  # noqa: ASYNC110, the server is another process
        await asyncio.sleep(LIFE_PERIOD.total_seconds())
    server.release()


def _lost(place: Place, why: str) -> Unavailable:
    return Unavailable(
        f"The sandbox ended in the middle of the run. {why}",
        hint=f"Its logs are {place.last_log} and {place.log}. Run the campaign again to go on: what was submitted is in the "
        "sandbox's book.",
        retry="never",
    )


async def _found_or_started(place: Place, start: Callable[[], int]) -> str:
    async with locked(place.start_lock, limit=START_LIMIT) as ours:
        if not ours:
            raise _not_up(place, "another run has been starting it for too long")
        if url := await healthy(place):
            return url
        return await _up(place, start())


async def healthy(place: Place) -> str:
    """The URL of the server that server.json names, "" where it does not answer as that very process."""
    try:
        known = json.loads(place.address.read_text("utf-8"))
        url, process = str(known["url"]), int(known["pid"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    answer = await asyncio.to_thread(_health, url)
    return url if answer.get("service") == "callsheet-sandbox" and answer.get("pid") == process else ""


def _health(url: str) -> dict[str, Any]:
    """What GET /health says, {} for no or another answer. By http.client: loopback never goes through a proxy."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=HEALTH_LIMIT.total_seconds())
    try:
        connection.request("GET", "/health")
        answer = json.loads(connection.getresponse().read(4096))
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}


def _start(place: Place, home: Path, command: Sequence[str] | None, environment: Mapping[str, str] | None) -> int:
    """Start the server in a session of its own; its id. It writes to the log of this home; what the last one wrote is kept.

    posix_spawn, because the server outlives this process by design; it gives back the default SIGINT, which a shell's
    `&` would have it ignore.
    """
    words = list(command or (sys.executable, "-P", "-m", "callsheet", "sandbox", "--port", "0", "--while-used"))
    inherited = os.environ if environment is None else environment
    own = {name: value for name, value in inherited.items() if not WITHHELD.fullmatch(name)}
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with suppress(FileNotFoundError):
        place.log.replace(place.last_log)
    process = os.posix_spawnp(
        words[0],
        words,
        {**own, "CALLSHEET_HOME": str(home.absolute())},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(place.log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGINT, signal.SIGTERM],
    )
    _started.add(process)
    return process


async def _up(place: Place, process: int) -> str:
    end = asyncio.get_running_loop().time() + START_LIMIT.total_seconds()
    while asyncio.get_running_loop().time() < end:
        if url := await healthy(place):
            return url
        if _has_ended(process):
            raise _not_up(place, "it ended as it started")
        await asyncio.sleep(HEALTH_PERIOD.total_seconds())
    _stop(process)
    raise _not_up(place, f"it did not answer within {START_LIMIT.total_seconds():.0f} s")


def _not_up(place: Place, why: str) -> Unavailable:
    tail = ""
    with suppress(OSError):
        tail = place.log.read_text("utf-8", "replace")[-LOG_TAIL:].strip()
    said = f" It said:\n{tail}\n" if tail else ""
    return Unavailable(f"The sandbox cannot be used: {why}.{said}", hint=f"Its log is {place.log}.", retry="never")


def _has_ended(process: int) -> bool:
    if process not in _started:
        return True
    with suppress(ChildProcessError):
        if os.waitpid(process, os.WNOHANG) == (0, 0):
            return False
    _started.discard(process)
    return True


def _stop(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)


def _reap() -> None:
    """Servers that this process once started and that have ended since leave no zombie behind."""
    for process in tuple(_started):
        _has_ended(process)
