"""The review board as a server on this machine, so that what is judged on it is kept beside the manifest.

`http://127.0.0.1:PORT/TOKEN/CAMPAIGN/review/index.html` and nothing else: whoever does not know the token gets 404. A browser
that was led here under another name (DNS rebinding) is refused by the Host, a page of another origin by its Origin. Only the
files that the board names are served, each by its exact address, so that no path leads anywhere else.
"""

import asyncio
import errno
import hmac
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from callsheet.errors import ArchiveError, PortTaken, SpecError
from callsheet.verdicts import LARGEST, Verdicts, mistake

HOST = "127.0.0.1"
#: Where it is served unless said, and free: a browser keeps what could not be saved by host and port.
PORT = 4190
#: Seconds that answers under way have when the server is told to stop.
FAREWELL = 2
#: What every answer says: nobody frames it, nobody guesses its kind, nobody else reads it.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: What is served of an archive besides the page: a page or a picture with a script in it would be the reviewer's own.
KINDS = {".mp4": "video/mp4", ".mov": "video/quicktime", ".jpg": "image/jpeg", ".json": "application/json"}
#: Said with these: opened by itself, none of them runs anything.
ALONE = {"Content-Security-Policy": "sandbox"}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What is served. Both functions read the archive; the second one merges what it is given into it and gives all."""

    #: The campaign's folder in the archive.
    folder: str
    page: Callable[[], str]
    files: Callable[[], Mapping[str, Path]]
    known: Callable[[], Verdicts]
    keep: Callable[[Verdicts], Verdicts]


def serve(desk: Desk, *, port: int | None, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Blocks. port: 0 for any free one, None for the usual one or any; on_ready is told the
    address. PortTaken."""
    listener, token = _usual() if port is None else _bound(port), secrets.token_urlsafe(24)
    at = listener.getsockname()[1]
    on_ready(f"http://{HOST}:{at}/{token}/{quote(desk.folder)}/review/index.html")
    config = uvicorn.Config(
        make(desk, token=token, port=at),
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=FAREWELL,
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal it caught once more, when everything is put away
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def make(desk: Desk, *, token: str, port: int) -> ASGIApp:
    """The application: the page, its files, and the verdicts, for who knows the token and comes by its own name."""
    hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
    page, verdicts = f"{desk.folder}/review/index.html", f"{desk.folder}/verdicts.json"

    async def answer(request: Request) -> Response:
        host = request.headers.get("host", "")
        given, _, place = request.path_params["place"].partition("/")
        if host not in hosts or not hmac.compare_digest(given.encode(), token.encode()):
            return _nothing()
        try:
            if request.method == "PUT":
                return await put(request, host) if place == verdicts else _nothing()
            return await get(place)
        except (ArchiveError, SpecError) as error:
            return _said(503, error.what)

    async def get(place: str) -> Response:
        if place == page:
            return Response(await asyncio.to_thread(desk.page), media_type="text/html", headers=HEADERS)
        if place == verdicts:
            return _document(await asyncio.to_thread(desk.known))
        file = (await asyncio.to_thread(desk.files)).get(place)
        kind = KINDS.get(PurePosixPath(place).suffix)
        if file is None or kind is None or not file.is_file():
            return _nothing()
        return FileResponse(file, headers=HEADERS | ALONE, media_type=kind)

    async def put(request: Request, host: str) -> Response:
        """What is kept beside the manifest now; 403 for another origin, 413 and 422 for what is no document of verdicts."""
        if request.headers.get("origin") != f"http://{host}":
            return _said(403, "Another page may not do that.")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _said(415, "Verdicts are application/json.")
        body = await _body(request)
        if body is None:
            return _said(413, f"More than {LARGEST:,} bytes of verdicts.")
        try:
            news = Verdicts.model_validate_json(body)
        except ValidationError as error:
            return _said(422, mistake(error))
        try:
            return _document(await asyncio.to_thread(desk.keep, news))
        except ValueError as error:
            return _said(422, str(error))

    async def nothing(_request: Request, _error: Exception) -> Response:
        return _nothing()

    return Starlette(
        routes=[Route("/{place:path}", answer, methods=["GET", "HEAD", "PUT"])],
        exception_handlers=dict.fromkeys((404, 405), nothing),
    )


def _nothing() -> Response:
    return Response(status_code=404, headers=HEADERS)


def _said(status: int, words: str) -> Response:
    return PlainTextResponse(words, status_code=status, headers=HEADERS)


def _document(verdicts: Verdicts) -> Response:
    return Response(verdicts.model_dump_json(), media_type="application/json", headers=HEADERS)


async def _body(request: Request) -> bytes | None:
    """None where it is longer than verdicts can be."""
    body = bytearray()
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return None
    return bytes(body)


def _usual() -> socket.socket:
    try:
        return _bound(PORT)
    except PortTaken:
        return _bound(0)


def _bound(port: int) -> socket.socket:
    # Named, because asyncio switches the delay of small packets off for that protocol only.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(64)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        is_port = getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES)
        raise PortTaken(
            f"The board cannot be served on port {port} of {HOST}: {reason}.",
            hint="Choose another with --port, or --port 0 for any free one." if is_port else "",
        ) from error
    return listener
