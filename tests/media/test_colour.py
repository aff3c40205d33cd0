"""Colours of prepared clips, against the standards' own formulas: patches of known light in, the codes of BT.709 out."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from callsheet.catalogue import ClipLimits
from callsheet.limits import clip_preparation
from callsheet.media import clips, command, probe
from tests.media.conftest import Film

Numbers = NDArray[np.float64]

#: Light in nits, as red, green and blue of BT.2020: greys from shadow to highlight, strong colours, two skins.
LIGHT = np.array(
    [
        *([nits] * 3 for nits in (10, 50, 203, 800)),
        *((203, 20, 20), (20, 203, 20), (20, 20, 203)),
        *((120, 90, 70), (200, 150, 120)),
    ],
    dtype=float,
)
#: Codes of R'G'B' of an SDR file: greys, strong colours, a skin.
CODES = np.array([[40, 40, 40], [200, 200, 200], [200, 60, 50], [70, 190, 80], [60, 70, 210], [190, 150, 130]]) / 255
#: Columns of a patch, rows of a picture, and its frames.
WIDE, HIGH, FRAMES = 32, 64, 24

#: Linear light, from these primaries to BT.709 (ITU-R BT.2087; Display P3 by its chromaticities).
TO_709 = {
    "bt2020": np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]),
    "smpte432": np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]),
}
#: Kr, Kg, Kb.
LUMA = {"bt709": (0.2126, 0.7152, 0.0722), "bt2020nc": (0.2627, 0.6780, 0.0593)}


def pq(light: Numbers) -> Numbers:
    """SMPTE ST 2084."""
    power: Numbers = (light / 10_000) ** 0.1593017578125
    coded: Numbers = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return coded


def hlg(light: Numbers) -> Numbers:
    """ITU-R BT.2100 for a display of 1000 nits: the light of the scene is found from its luminance, not by channel."""
    luminance = (light @ np.array(LUMA["bt2020nc"]))[:, None] / 1000
    scene = light / 1000 * luminance ** ((1 - 1.2) / 1.2)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    coded: Numbers = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    return coded


def mapped(light: Numbers) -> Numbers:
    """The tone curve (Möbius, straight up to 0.3, a peak of 10 times the reference white of 203 nits), then gamma 2.4."""
    linear: Numbers = light / 203 @ TO_709["bt2020"].T
    level = np.maximum(linear.max(axis=1), 1e-6)
    a = -0.09 * 9 / (0.09 - 0.6 + 10)
    b = (0.09 - 6 + 10) / 9
    curve = np.where(level <= 0.3, level, (b * b + 0.6 * b + 0.09) / (b - a) * (level + a) / (level + b))
    coded: Numbers = 255 * np.clip(linear * (curve / level)[:, None], 0, 1) ** (1 / 2.4)
    return coded


def converted(coded: Numbers, primaries: str) -> Numbers:
    """SDR of other primaries as BT.709 has it."""
    result: Numbers = 255 * np.clip((coded**2.4) @ TO_709[primaries].T, 0, 1) ** (1 / 2.4)
    return result


def ten_bits(coded: Numbers, matrix: str, *, full: bool) -> NDArray[Any]:
    """R'G'B' from 0 to 1 as Y'CbCr of 10 bits."""
    red, green, blue = LUMA[matrix]
    luma = coded @ np.array([red, green, blue])
    chroma = [(coded[:, 2] - luma) / (2 - 2 * blue), (coded[:, 0] - luma) / (2 - 2 * red)]
    if full:
        return np.round(np.stack([luma * 1023, *(part * 1023 + 512 for part in chroma)], axis=1)).astype("<u2")
    return np.round(np.stack([64 + 876 * luma, *(part * 896 + 512 for part in chroma)], axis=1)).astype("<u2")


def filmed(target: Path, codes: NDArray[Any], *, tags: str) -> Path:
    """A lossless clip of these patches side by side, with these tags."""
    luma = np.tile(np.repeat(codes[:, 0], WIDE), (HIGH, 1))
    chroma = [np.tile(np.repeat(codes[:, part], WIDE // 2), (HIGH // 2, 1)) for part in (1, 2)]
    raw = target.with_suffix(".raw")
    raw.write_bytes(b"".join(plane.tobytes() for plane in (luma, *chroma)) * FRAMES)
    size = f"{WIDE * len(codes)}x{HIGH}"
    read = ("-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", size, "-r", "24", "-i", str(raw))
    words = [command.binary(), "-v", "error", "-y", *read, "-vf", f"setparams={tags}", "-c:v", "ffv1", str(target)]
    subprocess.run(words, check=True, timeout=60)
    return target


@dataclass(frozen=True, kw_only=True)
class Patched:
    tags: str
    codes: NDArray[Any]
    wanted: Numbers


def hdr(curve: Callable[[Numbers], Numbers], name: str, *, full: bool = False) -> Patched:
    reach = "pc" if full else "tv"
    return Patched(
        tags=f"color_primaries=bt2020:color_trc={name}:colorspace=bt2020nc:range={reach}",
        codes=ten_bits(curve(LIGHT), "bt2020nc", full=full),
        wanted=mapped(LIGHT),
    )


def wide(primaries: str, matrix: str) -> Patched:
    return Patched(
        tags=f"color_primaries={primaries}:color_trc=bt709:colorspace={matrix}:range=tv",
        codes=ten_bits(CODES, matrix, full=False),
        wanted=converted(CODES, primaries),
    )


CASES = {
    "pq": hdr(pq, "smpte2084"),
    "pq, full range": hdr(pq, "smpte2084", full=True),
    "hlg": hdr(hlg, "arib-std-b67"),
    "bt2020 without hdr": wide("bt2020", "bt2020nc"),
    "display p3": wide("smpte432", "bt709"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("framing", ["native", "pad"])
async def test_colours_come_out_as_the_standards_say(
    small: ClipLimits, tmp_path: Path, name: str, framing: str
) -> None:
    case = CASES[name]
    source = filmed(tmp_path / "patches.mkv", case.codes, tags=case.tags)
    ratio = "4:3" if framing == "pad" else None
    preparation = clip_preparation(probe.clip(source), small, framing=framing, aspect_ratio=ratio)
    target = tmp_path / "prepared.mp4"
    await clips.prepare(source, preparation, target, small)
    assert (
        np.abs(patches(target, len(case.codes)) - case.wanted).max() < 4
    )  # of 255: the rounding of 8 bits and of the encode
    assert told(target) == (1, 1, 1, 1)


def patches(path: Path, count: int) -> Numbers:
    """The mean of the middle of each patch, as R'G'B' of BT.709."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        rgb = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray().astype(float)
    row, column = rgb.shape[0] // 2, rgb.shape[1] / count
    middles = [int(column * (number + 0.5)) for number in range(count)]
    return np.stack([rgb[row - 4 : row + 4, middle - 4 : middle + 4].mean(axis=(0, 1)) for middle in middles])


def told(path: Path) -> tuple[int, ...]:
    """Primaries, curve, matrix and range as the file tells them: all 1 are BT.709, limited range."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        names = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        return tuple(int(name or 0) for name in names)


async def test_an_untagged_transparent_clip_is_flattened_in_the_colours_that_a_player_shows(
    film: Film, small: ClipLimits, tmp_path: Path
) -> None:
    """720 rows and no tag mean BT.709 to a player; ffmpeg's own change to RGB takes BT.601 for granted."""
    rust = "color=0xC04020:s=1280x720:r=24:d=0.25,format=gbrap,scale=out_color_matrix=bt709,format=yuva444p10le"
    untagged = ("-f", "lavfi", "-i", f"{rust},setparams=colorspace=unknown")
    source = film("rust.mov", *untagged, "-c:v", "prores_ks", "-profile:v", "4444")
    facts = probe.clip(source)
    assert (facts.matrix, facts.has_alpha) == ("unknown", True)
    target = tmp_path / "prepared.mp4"
    await clips.prepare(source, clip_preparation(facts, small), target, small)
    assert np.abs(patches(target, 1) - [0xC0, 0x40, 0x20]).max() < 4
