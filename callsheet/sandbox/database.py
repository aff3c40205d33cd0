"""The file that the sandbox's book is kept in: SQLite, one connection, used from the server's event loop only.

What is committed here survives kill -9. Times are milliseconds since 1970 in the tables and aware UTC outside.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from callsheet.errors import ProviderError

#: Raised with every change of the tables; a book of another version is refused, not guessed at.
VERSION = 2

_TABLES = """
CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    granted INTEGER NOT NULL,
    held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    charged INTEGER NOT NULL DEFAULT 0 CHECK (charged >= 0),
    CHECK (held + charged <= granted)
);
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    job_id TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('granted', 'reserved', 'charged', 'released')),
    units INTEGER NOT NULL CHECK (units >= 0),
    balance INTEGER NOT NULL CHECK (balance >= 0)
);
CREATE TABLE file (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    original_name TEXT NOT NULL,
    upload_path TEXT NOT NULL,
    format TEXT NOT NULL,
    mime TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    is_fetched INTEGER NOT NULL DEFAULT 0,
    uploaded_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE TABLE receipt (
    upload_id TEXT PRIMARY KEY,
    file_id TEXT NOT NULL REFERENCES file (id)
);
CREATE TABLE job (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    idempotency_key TEXT UNIQUE,
    body_digest TEXT NOT NULL,
    request_id TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt TEXT NOT NULL,
    aspect_ratio TEXT,
    keep_sound INTEGER NOT NULL,
    options TEXT NOT NULL,
    seconds TEXT NOT NULL,
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    charged INTEGER,
    state TEXT NOT NULL CHECK (state IN ('pending', 'processing', 'completed', 'failed', 'cancelled')),
    attempts INTEGER NOT NULL DEFAULT 0,
    engine TEXT,
    made TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    token TEXT,
    result_expires_at INTEGER,
    error_code TEXT,
    error_message TEXT,
    CHECK ((state = 'completed') = (charged IS NOT NULL AND token IS NOT NULL))
);
CREATE INDEX job_state ON job (state, seq);
CREATE TABLE input (
    job_id TEXT NOT NULL REFERENCES job (id),
    position INTEGER NOT NULL,
    file_id TEXT NOT NULL REFERENCES file (id),
    field TEXT NOT NULL,
    is_clip INTEGER NOT NULL,
    PRIMARY KEY (job_id, position)
);
CREATE INDEX input_file ON input (file_id);
CREATE TABLE callback (
    job_id TEXT PRIMARY KEY REFERENCES job (id),
    url TEXT NOT NULL,
    base TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE engine (
    name TEXT PRIMARY KEY,
    is_down INTEGER NOT NULL
);
"""


def opened(path: Path, *, granted: int) -> sqlite3.Connection:
    """The book's connection; a new book has an account of `granted` units. ProviderError for one of another version."""
    database = sqlite3.connect(path, isolation_level=None)
    database.row_factory = sqlite3.Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000", "foreign_keys = ON"):
        database.execute(f"PRAGMA {pragma}")
    path.chmod(0o600)
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        _lay_out(database, granted)
    elif version != VERSION:
        database.close()
        raise ProviderError(
            f"The sandbox's book {path} has version {version}; this Callsheet writes version {VERSION}.",
            hint=f"It only holds drafts: remove the folder {path.parent} and start again.",
        )
    return database


def _lay_out(database: sqlite3.Connection, granted: int) -> None:
    with transaction(database):
        for statement in _TABLES.split(";\n"):
            database.execute(statement)
        database.execute("INSERT INTO account (id, granted) VALUES (1, ?)", (granted,))
        values = (milliseconds(datetime.now(UTC)), granted, granted)
        database.execute("INSERT INTO entry (at, kind, units, balance) VALUES (?, 'granted', ?, ?)", values)
        database.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Committed when the block ends, and undone when it raises."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk has undone it already
            database.execute("ROLLBACK")
        raise


def milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
