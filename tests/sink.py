"""A store that speaks as much S3 as an upload needs, and throws away what it is given: nothing but the uploader uses memory.

It counts what arrives, and answers every upload as if its name were free.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CHUNK = 256 * 1024

#: Who uploads, as many files at once as there are: the bytes of a part, the digest, the files. It prints the most kilobytes
#: that it had in memory.
UPLOADER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from callsheet.archive.s3 import S3Store
from callsheet.buckets import Place
from tests.memory import peak
part, digest, *files = sys.argv[1:]
store = S3Store(Place("studio", "finals"), part=int(part))
with ThreadPoolExecutor(len(files)) as pool:
    list(pool.map(lambda file: store.put(f"summer/{Path(file).name}", Path(file), sha256=digest), files))
print(peak())
"""


@dataclass
class Sink:
    port: int
    received: int = 0
    named: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7NOBODY0",
            "AWS_SECRET_ACCESS_KEY": "a-secret-of-nobody",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def serving() -> Iterator[Sink]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.sink = Sink(server.server_address[1])
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02))
    thread.start()
    try:
        yield server.sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def digest_of_nothing(size: int) -> str:
    """Of a sparse file: that many zeros."""
    running, chunk = hashlib.sha256(), bytes(1_000_000)
    for _ in range(size // len(chunk)):
        running.update(chunk)
    running.update(bytes(size % len(chunk)))
    return running.hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100
    sink: Sink


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(404)

    def do_GET(self) -> None:
        self._answer(200, b"<ListMultipartUploadsResult></ListMultipartUploadsResult>")

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        with self.server.sink.lock:
            self.server.sink.received += left
        while left:
            left -= len(self.rfile.read(min(left, CHUNK)))
        if not urlsplit(self.path).query:
            self.server.sink.named.append(self.path)
        self._answer(200, etag='"0"')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "uploadId" in parse_qs(urlsplit(self.path).query):
            self.server.sink.named.append(urlsplit(self.path).path)
            self._answer(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
        else:
            upload = b"<UploadId>1</UploadId>"
            self._answer(200, b"<InitiateMultipartUploadResult>" + upload + b"</InitiateMultipartUploadResult>")

    def _answer(self, status: int, body: bytes = b"", etag: str = "") -> None:
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_words: Any) -> None:
        """Nobody reads it."""
