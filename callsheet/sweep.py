"""Campaign -> variants: every combination of the axes, less the excluded, plus the included, in a fixed order.

The order is the order of the file: clips outermost, then references, prompts (and the variables each prompt uses),
models and their options, aspect ratios, sound, takes. What a clip or a prompt says for itself counts instead of what the
campaign says, the prompt's word first. A slug is readable and unique; it names the cell, and the take number tells samples
apart.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from typing import NamedTuple, TypeVar

from callsheet import catalogue, digest
from callsheet.campaign import NATIVE, Campaign, Clip, Overrides, Prompt, Selector, swept_options
from callsheet.campaign_sheet import takes_clip
from callsheet.campaign_text import PLACEHOLDER, Picked
from callsheet.catalogue import Model, Options
from callsheet.errors import NothingToShoot

#: Joins the parts of a slug; no name of the campaign may contain it.
JOINT = "--"
#: Characters of a variable's value that a slug shows.
VALUE_LENGTH = 24

T = TypeVar("T")
Filling = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One cell of the sweep, one sample of it. `text` is the prompt with its variables filled in.

    clip: "" for a model that takes none. keep_original_sound: None for a model that has no say in it. options: every
    option of the model that has a value, its defaults included.
    """

    campaign: str
    clip: str
    references: str
    prompt: str
    aspect_ratio: str
    keep_original_sound: bool | None
    model: str
    options: Options
    framing: str
    take: int
    variables: Filling
    text: str
    #: The prompt's part of the slug: its name, and the values of the variables that sweep it.
    prompt_slug: str
    slug: str
    #: The slug, with the take where the campaign asks for more than one: unique in the campaign.
    label: str


class _Tail(NamedTuple):
    """What is the same for every cell of a clip and a prompt: the inner axes."""

    model: str
    options: Options
    aspect_ratio: str
    keep_original_sound: bool | None
    takes: int


class _Cell(NamedTuple):
    clip: str
    group: str  # the clip as it is declared: for one file of a glob, the glob's name
    framing: str
    references: str
    prompt: Prompt
    variables: Filling
    tail: _Tail

    @property
    def identity(self) -> tuple[object, ...]:
        return self.clip, self.references, self.prompt.name, self.variables, self.tail

    def matches(self, selector: Selector) -> bool:
        return all(self._has(axis, values) for axis, values in selector.match.items())

    def _has(self, axis: str, values: Sequence[Picked]) -> bool:
        if axis == "clip":
            return self.clip in values or self.group in values
        if axis == "references":
            return self.references in values
        if axis == "prompt":
            return self.prompt.name in values
        if axis in ("model", "aspect_ratio", "keep_original_sound"):
            return getattr(self.tail, axis) in values
        return any(name == axis and value in values for name, value in (*self.variables, *self.tail.options))


def expand(campaign: Campaign, clips: Mapping[str, Sequence[str]] | None = None) -> tuple[Variant, ...]:
    """Every variant of the campaign. `clips` maps a declared clip to the names it stands for (a glob is one clip a file).

    NothingToShoot when the sweep is empty.
    """
    members = clips or {clip.name: (clip.name,) for clip in campaign.clips}
    cells = [cell for cell in _grid(campaign, members) if not any(map(cell.matches, campaign.exclude))]
    known = {cell.identity for cell in cells} if campaign.include else set()
    for selector in campaign.include:
        for cell in _included(campaign, selector, members):
            if cell.identity not in known:
                known.add(cell.identity)
                cells.append(cell)
    if not cells:
        raise NothingToShoot(
            "The sweep is empty: exclude leaves no variant.",
            where=campaign.name,
            hint="Loosen sweep.exclude, or add to sweep.include.",
        )
    return tuple(_variants(campaign, cells))


def count(campaign: Campaign, clips: Mapping[str, Sequence[str]]) -> int:
    """The variants of the grid before anything is excluded: cheap, however many they are."""
    prompts = [(prompt, len(_fillings(campaign, prompt))) for prompt in campaign.prompts]
    total = 0
    for clip in _declared(campaign):
        members = len(clips.get(clip.name, ())) if campaign.clips else 1
        for prompt, fillings in prompts:
            inner = sum(tail.takes for tail in _tails(campaign, clip, prompt))
            total += members * len(campaign.references) * fillings * inner
    return total


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


def _declared(campaign: Campaign) -> tuple[Clip, ...]:
    """The clips, or one without a name for models that take none."""
    return campaign.clips or (Clip(name="", source="", trim=None, path=("clips",)),)


def _grid(campaign: Campaign, members: Mapping[str, Sequence[str]]) -> Iterator[_Cell]:
    fillings = {prompt.name: _fillings(campaign, prompt) for prompt in campaign.prompts}
    for clip in _declared(campaign):
        tails = {prompt.name: tuple(_tails(campaign, clip, prompt)) for prompt in campaign.prompts}
        names = members.get(clip.name, ()) if campaign.clips else ("",)
        framing = clip.framing or campaign.framing
        for name, references, prompt in product(names, campaign.references, campaign.prompts):
            for filling, tail in product(fillings[prompt.name], tails[prompt.name]):
                yield _Cell(name, clip.name, framing, references.name, prompt, filling, tail)


def _tails(campaign: Campaign, clip: Clip, prompt: Prompt) -> Iterator[_Tail]:
    """The inner axes of a clip and a prompt, in order."""
    said = (prompt.own, clip.own)
    options = {**campaign.options, **clip.own.options, **prompt.own.options}
    ratios = _said(said, "aspect_ratios", campaign.aspect_ratios)
    sounds = _said(said, "keep_original_sound", campaign.keep_original_sound)
    takes = _said(said, "takes", campaign.takes)
    is_reframed = (clip.framing or campaign.framing) != NATIVE
    for name in _said(said, "models", campaign.models):
        model = catalogue.model(name)
        for settled, ratio, sound in product(
            _settings(model, options),
            _ratios_of(model, ratios, is_reframed and takes_clip(model, bool(campaign.clips))),
            sounds if model.sound_field and campaign.clips else (None,),
        ):
            yield _Tail(name, settled, ratio, sound, takes)


def _said(said: Sequence[Overrides], key: str, default: T) -> T:
    return next((value for own in said if (value := getattr(own, key)) is not None), default)


def _settings(model: Model, options: Mapping[str, Sequence[catalogue.OptionValue]]) -> list[Options]:
    """Every combination of the options that this model knows."""
    known = [name for name in model.options if name in options]
    return [
        model.settled(dict(zip(known, values, strict=True))) for values in product(*(options[name] for name in known))
    ]


def _ratios_of(model: Model, ratios: Sequence[str], is_reframed: bool) -> Sequence[str]:
    """The aspect ratios for a model; NATIVE alone where it takes none and our preparation makes none."""
    if model.aspect_ratios:
        return [ratio for ratio in ratios if ratio in model.aspect_ratios] or model.aspect_ratios[:1]
    return ratios if is_reframed else (NATIVE,)


def _fillings(campaign: Campaign, prompt: Prompt) -> list[Filling]:
    """Every way to fill the variables that this prompt uses, in the order it uses them."""
    names = prompt.variables
    return [tuple(zip(names, values, strict=True)) for values in product(*(campaign.variables[name] for name in names))]


def _included(campaign: Campaign, selector: Selector, members: Mapping[str, Sequence[str]]) -> Iterator[_Cell]:
    """The cells an include names; an axis it leaves out has one value only (the campaign was checked for that)."""
    wanted = selector.match
    for clip, prompt in product(_declared(campaign), campaign.prompts):
        files = tuple(members.get(clip.name, ())) if campaign.clips else ("",)
        names = [name for name in files if "clip" not in wanted or {name, clip.name} & set(wanted["clip"])]
        if not names or prompt.name not in wanted.get("prompt", (prompt.name,)):
            continue
        sets = [entry.name for entry in campaign.references if entry.name in wanted.get("references", (entry.name,))]
        framing = clip.framing or campaign.framing
        tails = list(_included_tails(campaign, clip, prompt, selector))
        for name, references, filling, tail in product(names, sets, _fillings(campaign, prompt), tails):
            if all(value in wanted.get(variable, (value,)) for variable, value in filling):
                yield _Cell(name, clip.name, framing, references, prompt, filling, tail)


def _included_tails(campaign: Campaign, clip: Clip, prompt: Prompt, selector: Selector) -> Iterator[_Tail]:
    """The inner axes with the ratio and the sound that the include asks for, which the campaign itself need not have."""
    wanted = selector.match
    tails = [
        tail
        for tail in _tails(campaign, clip, prompt)
        if tail.model in wanted.get("model", (tail.model,))
        and all(value in wanted.get(name, (value,)) for name, value in tail.options)
    ]
    for tail in tails:
        ratios = wanted.get("aspect_ratio", (tail.aspect_ratio,)) if tail.aspect_ratio != NATIVE else (NATIVE,)
        sounds = wanted.get("keep_original_sound", (tail.keep_original_sound,))
        for ratio, sound in product(ratios, sounds):
            is_sound = tail.keep_original_sound is not None
            yield tail._replace(aspect_ratio=str(ratio), keep_original_sound=bool(sound) if is_sound else None)


def _variants(campaign: Campaign, cells: Sequence[_Cell]) -> Iterator[Variant]:
    spelling = _Spelling(campaign, cells)
    taken: set[str] = set()
    for cell in cells:
        prompt_slug = spelling.prompt(cell)
        slug = spelling.slug(cell, prompt_slug)
        if slug in taken:
            slug = f"{slug}{JOINT}{spelling.mark(cell)}"
        taken.add(slug)
        text = fill(cell.prompt.text, cell.variables)
        for take in range(1, cell.tail.takes + 1):
            yield Variant(
                campaign=campaign.name,
                clip=cell.clip,
                references=cell.references,
                prompt=cell.prompt.name,
                aspect_ratio=cell.tail.aspect_ratio,
                keep_original_sound=cell.tail.keep_original_sound,
                model=cell.tail.model,
                options=cell.tail.options,
                framing=cell.framing,
                take=take,
                variables=cell.variables,
                text=text,
                prompt_slug=prompt_slug,
                slug=slug,
                label=f"{slug}{JOINT}t{take}" if cell.tail.takes > 1 else slug,
            )


class _Spelling:
    """How the cells of one sweep are named: only axes with something to tell apart have a part in the slug."""

    def __init__(self, campaign: Campaign, cells: Sequence[_Cell]) -> None:
        self._variables = campaign.variables
        self._has_images = any(model.images for model in campaign.all_models)
        tails = {cell.tail for cell in cells}
        self._has_sounds = len({tail.keep_original_sound for tail in tails} - {None}) > 1
        self._has_models = len({tail.model for tail in tails}) > 1
        self._options = frozenset(swept_options(campaign))
        self._ends = {tail: self._end(tail) for tail in tails}
        self._prompts: dict[tuple[str, Filling], str] = {}

    def slug(self, cell: _Cell, prompt_slug: str) -> str:
        references = cell.references if self._has_images else ""
        return JOINT.join(part for part in (cell.clip, references, prompt_slug, self._ends[cell.tail]) if part)

    def mark(self, cell: _Cell) -> str:
        """What tells two cells apart whose values are spelled alike."""
        swept = [(name, value) for name, value in cell.tail.options if name in self._options]
        return digest.of_json(dict((*cell.variables, *swept)))[:6]

    def prompt(self, cell: _Cell) -> str:
        known = (cell.prompt.name, cell.variables)
        if known not in self._prompts:
            swept = [value for name, value in cell.variables if len(self._variables[name]) > 1]
            self._prompts[known] = "+".join([cell.prompt.name, *(spell(value) for value in swept)])
        return self._prompts[known]

    def _end(self, tail: _Tail) -> str:
        parts = [tail.aspect_ratio.replace(":", "x")]
        if self._has_sounds and tail.keep_original_sound is not None:
            parts.append("sound" if tail.keep_original_sound else "mute")
        if self._has_models:
            parts.append(tail.model)
        parts += [f"{name}-{spell(str(value))}" for name, value in tail.options if name in self._options]
        return JOINT.join(parts)


def fill(text: str, variables: Sequence[tuple[str, str]]) -> str:
    """The prompt with every `{{ name }}` replaced; one pass, so a value that looks like a placeholder stays as it is."""
    values = dict(variables)
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


def spell(value: str) -> str:
    """A variable's value as part of a slug: letters and digits of any script, joined by single hyphens."""
    plain = unicodedata.normalize("NFC", value).lower()
    return re.sub(r"[\W_]+", "-", plain).strip("-")[:VALUE_LENGTH].strip("-") or "empty"
