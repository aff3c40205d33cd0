"""Being seen to be there, for the runs of a ledger on PostgreSQL: a lock of the database that a run holds while it lives.

It belongs to a connection, so whoever dies lets go of it at once, and others need not wait until the lease runs out. A run
that lost only its connection looks gone as well, and loses its claims to whoever asks; it can then pay for nothing more.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from callsheet.ledger import databases

LOCK = "select pg_advisory_lock_shared(:number)"
#: An exclusive lock is granted only where nobody is there; it is let go of with the transaction.
PROBE = "select pg_try_advisory_xact_lock(:number)"


@contextmanager
def present(url: str, run: str) -> Iterator[None]:
    """Be there, as this run, for the block. LedgerUnreachable."""
    engine = databases.engine_of(url, alone=True)
    try:
        try:
            connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text(LOCK), {"number": _number(connection, run)})
        except SQLAlchemyError as error:
            raise databases.unreachable(error, engine) from None
        with connection:
            yield
    finally:
        engine.dispose()


def is_gone(url: str, run: str) -> bool:
    """Is nobody there as this run? LedgerUnreachable."""
    engine = databases.engine_of(url, alone=True)
    try:
        with engine.begin() as connection:
            found: bool = connection.execute(text(PROBE), {"number": _number(connection, run)}).scalar_one()
            return found
    except SQLAlchemyError as error:
        raise databases.unreachable(error, engine) from None
    finally:
        engine.dispose()


def _number(connection: Connection, run: str) -> int:
    schema = connection.execute(text("select current_schema()")).scalar_one()
    return int.from_bytes(hashlib.sha256(f"{schema}\nrun {run}".encode()).digest()[:8], signed=True)
