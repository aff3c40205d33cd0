"""The doorway to ffmpeg: a finished file or none, and no process that outlives the call."""

import asyncio
import os
import time
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


async def test_a_running_ffmpeg_can_neither_fill_the_disk_nor_the_memory_nor_outlive_its_run(
    pattern: Film, tmp_path: Path
) -> None:
    endless = command.source(pattern("plain.mp4"), stream_loop=-1)["V:0"]
    writing = asyncio.create_task(write(tmp_path / "out.mp4", endless))
    limits = await asyncio.to_thread(_limits_of_writer, tmp_path)
    writing.cancel()
    await asyncio.wait([writing])
    rows = {line[:26].strip(): line[26:47].strip() for line in limits.splitlines()}
    assert rows["Max file size"] == str(command.MAX_FILE)
    assert rows["Max address space"] == str(command.MEMORY)
    assert 0 < int(rows["Max cpu time"]) <= PATIENCE.total_seconds() * (os.cpu_count() or 1)
    assert rows["Max core file size"] == "0"


def _limits_of_writer(folder: Path) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        processes = [path for path in Path("/proc").glob("[0-9]*") if _is_writing(path, folder)]
        if processes and list(folder.iterdir()):
            return (processes[0] / "limits").read_text()
        time.sleep(0.01)
    return ""


def _is_writing(process: Path, folder: Path) -> bool:
    try:
        return str(folder).encode() in (process / "cmdline").read_bytes()
    except OSError:  # it has just ended
        return False


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
