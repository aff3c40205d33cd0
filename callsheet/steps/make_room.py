"""Keep the media cache within its size: what was needed least lately goes, what is needed now never does.

Needed are the files of every run that is going on, on any machine that shares the home: each run keeps a list of them,
under a lock that dies with it. Needed too is what a take was made of that is reserved, sent or not yet archived: its
source may be gone from where it came. Lists are written and entries removed under one lock, so nothing is removed between
being listed and being used.
"""

import json
import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from threading import Event

from callsheet import eviction
from callsheet.errors import CacheUnusable, LedgerError
from callsheet.eviction import Entry, Kind
from callsheet.ledger.book import Ledger
from callsheet.steps import cache, draw_up, private
from callsheet.steps.settings import Settings
from callsheet.steps.survey import Survey

log = logging.getLogger("callsheet.takes")

#: Why an entry stays.
RUN = "a run that is going on needs it"
TAKE = "a take that is not archived yet was made of it"
#: Where a file system knows no locks, a list of a run counts this long.
TRUSTED = timedelta(days=2)
GB = 10**9
_FOLDERS: dict[Kind, str] = {"clip": "clips", "still": "stills", "source": "sources"}


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """What a clearing removed."""

    entries: tuple[Entry, ...]

    @property
    def bytes(self) -> int:
        return eviction.weight(self.entries)


@contextmanager
def listed(home: Path, survey: Survey) -> Iterator[None]:
    """For the length of the block, nothing that this campaign's preparation needs or makes is removed by anybody.

    CacheUnusable.
    """
    with ExitStack() as held:
        with _writable(home):
            folder = home / "cache" / "needs"
            private.folder(folder)
            mine = folder / f"{os.getpid()}-{token_hex(8)}.json"
            held.enter_context(cache.locked_in_thread(mine, Event()))
            held.callback(_unlisted, mine)
            with _guarded(home):
                mine.write_text(json.dumps(sorted(_needs(home, survey))), "utf-8")
        yield


def _unlisted(mine: Path) -> None:
    with suppress(OSError):  # then it is a list that nobody holds, and the next to look removes it
        mine.unlink(missing_ok=True)


@contextmanager
def _writable(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheUnusable(
            f"the cache of media cannot be used: {error.strerror or error}.",
            where=str(home / "cache"),
            hint="Check its permissions, make room, or set CALLSHEET_HOME to a folder of yours.",
        ) from error


def look(settings: Settings) -> list[Entry]:
    """Every entry, with why it must stay. CacheUnusable, LedgerError."""
    with _writable(settings.home), _ledger_of(settings) as ledger:
        return _looked(settings.home, ledger)


@contextmanager
def _ledger_of(settings: Settings) -> Iterator[Ledger | None]:
    """None where nothing was ever reserved: to look must not lay out an empty ledger."""
    if not draw_up.has_ledger(settings):
        yield None
        return
    with closing(draw_up.open_ledger(settings)) as ledger:
        yield ledger


def _looked(home: Path, ledger: Ledger | None) -> list[Entry]:
    root = home / "cache"
    run, identities = _listed(root / "needs"), _of_live_takes(ledger)
    return [_entry(root, kind, file, run, identities) for kind, file in _files(root)]


def keep_within(home: Path, ledger: Ledger, most: int) -> Cleared:
    """Remove what is over so many bytes. A cache that cannot be tidied is logged: what needs the place says so itself."""
    try:
        with _guarded(home):
            cleared = _removed(home / "cache", eviction.surplus(_looked(home, ledger), most))
    except (OSError, LedgerError) as error:
        why = error.what if isinstance(error, LedgerError) else error.strerror or error
        log.warning("the cache of media could not be kept within its size: %s", why)
        return Cleared(entries=())
    if cleared.entries:
        log.info("removed %d files of the cache, %.1f MB", len(cleared.entries), cleared.bytes / 10**6)
    return cleared


def clear(settings: Settings, older_than: timedelta | None) -> Cleared:
    """Remove what may go; with `older_than` only what was not needed for so long. CacheUnusable, LedgerError."""
    moment = datetime.now(UTC) - older_than if older_than is not None else None
    home = settings.home
    with _writable(home), _ledger_of(settings) as ledger, _guarded(home):
        return _removed(home / "cache", eviction.unused_since(_looked(home, ledger), moment))


@contextmanager
def _guarded(home: Path) -> Iterator[None]:
    private.folder(home / "cache")
    with cache.locked_in_thread(home / "cache" / "needs.lock", Event()):
        yield


# --- what is needed ----------------------------------------------------------------------------------------------------


def _needs(home: Path, survey: Survey) -> set[str]:
    """The names of everything that variants of the campaign are prepared from and to."""
    clips = {
        cache.clip_entry(survey.clips[need.clip].sha256, preparation)
        for need, preparation in survey.clip_preparations.items()
    }
    digests = {still.path: still.sha256 for stills in survey.stills.values() for still in stills}
    stills = {
        cache.still_entry(digests[path], preparation) for (path, _), preparation in survey.still_preparations.items()
    }
    return clips | stills | {path.relative_to(home / "cache").as_posix() for path in survey.loaded.remote}


def _listed(folder: Path) -> set[str]:
    """What runs that are going on need. Lists of runs that died are removed."""
    found: set[str] = set()
    for file in folder.glob("*.json"):
        with cache.locked_at_once(file) as is_nobodys:
            if is_nobodys and not _may_be_unlocked(file):
                file.unlink(missing_ok=True)
                continue
        with suppress(OSError, ValueError):  # it ended meanwhile, or is being written: then it waits for our lock
            found.update(str(name) for name in json.loads(file.read_text("utf-8")))
    return found


def _may_be_unlocked(file: Path) -> bool:
    """Is this of a file system without locks, where a list that is not locked may still be of a run?"""
    if cache.knows_locks(file):
        return False
    with suppress(OSError):
        return time.time() - file.stat().st_mtime < TRUSTED.total_seconds()
    return False


def _of_live_takes(ledger: Ledger | None) -> str:
    """The identities of takes that are not ended, as one text: the digests of what they were made of stand in it."""
    if ledger is None:
        return ""
    live = [take.id for take in ledger.takes() if take.is_live]
    return "\n".join(ledger.identities(live).values())


# --- what is there -----------------------------------------------------------------------------------------------------


def _files(root: Path) -> Iterator[tuple[Kind, Path]]:
    for kind, folder in _FOLDERS.items():
        for file in (root / folder).glob("*/*" if kind == "source" else "*"):
            if file.suffix not in (".json", ".lock") and not file.name.startswith(".") and file.is_file():
                yield kind, file


def _entry(root: Path, kind: Kind, file: Path, run: Collection[str], identities: str) -> Entry:
    path = file.relative_to(root).as_posix()
    facts = _facts(file)
    source = str(facts.get("sha256" if kind == "source" else "source", ""))
    needed = RUN if path in run else TAKE if source and source in identities else ""
    return Entry(
        kind=kind,
        path=path,
        name=str(facts.get("source", path)) if kind == "source" else path,
        bytes=file.stat().st_size,
        used_at=datetime.fromtimestamp(_used(file), UTC),
        source=source,
        needed=needed,
    )


def _facts(file: Path) -> dict[str, object]:
    with suppress(OSError, ValueError):
        facts = json.loads(cache.facts_file(file).read_text("utf-8"))
        return facts if isinstance(facts, dict) else {}
    return {}


def _used(file: Path) -> float:
    """The facts are touched whenever the entry is needed; without facts it is half made, and as old as it is."""
    with suppress(OSError):
        return cache.facts_file(file).stat().st_mtime
    return file.stat().st_mtime


def _removed(root: Path, going: Collection[Entry]) -> Cleared:
    """Facts first, so that it counts no more; then the file. One that is being made or fetched right now stays."""
    gone: list[Entry] = []
    for entry in going:
        file = root / entry.path
        with cache.locked_at_once(cache.lock_file(file)) as is_mine:
            if not is_mine:
                continue
            for path in (cache.facts_file(file), file, cache.lock_file(file)):
                path.unlink(missing_ok=True)
        if entry.kind == "source":
            with suppress(OSError):  # a half of a newer version lies there
                file.parent.rmdir()
        gone.append(entry)
    return Cleared(entries=tuple(gone))
