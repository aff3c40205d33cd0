"""The campaign document: what a person wrote, as values; or every problem with it, each at its line and column.

Text in, values out: no file is read here but through the `Sources` that the caller gives. Globs stay as they are written,
and whether media exist is for a later step.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from posixpath import dirname, join, normpath
from typing import Any, Literal, NamedTuple, TypeVar

from callsheet import catalogue, digest, yamltext
from callsheet.campaign_checks import check
from callsheet.campaign_mistakes import formed
from callsheet.campaign_sheet import (
    DEFAULT_ASPECT_RATIO,
    NATIVE,
    NO_REFERENCES,
    is_glob,
    is_remote,
    problem_at,
    values_of,
)
from callsheet.campaign_text import (
    MOST_MISTAKES,
    PLACEHOLDER,
    Picked,
    Trim,
    interval_of,
    parse_trim,
    spelt_interval,
)
from callsheet.catalogue import OptionValue
from callsheet.credits import Credits
from callsheet.errors import Problem, Severity, SpecError, SpecInvalid, SpecSyntax
from callsheet.yamltext import Document, Path

__all__ = [
    "NATIVE",
    "Archive",
    "Campaign",
    "Clip",
    "Overrides",
    "Prompt",
    "ReferenceSet",
    "Schedule",
    "Selector",
    "Sources",
    "Trim",
    "is_glob",
    "is_remote",
    "parse",
    "parse_trim",
]

#: Files that one campaign may extend, one through the other.
MOST_EXTENDED = 10

#: A document over those it extends, and their names.
Extended = tuple[Document, tuple[str, ...]]

T = TypeVar("T")
Framing = Literal["native", "crop", "pad"]


def _no_file(path: str) -> bytes:
    raise SpecError(f"there is no file {path}")


class Sources(NamedTuple):
    """How the texts are read that a campaign names. Both take a path and raise SpecError, whose `what` and `hint` say why.

    document: a campaign file to extend; the path begins where the campaign's own name does. prompt: a text file.
    """

    document: Callable[[str], bytes] = _no_file
    prompt: Callable[[str], bytes] = _no_file


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What a clip or a prompt says for its own variants; None (no option) where the campaign's word counts."""

    models: tuple[str, ...] | None = None
    options: dict[str, tuple[OptionValue, ...]] = field(default_factory=dict)
    aspect_ratios: tuple[str, ...] | None = None
    keep_original_sound: tuple[bool, ...] | None = None
    takes: int | None = None


class Clip(NamedTuple):
    """A source clip; `source` is a path, a glob or a URL, as it is written. framing: None for the campaign's."""

    name: str
    source: str
    trim: Trim | None
    path: Path
    framing: Framing | None = None
    own: Overrides = Overrides()


class ReferenceSet(NamedTuple):
    """A set of reference images: paths or globs, as they are written; none for an edit without images."""

    name: str
    files: tuple[str, ...]
    path: Path


class Prompt(NamedTuple):
    """A prompt, with `{{ name }}` where a variable goes."""

    name: str
    text: str
    path: Path
    own: Overrides = Overrides()

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that the text uses, in the order of their first use."""
        return tuple(dict.fromkeys(PLACEHOLDER.findall(self.text)))


class Selector(NamedTuple):
    """Values of axes, any of which a cell of the sweep must have, or each of which an added cell has."""

    match: dict[str, tuple[Picked, ...]]
    path: Path


class Keeping(NamedTuple):
    """How a bucket keeps what is put there; "" for as the bucket itself says. storage_class: of the films only."""

    sse: str = ""
    kms_key: str = ""
    storage_class: str = ""
    acl: str = ""
    tags: tuple[tuple[str, str], ...] = ()


class Archive(NamedTuple):
    """`to`: a folder or s3://bucket/prefix. `name`: template of the path below it, without extension. `mark`: does each film
    say, for machines, how it was made?"""

    to: str
    name: str
    keeping: Keeping = Keeping()
    mark: bool = True


class Schedule(NamedTuple):
    """A cron line, an interval or a recurrence rule, one of them, in a zone of the tz database. Only shapes are checked."""

    cron: str = ""
    interval: timedelta | None = None
    rrule: str = ""
    timezone: str = "UTC"

    @property
    def spoken(self) -> str:
        """cron 0 6 * * 1 (Asia/Shanghai)"""
        when = f"cron {self.cron}" if self.cron else f"rrule {self.rrule}"
        if self.interval is not None:
            when = f"every {spelt_interval(self.interval)}"
        return f"{when} ({self.timezone})"


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A campaign that can run, as far as its own text says. `warnings` is what it may not have meant.

    clips: none for models that take none; then every variant has one empty clip name. extends: the files it builds on.
    """

    name: str
    models: tuple[str, ...]
    options: dict[str, tuple[OptionValue, ...]]
    budget: Credits | None
    approve_above: Credits | None
    clips: tuple[Clip, ...]
    references: tuple[ReferenceSet, ...]
    prompts: tuple[Prompt, ...]
    variables: dict[str, tuple[str, ...]]
    aspect_ratios: tuple[str, ...]
    keep_original_sound: tuple[bool, ...]
    takes: int
    #: New takes of a variant in one run, at most, where the provider failed its job and kept nothing.
    retakes: int
    exclude: tuple[Selector, ...]
    include: tuple[Selector, ...]
    framing: Framing
    archive: Archive
    schedule: Schedule | None
    rerender: Literal["changed", "every-run"]
    extends: tuple[str, ...] = ()
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

    @property
    def all_models(self) -> tuple[catalogue.Model, ...]:
        """Every model that some variant may be made by."""
        own = (name for part in self.own for name in part.models or ())
        return tuple(catalogue.model(name) for name in dict.fromkeys((*self.models, *own)))

    @property
    def own(self) -> tuple[Overrides, ...]:
        """What clips and prompts say for themselves."""
        return (*(clip.own for clip in self.clips), *(prompt.own for prompt in self.prompts))


def parse(text: bytes | str, *, file: str, sources: Sources | None = None) -> Campaign:
    """The campaign in `text`; `file` is its name in messages, and where paths of `extends` begin.

    SpecSyntax when it is not YAML, or has keys twice, with every problem; SpecInvalid, with every problem, when it is not a
    campaign that can run.
    """
    read = yamltext.read(text, file=file, keeps_repeated=True)
    try:
        campaign = _parsed(read, sources or Sources())
    except (SpecInvalid, SpecSyntax) as error:
        if read.repeated:
            raise SpecSyntax(*read.repeated, *error.problems) from None
        raise
    if read.repeated:
        raise SpecSyntax(*read.repeated)
    return campaign


def named_files(text: bytes | str, *, file: str) -> tuple[Document, list[tuple[Path, str]]]:
    """The clips and images that this text names, each with its place, however wrong it is else: for who tells all at once.

    Of what it extends nothing is known here. SpecSyntax when it is not YAML.
    """
    document = yamltext.read(text, file=file, keeps_repeated=True)
    found: list[tuple[Path, str]] = []
    for section in ("clips", "references"):
        forms = document.value.get(section) if isinstance(document.value, dict) else None
        for name, form in forms.items() if isinstance(forms, dict) else ():
            found += _named_in((section, name), form)
    return document, found


def _named_in(place: Path, form: Any) -> list[tuple[Path, str]]:
    """What one clip or one set of images names."""
    if isinstance(form, dict) and place[0] == "clips":
        return [((*place, "source"), form["source"])] if isinstance(form.get("source"), str) else []
    if isinstance(form, list) and place[0] == "references":
        return [((*place, number), item) for number, item in enumerate(form) if isinstance(item, str)]
    return [(place, form)] if isinstance(form, str) else []


def _parsed(read: Document, sources: Sources) -> Campaign:
    document, extended = _extended(read, sources, (read.file,), {})
    written = _written(document)
    texts, unread = _prompt_files(document, written, sources)
    form = formed(written, document.text)
    errors, warnings = _sorted_out(check(document, written, texts))
    errors = [*unread, *errors]
    if isinstance(form, dict) and not errors:
        return _meant(form, document, texts, extended, tuple(warnings))
    if not isinstance(form, dict):
        errors = [*(problem_at(document, m.path, m.message, m.hint, key=m.key) for m in form), *errors]
    wrong = {error.path for error in errors}
    raise SpecInvalid([*errors, *(warning for warning in warnings if warning.path not in wrong)])


def _extended(document: Document, sources: Sources, chain: tuple[str, ...], known: dict[str, Extended]) -> Extended:
    """The document over those it extends, and the names of these. SpecInvalid where one cannot be read, or leads back.

    known: what was read so far, by name: two files that extend each file of a list twice would be read for ever.
    """
    value = document.value.get("extends") if isinstance(document.value, dict) else None
    paths = value if isinstance(value, list) else [value]
    found: list[str] = []
    below: Document | None = None
    for index, path in enumerate(paths):
        if not isinstance(path, str) or not path.strip():
            continue  # a mistake of form, told there
        place = ("extends", index) if isinstance(value, list) else ("extends",)
        name = normpath(join(dirname(document.file), path))
        if name in found:
            continue
        if name not in known:
            known[name] = _base(document, place, path, name, sources, chain, known)
        base, further = known[name]
        found += [name, *further]
        below = base if below is None else below.over(base)  # the first that says something counts
    return (document if below is None else document.over(below)), tuple(dict.fromkeys(found))


def _base(
    document: Document,
    place: Path,
    path: str,
    name: str,
    sources: Sources,
    chain: tuple[str, ...],
    known: dict[str, Extended],
) -> Extended:
    """One that is extended, over those that it extends. SpecInvalid at the place that names it."""
    if name in chain or len(chain) > MOST_EXTENDED:
        leads = "leads back to this file" if name in chain else f"is more than {MOST_EXTENDED} files away"
        raise SpecInvalid([problem_at(document, place, f"{path} {leads}", "Take it out of extends.")])
    try:
        read = yamltext.read(sources.document(name), file=name)
    except SpecError as error:
        if getattr(error, "problems", None):
            raise
        raise SpecInvalid([problem_at(document, place, error.what, error.hint)]) from error
    if not isinstance(read.value, dict):
        holds = yamltext.described(read.value)
        raise SpecInvalid([problem_at(read, (), f"what is extended is a mapping of keys, and this is {holds}")])
    return _extended(read, sources, (*chain, name), known)


def _prompt_files(
    document: Document, written: dict[str, Any], sources: Sources
) -> tuple[dict[str, str], list[Problem]]:
    """The texts of prompts that stand in files, by prompt, and a problem for each that cannot be read."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    section = written.get("prompts")
    for name, form in section.items() if isinstance(section, dict) else ():
        path = form.get("file") if isinstance(form, dict) and "text" not in form else None
        if not isinstance(path, str) or not path.strip() or is_remote(path):
            continue  # a mistake of form, told there
        place = ("prompts", name, "file")
        try:
            texts[name] = sources.prompt(path).decode("utf-8").removeprefix("\ufeff")
        except SpecError as error:
            problems.append(problem_at(document, place, error.what, error.hint))
        except UnicodeDecodeError:
            problems.append(problem_at(document, place, f"{path} is not UTF-8 text", "Save it again as UTF-8."))
        else:
            problems += _empty_prompt(document, place, path, texts[name])
    return texts, problems


def _empty_prompt(document: Document, place: Path, path: str, text: str) -> list[Problem]:
    if text.strip():
        return []
    return [problem_at(document, place, f"{path} is empty", "Write what the model is to do with the clip.")]


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


def _meant(
    form: dict[str, Any],
    document: Document,
    texts: dict[str, str],
    extended: tuple[str, ...],
    warnings: tuple[Problem, ...],
) -> Campaign:
    models = _several(form["model"])
    archive, sweep, schedule = form.get("archive", {}), form.get("sweep", {}), form.get("schedule")
    campaign = Campaign(
        name=form["campaign"],
        models=models,
        options=_options(form.get("options", {})),
        budget=form.get("budget"),
        approve_above=form.get("approve_above"),
        clips=tuple(_clip(name, clip) for name, clip in form.get("clips", {}).items()),
        references=tuple(
            ReferenceSet(name=name, files=_several(files), path=("references", name))
            for name, files in form.get("references", NO_REFERENCES).items()
        ),
        prompts=tuple(_prompt(name, prompt, texts) for name, prompt in form.get("prompts", {}).items())
        or (Prompt(name="", text="", path=("prompts",)),),
        variables={name: _several(values) for name, values in form.get("variables", {}).items()},
        aspect_ratios=tuple(form.get("aspect_ratios", ())) or _default_ratios(models),
        keep_original_sound=_several(form.get("keep_original_sound", True)),
        takes=form.get("takes", 1),
        retakes=form.get("retakes", 0),
        exclude=_selectors("exclude", sweep.get("exclude", ())),
        include=_selectors("include", sweep.get("include", ())),
        framing=form.get("framing", "native"),
        archive=_archive(archive),
        schedule=_schedule(schedule) if schedule else None,
        rerender=form.get("rerender", "changed"),
        extends=extended,
        warnings=warnings,
        document=document,
    )
    if campaign.archive.name:
        return campaign
    return replace(campaign, archive=campaign.archive._replace(name=_default_name(campaign)))


def _archive(form: dict[str, Any]) -> Archive:
    said = {name: form[name] for name in ("sse", "kms_key", "storage_class", "acl") if name in form}
    keeping = Keeping(**said, tags=tuple(form.get("tags", {}).items()))
    mark = form.get("mark", True)
    return Archive(to=form.get("to", "archive/"), name=form.get("name", ""), keeping=keeping, mark=mark)


def _schedule(form: dict[str, str]) -> Schedule:
    interval = interval_of(form["interval"]) if "interval" in form else None
    return Schedule(**{**form, "interval": interval})  # type: ignore[arg-type]  # what is not the interval is text


def _several(value: "T | list[T]") -> tuple[T, ...]:
    """What was written as one value or as a list of them."""
    return tuple(value) if isinstance(value, list) else (value,)


def _options(options: dict[str, Any]) -> dict[str, tuple[OptionValue, ...]]:
    return {name: tuple(_frozen(value) for value in values_of(name, written)) for name, written in options.items()}


def _frozen(value: Any) -> OptionValue:
    """A value of an option as something that never changes: of a list or a mapping its canonical JSON."""
    return digest.canonical(value) if isinstance(value, list | dict) else value


def _own(form: dict[str, Any]) -> Overrides:
    return Overrides(
        models=_several(form["model"]) if "model" in form else None,
        options=_options(form.get("options", {})),
        aspect_ratios=tuple(form["aspect_ratios"]) if "aspect_ratios" in form else None,
        keep_original_sound=_several(form["keep_original_sound"]) if "keep_original_sound" in form else None,
        takes=form.get("takes"),
    )


def _clip(name: str, clip: str | dict[str, Any]) -> Clip:
    path = ("clips", name)
    if isinstance(clip, str):
        return Clip(name=name, source=clip, trim=None, path=path)
    trim, framing = clip.get("trim"), clip.get("framing")
    return Clip(name=name, source=clip["source"], trim=trim, path=path, framing=framing, own=_own(clip))


def _prompt(name: str, prompt: str | dict[str, Any], texts: dict[str, str]) -> Prompt:
    """Spaces and line ends around a prompt say nothing to the model; a | or |- in the YAML must not buy it again."""
    path = ("prompts", name)
    if isinstance(prompt, str):
        return Prompt(name=name, text=prompt.strip(), path=path)
    return Prompt(name=name, text=(prompt.get("text") or texts[name]).strip(), path=path, own=_own(prompt))


def _selectors(kind: str, selections: Sequence[dict[str, Any]]) -> tuple[Selector, ...]:
    return tuple(
        Selector(
            match={axis: tuple(value) if isinstance(value, list) else (value,) for axis, value in match.items()},
            path=("sweep", kind, index),
        )
        for index, match in enumerate(selections)
    )


def _default_ratios(models: Sequence[str]) -> tuple[str, ...]:
    has_ratio = any(catalogue.model(name).aspect_ratios for name in models)
    return (DEFAULT_ASPECT_RATIO,) if has_ratio else (NATIVE,)


def _default_name(campaign: Campaign) -> str:
    """The template that tells every variant of this campaign from the others: the parts of a slug."""
    parts = ["{clip}"] if campaign.clips else []
    parts += ["{references}"] if any(model.images for model in campaign.all_models) else []
    parts += ["{prompt}"] if campaign.prompts[0].name else []
    parts += ["{aspect_ratio}"]
    sounds = {sound for own in campaign.own for sound in own.keep_original_sound or ()} | set(
        campaign.keep_original_sound
    )
    parts += ["{sound}"] if len(sounds) > 1 else []
    parts += ["{model}"] if len(campaign.all_models) > 1 else []
    parts += [f"{{{name}}}" for name in swept_options(campaign)]
    return "{campaign}/" + "--".join([*parts, "t{take}"])


def swept_options(campaign: Campaign) -> tuple[str, ...]:
    """The options with more than one value somewhere in the campaign, an absent one counted as a value of its own."""
    own = [part.options for part in campaign.own]
    names = dict.fromkeys(name for options in (campaign.options, *own) for name in options)
    said = {name: [options[name] for options in (campaign.options, *own) if name in options] for name in names}
    return tuple(
        name
        for name, values in said.items()
        if len({value for several in values for value in several}) > 1 or name not in campaign.options
    )
