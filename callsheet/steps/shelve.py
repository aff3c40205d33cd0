"""Where the deliverables of a campaign lie: the archive that it names, and the shelf on this machine that its board opens
from.

Of an archive on a disk the shelf is that folder. Of one in a bucket it is a folder below the home that is laid out alike:
it has what this machine made, and what was brought here to be looked at. Nothing but the board needs it, and it may be
removed at any time: `callsheet review` brings everything again.
"""

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from callsheet import buckets
from callsheet.archive.disk import DiskStore
from callsheet.archive.store import Store
from callsheet.errors import ArchiveError
from callsheet.steps import private
from callsheet.steps.load import Loaded

log = logging.getLogger("callsheet.takes")

#: Files that are brought from a bucket at a time.
ABREAST = 4


def store_of(loaded: Loaded) -> Store:
    """The archive of a campaign. Nothing of it is touched yet."""
    archive = loaded.campaign.archive
    if buckets.is_bucket(archive.to):
        from callsheet.archive.s3 import S3Store

        return S3Store(buckets.place_of(archive.to), archive.keeping)
    root = loaded.root / archive.to
    return DiskStore(root, called=loaded.shown(root))


def address_of(store: Store, key: str, base: str | None) -> str:
    """Where others find a file of the archive: below its public address, where it has one."""
    return f"{base}/{quote(key)}" if base else store.spoken(key)


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """An archive and the folder on this machine that has its files, as far as they are here."""

    store: Store
    folder: DiskStore

    @property
    def is_apart(self) -> bool:
        """Is the folder another place than the archive?"""
        return self.store is not self.folder

    @property
    def places(self) -> tuple[Store, ...]:
        """The archive, and the folder where that is another place."""
        return (self.store, self.folder) if self.is_apart else (self.store,)

    def has(self, key: str, size: int) -> bool:
        """Is the file here, with as many bytes as the archive's?"""
        if not self.is_apart:
            return True
        place = self.folder.path(key)
        return place.is_file() and place.stat().st_size == size

    def keep(self, key: str, file: Path) -> None:
        """Have a file here that was archived just now, without another copy where the disk allows that."""
        if not self.is_apart:
            return
        place = self.folder.path(key)
        try:
            private.folder(place.parent)
            place.unlink(missing_ok=True)
            try:
                os.link(file, place)
            except OSError:
                shutil.copyfile(file, place)
        except OSError as error:
            log.warning("%s is not on the board's shelf: %s", key, error.strerror)

    def bring(self, there: Mapping[str, int]) -> None:
        """Have these files of the archive here; there: their bytes. What cannot be brought is logged: the board does
        without."""
        lacking = [key for key, size in there.items() if not self.has(key, size)]
        if lacking:
            from concurrent.futures import ThreadPoolExecutor  # not for a plan

            with ThreadPoolExecutor(ABREAST) as pool:
                list(pool.map(self._bring, lacking))

    def read(self, key: str, there: Mapping[str, int]) -> bytes | None:
        """A document of the archive, from here where it is here. ArchiveError."""
        if self.is_apart and key in there:
            self.bring({key: there[key]})
            return self.folder.read(key)
        return self.store.read(key)

    def replace_text(self, key: str, text: str) -> None:
        """In the archive and here. ArchiveError."""
        self.store.replace_text(key, text)
        if self.is_apart:
            self.folder.replace_text(key, text)

    def _bring(self, key: str) -> None:
        try:
            self.store.bring(key, self.folder.path(key))
        except (ArchiveError, OSError) as error:
            what = error.what if isinstance(error, ArchiveError) else error.strerror
            log.warning("%s could not be brought from the archive: %s", key, what)


def shelf_of(store: Store, home: Path) -> Shelf:
    """The shelf of this archive below `home`, or the archive itself where it is a folder."""
    if isinstance(store, DiskStore):
        return Shelf(store=store, folder=store)
    place = store.spoken().removeprefix(buckets.SCHEME)
    return Shelf(store=store, folder=DiskStore(home / "boards" / place))
