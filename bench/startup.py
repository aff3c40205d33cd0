"""From `callsheet run` to the first submission, on a machine that has run it before, against a flow of one empty task.

Both talk to the same Prefect server, which runs already. The rest of what the command does is: read the campaign, look into the
ledger, draw up the plan and again in the flow, start the sandbox, and upload.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.authoring import COMMAND
from bench.orchestration import environment, laid_out, provider, written
from bench.row import Row
from tests import books

TRIES = 5
#: Says when its one task runs: the least that any run of a flow takes, of which the imports are most.
EMPTY = """
import asyncio, time
from prefect import flow, task

@task
async def submit():
    print(time.time(), flush=True)

@flow
async def empty():
    await submit()

asyncio.run(empty())
"""


def rows(folder: Path) -> Iterator[Row]:
    laid_out(folder)
    with environment(folder) as given, provider(folder / "provider", 0) as url:
        settings = {**given, "EVOLINK_BASE_URL": url}
        ours = [_first_submission(folder, number, settings) for number in range(TRIES + 1)][1:]
        theirs = [_empty(folder, settings) for _ in range(TRIES + 1)][1:]
    yield Row(
        what="callsheet run to its first submission, all warm",
        ours=median(ours),
        against="an empty flow to its task",
        theirs=median(theirs),
        at_most=1.5,
    )


def _first_submission(folder: Path, number: int, settings: dict[str, str]) -> float:
    spec = written(folder, f"start-{number}", 4)
    before = len(books.jobs(folder / "provider"))
    began = time.time()
    words = [COMMAND, "run", str(spec), "--yes"]
    process = subprocess.Popen(words, cwd=folder, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(books.jobs(folder / "provider")) == before:
        if process.poll() is not None:
            raise RuntimeError(f"the run ended with {process.returncode} before it submitted anything")
        time.sleep(0.005)
    seconds = time.time() - began
    process.wait(timeout=120)
    return seconds


def _empty(folder: Path, settings: dict[str, str]) -> float:
    api = f"http://127.0.0.1:{settings['PREFECT_SERVER_API_PORT']}/api"
    began = time.time()
    told = subprocess.run(
        [sys.executable, "-c", EMPTY],
        cwd=folder,
        env={**settings, "PREFECT_API_URL": api},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return float(told.stdout.split()[0]) - began
