"""Killed between any two commits and run again: everything is accepted once, paid once, and archived."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from callsheet.credits import Credits
from callsheet.sidecar import Manifest
from tests.books import assert_paid_once_and_archived

from .footage import ROOT, make_studio
from .walk import INSTANTS

pytestmark = pytest.mark.slow

VARIANTS = 2
#: `make kills` dies at every instant; `tests/faults` does, too, in every weather, and in virtual time.
SOME = (
    "after reserving",
    "after the answer, before its commit",
    "after success is committed",
    "after the file is in the archive",
)
PRICE = Credits.of("36")


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studio whose clip is prepared already, copied by every test: what is killed here comes after that."""
    folder = tmp_path_factory.mktemp("warm") / "studio"
    make_studio(folder)
    assert run(folder).returncode == 0
    shutil.rmtree(folder / "archive")
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (folder / ".callsheet" / name).unlink(missing_ok=True)
    shutil.rmtree(folder / ".callsheet/sandbox")
    return folder


@pytest.fixture
def studio(warm: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "studio"
    shutil.copytree(warm, folder, symlinks=True)
    return folder


def run(folder: Path, *instant: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EVOLINK_", "CALLSHEET_"))}
    environment["CALLSHEET_SANDBOX_ENGINE"] = "copy"  # what is rendered is no matter here
    return subprocess.run(
        [sys.executable, "-m", "tests.steps.walk", str(folder / "specs/tiny.yaml"), *instant],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def half_written(folder: Path) -> set[Path]:
    return set((folder / "archive").rglob("*.part*"))


def assert_everything_is_paid_once_and_archived(folder: Path, left: Collection[Path] = ()) -> None:
    """left: what was half written in another thread at the instant of the kill; it is swept when it is an hour old."""
    archive = folder / "archive/tiny"
    assert_paid_once_and_archived(home=folder / ".callsheet", archive=archive, variants=VARIANTS, price=PRICE.units)
    manifest = Manifest.model_validate_json((archive / "manifest.json").read_bytes())
    assert Credits.of(manifest.credits) == PRICE * VARIANTS
    assert half_written(folder) <= set(left)


@pytest.mark.parametrize("instant", INSTANTS if "CALLSHEET_TEST_KILLS" in os.environ else SOME)
def test_killed_and_run_again_it_pays_once_and_archives_all(studio: Path, instant: str) -> None:
    first = run(studio, instant)
    assert first.returncode == -signal.SIGKILL, first.stderr
    left = half_written(studio)
    again = run(studio)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_everything_is_paid_once_and_archived(studio, left)


def test_run_twice_in_peace_the_second_run_does_nothing(studio: Path) -> None:
    first, second = run(studio), run(studio)
    assert first.stdout.strip() == f"2 of 2 archived; {PRICE * VARIANTS}"
    assert second.stdout.strip() == "nothing to do, 2 skipped; 0"
    assert_everything_is_paid_once_and_archived(studio)


def test_no_sidecar_holds_a_link_or_a_key(studio: Path) -> None:
    run(studio)
    for document in (studio / "archive").rglob("*.json"):
        text = document.read_text()
        assert "://" not in text
        assert "sk-evo" not in text
        assert json.loads(text)
