"""The draft engine on tiny real clips: what an edit must keep, what it must change, and by how much."""

import asyncio
import hashlib
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from callsheet import marking
from callsheet.errors import ToolFailed, Unacceptable
from callsheet.media import command, probe, reframe, samples
from callsheet.sandbox import colour, engine, looks, sheets
from callsheet.sandbox.engine import Shot
from callsheet.sandbox.lexicon import LEXICON
from callsheet.sandbox.look import Look

Film = Callable[..., Path]
Picture = NDArray[np.float64]

#: A park in one second: sky, a wall, grass and a red ball that rolls to the right.
PARK = (
    "-f", "lavfi", "-i", "color=0x9cc4e8:s=320x180:r=24:d=1",
    "-f", "lavfi", "-i", "color=0xd02020:s=24x24:r=24:d=1",
    "-f", "lavfi", "-i", "sine=440:r=48000:d=1",
    "-filter_complex",
    "[0]drawbox=y=90:h=90:c=0x4e8a2c:t=fill,drawbox=x=120:y=40:w=80:h=80:c=0x8c8478:t=fill[park];"
    "[park][1]overlay=x='20+t*240':y=130[v]",
    "-map", "[v]", "-map", "2:a", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "16", "-pix_fmt", "yuv420p",
    "-c:a", "aac",
)  # fmt: skip


@pytest.fixture(scope="session")
def park(film: Film) -> Path:
    return film("park.mp4", *PARK)


@pytest.fixture(scope="session")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """shades((200, 60, 20), ...): a picture whose pixels scatter around these colours."""
    folder = tmp_path_factory.mktemp("shades")

    def make(*colours: tuple[int, int, int]) -> Path:
        rng = np.random.default_rng(7)
        rows = [np.clip(rng.normal(one, 14, (320 // len(colours), 320, 3)), 0, 255) for one in colours]
        path = folder / f"{hashlib.sha256(repr(colours).encode()).hexdigest()[:8]}.png"
        Image.fromarray(np.concatenate(rows).astype(np.uint8)).save(path)
        return path

    return make


def shot_of(
    clip: Path, prompt: str, *, ratio: str | None = None, references: Sequence[Path] = (), sound: bool = True
) -> Shot:
    return Shot(
        clip=clip,
        clip_digest=hashlib.sha256(clip.read_bytes()).hexdigest(),
        references=tuple((path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in references),
        prompt=prompt,
        aspect_ratio=ratio,
        keep_sound=sound,
        seconds=probe.clip(clip).seconds,
    )


@pytest.fixture
def drafted(tmp_path: Path, park: Path) -> Callable[..., Any]:
    """drafted("at dusk", ratio="1:1"): the draft of the park under this prompt."""

    async def make(prompt: str, clip: Path = park, **facts: Any) -> Path:
        target = tmp_path / f"{hashlib.sha256(repr((prompt, clip, facts)).encode()).hexdigest()[:12]}.mp4"
        await engine.render(shot_of(clip, prompt, **facts), target, lambda part: None)
        return target

    return make


def picture_of(path: Path, number: int = 12) -> Picture:
    """One frame as sRGB of 0..1."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == number:
                return frame.to_ndarray(format="rgb24").astype(np.float64) / 255
    raise AssertionError(f"{path} has no frame {number}")


def lab_of(path: Path) -> Picture:
    """The mean colour of a frame in OKLab."""
    mean: Picture = colour.lab_of(picture_of(path).reshape(-1, 3)).mean(axis=0)
    return mean


# --- what is kept ------------------------------------------------------------------------------------------------------


async def test_a_draft_keeps_every_frame_the_rate_and_the_length(park: Path, drafted: Any) -> None:
    before, after = probe.clip(park), probe.clip(await drafted("neon, snow and film grain"))
    assert after.frames == before.frames == 24
    assert after.frame_rate == before.frame_rate
    assert abs(after.seconds - before.seconds) <= 1 / before.frame_rate
    assert (after.codec, after.pixel_format, after.container) == ("h264", "yuv420p", "mp4")


async def test_a_clip_of_uneven_pace_keeps_its_frames_and_its_pace(film: Film, drafted: Any) -> None:
    clip = film(
        "uneven.mp4", "-f", "lavfi", "-i", "testsrc2=s=128x128:r=25:d=1", "-vf", "setpts='(N+mod(N,3)/3)/25/TB'",
        "-fps_mode", "passthrough", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
    )  # fmt: skip
    draft = await drafted("winter", clip)
    assert times_of(draft) == pytest.approx(times_of(clip), abs=0.001)


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


async def test_sound_is_kept_untouched_or_dropped_as_asked(park: Path, drafted: Any) -> None:
    assert sound_of(await drafted("dusk", sound=True)) == sound_of(park)
    assert probe.clip(await drafted("dusk", sound=False)).audio_codec is None


def sound_of(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(bytes(packet) for packet in container.demux(audio=0))


async def test_sound_that_an_mp4_cannot_copy_is_encoded(film: Film, drafted: Any) -> None:
    clip = film(
        "pcm.mov", "-f", "lavfi", "-i", "testsrc2=s=128x128:r=24:d=1", "-f", "lavfi", "-i", "sine=440:d=1",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le",
    )  # fmt: skip
    assert probe.clip(await drafted("dusk", clip)).audio_codec == "aac"


async def test_the_same_shot_gives_the_same_file_and_another_prompt_another_picture(park: Path, tmp_path: Path) -> None:
    for name, prompt in (("one", "fog"), ("two", "fog"), ("three", "qwertz"), ("four", "asdfgh")):
        await engine.render(shot_of(park, prompt), tmp_path / f"{name}.mp4", lambda part: None)
    one, two, three, four = ((tmp_path / f"{name}.mp4") for name in ("one", "two", "three", "four"))
    assert one.read_bytes() == two.read_bytes()
    assert np.abs(picture_of(three) - picture_of(four)).mean() > 0.004


async def test_progress_rises_to_the_end(park: Path, tmp_path: Path) -> None:
    told: list[float] = []
    await engine.render(shot_of(park, "neon"), tmp_path / "out.mp4", told.append)
    assert told == sorted(told)
    assert told[-1] > 0.9


async def test_a_draft_says_that_it_is_one_in_the_picture_and_in_the_file(drafted: Any, park: Path) -> None:
    draft = await drafted("studio")
    with av.open(str(draft)) as container:
        assert "draft" in container.metadata["comment"].lower()
    assert marking.said_in(draft.read_bytes()) == "algorithmicallyEnhanced"
    mark = np.asarray(sheets._veil(Look(), 320, 180))[..., 3] > 0
    rows, columns = np.nonzero(mark)
    assert rows.min() > 120
    assert columns.min() > 200
    assert mark.mean() < 0.03


# --- framing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "size"), [("16:9", (960, 540)), ("9:16", (540, 960)), ("1:1", (720, 720)), (None, (320, 180))]
)
async def test_an_asked_for_shape_is_met_exactly(drafted: Any, ratio: str | None, size: tuple[int, int]) -> None:
    facts = probe.clip(await drafted("dusk", ratio=ratio))
    assert (facts.width, facts.height, facts.frames) == (*size, 24)


@pytest.mark.parametrize(
    ("size", "draft"),
    [("1920x1080", (960, 540)), ("1080x1920", (540, 960)), ("1280x960", (832, 624)), ("2160x720", (960, 320))],
)
async def test_a_draft_is_small_and_has_the_clip_s_shape(
    film: Film, drafted: Any, size: str, draft: tuple[int, int]
) -> None:
    clip = film(
        "large.mp4", "-f", "lavfi", "-i", f"color=gray:s={size}:r=24:d=0.25", "-c:v", "libx264", "-preset", "ultrafast"
    )
    facts = probe.clip(await drafted("dusk", clip))
    assert (facts.width, facts.height) == draft


async def test_the_crop_follows_a_subject_that_moves(film: Film) -> None:
    clip = film(
        "ball.mp4", "-f", "lavfi", "-i", "color=0x808080:s=320x180:r=24:d=3",
        "-f", "lavfi", "-i", "testsrc2=s=40x40:r=24:d=3",
        "-filter_complex", "[0][1]overlay=x='10+t*88':y=70", "-c:v", "libx264", "-preset", "ultrafast",
    )  # fmt: skip
    facts = probe.clip(clip)
    crop = reframe.crop_for(320, 180, reframe.ratio_of("9:16"), await samples.of_clip(clip, facts))
    assert crop is not None
    assert (crop.width, crop.height) == (100, 180)
    for second in (0.5, 1.5, 2.5):
        middle = 10 + second * 88 + 20
        left = evaluated(crop.x, second)
        assert left + 15 < middle < left + 85


def evaluated(expression: str, second: float) -> float:
    """ffmpeg's expression, worked out here: if, lt and arithmetic are all it holds."""
    text = expression.replace("if(", "choose(")
    names = {"choose": lambda test, yes, no: yes if test else no, "lt": lambda a, b: a < b, "t": second}
    return float(eval(text, {"__builtins__": {}}, names))


async def test_a_shape_that_the_clip_has_already_is_not_cropped(park: Path) -> None:
    sampled = await samples.of_clip(park, probe.clip(park))
    assert reframe.crop_for(320, 180, reframe.ratio_of("16:9"), sampled) is None


def test_the_window_jumps_at_a_cut_and_not_before() -> None:
    pictures = np.full((24, 90, 160, 3), 128, dtype=np.uint8)
    pictures[:12, 30:60, 5:35] = (250, 30, 30)
    pictures[12:] = 20
    pictures[12:, 30:60, 125:155] = (30, 250, 30)
    crop = reframe.crop_for(1600, 900, reframe.ratio_of("9:16"), samples.Sampled(frames=pictures))
    assert crop is not None
    assert evaluated(crop.x, 1.7) < 150
    assert evaluated(crop.x, 2.1) > 900


# --- what changes ------------------------------------------------------------------------------------------------------


async def test_dusk_is_darker_and_warmer_than_day_and_its_sky_is_violet(drafted: Any, park: Path) -> None:
    before, after = picture_of(park), picture_of(await drafted("Re-light the scene at dusk."))
    assert colour.lab_of(after).mean(axis=(0, 1))[0] < colour.lab_of(before).mean(axis=(0, 1))[0] - 0.08
    sky = after[10:40, 20:100].mean(axis=(0, 1))
    assert sky[0] > sky[1]
    assert sky[2] > sky[1]
    glow = after[80:95, 270:315].mean(axis=(0, 1))
    assert glow[0] > glow[2]


async def test_neon_splits_the_scene_into_magenta_and_cyan(drafted: Any) -> None:
    picture = picture_of(await drafted("the bottle under neon signs, wet ground"))
    left, right = (picture[40:120, part].mean(axis=(0, 1)) for part in (slice(5, 70), slice(250, 315)))
    assert left[0] > left[1] + 0.2
    assert left[2] > left[1] + 0.2
    assert right[1] > right[0] + 0.2
    assert right[2] > right[0] + 0.2


async def test_noir_has_no_colour_and_saying_no_noir_keeps_it(drafted: Any) -> None:
    assert chroma(await drafted("film noir")) < 0.01
    assert chroma(await drafted("a film, but not black and white")) > 0.04


def chroma(path: Path) -> float:
    lab = colour.lab_of(picture_of(path).reshape(-1, 3))
    return float(np.hypot(lab[:, 1], lab[:, 2]).mean())


async def test_winter_turns_the_grass_white_and_lets_it_snow(drafted: Any) -> None:
    draft = await drafted("deep winter")
    grass = [colour.lab_of(picture_of(draft, number)[150:175, 10:100].reshape(-1, 3)) for number in (2, 20)]
    assert grass[0].mean(axis=0)[0] > 0.72
    assert np.abs(grass[0].mean(axis=0)[1:]).max() < 0.04
    assert np.abs(grass[0][:, 0] - grass[1][:, 0]).max() > 0.03


async def test_references_pull_the_palette_most_of_the_way(drafted: Any, shades: Any) -> None:
    plain = lab_of(await drafted("keep the scene"))
    for tones in (((205, 96, 30), (120, 40, 20)), ((30, 60, 160), (20, 30, 70))):
        reference = shades(*tones)
        goal = colour.lab_of_pixels(samples.of_still(reference)).mean(axis=0)
        pulled = lab_of(await drafted("keep the scene", references=[reference]))
        assert np.linalg.norm((pulled - goal)[1:]) < 0.4 * np.linalg.norm((plain - goal)[1:])


async def test_every_reference_counts_and_order_does_not(drafted: Any, shades: Any) -> None:
    red, blue = shades((200, 40, 30)), shades((30, 50, 190))
    alone, both = lab_of(await drafted("x", references=[red])), lab_of(await drafted("x", references=[red, blue]))
    swapped = lab_of(await drafted("x", references=[blue, red]))
    assert np.linalg.norm(both - alone) > 0.04
    assert both == pytest.approx(swapped, abs=0.004)


async def test_a_dark_reference_and_a_dark_word_do_not_end_in_black(drafted: Any, shades: Any) -> None:
    draft = lab_of(await drafted("very dark moonless midnight", references=[shades((14, 14, 20))]))
    assert draft[0] > 0.18


async def test_a_clip_that_breaks_off_raises_and_leaves_nothing(film: Film, park: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "in" / "damaged.mp4"
    damaged.parent.mkdir()
    whole = film(
        "busy.mp4", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=1", "-c:v", "libx264", "-preset", "ultrafast"
    )
    data = bytearray(whole.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(range(250)) * 16
    damaged.write_bytes(data)
    target = tmp_path / "out" / "draft.mp4"
    with pytest.raises(ToolFailed):
        await engine.render(shot_of(damaged, "dusk"), target, lambda part: None)
    assert not target.parent.exists() or not list(target.parent.iterdir())


async def test_a_clip_with_a_day_between_two_frames_is_looked_through_for_as_long_as_it_says_it_is(film: Film) -> None:
    """Repeating the picture before the gap would write gigabytes to the disk."""
    gap = "setpts='if(eq(N,59),PTS+86400/TB,PTS)'"
    filming = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=30:d=2", "-vf", gap, "-fps_mode", "passthrough")
    clip = film("gap.mp4", *filming, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-use_editlist", "0")
    said = replace(probe.clip(clip), seconds=Fraction(2))
    sampled = await samples.of_clip(clip, said)
    assert len(sampled.frames) <= 3 * samples.PER_SECOND


async def test_a_reference_that_is_no_picture_raises(park: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(Unacceptable):
        await engine.render(shot_of(park, "dusk", references=[wrong]), tmp_path / "draft.mp4", lambda part: None)


async def test_a_cancelled_render_leaves_neither_a_process_nor_a_file(film: Film, tmp_path: Path) -> None:
    clip = film(
        "slow.mp4", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=24:d=4", "-c:v", "libx264", "-preset", "ultrafast"
    )
    folder = tmp_path / "results"
    render = asyncio.create_task(engine.render(shot_of(clip, "neon"), folder / "draft.mp4", lambda part: None))
    async with asyncio.timeout(30):
        while not (folder.exists() and list(folder.iterdir())):  # noqa: ASYNC110, ffmpeg makes it
            await asyncio.sleep(0.02)
    render.cancel()
    with pytest.raises(asyncio.CancelledError):
        await render
    assert not list(folder.iterdir())


# --- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "known"),
    [
        ("Re-light the scene at dusk.", {"dusk"}),
        ("golden hour by the sea", {"golden hour"}),
        ("NEON signs at night", {"neon"}),
        ("deep in the night", {"night"}),
        ("black and white, film grain", {"noir", "grain"}),
        ("a cup, no fog, without any snow", set()),
        ("not dark", set()),
        ("nothing of note", set()),
        ("knight in a snowdrift", set()),
        ("黄昏的海边", {"dusk"}),
        ("霓虹灯下,下雪", {"neon", "winter"}),
        ("不要雾", set()),
        ("黑白", {"noir"}),
    ],
)
def test_a_prompt_means_the_words_it_says_and_not_those_it_denies(prompt: str, known: set[str]) -> None:
    assert set(looks.words_of(prompt)) == known


def test_slightly_is_less_and_very_is_more() -> None:
    strengths = [looks.words_of(f"{word} foggy")["fog"] for word in ("slightly", "a", "very")]
    assert strengths == sorted(strengths)
    assert len(set(strengths)) == 3


def test_every_word_of_the_lexicon_is_found_by_its_own_name() -> None:
    for word in LEXICON:
        assert word.name in looks.words_of(word.name), word.name


def test_with_references_the_prompt_tints_half_as_much() -> None:
    alone, beside = (looks.of_prompt("dusk", has_references=given) for given in (False, True))
    assert beside.shadows == (alone.shadows[0] / 2, alone.shadows[1] / 2)
    assert beside.exposure == alone.exposure


# --- colour ------------------------------------------------------------------------------------------------------------


def test_oklab_and_back_is_the_same_colour() -> None:
    srgb = np.random.default_rng(1).random((500, 3))
    assert colour.srgb_of(colour.lab_of(srgb)) == pytest.approx(srgb, abs=1e-6)
    assert colour.lab_of(np.array([1.0, 1.0, 1.0])) == pytest.approx([1, 0, 0], abs=1e-4)


def test_a_colour_brought_into_gamut_keeps_its_hue_and_lightness() -> None:
    hot = np.array([[0.72, 0.30, 0.28], [0.4, -0.3, 0.1], [0.6, 0.01, 0.02]])
    inside = colour.into_gamut(hot)
    shown = colour.srgb_of(inside)
    assert shown.min() > -0.001
    assert shown.max() < 1.001
    assert inside[:, 0] == pytest.approx(hot[:, 0])
    assert np.arctan2(inside[:, 2], inside[:, 1]) == pytest.approx(np.arctan2(hot[:, 2], hot[:, 1]))
    assert inside[2] == pytest.approx(hot[2])


def test_the_transfer_moves_one_gaussian_towards_the_other() -> None:
    rng = np.random.default_rng(2)
    start = rng.normal((0.5, 0.02, 0.05), (0.12, 0.03, 0.04), (4000, 3))
    goal = rng.normal((0.6, 0.08, -0.06), (0.10, 0.04, 0.05), (4000, 3))
    moved = colour.transfer(colour.Palette.of(start), colour.Palette.of(goal))(start)
    assert moved.mean(axis=0)[1:] == pytest.approx(start.mean(axis=0)[1:] * 0.1 + goal.mean(axis=0)[1:] * 0.9, abs=1e-6)
    assert np.cov(moved.T)[2, 2] == pytest.approx(np.cov(goal.T)[2, 2], rel=0.15)


def test_the_table_of_no_change_changes_nothing() -> None:
    rows = np.array([line.split() for line in colour.cube_text(lambda lab: lab).splitlines()[1:]], dtype=float)
    axis = np.linspace(0, 1, colour.CUBE_SIDE)
    assert rows.shape == (colour.CUBE_SIDE**3, 3)
    assert rows[:, 0] == pytest.approx(np.tile(axis, colour.CUBE_SIDE**2), abs=2e-4)
    assert rows[:, 2] == pytest.approx(np.repeat(axis, colour.CUBE_SIDE**2), abs=2e-4)


def test_ffmpeg_has_the_filters_that_a_draft_needs() -> None:
    listed = subprocess.run(
        [command.binary(), "-hide_banner", "-filters"], capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[1] for line in listed.splitlines() if len(line.split()) > 2}
    assert {"lut3d", "blend", "overlay", "gblur", "curves", "noise", "crop", "loop"} <= names
