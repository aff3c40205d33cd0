"""The sandbox's own book: jobs, files and the account, in SQLite. What is committed here survives kill -9.

One connection, used from the server's event loop only. Money is in units (1/10000 credit), times are milliseconds since
1970 in the tables and aware UTC outside. The rules that must not be broken are constraints: a key is used once, and the
account never holds and charges more than it was granted.
"""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from callsheet.errors import ProviderError

State = Literal["pending", "processing", "completed", "failed"]

#: Raised with every change of the tables; a book of another version is refused, not guessed at.
VERSION = 1
#: A job whose server died this often while it was rendered is failed: the job itself is what kills it.
MAX_ATTEMPTS = 5

_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"

_TABLES = """
CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    granted INTEGER NOT NULL,
    held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    charged INTEGER NOT NULL DEFAULT 0 CHECK (charged >= 0),
    CHECK (held + charged <= granted)
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
    uploaded_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
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
    seconds TEXT NOT NULL,
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    charged INTEGER,
    state TEXT NOT NULL CHECK (state IN ('pending', 'processing', 'completed', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
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
    PRIMARY KEY (job_id, position)
);
CREATE INDEX input_file ON input (file_id);
"""


class KeyUsed(Exception):
    """This idempotency key already belongs to a job."""


class BalanceTooSmall(Exception):
    """The account cannot hold this much more."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """In units. What is left is granted - held - charged."""

    granted: int
    held: int
    charged: int

    @property
    def left(self) -> int:
        return self.granted - self.held - self.charged


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    id: str
    name: str
    original_name: str
    upload_path: str
    format: str  # what its first bytes say: mp4, mov, jpeg, png, webp ...
    mime: str
    bytes: int
    sha256: str
    uploaded_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A checked and priced submission. inputs: file ids, the clip first, then the images in their order."""

    idempotency_key: str | None
    body_digest: str
    request_id: str
    model: str
    prompt: str
    aspect_ratio: str | None
    keep_sound: bool
    seconds: Fraction
    reserved: int
    inputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Job:
    id: str
    body_digest: str
    request_id: str
    model: str
    prompt: str
    aspect_ratio: str | None
    keep_sound: bool
    seconds: Fraction
    reserved: int
    charged: int | None
    state: State
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    token: str | None
    result_expires_at: datetime | None
    error_code: str | None
    error_message: str | None


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def _known_time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class Book:
    """Every method is one transaction, committed when it returns."""

    def __init__(self, path: Path, *, granted: int) -> None:
        """Open the book, or make one whose account starts with `granted` units."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        path.chmod(0o600)
        self._prepare(path, granted)

    def close(self) -> None:
        self._db.close()

    def _prepare(self, path: Path, granted: int) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == VERSION:
            return
        if version != 0:
            self.close()
            raise ProviderError(
                f"The sandbox's book {path} has version {version}; this Callsheet writes version {VERSION}.",
                hint=f"It only holds drafts: remove the folder {path.parent} and start again.",
            )
        with self._transaction():
            for statement in _TABLES.split(";\n"):
                self._db.execute(statement)
            self._db.execute("INSERT INTO account (id, granted) VALUES (1, ?)", (granted,))
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # --- jobs ----------------------------------------------------------------------------------------------------------

    def accept(self, new: NewJob, now: datetime) -> Job:
        """Write the job, its key and its reservation in one transaction, committed before this returns.

        Raises KeyUsed or BalanceTooSmall, having written nothing; both are found by constraints of the tables.
        """
        job_id = f"task-unified-{int(now.timestamp())}-{''.join(secrets.choice(_ID_LETTERS) for _ in range(8))}"
        try:
            with self._transaction():
                self._insert(job_id, new, now)
                self._db.execute("UPDATE account SET held = held + ?", (new.reserved,))
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorname == "SQLITE_CONSTRAINT_CHECK":
                raise BalanceTooSmall from error
            if "job.idempotency_key" in str(error):
                raise KeyUsed from error
            raise
        return self._sure(job_id)

    def _insert(self, job_id: str, new: NewJob, now: datetime) -> None:
        self._db.execute(
            "INSERT INTO job (id, idempotency_key, body_digest, request_id, model, prompt, aspect_ratio, keep_sound,"
            " seconds, reserved, state, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)",
            (
                job_id,
                new.idempotency_key,
                new.body_digest,
                new.request_id,
                new.model,
                new.prompt,
                new.aspect_ratio,
                new.keep_sound,
                str(new.seconds),
                new.reserved,
                _ms(now),
            ),
        )
        self._db.executemany(
            "INSERT INTO input (job_id, position, file_id) VALUES (?, ?, ?)",
            [(job_id, position, file_id) for position, file_id in enumerate(new.inputs)],
        )

    def job(self, job_id: str) -> Job | None:
        return self._one_job("SELECT * FROM job WHERE id = ?", job_id)

    def job_of_key(self, key: str) -> Job | None:
        return self._one_job("SELECT * FROM job WHERE idempotency_key = ?", key)

    def jobs(self, *, states: Sequence[State], model: str | None, offset: int, limit: int) -> tuple[list[Job], int]:
        """A page of jobs, newest first, and how many there are in all."""
        where = f"state IN ({', '.join('?' * len(states))})" + (" AND model = ?" if model else "")
        values = [*states, *([model] if model else [])]
        total = self._db.execute(f"SELECT count(*) FROM job WHERE {where}", values).fetchone()[0]  # noqa: S608
        page = f"SELECT * FROM job WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608
        rows = self._db.execute(page, [*values, limit, offset]).fetchall()
        return [_job(row) for row in rows], total

    def inputs(self, job_id: str) -> list[StoredFile]:
        """The clip, then the images in their order."""
        rows = self._db.execute(
            "SELECT file.* FROM input JOIN file ON file.id = input.file_id WHERE job_id = ? ORDER BY position",
            (job_id,),
        )
        return [_file(row) for row in rows]

    def requeue(self, now: datetime) -> list[str]:
        """At start: what a dead server left processing is pending again; ids of all pending jobs, oldest first."""
        worn_out = self._db.execute(
            "SELECT id FROM job WHERE state = 'processing' AND attempts >= ?", (MAX_ATTEMPTS,)
        ).fetchall()
        for row in worn_out:
            self.fail(row["id"], "service_error", f"The server died {MAX_ATTEMPTS} times while rendering this.", now)
        with self._transaction():
            self._db.execute("UPDATE job SET state = 'pending' WHERE state = 'processing'")
        return [row["id"] for row in self._db.execute("SELECT id FROM job WHERE state = 'pending' ORDER BY seq")]

    def begin(self, job_id: str, now: datetime) -> Job:
        with self._transaction():
            self._db.execute(
                "UPDATE job SET state = 'processing', started_at = ?, attempts = attempts + 1 WHERE id = ?",
                (_ms(now), job_id),
            )
        return self._sure(job_id)

    def put_back(self, job_id: str) -> None:
        """A server that ends in good order leaves the job pending, and the attempt does not count."""
        with self._transaction():
            self._db.execute(
                "UPDATE job SET state = 'pending', attempts = attempts - 1 WHERE id = ? AND state = 'processing'",
                (job_id,),
            )

    def complete(self, job_id: str, *, token: str, now: datetime, lifetime: timedelta) -> None:
        """The result is on disk: the hold becomes a charge, and the link lives from now. Nothing if already settled."""
        with self._transaction():
            reserved = self._unsettled(job_id)
            self._db.execute("UPDATE account SET held = held - ?, charged = charged + ?", (reserved, reserved))
            self._db.execute(
                "UPDATE job SET state = 'completed', charged = reserved, token = ?, finished_at = ?,"
                " result_expires_at = ? WHERE id = ? AND state IN ('pending', 'processing')",
                (token, _ms(now), _ms(now + lifetime), job_id),
            )

    def fail(self, job_id: str, code: str, message: str, now: datetime) -> None:
        """There will be no result: the hold is released. Nothing if already settled."""
        with self._transaction():
            self._db.execute("UPDATE account SET held = held - ?", (self._unsettled(job_id),))
            self._db.execute(
                "UPDATE job SET state = 'failed', finished_at = ?, error_code = ?, error_message = ?"
                " WHERE id = ? AND state IN ('pending', 'processing')",
                (_ms(now), code, message, job_id),
            )

    def _unsettled(self, job_id: str) -> int:
        """What the job still holds, in units."""
        held = "SELECT reserved FROM job WHERE id = ? AND state IN ('pending', 'processing')"
        row = self._db.execute(held, (job_id,)).fetchone()
        return 0 if row is None else int(row["reserved"])

    def waiting_before(self, job: Job) -> int:
        """Unfinished jobs that were accepted before this one."""
        count = (
            "SELECT count(*) FROM job WHERE state IN ('pending', 'processing')"
            " AND seq < (SELECT seq FROM job WHERE id = ?)"
        )
        return int(self._db.execute(count, (job.id,)).fetchone()[0])

    def kept_results(self, now: datetime) -> set[str]:
        """Ids of the jobs whose result is still needed: its link lives, or the job is not settled yet."""
        rows = self._db.execute(
            "SELECT id FROM job WHERE result_expires_at > ? OR state IN ('pending', 'processing')", (_ms(now),)
        )
        return {row["id"] for row in rows}

    def _one_job(self, query: str, value: str) -> Job | None:
        row = self._db.execute(query, (value,)).fetchone()
        return None if row is None else _job(row)

    def _sure(self, job_id: str) -> Job:
        return _job(self._db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone())

    # --- account -------------------------------------------------------------------------------------------------------

    def account(self) -> Account:
        row = self._db.execute("SELECT granted, held, charged FROM account").fetchone()
        return Account(granted=row["granted"], held=row["held"], charged=row["charged"])

    # --- files ---------------------------------------------------------------------------------------------------------

    def add_file(self, file: StoredFile) -> None:
        with self._transaction():
            self._db.execute(
                "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    file.id,
                    file.name,
                    file.original_name,
                    file.upload_path,
                    file.format,
                    file.mime,
                    file.bytes,
                    file.sha256,
                    _ms(file.uploaded_at),
                    _ms(file.expires_at),
                ),
            )

    def file(self, file_id: str) -> StoredFile | None:
        row = self._db.execute("SELECT * FROM file WHERE id = ?", (file_id,)).fetchone()
        return None if row is None else _file(row)

    def files(self, *, now: datetime, offset: int, limit: int) -> tuple[list[StoredFile], int]:
        """A page of the files that have not expired, newest first, and how many there are."""
        total = self.count_files(now)
        rows = self._db.execute(
            "SELECT * FROM file WHERE expires_at > ? ORDER BY uploaded_at DESC, rowid DESC LIMIT ? OFFSET ?",
            (_ms(now), limit, offset),
        )
        return [_file(row) for row in rows], total

    def count_files(self, now: datetime) -> int:
        return int(self._db.execute("SELECT count(*) FROM file WHERE expires_at > ?", (_ms(now),)).fetchone()[0])

    def expire_file(self, file_id: str, now: datetime) -> None:
        """Gone for everyone outside at once; its bytes stay for as long as an accepted job needs them."""
        with self._transaction():
            self._db.execute("UPDATE file SET expires_at = min(expires_at, ?) WHERE id = ?", (_ms(now), file_id))

    def kept_files(self, now: datetime) -> set[str]:
        """Ids of the files whose bytes are still needed: not expired, or an input of an unfinished job."""
        rows = self._db.execute(
            "SELECT id FROM file WHERE expires_at > ? UNION SELECT file_id FROM input JOIN job ON job.id = job_id"
            " WHERE state IN ('pending', 'processing')",
            (_ms(now),),
        )
        return {row["id"] for row in rows}


def _job(row: sqlite3.Row) -> Job:
    facts: dict[str, Any] = {name: row[name] for name in Job.__dataclass_fields__}
    for name in ("started_at", "finished_at", "result_expires_at"):
        facts[name] = _time(row[name])
    facts |= {
        "seconds": Fraction(row["seconds"]),
        "keep_sound": bool(row["keep_sound"]),
        "created_at": _known_time(row["created_at"]),
    }
    return Job(**facts)


def _file(row: sqlite3.Row) -> StoredFile:
    facts: dict[str, Any] = {name: row[name] for name in StoredFile.__dataclass_fields__}
    facts |= {"uploaded_at": _known_time(row["uploaded_at"]), "expires_at": _known_time(row["expires_at"])}
    return StoredFile(**facts)
