"""Painted places for drafts of a prompt alone: a sky, what drifts before it, and a ground in front, seeded by the prompt.

Painted by day and in clear air: dusk, snow and neon are the look's business, as for a clip.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from callsheet.media.samples import Numbers
from callsheet.sandbox import sheets
from callsheet.sandbox.camera import OVERSIZE
from callsheet.sandbox.look import Colour
from callsheet.sandbox.shot import Size
from callsheet.sandbox.word import Word

Random = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Of a place: sky from above to the horizon, then ground from far to near, then one accent."""

    sky: tuple[Colour, Colour, Colour]
    ground: tuple[Colour, Colour]
    accent: Colour


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Paths of the layers: back (opaque), drift (alpha, twice as wide, seamless), front (alpha, or None)."""

    back: Path
    drift: Path
    front: Path | None


def _colour(code: str) -> Colour:
    return (int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255)


def _palette(*codes: str) -> Palette:
    a, b, c, far, near, accent = (_colour(code) for code in codes)
    return Palette(sky=(a, b, c), ground=(far, near), accent=accent)


PALETTES = (
    _palette("2f6fb2", "8fc1e3", "f7e3c0", "7ea2b8", "1f3b4d", "ffd9a0"),
    _palette("355070", "b56576", "f2c6a0", "8d6a8f", "2b2140", "ffd6c2"),
    _palette("0b4f6c", "3fa7a0", "e9f0d2", "4f98a0", "0b2f3c", "fff1b8"),
    _palette("4a4e8c", "9a8bc4", "f3d3dd", "8583b0", "23264d", "ffe3ef"),
    _palette("5a7d5a", "b7cfa0", "f8efd0", "7f9f78", "1f3a2c", "fff0b0"),
    _palette("7a3b2e", "d98f5c", "fbe3b5", "b87555", "3d1f1c", "fff0cc"),
)
_NIGHTLY = _palette("05060f", "141a3c", "2b2f63", "3a3f7a", "07081a", "cfd8ff")
_SANDS = _palette("5b9bd0", "bcd9e6", "fbe7c3", "e0b073", "8a5a34", "fff1cf")
_SEAS = _palette("2c7fb8", "8ecae6", "fdf0d5", "3f9fbf", "0a3d62", "fff3c9")

#: Kinds of places; the first that a prompt names is painted.
PLACES: tuple[Word, ...] = (
    Word(
        name="space",
        words=r"space|galaxy|planets?|cosmos|cosmic|stars?|astronauts?|nebula|moon base|satellite",
        chinese="太空|宇宙|星空|星球|银河|宇航",
    ),
    Word(
        name="sea",
        words=r"sea|ocean|beach|coast|waves?|harbou?r|island|surf\w*|boats?|ships?|lake|underwater",
        chinese="海|湖|沙滩|浪|船|岛",
    ),
    Word(
        name="city",
        words=r"city|skyline|streets?|downtown|urban|skyscrapers?|towers?|traffic|neon|cyberpunk|rooftops?",
        chinese="城|街|楼|霓虹|都市|赛博",
    ),
    Word(name="desert", words=r"desert|dunes?|sahara|mars|wasteland|canyon|savanna", chinese="沙漠|沙丘|火星|戈壁"),
    Word(
        name="forest",
        words=r"forest|woods?|trees?|jungle|pines?|park|garden|deer|fox",
        chinese="森林|树|丛林|竹|花园",
    ),
    Word(
        name="hills",
        words=r"mountains?|hills?|valley|alps|peaks?|landscape|meadow|fields?|countryside|village|sky|clouds?|horses?|sunrise|sunset",
        chinese="山|谷|草原|田野|乡村|天空|云|风景|日出|日落",
    ),
)
#: What a prompt gets that names none.
ELSEWHERE = "studio"


def place_of(prompt: str) -> str:
    """The first kind of place that the prompt names."""
    text = prompt.lower()
    return next((word.name for word in PLACES if word.found_in(text)), ELSEWHERE)


def paint(prompt: str, size: Size, folder: Path) -> Scene:
    """The layers as PNGs, larger than the frame as the camera needs it."""
    digest = hashlib.sha256(" ".join(prompt.lower().split()).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    large = (_even(size[0] * OVERSIZE), _even(size[1] * OVERSIZE))
    place = place_of(prompt)
    palette = {"space": _NIGHTLY, "desert": _SANDS, "sea": _SEAS}.get(place, PALETTES[digest[8] % len(PALETTES)])
    front = _FRONTS[place](rng, palette, *large)
    return Scene(
        back=_saved(_back(place, rng, palette, *large), folder / "back.png"),
        drift=_saved(_drift(place, rng, palette, *size), folder / "drift.png"),
        front=_saved(front, folder / "front.png") if front is not None else None,
    )


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _saved(image: Image.Image, path: Path) -> Path:
    image.save(path, compress_level=1)
    return path


# --- the back: sky, sun, stars -----------------------------------------------------------------------------------------


def _back(place: str, rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    if place == "studio":
        return _backdrop(rng, palette, width, height)
    rows = np.linspace(0, 1, height)
    levels = np.stack(
        [np.interp(rows, [0, 0.38, 0.66], [stop[band] for stop in palette.sky]) for band in range(3)], axis=1
    )
    sky = np.repeat(levels[:, None, :], width, axis=1)
    if place == "space":
        return _starred(sky + _nebula(rng, width, height), rng)
    x, y = 0.22 + 0.56 * rng.random(), 0.34 + 0.12 * rng.random()
    sky = _lit(sky, palette.accent, x, y, 0.42, 0.55)
    sky = _lit(sky, (1.0, 1.0, 0.97), x, y, 0.075, 0.9)
    return sheets.picture(np.clip(sky, 0, 1))


def _lit(sheet: Numbers, colour: Colour, x: float, y: float, radius: float, strength: float) -> Numbers:
    height, width = sheet.shape[:2]
    far = np.hypot((np.arange(width) / width - x)[None, :], (np.arange(height)[:, None] / height - y) * height / width)
    glow = strength * np.exp(-((far / radius) ** 2))[..., None]
    lit: Numbers = sheet * (1 - glow) + np.array(colour) * glow
    return lit


def _backdrop(rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    """Wide soft pools of the palette's colours that run into each other: a studio's paper under coloured lamps."""
    sheet = np.broadcast_to(np.array(palette.sky[0]) * 0.75, (height, width, 3)).astype(np.float64)
    pools = (palette.ground[1], palette.sky[1], palette.ground[0], palette.sky[2], palette.accent)
    for number, colour in enumerate(pools):
        x, y = rng.random(2)
        sheet = _lit(sheet, colour, x, y, 0.62 - 0.09 * number, 0.78)
    return sheets.picture(np.clip(sheet, 0, 1))


def _nebula(rng: Random, width: int, height: int) -> Numbers:
    clouds = np.sum([sheets.clouds(rng, cells, width, height) / cells**0.7 for cells in (2, 4, 8, 16)], axis=0)
    level = np.clip((clouds - np.percentile(clouds, 45)) / (np.ptp(clouds) * 0.6), 0, 1)[..., None] ** 1.5
    other = sheets.clouds(rng, 3, width, height)[..., None]
    tint = np.array((0.62, 0.20, 0.50)) * other + np.array((0.10, 0.30, 0.62)) * (1 - other)
    nebula: Numbers = level * tint * 0.9
    return nebula


def _starred(sheet: Numbers, rng: Random) -> Image.Image:
    height, width = sheet.shape[:2]
    stars = Image.new("L", (width, height))
    pen = ImageDraw.Draw(stars)
    for x, y, light in rng.random((round(width * height / 2600), 3)):
        radius = 0.5 + 1.5 * light**8
        at = (x * width, y * height)
        pen.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=round(90 + 165 * light))
    shine = np.asarray(stars.filter(ImageFilter.GaussianBlur(0.6)), dtype=np.float64)[..., None] / 255
    return sheets.picture(np.clip(sheet + shine, 0, 1))


# --- what drifts -------------------------------------------------------------------------------------------------------


def _drift(place: str, rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    """Clouds over a landscape, discs of light in a studio; seamless from right to left and twice as wide as the frame."""
    one = _bokeh(rng, palette, width, height) if place in ("studio", "city") else _cloud_bank(place, rng, width, height)
    twice = Image.new("RGBA", (width * 2, height))
    twice.paste(one, (0, 0))
    twice.paste(one, (width, 0))
    return twice


def _cloud_bank(place: str, rng: Random, width: int, height: int) -> Image.Image:
    noise = np.sum([_seamless(rng, cells, width, height) / cells**0.75 for cells in (2, 4, 8, 16, 32)], axis=0)
    level = np.clip((noise - np.percentile(noise, 58)) / (np.ptp(noise) * 0.42), 0, 1)
    rows = np.linspace(0, 1, height)[:, None]
    where = np.exp(-(((rows - 0.26) / 0.20) ** 2))
    alpha = level**1.2 * where * (0.25 if place == "space" else 0.72)
    return sheets.layer((1.0, 0.99, 0.97), alpha)


def _seamless(rng: Random, cells: int, width: int, height: int) -> Numbers:
    high = max(2, round(cells * height / width * 2.2)) + 2
    coarse = rng.random((high, cells))
    coarse = np.concatenate([coarse, coarse, coarse], axis=1)
    image = Image.fromarray((coarse * 255).astype(np.uint8)).resize((width * 3, height), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float64)[:, width : width * 2] / 255


def _bokeh(rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    sheet = np.zeros((height, width, 4))
    colours = [palette.accent, palette.sky[2], palette.sky[1], (1.0, 1.0, 1.0)]
    unit = min(width, height)
    for number in range(26):
        x, y, scale, light = rng.random(4)
        radius = unit * (0.02 + 0.09 * scale**2)
        mask = _disc(width, height, x * width, y * height, radius, soft=radius * (0.10 + 0.5 * rng.random()))
        alpha = mask * (0.06 + 0.16 * light)
        sheet[..., :3] = sheet[..., :3] * (1 - alpha[..., None]) + np.array(colours[number % 4]) * alpha[..., None]
        sheet[..., 3] = sheet[..., 3] + alpha * (1 - sheet[..., 3])
    sheet[..., :3] /= np.maximum(sheet[..., 3:], 1e-3)
    return Image.fromarray((np.clip(sheet, 0, 1) * 255).astype(np.uint8))


def _disc(width: int, height: int, x: float, y: float, radius: float, *, soft: float) -> Numbers:
    """A disc with a soft edge that goes over the right side and comes in at the left."""
    across = np.abs(np.arange(width) - x)
    far = np.hypot(np.minimum(across, width - across)[None, :], (np.arange(height) - y)[:, None])
    disc: Numbers = np.clip((radius - far) / soft + 0.5, 0, 1)
    return disc


# --- the front ---------------------------------------------------------------------------------------------------------


def _mixed(one: Colour, two: Colour, part: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 * (a + (b - a) * part)) for a, b in zip(one, two, strict=True))
    return red, green, blue


def _line(rng: Random, width: int, rough: float, waves: int = 7) -> Numbers:
    """A ridge's height along the width, about -1 to 1: a few waves, each shorter and lower."""
    x = np.linspace(0, 1, width)
    line = np.zeros(width)
    for octave in range(waves):
        line += np.sin(2 * np.pi * (x * 1.35 * 2**octave * (0.8 + 0.4 * rng.random()) + rng.random())) * rough**octave
    peak: Numbers = line / np.abs(line).max()
    return peak


def _ridges(
    rng: Random, palette: Palette, width: int, height: int, *, rough: float, levels: tuple[float, ...], swing: float
) -> Image.Image:
    """Ranges one behind the other, paler with distance."""
    sheet = Image.new("RGBA", (width, height))
    rows = np.arange(height)[:, None]
    for number, level in enumerate(levels):
        line = (level + swing * (0.6 + 0.4 * number) * _line(rng, width, rough)) * height
        colour = _mixed(palette.ground[0], palette.ground[1], (number / max(1, len(levels) - 1)) ** 0.9)
        alpha = np.clip(rows - line[None, :] + 0.5, 0, 1)
        lit = 1 + 0.10 * np.exp(-np.clip(rows - line[None, :], 0, None) / (0.05 * height))
        paint = np.clip(np.array(colour) / 255 * lit[..., None], 0, 1)
        flat = np.concatenate([paint, alpha[..., None]], axis=2)
        sheet.alpha_composite(Image.fromarray((flat * 255).astype(np.uint8)))
    return sheet


def _hills(rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    return _ridges(rng, palette, width, height, rough=0.52, levels=(0.52, 0.62, 0.73, 0.86), swing=0.075)


def _dunes(rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    return _ridges(rng, palette, width, height, rough=0.22, levels=(0.58, 0.66, 0.78, 0.90), swing=0.05)


def _sea(rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    """Water from the horizon down, with glints that widen as they come nearer."""
    horizon = round(height * 0.60)
    rows = np.linspace(0, 1, height - horizon)[:, None, None]
    water = np.array(palette.ground[0]) * (1 - rows) + np.array(palette.ground[1]) * rows
    water = np.broadcast_to(water, (height - horizon, width, 3)).copy()
    for _ in range(420):
        depth, x, light = rng.random() ** 1.6, rng.random(), rng.random()
        y = round(depth * (len(water) - 2))
        half = (0.006 + 0.05 * depth) * width * (0.4 + light)
        across = np.abs(np.arange(width) - x * width) / half
        glint = np.clip(1 - across**2, 0, 1)[:, None] * 0.34 * light
        thick = 1 + round(3 * depth)
        water[y : y + thick] += (np.array(palette.accent) - water[y : y + thick]) * glint
    sheet = np.zeros((height, width, 4))
    sheet[horizon:, :, :3] = water
    sheet[horizon:, :, 3] = 1
    return Image.fromarray((np.clip(sheet, 0, 1) * 255).astype(np.uint8))


def _skyline(rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    """Three rows of houses, the nearest dark and with lit windows."""
    sheet = Image.new("RGBA", (width, height))
    for row in range(3):
        pen = ImageDraw.Draw(sheet)
        colour = _mixed(palette.ground[0], palette.ground[1], row / 2)
        x = -round(rng.random() * 40)
        while x < width:
            wide = round(width * (0.035 + 0.05 * rng.random()) * (0.8 + 0.25 * row))
            top = round(height * (0.34 + 0.13 * row + 0.26 * rng.random()))
            pen.rectangle((x, top, x + wide, height), fill=(*colour, 255))
            if row:
                _windows(
                    pen, rng, palette, (x, top, x + wide, height), unit=max(3, round(width * 0.0055 * (1 + row / 2)))
                )
            x += wide + round(width * 0.004 * rng.random() * 3)
    return sheet


def _windows(
    pen: ImageDraw.ImageDraw, rng: Random, palette: Palette, house: tuple[int, int, int, int], *, unit: int
) -> None:
    left, top, right, bottom = house
    for y in range(top + 2 * unit, bottom, 3 * unit):
        for x in range(left + unit, right - unit, 2 * unit):
            if rng.random() < 0.30:
                light = _mixed(palette.accent, (1.0, 0.93, 0.72), rng.random())
                pen.rectangle(
                    (x, y, x + unit - 1, y + round(unit * 1.3)), fill=(*light, round(120 + 120 * rng.random()))
                )


def _forest(rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    """Rows of firs on rising ground."""
    sheet = Image.new("RGBA", (width, height))
    for row in range(4):
        pen = ImageDraw.Draw(sheet)
        colour = (*_mixed(palette.ground[0], palette.ground[1], (row / 3) ** 0.8), 255)
        base = (0.60 + 0.10 * row) * height + 0.03 * height * _line(rng, width, 0.4, 4)
        pen.polygon(
            [(0, height), *((x, base[x]) for x in range(0, width, 4)), (width, base[-1]), (width, height)], fill=colour
        )
        for _ in range(64 - 9 * row):
            x = rng.random() * width
            tall = height * (0.10 + 0.055 * row) * (0.6 + 0.6 * rng.random())
            _fir(pen, x, base[min(width - 1, int(x))] + 0.02 * height, tall, colour)
    return sheet


def _fir(pen: ImageDraw.ImageDraw, x: float, foot: float, tall: float, colour: tuple[int, ...]) -> None:
    for tier in range(5):
        top, low = foot - tall * (1 - tier * 0.17), foot - tall * (0.62 - tier * 0.155)
        half = tall * (0.07 + 0.036 * tier)
        pen.polygon([(x, top), (x - half, low), (x + half, low)], fill=colour)


def _planet(rng: Random, palette: Palette, width: int, height: int) -> Image.Image:
    """A planet's edge from below, lit from one side."""
    radius, x, y = 0.85 * width, width * (0.3 + 0.4 * rng.random()), height * 0.62 + 0.85 * width
    across, down = np.arange(width)[None, :] - x, np.arange(height)[:, None] - y
    far = np.hypot(across, down)
    side = across / radius * 0.9 - down / radius * 0.55
    bands = 0.5 + 0.5 * _line(rng, height, 0.6)[:, None] * np.ones((1, width))
    light = np.clip(side, 0.02, 1) ** 0.8
    colour = (
        np.array((0.20, 0.36, 0.62)) * (1 - bands[..., None]) + np.array((0.72, 0.62, 0.70)) * bands[..., None]
    ) * light[..., None]
    rim = np.exp(-np.abs(far - radius) / (0.012 * width))[..., None] * np.clip(side + 0.15, 0, 1)[..., None]
    alpha = np.maximum(np.clip(radius - far + 0.5, 0, 1), rim[..., 0] * 0.8)
    shown = np.clip(colour * np.clip(radius - far + 0.5, 0, 1)[..., None] + np.array(palette.accent) * rim, 0, 1)
    return Image.fromarray((np.concatenate([shown, alpha[..., None]], axis=2) * 255).astype(np.uint8))


def _none(_rng: Random, _palette: Palette, _width: int, _height: int) -> Image.Image | None:
    return None


_FRONTS: dict[str, Callable[[Random, Palette, int, int], Image.Image | None]] = {
    "hills": _hills,
    "desert": _dunes,
    "sea": _sea,
    "city": _skyline,
    "forest": _forest,
    "space": _planet,
    "studio": _none,
}
