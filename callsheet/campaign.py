"""The campaign document: what a person wrote, as values; or every problem with it, each at its line and column.

Text in, values out: no file is read here. Globs stay as they are written, and whether files exist is for a later step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from callsheet import catalogue, yamltext
from callsheet.campaign_checks import DEFAULT_ASPECT_RATIO, NATIVE, check, is_glob, problem_at
from callsheet.campaign_text import (
    MOST_MISTAKES,
    PLACEHOLDER,
    CampaignForm,
    ClipForm,
    PromptForm,
    Trim,
    formed,
    json_schema,
    parse_trim,
)
from callsheet.credits import Credits
from callsheet.errors import Problem, Severity, SpecInvalid
from callsheet.yamltext import Document, Path

__all__ = [
    "NATIVE",
    "Archive",
    "Campaign",
    "Clip",
    "Prompt",
    "ReferenceSet",
    "Schedule",
    "Selector",
    "Trim",
    "is_glob",
    "json_schema",
    "parse",
    "parse_trim",
]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A source clip; `source` is a path or a glob, as it is written."""

    name: str
    source: str
    trim: Trim | None
    path: Path


@dataclass(frozen=True, kw_only=True)
class ReferenceSet:
    """A set of reference images: paths or globs, as they are written; none for an edit without images."""

    name: str
    files: tuple[str, ...]
    path: Path


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt, with `{{ name }}` where a variable goes."""

    name: str
    text: str
    path: Path

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that the text uses, in the order of their first use."""
        return tuple(dict.fromkeys(PLACEHOLDER.findall(self.text)))


@dataclass(frozen=True, kw_only=True)
class Selector:
    """Values of axes that a cell of the sweep must have, or that an added cell has."""

    match: dict[str, str | bool]
    path: Path


@dataclass(frozen=True, kw_only=True)
class Archive:
    """`to`: a folder or s3://bucket/prefix. `name`: template of the path below it, without extension."""

    to: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A cron line of five fields, in a zone of the tz database; only its shape has been checked."""

    cron: str
    timezone: str


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A campaign that can run, as far as its own text says. `warnings` is what it may not have meant."""

    name: str
    model: str
    budget: Credits | None
    approve_above: Credits | None
    clips: tuple[Clip, ...]
    references: tuple[ReferenceSet, ...]
    prompts: tuple[Prompt, ...]
    variables: dict[str, tuple[str, ...]]
    aspect_ratios: tuple[str, ...]
    keep_original_sound: tuple[bool, ...]
    takes: int
    exclude: tuple[Selector, ...]
    include: tuple[Selector, ...]
    framing: Literal["native", "crop", "pad"]
    archive: Archive
    schedule: Schedule | None
    rerender: Literal["changed", "every-run"]
    warnings: tuple[Problem, ...] = ()
    document: Document = field(repr=False, compare=False)

    def problem(
        self,
        path: Path,
        message: str,
        hint: str = "",
        *,
        key: bool = False,
        severity: Severity = "error",
        exit_code: int = 2,
    ) -> Problem:
        """A problem at the place of `path`, for whoever finds one later. exit_code: 3 when a media file is to blame."""
        return problem_at(self.document, path, message, hint, key=key, severity=severity, exit_code=exit_code)


def parse(text: bytes | str, *, file: str) -> Campaign:
    """The campaign in `text`; `file` is only named in messages.

    SpecSyntax when it is not YAML; SpecInvalid, with every problem, when it is not a campaign that can run.
    """
    document = yamltext.read(text, file=file)
    written = _written(document)
    form = formed(written, document.text)
    errors, warnings = _sorted_out(check(document, written))
    if isinstance(form, CampaignForm) and not errors:
        return _meant(form, document, tuple(warnings))
    if not isinstance(form, CampaignForm):
        errors = [*(problem_at(document, m.path, m.message, m.hint, key=m.key) for m in form), *errors]
    wrong = {error.path for error in errors}
    raise SpecInvalid([*errors, *(warning for warning in warnings if warning.path not in wrong)])


def _sorted_out(problems: Iterable[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings, the first hundred of each: no number of warnings may hide an error."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for problem in problems:
        chosen = errors if problem.severity == "error" else warnings
        if len(chosen) < MOST_MISTAKES:
            chosen.append(problem)
        if len(errors) == MOST_MISTAKES:
            break
    return errors, warnings


def _written(document: Document) -> dict[str, Any]:
    """The keys of the campaign, without those that begin with x-."""
    value = document.value
    if not isinstance(value, dict):
        found = "is empty" if value is None else f"holds {yamltext.described(value)}"
        hint = "Begin with campaign: and a name; `callsheet init` lays out a sample."
        raise SpecInvalid([problem_at(document, (), f"a campaign is a mapping of keys, and this file {found}", hint)])
    return {key: item for key, item in value.items() if not key.startswith("x-")}


# --- values ---------------------------------------------------------------------------------------------------------


def _meant(form: CampaignForm, document: Document, warnings: tuple[Problem, ...]) -> Campaign:
    schedule = form.schedule
    sound = form.keep_original_sound
    return Campaign(
        name=form.campaign,
        model=form.model,
        budget=form.budget,
        approve_above=form.approve_above,
        clips=tuple(_clip(name, clip) for name, clip in form.clips.items()),
        references=tuple(
            ReferenceSet(name=name, files=tuple(files), path=("references", name))
            for name, files in form.references.items()
        ),
        prompts=tuple(_prompt(name, prompt) for name, prompt in form.prompts.items()),
        variables={n: tuple(v) if isinstance(v, list) else (v,) for n, v in form.variables.items()},
        aspect_ratios=tuple(form.aspect_ratios) or _default_ratios(catalogue.model(form.model)),
        keep_original_sound=tuple(sound) if isinstance(sound, list) else (sound,),
        takes=form.takes,
        exclude=_selectors("exclude", form.sweep.exclude),
        include=_selectors("include", form.sweep.include),
        framing=form.framing,
        archive=Archive(to=form.archive.to, name=form.archive.name),
        schedule=Schedule(cron=schedule.cron, timezone=schedule.timezone) if schedule.cron else None,
        rerender=form.rerender,
        warnings=warnings,
        document=document,
    )


def _clip(name: str, clip: str | ClipForm) -> Clip:
    long = clip if isinstance(clip, ClipForm) else ClipForm(source=clip)
    return Clip(name=name, source=long.source, trim=long.trim, path=("clips", name))


def _prompt(name: str, prompt: str | PromptForm) -> Prompt:
    """Spaces and line ends around a prompt say nothing to the model; a | or |- in the YAML must not buy it again."""
    text = prompt.text if isinstance(prompt, PromptForm) else prompt
    return Prompt(name=name, text=text.strip(), path=("prompts", name))


def _selectors(kind: str, selections: Sequence[dict[str, str | bool]]) -> tuple[Selector, ...]:
    return tuple(Selector(match=match, path=("sweep", kind, i)) for i, match in enumerate(selections))


def _default_ratios(model: catalogue.Model) -> tuple[str, ...]:
    return (DEFAULT_ASPECT_RATIO,) if model.aspect_ratios else (NATIVE,)
