"""The client of the paid API against a server that answers whatever a network can: what each answer proves about money."""

import gzip
import hashlib
import json
import logging
import pickle
import socket
import traceback
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from callsheet import errors
from callsheet.credits import Credits
from callsheet.evidence import Listing
from callsheet.provider.client import JobRequest, JobStatus, Provider, Route
from callsheet.provider.staging import ProviderStaging
from callsheet.steps.settings import EVOLINK, EVOLINK_FILES
from tests.contracts.scripted_provider import Act, Reply, Reset, Scripted, Silence

SUBMIT = ("POST", "/v1/videos/generations")
UPLOAD = ("POST", "/api/v1/files/upload/stream")
BATCH = ("POST", "/v1/tasks/batch")
BALANCE = ("GET", "/v1/credits")
RESULT = ("GET", "/results/MARKEDPATH0123456789.mp4")

JOB = "task-unified-1757169743-7cvnl5zw"
KEY = "sk-evo-MARKEDKEY0123456789"
CLIP = "https://staged.example.com/MARKEDCLIP0123456789/clip.mp4?sig=MARKEDSIG0123456789"
IMAGE = "https://staged.example.com/MARKEDIMAGE0123456789.jpg?sig=MARKEDSIG9876543210"
RUN = "run_0123456789abcdef0123456789abcdef"
VIDEO = b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 400

REQUEST = JobRequest(
    model="kling-o1-video-edit",
    prompt="Re-light the scene at dusk",
    video_urls=(SecretStr(CLIP),),
    images=(SecretStr(IMAGE),),
    aspect_ratio="9:16",
    keep_original_sound=True,
)

#: A provider that quotes everything it was given back at us.
LOOSE_TONGUE = f"cannot use {CLIP} nor /MARKEDIMAGE0123456789.jpg?sig=MARKEDSIG9876543210 with Bearer {KEY}\x1b[31m"

CREATED = {
    "created": 1757169743,
    "id": JOB,
    "model": "kling-o1-video-edit",
    "object": "video.generation.task",
    "progress": 0,
    "status": "pending",
    "task_info": {"can_cancel": True, "estimated_time": 300, "video_duration": 9},
    "type": "video",
    "usage": {"billing_rule": "per_second", "credits_reserved": 63.84, "user_group": "default"},
}


def refusal(status: int, code: int | str | None = None, kind: str = "some_error", **more: Any) -> Reply:
    error = {"code": status if code is None else code, "message": LOOSE_TONGUE, "type": kind, **more.pop("extra", {})}
    return Reply(status=status, body={"error": error}, **more)


def page(status: int, **more: Any) -> Reply:
    body = f"<html><h1>{status}</h1>{LOOSE_TONGUE}</html>".encode()
    return Reply(status=status, body=body, headers={"content-type": "text/html"}, **more)


def route(api: str, files: str | None = None) -> Route:
    return Route(name="loopback", api=api, files=files or api, key=SecretStr(KEY))


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def task(job: str = JOB, status: str = "processing", **more: Any) -> dict[str, Any]:
    return {"id": job, "object": "video.generation.task", "status": status, "progress": 42, **more}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with Scripted() as scripted:
        yield scripted


@pytest.fixture
async def provider(server: Scripted) -> AsyncIterator[Provider]:
    async with Provider(route(server.url)) as client:
        yield client


@pytest.fixture
async def hasty(server: Scripted) -> AsyncIterator[Provider]:
    """One whose patience ends in a test, and not before its request has left, however busy the machine is."""
    async with Provider(route(server.url), submit_limit=timedelta(seconds=3)) as client:
        yield client


async def submitting(provider: Provider) -> errors.ProviderError:
    with pytest.raises(errors.ProviderError) as caught:
        await provider.submit(REQUEST, idempotency_key=RUN)
    return caught.value


def bomb(times: int) -> bytes:
    """Half a gigabyte of nothing, compressed so often; twice makes a few kilobytes of it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
    for _ in range(times - 1):
        packed = gzip.compress(packed)
    return packed


# --- the paid request ---------------------------------------------------------------------------------------------------


async def test_an_accepted_job_is_told_exactly(server: Scripted, provider: Provider) -> None:
    server.on(*SUBMIT, Reply(body=CREATED, headers={"X-Request-Id": "req-1"}))
    accepted = await provider.submit(REQUEST, idempotency_key=RUN)
    assert (accepted.job, accepted.reserved, accepted.request_id) == (JOB, Credits.of("63.84"), "req-1")
    assert (accepted.replayed, accepted.estimated) == (False, timedelta(seconds=300))


async def test_the_request_is_the_documented_one_with_its_key_in_both_headers(
    server: Scripted, provider: Provider
) -> None:
    server.on(*SUBMIT, Reply(body=CREATED))
    await provider.submit(REQUEST, idempotency_key=RUN)
    (asked,) = server.asked
    assert asked.json == {
        "model": "kling-o1-video-edit",
        "prompt": "Re-light the scene at dusk",
        "video_urls": [CLIP],
        "image_urls": [IMAGE],
        "aspect_ratio": "9:16",
        "keep_original_sound": True,
    }
    assert asked.headers["idempotency-key"] == asked.headers["x-evo-run-id"] == RUN
    assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_what_was_not_asked_for_is_not_sent() -> None:
    bare = JobRequest(model="kling-o1-video-edit", prompt="p", video_urls=(SecretStr(CLIP),))
    assert bare.body() == {"model": "kling-o1-video-edit", "prompt": "p", "video_urls": [CLIP]}
    fast = JobRequest(model="kling-o1-video-edit-fast", prompt="p", video_urls=(SecretStr(CLIP),), aspect_ratio="9:16")
    assert "aspect_ratio" not in fast.body()


async def test_a_replay_says_that_it_is_one(server: Scripted, provider: Provider) -> None:
    server.on(*SUBMIT, Reply(body=CREATED, headers={"Idempotency-Replayed": "true"}))
    assert (await provider.submit(REQUEST, idempotency_key=RUN)).replayed


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "none",
        {"credits_reserved": "a lot"},
        {"credits_reserved": -3},
        {"credits_reserved": True},
        {"credits_reserved": 10**400},
        {"credits_reserved": 0.123456},
    ],
)
async def test_an_odd_figure_never_costs_us_the_job_id_beside_it(
    server: Scripted, provider: Provider, usage: Any
) -> None:
    server.on(*SUBMIT, Reply(body={"id": JOB, "usage": usage, "task_info": 7}))
    accepted = await provider.submit(REQUEST, idempotency_key=RUN)
    assert (accepted.job, accepted.reserved) == (JOB, None)


@pytest.mark.parametrize(
    ("written", "units"), [("63.839999999999996", 638_400), ('"63.84"', 638_400), ("1.2E+2", 1_200_000)]
)
async def test_credits_are_read_exactly_however_they_are_written(
    server: Scripted, provider: Provider, written: str, units: int
) -> None:
    body = f'{{"id": "{JOB}", "usage": {{"credits_reserved": {written}}}}}'.encode()
    server.on(*SUBMIT, Reply(body=body))
    assert (await provider.submit(REQUEST, idempotency_key=RUN)).reserved == Credits(units=units)


REFUSED: dict[str, tuple[Act, type[errors.ProviderError]]] = {
    "400": (refusal(400, kind="invalid_request_error"), errors.Rejected),
    "400 by code": (refusal(400, "invalid_media_url"), errors.Rejected),
    "401": (refusal(401), errors.Unauthorized),
    "403": (refusal(403), errors.Unauthorized),
    "402": (refusal(402), errors.InsufficientCredit),
    "404": (refusal(404), errors.Rejected),
    "413": (refusal(413), errors.Rejected),
    "415": (refusal(415), errors.Rejected),
    "422": (refusal(422), errors.Rejected),
    "a web page with 404": (page(404), errors.Rejected),
    "content policy": (refusal(400, "content_policy_violation"), errors.ContentRefused),
    "content policy under 403": (refusal(403, "input_moderation_failed"), errors.ContentRefused),
    "content policy in another field": (refusal(400, extra={"reason": "content_filter"}), errors.ContentRefused),
    "quota under 429": (refusal(429, "insufficient_user_quota"), errors.InsufficientCredit),
    "disabled key under 400": (refusal(400, "key_disabled"), errors.Unauthorized),
}

UNAVAILABLE: dict[str, Act] = {
    "429": refusal(429, "rate_limit_error"),
    "429 without an envelope": page(429),
    "503 of the API": refusal(503, kind="service_unavailable_error"),
    "no channel": refusal(503, "no_available_channel"),
}

IN_DOUBT: dict[str, Act] = {
    "reset after it was read": Reset(),
    "no answer in time": Silence(),
    "an answer too late": Reply(body=CREATED, after=5),
    "500": refusal(500, kind="internal_server_error"),
    "500 page": page(500),
    "502": refusal(502, kind="upstream_error"),
    "504": page(504),
    "bare 503": page(503),
    "503 with other JSON": Reply(status=503, body={"message": "no upstream"}),
    "200 without an id": Reply(body={**CREATED, "id": None}),
    "200 with a hostile id": Reply(body={**CREATED, "id": "../../v1/files"}),
    "200 with an id of dots": Reply(body={**CREATED, "id": ".."}),
    "200 with a number for an id": Reply(body={**CREATED, "id": 17}),
    "200 with an error": refusal(200, "internal_error"),
    "200 with a web page": page(200),
    "200 with nothing": Reply(),
    "200 cut short": Reply(body=json.dumps(CREATED).encode()[:40], promised=400),
    "200 with a bottomless document": Reply(body=b'{"id":' + b"[" * 200_000),
    "200 with an impossible number": Reply(body=f'{{"id": "{JOB}", "usage": 1e-99999999999999999999}}'.encode()[:-2]),
    "200 with a broken encoding": Reply(body=b"not gzip", headers={"content-encoding": "gzip"}),
    "200 that is not HTTP": Reply(body=b"", headers={"content-length": "x"}, promised=None),
    "200 without an end": Reply(body=b" " * 9_000_000 + json.dumps(CREATED).encode()),
    "conflict": refusal(409, "idempotency_conflict"),
    "conflict under 400": refusal(400, "idempotency_conflict"),
    "unknown to the provider": refusal(409, "paid_outcome_unknown"),
    "unknown to the provider under 429": refusal(429, "paid_outcome_unknown"),
    "409 of another kind": refusal(409),
    "408": refusal(408),
    "redirect": Reply(status=307, headers={"location": "/elsewhere"}),
    "redirect to nowhere": Reply(status=302, headers={"location": "http://[nowhere"}),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_job_costs_nothing_and_is_not_sent_again(
    server: Scripted, provider: Provider, case: str
) -> None:
    act, kind = REFUSED[case]
    server.on(*SUBMIT, act)
    error = await submitting(provider)
    assert (type(error), error.spent, error.retry) == (kind, "no", "never")
    assert len(server.asked) == 1


@pytest.mark.parametrize("case", UNAVAILABLE)
async def test_a_busy_provider_accepted_nothing_so_trying_again_is_safe(
    server: Scripted, provider: Provider, case: str
) -> None:
    server.on(*SUBMIT, UNAVAILABLE[case])
    error = await submitting(provider)
    assert (type(error), error.spent, error.retry) == (errors.Unavailable, "no", "safe")
    assert len(server.asked) == 1


@pytest.mark.parametrize("case", IN_DOUBT)
async def test_what_proves_nothing_is_in_doubt_and_sent_exactly_once(
    server: Scripted, hasty: Provider, case: str
) -> None:
    server.on(*SUBMIT, IN_DOUBT[case])
    error = await submitting(hasty)
    assert (type(error), error.spent, error.retry) == (errors.SubmissionInDoubt, "unknown", "never")
    assert len(server.asked) == 1


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip"])
async def test_a_compressed_answer_is_never_unpacked_beyond_what_an_answer_may_be(
    server: Scripted, provider: Provider, encoding: str
) -> None:
    """A few kilobytes that unpack to half a gigabyte would end the run, and with it the only copy of every job id."""
    body = bomb(encoding.count("gzip"))
    server.on(*SUBMIT, Reply(body=body, headers={"content-encoding": encoding}))
    tracemalloc.start()
    error = await submitting(provider)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(error, errors.SubmissionInDoubt)
    assert peak < 64_000_000


async def test_an_answer_is_read_also_where_something_between_compressed_it(
    server: Scripted, provider: Provider
) -> None:
    body = gzip.compress(json.dumps(CREATED).encode())
    server.on(*SUBMIT, Reply(body=body, headers={"content-encoding": "gzip"}))
    assert (await provider.submit(REQUEST, idempotency_key=RUN)).job == JOB
    assert server.asked[0].headers["accept-encoding"] == "identity"


async def test_a_refused_connection_accepted_nothing() -> None:
    async with Provider(route(f"http://127.0.0.1:{closed_port()}")) as provider:
        error = await submitting(provider)
    assert (type(error), error.spent, error.retry) == (errors.Unavailable, "no", "safe")


async def test_a_failed_tls_handshake_accepted_nothing(server: Scripted) -> None:
    async with Provider(route(f"https://127.0.0.1:{server.port}")) as provider:
        error = await submitting(provider)
    assert (type(error), error.retry) == (errors.Unavailable, "safe")
    assert server.asked == []


async def test_a_proxy_that_refuses_the_tunnel_accepted_nothing(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    server.on("CONNECT", "api.evolink.ai:443", Reply(status=502))
    async with Provider(route(EVOLINK, EVOLINK_FILES)) as provider:
        error = await submitting(provider)
    assert (type(error), error.retry) == (errors.Unavailable, "safe")
    assert [asked.method for asked in server.asked] == ["CONNECT"]
    assert all(KEY not in str(asked.headers) for asked in server.asked)


async def test_a_proxy_that_breaks_the_tunnel_off_saw_nothing_of_the_job(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    server.on("CONNECT", "api.evolink.ai:443", Reset())
    async with Provider(route(EVOLINK, EVOLINK_FILES)) as provider:
        error = await submitting(provider)
    assert type(error) is errors.Unavailable


async def test_every_submission_has_a_connection_of_its_own(server: Scripted, provider: Provider) -> None:
    """So that a kept-alive connection which the server closes in between cannot leave a take in doubt."""
    server.on(*SUBMIT, Reply(body=CREATED))
    for _ in range(2):
        await provider.submit(REQUEST, idempotency_key=RUN)
    assert server.connections == 2


@pytest.mark.parametrize("key", ["short", "x" * 97, "run_0123456789abcdef\r\nX-Evil: 1", "run 0123456789abcdef"])
async def test_an_ill_formed_idempotency_key_sends_nothing(server: Scripted, provider: Provider, key: str) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        await provider.submit(REQUEST, idempotency_key=key)
    assert server.asked == []


async def test_an_unknown_model_sends_nothing(server: Scripted, provider: Provider) -> None:
    with pytest.raises(KeyError):
        await provider.submit(JobRequest(model="sora", prompt="p", video_urls=(SecretStr(CLIP),)), idempotency_key=RUN)
    assert server.asked == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("account_balance_insufficient", "balance of the account"),
        ("key_quota_exhausted", "limit of this key"),
        ("token_daily_quota_exceeded", "Today's limit"),
    ],
)
async def test_which_of_the_three_quotas_is_used_up_is_said(
    server: Scripted, provider: Provider, code: str, words: str
) -> None:
    extra = {"error_code": code, "remaining_credits": 1.5, "limit_scope": "key", "secret": ["never", "a list"]}
    server.on(*SUBMIT, refusal(402, 402, kind="insufficient_quota_error", extra=extra))
    error = await submitting(provider)
    assert words in str(error)
    assert error.says.code == code
    assert error.says.extra == {"error_code": code, "remaining_credits": "1.5", "limit_scope": "key"}


async def test_what_the_provider_said_is_kept_for_its_support(server: Scripted, provider: Provider) -> None:
    error = {
        "code": 400,
        "message": "Invalid prompt (request id: abc-1)",
        "type": "invalid_request_error",
        "param": "prompt",
    }
    server.on(*SUBMIT, Reply(status=400, body={"error": error}))
    says = (failure := await submitting(provider)).says
    assert (says.status, says.code, says.param, says.request_id) == (400, "invalid_request_error", "prompt", "abc-1")
    assert str(failure) == (
        'loopback: The provider refused the job: 400 invalid_request_error "Invalid prompt (request id: abc-1)" [prompt]. '
        "Nothing was spent."
    )


async def test_an_error_survives_the_way_through_another_process(server: Scripted, provider: Provider) -> None:
    server.on(*SUBMIT, refusal(429, headers={"Retry-After": "7"}))
    error = await submitting(provider)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.after, copy.says) == (str(error), timedelta(seconds=7), error.says)


async def test_a_wait_may_be_told_as_the_time_of_day(server: Scripted, provider: Provider) -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    server.on(*SUBMIT, refusal(429, headers={"Retry-After": format_datetime(later, usegmt=True)}))
    after = (await submitting(provider)).after
    assert after is not None
    assert later - datetime.now(UTC) - timedelta(seconds=1) <= after <= timedelta(minutes=10)


@pytest.mark.parametrize(
    ("headers", "extra", "least", "most"),
    [
        ({"Retry-After": "8"}, {}, 8, 8),
        ({"Retry-After": "0"}, {}, 0, 0),
        ({"Retry-After": "999999999"}, {}, 3600, 3600),
        ({"Retry-After": "99999999999999999999"}, {}, None, None),
        ({"Retry-After": "soon"}, {}, None, None),
        ({"Retry-After": "-5"}, {}, None, None),
        ({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, {}, 0, 0),
        ({}, {"fallback_suggestion": "retry after 60 seconds"}, 60, 60),
        ({}, {}, None, None),
    ],
)
async def test_the_wait_that_is_asked_for_is_obeyed_within_reason(
    server: Scripted,
    provider: Provider,
    headers: dict[str, str],
    extra: dict[str, str],
    least: int | None,
    most: int | None,
) -> None:
    server.on(*SUBMIT, refusal(429, headers=headers, extra=extra))
    after = (await submitting(provider)).after
    if least is None or most is None:
        assert after is None
    else:
        assert after is not None
        assert timedelta(seconds=least) <= after <= timedelta(seconds=most)


# --- reads --------------------------------------------------------------------------------------------------------------


async def test_a_hundred_and_twenty_jobs_are_three_questions(server: Scripted, provider: Provider) -> None:
    server.on(*BATCH, lambda asked: Reply(body={"data": [task(job) for job in asked.json["task_ids"]]}))
    jobs = [f"task-{number}" for number in range(120)]
    found = await provider.status(jobs)
    assert list(found) == jobs
    assert sorted(len(asked.json["task_ids"]) for asked in server.asked) == [20, 50, 50]


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_without_the_batch_route_jobs_are_read_one_by_one_and_it_is_not_tried_again(
    server: Scripted, provider: Provider, status: int
) -> None:
    server.on(*BATCH, page(status))
    server.on("GET", "/v1/tasks/a", Reply(body=task("a")))
    server.on("GET", "/v1/tasks/b", Reply(body=task("b", "pending")))
    for _ in range(2):
        found = await provider.status(["a", "b"])
        assert {job: status.state for job, status in found.items()} == {"a": "processing", "b": "pending"}
    assert len(server.to("/v1/tasks/batch")) == 1


@pytest.mark.parametrize("status", [400, 403, 422])
async def test_a_batch_that_is_refused_as_a_whole_refuses_no_job(
    server: Scripted, provider: Provider, status: int
) -> None:
    server.on(*BATCH, refusal(status))
    server.on("GET", "/v1/tasks/a", Reply(body=task("a")))
    for _ in range(2):
        assert set(await provider.status(["a"])) == {"a"}
    assert len(server.to("/v1/tasks/batch")) == 2


async def test_a_job_whose_id_is_said_to_be_invalid_or_expired_is_unknown_and_not_failed(
    server: Scripted, provider: Provider
) -> None:
    """Its result may long have been paid for; taken for failed, it would be bought again."""
    expired = task(status="failed", error={"code": "resource_not_found", "message": "Task ID invalid or expired"})
    server.on(*BATCH, Reply(body={"data": [expired]}))
    server.on("GET", f"/v1/tasks/{JOB}", Reply(body=expired))
    assert await provider.status([JOB]) == {}


async def test_a_job_absent_from_the_batch_is_asked_for_alone_and_absent_when_unknown(
    server: Scripted, provider: Provider
) -> None:
    server.on(*BATCH, Reply(body={"data": [task("a"), task("stranger"), "junk", {"id": "c"}, task("d", "")]}))
    server.on("GET", "/v1/tasks/b", Reply(body=task("b")))
    server.on("GET", "/v1/tasks/c", Reply(status=404, body={"error": {"code": "resource_not_found"}}))
    assert set(await provider.status(["a", "b", "c"])) == {"a", "b"}


async def test_an_id_that_is_no_id_is_asked_of_nobody(server: Scripted, provider: Provider) -> None:
    assert await provider.status(["../credits", "..", "", "a b"]) == {}
    assert server.asked == []


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("pending", "pending"),
        ("processing", "processing"),
        ("completed", "succeeded"),
        ("failed", "failed"),
        ("cancelled", "failed"),
        ("queued", "processing"),
        ("archived", "processing"),
        ("COMPLETED", "processing"),
    ],
)
async def test_only_the_provider_s_own_words_end_a_job(
    server: Scripted, provider: Provider, word: str, state: str
) -> None:
    server.on(*BATCH, Reply(body={"data": [task(status=word)]}))
    assert (await provider.status([JOB]))[JOB].state == state


async def test_a_cancelled_job_failed_with_the_code_for_that(server: Scripted, provider: Provider) -> None:
    server.on(*BATCH, Reply(body={"data": [task(status="cancelled")]}))
    error = (await provider.status([JOB]))[JOB].error
    assert error is not None
    assert error.code == "request_cancelled"


async def test_a_failed_job_tells_how_long_to_wait_before_another(server: Scripted, provider: Provider) -> None:
    error = {"code": "service_error", "message": "no", "fallback_suggestion": "retry after 90 seconds"}
    server.on(*BATCH, Reply(body={"data": [{"id": JOB, "status": "failed", "error": error}]}))
    assert (await provider.status([JOB]))[JOB].retry_after == timedelta(seconds=90)


async def test_a_finished_job_is_told_with_its_link_and_its_money(server: Scripted, provider: Provider) -> None:
    billing = {
        "charge_status": "charged",
        "refund_status": "not_required",
        "charged_credits": 63.84,
        "reserved_credits": 64,
    }
    done = task(status="completed", results=["https://cdn.example.com/a.mp4?sig=1"], billing=billing)
    server.on(*BATCH, Reply(body={"data": [done]}))
    status = (await provider.status([JOB]))[JOB]
    assert status == JobStatus(
        job=JOB,
        state="succeeded",
        progress=100,
        result=SecretStr("https://cdn.example.com/a.mp4?sig=1"),
        charged=Credits.of("63.84"),
        reserved=Credits.of(64),
        refunded=False,
    )
    assert "sig=1" not in repr(status)


async def test_the_link_is_found_in_the_newer_field_too(server: Scripted, provider: Provider) -> None:
    done = task(status="completed", results=[], result_data=[{"video_url": "https://cdn.example.com/b.mp4"}])
    server.on(*BATCH, Reply(body={"data": [{**done, "usage": {"credits_used": 36}}]}))
    status = (await provider.status([JOB]))[JOB]
    assert status.result == SecretStr("https://cdn.example.com/b.mp4")
    assert status.charged == Credits.of(36)


@pytest.mark.parametrize(
    ("billing", "refunded"),
    [
        ({}, None),
        ({"charge_status": "unknown", "refund_status": "unknown"}, None),
        ({"charge_status": "released", "refund_status": "not_required"}, True),
        ({"charge_status": "charged", "refund_status": "completed"}, True),
        ({"charge_status": "charged", "refund_status": "pending"}, False),
        ({"charge_status": "reserved"}, None),
        ({"charge_status": "released", "refunded_credits": 0, "charged_credits": 36}, True),
        ({"refund_status": "completed", "charged_credits": 36, "refunded_credits": 36}, True),
        ({"refund_status": "completed", "charged_credits": 36, "refunded_credits": 10}, False),
        ("nonsense", None),
    ],
)
async def test_a_failed_job_proves_no_refund_unless_the_provider_says_so(
    server: Scripted, provider: Provider, billing: Any, refunded: bool | None
) -> None:
    error = {"code": "video_probe_failed", "message": f"cannot read {CLIP}", "type": "task_error"}
    server.on(*BATCH, Reply(body={"data": [task(status="failed", error=error, billing=billing)]}))
    status = (await provider.status([JOB]))[JOB]
    assert (status.state, status.refunded, status.result) == ("failed", refunded, None)
    assert status.error is not None
    assert (status.error.code, status.error.message) == (
        "video_probe_failed",
        "cannot read https://staged.example.com/***",
    )


async def test_of_a_part_that_came_back_the_rest_stays_charged(server: Scripted, provider: Provider) -> None:
    billing = {"refund_status": "completed", "charged_credits": 36, "refunded_credits": 10}
    server.on(*BATCH, Reply(body={"data": [task(status="failed", billing=billing)]}))
    assert (await provider.status([JOB]))[JOB].charged == Credits.of("26")


@pytest.mark.parametrize("key", ["\ud800", "code\udfff"])
async def test_a_name_that_is_no_text_is_read_over(server: Scripted, provider: Provider, key: str) -> None:
    failed = task(status="failed", error={"code": "video_probe_failed", key: 1})
    server.on(*BATCH, Reply(body={"data": [failed, {**task(), "id": "task-b", "results": [], key: 1}]}))
    found = await provider.answers([JOB, "task-b"])
    told, other = found[JOB], found["task-b"]
    assert isinstance(told, JobStatus)
    assert isinstance(other, JobStatus)
    assert told.error is not None
    assert told.error.code == "video_probe_failed"
    server.on(*BATCH, Reply(status=500, body={"error": {key: 1}}))
    assert isinstance((await provider.answers([JOB]))[JOB], errors.Unavailable)


async def test_a_redirect_to_what_is_no_address_is_no_answer(server: Scripted, provider: Provider) -> None:
    server.on(*BATCH, Reply(status=302, headers={"Location": "https://xn--a/"}))
    assert isinstance((await provider.answers([JOB]))[JOB], errors.Unavailable)


BAD_READS: dict[str, Act] = {
    "reset": Reset(),
    "web page": page(200),
    "cut short": Reply(body=b'{"data": [', promised=99),
    "no data": Reply(body={"ok": True}),
    "500": refusal(500),
    "502": page(502),
    "429": refusal(429, headers={"Retry-After": "3"}),
}


@pytest.mark.parametrize("case", BAD_READS)
async def test_a_status_that_cannot_be_read_is_never_a_failed_job(
    server: Scripted, provider: Provider, case: str
) -> None:
    server.on(*BATCH, BAD_READS[case])
    with pytest.raises(errors.Unavailable) as caught:
        await provider.status([JOB])
    assert (caught.value.retry, caught.value.spent) == ("safe", "unknown")
    assert caught.value.after == (timedelta(seconds=3) if case == "429" else None)


async def test_one_job_that_cannot_be_read_does_not_hide_the_others(server: Scripted, provider: Provider) -> None:
    server.on(*BATCH, Reply(body={"data": [task("a"), {"id": "b", "status": 7}]}))
    server.on("GET", "/v1/tasks/b", page(200))
    answers = await provider.answers(["a", "b"])
    assert isinstance(answers["a"], JobStatus)
    assert isinstance(answers["b"], errors.Unavailable)


async def test_single_reads_stop_when_they_are_told_to_wait(server: Scripted, provider: Provider) -> None:
    server.on(*BATCH, page(404))
    for number in range(30):
        server.on("GET", f"/v1/tasks/t{number}", refusal(429, headers={"Retry-After": "60"}))
    answers = await provider.answers([f"t{number}" for number in range(30)])
    assert len(answers) == 30
    assert len(server.asked) <= 1 + 4


async def test_a_status_read_with_a_dead_key_says_so(server: Scripted, provider: Provider) -> None:
    server.on(*BATCH, refusal(401, "key_expired"))
    with pytest.raises(errors.Unauthorized):
        await provider.status([JOB])


@pytest.mark.parametrize(
    ("token", "user", "left"),
    [
        ({"remaining_credits": 99416.4429, "unlimited_credits": False}, {"remaining_credits": 1095.3996}, "1095.3996"),
        ({"remaining_credits": 5, "unlimited_credits": False}, {"remaining_credits": 1095.3996}, "5"),
        ({"remaining_credits": 0, "unlimited_credits": True}, {"remaining_credits": 1095.3996}, "1095.3996"),
        ({}, {"remaining_credits": -2.5}, "-2.5"),
        (None, None, None),
    ],
)
async def test_the_balance_is_what_this_key_can_still_spend(
    server: Scripted, provider: Provider, token: Any, user: Any, left: str | None
) -> None:
    server.on(*BALANCE, Reply(body={"data": {"token": token, "user": user}, "message": "", "success": True}))
    assert await provider.balance() == (Credits.of(left) if left else None)


async def test_a_key_that_may_not_read_the_balance_is_told_and_a_missing_route_is_not_an_error(
    server: Scripted, provider: Provider
) -> None:
    server.on(*BALANCE, refusal(403, "key_disabled"), page(404))
    with pytest.raises(errors.Unauthorized):
        await provider.balance()
    assert await provider.balance() is None


async def test_a_balance_that_is_a_redirect_names_the_setting(server: Scripted, provider: Provider) -> None:
    server.on(*BALANCE, Reply(status=301, headers={"location": "https://elsewhere.example.com/"}))
    with pytest.raises(errors.Rejected, match="EVOLINK_BASE_URL"):
        await provider.balance()


# --- the list of jobs ---------------------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MODEL = "kling-o1-video-edit"


def page_of_list(number: int) -> tuple[str, str]:
    return "GET", f"/v1/tasks?model={MODEL}&page={number}&page_size=50"


def row(job: str, minutes_ago: int = 0, **more: Any) -> dict[str, Any]:
    created = int((NOON - timedelta(minutes=minutes_ago)).timestamp())
    return {"id": job, "model": MODEL, "status": "processing", "created_at": created, "credits_used": 0, **more}


def rows_reply(*rows: dict[str, Any]) -> Reply:
    return Reply(body={"data": list(rows), "total": 1_000, "page": 1, "page_size": 50})


async def listed(provider: Provider, since: datetime = NOON - timedelta(minutes=5)) -> Listing:
    listing = await provider.listed(model=MODEL, since=since)
    assert listing is not None
    return listing


async def test_the_list_is_paged_back_until_all_of_a_page_is_older_than_what_is_asked_for(
    server: Scripted, provider: Provider
) -> None:
    server.on(*page_of_list(1), rows_reply(row("a"), row("b", 4)))
    server.on(*page_of_list(2), rows_reply(row("b", 4), row("c", 7)))  # one row moved on: a job came in between
    server.on(*page_of_list(3), rows_reply(row("d", 8), row("e", 9)))
    listing = await listed(provider)
    assert [job.id for job in listing.jobs] == ["a", "b", "c", "d", "e"]
    assert listing.reached <= NOON - timedelta(minutes=5)
    assert len(server.asked) == 3


async def test_a_list_that_ends_goes_back_as_far_as_anybody_asks(server: Scripted, provider: Provider) -> None:
    server.on(*page_of_list(1), rows_reply(row("a")))
    server.on(*page_of_list(2), rows_reply())
    long_ago = NOON - timedelta(days=400)
    assert (await listed(provider, long_ago)).reached == long_ago


async def test_a_list_is_not_read_for_ever(server: Scripted, provider: Provider) -> None:
    for number in range(1, 30):
        server.on(*page_of_list(number), rows_reply(row(f"job-{number}", number)))
    listing = await listed(provider, NOON - timedelta(days=1))
    assert len(server.asked) == len(listing.jobs) == 20
    assert listing.reached == NOON - timedelta(minutes=20)


async def test_a_list_that_knows_no_pages_or_no_order_reaches_no_further_than_it_shows(
    server: Scripted, provider: Provider
) -> None:
    for number in (1, 2):
        server.on(*page_of_list(number), rows_reply(row("a"), row("b", 3)))
    assert (await listed(provider, NOON - timedelta(days=1))).reached == NOON - timedelta(minutes=3)
    for number in (1, 2):
        server.on(*page_of_list(number), rows_reply(row("old", 90), row("a")))
    assert (await listed(provider)).reached > NOON - timedelta(minutes=5)


@pytest.mark.parametrize(
    "created",
    [
        int(NOON.timestamp()),
        NOON.timestamp(),
        str(int(NOON.timestamp())),
        int(NOON.timestamp() * 1000),
        "2026-11-24T12:00:00Z",
        "2026-11-24T20:00:00+08:00",
    ],
)
async def test_the_time_of_a_job_is_read_as_seconds_or_as_iso(
    server: Scripted, provider: Provider, created: object
) -> None:
    server.on(*page_of_list(1), rows_reply(row("a", created_at=created)))
    server.on(*page_of_list(2), rows_reply())
    assert (await listed(provider)).jobs[0].created == NOON


@pytest.mark.parametrize("created", [None, "yesterday", "2026-11-24T12:00:00", True, {}, 1e300, -(10**20), "9" * 40])
async def test_what_a_row_does_not_say_is_not_told(server: Scripted, provider: Provider, created: object) -> None:
    server.on(*page_of_list(1), rows_reply({"id": "a", "created_at": created, "credits_used": "lots"}, row("b")))
    server.on(*page_of_list(2), rows_reply(row("c", credits_used=63.84)))
    server.on(*page_of_list(3), rows_reply())
    first, second, third = (await listed(provider)).jobs
    assert (first.model, first.created, first.credits) == ("", None, None)
    assert (second.model, second.credits) == (MODEL, None)  # nothing is used before the end
    assert third.credits == Credits.of("63.84")


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_provider_without_a_list_is_told_apart(server: Scripted, provider: Provider, status: int) -> None:
    server.on(*page_of_list(1), Reply(status=status, body={}))
    assert await provider.listed(model=MODEL, since=NOON) is None


@pytest.mark.parametrize(
    "act",
    [
        page(200),
        Reply(body={"data": "none"}),
        Reply(body={}),
        rows_reply({"model": MODEL}),
        rows_reply(row("a"), row("../b")),
        Reply(body={"data": [], "error": {"code": "internal_error"}}),
        Reply(status=502, body={}),
        Reset(),
    ],
)
async def test_a_list_that_cannot_be_read_as_a_whole_is_no_empty_list(
    server: Scripted, provider: Provider, act: Act
) -> None:
    server.on(*page_of_list(1), act)
    with pytest.raises(errors.ProviderError) as caught:
        await provider.listed(model=MODEL, since=NOON)
    assert caught.value.spent == "unknown"
    assert "MARKED" not in str(caught.value)


# --- staging ------------------------------------------------------------------------------------------------------------

STORED = {
    "success": True,
    "code": 200,
    "msg": "File uploaded successfully",
    "data": {
        "file_id": "file_abc123",
        "file_url": "https://files.evolink.ai/a/clip.mp4",
        "expires_at": "2025-10-12T00:00:00+08:00",
    },
}


async def test_an_upload_sends_the_file_whole_and_knows_when_it_ends(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    (clip := tmp_path / "clip.mp4").write_bytes(VIDEO)
    server.on(*UPLOAD, Reply(body=STORED))
    staged = await ProviderStaging(provider).put(clip, sha256=hashlib.sha256(VIDEO).hexdigest(), suffix=".mp4")
    assert staged.url == SecretStr("https://files.evolink.ai/a/clip.mp4")
    assert staged.expires_at == datetime(2025, 10, 11, 16, tzinfo=UTC)
    (asked,) = server.asked
    assert VIDEO in asked.body
    assert f'filename="{hashlib.sha256(VIDEO).hexdigest()[:12]}.mp4"'.encode() in asked.body
    assert b"Content-Type: video/mp4" in asked.body


async def test_an_upload_takes_constant_memory(server: Scripted, provider: Provider, tmp_path: Path) -> None:
    with (clip := tmp_path / "clip.mp4").open("wb") as file:
        file.truncate(40_000_000)
    server.on(*UPLOAD, Reply(body=STORED))
    tracemalloc.start()
    await provider.upload(clip, name="clip.mp4")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert server.asked[0].size > 40_000_000
    assert peak < 8_000_000


@pytest.mark.parametrize("expires", [None, "tomorrow", "2999-01-01T00:00:00", 17])
async def test_an_upload_of_unknown_expiry_is_trusted_for_a_day_only(
    server: Scripted, provider: Provider, tmp_path: Path, expires: Any
) -> None:
    (clip := tmp_path / "clip.mp4").write_bytes(VIDEO)
    server.on(
        *UPLOAD, Reply(body={"success": True, "data": {"file_url": "https://f.example/a", "expires_at": expires}})
    )
    staged = await provider.upload(clip, name="clip.mp4")
    assert staged.expires_at - datetime.now(UTC) <= timedelta(hours=24)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(body={"success": False, "code": 400, "msg": "File type not allowed"}), errors.Rejected),
        (Reply(body={"success": False, "code": 1001, "msg": "quota exhausted"}), errors.Rejected),
        (Reply(body={"success": False, "code": 401, "msg": "bad token"}), errors.Unauthorized),
        (Reply(body={"success": False, "code": 429, "msg": "slowly"}), errors.Unavailable),
        (Reply(body={"success": False, "code": 500, "msg": "disk"}), errors.Unavailable),
        (Reply(status=413, body={"success": False, "code": 413, "msg": "too big"}), errors.Rejected),
        (page(413), errors.Rejected),
        (page(502), errors.Unavailable),
        (Reply(body={"success": True, "data": {}}), errors.Unavailable),
        (Reply(body={"success": True, "data": {"file_url": "javascript:alert(1)"}}), errors.Unavailable),
        (Reply(body={"success": True, "data": {"file_url": "http://files.example.com/a"}}), errors.Unavailable),
        (Reset(), errors.Unavailable),
    ],
)
async def test_an_upload_that_fails_costs_nothing(
    server: Scripted, provider: Provider, tmp_path: Path, reply: Act, kind: type[errors.ProviderError]
) -> None:
    (clip := tmp_path / "clip.mp4").write_bytes(VIDEO)
    server.on(*UPLOAD, reply)
    with pytest.raises(errors.ProviderError) as caught:
        await provider.upload(clip, name="clip.mp4", called="clip beach")
    assert (type(caught.value), caught.value.spent) == (kind, "no")
    assert "upload of clip beach" in caught.value.what


async def test_a_file_that_is_not_there_is_not_the_provider_s_fault(provider: Provider, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await provider.upload(tmp_path / "nothing.mp4", name="a.mp4")


# --- results ------------------------------------------------------------------------------------------------------------


def link(server: Scripted, path: str = RESULT[1]) -> SecretStr:
    return SecretStr(f"{server.url}{path}")


async def fetched(
    provider: Provider, url: SecretStr, target: Path, max_bytes: int = 1_000_000
) -> errors.CallsheetError:
    with pytest.raises(errors.CallsheetError) as caught:
        await provider.download(url, target, max_bytes=max_bytes)
    assert not target.exists()
    assert [path for path in target.parent.iterdir() if "part" in path.name] == []
    return caught.value


async def test_a_result_arrives_whole_under_its_name(server: Scripted, provider: Provider, tmp_path: Path) -> None:
    server.on(*RESULT, Reply(body=VIDEO, headers={"content-type": "video/mp4; codecs=avc1"}))
    seen: list[tuple[int, int | None]] = []
    done = await provider.download(
        link(server), tmp_path / "a.mp4", max_bytes=len(VIDEO), on_progress=lambda now, whole: seen.append((now, whole))
    )
    assert (done.bytes, done.content_type) == (len(VIDEO), "video/mp4")
    assert done.sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert (tmp_path / "a.mp4").read_bytes() == VIDEO
    assert seen[-1] == (len(VIDEO), len(VIDEO))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mp4"]


async def test_the_key_is_not_sent_to_the_host_of_a_result(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    server.on(*RESULT, Reply(status=302, headers={"location": "/second"}))
    server.on("GET", "/second", Reply(body=VIDEO))
    await provider.download(link(server), tmp_path / "a.mp4", max_bytes=1_000_000)
    assert len(server.asked) == 2
    assert all("authorization" not in asked.headers and KEY not in str(asked.headers) for asked in server.asked)


@pytest.mark.parametrize(
    ("reply", "kind", "retry"),
    [
        (page(403), errors.ResultExpired, "never"),
        (page(404), errors.ResultExpired, "never"),
        (page(410), errors.ResultExpired, "never"),
        (page(400), errors.ResultExpired, "never"),
        (page(500), errors.Unavailable, "safe"),
        (page(429), errors.Unavailable, "safe"),
        (Reset(), errors.ResultDamaged, "safe"),
        (page(200), errors.ResultDamaged, "safe"),
        (Reply(body={"error": "expired"}), errors.ResultDamaged, "safe"),
        (Reply(), errors.ResultDamaged, "safe"),
        (Reply(body=VIDEO[:10]), errors.ResultDamaged, "safe"),
        (Reply(body=VIDEO[:5000], promised=len(VIDEO)), errors.ResultDamaged, "safe"),
        (Reply(body=VIDEO, headers={"content-encoding": "gzip"}), errors.ResultDamaged, "safe"),
        (Reply(body=VIDEO, promised=2_000_000), errors.ResultDamaged, "never"),
        (Reply(body=VIDEO * 11, promised=None), errors.ResultDamaged, "never"),
        (Reply(status=302, headers={"location": "http://169.254.169.254/latest/"}), errors.ResultDamaged, "never"),
        (Reply(status=302, headers={"location": "https://10.0.0.1/"}), errors.ResultDamaged, "never"),
        (Reply(status=302, headers={"location": "file:///etc/passwd"}), errors.ResultDamaged, "never"),
        (Reply(status=302, headers={"location": RESULT[1]}), errors.ResultDamaged, "safe"),
        (Reply(status=302), errors.Unavailable, "safe"),
    ],
)
async def test_a_result_that_is_not_a_whole_video_leaves_no_file(
    server: Scripted, provider: Provider, tmp_path: Path, reply: Act, kind: type[errors.ProviderError], retry: str
) -> None:
    server.on(*RESULT, reply)
    error = await fetched(provider, link(server), tmp_path / "a.mp4")
    assert (type(error), error.spent, error.retry) == (kind, "yes", retry)


async def test_a_result_is_never_unpacked(server: Scripted, provider: Provider, tmp_path: Path) -> None:
    server.on(*RESULT, Reply(body=bomb(2), headers={"content-encoding": "gzip, gzip"}))
    tracemalloc.start()
    error = await fetched(provider, link(server), tmp_path / "a.mp4")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(error, errors.ResultDamaged)
    assert "gzip" in error.what
    assert peak < 64_000_000


async def test_no_more_than_three_redirects_are_followed(server: Scripted, provider: Provider, tmp_path: Path) -> None:
    server.on(*RESULT, Reply(status=302, headers={"location": RESULT[1]}))
    await fetched(provider, link(server), tmp_path / "a.mp4")
    assert len(server.asked) == 4


@pytest.mark.parametrize("location", ["https://xn--a/", "https://93.184.216.34:99999/", "https://[bad/"])
async def test_a_redirect_of_a_result_to_what_is_no_address_is_not_followed(
    server: Scripted, provider: Provider, tmp_path: Path, location: str
) -> None:
    server.on("GET", "/a.mp4", Reply(status=302, headers={"Location": location}))
    error = await fetched(provider, SecretStr(f"{server.url}/a.mp4"), tmp_path / "a.mp4")
    assert (type(error), error.retry, error.spent) == (errors.ResultDamaged, "never", "yes")


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.com/a.mp4",
        "https://user:pass@cdn.example.com/a.mp4",
        "https://10.1.2.3/a.mp4",
        "https://192.168.0.1/a.mp4",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/a.mp4",
        "https://0.0.0.0/a.mp4",
        "https://[::ffff:10.0.0.1]/a.mp4",
        "https://[fd00::1]/a.mp4",
        "https://[fe80::1]/a.mp4",
        "https://224.0.0.1/a.mp4",
        "ftp://cdn.example.com/a.mp4",
        "file:///etc/passwd",
        "https:///a.mp4",
        "https://[bad/a.mp4",
        "https://xn--a/a.mp4",
        "https://93.184.216.34:99999/a.mp4",
        "",
    ],
)
async def test_a_link_to_where_no_result_lives_is_not_followed(provider: Provider, tmp_path: Path, url: str) -> None:
    error = await fetched(provider, SecretStr(url), tmp_path / "a.mp4")
    assert (type(error), error.retry, error.spent) == (errors.ResultDamaged, "never", "yes")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"])
async def test_the_paid_provider_cannot_make_us_read_this_machine(server: Scripted, tmp_path: Path, host: str) -> None:
    """127.1 is a name to every check of spelling, and this machine to the resolver: the connected address decides."""
    async with Provider(route(EVOLINK, EVOLINK_FILES)) as provider:
        error = await fetched(provider, SecretStr(f"https://{host}:{server.port}/a.mp4"), tmp_path / "a.mp4")
    assert (type(error), error.retry) == (errors.ResultDamaged, "never")
    assert server.asked == []


async def test_a_result_behind_the_proxy_of_the_environment_is_asked_for_there(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    server.on("CONNECT", "cdn.example.com:443", Reply(status=502))
    async with Provider(route(EVOLINK, EVOLINK_FILES)) as provider:
        error = await fetched(provider, SecretStr("https://cdn.example.com/a.mp4"), tmp_path / "a.mp4")
    assert type(error) is errors.Unavailable
    assert [asked.path for asked in server.asked] == ["cdn.example.com:443"]


async def test_an_earlier_file_stays_until_the_new_one_is_whole(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    (target := tmp_path / "a.mp4").write_bytes(b"earlier")
    server.on(*RESULT, Reply(body=VIDEO[:5000], promised=len(VIDEO)))
    with pytest.raises(errors.ResultDamaged):
        await provider.download(link(server), target, max_bytes=1_000_000)
    assert target.read_bytes() == b"earlier"


async def test_a_file_is_exchanged_whole_and_never_written_over(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    (target := tmp_path / "a.mp4").write_bytes(b"earlier")
    server.on(*RESULT, Reply(body=VIDEO))
    with target.open("rb") as reader:
        await provider.download(link(server), target, max_bytes=1_000_000)
        assert reader.read() == b"earlier"
    assert target.read_bytes() == VIDEO


async def test_a_disk_that_cannot_be_written_is_told_as_such(
    server: Scripted, provider: Provider, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    server.on(*RESULT, Reply(body=VIDEO))
    with pytest.raises(errors.StoreUnreachable) as caught:
        await provider.download(link(server), tmp_path / "file" / "a.mp4", max_bytes=1_000_000)
    assert (caught.value.spent, caught.value.retry) == ("yes", "safe")


# --- routes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base",
    [
        "http://api.evolink.ai",
        "ftp://127.0.0.1",
        "api.evolink.ai",
        "",
        "https://",
        "https://user:MARKEDKEY@127.0.0.1",
        "https://127.0.0.1?key=MARKEDKEY",
        "http://127.0.0.1.evil.example",
        "http://[nowhere",
        "http://10.0.0.1",
    ],
)
def test_a_base_that_would_leak_the_key_is_refused(base: str) -> None:
    with pytest.raises(errors.ProviderError) as caught:
        route(base, "http://127.0.0.1:1")
    assert "MARKEDKEY" not in str(caught.value)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8000/", "http://localhost:1", "http://[::1]:9", "http://127.9.9.9"])
def test_plain_http_is_for_this_machine(base: str) -> None:
    assert route(base).api == base.rstrip("/")
    assert route(base).is_loopback


def test_a_route_is_here_or_there_but_not_both() -> None:
    with pytest.raises(errors.ProviderError, match="together"):
        route("http://127.0.0.1:8000", EVOLINK_FILES)


@pytest.mark.parametrize("key", ["", "  ", "sk-evo-MARKEDKEY\n", "sk evo", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(errors.ProviderError) as caught:
        Route(name="evolink", api=EVOLINK, files=EVOLINK_FILES, key=SecretStr(key))
    assert "MARKEDKEY" not in str(caught.value)


# --- secrets ------------------------------------------------------------------------------------------------------------


async def everything_said(call: Callable[[], Awaitable[Any]], caplog: pytest.LogCaptureFixture) -> str:
    """All that a person or a log could come to read of this call."""
    try:
        return repr(await call())
    except errors.CallsheetError as error:
        story = "".join(traceback.format_exception(error))
        return "\n".join([str(error), repr(error), story, caplog.text, repr(vars(error))])


FAILURES: dict[str, Act] = {name: act for name, (act, _) in REFUSED.items()} | UNAVAILABLE | IN_DOUBT


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("doing", ["submit", "status", "upload", "download", "balance"])
async def test_no_failure_says_the_key_or_a_signed_url(
    server: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture, doing: str, case: str
) -> None:
    if isinstance(act := FAILURES[case], Silence) or (isinstance(act, Reply) and act.after):
        act = Reset()
    for name in ("", "httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    for verb, path in (SUBMIT, BATCH, UPLOAD, BALANCE, RESULT):
        server.on(verb, path, act)
    (clip := tmp_path / "clip.mp4").write_bytes(VIDEO)
    url = SecretStr(f"{server.url}{RESULT[1]}?sig=MARKEDSIG0123456789")
    async with Provider(route(server.url)) as provider:
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "submit": lambda: provider.submit(REQUEST, idempotency_key=RUN),
            "status": lambda: provider.status([JOB]),
            "upload": lambda: provider.upload(clip, name="clip.mp4"),
            "download": lambda: provider.download(url, tmp_path / "a.mp4", max_bytes=1_000_000),
            "balance": provider.balance,
        }
        said = await everything_said(calls[doing], caplog)
    assert "MARKED" not in said
    assert "\x1b" not in said.replace("\\x1b", "")
    assert "MARKED" not in caplog.text + repr(REQUEST) + repr(provider.route)


async def test_no_redirect_is_logged_even_at_the_lowest_level(
    server: Scripted, provider: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    server.on(*RESULT, Reply(status=302, headers={"location": "/MARKEDHOP?sig=MARKEDSIG"}))
    server.on("GET", "/MARKEDHOP?sig=MARKEDSIG", Reply(body=VIDEO))
    await provider.download(link(server), tmp_path / "a.mp4", max_bytes=1_000_000)
    assert "MARKED" not in caplog.text
