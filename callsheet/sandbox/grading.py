"""The part of a look that is a map of colours: references and prompt as one table that ffmpeg applies to every pixel."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from callsheet.media.samples import Numbers
from callsheet.sandbox import colour
from callsheet.sandbox.colour import Map, Palette
from callsheet.sandbox.look import Look

#: Median lightness (OKLab) that no look may push a clip below: a dark reference and a dark word together would be black.
DARKEST = 0.40

_PIVOT = 0.58
#: The hue of grass and leaves in OKLab, and how wide the band around it is, in radians.
_GREEN, _GREEN_WIDTH = 2.15, 0.62


def write_cube(path: Path, picture: Numbers, references: Sequence[Numbers], look: Look) -> None:
    """The table of this look for a picture of these colours (OKLab)."""
    path.write_text(colour.cube_text(_colours(picture, references, look)), "ascii")


def _colours(clip: Numbers, references: Sequence[Numbers], look: Look) -> Map:
    """References first (they give the palette), then the prompt (it gives the light), then not too dark."""
    pull = _pull(clip, references)
    pulled = pull(clip)
    look = keyed(look, float(np.median(pulled[:, 0])))
    dim = float(np.median(graded(pulled, look)[:, 0]))
    lift = max(0.0, min(DARKEST, float(np.median(clip[:, 0]))) - dim)

    def colours(lab: Numbers) -> Numbers:
        done = graded(pull(lab), look)
        light = np.clip(done[:, 0], 0, 1)
        done[:, 0] = light + lift * 4 * light * (1 - light)
        return done

    return colours


def _pull(clip: Numbers, references: Sequence[Numbers]) -> Map:
    if not references:
        return lambda lab: lab
    # Every reference counts alike, however many pixels it has.
    least = min(len(one) for one in references)
    together = np.concatenate([one[:: max(1, len(one) // least)][:least] for one in references])
    return colour.transfer(Palette.of(clip), Palette.of(together))


def graded(lab: Numbers, look: Look) -> Numbers:
    """The colours (OKLab) under this look; pointwise, so that one table can hold it."""
    lab = _foliage(lab, look)
    lab = lab * 2 ** (look.exposure / 3)  # a factor on light is its cube root on every axis of OKLab
    light = _contrast(np.clip(lab[:, 0], 0.0, 1.0), look.contrast)
    mono = min(max(look.mono, 0.0), 1.0)
    colour = lab[:, 1:] * max(1 + look.saturation, 0.0) * (1 - mono)
    colour = colour + np.outer(0.35 + 0.65 * light, (0.012 * look.warmth, 0.045 * look.warmth)) * (1 - mono)
    dark, bright = (1 - light) ** 1.5 * np.minimum(light * 5, 1), light**1.5 * np.minimum((1 - light) * 6 + 0.25, 1)
    colour = colour + np.outer(dark, look.shadows) + np.outer(bright, look.highlights)
    return np.column_stack([look.fade + light * (1 - look.fade), colour])


def keyed(look: Look, median: float) -> Look:
    """The look for a picture of this median lightness: a white wall at night has to be darker than a wood at night."""
    if not 0 < look.key < median:
        return look
    stops = 3 * float(np.log2(median / look.key))
    return replace(look, exposure=look.exposure - 0.75 * stops)


def _contrast(light: Numbers, amount: float) -> Numbers:
    power = 1 + max(min(amount, 0.9), -0.5)
    low = _PIVOT * (light / _PIVOT) ** power
    high = 1 - (1 - _PIVOT) * (np.maximum(1 - light, 0) / (1 - _PIVOT)) ** power
    curve: Numbers = np.where(light < _PIVOT, low, high)
    return curve


def _foliage(lab: Numbers, look: Look) -> Numbers:
    if look.frost <= 0 and look.foliage == (0.0, 0.0):
        return lab
    hue, chroma = np.arctan2(lab[:, 2], lab[:, 1]), np.hypot(lab[:, 1], lab[:, 2])
    green = np.exp(-(((hue - _GREEN) / _GREEN_WIDTH) ** 2)) * np.clip(chroma / 0.06, 0, 1)
    frost = np.minimum(look.frost, 1.0) * green
    moved = lab.copy()
    moved[:, 0] += frost * (0.93 - lab[:, 0]) * 0.62
    moved[:, 1:] *= (1 - 0.9 * frost)[:, None]
    moved[:, 1:] += np.outer(green * np.clip(chroma / 0.12, 0, 1), look.foliage)
    return moved
