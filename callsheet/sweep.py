"""Campaign -> variants: every combination of the axes, less the excluded, plus the included, in a fixed order.

The order is the order of the file: clips outermost, then references, prompts (and the variables each prompt uses),
models and their options, aspect ratios, sound, takes. What a clip or a prompt says for itself counts instead of what the
campaign says, the prompt's word first. A slug is readable and unique; it names the cell, and the take number tells samples
apart.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import NamedTuple, TypeVar

from callsheet import catalogue, digest
from callsheet.campaign import NATIVE, Campaign, Clip, Overrides, Prompt, Selector, swept_options
from callsheet.campaign_sheet import takes_clip
from callsheet.campaign_text import PLACEHOLDER
from callsheet.catalogue import Model, Options
from callsheet.errors import NothingToShoot

#: Joins the parts of a slug; no name of the campaign may contain it.
JOINT = "--"
#: Characters of a variable's value that a slug shows.
VALUE_LENGTH = 24

T = TypeVar("T")
Filling = tuple[tuple[str, str], ...]


class Variant(NamedTuple):
    """One cell of the sweep, one sample of it. `text` is the prompt with its variables filled in.

    clip: "" for a model that takes none. keep_original_sound: None for a model that has no say in it. options: every
    option of the model that has a value, its defaults included. A tuple, since a sweep has tens of thousands of them.
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


class _Words(NamedTuple):
    """A prompt with its variables filled in: the same object in every cell that has it."""

    prompt: str
    variables: Filling
    text: str


class Setup(NamedTuple):
    """What the preparation and the price of a variant depend on: thousands of variants share a handful."""

    clip: str
    framing: str
    aspect_ratio: str
    model: str
    options: Options


class Cell(NamedTuple):
    """One cell of the sweep before it has a name: all that `check` needs of it."""

    clip: str
    framing: str
    references: str
    words: _Words
    tail: _Tail

    @property
    def identity(self) -> tuple[object, ...]:
        return self.clip, self.references, self.words.prompt, self.words.variables, self.tail


def expand(campaign: Campaign, clips: Mapping[str, Sequence[str]] | None = None) -> tuple[Variant, ...]:
    """Every variant of the campaign, as `cells` takes it. NothingToShoot when the sweep is empty."""
    return named(campaign, cells(campaign, clips))


def cells(campaign: Campaign, clips: Mapping[str, Sequence[str]] | None = None) -> tuple[Cell, ...]:
    """Every cell of the sweep. `clips` maps a declared clip to the names it stands for (a glob is one clip a file).

    NothingToShoot when the sweep is empty.
    """
    members = clips or {clip.name: (clip.name,) for clip in campaign.clips}
    found = list(_grid(campaign, members))
    known = {cell.identity for cell in found} if campaign.include else set()
    for selector in campaign.include:
        for cell in _included(campaign, selector, members):
            if cell.identity not in known:
                known.add(cell.identity)
                found.append(cell)
    if not found:
        raise NothingToShoot(
            "The sweep is empty: exclude leaves no variant.",
            where=campaign.name,
            hint="Loosen sweep.exclude, or add to sweep.include.",
        )
    return tuple(found)


def setups(cells: Sequence[Cell]) -> dict[Setup, int]:
    """Each setup with the number of variants that have it, in the order of the sweep."""
    counted = Counter((cell.clip, cell.framing, id(cell.tail)) for cell in cells)  # the cells keep their tails alive
    tails = {id(cell.tail): cell.tail for cell in cells}
    found: dict[Setup, int] = {}
    for (clip, framing, tail_id), count in counted.items():
        tail = tails[tail_id]
        setup = Setup(clip, framing, tail.aspect_ratio, tail.model, tail.options)
        found[setup] = found.get(setup, 0) + count * tail.takes
    return found


def setup_of(variant: Variant) -> Setup:
    """The setup of one variant."""
    return Setup(variant.clip, variant.framing, variant.aspect_ratio, variant.model, variant.options)


def count(campaign: Campaign, clips: Mapping[str, Sequence[str]]) -> int:
    """The variants of the grid before anything is excluded: cheap, however many they are."""
    fillings = {
        prompt.name: prod(len(campaign.variables[name]) for name in prompt.variables) for prompt in campaign.prompts
    }
    inner = _Tails(campaign)
    sizes: dict[int, int] = {}
    total = 0
    for clip, prompt in product(_declared(campaign), campaign.prompts):
        tails = inner.of(clip, prompt)
        size = sizes.setdefault(id(tails), sum(tail.takes for tail in tails))
        members = len(clips.get(clip.name, ())) if campaign.clips else 1
        total += members * len(campaign.references) * fillings[prompt.name] * size
    return total


def _declared(campaign: Campaign) -> tuple[Clip, ...]:
    """The clips, or one without a name for models that take none."""
    return campaign.clips or (Clip(name="", source="", trim=None, path=("clips",)),)


def _grid(campaign: Campaign, members: Mapping[str, Sequence[str]]) -> Iterator[Cell]:
    """Every cell that no exclude takes away."""
    rules = _Exclusions(campaign)
    lines = {
        prompt.name: [(words, rules.words(words)) for words in _every_words(campaign, prompt)]
        for prompt in campaign.prompts
    }
    sets = [(entry.name, rules.references(entry.name)) for entry in campaign.references]
    inner = _Tails(campaign)
    by_tail = {tail: rules.tail(tail) for tail in inner.every()}
    for clip in _declared(campaign):
        framing = clip.framing or campaign.framing
        tails = {prompt.name: [(tail, by_tail[tail]) for tail in inner.of(clip, prompt)] for prompt in campaign.prompts}
        for name in members.get(clip.name, ()) if campaign.clips else ("",):
            by_clip = rules.clip(name, clip.name)
            for (references, by_set), prompt in product(sets, campaign.prompts):
                for (words, by_words), (tail, by_end) in product(lines[prompt.name], tails[prompt.name]):
                    if not by_clip & by_set & by_words & by_end:
                        yield Cell(name, framing, references, words, tail)


class _Exclusions:
    """Which excludes a part of a cell fulfils, as one bit for each: a cell is out where all its parts share a bit.

    So the cost of a cell does not grow with the number of excludes.
    """

    def __init__(self, campaign: Campaign) -> None:
        self._rules = [selector.match for selector in campaign.exclude]
        self._word_axes = frozenset(("prompt", *campaign.variables))

    def clip(self, name: str, group: str) -> int:
        return self._bits(lambda axis: axis == "clip", {"clip": (name, group)})

    def references(self, name: str) -> int:
        return self._bits(lambda axis: axis == "references", {"references": (name,)})

    def words(self, words: _Words) -> int:
        """A variable that the prompt does not use has no value that fits."""
        values = {name: (value,) for name, value in words.variables} | {"prompt": (words.prompt,)}
        return self._bits(self._word_axes.__contains__, values)

    def tail(self, tail: _Tail) -> int:
        values: dict[str, tuple[object, ...]] = {name: (value,) for name, value in tail.options}
        for axis in ("model", "aspect_ratio", "keep_original_sound"):
            values[axis] = (getattr(tail, axis),)
        others = {"clip", "references"} | self._word_axes
        return self._bits(lambda axis: axis not in others, values)

    def _bits(self, concerns: Callable[[str], bool], values: Mapping[str, Sequence[object]]) -> int:
        return sum(
            1 << number
            for number, rule in enumerate(self._rules)
            if all(
                any(value in wanted for value in values.get(axis, ()))
                for axis, wanted in rule.items()
                if concerns(axis)
            )
        )


class _Tails:
    """The inner axes of each clip and prompt. Those that say nothing for themselves, as most, share one list."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._known: dict[tuple[int, int, str], tuple[_Tail, ...]] = {}

    def of(self, clip: Clip, prompt: Prompt) -> tuple[_Tail, ...]:
        said = (id(clip.own), id(prompt.own), clip.framing or self._campaign.framing)
        if said not in self._known:
            self._known[said] = tuple(_tails(self._campaign, clip, prompt))
        return self._known[said]

    def every(self) -> frozenset[_Tail]:
        for clip, prompt in product(_declared(self._campaign), self._campaign.prompts):
            self.of(clip, prompt)
        return frozenset(tail for tails in self._known.values() for tail in tails)


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


def _every_words(campaign: Campaign, prompt: Prompt) -> list[_Words]:
    """Every way to fill the variables that this prompt uses, in the order it uses them."""
    names = prompt.variables
    fillings = (
        tuple(zip(names, values, strict=True)) for values in product(*(campaign.variables[name] for name in names))
    )
    return [_Words(prompt.name, filling, fill(prompt.text, filling)) for filling in fillings]


def _included(campaign: Campaign, selector: Selector, members: Mapping[str, Sequence[str]]) -> Iterator[Cell]:
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
        for name, references, words, tail in product(names, sets, _every_words(campaign, prompt), tails):
            if all(value in wanted.get(variable, (value,)) for variable, value in words.variables):
                yield Cell(name, framing, references, words, tail)


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


def named(campaign: Campaign, cells: Sequence[Cell]) -> tuple[Variant, ...]:
    """The variants of these cells: each under a slug of its own, as often as it has takes."""
    return tuple(_named(campaign, cells))


def _named(campaign: Campaign, cells: Sequence[Cell]) -> Iterator[Variant]:
    spelling = _Spelling(campaign, cells)
    name = campaign.name
    taken: set[str] = set()
    for cell in cells:
        clip, framing, references, words, tail = cell
        prompt_slug, slug = spelling.of(cell)
        if slug in taken:
            slug = f"{slug}{JOINT}{spelling.mark(cell)}"
        taken.add(slug)
        model, options, ratio, sound, takes = tail
        prompt, variables, text = words
        for take in range(1, takes + 1):
            label = f"{slug}{JOINT}t{take}" if takes > 1 else slug
            yield Variant(
                name, clip, references, prompt, ratio, sound, model, options, framing, take, variables, text,
                prompt_slug, slug, label,
            )  # fmt: skip


class _Spelling:
    """How the cells of one sweep are named: only axes with something to tell apart have a part in the slug."""

    def __init__(self, campaign: Campaign, cells: Sequence[Cell]) -> None:
        self._variables = campaign.variables
        self._has_images = any(model.images for model in campaign.all_models)
        tails = {cell.tail for cell in cells}
        self._has_sounds = len({tail.keep_original_sound for tail in tails} - {None}) > 1
        self._has_models = len({tail.model for tail in tails}) > 1
        self._options = frozenset(swept_options(campaign))
        self._ends = {tail: self._end(tail) for tail in tails}
        self._prompts: dict[int, str] = {}

    def of(self, cell: Cell) -> tuple[str, str]:
        """The prompt's part of the slug, and the slug."""
        words = cell.words
        prompt = self._prompts.get(id(words))  # the cells keep them alive
        if prompt is None:
            prompt = self._prompts[id(words)] = self._prompt(words)
        head = f"{cell.clip}{JOINT}" if cell.clip else ""
        images = f"{cell.references}{JOINT}" if self._has_images else ""
        middle = f"{prompt}{JOINT}" if prompt else ""
        return prompt, f"{head}{images}{middle}{self._ends[cell.tail]}"

    def mark(self, cell: Cell) -> str:
        """What tells two cells apart whose values are spelled alike."""
        swept = [(name, value) for name, value in cell.tail.options if name in self._options]
        return digest.of_json(dict((*cell.words.variables, *swept)))[:6]

    def _prompt(self, words: _Words) -> str:
        swept = [value for name, value in words.variables if len(self._variables[name]) > 1]
        return "+".join([words.prompt, *(spell(value) for value in swept)])

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
