"""One contract for every archive: complete or absent, never replaced, whoever races. On disks with and without hard links,
and in a bucket of S3."""

import errno
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import naming
from callsheet.archive.disk import DiskStore
from callsheet.archive.s3 import S3Store
from callsheet.archive.store import Store, Stored, refuse_strange
from callsheet.buckets import Place
from callsheet.errors import ArchiveError, ChecksumMismatch, WouldOverwrite

KEY = "summer/beach--t1.mp4"
#: The smallest part that S3 takes: what is longer goes up in parts.
PART = 5 * 1024 * 1024


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["disk", "disk without hard links", "bucket"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if kind == "bucket":
        request.getfixturevalue("bucket")
        return S3Store(Place("studio", "finals/2026"), part=PART)
    if kind == "disk without hard links":

        def refuse(*paths: object) -> None:  # as vfat answers link(2)
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    return DiskStore(tmp_path / "archive")


@pytest.fixture(params=[0, 2_500_000, PART + 1_000_003], ids=["empty", "one request", "in parts"])
def render(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "render.mp4"
    file.write_bytes(b"ftyp"[: request.param] + os.urandom(max(request.param - 4, 0)))
    return file


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.mp4"
    file.write_bytes(b"a small film")
    return file


def put(store: Store, file: Path, key: str = KEY) -> Stored:
    return store.put(key, file, sha256=sha(file.read_bytes()))


# --- put ---------------------------------------------------------------------------------------------------------------


def test_a_stored_file_has_its_bytes(store: Store, render: Path, tmp_path: Path) -> None:
    data = render.read_bytes()
    stored = put(store, render)
    assert stored == Stored(key=KEY, sha256=sha(data), bytes=len(data))
    assert store.stat(KEY) == stored
    assert store.exists(KEY)
    assert store.read(KEY) == data
    assert store.sizes([KEY, "summer/other.mp4", "winter/x"]) == {KEY: len(data)}
    assert store.bring(KEY, tmp_path / "new" / "copy.mp4") == stored
    assert (tmp_path / "new" / "copy.mp4").read_bytes() == data
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy.mp4"]


def test_every_name_is_listed_and_every_byte_is_read_in_pieces(store: Store, render: Path, small: Path) -> None:
    put(store, render)
    put(store, small, "winter/a.mp4")
    store.replace_text("summer/manifest.json", "{}")
    listed = {
        one.key: (one.bytes, one.kind) for one in store.listing() if not one.key.rpartition("/")[2].startswith(".")
    }
    data = render.read_bytes()
    assert listed == {
        KEY: (len(data), "file"),
        "winter/a.mp4": (12, "file"),
        "summer/manifest.json": (2, "file"),
    }
    with store.opened(KEY) as chunks:
        assert chunks is not None
        pieces = list(chunks)
    assert b"".join(pieces) == data
    assert all(len(piece) <= 1024 * 1024 for piece in pieces)
    with store.opened("winter/none.mp4") as nothing:
        assert nothing is None
    with pytest.raises(ArchiveError), store.opened("../outside.mp4"):
        pass


def test_the_same_bytes_again_are_recognised(store: Store, render: Path) -> None:
    first = put(store, render)
    assert put(store, render) == first


def test_other_bytes_never_replace_a_file(store: Store, render: Path) -> None:
    put(store, render)
    other = render.with_name("other.mp4")
    other.write_bytes(b"other")
    with pytest.raises(WouldOverwrite, match="Another file has this name") as caught:
        put(store, other)
    assert caught.value.spent == "yes"
    assert store.read(KEY) == render.read_bytes()
    assert put(store, other, naming.revision("summer/beach--t1", 2) + ".mp4").bytes == 5


def test_other_bytes_of_the_same_length_are_other_bytes(store: Store, render: Path) -> None:
    data = render.read_bytes()
    put(store, render)
    render.write_bytes(b"x" + data[1:])
    if data:
        with pytest.raises(WouldOverwrite):
            put(store, render)
    assert store.read(KEY) == data


def test_a_file_that_is_not_what_was_promised_gets_no_name(store: Store, render: Path) -> None:
    with pytest.raises(ChecksumMismatch, match="was promised") as caught:
        store.put(KEY, render, sha256=sha(b"promised"))
    assert (caught.value.spent, caught.value.retry) == ("yes", "safe")
    assert not store.exists(KEY)


def test_a_file_that_cannot_be_read_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"missing\.mp4: The file to archive cannot be read: No such file"):
        store.put(KEY, tmp_path / "missing.mp4", sha256=sha(b""))


def test_what_is_not_there_is_nothing(store: Store, tmp_path: Path) -> None:
    assert store.stat(KEY) is None
    assert not store.exists(KEY)
    assert store.read(KEY) is None
    assert store.bring(KEY, tmp_path / "copy.mp4") is None
    assert not (tmp_path / "copy.mp4").exists()
    assert store.sizes([]) == {}


def test_many_files_are_asked_about_together(store: Store, small: Path) -> None:
    keys = [f"summer/é {number}.mp4" for number in range(4)]
    for key in keys:
        put(store, small, key)
    asked = [*keys, "summer/nothing.mp4", "winter/nothing.mp4"]
    assert store.sizes(asked) == dict.fromkeys(keys, 12)


# --- text --------------------------------------------------------------------------------------------------------------


def test_text_is_stored_once_and_never_replaced(store: Store) -> None:
    stored = store.put_text("summer/beach.json", '{"é": 1}')
    assert stored == Stored(key="summer/beach.json", sha256=sha('{"é": 1}'.encode()), bytes=9)
    assert store.put_text("summer/beach.json", '{"é": 1}') == stored
    with pytest.raises(WouldOverwrite):
        store.put_text("summer/beach.json", "{}")


def test_a_manifest_and_a_review_page_are_replaced(store: Store) -> None:
    for key in ("summer/manifest.json", "summer/review/index.html"):
        store.replace_text(key, "old")
        assert store.replace_text(key, "new") == store.stat(key)
        assert store.read(key) == b"new"


@pytest.mark.parametrize("key", ["summer/beach.mp4", "summer/beach.json", "summer/review", "summer/xmanifest.json"])
def test_nothing_else_is_ever_replaced(store: Store, key: str) -> None:
    with pytest.raises(WouldOverwrite, match="Only a manifest"):
        store.replace_text(key, "new")
    assert not store.exists(key)


# --- keys --------------------------------------------------------------------------------------------------------------

HOSTILE = [
    "",
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a//b",
    "a/",
    "./a",
    ".hidden",
    "a/.callsheet-1-0123456789abcdef.part",
    "a\\b",
    "a\x00b",
    "a\nb",
]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_that_is_no_place_in_the_archive_is_refused(store: Store, key: str, small: Path) -> None:
    acts: list[Callable[[], object]] = [
        lambda: put(store, small, key),
        lambda: store.put_text(key, "x"),
        lambda: store.exists(key),
        lambda: store.read(key),
        lambda: store.sizes([key]),
    ]
    for act in acts:
        with pytest.raises(ArchiveError, match="not a name in an archive"):
            act()


@given(st.text(max_size=60) | st.text(alphabet="./\\ \x00\u202e\u3000\xa0a", max_size=30))
def test_every_name_that_naming_makes_is_a_key(name: str) -> None:
    key = naming.revision(naming.deliverable("{campaign}/{clip}", {"campaign": name, "clip": name}), 2) + ".mp4"
    refuse_strange(key)


def test_hostile_names_end_up_inside_and_apart(store: Store, small: Path) -> None:
    names = ["../../x", "CON", "nul.txt", "a/b", "a:b", ".", "x" * 300, "\u202egpj", "e\u0301", "  "]
    keys = [naming.deliverable("{campaign}/{clip}", {"campaign": "summer", "clip": name}) + ".mp4" for name in names]
    for key in keys:
        put(store, small, key)
    assert len(set(keys)) == len(names)
    assert store.sizes(keys) == dict.fromkeys(keys, 12)


# --- before a run, and after one that died -----------------------------------------------------------------------------


def test_an_archive_that_can_be_written_is_checked_without_a_trace_among_its_files(store: Store, small: Path) -> None:
    store.check()
    store.check()
    assert put(store, small).bytes == 12


def test_nothing_is_swept_where_nothing_was_left(store: Store, small: Path) -> None:
    put(store, small)
    assert list(store.sweep_leftovers()) == []
    assert store.exists(KEY)


# --- races -------------------------------------------------------------------------------------------------------------


def test_of_writers_with_different_bytes_exactly_one_wins(store: Store, render: Path, tmp_path: Path) -> None:
    size, ended = render.stat().st_size, dict[str, str]()
    names = "abc"
    start = threading.Barrier(len(names))

    def write(name: str) -> None:
        file = tmp_path / f"{name}.mp4"
        file.write_bytes(name.encode() * (size + 1))
        start.wait()
        try:
            put(store, file)
        except WouldOverwrite:
            ended[name] = "lost"
        else:
            ended[name] = "won"

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ended.values()) == ["lost", "lost", "won"]
    winner = next(name for name, end in ended.items() if end == "won")
    assert store.read(KEY) == winner.encode() * (size + 1)


def test_writers_of_the_same_bytes_all_win(store: Store, render: Path) -> None:
    ended: list[Stored] = []
    threads = [threading.Thread(target=lambda: ended.append(put(store, render))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 3
    assert len(set(ended)) == 1
    assert store.stat(KEY) == ended[0]
