"""Drafts of a clip: edits, and what takes a clip for its motion. Every frame recoloured, relit, reframed; length kept."""

import asyncio
from fractions import Fraction
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg

from callsheet.limits import ClipFacts
from callsheet.marking import Term
from callsheet.media import reframe
from callsheet.media.command import Progress, source
from callsheet.media.reframe import Crop
from callsheet.sandbox import camera, grading, graph, looks, output, study, style
from callsheet.sandbox.output import COPIED_SOUND
from callsheet.sandbox.shot import RATE, Shot, Size, fitted, size_of
from callsheet.sandbox.study import Studied

#: Longest clip that is played back and forth: the way back is held in memory.
MOST_TURNED = Fraction(12)


async def render(shot: Shot, clip: Path, target: Path, folder: Path, on_progress: Progress) -> None:
    """ToolFailed where ffmpeg cannot decode the clip, Unacceptable where a reference cannot be read."""
    look = looks.of_prompt(shot.prompt, has_references=bool(shot.references), denied=shot.denied)
    facts = await study.facts_of(clip, shot.clip_digest)
    size = _size(shot, facts)
    studied, references, drawn = await asyncio.gather(
        study.of_clip(clip, shot.clip_digest),
        study.of_stills(shot.references),
        asyncio.to_thread(graph.drawn_for, look, size, folder),
    )
    cube = folder / "look.cube"
    await asyncio.to_thread(grading.write_cube, cube, studied.lab, references, look)
    framed = partial(_framed, clip, facts, _crop(shot, studied), size)
    picture = framed()
    made: Term = "algorithmicallyEnhanced"
    if painter := style.painter_for(look, shot.references):
        on_progress, painting = _halves(on_progress)
        picture = await style.over(
            framed, painter, size, seconds=facts.seconds, rate=facts.frame_rate, folder=folder, told=painting
        )
        look, made = looks.unpainted(look), "compositeWithTrainedAlgorithmicMedia"
    picture = _timed(_moved(picture, shot, facts), shot, facts)
    picture = await asyncio.to_thread(
        graph.dressed, picture, look, drawn, cube=cube, folder=folder, size=size, seconds=float(shot.seconds)
    )
    sound, codec = _sound(shot, clip, facts)
    await output.save(target, picture, sound, codec=codec, seconds=shot.seconds, on_progress=on_progress, made=made)


def _halves(told: Progress) -> tuple[Progress, Progress]:
    """For a draft that is painted first: the second half and the first half of its progress."""
    return lambda part: told(0.5 + part / 2), lambda part: told(part / 2)


def _size(shot: Shot, facts: ClipFacts) -> Size:
    if shot.aspect_ratio is None:
        return fitted(facts.width, facts.height, shot.area)
    return size_of(shot.aspect_ratio, shot.area)


def _crop(shot: Shot, clip: Studied) -> Crop | None:
    """The window that follows the subject, where another shape is asked for."""
    if shot.aspect_ratio is None:
        return None
    return reframe.crop_for(clip.facts.width, clip.facts.height, reframe.ratio_of(shot.aspect_ratio), clip.sampled)


def _framed(clip: Path, facts: ClipFacts, crop: Crop | None, size: Size) -> Any:
    """Crop and scale first: everything after costs by the pixel."""
    picture = source(clip, xerror=None)["v:0"]
    if crop is not None:
        picture = picture.filter("crop", crop.width, crop.height, crop.x, crop.y)
    matrix = "bt709" if facts.matrix == "unknown" else facts.matrix
    matrix = {"bt601": "smpte170m", "bt2020": "bt2020nc"}.get(matrix, matrix)
    return picture.filter("scale", *size, flags="bicubic", in_color_matrix=matrix).filter("setsar", 1)


def _moved(picture: Any, shot: Shot, facts: ClipFacts) -> Any:
    """Under the camera move that the prompt asks for by name; without one the camera is the clip's own."""
    told = camera.words_of(shot.prompt)
    if not told or "static" in told or facts.frames is None:
        return picture
    return camera.moved(picture.filter("format", "yuv420p"), camera.move_for(shot.prompt, (0.5, 0.5)), facts.frames)


def _timed(picture: Any, shot: Shot, facts: ClipFacts) -> Any:
    """An edit as long as its clip; for reference exactly as long as asked: cut, or played to and fro until it is."""
    if shot.kind != "reference-to-video":
        return picture
    has, wanted = facts.seconds, shot.seconds
    picture = picture.filter("fps", RATE)
    if has < wanted and has <= MOST_TURNED:
        ways = picture.filter("format", "yuv420p").filter_multi_output("split")
        both = ffmpeg.concat(ways[0], ways[1].filter("reverse"))
        picture = both.filter("loop", loop=-1, size=ceil(2 * (has + 1) * RATE)).filter("setpts", f"N/{RATE}/TB")
    return picture.filter("tpad", stop=-1, stop_mode="clone").filter("trim", end_frame=round(wanted * RATE))


def _sound(shot: Shot, clip: Path, facts: ClipFacts) -> tuple[Any | None, str]:
    """The stream of the sound that is kept and its codec; None, "" for none."""
    if not (shot.keep_sound and facts.has_sound):
        return None, ""
    stream = source(clip)["a:0"]
    if shot.kind == "reference-to-video":
        length = float(shot.seconds)
        return stream.filter("apad", whole_dur=length).filter("atrim", end=length), "aac"
    return stream, "copy" if facts.audio_codec in COPIED_SOUND else "aac"
