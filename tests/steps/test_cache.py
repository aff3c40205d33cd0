"""The cache of media between processes: made once, waited for without a thread, kept within its size, never taken away."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from callsheet.credits import Credits
from callsheet.digest import canonical, of_bytes
from callsheet.ledger.book import Booking, Ledger
from callsheet.media import command
from callsheet.steps import cache, make_room, prepare, settings, studio
from callsheet.steps.cache import PreparedFile

from .local_provider import LocalProvider
from .shoot import CAMPAIGN, run

pytestmark = pytest.mark.slow

ONE = """\
import asyncio, sys
from pathlib import Path
from callsheet.steps import prepare, studio

async def main():
    async with studio.opened(Path(sys.argv[1]), sandbox=False) as at:
        made = await prepare.prepared_clip(at, at.plan.lines[0].variant)
        print(made.path)

asyncio.run(main())
"""
#: An ffmpeg that keeps a record of its encodes, and the process ids of those that hang, where told to.
RECORDING = """\
#!/bin/sh
case "$*" in *libx264*)
  echo encode >> "{record}"
  if [ -e "{record}.hang" ]; then echo $$ > "{record}.pid"; exec sleep 600; fi
esac
exec "{ffmpeg}" "$@"
"""


@pytest.fixture
def spec(cold: Path) -> Path:
    """Nothing is prepared yet."""
    return cold


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "encodes"


@pytest.fixture
def preparing(spec: Path, record: Path, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """preparing("name"): a process of its own that prepares the same clip for a campaign of that name."""
    wrapper = tmp_path / "ffmpeg"
    wrapper.write_text(RECORDING.format(record=record, ffmpeg=command.binary()))
    wrapper.chmod(0o755)

    def start(name: str) -> "subprocess.Popen[str]":
        other = spec.with_name(f"{name}.yaml")
        other.write_text(CAMPAIGN.replace("campaign: tiny", f"campaign: {name}"))
        environment = {**os.environ, "IMAGEIO_FFMPEG_EXE": str(wrapper)}
        words = [sys.executable, "-c", ONE, str(other)]
        return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def test_two_processes_that_need_a_clip_encode_it_once(
    preparing: Callable[..., "subprocess.Popen[str]"], record: Path
) -> None:
    both = [preparing(name) for name in ("first", "second")]
    ended = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert len({out for out, _ in ended}) == 1
    assert record.read_text() == "encode\n"


def test_a_process_that_is_killed_while_it_prepares_leaves_the_way_free(
    preparing: Callable[..., "subprocess.Popen[str]"], record: Path
) -> None:
    """Also while its ffmpeg lives on: the lock is not inherited."""
    hang, pid = Path(f"{record}.hang"), Path(f"{record}.pid")
    hang.touch()
    first = preparing("first")
    while not pid.exists() or not pid.read_text().strip():
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    hang.unlink()
    second = preparing("second")
    try:
        first.kill()
        first.communicate(timeout=10)
        out, err = second.communicate(timeout=60)
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)
    assert second.returncode == 0, err
    assert Path(out.strip()).is_file()
    assert record.read_text() == "encode\nencode\n"


async def test_however_many_wait_for_another_process_threads_stay_free(tmp_path: Path) -> None:
    """Two processes that each waited in every thread for files of the other would wait for ever."""
    files = [tmp_path / f"{number}.lock" for number in range(40)]
    with ExitStack() as others:
        for file in files:
            handle = os.open(file, os.O_RDWR | os.O_CREAT)
            others.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)

        async def wait(file: Path) -> None:
            async with cache.locked(file):
                pass

        waiting = [asyncio.create_task(wait(file)) for file in files]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: "free") == "free"
        assert not any(task.done() for task in waiting)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting[1:])


async def test_a_lock_that_was_cleared_away_is_no_lock(tmp_path: Path) -> None:
    """Whoever waited for the old one must not be alone in another room."""
    file = tmp_path / "a.lock"
    async with cache.locked(file):
        file.unlink()
        with cache.locked_at_once(file) as is_mine:
            assert is_mine
        async with asyncio.timeout(5), cache.locked(file):
            pass


# --- making room --------------------------------------------------------------------------------------------------------


def lay(home: Path, name: str, *, size: int = 1000, days: int = 0, source: str = "") -> Path:
    """A prepared clip that was last needed so many days ago."""
    file = home / "cache/clips" / f"{name}.mp4"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)
    cache.remember(PreparedFile(path=file, sha256="0" * 64, bytes=size, width=1, height=1, source=source))
    then = time.time() - days * 86400
    os.utime(cache.facts_file(file), (then, then))
    return file


@pytest.fixture
def home(spec: Path) -> Path:
    return spec.parent.parent / ".callsheet"


async def test_a_run_keeps_the_cache_within_its_size_and_what_it_needs(
    spec: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_CACHE_GB", "0")
    strange = lay(home, "of-another-campaign", days=1)
    async with studio.opened(spec, sandbox=False) as at:
        assert not strange.exists()
        made = await prepare.prepared_clip(at, at.plan.lines[0].variant)
        assert make_room.clear(at.drawn.settings, None).entries == ()
        (entry,) = make_room.look(at.drawn.settings)
        assert (entry.needed, entry.source) == (make_room.RUN, at.drawn.survey.clips["cup"].sha256)
        assert made.path.is_file()
    assert not made.path.exists()


async def test_what_a_killed_run_needed_may_go(spec: Path, home: Path) -> None:
    file = lay(home, "left", days=1)
    needs = home / "cache/needs/4711-dead.json"
    needs.parent.mkdir()
    needs.write_text(json.dumps(["clips/left.mp4"]))
    (cleared,) = make_room.clear(settings.read(spec.parent.parent), None).entries
    assert cleared.path == "clips/left.mp4"
    assert not file.exists()
    assert not needs.exists()


def test_what_a_take_was_made_of_stays_until_it_is_archived(spec: Path, home: Path) -> None:
    """Its source may be gone from where it came, and a reserved take is still to be sent."""
    file, other = lay(home, "a", source="a" * 64), lay(home, "b", source="b" * 64)
    found = settings.read(spec.parent.parent)
    ledger = Ledger(f"sqlite:///{home}/ledger.sqlite")
    identity = canonical({"clip": "a" * 64})
    take = ledger.reserve(
        Booking(
            campaign="tiny",
            route="loopback",
            slug="x",
            key=of_bytes(identity.encode()),
            number=1,
            price=Credits.of("36"),
            plan="p" * 64,
            supersedes=0,
            budget=None,
            identity=identity,
        )
    )
    assert [entry.path for entry in make_room.clear(found, None).entries] == ["clips/b.mp4"]
    assert file.is_file()
    assert not other.exists()
    ledger.released(take.id, reason="not sent")
    ledger.close()
    assert [entry.path for entry in make_room.clear(found, None).entries] == ["clips/a.mp4"]


def test_an_entry_that_is_being_made_right_now_stays(spec: Path, home: Path) -> None:
    file = lay(home, "a")
    with cache.locked_at_once(cache.lock_file(file)):
        assert make_room.clear(settings.read(spec.parent.parent), None).entries == ()
    assert file.is_file()


def test_clearing_by_age_and_a_half_made_entry_without_facts(spec: Path, home: Path) -> None:
    old, young = lay(home, "old", days=40), lay(home, "young", days=2)
    cache.facts_file(old).unlink()
    os.utime(old, (time.time() - 40 * 86400,) * 2)
    cleared = make_room.clear(settings.read(spec.parent.parent), timedelta(days=30))
    assert [entry.path for entry in cleared.entries] == ["clips/old.mp4"]
    assert cleared.bytes == 1000
    assert young.is_file()
    assert {path.name for path in old.parent.iterdir()} == {"young.mp4", "young.mp4.json"}


async def test_needing_an_entry_again_makes_it_young(spec: Path, home: Path, provider: LocalProvider) -> None:
    await run(spec)
    (facts,) = (home / "cache/clips").glob("*.json")
    os.utime(facts, (0, 0))
    async with studio.opened(spec, sandbox=False) as at:
        await prepare.prepared_clip(at, at.plan.lines[0].variant)
    assert time.time() - facts.stat().st_mtime < 60


async def test_a_cache_that_cannot_be_written_ends_a_run_in_words(spec: Path, home: Path) -> None:
    from callsheet.errors import CacheUnusable

    (home / "cache").mkdir(parents=True)
    (home / "cache/needs").write_text("a file in the place of the folder")
    with pytest.raises(CacheUnusable, match="the cache of media cannot be used"):
        async with studio.opened(spec, sandbox=False):
            pass
