"""`make release` tries what it built: wheel and sdist, each in an empty environment far from the checkout.

A studio is laid out, checked, planned and run free, with what pip installs and nothing else. Needs the network for what the
wheel depends on.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

#: What is installed by itself: the file, and the extras that are tried with it.
EXTRAS = {".whl": ("", "[postgres]"), ".tar.gz": ("",)}


def main(folder: Path) -> int:
    for suffix, extras in EXTRAS.items():
        (built,) = folder.glob(f"*{suffix}")
        for extra in extras:
            with tempfile.TemporaryDirectory(prefix="callsheet-release-") as place:
                _try(f"{built.absolute()}{extra}", Path(place))
            print(f"{built.name}{extra}: installs, lays out a studio and runs it")
    return 0


def _try(requirement: str, place: Path) -> None:
    _do(sys.executable, "-m", "venv", str(place / "venv"))
    python, callsheet = place / "venv/bin/python", str(place / "venv/bin/callsheet")
    _do(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement)
    given = {"PATH": "/usr/bin:/bin", "HOME": str(place), "PREFECT_HOME": str(place / "prefect"), "DO_NOT_TRACK": "1"}
    given["CALLSHEET_SANDBOX_ENGINE"] = "copy"
    if "[postgres]" in requirement:
        _do(str(python), "-c", "import psycopg")
    _do(callsheet, "--version", given=given)
    _do(callsheet, "init", "studio", folder=place, given=given)
    for words in (("check",), ("plan", "--sandbox"), ("run", "--sandbox", "--yes", "--limit", "1", "--ephemeral")):
        command, *rest = words
        _do(callsheet, command, "specs/studio.yaml", *rest, folder=place / "studio", given=given)
    if not list((place / "studio/archive").rglob("*.mp4")):
        raise RuntimeError("the run archived nothing")


def _do(*words: str, folder: Path | None = None, given: Mapping[str, str] | None = None) -> None:
    ended = subprocess.run(words, cwd=folder, env=given, capture_output=True, text=True, check=False, timeout=900)
    if ended.returncode:
        raise RuntimeError(
            f"{' '.join(words)} ended with {ended.returncode}:\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"
        )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
