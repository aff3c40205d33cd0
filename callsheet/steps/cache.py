"""The cache of prepared media: names by content, and the facts beside each file, written last, that make it count."""

import json
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from callsheet import digest
from callsheet.limits import ClipPreparation, StillPreparation


@dataclass(frozen=True, kw_only=True)
class PreparedFile:
    """A file that the model accepts. Seconds is the container's length (zero for a still)."""

    path: Path
    sha256: str
    bytes: int
    width: int
    height: int
    seconds: Fraction = Fraction(0)


def clip_entry(sha256: str, preparation: ClipPreparation) -> str:
    """The name in the cache of a clip with these bytes, prepared so."""
    return f"clips/{_name(sha256, preparation)}{preparation.suffix}"


def still_entry(sha256: str, preparation: StillPreparation) -> str:
    """The name in the cache of a reference image with these bytes, prepared so."""
    return f"stills/{_name(sha256, preparation)}{preparation.suffix}"


def _name(sha256: str, preparation: ClipPreparation | StillPreparation) -> str:
    return digest.of_json({"source": sha256, "preparation": preparation.identity()})


def place(home: Path, entry: str) -> Path:
    """Where an entry lies, or would lie."""
    return home / "cache" / entry


def recall(target: Path) -> PreparedFile | None:
    """A complete entry, else None: facts that are unreadable or speak of another size mean that it is made again."""
    try:
        facts = json.loads(facts_file(target).read_text("utf-8"))
        if target.stat().st_size != facts["bytes"]:
            return None
        return PreparedFile(**{**facts, "path": target, "seconds": Fraction(facts["seconds"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(made: PreparedFile) -> None:
    """Write the facts of a file that is there; from then on the entry counts."""
    facts = {
        "sha256": made.sha256,
        "bytes": made.bytes,
        "width": made.width,
        "height": made.height,
        "seconds": str(made.seconds),
    }
    final = facts_file(made.path)
    part = final.with_name(f".{final.name}.part-{os.getpid()}")
    part.write_text(json.dumps(facts), "utf-8")
    part.replace(final)


def facts_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")
