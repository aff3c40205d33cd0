"""A web server on loopback with a certificate of its own authority, which does what a test tells it to."""

import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

#: A name that the certificate is for and that only this machine knows.
NAME = "localhost"


@dataclass
class File:
    """What lies at a path, and how the server behaves over it."""

    body: bytes = b""
    etag: str = '"1"'
    modified: str = ""
    content_type: str = "video/mp4"
    location: str = ""
    status: int = 200
    ranges: bool = True
    announces: bool = True
    encoding: str = ""
    #: How many bytes the next answers bring before the connection breaks; then whole ones.
    cuts: list[int] = field(default_factory=list)
    #: Status of the next answers, before it behaves.
    failures: list[int] = field(default_factory=list)
    retry_after: str = ""
    #: Seconds for which a header goes on and on before it ends.
    trickles: float = 0.0


@dataclass
class WebServer:
    """files: by path. asked: (path, Host, Range, If-None-Match) of every request."""

    port: int
    authority: Path
    files: dict[str, File] = field(default_factory=dict)
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)

    def url(self, path: str, host: str = NAME) -> str:
        return f"https://{host}:{self.port}{path}"

    def ranges(self) -> list[str]:
        return [part for _, _, part, _ in self.asked]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses the certificate, or goes away in the middle, is what these tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serving(folder: Path) -> Iterator[WebServer]:
    """Run one for the length of the block."""
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    listener = _Listener(("127.0.0.1", 0), BaseHTTPRequestHandler)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    server = WebServer(port=listener.server_address[1], authority=folder / "authority.pem")
    listener.RequestHandlerClass = _handler(server)
    listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=lambda: listener.serve_forever(poll_interval=0.02))
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def _handler(server: WebServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = [self.headers.get(name, "") for name in ("Host", "Range", "If-None-Match")]
            server.asked.append((self.path, asked[0], asked[1], asked[2]))
            self.close_connection = True
            file = server.files.get(self.path, File(status=404))
            if file.failures:
                self._answer(file.failures.pop(0), {"Retry-After": file.retry_after}, b"")
            elif file.location:
                self._answer(302, {"Location": file.location}, b"")
            elif file.etag and asked[2] == file.etag:
                self._answer(304, {"ETag": file.etag}, b"")
            else:
                self._send(file)

        def _send(self, file: File) -> None:
            headers = {"Content-Type": file.content_type, "ETag": file.etag, "Last-Modified": file.modified}
            headers |= {"Content-Encoding": file.encoding}
            body, status = file.body, file.status
            if (
                file.ranges
                and self.headers.get("Range")
                and self.headers.get("If-Range") == (file.etag or file.modified)
            ):
                offset = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                headers["Content-Range"] = f"bytes {offset}-{len(body) - 1}/{len(body)}"
                body, status = body[offset:], 206
            if file.announces:
                headers["Content-Length"] = str(len(body))
            self._answer(status, headers, body[: file.cuts.pop(0)] if file.cuts else body)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            until = time.monotonic() + server.files.get(self.path, File()).trickles
            while time.monotonic() < until:
                self.wfile.write(b"X-More: and more\r\n")
                time.sleep(0.05)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_words: object) -> None:
            """The tests read `asked`."""

    return Handler
