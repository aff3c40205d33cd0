"""Being alone with a campaign of a ledger on PostgreSQL: a lock in the database, so machines are kept apart too.

It belongs to a connection that is kept for as long as it is held: whoever dies lets go of it. Whoever loses that connection
has lost the lock without knowing, so `verify` asks, before anything that would be paid for.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from callsheet.errors import LedgerUnreachable, RunInProgress
from callsheet.ledger import databases

#: Connections of this process that hold a lock, by the URL of the ledger. One connection is used by one thread at a time.
_held: dict[str, list[Connection]] = {}
_using = threading.Lock()

HOLDER = """select a.application_name from pg_locks l join pg_stat_activity a on a.pid = l.pid
            where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
              and l.database = (select oid from pg_database where datname = current_database())
              and l.classid::bigint = :high and l.objid::bigint = :low"""


@contextmanager
def alone(url: str, *, route: str, campaign: str) -> Iterator[None]:
    """Hold this campaign of this route for the block. RunInProgress, at once, while anybody else does; LedgerUnreachable."""
    engine = databases.engine_of(url, alone=True)
    try:
        try:
            connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except SQLAlchemyError as error:
            raise databases.unreachable(error, engine) from None
        with connection:
            try:
                _lock(connection, route, campaign)
            except SQLAlchemyError as error:
                raise databases.unreachable(error, engine) from None
            with _noted(url, connection):
                yield
    finally:
        engine.dispose()


@contextmanager
def _noted(url: str, connection: Connection) -> Iterator[None]:
    with _using:
        _held.setdefault(url, []).append(connection)
    try:
        yield
    finally:
        with _using:
            _held[url].remove(connection)


def verify(url: str) -> None:
    """Are the locks that this process holds in this ledger still its own? LedgerUnreachable, for good, if not."""
    with _using:
        for connection in _held.get(url, ()):
            try:
                connection.execute(text("select 1"))
            except SQLAlchemyError:
                raise LedgerUnreachable(
                    "The connection that kept this run alone with its campaign was lost, so another may have begun.",
                    where=databases.SETTING,
                    hint="Run the campaign again: it goes on with what was submitted.",
                    retry="never",
                ) from None


def _lock(connection: Connection, route: str, campaign: str) -> None:
    schema = connection.execute(text("select current_schema()")).scalar_one()
    number = int.from_bytes(hashlib.sha256(f"{schema}\n{route}\n{campaign}".encode()).digest()[:8], signed=True)
    if connection.execute(text("select pg_try_advisory_lock(:number)"), {"number": number}).scalar_one():
        return
    parts = {"high": (number >> 32) & 0xFFFFFFFF, "low": number & 0xFFFFFFFF}
    holder = connection.execute(text(HOLDER), parts).scalar()
    raise RunInProgress(
        f"campaign {campaign} is being run on route {route} by {(holder or 'another process').removeprefix('callsheet ')}.",
        hint="Wait for it to end; `callsheet status` shows how far it is.",
    )
