"""`callsheet cache`, and remote sources as a person meets them."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsheet.steps import cache
from callsheet.steps.cache import PreparedFile
from tests.sources.web_server import File, WebServer, serving

from .conftest import NewStudio, Studio


def lay(studio: Studio, name: str, *, size: int, days: int) -> Path:
    """A prepared clip that was last needed so many days ago."""
    file = studio.home / "cache/clips" / f"{name}.mp4"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)
    cache.remember(PreparedFile(path=file, sha256="0" * 64, bytes=size, width=1, height=1))
    os.utime(cache.facts_file(file), (time.time() - days * 86400,) * 2)
    return file


def test_the_cache_is_shown_and_looking_makes_nothing(studio: Studio) -> None:
    ended = studio.call("cache")
    assert ended.code == 0
    assert "kept       0.0 MB of 20 GB at most (CALLSHEET_CACHE_GB)" in ended.out
    assert not studio.home.exists()
    lay(studio, "old", size=2_000_000, days=40)
    lay(studio, "young", size=3_000_000, days=1)
    document = json.loads(studio.call("cache", "--json", CALLSHEET_CACHE_GB="0").out)
    assert (document["bytes"], document["max_bytes"]) == (5_000_000, 0)
    assert document["would_go"] == ["clips/old.mp4", "clips/young.mp4"]
    assert [entry["needed"] for entry in document["entries"]] == ["", ""]
    shown = studio.call("cache", CALLSHEET_CACHE_GB="0")
    assert "would go   2 files, 5.0 MB" in shown.out
    assert "clips/old.mp4 (2.0 MB, used " in shown.err
    assert {path.name for path in studio.home.iterdir()} == {"cache"}


def test_the_cache_is_cleared_by_age_once_that_is_approved(studio: Studio) -> None:
    old, young = lay(studio, "old", size=2_000_000, days=40), lay(studio, "young", size=3_000_000, days=1)
    asked = studio.call("cache", "clear", "--older-than", "30d")
    assert asked.code == 4
    assert "This would remove 1 file, 2.0 MB, and there is no terminal to ask for approval at." in asked.err
    assert old.exists()
    cleared = studio.call("cache", "clear", "--older-than", "30d", "--yes")
    assert (cleared.code, cleared.out) == (0, "Removed 1 file, 2.0 MB.\n")
    assert (old.exists(), young.exists()) == (False, True)
    document = json.loads(studio.call("cache", "clear", "--yes", "--json").out)
    assert [entry["path"] for entry in document["cleared"]] == ["clips/young.mp4"]
    assert studio.call("cache", "clear").out == "There is nothing to remove.\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("empty",), "There is nothing called `empty` to do to the cache."),
        (("--older-than", "3d"), "--older-than says what is cleared."),
        (("clear", "--older-than", "soon"), "`soon` is no age."),
    ],
)
def test_words_that_mean_nothing_clear_nothing(studio: Studio, words: tuple[str, ...], told: str) -> None:
    file = lay(studio, "old", size=10, days=40)
    ended = studio.call("cache", *words, "--yes")
    assert ended.code == 2
    assert told in ended.err
    assert file.exists()


# --- remote sources -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with serving(tmp_path_factory.mktemp("authority")) as running:
        yield running


@pytest.fixture
def trusting(new_studio: NewStudio, server: WebServer, media: Path) -> Studio:
    """A studio whose clip is at https:// on this machine, which it allows."""
    server.files["/beach.mp4"] = File(body=(media / "beach.mp4").read_bytes())
    own = {"SSL_CERT_FILE": str(server.authority), "CALLSHEET_PRIVATE_SOURCES": "127.0.0.1", "NO_PROXY": "localhost"}
    studio = new_studio(**own)
    studio.change("media/beach.mp4", server.url("/beach.mp4"))
    return studio


def test_check_fetches_a_remote_clip_and_says_so(trusting: Studio, server: WebServer) -> None:
    ended = trusting.call("check", "specs/tiny.yaml")
    assert ended.code == 0, ended.err
    first, *_, last = ended.err.splitlines()
    assert first.startswith(f"fetching {server.url('/beach.mp4')} (")
    assert last == "specs/tiny.yaml: 1 variant, no problem that stops it."
    again = trusting.call("check", "specs/tiny.yaml")
    assert "fetching" not in again.err
    document = json.loads(trusting.call("plan", "specs/tiny.yaml", "--json").out)
    assert document["totals"]["credits"] == "36"
    kept = json.loads(trusting.call("cache", "--json").out)["entries"]
    assert [(entry["kind"], entry["name"]) for entry in kept] == [("source", server.url("/beach.mp4"))]


def test_a_remote_clip_on_a_private_address_is_refused_at_its_line(trusting: Studio) -> None:
    ended = trusting.call("check", "specs/tiny.yaml", CALLSHEET_PRIVATE_SOURCES="")
    assert ended.code == 3
    assert "specs/tiny.yaml:5:10: clips.beach: https://localhost:" in ended.err
    assert "is in this machine (localhost), which a source may not name." in ended.err
    assert "CALLSHEET_PRIVATE_SOURCES=127.0.0.1 would allow it." in ended.err


def test_networks_that_are_none_are_refused(trusting: Studio) -> None:
    ended = trusting.call("check", "specs/tiny.yaml", CALLSHEET_PRIVATE_SOURCES="10.0.0.0/8, the office")
    assert ended.code == 2
    assert "CALLSHEET_PRIVATE_SOURCES: error: " in ended.err
    assert "'the office' does not appear to be an IPv4 or IPv6 network" in ended.err
