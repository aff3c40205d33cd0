"""Bringing the bytes of one source to one file: streamed, digested on the way, gone on with where it broke off.

What comes lies under a temporary name beside the target until it is whole and synced; the version it is of lies beside
it, so that another process can go on with it too, and never joins the halves of two versions. Whoever calls holds a lock:
one transfer to a target at a time.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO, Protocol

from callsheet.errors import SourceError, SourceUnreachable

if TYPE_CHECKING:
    from hashlib import _Hash

#: Bytes read at a time; those of a try that breaks off in the middle of them are lost.
CHUNK = 1 << 16
#: Seconds before each further try, as long as not one byte comes; a try that brings some begins them anew.
WAITS = (0.2, 0.5, 1.0)
#: One source takes at most this long: 4 GB at 1.1 MB/s.
TIME_LIMIT = timedelta(hours=1)

#: Called with the bytes so far and the whole length, where the host tells it.
OnBytes = Callable[[int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class Version:
    """Which bytes of a source were read, in its host's own words. Without any, only the bytes themselves can tell."""

    etag: str = ""
    modified: str = ""
    #: Of a bucket that keeps versions.
    id: str = ""
    #: Do equal words mean equal bytes, so that a half of them can be completed?
    exact: bool = False

    def __bool__(self) -> bool:
        return bool(self.etag or self.modified or self.id)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a host sends: the bytes from `offset` on. size: of the whole source, where it is told."""

    version: Version
    offset: int
    size: int | None
    chunks: Iterator[bytes]


class Source(Protocol):
    """One source of another machine. `name` is what a person wrote in the campaign; it holds no secret."""

    name: str

    def open(
        self, *, unless: Version, offset: int, of: Version
    ) -> "AbstractContextManager[Answer | None]":  # pragma: no cover
        """Ask for it. None where it still is `unless`. From `offset` on only where it still is `of`, else from its start.

        SourceError where asking again cannot help, SourceUnreachable where it can, also while the bytes come.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """What lies at the target now."""

    version: Version
    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What ends a transfer. stop: set by whoever waits for it no longer. waits: seconds between tries that bring nothing."""

    max_bytes: int
    stop: Event
    waits: tuple[float, ...] = WAITS
    time_limit: timedelta = TIME_LIMIT


class Stopped(Exception):
    """Nobody waits for this transfer any more. What came so far is kept."""


def fetch(
    source: Source,
    target: Path,
    *,
    known: Version,
    replacing: str | None = None,
    bounds: Bounds,
    on_bytes: OnBytes | None = None,
) -> Arrived | None:
    """The whole source at `target`; None where it still is the `known` version, and the target was left alone.

    replacing: the digest of what lies there; the same bytes once more leave the file as it is too, with its times.
    SourceError, SourceUnreachable, Stopped; in each case the target is what it was. `what` of the errors begins with its
    verb. Blocks for as long as it takes: call it in a thread.
    """
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = _Half.found(target)
        arrived = _insisted(source, half, known, bounds, on_bytes)
        if arrived is None:
            half.forget()
            return None
        half.forget() if arrived.sha256 == replacing else half.settle(target)
    except OSError as error:
        why = error.strerror or str(error)
        raise SourceError(
            f"cannot be kept: {why}.", where=str(target.parent), hint="Make room, or set CALLSHEET_HOME elsewhere."
        ) from error
    return arrived


def _insisted(
    source: Source, half: "_Half", known: Version, bounds: Bounds, on_bytes: OnBytes | None
) -> Arrived | None:
    """Ask until it is whole, or until tries in a row have brought nothing."""
    idle, most = 0, half.size
    deadline = time.monotonic() + bounds.time_limit.total_seconds()
    while True:
        try:
            return _asked(source, half, known, bounds, deadline, on_bytes)
        except SourceUnreachable as error:
            # A host that sends no parts, and always breaks off at the same byte, gets no further either.
            idle, most = (0 if half.size > most else idle + 1), max(half.size, most)
            if idle > len(bounds.waits) or time.monotonic() > deadline:
                raise
            wait = error.after.total_seconds() if error.after else bounds.waits[max(idle - 1, 0)]
            if bounds.stop.wait(min(wait, 30)):
                raise Stopped from error


def _asked(
    source: Source, half: "_Half", known: Version, bounds: Bounds, deadline: float, on_bytes: OnBytes | None
) -> Arrived | None:
    if not half.version.exact:
        half.forget()
    # With a half of something newer there is nothing to compare with the known version: the rest of it is wanted.
    unless = Version() if half.size else known
    with source.open(unless=unless, offset=half.size, of=half.version) as answer:
        if answer is None:
            return None
        _refuse_large(answer.size or 0, bounds)
        with half.written(answer) as file:
            for chunk in answer.chunks:
                half.take(chunk, file)
                _refuse_large(half.size, bounds)
                if on_bytes is not None:
                    on_bytes(half.size, answer.size)
                _refuse_to_go_on(bounds, deadline)
        half.end(answer)
    return Arrived(version=answer.version, sha256=half.digest, bytes=half.size)


def _refuse_to_go_on(bounds: Bounds, deadline: float) -> None:
    if bounds.stop.is_set():
        raise Stopped
    if time.monotonic() > deadline:
        minutes = f"{bounds.time_limit.total_seconds() / 60:g}"
        raise SourceError(f"did not come within {minutes} minutes.", hint="Run again to go on with it.")


def _refuse_large(size: int, bounds: Bounds) -> None:
    if size > bounds.max_bytes:
        most = bounds.max_bytes // 10**6
        hint = "Cut it first, or raise CALLSHEET_MAX_SOURCE_MB."
        raise SourceError(f"is larger than {most} MB, the most that is fetched.", hint=hint)


class _Half:
    """What came of a source so far, and of which version; on disk, so that it outlives this process."""

    def __init__(self, file: Path, version: Version) -> None:
        self._file, self._note = file, file.with_name(f"{file.name}.json")
        self.version = version
        self.size = 0
        self._running: _Hash = hashlib.sha256()

    @classmethod
    def found(cls, target: Path) -> "_Half":
        """What an earlier transfer left, if it can be completed; else an empty one. The name is swept when it grows old."""
        half = cls(target.with_name(f".{target.name}.part-0"), Version())
        with suppress(OSError, ValueError, TypeError):
            version = Version(**json.loads(half._note.read_text("utf-8")))
            if version.exact:
                half._digest_what_is_there()
                half.version = version
        return half

    def _digest_what_is_there(self) -> None:
        with self._file.open("rb") as file:
            while chunk := file.read(CHUNK):
                self._running.update(chunk)
                self.size += len(chunk)

    @property
    def digest(self) -> str:
        return self._running.hexdigest()

    @contextmanager
    def written(self, answer: Answer) -> Iterator[BinaryIO]:
        """The file, ready for the bytes of this answer: behind what is there, or from the start."""
        if answer.offset != self.size or answer.version != self.version:
            if answer.offset:
                raise SourceUnreachable("was answered with another part than was asked for.")
            self.forget()
        self.version = answer.version
        if not self.size:
            self._note.write_text(json.dumps(asdict(answer.version)), "utf-8")
        with self._file.open("ab") as file:
            yield file

    def take(self, chunk: bytes, file: BinaryIO) -> None:
        if not self.size:
            _refuse_page(chunk)
        file.write(chunk)
        self._running.update(chunk)
        self.size += len(chunk)

    def end(self, answer: Answer) -> None:
        """SourceUnreachable where less or more came than was announced; it is kept where the rest can still be had."""
        if answer.size is not None and self.size != answer.size:
            what = f"was cut short: {self.size} of {answer.size} bytes came."
            if not self.version.exact or self.size > answer.size:
                self.forget()
            raise SourceUnreachable(what, hint="Run again to go on with it.")

    def settle(self, target: Path) -> None:
        """Sync and rename: from here on it is whole. What is noted of an older one goes first: it must not speak of this."""
        with self._file.open("rb") as written:
            os.fsync(written.fileno())
        target.with_name(f"{target.name}.json").unlink(missing_ok=True)
        self._file.replace(target)
        self.forget()

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.version, self.size, self._running = Version(), 0, hashlib.sha256()


def _refuse_page(head: bytes) -> None:
    """A page that asks to log in comes with 200 too, and says nothing about the clip."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"{")):
        what = "a web page" if start[:1] == b"<" else "a JSON document"
        raise SourceError(
            f"is {what}, and no clip or picture.", hint="Open the address in a browser to see what it is."
        )
