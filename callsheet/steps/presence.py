"""Runs, as they see each other: who is there, who owns which variant, and what a run that is gone leaves to be taken over.

A run claims the variants that it works on in the ledger (`ledger/ownership.py`) and says every twenty seconds that it lives.
Besides that it holds a lock for as long as it lives, so that whoever comes after a killed one need not wait for its lease:
a flock beside a ledger on SQLite, which is on one machine; a lock of the database on PostgreSQL.
"""

import asyncio
import fcntl
import logging
import os
import socket
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from callsheet.errors import LedgerError, LedgerUnreachable, RunInProgress
from callsheet.ledger.book import Ledger
from callsheet.ledger.ownership import HEARTBEAT, Run, new_id
from callsheet.steps import draw_up, private
from callsheet.steps.settings import Settings
from callsheet.take import Take

log = logging.getLogger("callsheet.takes")


@contextmanager
def present(
    settings: Settings,
    ledger: Ledger,
    *,
    campaign: str,
    route: str,
    spec: str = "",
    occurrence: datetime | None = None,
    flow_run: str = "",
) -> Iterator[Run]:
    """A run of this process for the block; its claims end with it. LedgerUnreachable."""
    run = new_id()
    with _seen(settings, run):
        names = {"campaign": campaign, "route": route, "who": who(), "spec": spec, "flow_run": flow_run}
        began = ledger.begin_run(run, **names, occurrence=occurrence)
        try:
            yield began
        finally:
            _end(ledger, run)


def _end(ledger: Ledger, run: str) -> None:
    """A ledger that cannot be written now must not hide how the run went: its lease ends by itself."""
    try:
        ledger.end_run(run)
    except LedgerError as error:
        log.warning("the end of the run is not in the ledger: %s", error.what)


def who() -> str:
    return f"process {os.getpid()} on {socket.gethostname()[:60]}"


@asynccontextmanager
async def beating(ledger: Ledger, run: Run) -> AsyncIterator[None]:
    """Say that the run lives, in its event loop: a run that hangs is not one."""
    heart = asyncio.create_task(_beat(ledger, run), name="callsheet heartbeat")
    try:
        yield
    finally:
        heart.cancel()
        await asyncio.wait([heart])


async def _beat(ledger: Ledger, run: Run) -> None:
    while True:
        try:
            await asyncio.to_thread(ledger.beat, run.id)
        except LedgerError as error:  # the next beat may reach it, and who takes over pays nothing twice
            log.warning("the run could not say that it lives: %s", error.what)
        await asyncio.sleep(HEARTBEAT.total_seconds())


def claimed(settings: Settings, ledger: Ledger, run: Run, keys: Collection[str]) -> dict[str, Run]:
    """Claim these variants, those of runs that are gone included. What living ones own is theirs, and told by key."""
    others = ledger.claim(run.id, keys)
    if gone := bury(settings, ledger, others.values()):
        others = ledger.claim(run.id, [key for key, owner in others.items() if owner.id in gone]) | {
            key: owner for key, owner in others.items() if owner.id not in gone
        }
    return others


def bury(settings: Settings, ledger: Ledger, runs: Collection[Run]) -> set[str]:
    """End those of these runs whose process is gone; their ids."""
    distinct = {run.id for run in runs}
    gone = {run for run in distinct if is_gone(settings, run)}
    for run in gone:
        ledger.end_run(run)
        _forget(settings, run)
    return gone


@contextmanager
def owning(settings: Settings, ledger: Ledger, take: Take) -> Iterator[Run]:
    """Be the only one who acts on a take, for the block: the run that does. RunInProgress, at once, while another owns its
    variant, or has owned it and lives, though its lease ran out: an answer may be on its way to it."""
    named_after = draw_up.claimed_on(settings, take.route)
    others = ledger.owners(route=named_after, keys=[take.key], lapsed=True)
    bury(settings, ledger, others.values())
    with present(settings, ledger, campaign=take.campaign, route=named_after) as run:
        others = ledger.owners(route=named_after, keys=[take.key], lapsed=True)
        if other := others.get(take.key) or claimed(settings, ledger, run, [take.key]).get(take.key):
            raise RunInProgress(
                f"take {take.id} is being worked on by {other.words}.",
                where=take.slug,
                hint="Wait for that run to end; `callsheet status` shows how far it is.",
            )
        yield run


# --- being seen ---------------------------------------------------------------------------------------------------------


@contextmanager
def _seen(settings: Settings, run: str) -> Iterator[None]:
    file = _file(settings, run)
    if file is None:
        from callsheet.ledger import presence as in_database

        with in_database.present(draw_up.ledger_url(settings), run):
            yield
        return
    handle = _locked(file)
    try:
        yield
    finally:
        _remove(file)
        os.close(handle)


def is_gone(settings: Settings, run: str) -> bool:
    """Is the process of this run not there any more? LedgerUnreachable where nobody can tell."""
    file = _file(settings, run)
    if file is None:
        from callsheet.ledger import presence as in_database

        return in_database.is_gone(draw_up.ledger_url(settings), run)
    try:
        handle = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise _unreachable(file, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _file(settings: Settings, run: str) -> Path | None:
    """Beside the ledger, not in a run's home: two homes that share a ledger share its takes. None on PostgreSQL."""
    ledger = draw_up.ledger_file(settings)
    return None if ledger is None else ledger.parent / "runs" / f"{run}.lock"


def _locked(file: Path) -> int:
    try:
        private.folder(file.parent)
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        raise _unreachable(file, error) from error
    return handle


def _forget(settings: Settings, run: str) -> None:
    file = _file(settings, run)
    if file is not None:
        _remove(file)


def _remove(file: Path) -> None:
    """One that stays and is not locked says the same: nobody is there."""
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _unreachable(file: Path, error: OSError) -> LedgerUnreachable:
    return LedgerUnreachable(
        f"The folder of the ledger cannot be written: {error.strerror}.",
        where=str(file.parent.parent),
        hint="Set CALLSHEET_HOME to a folder of yours.",
    )
