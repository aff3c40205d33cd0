"""Makes the reference image that a preparation describes: upright, sRGB, opaque, small enough, telling nothing private."""

import os
import shutil
from collections.abc import Callable
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from callsheet.errors import ToolFailed, Unacceptable
from callsheet.limits import StillFacts, StillPreparation
from callsheet.media import probe

#: JPEG qualities: where to begin, which is enough for everything but noise (measured); below which a smaller picture shows
#: less of the loss than a coarser one; and the last resort.
BEST, FAIR, POOR = 95, 80, 40
#: Each smaller picture has sides so much shorter.
SMALLER = 0.75
#: Rows of a picture whose colours are worked out at a time.
BAND = 256
#: Display P3 to sRGB, in light; rows are what comes out (both have the white of D65).
P3_TO_SRGB = np.array(
    [[1.2249401, -0.2249404, 0.0], [-0.0420569, 1.0420571, 0.0], [-0.0196376, -0.0786361, 1.0982735]], np.float32
)
#: The brightest that a picture in fractions goes; more is another way of counting.
FRACTIONS = 8.0
WHITE = (255, 255, 255)

_serial = count()


def prepare(source: Path, preparation: StillPreparation, target: Path) -> StillFacts:
    """Make `target` from `source`; the facts of the result. The target appears by renaming, synced and complete.

    Blocks for up to a second (19 MB PNG, measured): call it in a thread. pass is a copy byte for byte.
    Raises Unacceptable for a picture that cannot be read, ToolFailed where it stays too large at the lowest quality.
    """
    if preparation.decision == "pass":
        return _finish(target, lambda draft: shutil.copyfile(source, draft))
    probe.still(source)  # refuses bombs and damage in words before anything is decoded at full size
    data = _encoded(_upright_rgb(source), preparation)
    return _finish(target, lambda draft: draft.write_bytes(data))


def _finish(target: Path, fill: Callable[[Path], object]) -> StillFacts:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.stem}.draft-{os.getpid()}-{next(_serial)}{target.suffix}")
    try:
        fill(draft)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        facts = probe.still(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return facts


def _upright_rgb(source: Path) -> Image.Image:
    try:
        with Image.open(source, formats=probe.STILL_FORMATS) as image:
            image.load()
            wide = not image.info.get("icc_profile") and probe.is_wide(image)
            colours, alpha = _in_srgb(ImageOps.exif_transpose(image), image.info.get("icc_profile"))
            return _opaque(_of_display_p3(colours) if wide else colours, alpha)
    except (OSError, ValueError, SyntaxError) as error:
        raise Unacceptable("cannot be read as a picture.", where=str(source), hint="Export it again.") from error


def _in_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, Image.Image | None]:
    """The colours as RGB in sRGB, and what is transparent. A profile is of the colours alone, so they part first."""
    colours, alpha = _parted(_in_eight_bits(image))
    return (_converted(colours, profile) if profile else _plain(colours)), alpha


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversions of deeper grey clip it to white (mean 254.5 where 127 is right: measured)."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "I":
        return Image.fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8))
    if image.mode == "F":
        return Image.fromarray(_of_fractions(np.asarray(image)))
    return image


def _of_fractions(grey: "np.ndarray[Any, np.dtype[np.float32]]") -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Grey in fractions, black to white as 0 to 1; a file that goes far beyond that counts in bits, or means no light."""
    finite = np.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
    top = float(finite.max(initial=0.0))
    white = 1.0 if top <= FRACTIONS else 255.0 if top <= 255 else 65535.0
    grey8: np.ndarray[Any, np.dtype[np.uint8]] = np.round(np.clip(finite / white, 0, 1) * 255).astype(np.uint8)
    return grey8


def _parted(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    if image.mode in ("P", "PA", "La", "RGBa", "1") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        return image.convert("RGB"), image.getchannel("A")
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    return image, None


def _plain(image: Image.Image) -> Image.Image:
    """Without a usable profile the numbers are taken as sRGB, as browsers do."""
    if image.mode == "LAB":  # has no numbers that could be taken so, and needs no profile
        return _mapped(image, ImageCms.createProfile("LAB"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        return _mapped(image, ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A profile for other colours than the picture has, of a grey one that is stored as RGB for one, is no profile.
        return _plain(image)


def _mapped(image: Image.Image, profile: Any) -> Image.Image:
    result = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return _plain(image) if result is None else result


def _of_display_p3(image: Image.Image) -> Image.Image:
    """The colours of a picture whose numbers are of Display P3, which has the curve of sRGB, as sRGB."""
    numbers = np.arange(256) / 255
    light = np.where(numbers <= 0.04045, numbers / 12.92, ((numbers + 0.055) / 1.055) ** 2.4).astype(np.float32)
    pixels = np.asarray(image).copy()
    for begin in range(0, len(pixels), BAND):  # of 64 megapixels the numbers between would take 3 GB
        mixed = np.clip(light[pixels[begin : begin + BAND]] @ P3_TO_SRGB.T, 0, 1)
        curve = np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)
        pixels[begin : begin + BAND] = np.round(curve * 255).astype(np.uint8)
    return Image.fromarray(pixels)


def _opaque(colours: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """A fresh RGB picture on white: nothing of the old file's comments, tags or profile comes along."""
    clean = Image.new("RGB", colours.size, WHITE)
    clean.paste(colours, mask=alpha)
    return clean


def _encoded(image: Image.Image, preparation: StillPreparation) -> bytes:
    """JPEG without colour subsampling at the best quality that the size allows: first down to FAIR at full size, then
    smaller, and only in the smallest size below that. ToolFailed where even that is too large."""
    sizes = _sizes(preparation)
    for size in sizes:
        scaled = image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
        data = _best(scaled, preparation.max_bytes, FAIR if size != sizes[-1] else POOR)
        if data is not None:
            return data
    raise ToolFailed(f"The picture stays over {preparation.max_bytes} bytes at the lowest quality.")


def _sizes(preparation: StillPreparation) -> list[tuple[int, int]]:
    """The size that was decided on, and smaller ones of the same shape, none with a side too short."""
    width, height = preparation.width, preparation.height
    sizes = [(width, height)]
    while min(width, height) * SMALLER >= preparation.min_side:
        width, height = round(width * SMALLER), round(height * SMALLER)
        sizes.append((width, height))
    return sizes


def _best(image: Image.Image, most: int, worst: int) -> bytes | None:
    """The largest quality from `worst` to BEST whose file is small enough, by halving; None where none is."""
    low, high, found = worst, BEST, None
    quality = BEST
    while low <= high:
        data = _jpeg(image, quality)
        if len(data) <= most:
            found, low = data, quality + 1
        else:
            high = quality - 1
        quality = (low + high + 1) // 2
    return found


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()
