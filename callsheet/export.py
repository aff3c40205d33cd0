"""The archived films of a campaign as a table for ad platforms and spreadsheets: names, links, axes, what was said of them."""

import csv
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping

from callsheet.sidecar import ManifestEntry
from callsheet.verdicts import Verdict

#: What a cell of a spreadsheet begins with that is run as a formula when the file is opened.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_INNER = re.compile(r"(?<!^)([;\t])(?=[=+@-])")
#: The columns of every film; those of variables and options follow, by name.
COLUMNS = (
    "name",
    "link",
    "clip",
    "references",
    "prompt",
    "aspect_ratio",
    "sound",
    "model",
    "take",
    "draft",
    "seconds",
    "width",
    "height",
    "credits",
    "quality",
    "verdict",
    "stars",
    "note",
    "prompt_text",
    "poster",
    "key",
)

Row = dict[str, str]


def rows(
    entries: Iterable[ManifestEntry],
    verdicts: Mapping[str, Verdict],
    link: Callable[[str], str],
    *,
    are_drafts: bool = False,
) -> list[Row]:
    """One row for each film that is in the archive. verdicts: by content key; one of another film of a variant says nothing of
    this one. link: the address of a path of the manifest. are_drafts: the sandbox made them."""
    draft = "yes" if are_drafts else ""
    return [{**_row(entry, verdicts.get(entry.key), link), "draft": draft} for entry in entries if entry.deliverable]


def _row(entry: ManifestEntry, verdict: Verdict | None, link: Callable[[str], str]) -> Row:
    axes, deliverable = entry.axes, entry.deliverable or ""
    sound = {True: "sound", False: "mute", None: ""}[axes.keep_original_sound]
    said = verdict if verdict and verdict.is_of(entry.sha256) else None
    return {
        "name": posixpath.splitext(posixpath.basename(deliverable))[0],
        "link": link(deliverable),
        "clip": axes.clip,
        "references": axes.references,
        "prompt": axes.prompt,
        "aspect_ratio": axes.aspect_ratio,
        "sound": sound,
        "model": axes.model,
        "take": str(axes.take),
        "seconds": entry.seconds,
        "width": str(entry.width or ""),
        "height": str(entry.height or ""),
        "credits": entry.credits,
        "quality": entry.quality.verdict if entry.quality else "",
        "verdict": said.says or "" if said else "",
        "stars": str(said.stars or "") if said else "",
        "note": said.note if said else "",
        "prompt_text": entry.prompt,
        "poster": link(entry.poster) if entry.poster else "",
        "key": entry.key,
        **{f"variable {name}": value for name, value in axes.variables.items()},
        **{f"option {name}": str(value) for name, value in axes.options.items()},
    }


def text(table: Iterable[Row]) -> str:
    """CSV as RFC 4180 has it. A cell that a spreadsheet would run as a formula begins with an apostrophe."""
    table = list(table)
    further = sorted({name for row in table for name in row} - set(COLUMNS))
    lines = _Lines()
    writer = csv.DictWriter(lines, [*COLUMNS, *further], restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in table)
    return "".join(lines)


class _Lines(list[str]):
    """What is written, line by line."""

    def write(self, line: str) -> None:
        self.append(line)


def _safe(value: str) -> str:
    """No formula, neither in a table of commas nor where a spreadsheet takes semicolons or tabs for their like."""
    inner = _INNER.sub(r"\1'", value)
    return f"'{inner}" if value.startswith(FORMULAS) else inner
