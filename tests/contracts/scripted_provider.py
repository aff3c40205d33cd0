"""A loopback HTTP server that answers exactly what a test tells it to, every fault of a network included."""

import asyncio
import hashlib
import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

#: Request bodies are kept up to this size and only hashed beyond it. Bytes.
KEPT = 1_000_000


@dataclass(kw_only=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    size: int
    sha256: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """body: bytes as they are, anything else as JSON. promised: the Content-Length, where it shall lie; None for none."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = -1
    after: float = 0.0

    def encode(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"content-type": "application/json", **self.headers}
        if self.promised is not None:
            headers["content-length"] = str(len(body) if self.promised == -1 else self.promised)
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    @property
    def ends_connection(self) -> bool:
        return self.promised != -1


@dataclass(frozen=True, kw_only=True)
class Reset:
    """The whole request is read, then the connection is reset. Whether it was accepted, nobody knows."""


@dataclass(frozen=True, kw_only=True)
class Silence:
    """The whole request is read, and nothing ever comes."""


Act = Reply | Reset | Silence
Script = Act | Callable[[Asked], Act]


class Scripted:
    """`async with Scripted() as server`. `on` sets what a route answers: one act after the other, the last for ever."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        #: Notified at every request.
        self.heard = asyncio.Condition()
        self._scripts: dict[tuple[str, str], list[Script]] = {}
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, *scripts: Script) -> None:
        self._scripts[method, path] = list(scripts)

    def to(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            while (asked := await self._read(reader)) is not None:
                async with self.heard:
                    self.asked.append(asked)
                    self.heard.notify_all()
                if not await self._act(self._next(asked), writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    def _next(self, asked: Asked) -> Act:
        scripts = self._scripts.get((asked.method, asked.path), [Reply(status=404, body={})])
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return script(asked) if callable(script) else script

    async def _act(self, act: Act, writer: asyncio.StreamWriter) -> bool:
        """Is the connection good for another request?"""
        if isinstance(act, Silence):
            await asyncio.Event().wait()
        if isinstance(act, Reset):
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        assert isinstance(act, Reply)
        await asyncio.sleep(act.after)
        writer.write(act.encode())
        await writer.drain()
        return not act.ends_connection

    async def _read(self, reader: asyncio.StreamReader) -> Asked | None:
        line = (await reader.readline()).decode("latin-1").split()
        if len(line) != 3 or not line[2].startswith("HTTP/"):
            return None
        headers: dict[str, str] = {}
        while (header := (await reader.readline()).decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        running, kept, left = hashlib.sha256(), b"", int(headers.get("content-length", "0"))
        size = left
        while left:
            chunk = await reader.read(min(left, 65_536))
            if not chunk:
                return None
            left -= len(chunk)
            running.update(chunk)
            kept += chunk if len(kept) < KEPT else b""
        return Asked(method=line[0], path=line[1], headers=headers, body=kept, size=size, sha256=running.hexdigest())
