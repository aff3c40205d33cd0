"""`callsheet prepare`: files made acceptable by hand, with a report of what each was and is."""

import hashlib
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from callsheet.media import probe
from tests.e2e.conftest import NewStudio, Studio, film

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(new_studio: NewStudio) -> Studio:
    """A folder with a fine clip, a small one, and a picture; each test writes to a folder of its own."""
    made = new_studio()
    film(made.root / "small.mp4", "testsrc2=s=320x180:r=24:d=3")
    return made


def test_each_file_is_made_acceptable_and_told_before_and_after(bench: Studio) -> None:
    ended = bench.call("prepare", "media/beach.mp4", "small.mp4", "media/still.jpg", "--out", "first")
    assert ended.code == 0, ended.err
    rows = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert rows[0] == "file preparation pixels fps seconds size why"
    assert rows[1].startswith("media/beach.mp4 pass 1280x720 24 3 ")
    assert rows[2].startswith("small.mp4 transcode 320x180 → 1280x720 24 3 ")
    assert rows[2].endswith("320x180: scaled to 1280x720")
    assert "3 of 3 prepared for kling-o1-video-edit in first" in ended.err
    out = bench.root / "first"
    assert {path.name for path in out.iterdir()} == {"beach.mp4", "small.mp4", "still.jpg"}
    assert (out / "beach.mp4").read_bytes() == (bench.root / "media/beach.mp4").read_bytes()
    assert probe.clip(out / "small.mp4").width == 1280


def test_an_error_of_one_file_stops_no_other_and_is_in_the_document(bench: Studio) -> None:
    ended = bench.call("prepare", "media/notes.mp4", "media/beach.mp4", "gone.mp4", "--out", "second", "--json")
    assert (ended.code, ended.err) == (3, "")
    told = json.loads(ended.out)
    assert (told["ok"], told["model"]) == (False, "kling-o1-video-edit")
    notes, beach, gone = told["files"]
    assert (notes["prepared"], notes["error"]["message"]) == (None, "is not a video: it begins like text.")
    assert (beach["decision"], beach["reasons"], beach["prepared"], beach["error"]) == (
        "pass", [], "second/beach.mp4", None,
    )  # fmt: skip
    assert gone["error"]["message"] == "cannot be read: No such file or directory."
    assert [path.name for path in (bench.root / "second").iterdir()] == ["beach.mp4"]


def test_a_clip_that_is_too_long_is_told_the_option_that_takes_a_part_of_it(bench: Studio) -> None:
    ended = bench.call("prepare", "media/long.mp4", "--out", "part")
    assert ended.code == 3
    assert "    Use a part of it: --trim 0s..10s\n" in ended.err


def test_shape_and_window_are_those_of_a_campaign(bench: Studio) -> None:
    shape = ("--framing", "crop", "--aspect-ratio", "9:16", "--trim", "500ms..2.5s")
    ended = bench.call("prepare", "small.mp4", *shape, "--out", "third", "--json")
    (one,) = json.loads(ended.out)["files"]
    assert one["reasons"][0] == "trimmed: 0.5 s to 2.5 s"
    assert (one["after"]["width"], one["after"]["height"], one["after"]["seconds"]) == (720, 1280, "3")


def test_nothing_is_replaced_unless_that_is_asked_for_and_a_source_never(bench: Studio) -> None:
    (bench.root / "fourth").mkdir()
    precious = bench.root / "fourth/beach.mp4"
    precious.write_bytes(b"the last good one")
    refused = bench.call("prepare", "media/beach.mp4", "--out", "fourth")
    assert refused.code == 3
    assert "fourth/beach.mp4: error: is there already. Nothing was spent." in refused.err
    assert precious.read_bytes() == b"the last good one"
    assert bench.call("prepare", "media/beach.mp4", "--out", "fourth", "--replace").code == 0
    assert precious.read_bytes() == (bench.root / "media/beach.mp4").read_bytes()
    itself = bench.call("prepare", "media/beach.mp4", "--out", "media", "--replace")
    assert (itself.code, "Give another folder with --out." in itself.err) == (3, True)


def test_control_c_stops_ffmpeg_and_leaves_nothing(bench: Studio) -> None:
    film(bench.root / "large.mp4", "testsrc2=s=640x358:r=60:d=8")
    running = bench.start("prepare", "large.mp4", "--out", "stopped")
    out = bench.root / "stopped"
    deadline = time.monotonic() + 60
    while str(out) not in _processes() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert str(out) not in _processes()
    assert list(out.iterdir()) == []


def _processes() -> str:
    return subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True).stdout


def test_two_files_of_one_name_have_two_results(bench: Studio) -> None:
    other = bench.root / "other"
    other.mkdir()
    (other / "beach.mp4").write_bytes((bench.root / "media/beach.mp4").read_bytes())
    assert bench.call("prepare", "media/beach.mp4", "other/beach.mp4", "--out", "fifth").code == 0
    digests = {path.name: _digest(path) for path in (bench.root / "fifth").iterdir()}
    assert digests == dict.fromkeys(("beach.mp4", "beach-2.mp4"), _digest(other / "beach.mp4"))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
