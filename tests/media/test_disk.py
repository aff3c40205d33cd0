"""A disk that is full, a folder that is not ours, a source that changes or keeps ffmpeg busy: one clear error, no trace."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from callsheet.catalogue import ClipLimits
from callsheet.errors import CannotWrite, Unacceptable
from callsheet.limits import clip_preparation
from callsheet.media import clips, command, probe
from tests.media.conftest import Film

#: One clip prepared by a program of its own, because what it gives up would be given up by pytest, too: `cramped`, it may
#: not write files of more than 40 kB, as on a disk with no more room; a `stranger` has no more rights than the modes say.
PROGRAM = """
import asyncio, concurrent.futures.thread, os, resource, sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from callsheet.catalogue import model
from callsheet.errors import CannotWrite
from callsheet.limits import clip_preparation
from callsheet.media import clips, command, probe, prober

command.binary()  # what looks for it may lie where a stranger cannot read
source, target, start, who = Path(sys.argv[1]), Path(sys.argv[2]), Fraction(sys.argv[3]), sys.argv[4]
limits = replace(model("kling-o1-video-edit").clip_limits, pixels=(64, 640))
preparation = clip_preparation(probe.clip(source), limits, start=start)
if who == "cramped":
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
elif os.geteuid() == 0:  # root may write anywhere
    prober.prober.close()  # whom a stranger could not end
    os.setuid(65534)
try:
    asyncio.run(clips.prepare(source, preparation, target, limits))
except CannotWrite as error:
    print(preparation.decision, error.what, error.hint)
"""


@pytest.fixture
def location(pattern: Film, film: Film) -> Path:
    """A clip that is copied into a clean container."""
    tag = ("-metadata", "location=+48.1+11.5/", "-movflags", "use_metadata_tags")
    return film("gps.mp4", "-i", str(pattern("clip.mp4")), "-c", "copy", *tag)


def told(source: Path, target: Path, start: str, who: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(source), str(target), start, who],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.parametrize("decision", ["pass", "remux", "transcode"])
def test_a_disk_with_no_more_room_is_told_and_nothing_stays(
    pattern: Film, location: Path, tmp_path: Path, decision: str
) -> None:
    source = location if decision == "remux" else pattern("clip.mp4")
    start = "0.5" if decision == "transcode" else "0"
    out = tmp_path / "out"
    words = f"{decision} {out} cannot be written: File too large. Make room there, or use another folder.\n"
    assert told(source, out / "prepared.mp4", start, "cramped") == words
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(("decision", "start"), [("pass", "0"), ("transcode", "0.5")])
def test_a_folder_that_is_not_ours_is_told(pattern: Film, open_folder: Path, decision: str, start: str) -> None:
    source, out = open_folder / "clip.mp4", open_folder / "out"
    shutil.copyfile(pattern("clip.mp4"), source)
    out.mkdir(mode=0o555)
    words = f"{decision} {out} cannot be written: Permission denied. Make room there, or use another folder.\n"
    assert told(source, out / "prepared.mp4", start, "stranger") == words
    assert list(out.iterdir()) == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may reach (pytest's own are private to one)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


async def test_ffmpeg_is_told_from_the_disk_by_its_words(pattern: Film, tmp_path: Path) -> None:
    """/dev/full is a disk without room; ffmpeg itself says so, in the middle of its work."""
    part = tmp_path / "prepared.mp4"
    stream = command.source(pattern("clip.mp4"))["V:0"]
    for number in range(5000):  # whatever temporary name it takes next
        (tmp_path / f".prepared.part-{os.getpid()}-{number}.mp4").symlink_to("/dev/full")
    with pytest.raises(CannotWrite, match="No space left on device") as refused:
        await command.write(
            part, stream, options={"f": "mp4", "c:v": "libx264"}, seconds=4, time_limit=timedelta(seconds=30)
        )
    assert refused.value.exit_code == 3
    assert not part.exists()


@pytest.mark.parametrize("start", [None, Fraction(1, 2)], ids=["pass", "transcode"])
async def test_a_file_where_the_folder_should_be_is_told(
    pattern: Film, small: ClipLimits, tmp_path: Path, start: Fraction | None
) -> None:
    preparation = clip_preparation(probe.clip(pattern("clip.mp4")), small, start=start)
    (tmp_path / "out").touch()
    with pytest.raises(CannotWrite, match=r"cannot be written: (File exists|Not a directory)"):
        await clips.prepare(pattern("clip.mp4"), preparation, tmp_path / "out/prepared.mp4", small)


async def test_a_source_that_went_away_is_the_sources_fault(pattern: Film, small: ClipLimits, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(pattern("clip.mp4").read_bytes())
    preparation = clip_preparation(probe.clip(source), small)
    source.unlink()
    with pytest.raises(Unacceptable, match="cannot be read: No such file") as refused:
        await clips.prepare(source, preparation, tmp_path / "out/prepared.mp4", small)
    assert refused.value.where == str(source)
    assert list((tmp_path / "out").iterdir()) == []


async def test_a_clip_that_keeps_ffmpeg_busy_for_ever_is_given_up(
    pattern: Film, small: ClipLimits, tmp_path: Path
) -> None:
    preparation = clip_preparation(probe.clip(pattern("clip.mp4")), small, start=Fraction(1, 2))
    out = tmp_path / "out"
    with pytest.raises(command.TookTooLong, match="still working after 0 s and was stopped"):
        await clips.prepare(
            pattern("clip.mp4"), preparation, out / "prepared.mp4", small, within=timedelta(milliseconds=30)
        )
    assert list(out.iterdir()) == []
