"""The sandbox as a process: one HTTP server on loopback for a home, until it is told to stop or nobody uses it."""

import asyncio
import errno
import json
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from callsheet import __version__
from callsheet.errors import PortTaken
from callsheet.sandbox import app
from callsheet.sandbox.billing import START_BALANCE
from callsheet.sandbox.book import Book
from callsheet.sandbox.caller import PAUSES
from callsheet.sandbox.desk import Clock
from callsheet.sandbox.faults import Faults
from callsheet.sandbox.place import Lock, Place, locked
from callsheet.sandbox.policy import Policy
from callsheet.sandbox.saboteur import Connection

log = logging.getLogger("callsheet.sandbox")

KEPT_TO_ITSELF = Policy()
#: How long a server that is starting waits for the one of the same home that is just ending.
HANDOVER = timedelta(seconds=5)
#: How often a server that runs only while it is used looks whether it still is, and how long it waits for its first user.
USE_PERIOD = timedelta(milliseconds=500)
FIRST_USE = timedelta(seconds=10)
#: How long answers that are under way may take once the server is told to stop.
FAREWELL = timedelta(seconds=2)


def serve(
    *,
    home: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    while_used: bool = False,
    policy: Policy = KEPT_TO_ITSELF,
    granted: int = START_BALANCE,
    faults: Faults | None = None,
    studio: Path | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the sandbox of this home until SIGINT or SIGTERM; call from the main thread. Blocks.

    port: 0 for the one this home had last, or any free one. while_used: also end as soon as no process holds users.lock.
    granted: units that a new account starts with. studio: the checkout into which the playground may write campaigns.
    on_ready: called with the URL, once requests are answered and server.json is written.
    Raises PortTaken, before anything is written, where the port or the home is already being served; ProviderError where
    the home's book is of another version.
    """
    stop = asyncio.Event()
    served = serving(
        home=home, host=host, port=port, granted=granted, policy=policy, faults=faults, studio=studio, on_crash=stop.set
    )
    asyncio.run(_serve(served, home, stop, while_used, on_ready))


async def _serve(
    served: AbstractAsyncContextManager[str],
    home: Path,
    stop: asyncio.Event,
    while_used: bool,
    on_ready: Callable[[str], None] | None,
) -> None:
    with _stopped_by_signals(stop):
        async with served as url:
            if on_ready is not None:
                on_ready(url)
            place = Place.under(home)
            unused = asyncio.create_task(_until_unused(place, stop)) if while_used else None
            await stop.wait()
            if unused is not None:
                unused.cancel()
                await asyncio.wait([unused])


@asynccontextmanager
async def serving(
    *,
    home: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    granted: int = START_BALANCE,
    clock: Clock = app.now,
    policy: Policy = KEPT_TO_ITSELF,
    faults: Faults | None = None,
    pauses: tuple[float, ...] = PAUSES,
    studio: Path | None = None,
    on_crash: Callable[[], None] | None = None,
) -> AsyncIterator[str]:
    """The sandbox of this home, served by this event loop for the length of the block; the value is its URL.

    granted: units that a new account starts with. clock: what expiry is reckoned by. pauses: seconds before each try of a
    callback. Raises what `serve` does.
    """
    place = Place.under(home)
    async with locked(place.server_lock, limit=HANDOVER) as ours:
        if not ours:
            raise _home_taken(place, home)
        with _listening(place, host, port) as listener, closing(Book(place.book, granted=granted)) as book:
            url = _url(host, listener.getsockname()[1])
            any_host = not _is_loopback(host)
            application = app.make(
                place,
                book,
                policy=policy,
                clock=clock,
                faults=faults,
                pauses=pauses,
                any_host=any_host,
                studio=None if any_host else studio,  # who is reached from elsewhere lets nobody write here
                on_crash=on_crash,
            )
            async with _answering(application, listener):
                _write(place.address, json.dumps({"url": url, "pid": os.getpid(), "version": __version__}))
                try:
                    yield url
                finally:
                    place.address.unlink(missing_ok=True)


def try_port() -> int:
    """Listen on a free port of this machine for an instant, and reach it; which one. PortTaken where that cannot be done."""
    with closing(_bind("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError as error:
            what = f"This machine does not reach its own 127.0.0.1: {error.strerror or error}."
            raise PortTaken(what, hint="Bring the loopback interface up, or let the firewall pass it.") from error
        return port


class _Server(uvicorn.Server):
    """uvicorn raises the signals it caught a second time when it ends, before anything here is put away."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _answering(application: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        application,
        http=Connection,
        proxy_headers=False,  # who asks is who is connected: the switches of this machine are not for others
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=round(FAREWELL.total_seconds()),
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if running.done():
                await running
                raise PortTaken("The sandbox could not start; its log tells why.")
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([running])


@contextmanager
def _listening(place: Place, host: str, port: int) -> Iterator[socket.socket]:
    listener = _bound(place, host, port)
    _write(place.last_port, str(listener.getsockname()[1]))
    try:
        yield listener
    finally:
        listener.close()


def _bound(place: Place, host: str, port: int) -> socket.socket:
    if port == 0 and (last := _last_port(place)):
        # The same port again keeps the links that clients noted before a restart alive.
        with suppress(PortTaken):
            return _bind(host, last)
    return _bind(host, port)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio switches the delay of small packets off for that protocol only: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _port_taken(host, port, error) from error
    return listener


def _port_taken(host: str, port: int, error: Exception) -> PortTaken:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        what = f"Port {port} of {host} is taken by another program."
    else:
        reason = getattr(error, "strerror", None) or error
        what = f"The sandbox cannot listen on port {port} of {host}: {reason}."
    return PortTaken(what, hint="Choose another with --port, or --port 0 for any free one.")


def _home_taken(place: Place, home: Path) -> PortTaken:
    try:
        known = json.loads(place.address.read_text("utf-8"))
        where = f" on {known['url']} (process {known['pid']})"
    except (OSError, ValueError, LookupError, TypeError):
        where = ""
    return PortTaken(
        f"A sandbox of {home} is already running{where}.",
        hint="Use that one, stop it, or set another CALLSHEET_HOME for a second.",
    )


def _last_port(place: Place) -> int:
    try:
        text = place.last_port.read_text("ascii").strip()
    except (OSError, ValueError):
        return 0
    return int(text) if text.isdecimal() and len(text) <= 5 and int(text) < 65536 else 0


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for the owner only."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(text, "utf-8")
    part.replace(path)


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set the event. A handler also undoes the ignored SIGINT that a shell's `&` hands down."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _until_unused(place: Place, stop: asyncio.Event) -> None:
    """Set `stop` once nobody holds the users' lock; server.json goes before the lock does, so that no one finds it after.

    A lock that cannot be looked at (the home was removed) ends the server too: nobody would find it any more.
    """
    users = Lock(place.users_lock)
    loop = asyncio.get_running_loop()
    first_look = loop.time() + FIRST_USE.total_seconds()
    used = False
    try:
        while True:
            if not users.take():
                used = True
            elif used or loop.time() >= first_look:
                break
            else:
                users.release()
            await asyncio.sleep(USE_PERIOD.total_seconds())
        place.address.unlink(missing_ok=True)
    except OSError as error:
        log.warning("the sandbox ends, because it cannot tell whether it is used: %s", error)
    finally:
        users.release()
        stop.set()
