"""Faults on cue, engines that give way, and the limits of the sandbox, as a client meets them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from callsheet.errors import SpecInvalid, SpecSyntax
from callsheet.media import probe
from callsheet.sandbox import database, faults
from callsheet.sandbox.faults import Faults, Script
from callsheet.sandbox.policy import Policy
from callsheet.sandbox.server import serving
from tests.contracts.test_sandbox import Encode, Sandbox, client_of, encode, error_of, picture, until

__all__ = ["encode"]

KEY = "run_0123456789abcdef"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with serving(home=tmp_path, policy=Policy(engine="copy")) as url, client_of(url) as http:
        yield Sandbox(home=tmp_path, http=http)


async def cue(sandbox: Sandbox, **rule: Any) -> None:
    answer = await sandbox.http.put("/sandbox/faults", json={"faults": [rule]})
    assert answer.status_code == 200, answer.text


# --- requests -----------------------------------------------------------------------------------------------------------


async def test_a_submission_is_refused_on_cue_and_nothing_is_accepted(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    await cue(sandbox, on="submit", do="refuse", status=429, code="rate_limit_exceeded", retry_after=8, times=1)
    refused = await sandbox.submit(video_urls=[clip])
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "8")
    assert error_of(refused)["type"] == "rate_limit_error"
    assert (await sandbox.submit(video_urls=[clip])).status_code == 200
    assert await sandbox.count() == 1


@pytest.mark.parametrize(("deed", "accepted"), [("lose", 1), ("drop", 0)])
async def test_an_answer_is_lost_after_or_before_the_job_is_accepted(
    sandbox: Sandbox, encode: Encode, deed: str, accepted: int
) -> None:
    clip = await sandbox.upload(encode())
    await cue(sandbox, on="submit", do=deed, times=1)
    with pytest.raises(httpx.TransportError):
        await sandbox.submit(KEY, video_urls=[clip])
    assert await sandbox.count() == accepted
    again = await sandbox.submit(KEY, video_urls=[clip])
    assert again.headers.get("idempotency-replayed") == ("true" if accepted else None)
    assert await sandbox.count() == 1


async def test_an_accepted_job_is_answered_with_an_error(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    await cue(sandbox, on="submit", do="misreport", status=500, code="internal_error")
    assert (await sandbox.submit(video_urls=[clip])).status_code == 500
    assert await sandbox.count() == 1


async def test_a_proxy_answers_with_a_page_and_an_answer_comes_late(sandbox: Sandbox) -> None:
    await cue(sandbox, on="credits", do="page", status=502)
    page = await sandbox.http.get("/v1/credits")
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    await cue(sandbox, on="credits", do="delay", seconds=0.3)
    began = asyncio.get_running_loop().time()
    assert (await sandbox.http.get("/v1/credits")).status_code == 200
    assert asyncio.get_running_loop().time() - began >= 0.3
    await cue(sandbox, on="credits", do="stall")
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.http.get("/v1/credits", timeout=0.3)


async def test_a_download_breaks_off_and_a_link_dies(sandbox: Sandbox, encode: Encode) -> None:
    made = (await sandbox.submit(video_urls=[await sandbox.upload(encode())])).json()
    link = (await sandbox.settled(made["id"]))["results"][0]
    await cue(sandbox, on="result", do="truncate", bytes=500, times=1)
    taken = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        await _take(sandbox.http, link, taken)
    assert taken == encode().read_bytes()[:500]
    assert (await sandbox.http.get(link)).content == encode().read_bytes()
    await cue(sandbox, on="result", do="expire", times=1)
    assert [(await sandbox.http.get(link)).status_code for _ in range(2)] == [410, 410]


async def _take(http: httpx.AsyncClient, link: str, taken: bytearray) -> None:
    async with http.stream("GET", link) as answer:
        async for chunk in answer.aiter_bytes():
            taken += chunk


async def test_a_new_task_is_not_in_the_list_at_first(sandbox: Sandbox, encode: Encode) -> None:
    await sandbox.submit(video_urls=[await sandbox.upload(encode())])
    await cue(sandbox, on="list", do="hide", seconds=60, times=1)
    assert (await sandbox.http.get("/v1/tasks")).json()["data"] == []
    assert len((await sandbox.http.get("/v1/tasks")).json()["data"]) == 1


async def test_a_render_fails_with_a_code_and_its_credits_come_back(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode())
    await cue(sandbox, on="render", do="fail", code="content_policy_violation", message="No.", prompt="*beach*")
    bad = await sandbox.settled((await sandbox.submit(video_urls=[clip], prompt="a beach at dusk")).json()["id"])
    good = await sandbox.settled((await sandbox.submit(video_urls=[clip], prompt="a pier at dusk")).json()["id"])
    assert (bad["error"]["code"], bad["error"]["message"]) == ("content_policy_violation", "No.")
    assert (bad["billing"]["charge_status"], bad["billing"]["refund_status"]) == ("released", "completed")
    assert good["status"] == "completed"
    assert await sandbox.remaining() == 100_000 - 36


async def test_a_film_is_spoiled_on_cue_and_its_clip_is_not(sandbox: Sandbox, encode: Encode, tmp_path: Path) -> None:
    """The engine gives the clip itself back, by another name of the same file."""
    clip = await sandbox.upload(encode())
    films = []
    await cue(sandbox, on="render", do="spoil", film="stretched", times=1)
    for number in range(2):
        made = (await sandbox.submit(video_urls=[clip])).json()
        link = (await sandbox.settled(made["id"]))["results"][0]
        films.append(tmp_path / f"film-{number}.mp4")
        films[-1].write_bytes((await sandbox.http.get(link)).content)
    assert [(facts.width, facts.height) for facts in map(probe.clip, films)] == [(480, 720), (720, 720)]


async def test_a_render_that_stalls_goes_on_until_it_is_cancelled(sandbox: Sandbox, encode: Encode) -> None:
    await cue(sandbox, on="render", do="stall")
    made = (await sandbox.submit(video_urls=[await sandbox.upload(encode())])).json()["id"]
    await sandbox.reaches(made, "processing")
    await asyncio.sleep(0.3)
    assert (await sandbox.task(made))["status"] == "processing"
    assert (await sandbox.http.post(f"/sandbox/tasks/{made}/cancel")).status_code == 200


# --- rules --------------------------------------------------------------------------------------------------------------


def fired(count: int = 20, seed: int = 0, **rule: Any) -> list[int]:
    script = Script.model_validate({"seed": seed, "faults": [{"on": "status", "do": "refuse", **rule}]})
    watched = Faults(script)
    return [number for number in range(1, count + 1) if watched.cue("status") is not None]


def test_a_rule_comes_true_as_often_as_it_says() -> None:
    assert fired(5) == [1, 2, 3, 4, 5]
    assert fired(times=2) == [1, 2]
    assert fired(skip=3, times=1) == [4]
    assert fired(every=7) == [7, 14]
    assert fired(skip=1, every=5) == [6, 11, 16]


def test_chance_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert fired(200, probability=0.3) == fired(200, probability=0.3)
    assert fired(200, probability=0.3) != fired(200, seed=1, probability=0.3)
    assert 30 <= len(fired(200, probability=0.3)) <= 90
    assert fired(200, probability=0.0) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("faults: [", "faults.yaml:1:"),
        ("- {on: submitt, do: refuse}", "faults.yaml:1:8: [0].on: Input should be 'submit'"),
        ("- {on: render, do: refuse}", "`do: refuse` is not possible on render; there it is one of fail, delay, stall"),
        ("- {on: submit, do: refuse, status: 200}", "faults.yaml:1:36: [0].status: Input should be greater than"),
        (
            "seed: 1\nfaults:\n- {on: submit, do: lose, tmies: 1}",
            "faults.yaml:3:26: unknown key `tmies`; did you mean `times`?",
        ),
        ("- {on: submit, do: lose, zzz: 1}", "The keys here are on, do, model, prompt, skip"),
        ("fault: []", "faults.yaml:1:1: unknown key `fault`; did you mean `faults`?"),
        ("- {do: lose}", "faults.yaml:1:3: [0]: the key `on` is missing"),
        ("- {on: sumbit, do: lose}", "; did you mean `submit`?"),
        ("faults: 7", "faults.yaml:1:9: faults: Input should be a valid tuple"),
        ("!!python/object:os.system {}", "faults.yaml:1:"),
    ],
)
def test_a_mistake_in_a_file_of_faults_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises((SpecSyntax, SpecInvalid)) as caught:
        faults.read(text, file="faults.yaml")
    assert words in str(caught.value)


async def test_rules_are_shown_with_their_counts_and_taken_back(sandbox: Sandbox) -> None:
    await cue(sandbox, on="credits", do="delay", seconds=0.01)
    await sandbox.http.get("/v1/credits")
    told = (await sandbox.http.get("/sandbox/faults")).json()["faults"]
    assert (told[0]["seen"], told[0]["done"]) == (1, 1)
    assert (await sandbox.http.delete("/sandbox/faults")).json()["faults"] == []
    bad = await sandbox.http.put("/sandbox/faults", content="- {on: nowhere, do: refuse}")
    assert (bad.status_code, error_of(bad)["param"]) == (400, "faults")


# --- engines ------------------------------------------------------------------------------------------------------------


async def test_when_an_engine_goes_down_the_next_cheapest_takes_the_job(tmp_path: Path, encode: Encode) -> None:
    async with serving(home=tmp_path) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        rows = (await http.get("/sandbox/engines")).json()["engines"]
        assert [row["name"] for row in rows] == ["draft", "copy"]
        assert rows[0]["cost"] < rows[1]["cost"]
        assert (await http.put("/sandbox/engines/draft", json={"health": "down"})).status_code == 200
        clip = await sandbox.upload(encode())
        task = await sandbox.settled((await sandbox.submit(video_urls=[clip])).json()["id"])
        assert (task["status"], task["sandbox"]["engine"], task["usage"]["credits_used"]) == ("completed", "copy", 36)
        await http.put("/sandbox/engines/copy", json={"health": "down"})
        refused = await sandbox.submit(video_urls=[clip])
        assert (refused.status_code, error_of(refused)["reason"]) == (503, "no_available_channel")
        health = (await http.get("/v1/catalog/health")).json()["models"]
        assert {row["status"] for row in health} == {"unavailable"}
        assert (await http.put("/sandbox/engines/none", json={"health": "up"})).status_code == 404
    async with serving(home=tmp_path) as url, client_of(url) as http:  # a switch lasts
        assert {row["health"] for row in (await http.get("/sandbox/engines")).json()["engines"]} == {"down"}


async def test_the_copying_engine_works_on_a_disk_that_knows_no_second_names(
    sandbox: Sandbox, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Path, _source: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    made = await sandbox.submit(video_urls=[await sandbox.upload(encode())])
    task = await sandbox.settled(made.json()["id"])
    assert task["status"] == "completed", task
    assert (await sandbox.http.get(task["results"][0])).content == encode().read_bytes()


def test_a_full_disk_undoes_what_was_begun_and_is_told_as_what_it_is(tmp_path: Path) -> None:
    with closing(database.opened(tmp_path / "book.sqlite", granted=10)) as book:
        book.execute(f"PRAGMA max_page_count = {book.execute('PRAGMA page_count').fetchone()[0]}")
        with pytest.raises(sqlite3.OperationalError, match="full"), database.transaction(book):
            book.executemany(
                "INSERT INTO entry (at, kind, units, balance) VALUES (?, 'granted', 1, 1)", [(n,) for n in range(1000)]
            )
        assert book.execute("SELECT count(*) FROM entry").fetchone()[0] == 1


# --- limits -------------------------------------------------------------------------------------------------------------


async def test_too_many_waiting_jobs_are_told_to_come_back(tmp_path: Path, encode: Encode) -> None:
    policy = Policy(engine="copy", render_time=timedelta(seconds=60), most_waiting=2)
    async with serving(home=tmp_path, policy=policy) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        clip = await sandbox.upload(encode())
        answers = [await sandbox.submit(video_urls=[clip]) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert (error_of(answers[2])["type"], answers[2].headers["retry-after"]) == ("rate_limit_error", "30")
        assert answers[0].json()["task_info"]["estimated_time"] >= 60


async def test_a_full_disk_is_told_and_not_filled_up(tmp_path: Path) -> None:
    async with serving(home=tmp_path, policy=Policy(most_disk=1)) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        await sandbox.upload(picture())
        await until(lambda: _is_full(http))
        refused = await http.post("/api/v1/files/upload/stream", files={"file": ("a.png", picture())})
        assert (refused.status_code, refused.json()["success"]) == (507, False)
        assert error_of(await sandbox.submit(model="kling-o3-text-to-video"))["reason"] == "resource_exhausted"


async def _is_full(http: httpx.AsyncClient) -> bool:
    answer = await http.post("/api/v1/files/upload/base64", json={"base64_data": "AAAA"})
    return answer.status_code == 507


async def test_a_job_is_cancelled_and_its_credits_come_back(tmp_path: Path, encode: Encode) -> None:
    policy = Policy(engine="copy", render_time=timedelta(seconds=60))
    async with serving(home=tmp_path, policy=policy) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        made = (await sandbox.submit(video_urls=[await sandbox.upload(encode())])).json()
        await sandbox.reaches(made["id"], "processing")
        assert (await http.post(f"/sandbox/tasks/{made['id']}/cancel")).json()["status"] == "cancelled"
        task = await sandbox.task(made["id"])
        assert (task["status"], task["error"]["code"]) == ("cancelled", "request_cancelled")
        assert (await sandbox.remaining(), task["billing"]["charge_status"]) == (100_000, "released")
        assert (await http.get("/v1/tasks?status=cancelled")).json()["total"] == 1
        assert (await http.post(f"/sandbox/tasks/{made['id']}/cancel")).status_code == 409


async def test_the_balance_is_set_to_see_how_a_client_takes_it(sandbox: Sandbox, encode: Encode) -> None:
    assert (await sandbox.http.put("/sandbox/account", json={"remaining_credits": 35.5})).status_code == 200
    assert await sandbox.remaining() == 35.5
    refused = await sandbox.submit(video_urls=[await sandbox.upload(encode())])
    assert refused.status_code == 402
    for wrong in (-1, "7", None, True, 10**10):
        assert (await sandbox.http.put("/sandbox/account", json={"remaining_credits": wrong})).status_code == 400


async def test_codes_are_text_where_the_server_is_told_so(tmp_path: Path) -> None:
    async with serving(home=tmp_path, policy=Policy(string_codes=True)) as url, client_of(url) as http:
        assert error_of(await http.get("/v1/tasks/none"))["code"] == "task_not_found"
        http.headers.pop("Authorization")
        assert error_of(await http.get("/v1/credits"))["code"] == "invalid_token"


async def test_a_refusal_on_cue_has_the_code_and_the_envelope_of_the_place(tmp_path: Path) -> None:
    async with serving(home=tmp_path, policy=Policy(string_codes=True)) as url, client_of(url) as http:
        rules = [
            {"on": on, "do": "refuse", "status": 429, "code": "rate_limit_exceeded"} for on in ("credits", "upload")
        ]
        await http.put("/sandbox/faults", json={"faults": rules})
        assert error_of(await http.get("/v1/credits"))["code"] == "rate_limit_exceeded"
        refused = (await http.post("/api/v1/files/upload/base64", json={})).json()
        assert refused == {"success": False, "code": 429, "msg": "A fault on cue.", "data": None}
