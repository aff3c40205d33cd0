"""The sandbox as a client meets it: over HTTP, on loopback, with its book on a real disk and real clips."""

import asyncio
import base64
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import SecretStr

from callsheet.catalogue import model
from callsheet.errors import PortTaken, ProviderError, Unavailable
from callsheet.media import command, probe
from callsheet.provider.client import Provider, Route
from callsheet.sandbox import billing, launch, server
from callsheet.sandbox.place import Lock, Place
from callsheet.sandbox.policy import Policy
from callsheet.sandbox.server import serving

O1 = "kling-o1-video-edit"
FAST = "kling-o1-video-edit-fast"
#: What starts a server process, as the command line does.
SERVER = (
    "import os, sys; from pathlib import Path; from callsheet.sandbox.server import serve; "
    "serve(home=Path(os.environ['CALLSHEET_HOME']), port=int(sys.argv[1]), while_used=len(sys.argv) > 2)"
)
START = (sys.executable, "-c", SERVER, "0", "while-used")

Encode = Callable[..., Path]


@pytest.fixture(scope="session")
def encode(tmp_path_factory: pytest.TempPathFactory) -> Encode:
    """encode(seconds="3", size="720x720", rate="24", name="a.mp4"): a real clip, encoded once a session."""
    folder = tmp_path_factory.mktemp("clips")
    made: dict[tuple[str, ...], Path] = {}

    def make(
        seconds: str = "3", size: str = "720x720", rate: str = "24", name: str = "a.mp4", picture: str = "color=gray"
    ) -> Path:
        key = (seconds, size, rate, name, picture)
        if key not in made:
            target = folder / f"{len(made)}-{name}"
            start = f"{picture}{':' if '=' in picture else '='}s={size}:r={rate}:d={seconds}"
            codec = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
            words = (command.binary(), "-v", "error", "-y", "-f", "lavfi", "-i", start, *codec)
            subprocess.run([*words, str(target)], check=True, timeout=60)
            made[key] = target
        return made[key]

    return make


def picture(width: int = 400, height: int = 400, kind: str = "PNG", **options: Any) -> bytes:
    data = BytesIO()
    Image.new("RGB", (width, height), (200, 90, 40)).save(data, kind, **options)
    return data.getvalue()


@dataclass
class Clock:
    """The time the server goes by, moved by hand."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Sandbox:
    """A running sandbox and a client of it."""

    home: Path
    http: httpx.AsyncClient

    async def upload(self, content: bytes | Path, name: str = "a.bin") -> str:
        data = content.read_bytes() if isinstance(content, Path) else content
        answer = await self.http.post("/api/v1/files/upload/stream", files={"file": (name, data)})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["file_url"])

    async def submit(self, key: str = "", **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        whole = {"model": O1, "prompt": "at dusk", **body}
        return await self.http.post("/v1/videos/generations", json=whole, headers=headers)

    async def task(self, task_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/tasks/{task_id}")
        assert answer.status_code == 200
        return dict(answer.json())

    async def settled(self, task_id: str) -> dict[str, Any]:
        return await self.reaches(task_id, "completed", "failed")

    async def reaches(self, task_id: str, *statuses: str) -> dict[str, Any]:
        async def is_there() -> bool:
            return (await self.task(task_id))["status"] in statuses

        await until(is_there)
        return await self.task(task_id)

    async def remaining(self) -> float:
        return float((await self.http.get("/v1/credits")).json()["data"]["user"]["remaining_credits"])

    async def count(self) -> int:
        return int((await self.http.get("/v1/tasks")).json()["total"])


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110, the condition is in another process
            await asyncio.sleep(0.02)


def client_of(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer sk-any"}, timeout=20, trust_env=False)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """One server, in a thread, for every test that gets nothing but refusals: (its home, its URL)."""
    home = tmp_path_factory.mktemp("front")
    up: Future[str] = Future()
    stop = threading.Event()

    async def serve() -> None:
        async with serving(home=home, policy=Policy(strict=True)) as url:
            up.set_result(url)
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    yield home, up.result(timeout=20)
    stop.set()
    thread.join(timeout=20)


@pytest.fixture
async def door(front: tuple[Path, str]) -> AsyncIterator[Sandbox]:
    """A client of the shared server; that nothing was accepted meanwhile is checked after every test."""
    home, url = front
    async with client_of(url) as http:
        shared = Sandbox(home=home, http=http)
        yield shared
        assert (await shared.count(), await shared.remaining()) == (0, 100_000)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with serving(home=tmp_path) as url, client_of(url) as http:
        yield Sandbox(home=tmp_path, http=http)


def error_of(answer: httpx.Response) -> dict[str, Any]:
    return dict(answer.json()["error"])


# --- the door ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc"])
async def test_without_a_key_the_door_stays_shut_in_each_service_s_own_words(door: Sandbox, header: str | None) -> None:
    url = door.http.base_url
    headers = {} if header is None else {"Authorization": header}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as stranger:
        gateway = await stranger.get("/v1/credits")
        files = await stranger.get("/api/v1/files/list")
    assert gateway.status_code == files.status_code == 401
    assert error_of(gateway)["type"] == "authentication_error"
    assert error_of(gateway)["code"] == 401
    assert files.json()["success"] is False
    assert files.json()["code"] == 401


async def test_every_answer_carries_its_own_request_id(door: Sandbox) -> None:
    paths = ["/v1/credits", "/v1/tasks/none", "/nowhere", "/files/none", "/health"]
    ids = [(await door.http.get(path)).headers["x-request-id"] for path in paths]
    async with httpx.AsyncClient(trust_env=False) as stranger:
        ids.append((await stranger.get(door.http.base_url.copy_with(path="/v1/credits"))).headers["x-request-id"])
    assert len(set(ids)) == len(ids)


async def test_a_foreign_host_name_is_turned_away(door: Sandbox) -> None:
    answer = await door.http.get("/v1/credits", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    answer = await door.http.get("/v1/credits", headers={"Host": "localhost:1234"})
    assert answer.status_code == 200


async def test_models_of_the_catalogue_are_listed(door: Sandbox) -> None:
    answer = await door.http.get("/v1/models")
    assert {row["id"] for row in answer.json()["data"]} >= {O1, FAST}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\xff\xfe{}",
        b'{"\\ud800": 1}',
    ],
)
async def test_a_body_that_is_not_a_json_object_is_a_clear_400(door: Sandbox, body: bytes) -> None:
    for path in ("/v1/videos/generations", "/v1/tasks/batch"):
        answer = await door.http.post(path, content=body)
        assert answer.status_code == 400
        assert error_of(answer)["type"] == "invalid_request_error"


async def test_a_json_body_that_is_too_large_is_a_413(door: Sandbox) -> None:
    answer = await door.submit(prompt="x" * 300_000)
    assert answer.status_code == 413
    assert error_of(answer)["type"] == "request_too_large_error"


# --- what is refused at submission -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": None}, 400, "model"),
        ({"model": "kling-o9"}, 404, "model"),
        ({"prompt": None}, 400, "prompt"),
        ({"prompt": "  "}, 400, "prompt"),
        ({"prompt": 5}, 400, "prompt"),
        ({"prompt": "x" * 5001}, 400, "prompt"),
        ({"video_urls": None}, 400, "video_urls"),
        ({"video_urls": []}, 400, "video_urls"),
        ({"video_urls": ["http://a", "http://b"]}, 400, "video_urls"),
        ({"video_urls": "http://127.0.0.1/files/x.mp4"}, 400, "video_urls"),
        ({"image_urls": []}, 400, "image_urls"),
        ({"image_urls": ["http://a"] * 5}, 400, "image_urls"),
        ({"image_urls": [7]}, 400, "image_urls"),
        ({"aspect_ratio": "4:3"}, 400, "aspect_ratio"),
        ({"aspect_ratio": 969}, 400, "aspect_ratio"),
        ({"keep_original_sound": "yes"}, 400, "keep_original_sound"),
        ({"keep_original_sound": None}, 400, "keep_original_sound"),
        ({"callback_url": "http://hooks.example/done"}, 400, "callback_url"),
        ({"callback_url": "http://127.0.0.1/done"}, 400, "callback_url"),
        ({"callback_url": "https://localhost/done"}, 400, "callback_url"),
        ({"callback_url": "https://169.254.169.254/done"}, 400, "callback_url"),
        ({"callback_url": "https://[::ffff:10.0.0.1]/done"}, 400, "callback_url"),
        ({"callback_url": "https://me:secret@hooks.example/done"}, 400, "callback_url"),
        ({"callback_url": "https://hooks.example/a b"}, 400, "callback_url"),
        ({"callback_url": "https://hooks.example:port/"}, 400, "callback_url"),
        ({"callback_url": "https://hooks.example/" + "x" * 2048}, 400, "callback_url"),
        ({"callback_url": 7}, 400, "callback_url"),
        ({"duration": 5}, 400, "duration"),
        ({"model": FAST, "aspect_ratio": "16:9"}, 400, "aspect_ratio"),
    ],
)
async def test_a_field_outside_the_contract_is_refused_by_name(
    door: Sandbox, encode: Encode, change: dict[str, Any], status: int, param: str
) -> None:
    clip = await door.upload(encode())
    answer = await door.submit(**{"video_urls": [clip], **change})
    assert (answer.status_code, error_of(answer)["param"]) == (status, param)
    assert error_of(answer)["code"] == status
    assert error_of(answer)["reason"]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.mp4",
        "http://169.254.169.254/files/{id}.mp4",
        "http://127.0.0.1.evil.example/files/{id}.mp4",
        "file:///etc/passwd",
        "http://127.0.0.1/files/../book.sqlite",
        "http://127.0.0.1/files/file_AAAAAAAAAAAAAAAAAAAAAAAA.mp4",
        "https://127.0.0.1/files/{id}.mp4",
        "http://[::1/files/{id}.mp4",
        "not a url",
    ],
)
async def test_a_url_that_is_not_of_the_sandbox_s_own_files_is_refused(door: Sandbox, encode: Encode, url: str) -> None:
    own = await door.upload(encode())
    answer = await door.submit(video_urls=[url.format(id=Path(own).stem)])
    assert answer.status_code == 400
    assert error_of(answer)["reason"] == "invalid_media_url"
    assert error_of(answer)["param"] == "video_urls"


async def test_an_own_file_is_found_under_any_loopback_name_and_port(sandbox: Sandbox, encode: Encode) -> None:
    own = await sandbox.upload(encode())
    name = Path(own).name
    for url in (f"http://localhost:1/files/{name}", f"http://127.0.0.1:9/files/{name}", f"http://[::1]/files/{name}"):
        assert (await sandbox.submit(video_urls=[url])).status_code == 200


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        ({"seconds": "2.9"}, "2.9"),
        ({"seconds": "10.125", "rate": "24"}, "10.125"),
        ({"size": "718x720"}, "718x720"),
        ({"size": "2162x720"}, "2162x720"),
        ({"rate": "23"}, "23.000"),
        ({"rate": "24000/1001"}, "23.976"),
        ({"rate": "61"}, "61.000"),
        ({"name": "a.mkv"}, "matroska"),
    ],
)
async def test_a_clip_outside_the_limits_is_refused_with_its_numbers(
    door: Sandbox, encode: Encode, clip: dict[str, str], words: str
) -> None:
    answer = await door.submit(video_urls=[await door.upload(encode(**clip))])
    assert answer.status_code == 400
    assert error_of(answer)["param"] == "video_urls"
    assert words in error_of(answer)["message"]


async def test_the_clip_limits_are_those_of_the_model_that_was_asked_for(sandbox: Sandbox, encode: Encode) -> None:
    short, long = await sandbox.upload(encode(seconds="5")), await sandbox.upload(encode(seconds="12"))
    assert (await sandbox.submit(model=FAST, video_urls=[short])).status_code == 400
    answer = await sandbox.submit(model=FAST, video_urls=[long])
    assert answer.json()["usage"]["credits_reserved"] == 81.6
    assert (await sandbox.submit(video_urls=[long])).status_code == 400


async def test_a_file_that_is_no_video_fails_the_probe(door: Sandbox, encode: Encode) -> None:
    whole = encode(picture="testsrc2").read_bytes()
    for data in (picture(), whole[: len(whole) // 2], whole[:40] + bytes(5000)):
        answer = await door.submit(video_urls=[await door.upload(data)])
        assert answer.status_code == 400
        assert error_of(answer)["reason"] == "video_probe_failed"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (picture(299, 400), "299x400"),
        (picture(1001, 400), "1001x400"),
        (picture(kind="GIF"), "gif"),
        (picture(kind="PNG")[:200], "cannot be read"),
    ],
)
async def test_a_reference_outside_the_limits_is_refused_with_its_numbers(
    door: Sandbox, encode: Encode, image: bytes, words: str
) -> None:
    urls = [await door.upload(picture()), await door.upload(image)]
    answer = await door.submit(video_urls=[await door.upload(encode())], image_urls=urls)
    assert answer.status_code == 400
    assert error_of(answer)["param"] == "image_urls"
    assert words in error_of(answer)["message"]


# --- accepting ---------------------------------------------------------------------------------------------------------


async def test_an_accepted_job_is_shown_in_the_documented_shape(sandbox: Sandbox, encode: Encode) -> None:
    images = [await sandbox.upload(picture(kind=kind)) for kind in ("PNG", "JPEG", "WEBP")]
    answer = await sandbox.submit(video_urls=[await sandbox.upload(encode())], image_urls=images, aspect_ratio="9:16")
    task = answer.json()
    assert answer.status_code == 200
    assert task["object"] == "video.generation.task"
    assert (task["status"], task["progress"], task["type"]) == ("pending", 0, "video")
    prefix, created, letters = task["id"].rsplit("-", 2)
    assert (prefix, int(created), len(letters)) == ("task-unified", task["created"], 8)
    assert task["usage"] == {"billing_rule": "per_second", "credits_reserved": 36, "user_group": "default"}
    assert task["billing"]["charge_status"] == "reserved"
    assert await sandbox.remaining() == 100_000 - 36


KEY = "run_0123456789abcdef"


async def test_the_same_key_gives_the_same_job_and_writes_nothing(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    first = await sandbox.submit(KEY, video_urls=[clip], aspect_ratio="1:1")
    again = await sandbox.submit(KEY, aspect_ratio="1:1", video_urls=[clip])
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert (await sandbox.count(), await sandbox.remaining()) == (1, 100_000 - 36)


async def test_the_same_key_with_another_body_is_a_conflict(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    await sandbox.submit(KEY, video_urls=[clip])
    other = await sandbox.submit(KEY, video_urls=[clip], prompt="at dusk, please")
    assert other.status_code == 409
    assert error_of(other)["reason"] == "idempotency_conflict"
    assert await sandbox.count() == 1


async def test_ten_submissions_of_one_key_at_once_are_one_job(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    answers = await asyncio.gather(*(sandbox.submit(KEY, video_urls=[clip]) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert (await sandbox.count(), await sandbox.remaining()) == (1, 100_000 - 36)


async def test_a_key_replays_after_its_file_is_gone_and_the_balance_spent(tmp_path: Path, encode: Encode) -> None:
    async with serving(home=tmp_path, granted=36 * billing.UNITS) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        clip = await sandbox.upload(encode())
        first = await sandbox.submit(KEY, video_urls=[clip])
        await http.delete(f"/api/v1/files/{Path(clip).stem}")
        assert (await sandbox.submit(KEY, video_urls=[clip])).json()["id"] == first.json()["id"]


@pytest.mark.parametrize("key", ["short", "x" * 97, "with space 0123456789", "ünïcode-0123456789"])
async def test_a_malformed_key_is_refused(door: Sandbox, encode: Encode, key: str) -> None:
    body = {"model": O1, "prompt": "p", "video_urls": [await door.upload(encode())]}
    headers = [(b"Idempotency-Key", key.encode())]
    answer = await door.http.post("/v1/videos/generations", json=body, headers=headers)
    assert answer.status_code == 400
    assert error_of(answer)["param"] == "Idempotency-Key"


async def test_a_job_dearer_than_what_is_left_is_a_402_and_writes_nothing(tmp_path: Path, encode: Encode) -> None:
    async with serving(home=tmp_path, granted=71 * billing.UNITS) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        clip = await sandbox.upload(encode())
        assert (await sandbox.submit(video_urls=[clip])).status_code == 200
        poor = await sandbox.submit(KEY, video_urls=[clip])
        assert poor.status_code == 402
        assert error_of(poor)["type"] == "insufficient_quota_error"
        assert error_of(poor)["estimated_credits"] == 36
        assert error_of(poor)["account_balance_credits"] == 35
        assert await sandbox.count() == 1


# --- the bill ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "seconds", "units"),
    [
        (O1, "2", 360_000),
        (O1, "3", 360_000),
        (O1, "5.77", 692_400),
        (O1, "5.312", 638_400),
        (O1, "5.7701", 693_600),
        (O1, "10", 1_200_000),
        (O1, "10.05", 1_200_000),
        (FAST, "3", 408_000),
        (FAST, "12.001", 816_680),
        (FAST, "25", 1_360_000),
    ],
)
def test_the_bill_follows_the_published_price_rule(name: str, seconds: str, units: int) -> None:
    assert billing.reserved_for(model(name), clip_seconds=Fraction(seconds), options=()) == units


@given(st.fractions(min_value=0, max_value=30))
def test_the_bill_never_falls_as_a_clip_grows_and_never_leaves_its_bounds(seconds: Fraction) -> None:
    units = billing.reserved_for(model(O1), clip_seconds=seconds, options=())
    assert 360_000 <= units <= 1_200_000
    assert units <= billing.reserved_for(model(O1), clip_seconds=seconds + Fraction(1, 100), options=())
    assert units % 1_200 == 0


@given(st.integers(min_value=0, max_value=10**12))
def test_credits_on_the_wire_are_exact(units: int) -> None:
    text = json.dumps(billing.credits_of(units))
    assert Fraction(text) * billing.UNITS == units


# --- the life of a job -------------------------------------------------------------------------------------------------


async def test_a_job_is_rendered_charged_and_fetched_by_a_link_that_dies_after_a_day(
    tmp_path: Path, encode: Encode
) -> None:
    clock = Clock()
    async with serving(home=tmp_path, clock=clock) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        clip = await sandbox.upload(encode())
        task_id = (await sandbox.submit(video_urls=[clip], aspect_ratio="1:1")).json()["id"]
        seen = []
        while (task := await sandbox.task(task_id))["status"] != "completed":
            seen.append((task["status"], task["progress"]))
            await asyncio.sleep(0.02)
        assert [status for status, _ in seen] == sorted((status for status, _ in seen))  # pending before processing
        assert [progress for _, progress in seen] == sorted(progress for _, progress in seen)
        assert task["progress"] == 100
        assert task["usage"]["credits_used"] == task["billing"]["charged_credits"] == 36
        assert task["billing"]["charge_status"] == "charged"
        assert await sandbox.remaining() == 100_000 - 36
        link = task["results"][0]
        assert task["result_data"][0]["video_url"] == link
        async with httpx.AsyncClient(trust_env=False) as anyone:  # the link itself is the permission
            whole = await anyone.get(link)
            part = await anyone.get(link, headers={"Range": "bytes=4-7"})
            guessed = await anyone.get(link[:-12] + "AAAAAAAA.mp4")
        assert whole.headers["content-type"] == "video/mp4"
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert guessed.status_code == 404
        result = tmp_path / "result.mp4"
        result.write_bytes(whole.content)
        facts = probe.clip(result)
        assert (facts.width, facts.height, facts.frames) == (720, 720, 72)
        clock.ahead = timedelta(hours=24, minutes=1)
        assert (await http.get(link)).status_code == 410
        assert (await sandbox.task(task_id))["status"] == "completed"
    place = Place.under(tmp_path)
    assert place.result(task_id).exists()
    async with serving(home=tmp_path, clock=clock) as url, client_of(url) as http:
        assert not place.result(task_id).exists()
        assert (await http.get(f"/v1/tasks/{task_id}")).json()["progress"] == 100


async def test_a_clip_that_breaks_off_fails_the_job_and_costs_nothing(sandbox: Sandbox, encode: Encode) -> None:
    data = bytearray(encode(picture="testsrc2").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(range(250)) * 80
    task_id = (await sandbox.submit(video_urls=[await sandbox.upload(bytes(data))])).json()["id"]
    task = await sandbox.settled(task_id)
    assert task["status"] == "failed"
    assert task["error"]["code"] == "generation_failed_no_content"
    assert task["error"]["type"] == "task_error"
    assert task["billing"]["charge_status"] == "released"
    assert task["billing"]["refund_status"] == "completed"
    assert "results" not in task
    assert await sandbox.remaining() == 100_000
    assert not list(Place.under(sandbox.home).results.iterdir())


async def test_an_unknown_task_is_a_404(door: Sandbox) -> None:
    answer = await door.http.get("/v1/tasks/task-unified-1-abcdefgh")
    assert answer.status_code == 404
    assert error_of(answer)["type"] == "not_found_error"


async def test_a_batch_answers_for_the_known_ids_and_takes_fifty_at_most(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    ids = [(await sandbox.submit(video_urls=[clip])).json()["id"] for _ in range(2)]
    answer = await sandbox.http.post("/v1/tasks/batch", json={"task_ids": [ids[1], "task-none", ids[0]]})
    assert [task["id"] for task in answer.json()["data"]] == [ids[1], ids[0]]
    for wrong in (["x"] * 51, [], None, "x", [1]):
        refused = await sandbox.http.post("/v1/tasks/batch", json={"task_ids": wrong})
        assert refused.status_code == 400


async def test_the_list_is_newest_first_paged_filtered_and_without_links(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode(seconds="6"))
    ids = [(await sandbox.submit(video_urls=[clip])).json()["id"] for _ in range(2)]
    ids.append((await sandbox.submit(model=FAST, video_urls=[clip])).json()["id"])
    page = (await sandbox.http.get("/v1/tasks?page=1&page_size=2")).json()
    rest = (await sandbox.http.get("/v1/tasks?page=2&page_size=2")).json()
    assert [row["id"] for row in (*page["data"], *rest["data"])] == ids[::-1]
    assert (page["total"], page["page"], page["page_size"]) == (3, 1, 2)
    assert "http" not in json.dumps(page)
    fast = (await sandbox.http.get(f"/v1/tasks?model={FAST}&status=processing")).json()
    assert [row["id"] for row in fast["data"]] == ids[2:]
    assert (await sandbox.http.get("/v1/tasks?status=completed")).json()["total"] == 0
    assert (await sandbox.http.get("/v1/tasks?type=audio")).json()["total"] == 0
    assert (await sandbox.http.get("/v1/tasks?status=nonsense")).status_code == 400


async def test_the_list_is_what_the_client_of_the_paid_api_reads_jobs_from(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    began = datetime.now(UTC) - timedelta(seconds=2)
    ids = [(await sandbox.submit(video_urls=[clip])).json()["id"] for _ in range(2)]
    url = str(sandbox.http.base_url).rstrip("/")
    async with Provider(Route(name="loopback", api=url, files=url, key=SecretStr("sk-any"))) as provider:
        listing = await provider.listed(model=O1, since=began)
        other = await provider.listed(model=FAST, since=began)
    assert listing is not None
    assert [job.id for job in listing.jobs] == ids[::-1]
    assert all(job.model == O1 and job.created and job.created >= began for job in listing.jobs)
    assert listing.reached == began
    assert other is not None
    assert other.jobs == ()


# --- files -------------------------------------------------------------------------------------------------------------


async def test_an_upload_is_answered_in_the_file_service_s_own_envelope(sandbox: Sandbox) -> None:
    data = picture()
    answer = await sandbox.http.post(
        "/api/v1/files/upload/stream",
        files={"file": ("a.png", data)},
        data={"upload_path": "avatars", "fileName": "b.png"},
    )
    document = answer.json()
    assert (document["success"], document["code"]) == (True, 200)
    stored = document["data"]
    assert (stored["file_name"], stored["original_name"], stored["upload_path"]) == ("b.png", "a.png", "avatars")
    assert (stored["file_size"], stored["mime_type"]) == (len(data), "image/png")
    lifetime = datetime.fromisoformat(stored["expires_at"]) - datetime.fromisoformat(stored["upload_time"])
    assert lifetime == timedelta(hours=72)
    for link in (stored["file_url"], stored["download_url"]):
        assert (await sandbox.http.get(link)).content == data


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/cron.d/evil", "..", "a\x00b.png", "C:\\x\\y.png", "é" * 400])
async def test_a_file_s_name_is_shown_and_never_a_path(sandbox: Sandbox, name: str) -> None:
    before = {path for path in sandbox.home.rglob("*") if "sandbox/files" not in str(path)}
    body = {"base64_data": base64.b64encode(picture()).decode(), "file_name": name, "upload_path": f"../{name}"}
    answer = await sandbox.http.post("/api/v1/files/upload/base64", json=body)
    stored = answer.json()["data"]
    assert "/" not in stored["file_name"]
    assert len(stored["file_name"]) <= 120
    assert ".." not in stored["upload_path"].split("/")
    files = Place.under(sandbox.home).files
    assert [path.name for path in files.iterdir()] == [stored["file_id"]]
    assert {path for path in sandbox.home.rglob("*") if "sandbox/files" not in str(path)} == before


async def test_base64_is_taken_bare_or_as_a_data_url_and_nonsense_is_refused(door: Sandbox) -> None:
    text = base64.b64encode(picture()).decode()
    for data in (text, f"data:image/png;base64,{text}"):
        answer = await door.http.post("/api/v1/files/upload/base64", json={"base64_data": data})
        assert answer.json()["data"]["mime_type"] == "image/png"
    for wrong in ({"base64_data": "§§§"}, {"base64_data": 5}, {}, {"base64_data": ""}):
        answer = await door.http.post("/api/v1/files/upload/base64", json=wrong)
        assert (answer.status_code, answer.json()["success"]) == (400, False)


async def test_upload_by_url_copies_an_own_file(door: Sandbox) -> None:
    own = await door.upload(picture())
    copy = (await door.http.post("/api/v1/files/upload/url", json={"file_url": own})).json()["data"]
    assert copy["file_url"] != own
    assert (await door.http.get(copy["file_url"])).content == picture()


@pytest.mark.parametrize(
    ("head", "size"),
    [(picture(), 10_000_001), (b"\x00\x00\x00\x18ftypmp42", 100_000_001)],
    ids=["picture", "video"],
)
async def test_an_upload_over_the_limit_is_a_413_and_leaves_nothing(sandbox: Sandbox, head: bytes, size: int) -> None:
    data = head + bytes(size - len(head))
    answer = await sandbox.http.post("/api/v1/files/upload/stream", files={"file": ("a", data)})
    assert answer.status_code == 413
    assert answer.json()["success"] is False
    assert not list(Place.under(sandbox.home).files.iterdir())


@pytest.mark.parametrize(
    "files",
    [
        [("file", ("a.html", b"<html>" * 9))],
        [("file", ("a", b""))],
        [("other", ("a.png", picture()))],
        [("file", ("a", b"x"))],
    ],
)
async def test_an_upload_that_is_no_media_file_is_refused(sandbox: Sandbox, files: list[Any]) -> None:
    answer = await sandbox.http.post("/api/v1/files/upload/stream", files=files)
    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert not list(Place.under(sandbox.home).files.iterdir())


async def test_a_broken_form_is_refused_and_leaves_nothing(sandbox: Sandbox) -> None:
    kind = "multipart/form-data; boundary=xyz"
    head = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    two = head + picture() + b"\r\n" + head + picture() + b"\r\n--xyz--\r\n"
    many = b'--xyz\r\nContent-Disposition: form-data; name="f"\r\n\r\nv\r\n' * 20 + b"--xyz--\r\n"
    for content, content_type in [
        (b"garbage", kind),
        (two, kind),
        (many, kind),
        (b"{}", "application/json"),
        (head, kind),
    ]:
        answer = await sandbox.http.post(
            "/api/v1/files/upload/stream", content=content, headers={"Content-Type": content_type}
        )
        assert answer.status_code == 400, content[:40]
    assert not list(Place.under(sandbox.home).files.iterdir())


async def test_files_are_listed_counted_and_deleted(sandbox: Sandbox) -> None:
    ids = [Path(await sandbox.upload(picture(), f"{n}.png")).stem for n in range(3)]
    listed = (await sandbox.http.get("/api/v1/files/list?page=1&pageSize=2")).json()["data"]
    assert listed["total"] == 3
    assert [file["file_id"] for file in listed["files"]] == ids[:0:-1]
    assert (await sandbox.http.delete(f"/api/v1/files/{ids[0]}")).json()["success"] is True
    quota = (await sandbox.http.get("/api/v1/files/quota")).json()["data"]
    assert (quota["used_files"], quota["remain_files"]) == (2, quota["max_files"] - 2)
    gone = await sandbox.http.get(f"/api/v1/files/download/{ids[0]}")
    assert (gone.status_code, gone.json()["success"]) == (404, False)
    assert (await sandbox.http.delete(f"/api/v1/files/{ids[0]}")).status_code == 404
    assert {path.name for path in Place.under(sandbox.home).files.iterdir()} == set(ids[1:])


async def test_a_used_up_file_quota_refuses_the_next_upload(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callsheet.sandbox.file_routes.MAX_FILES", 1)
    await sandbox.upload(picture())
    refused = await sandbox.http.post("/api/v1/files/upload/stream", files={"file": ("b.png", picture())})
    assert (refused.status_code, refused.json()["success"]) == (403, False)
    assert len(list(Place.under(sandbox.home).files.iterdir())) == 1


async def test_uploads_expire_after_three_days(tmp_path: Path, encode: Encode) -> None:
    clock = Clock()
    async with serving(home=tmp_path, clock=clock) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        clip = await sandbox.upload(encode())
        clock.ahead = timedelta(hours=72, seconds=1)
        assert (await http.get(clip)).status_code == 404
        refused = await sandbox.submit(video_urls=[clip])
        assert error_of(refused)["reason"] == "invalid_media_url"
        assert (await http.get("/api/v1/files/list")).json()["data"]["total"] == 0
    async with serving(home=tmp_path, clock=clock):
        assert not list(Place.under(tmp_path).files.iterdir())


async def test_a_deleted_input_is_kept_until_its_job_is_done(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    ids = [(await sandbox.submit(video_urls=[clip])).json()["id"] for _ in range(2)]
    assert (await sandbox.http.delete(f"/api/v1/files/{Path(clip).stem}")).status_code == 200
    assert [(await sandbox.settled(one))["status"] for one in ids] == ["completed", "completed"]


# --- the process -------------------------------------------------------------------------------------------------------


def has_ended(process: int) -> bool:
    """Gone, or a zombie that nobody has collected yet."""
    with suppress(ChildProcessError):
        os.waitpid(process, os.WNOHANG)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


async def gone(process: int) -> None:
    async def is_gone() -> bool:
        return has_ended(process)

    await until(is_gone)


def server_process(home: Path) -> int:
    return int(json.loads(Place.under(home).address.read_text())["pid"])


async def test_two_runs_share_one_server_that_ends_with_the_last_of_them(tmp_path: Path) -> None:
    async with launch.running(tmp_path, command=START) as first:
        async with launch.running(tmp_path, command=START) as second:
            assert first == second
        process = server_process(tmp_path)
        await asyncio.sleep(1.2)
        assert await launch.healthy(Place.under(tmp_path)) == first.url
        assert Place.under(tmp_path).address.stat().st_mode & 0o777 == 0o600
    await gone(process)
    assert not Place.under(tmp_path).address.exists()


async def test_two_runs_that_start_at_once_start_one_server(tmp_path: Path) -> None:
    together = asyncio.Barrier(2)

    async def run() -> tuple[str, int]:
        async with launch.running(tmp_path, command=START) as address:
            found = address.url, server_process(tmp_path)
            await together.wait()
            return found

    first, second = await asyncio.gather(run(), run())
    assert first == second
    await gone(first[1])


async def test_a_job_survives_kill_9_is_charged_once_and_keeps_its_address(tmp_path: Path, encode: Encode) -> None:
    clip = encode(picture="testsrc2")
    async with launch.running(tmp_path, command=START) as address, client_of(address.url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        url = await sandbox.upload(clip)
        answer = await sandbox.submit(KEY, video_urls=[url])
        task_id = answer.json()["id"]
        await sandbox.reaches(task_id, "processing")
        process = server_process(tmp_path)
        os.kill(process, signal.SIGKILL)
        await gone(process)
    async with launch.running(tmp_path, command=START) as again, client_of(again.url) as http:
        assert again == address
        sandbox = Sandbox(home=tmp_path, http=http)
        replay = await sandbox.submit(KEY, video_urls=[url])
        assert replay.headers["idempotency-replayed"] == "true"
        assert (await sandbox.settled(task_id))["status"] == "completed"
        assert await sandbox.remaining() == 100_000 - 36
        process = server_process(tmp_path)
        assert not list(Place.under(tmp_path).results.glob(".*"))
    await gone(process)


async def test_a_server_whose_only_run_is_killed_ends_by_itself(tmp_path: Path) -> None:
    run = (
        "import asyncio, sys; from pathlib import Path; from callsheet.sandbox import launch\n"
        "async def main():\n"
        "    async with launch.running(Path(sys.argv[1]), command=sys.argv[2:]):\n"
        "        print('up', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    user = await asyncio.create_subprocess_exec(
        sys.executable, "-c", run, str(tmp_path), *START, stdout=asyncio.subprocess.PIPE
    )
    assert user.stdout is not None
    assert await user.stdout.readline() == b"up\n"
    process = server_process(tmp_path)
    user.kill()
    await user.wait()
    await gone(process)


async def killed(home: Path) -> int:
    process = server_process(home)
    os.kill(process, signal.SIGKILL)
    await gone(process)
    return process


async def test_a_server_killed_under_a_run_comes_back_at_its_address_with_its_jobs(
    tmp_path: Path, encode: Encode
) -> None:
    async with launch.running(tmp_path, command=START) as address, client_of(address.url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        url = await sandbox.upload(encode(picture="testsrc2"))
        task_id = (await sandbox.submit(KEY, video_urls=[url])).json()["id"]
        await sandbox.reaches(task_id, "processing")
        for _ in range(2):
            first = await killed(tmp_path)
            await until(partial(is_up_as_another, tmp_path, first))
        assert await launch.healthy(Place.under(tmp_path)) == address.url
        assert (await sandbox.submit(KEY, video_urls=[url])).headers["idempotency-replayed"] == "true"
        assert (await sandbox.settled(task_id))["status"] == "completed"
        assert await sandbox.remaining() == 100_000 - 36
        process = server_process(tmp_path)
    await gone(process)


async def is_up_as_another(home: Path, process: int) -> bool:
    """Does another server answer, and does the run that started it know?"""
    place = Place.under(home)
    if not await launch.healthy(place) or server_process(home) == process:
        return False
    starting = Lock(place.start_lock)
    is_known = starting.take()
    starting.release()
    return is_known


async def test_two_runs_whose_server_is_killed_share_the_next_one(tmp_path: Path) -> None:
    async with launch.running(tmp_path, command=START) as one, launch.running(tmp_path, command=START) as two:
        first = await killed(tmp_path)
        await until(partial(is_up_as_another, tmp_path, first))
        process = server_process(tmp_path)
        await asyncio.sleep(2 * launch.LIFE_PERIOD.total_seconds())
        assert await launch.healthy(Place.under(tmp_path)) == one.url == two.url
        assert server_process(tmp_path) == process
    await gone(process)


async def test_a_run_whose_server_cannot_come_back_is_ended_with_what_the_server_said(tmp_path: Path) -> None:
    async def run() -> None:
        async with launch.running(tmp_path, command=START):
            with sqlite3.connect(Place.under(tmp_path).book) as book:
                book.execute("PRAGMA user_version = 99")
            book.close()
            await killed(tmp_path)
            await asyncio.sleep(60)

    with pytest.raises(Unavailable, match="ended in the middle of the run") as failure:
        await run()
    assert str(failure.value).count("has version 99") == 1
    assert Place.under(tmp_path).last_log.exists()
    assert (failure.value.retry, failure.value.exit_code) == ("never", 5)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def taken(port: int) -> socket.socket:
    """Listen there as another program. Right after a kill the system may still be closing the connections of that port."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_a_run_whose_server_comes_back_elsewhere_is_ended(tmp_path: Path) -> None:
    async def run() -> None:
        async with launch.running(tmp_path, command=START) as address:
            starting = Lock(Place.under(tmp_path).start_lock)
            assert starting.take()  # no server is started before its port is taken
            await killed(tmp_path)
            with await taken(httpx.URL(address.url).port or 0):
                starting.release()
                await asyncio.sleep(60)

    with pytest.raises(Unavailable, match=r"its port \d+ is taken by another program"):
        await run()


async def test_a_server_that_ends_again_and_again_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "MOST_RESTARTS", 1)

    async def run() -> None:
        async with launch.running(tmp_path, command=START):
            await until(partial(is_up_as_another, tmp_path, await killed(tmp_path)))
            await killed(tmp_path)
            await asyncio.sleep(60)

    with pytest.raises(Unavailable, match="2 times in one run"):
        await run()


async def test_a_server_whose_home_is_removed_ends_and_so_does_the_run(tmp_path: Path) -> None:
    home, processes = tmp_path / "home", list[int]()

    async def run() -> None:
        async with launch.running(home, command=START):
            processes.append(server_process(home))
            shutil.rmtree(home)
            await asyncio.sleep(60)

    with pytest.raises(Unavailable, match="It cannot be started again: No such file or directory"):
        await run()
    await gone(processes[0])


async def test_a_run_that_is_cancelled_or_fails_is_not_mistaken_for_one_whose_server_ended(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), launch.running(tmp_path, command=START):
            await asyncio.sleep(60)
    with pytest.raises(KeyError, match="a defect"):
        async with launch.running(tmp_path, command=START):
            raise KeyError("a defect")


async def test_the_server_is_started_without_the_paid_key(tmp_path: Path) -> None:
    show = "import os; print(sorted(os.environ), os.environ['CALLSHEET_HOME'])"
    environment = {"EVOLINK_API_KEY": "sk-evo-secret", "PATH": os.environ["PATH"], "LANG": "C"}
    with pytest.raises(Unavailable) as failure:
        async with launch.running(tmp_path, command=(sys.executable, "-c", show), environment=environment):
            pass
    assert "'LANG'" in str(failure.value)
    assert str(tmp_path) in str(failure.value)
    assert "EVOLINK" not in str(failure.value)


def test_answers_are_not_held_back_for_more_to_send_with_them() -> None:
    """asyncio switches Nagle's delay off only for sockets that name their protocol: it was 40 ms for each small answer."""
    with closing(server._bind("127.0.0.1", 0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP


async def test_a_taken_port_is_named_before_anything_happens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} .*") as failure:
            async with serving(home=tmp_path, port=port):
                pass
    assert "--port" in failure.value.hint
    assert not Place.under(tmp_path).address.exists()
    assert not Place.under(tmp_path).book.exists()


async def test_a_second_server_of_one_home_is_refused_with_the_address_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callsheet.sandbox.server.HANDOVER", timedelta(seconds=0.1))
    async with serving(home=tmp_path) as url:
        with pytest.raises(PortTaken, match=url):
            async with serving(home=tmp_path):
                pass


async def test_an_interrupt_ends_a_server_in_good_order_also_while_it_renders(tmp_path: Path, encode: Encode) -> None:
    environment = {**os.environ, "CALLSHEET_HOME": str(tmp_path)}
    # A shell's `&` starts a process with SIGINT ignored; the server must hear it all the same.
    words = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", SERVER, "0")
    server = await asyncio.create_subprocess_exec(*words, env=environment)
    place = Place.under(tmp_path)

    async def is_up() -> bool:
        return bool(await launch.healthy(place))

    try:
        await until(is_up)
        async with client_of(await launch.healthy(place)) as http:
            sandbox = Sandbox(home=tmp_path, http=http)
            task_id = (await sandbox.submit(video_urls=[await sandbox.upload(encode(picture="testsrc2"))])).json()["id"]
            await sandbox.reaches(task_id, "processing")
        server.send_signal(signal.SIGINT)
        assert await server.wait() == 0
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
    assert not place.address.exists()
    with sqlite3.connect(place.book) as book:
        assert book.execute("SELECT state, attempts FROM job").fetchall() == [("pending", 0)]
    book.close()
    assert not list(place.results.iterdir())


async def test_an_address_that_something_else_answers_is_not_taken_for_the_sandbox(tmp_path: Path) -> None:
    place = Place.under(tmp_path)
    async with serving(home=tmp_path / "other") as url:
        place.address.write_text(json.dumps({"url": url, "pid": os.getpid() + 1, "version": "0"}))
        assert await launch.healthy(place) == ""
        place.address.write_text("{}")
        assert await launch.healthy(place) == ""


def test_a_lock_dies_with_its_holder_and_readers_share_it(tmp_path: Path) -> None:
    one, two, writer = (Lock(tmp_path / "lock") for _ in range(3))
    assert one.take(shared=True)
    assert two.take(shared=True)
    assert not writer.take()
    one.release()
    two.release()
    assert writer.take()
    assert not one.take(shared=True)
    writer.release()


async def test_a_client_that_goes_away_in_the_middle_of_an_upload_leaves_nothing(sandbox: Sandbox) -> None:
    host, port = sandbox.http.base_url.host, sandbox.http.base_url.port
    head = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + picture()[:300]

    def half() -> None:
        connection = http.client.HTTPConnection(host, port)
        connection.putrequest("POST", "/api/v1/files/upload/stream")
        connection.putheader("Authorization", "Bearer x")
        connection.putheader("Content-Type", "multipart/form-data; boundary=xyz")
        connection.putheader("Content-Length", "9000")
        connection.endheaders(head)
        connection.close()

    await asyncio.to_thread(half)

    async def is_clean() -> bool:
        return not list(Place.under(sandbox.home).files.iterdir())

    await until(is_clean)
    assert (await sandbox.http.get("/health")).status_code == 200


async def test_a_book_of_another_version_is_refused(tmp_path: Path) -> None:
    place = Place.under(tmp_path)
    with sqlite3.connect(place.book) as book:
        book.execute("PRAGMA user_version = 99")
    book.close()
    with pytest.raises(ProviderError, match="version 99"):
        async with serving(home=tmp_path):
            pass
    shutil.rmtree(place.root)
    async with serving(home=tmp_path) as url, client_of(url) as http:
        assert (await http.get("/v1/credits")).status_code == 200
