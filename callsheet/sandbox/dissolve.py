"""One picture turns into the next: in soft patches, bright parts of the new one first, so that shapes grow into shapes."""

from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from PIL import Image, ImageFilter

from callsheet.media.command import still
from callsheet.media.samples import Numbers
from callsheet.sandbox import sheets
from callsheet.sandbox.shot import RATE, Size

#: How soft the patches' edges are: less is softer. The brightness below runs as far as this needs.
_EDGE = 1.8


def draw_mask(new: Path, size: Size, target: Path) -> Path:
    """The order in which the new picture comes, as a grey PNG: bright is early. Levels from a quarter to three."""
    with Image.open(new) as image:
        grey = image.convert("L").resize(size).filter(ImageFilter.GaussianBlur(max(size) / 60))
    light = _spread(np.asarray(grey, dtype=np.float64))
    rng = np.random.default_rng(sheets.SEED)
    clouds = _spread(np.sum([sheets.clouds(rng, cells, *size) / cells**0.6 for cells in (3, 6, 12)], axis=0))
    mask = 0.25 + 0.5 * _spread(0.5 * light + 0.5 * clouds)
    Image.fromarray((mask * 255).astype(np.uint8)).save(target, compress_level=1)
    return target


def _spread(levels: Numbers) -> Numbers:
    """From 0 to 1, whatever it was."""
    spread: Numbers = (levels - levels.min()) / (np.ptp(levels) + 1e-9)
    return spread


def merged(old: Any, new: Any, mask: Path, *, start: int, frames: int) -> Any:
    """Two streams as one: the new one begins at frame `start` of the old one and has replaced it so many frames later."""
    began, lasts = start / RATE, frames / RATE
    part = f"clip((t-{began:.4f})/{lasts:.4f},0,1)"
    eased = f"({part})*({part})*(3-2*({part}))"
    order = still(mask, framerate=RATE).filter("format", "gray").filter("loop", loop=-1, size=1)
    order = order.filter("eq", contrast=_EDGE, brightness=f"-0.96+1.92*{eased}", eval="frame").filter("format", "gbrp")
    held = old.filter("format", "gbrp").filter("tpad", stop=-1, stop_mode="clone")
    late = new.filter("format", "gbrp").filter("tpad", start=start, start_mode="clone")
    return ffmpeg.filter([held, late, order], "maskedmerge")
