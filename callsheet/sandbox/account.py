"""The account of the book: what was granted, is held and was charged, in units (1/10000 credit), and every change of it.

The tables refuse an account that holds and charges more than it was granted. The verbs are called within a transaction of
whoever changes the job; the statement is read by itself.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from callsheet.sandbox.database import milliseconds, moment, transaction

EntryKind = Literal["granted", "reserved", "charged", "released"]


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
class Entry:
    """One line of the statement. units: how much; balance: what was left after it."""

    at: datetime
    job: str | None
    model: str | None
    kind: EntryKind
    units: int
    balance: int


def read(database: sqlite3.Connection) -> Account:
    row = database.execute("SELECT granted, held, charged FROM account").fetchone()
    return Account(granted=row["granted"], held=row["held"], charged=row["charged"])


def reserve(database: sqlite3.Connection, job: str, units: int, now: datetime) -> None:
    """sqlite3.IntegrityError (SQLITE_CONSTRAINT_CHECK) where that much is not left."""
    database.execute("UPDATE account SET held = held + ?", (units,))
    _enter(database, job, "reserved", units, now)


def settle(database: sqlite3.Connection, job: str, *, held: int, charged: int, now: datetime) -> None:
    """The hold ends: so much of it is charged, and the rest comes back."""
    database.execute("UPDATE account SET held = held - ?, charged = charged + ?", (held, charged))
    if charged:
        _enter(database, job, "charged", charged, now)
    if held > charged:
        _enter(database, job, "released", held - charged, now)


def grant(database: sqlite3.Connection, units: int, now: datetime) -> None:
    """Let this much be left. ValueError for less than nothing."""
    if units < 0:
        raise ValueError("an account cannot have less than nothing")
    with transaction(database):
        before = read(database)
        database.execute("UPDATE account SET granted = held + charged + ?", (units,))
        _enter(database, None, "granted", max(units - before.left, 0), now)


def statement(database: sqlite3.Connection, *, offset: int, limit: int) -> tuple[list[Entry], int]:
    """A page of the entries, newest first, and how many there are."""
    total = int(database.execute("SELECT count(*) FROM entry").fetchone()[0])
    rows = database.execute(
        "SELECT entry.*, model FROM entry LEFT JOIN job ON job.id = job_id ORDER BY entry.seq DESC LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [_entry(row) for row in rows], total


def _enter(database: sqlite3.Connection, job: str | None, kind: EntryKind, units: int, now: datetime) -> None:
    database.execute(
        "INSERT INTO entry (at, job_id, kind, units, balance) SELECT ?, ?, ?, ?, granted - held - charged FROM account",
        (milliseconds(now), job, kind, units),
    )


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        at=moment(row["at"]),
        job=row["job_id"],
        model=row["model"],
        kind=row["kind"],
        units=row["units"],
        balance=row["balance"],
    )
