"""What the board shows: the entries of a manifest as cells, grouped by clip and source, with the axes that they differ in."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from urllib.parse import quote

from callsheet.sidecar import Manifest, ManifestEntry
from callsheet.verdicts import Verdict

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
_QUALITY = {"pass": "Passed", "flag": "Flagged"}


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
    #: Of its film.
    verdict: Verdict | None = None
    #: Of another film of this variant: a draft, or one that was made again since.
    earlier: Verdict | None = None

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

    @property
    def quality(self) -> str:
        return _QUALITY[self.entry.quality.verdict] if self.entry.quality else "Not checked"

    @property
    def flags(self) -> tuple[str, ...]:
        """What the checks found, in words; empty where nothing is flagged."""
        findings = self.entry.quality.findings if self.entry.quality else []
        return tuple(one.says or one.check for one in findings if one.verdict == "flag")

    @property
    def values(self) -> list[tuple[str, str]]:
        """Its place on every axis that can be filtered and pivoted by."""
        axes = self.entry.axes
        return [
            ("Clip", axes.clip),
            ("References", axes.references),
            ("Prompt", axes.prompt),
            ("Aspect ratio", axes.aspect_ratio),
            *sorted((name, value) for name, value in axes.variables.items()),
            ("Sound", self.sound),
            ("Take", str(axes.take)),
            ("Model", axes.model),
            ("Result", self.state),
            ("Quality", self.quality),
        ]


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
    """A name and its values in order of appearance, each with how many cells have it."""

    name: str
    values: dict[str, int] = field(default_factory=dict)

    @property
    def is_choice(self) -> bool:
        return len(self.values) > 1


def grouped(entries: Iterable[ManifestEntry], verdicts: Mapping[str, Verdict]) -> list[Group]:
    """By clip, then by source, both in order of first appearance."""
    clips: dict[str, dict[str, list[Cell]]] = {}
    posters: dict[tuple[str, str], str] = {}
    entries = list(entries)
    known = _sources(entries)
    for number, entry in enumerate(entries, start=1):
        source = url_of(entry.source) or (_beside(entry, known) if entry.state == "pending" else "")
        clips.setdefault(entry.axes.clip, {}).setdefault(source, []).append(
            _cell(number, entry, verdicts.get(entry.key))
        )
        place = (entry.axes.clip, source)
        posters[place] = posters.get(place) or url_of(entry.source_poster)
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


def axes_of(cells: Iterable[Cell]) -> list[Axis]:
    """Every axis; those with one value only are no choice."""
    axes: dict[str, Axis] = {}
    for cell in cells:
        for name, value in cell.values:
            values = axes.setdefault(name, Axis(name=name)).values
            values[value] = values.get(value, 0) + 1
    return list(axes.values())


def counts(manifest: Manifest) -> list[tuple[str, int, str]]:
    """How many ended how: (state, count, words), in the order of good news first."""
    found = Counter(entry.state for entry in manifest.entries)
    ordered = sorted(found, key=lambda state: (_ORDER.index(state) if state in _ORDER else len(_ORDER), state))
    return [(state, found[state], _STATES.get(state, (state, ""))[0].lower()) for state in ordered]


def url_of(path: str | None) -> str:
    """A path of the manifest as the page must write it: from the folder above, every segment percent-encoded."""
    return "../" + "/".join(quote(segment, safe="") for segment in path.split("/")) if path else ""


def data_of(cells: Sequence[Cell], axes: Sequence[Axis]) -> dict[str, object]:
    """What the script needs of the cells: texts and places that many share are written once."""
    order = {axis.name: {value: place for place, value in enumerate(axis.values)} for axis in axes}
    texts: dict[str, int] = {"": 0}
    known = [_facts(cell, order, texts) for cell in cells]
    return {
        "axes": [{"name": axis.name, "values": list(axis.values)} for axis in axes],
        "cells": {cell.id: facts for cell, facts in zip(cells, known, strict=True)},
        "texts": list(texts),
    }


def _facts(cell: Cell, order: Mapping[str, Mapping[str, int]], texts: dict[str, int]) -> dict[str, object]:
    entry, at = cell.entry, dict(cell.values)

    def shared(text: str) -> int:
        return texts.setdefault(text, len(texts))

    return {
        "key": entry.key,
        "film": entry.sha256 or "",
        "slug": entry.slug,
        "values": [order[name][at[name]] if name in at else None for name in order],
        "axes": entry.axes.model_dump(mode="json", exclude_defaults=True),
        "prompt": shared(entry.prompt),
        "url": cell.url,
        "source": shared(url_of(entry.source)),
        "poster": cell.poster,
        "sourcePoster": shared(url_of(entry.source_poster)),
        "sidecar": url_of(entry.sidecar),
        "ratio": round(float(cell.ratio), 5),
        "size": [entry.width, entry.height] if entry.width and entry.height else None,
        "seconds": entry.seconds,
        "credits": entry.credits,
        "reason": cell.reason,
        "findings": [
            [one.check, one.verdict, one.measured, one.limit, one.says]
            for one in (entry.quality.findings if entry.quality else [])
        ],
    }


def _sources(entries: Iterable[ManifestEntry]) -> dict[tuple[str, str], str]:
    """The first source of each clip in each shape, and under "" in any."""
    found: dict[tuple[str, str], str] = {}
    for entry in entries:
        if source := url_of(entry.source):
            found.setdefault((entry.axes.clip, entry.axes.aspect_ratio), source)
            found.setdefault((entry.axes.clip, ""), source)
    return found


def _beside(entry: ManifestEntry, known: Mapping[tuple[str, str], str]) -> str:
    """What a variant that was not rendered yet, and so has no source of its own, is shown beside."""
    clip, shape = entry.axes.clip, entry.axes.aspect_ratio
    return known.get((clip, shape)) or known.get((clip, ""), "")


def _cell(number: int, entry: ManifestEntry, verdict: Verdict | None) -> Cell:
    label, meaning = _STATES.get(entry.state, (entry.state, ""))
    kept = entry.state in {"archived", "skipped"}
    playable = kept and entry.deliverable
    is_of_this = verdict is None or verdict.is_of(entry.sha256)
    return Cell(
        number=number,
        entry=entry,
        url=url_of(entry.deliverable) if playable else "",
        poster=url_of(entry.poster),
        ratio=_ratio(entry),
        state=label,
        reason=entry.reason or (_GONE if kept and not playable else meaning),
        verdict=verdict if is_of_this else None,
        earlier=None if is_of_this else verdict,
    )


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
