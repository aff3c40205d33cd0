"""Prepared media: each distinct clip (bytes, window, framing) and still once, in a cache named by content.

A file appears in the cache only complete and verified, with its facts beside it; the facts are written last and are what
makes an entry count. Two processes preparing the same thing wait for each other (a lock that dies with its process).
A cache that cannot be written, as on a full disk, is CannotWrite, whichever of its files met it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from callsheet import catalogue
from callsheet.errors import MediaError, PlanChanged
from callsheet.limits import ClipFacts, ClipPreparation
from callsheet.media import command
from callsheet.media.command import Progress
from callsheet.mending import shape_of
from callsheet.plan import decimal_seconds
from callsheet.steps import cache, private
from callsheet.steps import studio as studios
from callsheet.steps.cache import PreparedFile
from callsheet.steps.studio import Studio
from callsheet.steps.survey import Surveyed, clip_need, hash_of
from callsheet.sweep import Variant
from callsheet.tariff import billed_seconds

log = logging.getLogger("callsheet.media")


async def prepare(label: str, *, on_encode: Progress | None = None) -> None:
    """Have the clip and the references of this variant ready. MediaError; PlanChanged when the price would differ.

    on_encode: hears how far ffmpeg is with this variant's clip, 0.0 to 1.0, where it works for this variant first.
    """
    studio = studios.current()
    variant = studio.line(label).variant
    studio.tell(label, "prepare", "began")
    if variant.clip:
        _refuse_other_price(studio, label, await prepared_clip(studio, variant, on_encode=on_encode))
    for number in range(len(studio.drawn.survey.stills[variant.references])):
        await prepared_still(studio, variant, number)
    studio.tell(label, "prepare", "done", 1.0)


async def prepared_clip(studio: Studio, variant: Variant, *, on_encode: Progress | None = None) -> PreparedFile:
    """The prepared clip of a variant, from the cache or made now."""
    surveyed = studio.drawn.survey.clips[variant.clip]
    preparation = studio.drawn.survey.clip_preparation(variant)
    limits = clip_need(variant).limits

    def moved(fraction: float) -> None:
        studio.tell(variant.label, "prepare", "moved", fraction, variant.clip)
        if on_encode is not None:
            on_encode(fraction)

    async def make(target: Path) -> PreparedFile:
        from callsheet.media import clips  # slow to load, and not needed for what is prepared already

        async with studio.encoders, _refusing_changed(studio, surveyed, target):
            began = time.monotonic()
            if preparation.decision == "transcode":
                moved(0.0)
            facts = await clips.prepare(
                surveyed.path, preparation, target, limits, on_progress=moved, threads=studio.threads
            )
        moved(1.0)
        _log(variant.clip, preparation, surveyed.facts, facts, time.monotonic() - began)
        return PreparedFile(
            path=target,
            sha256=await asyncio.to_thread(hash_of, target),
            bytes=facts.bytes,
            width=facts.width,
            height=facts.height,
            seconds=facts.seconds,
            source=surveyed.sha256,
        )

    return await _once(studio, cache.clip_entry(surveyed.sha256, preparation), make)


async def prepared_still(studio: Studio, variant: Variant, number: int) -> PreparedFile:
    """One prepared reference image of a variant, from the cache or made now."""
    surveyed = studio.drawn.survey.stills[variant.references][number]
    preparation = studio.drawn.survey.still_preparation(variant, surveyed.path)

    async def make(target: Path) -> PreparedFile:
        from callsheet.media import stills  # as above

        async with _refusing_changed(studio, surveyed, target), studio.stills:
            facts = await asyncio.to_thread(stills.prepare, surveyed.path, preparation, target)
        sha256 = await asyncio.to_thread(hash_of, target)
        return PreparedFile(
            path=target,
            sha256=sha256,
            bytes=facts.bytes,
            width=facts.width,
            height=facts.height,
            source=surveyed.sha256,
        )

    return await _once(studio, cache.still_entry(surveyed.sha256, preparation), make)


def _log(name: str, preparation: ClipPreparation, before: ClipFacts, after: ClipFacts, seconds: float) -> None:
    """One line a clip: Prefect shows it with the run."""
    why = f" ({'; '.join(preparation.reasons)})" if preparation.reasons else ""
    was, made = shape_of(before).spoken, shape_of(after).spoken
    log.info("clip %s: %s%s in %.1f s: %s -> %s", name, preparation.decision, why, seconds, was, made)


def _refuse_other_price(studio: Studio, label: str, clip: PreparedFile) -> None:
    """The last guard of an exact plan: what was made is billed as what was approved, or nothing is sent."""
    line = studio.line(label)
    rule = catalogue.model(line.variant.model).price
    if rule.quantity != "clip":
        return
    if billed_seconds(rule, clip.seconds) != billed_seconds(rule, line.seconds):
        raise PlanChanged(
            f"the prepared clip is {decimal_seconds(clip.seconds)} s long, and {decimal_seconds(line.seconds)} s were planned.",
            where=label,
            hint="Please report this clip: the plan has to be exact.",
        )


@asynccontextmanager
async def _refusing_changed(studio: Studio, surveyed: Surveyed[Any], target: Path) -> AsyncIterator[None]:
    """PlanChanged where the source was changed meanwhile: also where it then looked damaged, which is not what to mend."""
    try:
        yield
    except MediaError:
        await asyncio.to_thread(_refuse_changed, studio, surveyed, target)
        raise
    await asyncio.to_thread(_refuse_changed, studio, surveyed, target)


def _refuse_changed(studio: Studio, surveyed: Surveyed[Any], made: Path) -> None:
    """PlanChanged where the source is no longer the bytes that the plan read, and then `made` is of nobody knows what:
    its render would count as one of the old bytes for ever."""
    if hash_of(surveyed.path) == surveyed.sha256:
        return
    made.unlink(missing_ok=True)
    raise PlanChanged(
        f"{studio.drawn.loaded.shown(surveyed.path)} was changed while this ran, after it was planned.",
        hint="Run again when it is saved: the plan then is of what it is now.",
    )


async def _once(studio: Studio, entry: str, make: Callable[[Path], Awaitable[PreparedFile]]) -> PreparedFile:
    """Variants that need the same file wait for the one that makes it; a failure is forgotten, so that a retry tries."""
    work = studio.prepared.get(entry)
    if work is None:
        target = cache.place(studio.home, entry)
        work = studio.prepared[entry] = asyncio.create_task(_cached(target, make))
    try:
        return await asyncio.shield(work)
    except Exception:
        if studio.prepared.get(entry) is work:
            del studio.prepared[entry]
        raise


async def _cached(target: Path, make: Callable[[Path], Awaitable[PreparedFile]]) -> PreparedFile:
    with command.written_to(target.parent):
        private.folder(target.parent)
        async with cache.locked(cache.lock_file(target)):
            known = cache.recall(target)
            if known is not None:
                cache.used(cache.facts_file(target))
                return known
            made = await make(target)
            cache.remember(made)
            return made
