"""Films with a defect, on cue: what a check of results has to find, made of a draft that has none."""

import asyncio
from fractions import Fraction
from pathlib import Path
from shutil import copyfile
from typing import Any, get_args

from callsheet import marking
from callsheet.marking import Term
from callsheet.media import probe
from callsheet.media.command import source
from callsheet.sandbox import output
from callsheet.sandbox.faults import Defect


async def spoil(film: Path, defect: Defect, *, clip: Path | None) -> None:
    """Break a finished film, in its place. What it lacks cannot be broken: sound of a silent film, a clip to be unchanged."""
    if defect == "unchanged":
        if clip is not None:
            await asyncio.to_thread(_copy, clip, film)
        return
    facts, made = await asyncio.to_thread(probe.clip, film), await asyncio.to_thread(_made, film)
    streams = source(film)
    picture = _picture(streams["v:0"], defect, facts.seconds)
    sound = _sound(streams["a:0"], defect) if facts.has_sound else None
    await output.save(
        film, picture, sound, codec="aac", seconds=facts.seconds, on_progress=lambda _part: None, made=made
    )


def _made(film: Path) -> Term:
    """How the draft says that it was made, in the box at its end."""
    with film.open("rb") as file:
        file.seek(max(0, film.stat().st_size - marking.MOST_PACKET))
        said = marking.said_in(file.read())
    return next((term for term in get_args(Term) if term == said), "algorithmicMedia")


def _copy(clip: Path, film: Path) -> None:
    """In its place, and not into it: it may be the clip itself, by another name."""
    part = film.with_name(f".{film.name}.part")
    copyfile(clip, part)
    part.replace(film)


def _picture(picture: Any, defect: Defect, seconds: Fraction) -> Any:
    from_, to = float(seconds) * 0.4, float(seconds) * 0.7
    between = f"between(t,{from_:.3f},{to:.3f})"
    if defect == "frozen":
        held = picture.filter("trim", end=from_).filter("setpts", "PTS-STARTPTS")
        return held.filter("tpad", stop_mode="clone", stop_duration=float(seconds) - from_)
    if defect == "black":
        return picture.filter("drawbox", color="black", t="fill", enable=between)
    if defect == "flicker":
        return picture.filter("eq", brightness="0.1*sin(2*PI*8*t)", eval="frame")
    if defect == "green":
        return picture.filter("lutyuv", y=0, u=0, v=0, enable=between)
    if defect == "stretched":
        return picture.filter("scale", "trunc(iw/3)*2", "ih").filter("setsar", 1)
    return picture


def _sound(sound: Any, defect: Defect) -> Any:
    if defect == "silent":
        return sound.filter("volume", 0)
    return sound.filter("adelay", "400", all=1) if defect == "late" else sound
