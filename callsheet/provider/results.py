"""Fetching a result: a link of the provider's in, a whole and plausible video file out, or nothing at all."""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import BinaryIO

import httpx
from pydantic import SecretStr

from callsheet.errors import ProviderError, ResultDamaged, ResultExpired, StoreUnreachable, Unavailable
from callsheet.provider import addresses, refusals
from callsheet.provider.wire import Answer
from callsheet.redact import redact

#: Redirects followed for one result.
MOST_REDIRECTS = 3
#: A download that takes longer is given up; 100 MB in half an hour is 56 kB/s.
TIME_LIMIT = timedelta(minutes=30)
#: The boxes an MP4 or MOV file may begin with; the name stands at byte 4 (ISO/IEC 14496-12; QuickTime File Format).
FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"uuid"})
#: Seconds before each further try for the rest, as long as not one byte more comes; a try that brings some begins anew.
WAITS = (0.2, 0.5, 1.0)
#: A host that asks for more patience than this, in seconds, is tried again by whoever wants the result.
LONGEST_PAUSE = 30
#: Of a part: its first byte, its last, and how many there are in all.
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
#: Bytes needed to judge what a file is.
HEAD = 12

#: Called with the bytes so far and with the whole length, where the host gives one.
OnBytes = Callable[[int, int | None], None]
#: Gives another link to the same result, where the one that was given is dead.
Renew = Callable[[], Awaitable[SecretStr]]

_serial = count()


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """What lies at the target now."""

    sha256: str
    bytes: int
    content_type: str


async def fetch(
    client: httpx.AsyncClient,
    url: SecretStr,
    target: Path,
    *,
    max_bytes: int,
    loopback: bool,
    where: str,
    on_progress: OnBytes | None = None,
    renew: Renew | None = None,
) -> Downloaded:
    """Stream the result to a temporary name beside `target`, check it, sync it, rename it. The client carries no key.

    A connection that breaks off in the middle is gone on with, where the host names the version it sends; one whose link
    dies in the middle, with the link that `renew` gives. ResultExpired when the link is dead (a status read may give a
    fresh one), ResultDamaged when what comes is not a whole video or the link may not be followed, Unavailable when the
    host cannot be reached, StoreUnreachable when the file cannot be written. Whatever happens, no partial file stays.
    """
    half = _Half(target.with_name(f".{target.stem}.part-{os.getpid()}-{next(_serial)}{target.suffix}"), max_bytes)
    asking = _Asking(client=client, loopback=loopback, where=where, on_progress=on_progress, renew=renew)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.timeout(TIME_LIMIT.total_seconds()):
                await _insisted(asking, url, half)
            await asyncio.to_thread(_settle, half.path, target)
        finally:
            half.path.unlink(missing_ok=True)
    except (httpx.HTTPError, TimeoutError) as error:
        raise _cut_short(error, url, where) from None
    except OSError as error:
        raise StoreUnreachable(f"{target.parent} cannot be written: {error.strerror or error}.", where=where) from error
    return half.downloaded


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """Whom a result is asked of, and who wants to hear of it."""

    client: httpx.AsyncClient
    loopback: bool
    where: str
    on_progress: OnBytes | None
    renew: Renew | None


async def _insisted(asking: _Asking, url: SecretStr, half: "_Half") -> None:
    """Until it is whole. What breaks off in the middle is tried again until tries in a row have brought nothing."""
    idle, most, first = 0, 0, url
    while True:
        try:
            async with _open(asking, url, half.headers()) as response:
                await half.take(response, asking.on_progress)
                return
        except ResultExpired:
            if asking.renew is None or not half.can_go_on or url is not first:
                raise
            if (url := await asking.renew()) == first:
                raise
        except (httpx.TransportError, _BrokenOff, Unavailable) as error:
            idle, most = (0 if half.size > most else idle + 1), max(half.size, most)
            wait = _wait(error, idle)
            if idle > len(WAITS) or wait > LONGEST_PAUSE or not (half.can_go_on or isinstance(error, _Changed)):
                raise
            await asyncio.sleep(wait)


def _wait(error: Exception, idle: int) -> float:
    asked = error.after if isinstance(error, ProviderError) else None
    return asked.total_seconds() if asked else WAITS[min(max(idle - 1, 0), len(WAITS) - 1)]


class _BrokenOff(ResultDamaged):
    """Fewer bytes came than were announced."""


class _Changed(_BrokenOff):
    """What was to complete a half does not belong to it: it begins again."""


class _Half:
    """What came of a result so far, in which version, and what it is the half of."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._clear()

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._clear()

    def _clear(self) -> None:
        self.size = 0
        self._head, self._running = b"", hashlib.sha256()
        self._validator, self._content_type = "", ""
        self._length: int | None = None

    @property
    def can_go_on(self) -> bool:
        return self.size > 0 and self._validator != ""

    @property
    def downloaded(self) -> Downloaded:
        return Downloaded(sha256=self._running.hexdigest(), bytes=self.size, content_type=self._content_type)

    def headers(self) -> dict[str, str]:
        """What asks for the rest of this very version, and for all of any other."""
        return {"Range": f"bytes={self.size}-", "If-Range": self._validator} if self.can_go_on else {}

    async def take(self, response: httpx.Response, on_progress: OnBytes | None) -> None:
        """The bytes of an answer, to the end. ResultDamaged; _BrokenOff, _Changed: what came may still be completed."""
        _refuse_encoded(response)
        self._begin(response)
        _check_size(self._length or 0, self._max_bytes)
        with self.path.open("ab") as file:
            async for chunk in response.aiter_raw():
                _check_size(self.size + len(chunk), self._max_bytes)
                if len(self._head) < HEAD:
                    self._head = (self._head + chunk)[:HEAD]
                    _check_head(self._head, whole=False)
                self._running.update(chunk)
                file.write(chunk)
                self.size += len(chunk)
                if on_progress is not None:
                    on_progress(self.size, self._length)
            _check_head(self._head, whole=True)
            _check_length(self.size, self._length)
            await _sync(file)

    def _begin(self, response: httpx.Response) -> None:
        """Behind what is there, where it goes on exactly there in the same version; else from the start."""
        if response.status_code == 206:
            if not self._is_continued_by(response):
                self.forget()
                raise _Changed("The rest of the result was answered with a part of something else.")
            return
        self.forget()
        if response.status_code == 416:
            raise _Changed("The result has become shorter than what came of it.")
        self._validator, self._length = _validator_of(response), _length_of(response)
        self._content_type = _content_type(response)

    def _is_continued_by(self, response: httpx.Response) -> bool:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip().lower())
        if found is None or int(found[1]) != self.size or int(found[2]) + 1 != int(found[3]):
            return False
        if self._length is None:
            self._length = int(found[3])
        return int(found[3]) == self._length and _validator_of(response) in ("", self._validator)


def _validator_of(response: httpx.Response) -> str:
    """What names this version to its host exactly: a strong ETag, else the time of its last change."""
    etag: str = response.headers.get("etag", "").strip()
    modified: str = response.headers.get("last-modified", "").strip()
    return etag if etag.startswith('"') else modified


@asynccontextmanager
async def _open(asking: _Asking, url: SecretStr, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
    """The answer at the end of at most three redirects, each hop checked like the first."""
    link = addresses.result(url.get_secret_value(), loopback=asking.loopback)
    for _ in range(MOST_REDIRECTS + 1):
        trace = addresses.DirectPeer(link.raw_host.decode("ascii"), loopback=asking.loopback)
        async with _asked(asking, link, headers, trace) as response:
            if not response.has_redirect_location:
                _check_status(response, asking.where, of_part="Range" in headers)
                yield response
                return
            link = addresses.result(_target_of(response, link), loopback=asking.loopback)
    raise ResultDamaged(f"The link of the result redirects more than {MOST_REDIRECTS} times.", where=asking.where)


@asynccontextmanager
async def _asked(
    asking: _Asking, link: httpx.URL, headers: dict[str, str], trace: addresses.DirectPeer
) -> AsyncIterator[httpx.Response]:
    request = asking.client.build_request("GET", link, headers=headers, extensions={"trace": trace})
    try:
        response = await asking.client.send(request, stream=True)
    except ValueError as error:  # httpx reads the address of a redirect before anybody can look at it
        what = "The link of the result redirects to what is no address."
        raise ResultDamaged(what, where=asking.where, retry="never") from error
    try:
        yield response
    finally:
        await response.aclose()


def _target_of(response: httpx.Response, link: httpx.URL) -> str:
    try:
        return str(link.join(response.headers.get("location", "")))
    except httpx.InvalidURL:
        raise ResultDamaged("The link of the result redirects to something that is not a URL.", retry="never") from None


def _check_status(response: httpx.Response, where: str, *, of_part: bool) -> None:
    status = response.status_code
    if status == 200 or (of_part and status in (206, 416)):
        return
    if 400 <= status < 500 and status not in (408, 429):
        hint = "Ask for the job's status again: it may name a fresh link. Links live 24 h."
        raise ResultExpired(f"The link of the result is dead: its host answered {status}.", where=where, hint=hint)
    wait = refusals.after(Answer(status=status, headers=response.headers, document=None))
    raise Unavailable(f"The host of the result answered {status}.", where=where, spent="yes", after=wait)


async def _sync(file: BinaryIO) -> None:
    file.flush()
    await asyncio.to_thread(os.fsync, file.fileno())


def _settle(part: Path, target: Path) -> None:
    """Rename, and make the rename itself last: what the ledger then calls fetched must survive a power cut."""
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refuse_encoded(response: httpx.Response) -> None:
    """A video gains nothing by compression, and what unpacks to gigabytes must not be unpacked."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise ResultDamaged(f"The result came as {refusals.legible(encoding, redact, 40)}, which nobody asked for.")


def _length_of(response: httpx.Response) -> int | None:
    text = response.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _content_type(response: httpx.Response) -> str:
    said: str = response.headers.get("content-type", "")
    return refusals.legible(said.partition(";")[0], redact, 100).lower()


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        what = f"The result is larger than {max_bytes} bytes, the most that is fetched."
        raise ResultDamaged(what, retry="never")


def _check_length(received: int, expected: int | None) -> None:
    if expected is not None and received != expected:
        raise _BrokenOff(f"The result was cut short: {received} of {expected} bytes came.")


def _check_head(head: bytes, *, whole: bool) -> None:
    """ResultDamaged unless the file begins like an MP4 or MOV. whole: no more bytes will come."""
    if len(head) < HEAD and not whole:
        return
    if head[4:8] not in FIRST_BOXES or len(head) < HEAD:
        raise ResultDamaged(f"The result is not an MP4 or MOV file: it begins like {_looks_like(head)}.")


def _looks_like(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if not head:
        return "an empty file"
    return {b"<": "a web page", b"{": "a JSON document", b"[": "a JSON document"}.get(start, "something else")


def _cut_short(error: Exception, url: SecretStr, where: str) -> ProviderError:
    """Cut in the middle is a damaged result; not reached at all is a host to try again. Both are safe to repeat."""
    cause = refusals.spoken(error, lambda text: redact(text, known=(url.get_secret_value(),)))
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.DecodingError):
        return ResultDamaged(f"The result was cut short: {cause}.", where=where)
    return Unavailable(f"The host of the result cannot be read: {cause}.", where=where, spent="yes")
