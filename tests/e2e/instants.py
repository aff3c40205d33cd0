"""A small campaign of three variants that is slow enough to be caught in the act, and the acts to catch it in."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from tests import books
from tests.e2e.conftest import PATIENCE, NewStudio, Studio

#: A clip that takes a second or two to prepare, and three variants of it.
CAMPAIGN = """\
campaign: tiny
model: kling-o1-video-edit
budget: $5.00
clips:
  pier: {source: media/pier.mp4, trim: 0.5s..3.5s}
prompts:
  dusk: Re-light the scene at dusk.
  noon: Hard light at noon.
  snow: Heavy snow falls.
aspect_ratios: [16:9]
"""
VARIANTS = 3
#: Units of 1/10000 credit: 3 s at 12 credits.
PRICE = 360_000

Running = subprocess.Popen[str]


def laid_out(new_studio: NewStudio, prefect: Mapping[str, str]) -> Studio:
    """Its sandbox drafts, one at a time: some instants are in the middle of a render."""
    studio = new_studio(**prefect, CALLSHEET_SANDBOX_ENGINE="draft")
    studio.write(CAMPAIGN)
    return studio


def wait_until(is_so: Callable[[], bool], running: Running, what: str) -> None:
    """Look every two milliseconds; fail when the command ended before, with what it said."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if running.poll() is not None or time.monotonic() > deadline:
            running.kill()
            pytest.fail(f"the instant never came ({what}); the command said: {running.communicate()}")
        time.sleep(0.002)


def has_begun(studio: Studio, running: Running) -> bool:
    """Is the flow of this very command at work, with its plan drawn up and its variants its own?"""
    query = "select 1 from runs join claims on claims.run = runs.id where ended is null and who like"
    return bool(books.rows(studio.home / "ledger.sqlite", f"{query} 'process {running.pid} on %'"))


def a_clip_is_half_prepared(studio: Studio) -> bool:
    return any(written_since(part, 0) for part in (studio.home / "cache/clips").glob(".*.part-*"))


def written_since(file: Path, time_ns: int) -> bool:
    """Was something written to it after that? Not to one that has been renamed meanwhile."""
    with suppress(FileNotFoundError):
        facts = file.stat()
        return facts.st_size > 0 and facts.st_mtime_ns > time_ns
    return False


def a_draft_is_rendered(studio: Studio) -> bool:
    is_submitted = set(states(studio)) <= {"submitted", "succeeded", "archived"}
    return is_submitted and "processing" in [job.state for job in books.jobs(studio.home)]


def a_result_is_brought_home(studio: Studio) -> bool:
    ((began,),) = books.rows(studio.home / "ledger.sqlite", "select max(began) from runs")
    begun = int(datetime.fromisoformat(began).timestamp() * 1e9)
    is_here = any(written_since(file, begun) for file in (studio.home / "fetched").glob("*.mp4"))
    return is_here and "succeeded" in states(studio)


def all_are_archived(studio: Studio) -> bool:
    return states(studio) == ["archived"] * VARIANTS


def states(studio: Studio) -> list[str]:
    return [take.state for take in books.takes(studio.home)]


def kill_sandbox(studio: Studio) -> None:
    os.kill(int(json.loads((studio.home / "sandbox/server.json").read_bytes())["pid"]), signal.SIGKILL)


def assert_paid_once_and_archived(studio: Studio) -> None:
    books.assert_paid_once_and_archived(
        home=studio.home, archive=studio.root / "archive/tiny", variants=VARIANTS, price=PRICE
    )
