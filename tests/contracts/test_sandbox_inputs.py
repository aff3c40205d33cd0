"""The inputs of a submission that the sandbox fetches, as the live gateway does: judged, bounded, and nobody's file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from callsheet.sandbox import disk, fetching
from callsheet.sandbox.policy import Policy
from callsheet.sandbox.server import serving
from tests.contracts.scripted_provider import Reply, Reset, Scripted, Silence
from tests.contracts.test_sandbox import Encode, Sandbox, client_of, encode, error_of, picture

__all__ = ["encode"]

VIDEO = {"content-type": "video/mp4"}


@pytest.fixture
async def host() -> AsyncIterator[Scripted]:
    async with Scripted() as scripted:
        yield scripted


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with serving(home=tmp_path, policy=Policy(engine="copy")) as url, client_of(url) as http:
        yield Sandbox(home=tmp_path, http=http)


async def test_inputs_at_another_server_of_this_machine_are_fetched_when_the_job_is_submitted(
    sandbox: Sandbox, host: Scripted, encode: Encode
) -> None:
    host.on("GET", "/clip.mp4?signature=MARKED", Reply(body=encode().read_bytes(), headers=VIDEO))
    host.on("GET", "/one.png", Reply(body=picture(), headers={"content-type": "image/png"}))
    made = await sandbox.submit(
        video_urls=[f"{host.url}/clip.mp4?signature=MARKED"], image_urls=[f"{host.url}/one.png"]
    )
    assert made.status_code == 200, made.text
    assert (await sandbox.settled(made.json()["id"]))["status"] == "completed"
    # What was fetched is in no list and in no quota, and no address of it is shown.
    assert (await sandbox.http.get("/api/v1/files/list")).json()["data"]["total"] == 0
    assert "MARKED" not in made.text


async def test_a_redirect_is_followed_and_judged_like_the_first_address(
    sandbox: Sandbox, host: Scripted, encode: Encode
) -> None:
    host.on("GET", "/clip.mp4", Reply(body=encode().read_bytes(), headers=VIDEO))
    host.on("GET", "/moved", Reply(status=302, headers={"location": "/clip.mp4"}))
    host.on("GET", "/away", Reply(status=302, headers={"location": "http://169.254.169.254/latest/meta-data"}))
    host.on("GET", "/round", Reply(status=302, headers={"location": "/round"}))
    assert (await sandbox.submit(video_urls=[f"{host.url}/moved"])).status_code == 200
    away = await sandbox.submit(video_urls=[f"{host.url}/away"])
    assert (away.status_code, error_of(away)["reason"]) == (400, "invalid_media_url")
    assert "public internet" in error_of(away)["message"]
    assert "redirects" in error_of(await sandbox.submit(video_urls=[f"{host.url}/round"]))["message"]


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        (Reply(status=404), 400, "invalid_media_url"),
        (Reply(body=b"<html>not a film</html>", headers={"content-type": "text/html"}), 400, "invalid_parameter"),
        (Reply(body=b"\x1f\x8b" * 50, headers={"content-encoding": "gzip"}), 400, "invalid_media_url"),
        (Reply(body=b"\x00\x00\x00\x18ftypmp42" + bytes(200), headers=VIDEO), 400, "video_probe_failed"),
        (Reply(body=b"\x00\x00\x00\x18ftypmp42" + bytes(2000), headers=VIDEO), 413, "request_too_large"),
        (Reset(), 400, "invalid_media_url"),
        (Silence(), 400, "invalid_media_url"),
    ],
    ids=["missing", "page", "packed", "broken", "large", "reset", "silent"],
)
async def test_what_cannot_be_fetched_is_told_by_field_and_leaves_nothing(
    sandbox: Sandbox, host: Scripted, reply: Any, status: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_VIDEO", 1000)
    monkeypatch.setattr(fetching, "PATIENCE", 0.3)
    host.on("GET", "/x", reply)
    refused = await sandbox.submit(video_urls=[f"{host.url}/x"])
    assert (refused.status_code, error_of(refused)["reason"]) == (status, reason), refused.text
    assert error_of(refused)["param"] == "video_urls"
    assert not [path for path in (sandbox.home / "sandbox" / "files").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("url", ["http://10.0.0.1/a.mp4", "https://[fd00::1]/a.mp4", "http://me:pw@127.0.0.1/a.mp4"])
async def test_a_private_network_is_never_asked(tmp_path: Path, url: str) -> None:
    policy = Policy(public_inputs=True)
    async with serving(home=tmp_path, policy=policy) as base, client_of(base) as http:
        refused = await Sandbox(home=tmp_path, http=http).submit(video_urls=[url])
    assert (refused.status_code, error_of(refused)["reason"]) == (400, "invalid_media_url")


async def test_a_sandbox_that_keeps_to_itself_asks_no_one(tmp_path: Path, host: Scripted) -> None:
    policy = Policy(loopback_inputs=False)
    async with serving(home=tmp_path, policy=policy) as base, client_of(base) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        for url in (f"{host.url}/a.mp4", "https://8.8.8.8/a.mp4"):
            refused = await sandbox.submit(video_urls=[url])
            assert error_of(refused)["reason"] == "invalid_media_url"
        answer = await http.post("/api/v1/files/upload/url", json={"file_url": f"{host.url}/a.png"})
        assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert host.connections == 0


async def test_a_file_is_uploaded_from_an_address_and_a_lost_answer_is_found_by_its_receipt(
    sandbox: Sandbox, host: Scripted
) -> None:
    host.on("GET", "/a.png", Reply(body=picture(), headers={"content-type": "image/png"}))
    answer = await sandbox.http.post("/api/v1/files/upload/url", json={"file_url": f"{host.url}/a.png"})
    assert (await sandbox.http.get(answer.json()["data"]["file_url"])).content == picture()
    headers = {"X-Evo-Upload-Id": "cli-up-0123456789abcdef"}
    sent = await sandbox.http.post("/api/v1/files/upload/stream", files={"file": ("b.png", picture())}, headers=headers)
    receipt = (await sandbox.http.get("/api/v1/files/upload-receipts/cli-up-0123456789abcdef")).json()["data"]
    assert (receipt["state"], receipt["result_verified"]) == ("done", True)
    assert receipt["file"] == sent.json()["data"]
    assert (await sandbox.http.get("/api/v1/files/upload-receipts/cli-up-fedcba9876543210")).status_code == 404


async def test_nothing_is_fetched_for_an_upload_once_the_share_of_the_disk_is_used(
    tmp_path: Path, host: Scripted, encode: Encode
) -> None:
    async with serving(home=tmp_path, policy=Policy(engine="copy", most_disk=1)) as url, client_of(url) as http:
        await Sandbox(home=tmp_path, http=http).upload(encode())
        await asyncio.sleep(disk.FRESH)
        answer = await http.post("/api/v1/files/upload/url", json={"file_url": f"{host.url}/a.mp4"})
    assert (answer.status_code, answer.json()["success"]) == (507, False)
    assert host.connections == 0


async def test_a_body_of_millions_of_lists_is_refused_unread(sandbox: Sandbox) -> None:
    body = b'{"base64_data":[' + b"[]," * 100_000 + b"[]]}"
    answer = await sandbox.http.post("/api/v1/files/upload/base64", content=body)
    assert (answer.status_code, answer.json()["msg"]) == (400, "The body has too many parts.")


async def test_a_token_for_uploads_opens_the_file_service(sandbox: Sandbox) -> None:
    token = (await sandbox.http.post("/v1/files/upload-token")).json()["upload_token"]
    assert token.startswith("evup_")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await sandbox.http.get("/api/v1/files/quota", headers=headers)).status_code == 200
