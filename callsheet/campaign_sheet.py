"""What was written in a campaign, as far as it is usable: what the checks read, so that one mistake hides no other.

Of a key that is itself wrong in form it takes what is usable, and says nothing about the rest.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from callsheet import catalogue
from callsheet.campaign_form import CAMPAIGN
from callsheet.campaign_text import MAX_TAKES, MOST_MISTAKES, OVERRIDES, PLACEHOLDER
from callsheet.errors import Problem, Severity
from callsheet.nearest import nearest
from callsheet.yamltext import Document, Path, dotted

#: The aspect ratio of a campaign that names none; the first one of the provider's product page.
DEFAULT_ASPECT_RATIO = "16:9"
#: Stands for the aspect ratio of a model that takes none: the result keeps the shape of the clip.
NATIVE = "native"
#: The set of reference images of a campaign that names none.
NO_REFERENCES: dict[str, Any] = {"none": []}

#: The sections whose keys are names, and what one of those is called.
NAMED = {"clips": "clip", "references": "reference set", "prompts": "prompt", "variables": "variable"}
_GLOB = frozenset("*?[")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
BRACES = re.compile(r"\{\{[^{}]*\}{0,2}")


def problem_at(
    document: Document,
    path: Path,
    message: str,
    hint: str = "",
    *,
    key: bool = False,
    severity: Severity = "error",
    exit_code: int = 2,
    within: str = "",
) -> Problem:
    """A problem at the place of `path`; within: at the first such part of its text, where that can be told."""
    spot = document.spot(path, key=key, within=within)
    return Problem(
        file=spot.file,
        line=spot.line,
        column=spot.column,
        end_line=spot.end_line,
        end_column=spot.end_column,
        path=dotted(path),
        message=message if message.endswith((".", "?")) else f"{message}.",
        hint=hint,
        severity=severity,
        exit_code=exit_code,
    )


def is_glob(source: str) -> bool:
    """Does this path stand for files that are looked up later?"""
    return not is_remote(source) and not _GLOB.isdisjoint(source)


def is_remote(source: str) -> bool:
    """Is this fetched (s3://, https://), and not a path of this machine?"""
    return "://" in source


class Scope(NamedTuple):
    """Where settings of variants can stand: the campaign itself, one clip, or one prompt."""

    path: Path
    written: Mapping[str, Any]
    #: The models that its settings are for, as far as there are such models.
    models: tuple[catalogue.Model, ...]

    @property
    def is_campaign(self) -> bool:
        return not self.path


class Sheet:
    """What was written. `texts`: of the prompts that stand in files, by the prompt's name."""

    def __init__(self, document: Document, written: dict[str, Any], texts: Mapping[str, str]) -> None:
        self.document = document
        self.written = written
        self.texts = texts

    def problem(self, path: Path, message: str, hint: str = "", **facts: Any) -> Problem:
        return problem_at(self.document, path, message, hint, **facts)

    def section(self, key: str) -> dict[str, Any]:
        value = self.written.get(key)
        return value if isinstance(value, dict) else {}

    @cached_property
    def unknown(self) -> frozenset[str]:
        """Keys that are there under a misspelt name, or in a wrong form: nothing can be said about what they declare."""
        known = tuple(CAMPAIGN.keys)
        strange = [key for key in self.written if key not in known][:MOST_MISTAKES]
        misspelt = {nearest(key, known) for key in strange} - self.written.keys()
        unusable = {key for key in NAMED if key in self.written and not isinstance(self.written[key], dict)}
        return frozenset(unusable | {key for key in misspelt if key})

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """The campaign first, then each clip and prompt that says something for itself."""
        models = _models(self.written.get("model"))
        own = [
            Scope(
                path=(section, name),
                written={key: form[key] for key in (*OVERRIDES, "framing") if key in form},
                models=_models(form["model"]) if "model" in form else models,
            )
            for section in ("clips", "prompts")
            for name, form in self.section(section).items()
            if isinstance(form, dict)
        ]
        return (Scope(path=(), written=self.written, models=models), *(scope for scope in own if scope.written))

    @property
    def models(self) -> tuple[catalogue.Model, ...]:
        """The models of the campaign itself that there are."""
        return self.scopes[0].models

    @cached_property
    def all_models(self) -> tuple[catalogue.Model, ...]:
        """Every model that some variant may be made by."""
        rows = {model.name: model for scope in self.scopes for model in scope.models}
        return tuple(rows.values())

    @property
    def takes_clips(self) -> bool:
        """Does every variant have a clip, as far as the models are known?"""
        return not self.all_models or any(takes_clip(model, "clips" in self.written) for model in self.all_models)

    @cached_property
    def prompts(self) -> dict[str, tuple[Path, str]]:
        """The text of each prompt, and the path of the text, or of the name of the file that it is in."""
        found: dict[str, tuple[Path, str]] = {}
        for name, form in self.section("prompts").items():
            is_long = isinstance(form, dict)
            text = form.get("text") if is_long else form
            if isinstance(text, str):
                found[name] = (("prompts", name, "text") if is_long else ("prompts", name)), text
            elif name in self.texts:
                found[name] = ("prompts", name, "file"), self.texts[name]
        return found

    @cached_property
    def variables(self) -> dict[str, list[str]]:
        """The values of each variable; none where they are wrong in form."""
        return {name: texts_of(value) for name, value in self.section("variables").items()}

    @cached_property
    def ratios(self) -> list[str]:
        """The aspect ratios of the campaign itself."""
        written = texts_of(self.written.get("aspect_ratios"))
        has_none = bool(self.models) and not any(model.aspect_ratios for model in self.models)
        return written if "aspect_ratios" in self.written else [NATIVE if has_none else DEFAULT_ASPECT_RATIO]

    @cached_property
    def all_ratios(self) -> list[str]:
        """Those, and the ones that a clip or a prompt has of its own."""
        written = (ratio for scope in self.scopes for ratio in texts_of(scope.written.get("aspect_ratios")))
        return list(dict.fromkeys((*self.ratios, *written)))

    @cached_property
    def sounds(self) -> list[bool]:
        written = self.written.get("keep_original_sound", True)
        return [value for value in (written if isinstance(written, list) else [written]) if isinstance(value, bool)]

    @property
    def takes(self) -> int:
        written = self.written.get("takes", 1)
        return written if isinstance(written, int) and 0 < written <= MAX_TAKES else 1

    @cached_property
    def options(self) -> dict[str, list[Any]]:
        """The values of each option that is written anywhere."""
        found: dict[str, list[Any]] = {}
        for scope in self.scopes:
            options = scope.written.get("options")
            for name, value in options.items() if isinstance(options, dict) else ():
                found.setdefault(name, []).extend(values_of(name, value))
        return found

    @cached_property
    def globs(self) -> list[str]:
        """The clips that stand for one clip a file."""
        sources = {name: form.get("source") if isinstance(form, dict) else form for name, form in self.clips.items()}
        return [name for name, source in sources.items() if isinstance(source, str) and is_glob(source)]

    @property
    def clips(self) -> dict[str, Any]:
        return self.section("clips")

    @property
    def references(self) -> dict[str, Any]:
        return self.section("references") if "references" in self.written else NO_REFERENCES

    @cached_property
    def uses(self) -> dict[str, tuple[str, ...]]:
        """The declared variables that each prompt uses."""
        return {
            prompt: tuple(name for name in dict.fromkeys(PLACEHOLDER.findall(text)) if name in self.variables)
            for prompt, (_, text) in self.prompts.items()
        }

    @cached_property
    def used(self) -> frozenset[str]:
        """Every name that stands in {{ }} somewhere, well written or not, and what a misspelt one is meant to be."""
        texts = chain((text for _, text in self.prompts.values()), *self.variables.values())
        braces = (braces for text in texts for braces in BRACES.findall(text))
        words = {word for text in braces for word in _WORD.findall(text)}
        strange = [word for word in words if word not in self.variables][:MOST_MISTAKES]
        return frozenset(words | {close for word in strange if (close := nearest(word, self.variables))})

    def selections(self, kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The entries of sweep.exclude or sweep.include that are mappings."""
        entries = self.section("sweep").get(kind)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                yield ("sweep", kind, index), entry


def texts_of(value: object) -> list[str]:
    """The texts in a value that is one or a list of them."""
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def values_of(option: str, value: Any) -> list[Any]:
    """The values that a written option sweeps; for an option that is a list itself, the list is one value."""
    kinds = {model.options[option].kind for model in catalogue.models().values() if option in model.options}
    return value if isinstance(value, list) and "list" not in kinds else [value]


def takes_clip(model: catalogue.Model, declared: bool) -> bool:
    """Does this model's variant have a clip? One that may go without takes those that are declared."""
    return model.clip is not None and (model.clip.required or declared)


def _models(written: Any) -> tuple[catalogue.Model, ...]:
    known = catalogue.video_models()
    return tuple(known[name] for name in dict.fromkeys(texts_of(written)) if name in known)
