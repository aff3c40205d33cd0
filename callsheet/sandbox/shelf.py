"""The files of the book: uploads with their names and how long they live. Their bytes lie beside it, under their ids."""

import sqlite3
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from callsheet.sandbox.database import milliseconds, moment, transaction


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
    #: Taken from a URL of a submission: no upload of anybody, in no list and no quota.
    is_fetched: bool = False
    uploaded_at: datetime
    expires_at: datetime


class Shelf:
    """Every method is one transaction, committed when it returns."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def add(self, file: StoredFile, *, receipt: str | None = None) -> None:
        """receipt: the client's own id of this upload, by which it can ask whether it arrived."""
        values = [milliseconds(value) if isinstance(value, datetime) else value for value in astuple(file)]
        with transaction(self._db):
            self._db.execute(f"INSERT INTO file ({_NAMES}) VALUES ({_PLACES})", values)  # noqa: S608
            if receipt is not None:
                self._db.execute("INSERT OR IGNORE INTO receipt (upload_id, file_id) VALUES (?, ?)", (receipt, file.id))

    def get(self, file_id: str) -> StoredFile | None:
        row = self._db.execute("SELECT * FROM file WHERE id = ?", (file_id,)).fetchone()
        return None if row is None else file_of(row)

    def of_receipt(self, upload_id: str) -> StoredFile | None:
        query = "SELECT file.* FROM file JOIN receipt ON file_id = id WHERE upload_id = ?"
        row = self._db.execute(query, (upload_id,)).fetchone()
        return None if row is None else file_of(row)

    def page(self, *, now: datetime, offset: int, limit: int) -> tuple[list[StoredFile], int]:
        """A page of the uploads that have not expired, newest first, and how many there are."""
        total = self.count(now)
        rows = self._db.execute(
            "SELECT * FROM file WHERE expires_at > ? AND NOT is_fetched"
            " ORDER BY uploaded_at DESC, rowid DESC LIMIT ? OFFSET ?",
            (milliseconds(now), limit, offset),
        )
        return [file_of(row) for row in rows], total

    def count(self, now: datetime) -> int:
        query = "SELECT count(*) FROM file WHERE expires_at > ? AND NOT is_fetched"
        return int(self._db.execute(query, (milliseconds(now),)).fetchone()[0])

    def expire(self, file_id: str, now: datetime) -> None:
        """Gone for everyone outside at once; its bytes stay for as long as an accepted job needs them."""
        with transaction(self._db):
            self._db.execute(
                "UPDATE file SET expires_at = min(expires_at, ?) WHERE id = ?", (milliseconds(now), file_id)
            )

    def kept(self, now: datetime) -> set[str]:
        """Ids of the files whose bytes are still needed: not expired, or an input of an unfinished job."""
        rows = self._db.execute(
            "SELECT id FROM file WHERE expires_at > ? UNION SELECT file_id FROM input JOIN job ON job.id = job_id"
            " WHERE state IN ('pending', 'processing')",
            (milliseconds(now),),
        )
        return {row["id"] for row in rows}


_NAMES = ", ".join(StoredFile.__dataclass_fields__)
_PLACES = ", ".join("?" * len(StoredFile.__dataclass_fields__))


def file_of(row: sqlite3.Row) -> StoredFile:
    facts: dict[str, Any] = {name: row[name] for name in StoredFile.__dataclass_fields__}
    facts |= {"uploaded_at": moment(row["uploaded_at"]), "expires_at": moment(row["expires_at"])}
    return StoredFile(**{**facts, "is_fetched": bool(row["is_fetched"])})
