"""The cache of media: prepared files named by content, copies of remote sources named by their address.

The facts beside each file are written last and make it count. Whoever makes one holds its lock: a flock, which dies with
its process and is known to every machine that shares the folder.
"""

import errno
import fcntl
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Event

from callsheet import digest
from callsheet.limits import ClipPreparation, StillPreparation

#: Seconds between two looks at a lock that somebody else holds.
PATIENCE = 0.05
#: What is kept of the name of a remote source: characters that no file system minds, and so many of them.
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")
MAX_NAME = 80
#: What a file system says that knows no locks. Names are temporary and renaming is atomic, so then work is only done twice.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True, kw_only=True)
class PreparedFile:
    """A file that the model accepts. Seconds is the container's length (zero for a still)."""

    path: Path
    sha256: str
    bytes: int
    width: int
    height: int
    seconds: Fraction = Fraction(0)
    #: SHA-256 of the file that it was made of; empty in entries of earlier versions.
    source: str = ""


def clip_entry(sha256: str, preparation: ClipPreparation) -> str:
    """The name in the cache of a clip with these bytes, prepared so."""
    return f"clips/{_name(sha256, preparation)}{preparation.suffix}"


def still_entry(sha256: str, preparation: StillPreparation) -> str:
    """The name in the cache of a reference image with these bytes, prepared so."""
    return f"stills/{_name(sha256, preparation)}{preparation.suffix}"


def _name(sha256: str, preparation: ClipPreparation | StillPreparation) -> str:
    return digest.of_json({"source": sha256, "preparation": preparation.identity()})


def place(home: Path, entry: str) -> Path:
    """Where an entry lies, or would lie."""
    return home / "cache" / entry


def copy_of(home: Path, source: str) -> Path:
    """Where the copy of a remote source lies, or would lie: in a folder by its address, under its own name."""
    name = _STRANGE.sub("-", source.rpartition("/")[2])[-MAX_NAME:].lstrip(".-") or "source"
    return home / "cache" / "sources" / digest.short(digest.of_json(source)) / name


def recall(target: Path) -> PreparedFile | None:
    """A complete entry, else None: facts that are unreadable or speak of another size mean that it is made again."""
    try:
        facts = json.loads(facts_file(target).read_text("utf-8"))
        if target.stat().st_size != facts["bytes"]:
            return None
        return PreparedFile(**{**facts, "path": target, "seconds": Fraction(facts["seconds"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(made: PreparedFile) -> None:
    """Write the facts of a file that is there; from then on the entry counts."""
    facts = {
        "sha256": made.sha256,
        "bytes": made.bytes,
        "width": made.width,
        "height": made.height,
        "seconds": str(made.seconds),
        "source": made.source,
    }
    final = facts_file(made.path)
    write_note(final, facts)


def used(facts: Path) -> None:
    """Remember that this entry was needed now: what was not needed for longest is the first to make room."""
    with suppress(OSError):  # a home that is only read: nothing of it is ever cleared either
        os.utime(facts)


def facts_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def lock_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.lock")


def write_note(final: Path, facts: object) -> None:
    """A small JSON document, complete or absent. Processes of two machines may have one number: the name has a second."""
    part = final.with_name(f".{final.name}.part-{os.getpid()}-{os.urandom(4).hex()}")
    part.write_text(json.dumps(facts, ensure_ascii=False), "utf-8")
    part.replace(final)


# --- locks -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Be the only one, of all processes, in the block. Waits without a thread, so many may wait, and each can be cancelled."""
    from asyncio import sleep  # planning looks at the cache too, and needs no event loop

    while (handle := _taken(path)) is None:  # noqa: ASYNC110
        await sleep(PATIENCE)  # a flock tells nobody when it is free
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def locked_in_thread(path: Path, stop: Event) -> Iterator[bool]:
    """The same for a thread; False, without the lock, once `stop` is set."""

    while (handle := _taken(path)) is None:
        if stop.wait(PATIENCE):
            yield False
            return
    try:
        yield True
    finally:
        os.close(handle)


@contextmanager
def locked_at_once(path: Path) -> Iterator[bool]:
    """The same without waiting; False where somebody else holds it."""
    handle = _taken(path)
    if handle is None:
        yield False
        return
    try:
        yield True
    finally:
        os.close(handle)


def knows_locks(path: Path) -> bool:
    """Does the file system of this file know locks? OSError where it cannot be opened."""
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    finally:
        os.close(handle)
    return True


def _taken(path: Path) -> int | None:
    """The lock, or None while another process holds it or is removing it: only a lock that still has its name counts."""
    handle = os.open(
        path, os.O_RDWR | os.O_CREAT, 0o600
    )  # not inherited: an ffmpeg that outlives its run holds nothing
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if not isinstance(error, BlockingIOError) and error.errno in _NO_LOCKS:
            return handle
        os.close(handle)
        if isinstance(error, BlockingIOError):
            return None
        raise
    if _is_named(handle, path):
        return handle
    os.close(handle)
    return None


def _is_named(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
