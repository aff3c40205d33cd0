"""The application: routes, the doorman in front of them, and how errors are answered."""

import asyncio
import ipaddress
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
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
from callsheet.sandbox import catalogue_routes, engine, file_routes, page, task_routes
from callsheet.sandbox.book import Book
from callsheet.sandbox.caller import Caller
from callsheet.sandbox.darkroom import Darkroom, Engine
from callsheet.sandbox.desk import Clock, Desk
from callsheet.sandbox.intake import Intake
from callsheet.sandbox.place import Place
from callsheet.sandbox.refusal import Refusal, envelope, file_envelope

log = logging.getLogger("callsheet.sandbox")

_FILE_SERVICE = "/api/v1/files"
#: Links that carry their own permission, and the sign of life.
_OPEN = ("/health", "/results/", "/files/", f"{_FILE_SERVICE}/download/")


def now() -> datetime:
    return datetime.now(UTC)


def make(
    place: Place,
    book: Book,
    *,
    clock: Clock = now,
    engine: Engine = engine.render,
    any_host: bool = False,
    studio: Path | None = None,
    caller: Caller | None = None,
    on_crash: Callable[[], None] | None = None,
) -> ASGIApp:
    """The sandbox as an ASGI application with a lifespan; the doorman is outermost, so that every answer has its id.

    any_host: answer under every Host name, for a server that
    is meant to be reached from elsewhere. studio: the checkout into which the playground may write; None for none.
    caller: who calls back; by default nothing on this machine is called. on_crash: called when rendering itself breaks
    down (the book cannot be written).
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        calling = caller or Caller(loopback=False)
        darkroom = Darkroom(place=place, book=book, engine=engine, clock=clock, on_settled=calling.settled)
        darkroom.open()
        work = asyncio.create_task(darkroom.run())
        work.add_done_callback(lambda done: _report(done, on_crash))
        intake = Intake(place=place, book=book, clock=clock)
        try:
            desk = Desk(
                place=place, book=book, intake=intake, darkroom=darkroom, caller=calling, clock=clock, studio=studio
            )
            yield {"desk": desk}
        finally:
            work.cancel()
            await asyncio.wait([work])
            await calling.stop()

    inner = Starlette(
        routes=[
            Route("/health", health),
            *task_routes.ROUTES,
            *catalogue_routes.ROUTES,
            *file_routes.ROUTES,
            *page.ROUTES,
        ],
        exception_handlers={
            Refusal: _answer_refusal,
            HTTPException: _answer_http,
            ClientDisconnect: _answer_nobody,
            Exception: _answer_defect,
        },
        lifespan=lifespan,
    )
    return Doorman(inner, any_host=any_host)


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

    def __init__(self, app: ASGIApp, *, any_host: bool) -> None:
        self._app = app
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_id)
        else:
            await _refused(scope["path"], refusal)(scope, receive, send_with_id)

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


def _refused(path: str, refusal: Refusal) -> JSONResponse:
    shape = file_envelope if path.startswith(_FILE_SERVICE) else envelope
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
    return JSONResponse(shape(refusal), status_code=refusal.status, headers=headers)


async def _answer_refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return _refused(request.url.path, error)


async def _answer_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        return _refused(request.url.path, Refusal(405, "invalid_request", "This route does not take that method."))
    if status == 404:
        return _refused(request.url.path, Refusal(404, "not_found", "There is no such route."))
    return _refused(request.url.path, Refusal(status, "invalid_request", str(error)))


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    """The client went away while it sent; nothing was kept, and nobody reads this."""
    return Response(status_code=400)


async def _answer_defect(request: Request, _error: Exception) -> Response:
    """A defect of the sandbox; the traceback is in its log."""
    return _refused(request.url.path, Refusal(500, "internal_error", "The sandbox made a mistake; its log tells more."))
