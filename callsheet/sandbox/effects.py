"""What the words of `tricks` do to a picture stream in RGB: transitions and effects, each a few of ffmpeg's filters.

All keep the frames, the size and the length, and none draws text. Those of LATE come after the veil of haze and shade.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from callsheet.media.command import still
from callsheet.media.samples import Numbers
from callsheet.sandbox import sheets
from callsheet.sandbox.blending import blend
from callsheet.sandbox.look import Colour
from callsheet.sandbox.shot import Size

#: Seconds of a transition, at most; a third of a short film.
TRANSITION = 0.8


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What an effect has to know: the frame, how long the film is, and where its sheets may lie."""

    size: Size
    seconds: float
    folder: Path

    @property
    def transition(self) -> float:
        return round(min(TRANSITION, self.seconds / 3), 3)

    def sheet(self, name: str, levels: Numbers) -> Any:
        """Levels of 0..1 as a stream of one still picture."""
        path = self.folder / f"{name}.png"
        sheets.picture(levels).save(path, compress_level=1)
        return still(path)

    def flat(self, name: str, width: int, height: int, colour: Colour, alpha: float) -> Any:
        """One colour, to be laid over."""
        path = self.folder / f"{name}.png"
        sheets.layer(colour, np.full((height, width), alpha)).save(path, compress_level=1)
        return still(path)


Effect = Callable[[Any, float, Stage], Any]


def applied(picture: Any, effects: tuple[tuple[str, float], ...], stage: Stage, *, late: bool) -> Any:
    """The early effects of these, or the late ones, in the order of their table; of two of a name the stronger."""
    for name, effect in (LATE if late else EARLY).items():
        strength = max((strength for one, strength in effects if one == name), default=0.0)
        if strength > 0:
            picture = effect(picture, min(max(strength, 0.4), 1.35), stage)
    return picture


def any_late(effects: tuple[tuple[str, float], ...]) -> bool:
    return any(name in LATE for name, _ in effects)


def _split(picture: Any) -> tuple[Any, Any]:
    parts = picture.filter_multi_output("split")
    return parts[0], parts[1]


# --- of the picture ----------------------------------------------------------------------------------------------------


def _mirror(picture: Any, _strength: float, stage: Stage) -> Any:
    """The left half, and itself turned round."""
    left, other = _split(picture.filter("crop", stage.size[0] // 2, stage.size[1], 0, 0))
    both = ffmpeg.filter([left, other.filter("hflip")], "hstack")
    return both.filter("scale", *stage.size, flags="bilinear").filter("setsar", 1)


def _kaleidoscope(picture: Any, strength: float, stage: Stage) -> Any:
    upper, lower = _split(_mirror(picture, strength, stage).filter("crop", stage.size[0], stage.size[1] // 2, 0, 0))
    both = ffmpeg.filter([upper, lower.filter("vflip")], "vstack")
    return both.filter("scale", *stage.size, flags="bilinear").filter("setsar", 1)


def _swung(picture: Any, reach: float, pace: float, stage: Stage) -> Any:
    """The whole picture swings within a frame that is so much smaller, in parts of its sides."""
    width, height = stage.size
    large = picture.filter("scale", _even(width * (1 + 2 * reach)), _even(height * (1 + 2 * reach)), flags="bilinear")
    swing = "(in_w-out_w)/2*(1+(sin({0}*t*1.7+0.4)+0.7*sin({0}*t*2.9))/1.7)"
    drop = "(in_h-out_h)/2*(1+(sin({0}*t*2.3+1.9)+0.7*sin({0}*t*3.7+0.8))/1.7)"
    return large.filter("crop", width, height, swing.format(pace), drop.format(pace)).filter("setsar", 1)


def _shake(picture: Any, strength: float, stage: Stage) -> Any:
    return _swung(picture, 0.018 * strength, 9.0, stage)


def _weave(picture: Any, strength: float, stage: Stage) -> Any:
    return _swung(picture, 0.005 * strength, 6.0, stage)


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _glitch(picture: Any, strength: float, stage: Stage) -> Any:
    """Now and then the colours part and bands of the picture slip sideways."""
    slip = max(2, round(stage.size[0] * 0.012 * strength))
    now, then = "lt(mod(t,0.9),0.14)+between(mod(t,0.9),0.30,0.36)", "between(mod(t,1.3),0.62,0.80)"
    parted = picture.filter("rgbashift", rh=slip, bh=-slip, gv=max(1, slip // 5), edge="wrap", enable=now)
    parted = parted.filter("rgbashift", rh=-2 * slip, gh=slip, edge="smear", enable=then)
    height = stage.size[1]
    for number, (row, high) in enumerate(((0.18, 0.06), (0.47, 0.10), (0.73, 0.04))):
        whole, band = _split(parted)
        band = band.filter("crop", stage.size[0], _even(high * height), 0, round(row * height))
        when = f"lt(mod(t+{number * 0.31:.2f},0.9),0.12)"
        parted = ffmpeg.overlay(
            whole, band, x=f"{4 * slip}*sin(37*floor(t*12)+{number})", y=round(row * height), format="gbrp", enable=when
        )
    return parted


def _aberration(picture: Any, strength: float, stage: Stage) -> Any:
    slip = max(1, round(stage.size[0] * 0.004 * strength))
    return picture.filter("rgbashift", rh=-slip, bh=slip, edge="smear")


def _pixelate(picture: Any, strength: float, stage: Stage) -> Any:
    block = max(4, round(min(stage.size) * 0.030 * strength))
    return picture.filter("pixelize", width=block, height=block)


def _motion_blur(picture: Any, strength: float, _stage: Stage) -> Any:
    return picture.filter("tmix", frames=max(3, round(5 * strength)))


def _echo(picture: Any, strength: float, _stage: Stage) -> Any:
    """What was bright stays for a while."""
    return picture.filter("lagfun", decay=round(0.86 + 0.07 * min(strength, 1.0), 3))


def _inverted(picture: Any, _strength: float, _stage: Stage) -> Any:
    return picture.filter("negate")


def _sharp(picture: Any, strength: float, _stage: Stage) -> Any:
    return picture.filter("unsharp", lx=5, ly=5, la=round(0.9 * strength, 2))


def _tilt_shift(picture: Any, strength: float, stage: Stage) -> Any:
    """Sharp in a band across the middle only, and as colourful as a toy."""
    rows = np.clip((np.abs(np.linspace(-1, 1, stage.size[1]) - 0.1) - 0.16) / 0.42, 0, 1)
    mask = stage.sheet("band", np.repeat(np.repeat(rows[:, None, None], stage.size[0], axis=1), 3, axis=2))
    sharp, other = _split(picture.filter("vibrance", intensity=round(0.5 * strength, 2)))
    soft = other.filter("gblur", sigma=round(min(stage.size) * 0.011 * strength, 2), steps=2)
    return ffmpeg.filter([sharp, soft, mask.filter("format", "gbrp")], "maskedmerge")


def _halftone(picture: Any, strength: float, stage: Stage) -> Any:
    """Printed dots: a screen at 45 degrees over flat, strong colours."""
    width, height = stage.size
    pitch = max(5.0, min(width, height) / 75)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    dots = 0.5 + 0.25 * (np.cos(2 * np.pi * (x + y) / pitch / 1.414) + np.cos(2 * np.pi * (x - y) / pitch / 1.414))
    screen = stage.sheet("dots", np.repeat(dots[..., None], 3, axis=2))
    strong = picture.filter("vibrance", intensity=0.8).filter("curves", all="0/0 0.3/0.2 0.7/0.82 1/1")
    return blend(strong, screen, "hardlight", 0.60 * strength)


def _scan_lines(picture: Any, strength: float, stage: Stage) -> Any:
    """The lines of a tube, colours that do not quite meet, a bar that wanders down."""
    width, height = stage.size
    lines = 1 - 0.30 * min(strength, 1.2) * (np.arange(height) % 4 >= 2)
    sheet = stage.sheet("lines", np.repeat(np.repeat(lines[:, None, None], width, axis=1), 3, axis=2))
    parted = _aberration(picture, strength, stage)
    bar = stage.flat("bar", width, _even(height * 0.09), (1.0, 1.0, 1.0), 0.07)
    way = f"mod(t*{height * 0.22:.1f},{height * 1.3:.0f})-{height * 0.15:.0f}"
    barred = ffmpeg.overlay(parted, bar, x=0, y=way, format="gbrp")
    return blend(barred, sheet, "multiply", 1.0)


def _light_leak(picture: Any, strength: float, stage: Stage) -> Any:
    """Warm light that wanders in from the side and leaves again."""
    width, height = stage.size
    x, y = np.linspace(0, 3, width * 3)[None, :, None], np.linspace(0, 1, height)[:, None, None]
    leaks = (
        (0.95, 0.25, 0.34, (1.0, 0.42, 0.10)),
        (1.15, 0.80, 0.26, (1.0, 0.16, 0.22)),
        (2.1, 0.5, 0.30, (1.0, 0.62, 0.20)),
    )
    light = np.zeros((height, width * 3, 3))
    for at, high, wide, colour in leaks:
        light += np.exp(-(((x - at) / wide) ** 2) - ((y - high) / 0.75) ** 2) * np.array(colour)
    path = stage.folder / "leak.png"
    sheets.picture(np.clip(light, 0, 1)).save(path, compress_level=1)
    sheet = still(path).filter("format", "gbrp").filter("loop", loop=-1, size=1).filter("setpts", "N/30/TB")
    window = sheet.filter("crop", width, height, f"{width}*(1+0.98*sin(t*0.9-1.3))", 0)
    return blend(picture, window, "screen", 0.80 * strength, shortest=1)


def _lightning(picture: Any, strength: float, _stage: Stage) -> Any:
    """Two strokes, again and again: the scene goes white and blue for a frame or two."""
    when = "between(mod(t+0.9,2.3),1.4,1.48)+between(mod(t+0.9,2.3),1.56,1.60)"
    lift = round(min(0.30 * strength, 0.4), 3)
    return picture.filter(
        "colorlevels",
        rimax=1 - lift,
        gimax=1 - lift,
        bimax=1 - lift * 1.2,
        romin=lift * 0.15,
        bomin=lift * 0.3,
        enable=when,
    )


# --- as a painter would, without one ---------------------------------------------------------------------------------


def _painted(picture: Any, strength: float, stage: Stage) -> Any:
    """Flat strokes: the median of each neighbourhood, then its edges again, on canvas."""
    radius = max(2, round(min(stage.size) / 150 * min(strength, 1.1)))
    flat = (
        picture.filter("median", radius=radius).filter("unsharp", lx=7, ly=7, la=1.1).filter("vibrance", intensity=0.35)
    )
    return blend(flat, stage.sheet("canvas", _woven(stage.size)), "softlight", 0.55)


def _woven(size: Size) -> Numbers:
    """Threads of a canvas, around middle grey."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    rng = np.random.default_rng(sheets.SEED)
    threads = 0.5 + 0.12 * (np.sin(x * 1.9) * np.sin(y * 0.7) + np.sin(y * 1.9) * np.sin(x * 0.7))
    threads += 0.10 * (sheets.clouds(rng, 24, *size) - 0.5)
    return np.repeat(threads[..., None], 3, axis=2)


def _watercolour(picture: Any, strength: float, stage: Stage) -> Any:
    """Pools of colour with darker rims, on rough paper."""
    radius = max(2, round(min(stage.size) / 130))
    flat, other = _split(picture.filter("median", radius=radius))
    rims = other.filter("edgedetect", mode="wires", low=0.05, high=0.12).filter("negate").filter("gblur", sigma=1.2)
    rng = np.random.default_rng(sheets.SEED)
    grain = 0.5 + 0.5 * (np.mean([sheets.clouds(rng, cells, *stage.size) for cells in (40, 90)], axis=0) - 0.5)
    paper = stage.sheet("paper", np.repeat(grain[..., None], 3, axis=2))
    return blend(blend(flat, rims, "multiply", 0.28 * strength), paper, "softlight", 0.8)


def _drawn(picture: Any, strength: float, stage: Stage) -> Any:
    """Pencil: the picture divided by its own blur leaves its lines."""
    plain, other = _split(picture.filter("colorchannelmixer", **_GREY))
    light = other.filter("negate").filter("gblur", sigma=round(min(stage.size) / 70 * strength, 2), steps=2)
    lines = blend(light, plain, "dodge", 1.0)
    return lines.filter("curves", all="0/0 0.6/0.42 0.9/0.86 1/1")


_GREY = {f"{row}{column}": share for row in "rgb" for column, share in zip("rgb", (0.30, 0.59, 0.11), strict=True)}


def _cartoon(picture: Any, strength: float, stage: Stage) -> Any:
    """Few, flat colours within dark lines."""
    flat, other = _split(picture.filter("median", radius=max(2, round(min(stage.size) / 160))))
    steps = "round(val/255*7)/7*255"
    few = flat.filter("lutrgb", r=steps, g=steps, b=steps).filter("median", radius=1)
    lines = other.filter("edgedetect", mode="wires", low=0.06, high=0.16).filter("dilation").filter("negate")
    return blend(few, lines.filter("gblur", sigma=0.6), "multiply", 0.85 * strength)


# --- in time -----------------------------------------------------------------------------------------------------------


def _fade(kind: str, colour: str) -> Effect:
    def faded(picture: Any, _strength: float, stage: Stage) -> Any:
        start = 0.0 if kind == "in" else max(0.0, stage.seconds - stage.transition - 0.08)
        return picture.filter("fade", t=kind, st=round(start, 3), d=stage.transition, color=colour)

    return faded


def _flash(picture: Any, strength: float, stage: Stage) -> Any:
    """White at once, and back within half a second: at the start and once in the middle."""
    for at in (0.0, stage.seconds / 2):
        length = round(min(0.45 * strength, stage.seconds / 4), 3)
        picture = picture.filter(
            "fade", t="in", st=round(at, 3), d=length, color="white", enable=f"between(t,{at:.3f},{at + length:.3f})"
        )
    return picture


def _wipe(picture: Any, _strength: float, stage: Stage) -> Any:
    """A black curtain that is drawn to the right."""
    curtain = stage.flat("curtain", *stage.size, (0.0, 0.0, 0.0), 1.0)
    way = f"W*min(t/{stage.transition},1)"
    return ffmpeg.overlay(picture, curtain, x=way, y=0, format="gbrp", enable=f"lt(t,{stage.transition})")


def _letterbox(picture: Any, _strength: float, stage: Stage) -> Any:
    """Bars above and below, to 2.39 to 1; narrower where the frame is too high for that."""
    width, height = stage.size
    bar = min(_even((height - width / 2.39) / 2), _even(height * 0.13)) if width / height < 2.39 else 0
    for top in (0, height - bar):
        picture = picture.filter("drawbox", x=0, y=top, w=width, h=bar, color="black", t="fill")
    return picture


EARLY: dict[str, Effect] = {
    "painting": _painted,
    "impressionism": _painted,
    "van gogh": _painted,
    "cubism": _painted,
    "style of": _painted,
    "stained glass": _cartoon,
    "woodblock": _cartoon,
    "cartoon": _cartoon,
    "watercolour": _watercolour,
    "ink": _watercolour,
    "sketch": _drawn,
    "pixelate": _pixelate,
    "tilt-shift": _tilt_shift,
    "mirror": _mirror,
    "kaleidoscope": _kaleidoscope,
    "motion blur": _motion_blur,
    "echo": _echo,
    "sharp": _sharp,
    "inverted": _inverted,
    "halftone": _halftone,
    "lightning": _lightning,
    "light leak": _light_leak,
    "chromatic aberration": _aberration,
    "glitch": _glitch,
    "gate weave": _weave,
    "shake": _shake,
}
LATE: dict[str, Effect] = {
    "scan lines": _scan_lines,
    "fade in": _fade("in", "black"),
    "fade out": _fade("out", "black"),
    "fade from white": _fade("in", "white"),
    "fade to white": _fade("out", "white"),
    "flash": _flash,
    "wipe": _wipe,
    "letterbox": _letterbox,
}
