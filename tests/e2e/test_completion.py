"""Tab: what the shell is offered, by the protocol that its completion script speaks; and silence where something is wrong."""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from callsheet.cli.main import app
from callsheet.credits import Credits
from callsheet.ledger.book import Booking, Ledger
from tests.e2e.conftest import CAMPAIGN, COMMAND, SPEC, NewStudio, Studio

Offered = Callable[[Studio, str], list[str]]

TWO = CAMPAIGN.replace("dusk: Re-light", "dawn: Re-light the scene at dawn.\n  dusk: Re-light")


@pytest.fixture(scope="module")
def studio(new_studio: NewStudio) -> Studio:
    """Two campaigns in specs/, one elsewhere, and files that are none."""
    made = new_studio()
    made.write(TWO)
    for name in ("autumn.yml", "with a space.yaml", "notes.txt"):
        (made.root / "specs" / name).write_text("x: 1\n")
    for folder in ("drafts", ".hidden"):
        (made.root / folder).mkdir()
        (made.root / folder / "winter.yaml").write_text("x: 1\n")
    return made


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Offered:
    """offered(studio, line): what bash would be given for this line, the cursor at its end."""
    for name in os.environ:
        if name.startswith(("EVOLINK_", "CALLSHEET_")):
            monkeypatch.delenv(name)

    def offer(studio: Studio, line: str) -> list[str]:
        monkeypatch.chdir(studio.root)
        asked = {"_CALLSHEET_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        ended = CliRunner().invoke(app(), prog_name="callsheet", env={**studio.settings, **asked})
        assert (ended.exit_code, ended.stderr) == (0, "")
        return ended.stdout.split()

    return offer


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("callsheet run ", ["drafts/winter.yaml", "specs/autumn.yml", SPEC]),
        ("callsheet plan sp", ["specs/autumn.yml", SPEC]),
        ("callsheet check specs/autumn.yml specs/t", [SPEC]),
        ("callsheet status ./specs/t", [f"./{SPEC}"]),
        ("callsheet review nowhere/", []),
        ("callsheet review ~/", []),
        (f"callsheet run {SPEC} --only beach--none--d", ["beach--none--dawn--16x9", "beach--none--dusk--16x9"]),
        (f"callsheet plan {SPEC} --only x --again beach--none--du", ["beach--none--dusk--16x9"]),
        ("callsheet run specs/autumn.yml --only ", []),
        ("callsheet run specs/nothing.yaml --only ", []),
        ("callsheet run --only ", []),
        (f"callsheet reconcile {SPEC} --not-accepted ", []),
        ("callsheet rec", ["reconcile"]),
        ("callsheet models kling-o1-video-edit-", ["kling-o1-video-edit-fast"]),
        ("callsheet init ", []),
    ],
)
def test_what_is_offered_is_what_can_stand_there(
    line: str, values: list[str], studio: Studio, offered: Offered
) -> None:
    assert offered(studio, line) == values


def test_looking_for_takes_lays_out_no_ledger(studio: Studio, offered: Offered) -> None:
    offered(studio, f"callsheet reconcile {SPEC} --not-accepted ")
    assert not studio.home.exists()


def test_takes_in_doubt_are_offered_to_be_settled(new_studio: NewStudio, offered: Offered) -> None:
    studio = new_studio()
    studio.home.mkdir()
    with closing(Ledger(f"sqlite:///{studio.home}/ledger.sqlite")) as ledger:
        for number, key in enumerate(("settled", "doubtful")):
            booking = Booking(
                campaign="tiny",
                route="evolink",
                slug=key,
                key=key,
                number=1,
                price=Credits.of("36"),
                plan="p",
                supersedes=0,
                budget=None,
            )
            take = ledger.reserve(booking)
            if number:
                ledger.submitting(take.id, request={})
                ledger.in_doubt(take.id, reason="the answer was lost")
    assert offered(studio, f"callsheet reconcile {SPEC} --not-accepted ") == ["2"]


def test_a_shell_that_shows_more_is_told_the_slug_of_a_take_and_the_words_of_a_command(studio: Studio) -> None:
    settings = {"_CALLSHEET_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "callsheet recon"}
    assert '"reconcile":"' in studio.call(**settings).out


def test_bash_completes_after_the_install_as_it_tells(studio: Studio, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash, "the script of the checks is bash itself"
    script = f"""
        callsheet --install-completion
        source "$HOME/.bash_completions/callsheet.sh"
        COMP_WORDS=(callsheet run {SPEC} --only beach--none--da) COMP_CWORD=4
        _callsheet_completion callsheet
        echo "offered: ${{COMPREPLY[*]}}"
    """
    environment = studio.environment(HOME=str(tmp_path), PATH=f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}")
    ended = subprocess.run(
        [bash, "--norc", "-c", script], cwd=studio.root, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.stderr == ""
    assert "bash completion installed in" in ended.stdout
    assert "offered: beach--none--dawn--16x9\n" in ended.stdout
