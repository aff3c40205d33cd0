"""A few small pictures of a clip, and of a still, as arrays: what colours and crops are worked out from."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from callsheet.errors import ToolFailed, Unacceptable
from callsheet.limits import ClipFacts
from callsheet.media.command import source, write

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float64]

#: Frames looked at in a second of clip, and the long side of each, in pixels.
PER_SECOND = 6
LONG_SIDE = 160
#: Options of a decoder: frames that no other refers to are left out, and blocks are not smoothed, which
#: 160 pixels do not show.
IN_PASSING = MappingProxyType({"skip_frame": "noref", "skip_loop_filter": "all"})
#: Wall clock for looking through one clip.
TIME_LIMIT = timedelta(seconds=120)


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """frames: (count, height, width, 3), sRGB; the first at time 0, PER_SECOND of them a second."""

    frames: Pixels

    @property
    def times(self) -> Numbers:
        return np.arange(len(self.frames)) / PER_SECOND


async def of_clip(
    path: Path, facts: ClipFacts, *, start: Fraction = Fraction(0), seconds: Fraction | None = None
) -> Sampled:
    """Sample the clip as it is shown (ffmpeg turns and squares the pixels), or so many seconds of it from `start` on.

    ToolFailed where it does not decode, Unacceptable where it has no picture there.
    """
    frames = await _frames(path, facts, start=start, seconds=seconds)
    if not len(frames):
        raise Unacceptable("no frame of the video can be decoded.")
    return Sampled(frames=frames)


async def in_passing(path: Path, facts: ClipFacts) -> Sampled:
    """The whole clip, of which less is decoded: for colours, not for what has to be the same on every version of a decoder.

    As `of_clip`, but a sample may be of a frame that is up to some tenths of a second older.
    """
    try:
        frames = await _frames(path, facts, decoder=IN_PASSING)
    except ToolFailed:
        frames = np.empty((0,), dtype=np.uint8)
    return Sampled(frames=frames) if len(frames) else await of_clip(path, facts)


async def _frames(
    path: Path,
    facts: ClipFacts,
    *,
    start: Fraction = Fraction(0),
    seconds: Fraction | None = None,
    decoder: Mapping[str, str] = MappingProxyType({}),
) -> Pixels:
    whole = facts.seconds if seconds is None else seconds
    window: dict[str, str] = {} if seconds is None else {"ss": f"{floor(start * 10**6)}us", "t": _long(seconds)}
    scale = LONG_SIDE / max(facts.width, facts.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (facts.width, facts.height))
    stream = source(path, **window, **decoder)["V:0"].filter("fps", PER_SECOND, round="up")
    stream = stream.filter("scale", width, height, flags="area")
    with tempfile.TemporaryDirectory(prefix="callsheet-") as folder:
        raw = Path(folder) / "frames.raw"
        # No more than the clip says it has: before a late last frame, the one before it would be repeated until the disk is
        # full. (`-t` on the input does not help: the filter still hears of the late end.)
        most = ceil((whole + 1) * PER_SECOND)
        options = {"f": "rawvideo", "pix_fmt": "rgb24", "frames:v": most}
        await write(raw, stream, options=options, seconds=whole, time_limit=TIME_LIMIT)
        pixels = np.fromfile(raw, dtype=np.uint8)
    count = len(pixels) // (width * height * 3)
    return pixels[: count * width * height * 3].reshape(count, height, width, 3)


def _long(seconds: Fraction) -> str:
    return f"{ceil(seconds * 10**6)}us"


def of_still(path: Path) -> Pixels:
    """The opaque pixels of a picture, (count, 3), sRGB, from a small copy of it. Unacceptable where it is damaged."""
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as image:
            image.draft("RGB", (LONG_SIDE * 2, LONG_SIDE * 2))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((LONG_SIDE, LONG_SIDE))
            pixels = np.asarray(upright.convert("RGBA")).reshape(-1, 4)
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
        raise Unacceptable(f"a reference image cannot be read: {type(error).__name__}.") from error
    opaque = pixels[pixels[:, 3] >= 128, :3]
    return opaque if len(opaque) else pixels[:, :3]
