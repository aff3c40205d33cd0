"""A stand-in for the provider on loopback whose submit answers are scripted by prompt, and that keeps its own book.

It speaks the documented routes over real HTTP; a job's result is the very clip that was uploaded. What a prompt's script
holds is done in turn at each submit of it, and then the job is simply accepted. Its links are signed, and what it refuses
or fails it quotes back, key and link and all, as a careless provider does.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

#: What a submit can do: an HTTP status to answer with before accepting, or one of these words.
ACCEPT_THEN_500 = "accept, then 500"
FAIL_LATER = "accept, then fail the job"
FAIL_AND_CHARGE = "accept, then fail the job and keep the credits"
FAIL_AND_HOLD = "accept, then fail the job and go on holding its credits"
#: Followed by the code that the job ends with; its credits come back, unless KEEPING follows.
FAIL_WITH = "accept, then fail the job with "
KEEPING = " and keep the credits"
#: What the provider says of a failed job.
REQUEST = "req-7f3a"
#: What makes a link of this provider a password.
SIGNATURE = "b3a1c5d9e7f20468ac"
SIGNED = f"?X-Amz-Expires=86400&X-Amz-Signature={SIGNATURE}"


@dataclass
class LocalProvider:
    """The book: `jobs` by id, `keys` by Idempotency-Key, and every submit request that came in."""

    scripts: dict[str, list[int | str]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    submits: list[tuple[str, str]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    truncate: list[int] = field(default_factory=list)
    #: Statuses that results are answered with, before they are given.
    results: list[int] = field(default_factory=list)
    #: How the next results are answered: what makes an answer of the request and the whole film.
    films: list[Callable[[Request, bytes], Response]] = field(default_factory=list)
    #: Says of a job whether it is still in the making.
    in_the_making: Callable[[str], bool] | None = None
    #: Called once a job is accepted and written into the book, before the answer leaves.
    on_accept: Callable[[], object] | None = None
    #: Called before a refusal leaves.
    on_refuse: Callable[[], object] | None = None
    #: Credits that the account had before it was charged for anything; None: it does not tell.
    purse: int | None = None
    #: What it does with a key it has seen: "replay" it, "reject" it, or heed "none".
    keys_are: str = "replay"
    #: Does it list its jobs?
    has_list: bool = True
    url: str = ""
    #: Where links of results begin; "" for here.
    links: str = ""

    def forget(self) -> None:
        """An empty book and no scripts, as if it had just begun."""
        for kept in (self.scripts, self.jobs, self.keys, self.submits, self.uploads, self.truncate, self.results):
            kept.clear()
        self.films.clear()
        self.links = ""
        self.on_accept = self.on_refuse = self.purse = self.in_the_making = None
        self.keys_are, self.has_list = "replay", True

    @property
    def app(self) -> Starlette:
        routes = [
            Route("/v1/videos/generations", self.submit, methods=["POST"]),
            Route("/v1/credits", self.balance),
            Route("/v1/tasks", self.listed),
            Route("/v1/tasks/batch", self.batch, methods=["POST"]),
            Route("/api/v1/files/upload/stream", self.upload, methods=["POST"]),
            Route("/results/{job}.mp4", self.result),
        ]
        return Starlette(routes=routes)

    async def balance(self, request: Request) -> Response:
        if self.purse is None:
            return _error(404, "not_found")
        spent = 36 * sum(not _is_free(str(job["end"])) for job in self.jobs.values())
        return JSONResponse({"success": True, "data": {"user": {"remaining_credits": self.purse - spent}}})

    async def submit(self, request: Request) -> Response:
        body = await request.body()
        document = json.loads(body)
        prompt, key = document["prompt"], request.headers["idempotency-key"]
        self.submits.append((prompt, key))
        if key in self.keys and self.keys_are != "none":
            job, first = self.keys[key]
            if first != body.decode() or self.keys_are == "reject":
                return _error(409, "idempotency_conflict")
            return JSONResponse(self._created(job), headers={"Idempotency-Replayed": "true"})
        script = self.scripts.get(prompt, [])
        act = script.pop(0) if script else "accept"
        if isinstance(act, int):
            if self.on_refuse is not None:
                self.on_refuse()
            refusal = _error(
                act, "refused", f"{request.headers['authorization']} may not edit {document['video_urls'][0]}"
            )
            refusal.headers["X-Request-Id"] = f"req_{len(self.submits):08d}"
            return refusal
        job = f"task-unified-{len(self.jobs):08d}"
        clip = document.get("video_urls", [f"{self.url}/files/result.mp4"])[0]
        told = {"model": document["model"], "created": time.time(), "callback": document.get("callback_url", "")}
        self.jobs[job] = {"clip": clip, "prompt": prompt, "end": act, **told}
        self.keys[key] = (job, body.decode())
        if self.on_accept is not None:
            self.on_accept()
        return _error(500, "internal_error") if act == ACCEPT_THEN_500 else JSONResponse(self._created(job))

    async def batch(self, request: Request) -> Response:
        asked = (await request.json())["task_ids"]
        return JSONResponse({"data": [self._task(job) for job in asked if job in self.jobs]})

    async def listed(self, request: Request) -> Response:
        if not self.has_list:
            return _error(404, "not_found")
        page = int(request.query_params["page"])
        rows = [
            {"id": job, "model": one["model"], "created_at": int(one["created"]), "credits_used": 0}
            for job, one in reversed(self.jobs.items())
            if one["model"] == request.query_params["model"]
        ]
        return JSONResponse({"data": rows[50 * (page - 1) : 50 * page], "total": len(rows), "page": page})

    async def upload(self, request: Request) -> Response:
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            name = f"{len(self.uploads)}-{file.filename}"
            self.uploads[name] = await file.read()
        data = {
            "file_id": name,
            "file_url": f"{self.url}/files/{name}{SIGNED}",
            "expires_at": "2099-01-01T00:00:00+00:00",
        }
        return JSONResponse({"success": True, "code": 200, "msg": "ok", "data": data})

    async def result(self, request: Request) -> Response:
        clip = await self._read(self.jobs[request.path_params["job"]]["clip"])
        if self.results:
            return _error(self.results.pop(), "scripted")
        if self.truncate:
            clip = clip[: self.truncate.pop()]
        if self.films:
            return self.films.pop(0)(request, clip)
        return Response(clip, media_type="video/mp4")

    async def _read(self, link: str) -> bytes:
        """What was uploaded here; or what somebody else gives for a link, as long as it lives."""
        if link.startswith(self.url):
            return self.uploads[urlsplit(link).path.removeprefix("/files/")]
        async with httpx.AsyncClient(trust_env=False) as browser:
            return (await browser.get(link)).raise_for_status().content

    def _created(self, job: str) -> dict[str, Any]:
        usage = {"billing_rule": "per_second", "credits_reserved": 36}
        return {"id": job, "object": "video.generation.task", "status": "pending", "progress": 0, "usage": usage}

    def _task(self, job: str) -> dict[str, Any]:
        end = str(self.jobs[job]["end"])
        if self.in_the_making is not None and self.in_the_making(job):
            return {"id": job, "status": "processing", "progress": 10}
        if end.startswith(FAIL_WITH):
            code = end.removeprefix(FAIL_WITH).removesuffix(KEEPING)
            kept = end.endswith(KEEPING)
            return {
                "id": job,
                "status": "failed",
                "error": {"code": code, "message": "Please try later.", "request_id": REQUEST},
                "billing": {"charge_status": "charged" if kept else "released"},
            }
        if end == FAIL_AND_HOLD:
            held = {"charge_status": "reserved", "refund_status": "unknown", "reserved_credits": 36}
            return {
                "id": job,
                "status": "failed",
                "error": {"code": "service_error", "message": "No."},
                "billing": held,
            }
        if self.jobs[job]["end"] in (FAIL_LATER, FAIL_AND_CHARGE):
            quoted = f"Content policy violation in {self.jobs[job]['clip']}."
            error = {"code": "content_policy_violation", "message": quoted}
            kept = self.jobs[job]["end"] == FAIL_AND_CHARGE
            billing = {"charge_status": "charged", "refund_status": "pending"} if kept else {}
            return {"id": job, "status": "failed", "progress": 0, "error": error, "billing": billing}
        link = f"{self.links or self.url}/results/{job}.mp4{SIGNED}"
        usage = {"credits_reserved": 36, "credits_used": 36}
        return {"id": job, "status": "completed", "progress": 100, "results": [link], "usage": usage}


class InProcess(httpx.AsyncBaseTransport):
    """Carries requests for any host to an application in this process, and says when they leave as httpcore does."""

    def __init__(self, app: Starlette) -> None:
        self._inner = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if (trace := request.extensions.get("trace")) is not None:
            await trace("http11.send_request_headers.started", {"request": httpcore_like(request)})
        return await self._inner.handle_async_request(request)


def httpcore_like(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(request.method.encode(), str(request.url))


def _is_free(end: str) -> bool:
    return end == FAIL_LATER or (end.startswith(FAIL_WITH) and not end.endswith(KEEPING))


def _error(status: int, code: str, message: str = "scripted") -> Response:
    kind = "service_unavailable_error" if status == 503 else "invalid_request_error"
    error = {"code": status, "message": message, "type": kind, "machine": code}
    return JSONResponse({"error": error}, status_code=status)


@contextlib.contextmanager
def serving() -> Iterator[LocalProvider]:
    """The provider on a free port, in a thread of this process."""
    provider = LocalProvider()
    config = uvicorn.Config(provider.app, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    provider.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join()
