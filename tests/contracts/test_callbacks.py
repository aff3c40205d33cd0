"""Callbacks: what the sandbox sends, as the provider does, and what `callsheet webhooks` takes for evidence and for hints."""

import asyncio
import hashlib
import json
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from callsheet.callbacks import server
from callsheet.errors import LedgerUnreachable, PortTaken
from callsheet.ledger.book import Ledger
from callsheet.provider.client import Provider, Route
from callsheet.provider.watch import Watch
from callsheet.sandbox import reach
from callsheet.sandbox.book import Book, NewJob
from callsheet.sandbox.caller import Caller, judged
from callsheet.sandbox.faults import Faults
from callsheet.sandbox.policy import Policy
from callsheet.sandbox.server import serving
from callsheet.steps import hear, hints, weigh
from callsheet.steps.settings import Settings
from callsheet.take import State
from tests.contracts.ledgers import BOOKING, Place
from tests.contracts.scripted_provider import Reply, Reset, Scripted
from tests.contracts.test_sandbox import Encode, Sandbox, client_of, encode

__all__ = ["encode"]

TOKEN = "MARKEDTOKEN0123456789abcdefghijkl"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
JOB = "task-unified-1757169743-7cvnl5zw"
DONE = {"id": JOB, "status": "completed", "results": ["https://results.example/MARKED.mp4"]}


# --- heard --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with one take in doubt, whose request named our address."""
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")) as opened:
        take = opened.reserve(BOOKING)
        opened.submitting(take.id, request={"prompt": "x", "callback_url": f"https://hooks.example/c/{TOKEN}"})
        opened.in_doubt(take.id, reason="no answer")
        yield opened


@pytest.fixture
async def hooks(ledger: Ledger) -> AsyncIterator[httpx.AsyncClient]:
    app = server.make(lambda token, job: hear.record(ledger, token, job))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hooks") as client:
        yield client


async def test_a_callback_with_a_token_of_ours_is_written_down_once_and_moves_no_take(
    hooks: httpx.AsyncClient, ledger: Ledger
) -> None:
    for _ in range(2):
        answer = await hooks.post(f"/{TOKEN}", json=DONE)
        assert (answer.status_code, answer.content) == (204, b"")
    assert ledger.callbacks([DIGEST]) == ((DIGEST, JOB),)
    (take,) = ledger.takes()
    assert take.state is State.IN_DOUBT
    other = await hooks.post(f"/{TOKEN}", json={**DONE, "id": "task-other"})
    assert other.status_code == 204
    assert [job for _, job in ledger.callbacks([DIGEST])] == [JOB, "task-other"]  # and that settles nothing


async def test_a_strange_token_is_answered_alike_and_not_written_down(hooks: httpx.AsyncClient, ledger: Ledger) -> None:
    strange = secrets.token_urlsafe(24)
    assert (await hooks.post(f"/{strange}", json=DONE)).status_code == 204
    assert ledger.callbacks([hashlib.sha256(strange.encode()).hexdigest()]) == ()


async def test_a_take_that_has_its_job_needs_no_callback(hooks: httpx.AsyncClient, ledger: Ledger) -> None:
    ledger.submitted(1, job=JOB)
    assert (await hooks.post(f"/{TOKEN}", json=DONE)).status_code == 204
    assert ledger.callbacks([DIGEST]) == ()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TOKEN, b"not json"),
        (TOKEN, b"[" * 100_000),
        (TOKEN, b"[]"),
        (TOKEN, b"{}"),
        (TOKEN, b'{"id": 7}'),
        (TOKEN, b'{"id": "../ledger"}'),
        (TOKEN, b'{"id": ".."}'),
        (TOKEN, json.dumps({"id": JOB, "more": "x" * 1_000_000}).encode()),
        ("short", json.dumps(DONE).encode()),
        (f"{TOKEN}/more", json.dumps(DONE).encode()),
        ("", json.dumps(DONE).encode()),
    ],
)
async def test_what_is_malformed_is_no_callback(
    hooks: httpx.AsyncClient, ledger: Ledger, path: str, body: bytes
) -> None:
    answer = await hooks.post(f"/{path}", content=body)
    assert (answer.status_code, answer.content) == (404, b"")
    assert (await hooks.get(f"/{TOKEN}")).status_code == 404
    assert ledger.callbacks([DIGEST]) == ()


async def test_a_ledger_that_cannot_be_written_has_the_provider_try_again() -> None:
    def refuse(_token: str, _job: str) -> None:
        raise LedgerUnreachable("the database is locked.")

    transport = httpx.ASGITransport(app=server.make(refuse))
    async with httpx.AsyncClient(transport=transport, base_url="http://hooks") as client:
        assert (await client.post(f"/{TOKEN}", json=DONE)).status_code == 503


def test_a_place_that_cannot_be_listened_on_is_told_with_the_option_that_chooses_another() -> None:
    def listen(host: str, port: int) -> str:
        with pytest.raises(PortTaken) as refused:
            server.serve(host=host, port=port, record=lambda _token, _job: None, on_ready=lambda _url: None)
        return refused.value.hint

    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        assert listen("127.0.0.1", other.getsockname()[1]) == "Choose another with --port."
    assert listen("192.0.2.1", 0) == "Choose an address of this machine with --host."


def test_the_evidence_is_about_the_request_that_named_the_token() -> None:
    assert weigh.token_of({"callback_url": f"https://hooks.example/c/{TOKEN}"}) == DIGEST
    assert weigh.token_of({}) == ""


# --- sent by the sandbox ------------------------------------------------------------------------------------------------


@pytest.fixture
async def hook() -> AsyncIterator[Scripted]:
    async with Scripted() as scripted:
        yield scripted


async def called(hook: Scripted, times: int) -> None:
    async with asyncio.timeout(60), hook.heard:
        await hook.heard.wait_for(lambda: len(hook.asked) >= times)


async def test_a_finished_job_is_told_as_the_status_read_tells_it_once_it_is_charged(
    tmp_path: Path, hook: Scripted, encode: Encode
) -> None:
    hook.on("POST", f"/c/{TOKEN}?of=us", Reply(status=204))
    policy = Policy(loopback_callbacks=True)
    async with serving(home=tmp_path, policy=policy) as url, client_of(url) as http:
        sandbox = Sandbox(home=tmp_path, http=http)
        clip = await sandbox.upload(encode())
        made = await sandbox.submit(video_urls=[clip], callback_url=f"{hook.url}/c/{TOKEN}?of=us")
        await called(hook, 1)
        (asked,) = hook.asked
        told: dict[str, Any] = asked.json
        assert told == await sandbox.task(made.json()["id"])
        assert (told["status"], told["billing"]["charge_status"]) == ("completed", "charged")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with closing(Book(tmp_path / "book.sqlite", granted=10**9)) as opened:
        yield opened


def caller_of(book: Book, *, loopback: bool = True, pauses: tuple[float, ...] = (0, 0.01, 0.01, 0.01)) -> Caller:
    return Caller(book=book, faults=Faults(), loopback=loopback, document=lambda *_: DONE, pauses=pauses)


def ended(book: Book, url: str) -> str:
    """A job of the book that has ended, and whose end is to be told at this URL."""
    new = NewJob(
        idempotency_key=None,
        body_digest="",
        request_id="req",
        model="kling-o3-text-to-video",
        prompt="at dusk",
        aspect_ratio=None,
        keep_sound=True,
        options=(),
        seconds=Fraction(5),
        reserved=1,
        inputs=(),
        callback=url,
        base="http://127.0.0.1:1",
    )
    job = book.accept(new, datetime.now(UTC)).id
    book.fail(job, "service_error", "It did not work.", datetime.now(UTC))
    return job


async def test_a_callback_that_fails_is_tried_three_times_more_and_then_lost(book: Book, hook: Scripted) -> None:
    hook.on("POST", "/c", Reset(), Reply(status=500), Reply(status=302, headers={"location": "/elsewhere"}))
    caller = caller_of(book)
    caller.settled(ended(book, f"{hook.url}/c"))
    await called(hook, 4)
    await asyncio.gather(*caller._calls)
    assert [asked.path for asked in hook.asked] == ["/c"] * 4  # no redirect is followed
    assert {asked.sha256 for asked in hook.asked} == {hook.asked[0].sha256}
    assert book.callbacks_due() == []


async def test_a_callback_is_not_repeated_once_it_is_taken(book: Book, hook: Scripted) -> None:
    hook.on("POST", "/c", Reply(status=503), Reply(status=200))
    caller = caller_of(book)
    job = ended(book, f"{hook.url}/c")
    caller.settled(job)
    await called(hook, 2)
    await asyncio.gather(*caller._calls)
    assert len(hook.asked) == 2
    caller.settled(job)
    assert not caller._calls


async def test_a_thousand_jobs_that_end_together_are_told_some_at_a_time(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[int] = [0]

    async def post(_caller: Caller, _url: str, _body: bytes) -> int:
        under_way.append(under_way[-1] + 1)
        await asyncio.sleep(0.01)
        under_way.append(under_way[-1] - 1)
        return 204

    monkeypatch.setattr(Caller, "_post", post)
    monkeypatch.setattr("callsheet.sandbox.caller.AT_ONCE", 3)
    caller = caller_of(book)
    for _ in range(10):
        caller.settled(ended(book, "http://127.0.0.1:9/c"))
    await asyncio.gather(*caller._calls)
    assert max(under_way) == 3
    assert book.callbacks_due() == []


async def test_trust_is_read_once_and_not_for_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    make = ssl.SSLContext.__new__

    def counted(*args: Any) -> Any:
        made.append(args)
        return make(*args)

    monkeypatch.setattr(ssl.SSLContext, "__new__", counted)
    for _ in range(5):
        await reach.client(1).aclose()
    assert len(made) <= 1


async def test_a_server_that_is_started_again_makes_the_calls_that_are_left(book: Book, hook: Scripted) -> None:
    """It died in its second try; the third and fourth are left."""
    hook.on("POST", "/c", Reply(status=503), Reply(status=503))
    job = ended(book, f"{hook.url}/c")
    book.callback_begun(job)
    book.callback_begun(job)
    caller = caller_of(book)
    caller.open()
    await asyncio.gather(*caller._calls)
    assert len(hook.asked) == 2
    assert book.callbacks_due() == []


async def test_an_address_is_judged_again_when_it_is_connected_to(
    book: Book, hook: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """The name was judged at submission; here it means this machine, and nothing may be called there."""
    caller = caller_of(book, loopback=False, pauses=(0,))
    caller.settled(ended(book, f"http://127.0.0.1:{hook.port}/{TOKEN}"))
    await asyncio.gather(*caller._calls)
    assert hook.connections == 0
    assert "came to nothing" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("url", ["https://hooks.example/c", "https://hooks.example:8443/c?x=1", "https://8.8.8.8/"])
def test_a_public_https_address_may_be_called(url: str) -> None:
    assert judged(url, loopback=False) == url


# --- hints ----------------------------------------------------------------------------------------------------------------


async def test_a_callback_about_a_job_at_work_is_a_hint_once_in_a_while_and_never_for_another_job(place: Place) -> None:
    moment = [datetime(2026, 11, 26, 12, tzinfo=UTC)]
    with closing(Ledger(place.url, now=lambda: moment[0])) as ledger:
        take = ledger.reserve(BOOKING)
        ledger.submitting(take.id, request={})
        ledger.expect_call(take.id, token=DIGEST)
        assert not ledger.hint(token=DIGEST, job=JOB)  # it has no job yet
        ledger.submitted(take.id, job=JOB)
        assert not ledger.hint(token=DIGEST, job="task-other")
        assert not ledger.hint(token="0" * 64, job=JOB)
        assert ledger.hint(token=DIGEST, job=JOB)
        assert not ledger.hint(token=DIGEST, job=JOB)  # played again
        assert ledger.hinted(route=BOOKING.route, since=moment[0]) == ((JOB, moment[0]),)
        moment[0] += timedelta(seconds=3)
        assert ledger.hint(token=DIGEST, job=JOB)
        ledger.succeeded(take.id, charged=None)
        assert ledger.hinted(route=BOOKING.route, since=moment[0]) == ()
        moment[0] += timedelta(seconds=3)
        assert not ledger.hint(token=DIGEST, job=JOB)


async def test_who_follows_a_job_asks_about_it_once_it_is_called_back_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "PERIOD", 0.05)
    settings = Settings(callback_url="https://hooks.example/c")
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")) as ledger:
        take = ledger.reserve(BOOKING)
        ledger.submitting(take.id, request={})
        ledger.expect_call(take.id, token=DIGEST)
        ledger.submitted(take.id, job=JOB)
        async with Scripted() as scripted:
            scripted.on("POST", "/v1/tasks/batch", Reply(body={"data": [DONE]}))
            route = Route(name="loopback", api=scripted.url, files=scripted.url, key=SecretStr("sk-evo-1"))
            async with Provider(route) as provider, Watch(provider, first=timedelta(hours=1)) as watch:
                waiting = asyncio.create_task(watch.until_done(JOB, estimate=timedelta(hours=1)))
                async with hints.heeded(settings, ledger, {BOOKING.route: watch}):
                    await asyncio.sleep(0.3)
                    assert not waiting.done()
                    assert scripted.asked == []
                    hear.record(ledger, DIGEST, JOB)
                    assert (await asyncio.wait_for(waiting, 30)).state == "succeeded"
