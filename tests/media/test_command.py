"""The doorway to ffmpeg: a finished file or none, and no process that outlives the call."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callsheet.errors import ToolFailed, ToolMissing
from callsheet.media import command
from tests.media.conftest import Film

PATIENCE = timedelta(seconds=30)
TINY = {"f": "mp4", "c:v": "libx264", "preset": "ultrafast"}


async def write(target: Path, stream: Any, limit: timedelta = PATIENCE) -> None:
    await command.write(target, stream, options=TINY, seconds=4, time_limit=limit)


async def test_a_name_with_every_trap_is_one_file(pattern: Film, tmp_path: Path) -> None:
    source = tmp_path / "-y concat:a|b %03d 'it''s'; [0:v].mp4"
    source.write_bytes(pattern("plain.mp4").read_bytes())
    target = tmp_path / "out" / "-f null [x] %d.mp4"
    await write(target, command.source(source)["V:0"])
    assert list((tmp_path / "out").iterdir()) == [target]


async def test_what_passes_its_time_is_stopped_and_leaves_nothing(pattern: Film, tmp_path: Path) -> None:
    endless = command.source(pattern("plain.mp4"), stream_loop=-1)["V:0"]
    with pytest.raises(command.TookTooLong, match="still working after 1 s"):
        await write(tmp_path / "out.mp4", endless, timedelta(seconds=1))
    assert list(tmp_path.iterdir()) == []


async def test_a_frame_beyond_the_largest_is_not_decoded(pattern: Film, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed):
        await write(tmp_path / "out.mp4", command.source(pattern("plain.mp4"), max_pixels=1000)["V:0"])


@pytest.fixture
def no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "no-ffmpeg"))
    command.binary.cache_clear()
    yield
    command.binary.cache_clear()


async def test_an_ffmpeg_that_cannot_start_is_named(bunny: Path, no_ffmpeg: None) -> None:
    with pytest.raises(ToolMissing, match="ffmpeg cannot be started") as missing:
        await command.check_decodes(bunny, time_limit=PATIENCE)
    assert "IMAGEIO_FFMPEG_EXE" in missing.value.hint


async def test_two_writers_of_one_target_do_not_mix(pattern: Film, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    stream = command.source(pattern("plain.mp4"))["V:0"]
    await asyncio.gather(write(target, stream), write(target, stream))
    assert list(tmp_path.iterdir()) == [target]
    await command.check_decodes(target, time_limit=PATIENCE)
