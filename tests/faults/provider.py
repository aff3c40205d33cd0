"""The provider, as an httpx transport: it answers the documented routes, keeps its own book, and fails as the world wants.

It is no code of ours, and shares none: what it charges is what its book says, whatever our ledger thinks.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from .weather import DAY, FREE, RESULT, SUBMIT
from .world import Job, World

API, FILES, RESULTS = "api.evolink.ai", "files-api.evolink.ai", "results.example.com"
#: Longer than any client waits.
SILENCE = 3600.0
#: A result's link lives so long; a staged file longer than any world.
LINK_LIVES = DAY
PAGE = b"<html><body>502 Bad Gateway</body></html>"
FAILURES = ("content_policy_violation", "service_error", "generation_timeout")

Point = Callable[[str], None]
#: Called with the Idempotency-Key and the prompt of a paid request that begins to leave.
OnDeparture = Callable[[str, str], None]


def _nowhere(_name: str) -> None:
    """For those who cannot die."""


def _unseen(_key: str, _prompt: str) -> None:
    """For those who keep no book of what they mean to send."""


class ScriptedProvider(httpx.AsyncBaseTransport):
    """One connection to the world's provider. result: the bytes of every result.

    point: hears what is about to happen or has just happened; a process may die there.
    """

    def __init__(
        self, world: World, result: bytes, *, point: Point = _nowhere, on_departure: OnDeparture = _unseen
    ) -> None:
        self._world = world
        self._result = result
        self._point = point
        self._on_departure = on_departure

    @property
    def moment(self) -> float:
        """Seconds of the world."""
        return self._world.time.seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._world.pass_request()
        answer = await self._answer(request)
        answer.headers["Date"] = format_datetime(self._world.time.true(), usegmt=True)
        if answer.is_stream_consumed:  # an answer that was made of whole bytes: as it comes from a network, unread
            return httpx.Response(answer.status_code, headers=answer.headers, stream=_Whole(answer.content))
        return answer

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.url.host == RESULTS:
            return await self._give_result(request)
        if path == "/v1/videos/generations":
            return await self._submit(request)
        if path.endswith("/files/upload/stream"):
            return await self._free(request, "upload", self._stored)
        if path == "/v1/tasks/batch":
            return await self._free(request, "status", self._batch)
        if path == "/v1/tasks":
            return await self._free(request, "list", self._list)
        if path.startswith("/v1/tasks/"):
            return await self._free(request, "status", self._single)
        return await self._free(request, "other", lambda _request: _error(404, "not_found"))

    # --- the paid request ---------------------------------------------------------------------------------------------

    async def _submit(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        prompt, key = json.loads(body)["prompt"], request.headers.get("idempotency-key", "")
        fault = self._world.fate.next(f"submit {prompt}", self._world.fate.weather.submit, SUBMIT)
        self._world.say(f"POST {prompt} ({fault or 'fine'})")
        self._point("before a POST leaves")
        if fault == "connection refused":
            raise httpx.ConnectError("Connection refused", request=request)
        await _depart(request)
        self._on_departure(key, prompt)
        await self._be_slow("submit")
        answer = await self._act(fault, request, key, body)
        self._point("a POST has arrived, before its answer")
        await self._be_slow("answer")
        self._point("after the answer to a POST")
        return answer

    async def _act(self, fault: str, request: httpx.Request, key: str, body: bytes) -> httpx.Response:
        match fault:
            case "429, wait":
                return _error(429, "rate_limited", headers={"Retry-After": "20"})
            case "503, not accepted":
                return _error(503, "service_unavailable")
            case "400, not accepted":
                return _error(400, "invalid_parameters")
            case "402, not accepted":
                return _error(402, "insufficient_quota")
            case "reset, not accepted":
                raise httpx.ReadError("Connection reset by peer", request=request)
            case "502 of a proxy, not accepted":
                return httpx.Response(502, content=PAGE)
            case "silence, never accepted":
                await asyncio.sleep(SILENCE)
            case "silence, accepted later":
                self._comes_later(key, body)
                await asyncio.sleep(SILENCE)
        answer = self.accept(key, body)
        match fault:
            case "reset, accepted":
                self._point("a POST has arrived, before its answer")
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
            case "500, accepted":
                return _error(500, "internal_error")
            case "502 of a proxy, accepted":
                return httpx.Response(502, content=PAGE)
            case "half an answer, accepted":
                return httpx.Response(answer.status_code, stream=_Cut(answer.content[:20]))
            case "silence, accepted":
                self._point("a POST has arrived, before its answer")
                await asyncio.sleep(SILENCE)
            case "sent twice by the network":
                return self.accept(key, body)
            case "sent twice by the network, once later":
                self._comes_later(key, body)
        return answer

    def _comes_later(self, key: str, body: bytes) -> None:
        self._world.book.late.append((self._world.time.seconds + 20 + 280 * self._number("late"), key, body))

    def settle(self) -> None:
        """What was still on its way by now has come."""
        book, now = self._world.book, self._world.time.seconds
        due = sorted(late for late in book.late if late[0] <= now)
        book.late = [late for late in book.late if late[0] > now]
        for at, key, body in due:
            self.accept(key, body, at=at)

    def accept(self, key: str, body: bytes, *, at: float | None = None) -> httpx.Response:
        """Take a request as the kind of provider does: the first job again, a refusal, or another job and charge."""
        if at is None:
            self.settle()
        book, now = self._world.book, self._world.time.seconds if at is None else at
        known = book.jobs.get(book.keys.get(key, "")) if key and self._world.fate.kind != "none" else None
        if known is not None and now - known.accepted <= self._world.fate.weather.memory:
            if self._world.fate.kind == "reject" or known.body != body:
                return _error(409, "idempotency_conflict")
            return httpx.Response(200, json=_created(known), headers={"Idempotency-Replayed": "true"})
        job = self._new_job(key, body, now)
        book.jobs[job.id] = job
        book.keys[key] = job.id
        self._world.say(f"accepted {job.prompt} as {job.id}: charged{' (late)' if at is not None else ''}")
        return httpx.Response(200, json=_created(job))

    def _new_job(self, key: str, body: bytes, now: float) -> Job:
        prompt, weather = json.loads(body)["prompt"], self._world.fate.weather
        number = sum(job.prompt == prompt for job in self._world.book.jobs.values())

        def draw(about: str) -> float:
            return self._world.fate.number(f"{about} {prompt} {number}")

        fails = not self._world.fate.is_calm and draw("fails") < weather.failing
        return Job(
            id=f"task-unified-{len(self._world.book.jobs):04d}",
            prompt=prompt,
            key=key,
            body=body,
            accepted=now,
            done=now + 20 + 100 * draw("takes"),
            failure=FAILURES[int(draw("why") * len(FAILURES))] if fails else "",
            kept=fails and draw("keeps") < weather.keeping,
        )

    # --- what is free -------------------------------------------------------------------------------------------------

    async def _free(
        self, request: httpx.Request, name: str, answer: Callable[[httpx.Request], httpx.Response]
    ) -> httpx.Response:
        await request.aread()
        fault = self._world.fate.next(name, self._world.fate.weather.free, FREE)
        if fault:
            self._world.say(f"{request.method} {request.url.path} ({fault})")
        self._point(f"before the {name} request leaves")
        if fault == "connection refused":
            raise httpx.ConnectError("Connection refused", request=request)
        await _depart(request)
        await self._be_slow(name)
        self.settle()
        given = await self._disturbed(fault, request, answer(request))
        self._point(f"after the answer to the {name} request")
        return given

    async def _disturbed(self, fault: str, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        match fault:
            case "reset":
                raise httpx.ReadError("Connection reset by peer", request=request)
            case "429, wait":
                return _error(429, "rate_limited", headers={"Retry-After": "20"})
            case "500":
                return _error(500, "internal_error")
            case "a web page":
                return httpx.Response(200, content=PAGE)
            case "silence":
                await asyncio.sleep(SILENCE)
        return answer

    def _stored(self, _request: httpx.Request) -> httpx.Response:
        book = self._world.book
        book.uploads += 1
        expires = self._world.time.true() + timedelta(days=30)
        data = {
            "file_id": f"{book.uploads}",
            "file_url": f"https://{FILES}/stored/{book.uploads}.mp4?X-Amz-Signature=b3a1c5d9e7f20468ac",
            "expires_at": expires.isoformat(),
        }
        return httpx.Response(200, json={"success": True, "code": 200, "msg": "ok", "data": data})

    def _batch(self, request: httpx.Request) -> httpx.Response:
        if not self._world.fate.weather.has_batch:
            return _error(404, "not_found")
        asked = json.loads(request.content)["task_ids"]
        return httpx.Response(200, json={"data": [self._task(job) for job in map(self._listed, asked) if job]})

    def _list(self, request: httpx.Request) -> httpx.Response:
        """Newest first, by pages; all jobs are of one model and one length here, so that many look alike."""
        if not self._world.fate.weather.has_list:
            return _error(404, "not_found")
        page, size = int(request.url.params["page"]), int(request.url.params["page_size"])
        jobs = [job for job in map(self._listed, reversed(self._world.book.jobs)) if job][
            (page - 1) * size : page * size
        ]
        rows = [
            {"id": job.id, "model": json.loads(job.body)["model"], "created_at": self._world.time.stamp(job.accepted)}
            for job in jobs
        ]
        return httpx.Response(200, json={"data": rows})

    def _single(self, request: httpx.Request) -> httpx.Response:
        job = self._listed(request.url.path.rpartition("/")[2])
        return httpx.Response(200, json=self._task(job)) if job else _error(404, "not_found")

    def _listed(self, name: str) -> Job | None:
        job, now = self._world.book.jobs.get(name), self._world.time.seconds
        return job if job and now - job.accepted >= self._world.fate.weather.unlisted else None

    def _task(self, job: Job) -> dict[str, Any]:
        now = self._world.time.seconds
        if now < job.done:
            share = (now - job.accepted) / (job.done - job.accepted)
            return {"id": job.id, "status": "processing", "progress": int(100 * share)}
        if job.failure:
            charge = ("charged", "failed") if job.kept else ("released", "completed")
            billing = {"charge_status": charge[0], "refund_status": charge[1]}
            error = {"code": job.failure, "message": "scripted"}
            return {"id": job.id, "status": "failed", "progress": 0, "error": error, "billing": billing}
        issued = now if self._world.fate.weather.fresh_links else job.done
        link = f"https://{RESULTS}/{job.id}.mp4?expires={issued + LINK_LIVES:.0f}&X-Amz-Signature=b3a1c5d9e7f20468ac"
        return {"id": job.id, "status": "completed", "progress": 100, "results": [link], "usage": {"credits_used": 36}}

    # --- results ------------------------------------------------------------------------------------------------------

    async def _give_result(self, request: httpx.Request) -> httpx.Response:
        name = urlsplit(str(request.url)).path.strip("/").removesuffix(".mp4")
        fault = self._world.fate.next(f"result {name}", self._world.fate.weather.result, RESULT)
        is_dead = self._world.time.seconds > float(request.url.params["expires"])
        self._world.say(f"GET the result of {name} ({'its link is dead' if is_dead else fault or 'fine'})")
        if is_dead:
            self._world.fate.met["result: its link is dead"] = (
                self._world.fate.met.get("result: its link is dead", 0) + 1
            )
        self._point("before a download")
        if fault == "connection refused":
            raise httpx.ConnectError("Connection refused", request=request)
        await _depart(request)
        await self._be_slow("result")
        half = self._result[: len(self._result) // 2]
        match "dead" if is_dead else fault:
            case "dead":
                return httpx.Response(403, content=b"<Error><Code>AccessDenied</Code></Error>")
            case "404":
                return httpx.Response(404, content=b"not yet")
            case "cut short":
                headers = {"Content-Length": str(len(self._result)), "Content-Type": "video/mp4"}
                return httpx.Response(200, headers=headers, stream=_Cut(half))
            case "cut short unseen":
                return httpx.Response(200, headers={"Content-Type": "video/mp4"}, stream=_Whole(half))
            case "silence":
                await asyncio.sleep(SILENCE)
        headers = {"Content-Length": str(len(self._result)), "Content-Type": "video/mp4"}
        answer = httpx.Response(200, headers=headers, stream=_Whole(self._result))
        return await self._disturbed(fault, request, answer)

    async def _be_slow(self, about: str) -> None:
        await asyncio.sleep(0.02 + self._number(about) ** 4 * 8)

    def _number(self, about: str) -> float:
        return self._world.fate.number(f"{about} {self._world.requests}")


class _Whole(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


class _Cut(_Whole):
    """A body that the other side breaks off."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


async def _depart(request: httpx.Request) -> None:
    """Tell, as httpcore does, that the request begins to leave."""
    trace = request.extensions.get("trace")
    if trace is not None:
        sent = httpcore.Request(request.method, str(request.url))
        await trace("http11.send_request_headers.started", {"request": sent})


def _created(job: Job) -> dict[str, Any]:
    usage = {"billing_rule": "per_second", "credits_reserved": 36}
    return {"id": job.id, "object": "video.generation.task", "status": "pending", "progress": 0, "usage": usage}


def _error(status: int, code: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
    kind = "service_unavailable_error" if status == 503 else "invalid_request_error"
    error = {"code": status, "message": "scripted", "type": kind, "machine": code}
    return httpx.Response(status, json={"error": error}, headers=headers)
