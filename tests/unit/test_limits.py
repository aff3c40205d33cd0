"""The decision about a file, without any file."""

from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callsheet.catalogue import ClipLimits, ImageLimits, model
from callsheet.digest import of_json
from callsheet.errors import Unacceptable
from callsheet.limits import (
    RATES,
    ClipFacts,
    StillFacts,
    cadence,
    clip_preparation,
    microseconds,
    spoken_seconds,
    steady_rate,
    still_preparation,
)

CLIP: ClipLimits = model("kling-o1-video-edit").clip_limits
IMAGES: ImageLimits = model("kling-o1-video-edit").image_limits

GOOD = ClipFacts(
    container="mp4",
    format_name="mov,mp4,m4a,3gp,3g2,mj2",
    bytes=5_000_000,
    seconds=Fraction("5.312"),
    video_seconds=Fraction("5.28"),
    codec="h264",
    profile="High",
    pixel_format="yuv420p",
    width=1280,
    height=720,
    frame_rate=Fraction(25),
    frames=132,
    audio_codec="aac",
    audio_tracks=1,
    audio_seconds=Fraction("5.312"),
)
PICTURE = StillFacts(format="jpeg", bytes=500_000, width=1200, height=800, mode="RGB")


def lasting(seconds: str, **facts: object) -> ClipFacts:
    length = Fraction(seconds)
    return replace(GOOD, seconds=length, video_seconds=length, audio_seconds=length, frames=None, **facts)  # type: ignore[arg-type]


def test_a_clip_within_every_limit_is_passed_on_untouched() -> None:
    preparation = clip_preparation(GOOD, CLIP)
    assert (preparation.decision, preparation.reasons) == ("pass", ())
    assert preparation.seconds == GOOD.seconds
    assert preparation.suffix == ".mp4"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"has_private_metadata": True}, "tells a place, a person or a device"),
        ({"audio_tracks": 2}, "2 sound tracks: the first is kept"),
        ({"container": "other"}, "container is mov, not mp4"),
        ({"has_attached_picture": True}, "carries a cover picture"),
    ],
)
def test_only_the_wrapping_is_wrong_so_the_pictures_are_copied(facts: dict[str, object], reason: str) -> None:
    preparation = clip_preparation(replace(GOOD, **facts), CLIP)  # type: ignore[arg-type]
    assert (preparation.decision, preparation.reasons) == ("remux", (reason,))
    assert preparation.seconds == max(GOOD.video_seconds, GOOD.audio_seconds)


def test_tracks_whose_copy_would_have_another_length_are_encoded() -> None:
    preparation = clip_preparation(replace(GOOD, has_private_metadata=True, even_tracks=False), CLIP)
    assert preparation.decision == "transcode"
    assert preparation.seconds == Fraction("5.28")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"codec": "hevc"}, "hevc video, not H.264"),
        ({"pixel_format": "yuv444p"}, "pixel format yuv444p, not yuv420p"),
        ({"full_range": True}, "full-range colours"),
        ({"audio_codec": "mp3"}, "mp3 sound, not AAC"),
        ({"rotation": 90}, "rotated by a tag that a reader may ignore"),
        ({"mirrored": True}, "mirrored by a tag that a reader may ignore"),
        ({"variable_rate": True}, "variable frame rate"),
        ({"frame_rate": Fraction(24000, 1001)}, "23.976 frames a second"),
        ({"interlaced": True}, "interlaced"),
        ({"transfer": "pq"}, "HDR (PQ)"),
        ({"has_alpha": True}, "transparent"),
        ({"fragmented": True}, "fragmented: its length depends on the reader"),
        ({"sample_aspect_ratio": Fraction(4, 3)}, "its pixels are not square"),
        ({"bytes": 120_500_000}, "120.5 MB, and the model takes at most 100 MB"),
        ({"width": 640, "height": 480}, "640x480: scaled to 960x720"),
        ({"seconds": Fraction(30)}, "goes on for 24.72 s after its last picture"),
    ],
)
def test_what_the_model_may_misread_is_encoded_and_says_why(facts: dict[str, object], reason: str) -> None:
    preparation = clip_preparation(replace(GOOD, **facts), CLIP)  # type: ignore[arg-type]
    assert (preparation.decision, preparation.reasons) == ("transcode", (reason,))
    assert preparation.seconds * preparation.frame_rate == preparation.frames


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((640, 480), (960, 720)),
        ((3840, 2160), (1920, 1080)),
        ((853, 479), (1282, 720)),
        ((1281, 721), (1282, 722)),
        ((480, 1200), (720, 1800)),
        ((2160, 4096), (1080, 2048)),
        ((7680, 4320), (1920, 1080)),
        ((2200, 800), (2160, 786)),
        ((2160, 2160), (2160, 2160)),
    ],
)
def test_sides_come_within_the_limits_in_the_same_shape(size: tuple[int, int], made: tuple[int, int]) -> None:
    preparation = clip_preparation(replace(GOOD, width=size[0], height=size[1]), CLIP)
    assert (preparation.width, preparation.height) == made


@given(st.integers(16, 8192), st.integers(16, 8192))
def test_every_shape_fits_the_limits_or_is_refused(width: int, height: int) -> None:
    try:
        made = clip_preparation(replace(GOOD, width=width, height=height), CLIP)
    except Unacceptable:
        assert max(width, height) > 3 * min(width, height)
        return
    assert min(made.width, made.height) >= 720
    assert max(made.width, made.height) <= 2160
    assert made.width % 2 == made.height % 2 == 0
    assert abs(Fraction(made.width, made.height) / Fraction(width, height) - 1) < Fraction(1, 200)


def test_a_ribbon_is_refused_with_its_size() -> None:
    with pytest.raises(Unacceptable, match="is 1280x120, too long and narrow for sides of 720 to 2160 pixels"):
        clip_preparation(replace(GOOD, width=1280, height=120), CLIP)


def test_a_ribbon_can_be_padded_to_a_shape() -> None:
    preparation = clip_preparation(replace(GOOD, width=1280, height=120), CLIP, framing="pad", aspect_ratio="16:9")
    assert (preparation.width, preparation.height) == (1280, 720)
    assert preparation.reasons == ("1280x120: padded to 16:9, 1280x720",)


@pytest.mark.parametrize(
    ("framing", "ratio", "decision", "size"),
    [
        ("native", "9:16", "pass", (1280, 720)),
        ("crop", "16:9", "pass", (1280, 720)),
        ("pad", None, "pass", (1280, 720)),
        ("crop", "9:16", "transcode", (720, 1280)),
        ("pad", "9:16", "transcode", (1080, 1920)),
        ("crop", "1:1", "transcode", (720, 720)),
        ("pad", "1:1", "transcode", (1080, 1080)),
    ],
)
def test_framing_makes_the_shape_only_where_it_is_asked_to(
    framing: str, ratio: str | None, decision: str, size: tuple[int, int]
) -> None:
    preparation = clip_preparation(GOOD, CLIP, framing=framing, aspect_ratio=ratio)
    assert (preparation.decision, (preparation.width, preparation.height)) == (decision, size)


# --- time --------------------------------------------------------------------------------------------------------------


def test_a_clip_too_long_is_refused_with_the_trim_that_would_do() -> None:
    with pytest.raises(Unacceptable, match=r"^is 12\.4 s long, and the model takes at most 10 s\.") as refusal:
        clip_preparation(lasting("12.4"), CLIP)
    assert refusal.value.hint == "Set trim: 0s..10s, or declare two clips."


def test_a_trim_too_long_is_refused_with_the_trim_that_would_do() -> None:
    with pytest.raises(Unacceptable, match=r"is 11 s long after its trim") as refusal:
        clip_preparation(lasting("15"), CLIP, start=Fraction(2), end=Fraction(13))
    assert refusal.value.hint == "Set trim: 2s..12s, or declare two clips."


def test_a_tenth_too_long_is_cut() -> None:
    preparation = clip_preparation(lasting("10.08"), CLIP)
    assert preparation.reasons == ("10.08 s: cut to 10 s",)
    assert preparation.seconds == 10


def test_a_short_clip_is_frozen_to_exactly_the_least_that_is_billed() -> None:
    for rate in (*RATES, Fraction("26.777"), Fraction(12), Fraction(120)):
        preparation = clip_preparation(lasting("2.1", frame_rate=rate), CLIP)
        assert preparation.seconds == 3
        assert "2.1 s: frozen to 3 s, the least that is billed" in preparation.reasons
        assert preparation.notes == (
            "It is shorter than the model takes: its last picture is held for 0.9 s, and paid for.",
        )


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("6", None, "is 5.28 s long, and its trim asks for 6 s to its end."),
        ("1", "7.5", "is 5.28 s long, and its trim asks for 1 s to 7.5 s."),
        ("3", "2", "has a trim from 3 s to 2 s, which is empty."),
        ("2", "2", "has a trim from 2 s to 2 s, which is empty."),
        ("-1", "2", "has a trim from -1 s to 2 s, which is empty."),
    ],
)
def test_a_trim_outside_the_clip_is_refused_with_numbers(start: str, end: str | None, words: str) -> None:
    with pytest.raises(Unacceptable) as refusal:
        clip_preparation(GOOD, CLIP, start=Fraction(start), end=None if end is None else Fraction(end))
    assert refusal.value.what == words
    assert refusal.value.hint == "Set trim within 0s..5.28s."


def test_a_trim_of_the_whole_clip_is_no_trim() -> None:
    assert clip_preparation(GOOD, CLIP, start=Fraction(0), end=Fraction("5.3")).decision == "pass"


def test_a_trim_is_never_billed_for_more_than_it_asks() -> None:
    preparation = clip_preparation(
        lasting("15", frame_rate=Fraction(30000, 1001)), CLIP, start=Fraction(2), end=Fraction("9.5")
    )
    assert preparation.seconds == microseconds(Fraction(224 * 1001, 30000))
    assert preparation.seconds <= Fraction("7.5")


lengths = st.integers(1, 10_100_000).map(lambda count: Fraction(count, 10**6))
rates = st.one_of(st.sampled_from(RATES), st.fractions(5, 240, max_denominator=1001))


@given(rates, lengths)
def test_the_length_is_whole_frames_within_the_limits_and_near_what_was_asked(
    source: Fraction, asked: Fraction
) -> None:
    rate, frames = cadence(source, asked, CLIP)
    length = frames / rate
    assert 24 <= rate <= 60
    assert 3 <= length <= 10
    if length > 3:
        assert asked - Fraction(11, 10) / rate - Fraction(1, 10) <= length <= asked + Fraction(1, 10) / rate


@given(rates, lengths)
def test_a_container_that_rounds_to_microseconds_is_billed_the_same(source: Fraction, asked: Fraction) -> None:
    rate, frames = cadence(source, asked, CLIP)
    assert ceil(microseconds(frames / rate) * 100) == ceil(frames / rate * 100)


@pytest.mark.parametrize(
    ("source", "made"),
    [
        (Fraction(25), 25),
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        (Fraction(456000, 15217), Fraction(30000, 1001)),
        (Fraction("26.777"), 30),
        (Fraction(24000, 1001), 24),
        (Fraction(12), 24),
        (Fraction(15), 30),
        (Fraction(120), 60),
        (Fraction(100), 50),
        (Fraction(240), 60),
        (Fraction("59.9"), Fraction(60000, 1001)),
        (Fraction("60.02"), 60),
    ],
)
def test_the_rate_is_a_standard_one_that_loses_no_picture(source: Fraction, made: Fraction) -> None:
    assert steady_rate(source, CLIP) == made


@given(st.builds(replace, st.just(GOOD), codec=st.sampled_from(["h264", "hevc"]), video_seconds=lengths))
def test_an_identity_is_canonical_json(facts: ClipFacts) -> None:
    try:
        preparation = clip_preparation(replace(facts, seconds=facts.video_seconds), CLIP)
    except Unacceptable:
        return
    assert len(of_json(preparation.identity())) == 64


def test_another_window_is_another_identity() -> None:
    one = clip_preparation(GOOD, CLIP, start=Fraction(1))
    other = clip_preparation(GOOD, CLIP, start=Fraction("1.2"))
    assert one.identity() != other.identity()
    assert one.identity() == clip_preparation(replace(GOOD, bytes=6_000_000), CLIP, start=Fraction(1)).identity()


@pytest.mark.parametrize(
    ("seconds", "words"), [("12.4", "12.4"), ("3", "3"), ("9.96666", "9.967"), ("0.0004", "0"), ("-1.5", "-1.5")]
)
def test_seconds_are_spoken_shortly(seconds: str, words: str) -> None:
    assert spoken_seconds(Fraction(seconds)) == words


# --- stills ------------------------------------------------------------------------------------------------------------


def test_a_picture_within_every_limit_is_passed_on_untouched() -> None:
    preparation = still_preparation(PICTURE, IMAGES)
    assert (preparation.decision, preparation.suffix) == ("pass", ".jpg")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"format": "gif"}, "gif picture"),
        ({"mode": "CMYK"}, "colour mode CMYK"),
        ({"mode": "RGB", "has_alpha": True}, "transparent"),
        ({"orientation": 6}, "rotated by a tag that a reader may ignore"),
        ({"animated": True}, "animated: the first picture is taken"),
        ({"has_profile": True}, "its colour profile is not sRGB"),
        ({"has_private_metadata": True}, "tells a place, a person or a device"),
        ({"width": 5000, "height": 5000}, "5000x5000: scaled down"),
        ({"bytes": 12_300_000}, "12.3 MB, and the model takes at most 10 MB"),
    ],
)
def test_a_picture_the_model_may_misread_is_made_anew(facts: dict[str, object], reason: str) -> None:
    preparation = still_preparation(replace(PICTURE, **facts), IMAGES)  # type: ignore[arg-type]
    assert (preparation.decision, preparation.reasons, preparation.suffix) == ("transcode", (reason,), ".jpg")


def test_a_small_picture_is_enlarged_and_says_so() -> None:
    preparation = still_preparation(replace(PICTURE, width=200, height=150), IMAGES)
    assert (preparation.width, preparation.height) == (400, 300)
    assert preparation.notes == ("200x150 is small, and enlarged to 400x300; a larger picture gives more.",)


def test_a_ribbon_of_a_picture_is_refused() -> None:
    with pytest.raises(Unacceptable, match="is 3000x600, too long and narrow: the model takes 2:5 to 5:2"):
        still_preparation(replace(PICTURE, width=3000, height=600), IMAGES)


@given(st.integers(1, 9000), st.integers(1, 9000))
@example(4500, 1800)
@example(1802, 4503)
@example(299, 740)
def test_every_picture_fits_the_limits_or_is_refused(width: int, height: int) -> None:
    try:
        made = still_preparation(replace(PICTURE, width=width, height=height), IMAGES)
    except Unacceptable:
        assert not Fraction(2, 5) <= Fraction(width, height) <= Fraction(5, 2)
        return
    assert min(made.width, made.height) >= 300
    assert max(made.width, made.height) <= 4096
    assert Fraction(2, 5) <= Fraction(made.width, made.height) <= Fraction(5, 2)
