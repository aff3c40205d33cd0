"""Which entries of the media cache make room for others: the longest unused first, and never one that is still needed."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["clip", "still", "source"]
KINDS: tuple[Kind, ...] = ("clip", "still", "source")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of the cache. `path` is below the cache's folder; `name` is what a person knows it by."""

    kind: Kind
    path: str
    name: str
    bytes: int
    #: When it was last needed. Aware UTC.
    used_at: datetime
    #: SHA-256 of the source that it was made of, or of the copy itself; empty where nothing says so.
    source: str = ""
    #: Why it must stay, in words; empty where it may go.
    needed: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "path": self.path,
            "name": self.name,
            "bytes": self.bytes,
            "used_at": self.used_at.isoformat(timespec="seconds"),
            "needed": self.needed,
        }


def surplus(entries: Collection[Entry], most: int) -> list[Entry]:
    """The entries that go so that the rest is at most so many bytes. Fewer go where too many are needed."""
    over = weight(entries) - most
    going: list[Entry] = []
    for entry in _longest_unused(entries):
        if over <= 0:
            break
        going.append(entry)
        over -= entry.bytes
    return going


def unused_since(entries: Iterable[Entry], moment: datetime | None) -> list[Entry]:
    """The entries that may go and were not needed since that moment; all that may go without one."""
    return [entry for entry in _longest_unused(entries) if moment is None or entry.used_at < moment]


def weight(entries: Iterable[Entry]) -> int:
    """Bytes of all of them."""
    return sum(entry.bytes for entry in entries)


def _longest_unused(entries: Iterable[Entry]) -> Sequence[Entry]:
    return sorted((entry for entry in entries if not entry.needed), key=lambda entry: (entry.used_at, entry.path))
