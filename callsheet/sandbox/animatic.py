"""Drafts of a prompt alone: a titled animatic, a painted place under a moving camera, in the look of the prompt."""

import asyncio
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from callsheet.media import samples
from callsheet.media.command import Progress, still
from callsheet.sandbox import ambience, camera, colour, grading, graph, looks, output, scenes, titles
from callsheet.sandbox.camera import Move
from callsheet.sandbox.scenes import Scene
from callsheet.sandbox.shot import PLAIN_SHAPE, RATE, Part, Shot, Size, parts_of, size_of
from callsheet.sandbox.stillfilm import shown

#: Widths of the frame in a second that clouds and lights drift.
DRIFT = 0.02
#: How much further the ground moves than the sky.
NEARER = 1.7


async def render(shot: Shot, target: Path, folder: Path, on_progress: Progress) -> None:
    size = size_of(shot.aspect_ratio or PLAIN_SHAPE, shot.area)
    streams = []
    for part in parts_of(shot):
        place = folder / f"part-{part.number}"
        place.mkdir()
        streams.append(await asyncio.to_thread(_filmed, part, size, place))
    picture = streams[0] if len(streams) == 1 else ffmpeg.concat(*streams)
    sound = ambience.bed(shot) if shot.wants_sound else None
    await output.save(
        target, picture, sound, codec="aac", seconds=shot.seconds, on_progress=on_progress, made="algorithmicMedia"
    )


def _filmed(part: Part, size: Size, folder: Path) -> Any:
    scene = scenes.paint(part.prompt, size, folder)
    look = looks.of_prompt(part.prompt, has_references=False, denied=part.denied)
    cube = folder / "look.cube"
    colours = [colour.lab_of_pixels(samples.of_still(path)) for path in (scene.back, scene.front) if path is not None]
    grading.write_cube(cube, np.concatenate(colours), [], look)
    card = titles.draw(part, size, folder / "title.png")
    picture = _composed(part, scene, size)
    seconds = part.frames / RATE
    drawn = graph.drawn_for(look, size, folder)
    return graph.dressed(
        picture, look, drawn, cube=cube, folder=folder, size=size, seconds=seconds, title=_card(card, part)
    )


def _composed(part: Part, scene: Scene, size: Size) -> Any:
    """Sky, then what drifts, then the ground, which moves further: it is nearer."""
    move = camera.move_for(part.prompt, (0.5, 0.45))
    picture = shown(scene.back, move, part.frames, size)
    picture = ffmpeg.overlay(picture, _drifting(scene.drift, part), x=f"-mod(t*{DRIFT * size[0]:.2f},{size[0]})", y=0)
    if scene.front is None:
        return picture
    return ffmpeg.overlay(picture, shown(scene.front, _nearer(move), part.frames, size, alpha=True))


def _drifting(path: Path, part: Part) -> Any:
    sheet = still(path, framerate=RATE).filter("loop", loop=-1, size=1)
    return sheet.filter("trim", end_frame=part.frames)


def _nearer(move: Move) -> Move:
    """The same move for what is close: wider and further."""
    return camera.scaled(move, NEARER)


def _card(path: Path, part: Part) -> Any:
    """Comes in after a moment and leaves before the end; in a short shot it stays."""
    seconds = part.frames / RATE
    card = still(path, framerate=RATE).filter("loop", loop=-1, size=1).filter("trim", end_frame=part.frames)
    ease = min(0.7, seconds / 6)
    card = card.filter("fade", t="in", st=round(min(0.3, seconds / 12), 3), d=round(ease, 3), alpha=1)
    return card.filter("fade", t="out", st=round(seconds - ease - 0.15, 3), d=round(ease, 3), alpha=1)
