"""Where in the campaign each part of a variant comes from: the paths of its document, for `plan --why`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from callsheet.campaign import Campaign
from callsheet.sweep import Variant
from callsheet.yamltext import Document, Path, dotted

#: The key that holds the values of an axis.
AXIS_KEYS: Mapping[str, str] = {
    "aspect_ratio": "aspect_ratios",
    "keep_original_sound": "keep_original_sound",
    "model": "model",
}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One place of the campaign: `place` is file:line, `path` is dotted. Both are empty for what is not written: a default."""

    place: str = ""
    path: str = ""


DEFAULT = Origin()


def origins(
    campaign: Campaign, variant: Variant, *, clip: Path, stills: Sequence[Path]
) -> dict[str, tuple[Origin, ...]]:
    """Where each part of the variant's identity is written. clip, stills: the paths of its clip and of each of its images;
    an empty path for a variant without a clip."""
    found: dict[str, list[Path]] = {
        "clip": [_first_written(campaign.document, (*clip, "source"), clip)] if clip else [],
        "window": [(*clip, "trim")] if clip else [],
        "framing": [_first_written(campaign.document, (*clip, "framing"), ("framing",))],
        "references": list(stills) or [("references", variant.references)],
        "prompt": list(_prompt(campaign, variant)),
        "options": [
            path
            for name, value in variant.options
            if (path := _said(campaign, variant, clip, ("options", name), value)) is not None
        ],
        "take": [_first_written(campaign.document, *_scopes(variant, clip, ("takes",)))],
        **{axis: [_axis(campaign, variant, clip, axis)] for axis in AXIS_KEYS},
    }
    return {part: tuple(origin(campaign, path) for path in paths) or (DEFAULT,) for part, paths in found.items()}


def origin(campaign: Campaign, path: Path) -> Origin:
    """The place of a value; the default where the campaign does not write it."""
    if not is_written(campaign.document, path):
        return DEFAULT
    problem = campaign.problem(path, "")
    return Origin(place=f"{problem.file}:{problem.line}", path=dotted(path))


def is_written(document: Document, path: Path) -> bool:
    """Does the document have a value at this path?"""
    here = document.value
    for step in path:
        known = isinstance(here, dict) if isinstance(step, str) else isinstance(here, list)
        if not known or (step not in here if isinstance(here, dict) else not 0 <= int(step) < len(here)):
            return False
        here = here[step]
    return True


def value_at(document: Document, path: Path) -> object:
    """The value at a path that is written."""
    here = document.value
    for step in path:
        here = here[step]
    return here


def _first_written(document: Document, *paths: Path) -> Path:
    return next((path for path in paths if is_written(document, path)), paths[-1])


def _prompt(campaign: Campaign, variant: Variant) -> Iterator[Path]:
    """The text, and the values of the variables in it."""
    path: Path = ("prompts", variant.prompt)
    yield _first_written(campaign.document, (*path, "text"), path)
    for name, value in variant.variables:
        yield _listed(campaign.document, ("variables", name), value) or ("variables", name)


def _scopes(variant: Variant, clip: Path, key: Path) -> list[Path]:
    """Where a setting of this variant can stand: its prompt, its clip, the campaign; the first that says it counts."""
    return [("prompts", variant.prompt, *key), *([(*clip, *key)] if clip else []), key]


def _said(campaign: Campaign, variant: Variant, clip: Path, key: Path, value: object) -> Path | None:
    found = (_listed(campaign.document, path, value) for path in _scopes(variant, clip, key))
    return next((path for path in found if path is not None), None)


def _axis(campaign: Campaign, variant: Variant, clip: Path, axis: str) -> Path:
    """The value in the axis's own list, else in the include that added the variant."""
    value = getattr(variant, axis)
    key: Path = (AXIS_KEYS[axis],)
    added = (
        (*selector.path, axis)
        for selector in campaign.include
        if value in selector.match.get(axis, ()) and variant.clip in selector.match.get("clip", (variant.clip,))
    )
    return _said(campaign, variant, clip, key, value) or next(added, key)


def _listed(document: Document, path: Path, value: object) -> Path | None:
    """The path of this value: the key itself where it holds just that, or its place in the list."""
    if not is_written(document, path):
        return None
    written = value_at(document, path)
    if isinstance(written, list):
        return (*path, written.index(value)) if value in written else None
    return path if written == value else None
