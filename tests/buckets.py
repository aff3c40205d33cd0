"""A server of S3 on loopback for the tests: moto's, made to keep what S3 promises and moto does not, and to fail when told.

Of its own it checks every digest that comes with a body (moto believes them) and does one writing request at a time (moto
looks whether a name is there and gives it in two steps, between which another thread may give it).
"""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

SECRET = "wJalrXUtnFEMI-a-secret-of-nobody"
KEY = "AKIAIOSFODNN7NOBODY0"
BUCKET = "studio"

Answer = tuple[int, bytes]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request. key: "" for one of the whole bucket."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    @property
    def word(self) -> str:
        """As S3 calls it, more or less: "PUT", "PUT part", "POST uploads", "GET list", "HEAD"."""
        for name, word in (
            ("partNumber", "part"),
            ("uploads", "uploads"),
            ("list-type", "list"),
            ("uploadId", "upload"),
        ):
            if name in self.query:
                return f"{self.method} {word}"
        return self.method


#: What becomes of a request: given it and its body, an answer in the place of the store's, or another body, or None.
Fault = Callable[[Asked, bytes], "Answer | bytes | None"]


@dataclass
class BucketServer:
    """asked: every request that came. faults: each is offered every request until it has done something with one.
    lost: words of requests that are done, and whose answer is then a 500."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def words(self) -> list[str]:
        return [asked.word for asked in self.asked]

    @property
    def environment(self) -> dict[str, str]:
        """Who asks, and where: AWS's own variables."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/nonexistent/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> "S3Client":
        session = boto3.session.Session(KEY, SECRET, region_name="us-east-1")
        client: S3Client = session.client("s3", endpoint_url=self.url)
        return client

    def emptied(self, bucket: str = BUCKET) -> "S3Client":
        """A client, and the bucket without anything in it."""
        client = self.client()
        self.faults.clear()
        self.lost.clear()
        if bucket in {one["Name"] for one in client.list_buckets()["Buckets"]}:
            for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for item in page.get("Contents", []):
                    client.delete_object(Bucket=bucket, Key=item["Key"])
        else:
            client.create_bucket(Bucket=bucket)
        self.asked.clear()
        return client

    def wsgi(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        body = _body(environ)
        asked = _asked(environ)
        self.asked.append(asked)
        for fault in list(self.faults):
            instead = fault(asked, body)
            if instead is not None:
                self.faults.remove(fault)
                if isinstance(instead, tuple):
                    return _answered(start, *instead)
                body = instead
                break
        if not _is_as_told(asked, body):
            return _answered(start, 400, error("BadDigest", "The SHA256 you specified did not match."))
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
        if asked.method in ("PUT", "POST", "DELETE"):
            with self.lock:
                status, headers, answer = _of_moto(environ)
        else:
            status, headers, answer = _of_moto(environ)
        if asked.word in self.lost:
            self.lost.remove(asked.word)
            return _answered(start, 500, error("InternalError", "We encountered an internal error."))
        start(status, headers)
        return answer


_MOTO = DomainDispatcherApplication(create_backend_app)


def _of_moto(environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], list[bytes]]:
    begun: list[Any] = []
    try:
        answer = list(_MOTO(environ, lambda *words: begun.append(words)))
    except KeyError:  # an upload that was given up: S3 has a word for it
        return "404 .", [("Content-Type", "application/xml")], [error("NoSuchUpload")]
    return begun[0][0], begun[0][1], answer


class _Handler(MotoRequestHandler):
    def log(self, *_words: object) -> None:
        """The tests read `asked`."""


@contextmanager
def serving() -> Iterator[BucketServer]:
    running = BucketServer()
    server = make_server("127.0.0.1", 0, running.wsgi, threaded=True, request_handler=_Handler)
    running.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def error(code: str, message: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()


def refusing(word: str, status: int, code: str) -> Fault:
    """The next request of this word is refused."""
    return lambda asked, _: (status, error(code, f"for {KEY}")) if asked.word == word else None


def damaging(word: str, how: Callable[[bytes], bytes]) -> Fault:
    """The next request of this word arrives with another body."""
    return lambda asked, body: how(body) if asked.word == word else None


def _body(environ: dict[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH")
    return bytes(environ["wsgi.input"].read(int(length)) if length else b"")


def _asked(environ: dict[str, Any]) -> Asked:
    bucket, _, key = unquote(environ["PATH_INFO"].encode("latin-1").decode()).lstrip("/").partition("/")
    return Asked(
        method=environ["REQUEST_METHOD"],
        bucket=bucket,
        key=key,
        query=parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True),
        headers={name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name[:5] == "HTTP_"},
    )


def _is_as_told(asked: Asked, body: bytes) -> bool:
    told = asked.headers.get("x-amz-checksum-sha256")
    return told is None or told == base64.b64encode(hashlib.sha256(body).digest()).decode()


def _answered(start: Callable[..., Any], status: int, body: bytes) -> list[bytes]:
    start(f"{status} .", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]
