"""One sentence for every mistake in the form of a campaign: what is wrong, and how it is written."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails, ValidationError

from callsheet import catalogue
from callsheet.campaign_form import CAMPAIGN, CHOICES, CLIP, FORMS, PICKS, PROMPT, SWEEP, VALIDATOR
from callsheet.campaign_text import MAX_RETAKES, MAX_TAKES, MOST_MISTAKES, OVERRIDES
from callsheet.nearest import did_you_mean, listed, nearest
from callsheet.yamltext import Path, described, shown

#: How a key is written, for hints. The rest of the keys have a hint in their own validator.
_EXAMPLES = {
    "campaign": "campaign: summer-launch",
    "extends": "extends: base.yaml",
    "model": "model: kling-o1-video-edit",
    "options": "options: {duration: 5, quality: [720p, 1080p]}",
    "clips": "clips: {beach: media/clips/beach.mp4}",
    "references": "references: {none: [], brand-a: [media/references/brand-a/*.jpg]}",
    "prompts": "prompts: {dusk: Re-light the scene at dusk.}",
    "variables": "variables: {product: the bottle, weather: [wet, snowy]}",
    "aspect_ratios": "aspect_ratios: [16:9, 9:16]",
    "keep_original_sound": "keep_original_sound: [true, false]",
    "takes": "takes: 1",
    "retakes": "retakes: 2",
    "sweep": "sweep: {exclude: [{clip: pier, aspect_ratio: 9:16}]}",
    "framing": "framing: native",
    "archive": "archive: {to: archive/}",
    "rerender": "rerender: changed",
    "schedule": 'schedule: {cron: "0 6 * * 1", timezone: Asia/Shanghai}',
}

_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "bool_type": "true or false",
    "int_type": "a whole number",
}


class Mistake(NamedTuple):
    """One mistake of form. `key`: it is in the key at `path`, not in the value."""

    path: Path
    message: str
    hint: str
    key: bool = False


def formed(written: dict[str, Any], text_of: Callable[[Path], str | None]) -> "dict[str, Any] | list[Mistake]":
    """What was written, each value as its kind reads it, or every mistake. `text_of`: how the scalar at a path is spelled."""
    try:
        form: dict[str, Any] = VALIDATOR.validate_python(written)
        return form
    except ValidationError as error:
        details = error.errors(include_url=False)
    return list(_without_echoes([_told(detail, written, text_of) for detail in details[:MOST_MISTAKES]]))


def known_keys(path: Path) -> tuple[str, ...]:
    """The keys of the mapping at `path`."""
    form = FORMS.get(str(path[0]), CAMPAIGN) if path else CAMPAIGN
    return tuple(sorted(form.keys, key=OVERRIDES.__contains__)) if form in (CLIP, PROMPT) else tuple(form.keys)


def _told(detail: ErrorDetails, written: Any, text_of: Callable[[Path], str | None]) -> Mistake:
    path = _path(detail["loc"], written)
    kind = detail["type"]
    if kind == "missing":
        return _missing(path)
    if kind == "extra_forbidden":
        return _unknown(path, written)
    if kind == "mistake":
        context = detail["ctx"]
        return Mistake(path=path, message=context["message"], hint=context["hint"], key=detail["loc"][-1] == "[key]")
    if kind == "no_unit":
        spelled = text_of(path)
        hint = f'Write "${spelled}" for dollars, or "{spelled} credits".'
        return Mistake(path=path, message=f"{spelled} has no unit, and it must be dollars or credits", hint=hint)
    if kind == "literal_error":
        return _no_choice(path, detail)
    if kind in ("greater_than_equal", "less_than_equal"):
        low, high = (0, MAX_RETAKES) if path[-1] == "retakes" else (1, MAX_TAKES)
        message = f"{detail['input']} is not from {low} to {high}"
        return Mistake(path=path, message=message, hint=example(path))
    return _mistyped(path, detail, text_of)


def _path(loc: Iterable[Any], written: Any) -> Path:
    """Where in the document it is. Pydantic's own steps (which form of a union, "[key]") are no part of that."""
    path: list[str | int] = []
    here: Any = written
    for step in loc:
        if (isinstance(here, dict) and step in here) or (isinstance(here, list) and isinstance(step, int)):
            here = here[step]
        elif step in PICKS:
            continue
        path.append(step)
    return tuple(path)


def _missing(path: Path) -> Mistake:
    *parent, key = path
    return Mistake(path=tuple(parent), message=f"the key `{key}` is missing", hint=example(path), key=True)


def _unknown(path: Path, written: Any) -> Mistake:
    *parent, key = path
    if not parent and (section := _empty_above(str(key), written)):
        hint = f"It begins in the first column; what belongs to {section} begins further right, as with two spaces."
        return Mistake(
            path=path, message=f"{shown(str(key))} stands beside {section}, which is empty", hint=hint, key=True
        )
    known = known_keys(tuple(parent))
    close = did_you_mean(str(key), known)
    hint = "" if close else f"The keys here are {listed(known, most=20)}."
    if str(key) in catalogue.options() and "options" in known:
        close, hint = (
            "",
            f"That is an option of {listed(catalogue.options()[str(key)], most=3)}: write options: {{{key}: …}}.",
        )
    if not close and not parent and key in SWEEP.keys:
        hint = f"It belongs under sweep: write sweep: {{{key}: …}}."
    return Mistake(path=path, message=f"unknown key {shown(str(key))}{close}", hint=hint, key=True)


def _empty_above(key: str, written: Any) -> str:
    """The section just above a key at the top that nothing stands in, where the key is like what belongs there."""
    keys = list(written)
    above = ""
    for one in keys[: keys.index(key) + 1]:
        if one in FORMS and written[one] is None:
            above = one
        elif one in CAMPAIGN.keys:
            above = ""
    return above


def _no_choice(path: Path, detail: ErrorDetails) -> Mistake:
    found, choices = detail["input"], CHOICES[str(path[-1])]
    if not isinstance(found, str):
        message = f"expected {listed(choices, last='or')}, found {described(found)}"
    else:
        message = f"{shown(found)} is not {listed(choices, last='or')}{did_you_mean(found, choices)}"
    return Mistake(path=path, message=message, hint=example(path))


def _mistyped(path: Path, detail: ErrorDetails, text_of: Callable[[Path], str | None]) -> Mistake:
    expected, found = _EXPECTED.get(detail["type"], "something else"), detail["input"]
    if path[0] == "references" and len(path) == 2:
        expected = "a path or a list of paths"
    spelled = text_of(path)
    said = described(found)
    if isinstance(found, bool | int | float) and spelled:
        said = f"{spelled}, {described(found)}"
    elif isinstance(found, str) and expected not in ("a list", "a mapping"):
        said = shown(found)
    return Mistake(
        path=path, message=f"expected {expected}, found {said}", hint=_way_out(path, expected, found, spelled)
    )


def _way_out(path: Path, expected: str, found: object, spelled: str | None) -> str:
    if expected == "text" and spelled and path[0] in ("campaign", "prompts", "variables", "clips", "references"):
        return f'Put it in quotes: "{spelled}".'
    if expected == "a mapping" and isinstance(found, str) and re.match(r"[\w.-]+:\S", found):
        return "Write a space behind the colon."
    return example(path)


def example(path: Path) -> str:
    """How the key at `path` is written, for hints; of what a clip or a prompt says for itself, that very key."""
    if not path:
        return ""
    key = path[2] if len(path) > 2 and path[0] in ("clips", "prompts") and path[2] in _EXAMPLES else path[0]
    written = _EXAMPLES.get(str(key))
    return f"Write it like `{written}`." if written else ""


def _without_echoes(mistakes: list[Mistake]) -> Iterator[Mistake]:
    """A misspelt key is one mistake, though the key it should have been is missing then."""
    meant = {
        (*item.path[:-1], nearest(str(item.path[-1]), known_keys(item.path[:-1])))
        for item in mistakes
        if item.message.startswith("unknown key")
    }
    for item in mistakes:
        if not (item.message.endswith("is missing") and (*item.path, item.message.split("`")[1]) in meant):
            yield item
