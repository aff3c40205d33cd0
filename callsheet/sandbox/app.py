"""The application: routes, the doorman in front of them, and how errors are answered."""

import asyncio
import ipaddress
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callsheet import __version__
from callsheet.sandbox import (
    admin_routes,
    catalogue_routes,
    darkroom,
    engine,
    engines,
    file_routes,
    openapi,
    page,
    task,
    task_routes,
)
from callsheet.sandbox.book import Book
from callsheet.sandbox.caller import PAUSES, Caller
from callsheet.sandbox.darkroom import Darkroom
from callsheet.sandbox.desk import Clock, Desk
from callsheet.sandbox.disk import Disk
from callsheet.sandbox.engines import Engine, Engines
from callsheet.sandbox.faults import Faults
from callsheet.sandbox.intake import Intake
from callsheet.sandbox.place import Place
from callsheet.sandbox.policy import Policy
from callsheet.sandbox.reach import Reach
from callsheet.sandbox.refusal import Refusal, envelope, file_envelope
from callsheet.sandbox.saboteur import Saboteur

log = logging.getLogger("callsheet.sandbox")

_FILE_SERVICE = "/api/v1/files"
#: Links that carry their own permission, and the sign of life.
_OPEN = ("/health", "/results/", "/files/", f"{_FILE_SERVICE}/download/", "/v1/catalog/", "/openapi.json")
#: Copies that are under way at the same time: they mostly wait.
COPIES_AT_ONCE = 1_000


def now() -> datetime:
    """To the millisecond, which is what the book keeps: an answer and what is read later say the same."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def make(
    place: Place,
    book: Book,
    *,
    policy: Policy,
    clock: Clock = now,
    faults: Faults | None = None,
    pauses: tuple[float, ...] = PAUSES,
    any_host: bool = False,
    studio: Path | None = None,
    on_crash: Callable[[], None] | None = None,
) -> ASGIApp:
    """The sandbox as an ASGI application with a lifespan; the doorman is outermost, so that every answer has its id.

    any_host: answer under every Host name, for a server that is meant to be reached from elsewhere. pauses: seconds before
    each try of a callback. studio: the checkout into which the playground may write; None for none. on_crash: called when
    rendering itself breaks down (the book cannot be written).
    """
    script = faults or Faults()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        desk = _desk(place, book, policy, clock, script, pauses, studio)
        desk.darkroom.open()
        desk.caller.open()
        work = asyncio.create_task(desk.darkroom.run())
        work.add_done_callback(lambda done: _report(done, on_crash))
        try:
            yield {"desk": desk}
        finally:
            work.cancel()
            await asyncio.wait([work])
            await desk.caller.stop()

    routes = [
        Route("/health", health),
        *task_routes.ROUTES,
        *file_routes.ROUTES,
        *catalogue_routes.ROUTES,
        *admin_routes.ROUTES,
        *openapi.ROUTES,
        *page.ROUTES,
    ]
    inner = Starlette(
        routes=routes,
        exception_handlers={
            Refusal: _answer_refusal,
            HTTPException: _answer_http,
            ClientDisconnect: _answer_nobody,
            Exception: _answer_defect,
        },
        lifespan=lifespan,
    )
    expire = partial(_expire, book, clock)
    saboteur = Saboteur(inner, script, on_expire=expire, string_codes=policy.string_codes)
    return Doorman(saboteur, any_host=any_host, string_codes=policy.string_codes)


def _desk(
    place: Place,
    book: Book,
    policy: Policy,
    clock: Clock,
    faults: Faults,
    pauses: tuple[float, ...],
    studio: Path | None,
) -> Desk:
    rows = Engines(rows=_engines(policy), book=book, clock=clock)

    def document(job_id: str, base: str) -> Any:
        job = book.job(job_id)
        return None if job is None else task.shown(job, book, room, base)

    loopback = policy.loopback_callbacks
    caller = Caller(book=book, faults=faults, loopback=loopback, document=document, pauses=pauses)
    room = Darkroom(
        place=place,
        book=book,
        engines=rows,
        clock=clock,
        faults=faults,
        slack=policy.render_time,
        on_settled=caller.settled,
    )
    reach = Reach(public=policy.public_inputs, loopback=policy.loopback_inputs)
    return Desk(
        place=place,
        book=book,
        intake=Intake(place=place, book=book, clock=clock, reach=reach),
        darkroom=room,
        engines=rows,
        caller=caller,
        faults=faults,
        disk=Disk(place=place, most=policy.most_disk),
        policy=policy,
        clock=clock,
        studio=studio,
    )


def _engines(policy: Policy) -> list[Engine]:
    """The draft engine, and one that copies for when that is down; or the copying one alone."""
    copying = partial(engines.copied, delay=policy.render_time, plate=engine.render)
    copy = Engine(name="copy", cost=Fraction(2), at_once=COPIES_AT_ONCE, render=copying)
    if policy.engine == "copy":
        return [copy]
    return [Engine(name="draft", cost=Fraction(1), at_once=darkroom.concurrency(), render=engine.render), copy]


def _expire(book: Book, clock: Clock, job_id: str) -> None:
    book.expire_result(job_id, clock())


def _report(work: "asyncio.Task[None]", on_crash: Callable[[], None] | None) -> None:
    if work.cancelled():
        return
    log.critical("rendering broke down; the sandbox ends", exc_info=work.exception())
    if on_crash is not None:
        on_crash()


async def health(_request: Request) -> Response:
    """GET /health: that it is a sandbox, and which process; the port may meanwhile belong to something else."""
    return JSONResponse({"status": "ok", "service": "callsheet-sandbox", "version": __version__, "pid": os.getpid()})


class Doorman:
    """Gives every request an id, and turns away those with a foreign Host or without a key."""

    def __init__(self, app: ASGIApp, *, any_host: bool, string_codes: bool) -> None:
        self._app = app
        self._any_host = any_host
        self._string_codes = string_codes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(12)}"
        state = scope.setdefault("state", {})
        state["request_id"], state["string_codes"] = request_id, self._string_codes

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_id)
        else:
            await _refused(scope, refusal)(scope, receive, send_with_id)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        if not self._any_host and not _is_local(headers.get("host", "")):
            # A web page whose name resolves to 127.0.0.1 could otherwise talk to this server from a browser.
            return Refusal(421, "invalid_request", "The sandbox answers to loopback addresses only.")
        if scope["path"].startswith(_OPEN) or page.is_open(scope["path"]):
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return Refusal(
                401,
                "invalid_token",
                "No API key: send Authorization: Bearer <key>.",
                hint="The sandbox takes any key that is not empty.",
            )
        return None


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    return False


def _refused(scope: Scope, refusal: Refusal) -> JSONResponse:
    if scope["path"].startswith(_FILE_SERVICE):
        body = file_envelope(refusal)
    else:
        body = envelope(refusal, string_codes=scope["state"]["string_codes"])
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return JSONResponse(body, status_code=refusal.status, headers=headers)


async def _answer_refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return _refused(request.scope, error)


async def _answer_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        return _refused(request.scope, Refusal(405, "invalid_request", "This route does not take that method."))
    if status == 404:
        return _refused(request.scope, Refusal(404, "not_found", "There is no such route."))
    return _refused(request.scope, Refusal(status, "invalid_request", str(error)))


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    """The client went away while it sent; nothing was kept, and nobody reads this."""
    return Response(status_code=400)


async def _answer_defect(request: Request, _error: Exception) -> Response:
    """A defect of the sandbox; the traceback is in its log."""
    return _refused(request.scope, Refusal(500, "internal_error", "The sandbox made a mistake; its log tells more."))
