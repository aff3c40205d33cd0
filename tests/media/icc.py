"""Colour profiles written by hand (ICC.1:2001-04), and what the pixels under them come to in sRGB, computed from the standards.

The reference knows nothing of lcms: it is the matrix, the curve and, for print, the table itself.
"""

import struct
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Columns are red, green and blue in XYZ under D50. Adobe RGB (1998) and sRGB, as their own profiles have them.
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
WHITE = np.array([0.9642, 1.0, 0.8249])
GAMMA = 563 / 256


def adobe_rgb() -> bytes:
    """Adobe RGB (1998): a wider green, and a plain gamma."""
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    tags = {name: _xyz(ADOBE[:, number]) for number, name in enumerate(names)}
    curve = b"curv" + struct.pack(">IIHxx", 0, 1, 563)
    return _profile(b"mntr", b"RGB ", b"XYZ ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def of_adobe_rgb(pixel: Sequence[int]) -> Floats:
    """Its sRGB numbers, 0 to 255."""
    light = (np.asarray(pixel) / 255) ** GAMMA
    return _in_srgb(ADOBE @ light)


def of_display_p3(pixel: Sequence[int]) -> Floats:
    """The sRGB numbers of a colour of Display P3, from the chromaticities of both (SMPTE EG 432-1, IEC 61966-2-1)."""
    numbers = np.asarray(pixel) / 255
    light = np.where(numbers <= 0.04045, numbers / 12.92, ((numbers + 0.055) / 1.055) ** 2.4)
    p3 = _to_xyz(((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)))
    srgb = _to_xyz(((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)))
    return _curved(np.asarray(np.linalg.solve(srgb, p3 @ light), np.float64))


def _to_xyz(primaries: Sequence[tuple[float, float]]) -> Floats:
    """Columns of XYZ under D65."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    x, y = 0.3127, 0.3290
    return np.asarray(columns * np.linalg.solve(columns, np.array([x / y, 1.0, (1 - x - y) / y])))


def grey(gamma: float) -> bytes:
    """Grey that is darker or lighter than sRGB's."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": b"curv" + struct.pack(">IIHxx", 0, 1, round(gamma * 256))})


def of_grey(value: int, gamma: float) -> Floats:
    return _in_srgb(WHITE * (value / 255) ** gamma)


#: What the inks of our press come to, in L*a*b*: (C, M, Y, K), each on or off. Everything with black is black.
INKS = {
    (0, 0, 0): (100, 0, 0),
    (1, 0, 0): (55, -36, -46),
    (0, 1, 0): (48, 70, -4),
    (0, 0, 1): (88, -6, 90),
    (1, 1, 0): (26, 18, -44),
    (1, 0, 1): (50, -62, 28),
    (0, 1, 1): (47, 64, 46),
    (1, 1, 1): (24, 0, 0),
}
BLACK = (0, 0, 0)


def press() -> bytes:
    """A printer's profile of one table with two steps an ink."""
    rows = [BLACK if key else INKS[c, m, y] for c, m, y, key in product((0, 1), repeat=4)]
    table = bytes(part for level, a, b in rows for part in (round(level * 255 / 100), a + 128, b + 128))
    matrix = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 16)
    straight = bytes(range(256))
    lut = b"mft1" + struct.pack(">IBBBx", 0, 4, 3, 2) + matrix + straight * 4 + table + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut})


def of_press(ink: tuple[int, int, int]) -> Floats:
    """The sRGB numbers of a full tone of these inks."""
    level, a, b = INKS[ink]
    middle = (level + 16) / 116
    cubes = np.array([middle + a / 500, middle, middle - b / 200])
    light = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29))
    return _in_srgb(WHITE * light)


def _in_srgb(xyz: Floats) -> Floats:
    return _curved(np.asarray(np.linalg.solve(SRGB, xyz), np.float64))


def _curved(light: Floats) -> Floats:
    light = np.clip(light, 0, 1)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(curve * 255)


def _xyz(values: Floats) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _profile(kind: bytes, colours: bytes, space: bytes, tags: dict[bytes, bytes]) -> bytes:
    named = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": named, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(WHITE), **tags}
    head, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        head += struct.pack(">4sII", name, at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = at + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, kind, colours, space)
    header += struct.pack(">6H4s4s", 2026, 1, 1, 0, 0, 0, b"acsp", b"APPL") + bytes(24)
    header += struct.pack(">3i", *(round(value * 65536) for value in WHITE))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + head + body
