"""Look at a result before it counts as good: measured on the decode that it goes through anyway, judged, told.

A flag stops nothing, for the film is paid for. Nor does a check that cannot run: then the film is archived with no verdict,
and the log says why.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from callsheet import catalogue
from callsheet.campaign import NATIVE
from callsheet.errors import CallsheetError, ToolMissing
from callsheet.limits import ClipFacts
from callsheet.media import command
from callsheet.plan import Line
from callsheet.quality import Asked, judge, sound_of, spoken
from callsheet.sidecar import Quality
from callsheet.steps import prepare
from callsheet.steps.studio import Studio
from callsheet.sweep import Variant
from callsheet.take import Take

if TYPE_CHECKING:
    from callsheet.media.look import Look
    from callsheet.media.quality import Traits

log = logging.getLogger("callsheet.takes")

#: Looks at sources that are kept, 5 MB each: variants of one clip come home at about the same time.
MOST_LOOKS = 16
#: Looks at results that are kept: a sandbox that copies, for a load test, sends the same film again and again.
MOST_FILMS = 4


def time_limit(facts: ClipFacts) -> timedelta:
    """Wall clock for one decode."""
    return timedelta(seconds=60 + 30 * float(facts.seconds))


async def decoded(studio: Studio, path: Path, sha256: str, facts: ClipFacts) -> "Traits | None":
    """Decode a result to its last frame. ToolMissing, TookTooLong; ToolFailed where its picture is damaged.

    The same bytes once, for as long as they are remembered. None where only the look at it failed: its sound is damaged,
    there is no room for the small copy, it is too long.
    """
    try:
        return await _once(studio.films, MOST_FILMS, sha256, lambda: _looked(studio, path, facts))
    except ToolMissing:
        raise
    except Exception as error:  # whatever it is: the decode alone says whether the film is good
        async with studio.decoders:
            await command.check_decodes(path, time_limit=time_limit(facts))
        log.warning("%s is not checked: %s", path.name, error)
        return None


async def inspect(studio: Studio, line: Line, take: Take, film: "Traits | None") -> Quality | None:
    """The verdict of every check on this result. None where it cannot be had: that is logged, and loses nothing."""
    if film is None:
        return None
    try:
        source, sound = await _sources(studio, line.variant)
        quality = await asyncio.to_thread(_judged, line, film, source, sound)
    except CallsheetError as error:
        log.warning("take %d %s is not checked: %s", take.id, take.slug, error.what)
        return None
    except Exception:  # a defect of a check must not lose what is paid for
        log.exception("take %d %s is not checked", take.id, take.slug)
        return None
    studio.qualities[take.id] = quality
    if quality.verdict == "flag":
        log.warning("take %d %s: flagged: %s", take.id, take.slug, spoken(quality))
    return quality


def words(quality: Quality | None) -> str:
    """Behind a place: "; flagged: frozen 1.20 s at 3.1 s". Empty where nothing is flagged."""
    return f"; flagged: {spoken(quality)}" if quality is not None and quality.verdict == "flag" else ""


def counted(qualities: Iterable[Quality | None]) -> str:
    """ "2 of 40 flagged: 1 frozen, 1 sync". Empty where nothing is flagged."""
    known = [quality for quality in qualities if quality is not None]
    flagged = [quality for quality in known if quality.verdict == "flag"]
    if not flagged:
        return ""
    checks = [one.check for quality in flagged for one in quality.findings if one.verdict == "flag"]
    counts = ", ".join(f"{checks.count(check)} {check}" for check in dict.fromkeys(checks))
    return f"{len(flagged)} of {len(known)} flagged: {counts}"


async def _sources(studio: Studio, variant: Variant) -> "tuple[Traits | None, Traits | None]":
    """(what the film is an edit of, what its sound is compared with)."""
    if not variant.clip:
        return None, None
    clip = await prepare.prepared_clip(studio, variant)
    seen = await _once(studio.looks, MOST_LOOKS, clip.sha256, lambda: _looked(studio, clip.path))
    return (seen if catalogue.model(variant.model).kind == "edit" else None), seen


async def _once(
    known: "dict[str, asyncio.Task[Traits]]",
    most: int,
    sha256: str,
    look: "Callable[[], Coroutine[None, None, Traits]]",
) -> "Traits":
    """The look at these bytes, once for all that ask; those that were asked for last are kept, and no failure is."""
    work = known.pop(sha256, None)
    if work is None or (work.done() and (work.cancelled() or work.exception() is not None)):
        work = asyncio.create_task(look())
    known[sha256] = work
    while len(known) > most:
        del known[next(iter(known))]
    return await asyncio.shield(work)


async def _looked(studio: Studio, path: Path, facts: ClipFacts | None = None) -> "Traits":
    from callsheet.media import look, probe, quality  # slow to load, and not needed before something is sent

    if facts is None:
        facts = await asyncio.to_thread(probe.clip, path)
    async with studio.decoders:
        return quality.Traits(await look.of_film(path, facts, time_limit=time_limit(facts)))


def _judged(line: Line, film: "Traits", source: "Traits | None", sound: "Traits | None") -> Quality:
    from callsheet.media import quality

    measured = quality.measure(film, source, None if sound is None else sound.look.sound)
    return judge(measured, asked_of(line, None if sound is None else sound.look, is_edit=source is not None))


def asked_of(line: Line, clip: "Look | None", *, is_edit: bool) -> Asked:
    """What this line asks for. clip: the prepared one."""
    variant = line.variant
    model = catalogue.model(variant.model)
    own = None if clip is None else Fraction(clip.facts.width, clip.facts.height)
    shape, name = _shape(variant, own if is_edit else None)
    has_sound = clip is not None and clip.sound is not None
    return Asked(
        seconds=None if model.price.quantity == "one" else float(line.seconds),
        shape=shape,
        shape_name=name,
        sound=sound_of(model, variant.options, keeps=variant.keep_original_sound, source_has_sound=has_sound),
        has_source=is_edit,
        source_rate=clip.rate if is_edit and clip is not None else None,
        source_shape=own if is_edit else None,
    )


def _shape(variant: Variant, clip: Fraction | None) -> tuple[Fraction | None, str]:
    """As the campaign says; of an edit whose model has no say in it, the clip's own."""
    if variant.aspect_ratio in ("", NATIVE):
        return clip, "the shape of its clip"
    return Fraction(variant.aspect_ratio.replace(":", "/")), variant.aspect_ratio
