"""Callbacks: the finished task, posted to the address that its submission named, once its charge is settled.

10 s a try, and three more after 1, 2 and 4 s; then it is lost, as it is at the provider. Redirects are not followed. The
address is judged when it is connected to: the connection goes to exactly what was judged. A restart forgets what is due.
"""

import asyncio
import json
import logging
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from callsheet.hosts import Address, is_loopback, is_public, literal

log = logging.getLogger("callsheet.sandbox")

LIMIT = timedelta(seconds=10)
#: Seconds between one try and the next.
PAUSES = (1, 2, 4)

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_PATH = re.compile(r"[\x21-\x7e]*")


def judged(url: str, *, loopback: bool) -> str:
    """The same URL. ValueError, in words that follow its name, where nothing is called there.

    loopback: may it be plain http on this machine?
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    address = literal(host)
    here = is_loopback(host) or host.endswith(".localhost")
    if parts.username or parts.password or not (address or _HOST.fullmatch(host)) or not _PATH.fullmatch(url):
        raise ValueError("is not the URL of a host")
    if here and loopback and parts.scheme in ("http", "https"):
        return url
    if parts.scheme != "https":
        raise ValueError("must be https")
    if here or (address is not None and not is_public(address)):
        raise ValueError("names an internal address")
    return url


@dataclass(kw_only=True)
class Caller:
    """Knows whom to call about which job. `run` it for as long as the server lives. pauses: seconds between tries."""

    loopback: bool
    pauses: tuple[float, ...] = PAUSES
    _due: dict[str, tuple[str, Callable[[], Any]]] = field(default_factory=dict)
    _calls: set["asyncio.Task[None]"] = field(default_factory=set)

    def expect(self, job: str, url: str, document: Callable[[], Any]) -> None:
        """Call `url` with what `document` gives by then, once the job is settled."""
        self._due[job] = (url, document)

    def settled(self, job: str) -> None:
        """The book says how it ended, and what it cost."""
        if (due := self._due.pop(job, None)) is not None:
            call = asyncio.create_task(self._call(job, *due))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def stop(self) -> None:
        """Give up what is under way."""
        for call in self._calls:
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls)

    async def _call(self, job: str, url: str, document: Callable[[], Any]) -> None:
        body = json.dumps(document()).encode()
        for pause in (0.0, *self.pauses):
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(LIMIT.total_seconds()):
                    status = await self._post(url, body)
            except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError) as error:
                log.warning("the callback about %s came to nothing: %s", job, type(error).__name__)
                continue
            if 200 <= status < 300:
                return
            log.warning("the callback about %s was answered with %d", job, status)

    async def _post(self, url: str, body: bytes) -> int:
        """The status of the answer; its body is nobody's business. OSError, ValueError, IncompleteReadError."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_tls = parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        address = await self._address(host, port)
        tls = ssl.create_default_context() if is_tls else None
        reader, writer = await asyncio.open_connection(
            str(address), port, ssl=tls, server_hostname=host if is_tls else None
        )
        try:
            place = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            head = (
                f"POST {place} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode("ascii") + body)
            await writer.drain()
            answer = (await reader.readuntil(b"\n")).split()
            if len(answer) < 2 or not answer[0].startswith(b"HTTP/") or not answer[1].isdigit():
                raise ValueError("no answer of HTTP")
            return int(answer[1])
        finally:
            writer.close()

    async def _address(self, host: str, port: int) -> Address:
        """What the name means now, where that may be called. ValueError, OSError."""
        for *_, peer in await asyncio.get_running_loop().getaddrinfo(host, port):
            address = literal(str(peer[0]).partition("%")[0])
            if address is not None and (is_public(address) or (self.loopback and address.is_loopback)):
                return address
        raise ValueError("an internal address")
