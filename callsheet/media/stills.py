"""Makes the reference image that a preparation describes: upright, sRGB, opaque, small enough, telling nothing private."""

import os
import shutil
from collections.abc import Callable
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from callsheet.errors import ToolFailed, Unacceptable
from callsheet.limits import StillFacts, StillPreparation
from callsheet.media import probe

#: JPEG qualities tried in order, all without colour subsampling; 95 was enough for everything but noise (measured).
QUALITIES = (95, 90, 85, 75, 60)
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
            profile = image.info.get("icc_profile")
            return _opaque(_in_srgb(ImageOps.exif_transpose(image), profile))
    except (OSError, ValueError, SyntaxError) as error:
        raise Unacceptable("cannot be read as a picture.", where=str(source), hint="Export it again.") from error


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB or RGBA in sRGB. Without a usable profile the numbers are taken as sRGB, as browsers do."""
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips 16-bit grey to white (mean 254.5 where 127 is right: measured).
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "I":
        return Image.fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("P", "PA", "LA", "La", "RGBa", "1") or "transparency" in image.info:
        image = image.convert("RGBA")
    return _converted(image, profile) if profile else _plain(image)


def _plain(image: Image.Image) -> Image.Image:
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGB")


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        given = ImageCms.ImageCmsProfile(BytesIO(profile))
        result = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return _plain(image)
    return _plain(image) if result is None else result


def _opaque(image: Image.Image) -> Image.Image:
    """A fresh RGB picture on white: nothing of the old file's comments, tags or profile comes along."""
    clean = Image.new("RGB", image.size, WHITE)
    clean.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return clean


def _encoded(image: Image.Image, preparation: StillPreparation) -> bytes:
    size = preparation.width, preparation.height
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    for quality in QUALITIES:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
        if buffer.tell() <= preparation.max_bytes:
            return buffer.getvalue()
    raise ToolFailed(f"The picture stays over {preparation.max_bytes} bytes at the lowest quality.")
