"""Ctrl-C and SIGTERM in a run: the same words, nothing left at work, nothing lost."""

import re
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import books
from tests.e2e.conftest import PATIENCE, SPEC, Ended, NewStudio, Studio
from tests.e2e.instants import (
    Running,
    a_clip_is_half_prepared,
    a_draft_is_rendered,
    assert_paid_once_and_archived,
    has_begun,
    laid_out,
    wait_until,
)

pytestmark = pytest.mark.slow

WORDS = "Interrupted. What was submitted goes on at the provider; run the campaign again to collect it."
#: Seconds. A sandbox that nobody uses looks twice a second, and gives answers under way two more.
FAREWELL = 10.0


@dataclass(frozen=True, kw_only=True)
class Story:
    """One campaign: Ctrl-C while its clip was prepared, SIGTERM while a draft was rendered, then a run in peace."""

    studio: Studio
    interrupted: Ended
    left_by_interrupt: list[str]
    meanwhile: Ended
    terminated: Ended
    left_by_terminate: list[str]
    afterwards: Ended
    last: Ended


@pytest.fixture(scope="module")
def story(new_studio: NewStudio, prefect: Mapping[str, str]) -> Story:
    studio = laid_out(new_studio, prefect)
    with started(studio) as running:
        wait_until(lambda: a_clip_is_half_prepared(studio), running, "a clip is half prepared")
        interrupted = stopped(running, signal.SIGINT)
    left_by_interrupt = [*at_work(studio), *half_files(studio)]
    with shell_job(), started(studio) as running:
        wait_until(lambda: has_begun(studio, running), running, "its flow has begun")
        wait_until(lambda: a_draft_is_rendered(studio), running, "a draft is rendered")
        meanwhile = studio.call("status", SPEC)
        terminated = stopped(running, signal.SIGTERM)
    left_by_terminate = [*at_work(studio), *half_files(studio)]
    return Story(
        studio=studio,
        interrupted=interrupted,
        left_by_interrupt=left_by_interrupt,
        meanwhile=meanwhile,
        terminated=terminated,
        left_by_terminate=left_by_terminate,
        afterwards=studio.call("status", SPEC),
        last=studio.run(),
    )


@contextmanager
def shell_job() -> Iterator[None]:
    """What is started inside ignores Ctrl-C, as everything does that a script starts with `&`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def started(studio: Studio) -> Iterator[Running]:
    running = studio.start("run", SPEC, "--sandbox", "--yes")
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
            running.communicate()


def stopped(running: Running, number: signal.Signals) -> Ended:
    running.send_signal(number)
    out, err = running.communicate(timeout=PATIENCE)
    return Ended(code=running.returncode, out=out, err=err)


def at_work(studio: Studio) -> list[str]:
    """Command lines of the processes that name a file of this studio or serve its sandbox, once they had time to end."""
    deadline = time.monotonic() + FAREWELL
    while (found := [*_processes(studio)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _processes(studio: Studio) -> Iterator[str]:
    top = str(studio.root.parent)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if top in command or ("callsheet sandbox" in command and f"CALLSHEET_HOME={studio.home}" in environment):
            yield command


def half_files(studio: Studio) -> list[str]:
    files = [path for folder in (studio.home, studio.root / "archive") for path in folder.rglob("*")]
    return [str(path) for path in files if ".part" in path.name or ".draft-" in path.name]


def test_ctrl_c_while_a_clip_is_prepared_ends_ffmpeg_and_leaves_no_half_file(story: Story) -> None:
    assert_said_so(story.interrupted)
    assert story.left_by_interrupt == []
    assert not list((story.studio.home / "incoming").glob("*"))


def test_sigterm_in_a_run_ends_it_as_ctrl_c_does_and_the_sandbox_with_it(story: Story) -> None:
    assert_said_so(story.terminated)
    assert story.left_by_terminate == []
    assert not (story.studio.home / "sandbox/server.json").exists()


def test_who_stops_a_run_is_told_how_far_it_has_come(story: Story) -> None:
    assert "    0 of 3 archived, 3 not sent" in story.interrupted.err
    how_far = r"^    \d of 3 archived, [123] at the provider.*; [\d.]+ credits \(\$[\d.]+\) held\. "
    assert re.search(how_far + r"Go on: callsheet run specs/tiny\.yaml --sandbox$", story.terminated.err, re.M)


def test_status_says_whether_a_run_is_at_work(story: Story) -> None:
    assert re.search(r"^[123] being rendered by process \d+ on ", story.meanwhile.out, re.M)
    assert "No run is at work" not in story.meanwhile.out
    assert re.search(
        r"^No run is at work on .* not settled; the next one goes on with (it|them): callsheet run specs/tiny.yaml --sandbox$",
        story.afterwards.out,
        re.M,
    )
    assert "being rendered" not in story.afterwards.out


def test_what_a_stopped_run_submitted_is_collected_and_paid_once(story: Story) -> None:
    assert story.last.code == 0, story.last.err
    assert_paid_once_and_archived(story.studio)


def test_sigterm_before_the_flow_has_begun_leaves_with_130_and_nothing_is_bought(new_studio: NewStudio) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        studio = laid_out(new_studio, {"PREFECT_API_URL": f"http://127.0.0.1:{mute.getsockname()[1]}/api"})
        mute.settimeout(PATIENCE)
        with started(studio) as running, mute.accept()[0]:
            ended = stopped(running, signal.SIGTERM)
    assert_said_so(ended, "Interrupted. Nothing was spent.")
    assert books.takes(studio.home) == []


def assert_said_so(ended: Ended, words: str = WORDS) -> None:
    assert ended.code == 130, ended.err
    assert ended.err.count(words) == 1, ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
