"""The pictures that a board shows of films and of their sources: where they lie in the archive, and how they get there."""

import asyncio
import logging
from hashlib import sha256
from pathlib import Path

from callsheet import naming
from callsheet.errors import ArchiveError, WouldOverwrite
from callsheet.steps import private
from callsheet.steps.cache import PreparedFile
from callsheet.steps.studio import Studio
from callsheet.take import Take

log = logging.getLogger("callsheet.media")


def folder(studio: Studio) -> str:
    """The campaign's folder in the archive: manifest and board live there."""
    return naming.slug_part(studio.plan.campaign)


def source_key(studio: Studio, clip: PreparedFile) -> str:
    return f"{folder(studio)}/review/sources/{clip.sha256[:16]}{clip.path.suffix}"


def poster_key(studio: Studio, sha256: str) -> str:
    """Of the picture of a film or a prepared clip with this digest."""
    return f"{folder(studio)}/review/posters/{sha256[:16]}.jpg"


def unfinished(studio: Studio, sha256: str) -> Path:
    """Where a picture is made. Of this run: slices of one machine make the same pictures at the same time."""
    made = studio.home / "incoming" / f"poster-{sha256[:16]}-{studio.run.id}.jpg"
    private.folder(made.parent)
    return made


async def put(studio: Studio, key: str, file: Path, digest: str) -> None:
    """Into the archive, where it may be already. ArchiveError."""
    try:
        await asyncio.to_thread(studio.store.put, key, file, sha256=digest)
    except WouldOverwrite:  # another run drew the same picture at this moment, in other bytes
        log.info("%s was put there by another run", key)


async def keep(studio: Studio, take: Take, still: bytes) -> None:
    """The picture of an archived film, from the decode that it went through: the wrap-up then need not make it. It does where
    this one is not taken, so that is only logged."""
    key, made = poster_key(studio, take.sha256), unfinished(studio, f"{take.sha256[:16]}-{take.id}")
    try:
        await asyncio.to_thread(made.write_bytes, still)
        await put(studio, key, made, sha256(still).hexdigest())
        if studio.shelf.is_apart:
            await asyncio.to_thread(studio.shelf.keep, key, made)
    except (ArchiveError, OSError) as error:
        log.info("the poster of take %d %s is made later: %s", take.id, take.slug, error)
    finally:
        made.unlink(missing_ok=True)
