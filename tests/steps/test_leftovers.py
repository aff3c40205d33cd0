"""What killed runs left half made is removed by a later one; what is finished, or still being made, is not."""

import errno
import os
import time
from pathlib import Path

import pytest

from callsheet.steps import studio

from .footage import make_studio

HOUR = 3600
OF_OTHERS = (
    ".callsheet/cache/clips/.4f2c.draft-4711-0.mp4",
    ".callsheet/cache/clips/..4f2c.draft-4711-0.part-4711-1.mp4",
    ".callsheet/cache/clips/.4f2c.mp4.json.part-4711",
    ".callsheet/incoming/.take-7.part-4711-0.mp4",
    ".callsheet/incoming/take-7.mp4",
    "archive/tiny/.callsheet-4711-0123456789abcdef.part",
)
FINISHED = (
    ".callsheet/cache/clips/4f2c.mp4",
    ".callsheet/cache/clips/4f2c.mp4.json",
    ".callsheet/cache/clips/4f2c.mp4.lock",
    "archive/tiny/beach.mp4",
    "archive/tiny/.nobody-knows.part",
)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVOLINK_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-test")
    monkeypatch.delenv("CALLSHEET_HOME", raising=False)
    return make_studio(tmp_path / "studio")


def lay(root: Path, names: tuple[str, ...], *, age: float) -> list[Path]:
    """Files that were touched `age` seconds ago."""
    files = [root / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
        os.utime(file, (time.time() - age,) * 2)
    return files


async def opened(spec: Path) -> None:
    async with studio.opened(spec, sandbox=False):
        pass


async def test_a_run_removes_what_a_killed_one_left_half_made_an_hour_ago(spec: Path) -> None:
    left = lay(spec.parent.parent, OF_OTHERS, age=HOUR + 60)
    await opened(spec)
    assert [file for file in left if file.exists()] == []


async def test_a_run_leaves_alone_what_another_may_still_be_making(spec: Path) -> None:
    made = lay(spec.parent.parent, OF_OTHERS, age=HOUR - 60)
    await opened(spec)
    assert [file for file in made if not file.exists()] == []


async def test_a_run_leaves_finished_files_alone_however_old(spec: Path) -> None:
    finished = lay(spec.parent.parent, FINISHED, age=1000 * HOUR)
    await opened(spec)
    assert [file for file in finished if not file.exists()] == []


async def test_a_disk_that_lets_nothing_be_removed_is_logged_and_does_not_stop_the_run(
    spec: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left = lay(spec.parent.parent, OF_OTHERS, age=HOUR + 60)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    await opened(spec)
    assert [file for file in left if not file.exists()] == []
    warned = [record.getMessage() for record in caplog.records if "could not be removed" in record.getMessage()]
    assert len(warned) == len(left)
