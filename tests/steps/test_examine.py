"""Looking at machines that lack one thing each: what is said of it, and the exit code that a run would end with."""

import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg
import pytest

from callsheet.checkup import Check
from callsheet.ledger.book import Ledger
from callsheet.media import command
from callsheet.steps import settings
from callsheet.steps.examine import examine

ROOT = Path(__file__).parents[2]
NAMES = (
    *("EVOLINK_API_KEY", "EVOLINK_BASE_URL", "EVOLINK_FILES_BASE_URL", "IMAGEIO_FFMPEG_EXE"),
    *("CALLSHEET_HOME", "CALLSHEET_LEDGER", "CALLSHEET_STAGING", "CALLSHEET_MAX_IN_FLIGHT"),
)
KEY = "sk-evo-of-a-test-0123456789"
MIRROR = '[mirror]\napi = "https://api.example.com"\nkey = "MIRROR_API_KEY"\n'
#: Before any test names another one.
REAL = imageio_ffmpeg.get_ffmpeg_exe()
#: An ffmpeg that runs and says what it is built with; its shell has no PATH, as ours is given none.
BUILT_WITH = """#!/bin/sh
case "$*" in
  *-version*) echo "ffmpeg version 7.1 Copyright (c) the FFmpeg developers" ;;
  *-encoders*) echo " V....D {video}   an encoder" ; echo " A....D aac   AAC (Advanced Audio Coding)" ;;
  *-filters*) echo " .S {filter}   V->V   a filter" ;;
  *) {rest} ;;
esac
"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout, and nothing set."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())
    root = tmp_path / "studio"
    root.mkdir()
    (root / settings.MARKER).write_bytes((ROOT / settings.MARKER).read_bytes())
    (root / "flows").symlink_to(ROOT / "flows")
    command.binary.cache_clear()
    yield root
    command.binary.cache_clear()


async def look(studio: Path) -> list[Check]:
    return [check async for check in examine(studio)]


def tool(studio: Path, *, video: str = "libx264", filter_: str = "zscale", rest: str = "") -> None:
    """rest: what it does when it is to make something; by default it is the real one."""
    file = studio / "ffmpeg"
    file.write_text(BUILT_WITH.format(video=video, filter=filter_, rest=rest or f'exec {REAL} "$@"'))
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def newer_ledger(studio: Path) -> None:
    (studio / ".callsheet").mkdir()
    with closing(Ledger(f"sqlite:///{studio}/.callsheet/ledger.sqlite")):
        pass
    with closing(sqlite3.connect(studio / ".callsheet" / "ledger.sqlite")) as book:
        book.execute("update ledger_version set version = 99")
        book.commit()


@dataclass(frozen=True, kw_only=True)
class Lack:
    """What is wrong, and how it is told; {studio} in any text is the checkout."""

    name: str
    code: int
    line: str
    settings: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda studio: None


LACKS = {
    "no ffmpeg": Lack(
        name="ffmpeg",
        code=3,
        settings={"IMAGEIO_FFMPEG_EXE": "{studio}/nothing"},
        line="ffmpeg cannot be started: No such file or directory. Set IMAGEIO_FFMPEG_EXE to a working ffmpeg.",
    ),
    "an ffmpeg that is none": Lack(
        name="ffmpeg",
        code=3,
        settings={"IMAGEIO_FFMPEG_EXE": "/bin/true"},
        line="/bin/true is not an ffmpeg. Unset IMAGEIO_FFMPEG_EXE, or set it to a working ffmpeg.",
    ),
    "an ffmpeg that fails": Lack(
        name="ffmpeg",
        code=3,
        settings={"IMAGEIO_FFMPEG_EXE": "/bin/false"},
        line="ffmpeg ended with 1: no message",
    ),
    "an ffmpeg without x264": Lack(
        name="ffmpeg",
        code=3,
        settings={"IMAGEIO_FFMPEG_EXE": "{studio}/ffmpeg"},
        prepare=lambda studio: tool(studio, video="mpeg4"),
        line="ffmpeg 7.1 lacks x264, which every clip is made with. Unset IMAGEIO_FFMPEG_EXE to use the one that comes",
    ),
    "an ffmpeg without zscale": Lack(
        name="ffmpeg",
        code=0,
        settings={"IMAGEIO_FFMPEG_EXE": "{studio}/ffmpeg"},
        prepare=lambda studio: tool(studio, filter_="scale"),
        line="ffmpeg 7.1 lacks zscale: HDR clips cannot be prepared. Unset IMAGEIO_FFMPEG_EXE to use the one that comes",
    ),
    "an ffmpeg that makes no film": Lack(
        name="film",
        code=3,
        settings={"IMAGEIO_FFMPEG_EXE": "{studio}/ffmpeg"},
        prepare=lambda studio: tool(studio, rest="echo 'Error while opening encoder' >&2; exit 187"),
        line="no film can be made here that plays: ffmpeg ended with 187: Error while opening encoder. Unset IMAGEIO",
    ),
    "no folder for temporary files": Lack(
        name="film",
        code=3,
        prepare=lambda studio: setattr(tempfile, "tempdir", str(studio / "none")),
        line="no film can be made in the folder for temporary files: No such file or directory. Set TMPDIR to",
    ),
    "no checkout": Lack(
        name="checkout",
        code=8,
        prepare=lambda studio: (studio / settings.MARKER).unlink(),
        line="No prefect.yaml in {studio} or above it, so this is no studio. Change into a studio, the folder",
    ),
    "a checkout without its flow": Lack(
        name="checkout",
        code=8,
        prepare=lambda studio: (studio / "flows").unlink(),
        line="{studio} has a prefect.yaml but no flows/campaign.py. `callsheet init` there adds what it lacks and keeps",
    ),
    "a home that is a file": Lack(
        name="home",
        code=6,
        prepare=lambda studio: (studio / ".callsheet").touch(),
        line="{studio}/.callsheet: CALLSHEET_HOME cannot be a folder that is written to: a file stands in its place. Set",
    ),
    "a home where nothing can be": Lack(
        name="home",
        code=6,
        settings={"CALLSHEET_HOME": "/proc/callsheet"},
        line="/proc/callsheet: CALLSHEET_HOME cannot be a folder that is written to: No such file or directory. Set",
    ),
    "a newer ledger": Lack(
        name="ledger",
        code=6,
        prepare=newer_ledger,
        line="{studio}/.callsheet/ledger.sqlite: The ledger is of version 99, and this Callsheet reads version ",
    ),
    "a ledger that is no database": Lack(
        name="ledger",
        code=6,
        settings={"CALLSHEET_LEDGER": "sqlite:///{studio}/prefect.yaml"},
        line="CALLSHEET_LEDGER: The ledger cannot be used now: file is not a database. Check that its folder exists,",
    ),
    "a ledger in a folder that is not there": Lack(
        name="ledger",
        code=6,
        settings={"CALLSHEET_LEDGER": "sqlite:////nowhere/ledger.sqlite"},
        line="CALLSHEET_LEDGER: The ledger's folder /nowhere is not there. Make it, or unset this.",
    ),
    "no key": Lack(
        name="key",
        code=0,
        line="EVOLINK_API_KEY is not set: only --sandbox runs, and a paid run stops. To render for money, put it into the "
        "environment",
    ),
    "a route without its key": Lack(
        name="provider",
        code=0,
        prepare=lambda studio: (studio / "routes.toml").write_text(MIRROR),
        line="route mirror of routes.toml is not used: MIRROR_API_KEY is not set",
    ),
    "a key of another route only": Lack(
        name="key",
        code=0,
        settings={"MIRROR_API_KEY": KEY},
        prepare=lambda studio: (studio / "routes.toml").write_text(MIRROR),
        line="EVOLINK_API_KEY is not set: evolink gets no jobs",
    ),
    "a key with a space": Lack(
        name="provider",
        code=0,
        settings={"EVOLINK_API_KEY": f"{KEY} {KEY}"},
        line="paid runs cannot work: The key holds a space, a line break or an odd character. Set EVOLINK_API_KEY,",
    ),
    "one of two addresses on this machine": Lack(
        name="provider",
        code=0,
        settings={"EVOLINK_FILES_BASE_URL": "http://127.0.0.1:4100"},
        line="paid runs cannot work: One of the two base URLs is this machine and the other is not. Set EVOLINK_BASE_URL",
    ),
    "a provider on this machine": Lack(
        name="provider",
        code=0,
        settings={"EVOLINK_BASE_URL": "http://127.0.0.1:4100"},
        line="paid runs go to http://127.0.0.1:4100, which is this machine and not EvoLink, uploads to http://127.0.0.1:",
    ),
}


@pytest.mark.parametrize("lack", LACKS.values(), ids=LACKS.keys())
async def test_what_is_lacking_is_told_with_how_to_get_it(
    lack: Lack, studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in lack.settings.items():
        monkeypatch.setenv(name, value.format(studio=studio))
    lack.prepare(studio)
    checks = {check.name: check for check in await look(studio)}
    found = checks[lack.name]
    assert found.line.startswith(lack.line.format(studio=studio))
    assert (found.status, found.exit_code) == ("no" if lack.code else "note", lack.code)
    assert [name for name, check in checks.items() if check.status == "no"] == ([lack.name] if lack.code else [])
    assert KEY not in str(checks)


async def test_a_setting_that_cannot_be_used_ends_the_examination(
    studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVOLINK_BASE_URL", "http://example.com")
    last = (await look(studio))[-1]
    assert (last.name, last.status, last.exit_code) == ("settings", "no", 2)
    assert last.line.startswith("EVOLINK_BASE_URL: must be an https:// URL; plain http is for this machine only")


async def test_with_a_key_of_another_route_only_that_one_is_named(
    studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRROR_API_KEY", KEY)
    (studio / "routes.toml").write_text(MIRROR)
    told = [check.message for check in await look(studio) if check.name == "provider"]
    assert told == ["paid runs go to https://api.example.com as route mirror, uploads to https://api.example.com"]


async def test_a_fastapi_that_prefect_does_not_start_with_is_told(
    studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = studio / "newest" / "fastapi-0.155.0.dist-info"
    newest.mkdir(parents=True)
    (newest / "METADATA").write_text("Metadata-Version: 2.1\nName: fastapi\nVersion: 0.155.0\n")
    monkeypatch.syspath_prepend(newest.parent)
    packages = (await look(studio))[1]
    assert (packages.status, packages.exit_code) == ("no", 70)
    assert packages.message == "fastapi 0.155.0 is installed, and Callsheet needs <0.151"


async def test_a_machine_that_is_ready_is_left_as_it_was(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLINK_API_KEY", KEY)
    before = set(studio.rglob("*"))
    checks = await look(studio)
    assert [check for check in checks if check.status != "ok"] == []
    assert set(studio.rglob("*")) == before
    assert KEY not in str(checks)
