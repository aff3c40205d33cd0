"""The checks on real films: a seeded slice of the corpus (`make quality` runs all of it), and files that mean harm."""

from datetime import timedelta
from pathlib import Path

import pytest

from callsheet.errors import ToolFailed
from callsheet.media import look, probe, quality
from callsheet.quality import flags, spoken
from tests.media import defects
from tests.media.conftest import Film

pytestmark = pytest.mark.slow

LIMIT = timedelta(minutes=1)


@pytest.fixture(scope="session")
def slice_(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[defects.Film, list[str], str]]:
    """A film of every defect and some good ones, all of one source, with what was flagged."""
    bench = defects.Bench(folder=tmp_path_factory.mktemp("quality"))
    found = []
    for number, film in enumerate(defects.sample(7)):
        verdict = bench.judged(film, number)
        found.append((film, flags(verdict), spoken(verdict)))
    return found


def test_every_defect_is_found_by_the_check_that_is_for_it(slice_: list[tuple[defects.Film, list[str], str]]) -> None:
    missed = [(film.kind, found) for film, found, _ in slice_ if not film.is_good and not set(found) & set(film.expect)]
    assert missed == []
    assert len({film.kind for film, _, _ in slice_ if not film.is_good}) >= 12


def test_what_is_good_is_not_flagged(slice_: list[tuple[defects.Film, list[str], str]]) -> None:
    assert [(film.kind, said) for film, _, said in slice_ if film.is_good and said] == []


async def test_the_same_film_is_measured_the_same_twice(pattern: Film) -> None:
    film = pattern("same.mp4", sound="4")
    looks = [quality.Traits(await look.of_film(film, probe.clip(film), time_limit=LIMIT)) for _ in range(2)]
    first, second = (quality.measure(one, looks[0], looks[0].look.sound) for one in looks)
    assert first == second
    assert first.change == 0.0


async def test_a_broken_frame_ends_the_look(pattern: Film, tmp_path: Path) -> None:
    whole = pattern("broken.mp4").read_bytes()
    middle = whole.index(b"mdat") + len(whole) // 3
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[:middle] + b"\xff" * 4000 + whole[middle + 4000 :])
    with pytest.raises(ToolFailed):
        await look.of_film(broken, probe.clip(broken), time_limit=LIMIT)


async def test_a_film_of_more_frames_than_are_looked_at_is_not_decoded(
    pattern: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = pattern("long.mp4")
    monkeypatch.setattr(look, "MOST_FRAMES", 100)
    with pytest.raises(look.TooLong):
        await look.of_film(film, probe.clip(film), time_limit=LIMIT)


def hurried(film: Path, handler: bytes, factor: int) -> None:
    """The same film whose samples of this track last so much longer than its headers say, and that cuts nothing off."""
    whole = bytearray(film.read_bytes().replace(b"elst", b"free"))
    begin = whole.index(b"stts", whole.index(handler))
    for entry in range(int.from_bytes(whole[begin + 8 : begin + 12])):
        at = begin + 16 + 8 * entry
        whole[at : at + 4] = (int.from_bytes(whole[at : at + 4]) * factor).to_bytes(4)
    film.write_bytes(whole)


async def test_sound_that_lasts_for_minutes_beyond_what_its_headers_say_is_not_read_into_memory(pattern: Film) -> None:
    film = pattern("minutes.mp4", sound="3")
    facts = probe.clip(film)
    hurried(film, b"soun", 100)
    assert probe.clip(film).seconds == facts.seconds  # the headers are as they were
    seen = await look.of_film(film, facts, time_limit=LIMIT)
    assert seen.sound is not None
    assert len(seen.sound) <= (facts.seconds + 2) * look.SAMPLE_RATE


async def test_frames_behind_the_end_that_the_headers_tell_end_the_look(pattern: Film) -> None:
    film = pattern("slow.mp4")
    facts = probe.clip(film)
    hurried(film, b"vide", 50)
    assert probe.clip(film).seconds == facts.seconds
    with pytest.raises(ToolFailed, match="has frames at"):
        await look.of_film(film, facts, time_limit=LIMIT)
