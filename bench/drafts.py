"""Drafts of the sandbox, against bare ffmpeg on the same filter graph; and what a second of one costs, by kind."""

import asyncio
import hashlib
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import ffmpeg

from bench import footage
from bench.row import Row
from callsheet.catalogue import Kind
from callsheet.media import command, probe
from callsheet.sandbox import engine, output
from callsheet.sandbox.engine import Shot

#: Each measured so often, in turns with what it is compared with.
TIMES = 7
PROMPT = "The scene at dusk in light rain, film grain"


def rows(folder: Path) -> Iterator[Row]:
    """Seconds of all cores, so that what else runs does not count: an edit, first and again; then one second, by kind."""
    folder.mkdir(parents=True)
    clip = _clip(folder)
    edit = _shot("edit", clip=clip, seconds=probe.clip(clip).seconds)
    turns = [(_drafted(edit, folder), _bare(edit, folder)) for _ in range(TIMES)]
    first = min(drafted.first for drafted, _ in turns)
    again = min(drafted.again for drafted, _ in turns)
    theirs = min(seconds for _, seconds in turns)
    yield Row(what="a draft of 5 s of 720p", ours=first, against="bare ffmpeg, same graph", theirs=theirs, at_most=1.15)
    yield Row(
        what="the next draft of that clip", ours=again, against="bare ffmpeg, same graph", theirs=theirs, at_most=1.15
    )
    still = next((footage.ROOT / "media/references").glob("*.jpg"))
    kinds = (
        ("edit", edit),
        ("image to video", _shot("image-to-video", still=still)),
        ("text to video", _shot("text-to-video")),
    )
    for name, shot in kinds:
        seconds = float(shot.seconds)
        yield Row(
            what=f"a draft, {name}",
            ours=min(_drafted(shot, folder).first for _ in range(TIMES)),
            against="its seconds",
            theirs=seconds,
        )


def _clip(folder: Path) -> Path:
    target = folder / "clip.mp4"
    footage.ffmpeg(
        "-i", footage.BUNNY, "-t", "5", "-vf", "scale=1280:720", "-an", "-c:v", "libx264", "-crf", "18", target
    )
    return target


def _shot(kind: Kind, *, clip: Path | None = None, still: Path | None = None, seconds: Fraction = Fraction(5)) -> Shot:
    return Shot(
        kind=kind,
        clip=clip,
        clip_digest=hashlib.sha256(clip.read_bytes()).hexdigest() if clip else "",
        references=((still, hashlib.sha256(still.read_bytes()).hexdigest()),) if still else (),
        prompt=PROMPT,
        aspect_ratio="16:9",
        keep_sound=False,
        seconds=seconds,
    )


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """Seconds of all cores for a draft of inputs never seen, and for the next one of the same."""

    first: float
    again: float


def _drafted(shot: Shot, folder: Path) -> Drafted:
    """In a loop of its own, which nothing is remembered in."""

    async def one(prompt: str) -> float:
        began = _work()
        await engine.render(replace(shot, prompt=prompt), folder / "draft.mp4", lambda _part: None)
        return _work() - began

    async def both() -> Drafted:
        return Drafted(first=await one(PROMPT), again=await one(f"{PROMPT}."))

    return asyncio.run(both())


def _work() -> float:
    """Seconds of the processor so far, of this process and of those that it started."""
    usages = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _bare(shot: Shot, folder: Path) -> float:
    """Seconds of all cores for ffmpeg alone with the arguments that the engine would give it."""
    taken: list[float] = []

    async def run(_target: Path, *streams: Any, options: dict[str, Any], **_others: Any) -> None:
        graph = ffmpeg.output(*streams, str(folder / "bare.mp4"), **options)
        words = ffmpeg.compile(graph, cmd=[command.binary(), "-v", "error", "-nostdin"], overwrite_output=True)
        began = _work()
        subprocess.run(words, check=True)  # noqa: ASYNC221, nothing else runs
        taken.append(_work() - began)

    with mock.patch.object(output, "write", run):
        asyncio.run(engine.render(shot, folder / "bare.mp4", lambda _part: None))
    return taken[0]
