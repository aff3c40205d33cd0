"""The filter graph of a draft: any picture stream of the right size in, dressed in its look, ready to be encoded.

Colour first, at 16 bits, then light, then what falls, then the veil and the mark. Blends stay in RGB: a screen in YUV
turns everything pink (measured).
"""

from pathlib import Path
from typing import Any

import ffmpeg

from callsheet.media.command import still
from callsheet.sandbox import effects, sheets
from callsheet.sandbox.blending import blend
from callsheet.sandbox.effects import Stage
from callsheet.sandbox.look import Look
from callsheet.sandbox.sheets import Sheets
from callsheet.sandbox.shot import Size


def drawn_for(look: Look, size: Size, folder: Path) -> Sheets:
    """What is laid over every frame of this look, drawn into the folder."""
    return sheets.draw(look, *size, folder, mark_apart=effects.any_late(look.effects))


def dressed(
    picture: Any, look: Look, drawn: Sheets, *, cube: Path, folder: Path, size: Size, seconds: float, title: Any = None
) -> Any:
    """The stream in this look, with what was `drawn_for` it, marked.

    folder: for what effects draw. seconds: how long it is. title: laid over it.
    """
    stage = Stage(size=size, seconds=seconds, folder=folder)
    picture = picture.filter("format", "gbrp16le").filter("lut3d", file=str(cube), interp="tetrahedral")
    picture = _lit(picture.filter("format", "gbrp"), look, drawn, size)
    picture = effects.applied(picture, look.effects, stage, late=False)
    picture = ffmpeg.overlay(picture, still(drawn.veil), format="gbrp")
    picture = effects.applied(picture, look.effects, stage, late=True)
    for layer in (title, still(drawn.mark) if drawn.mark else None):
        if layer is not None:
            picture = ffmpeg.overlay(picture, layer, format="gbrp")
    return _finished(picture, look)


def _lit(picture: Any, look: Look, drawn: Sheets, size: Size) -> Any:
    """Under the scene's light, in its weather."""
    if drawn.light is not None:
        picture = blend(picture, still(drawn.light), "multiply")
    if drawn.falling is not None:
        picture = blend(picture, _scrolled(drawn.falling, size, look), "screen", shortest=1)
    if drawn.flare is not None:
        picture = blend(picture, still(drawn.flare), "screen")
    if look.glow > 0.05 or look.softness > 0.05:
        picture = _glowing(picture, size, look)
    return picture


def _finished(picture: Any, look: Look) -> Any:
    picture = picture.filter("scale", out_color_matrix="bt709", out_range="tv").filter("format", "yuv420p")
    if look.grain > 0.05:
        picture = picture.filter("noise", c0s=round(2 + 4 * min(look.grain, 1.2)), c0f="t", all_seed=sheets.SEED)
    return picture


def _scrolled(path: Path, size: Size, look: Look) -> Any:
    """A window that climbs a sheet of two equal halves, so that what is drawn on it falls for ever."""
    width, height = size
    speed = height * (0.16 if look.snow >= look.rain else 1.9)
    # The filter repeats the decoded picture; the demuxer's own loop would decode the PNG for every frame.
    sheet = still(path).filter("format", "gray").filter("loop", loop=-1, size=1).filter("setpts", "N/30/TB")
    window = sheet.filter("crop", width, height, "0", f"{height}-mod(t*{speed:.1f},{height})")
    return window.filter("format", "gbrp")


def _glowing(picture: Any, size: Size, look: Look) -> Any:
    """Bright parts bleed into their surroundings. Blurred at a quarter of the size, or it would cost more than all else."""
    width, height = size
    parts = picture.filter_multi_output("split")
    small = parts[1].filter("scale", max(2, width // 4), max(2, height // 4), flags="bilinear")
    wide = small.filter("gblur", sigma=round(max(size) / 4 * (0.010 + 0.022 * min(look.bloom, 1.5)), 2), steps=2)
    bright = wide.filter("curves", all="0/0 0.35/0.04 0.7/0.42 1/0.9").filter("scale", width, height, flags="bilinear")
    lit = blend(parts[0], bright, "screen", opacity=min(0.85, max(look.glow, 0.0)))
    if look.softness <= 0.05:
        return lit
    again = lit.filter_multi_output("split")
    soft = again[1].filter("gblur", sigma=round(max(size) / 420, 2), steps=1)
    return blend(again[0], soft, "normal", opacity=1 - 0.6 * min(look.softness, 1.0))
