"""The sandbox's own book: jobs, files and the account. What is committed here survives kill -9.

One connection, used from the server's event loop only. Money is in units (1/10000 credit). The rules that must not be
broken are constraints of the tables: a key is used once, and the account never holds and charges more than it was granted.
"""

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from callsheet.catalogue import Options
from callsheet.sandbox import account, database
from callsheet.sandbox.account import Account, Entry
from callsheet.sandbox.database import milliseconds, moment, transaction
from callsheet.sandbox.shelf import Shelf, StoredFile, file_of

State = Literal["pending", "processing", "completed", "failed", "cancelled"]
#: How a job ends without a result.
Ending = Literal["failed", "cancelled"]

#: A job whose server died this often while it was rendered is failed: the job itself is what kills it.
MAX_ATTEMPTS = 5

_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_UNFINISHED = "state IN ('pending', 'processing')"


class KeyUsed(Exception):
    """This idempotency key already belongs to a job."""


class BalanceTooSmall(Exception):
    """The account cannot hold this much more."""


@dataclass(frozen=True, kw_only=True)
class NewInput:
    file_id: str
    field: str
    is_clip: bool


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A checked and priced submission. inputs: the clip first, then the images in their order. seconds: of the result."""

    idempotency_key: str | None
    body_digest: str
    request_id: str
    model: str
    prompt: str
    aspect_ratio: str | None
    keep_sound: bool
    options: Options
    seconds: Fraction
    reserved: int
    inputs: tuple[NewInput, ...]
    #: Where to call back, and the address under which this client reaches the server.
    callback: str | None = None
    base: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    id: str
    body_digest: str
    request_id: str
    model: str
    prompt: str
    aspect_ratio: str | None
    keep_sound: bool
    options: Options
    seconds: Fraction
    reserved: int
    charged: int | None
    state: State
    engine: str | None
    #: What came out of a job that makes no file: the id of an element.
    made: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    token: str | None
    result_expires_at: datetime | None
    error_code: str | None
    error_message: str | None

    @property
    def is_finished(self) -> bool:
        return self.state not in ("pending", "processing")


@dataclass(frozen=True, kw_only=True)
class JobInput:
    field: str
    is_clip: bool
    file: StoredFile


@dataclass(frozen=True, kw_only=True)
class Callback:
    """Whom to tell that a job has ended. base: for the links in what is told. tries: those that were begun."""

    job: str
    url: str = field(repr=False)
    base: str
    tries: int


class Book:
    """Every method is one transaction, committed when it returns."""

    def __init__(self, path: Path, *, granted: int) -> None:
        """Open the book, or make one whose account starts with `granted` units. ProviderError for another version."""
        self._db = database.opened(path, granted=granted)
        self.files = Shelf(self._db)

    def close(self) -> None:
        self._db.close()

    # --- jobs ----------------------------------------------------------------------------------------------------------

    def accept(self, new: NewJob, now: datetime) -> Job:
        """Write the job, its key and its reservation in one transaction, committed before this returns.

        Raises KeyUsed or BalanceTooSmall, having written nothing; both are found by constraints of the tables.
        """
        job_id = f"task-unified-{int(now.timestamp())}-{''.join(secrets.choice(_ID_LETTERS) for _ in range(8))}"
        try:
            with transaction(self._db):
                self._insert(job_id, new, now)
                account.reserve(self._db, job_id, new.reserved, now)
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
            " options, seconds, reserved, state, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)",
            (
                job_id,
                new.idempotency_key,
                new.body_digest,
                new.request_id,
                new.model,
                new.prompt,
                new.aspect_ratio,
                new.keep_sound,
                json.dumps(new.options, ensure_ascii=False),
                str(new.seconds),
                new.reserved,
                milliseconds(now),
            ),
        )
        self._db.executemany(
            "INSERT INTO input (job_id, position, file_id, field, is_clip) VALUES (?, ?, ?, ?, ?)",
            [(job_id, position, one.file_id, one.field, one.is_clip) for position, one in enumerate(new.inputs)],
        )
        if new.callback is not None:
            values = (job_id, new.callback, new.base)
            self._db.execute("INSERT INTO callback (job_id, url, base) VALUES (?, ?, ?)", values)

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

    def inputs(self, job_id: str) -> list[JobInput]:
        """The clip, then the images in their order."""
        rows = self._db.execute(
            "SELECT file.*, field, is_clip FROM input JOIN file ON file.id = input.file_id WHERE job_id = ?"
            " ORDER BY position",
            (job_id,),
        )
        return [JobInput(field=row["field"], is_clip=bool(row["is_clip"]), file=file_of(row)) for row in rows]

    def requeue(self, now: datetime) -> list[str]:
        """At start: what a dead server left processing is pending again; ids of all pending jobs, oldest first."""
        worn_out = self._db.execute(
            "SELECT id FROM job WHERE state = 'processing' AND attempts >= ?", (MAX_ATTEMPTS,)
        ).fetchall()
        for row in worn_out:
            self.fail(row["id"], "service_error", f"The server died {MAX_ATTEMPTS} times while rendering this.", now)
        with transaction(self._db):
            self._db.execute("UPDATE job SET state = 'pending' WHERE state = 'processing'")
        return [row["id"] for row in self._db.execute("SELECT id FROM job WHERE state = 'pending' ORDER BY seq")]

    def begin(self, job_id: str, now: datetime) -> Job | None:
        """The job, now processing; None where it is not pending any more."""
        with transaction(self._db):
            begun = self._db.execute(
                "UPDATE job SET state = 'processing', started_at = ?, attempts = attempts + 1"
                " WHERE id = ? AND state = 'pending'",
                (milliseconds(now), job_id),
            )
        return self._sure(job_id) if begun.rowcount else None

    def served_by(self, job_id: str, engine: str) -> None:
        """Which engine has the job; the last one that is named made the result."""
        with transaction(self._db):
            self._db.execute("UPDATE job SET engine = ? WHERE id = ?", (engine, job_id))

    def put_back(self, job_id: str) -> None:
        """A server that ends in good order leaves the job pending, and the attempt does not count."""
        with transaction(self._db):
            self._db.execute(
                "UPDATE job SET state = 'pending', attempts = attempts - 1 WHERE id = ? AND state = 'processing'",
                (job_id,),
            )

    def complete(
        self, job_id: str, *, charged: int, token: str, now: datetime, lifetime: timedelta, made: str | None = None
    ) -> bool:
        """The result is on disk: the hold becomes a charge, and the link lives from now. False, and nothing, if settled.

        charged: units, at most what is held; the rest comes back. made: instead of a file.
        """
        with transaction(self._db):
            if (held := self._held(job_id)) is None:
                return False
            account.settle(self._db, job_id, held=held, charged=charged, now=now)
            self._db.execute(
                "UPDATE job SET state = 'completed', charged = ?, token = ?, made = ?, finished_at = ?,"
                " result_expires_at = ? WHERE id = ?",
                (charged, token, made, milliseconds(now), milliseconds(now + lifetime), job_id),
            )
            return True

    def fail(self, job_id: str, code: str, message: str, now: datetime, *, ending: Ending = "failed") -> bool:
        """There will be no result: the hold is released. False, and nothing happens, if it is already settled."""
        with transaction(self._db):
            if (held := self._held(job_id)) is None:
                return False
            account.settle(self._db, job_id, held=held, charged=0, now=now)
            self._db.execute(
                "UPDATE job SET state = ?, finished_at = ?, error_code = ?, error_message = ? WHERE id = ?",
                (ending, milliseconds(now), code, message, job_id),
            )
            return True

    def _held(self, job_id: str) -> int | None:
        """What the job still holds, in units; None where it is settled."""
        row = self._db.execute(f"SELECT reserved FROM job WHERE id = ? AND {_UNFINISHED}", (job_id,)).fetchone()  # noqa: S608
        return None if row is None else int(row["reserved"])

    def waiting(self) -> int:
        """Jobs that are not finished."""
        return int(self._db.execute(f"SELECT count(*) FROM job WHERE {_UNFINISHED}").fetchone()[0])  # noqa: S608

    def kept_results(self, now: datetime) -> set[str]:
        """Ids of the jobs whose result is still needed: its link lives, or the job is not settled yet."""
        rows = self._db.execute(
            f"SELECT id FROM job WHERE result_expires_at > ? OR {_UNFINISHED}",  # noqa: S608
            (milliseconds(now),),
        )
        return {row["id"] for row in rows}

    def expire_result(self, job_id: str, now: datetime) -> None:
        """The link dies now, and not when it said."""
        with transaction(self._db):
            self._db.execute(
                "UPDATE job SET result_expires_at = min(result_expires_at, ?) WHERE id = ?",
                (milliseconds(now), job_id),
            )

    def _one_job(self, query: str, value: str) -> Job | None:
        row = self._db.execute(query, (value,)).fetchone()
        return None if row is None else _job(row)

    def _sure(self, job_id: str) -> Job:
        return _job(self._db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone())

    # --- account -------------------------------------------------------------------------------------------------------

    def account(self) -> Account:
        return account.read(self._db)

    def grant(self, units: int, now: datetime) -> None:
        """Let this much be left. ValueError for less than nothing."""
        account.grant(self._db, units, now)

    def statement(self, *, offset: int, limit: int) -> tuple[list[Entry], int]:
        """A page of all that changed the account, newest first, and how many entries there are."""
        return account.statement(self._db, offset=offset, limit=limit)

    # --- callbacks -----------------------------------------------------------------------------------------------------

    def callbacks_due(self) -> list[Callback]:
        """Of jobs that have ended, oldest first: those whose call has not been answered or given up."""
        rows = self._db.execute(
            f"SELECT callback.* FROM callback JOIN job ON job.id = job_id WHERE NOT ({_UNFINISHED}) ORDER BY seq"  # noqa: S608
        )
        return [_callback(row) for row in rows]

    def callback_of(self, job_id: str) -> Callback | None:
        row = self._db.execute("SELECT * FROM callback WHERE job_id = ?", (job_id,)).fetchone()
        return None if row is None else _callback(row)

    def callback_begun(self, job_id: str) -> None:
        """Before a try: one that was under way when the server died counts."""
        with transaction(self._db):
            self._db.execute("UPDATE callback SET tries = tries + 1 WHERE job_id = ?", (job_id,))

    def callback_ended(self, job_id: str) -> None:
        """It was taken, or is given up."""
        with transaction(self._db):
            self._db.execute("DELETE FROM callback WHERE job_id = ?", (job_id,))

    # --- engines -------------------------------------------------------------------------------------------------------

    def engines_down(self) -> set[str]:
        """Names of the engines that are switched off."""
        return {row["name"] for row in self._db.execute("SELECT name FROM engine WHERE is_down")}

    def switch_engine(self, name: str, *, is_down: bool) -> None:
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO engine (name, is_down) VALUES (?, ?)", (name, is_down))


def _job(row: sqlite3.Row) -> Job:
    facts: dict[str, Any] = {name: row[name] for name in Job.__dataclass_fields__}
    for name in ("started_at", "finished_at", "result_expires_at"):
        facts[name] = None if row[name] is None else moment(row[name])
    facts |= {
        "seconds": Fraction(row["seconds"]),
        "keep_sound": bool(row["keep_sound"]),
        "options": tuple((name, value) for name, value in json.loads(row["options"])),
        "created_at": moment(row["created_at"]),
    }
    return Job(**facts)


def _callback(row: sqlite3.Row) -> Callback:
    return Callback(job=row["job_id"], url=row["url"], base=row["base"], tries=row["tries"])
