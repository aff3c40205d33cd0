"""Crops that hold what moves or stands out, and say so where they cannot."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from callsheet import limits
from callsheet.catalogue import ClipLimits
from callsheet.limits import ClipPreparation, clip_preparation
from callsheet.media import aim, clips, probe, reframe
from callsheet.media.samples import Pixels, Sampled
from tests.media.conftest import H264, Film

GREY = "color=0x808080:s=320x180:r=24:d=3"
PATTERN = "testsrc2=s=40x40:r=24:d=3"


async def cropped(source: Path, small: ClipLimits, ratio: str = "9:16", **trim: Fraction) -> ClipPreparation:
    """What is decided about this clip, its crop aimed."""
    facts = probe.clip(source)
    preparation = clip_preparation(facts, small, framing="crop", aspect_ratio=ratio, **trim)
    found = await aim.aim(source, facts, preparation)
    return limits.aimed(preparation, found.course, held=found.held, worst_at=found.worst_at)


def pictures(path: Path) -> list[Pixels]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8) for frame in container.decode(video=0)]


@pytest.fixture(scope="session")
def ball(film: Film) -> Path:
    """A colourful thing that crosses a grey picture from left to right in three seconds."""
    across = "[0][1]overlay=x='10+t*88':y=70"
    return film(
        "ball.mp4", *("-f", "lavfi", "-i", GREY, "-f", "lavfi", "-i", PATTERN), "-filter_complex", across, *H264
    )


@pytest.mark.parametrize("start", [0, Fraction(1, 2)])
async def test_a_prepared_crop_follows_what_moves(
    ball: Path, small: ClipLimits, tmp_path: Path, start: Fraction
) -> None:
    preparation = await cropped(ball, small, start=start)
    assert len(preparation.course) > 1
    await clips.prepare(ball, preparation, tmp_path / "prepared.mp4", small)
    frames = pictures(tmp_path / "prepared.mp4")
    for number in (12, 30, 48):
        columns = np.abs(frames[number].astype(int) - 128).max(axis=(0, 2)) > 40
        middle = np.nonzero(columns)[0].mean() / len(columns)
        assert 0.2 < middle < 0.8, number


@pytest.mark.parametrize(("x", "y"), [(5, 70), (270, 70)])
async def test_a_still_subject_at_the_edge_is_in_the_crop_which_stands_still(
    film: Film, small: ClipLimits, tmp_path: Path, x: int, y: int
) -> None:
    there = ("-filter_complex", f"[1]trim=end_frame=1,loop=-1:1[s];[0][s]overlay=x={x}:y={y}:shortest=0", "-t", "3")
    clip = film("edge.mp4", "-f", "lavfi", "-i", GREY, "-f", "lavfi", "-i", PATTERN, *there, *H264)
    preparation = await cropped(clip, small)
    assert len(preparation.course) == 1
    assert preparation.notes == ()
    await clips.prepare(clip, preparation, tmp_path / "prepared.mp4", small)
    columns = np.abs(pictures(tmp_path / "prepared.mp4")[36].astype(int) - 128).max(axis=(0, 2)) > 40
    assert np.nonzero(columns)[0].size / len(columns) > 0.95 * 40 / 101


async def test_two_things_that_no_window_holds_together_are_told(film: Film, small: ClipLimits) -> None:
    both = ("-filter_complex", "[1]split[a][b];[0][a]overlay=x=5:y=70[c];[c][b]overlay=x=275:y=70")
    clip = film("both.mp4", "-f", "lavfi", "-i", GREY, "-f", "lavfi", "-i", PATTERN, *both, *H264)
    (note,) = (await cropped(clip, small)).notes
    assert note.startswith("At ")
    assert note.endswith("of what moves or stands out; framing: pad keeps all of it.")


async def test_a_real_product_that_is_wider_than_the_window_is_told_and_one_that_fits_is_not(
    box: Path, limits: ClipLimits
) -> None:
    """Turned by a hand, the box is wider than 9:16 of a picture of 4:3, and fits in its square."""
    window = {"start": Fraction(4), "end": Fraction(8)}
    assert (await cropped(box, limits, "9:16", **window)).notes
    assert (await cropped(box, limits, "1:1", **window)).notes == ()


async def test_the_same_bytes_give_the_same_crop(cup: Path, small: ClipLimits) -> None:
    first, second = await cropped(cup, small), await cropped(cup, small)
    assert first == second
    assert first.identity() == second.identity()
    assert first.identity() != clip_preparation(probe.clip(cup), small, framing="crop", aspect_ratio="9:16").identity()


def test_a_face_at_the_side_draws_the_window_more_than_a_wall_full_of_detail() -> None:
    """Skin, light and dark, against a chequered wall that only has contrast."""
    for skin in ((224, 172, 145), (120, 75, 55)):
        frames = np.full((12, 90, 160, 3), 110, dtype=np.uint8)
        frames[:, ::4, :60] = 160
        rows, columns = np.mgrid[:90, :160]
        frames[:, ((rows - 45) / 26) ** 2 + ((columns - 130) / 18) ** 2 < 1] = skin
        found = reframe.aim(1600, 900, Fraction(9, 16), Sampled(frames=frames))
        assert found is not None
        left = found.keys[0][1] * (160 - 90 * 9 / 16)
        assert left < 114, skin
        assert left + 90 * 9 / 16 > 146, skin


def test_a_course_is_the_expression_that_it_says() -> None:
    text = reframe.course([(0.0, 0.25), (1.0, 0.75), (2.0, 0.75)], 400)
    assert [worked_out(text, t) for t in (0, 0.5, 1, 1.5, 9)] == [100, 200, 300, 300, 300]


def worked_out(expression: str, second: float) -> float:
    names = {"choose": lambda test, yes, no: yes if test else no, "lt": lambda a, b: a < b, "t": second}
    return float(eval(expression.replace("if(", "choose("), {"__builtins__": {}}, names))
