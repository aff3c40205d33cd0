"""A result whose connection breaks off, or whose link dies, in the middle: gone on with where it is the same, else anew."""

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from callsheet import errors
from callsheet.provider import results
from callsheet.provider.client import Downloaded, Provider, Route
from tests.contracts.scripted_provider import Act, Asked, Reply, Reset, Script, Scripted

PATH = "/results/a.mp4"
FRESH = "/results/fresh.mp4"
VIDEO = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 400
OTHER = VIDEO[:5000] + VIDEO[:-5000]
ETAG = {"etag": '"v1"'}


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with Scripted() as scripted:
        yield scripted


@pytest.fixture
async def provider(server: Scripted) -> AsyncIterator[Provider]:
    async with Provider(Route(name="loopback", api=server.url, files=server.url, key=SecretStr("sk-evo-1"))) as client:
        yield client


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many tries as ever, one behind the other."""
    monkeypatch.setattr(results, "WAITS", (0.0,) * len(results.WAITS))


def cut(at: int, named: Mapping[str, str] = ETAG) -> Reply:
    """The connection breaks off behind that many bytes."""
    return Reply(body=VIDEO[:at], promised=len(VIDEO), headers=dict(named))


def rest(
    of: bytes = VIDEO,
    *,
    until: int | None = None,
    shift: int = 0,
    total: int | None = None,
    named: Mapping[str, str] = ETAG,
) -> Script:
    """The rest that was asked for. until: breaks off there. shift: begins elsewhere. total: names another length."""

    def answer(asked: Asked) -> Act:
        begin = int(re.fullmatch(r"bytes=(\d+)-", asked.headers["range"])[1]) + shift  # type: ignore[index]
        told = total or len(of)
        said = {"content-range": f"bytes {begin}-{told - 1}/{told}", **named}
        return Reply(status=206, body=of[begin:until], promised=len(of) - begin, headers=said)

    return answer


async def fetched(server: Scripted, provider: Provider, folder: Path, *script: Script, **more: Any) -> Downloaded:
    server.on("GET", PATH, *script)
    done = await provider.download(SecretStr(server.url + PATH), folder / "a.mp4", max_bytes=10**6, **more)
    assert (folder / "a.mp4").read_bytes() == VIDEO
    assert (done.sha256, done.bytes) == (hashlib.sha256(VIDEO).hexdigest(), len(VIDEO))
    assert list(folder.iterdir()) == [folder / "a.mp4"]
    return done


def ranges(server: Scripted) -> list[str]:
    return [asked.headers.get("range", "") for asked in server.asked]


@pytest.mark.parametrize("named", [ETAG, {"last-modified": "Tue, 24 Nov 2026 10:00:00 GMT"}])
async def test_a_connection_that_breaks_off_is_gone_on_with_behind_the_last_byte(
    server: Scripted, provider: Provider, tmp_path: Path, named: dict[str, str]
) -> None:
    await fetched(server, provider, tmp_path, cut(40_000, named), rest(until=70_000, named=named), rest(named=named))
    assert ranges(server) == ["", "bytes=40000-", "bytes=70000-"]
    assert server.asked[1].headers["if-range"] == next(iter(named.values()))


async def test_a_result_that_changed_in_between_begins_again(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    changed = Reply(body=VIDEO, headers={"etag": '"v2"'})
    await fetched(server, provider, tmp_path, cut(5000), changed)
    assert ranges(server) == ["", "bytes=5000-"]


@pytest.mark.parametrize(
    "wrong",
    [
        rest(shift=1),
        rest(shift=-1),
        rest(OTHER, total=len(VIDEO) + 1),
        rest(named={"etag": '"v2"'}),
        Reply(status=206, body=VIDEO[5000:], headers=ETAG),
        Reply(status=206, body=VIDEO[5000:], headers={"content-range": "bytes 5000-9999/*", **ETAG}),
        Reply(status=416, headers={"content-range": f"bytes */{len(VIDEO)}"}),
    ],
)
async def test_a_part_that_does_not_go_on_exactly_there_in_the_same_version_is_never_joined(
    server: Scripted, provider: Provider, tmp_path: Path, wrong: Script
) -> None:
    await fetched(server, provider, tmp_path, cut(5000), wrong, Reply(body=VIDEO, headers=ETAG))
    assert ranges(server) == ["", "bytes=5000-", ""]


@pytest.mark.parametrize("named", [{"etag": 'W/"v1"'}, {"x-any": "thing"}])
async def test_what_no_host_can_name_exactly_is_not_gone_on_with(
    server: Scripted, provider: Provider, tmp_path: Path, named: dict[str, str]
) -> None:
    with pytest.raises(errors.ResultDamaged):
        await fetched(server, provider, tmp_path, cut(5000, named), rest())
    assert ranges(server) == [""]


async def test_a_host_that_always_breaks_off_at_the_same_byte_is_given_up(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    with pytest.raises(errors.ResultDamaged):
        await fetched(server, provider, tmp_path, cut(40_000), Reset())
    assert len(server.asked) == 2 + len(results.WAITS)
    assert list(tmp_path.iterdir()) == []


async def test_every_byte_that_comes_is_reason_to_go_on(server: Scripted, provider: Provider, tmp_path: Path) -> None:
    steps = range(10_000, 100_000, 10_000)
    await fetched(server, provider, tmp_path, cut(5000), *(rest(until=at) for at in steps), rest())
    assert len(server.asked) == 2 + len(steps)


async def test_a_host_that_is_busy_in_the_middle_is_waited_for(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    busy = Reply(status=503, headers={"retry-after": "0"})
    await fetched(server, provider, tmp_path, cut(5000), busy, Reset(), rest())


async def renewed(server: Scripted, path: str) -> SecretStr:
    return SecretStr(server.url + path)


@pytest.mark.parametrize(
    ("second", "asked"),
    [(rest(), ["bytes=5000-"]), (Reply(body=VIDEO, headers={"etag": '"v2"'}), ["bytes=5000-"])],
    ids=["the same version", "another version"],
)
async def test_a_link_that_dies_in_the_middle_is_asked_for_again_and_gone_on_with_if_it_is_the_same(
    server: Scripted, provider: Provider, tmp_path: Path, second: Script, asked: list[str]
) -> None:
    server.on("GET", FRESH, second)
    dead = Reply(status=403)
    await fetched(server, provider, tmp_path, cut(5000), dead, renew=lambda: renewed(server, FRESH))
    assert [one.headers.get("range") for one in server.to(FRESH)] == asked


async def test_a_link_that_dies_in_the_middle_and_has_no_other_is_expired(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    with pytest.raises(errors.ResultExpired):
        await fetched(server, provider, tmp_path, cut(5000), Reply(status=403), renew=lambda: renewed(server, PATH))
    assert list(tmp_path.iterdir()) == []


async def test_a_second_half_that_would_be_too_large_is_not_taken(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    server.on(
        "GET",
        PATH,
        cut(5000),
        lambda _: Reply(
            status=206,
            body=VIDEO[5000:] * 3,
            promised=None,
            headers={"content-range": f"bytes 5000-{len(VIDEO) - 1}/{len(VIDEO)}", **ETAG},
        ),
    )
    with pytest.raises(errors.ResultDamaged) as caught:
        await provider.download(SecretStr(server.url + PATH), tmp_path / "a.mp4", max_bytes=len(VIDEO))
    assert (caught.value.spent, caught.value.retry) == ("yes", "never")
