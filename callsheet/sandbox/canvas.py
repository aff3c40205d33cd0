"""A still as the camera's ground: upright, flat, in the frame's shape or a little beyond it, the subject kept."""

import asyncio
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from callsheet.errors import Unacceptable
from callsheet.media import reframe
from callsheet.media.samples import Numbers, Sampled
from callsheet.sandbox import colour
from callsheet.sandbox.camera import OVERSIZE, Point
from callsheet.sandbox.shot import Size

#: How far beyond the frame's shape a ground may go: there the camera travels.
ROOM = 1.3
_SMALL = (160, 160)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """path: a PNG. focus: the subject's middle. space: its sides in frames, at the least zoom. lab: its colours (OKLab)."""

    path: Path
    focus: Point
    space: Point
    lab: Numbers


def opened(path: Path) -> Image.Image:
    """The picture as it is to be seen: upright, no alpha. Unacceptable where it is damaged."""
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as image:
            upright = ImageOps.exif_transpose(image)
            if "A" in upright.getbands() or "transparency" in upright.info:
                flat = Image.new("RGBA", upright.size, "white")
                flat.alpha_composite(upright.convert("RGBA"))
                upright = flat
            return upright.convert("RGB")
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
        raise Unacceptable(f"an image cannot be read: {type(error).__name__}.") from error


async def lay(path: Path, size: Size, target: Path) -> Ground:
    """The ground of a draft of this size, as a PNG at `target`."""
    return await asyncio.to_thread(_lay, path, size, target)


def _lay(path: Path, size: Size, target: Path) -> Ground:
    image = opened(path)
    image = image.crop(_box(image, size))
    space = _space(image, size)
    frame = (size[0] * OVERSIZE, size[1] * OVERSIZE)
    image = image.resize((_even(frame[0] * space[0]), _even(frame[1] * space[1])), Image.Resampling.LANCZOS)
    image.save(target, compress_level=1)
    small = _small(image)
    return Ground(path=target, focus=reframe.focus(small), space=space, lab=colour.lab_of_pixels(small[::2, ::2]))


def _box(image: Image.Image, size: Size) -> tuple[int, int, int, int]:
    """What of the picture is used: all, or, where its shape is far from the frame's, the part around the subject."""
    shape, own = Fraction(*size), Fraction(*image.size)
    kept = min(max(own, shape / Fraction(ROOM)), shape * Fraction(ROOM))
    crop = reframe.crop_for(image.width, image.height, kept, Sampled(frames=_small(image)[None]))
    if crop is None:
        return (0, 0, *image.size)
    left, top = round(float(crop.x)), round(float(crop.y))
    return (left, top, left + crop.width, top + crop.height)


def _space(image: Image.Image, size: Size) -> Point:
    ratio = (image.width / image.height) / (size[0] / size[1])
    return (max(1.0, ratio), max(1.0, 1 / ratio))


def _small(image: Image.Image) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    copy = image.copy()
    copy.thumbnail(_SMALL)
    return np.asarray(copy)


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
