"""Bring the remote sources of a campaign: a copy of each in the cache, fetched only where it changed since the last time.

`check`, `plan` and `run` all begin so, since length and size of a clip are what its price and its preparation follow from.
A host is asked each time whether its source changed; where it does not answer, the copy counts and a warning says so.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from callsheet.errors import Problem, SourceError, SourceUnreachable
from callsheet.once import once
from callsheet.steps import cache, private, settings
from callsheet.steps.load import Loaded
from callsheet.steps.settings import Settings

if TYPE_CHECKING:
    from callsheet.sources.bucket import Buckets
    from callsheet.sources.transfer import Arrived, Bounds, Source, Version
    from callsheet.sources.web import Web

log = logging.getLogger("callsheet.sources")

#: Sources fetched at a time.
ABREAST = 4
#: Seconds between two lines about a source that is on its way.
EVERY = 5.0


#: Set by whoever waits for a thread that fetches.
_stop: ContextVar[Event | None] = ContextVar("stop", default=None)

T = TypeVar("T")


async def in_thread(draw: Callable[[], T]) -> T:
    """What `draw` returns, which fetches, from a thread; where this is cancelled, the fetching ends with it."""
    stop = Event()
    token = _stop.set(stop)
    try:
        return await asyncio.to_thread(draw)
    except BaseException:
        stop.set()
        raise
    finally:
        _stop.reset(token)


def bring(loaded: Loaded) -> Loaded:
    """The campaign with a copy of each remote source that a variant uses; what cannot be had is in its problems.

    Blocks while it fetches. SettingsWrong.
    """
    wanted = list(_wanted(loaded))
    if not wanted:
        return loaded
    stop = _stop.get() or Event()
    way = _Way(settings.read(loaded.root), stop)
    with ThreadPoolExecutor(max_workers=ABREAST, thread_name_prefix="source") as pool:
        try:
            work = {path: pool.submit(_brought, way, loaded.remote[path], path) for path in dict(wanted)}
            found = {path: _ended(done) for path, done in work.items()}
        except BaseException:
            stop.set()
            raise
    problems = [_problem(loaded, place, path, error) for path, place in wanted if (error := found[path]) is not None]
    lost = {path for path, error in found.items() if isinstance(error, SourceError)}
    return replace(
        loaded,
        clips={name: clip for name, clip in loaded.clips.items() if clip.path not in lost},
        stills={name: tuple(path for path in paths if path not in lost) for name, paths in loaded.stills.items()},
        warnings=(*loaded.warnings, *(problem for problem in problems if problem.severity == "warning")),
        problems=(*loaded.problems, *(problem for problem in problems if problem.severity == "error")),
    )


@dataclass(frozen=True, kw_only=True)
class _Old:
    """A copy that counts although its host could not be asked."""

    fetched_at: str
    why: str


def _wanted(loaded: Loaded) -> Iterator[tuple[Path, Sequence[str | int]]]:
    """Each copy that is used, at each place of the campaign that names it."""
    for clip in loaded.clips.values():
        if clip.path in loaded.remote:
            yield clip.path, _source_place(loaded, clip.place)
    used = {variant.references for variant in loaded.variants}
    for (name, path), place in loaded.still_places.items():
        if path in loaded.remote and name in used:
            yield path, place


def _source_place(loaded: Loaded, place: Sequence[str | int]) -> Sequence[str | int]:
    long = (*place, "source")
    return place if loaded.campaign.document.text(long) is None else long


def _ended(work: "Future[_Old | None]") -> "_Old | SourceError | None":
    try:
        return work.result()
    except SourceError as error:
        return error


def _problem(loaded: Loaded, place: Sequence[str | int], path: Path, found: "_Old | SourceError") -> Problem:
    source = loaded.remote[path]
    if isinstance(found, SourceError):
        return loaded.campaign.problem(tuple(place), f"{source} {found.what}", hint=found.hint, exit_code=3)
    what = f"{source} {found.why.rstrip('.')}; the copy of {found.fetched_at[:16].replace('T', ' ')} UTC is used."
    return loaded.campaign.problem(tuple(place), what, severity="warning")


class _Way:
    """How sources are fetched here; what a kind of them needs is loaded when the first of them is met. Thread-safe."""

    def __init__(self, found: Settings, stop: Event) -> None:
        self._settings = found
        self.stop = stop

    def source(self, url: str) -> "Source":
        """SourceError where what reads it is missing."""
        return self._buckets.source(url) if url.lower().startswith("s3://") else self._web.source(url)

    @property
    def bounds(self) -> "Bounds":
        from callsheet.sources.transfer import Bounds

        return Bounds(max_bytes=self._settings.max_source_mb * 10**6, stop=self.stop)

    @once
    def _web(self) -> "Web":
        from callsheet.sources.web import Web

        return Web(allowed=self._settings.private_networks, proxy_for=settings.https_proxy_for)

    @once
    def _buckets(self) -> "Buckets":
        from callsheet.sources.bucket import Buckets

        return Buckets()


def _brought(way: _Way, url: str, copy: Path) -> _Old | None:
    """Have the copy of one source. None where it is what the host has now. SourceError."""
    from callsheet.sources import transfer

    try:
        private.folder(copy.parent)
        with cache.locked_in_thread(cache.lock_file(copy), way.stop) as is_mine:
            if not is_mine:
                raise transfer.Stopped
            return _compared(way, url, copy)
    except OSError as error:
        raise SourceError(
            f"cannot be kept: {error.strerror or error}.", hint="Make room, or set CALLSHEET_HOME elsewhere."
        ) from error


def _compared(way: _Way, url: str, copy: Path) -> _Old | None:
    from callsheet.sources import transfer

    known = _Note.read(copy)
    try:
        version = known.version if known else transfer.Version()
        arrived = transfer.fetch(
            way.source(url),
            copy,
            known=version,
            bounds=way.bounds,
            on_bytes=_Told(url),
            replacing=known.sha256 if known else None,
        )
    except SourceUnreachable as error:
        if known is None:
            raise
        return _Old(fetched_at=known.fetched_at, why=error.what)
    if arrived is not None:
        _Note.write(copy, url, arrived)
    elif known is not None:
        cache.used(cache.facts_file(copy))
    return None


@dataclass(frozen=True, kw_only=True)
class _Note:
    """What is remembered of a copy: it lies beside it, and is written last."""

    version: "Version"
    sha256: str
    fetched_at: str

    @classmethod
    def read(cls, copy: Path) -> "_Note | None":
        """None where there is no whole copy."""
        from callsheet.sources.transfer import Version

        with suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(cache.facts_file(copy).read_text("utf-8"))
            if copy.stat().st_size == note["bytes"]:
                return cls(version=Version(**note["version"]), sha256=note["sha256"], fetched_at=note["fetched_at"])
        return None

    @staticmethod
    def write(copy: Path, url: str, arrived: "Arrived") -> None:
        note = {
            "source": url,
            "version": asdict(arrived.version),
            "sha256": arrived.sha256,
            "bytes": arrived.bytes,
            "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        cache.write_note(cache.facts_file(copy), note)


class _Told:
    """Says now and then how far a source is: a large one takes minutes in which nothing else is seen."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._next = 0.0

    def __call__(self, done: int, size: int | None) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        if not self._next:
            whole = f" ({_mb(size)} MB)" if size is not None else ""
            log.info("fetching %s%s", self._url, whole)
        else:
            of = f" of {_mb(size)}" if size is not None else ""
            log.info("fetching %s: %s%s MB", self._url, _mb(done), of)
        self._next = now + EVERY


def _mb(size: int) -> str:
    """Megabytes, never none where there is something."""
    return f"{max(size / 10**6, 0.1 if size else 0):.1f}"
