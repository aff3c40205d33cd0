"""The way home of a paid result: what was fetched once is never lost, whatever the archive or the link does."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callsheet.errors import ArchiveError, ResultDamaged, ResultExpired, ToolMissing
from callsheet.media import command
from callsheet.provider.client import Provider
from callsheet.steps import clock, studio
from callsheet.take import State

from .footage import cut
from .local_provider import InProcess, LocalProvider
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


Film = Callable[[Request, bytes], Response]


def film(body: bytes | None = None, **headers: str) -> Film:
    """The whole film, or this body, as a video."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, whole: Response(whole if body is None else body, headers=named, media_type="video/mp4")


def broken_frame(_: Request, whole: bytes) -> Response:
    """Every byte is there, and some in the middle of the pictures are not what they were."""
    middle = whole.index(b"mdat") + len(whole) // 3
    return Response(whole[:middle] + b"\xff" * 4000 + whole[middle + 4000 :], media_type="video/mp4")


@pytest.fixture(scope="session")
def short(warm: Path) -> bytes:
    """A film of one second, where the clip has three."""
    target = warm.parent / "short.mp4"
    cut(warm / "media/cup.mp4", target, start=0, seconds=1)
    return target.read_bytes()


@pytest.mark.parametrize(
    ("answer", "words", "retry"),
    [
        (film(b"<!doctype html><title>Log in</title>"), "begins like a web page", "safe"),
        (film(b'{"error": {"code": "AccessDenied"}}'), "begins like a JSON document", "safe"),
        (film(b""), "begins like an empty file", "safe"),
        (film(content_length="99999999"), "cut short", "safe"),
        (film(content_length="3000000000"), "larger than 2000000000 bytes", "never"),
        (film(content_encoding="gzip"), "came as gzip", "safe"),
        (broken_frame, "is damaged", "safe"),
        (lambda *_: RedirectResponse("https://10.0.0.1/a.mp4"), "10.0.0.1 is a private address", "never"),
        (lambda *_: RedirectResponse("https://169.254.169.254/a"), "169.254.169.254 is a private address", "never"),
        (lambda *_: RedirectResponse("http://cdn.example.com/a.mp4"), "plain http to cdn.example.com", "never"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_not_the_film_is_never_archived_and_the_film_is_fetched_later(
    one: Path, provider: LocalProvider, answer: Film, words: str, retry: str
) -> None:
    provider.films[:] = [answer]
    account, ended = await run(one)
    damage = ended[LABEL]
    assert isinstance(damage, ResultDamaged)
    assert (damage.spent, damage.retry) == ("yes", retry)
    assert words in damage.what
    assert account.message == "0 of 1 archived, 1 not finished"
    again, _ = await run(one)
    assert again.message == "1 of 1 archived"
    assert len(provider.jobs) == 1
    assert fetched(one) == []


async def test_a_film_of_another_length_than_its_clip_is_held_and_given_up_on_when_it_comes_twice(
    one: Path, provider: LocalProvider, short: bytes
) -> None:
    provider.films[:] = [film(short)] * 2
    account, ended = await run(one, tries=2)
    damage = ended[LABEL]
    assert isinstance(damage, ResultDamaged)
    assert (damage.spent, damage.retry) == ("yes", "never")
    assert "it lasts 1" in damage.what
    assert "what was sent 3 s" in damage.what
    assert "twice the same" in damage.hint
    assert "callsheet reconcile specs/tiny.yaml --lost 1" in damage.hint
    assert names(fetched(one)) == ["loopback--task-unified-00000000.damaged.mp4"]
    assert [take.state for take in takes(one)] == [State.SUCCEEDED]
    assert account.exit_code == 1


async def test_a_download_that_breaks_off_goes_on_behind_the_last_byte(one: Path, provider: LocalProvider) -> None:
    asked: list[str] = []

    def part(request: Request, whole: bytes) -> Response:
        asked.append(request.headers["range"])
        begin = int(asked[-1].removeprefix("bytes=").removesuffix("-"))
        headers = {"etag": '"v1"', "content-range": f"bytes {begin}-{len(whole) - 1}/{len(whole)}"}
        return Response(whole[begin:], status_code=206, headers=headers)

    def half(_: Request, whole: bytes) -> Response:
        return Response(whole[:50_000], headers={"etag": '"v1"', "content-length": str(len(whole))})

    provider.films[:] = [half, part]
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    assert asked == ["bytes=50000-"]


async def test_a_link_that_died_and_has_no_other_is_a_hold_with_a_name(one: Path, provider: LocalProvider) -> None:
    provider.results[:] = [500]
    await run(one)
    provider.results[:] = [403] * 9
    with clock.read_from(lambda: datetime.now(UTC) + timedelta(hours=25)):
        account, ended = await run(one, tries=3)
    held = ended[LABEL]
    assert isinstance(held, ResultExpired)
    assert held.retry == "never"
    words = (
        "result expired, paid for; job task-unified-00000000: the link of the result is dead: its host answered 403."
    )
    assert account.of("pending")[0].reason.startswith(words)
    assert "callsheet reconcile specs/tiny.yaml --lost 1" in account.of("pending")[0].reason
    assert words in account.manifest.read_text()
    assert len(provider.results) == 8  # no link but the one


async def test_a_paid_provider_that_names_a_link_over_plain_http_is_not_followed(
    one: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EVOLINK_BASE_URL", "EVOLINK_FILES_BASE_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(provider, "url", "https://files-api.evolink.ai")
    provider.links = "http://cdn.example.com"
    with studio.reaching(lambda route: Provider(route, transport=InProcess(provider.app))):
        _, ended = await run(one)
    refused = ended[LABEL]
    assert isinstance(refused, ResultDamaged)
    assert "plain http to cdn.example.com" in refused.what
    assert [(take.route, take.state) for take in takes(one)] == [("evolink", State.SUCCEEDED)]


def end_new_jobs_after_the_first_result(provider: LocalProvider) -> None:
    given: list[bytes] = []

    def give(_: Request, whole: bytes) -> Response:
        given.append(whole)
        return Response(whole)

    provider.films[:] = [give]
    provider.in_the_making = lambda job: job != "task-unified-00000000" and not given


async def test_what_is_paid_for_already_waits_behind_nothing_that_is_still_to_be_bought(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One take at a time, and the provider ends no new job before the old result is fetched."""
    monkeypatch.setenv("CALLSHEET_MAX_IN_FLIGHT", "1")
    provider.results[:] = [500]
    await run(spec, only=["*odd*"])
    end_new_jobs_after_the_first_result(provider)
    async with asyncio.timeout(60):
        account, ended = await run(spec)
    assert account.message == "2 of 2 archived"
    assert next(iter(ended)) == LABEL


async def test_a_stray_is_brought_home_while_new_jobs_are_in_the_making(one: Path, provider: LocalProvider) -> None:
    provider.results[:] = [500]
    await run(one)
    one.write_text(ONE.replace("An odd one.", "An odd one, edited."))
    end_new_jobs_after_the_first_result(provider)
    async with asyncio.timeout(60):
        account, _ = await run(one)
    assert [take.state for take in takes(one)] == [State.ARCHIVED, State.ARCHIVED]
    assert account.exit_code == 0
