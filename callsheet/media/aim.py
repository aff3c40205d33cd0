"""Where the window of a clip's crop has to lie, found by looking through the clip: the async half of `reframe`."""

import asyncio
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from callsheet.errors import ToolFailed, Unacceptable
from callsheet.limits import ClipFacts, ClipPreparation, Course
from callsheet.media import command, reframe, samples

#: Positions are told in ten-thousandths of the window's way, times in milliseconds: what is told is what is made.
PLACES, TICKS = 10_000, 1000
#: A window that moves by less than this share of its way stands still.
STILL = 0.03


@dataclass(frozen=True, kw_only=True)
class Aimed:
    """A course, the share of the subject that its window holds at its worst moment, and that moment in the source."""

    course: Course
    held: float
    worst_at: Fraction


async def aim(path: Path, facts: ClipFacts, preparation: ClipPreparation) -> Aimed:
    """Look through the part of the clip that is prepared: 0.1 to 1 s of work. The same bytes give the same course.

    Raises Unacceptable where it does not decode or has no picture there, ToolFailed where that takes too long.
    """
    try:
        sampled = await samples.of_clip(path, facts, start=preparation.start, seconds=preparation.reads)
    except command.TookTooLong:
        raise
    except ToolFailed as error:
        what, hint = "is damaged: it does not decode to its end.", "Copy or export it again."
        raise Unacceptable(what, where=str(path), hint=hint) from error
    ratio = Fraction(preparation.width, preparation.height)
    found = await asyncio.to_thread(reframe.aim, facts.width, facts.height, ratio, sampled)
    if found is None:
        return Aimed(course=(), held=1.0, worst_at=preparation.start)
    places = [place for _, place in found.keys]
    keys = found.keys if max(places) - min(places) >= STILL else [(0.0, sum(places) / len(places))]
    return Aimed(
        course=tuple((_told(second, TICKS), _told(place, PLACES)) for second, place in keys),
        held=found.worst,
        worst_at=preparation.start + _told(found.worst_at, TICKS),
    )


def _told(value: float, parts: int) -> Fraction:
    return Fraction(round(value * parts), parts)
