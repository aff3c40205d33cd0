"""The archive on a disk: a file appears under its name complete, verified and synced, or not at all, and is never replaced.

A name is given with link(2), which fails where the name exists: of two processes exactly one wins, and a process killed
at any instant leaves at most a temporary file, `.callsheet-….part`, beside the place. Where the file system has no
hard links (FAT, exFAT, many network shares) the name is given with rename(2) under a lock that the kernel drops with the
process; claiming the name itself with O_EXCL would leave an empty deliverable after kill -9, and a claim file would block
the name for ever.
"""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Literal

from callsheet.archive.store import Listed, Stored, other_bytes, refuse_lasting, refuse_strange
from callsheet.errors import ArchiveError, ChecksumMismatch, StoreUnreachable

CHUNK = 1024 * 1024
#: A temporary file untouched for this long belongs to a process that died; a copy in progress touches its own all the time.
ABANDONED = timedelta(hours=1)

_TEMPORARY = re.compile(r"\.callsheet-\d+-[0-9a-f]{16}\.part", re.ASCII)
_LOCK = ".callsheet-lock"
#: What link(2) answers where there are no hard links: vfat and exfat say EPERM, others ENOTSUP, ENOSYS, EXDEV or EMLINK.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV, errno.EMLINK})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
#: The key itself cannot be a file here, today or after a repair of the disk.
_IMPOSSIBLE = frozenset({errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EILSEQ, errno.ELOOP})


class DiskStore:
    """An archive under one folder: a `store.Store`. The disk refuses when it is full, read-only or gone."""

    def __init__(self, root: Path, *, called: str = "") -> None:
        """called: what a person calls the folder."""
        self.root = root.absolute()
        self._called = called or str(root)

    def put(self, key: str, file: Path, *, sha256: str) -> Stored:
        """File and name have been synced to the disk when this returns."""
        try:
            source = file.open("rb")
        except OSError as error:
            raise ArchiveError(f"The file to archive cannot be read: {error.strerror}.", where=str(file)) from error
        with source:
            return self._put(key, _chunks(source), sha256)

    def put_text(self, key: str, text: str) -> Stored:
        data = text.encode()
        return self._put(key, [data], hashlib.sha256(data).hexdigest())

    def replace_text(self, key: str, text: str) -> Stored:
        refuse_lasting(key)
        place, data = self.path(key), text.encode()
        with _told(key, place):
            _make_folder(place.parent)
            with temporary(place.parent) as half:
                stored = _fill(half, key, [data])
                half.replace(place)
                _sync(place.parent)
        return stored

    def stat(self, key: str) -> Stored | None:
        place = self.path(key)
        with _told(key, place):
            return _read(key, place) if _is_there(place) else None

    def read(self, key: str) -> bytes | None:
        place = self.path(key)
        with _told(key, place):
            if not _is_there(place):
                return None
            _refuse_no_file(place)
            return place.read_bytes()

    @contextmanager
    def opened(self, key: str) -> Iterator[Iterator[bytes] | None]:
        place = self.path(key)
        with _told(key, place):
            if not _is_there(place):
                yield None
                return
            _refuse_no_file(place)
            with place.open("rb") as file:
                yield _chunks(file)

    def listing(self) -> Iterator[Listed]:
        with _told("", self.root):
            for entry in _entries(self.root):
                key = Path(entry.path).relative_to(self.root).as_posix()
                kind = _kind(entry)
                yield Listed(key=key, bytes=entry.stat(follow_symlinks=False).st_size, kind=kind)

    def bring(self, key: str, target: Path) -> Stored | None:
        """target: on this machine, in a folder that is there or can be made."""
        place = self.path(key)
        with _told(key, place):
            if not _is_there(place):
                return None
            _make_folder(target.parent)
            with temporary(target.parent) as half, place.open("rb") as source:
                stored = _fill(half, key, _chunks(source))
                half.replace(target)
            return stored

    def exists(self, key: str) -> bool:
        place = self.path(key)
        with _told(key, place):
            return _is_there(place)

    def sizes(self, keys: Collection[str]) -> dict[str, int]:
        for key in keys:
            refuse_strange(key)
        places = {key: self.root / key for key in keys}
        with _told("", self.root):
            return {key: place.stat().st_size for key, place in places.items() if place.is_file()}

    def spoken(self, key: str = "") -> str:
        return str(self.path(key) if key else self.root)

    def check(self) -> None:
        """Have the folder, and write there once."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            why = "a file stands in its place" if isinstance(error, FileExistsError) else error.strerror
            raise StoreUnreachable(
                f"the archive folder {self._called} cannot be written: {why}.",
                hint="Make room there, or set archive: {to: …} to another folder.",
                spent="no",
                retry="never",
            ) from error

    def path(self, key: str) -> Path:
        """Where `key` is on the disk. ArchiveError for a key that leads, itself or by a symbolic link, out of the root."""
        refuse_strange(key)
        place = self.root.joinpath(*key.split("/"))
        if not _resolved(place).is_relative_to(_resolved(self.root)):
            raise ArchiveError("A symbolic link leads out of the archive there.", where=str(place))
        return place

    def sweep_leftovers(self) -> tuple[Path, ...]:
        """Remove the temporary files that killed processes left an hour ago or earlier, and say which."""
        before = time.time() - ABANDONED.total_seconds()
        with _told("", self.root):
            return tuple(path for path in _temporaries(self.root) if _remove_if_older(path, before))

    def _put(self, key: str, chunks: Iterable[bytes], sha256: str) -> Stored:
        place = self.path(key)
        with _told(key, place):
            if _is_there(place):
                return _recognised(key, place, sha256)
            _make_folder(place.parent)
            with temporary(place.parent) as half:
                stored = _fill(half, key, chunks)
                if stored.sha256 != sha256:
                    raise ChecksumMismatch(
                        f"The copy has the digest {stored.sha256}, and {sha256} was promised.", where=key
                    )
                if not self._give_name(half, place):
                    return _recognised(key, place, sha256)
            _sync(place.parent)
            return stored

    def _give_name(self, half: Path, place: Path) -> bool:
        """Whether the file got its name; False where the name was taken."""
        try:
            os.link(half, place)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._rename_locked(half, place)
        return True

    def _rename_locked(self, half: Path, place: Path) -> bool:
        with (self.root / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_there(place):
                return False
            half.rename(place)
        return True


def _refuse_no_file(place: Path) -> None:
    """A pipe of this name would be waited for without end. ArchiveError."""
    if not place.is_file():
        raise ArchiveError("Something that is not a file has this name.", where=str(place))


def _is_there(place: Path) -> bool:
    """Is the name taken, be it by a dangling link? Unlike os.path.lexists, an unreachable disk is an error, not a no."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError before Python 3.13
        raise ArchiveError(f"The place in the archive cannot be followed: {error}.", where=str(path)) from error


@contextmanager
def temporary(folder: Path) -> Iterator[Path]:
    """A new name in the same folder, so on the same file system; whatever has it at the end is removed. What a killed
    process leaves is swept."""
    half = folder / f".callsheet-{os.getpid()}-{secrets.token_hex(8)}.part"
    try:
        yield half
    finally:
        half.unlink(missing_ok=True)


def _fill(half: Path, key: str, chunks: Iterable[bytes]) -> Stored:
    """Write a new file, hash what goes by, sync it."""
    running, size = hashlib.sha256(), 0
    with half.open("xb") as target:
        for chunk in chunks:
            running.update(chunk)
            size += target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    return Stored(key=key, sha256=running.hexdigest(), bytes=size)


def _recognised(key: str, place: Path, sha256: str) -> Stored:
    """What has the name already, when it is these bytes. Synced again: the process that named it may have died just then."""
    there = _read(key, place)
    if there.sha256 != sha256:
        raise other_bytes(str(place), f"{there.bytes:,} bytes, sha256 {there.sha256[:12]}…")
    _sync(place.parent)
    return there


def _read(key: str, place: Path) -> Stored:
    if not place.is_file():
        raise ArchiveError("Something that is not a file has this name.", where=str(place))
    running, size = hashlib.sha256(), 0
    with place.open("rb") as file:
        for chunk in _chunks(file):
            running.update(chunk)
            size += len(chunk)
    return Stored(key=key, sha256=running.hexdigest(), bytes=size)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _make_folder(folder: Path) -> None:
    """The folder and what is missing above it, each new name synced in its parent."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut. Some network shares know no such thing and say EINVAL."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


def _entries(folder: Path) -> "Iterator[os.DirEntry[str]]":
    """Everything in a folder and below but the folders themselves. No link is followed."""
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        folders += [Path(entry.path) for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
        yield from (entry for entry in entries if not entry.is_dir(follow_symlinks=False))


def _kind(entry: "os.DirEntry[str]") -> Literal["file", "link", "other"]:
    if entry.is_symlink():
        return "link"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


def _temporaries(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names if _TEMPORARY.fullmatch(name))


def _remove_if_older(path: Path, before: float) -> bool:
    try:
        if path.lstat().st_mtime > before:
            return False
        path.unlink()
    except FileNotFoundError:  # its owner was alive after all, or another sweep was quicker
        return False
    return True


@contextmanager
def _told(key: str, place: Path) -> Iterator[None]:
    """Turn what the operating system says into what a person can do about it."""
    try:
        yield
    except OSError as error:
        raise _spoken(error, key, place) from error


def _spoken(error: OSError, key: str, place: Path) -> ArchiveError:
    where = str(error.filename or place)
    if error.errno in _FULL:
        return StoreUnreachable(
            f"The archive is full ({_free(place):,} bytes free).",
            where=where,
            hint="Make room and run again: the result is fetched again while its link lives.",
        )
    if error.errno in _FORBIDDEN:
        return StoreUnreachable(
            "No permission to write to the archive.",
            where=where,
            hint="Give this user write access to the folder, or set archive.to elsewhere.",
        )
    if error.errno in _IMPOSSIBLE:
        return ArchiveError(
            f"{key!r} cannot be a file there: {error.strerror}.",
            where=where,
            hint="Change archive.name in the campaign.",
        )
    return StoreUnreachable(
        f"The archive cannot be used: {error.strerror or error}.",
        where=where,
        hint="Check that the disk is mounted and healthy, then run again.",
    )


def _free(place: Path) -> int:
    """Bytes free where the place would be; 0 where even that cannot be read."""
    folder = next((folder for folder in place.parents if folder.is_dir()), Path("/"))
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
