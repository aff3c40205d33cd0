"""The two databases a ledger can be in: how each is opened, how a writer is alone in it, and what its errors say.

SQLite: one file on one machine, WAL, synchronous FULL. PostgreSQL: shared by machines; psycopg 3, which is an extra.
The password of a URL is in no message of this module.
"""

import os
import socket
import sqlite3
import time
import weakref
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from callsheet.errors import LedgerUnreachable
from callsheet.redact import redact

#: How long a writer waits for another before LedgerUnreachable. A commit takes about 0.2 ms (FINDINGS).
PATIENCE = timedelta(seconds=30)
#: How long a database on another machine has to answer a call.
CALLING = timedelta(seconds=10)
#: Connections of one process: PostgreSQL has 100 for everybody unless told otherwise, and so gives no more. SQLite keeps so
#: many open: a new one reads the schema (1.5 ms; a transaction takes 0.2).
CONNECTIONS = 5
#: Keys in one query; SQLite takes 32,766 values, and older ones 999.
KEYS_AT_ONCE = 500
#: What chooses a ledger on PostgreSQL, and nothing else does.
SETTING = "CALLSHEET_LEDGER"
INSTALL = "pip install 'callsheet[postgres]'"


def engine_of(url: str, *, alone: bool = False) -> Engine:
    """The engine of a ledger's database. alone: for one connection that is kept. LedgerUnreachable."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is not None and parsed.drivername == "sqlite":
        return _sqlite(parsed)
    if parsed is not None and parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgres(parsed, alone=alone)
    raise LedgerUnreachable(
        "a ledger is on SQLite or on PostgreSQL, and this URL is of neither.",
        hint="Set CALLSHEET_LEDGER to sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.",
        retry="never",
    )


def _sqlite(url: URL) -> Engine:
    # hide_parameters: an error's text would else quote what was to be written, signed URLs among it.
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        max_overflow=-1,
        connect_args={"timeout": PATIENCE.total_seconds(), "check_same_thread": False},
        hide_parameters=True,
    )
    weakref.finalize(engine, engine.pool.dispose)  # the last one that is closed empties the journal beside the file
    file = Path(url.database or "")
    _have_file(file)
    opened: set[tuple[int, int] | None] = set()  # the one file that connections were opened to

    def refuse_another_file() -> None:
        """What goes on with an open connection would be written to a file that nobody has, and a new connection would mix the
        journal that lies there into another."""
        if opened and _which(file) not in opened:
            raise LedgerUnreachable(
                f"{file.name} was removed or replaced while this process had it open, and what is written now would be lost.",
                where=str(file),
                hint="Put the file back where it was, or start again once no run is at work.",
                retry="never",
            )

    @event.listens_for(engine, "do_connect")
    def _look_first(*_connecting: object) -> None:
        refuse_another_file()

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        opened.add(_which(file))
        connection.isolation_level = None  # SQLAlchemy emits BEGIN itself, below
        _write_ahead(connection)
        # wal_autocheckpoint: into the file with every commit, so that a copy of the file alone lacks nothing.
        for pragma in ("synchronous=full", "foreign_keys=on", "secure_delete=on", "wal_autocheckpoint=1"):
            connection.execute(f"pragma {pragma}")

    @event.listens_for(engine, "engine_disposed")
    def _forget(_engine: Engine) -> None:
        opened.clear()  # nothing is open any more

    @event.listens_for(engine, "checkout")
    def _look_again(*_connection: object) -> None:
        refuse_another_file()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("begin immediate")
        # An entry of the journal is written before its take; ledgers of version 2 look for the take at once, else.
        connection.exec_driver_sql("pragma defer_foreign_keys=on")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Into WAL. Of several who change a new or old file at once SQLite refuses all but one, without waiting for that one."""
    until = time.monotonic() + PATIENCE.total_seconds()
    while True:
        try:
            connection.execute("pragma journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _which(file: Path) -> tuple[int, int] | None:
    """What a name stands for now; None for nothing."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _have_file(file: Path) -> None:
    """A new ledger for its owner only: it holds signed URLs. SQLite gives its journals the permissions of the file.

    One that is there is not opened: whoever closes a file gives up every lock of the process on it, and another process would
    then take itself for the last one and remove the journal that is written to here (sqlite.org/howtocorrupt, 2.2).
    """
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return  # opening it tells what is wrong, in the words of the database


def _postgres(url: URL, *, alone: bool) -> Engine:
    pool: dict[str, Any] = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": PATIENCE.total_seconds()}
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            # Whatever the server's default is: a writer that waited for its turn has to see what the one before it wrote.
            isolation_level="READ COMMITTED",
            pool_pre_ping=not alone,
            **({"poolclass": NullPool} if alone else pool),
            connect_args={
                "connect_timeout": int(CALLING.total_seconds()),
                # Who holds a lock, for whoever is refused because of it.
                "application_name": f"callsheet {socket.gethostname()[:30]} process {os.getpid()}",
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "prepare_threshold": None,
            },
        )
    except ModuleNotFoundError:
        raise LedgerUnreachable(
            "CALLSHEET_LEDGER is a PostgreSQL database, and its driver, psycopg, is not installed.",
            where=SETTING,
            hint=f"Run: {INSTALL}",
            retry="never",
        ) from None

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            # A server may be set to report what is not on its disk yet.
            cursor.execute("set synchronous_commit = on")
            cursor.execute(f"set lock_timeout = {int(PATIENCE.total_seconds() * 1000)}")
        connection.commit()

    return engine


def batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many as go into one query."""
    return (keys[start : start + KEYS_AT_ONCE] for start in range(0, len(keys), KEYS_AT_ONCE))


def be_the_writer(connection: Connection) -> None:
    """Be alone among the writers of this ledger until the transaction ends. SQLite's transaction began so."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(hashtextextended('callsheet ' || current_schema(), 0))"))


def one_view(connection: Connection) -> Connection:
    """For a reader of several tables: all as they were at one moment. Before the first statement."""
    if connection.dialect.name == "postgresql":
        return connection.execution_options(isolation_level="REPEATABLE READ")
    return connection


def said(error: SQLAlchemyError) -> str:
    """What the database says, without the row that it was about: that quotes requests, and signed URLs in them."""
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    return redact(primary or str(original)).replace("\n", " ").strip()


def unreachable(error: SQLAlchemyError, engine: Engine) -> LedgerUnreachable:
    """The error of a database as that of a ledger."""
    what, password = said(error), engine.url.password
    if password:
        what = what.replace(str(password), "***")
    what = f"The ledger cannot be used now: {what.rstrip('.')}."
    if engine.dialect.name == "postgresql":
        return LedgerUnreachable(
            what, where=SETTING, hint="Check that the server runs and takes this user and database."
        )
    return LedgerUnreachable(
        what,
        hint="Check that its folder exists, is writable and has space, and that no other program holds the database locked.",
    )
