"""Callbacks: the finished task, posted to the address that its submission named, once its charge is settled.

10 s a try, and three more after 1, 2 and 4 s; then it is lost, as it is at the provider. Redirects are not followed. The
address is judged when it is connected to: the connection goes to exactly what was judged. A try is in the book before it
is made, so a server that is started again goes on with those that are left.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from callsheet.hosts import is_loopback, is_public, literal
from callsheet.sandbox import reach
from callsheet.sandbox.book import Book, Callback
from callsheet.sandbox.faults import Faults
from callsheet.sandbox.reach import Reach

log = logging.getLogger("callsheet.sandbox")

LIMIT = timedelta(seconds=10)
#: Tries that are under way at the same time: a thousand jobs may end at once, and each try has a connection.
AT_ONCE = 100
#: Seconds before each try.
PAUSES = (0, 1, 2, 4)

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_PATH = re.compile(r"[\x21-\x7e]*")


def judged(url: str, *, loopback: bool) -> str:
    """The same URL. ValueError, in words that follow its name, where nothing is called there.

    loopback: may it be plain http on this machine?
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    address = literal(host)
    here = is_loopback(host) or host.endswith(".localhost")
    if parts.username or parts.password or not (address or _HOST.fullmatch(host)) or not _PATH.fullmatch(url):
        raise ValueError("is not the URL of a host")
    if here and loopback and parts.scheme in ("http", "https"):
        return url
    if parts.scheme != "https":
        raise ValueError("must be https")
    if here or (address is not None and not is_public(address)):
        raise ValueError("names an internal address")
    return url


@dataclass(kw_only=True)
class Caller:
    """Makes the calls that the book says are due. document: what a task is told as. pauses: seconds before each try."""

    book: Book
    faults: Faults
    loopback: bool
    document: Callable[[str, str], Any]
    pauses: tuple[float, ...] = PAUSES
    _calls: set["asyncio.Task[None]"] = field(default_factory=set)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def open(self) -> None:
        """Go on with what a server before this one left."""
        for due in self.book.callbacks_due():
            self._begin(due)

    def settled(self, job: str) -> None:
        """The book says how it ended, and what it cost."""
        if (due := self.book.callback_of(job)) is not None:
            self._begin(due)

    async def stop(self) -> None:
        """Break off what is under way; it stays in the book."""
        for call in self._calls:
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls)

    def _begin(self, due: Callback) -> None:
        call = asyncio.create_task(self._call(due))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, due: Callback) -> None:
        body = json.dumps(self.document(due.job, due.base)).encode()
        for pause in self.pauses[due.tries :]:
            await asyncio.sleep(pause)
            async with self._turns:
                self.book.callback_begun(due.job)
                if await self._tried(due, body):
                    break
        self.book.callback_ended(due.job)

    async def _tried(self, due: Callback, body: bytes) -> bool:
        if self.faults.cue("callback") is not None:
            log.warning("the callback about %s is dropped on cue", due.job)
            return False
        try:
            async with asyncio.timeout(LIMIT.total_seconds()):
                status = await self._post(due.url, body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TimeoutError) as error:
            log.warning("the callback about %s came to nothing: %s", due.job, type(error).__name__)
            return False
        if not 200 <= status < 300:
            log.warning("the callback about %s was answered with %d", due.job, status)
            return False
        return True

    async def _post(self, url: str, body: bytes) -> int:
        """The status of the answer; its body is nobody's business."""
        async with reach.client(LIMIT.total_seconds()) as browser:
            allowed = Reach(public=True, loopback=self.loopback)
            headers = {"Content-Type": "application/json", "User-Agent": "callsheet-sandbox"}
            request = await reach.request(browser, allowed, "POST", httpx.URL(url), headers=headers, content=body)
            answer = await browser.send(request, stream=True)
            await answer.aclose()
            return answer.status_code
