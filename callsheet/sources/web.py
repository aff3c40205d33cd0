"""A source at https://: fetched from exactly the address that was judged, at every hop; no cookie, no password, no body.

A name is resolved once, and the connection goes to that very address: a name that means another address a moment later
gains nothing. Private addresses are refused unless the studio allows their network. Behind a proxy of the environment the
proxy resolves, and judging is its work.
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Network, IPv6Network
from threading import Timer
from typing import Any

import httpx

from callsheet.errors import SourceError, SourceUnreachable
from callsheet.hosts import Address, is_public, literal
from callsheet.redact import redact
from callsheet.sources.transfer import Answer, Version

#: Redirects followed for one source.
MOST_REDIRECTS = 5
#: Seconds to connect, and between two pieces of the body.
PATIENCE = httpx.Timeout(30, connect=10)
#: A host has to have ended its headers so long after it was asked: each piece of them may come in time, and none be the last.
ANSWERED = timedelta(seconds=60)
#: A date is exact as a version only this long after the change: within a second a file can change twice.
SETTLED = timedelta(seconds=60)
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_CHECK = "Check the address; it has to be readable without logging in."

Network = IPv4Network | IPv6Network


class Web:
    """How this studio reads https://. Thread-safe."""

    def __init__(self, *, allowed: Sequence[Network], proxy_for: Callable[[str], str | None]) -> None:
        """allowed: private networks that may be read. proxy_for: the proxy for a host, None to go straight to it."""
        self._allowed = tuple(allowed)
        self._proxy_for = proxy_for
        self._tls = httpx.create_ssl_context()  # SSL_CERT_FILE and SSL_CERT_DIR count

    def source(self, url: str) -> "WebSource":
        return WebSource(url, self)

    @contextmanager
    def asked(self, url: httpx.URL, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """One answer, no redirect followed; its body is read within the block. SourceError, SourceUnreachable."""
        proxy = self._proxy_for(url.host)
        with _said():
            # No connection is kept: one that was opened for a host must not serve another one of the same address.
            limits = httpx.Limits(max_keepalive_connections=0)
            client = httpx.Client(verify=self._tls, trust_env=False, proxy=proxy, timeout=PATIENCE, limits=limits)
            with client:
                with _cut_off_late() as trace:
                    ways = [None] if proxy else self._addresses(url)
                    response = self._first(client, url, headers, ways, trace)
                try:
                    yield response
                finally:
                    response.close()

    @staticmethod
    def _first(
        client: httpx.Client, url: httpx.URL, headers: dict[str, str], ways: Sequence[Address | None], trace: "_Trace"
    ) -> httpx.Response:
        """The answer of the first of these addresses that can be connected to."""
        *earlier, last = ways
        for way in earlier:
            try:
                return client.send(_request(client, url, headers, way, trace), stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # what the last of them says counts
        return client.send(_request(client, url, headers, last, trace), stream=True)

    def _addresses(self, url: httpx.URL) -> list[Address | None]:
        """What the host's name means now, as far as it may be connected to. SourceError where none of it may."""
        try:
            found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise SourceUnreachable(f"is at {url.host}, whose address is not known.", hint=_CHECK) from error
        addresses = [address for *_, peer in found if (address := literal(str(peer[0]).partition("%")[0]))]
        may = [address for address in dict.fromkeys(addresses) if self._may(address)]
        if not may:
            where = "this machine" if any(address.is_loopback for address in addresses) else "a private network"
            hint = f"CALLSHEET_PRIVATE_SOURCES={', '.join(map(str, addresses[:1]))} would allow it."
            raise SourceError(f"is in {where} ({url.host}), which a source may not name.", hint=hint)
        return list(may)

    def _may(self, address: Address) -> bool:
        return is_public(address) or any(address in network for network in self._allowed)


class WebSource:
    """One address of a campaign."""

    def __init__(self, name: str, web: Web) -> None:
        self.name = name
        self._web = web

    @contextmanager
    def open(self, *, unless: Version, offset: int, of: Version) -> Iterator[Answer | None]:
        """The answer at the end of a few redirects, each judged like the first. SourceError, SourceUnreachable."""
        url = _followed(self.name)
        headers = _conditions(unless, offset, of)
        for _ in range(MOST_REDIRECTS + 1):
            with self._web.asked(url, headers) as response:
                if response.has_redirect_location:
                    url = _followed(_target_of(response, url))
                    continue
                yield _answer(response, of, wants_less=bool(unless))
                return
        raise SourceError(f"redirects more than {MOST_REDIRECTS} times.", hint=_CHECK)


class _Trace:
    """httpcore's trace hook: knows the socket that a request goes over. `cut` may be called by another thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = facts["return_value"].get_extra_info("socket")

    def cut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(
                    self._socket, socket.SHUT_RDWR
                )  # whoever reads from it, over TLS too, hears the end


@contextmanager
def _cut_off_late() -> Iterator[_Trace]:
    """For a request whose headers are to be there when the block ends."""
    trace = _Trace()
    late = Timer(ANSWERED.total_seconds(), trace.cut)
    late.daemon = True
    late.start()
    try:
        yield trace
    finally:
        late.cancel()


def _request(
    client: httpx.Client, url: httpx.URL, headers: dict[str, str], way: Address | None, trace: _Trace
) -> httpx.Request:
    """To this very address, in the name of the host: for the certificate, and for whoever serves many names there."""
    if way is None:
        return client.build_request("GET", url, headers=headers, extensions={"trace": trace})
    named = {**headers, "Host": url.netloc.decode("ascii")}
    extensions = {"trace": trace, "sni_hostname": url.raw_host.decode("ascii").strip("[]")}
    return client.build_request("GET", url.copy_with(host=str(way)), headers=named, extensions=extensions)


def _followed(text: str) -> httpx.URL:
    """SourceError unless it is plain https. A redirect may have a query: that is never shown or kept."""
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError):
        raise SourceError("is not a URL.", hint=_CHECK) from None
    if url.scheme != "https":
        raise SourceError(f"leads to {url.scheme}://, and only https:// is followed.", hint=_CHECK)
    if url.userinfo:
        raise SourceError(f"leads to a name and a password for {url.host}, which are not sent.", hint=_CHECK)
    if literal(host) is None and not _HOST.fullmatch(host):
        raise SourceError("names no host.", hint=_CHECK)
    return url


def _target_of(response: httpx.Response, url: httpx.URL) -> str:
    try:
        # `url`, and not the one that was asked: that has an address in the place of the host.
        return str(url.join(response.headers.get("location", "")))
    except httpx.InvalidURL:
        raise SourceError("redirects to something that is not a URL.", hint=_CHECK) from None


def _conditions(unless: Version, offset: int, of: Version) -> dict[str, str]:
    # A video gains nothing by compression, and what unpacks to gigabytes must not be unpacked.
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "callsheet"}
    if unless.etag:
        headers["If-None-Match"] = unless.etag
    elif unless.modified:
        headers["If-Modified-Since"] = unless.modified
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": of.etag or of.modified}
    return headers


def _answer(response: httpx.Response, of: Version, *, wants_less: bool) -> Answer | None:
    if response.status_code == 304 and wants_less:
        return None
    _refuse_status(response)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise SourceError(f"came as {redact(encoding)[:40]}, which nobody asked for.", hint=_CHECK)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml", "application/json"):
        raise SourceError(
            f"is {kind}, and no clip or picture.", hint="Open the address in a browser to see what it is."
        )
    offset, size = _part(response)
    # The part that was asked for is of the version that was named: If-Range says so, whatever the host repeats.
    version = of if response.status_code == 206 else _version(response)
    return Answer(version=version, offset=offset, size=size, chunks=response.iter_raw())


def _refuse_status(response: httpx.Response) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in (404, 410):
        raise SourceError(f"is not there: its host answered {status}.", hint="Check the address.")
    if status in (401, 403, 407):
        raise SourceError(f"may not be read: its host answered {status}.", hint=_CHECK)
    if status in (408, 416, 425, 429) or status >= 500:
        raise SourceUnreachable(
            f"cannot be fetched now: its host answered {status}.", hint="Run again later.", after=_after(response)
        )
    raise SourceError(f"cannot be fetched: its host answered {status}.", hint=_CHECK)


def _after(response: httpx.Response) -> timedelta | None:
    text = response.headers.get("retry-after", "")
    return timedelta(seconds=int(text)) if text.isascii() and text.isdecimal() and len(text) < 6 else None


def _part(response: httpx.Response) -> tuple[int, int | None]:
    """(where the body begins, length of the whole), as the host tells them."""
    if response.status_code == 206:
        match = _RANGE.fullmatch(response.headers.get("content-range", "").strip())
        if match is None:
            raise SourceUnreachable("was answered with a part that does not say where it belongs.")
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("content-length", "")
    return 0, int(length) if length.isascii() and length.isdecimal() and len(length) < 19 else None


def _version(response: httpx.Response) -> Version:
    etag, modified = (response.headers.get(name, "").strip()[:200] for name in ("etag", "last-modified"))
    is_strong = bool(etag) and not etag.startswith("W/")
    return Version(etag=etag, modified=modified, exact=is_strong or (not etag and _is_settled(modified, response)))


def _is_settled(modified: str, response: httpx.Response) -> bool:
    try:
        return parsedate_to_datetime(response.headers["date"]) - parsedate_to_datetime(modified) >= SETTLED
    except (KeyError, ValueError, TypeError):
        return False


@contextmanager
def _said() -> Iterator[None]:
    """The client's errors as ours; they name no more of an address than its host."""
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as error:
        why = redact(" ".join(str(error).split()) or type(error).__name__)[:200]
        if _is_untrusted(error):
            hint = "Check the address. A certificate authority of your own is given as SSL_CERT_FILE."
            raise SourceError(f"is not trusted: {why}.", hint=hint) from None
        raise SourceUnreachable(
            f"cannot be fetched now: {why}.", hint="Check the network, and run again: it goes on where it broke off."
        ) from None


def _is_untrusted(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        seen = seen.__cause__ or seen.__context__
    return "CERTIFICATE_VERIFY_FAILED" in str(error)
