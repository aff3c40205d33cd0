"""What a killed run left half made: removed when a later run opens, once nobody has touched it for an hour.

Half-made files are never taken for finished ones; they only cost room, and a campaign of large clips leaves gigabytes.
"""

import logging
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from callsheet.archive.store import Store
from callsheet.errors import ArchiveError

log = logging.getLogger("callsheet.takes")

#: What is still being written is touched all the time; what was downloaded is archived within minutes.
ABANDONED = timedelta(hours=1)

#: Temporary names of prepared files (media/command.py, media/clips.py) and of the facts beside them.
_HALF_MADE = re.compile(r"\..+\.(part|draft)-\d+(-\d+)?(\.[a-z0-9]+)?", re.ASCII)


def sweep(home: Path, *stores: Store) -> tuple[object, ...]:
    """Remove them from the cache, from the folder of results coming in and from the archive and its shelf, and say which.

    A place that cannot be tidied is logged and does not stop the run: what needs the place says so itself.
    """
    before = time.time() - ABANDONED.total_seconds()
    found = [*_half_made(home / "cache"), *_files(home / "incoming")]
    removed: list[object] = [path for path in found if _remove_if_older(path, before)]
    for store in stores:
        try:
            removed += store.sweep_leftovers()
        except ArchiveError as error:
            log.warning("what a killed run left in the archive could not be removed: %s", error.what)
    if removed:
        log.info("removed %d half-made files of runs that were killed", len(removed))
    return tuple(removed)


def _half_made(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob(".*") if _HALF_MADE.fullmatch(path.name))


def _files(folder: Path) -> Iterator[Path]:
    """Nothing stays here: a result is in the archive, or it is fetched again."""
    return (path for path in folder.glob("*") if path.is_file())


def _remove_if_older(path: Path, before: float) -> bool:
    try:
        if path.lstat().st_mtime > before:
            return False
        path.unlink()
    except FileNotFoundError:  # its owner was alive after all
        return False
    except OSError as error:
        log.warning("a half-made file could not be removed: %s", error)
        return False
    return True
