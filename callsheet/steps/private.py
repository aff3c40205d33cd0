"""Folders below CALLSHEET_HOME: what lies in them is the user's own, and nobody else of the machine looks in."""

from pathlib import Path


def folder(path: Path) -> Path:
    """Have this folder, and those above it that are not there, for this user alone (0700). OSError."""
    for place in (*reversed(path.parents), path):
        if not place.is_dir():
            place.mkdir(mode=0o700, exist_ok=True)
    return path
