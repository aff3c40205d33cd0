"""The way home of a paid result: what was fetched once is never lost, whatever the archive or the link does."""

import os
from pathlib import Path

import pytest

from callsheet.errors import ArchiveError, ResultDamaged, ResultExpired, ToolMissing
from callsheet.media import command
from callsheet.take import State

from .local_provider import LocalProvider
from .shoot import CAMPAIGN, run, takes

LABEL = "cup--none--odd--16x9"
ONE = CAMPAIGN.replace("  good: A good one.\n", "")


@pytest.fixture
def one(spec: Path) -> Path:
    """The campaign with one variant."""
    spec.write_text(ONE)
    return spec


def fetched(spec: Path) -> list[Path]:
    """What is kept of results that are not in the archive; nothing is left of downloads."""
    home = spec.parent.parent / ".callsheet"
    assert list((home / "incoming").iterdir()) == []
    return sorted((home / "fetched").iterdir())


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


async def test_a_result_that_the_archive_cannot_take_is_kept_and_archived_when_its_link_is_long_dead(
    one: Path, provider: LocalProvider
) -> None:
    taken = one.parent.parent / "archive/tiny" / f"{LABEL}--t1.mp4"
    taken.mkdir(parents=True)
    _, ended = await run(one)
    assert isinstance(ended[LABEL], ArchiveError)
    assert names(fetched(one)) == ["loopback--task-unified-00000000.mp4"]
    os.utime(fetched(one)[0], (0, 0))  # as old as can be: it is no leftover
    taken.rmdir()
    provider.results[:] = [404] * 9
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    assert fetched(one) == []
    assert len(provider.results) == 9  # nothing was fetched again


async def test_a_link_that_is_not_there_yet_is_asked_for_again(one: Path, provider: LocalProvider) -> None:
    provider.results[:] = [404]
    account, _ = await run(one, tries=2)
    assert account.message == "1 of 1 archived"


async def test_a_dead_link_ends_the_take_in_a_hold_that_says_it_is_paid_for(one: Path, provider: LocalProvider) -> None:
    provider.results[:] = [410] * 3
    account, ended = await run(one, tries=3)
    assert isinstance(ended[LABEL], ResultExpired)
    assert "It is paid for." in str(ended[LABEL])
    assert account.message == "0 of 1 archived, 1 not finished"
    assert [take.state for take in takes(one)] == [State.SUCCEEDED]


async def test_a_damaged_result_is_kept_for_a_person_to_look_at(one: Path, provider: LocalProvider) -> None:
    provider.truncate[:] = [40_000]
    _, ended = await run(one)
    damage = ended[LABEL]
    assert isinstance(damage, ResultDamaged)
    assert names(fetched(one)) == ["loopback--task-unified-00000000.damaged.mp4"]
    assert names(fetched(one))[0] in damage.hint
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    assert fetched(one) == []


async def test_a_machine_without_ffmpeg_does_not_call_a_paid_result_damaged(
    one: Path, provider: LocalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_ffmpeg() -> None:
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "gone"))
        command.binary.cache_clear()

    provider.on_accept = lose_ffmpeg
    try:
        _, ended = await run(one)
    finally:
        monkeypatch.undo()
        command.binary.cache_clear()
    missing = ended[LABEL]
    assert isinstance(missing, ToolMissing)
    assert missing.spent == "yes"
    assert names(fetched(one)) == ["loopback--task-unified-00000000.mp4"]
