"""Put the mark into a result before it is archived, and sign it where a key is configured: `marking` says what it is.

What was received stays as it is; the marked film is a copy of it under the home, the same bytes each time it is made. A
film that takes no mark is archived as it came: it is paid for.
"""

import asyncio
import hashlib
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from callsheet import catalogue, marking
from callsheet.campaign import Archive
from callsheet.errors import CannotSign, StoreUnreachable
from callsheet.marking import Layout, Mark, NotMarkable
from callsheet.provider.client import Downloaded
from callsheet.routing import PLAY
from callsheet.sidecar import MarkingRecord, Sidecar, SignatureRecord, StrayRecord
from callsheet.steps import private
from callsheet.steps.settings import Settings
from callsheet.take import Take

if TYPE_CHECKING:
    from callsheet.signing.signer import Claim, Signer
    from callsheet.steps.studio import Studio

log = logging.getLogger("callsheet.takes")

CHUNK = 1024 * 1024

#: One film is signed at a time: c2pa-python takes as much memory as the film has (measured: 570 MB for 700).
_SIGNING = threading.Lock()

D = TypeVar("D", Sidecar, StrayRecord)


@dataclass(frozen=True, kw_only=True)
class Film:
    """What goes to the archive, and what it was received as."""

    path: Path
    sha256: str
    bytes: int
    received: Downloaded
    record: MarkingRecord

    def described(self, document: D) -> D:
        """The document of this film."""
        told = {
            "sha256": self.sha256,
            "bytes": self.bytes,
            "received_sha256": self.received.sha256,
            "received_bytes": self.received.bytes,
        }
        return document.model_copy(update={"result": document.result.model_copy(update=told), "marking": self.record})


@asynccontextmanager
async def marked(
    studio: "Studio", take: Take, received: Path, downloaded: Downloaded, key: str, document: Sidecar | StrayRecord
) -> AsyncIterator[Film]:
    """The film as it is archived under this key; the copy that is made for it is gone at the end of the block.

    StoreUnreachable where the home has no room for it.
    """
    signer = signer_of(studio.drawn.settings)
    copy = studio.home / "incoming" / f"{take.route}--{take.job}.marked-{studio.run.id}.mp4"
    is_wanted = studio.drawn.loaded.campaign.archive.mark
    try:
        with _told(copy):
            film = await asyncio.to_thread(_film, take, received, downloaded, copy, key, document, is_wanted=is_wanted)
            if signer is not None and film.record.state == "added":
                film = await asyncio.to_thread(_signed, signer, film, signed_place(received), key, document)
        yield film
    finally:
        with suppress(OSError):
            copy.unlink(missing_ok=True)


def signer_of(settings: Settings) -> "Signer | None":
    """Whoever signs films; None where no key is configured."""
    if settings.c2pa_cert is None or settings.c2pa_key is None:
        return None
    from callsheet.signing.signer import Signer

    return Signer(settings.c2pa_cert, settings.c2pa_key)


def check(settings: Settings, archive: Archive) -> None:
    """Can what will be made be signed? CannotSign, before it is paid for."""
    signer = signer_of(settings)
    if signer is not None and archive.mark:
        try:
            signer.check()
        except CannotSign as error:
            error.spent = "no"
            raise


def signed_place(received: Path) -> Path:
    """Where a signed film lies until it is archived: a second signature would be other bytes."""
    return received.with_name(f"{received.stem}.signed.mp4")


def _signed(signer: "Signer", film: Film, place: Path, key: str, document: Sidecar | StrayRecord) -> Film:
    """The film with its C2PA manifest; the one that was signed for this very mark before, where there is one.

    Complete and synced before it has its name.
    """
    if not _has_packet(place, _packet_of(film)):
        half = film.path.with_name(f".{place.stem}.part-{os.getpid()}.mp4")
        try:
            with _SIGNING:
                signer.sign(film.path, half, _claim(film, key, document))
            with half.open("rb") as written:
                os.fsync(written.fileno())
            half.replace(place)
        finally:
            half.unlink(missing_ok=True)
    with _SIGNING:
        said = signer.read(place)
    signature = SignatureRecord(**asdict(said))
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    record = film.record.model_copy(update={"signature": signature, "offset": None, "closed": None})
    return replace(film, path=place, sha256=digest, bytes=place.stat().st_size, record=record)


def _claim(film: Film, key: str, document: Sidecar | StrayRecord) -> "Claim":
    from callsheet.signing.signer import Claim

    model, _ = _made_by(document)
    clip = None
    if isinstance(document, Sidecar) and document.clip is not None and _is_edit(film.record):
        clip = (document.clip.name, document.clip.prepared_sha256)
    return Claim(
        title=f"{key.rpartition('/')[2]}.mp4",
        source_type=marking.VOCABULARY + (film.record.digital_source_type or ""),
        model=model,
        job=document.job.job,
        version=document.callsheet,
        clip=clip,
    )


def _is_edit(record: MarkingRecord) -> bool:
    """Was something opened and changed, by C2PA's words, and not made anew?"""
    return record.digital_source_type in ("compositeWithTrainedAlgorithmicMedia", "algorithmicallyEnhanced")


def _packet_of(film: Film) -> bytes:
    """The box of the mark in a film that has just been marked."""
    with film.path.open("rb") as file:
        return _at(file, film.record.offset or 0, film.record.bytes or 0)


def _has_packet(place: Path, content: bytes) -> bool:
    """Is there a whole film with this very mark?"""
    if not place.is_file():
        return False
    with place.open("rb") as file:
        found = _layout(file, place.stat().st_size)
        if isinstance(found, str):
            return False
        return any(_at(file, offset - 24, size + 24) == content for offset, size in found.packets)


def _film(
    take: Take,
    received: Path,
    downloaded: Downloaded,
    copy: Path,
    key: str,
    document: Sidecar | StrayRecord,
    *,
    is_wanted: bool,
) -> Film:
    with received.open("rb") as source:
        found = _layout(source, downloaded.bytes)
        says = "" if isinstance(found, str) else _said(source, found)
        record = MarkingRecord(state="off", received_says=says or None)
        as_it_is = Film(
            path=received, sha256=downloaded.sha256, bytes=downloaded.bytes, received=downloaded, record=record
        )
        if not is_wanted:
            return as_it_is
        if isinstance(found, str):
            log.warning("take %d %s is archived without a mark: %s", take.id, take.slug, found)
            return replace(as_it_is, record=MarkingRecord(state="impossible", why=found))
        if found.has_c2pa:
            why = "it came with a C2PA manifest of its own, whose signature a change would break"
            return replace(as_it_is, record=record.model_copy(update={"state": "kept", "why": why}))
        return _written(source, downloaded, found, _mark(take, key, document, says), copy, record)


def _mark(take: Take, key: str, document: Sidecar | StrayRecord, says: str) -> Mark:
    name, has_clip = _made_by(document)
    model = catalogue.models().get(name)
    term = marking.term_for(model.kind if model else "edit", is_draft=take.route in PLAY, has_clip=has_clip, said=says)
    return Mark(term=term, model=name, job=take.job, sidecar=f"{key}.json")


def _made_by(document: Sidecar | StrayRecord) -> tuple[str, bool]:
    """The model, and whether it was given a clip."""
    if isinstance(document, Sidecar):
        return document.axes.model, document.clip is not None
    identity = document.identity or {}
    return str(identity.get("model", "")), bool(identity.get("clip"))


def _layout(source: BinaryIO, length: int) -> Layout | str:
    """Or why there is none."""
    try:
        return marking.layout(lambda offset, size: _at(source, offset, size), length)
    except NotMarkable as error:
        return str(error)


def _said(source: BinaryIO, found: Layout) -> str:
    """The term that the film came with, if any."""
    packets = (_at(source, offset, min(size, marking.MOST_PACKET)) for offset, size in found.packets)
    return next((said for said in map(marking.said_in, packets) if said), "")


def _at(source: BinaryIO, offset: int, size: int) -> bytes:
    source.seek(offset)
    return source.read(size)


def _written(
    source: BinaryIO, downloaded: Downloaded, found: Layout, mark: Mark, copy: Path, record: MarkingRecord
) -> Film:
    content = marking.box(marking.packet(mark))
    running, size = hashlib.sha256(), 0
    private.folder(copy.parent)
    with copy.open("wb") as target:
        for chunk in _pieces(source, found, content):
            running.update(chunk)
            size += target.write(chunk)
    told = {
        "state": "added",
        "digital_source_type": mark.term,
        "offset": found.seam,
        "bytes": len(content),
        "closed": found.closed,
    }
    return Film(
        path=copy,
        sha256=running.hexdigest(),
        bytes=size,
        received=downloaded,
        record=record.model_copy(update=told),
    )


def _pieces(source: BinaryIO, found: Layout, content: bytes) -> Iterator[bytes]:
    """The film with the box in it, piece by piece."""
    begin = 0
    if found.closed is not None:
        yield from _stretch(source, 0, found.closed)
        yield found.closed_size.to_bytes(4, "big")
        begin = found.closed + 4
    yield from _stretch(source, begin, found.seam)
    yield content
    yield from _stretch(source, found.seam, None)


def _stretch(source: BinaryIO, begin: int, end: int | None) -> Iterator[bytes]:
    """From one byte to another; to the end of the file."""
    source.seek(begin)
    at = begin
    while chunk := source.read(CHUNK if end is None else min(CHUNK, end - at)):
        at += len(chunk)
        yield chunk


@contextmanager
def _told(copy: Path) -> Iterator[None]:
    """What the system says of the copy: the result itself is safe."""
    try:
        yield
    except OSError as error:
        raise StoreUnreachable(
            f"The result cannot be marked: {error.strerror or error}.",
            where=str(copy.parent),
            hint="Make room under CALLSHEET_HOME and run again: what was fetched is kept there.",
        ) from error
