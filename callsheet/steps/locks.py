"""Who may act on the takes of a campaign: one process at a time for each ledger, route and campaign.

The locks are the ledger's, not a run's home's: two homes that share a ledger share its takes. A ledger on SQLite is on one
machine, and its locks are flocks beside its file; one on PostgreSQL has them in the database, so machines keep out of each
other's way too. A killed process leaves neither.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from callsheet.errors import LedgerUnreachable, RunInProgress
from callsheet.steps import draw_up
from callsheet.steps.settings import Settings


@contextmanager
def alone(settings: Settings, *, route: str, campaign: str) -> Iterator[None]:
    """Hold this campaign of this route for the block. RunInProgress, at once, while another process does.

    LedgerUnreachable where the lock cannot be asked for.
    """
    file = draw_up.ledger_file(settings)
    if file is not None:
        with _beside(file, route=route, campaign=campaign):
            yield
        return
    from callsheet.ledger import alone as in_database

    with in_database.alone(draw_up.ledger_url(settings), route=route, campaign=campaign):
        yield


@contextmanager
def _beside(ledger: Path, *, route: str, campaign: str) -> Iterator[None]:
    folder = ledger.parent / "locks"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / f"{route}--{campaign}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LedgerUnreachable(
            f"The folder of the ledger cannot be written: {error.strerror}.",
            where=str(ledger.parent),
            hint="Set CALLSHEET_HOME to a folder of yours.",
        ) from error
    try:
        _lock(handle, route, campaign)
        yield
    finally:
        os.close(handle)


@contextmanager
def alone_with_all(settings: Settings, *, route: str, campaigns: set[str]) -> Iterator[None]:
    """Hold several campaigns of a route. RunInProgress, and none is held, while another process has one of them."""
    with ExitStack() as held:
        for campaign in sorted(campaigns):
            held.enter_context(alone(settings, route=route, campaign=campaign))
        yield


def _lock(handle: int, route: str, campaign: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        raise RunInProgress(
            f"campaign {campaign} is being run on route {route} by process {holder}.",
            hint="Wait for it to end; `callsheet status` shows how far it is.",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
