"""kill -9 of the real `callsheet run` and of the sandbox it started, then run again: paid once, and all of it archived.

`tests/steps/test_killed.py` dies between any two commits; here the whole command dies, Prefect and ffmpeg at work. Its
ffmpeg and its sandbox have sessions of their own, so a shell that kills the command's whole group reaches no more than
the command itself.
"""

import math
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass

import pytest

from callsheet.sandbox.database import VERSION
from tests import books
from tests.books import Job, Row
from tests.e2e.conftest import PATIENCE, SPEC, Ended, NewStudio, Studio
from tests.e2e.instants import (
    VARIANTS,
    Running,
    a_clip_is_half_prepared,
    a_draft_is_rendered,
    a_result_is_brought_home,
    all_are_archived,
    assert_paid_once_and_archived,
    has_begun,
    kill_sandbox,
    laid_out,
    states,
    wait_until,
)

pytestmark = pytest.mark.slow

#: Begins when an instant of a running command has come, and lasts while it is killed.
At = Callable[[Studio, Running], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Left:
    """What was there right after a kill."""

    takes: list[Row]
    jobs: list[Job]
    has_manifest: bool
    has_prepared_clip: bool

    def states(self) -> list[str]:
        return [take.state for take in self.takes]


@dataclass(frozen=True, kw_only=True)
class Instant:
    """When to kill. `shows` tells by what is left that it was this instant."""

    at: At
    shows: Callable[[Left], bool]
    sandbox_too: bool = False


def when(is_so: Callable[[Studio], bool]) -> At:
    @contextmanager
    def at(studio: Studio, running: Running) -> Iterator[None]:
        wait_until(lambda: has_begun(studio, running), running, "its flow has begun")
        wait_until(lambda: is_so(studio), running, is_so.__name__)
        yield

    return at


@contextmanager
def answers_on_their_way(studio: Studio, running: Running) -> Iterator[None]:
    """Every submission has left and none is answered: the sandbox waits for its book, which is locked here.

    It is let go after the kill. What it then accepts, it accepts for a client that is gone.
    """
    file = studio.home / "sandbox/book.sqlite"
    wait_until(lambda: bool(books.rows(file, "select 1 from file")), running, "the clip is uploaded")
    with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as book:
        book.execute("begin immediate")
        wait_until(lambda: states(studio) == ["submitting"] * VARIANTS, running, "every take is being submitted")
        yield
        book.execute("rollback")


#: In the order of a run: each kill comes in the next run of the same campaign.
INSTANTS = {
    "while the clip is prepared": Instant(
        at=when(a_clip_is_half_prepared), shows=lambda left: not left.takes and not left.has_prepared_clip
    ),
    "while the answers to the submissions are on their way": Instant(
        at=answers_on_their_way, shows=lambda left: left.states() == ["submitting"] * VARIANTS
    ),
    "while drafts are rendered, the sandbox with it": Instant(
        at=when(a_draft_is_rendered),
        shows=lambda left: "processing" in [job.state for job in left.jobs],
        sandbox_too=True,
    ),
    "while a result is brought home": Instant(
        at=when(a_result_is_brought_home), shows=lambda left: "succeeded" in left.states()
    ),
    "after the last deliverable, before the manifest": Instant(
        at=when(all_are_archived),
        shows=lambda left: left.states() == ["archived"] * VARIANTS and not left.has_manifest,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Story:
    """A campaign whose runs were killed one after the other, and how the last one ended, in peace."""

    studio: Studio
    left: Mapping[str, Left]
    last: Ended


@pytest.fixture(scope="module")
def story(new_studio: NewStudio, prefect: Mapping[str, str]) -> Story:
    studio = laid_out(new_studio, prefect)
    left = {name: killed(studio, instant) for name, instant in INSTANTS.items()}
    return Story(studio=studio, left=left, last=studio.run())


def killed(studio: Studio, instant: Instant) -> Left:
    running = studio.start("run", SPEC, "--sandbox", "--yes")
    with instant.at(studio, running):
        running.kill()
        if instant.sandbox_too:
            kill_sandbox(studio)
        running.wait(timeout=PATIENCE)
        left = Left(
            takes=books.takes(studio.home),
            jobs=books.jobs(studio.home),
            has_manifest=(studio.root / "archive/tiny/manifest.json").exists(),
            has_prepared_clip=any((studio.home / "cache/clips").glob("[!.]*.mp4")),
        )
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    return left


@pytest.mark.parametrize("name", INSTANTS)
def test_killed_at_this_instant_nothing_was_accepted_or_held_twice(story: Story, name: str) -> None:
    left = story.left[name]
    assert INSTANTS[name].shows(left), left
    books.assert_nothing_is_paid_twice(left.jobs, left.takes)


def test_run_again_after_every_kill_it_has_paid_once_and_archived_all(story: Story) -> None:
    assert story.last.code == 0, story.last.err
    assert "3 skipped" in story.last.out
    assert_paid_once_and_archived(story.studio)


#: `make kills` asks for more of them than every run of the tests can wait for, and names the seed of the first campaign.
KILLS = int(os.environ.get("CALLSHEET_TEST_KILLS", "2"))
FIRST_SEED = int(os.environ.get("CALLSHEET_TEST_KILLS_SEED", "20261123"))
KILLS_A_CAMPAIGN = 3
CAMPAIGNS = [
    (FIRST_SEED + number, min(KILLS_A_CAMPAIGN, KILLS - number * KILLS_A_CAMPAIGN))
    for number in range(math.ceil(KILLS / KILLS_A_CAMPAIGN))
]


@pytest.mark.parametrize(("seed", "kills"), CAMPAIGNS)
def test_killed_at_random_and_run_again_it_has_paid_once_and_archived_all(
    new_studio: NewStudio, prefect: Mapping[str, str], seed: int, kills: int
) -> None:
    studio, dice = laid_out(new_studio, prefect), random.Random(seed)
    for _ in range(kills):
        if all_are_archived(studio):  # a run of it claims nothing now, and there is nothing left to be lost
            break
        killed_at_random(studio, dice)
        books.assert_nothing_is_paid_twice(books.jobs(studio.home), books.takes(studio.home))
    again = studio.run()
    assert again.code == 0, again.err
    assert_paid_once_and_archived(studio)


def killed_at_random(studio: Studio, dice: random.Random) -> None:
    """Start a run and kill it some commits later, sometimes with its sandbox. Shown with `-s`: when, and what was left.

    Counted in commits and not in seconds, so that an instant is as likely to be anywhere on a slow machine as on a fast one.
    """
    running = studio.start("run", SPEC, "--sandbox", "--yes")
    wait_until(lambda: has_begun(studio, running), running, "its flow has begun")
    due, after, with_sandbox = commits(studio) + dice.randint(0, 4), dice.uniform(0, 0.5), dice.random() < 0.5
    deadline = time.monotonic() + PATIENCE
    while commits(studio) < due and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(after)
    running.kill()
    if with_sandbox:
        with suppress(FileNotFoundError, ProcessLookupError):  # it is not up yet, or it ended already
            kill_sandbox(studio)
    running.communicate(timeout=PATIENCE)
    how = "killed" if running.returncode == -signal.SIGKILL else "had ended"
    left = ", ".join(states(studio)) or "-"
    print(f"{how} {after:.2f} s after commit {due}{', with its sandbox' if with_sandbox else ''}: {left}")


def commits(studio: Studio) -> int:
    return len(books.rows(studio.home / "ledger.sqlite", "select id from journal"))


def test_a_sandbox_that_dies_in_a_run_is_started_again_and_one_that_cannot_be_ends_the_run(
    new_studio: NewStudio, prefect: Mapping[str, str]
) -> None:
    studio = laid_out(new_studio, prefect)
    running = studio.start("run", SPEC, "--sandbox", "--yes")
    wait_until(lambda: a_draft_is_rendered(studio), running, "a draft is rendered")
    kill_sandbox(studio)
    wait_until(lambda: "archived" in states(studio), running, "the sandbox was started again, and a draft is archived")
    written_by_version(studio, 99)
    kill_sandbox(studio)
    out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 5, err
    assert "error: The sandbox ended in the middle of the run." in err
    assert f"has version 99; this Callsheet writes version {VERSION}." in err
    assert "Traceback (most recent call last)" not in err.partition("The sandbox ended")[0]
    assert out == ""
    written_by_version(studio, VERSION)
    again = studio.run()
    assert again.code == 0, again.err
    assert_paid_once_and_archived(studio)


def written_by_version(studio: Studio, version: int) -> None:
    """Let the sandbox's book say that another Callsheet wrote it; a server that starts on it ends at once."""
    with closing(sqlite3.connect(studio.home / "sandbox/book.sqlite", timeout=10)) as book:
        book.execute(f"pragma user_version = {version}")
