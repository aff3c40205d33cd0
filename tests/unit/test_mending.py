"""What preparation does to a file, in words and as JSON."""

from fractions import Fraction

from callsheet.catalogue import model
from callsheet.limits import ClipFacts, StillFacts, clip_preparation, still_preparation
from callsheet.mending import mended, shape_of

CLIP = ClipFacts(
    container="other",
    format_name="matroska,webm",
    bytes=2_345_678,
    seconds=Fraction(4),
    video_seconds=Fraction(4),
    codec="vp9",
    pixel_format="yuv420p",
    width=1280,
    height=720,
    frame_rate=Fraction(30000, 1001),
    audio_codec="opus",
    audio_tracks=1,
    audio_seconds=Fraction(4),
)
EDIT = model("kling-o1-video-edit")


def test_a_clip_is_told_before_and_after() -> None:
    one = mended("media/a.webm", CLIP, clip_preparation(CLIP, EDIT.clip_limits))
    assert one.before.spoken == "1280x720 matroska vp9, 29.97 fps, opus, 4 s, 2.3 MB"
    assert one.after.spoken == "1280x720 mp4 h264, 29.97 fps, aac, 3.971 s"
    assert one.why == "vp9 video, not H.264; opus sound, not AAC"
    assert one.as_json()["after"] == {
        "format": "mp4 h264", "width": 1280, "height": 720, "bytes": None, "seconds": "3.971",
        "frame_rate": "30000/1001", "sound": "aac",
    }  # fmt: skip


def test_a_still_that_stays_as_it_is_has_its_bytes_and_no_length() -> None:
    facts = StillFacts(format="png", bytes=45_600, width=600, height=400, mode="RGB")
    one = mended("a.png", facts, still_preparation(facts, EDIT.image_limits))
    assert (one.kind, one.why, one.after.spoken) == ("still", "within every limit of the model", "600x400 png, 46 kB")
    assert one.before == shape_of(facts)


def test_what_a_person_should_know_stands_behind_the_reason() -> None:
    facts = StillFacts(format="png", bytes=900, width=200, height=200, mode="RGB")
    one = mended("a.png", facts, still_preparation(facts, EDIT.image_limits))
    assert one.why.startswith("200x200: enlarged. 200x200 is small, and enlarged to 300x300;")
