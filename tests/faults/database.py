"""The database as the world wants it: locked, gone, or silent about a commit that it made. By SQLAlchemy's own events.

The events are those of every engine of the process, so nothing of the ledger is touched or known here.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Pool, event
from sqlalchemy.exc import OperationalError

from .provider import Point
from .weather import LEDGER
from .world import World


class Disturbance:
    """What the transactions of one life meet. on_commit: called after each commit, when others can see it."""

    def __init__(self, world: World, *, point: Point, on_commit: Callable[[], None]) -> None:
        self._world = world
        self._point = point
        self._on_commit = on_commit
        self._fault = ""
        self._has_written = False

    def begins(self, _connection: Connection) -> None:
        weather, now = self._world.fate.weather, self._world.time.seconds
        self._has_written = False
        if weather.gone and not self._world.fate.is_calm and weather.gone[0] <= now < weather.gone[1]:
            self._world.fate.met["ledger: gone"] = self._world.fate.met.get("ledger: gone", 0) + 1
            raise _failing("unable to open database file")
        self._fault = self._world.fate.next("ledger", weather.ledger, LEDGER)
        if self._fault:
            self._world.say(f"the ledger: {self._fault}")
        if self._fault == "locked":
            raise _failing("database is locked")

    def commits(self, connection: Connection) -> None:
        self._point("in a transaction, before its commit")
        if self._fault == "commit fails":
            raise _failing("disk I/O error")
        self._has_written = True
        if self._fault == "commit is done and its answer lost":
            _raw(connection).execute("commit")
            raise _failing("server closed the connection unexpectedly")

    def is_returned(self, _connection: Any, _record: Any) -> None:
        if self._has_written:
            self._has_written = False
            self._on_commit()
            self._point("after a commit")


@contextmanager
def disturbed(by: Disturbance) -> Iterator[None]:
    """Every database of this process is, for the block."""
    hooks = ((Engine, "begin", by.begins), (Engine, "commit", by.commits), (Pool, "checkin", by.is_returned))
    for target, name, hook in hooks:
        event.listen(target, name, hook)
    try:
        yield
    finally:
        for target, name, hook in hooks:
            event.remove(target, name, hook)


def _failing(what: str) -> OperationalError:
    return OperationalError("", {}, sqlite3.OperationalError(what))


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
