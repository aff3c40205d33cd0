"""The client of the paid API: stage, submit once, ask, fetch. The only place where a request that costs is sent.

One call, one request: nothing here retries. What may be repeated is said by the error's `retry`, and done by the flow.
"""

import asyncio
import json
import logging
import re
import ssl
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from callsheet import __version__, catalogue, digest, hosts
from callsheet.catalogue import Options
from callsheet.credits import Credits
from callsheet.errors import ProviderError, ProviderSays, ResultDamaged, SubmissionInDoubt, Unavailable
from callsheet.evidence import SUBMIT_LIMIT, Job, Listing
from callsheet.provider import addresses, refusals, results, wire
from callsheet.provider.refusals import Asked
from callsheet.provider.results import Downloaded, OnBytes, Renew
from callsheet.provider.wire import Answer
from callsheet.redact import redact
from callsheet.routing import Idempotency

__all__ = [
    "Accepted",
    "Downloaded",
    "JobRequest",
    "JobStatus",
    "Provider",
    "Replay",
    "Route",
    "Staged",
]

READ_LIMIT = timedelta(seconds=60)
#: 100 MB, the most a clip may be, in a quarter of an hour is 111 kB/s.
UPLOAD_LIMIT = timedelta(minutes=15)
#: How long a staged file is trusted to live where the answer does not say; the docs promise 72 h.
STAGED_AT_LEAST = timedelta(hours=24)
#: Jobs in one status request: the vendor's own limit.
BATCH = 50
#: Pages of the list of jobs that are read at most.
MOST_PAGES = 20
#: Answers that mean "no such route here"; and those that say no to a batch and nothing about its jobs.
NO_SUCH_ROUTE = frozenset({404, 405, 501})
REFUSED_AS_A_WHOLE = frozenset({400, 403, 413, 415, 422})
#: Status requests on their way at a time.
ABREAST = 4
#: Bytes of a JSON answer that are read; 50 jobs are some 100 kB.
LONGEST_ANSWER = 8_000_000

CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}

_IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9._-]{16,96}")

State = Literal["pending", "processing", "succeeded", "failed"]

#: The provider's status words. A word it invents later is a job still in the making, never an end.
STATES: dict[str, State] = {
    "pending": "pending",
    "processing": "processing",
    "completed": "succeeded",
    "failed": "failed",
    "cancelled": "failed",
}


#: The code of a "failed" job whose id the provider does not know: "Task ID invalid or expired" (its list of task errors).
NOT_A_JOB = "resource_not_found"


class _Quiet(logging.Filter):
    """httpx logs every URL at INFO, and httpcore every Location header at DEBUG: signed links, both."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


def _silence() -> None:
    """A filter, not only a level: a logging configuration loaded later (Prefect's) resets levels and keeps filters."""
    for name in (
        "httpx",
        "httpcore",
        *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger(name).addFilter(_Quiet())


_silence()


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where jobs go. `name` is recorded in the ledger: "evolink", "sandbox", "loopback".

    Bases are https, or http for loopback hosts; both on this machine or neither, so that no paid run stages its media
    in the sandbox or the other way round. idempotency: what the provider does with an Idempotency-Key it has seen:
    gives the first job again ("replay"), refuses ("reject"), or ignores it ("none"). ProviderError on a bad base or key.
    """

    name: str
    api: str
    files: str
    key: SecretStr
    idempotency: Idempotency = "replay"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api", addresses.base(self.api, what="The API's base URL"))
        object.__setattr__(self, "files", addresses.base(self.files, what="The base URL of the files service"))
        if hosts.is_loopback(addresses.host_of(self.api)) != hosts.is_loopback(addresses.host_of(self.files)):
            raise ProviderError(
                "One of the two base URLs is this machine and the other is not.",
                where=self.name,
                hint="Set EVOLINK_BASE_URL and EVOLINK_FILES_BASE_URL together.",
            )
        _check_key(self.key, self.name)

    @property
    def is_loopback(self) -> bool:
        return hosts.is_loopback(addresses.host_of(self.api))

    @property
    def account(self) -> str:
        """Whose jobs these are, without telling the key: 16 hex characters. An Idempotency-Key means something within one
        account at one address only; on this machine the port of a provider may change."""
        address = "" if self.is_loopback else self.api
        return digest.of_bytes(f"{address}\n{self.key.get_secret_value()}".encode())[:16]


def _check_key(key: SecretStr, where: str) -> None:
    text = key.get_secret_value()
    if not re.fullmatch(r"[\x21-\x7e]{1,512}", text):
        problem = "holds a space, a line break or an odd character" if text.strip() else "is empty"
        raise ProviderError(f"The key {problem}.", where=where, hint="Set EVOLINK_API_KEY, without quotes or spaces.")


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """One edit to pay for. The names of the fields on the wire come from the model's row in the catalogue.

    URLs are signed: they show in no repr. `aspect_ratio` and `keep_original_sound` are sent where they are not None;
    an aspect ratio is not sent to a model that has no such field. options: by name; a list or a mapping as JSON.
    """

    model: str
    prompt: str
    video_urls: tuple[SecretStr, ...] = ()
    images: tuple[SecretStr, ...] = ()
    aspect_ratio: str | None = None
    keep_original_sound: bool | None = None
    options: Options = ()
    #: Where the provider tells how the job ended; whoever knows the address can tell it, so it is a secret.
    callback: SecretStr | None = None

    def body(self) -> dict[str, Any]:
        """What is sent. KeyError for a model that the catalogue does not have; ValueError for inputs it does not take."""
        row = catalogue.model(self.model)
        fields: dict[str, Any] = {"model": self.model}
        if self.prompt or row.prompt_required:
            fields["prompt"] = self.prompt
        fields |= self._clip(row)
        fields |= self._images(row)
        if self.aspect_ratio is not None and row.aspect_ratios:
            fields["aspect_ratio"] = self.aspect_ratio
        if self.keep_original_sound is not None and row.sound_field:
            _put(fields, row.sound_field, self.keep_original_sound)
        for name, value in self.options:
            option = row.options[name]
            sent = json.loads(str(value)) if option.kind in ("list", "mapping") else value
            _put(fields, option.field, sent)
        if self.callback is not None:
            fields["callback_url"] = self.callback.get_secret_value()
        return fields

    def _clip(self, row: catalogue.Model) -> dict[str, Any]:
        clips = [url.get_secret_value() for url in self.video_urls]
        if row.clip is None or (not clips and not row.clip.required):
            if clips:
                raise ValueError(f"{self.model} takes no clip")
            return {}
        if len(clips) != 1:
            raise ValueError(f"{self.model} takes one clip, not {len(clips)}")
        return {row.clip.field: clips if row.clip.shape == "list" else clips[0]}

    def _images(self, row: catalogue.Model) -> dict[str, Any]:
        images = [url.get_secret_value() for url in self.images]
        if not images:  # an empty array breaks the provider's schema (minItems 1)
            return {}
        if row.images is None:
            raise ValueError(f"{self.model} takes no images")
        if len(images) > row.images.count[1]:
            raise ValueError(f"{self.model} takes {row.images.count[1]} images, not {len(images)}")
        if row.images.shape == "single":
            return dict(zip(row.images.fields, images, strict=False))
        return {row.images.fields[0]: images}

    @property
    def secrets(self) -> tuple[str, ...]:
        urls = (*self.video_urls, *self.images, *([self.callback] if self.callback else []))
        return tuple(url.get_secret_value() for url in urls)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A request whose fate is unknown, sent again: a replay has to carry the very same body, signed URLs included."""

    sent: Mapping[str, Any] = field(repr=False)

    def body(self) -> dict[str, Any]:
        return dict(self.sent)

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(_urls(self.sent))


def _urls(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from [value] if "://" in value else []
    elif isinstance(value, Mapping):
        yield from (url for item in value.values() for url in _urls(item))
    elif isinstance(value, list):
        yield from (url for item in value for url in _urls(item))


def _put(fields: dict[str, Any], path: str, value: Any) -> None:
    """Set a field that may lie inside another one: "model_params.keep_sound"."""
    *outer, name = path.split(".")
    for part in outer:
        fields = fields.setdefault(part, {})
    fields[name] = value


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A file that the provider can read. expires_at: aware UTC."""

    url: SecretStr
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The provider has the job. `reserved` is None where it did not say, or not in whole units.

    replayed: it had this Idempotency-Key before, and this is the job of then. estimated: until it is done.
    """

    job: str
    reserved: Credits | None
    request_id: str
    replayed: bool
    estimated: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """One job as the provider tells it. progress: 0 to 100. estimated: what is left.

    `result` is the signed link of a succeeded job; None there means that the provider named no link (yet). `error` is set
    on a failed job only. refunded: True when it says the credits came back, False when it says not (yet), or not all, else
    None. charged: less what came back. is_settling: it failed, and the provider still holds its credits.
    retry_after: how long the provider asks to wait before another job like a failed one.
    """

    job: str
    state: State
    progress: int
    result: SecretStr | None = None
    charged: Credits | None = None
    reserved: Credits | None = None
    error: ProviderSays | None = None
    refunded: bool | None = None
    is_settling: bool = False
    retry_after: timedelta | None = None
    estimated: timedelta | None = None

    @property
    def is_done(self) -> bool:
        return self.state in ("succeeded", "failed")


@cache
def _tls(trust_env: bool) -> ssl.SSLContext:
    """Reading the certificates takes 20 ms; every client of the process shares them."""
    return httpx.create_ssl_context(trust_env=trust_env)


class Provider:
    """`async with Provider(route) as provider`. Safe to share between any number of coroutines of one event loop.

    submit_limit: how long the paid request may take, connecting and answering together. transport: what carries requests
    instead of the network; it has to call the `trace` of a request's extensions as httpcore does.
    """

    def __init__(
        self,
        route: Route,
        *,
        submit_limit: timedelta = SUBMIT_LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.route = route
        self._submit_limit = submit_limit
        #: The proxy and certificate settings of the environment count, except on loopback, which no proxy can reach.
        environment = not route.is_loopback
        tls = _tls(environment)
        timeout = httpx.Timeout(30, connect=10, pool=None)
        # The paid request gets a connection of its own: a kept-alive one that the server closes just then would lose
        # the answer to a request that was never read, and leave a take in doubt for nothing.
        alone = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._paid = httpx.AsyncClient(
            verify=tls, trust_env=environment, timeout=timeout, limits=alone, transport=transport
        )
        self._free = httpx.AsyncClient(verify=tls, trust_env=environment, timeout=timeout, transport=transport)
        plain = {"Accept-Encoding": "identity"}  # a video gains nothing, and its length can be checked
        self._results = httpx.AsyncClient(
            verify=tls, trust_env=environment, timeout=timeout, headers=plain, transport=transport
        )
        self._has_batch = True
        self._abreast = asyncio.Semaphore(ABREAST)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in (self._paid, self._free, self._results):
            await client.aclose()

    # --- the paid request ---------------------------------------------------------------------------------------------

    async def submit(self, request: JobRequest | Replay, *, idempotency_key: str) -> Accepted:
        """Send one job: exactly one POST, at most 30 s, never repeated here. Commit SUBMITTING before calling this.

        idempotency_key: 16 to 96 of A-Z a-z 0-9 . _ - (ValueError otherwise, before anything is sent); a replay needs
        the same key *and* the same body, signed URLs included.
        Rejected (Unauthorized, InsufficientCredit, ContentRefused) and Unavailable prove that nothing was accepted:
        release the hold. SubmissionInDoubt proves nothing: keep it. Cancelled while it waits, treat it as in doubt too.
        """
        if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
            raise ValueError("an idempotency key is 16 to 96 characters of A-Z a-z 0-9 . _ -")
        content = json.dumps(request.body(), sort_keys=True, ensure_ascii=False).encode()  # a replay is the same bytes
        asked = self._asked("the job", secrets=request.secrets)
        departure = _Departure()
        try:
            async with asyncio.timeout(self._submit_limit.total_seconds()):
                answer = await self._send_paid(content, idempotency_key, departure)
            return _accepted(answer, asked)
        except ProviderError:
            raise
        except Exception as error:
            # Anything at all, a bug of ours included: once bytes began to leave, only doubt is honest.
            raise _gone(error, asked, departure) from None

    async def _send_paid(self, content: bytes, idempotency_key: str, departure: "_Departure") -> Answer:
        headers = {
            **self._headers(),
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key,
            "X-Evo-Run-Id": idempotency_key,
        }
        url = f"{self.route.api}/v1/videos/generations"
        extensions = {"trace": departure}
        return await _exchange(self._paid, "POST", url, headers=headers, content=content, extensions=extensions)

    # --- free requests ------------------------------------------------------------------------------------------------

    async def upload(self, file: Path, *, name: str, called: str = "") -> Staged:
        """Put a file where the provider can read it, in constant memory. Free: nothing is charged for staging.

        name: what the files service calls it; its suffix gives the content type. called: what a person calls it, for
        errors; its file's name otherwise. Unavailable (repeat it), Rejected, Unauthorized; OSError when the file itself
        cannot be read.
        """
        asked = self._asked(f"the upload of {called or file.name}")
        started = datetime.now(UTC)
        content_type = CONTENT_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
        with file.open("rb") as data:
            answer = await self._send_free(
                "POST",
                f"{self.route.files}/api/v1/files/upload/stream",
                asked,
                limit=UPLOAD_LIMIT,
                files={"file": (name, data, content_type)},
                data={"file_name": name},
            )
        stored = wire.read(wire.Upload, answer.document) if answer.is_success else None
        if stored is None or not stored.success:
            raise refusals.of_read(answer, asked)
        return self._staged(stored.data, answer, asked, started)

    def _staged(self, stored: wire.StoredFile, answer: Answer, asked: Asked, started: datetime) -> Staged:
        try:
            addresses.result(stored.file_url, loopback=self.route.is_loopback)
        except ResultDamaged:
            raise refusals.unusable(answer, asked) from None
        return Staged(url=SecretStr(stored.file_url), expires_at=stored.expiry or started + STAGED_AT_LEAST)

    async def status(self, jobs: Sequence[str]) -> dict[str, JobStatus]:
        """The status of these jobs. One that the provider does not know is absent. Nothing here ever says "failed" but
        the provider: a malformed or missing answer is Unavailable, raised when any of the jobs could not be asked about.
        """
        answers = await self.answers(jobs)
        for answer in answers.values():
            if isinstance(answer, ProviderError):
                raise answer
        return {job: answer for job, answer in answers.items() if isinstance(answer, JobStatus)}

    async def answers(self, jobs: Sequence[str]) -> dict[str, JobStatus | ProviderError]:
        """Like `status`, but each job has its own outcome: one that cannot be read does not hide the others."""
        asked_for = list(dict.fromkeys(job for job in jobs if wire.is_job_id(job)))
        groups = [asked_for[start : start + BATCH] for start in range(0, len(asked_for), BATCH)]
        found: dict[str, JobStatus | ProviderError] = {}
        for answers in await asyncio.gather(*(self._group(group) for group in groups)):
            found |= answers
        return found

    async def _group(self, jobs: list[str]) -> dict[str, JobStatus | ProviderError]:
        try:
            found = await self._batch(jobs) if self._has_batch else {}
        except ProviderError as error:
            return dict.fromkeys(jobs, error)
        return {**found, **await self._singles([job for job in jobs if job not in found])}

    async def _batch(self, jobs: list[str]) -> dict[str, JobStatus]:
        """One request for all; empty where the provider does not take it. The route is not in its public docs, so a
        refusal of it says nothing about the jobs: they are then asked for one by one, over the documented route.
        """
        asked = self._asked("the status request", spent="unknown")
        url = f"{self.route.api}/v1/tasks/batch"
        async with self._abreast:
            answer = await self._send_free("POST", url, asked, json={"task_ids": jobs})
        if answer.status in NO_SUCH_ROUTE:
            self._has_batch = False
        if answer.status in NO_SUCH_ROUTE | REFUSED_AS_A_WHOLE:
            return {}
        if not answer.is_success or not isinstance(answer.document, dict) or "data" not in answer.document:
            raise refusals.of_read(answer, asked)
        wanted = set(jobs)
        told = [task for task in wire.tasks(answer.document) if task.id in wanted and not _is_unknown(task)]
        return {task.id: _status(task, asked) for task in told}

    async def _singles(self, jobs: Iterable[str]) -> dict[str, JobStatus | ProviderError]:
        """One request each; the first that is told to wait speaks for those not yet sent."""
        found: dict[str, JobStatus | ProviderError] = {}
        stop: list[Unavailable] = []

        async def ask(job: str) -> None:
            async with self._abreast:
                answer = stop[0] if stop else await self._single_or_error(job)
                if isinstance(answer, Unavailable) and answer.after is not None:
                    stop.append(answer)
                if answer is not None:
                    found[job] = answer

        await asyncio.gather(*(ask(job) for job in jobs))
        return found

    async def _single_or_error(self, job: str) -> JobStatus | ProviderError | None:
        try:
            return await self._single(job)
        except ProviderError as error:
            return error

    async def _single(self, job: str) -> JobStatus | None:
        asked = self._asked(f"the status request for {job}", spent="unknown")
        answer = await self._send_free("GET", f"{self.route.api}/v1/tasks/{quote(job, safe='')}", asked)
        if answer.status == 404:
            return None
        task = wire.read(wire.Task, answer.document) if answer.is_success else None
        if task is None or task.id != job:
            raise refusals.of_read(answer, asked)
        return None if _is_unknown(task) else _status(task, asked)

    async def listed(self, *, model: str, since: datetime) -> Listing | None:
        """The jobs that the provider lists of a model, newest first, back to `since` or as far as MOST_PAGES reach.

        None: this provider has no list. Unavailable, Rejected: it could not be read as a whole, and nothing is concluded.
        What it says was used is told only where it is more than nothing: an unfinished job has used nothing yet.
        """
        asked = self._asked("the list of jobs", spent="unknown")
        found: dict[str, Job] = {}
        reached, is_sorted = datetime.now(UTC), True
        for page in range(1, MOST_PAGES + 1):
            query: dict[str, str | int] = {"model": model, "page": page, "page_size": BATCH}
            answer = await self._send_free("GET", f"{self.route.api}/v1/tasks", asked, params=query)
            if answer.status in NO_SUCH_ROUTE:
                return None
            told = wire.read(wire.TaskList, answer.document) if answer.is_success else None
            if told is None or wire.error_object(answer.document) is not None:
                raise refusals.of_read(answer, asked)
            if not told.data:
                return Listing(jobs=tuple(found.values()), reached=since, told_at=_date(answer))
            is_new = any(row.id not in found for row in told.data)
            found.update({row.id: _listed(row) for row in told.data})
            dates = [row.created_at for row in told.data if row.created_at is not None]
            is_sorted = is_sorted and (not dates or dates[0] >= dates[-1])
            reached = min(reached, *dates) if dates else reached
            if not is_new or (dates and is_sorted and max(dates) < since):
                break
        reached = reached if is_sorted else datetime.now(UTC)
        return Listing(jobs=tuple(found.values()), reached=reached, told_at=_date(answer))

    async def balance(self) -> Credits | None:
        """What this key can still spend: the lesser of the account's balance and the key's limit; None if not told."""
        asked = self._asked("the balance request")
        answer = await self._send_free("GET", f"{self.route.api}/v1/credits", asked)
        if answer.status in NO_SUCH_ROUTE:
            return None
        balance = wire.read(wire.Balance, answer.document) if answer.is_success else None
        if balance is None or wire.error_object(answer.document) is not None:
            raise refusals.of_read(answer, asked)
        return balance.available

    async def download(
        self,
        url: SecretStr,
        target: Path,
        *,
        max_bytes: int,
        on_progress: OnBytes | None = None,
        renew: Renew | None = None,
    ) -> Downloaded:
        """Fetch a result to `target`, whole, checked, synced and only then under its name. The key is not sent along.

        on_progress(bytes so far, bytes in all or None). renew: asked once for another link, where this one dies in the
        middle. ResultExpired (ask the status again for a fresh link),
        ResultDamaged, Unavailable (both safe to repeat, unless `retry` says never), StoreUnreachable. The job is paid for.
        """
        return await results.fetch(
            self._results,
            url,
            target,
            max_bytes=max_bytes,
            loopback=self.route.is_loopback,
            where=self.route.name,
            on_progress=on_progress,
            renew=renew,
        )

    # --- the exchange -------------------------------------------------------------------------------------------------

    def _asked(self, doing: str, *, spent: Literal["no", "unknown"] = "no", secrets: Sequence[str] = ()) -> Asked:
        known = (self.route.key.get_secret_value(), *secrets)
        return Asked(where=self.route.name, doing=doing, spent=spent, hide=lambda text: redact(text, known))

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.route.key.get_secret_value()}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"callsheet/{__version__}",
        }

    async def _send_free(
        self, method: str, url: str, asked: Asked, *, limit: timedelta = READ_LIMIT, **content: Any
    ) -> Answer:
        try:
            async with asyncio.timeout(limit.total_seconds()):
                return await _exchange(self._free, method, url, headers=self._headers(), **content)
        except (httpx.HTTPError, TimeoutError, ValueError) as error:  # a redirect to what is no address is a ValueError
            raise refusals.unreached(error, asked) from None


class _Departure:
    """httpcore's trace hook: has our POST begun to leave? (A proxy's CONNECT, and TLS, carry nothing of it.)"""

    def __init__(self) -> None:
        self.began = False

    async def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started") and facts["request"].method == b"POST":
            self.began = True


async def _exchange(client: httpx.AsyncClient, method: str, url: str, **request: Any) -> Answer:
    """One request, one answer. A body that breaks off, or is not JSON, leaves a status without a document."""
    async with client.stream(method, url, **request) as response:
        body = b""
        with suppress(httpx.TransportError):
            body = await _body(response)
        return Answer(status=response.status_code, headers=response.headers, document=wire.parsed(body))


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LONGEST_ANSWER:
            return b""
    return _unpacked(bytes(body), response.headers.get("content-encoding", "identity").strip().lower())


def _unpacked(body: bytes, encoding: str) -> bytes:
    """What something in between has compressed although nobody asked, up to LONGEST_ANSWER; nothing for any more.

    httpx would unpack all of it at once, and an encoding of an encoding makes gigabytes of a few kilobytes (measured).
    """
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return b""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either header
    try:
        plain = unpacker.decompress(body, LONGEST_ANSWER)
    except zlib.error:
        return b""
    return plain if unpacker.eof else b""


def _gone(error: Exception, asked: Asked, departure: _Departure) -> SubmissionInDoubt | Unavailable:
    return refusals.lost(error, asked) if departure.began else refusals.unreached(error, asked)


def _accepted(answer: Answer, asked: Asked) -> Accepted:
    """The job of a 2xx with a well-formed id, whatever else stands beside it; the error that fits, otherwise."""
    created = wire.read(wire.Created, answer.document) if answer.is_success else None
    if created is None:
        raise refusals.of_submission(answer, asked)
    return Accepted(
        job=created.id,
        reserved=created.usage.credits_reserved,
        request_id=refusals.says(answer, asked.hide).request_id,
        replayed=answer.headers.get("idempotency-replayed", "").strip().lower() == "true",
        estimated=_seconds(created.task_info.estimated_time),
    )


def _listed(row: wire.ListedTask) -> Job:
    return Job(id=row.id, model=row.model, created=row.created_at, credits=row.credits_used or None)


def _date(answer: Answer) -> datetime | None:
    """When the server answered, by its own clock (RFC 9110, Date); None where it does not say."""
    try:
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_unknown(task: wire.Task) -> bool:
    """Does the provider say of the id that it is invalid or expired? That is no word about how the job ended."""
    return STATES.get(task.status) == "failed" and task.error.code == NOT_A_JOB


def _status(task: wire.Task, asked: Asked) -> JobStatus:
    state = STATES.get(task.status, "processing")
    billing, usage = task.billing, task.usage
    charged, refunded = _net(
        usage.credits_used if billing.charged_credits is None else billing.charged_credits, billing
    )
    return JobStatus(
        job=task.id,
        state=state,
        progress=100 if state == "succeeded" else task.progress,
        result=SecretStr(task.link) if state == "succeeded" and task.link else None,
        charged=charged,
        reserved=usage.credits_reserved if billing.reserved_credits is None else billing.reserved_credits,
        error=_failure(task, asked) if state == "failed" else None,
        refunded=refunded,
        is_settling=state == "failed" and billing.charge_status == "reserved" and billing.refund_status != "completed",
        retry_after=refusals.after(_told(task)) if state == "failed" else None,
        estimated=_seconds(task.task_info.estimated_time),
    )


def _seconds(count: int | None) -> timedelta | None:
    return None if count is None else timedelta(seconds=count)


def _told(task: wire.Task) -> Answer:
    """The error of a failed job, read like that of a refused request."""
    return Answer(status=200, headers={}, document={"error": task.error.model_dump()})


def _failure(task: wire.Task, asked: Asked) -> ProviderSays:
    said = refusals.says(_told(task), asked.hide)
    code = "request_cancelled" if task.status == "cancelled" else said.code or "unknown_error"
    request_id = said.request_id or refusals.legible(task.request_id, asked.hide, refusals.LONGEST_WORD)
    return ProviderSays(code=code, message=said.message, request_id=request_id, param=said.param, extra=said.extra)


def _net(charged: Credits | None, billing: wire.Billing) -> tuple[Credits | None, bool | None]:
    """What stays charged, and whether all of it came back. Nothing but the provider's word proves a refund; a failed job
    alone does not (the vendor's own client says so)."""
    back = billing.refunded_credits
    if billing.refund_status == "completed" and charged is not None and back is not None and back < charged:
        return charged - back, False
    if billing.refund_status == "completed" or billing.charge_status == "released":
        return charged, True
    if billing.refund_status in ("pending", "failed") or billing.charge_status == "charged":
        return charged, False
    return charged, None
