"""What a command writes where there is no good terminal: ASCII only, a reader that goes away, a narrow page."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import COMMAND, PATIENCE, SPEC, Ended, Studio

pytestmark = pytest.mark.slow

HUNG_UP = 141


def call_into_closed_pipe(studio: Studio, *words: str, stream: str) -> Ended:
    """The same as `callsheet WORDS | true`, or `2>` of it; the reader has gone before the first byte."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [COMMAND, *words],
            cwd=studio.root,
            env=studio.environment(),
            stdin=subprocess.DEVNULL,
            stdout=writer if stream == "out" else subprocess.PIPE,
            stderr=writer if stream == "err" else subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
        )
    finally:
        os.close(writer)
    return Ended(code=ended.returncode, out=ended.stdout or "", err=ended.stderr or "")


@pytest.mark.parametrize(
    "words",
    [("plan", SPEC), ("plan", SPEC, "--json"), ("schema",), ("--help",)],
    ids=" ".join,
)
def test_a_reader_that_goes_away_ends_the_command_without_a_word(words: tuple[str, ...], studio: Studio) -> None:
    ended = call_into_closed_pipe(studio, *words, stream="out")
    assert (ended.code, ended.err) == (HUNG_UP, "")


def test_a_check_that_nobody_reads_ends_as_it_would(studio: Studio) -> None:
    studio.write("campaign: [")
    assert call_into_closed_pipe(studio, "check", SPEC, stream="err").code == 2


def test_a_run_that_nobody_watches_goes_on_to_its_end(rendered: tuple[Studio, Ended]) -> None:
    studio, _ = rendered
    words = ("run", SPEC, "--sandbox", "--yes", "--json")
    ended = call_into_closed_pipe(studio, *words, stream="err")
    assert ended.code == 0
    assert json.loads(ended.out)["skipped"] == 1


@pytest.mark.parametrize(
    "settings",
    [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["the C locale", "ascii", "the C locale taken at its word"],
)
def test_a_screen_that_knows_ascii_only_is_no_error(settings: dict[str, str], studio: Studio) -> None:
    studio.change("beach: media/beach.mp4", "beach: media/long.mp4")
    studio.spec.write_text(studio.spec.read_text() + "nö: 1\n", "utf-8")
    (studio.root / "media" / "été.mp4").touch()
    ended = studio.call("check", SPEC, **settings)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert "Traceback" not in ended.err
    assert "unknown key" in ended.err
    models = studio.call("models", **settings)
    assert models.code == 0, models.err
    if settings != {"LC_ALL": "C"}:  # there Python itself writes UTF-8
        assert "n\\xf6: 1" in ended.err
        assert models.out.isascii()
        assert "3-10 s" in models.out


def test_a_json_document_is_one_whatever_the_screen_knows(tmp_path: Path, studio: Studio) -> None:
    folder = tmp_path / "été"
    folder.mkdir()
    ended = Studio(root=folder, settings=studio.settings).call("init", "--json", PYTHONIOENCODING="ascii")
    assert json.loads(ended.out)["studio"] == str(folder)
    assert ended.out.isascii()


def test_a_name_that_is_no_utf_8_is_told_and_no_error(tmp_path: Path, studio: Studio) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9"))
    folder.mkdir()
    elsewhere = Studio(root=folder, settings=studio.settings)
    ended = elsewhere.call("init", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["studio"] == str(folder)
    assert "\\udce9t\\udce9" in elsewhere.call("doctor").out


def test_a_full_disk_under_the_output_is_told_in_one_line(studio: Studio) -> None:
    for words in (("plan", SPEC), ("plan", SPEC, "--json")):
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(
                [COMMAND, *words],
                cwd=studio.root,
                env=studio.environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert ended.returncode == 70
        told = "error: Standard output cannot be written: No space left on device. Nothing was spent.\n"
        assert ended.stderr.startswith(told), ended.stderr
        assert "Traceback" not in ended.stderr
