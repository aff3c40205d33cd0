"""Where the sandbox keeps its things, and the file locks that say who is using it.

Every lock is an flock: it dies with its process, so that nothing is left to clean up after kill -9.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

#: How often a lock that somebody else holds is tried again.
LOCK_PERIOD = timedelta(milliseconds=50)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder `sandbox` under CALLSHEET_HOME. Only its owner may read it."""

    root: Path

    @classmethod
    def under(cls, home: Path) -> Self:
        """The place of this home, with its folders made."""
        place = cls(root=home.absolute() / "sandbox")
        for folder in (place.root, place.files, place.results):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return place

    @property
    def book(self) -> Path:
        return self.root / "book.sqlite"

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def address(self) -> Path:
        """Present exactly while a server can be used: {"url", "pid", "version"}."""
        return self.root / "server.json"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    @property
    def last_log(self) -> Path:
        """What the server before this one wrote."""
        return self.root / "server.last.log"

    @property
    def last_port(self) -> Path:
        return self.root / "port"

    @property
    def users_lock(self) -> Path:
        """Shared by every run that uses the server; a server that gets it exclusively has no users left."""
        return self.root / "users.lock"

    @property
    def start_lock(self) -> Path:
        """Exclusive while a run looks for the server and, where there is none, starts it."""
        return self.root / "start.lock"

    @property
    def server_lock(self) -> Path:
        """Exclusive for the life of a server: one book is never worked by two."""
        return self.root / "server.lock"

    @staticmethod
    def keep_only(folder: Path, names: set[str]) -> None:
        """Remove all other files; one whose name begins with a dot is still being written."""
        for path in folder.iterdir():
            if path.name not in names and not path.name.startswith("."):
                path.unlink(missing_ok=True)

    def stored(self, file_id: str) -> Path:
        """The bytes of an upload. The id is ours, never a name that came from outside."""
        return self.files / file_id

    def result(self, job_id: str) -> Path:
        return self.results / f"{job_id}.mp4"


class Lock:
    """An flock on a file of its own; the file is never removed, or two processes could lock two files of one name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def take(self, *, shared: bool = False) -> bool:
        """Try once, without waiting. False where somebody else holds it in a way that excludes this."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    async def wait(self, *, limit: timedelta, shared: bool = False) -> bool:
        """Try until it is ours. False after `limit`."""
        end = asyncio.get_running_loop().time() + limit.total_seconds()
        while not self.take(shared=shared):
            if asyncio.get_running_loop().time() >= end:
                return False
            await asyncio.sleep(LOCK_PERIOD.total_seconds())
        return True

    def release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


@asynccontextmanager
async def locked(path: Path, *, limit: timedelta, shared: bool = False) -> AsyncIterator[bool]:
    """Hold the lock for the block, if it can be had within `limit`; the value says whether it could."""
    lock = Lock(path)
    try:
        yield await lock.wait(limit=limit, shared=shared)
    finally:
        lock.release()
