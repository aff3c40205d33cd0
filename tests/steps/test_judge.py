"""Verdicts beside the manifest, on a disk and in a bucket, and the server that takes them."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from callsheet.archive.disk import DiskStore
from callsheet.archive.s3 import S3Store
from callsheet.buckets import Place
from callsheet.errors import ArchiveError, SpecError
from callsheet.review import server
from callsheet.sidecar import AxisValues, Manifest, ManifestEntry
from callsheet.steps import judge
from callsheet.steps.shelve import Shelf
from callsheet.verdicts import Verdict, Verdicts

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOKEN = "t" * 32
HOST = "127.0.0.1:4242"
PLACE = f"/{TOKEN}/summer-launch/verdicts.json"


def axes(prompt: str) -> AxisValues:
    return AxisValues(
        clip="beach", references="none", prompt=prompt, aspect_ratio="16:9", keep_original_sound=True, model="m", take=1
    )


@pytest.fixture
def manifest() -> Manifest:
    entries = [
        ManifestEntry(slug=f"beach-{n}", key=f"{n:064x}", axes=axes(str(n)), state="archived") for n in range(40)
    ]
    return Manifest(
        callsheet="0", campaign="summer launch", route="sandbox", draft=True, plan="p", written_at=NOON, credits="0",
        usd="0", entries=entries,
    )  # fmt: skip


@pytest.fixture(params=["disk", "bucket"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    folder = DiskStore(tmp_path / "archive")
    if request.param == "disk":
        return Shelf(store=folder, folder=folder)
    request.getfixturevalue("bucket")
    return Shelf(store=S3Store(Place("studio", "finals")), folder=folder)


@pytest.fixture
def disk(tmp_path: Path) -> Shelf:
    folder = DiskStore(tmp_path / "archive")
    return Shelf(store=folder, folder=folder)


def given(number: int, minutes: int = 0, **said: Any) -> Verdict:
    facts = {"key": f"{number:064x}", "slug": f"beach-{number}", "axes": axes(str(number)), "says": "approve"}
    return Verdict.model_validate({**facts, "at": NOON + timedelta(minutes=minutes), **said})


def verdicts(*those: Verdict, campaign: str = "summer launch") -> Verdicts:
    return Verdicts(campaign=campaign, draft=True, plan="p", verdicts=list(those))


def test_verdicts_are_merged_into_what_is_beside_the_manifest(shelf: Shelf, manifest: Manifest, tmp_path: Path) -> None:
    assert judge.known(shelf.store, manifest).verdicts == []
    judge.keep(shelf, manifest, verdicts(given(1), given(2, 5)), home=tmp_path)
    judge.keep(shelf, manifest, verdicts(given(2, 4, says="reject"), given(3, says="retake")), home=tmp_path)
    assert [one.says for one in judge.known(shelf.store, manifest).verdicts] == ["approve", "approve", "retake"]
    for store in shelf.places:
        assert Verdicts.model_validate_json(store.read("summer-launch/verdicts.json") or b"") == judge.known(
            shelf.store, manifest
        )


def test_many_boards_at_once_lose_no_verdict(disk: Shelf, manifest: Manifest, tmp_path: Path) -> None:
    judged = [
        threading.Thread(target=judge.keep, args=(disk, manifest, verdicts(given(n))), kwargs={"home": tmp_path})
        for n in range(40)
    ]
    for thread in judged:
        thread.start()
    for thread in judged:
        thread.join()
    assert len(judge.known(disk.store, manifest).verdicts) == 40


def test_a_verdict_of_the_far_future_holds_against_nobody(disk: Shelf, manifest: Manifest, tmp_path: Path) -> None:
    """One from the year 9999 would hold for ever, and no browser could write a later one."""
    forged = verdicts(given(3, at=datetime(9999, 12, 31, tzinfo=UTC)))
    (kept,) = judge.keep(disk, manifest, forged, home=tmp_path).verdicts
    assert (kept.says, kept.at.year) == ("approve", 1970)
    disk.replace_text(judge.key_of(manifest.campaign), forged.model_dump_json())
    now = verdicts(given(3, says="reject"))
    assert [one.says for one in judge.keep(disk, manifest, now, home=tmp_path).verdicts] == ["reject"]
    ahead = verdicts(given(4, at=datetime.now(UTC) + timedelta(hours=3)))
    assert judge.keep(disk, manifest, ahead, home=tmp_path).verdicts[-1].at == ahead.verdicts[0].at


def test_the_same_again_writes_nothing(disk: Shelf, manifest: Manifest, tmp_path: Path) -> None:
    judge.keep(disk, manifest, verdicts(given(1)), home=tmp_path)
    file = disk.folder.path("summer-launch/verdicts.json")
    before = file.stat().st_mtime_ns
    judge.keep(disk, manifest, verdicts(given(1)), home=tmp_path)
    assert file.stat().st_mtime_ns == before


def test_a_file_that_is_no_document_of_verdicts_is_neither_read_nor_written_over(
    disk: Shelf, manifest: Manifest, tmp_path: Path
) -> None:
    disk.replace_text("summer-launch/verdicts.json", '{"verdicts": 3}')
    with pytest.raises(ArchiveError, match="These are no verdicts: campaign: Field required") as raised:
        judge.keep(disk, manifest, verdicts(given(1)), home=tmp_path)
    assert raised.value.spent == "no"
    assert disk.folder.read("summer-launch/verdicts.json") == b'{"verdicts": 3}'


def test_a_home_that_cannot_be_written_is_told(disk: Shelf, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ArchiveError, match="No verdicts can be kept"):
        judge.keep(disk, manifest, verdicts(given(1)), home=tmp_path / "home")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "the verdicts cannot be read: No such file"),
        ("", "these are no verdicts: invalid JSON"),
        ('{"campaign": "x"}', "these are no verdicts: draft: Field required"),
        (verdicts(campaign="winter").model_dump_json(), "holds verdicts of the campaign 'winter'"),
        (verdicts(given(1)).model_dump_json().replace("approve", "adore"), "verdicts.0.says: Input should be"),
        (
            verdicts().model_dump_json().replace('"schema_version":1', '"schema_version":2'),
            "these verdicts are of version 2",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_first_mistake(
    manifest: Manifest, tmp_path: Path, text: str | None, words: str
) -> None:
    file = tmp_path / "verdicts.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SpecError) as raised:
        judge.read_file(file, manifest)
    assert words in raised.value.what


def test_of_an_exported_file_what_the_campaign_no_longer_has_is_left_out(manifest: Manifest, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.json"
    file.write_text(verdicts(given(1), given(99)).model_dump_json())
    news, foreign = judge.read_file(file, manifest)
    assert ([one.slug for one in news.verdicts], foreign) == (["beach-1"], 1)


# --- the server --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(disk: Shelf, manifest: Manifest, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    film, secret = disk.folder.root / "summer-launch/a.mp4", tmp_path / "secret.txt"
    film.parent.mkdir(parents=True)
    film.write_bytes(bytes(range(200)))
    secret.write_text("secret")
    desk = server.Desk(
        folder="summer-launch",
        page=lambda: "<!doctype html>",
        files=lambda: {"summer-launch/a.mp4": film, "summer-launch/a.html": film},
        known=lambda: judge.known(disk.store, manifest),
        keep=lambda news: judge.keep(disk, manifest, news, home=tmp_path),
    )
    transport = httpx.ASGITransport(server.make(desk, token=TOKEN, port=4242))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as ready:
        yield ready


async def put(client: httpx.AsyncClient, content: str | bytes, **headers: str) -> httpx.Response:
    usual = {"Origin": f"http://{HOST}", "Content-Type": "application/json"}
    return await client.put(
        PLACE, content=content, headers=usual | {k.replace("_", "-"): v for k, v in headers.items()}
    )


async def test_the_page_its_films_and_the_verdicts_are_served(client: httpx.AsyncClient) -> None:
    page = await client.get(f"/{TOKEN}/summer-launch/review/index.html")
    assert (page.status_code, page.headers["x-frame-options"], page.headers["cache-control"]) == (
        200,
        "DENY",
        "no-store",
    )
    part = await client.get(f"/{TOKEN}/summer-launch/a.mp4", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert part.headers["x-content-type-options"] == "nosniff"
    assert (part.headers["content-type"], part.headers["content-security-policy"]) == ("video/mp4", "sandbox")
    # A manifest may name what it likes; a page of its own would be able to judge.
    assert (await client.get(f"/{TOKEN}/summer-launch/a.html")).status_code == 404
    assert (await client.get(PLACE)).json()["verdicts"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/favicon.ico",
        f"/{TOKEN}",
        f"/{TOKEN}/",
        f"/{TOKEN}/summer-launch/",
        f"/{TOKEN}/summer-launch/manifest.json",
        f"/{TOKEN}/summer-launch/../../secret.txt",
        f"/{TOKEN}/summer-launch/%2e%2e/%2e%2e/secret.txt",
        f"/{TOKEN}/summer-launch/..%2f..%2fsecret.txt",
        f"/{TOKEN}//summer-launch/a.mp4",
        f"/{'u' * 32}/summer-launch/a.mp4",
        "/summer-launch/a.mp4",
        f"/{TOKEN[:-1]}é/summer-launch/a.mp4",
    ],
)
async def test_nothing_else_is(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    "host", ["evil.example:4242", "127.0.0.1:4243", "127.0.0.1", "", "127.0.0.1:4242.evil.example"]
)
async def test_who_was_led_here_under_another_name_finds_nothing(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get(f"/{TOKEN}/summer-launch/a.mp4", headers={"Host": host})
    assert answer.status_code == 404


async def test_what_is_put_is_merged_and_all_of_it_comes_back(client: httpx.AsyncClient) -> None:
    assert (await put(client, verdicts(given(1)).model_dump_json())).status_code == 200
    answer = await put(client, verdicts(given(2, 1, says="reject")).model_dump_json())
    assert [one["says"] for one in answer.json()["verdicts"]] == ["approve", "reject"]
    again = await asyncio.gather(*(put(client, verdicts(given(n, 2)).model_dump_json()) for n in range(10)))
    assert {answer.status_code for answer in again} == {200}
    assert len((await client.get(PLACE)).json()["verdicts"]) == 10


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:4242", "http://127.0.0.1:4243", ""]
)
async def test_another_page_may_put_nothing(client: httpx.AsyncClient, disk: Shelf, origin: str) -> None:
    assert (await put(client, verdicts(given(1)).model_dump_json(), Origin=origin)).status_code == 403
    assert disk.folder.read("summer-launch/verdicts.json") is None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "Invalid JSON"),
        (b"[]", 422, "Input should be an object"),
        (json.dumps({**json.loads(verdicts().model_dump_json()), "admin": True}), 422, "admin: Extra inputs"),
        (verdicts(given(1)).model_dump_json().replace('"stars":null', '"stars":9'), 422, "verdicts.0.stars"),
        (verdicts(given(99)).model_dump_json(), 422, "of no variant of this campaign, as beach-99"),
        (verdicts(given(1), campaign="winter").model_dump_json(), 422, "They are of the campaign 'winter'"),
        (b" " * 20_000_001, 413, "20,000,000 bytes"),
    ],
)
async def test_what_is_no_document_of_verdicts_is_refused_in_words(
    client: httpx.AsyncClient, disk: Shelf, body: bytes | str, status: int, words: str
) -> None:
    answer = await put(client, body)
    assert answer.status_code == status
    assert words in answer.text
    assert disk.folder.read("summer-launch/verdicts.json") is None


async def test_verdicts_go_to_their_place_alone_and_as_json_alone(client: httpx.AsyncClient) -> None:
    body = verdicts(given(1)).model_dump_json()
    assert (await put(client, body, Content_Type="text/plain")).status_code == 415
    origin = {"Origin": f"http://{HOST}", "Content-Type": "application/json"}
    for place in (f"/{TOKEN}/summer-launch/review/index.html", f"/{TOKEN}/summer-launch/a.mp4", "/verdicts.json"):
        assert (await client.put(place, content=body, headers=origin)).status_code == 404
    assert (await client.post(PLACE, content=body, headers=origin)).status_code == 404


async def test_an_archive_that_cannot_be_read_is_told_with_503(client: httpx.AsyncClient, disk: Shelf) -> None:
    disk.replace_text("summer-launch/verdicts.json", "{}")
    answer = await put(client, verdicts(given(1)).model_dump_json())
    assert (answer.status_code, answer.text) == (503, "These are no verdicts: campaign: Field required.")
