"""The bytes of a URL that a submission names, taken when it is submitted, as the live gateway does: bounded and hashed.

Redirects are followed, each judged like the first. What was fetched is an upload like any other, but nobody's file.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx

from callsheet.sandbox import reach
from callsheet.sandbox.reach import Reach
from callsheet.sandbox.refusal import Refusal
from callsheet.sandbox.uploads import Upload

#: For the whole of one file (fal.ai's published limit for the same step).
LIMIT = timedelta(seconds=30)
#: Seconds to connect, and between two pieces of the body.
PATIENCE = 10.0
MOST_REDIRECTS = 5
#: Largest input of any model, in bytes: a clip of the O3 models, a first frame of the turbo ones.
MAX_VIDEO = 200_000_000
MAX_IMAGE = 50_000_000


def unreachable(param: str, why: str) -> Refusal:
    return Refusal(
        400,
        "invalid_media_url",
        f"A URL in {param} {why}.",
        param=param,
        hint="Upload the file to /api/v1/files/upload/stream and send the file_url of the answer.",
    )


async def fetch(url: str, param: str, folder: Path, allowed: Reach) -> Upload:
    """The file at this URL, whole and synced, still to be kept or dropped. Refusal 400 (`invalid_media_url`), 413."""
    upload = Upload(folder, most_video=MAX_VIDEO, most_image=MAX_IMAGE, param=param)
    try:
        async with asyncio.timeout(LIMIT.total_seconds()):
            async with _opened(_address(url, param), param, allowed) as answer:
                async for chunk in answer.aiter_raw():
                    upload.write(chunk)
        await asyncio.to_thread(upload.sync)
    except TimeoutError:
        upload.drop()
        raise unreachable(param, f"did not give its file within {LIMIT.total_seconds():.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        upload.drop()
        raise unreachable(param, f"cannot be fetched: {type(error).__name__}") from None
    except BaseException:
        upload.drop()
        raise
    return upload


@asynccontextmanager
async def _opened(url: httpx.URL, param: str, allowed: Reach) -> AsyncIterator[httpx.Response]:
    async with reach.client(PATIENCE) as browser:
        for _ in range(MOST_REDIRECTS + 1):
            answer = await _asked(browser, url, param, allowed)
            try:
                if not answer.has_redirect_location:
                    _check(answer, param)
                    yield answer
                    return
                url = _address(str(url.join(answer.headers["location"])), param)
            finally:
                await answer.aclose()
    raise unreachable(param, f"redirects more than {MOST_REDIRECTS} times")


async def _asked(browser: httpx.AsyncClient, url: httpx.URL, param: str, allowed: Reach) -> httpx.Response:
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "callsheet-sandbox"}
    try:
        request = await reach.request(browser, allowed, "GET", url, headers=headers)
    except (ValueError, UnicodeError):
        where = "" if allowed.public else ", and this sandbox reaches nothing but this machine"
        raise unreachable(param, f"is not on the public internet{where}") from None
    return await browser.send(request, stream=True)


def _address(text: str, param: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
        url.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError):
        raise unreachable(param, "is not a URL") from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise unreachable(param, "is not a plain http or https URL")
    return url


def _check(answer: httpx.Response, param: str) -> None:
    if answer.status_code != 200:
        raise unreachable(param, f"was answered with {answer.status_code}")
    if answer.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise unreachable(param, "came in an encoding that nobody asked for")
