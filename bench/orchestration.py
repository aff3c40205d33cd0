"""What it costs to have a campaign run as a flow: 500 variants of 20 s, 100 at a time, against the floor and a plain script.

The provider is a sandbox that copies; the Prefect server is one on SQLite that runs already, and clips are prepared, as on the
second run of a day. Its films are alike, so that few are decoded: `bench.checks` has what that costs. The plain script does the
same calls with asyncio and httpx: submit, ask, fetch, digest, write.
"""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from bench.authoring import COMMAND, ROOT, lay_out
from bench.footage import BUNNY, encode
from bench.row import Row

VARIANTS, IN_FLIGHT, RENDER_SECONDS = 500, 100, 20
FLOOR = VARIANTS / IN_FLIGHT * RENDER_SECONDS
CROWD, CROWD_SECONDS = 1_000, 60
CLIPS, RATIOS = 2, ("16:9", "9:16")
KEY = "sk-evo-of-the-bench"


def rows(folder: Path) -> Iterator[Row]:
    laid_out(folder)
    with environment(folder) as given:
        with provider(folder / "one", RENDER_SECONDS) as url:
            ours = _run(folder, "warm", CLIPS * len(RATIOS), given, url)  # what is made once a machine
            ours = _run(folder, "paced", VARIANTS, given, url)
            bare = asyncio.run(_plain(url, folder / "media/short-0.mp4", folder / "plain"))
        with provider(folder / "two", CROWD_SECONDS) as url:
            crowd = _run(folder, "crowd", CROWD, {**given, "CALLSHEET_MAX_IN_FLIGHT": str(CROWD)}, url)
    yield Row(
        what=f"{VARIANTS} variants of {RENDER_SECONDS} s, {IN_FLIGHT} at a time",
        ours=ours["flow"],
        against="renders, end to end",
        theirs=FLOOR,
        at_most=1.10,
    )
    yield Row(
        what="the same",
        ours=ours["flow"],
        against="a plain asyncio script",
        theirs=bare,
        at_most=1.10,
    )
    yield Row(
        what="what a variant takes beyond its render",
        ours=(ours["flow"] - FLOOR) / VARIANTS,
        against="in the plain script",
        theirs=(bare - FLOOR) / VARIANTS,
    )
    yield Row(
        what=f"status requests of {VARIANTS} jobs",
        ours=ours["requests"]["status"],
        against="jobs",
        theirs=VARIANTS,
        unit="",
        at_most=1.5,
    )
    yield Row(
        what=f"memory of a run with {CROWD} in flight",
        ours=crowd["megabytes"],
        against="300 MB",
        theirs=300,
        unit="MB",
        at_most=1,
    )


def laid_out(folder: Path) -> None:
    """A studio with short clips, and the flows of this checkout."""
    lay_out(folder)
    (folder / "flows").symlink_to(ROOT / "flows")
    for number in range(CLIPS):
        encode(BUNNY, folder / f"media/short-{number}.mp4", start=number, seconds=3, rate=("-crf", "23"))


@contextmanager
def environment(folder: Path) -> Iterator[dict[str, str]]:
    """With a home, and a Prefect server that the first run starts."""
    home = folder / "prefect"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "CALLSHEET_"))}
    try:
        yield {
            **plain,
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_API_PORT": "4297",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "CALLSHEET_MAX_IN_FLIGHT": str(IN_FLIGHT),
            "EVOLINK_API_KEY": KEY,
        }
    finally:
        with suppress(OSError, ValueError):
            os.kill(int((home / "server.pid").read_text()), signal.SIGTERM)


@contextmanager
def provider(folder: Path, seconds: int) -> Iterator[str]:
    words = [COMMAND, "sandbox", "--port", "0", "--engine", "copy", "--render-seconds", str(seconds)]
    settings = {**os.environ, "CALLSHEET_HOME": str(folder)}
    process = subprocess.Popen(words, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the sandbox did not start")
        yield line.split()[-1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def written(folder: Path, name: str, variants: int) -> Path:
    """A campaign of so many variants."""
    spec = folder / f"specs/{name}.yaml"
    document = {
        "campaign": name,
        "model": "kling-o1-video-edit",
        "budget": "$100000.00",
        "clips": {f"short-{number}": f"media/short-{number}.mp4" for number in range(CLIPS)},
        "prompts": {f"p{n}": f"{name}: look number {n}." for n in range(variants // CLIPS // len(RATIOS))},
        "aspect_ratios": list(RATIOS),
    }
    spec.write_text(json.dumps(document))  # JSON is YAML
    return spec


def _run(folder: Path, name: str, variants: int, given: dict[str, str], url: str) -> dict[str, Any]:
    """The campaign of so many variants, as a flow; RuntimeError unless all of it came home."""
    spec = written(folder, name, variants)
    words = [sys.executable, "-m", "bench.driven", str(spec)]
    told = subprocess.run(
        words,
        cwd=ROOT,
        env={**given, "EVOLINK_BASE_URL": url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    if told.returncode != 0:
        raise RuntimeError(told.stderr[-3000:])
    seen: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    print(f"  {name}: {json.dumps(seen)}", file=sys.stderr)
    if seen["state"] != "COMPLETED":
        raise RuntimeError(f"{name}: {seen['message']}")
    return seen


async def _plain(url: str, clip: Path, folder: Path) -> float:
    """Seconds of a script without a ledger, a plan, retries or a check of anything."""
    folder.mkdir()
    places = asyncio.Semaphore(IN_FLIGHT)
    waiting: dict[str, asyncio.Future[str]] = {}
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
        began = time.perf_counter()
        with clip.open("rb") as source:
            answer = await http.post("/api/v1/files/upload/stream", files={"file": ("a.mp4", source)})
        source_url = answer.json()["data"]["file_url"]

        async def ask() -> None:
            while True:
                await asyncio.sleep(1)
                ids = list(waiting)
                for start in range(0, len(ids), 50):
                    told = await http.post("/v1/tasks/batch", json={"task_ids": ids[start : start + 50]})
                    for task in told.json()["data"]:
                        if task["status"] == "completed":
                            waiting.pop(task["id"]).set_result(task["results"][0])

        async def make(number: int) -> None:
            async with places:
                body = {"model": "kling-o1-video-edit", "prompt": f"plain {number}", "video_urls": [source_url]}
                told = await http.post("/v1/videos/generations", json=body)
                ready = waiting[told.json()["id"]] = asyncio.get_running_loop().create_future()
                film = (await http.get(await ready)).content
                hashlib.sha256(film).hexdigest()
                (folder / f"{number}.mp4").write_bytes(film)

        asking = asyncio.create_task(ask())
        await asyncio.gather(*(make(number) for number in range(VARIANTS)))
        asking.cancel()
        return time.perf_counter() - began
