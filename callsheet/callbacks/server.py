"""The server of callbacks, on this machine, behind the TLS proxy of whoever runs it.

`POST /<token>` with the task as the status read gives it. A callback has no signature: all that it can do is to have a
well-formed job id written down under a token that is known. It moves no take.
"""

import asyncio
import errno
import hashlib
import json
import logging
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from callsheet.errors import LedgerError, PortTaken

log = logging.getLogger("callsheet.takes")

#: Bytes of a callback at most; a task is some kilobytes.
LARGEST = 1_000_000
#: What a token can look like (`secrets.token_urlsafe`), and what the provider's job ids are.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,128}")
_JOB = re.compile(r"[A-Za-z0-9._:-]{1,128}")

#: Writes down that the token of this SHA-256 named a job; LedgerError where that cannot be done now.
Record = Callable[[str, str], None]


def serve(*, host: str, port: int, record: Record, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Blocks. port: 0 for any free one; on_ready is told the address. PortTaken."""
    listener = _bound(host, port)
    on_ready(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}")
    config = uvicorn.Config(make(record), lifespan="off", access_log=False, log_config=None, server_header=False)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal it caught once more, when everything is put away
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def make(record: Record) -> ASGIApp:
    """The application: one route, and one answer to everything that is not a callback."""

    async def hear(request: Request) -> Response:
        """204 for whatever is well-formed, known or not; 404 for all else; 503 where it cannot be written down now."""
        token = request.path_params["token"]
        job = _job_of(await _body(request))
        if job is None or not _TOKEN.fullmatch(token):
            return Response(status_code=404)
        try:
            await asyncio.to_thread(record, hashlib.sha256(token.encode()).hexdigest(), job)
        except LedgerError as error:
            log.warning("a callback about job %s cannot be written down: %s", job, error.what)
            return Response(status_code=503)
        return Response(status_code=204)

    return Starlette(
        routes=[Route("/{token}", hear, methods=["POST"])],
        exception_handlers=dict.fromkeys((404, 405), _nothing),
    )


async def _nothing(_request: Request, _error: Exception) -> Response:
    return Response(status_code=404)


async def _body(request: Request) -> bytes:
    """Nothing where it is longer than a callback can be, or breaks off."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return b""
    except ClientDisconnect:
        return b""
    return body


def _job_of(body: bytes) -> str | None:
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    job = document.get("id") if isinstance(document, dict) else None
    return job if isinstance(job, str) and _JOB.fullmatch(job) and job.strip(".") else None


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # as asyncio wants it for TCP_NODELAY
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        is_port = getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES)
        raise PortTaken(
            f"Callbacks cannot be heard on port {port} of {host}: {reason}.",
            hint="Choose another with --port." if is_port else "Choose an address of this machine with --host.",
        ) from error
    return listener
