"""Faults of requests: what is done to them, and to their answers, on the way in and out."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from callsheet.sandbox.faults import FOR_EVER, OF_REQUESTS, Faults, Point, Rule
from callsheet.sandbox.refusal import Refusal, envelope, file_envelope

#: A page as proxies send it in place of an answer.
PAGE = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
#: Longest submission that is looked into for its model and prompt.
MOST_BODY = 256 * 1024

_connections: dict[tuple[str, int], asyncio.Transport] = {}


class Connection(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # uvicorn chooses the class when it is imported
    """uvicorn's own, which can also be cut off from outside: an application cannot close its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if self.client is not None:
            _connections[tuple(self.client)] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            _connections.pop(tuple(self.client), None)
        super().connection_lost(exc)


def cut(scope: Scope) -> None:
    """Close the connection of this request at once: its client gets no more of it."""
    client = scope.get("client")
    transport = _connections.get(tuple(client)) if client else None
    if transport is not None:
        transport.abort()


class Saboteur:
    """Stands before the application, inside the doorman.

    on_expire: makes the link of this task's result die now. string_codes: as `envelope` has it.
    """

    def __init__(
        self, app: ASGIApp, faults: Faults, *, on_expire: Callable[[str], None], string_codes: bool = False
    ) -> None:
        self._app = app
        self._faults = faults
        self._on_expire = on_expire
        self._string_codes = string_codes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        point = point_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if point is None or not self._faults.watches(point):
            await self._app(scope, receive, send)
            return
        model, prompt = "", ""
        if point == "submit":
            body, receive = await _read(receive)
            model, prompt = _spoken(body)
        rule = self._faults.cue(point, model=model, prompt=prompt, deeds=(*OF_REQUESTS, "truncate", "expire"))
        if rule is None:
            await self._app(scope, receive, send)
        else:
            await self._do(rule, scope, receive, send)

    async def _do(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(rule.seconds or (FOR_EVER if rule.do == "stall" else 0))
        if rule.do in ("refuse", "page"):
            await self._instead(rule)(scope, receive, send)
        elif rule.do == "drop":
            cut(scope)
        elif rule.do == "lose":
            await self._app(scope, receive, _nowhere)
            cut(scope)
        elif rule.do == "misreport":
            await self._app(scope, receive, _nowhere)
            await self._instead(rule)(scope, receive, send)
        else:
            if rule.do == "expire":
                self._on_expire(scope["path"].split("/")[2])
            short = _shortened(scope, send, rule.bytes) if rule.do == "truncate" else send
            await self._app(scope, receive, short)

    def _instead(self, rule: Rule) -> Any:
        headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
        if rule.do == "page":
            return HTMLResponse(PAGE, status_code=rule.status, headers=headers)
        refusal = Refusal(rule.status, rule.code, rule.message)
        of_files = rule.on == "upload"
        body = file_envelope(refusal) if of_files else envelope(refusal, string_codes=self._string_codes)
        return JSONResponse(body, status_code=rule.status, headers=headers)


def point_of(method: str, path: str) -> Point | None:
    """Where a request goes, as rules name it; None for where nothing is done on cue."""
    exact: dict[tuple[str, str], Point] = {
        ("POST", "/v1/videos/generations"): "submit",
        ("POST", "/v1/tasks/batch"): "batch",
        ("GET", "/v1/tasks"): "list",
        ("GET", "/v1/credits"): "credits",
        ("GET", "/v1/models"): "models",
    }
    if (method, path) in exact:
        return exact[method, path]
    if method == "GET" and path.startswith("/v1/tasks/"):
        return "status"
    if path.startswith("/api/v1/files/upload/"):
        return "upload"
    return "result" if path.startswith("/results/") else None


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The beginning of the body, and a `receive` that gives all of it again."""
    messages: list[Message] = []
    body = b""
    while len(body) <= MOST_BODY:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return body, again


def _spoken(body: bytes) -> tuple[str, str]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    fields = value if isinstance(value, dict) else {}
    return str(fields.get("model", "")), str(fields.get("prompt", ""))


async def _nowhere(_message: Message) -> None:
    """The answer is lost."""


def _shortened(scope: Scope, send: Send, most: int) -> Send:
    """Cuts the connection after so many bytes of the body. The answer said how many there would be."""
    left = most

    async def send_part(message: Message) -> None:
        nonlocal left
        if message["type"] != "http.response.body":
            await send(message)
            return
        part = message.get("body", b"")[:left]
        left -= len(part)
        if left > 0:
            await send({**message, "body": part})
            return
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(0.05)  # let it go out before the connection is cut
        cut(scope)

    return send_part
