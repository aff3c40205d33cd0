"""The licences of everything that requirements.lock installs, as docs/reference/licences.md; `make docs` writes it there.

What packages say of themselves: the licence expression (PEP 639), else the classifiers, else the first line of the field.
"""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/licences.md"
INTRO = """# Licences

<!-- written by `make docs` from requirements.lock and what is installed; do not edit -->

What `make` installs, development tools included, and the licence that each package names. `make sbom` writes the same as a
bill of materials (CycloneDX). ffmpeg comes inside of the package imageio-ffmpeg and is under the GPL: Callsheet starts it as a
program of its own and links nothing of it. The licences of sample media are in [media/README.md](../../media/README.md).

| package | version | licence |
|---|---|---|
"""


def pinned() -> Iterator[tuple[str, str]]:
    """Name and version of every line of the lock."""
    for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", line):
            yield found[1], found[2]


def licence(name: str) -> str:
    """Empty for what is not installed on this platform."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return ""
    classified = [value for value in told.get_all("Classifier") or [] if value.startswith("License ::")]
    classes = ", ".join(value.rpartition(" :: ")[2] for value in classified if value.count(" :: ") > 1)
    first = str(told.json.get("license", "")).strip().split("\n")[0][:60]
    return str(told.json.get("license_expression", "")) or classes or first or "see its own files"


def page() -> str:
    rows = [f"| {name} | {version} | {licence(name) or 'not on this platform'} |" for name, version in pinned()]
    return INTRO + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
