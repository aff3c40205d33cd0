"""What a run has to do before it can submit: files to prepare and to upload, each distinct one once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One distinct prepared file that a run needs."""

    kind: Literal["clip", "still"]
    #: Its name in the cache, which is its content and preparation.
    entry: str
    #: It lies ready in the cache.
    is_ready: bool
    is_uploaded: bool
    #: SHA-256 and bytes of the prepared file, where they are known before it is made.
    sha256: str | None
    bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Work:
    """`bytes` counts the uploads whose size is known; `unsized` is how many others there are."""

    clips: int
    clips_to_make: int
    stills: int
    stills_to_make: int
    uploads: int
    bytes: int
    unsized: int

    @property
    def spoken(self) -> str:
        """For people: "2 clips and 1 still to prepare, 1 of them not in the cache yet; 3 uploads, 5.3 MB"."""
        files = [_counted(self.clips, "clip"), _counted(self.stills, "still")]
        named = " and ".join(text for text in files if text)
        if not named:
            return "no file is needed"
        to_make = self.clips_to_make + self.stills_to_make
        cached = f"{to_make} not in the cache yet" if to_make else "all in the cache"
        return f"{named}, {cached}; {self._spoken_uploads}"

    @property
    def _spoken_uploads(self) -> str:
        if not self.uploads:
            return "nothing to upload"
        parts = [f"{self.bytes / 10**6:.1f} MB"] if self.bytes else []
        if self.unsized:
            parts.append(f"{self.unsized} of a size that is known once prepared")
        return f"{_counted(self.uploads, 'upload')}, {' and '.join(parts)}"

    def as_json(self) -> dict[str, Any]:
        return {
            "prepare": {
                "clips": self.clips,
                "clips_to_make": self.clips_to_make,
                "stills": self.stills,
                "stills_to_make": self.stills_to_make,
            },
            "upload": {"files": self.uploads, "bytes": self.bytes, "unsized": self.unsized},
        }


def summed(pieces: Iterable[Piece]) -> Work:
    """The work of these pieces. A piece that is given several times, or content that has two names, counts once."""
    distinct = {piece.entry: piece for piece in sorted(pieces, key=lambda piece: piece.is_uploaded)}
    uploads = {piece.sha256 or piece.entry: piece.bytes for piece in distinct.values() if piece.is_uploaded}
    clips = [piece for piece in distinct.values() if piece.kind == "clip"]
    stills = [piece for piece in distinct.values() if piece.kind == "still"]
    return Work(
        clips=len(clips),
        clips_to_make=sum(not piece.is_ready for piece in clips),
        stills=len(stills),
        stills_to_make=sum(not piece.is_ready for piece in stills),
        uploads=len(uploads),
        bytes=sum(size for size in uploads.values() if size is not None),
        unsized=sum(size is None for size in uploads.values()),
    )


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}" if count else ""
