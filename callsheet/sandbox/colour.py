"""Colour, in OKLab: the palette of a picture, the way from one palette to another, and all of it as one 3D table.

The transfer is Monge-Kantorovich: the one linear map that turns one Gaussian of colours into the other and moves each
colour the least. OKLab: Björn Ottosson, "A perceptual color space for image processing" (2020); the matrices are his.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callsheet.media.samples import Numbers, Pixels

#: Lattice points on a side of the table. 17 has a mean error of 1 code in the worst percent, 65 gains nothing (measured).
CUBE_SIDE = 33
#: How far the spread of colours may be widened or narrowed on any axis: beyond, noise and banding show.
SPREAD = (0.55, 1.8)
#: How much of the way to the references' palette is gone, for lightness and for the two colour axes.
PULL = np.array([0.45, 0.9, 0.9])

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LAB = np.linalg.inv(_TO_LAB)
_FROM_LMS = np.linalg.inv(_TO_LMS)

Map = Callable[[Numbers], Numbers]


def lab_of(srgb: Numbers) -> Numbers:
    """sRGB of 0..1 to OKLab, along the last axis."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab: Numbers = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    return lab


def srgb_of(lab: Numbers) -> Numbers:
    """OKLab to sRGB; colours outside come out below 0 or above 1."""
    linear = (lab @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    srgb: Numbers = np.where(linear <= 0.0031308, linear * 12.92, curve)
    return srgb


def lab_of_pixels(pixels: Pixels) -> Numbers:
    return lab_of(pixels.reshape(-1, 3).astype(np.float64) / 255)


def into_gamut(lab: Numbers) -> Numbers:
    """Less chroma, the same hue and lightness, until sRGB can show it. Clipping each channel turns hot orange magenta."""
    lab = lab.copy()
    lab[:, 0] = np.clip(lab[:, 0], 0.0, 1.0)
    outside = ~_shown(lab)
    if outside.any():
        lab[outside] = _drawn_in(lab[outside])
    return lab


def _shown(lab: Numbers) -> NDArray[np.bool_]:
    """Which of these colours sRGB has."""
    srgb = srgb_of(lab)
    inside: NDArray[np.bool_] = np.all((srgb >= -1e-4) & (srgb <= 1 + 1e-4), axis=1)
    return inside


def _drawn_in(lab: Numbers) -> Numbers:
    """Colours that it has not, with the most chroma at which it has them."""
    low, high = np.zeros(len(lab)), np.ones(len(lab))
    for _ in range(10):
        middle = (low + high) / 2
        fits = _shown(np.column_stack([lab[:, 0], lab[:, 1] * middle, lab[:, 2] * middle]))
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.column_stack([lab[:, 0], lab[:, 1] * low, lab[:, 2] * low])


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The Gaussian of a picture's colours in OKLab."""

    mean: Numbers
    covariance: Numbers

    @classmethod
    def of(cls, lab: Numbers) -> "Palette":
        return cls(mean=lab.mean(axis=0), covariance=np.cov(lab.T) + np.eye(3) * 1e-5)


def transfer(start: Palette, goal: Palette) -> Map:
    """The map of colours (OKLab) that pulls the first palette towards the second."""
    root = _root(start.covariance)
    back = np.linalg.inv(root)
    matrix = back @ _root(root @ goal.covariance @ root) @ back
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    bounded = vectors @ np.diag(np.clip(values, *SPREAD)) @ vectors.T

    def pulled(lab: Numbers) -> Numbers:
        there = (lab - start.mean) @ bounded.T + goal.mean
        moved: Numbers = lab + (there - lab) * PULL
        return moved

    return pulled


def _root(matrix: Numbers) -> Numbers:
    values, vectors = np.linalg.eigh(matrix)
    root: Numbers = vectors @ np.diag(np.sqrt(np.maximum(values, 1e-9))) @ vectors.T
    return root


def cube_text(colours: Map) -> str:
    """The map as a .cube table for lut3d, red running fastest."""
    axis = np.linspace(0.0, 1.0, CUBE_SIDE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    lattice = np.column_stack([red.ravel(), green.ravel(), blue.ravel()])
    shown = np.clip(srgb_of(into_gamut(colours(lab_of(lattice)))), 0.0, 1.0)
    rows = ("%.5f %.5f %.5f\n" * len(shown)) % tuple(shown.ravel())
    return f"LUT_3D_SIZE {CUBE_SIDE}\n{rows}"
