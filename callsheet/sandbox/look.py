"""A look: what is done to the picture, as numbers; looks add up."""

from dataclasses import dataclass, fields
from typing import Any

Colour = tuple[float, float, float]
#: An offset along OKLab's two colour axes: green to red, blue to yellow.
Shift = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """A pool of light: centre and radii as parts of the frame's width and height, colour as sRGB of 0..1."""

    x: float
    y: float
    width: float
    height: float
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is done to the picture. The neutral look changes nothing; looks add up."""

    exposure: float = 0.0  # stops
    key: float = 0.0  # the lightness (OKLab) a brighter picture is brought down towards; 0 for none
    contrast: float = 0.0
    saturation: float = 0.0  # -1 is grey, 0 as it is
    warmth: float = 0.0
    fade: float = 0.0  # how far black is lifted
    mono: float = 0.0
    shadows: Shift = (0.0, 0.0)
    highlights: Shift = (0.0, 0.0)
    foliage: Shift = (0.0, 0.0)  # where greens go
    frost: float = 0.0  # how far greens turn white
    glow: float = 0.0
    bloom: float = 0.0  # how wide bright parts bleed
    haze: float = 0.0
    vignette: float = 0.0
    grain: float = 0.0
    softness: float = 0.0
    snow: float = 0.0
    rain: float = 0.0
    top: Colour | None = None  # light that falls from above, at mid height and below, multiplied with the picture
    middle: Colour | None = None
    bottom: Colour | None = None
    lamps: tuple[Lamp, ...] = ()
    flares: tuple[Lamp, ...] = ()  # light in the air, added to the picture
    effects: tuple[tuple[str, float], ...] = ()  # by their names in `effects`, each with its strength

    @property
    def is_lit(self) -> bool:
        return self.top is not None or bool(self.lamps)


#: Changes nothing.
NEUTRAL = Look()


def added(one: Look, two: Look, weight: float) -> Look:
    """The first look and so much of the second."""
    return Look(
        **{
            field.name: _sum(getattr(one, field.name), getattr(two, field.name), weight, field.name)
            for field in fields(Look)
        }
    )


def _sum(one: Any, two: Any, weight: float, name: str) -> Any:
    if name == "key":
        return min(one, two) or max(one, two)
    if name in ("lamps", "flares", "effects"):
        return (*one, *two)
    if name in ("top", "middle", "bottom"):
        return _light(one, two, weight)
    if isinstance(one, tuple):
        return (one[0] + two[0] * weight, one[1] + two[1] * weight)
    return one + two * weight


def _light(one: Colour | None, two: Colour | None, weight: float) -> Colour | None:
    """Two lights at once: what both leave of white, the second as far as its weight goes."""
    if two is None:
        return one
    part = min(weight, 1.0)
    weaker = tuple(1 - (1 - level) * part for level in two)
    if one is not None:
        weaker = tuple((a * b) ** 0.75 for a, b in zip(one, weaker, strict=True))
    return (weaker[0], weaker[1], weaker[2])
