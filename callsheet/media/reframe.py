"""Another aspect ratio by a crop that follows what matters: saliency, skin and motion, a path by dynamic programming.

There is no model of faces here: what moves, stands out or has the colours of skin is taken for the subject. Followed it in 19
of 20 tiles of the samples, by eye. Subjects wider than the window lose their edges, which an `Aim` tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from callsheet.media.samples import Numbers, Pixels, Sampled

#: Raised whenever the same pictures are framed otherwise.
VERSION = 1
#: Two shapes closer than this count as the same, and nothing is cropped.
SAME_SHAPE = Fraction(1, 100)
#: Keyframes of a path; each is a term of ffmpeg's expression.
MOST_KEYS = 15
#: Positions of the window that are weighed, and the price of moving it by the whole range within one sample.
POSITIONS = 64
MOVE_PRICE = 14.0
#: Mean difference of two samples, in codes, above which a cut lies between them.
CUT = 38.0
#: Times the mean interest of a picture from which on a part of it belongs to the subject.
SUBJECT = 2.0

#: Seconds, and how far the window is along its way by then: 0 is at the left or the top, 1 at the right or the bottom.
Keys = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Where a crop's window lies, and how much of the subject it holds: on the whole, and at the worst moment."""

    keys: Keys
    share: float
    worst: float
    worst_at: float


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A window of width x height px of the source; its x (or y) as an expression of ffmpeg's crop, in px."""

    width: int
    height: int
    x: str
    y: str


def ratio_of(text: str) -> Fraction:
    """ "9:16" as 9/16, width over height."""
    width, _, height = text.partition(":")
    return Fraction(int(width), int(height))


def crop_for(width: int, height: int, ratio: Fraction, sampled: Sampled) -> Crop | None:
    """The window of this shape that follows the subject; None where the source has that shape already."""
    found = aim(width, height, ratio, sampled)
    if found is None:
        return None
    if ratio < Fraction(width, height):
        window = _even(height * ratio)
        return Crop(width=window, height=_even(height), x=course(found.keys, width - window), y="0")
    window = _even(width / ratio)
    return Crop(width=_even(width), height=window, x="0", y=course(found.keys, height - window))


def aim(width: int, height: int, ratio: Fraction, sampled: Sampled) -> Aim | None:
    """Where the largest window of this shape in a picture of width x height has to be; None where it is all of it."""
    own = Fraction(width, height)
    if abs(ratio / own - 1) <= SAME_SHAPE:
        return None
    part, along = (float(ratio / own), 1) if ratio < own else (float(own / ratio), 2)
    interest = _interest(sampled.frames)
    path = _path((interest * _centre(interest)).sum(axis=along), part, sampled.frames)
    held = _smooth(_held(_subject(interest).sum(axis=along), path, part))
    return Aim(
        keys=tuple((float(sampled.times[key]), float(path[key])) for key in _keys(path, sampled.times)),
        share=float(held.mean()),
        worst=float(held.min()),
        worst_at=float(sampled.times[int(held.argmin())]),
    )


def focus(picture: Pixels) -> tuple[float, float]:
    """The middle of the subject of one picture, as parts of its width and height."""
    interest = _interest(picture[None])
    weight = _subject(interest * _centre(interest))[0]
    whole = float(weight.sum())
    if whole <= 1e-9:
        return 0.5, 0.5
    rows, columns = ((np.arange(length) + 0.5) / length for length in weight.shape)
    return float(weight.sum(axis=0) @ columns / whole), float(weight.sum(axis=1) @ rows / whole)


def course(keys: Keys, span: float) -> str:
    """The way of the window over `span` pixels as a piecewise linear expression of t, in ffmpeg's language."""
    text = f"{keys[-1][1] * span:.4f}"
    for (start, from_), (end, to) in reversed(list(pairwise(keys))):
        slope = (to - from_) * span / (end - start)
        text = f"if(lt(t,{end:.3f}),{from_ * span:.4f}+({slope:.5f})*(t-{start:.3f}),{text})"
    return text


def _subject(interest: Numbers) -> Numbers:
    """The parts of each picture that draw the eye more than twice as much as the rest."""
    subject: Numbers = np.maximum(interest - SUBJECT * interest.mean(axis=(1, 2), keepdims=True), 0)
    return subject


def _held(profile: Numbers, path: Numbers, part: float) -> Numbers:
    """Share of each sample's subject that lies inside the window; all of it where there is none."""
    length = profile.shape[1]
    size = min(length, max(1, round(part * length)))
    starts = np.round(path * (length - size)).astype(int)
    inside = np.array([row[start : start + size].sum() for row, start in zip(profile, starts, strict=True)])
    whole = profile.sum(axis=1)
    shares: Numbers = np.where(whole > 1e-9, inside / np.maximum(whole, 1e-9), 1.0)
    return shares


def _smooth(shares: Numbers) -> Numbers:
    """The mean of three neighbours: one picture in which a shadow flickers loses nobody."""
    padded = np.pad(shares, 1, mode="edge")
    smooth: Numbers = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return smooth


def _even(length: Fraction | int) -> int:
    return max(2, int(length) // 2 * 2)


def _interest(frames: Pixels) -> Numbers:
    """How much each pixel of each sample draws the eye: detail, odd colour, skin, motion."""
    pictures = frames.astype(np.float64)
    grey = pictures.mean(axis=3)
    odd = np.linalg.norm(pictures - np.median(pictures, axis=(1, 2), keepdims=True), axis=3)
    found: Numbers = _scaled(_residual(grey) * _textured(grey)) + 0.7 * _scaled(odd) + 1.2 * _motion(grey)
    return found + 0.8 * _skin(pictures)


def _centre(maps: Numbers) -> Numbers:
    """A little more weight for the middle: people frame what they film."""
    rows, columns = (np.linspace(-1, 1, size) for size in maps.shape[1:])
    centre: Numbers = np.exp(-0.5 * (rows[:, None] ** 2 + columns[None, :] ** 2) / 0.9**2)
    return centre


def _skin(pictures: Numbers) -> Numbers:
    """Colours of skin, of any lightness (Chai and Ngan 1999); nothing where half the picture has them, as sand and wood do."""
    red, green, blue = (pictures[..., channel] for channel in range(3))
    cb = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue
    cr = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
    inside = ((cb >= 77) & (cb <= 127) & (cr >= 135) & (cr <= 175)).astype(np.float64)
    share = inside.mean(axis=(1, 2), keepdims=True)
    told: Numbers = np.where((share > 0.005) & (share < 0.5), _scaled(_blurred(inside)), 0.0)
    return told


def _residual(grey: Numbers) -> Numbers:
    """Spectral residual (Hou and Zhang 2007): what the spectrum has beyond its own smooth course."""
    spectrum = np.fft.fft2(grey)
    level = np.log(np.abs(spectrum) + 1e-6)
    smooth = np.mean([np.roll(level, (dy, dx), axis=(1, 2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)
    back = np.abs(np.fft.ifft2(np.exp(level - smooth + 1j * np.angle(spectrum)))) ** 2
    return _blurred(back)


def _textured(grey: Numbers) -> Numbers:
    """0 where a picture is flat, 1 where it has contrast: on a plain wall the residual is noise."""
    deviation = np.sqrt(np.maximum(_blurred(grey**2) - _blurred(grey) ** 2, 0))
    textured: Numbers = np.clip(deviation / 10 - 0.2, 0, 1)
    return textured


def _blurred(maps: Numbers) -> Numbers:
    for axis in (1, 2):
        for _ in range(3):
            maps = np.mean([np.roll(maps, shift, axis=axis) for shift in range(-2, 3)], axis=0)
    return maps


def _motion(grey: Numbers) -> Numbers:
    if len(grey) < 2:
        return np.zeros_like(grey)
    moved = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    moved[0] = moved[1]
    # The camera moves everything alike: only what moves more than the rest counts.
    alone = np.maximum(moved - np.median(moved, axis=(1, 2), keepdims=True) - 3.0, 0)
    return _scaled(_blurred(alone)) if alone.max() > 1 else np.zeros_like(grey)


def _scaled(maps: Numbers) -> Numbers:
    """Each map divided by its own mean (so that none of them drowns the others), peaks bounded."""
    mean = maps.mean(axis=(1, 2), keepdims=True) + 1e-9
    scaled: Numbers = np.minimum(maps / mean, 6.0)
    return scaled


def _path(profile: Numbers, part: float, frames: Pixels) -> Numbers:
    """Position of the window at each sample, 0 to 1 of its range: the most interest for the least movement."""
    gain = _gains(profile, part)
    cuts = _cuts(frames)
    steps = np.linspace(0, 1, POSITIONS)
    price = MOVE_PRICE * (steps[:, None] - steps[None, :]) ** 2 + 0.4 * np.abs(steps[:, None] - steps[None, :])
    best, origin = gain[0].copy(), np.zeros(gain.shape, dtype=np.int64)
    for number in range(1, len(gain)):
        reach = best[None, :] - (0.0 if number in cuts else 1.0) * price
        origin[number] = reach.argmax(axis=1)
        best = reach.max(axis=1) + gain[number]
    chosen = [int(best.argmax())]
    for number in range(len(gain) - 1, 0, -1):
        chosen.append(int(origin[number, chosen[-1]]))
    return _smoothed(steps[chosen[::-1]], cuts)


def _gains(profile: Numbers, part: float) -> Numbers:
    """Share of a sample's interest that each position of the window holds; what lies at its edges counts for less."""
    profile = profile**1.5  # one strong subject before many faint ones
    length = profile.shape[1]
    size = min(length, max(1, round(part * length)))
    inside = 0.35 + 0.65 * np.sin(np.pi * (np.arange(size) + 0.5) / size)
    starts = np.round(np.linspace(0, length - size, POSITIONS)).astype(int)
    held = np.stack([profile[:, start : start + size] @ inside for start in starts], axis=1)
    shares: Numbers = held / (profile.sum(axis=1, keepdims=True) + 1e-9)
    return shares


def _cuts(frames: Pixels) -> set[int]:
    if len(frames) < 2:
        return set()
    change = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
    return {int(number) + 1 for number in np.nonzero(change > CUT)[0]}


def _smoothed(path: Numbers, cuts: set[int]) -> Numbers:
    """A calm camera: a Gaussian over about a second, never across a cut."""
    edges = [0, *sorted(cuts), len(path)]
    weights = np.exp(-0.5 * (np.arange(-6, 7) / 2.5) ** 2)
    parts = []
    for start, end in pairwise(edges):
        padded = np.pad(path[start:end], 6, mode="edge")
        parts.append(np.convolve(padded, weights / weights.sum(), mode="valid"))
    return np.concatenate(parts)


def _keys(path: Numbers, times: Numbers) -> list[int]:
    """Indices of the samples that describe the path: each time the one that lies farthest off (Douglas and Peucker)."""
    keys = [0, len(path) - 1] if len(path) > 1 else [0]
    while len(keys) < MOST_KEYS:
        off = np.abs(np.interp(times, times[keys], path[keys]) - path)
        if off.max() < 0.006:
            break
        keys = sorted({*keys, int(off.argmax())})
    return keys
