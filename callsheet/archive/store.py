"""What an archive is, wherever it lies: named files that appear complete or not at all, and are never replaced."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from callsheet.errors import ArchiveError, WouldOverwrite


#: The documents of a campaign that are written again.
REPLACED = frozenset({"manifest.json", "verdicts.json"})


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One file of the archive. sha256 is 64 hex characters of the bytes that are there."""

    key: str
    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One name below an archive, whatever made it. kind: a link is a symbolic one, which is not followed."""

    key: str
    bytes: int
    kind: Literal["file", "link", "other"] = "file"


class Store(Protocol):
    """An archive on a disk or in a bucket. Keys are relative POSIX paths. Thread-safe.

    Every method raises StoreUnreachable when the store refuses or does not answer (safe to retry) and ArchiveError for a
    key that is no place inside the archive. Errors say that the render is paid for, unless `check` raises them.
    """

    def put(self, key: str, file: Path, *, sha256: str) -> Stored:
        """Copy `file` to `key`, in constant memory. When this returns, it will survive a power cut.

        The same bytes already there are recognised and nothing is written. Raises WouldOverwrite where other bytes have
        the name, ChecksumMismatch where the copy does not have the digest `sha256` (nothing is left under the name).
        """

    def put_text(self, key: str, text: str) -> Stored:
        """Write `text` as UTF-8 to `key`; the same contract as `put`."""

    def replace_text(self, key: str, text: str) -> Stored:
        """Write `text` over what `key` holds, at once for every reader: only a manifest.json, a verdicts.json or a page under
        review/."""

    def stat(self, key: str) -> Stored | None:
        """What is under `key`, read to the last byte; None where there is nothing."""

    def read(self, key: str) -> bytes | None:
        """The bytes of a document; None where there is nothing."""

    def opened(self, key: str) -> AbstractContextManager[Iterator[bytes] | None]:
        """The bytes of a file, piece by piece; None where there is nothing. To be read inside the block."""

    def listing(self) -> Iterator[Listed]:
        """Every name below the archive, also one that no key may have; in the order of the store."""

    def bring(self, key: str, target: Path) -> Stored | None:
        """Copy what is under `key` to this machine, as a new whole file; None where there is nothing."""

    def exists(self, key: str) -> bool:
        """Is the name taken, by whatever?"""

    def sizes(self, keys: Collection[str]) -> Mapping[str, int]:
        """Which of these files are there, and their bytes. For a whole campaign at once: a bucket is listed, not asked a
        thousand times."""

    def spoken(self, key: str = "") -> str:
        """Where that is, for a person."""

    def check(self) -> None:
        """Can it be written? StoreUnreachable, with nothing spent. Called before anything is paid for."""

    def sweep_leftovers(self) -> Sequence[object]:
        """Remove what killed processes left half written, where that is safe, and say what it was."""


def refuse_strange(key: str) -> None:
    """ArchiveError for a key that is no place in an archive."""
    if any(not _is_plain(part) for part in key.split("/")):
        raise ArchiveError(
            f"{key!r} is not a name in an archive: relative, with / between plain names, none starting with a dot."
        )


def refuse_lasting(key: str) -> None:
    """WouldOverwrite for a key whose file is never replaced."""
    parts = PurePosixPath(key).parts
    if parts[-1] not in REPLACED and "review" not in parts[:-1]:
        raise WouldOverwrite("Only a manifest, its verdicts or a review page is ever replaced.", where=key)


def other_bytes(where: str, there: str) -> WouldOverwrite:
    """there: what has the name, as "1,024 bytes"."""
    return WouldOverwrite(
        f"Another file has this name ({there}); it stays as it is.",
        where=where,
        hint="Archive this one under the next revision, or move the other one away.",
    )


def _is_plain(part: str) -> bool:
    """No climbing, no hidden file (temporary files are hidden), no separator of another system, no control character."""
    return bool(part) and not part.startswith(".") and "\\" not in part and part.isprintable()
