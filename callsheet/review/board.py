"""The review board: one page that shows every variant of a campaign beside its source, all players in step.

The page is `<campaign>/review/index.html`; the paths in a manifest are relative to the folder above. It opens from a disk
(file://) and asks nothing of a network: style and script are inside it, and its Content-Security-Policy admits only those
two, by their digests, and media that lies beside it. Names and prompts come from campaigns and are hostile: Jinja2
escapes what is markup, `tojson` what is data, and every segment of a path is percent-encoded.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from callsheet.sidecar import Manifest, ManifestEntry

#: Frames outside these proportions are shown as if they had them: a cell stays a cell.
NARROWEST, WIDEST = Fraction(2, 5), Fraction(5, 2)
_UNKNOWN_RATIO = Fraction(16, 9)

#: How each state of a manifest reads, and what it means to a reviewer. Both `archived` and `skipped` have a file.
_STATES = {
    "archived": ("Archived", ""),
    "skipped": ("Kept", "Rendered in an earlier run; nothing about it has changed."),
    "failed": ("Failed", "The provider ended the job without a result."),
    "in_doubt": (
        "In doubt",
        "Nobody knows whether the provider accepted it. It counts as spent. To settle it, run: callsheet reconcile.",
    ),
    "pending": ("Pending", "Not finished yet. The next run goes on with it."),
}
_GONE = "Its file is not in the archive any more: restore it, or pay again with --again."
_ORDER = ("archived", "skipped", "pending", "failed", "in_doubt")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One variant on the board. URLs are relative to the page; empty where there is no file."""

    number: int
    entry: ManifestEntry
    url: str
    poster: str
    ratio: Fraction
    state: str
    reason: str

    @property
    def id(self) -> str:
        return f"v{self.number}"

    @property
    def shape(self) -> str:
        """The style class of its proportions; styles hold numbers only, so no name can reach them."""
        return f"r{self.ratio.numerator}-{self.ratio.denominator}"

    @property
    def sound(self) -> str:
        return "sound" if self.entry.axes.keep_original_sound else "silent"


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The variants of one prepared source; a clip that was cropped for several ratios has one strip each."""

    source: str
    poster: str
    cells: tuple[Cell, ...]

    @property
    def note(self) -> str:
        """Why there is no source to see."""
        if all(cell.entry.state == "pending" for cell in self.cells):
            return "The source is shown once a variant of it is rendered."
        return "No copy of the source was kept."


@dataclass(frozen=True, kw_only=True)
class Group:
    """All variants of one clip; they play together."""

    id: str
    clip: str
    strips: tuple[Strip, ...]

    @property
    def seconds(self) -> str:
        """The first length that is known: what the transport shows before a film is loaded."""
        return next((cell.entry.seconds for strip in self.strips for cell in strip.cells if cell.entry.seconds), "")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What can be filtered by: a name and its values in order of appearance, each with the cells that have it."""

    name: str
    values: dict[str, list[str]] = field(default_factory=dict)


def build(manifest: Manifest) -> str:
    """The whole page as HTML. Pure: the same manifest gives the same bytes."""
    groups = _groups(manifest.entries)
    cells = [cell for group in groups for strip in group.strips for cell in strip.cells]
    axes = _axes(cells)
    style = _asset("board.css") + "\n" + _shapes(cells)
    script = _asset("board.js")
    return (
        _environment()
        .get_template("board.html.j2")
        .render(
            manifest=manifest,
            groups=groups,
            axes=axes,
            counts=_counts(cells),
            several_takes=any(cell.entry.axes.take > 1 for cell in cells),
            data={
                "cells": {cell.id: _facts(cell) for cell in cells},
                "axes": [list(axis.values.values()) for axis in axes],
            },
            style=Markup(style),  # noqa: S704 - our own file and numbers
            script=Markup(script),  # noqa: S704 - our own file
            policy=_policy(style, script),
        )
    )


# --- from the manifest to what is shown --------------------------------------------------------------------------------


def _groups(entries: Iterable[ManifestEntry]) -> list[Group]:
    """By clip, then by source, both in order of first appearance."""
    clips: dict[str, dict[str, list[Cell]]] = {}
    posters: dict[tuple[str, str], str] = {}
    entries = list(entries)
    known = _sources(entries)
    for number, entry in enumerate(entries, start=1):
        source = _url(entry.source) or (_beside(entry, known) if entry.state == "pending" else "")
        clips.setdefault(entry.axes.clip, {}).setdefault(source, []).append(_cell(number, entry))
        place = (entry.axes.clip, source)
        posters[place] = posters.get(place) or _url(entry.source_poster)
    return [
        Group(
            id=f"g{number}",
            clip=clip,
            strips=tuple(
                Strip(source=source, poster=posters[clip, source], cells=tuple(cells))
                for source, cells in sources.items()
            ),
        )
        for number, (clip, sources) in enumerate(clips.items(), start=1)
    ]


def _sources(entries: Iterable[ManifestEntry]) -> dict[tuple[str, str], str]:
    """The first source of each clip in each shape, and under "" in any."""
    found: dict[tuple[str, str], str] = {}
    for entry in entries:
        if source := _url(entry.source):
            found.setdefault((entry.axes.clip, entry.axes.aspect_ratio), source)
            found.setdefault((entry.axes.clip, ""), source)
    return found


def _beside(entry: ManifestEntry, known: Mapping[tuple[str, str], str]) -> str:
    """What a variant that was not rendered yet, and so has no source of its own, is shown beside."""
    clip, shape = entry.axes.clip, entry.axes.aspect_ratio
    return known.get((clip, shape)) or known.get((clip, ""), "")


def _cell(number: int, entry: ManifestEntry) -> Cell:
    label, meaning = _STATES.get(entry.state, (entry.state, ""))
    kept = entry.state in {"archived", "skipped"}
    playable = kept and entry.deliverable
    return Cell(
        number=number,
        entry=entry,
        url=_url(entry.deliverable) if playable else "",
        poster=_url(entry.poster),
        ratio=_ratio(entry),
        state=label,
        reason=entry.reason or (_GONE if kept and not playable else meaning),
    )


def _url(path: str | None) -> str:
    """A path of the manifest as the page must write it: from the folder above, every segment percent-encoded."""
    return "../" + "/".join(quote(segment, safe="") for segment in path.split("/")) if path else ""


def _ratio(entry: ManifestEntry) -> Fraction:
    """Width : height of the deliverable; of the sweep's aspect ratio where nothing was delivered."""
    if entry.width and entry.height and entry.width > 0 and entry.height > 0:
        ratio = Fraction(entry.width, entry.height)
    else:
        ratio = _spoken_ratio(entry.axes.aspect_ratio)
    return min(max(ratio, NARROWEST), WIDEST)


def _spoken_ratio(text: str) -> Fraction:
    match = re.fullmatch(r"([1-9]\d{0,4}):([1-9]\d{0,4})", text, re.ASCII)
    return Fraction(int(match[1]), int(match[2])) if match else _UNKNOWN_RATIO


def _axes(cells: Sequence[Cell]) -> list[Axis]:
    """The axes that have something to choose from: at least two values."""
    axes: dict[str, Axis] = {}
    for cell in cells:
        for name, value in _values(cell):
            axes.setdefault(name, Axis(name=name)).values.setdefault(value, []).append(cell.id)
    return [axis for axis in axes.values() if len(axis.values) > 1]


def _values(cell: Cell) -> list[tuple[str, str]]:
    axes = cell.entry.axes
    return [
        ("Clip", axes.clip),
        ("References", axes.references),
        ("Prompt", axes.prompt),
        ("Aspect ratio", axes.aspect_ratio),
        *sorted((name, value) for name, value in axes.variables.items()),
        ("Sound", cell.sound),
        ("Take", str(axes.take)),
        ("Model", axes.model),
        ("Result", cell.state),
    ]


def _facts(cell: Cell) -> dict[str, object]:
    """What the script needs of a cell: to play it, to find it, to tell about it."""
    entry = cell.entry
    facts = [
        *_values(cell)[:-1],
        ("Size", f"{entry.width} × {entry.height}" if entry.width and entry.height else ""),
        ("Length", f"{entry.seconds} s" if entry.seconds else ""),
        ("Credits", entry.credits),
        ("Key", entry.key[:12]),
    ]
    return {
        "title": entry.axes.prompt,
        "prompt": entry.prompt,
        "url": cell.url,
        "source": _url(entry.source),
        "poster": cell.poster,
        "sourcePoster": _url(entry.source_poster),
        "sidecar": _url(entry.sidecar),
        "ratio": float(cell.ratio),
        "sound": entry.axes.keep_original_sound,
        "facts": [[name, value] for name, value in facts if value],
        "text": " ".join([entry.slug, entry.prompt, entry.reason, *(value for _, value in _values(cell))]).casefold(),
    }


def _counts(cells: Sequence[Cell]) -> list[tuple[str, int, str]]:
    """How many ended how: (state, count, words), in the order of good news first."""
    found = Counter(cell.entry.state for cell in cells)
    ordered = sorted(found, key=lambda state: (_ORDER.index(state) if state in _ORDER else len(_ORDER), state))
    return [(state, found[state], _STATES.get(state, (state, ""))[0].lower()) for state in ordered]


# --- the page ----------------------------------------------------------------------------------------------------------


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("callsheet.review", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": _amount, "day": _day, "clock": _clock}
    return environment


def _asset(name: str) -> str:
    """A file of the templates' folder as it is: style and script are not templates."""
    environment = _environment()
    if environment.loader is None:
        raise LookupError("the templates have no loader")
    return environment.loader.get_source(environment, name)[0]


def _shapes(cells: Iterable[Cell]) -> str:
    """One rule for each proportion that occurs."""
    shapes = sorted({(cell.shape, cell.ratio) for cell in cells})
    return "\n".join(f".{shape} {{ --ratio: {float(ratio):.4f} }}" for shape, ratio in shapes)


def _policy(style: str, script: str) -> str:
    """Only this style and this script; pictures and films from the folder the page lies in; nothing else at all."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src {_source_digest(style)}",
            f"script-src {_source_digest(script)}",
            "img-src 'self' file: data:",
            "media-src 'self' file:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _source_digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _amount(text: str) -> str:
    """A decimal with thousands apart; as it is when it is none."""
    try:
        return f"{Decimal(text):,}"
    except ArithmeticError:
        return text


def _day(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"
