"""Drafts of stills: the camera moves over one, or over several that turn into each other, in the look of the prompt."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from callsheet.marking import Term
from callsheet.media.command import Progress, still
from callsheet.sandbox import ambience, camera, canvas, dissolve, grading, graph, looks, output, style
from callsheet.sandbox.camera import Move, View
from callsheet.sandbox.canvas import Ground
from callsheet.sandbox.shot import RATE, Part, Shot, Size, fitted, parts_of, size_of

#: How much of a still's time it shares with its neighbour.
SHARED = 0.45


async def render(shot: Shot, target: Path, folder: Path, on_progress: Progress) -> None:
    """Unacceptable where an image cannot be read."""
    size = await asyncio.to_thread(_size, shot)
    grounds = [
        await canvas.lay(path, size, folder / f"ground-{number}.png")
        for number, (path, _) in enumerate(shot.references)
    ]
    streams: list[Any] = []
    made: Term = "algorithmicallyEnhanced"
    parts = parts_of(shot)
    for part in parts:
        place = folder / f"part-{part.number}"
        place.mkdir()
        stream, is_painted = await _filmed(part, _seen_in(part, grounds), size, place)
        streams.append(stream)
        made = "compositeWithTrainedAlgorithmicMedia" if is_painted else made
    picture = streams[0] if len(streams) == 1 else ffmpeg.concat(*streams)
    sound = ambience.bed(shot) if shot.wants_sound else None
    await output.save(target, picture, sound, codec="aac", seconds=shot.seconds, on_progress=on_progress, made=made)


def _size(shot: Shot) -> Size:
    """As asked, else the first still's own shape."""
    if shot.aspect_ratio is not None:
        return size_of(shot.aspect_ratio, shot.area)
    width, height = canvas.opened(shot.references[0][0]).size
    enlarged = max(1.0, (shot.area / (width * height)) ** 0.5)
    return fitted(round(width * enlarged), round(height * enlarged), shot.area)


def _seen_in(part: Part, grounds: Sequence[Ground]) -> Sequence[Ground]:
    """All of them in one shot; one by one where there are several shots."""
    if part.count == 1:
        return grounds
    return [grounds[(part.number - 1) * len(grounds) // part.count]]


async def _filmed(part: Part, grounds: Sequence[Ground], size: Size, folder: Path) -> tuple[Any, bool]:
    """The stream, and whether a network painted it."""
    grounds = [await asyncio.to_thread(_copied, ground, folder) for ground in grounds]
    look = looks.of_prompt(part.prompt, has_references=False, denied=part.denied)
    painter = style.painter_for(look)
    if painter is not None:
        for ground in grounds:
            await asyncio.to_thread(style.repaint, ground.path, painter)
        look = looks.unpainted(look)
    picture = await asyncio.to_thread(_played, part, grounds, size, folder)
    cube = folder / "look.cube"
    colours = np.concatenate([ground.lab for ground in grounds])
    await asyncio.to_thread(grading.write_cube, cube, colours, [], look)
    drawn = await asyncio.to_thread(graph.drawn_for, look, size, folder)
    dressed = await asyncio.to_thread(
        graph.dressed, picture, look, drawn, cube=cube, folder=folder, size=size, seconds=part.frames / RATE
    )
    return dressed, painter is not None


def _copied(ground: Ground, folder: Path) -> Ground:
    """The ground of one part alone: ffmpeg-python takes two inputs of one path for the same stream, which is used up once."""
    copy = folder / ground.path.name
    copy.write_bytes(ground.path.read_bytes())
    return replace(ground, path=copy)


def _played(part: Part, grounds: Sequence[Ground], size: Size, folder: Path) -> Any:
    """The stills one after the other, each under its move, until the part is over."""
    count = len(grounds)
    shared = round(part.frames / count * SHARED) if count > 1 else 0
    each = -(-(part.frames + (count - 1) * shared) // count)
    picture = None
    for number, (ground, move) in enumerate(zip(grounds, _moves(part.prompt, grounds), strict=True)):
        next_one = shown(ground.path, move, each, size, space=ground.space)
        if picture is None:
            picture = next_one
            continue
        mask = dissolve.draw_mask(ground.path, size, folder / f"mask-{number}.png")
        picture = dissolve.merged(picture, next_one, mask, start=number * (each - shared), frames=shared)
    return picture.filter("trim", end_frame=part.frames) if picture is not None else None


def _moves(prompt: str, grounds: Sequence[Ground]) -> list[Move]:
    """One still as the prompt says; of several the first all, then near the subject, from subject to subject, the last all."""
    moves = [camera.move_for(prompt, ground.focus, space=ground.space) for ground in grounds]
    if len(moves) == 1:
        return moves
    nears = [View(x=ground.focus[0], y=ground.focus[1], zoom=1.3) for ground in grounds]
    wide = View(x=0.5, y=0.5, zoom=1.0)
    told = []
    for number, (move, near) in enumerate(zip(moves, nears, strict=True)):
        start, end = (wide if number == 0 else near), (wide if number == len(moves) - 1 else near)
        space = grounds[number].space
        told.append(Move(start=camera.inside(start, space), end=camera.inside(end, space), sway=move.sway))
    return told


def shown(
    path: Path, move: Move, frames: int, size: Size, *, space: camera.Point = (1.0, 1.0), alpha: bool = False
) -> Any:
    """A still as a stream of so many frames under this move, of this size."""
    picture = still(path, framerate=RATE).filter("scale", out_color_matrix="bt709", out_range="tv")
    picture = (
        picture.filter("format", "yuva420p" if alpha else "yuv420p")
        .filter("loop", loop=-1, size=1)
        .filter("trim", end_frame=frames)
    )
    moving = camera.moved(picture, move, frames, space=space)
    return moving.filter("scale", *size, flags="bicubic", in_color_matrix="bt709").filter("setsar", 1)
