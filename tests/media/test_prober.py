"""Whatever a file does to the process that reads it, the process that asks goes on."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from callsheet.errors import Unacceptable
from callsheet.media import probe
from callsheet.media.prober import Prober, ProberDied

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
CLIP = ROOT / "media/clips/cup.mp4"


@pytest.fixture
def large_still(tmp_path: Path) -> Path:
    """A picture that takes about a second to decode."""
    path = tmp_path / "large.png"
    Image.effect_noise((7000, 7000), 90).convert("RGB").save(path, compress_level=1)
    return path


@pytest.fixture
def prober() -> Iterator[Prober]:
    made = Prober()
    yield made
    made.close()


def children() -> set[int]:
    """The processes that this one has started and not yet waited for."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # somebody else's, which ended just now
            if status.read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.add(int(status.parent.name))
    return found


def test_the_facts_are_those_that_this_process_would_find(tmp_path: Path) -> None:
    still = ROOT / "media/references/coffee.png"
    assert probe.clip(CLIP) == probe.clip_here(CLIP)
    assert probe.still(still) == probe.still_here(still)


def test_a_refusal_reads_the_same(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(CLIP.read_bytes()[:50_000])
    with pytest.raises(Unacceptable) as there:
        probe.clip(cut)
    with pytest.raises(Unacceptable) as here:
        probe.clip_here(cut)
    assert str(there.value) == str(here.value)


def test_one_process_answers_one_question_after_the_other(prober: Prober) -> None:
    before = children()
    for _ in range(3):
        prober.facts("clip", CLIP)
    assert len(children() - before) == 1


def test_a_file_that_ends_its_reader_is_refused_and_the_next_one_is_read(prober: Prober) -> None:
    before = children()
    prober.facts("clip", CLIP)
    (reader,) = children() - before
    os.kill(reader, signal.SIGSTOP)  # so that it has no answer before it dies
    killer = threading.Timer(0.2, os.kill, (reader, signal.SIGKILL))
    killer.start()
    with pytest.raises(ProberDied, match="crash"):
        prober.facts("clip", CLIP)
    killer.join()
    assert prober.facts("clip", CLIP)["width"]
    assert reader not in children()


def test_a_file_that_keeps_its_reader_busy_is_refused_and_its_reader_is_gone(large_still: Path) -> None:
    before = children()
    prober = Prober(time_limit=timedelta(seconds=0.01))
    with pytest.raises(ProberDied, match=r"busy for 0\.01 s"):
        prober.facts("still", large_still)
    assert children() == before


def test_a_file_that_would_fill_the_memory_is_refused(large_still: Path) -> None:
    prober = Prober(memory=250_000_000)
    with pytest.raises(Unacceptable, match="damaged picture"):
        prober.facts("still", large_still)
    prober.close()


def test_a_reader_ends_with_the_process_that_asked(prober: Prober) -> None:
    """Also after kill -9: its standard input ends then."""
    prober.facts("clip", CLIP)
    stdin = prober._idle[0].stdin
    assert stdin is not None
    stdin.close()
    deadline = time.monotonic() + 10
    while prober._idle[0].poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert prober._idle[0].returncode == 0


def test_the_reader_knows_nothing_of_this_process_environment(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-secret")
    before = children()
    prober.facts("clip", CLIP)
    (reader,) = children() - before
    assert b"sk-evo" not in Path(f"/proc/{reader}/environ").read_bytes()
