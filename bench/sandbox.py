"""The sandbox with a thousand jobs waiting: how long a status read takes at 200 a second, against its sign of life."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import httpx

from bench import footage
from bench.authoring import lay_out
from bench.orchestration import provider
from bench.row import Row

JOBS = 1_000
#: Reads a second, and for how many seconds.
RATE, SPAN = 200, 5
RENDER_SECONDS = 120


def rows(folder: Path) -> Iterator[Row]:
    """One server, one client; both measurements at the same rate, one after the other."""
    lay_out(folder)
    with provider(folder / "home", RENDER_SECONDS) as url:
        submitted, ids = asyncio.run(_filled(url))
        asyncio.run(_latency(url, ["/health"]))  # both are warm
        alive = asyncio.run(_latency(url, ["/health"]))
        reads = asyncio.run(_latency(url, [f"/v1/tasks/{one}" for one in ids]))
        batches = asyncio.run(_batches(url, ids))
    yield Row(
        what=f"status read, {JOBS} jobs waiting, {RATE} a second, 99th percentile",
        ours=reads,
        against="GET /health at the same rate",
        theirs=alive,
        at_most=5,
    )
    yield Row(
        what=f"status of {JOBS} jobs, 50 at a time",
        ours=batches,
        against="a second",
        theirs=1.0,
        at_most=1,
    )
    yield Row(
        what=f"accept {JOBS} jobs, one after the other",
        ours=submitted / JOBS,
        against="50 ms a job",
        theirs=0.05,
        at_most=1,
    )


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer sk-any"}, timeout=30, trust_env=False)


async def _filled(url: str) -> tuple[float, list[str]]:
    """Seconds for all submissions, and the ids."""
    async with _client(url) as http:
        with footage.BUNNY.open("rb") as clip:
            answer = await http.post("/api/v1/files/upload/stream", files={"file": ("a.mp4", clip)})
        body = {"model": "kling-o1-video-edit", "prompt": "dusk", "video_urls": [answer.json()["data"]["file_url"]]}
        began = time.perf_counter()
        answers = [await http.post("/v1/videos/generations", json=body) for _ in range(JOBS)]
        return time.perf_counter() - began, [answer.json()["id"] for answer in answers]


async def _latency(url: str, paths: list[str]) -> float:
    """Seconds of the 99th percentile, each request sent when it is due whether or not earlier ones were answered."""
    taken: list[float] = []

    async def ask(number: int) -> None:
        await asyncio.sleep(number / RATE)
        began = time.perf_counter()
        answer = await http.get(paths[number % len(paths)])
        taken.append(time.perf_counter() - began)
        answer.raise_for_status()

    async with _client(url) as http:
        await asyncio.gather(*(ask(number) for number in range(RATE * SPAN)))
    return quantiles(taken, n=100)[98]


async def _batches(url: str, ids: list[str]) -> float:
    async with _client(url) as http:
        began = time.perf_counter()
        for start in range(0, len(ids), 50):
            answer = await http.post("/v1/tasks/batch", json={"task_ids": ids[start : start + 50]})
            assert len(answer.json()["data"]) == 50
        return time.perf_counter() - began
