"""The archive on a disk, beyond what every archive promises (test_archive.py): who dies, who races, and disks that refuse."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsheet.archive.disk import DiskStore
from callsheet.archive.store import Stored
from callsheet.errors import ArchiveError, ChecksumMismatch, StoreUnreachable

CHECKOUT = Path(__file__).parents[2]
KEY = "summer/beach--t1.mp4"

#: Turns a child's file system into one without hard links, as vfat answers.
NO_LINKS = """
import errno, os
def no_links(*args, **kwargs): raise OSError(errno.EPERM, os.strerror(errno.EPERM))
os.link = no_links
"""


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def spawn(code: str, *arguments: object, **options: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=CHECKOUT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "archive")


@pytest.fixture
def render(tmp_path: Path) -> Path:
    file = tmp_path / "render.mp4"
    file.write_bytes(os.urandom(2_500_000))
    return file


@pytest.fixture(params=["hard links", "no hard links"])
def any_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both kinds of file system. The second answers link(2) as vfat does."""
    if request.param == "no hard links":

        def refuse(*paths: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    return str(request.param)


def files(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".callsheet-lock"
    }


# --- put ---------------------------------------------------------------------------------------------------------------


def test_a_stored_file_has_its_bytes_and_leaves_nothing_beside_it(
    store: DiskStore, render: Path, any_disk: str
) -> None:
    data = render.read_bytes()
    stored = store.put(KEY, render, sha256=sha(data))
    assert stored == Stored(key=KEY, sha256=sha(data), bytes=len(data))
    assert store.path(KEY).read_bytes() == data
    assert store.stat(KEY) == stored
    assert store.exists(KEY)
    assert files(store.root) == {KEY}


def test_the_same_bytes_again_are_recognised_and_not_written(store: DiskStore, render: Path, any_disk: str) -> None:
    first = store.put(KEY, render, sha256=sha(render.read_bytes()))
    inode = store.path(KEY).stat().st_ino
    assert store.put(KEY, render, sha256=first.sha256) == first
    assert store.path(KEY).stat().st_ino == inode


def test_a_file_that_is_not_what_was_promised_gets_no_name(store: DiskStore, render: Path, any_disk: str) -> None:
    with pytest.raises(ChecksumMismatch, match="was promised") as caught:
        store.put(KEY, render, sha256=sha(b"promised"))
    assert (caught.value.spent, caught.value.retry) == ("yes", "safe")
    assert not store.exists(KEY)
    assert files(store.root) == set()


def test_a_folder_in_the_place_of_a_file_is_said(store: DiskStore, render: Path) -> None:
    store.path(KEY).mkdir(parents=True)
    with pytest.raises(ArchiveError, match="not a file"):
        store.put(KEY, render, sha256=sha(render.read_bytes()))


def test_a_file_in_the_place_of_a_folder_is_said(store: DiskStore, render: Path) -> None:
    store.put_text("summer", "a file")
    with pytest.raises(ArchiveError):
        store.put(KEY, render, sha256=sha(render.read_bytes()))


# --- text --------------------------------------------------------------------------------------------------------------


def test_a_manifest_and_a_review_page_are_replaced(store: DiskStore) -> None:
    for key in ("summer/manifest.json", "summer/review/index.html"):
        store.replace_text(key, "old")
        assert store.replace_text(key, "new") == store.stat(key)
        assert store.path(key).read_text() == "new"
    assert files(store.root) == {"summer/manifest.json", "summer/review/index.html"}


# --- keys --------------------------------------------------------------------------------------------------------------


def test_a_link_out_of_the_archive_is_not_followed(store: DiskStore, render: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    store.root.mkdir()
    (store.root / "summer").symlink_to(outside)
    (store.root / "file.mp4").symlink_to(outside / "file.mp4")
    for key in (KEY, "file.mp4"):
        with pytest.raises(ArchiveError, match="leads out of the archive"):
            store.put(key, render, sha256=sha(render.read_bytes()))
    assert list(outside.iterdir()) == []


def test_a_loop_of_links_is_refused(store: DiskStore) -> None:
    store.root.mkdir()
    (store.root / "summer").symlink_to(store.root / "summer")
    with pytest.raises(ArchiveError):
        store.stat(KEY)


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "archive").symlink_to(tmp_path / "disk")
    store = DiskStore(tmp_path / "archive")
    store.put_text("summer/beach.json", "{}")
    assert (tmp_path / "disk/summer/beach.json").read_text() == "{}"


# --- disks that refuse -------------------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may reach (pytest's own are private to one)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_read_only_folder_is_said_with_what_to_do(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    code = """
import os, sys
from pathlib import Path
from callsheet.archive.disk import DiskStore
from callsheet.errors import StoreUnreachable
if os.geteuid() == 0:  # root may write anywhere
    os.setuid(65534)
try:
    DiskStore(Path(sys.argv[1])).put_text("summer/beach.json", "{}")
except StoreUnreachable as error:
    print(error.retry, error.spent, error)
"""
    child = spawn(code, open_folder)
    out, err = child.communicate(timeout=20)
    assert err == ""
    assert out.startswith(f"safe yes {open_folder}/summer: No permission to write to the archive. It is paid for.\n")
    assert "write access" in out


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing(
    store: DiskStore, render: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(handle: int) -> None:  # where a disk with delayed allocation says so
        raise OSError(number, os.strerror(number))

    store.root.joinpath("summer").mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnreachable, match=r"The archive is full \([0-9,]+ bytes free\)") as caught:
        store.put(KEY, render, sha256=sha(render.read_bytes()))
    assert caught.value.retry == "safe"
    assert files(store.root) == set()


def test_a_write_that_the_kernel_cuts_short_leaves_nothing(store: DiskStore, render: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from callsheet.archive.disk import DiskStore
from callsheet.errors import StoreUnreachable
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
try:
    DiskStore(Path(sys.argv[1])).put(sys.argv[2], Path(sys.argv[3]), sha256=sys.argv[4])
except StoreUnreachable as error:
    print(error)
"""
    child = spawn(code, store.root, KEY, render, sha(render.read_bytes()))
    out, err = child.communicate(timeout=20)
    assert err == ""
    assert "File too large" in out
    assert files(store.root) == set()


def test_a_name_too_long_for_the_disk_is_said(store: DiskStore) -> None:
    with pytest.raises(ArchiveError, match="File name too long"):
        store.put_text("summer/" + "x" * 300, "{}")


# --- death -------------------------------------------------------------------------------------------------------------

PUT = """
import os, signal, sys
from pathlib import Path
from callsheet.archive.disk import DiskStore
def put(): return DiskStore(Path(sys.argv[1])).put(sys.argv[2], Path(sys.argv[3]), sha256=sys.argv[4])
"""

#: Dies at the nth thing that the put asks of the operating system (open, mkdir, rename, link, remove ...).
DIE = """
left = int(sys.argv[5])
def count(event, arguments):
    global left
    if event == "open" or event.startswith(("os.", "fcntl.")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
"""


def test_kill_9_in_the_middle_of_a_copy_leaves_no_half_file(store: DiskStore, tmp_path: Path, render: Path) -> None:
    data = render.read_bytes()
    pipe = tmp_path / "slow.mp4"
    os.mkfifo(pipe)
    child = spawn(PUT + "put()", store.root, KEY, pipe, sha(data))
    with pipe.open("wb") as feed:
        feed.write(data[: len(data) // 2])
        feed.flush()
        deadline = time.monotonic() + 10
        while not any(path.stat().st_size for path in store.root.rglob("*.part")):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=10)

    assert not store.exists(KEY)
    (leftover,) = store.root.rglob("*.part")
    assert store.sweep_leftovers() == ()  # it could be a copy in progress
    assert store.put(KEY, render, sha256=sha(data)).bytes == len(data)

    old = time.time() - 3700
    os.utime(leftover, (old, old))
    os.utime(store.path(KEY), (old, old))
    assert store.sweep_leftovers() == (leftover,)
    assert files(store.root) == {KEY}


@pytest.mark.parametrize("disk", ["", NO_LINKS], ids=["hard links", "no hard links"])
def test_kill_9_at_any_instant_leaves_the_whole_file_or_none(tmp_path: Path, render: Path, disk: str) -> None:
    digest, seen = sha(render.read_bytes()), []
    for instant in range(1, 60):
        store = DiskStore(tmp_path / f"archive-{instant}")
        child = spawn(disk + PUT + DIE + "put()", store.root, KEY, render, digest, instant)
        _, err = child.communicate(timeout=20)
        assert err == ""
        there = store.stat(KEY)
        assert there is None or there.sha256 == digest
        seen.append(there is not None)
        assert store.put(KEY, render, sha256=digest).sha256 == digest
        if child.returncode == 0:
            break
    assert child.returncode == 0
    assert seen == sorted(seen)  # absent until the instant it is named, present from then on
    assert seen.count(False) >= 4
    assert seen.count(True) >= 2


# --- races -------------------------------------------------------------------------------------------------------------

RACE = """
import sys
from pathlib import Path
from callsheet.archive.disk import DiskStore
from callsheet.errors import WouldOverwrite
root, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = DiskStore(Path(root))
print("ready", flush=True)
for number in range(rounds):
    sys.stdin.readline()
    try:
        store.put_text(f"summer/{number}.json", name * 300_000)
    except WouldOverwrite:
        print("lost", flush=True)
    else:
        print("won", flush=True)
"""


@pytest.mark.parametrize("disk", ["", NO_LINKS], ids=["hard links", "no hard links"])
def test_of_two_processes_with_different_bytes_exactly_one_wins(store: DiskStore, disk: str) -> None:
    rounds = 15
    racers = {name: spawn(disk + RACE, store.root, name, rounds, stdin=subprocess.PIPE) for name in "ab"}
    for racer in racers.values():
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for number in range(rounds):
        for racer in racers.values():
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        results = {name: racer.stdout.readline().strip() for name, racer in racers.items() if racer.stdout is not None}
        assert sorted(results.values()) == ["lost", "won"]
        winner = next(name for name, result in results.items() if result == "won")
        assert store.path(f"summer/{number}.json").read_text() == winner * 300_000
    for racer in racers.values():
        racer.communicate(timeout=10)
        assert racer.returncode == 0
    assert files(store.root) == {f"summer/{number}.json" for number in range(rounds)}


def test_sweeping_leaves_everything_that_is_not_ours(store: DiskStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    names = [".callsheet-12-0123456789abcdef.part", ".callsheet-12-0123.part", "x.part", ".callsheet-lock", "beach.mp4"]
    store.root.mkdir()
    (store.root / "link").symlink_to(outside)
    for folder in (store.root, outside):
        for name in names:
            (folder / name).write_text("x")
            os.utime(folder / name, (1, 1))
    assert store.sweep_leftovers() == (store.root / names[0],)
    assert {path.name for path in outside.iterdir()} == set(names)
    assert {path.name for path in store.root.iterdir()} == {*names[1:], "link"}


def test_a_pipe_is_no_document(tmp_path: Path) -> None:
    """It would be read without end."""
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(ArchiveError, match="not a file"):
        DiskStore(tmp_path).read("manifest.json")
