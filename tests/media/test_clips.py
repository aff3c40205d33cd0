"""Prepared clips: exactly as long as planned, within the limits, complete or not there at all."""

import asyncio
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from callsheet.catalogue import ClipLimits, model
from callsheet.errors import ToolFailed, Unacceptable
from callsheet.limits import ClipFacts, ClipPreparation, clip_preparation
from callsheet.media import clips, probe
from callsheet.tariff import price_of
from tests.media.conftest import Film

RATES = ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60", "120", "12", "26777/1000")


async def made(source: Path, limits: ClipLimits, folder: Path, **asked: Any) -> tuple[ClipPreparation, ClipFacts, Path]:
    preparation = clip_preparation(probe.clip(source), limits, **asked)
    target = folder / f"prepared{preparation.suffix}"
    facts = await clips.prepare(source, preparation, target, limits)
    assert facts == probe.clip(target)
    assert list(folder.iterdir()) == [target]
    return preparation, facts, target


def same_length(preparation: ClipPreparation, facts: ClipFacts) -> bool:
    """To the microsecond, and so to the credit."""
    rule = model("kling-o1-video-edit")
    assert price_of(rule, preparation.seconds) == price_of(rule, facts.seconds)
    return preparation.seconds == facts.seconds


def frames_of(path: Path) -> list[np.ndarray[Any, Any]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


# --- the length, which is the price ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "sound"), [*((rate, "3.6") for rate in RATES), ("25", ""), ("60000/1001", "")])
async def test_an_encoded_clip_is_exactly_as_long_as_planned(
    pattern: Film, small: ClipLimits, tmp_path: Path, rate: str, sound: str
) -> None:
    source = pattern("clip.mp4", rate=rate, seconds="3.6", sound=sound)
    preparation, facts, _ = await made(source, small, tmp_path, start=Fraction("0.17"), end=Fraction("3.47"))
    assert same_length(preparation, facts)
    assert preparation.seconds <= Fraction("3.3") + Fraction(1, 100)
    assert facts.frames == preparation.frames
    assert facts.frame_rate == preparation.frame_rate
    assert facts.audio_seconds <= facts.video_seconds
    assert facts.has_sound == bool(sound)


async def test_real_footage_is_exactly_as_long_as_planned(
    cup: Path, box: Path, bunny: Path, small: ClipLimits, tmp_path: Path
) -> None:
    windows: list[tuple[Path, dict[str, Fraction]]] = [
        (cup, {"start": Fraction("0.5"), "end": Fraction("3.75")}),
        (box, {"start": Fraction("12.1")}),
        (bunny, {"end": Fraction("3.333")}),
    ]
    for number, (source, window) in enumerate(windows):
        folder = tmp_path / str(number)
        folder.mkdir()
        preparation, facts, _ = await made(source, small, folder, **window)
        assert preparation.decision == "transcode"
        assert same_length(preparation, facts)


@pytest.mark.parametrize("rate", ["24", "30000/1001", "26777/1000"])
async def test_a_short_clip_stands_still_until_exactly_three_seconds(
    pattern: Film, small: ClipLimits, tmp_path: Path, rate: str
) -> None:
    source = pattern("short.mp4", rate=rate, seconds="2.1", sound="2.1")
    preparation, facts, target = await made(source, small, tmp_path)
    assert facts.seconds == 3
    assert preparation.notes
    frames = frames_of(target)
    assert np.abs(frames[-1].astype(int) - frames[-20]).mean() < 1
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 2


async def test_a_short_trim_stands_still_on_its_own_last_frame(
    pattern: Film, small: ClipLimits, tmp_path: Path
) -> None:
    source = pattern("clip.mp4")
    _, facts, target = await made(source, small, tmp_path, start=Fraction(1), end=Fraction(2))
    assert facts.seconds == 3
    last, wanted = frames_of(target)[-1].astype(int), frames_of(source)
    assert np.abs(last - wanted[59]).mean() < np.abs(last - wanted[89]).mean() / 2


async def test_a_trim_begins_at_its_frame(pattern: Film, small: ClipLimits, tmp_path: Path) -> None:
    source = pattern("clip.mp4")
    _, _, target = await made(source, small, tmp_path, start=Fraction("0.5"))
    first, wanted = frames_of(target)[0].astype(int), frames_of(source)
    differences = [np.abs(first - frame).mean() for frame in wanted[10:21]]
    assert int(np.argmin(differences)) == 5


async def test_a_tenth_too_long_is_cut_to_the_maximum(pattern: Film, small: ClipLimits, tmp_path: Path) -> None:
    _, facts, _ = await made(pattern("over.mp4", rate="24", seconds="10.08", sound="10.08"), small, tmp_path)
    assert facts.seconds == 10


async def test_sound_that_outlasts_the_picture_is_not_paid_for(
    pattern: Film, small: ClipLimits, tmp_path: Path
) -> None:
    _, facts, _ = await made(pattern("humming.mp4", sound="9"), small, tmp_path)
    assert facts.seconds == 4


async def test_a_variable_rate_becomes_constant(pattern: Film, small: ClipLimits, tmp_path: Path) -> None:
    variable = ("-vf", "select='not(mod(n,3))+gt(n,60)'", "-fps_mode", "vfr")
    preparation, facts, _ = await made(pattern("variable.mp4", sound="4", extra=variable), small, tmp_path)
    assert not facts.variable_rate
    assert same_length(preparation, facts)


async def test_a_late_picture_or_late_sound_keeps_the_length(
    pattern: Film, film: Film, small: ClipLimits, tmp_path: Path
) -> None:
    plain = str(pattern("plain.mp4", sound="4"))
    for track, other in (("0:v", "1:a"), ("1:v", "0:a")):
        late = film(
            "late.mp4", "-itsoffset", "0.6", "-i", plain, "-i", plain, "-map", track, "-map", other, "-c", "copy"
        )
        folder = tmp_path / track[0]
        folder.mkdir()
        preparation, facts, _ = await made(late, small, folder, end=Fraction("3.5"))
        assert same_length(preparation, facts)


@pytest.mark.parametrize("name", ["a.ts", "a.avi", "a.gif"])
async def test_other_containers_come_out_exact(
    pattern: Film, film: Film, small: ClipLimits, tmp_path: Path, name: str
) -> None:
    options = () if name == "a.gif" else ("-c", "copy")
    source = film(name, "-i", str(pattern("plain.mp4", rate="25", sound="4")), *options)
    preparation, facts, _ = await made(source, small, tmp_path)
    assert (preparation.decision, facts.container) == ("transcode", "mp4")
    assert same_length(preparation, facts)


@pytest.mark.parametrize("sound", ["", "3.5", "4", "4.06"])
@pytest.mark.parametrize("rate", ["25", "30000/1001", "24", "60"])
async def test_a_matroska_is_copied_with_exact_times_and_its_sound_cut_to_the_picture(
    pattern: Film, film: Film, small: ClipLimits, tmp_path: Path, rate: str, sound: str
) -> None:
    """It counts in milliseconds: a plain copy has frames of 33 and 34 ms, and the length of whichever track is longer."""
    plain = pattern(
        "plain.mp4",
        rate=rate,
        seconds="4",
        sound=sound,
        codec=("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
    )
    source = film("a.mkv", "-i", str(plain), "-c", "copy")
    preparation, facts, target = await made(source, small, tmp_path)
    assert (preparation.decision, facts.container, preparation.reasons) == (
        "remux",
        "mp4",
        ("container is matroska, not mp4",),
    )
    assert facts.seconds == facts.video_seconds == preparation.seconds
    assert facts.frame_rate == Fraction(rate)
    assert not facts.variable_rate
    assert pictures(target) == pictures(plain)
    kept, whole = sounds(target), sounds(plain)
    assert kept == whole[: len(kept)]
    assert not sound or float(facts.seconds - facts.audio_seconds) < 0.05 or sound == "3.5"
    assert clip_preparation(facts, small).decision == "pass"


def pictures(file: Path) -> list[tuple[Fraction, bytes]]:
    """When each picture is shown, and what it is."""
    with av.open(str(file)) as container:
        base = container.streams.video[0].time_base or Fraction(1)
        return [((frame.pts or 0) * base, frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def sounds(file: Path) -> list[bytes]:
    """The packets of its first sound track; none where it has none."""
    with av.open(str(file)) as container:
        tracks = container.streams.audio[:1]
        return [bytes(packet) for packet in container.demux(*tracks) if packet.size] if tracks else []


async def test_a_file_of_another_length_than_was_priced_is_never_handed_out(
    pattern: Film, small: ClipLimits, tmp_path: Path
) -> None:
    source = pattern("clip.mp4")
    preparation = clip_preparation(probe.clip(source), small, start=Fraction("0.5"))
    priced = replace(preparation, seconds=preparation.seconds - Fraction(1, 50))
    with pytest.raises(ToolFailed, match=r"3\.5 s long, and 3\.48 s were planned and priced"):
        await clips.prepare(source, priced, tmp_path / "prepared.mp4", small)
    assert list(tmp_path.iterdir()) == []


async def test_a_source_that_ends_before_its_index_says_is_not_filled_up(
    pattern: Film, small: ClipLimits, tmp_path: Path
) -> None:
    preparation = clip_preparation(probe.clip(pattern("long.mp4", seconds="6")), small, start=Fraction(1))
    with pytest.raises(ToolFailed, match="were planned"):
        await clips.prepare(pattern("clip.mp4"), preparation, tmp_path / "prepared.mp4", small)
    assert list(tmp_path.iterdir()) == []


# --- pass and remux ----------------------------------------------------------------------------------------------------


async def test_a_clip_within_every_limit_keeps_every_byte(bunny: Path, limits: ClipLimits, tmp_path: Path) -> None:
    preparation, facts, target = await made(bunny, limits, tmp_path)
    assert preparation.decision == "pass"
    assert target.read_bytes() == bunny.read_bytes()
    assert target.stat().st_ino != bunny.stat().st_ino
    assert same_length(preparation, facts)


@pytest.mark.parametrize(
    ("name", "rate", "sound"),
    [
        ("gps.mov", "25", "4"),
        ("gps.mp4", "30000/1001", ""),
        ("gps.mp4", "30000/1001", "3.7"),
        ("gps.mp4", "25", "4.3"),
        ("gps.mov", "60000/1001", "4.013"),
    ],
)
async def test_a_place_is_forgotten_and_no_picture_touched(
    pattern: Film, film: Film, small: ClipLimits, tmp_path: Path, rate: str, name: str, sound: str
) -> None:
    plain = str(pattern("plain.mp4", rate=rate, sound=sound))
    tag = ("-metadata", "location=+48.1+11.5/", "-movflags", "use_metadata_tags")
    source = film(name, "-i", plain, "-c", "copy", *tag)
    preparation, facts, target = await made(source, small, tmp_path)
    assert (preparation.decision, preparation.reasons) == ("remux", ("tells a place, a person or a device",))
    assert same_length(preparation, facts)
    assert b"48.1" not in target.read_bytes()
    assert packets(target) == packets(source)


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


async def test_a_second_sound_track_and_a_cover_are_left_behind(
    pattern: Film, film: Film, small: ClipLimits, tmp_path: Path
) -> None:
    plain = str(pattern("plain.mp4", sound="4"))
    source = film("two.mp4", "-i", plain, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy")
    preparation, facts, _ = await made(source, small, tmp_path)
    assert preparation.decision == "remux"
    assert facts.audio_tracks == 1
    assert same_length(preparation, facts)


async def test_sound_that_nothing_decodes_is_left_out(bunny: Path, limits: ClipLimits, tmp_path: Path) -> None:
    strange = tmp_path / "strange.mp4"
    strange.write_bytes(bunny.read_bytes().replace(b"mp4a", b"zzzz").replace(b"esds", b"free"))
    (tmp_path / "out").mkdir()
    preparation, facts, _ = await made(strange, limits, tmp_path / "out")
    assert preparation.reasons == ("unknown sound, not AAC",)
    assert preparation.notes == ("Its sound is of an unknown kind and is left out.",)
    assert not facts.has_sound
    assert same_length(preparation, facts)


@pytest.mark.parametrize("start", [None, Fraction("0.5")])
async def test_damage_behind_a_good_header_is_refused(
    bunny: Path, limits: ClipLimits, tmp_path: Path, start: Fraction | None
) -> None:
    data = bytearray(bunny.read_bytes())
    for place in range(120_000, 900_000, 13_007):
        data[place] ^= 0x10
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    preparation = clip_preparation(probe.clip(damaged), limits, start=start)
    with pytest.raises(Unacceptable, match="is damaged: it does not decode to its end") as refused:
        await clips.prepare(damaged, preparation, tmp_path / "out" / "prepared.mp4", limits)
    assert refused.value.where == str(damaged)
    assert list((tmp_path / "out").iterdir()) == []


# --- the picture -------------------------------------------------------------------------------------------------------


async def test_a_turn_is_baked_in(pattern: Film, film: Film, small: ClipLimits, tmp_path: Path) -> None:
    plain = pattern("plain.mp4")
    turned = film("turned.mp4", "-display_rotation", "90", "-i", str(plain), "-c", "copy")
    _, facts, target = await made(turned, small, tmp_path)
    assert (facts.width, facts.height, facts.rotation) == (120, 160, 0)
    upright = np.rot90(frames_of(plain)[0]).astype(int)
    assert np.abs(frames_of(target)[0] - upright).mean() < 12


@pytest.mark.parametrize("name", ["alpha.mov", "alpha.webm"])
async def test_transparent_parts_become_white(film: Film, small: ClipLimits, tmp_path: Path, name: str) -> None:
    half = "format=yuva444p,geq=lum=60:cb=90:cr=200:a='if(gt(X,80),0,255)'"
    codecs = {
        "alpha.mov": ("-vf", half, "-c:v", "prores_ks", "-profile:v", "4444"),
        "alpha.webm": (
            "-vf",
            f"{half},format=yuva420p",
            "-c:v",
            "libvpx-vp9",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
        ),
    }
    source = film(name, "-f", "lavfi", "-i", "color=red:s=160x120:r=24:d=3", *codecs[name])
    _, _, target = await made(source, small, tmp_path)
    picture = frames_of(target)[0]
    assert picture[:, 100:].mean() > 250
    assert picture[:, :60].mean() < 150


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
async def test_colours_survive_the_change_of_size_and_matrix(
    film: Film, small: ClipLimits, tmp_path: Path, matrix: str
) -> None:
    tagged = f"scale=out_color_matrix={matrix},format=yuv420p,setparams=colorspace={matrix}"
    codec = ("-vf", tagged, "-c:v", "libx264", "-preset", "ultrafast")
    source = film("rust.mp4", "-f", "lavfi", "-i", "color=0xC04020:s=48x48:r=24:d=3", *codec)
    _, _, target = await made(source, small, tmp_path)
    with av.open(str(target)) as container:
        frame = next(container.decode(video=0))
        rgb = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray().mean(axis=(0, 1))
    assert np.abs(rgb - [0xC0, 0x40, 0x20]).max() < 6


@pytest.mark.parametrize(("framing", "size"), [("crop", (64, 114)), ("pad", (160, 284))])
async def test_framing_makes_the_shape(
    pattern: Film, small: ClipLimits, tmp_path: Path, framing: str, size: tuple[int, int]
) -> None:
    source = pattern("clip.mp4", size="160x90")
    preparation, facts, target = await made(source, small, tmp_path, framing=framing, aspect_ratio="9:16")
    assert (facts.width, facts.height) == size
    assert same_length(preparation, facts)
    frame, picture = frames_of(source)[0], frames_of(target)[0].astype(int)
    if framing == "pad":
        assert np.abs(picture[97:187] - frame).mean() < 20
        assert np.abs(np.diff(picture[:80], axis=0)).mean() < np.abs(np.diff(picture[97:187], axis=0)).mean() / 3
    else:
        middle = Image.fromarray(frame[:, 55:106]).resize(size)
        assert np.abs(picture - np.asarray(middle)).mean() < 20


# --- size, failure, cancellation ---------------------------------------------------------------------------------------


async def test_noise_stays_under_the_limit_in_bytes(film: Film, small: ClipLimits, tmp_path: Path) -> None:
    noise = ("-f", "lavfi", "-i", "color=gray:s=192x144:r=24:d=3,noise=alls=100:allf=t", "-c:v", "ffv1")
    source = film("noise.mkv", *noise)
    tight = replace(small, max_bytes=150_000)
    _, facts, _ = await made(source, tight, tmp_path)
    assert 75_000 < facts.bytes <= 150_000


async def test_the_ladder_ends(film: Film, small: ClipLimits, tmp_path: Path) -> None:
    noise = ("-f", "lavfi", "-i", "color=gray:s=192x144:r=24:d=3,noise=alls=100:allf=t", "-c:v", "ffv1")
    hopeless = replace(small, max_bytes=2_000)
    with pytest.raises(ToolFailed, match="stays over 2000 bytes"):
        await made(film("noise.mkv", *noise), hopeless, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_progress_rises_to_one(pattern: Film, small: ClipLimits, tmp_path: Path) -> None:
    seen: list[float] = []
    source = pattern("clip.mp4")
    preparation = clip_preparation(probe.clip(source), small, start=Fraction("0.5"))
    await clips.prepare(source, preparation, tmp_path / "prepared.mp4", small, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] > 0.9


@pytest.mark.parametrize("impatient", [False, True])
async def test_a_cancelled_preparation_leaves_no_process_and_no_file(
    pattern: Film, limits: ClipLimits, tmp_path: Path, impatient: bool
) -> None:
    source = pattern("large.mp4", size="1280x720", seconds="4", rate="60")
    preparation = clip_preparation(probe.clip(source), limits, start=Fraction("0.1"))
    begun = asyncio.Event()
    on_progress: Callable[[float], None] = lambda _: begun.set()  # noqa: E731
    work = asyncio.create_task(
        clips.prepare(source, preparation, tmp_path / "prepared.mp4", limits, on_progress=on_progress)
    )
    await begun.wait()
    assert str(tmp_path) in running()
    work.cancel()
    if impatient:
        await asyncio.sleep(0.05)
        work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert str(tmp_path) not in running()
    assert list(tmp_path.iterdir()) == []


def running() -> str:
    return subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True).stdout


async def test_the_target_is_replaced_only_by_a_finished_file(pattern: Film, small: ClipLimits, tmp_path: Path) -> None:
    target = tmp_path / "prepared.mp4"
    target.write_bytes(b"the last good one")
    source = pattern("clip.mp4")
    preparation = clip_preparation(probe.clip(source), small, start=Fraction("0.5"))
    wrong = replace(preparation, frames=(preparation.frames or 0) + 300)
    with pytest.raises(ToolFailed):
        await clips.prepare(source, wrong, target, small)
    assert target.read_bytes() == b"the last good one"
