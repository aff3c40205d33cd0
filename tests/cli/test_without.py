"""Without Prefect: what does not need it works, and what does says at once how it is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT = (
    "import sys; sys.modules['prefect'] = None; sys.argv[0] = 'callsheet'; from callsheet.cli.main import main; main()"
)


def typed(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "CALLSHEET_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("words", [("check",), ("plan", "--sandbox")])
def test_a_campaign_is_checked_and_planned(words: tuple[str, ...], tmp_path: Path) -> None:
    command, *rest = words
    ended = typed(command, "specs/hello.yaml", *rest, home=tmp_path)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("command", ["run", "deploy"])
def test_what_needs_it_says_so(command: str, tmp_path: Path) -> None:
    ended = typed(command, "specs/hello.yaml", "--sandbox", "--yes", home=tmp_path)
    assert ended.returncode == 2
    assert f"callsheet {command} needs Prefect, which is not installed." in ended.stderr
    assert "pip install 'callsheet[flows]'" in ended.stderr
    assert not (tmp_path / "ledger.sqlite").exists()
