"""Fetching a result: a link of the provider's in, a whole and plausible video file out, or nothing at all."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
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
#: Bytes needed to judge what a file is.
HEAD = 12

#: Called with the bytes so far and with the whole length, where the host gives one.
OnBytes = Callable[[int, int | None], None]

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
) -> Downloaded:
    """Stream the result to a temporary name beside `target`, check it, sync it, rename it. The client carries no key.

    ResultExpired when the link is dead (a status read may give a fresh one), ResultDamaged when what comes is not a
    whole video or the link may not be followed, Unavailable when the host cannot be reached, StoreUnreachable when the
    file cannot be written. Whatever happens, no partial file stays.
    """
    part = target.with_name(f".{target.stem}.part-{os.getpid()}-{next(_serial)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.timeout(TIME_LIMIT.total_seconds()):
                async with _open(client, url, loopback=loopback, where=where) as response:
                    done = await _write(response, part, max_bytes, on_progress)
            await asyncio.to_thread(_settle, part, target)
        finally:
            part.unlink(missing_ok=True)
    except (httpx.HTTPError, TimeoutError) as error:
        raise _cut_short(error, url, where) from None
    except OSError as error:
        raise StoreUnreachable(f"{target.parent} cannot be written: {error.strerror or error}.", where=where) from error
    return done


@asynccontextmanager
async def _open(
    client: httpx.AsyncClient, url: SecretStr, *, loopback: bool, where: str
) -> AsyncIterator[httpx.Response]:
    """The answer at the end of at most three redirects, each hop checked like the first."""
    link = addresses.result(url.get_secret_value(), loopback=loopback)
    for _ in range(MOST_REDIRECTS + 1):
        trace = addresses.DirectPeer(link.raw_host.decode("ascii"), loopback=loopback)
        async with client.stream("GET", link, extensions={"trace": trace}) as response:
            if not response.has_redirect_location:
                _check_status(response, where)
                yield response
                return
            link = addresses.result(_target_of(response, link), loopback=loopback)
    raise ResultDamaged(f"The link of the result redirects more than {MOST_REDIRECTS} times.", where=where)


def _target_of(response: httpx.Response, link: httpx.URL) -> str:
    try:
        return str(link.join(response.headers.get("location", "")))
    except httpx.InvalidURL:
        raise ResultDamaged("The link of the result redirects to something that is not a URL.") from None


def _check_status(response: httpx.Response, where: str) -> None:
    status = response.status_code
    if status == 200:
        return
    if 400 <= status < 500 and status not in (408, 429):
        hint = "Ask for the job's status again: it may name a fresh link. Links live 24 h."
        raise ResultExpired(f"The link of the result is dead: its host answered {status}.", where=where, hint=hint)
    wait = refusals.after(Answer(status=status, headers=response.headers, document=None))
    raise Unavailable(f"The host of the result answered {status}.", where=where, spent="yes", after=wait)


async def _write(response: httpx.Response, part: Path, max_bytes: int, on_progress: OnBytes | None) -> Downloaded:
    _refuse_encoded(response)
    expected = _length_of(response)
    _check_size(expected or 0, max_bytes)
    running, head, size = hashlib.sha256(), b"", 0
    with part.open("xb") as file:
        async for chunk in response.aiter_raw():
            size += len(chunk)
            _check_size(size, max_bytes)
            if len(head) < HEAD:
                head = (head + chunk)[:HEAD]
                _check_head(head, whole=False)
            running.update(chunk)
            file.write(chunk)
            if on_progress is not None:
                on_progress(size, expected)
        _check_head(head, whole=True)
        _check_length(response.num_bytes_downloaded, expected)
        await _sync(file)
    return Downloaded(sha256=running.hexdigest(), bytes=size, content_type=_content_type(response))


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
        raise ResultDamaged(f"The result was cut short: {received} of {expected} bytes came.")


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
