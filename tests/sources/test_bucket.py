"""Sources at s3://, read with boto3 from moto's server, through a wire that breaks where a test says so."""

import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from callsheet.errors import SourceError, SourceUnreachable
from callsheet.sources.bucket import Buckets
from callsheet.sources.transfer import Arrived, Bounds, Version, fetch

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

BYTES = os.urandom(300_000)
SECRET = "wJalrXUtnFEMI-a-secret-of-nobody"
Fetch = Callable[..., Arrived | None]


@dataclass
class Wire:
    """A gateway to the store. cuts: how many bytes the next bodies bring before the connection breaks. asked: Range of each."""

    port: int
    cuts: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def store() -> Iterator[int]:
    """The port of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(scope="module")
def gateway(store: int) -> Iterator[Wire]:
    listener = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    wire = Wire(port=listener.server_address[1])
    listener.RequestHandlerClass = _handler(wire, store)
    listener.daemon_threads = True
    thread = threading.Thread(target=lambda: listener.serve_forever(poll_interval=0.02))
    thread.start()
    yield wire
    listener.shutdown()
    thread.join()
    listener.server_close()


def _handler(wire: Wire, store: int) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wire.asked.append(self.headers.get("Range", ""))
            with closing(http.client.HTTPConnection("127.0.0.1", store)) as through:
                through.request("GET", self.path, headers=dict(self.headers))
                answer = through.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "date", "server"):
                        self.send_header(name, value)
                self.end_headers()
                body = answer.read()
            self.wfile.write(body[: wire.cuts.pop(0)] if wire.cuts else body)

        def log_message(self, *_words: object) -> None:
            """The tests read `asked`."""

    return Handler


@pytest.fixture
def bucket(gateway: Wire, store: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Iterator[S3Client]":
    """An empty bucket `raw`, and an environment that leads to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", gateway.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7NOBODY0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.session.Session().client("s3", endpoint_url=f"http://127.0.0.1:{store}")
    client.create_bucket(Bucket="raw")
    gateway.asked.clear()
    gateway.cuts.clear()
    yield client
    for item in client.list_object_versions(Bucket="raw").get("Versions", []):
        client.delete_object(Bucket="raw", Key=item["Key"], VersionId=item["VersionId"])
    client.delete_bucket(Bucket="raw")
    client.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "clip.mp4"


@pytest.fixture
def fetched(bucket: "S3Client", target: Path) -> Fetch:
    def get(url: str = "s3://raw/pier/clip 1.mp4", *, known: Version | None = None, **more: Any) -> Arrived | None:
        bounds = Bounds(max_bytes=10**6, stop=Event(), waits=(0.01, 0.01))
        return fetch(Buckets().source(url), target, known=known or Version(), bounds=bounds, **more)

    return get


def put(bucket: "S3Client", body: bytes, key: str = "pier/clip 1.mp4") -> None:
    bucket.put_object(Bucket="raw", Key=key, Body=body)


def test_an_object_arrives_whole_and_only_once(bucket: "S3Client", fetched: Fetch, target: Path) -> None:
    put(bucket, BYTES)
    first = fetched()
    assert first is not None
    assert target.read_bytes() == BYTES
    assert (first.bytes, first.version.exact) == (len(BYTES), True)
    assert fetched(known=first.version) is None
    put(bucket, BYTES[::-1])
    again = fetched(known=first.version)
    assert again is not None
    assert target.read_bytes() == BYTES[::-1]
    assert again.version.etag != first.version.etag


def test_the_version_of_a_bucket_that_keeps_them_is_remembered(bucket: "S3Client", fetched: Fetch) -> None:
    bucket.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
    put(bucket, BYTES)
    arrived = fetched()
    assert arrived is not None
    assert arrived.version.id == bucket.head_object(Bucket="raw", Key="pier/clip 1.mp4")["VersionId"]


def test_a_broken_connection_is_gone_on_with_where_it_broke(
    bucket: "S3Client", fetched: Fetch, target: Path, gateway: Wire
) -> None:
    put(bucket, BYTES)
    gateway.cuts += [200_000]
    fetched()
    assert target.read_bytes() == BYTES
    whole, rest = gateway.asked
    assert whole == ""
    assert 0 < int(rest.removeprefix("bytes=").removesuffix("-")) <= 200_000


def test_an_object_that_changes_between_two_halves_is_never_made_of_both(
    bucket: "S3Client", fetched: Fetch, target: Path, gateway: Wire
) -> None:
    put(bucket, BYTES)
    gateway.cuts += [200_000]
    changed: list[bytes] = []

    def change(_done: int, _size: int | None) -> None:
        if not changed:
            changed.append(BYTES[::-1])
            put(bucket, changed[0])

    fetched(on_bytes=change)
    assert target.read_bytes() == BYTES[::-1]


@pytest.mark.parametrize(
    ("url", "told"),
    [("s3://raw/nothing.mp4", "is not there: the store answered NoSuchKey"), ("s3://void/a.mp4", "NoSuchBucket")],
)
def test_what_is_not_there_is_told_once(fetched: Fetch, url: str, told: str, gateway: Wire) -> None:
    with pytest.raises(SourceError, match=told) as refused:
        fetched(url)
    assert not isinstance(refused.value, SourceUnreachable)
    assert len(gateway.asked) == 1


def test_without_credentials_the_hint_says_which_are_needed(fetched: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match="Unable to locate credentials") as refused:
        fetched()
    assert "AWS_PROFILE" in refused.value.hint


def test_a_profile_that_is_not_there_is_told(fetched: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceError, match=r"The config profile \(nobody\) could not be found"):
        fetched()


def test_a_store_out_of_reach_is_tried_again_and_no_key_is_told(
    fetched: Fetch, monkeypatch: pytest.MonkeyPatch, target: Path
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}/s3cr3t-of-a-gateway")
    with pytest.raises(SourceUnreachable, match="cannot be fetched now") as refused:
        fetched()
    told = f"{refused.value}"
    assert "AKIA" not in told
    assert SECRET not in told
    assert "s3cr3t" not in told
    assert not target.exists()


def test_an_object_over_the_limit_is_refused(bucket: "S3Client", fetched: Fetch, target: Path) -> None:
    put(bucket, BYTES * 4)
    with pytest.raises(SourceError, match="is larger than 1 MB"):
        fetched()
    assert not target.exists()
