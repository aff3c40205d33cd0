"""The draft engine: a clip, a prompt and references in, a really edited video out, with ffmpeg and no model.

A draft recolours, relights and reframes every frame, and keeps its length, its frames and (if asked) its sound. It is
deterministic: the same shot gives the same picture. What depends on an input alone is worked out once a process.
"""

import asyncio
import tempfile
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from callsheet.catalogue import Kind, Options
from callsheet.errors import Unacceptable
from callsheet.limits import ClipFacts
from callsheet.media import probe, reframe, samples
from callsheet.media.command import Progress, source, still, write
from callsheet.media.reframe import Crop
from callsheet.media.samples import Numbers, Pixels, Sampled
from callsheet.sandbox import colour, looks, sheets
from callsheet.sandbox.colour import Map, Palette
from callsheet.sandbox.looks import Look
from callsheet.sandbox.sheets import Sheets

#: Pixels of a draft, and its long side, at most.
AREA = 960 * 540
LONG_SIDE = 960
#: The shapes that can be asked for, at that area; a shape that is asked for is met exactly.
SIZES = {"16:9": (960, 540), "9:16": (540, 960), "1:1": (720, 720)}
#: Frames that a palette is taken from, and inputs whose analysis is kept.
PALETTE_FRAMES = 12
KEPT = 64
#: Median lightness (OKLab) that no look may push a clip below: a dark reference and a dark word together would be black.
DARKEST = 0.40
#: Safety net under the darkroom's own limit.
TIME_LIMIT = timedelta(hours=1)
#: Written into the file, so that nobody takes a draft for the provider's work.
COMMENT = "Synthetic draft by the Callsheet sandbox; not a render of the provider's model"

#: Sound that an MP4 holds as it is; anything else is encoded.
COPIED_SOUND = ("aac", "mp3", "mp3float", "ac3", "alac")


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What to make. Digests identify the inputs' bytes; seconds is the container's length."""

    kind: Kind = "edit"
    clip: Path | None
    clip_digest: str
    references: tuple[tuple[Path, str], ...]
    prompt: str
    aspect_ratio: str | None
    keep_sound: bool
    seconds: Fraction
    options: Options = ()


@dataclass(frozen=True, kw_only=True)
class Studied:
    """What is known of a clip after looking through it."""

    facts: ClipFacts
    sampled: Sampled
    lab: Numbers


class Memory:
    """Work that depends on an input's bytes alone, done once even when two renders ask at the same time."""

    def __init__(self) -> None:
        self._done: OrderedDict[str, asyncio.Task[Any]] = OrderedDict()

    async def of(self, key: str, work: Callable[[], Awaitable[Any]]) -> Any:
        loop = asyncio.get_running_loop()
        known = self._done.get(key)
        if known is None or known.get_loop() is not loop or (known.done() and not _went_well(known)):
            known = self._done[key] = loop.create_task(_awaited(work))
            while len(self._done) > KEPT:
                self._done.popitem(last=False)
        return await asyncio.shield(known)


async def _awaited(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


def _went_well(task: "asyncio.Task[Any]") -> bool:
    return not task.cancelled() and task.exception() is None


_memory = Memory()


async def render(shot: Shot, target: Path, on_progress: Progress) -> None:
    """Make the draft of this shot at `target` (whole or not at all).

    Raises ToolFailed where ffmpeg cannot decode the clip, Unacceptable where a reference cannot be read.
    """
    if shot.clip is None:
        raise Unacceptable("needs a clip.")
    clip: Studied = await _memory.of(f"clip {shot.clip_digest}", partial(_study, shot.clip))
    references = [await _memory.of(f"still {digest}", partial(_lab_of, path)) for path, digest in shot.references]
    look = looks.of_prompt(shot.prompt, has_references=bool(references))
    size, crop = _framing(shot.aspect_ratio, clip)
    with tempfile.TemporaryDirectory(prefix="callsheet-") as folder:
        cube = Path(folder) / "look.cube"
        await asyncio.to_thread(_write_cube, cube, clip, references, look)
        drawn = await asyncio.to_thread(sheets.draw, look, *size, Path(folder))
        picture = _graph(shot.clip, clip.facts, crop, size, cube, drawn, look)
        streams, options = _with_sound(shot, shot.clip, clip.facts, picture)
        await write(
            target, *streams, options=options, seconds=shot.seconds, time_limit=TIME_LIMIT, on_progress=on_progress
        )


# --- looking at the inputs ---------------------------------------------------------------------------------------------


async def _study(path: Path) -> Studied:
    facts = await asyncio.to_thread(probe.clip, path)
    sampled = await samples.of_clip(path, facts)
    chosen = np.linspace(0, len(sampled.frames) - 1, min(PALETTE_FRAMES, len(sampled.frames))).astype(int)
    lab = await asyncio.to_thread(colour.lab_of_pixels, sampled.frames[chosen][:, ::2, ::2])
    return Studied(facts=facts, sampled=sampled, lab=lab)


async def _lab_of(path: Path) -> Numbers:
    pixels: Pixels = await asyncio.to_thread(samples.of_still, path)
    return await asyncio.to_thread(colour.lab_of_pixels, pixels)


def _framing(aspect_ratio: str | None, clip: Studied) -> tuple[tuple[int, int], Crop | None]:
    width, height = clip.facts.width, clip.facts.height
    if aspect_ratio is None:
        scale = min(1.0, (AREA / (width * height)) ** 0.5, LONG_SIDE / max(width, height))
        return (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)), None
    return SIZES[aspect_ratio], reframe.crop_for(width, height, reframe.ratio_of(aspect_ratio), clip.sampled)


# --- the colours -------------------------------------------------------------------------------------------------------


def _write_cube(path: Path, clip: Studied, references: list[Numbers], look: Look) -> None:
    path.write_text(colour.cube_text(_colours(clip.lab, references, look)), "ascii")


def _colours(clip: Numbers, references: list[Numbers], look: Look) -> Map:
    """References first (they give the palette), then the prompt (it gives the light), then not too dark."""
    pull = _pull(clip, references)
    pulled = pull(clip)
    look = looks.keyed(look, float(np.median(pulled[:, 0])))
    dim = float(np.median(looks.graded(pulled, look)[:, 0]))
    lift = max(0.0, min(DARKEST, float(np.median(clip[:, 0]))) - dim)

    def colours(lab: Numbers) -> Numbers:
        done = looks.graded(pull(lab), look)
        light = np.clip(done[:, 0], 0, 1)
        done[:, 0] = light + lift * 4 * light * (1 - light)
        return done

    return colours


def _pull(clip: Numbers, references: list[Numbers]) -> Map:
    if not references:
        return lambda lab: lab
    # Every reference counts alike, however many pixels it has.
    least = min(len(one) for one in references)
    together = np.concatenate([one[:: max(1, len(one) // least)][:least] for one in references])
    return colour.transfer(Palette.of(clip), Palette.of(together))


# --- the graph ---------------------------------------------------------------------------------------------------------


def _graph(
    path: Path, facts: ClipFacts, crop: Crop | None, size: tuple[int, int], cube: Path, drawn: Sheets, look: Look
) -> Any:
    """Crop and scale first (everything after costs by the pixel), then colour at 16 bits, then light, then the veil.

    Blends stay in RGB: a screen in YUV turns everything pink (measured).
    """
    picture = source(path, xerror=None)["v:0"]
    if crop is not None:
        picture = picture.filter("crop", crop.width, crop.height, crop.x, crop.y)
    picture = _scaled(picture, facts, size)
    picture = picture.filter("format", "gbrp16le").filter("lut3d", file=str(cube), interp="tetrahedral")
    picture = picture.filter("format", "gbrp")
    if drawn.light is not None:
        picture = _blend(picture, still(drawn.light), "multiply")
    if drawn.falling is not None:
        picture = _blend(picture, _scrolled(drawn.falling, size, look), "screen", shortest=1)
    if drawn.flare is not None:
        picture = _blend(picture, still(drawn.flare), "screen")
    if look.glow > 0.05 or look.softness > 0.05:
        picture = _glowing(picture, size, look)
    picture = ffmpeg.overlay(picture, still(drawn.veil), format="gbrp")
    picture = picture.filter("scale", out_color_matrix="bt709", out_range="tv").filter("format", "yuv420p")
    if look.grain > 0.05:
        picture = picture.filter("noise", c0s=round(2 + 4 * min(look.grain, 1.2)), c0f="t", all_seed=sheets.SEED)
    return picture


def _scaled(picture: Any, facts: ClipFacts, size: tuple[int, int]) -> Any:
    matrix = "bt709" if facts.matrix == "unknown" else facts.matrix
    matrix = {"bt601": "smpte170m", "bt2020": "bt2020nc"}.get(matrix, matrix)
    return picture.filter("scale", *size, flags="bicubic", in_color_matrix=matrix).filter("setsar", 1)


def _blend(below: Any, above: Any, mode: str, opacity: float = 1.0, **options: Any) -> Any:
    rgb = above.filter("format", "gbrp")
    return ffmpeg.filter([below, rgb], "blend", all_mode=mode, all_opacity=round(opacity, 3), **options)


def _scrolled(path: Path, size: tuple[int, int], look: Look) -> Any:
    """A window that climbs a sheet of two equal halves, so that what is drawn on it falls for ever."""
    width, height = size
    speed = height * (0.16 if look.snow >= look.rain else 1.9)
    # The filter repeats the decoded picture; the demuxer's own loop would decode the PNG for every frame.
    sheet = still(path).filter("format", "gray").filter("loop", loop=-1, size=1).filter("setpts", "N/30/TB")
    window = sheet.filter("crop", width, height, "0", f"{height}-mod(t*{speed:.1f},{height})")
    return window.filter("format", "gbrp")


def _glowing(picture: Any, size: tuple[int, int], look: Look) -> Any:
    """Bright parts bleed into their surroundings. Blurred at a quarter of the size, or it would cost more than all else."""
    width, height = size
    parts = picture.filter_multi_output("split")
    small = parts[1].filter("scale", max(2, width // 4), max(2, height // 4), flags="bilinear")
    wide = small.filter("gblur", sigma=round(max(size) / 4 * (0.010 + 0.022 * min(look.bloom, 1.5)), 2), steps=2)
    glow = max(look.glow, 0.0)
    bright = wide.filter("curves", all="0/0 0.35/0.04 0.7/0.42 1/0.9").filter("scale", width, height, flags="bilinear")
    lit = _blend(parts[0], bright, "screen", opacity=min(0.85, glow))
    if look.softness <= 0.05:
        return lit
    again = lit.filter_multi_output("split")
    soft = again[1].filter("gblur", sigma=round(max(size) / 420, 2), steps=1)
    return _blend(again[0], soft, "normal", opacity=1 - 0.6 * min(look.softness, 1.0))


def _with_sound(shot: Shot, path: Path, facts: ClipFacts, picture: Any) -> tuple[list[Any], dict[str, Any]]:
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": "veryfast",
        "crf": 21,
        "fps_mode": "passthrough",
        "colorspace": "bt709",
        "color_primaries": "bt709",
        "color_trc": "bt709",
        "movflags": "+faststart",
        "map_metadata": -1,
        "metadata": f"comment={COMMENT}",
    }
    if not (shot.keep_sound and facts.has_sound):
        return [picture], options
    codec = "copy" if facts.audio_codec in COPIED_SOUND else "aac"
    return [picture, source(path)["a:0"]], {**options, "c:a": codec}
