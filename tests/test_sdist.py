"""The source distribution holds the whole package: a folder of it that is called as one of a run's is not left out."""

import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_source_distribution_has_every_module_and_nothing_that_a_run_has_made(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "callsheet").rglob("*.py")}
    assert modules <= held
    assert not [name for name in held if name.startswith(("archive/", ".callsheet/", ".venv/", "build/"))]
