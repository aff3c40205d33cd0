"""Sources at https://: whole or not at all, only what changed, only from where a source may be."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from callsheet.errors import SourceError, SourceUnreachable
from callsheet.sources import web
from callsheet.sources.transfer import Arrived, Bounds, Stopped, Version, fetch
from callsheet.sources.web import Web

from .web_server import File, WebServer

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))
BYTES = os.urandom(300_000)
Fetch = Callable[..., Arrived | None]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "clip.mp4"


@pytest.fixture
def fetched(server: WebServer, target: Path) -> Fetch:
    """fetched("/clip.mp4", known=…): into the target, from networks that are allowed."""

    def get(
        path: str,
        *,
        known: Version | None = None,
        allowed: tuple[Any, ...] = LOOPBACK,
        max_bytes: int = 10**6,
        stop: Event | None = None,
        proxy: str | None = None,
        time_limit: timedelta = timedelta(minutes=1),
        **more: Any,
    ) -> Arrived | None:
        url = path if "://" in path else server.url(path)
        bounds = Bounds(max_bytes=max_bytes, stop=stop or Event(), waits=(0.01, 0.01), time_limit=time_limit)
        source = Web(allowed=allowed, proxy_for=lambda _host: proxy).source(url)
        return fetch(source, target, known=known or Version(), bounds=bounds, **more)

    return get


def nothing_left(target: Path) -> bool:
    return not target.parent.exists() or list(target.parent.iterdir()) == []


def test_a_source_arrives_whole_with_its_digest_and_version(server: WebServer, fetched: Fetch, target: Path) -> None:
    import hashlib

    server.files["/clip.mp4"] = File(body=BYTES)
    arrived = fetched("/clip.mp4")
    assert arrived is not None
    assert target.read_bytes() == BYTES
    assert arrived.sha256 == hashlib.sha256(BYTES).hexdigest()
    assert (arrived.bytes, arrived.version.etag, arrived.version.exact) == (len(BYTES), '"1"', True)
    assert list(target.parent.iterdir()) == [target]
    assert server.asked == [("/clip.mp4", f"localhost:{server.port}", "", "")]


def test_a_source_that_did_not_change_is_not_sent_again(server: WebServer, fetched: Fetch, target: Path) -> None:
    server.files["/clip.mp4"] = File(body=BYTES)
    first = fetched("/clip.mp4")
    assert first is not None
    before = target.stat()
    assert fetched("/clip.mp4", known=first.version) is None
    assert target.stat() == before
    server.files["/clip.mp4"] = File(body=b"new bytes of it", etag='"2"')
    again = fetched("/clip.mp4", known=first.version)
    assert again is not None
    assert target.read_bytes() == b"new bytes of it"


def test_the_same_bytes_of_a_host_that_names_no_version_leave_the_file_as_it_is(
    server: WebServer, fetched: Fetch, target: Path
) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, etag="")
    first = fetched("/clip.mp4")
    assert first is not None
    assert not first.version
    before = target.stat()
    again = fetched("/clip.mp4", known=first.version, replacing=first.sha256)
    assert again == first
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_broken_connection_is_gone_on_with_where_it_broke(server: WebServer, fetched: Fetch, target: Path) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, cuts=[100_000, 50_000])
    arrived = fetched("/clip.mp4")
    assert arrived is not None
    assert target.read_bytes() == BYTES
    assert server.ranges() == ["", "bytes=100000-", "bytes=150000-"]


def test_a_source_that_changes_between_two_halves_is_never_made_of_both(
    server: WebServer, fetched: Fetch, target: Path
) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, cuts=[100_000])
    changed = File(body=BYTES[::-1], etag='"2"')

    def change(done: int, _size: int | None) -> None:
        if done == 100_000:
            server.files["/clip.mp4"] = changed

    arrived = fetched("/clip.mp4", on_bytes=change)
    assert arrived is not None
    assert (target.read_bytes(), arrived.version.etag) == (BYTES[::-1], '"2"')


def test_a_host_that_sends_no_parts_is_asked_for_the_whole_again(
    server: WebServer, fetched: Fetch, target: Path
) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, cuts=[100_000], ranges=False)
    fetched("/clip.mp4")
    assert target.read_bytes() == BYTES


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_a_version_that_is_not_exact_is_never_completed(
    server: WebServer, fetched: Fetch, target: Path, etag: str
) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, cuts=[100_000], etag=etag)
    fetched("/clip.mp4")
    assert target.read_bytes() == BYTES
    assert server.ranges() == ["", ""]


def test_a_host_that_always_breaks_off_at_the_same_byte_is_given_up(
    server: WebServer, fetched: Fetch, target: Path
) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, cuts=[100_000] * 9, ranges=False)
    with pytest.raises(SourceUnreachable):
        fetched("/clip.mp4")
    assert len(server.asked) == 4


def test_an_old_date_is_as_good_as_a_tag(server: WebServer, fetched: Fetch, target: Path) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, cuts=[100_000], etag="", modified="Mon, 02 Nov 2020 10:00:00 GMT")
    fetched("/clip.mp4")
    assert server.ranges() == ["", "bytes=100000-"]


def test_the_next_try_of_another_process_goes_on_with_what_is_there(
    server: WebServer, fetched: Fetch, target: Path
) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, cuts=[100_000, 0, 0, 0])
    with pytest.raises(SourceUnreachable, match="cannot be fetched now"):
        fetched("/clip.mp4")
    assert not target.exists()
    server.asked.clear()
    fetched("/clip.mp4")
    assert target.read_bytes() == BYTES
    assert server.ranges() == ["bytes=100000-"]
    assert list(target.parent.iterdir()) == [target]


def test_an_answer_cut_short_without_a_length_is_no_whole_file(server: WebServer, fetched: Fetch) -> None:
    """The end of a connection is the end of such a body: what came is taken, and probing finds what is missing."""
    server.files["/clip.mp4"] = File(body=BYTES, announces=False)
    arrived = fetched("/clip.mp4")
    assert arrived is not None
    assert arrived.bytes == len(BYTES)


@pytest.mark.parametrize("announces", [True, False])
def test_a_source_over_the_limit_is_refused(server: WebServer, fetched: Fetch, target: Path, announces: bool) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, announces=announces)
    with pytest.raises(SourceError, match="is larger than 0 MB, the most that is fetched"):
        fetched("/clip.mp4", max_bytes=200_000)
    assert not target.exists()


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (File(body=b"<!DOCTYPE html><title>Log in</title>"), "is a web page"),
        (File(body=b'{"error": "log in"}'), "is a JSON document"),
        (File(body=BYTES, content_type="text/html; charset=utf-8"), "is text/html, and no clip"),
        (File(body=BYTES, encoding="gzip"), "came as gzip, which nobody asked for"),
    ],
)
def test_what_is_no_media_is_refused(server: WebServer, fetched: Fetch, target: Path, file: File, told: str) -> None:
    server.files["/clip.mp4"] = file
    with pytest.raises(SourceError, match=told):
        fetched("/clip.mp4")
    assert not target.exists()


@pytest.mark.parametrize(
    ("status", "told"), [(404, "is not there: its host answered 404"), (403, "may not be read"), (418, "answered 418")]
)
def test_a_refusal_is_told_and_not_repeated(server: WebServer, fetched: Fetch, status: int, told: str) -> None:
    server.files["/clip.mp4"] = File(failures=[status])
    with pytest.raises(SourceError, match=told) as refused:
        fetched("/clip.mp4")
    assert not isinstance(refused.value, SourceUnreachable)
    assert len(server.asked) == 1


def test_a_busy_host_is_asked_again(server: WebServer, fetched: Fetch, target: Path) -> None:
    server.files["/clip.mp4"] = File(body=BYTES, failures=[503, 429])
    fetched("/clip.mp4")
    assert target.read_bytes() == BYTES


def test_a_host_that_stays_busy_is_given_up(server: WebServer, fetched: Fetch, target: Path) -> None:
    server.files["/clip.mp4"] = File(failures=[503] * 9)
    with pytest.raises(SourceUnreachable, match="its host answered 503"):
        fetched("/clip.mp4")
    assert len(server.asked) == 3
    assert nothing_left(target)


# --- where a source may be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"])
def test_a_source_on_this_machine_is_not_even_connected_to(server: WebServer, fetched: Fetch, host: str) -> None:
    with pytest.raises(SourceError, match="which a source may not name"):
        fetched(server.url("/clip.mp4", host), allowed=())
    assert server.asked == []


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "192.168.1.1", "[fd00::1]", "[64:ff9b::a00:1]"])
def test_a_private_address_is_refused_and_the_setting_named(fetched: Fetch, host: str) -> None:
    with pytest.raises(SourceError, match="is in a private network") as refused:
        fetched(f"https://{host}/clip.mp4")
    assert "CALLSHEET_PRIVATE_SOURCES=" in refused.value.hint


def test_a_name_that_means_another_address_the_second_time_is_asked_once(
    server: WebServer, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolving is the seam: the first answer is allowed, every later one would be another machine."""
    answers, really = ["127.0.0.1", "10.9.9.9", "10.9.9.9"], socket.getaddrinfo

    def resolve(host: str, port: int, *more: Any, **named: Any) -> Any:
        return really(answers.pop(0) if host == "localhost" else host, port, *more, **named)

    server.files["/clip.mp4"] = File(body=BYTES)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert fetched("/clip.mp4") is not None
    assert len(answers) == 2


def test_a_redirect_is_followed_and_judged_like_the_first_address(
    server: WebServer, fetched: Fetch, target: Path
) -> None:
    server.files["/old"] = File(location="/clip.mp4?token=s3cr3t-t0ken")
    server.files["/clip.mp4?token=s3cr3t-t0ken"] = File(body=BYTES)
    assert fetched("/old") is not None
    assert target.read_bytes() == BYTES
    for location, told in (
        ("https://10.0.0.1/clip.mp4", "private network"),
        (f"http://localhost:{server.port}/clip.mp4", "only https:// is followed"),
        ("file:///etc/passwd", "only https:// is followed"),
        ("https://me:secret@example.com/", "a name and a password"),
        ("/old", "redirects more than 5 times"),
    ):
        server.files["/old"] = File(location=location)
        with pytest.raises(SourceError, match=told) as refused:
            fetched("/old")
        assert "secret" not in str(refused.value)


def test_a_certificate_of_nobody_is_refused_once(
    server: WebServer, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(SourceError, match="is not trusted") as refused:
        fetched("/clip.mp4")
    assert not isinstance(refused.value, SourceUnreachable)
    assert server.asked == []


def test_a_certificate_of_another_name_is_refused(server: WebServer, fetched: Fetch) -> None:
    """The connection goes to an address; the certificate must still be of the name."""
    with pytest.raises(SourceError, match="is not trusted"):
        fetched(server.url("/clip.mp4", "127.0.0.1"))
    assert server.asked == []


def test_a_host_that_is_not_there_is_unreachable(fetched: Fetch, target: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with pytest.raises(SourceUnreachable, match="cannot be fetched now"):
        fetched(f"https://localhost:{port}/clip.mp4")
    with pytest.raises(SourceUnreachable, match="whose address is not known"):
        fetched("https://no-such-host.invalid/clip.mp4")
    assert nothing_left(target)


def test_behind_a_proxy_the_proxy_resolves(fetched: Fetch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as proxy:
        proxy.settimeout(10)
        heard: list[bytes] = []

        def answer() -> None:
            peer, _ = proxy.accept()
            with peer:
                heard.append(peer.recv(4096))
                peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        import threading

        threads = [threading.Thread(target=answer) for _ in range(3)]
        for thread in threads:
            thread.start()
        with pytest.raises(SourceError):
            fetched("https://clips.example/a.mp4", proxy=f"http://127.0.0.1:{proxy.getsockname()[1]}", allowed=())
        for thread in threads:
            thread.join()
    assert heard[0].startswith(b"CONNECT clips.example:443 ")


# --- being stopped ------------------------------------------------------------------------------------------------------


def test_whoever_waits_no_longer_stops_it_and_keeps_what_came(server: WebServer, fetched: Fetch, target: Path) -> None:
    server.files["/clip.mp4"] = File(body=BYTES * 20)
    stop = Event()
    with pytest.raises(Stopped):
        fetched("/clip.mp4", max_bytes=10**8, stop=stop, on_bytes=lambda *_: stop.set())
    assert not target.exists()
    assert {path.name for path in target.parent.iterdir()} == {".clip.mp4.part-0", ".clip.mp4.part-0.json"}


def test_a_source_that_takes_too_long_is_given_up(server: WebServer, fetched: Fetch) -> None:
    server.files["/clip.mp4"] = File(body=BYTES)
    with pytest.raises(SourceError, match="did not come within 0 minutes"):
        fetched("/clip.mp4", time_limit=timedelta(0))


def test_a_host_that_never_ends_its_headers_is_given_up(
    server: WebServer, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece of them comes in time, and results that are paid for wait until the plan is drawn up."""
    monkeypatch.setattr(web, "ANSWERED", timedelta(seconds=0.3))
    server.files["/clip.mp4"] = File(body=BYTES, trickles=5)
    began = time.monotonic()
    with pytest.raises(SourceUnreachable, match="cannot be fetched now"):
        fetched("/clip.mp4")
    assert time.monotonic() - began < 4


def test_a_disk_that_cannot_be_written_is_told(server: WebServer, fetched: Fetch, target: Path) -> None:
    target.parent.parent.mkdir(exist_ok=True)
    target.parent.write_text("a file in the place of the folder")
    with pytest.raises(SourceError, match="cannot be kept"):
        fetched("/clip.mp4")
