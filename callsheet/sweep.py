"""Campaign -> variants: every combination of the axes, less the excluded, plus the included, in a fixed order.

The order is the order of the file: clips outermost, then references, prompts (and the variables each prompt uses),
aspect ratios, sound, takes. A slug is readable and unique; it names the cell, and the take number tells samples apart.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

from callsheet import digest
from callsheet.campaign import Campaign, Prompt, Selector
from callsheet.campaign_text import PLACEHOLDER
from callsheet.errors import NothingToShoot

#: Joins the parts of a slug; no name of the campaign may contain it.
JOINT = "--"
#: Characters of a variable's value that a slug shows.
VALUE_LENGTH = 24


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One cell of the sweep, one sample of it. `text` is the prompt with its variables filled in."""

    campaign: str
    clip: str
    references: str
    prompt: str
    aspect_ratio: str
    keep_original_sound: bool
    model: str
    take: int
    variables: tuple[tuple[str, str], ...]
    text: str
    #: The prompt's part of the slug: its name, and the values of the variables that sweep it.
    prompt_slug: str
    slug: str
    #: The slug, with the take where the campaign asks for more than one: unique in the campaign.
    label: str


@dataclass(frozen=True, kw_only=True)
class _Cell:
    clip: str
    references: str
    prompt: Prompt
    variables: tuple[tuple[str, str], ...]
    aspect_ratio: str
    keep_original_sound: bool

    def matches(self, selector: Selector, groups: Mapping[str, str]) -> bool:
        return all(self._has(axis, value, groups) for axis, value in selector.match.items())

    def _has(self, axis: str, value: str | bool, groups: Mapping[str, str]) -> bool:
        if axis == "clip":
            return value in (self.clip, groups.get(self.clip))
        if axis == "prompt":
            return value == self.prompt.name
        if axis in ("references", "aspect_ratio", "keep_original_sound"):
            return bool(value == getattr(self, axis))
        return value == dict(self.variables).get(axis)


def expand(campaign: Campaign, clips: Mapping[str, Sequence[str]] | None = None) -> tuple[Variant, ...]:
    """Every variant of the campaign. `clips` maps a declared clip to the names it stands for (a glob is one clip a file).

    NothingToShoot when the sweep is empty.
    """
    members = clips or {clip.name: (clip.name,) for clip in campaign.clips}
    groups = {name: group for group, names in members.items() for name in names}
    cells = [cell for cell in _grid(campaign, list(groups)) if not _excluded(campaign, cell, groups)]
    known = set(cells)
    for selector in campaign.include:
        for cell in _included(campaign, selector, members):
            if cell not in known:
                known.add(cell)
                cells.append(cell)
    if not cells:
        raise NothingToShoot(
            "The sweep is empty: exclude leaves no variant.",
            where=campaign.name,
            hint="Loosen sweep.exclude, or add to sweep.include.",
        )
    return tuple(_variants(campaign, cells))


def select(variants: Sequence[Variant], only: Sequence[str]) -> tuple[Variant, ...]:
    """The variants whose slug or label matches one of the globs; all of them for no glob. NothingToShoot when none does."""
    if not only:
        return tuple(variants)
    chosen = tuple(v for v in variants if any(fnmatchcase(v.slug, glob) or fnmatchcase(v.label, glob) for glob in only))
    if not chosen:
        raise NothingToShoot(
            f"--only {' '.join(only)} matches none of the {len(variants)} variants.",
            hint=f"A slug looks like {variants[0].slug}; `callsheet plan` lists them all.",
        )
    return chosen


def _grid(campaign: Campaign, clips: Sequence[str]) -> Iterator[_Cell]:
    for clip, references in product(clips, campaign.references):
        for prompt in campaign.prompts:
            for variables in _fillings(campaign, prompt):
                for aspect_ratio, sound in product(campaign.aspect_ratios, campaign.keep_original_sound):
                    yield _Cell(
                        clip=clip,
                        references=references.name,
                        prompt=prompt,
                        variables=variables,
                        aspect_ratio=aspect_ratio,
                        keep_original_sound=sound,
                    )


def _fillings(campaign: Campaign, prompt: Prompt) -> list[tuple[tuple[str, str], ...]]:
    """Every way to fill the variables that this prompt uses, in the order it uses them."""
    names = prompt.variables
    return [tuple(zip(names, values, strict=True)) for values in product(*(campaign.variables[name] for name in names))]


def _excluded(campaign: Campaign, cell: _Cell, groups: Mapping[str, str]) -> bool:
    return any(cell.matches(selector, groups) for selector in campaign.exclude)


def _included(campaign: Campaign, selector: Selector, members: Mapping[str, Sequence[str]]) -> Iterator[_Cell]:
    """The cells an include names; an axis it leaves out has one value only (the campaign was checked for that)."""
    wanted = selector.match
    clip = str(wanted.get("clip", campaign.clips[0].name))
    prompt = next(p for p in campaign.prompts if p.name == wanted.get("prompt", campaign.prompts[0].name))
    sound = wanted.get("keep_original_sound", campaign.keep_original_sound[0])
    for name, filling in product(members.get(clip, (clip,)), _fillings(campaign, prompt)):
        if all(wanted.get(variable, value) == value for variable, value in filling):
            yield _Cell(
                clip=name,
                references=str(wanted.get("references", campaign.references[0].name)),
                prompt=prompt,
                variables=filling,
                aspect_ratio=str(wanted.get("aspect_ratio", campaign.aspect_ratios[0])),
                keep_original_sound=bool(sound),
            )


def _variants(campaign: Campaign, cells: Sequence[_Cell]) -> Iterator[Variant]:
    swept_sound = len({cell.keep_original_sound for cell in cells}) > 1
    taken: set[str] = set()
    for cell in cells:
        slug = _slug(campaign, cell, swept_sound)
        if slug in taken:
            slug = f"{slug}{JOINT}{digest.short(digest.of_json(dict(cell.variables)))[:6]}"
        taken.add(slug)
        for take in range(1, campaign.takes + 1):
            yield Variant(
                campaign=campaign.name,
                clip=cell.clip,
                references=cell.references,
                prompt=cell.prompt.name,
                aspect_ratio=cell.aspect_ratio,
                keep_original_sound=cell.keep_original_sound,
                model=campaign.model,
                take=take,
                variables=cell.variables,
                text=fill(cell.prompt.text, cell.variables),
                prompt_slug=_prompt_slug(campaign, cell),
                slug=slug,
                label=f"{slug}{JOINT}t{take}" if campaign.takes > 1 else slug,
            )


def fill(text: str, variables: Sequence[tuple[str, str]]) -> str:
    """The prompt with every `{{ name }}` replaced; one pass, so a value that looks like a placeholder stays as it is."""
    values = dict(variables)
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _slug(campaign: Campaign, cell: _Cell, swept_sound: bool) -> str:
    parts = [cell.clip, cell.references, _prompt_slug(campaign, cell), cell.aspect_ratio.replace(":", "x")]
    if swept_sound:
        parts.append("sound" if cell.keep_original_sound else "mute")
    return JOINT.join(parts)


def _prompt_slug(campaign: Campaign, cell: _Cell) -> str:
    swept = [value for name, value in cell.variables if len(campaign.variables[name]) > 1]
    return "+".join([cell.prompt.name, *(spell(value) for value in swept)])


def spell(value: str) -> str:
    """A variable's value as part of a slug: letters and digits of any script, joined by single hyphens."""
    plain = unicodedata.normalize("NFC", value).lower()
    return re.sub(r"[\W_]+", "-", plain).strip("-")[:VALUE_LENGTH].strip("-") or "empty"
