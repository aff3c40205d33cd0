"""The still pictures that are laid over every frame: light, flare, veil with the DRAFT mark, and what falls from the sky.

Made with numpy and Pillow: drawing text with ffmpeg needs a font that a machine may lack, Pillow carries one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from callsheet.media.samples import Numbers
from callsheet.sandbox.look import Colour, Lamp, Look

#: Seed of everything drawn at random, so that a request always gives the same draft.
SEED = 1895
MARK = "DRAFT"


@dataclass(frozen=True, kw_only=True)
class Sheets:
    """Paths of the pictures that a look needs; None where it needs none. All but `falling` have the frame's size.

    mark: where something comes between the veil and it; else the veil has it.
    """

    light: Path | None
    flare: Path | None
    veil: Path
    falling: Path | None
    mark: Path | None


def draw(look: Look, width: int, height: int, folder: Path, *, mark_apart: bool = False) -> Sheets:
    """Draw them as PNGs into the folder. mark_apart: the mark on a sheet of its own, which comes last."""
    return Sheets(
        light=_saved(_light(look, width, height), folder / "light.png") if look.is_lit else None,
        flare=_saved(_flare(look, width, height), folder / "flare.png") if look.flares else None,
        veil=_saved(_veil(look, width, height, marked=not mark_apart), folder / "veil.png"),
        falling=_saved(_falling(look, width, height), folder / "falling.png") if falls(look) else None,
        mark=_saved(_mark(width, height), folder / "mark.png") if mark_apart else None,
    )


def falls(look: Look) -> bool:
    return look.snow > 0.2 or look.rain > 0.2


def _saved(image: Image.Image, path: Path) -> Path:
    image.save(path, compress_level=0)  # read once and thrown away: packing costs more than it saves
    return path


def picture(levels: Numbers) -> Image.Image:
    """Levels of 0..1 as a picture; a little seeded noise keeps wide gradients from banding."""
    noise = np.random.default_rng(SEED).uniform(-0.5, 0.5, levels.shape[:2])[..., None]
    return Image.fromarray(np.clip(levels * 255 + noise + 0.5, 0, 255).astype(np.uint8))


def _pool(lamp: Lamp, width: int, height: int) -> Numbers:
    """How strongly the lamp reaches each pixel: 1 at its centre, e^-1 at its radius."""
    x = (np.arange(width) / width - lamp.x) / lamp.width
    y = (np.arange(height) / height - lamp.y) / lamp.height
    pool: Numbers = np.exp(-(y[:, None] ** 2 + x[None, :] ** 2))
    return pool


def _light(look: Look, width: int, height: int) -> Image.Image:
    """The light of the scene, to be multiplied with a frame: a sky's gradient, and lamps that add up on it."""
    white = (1.0, 1.0, 1.0)
    stops = [look.top or white, look.middle or white, look.bottom or white]
    rows = np.linspace(0, 1, height)
    levels = np.stack([np.interp(rows, [0.0, 0.52, 1.0], [stop[band] for stop in stops]) for band in range(3)], axis=1)
    sheet = np.repeat(levels[:, None, :], width, axis=1)
    for lamp in look.lamps:
        pool = _pool(lamp, width, height)[..., None]
        sheet = sheet + np.maximum(np.array(lamp.colour) - sheet * 0.35, 0) * pool
    return picture(np.minimum(sheet, 1.0))


def _flare(look: Look, width: int, height: int) -> Image.Image:
    """Light in the air, to be screened over a frame."""
    sheet = np.zeros((height, width, 3))
    for lamp in look.flares:
        sheet = sheet + np.array(lamp.colour) * _pool(lamp, width, height)[..., None]
    return picture(np.minimum(sheet, 1.0))


def _veil(look: Look, width: int, height: int, *, marked: bool = True) -> Image.Image:
    """Haze, vignette and the mark, with alpha."""
    veil = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    if look.haze > 0:
        veil.alpha_composite(_haze(look, width, height))
    if look.vignette > 0:
        veil.alpha_composite(_vignette(look.vignette, width, height))
    if marked:
        veil.alpha_composite(_mark(width, height))
    return veil


def layer(colour: Colour, alpha: Numbers) -> Image.Image:
    sheet = np.concatenate([np.broadcast_to(np.array(colour), (*alpha.shape, 3)), alpha[..., None]], axis=2)
    return picture(sheet)


def _haze(look: Look, width: int, height: int) -> Image.Image:
    """Banks of fog: soft noise, denser towards the middle of the height, where a scene is farthest away."""
    rng = np.random.default_rng(SEED)
    octaves = [clouds(rng, cells, width, height) / cells**0.7 for cells in (2, 4, 8, 16)]
    banks = np.sum(octaves, axis=0)
    banks = (banks - banks.min()) / (np.ptp(banks) + 1e-9)
    rows = np.linspace(0, 1, height)[:, None]
    depth = 0.50 + 0.50 * np.exp(-(((rows - 0.40) / 0.34) ** 2))
    return layer((0.88, 0.90, 0.92), np.minimum(look.haze, 1.2) * depth * (0.35 + 0.50 * banks))


def clouds(rng: np.random.Generator, cells: int, width: int, height: int) -> Numbers:
    size = (cells + 2, max(2, round(cells * height / width)) + 2)
    coarse = Image.fromarray((rng.random((size[1], size[0])) * 255).astype(np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64) / 255


def _vignette(strength: float, width: int, height: int) -> Image.Image:
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    far = np.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / np.sqrt(2)
    return layer((0.0, 0.0, 0.0), min(strength, 1.0) * np.clip((far - 0.30) / 0.70, 0, 1) ** 1.8)


def _mark(width: int, height: int) -> Image.Image:
    """DRAFT in the lower right corner, small, on a pill that reads on any picture."""
    size = max(11, round(min(width, height) * 0.030))
    font = ImageFont.load_default(size)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), MARK, font=font)
    pad = round(size * 0.55)
    wide, high = round(right - left) + 2 * pad, round(bottom - top) + 2 * round(pad * 0.75)
    x, y = width - wide - size, height - high - size
    mark = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    pen = ImageDraw.Draw(mark)
    pen.rounded_rectangle((x, y, x + wide, y + high), radius=high // 2, fill=(0, 0, 0, 120))
    pen.text((x + pad - left, y + round(pad * 0.75) - top), MARK, font=font, fill=(255, 255, 255, 215))
    return mark


# --- what falls --------------------------------------------------------------------------------------------------------


def _falling(look: Look, width: int, height: int) -> Image.Image:
    """Snow or rain on black, one frame high and seamless from bottom to top; two of it are scrolled past, one by one."""
    one = _snow(look.snow, width, height) if look.snow >= look.rain else _rain(look.rain, width, height)
    twice = Image.new("L", (width, height * 2))
    twice.paste(one, (0, 0))
    twice.paste(one, (0, height))
    return twice


def _snow(amount: float, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(SEED)
    sheet = Image.new("L", (width, height))
    unit = max(width, height) / 960
    for count, size, light in ((260, 1.2, 150), (110, 2.2, 190), (36, 4.2, 165), (9, 9.0, 95)):
        layer = Image.new("L", (width, height))
        pen = ImageDraw.Draw(layer)
        for x, y, scale in rng.random((round(count * min(amount, 1.4)), 3)):
            _flake(pen, x * width, y * height, size * unit * (0.6 + 0.8 * scale), height, light)
        sheet = _lightest(sheet, layer.filter(ImageFilter.GaussianBlur(size * unit * 0.45)))
    return sheet


def _flake(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, height: int, light: int) -> None:
    for over in (y - height, y, y + height):
        pen.ellipse((x - radius, over - radius, x + radius, over + radius), fill=light)


def _rain(amount: float, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(SEED)
    sheet = Image.new("L", (width, height))
    unit = max(width, height) / 960
    pen = ImageDraw.Draw(sheet)
    for x, y, scale in rng.random((round(420 * min(amount, 1.4)), 3)):
        length = (26 + 60 * scale) * unit
        for over in (y * height - height, y * height, y * height + height):
            line = (x * width, over, x * width - length * 0.10, over + length)
            pen.line(line, fill=round(38 + 62 * scale), width=max(1, round(unit * (1 + scale))))
    return sheet.filter(ImageFilter.GaussianBlur(0.7 * unit))


def _lightest(one: Image.Image, two: Image.Image) -> Image.Image:
    return Image.fromarray(np.maximum(np.asarray(one), np.asarray(two)))
