"""What must hold across the keys of a campaign and for the model it names: every check yields the problems it finds.

The checks read what was written, not the finished models, so that a mistake in one key does not hide those in the others.
Of a key that is itself wrong in form they take what is usable, and say nothing about the rest.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from itertools import chain
from math import prod
from typing import Any

from callsheet import catalogue, naming
from callsheet.campaign_text import AXES, MAX_TAKES, MOST_MISTAKES, PLACEHOLDER, CampaignForm, read_amount
from callsheet.errors import Problem, Severity
from callsheet.nearest import did_you_mean, listed, nearest
from callsheet.yamltext import Document, Path, dotted, shown

#: The aspect ratio of a campaign that names none; the first one of the provider's product page.
DEFAULT_ASPECT_RATIO = "16:9"
#: Stands for the aspect ratio of a model that takes none: the result keeps the shape of the clip.
NATIVE = "native"
#: Variants of one sweep. Prefect was measured with 10,000 task runs at once, and no further (FINDINGS, Prefect).
MOST_VARIANTS = 10_000
#: The set of reference images of a campaign that names none.
NO_REFERENCES: dict[str, Any] = {"none": []}

#: The sections whose keys are names, and what one of those is called.
_NAMED = {"clips": "clip", "references": "reference set", "prompts": "prompt", "variables": "variable"}
_GLOB = frozenset("*?[")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SINGLE_BRACES = re.compile(r"(?<!\{)\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}")
_BRACES = re.compile(r"\{\{[^{}]*\}{0,2}")


def problem_at(
    document: Document,
    path: Path,
    message: str,
    hint: str = "",
    *,
    key: bool = False,
    severity: Severity = "error",
    exit_code: int = 2,
    place: tuple[int, int] | None = None,
) -> Problem:
    """A problem at the place of `path`, or at `place` where that is more exact."""
    line, column = place or document.place(path, key=key)
    return Problem(
        file=document.file,
        line=line,
        column=column,
        path=dotted(path),
        message=message if message.endswith((".", "?")) else f"{message}.",
        hint=hint,
        severity=severity,
        exit_code=exit_code,
    )


def is_glob(source: str) -> bool:
    """Does this path stand for files that are looked up later?"""
    return not _GLOB.isdisjoint(source)


def check(document: Document, written: dict[str, Any]) -> Iterator[Problem]:
    """Every problem and warning of what was written, by kind."""
    sheet = _Sheet(document, written)
    for found in (
        _model_problems,
        _ratio_problems,
        _repeated_values,
        _name_problems,
        _prompt_problems,
        _variable_problems,
        _reference_problems,
        _selector_problems,
        _archive_problems,
        _size_problems,
        _money_problems,
    ):
        yield from found(sheet)


class _Sheet:
    """What was written, as far as it is usable."""

    def __init__(self, document: Document, written: dict[str, Any]) -> None:
        self.document = document
        self.written = written

    def problem(self, path: Path, message: str, hint: str = "", **facts: Any) -> Problem:
        return problem_at(self.document, path, message, hint, **facts)

    def section(self, key: str) -> dict[str, Any]:
        value = self.written.get(key)
        return value if isinstance(value, dict) else {}

    @cached_property
    def unknown(self) -> frozenset[str]:
        """Keys that are there under a misspelt name, or in a wrong form: nothing can be said about what they declare."""
        known = tuple(CampaignForm.model_fields)
        strange = [key for key in self.written if key not in known][:MOST_MISTAKES]
        misspelt = {nearest(key, known) for key in strange} - self.written.keys()
        unusable = {key for key in _NAMED if key in self.written and not isinstance(self.written[key], dict)}
        return frozenset(unusable | {key for key in misspelt if key})

    @cached_property
    def model(self) -> catalogue.Model | None:
        name = self.written.get("model")
        return catalogue.models().get(name) if isinstance(name, str) else None

    @cached_property
    def prompts(self) -> dict[str, tuple[Path, str]]:
        """The text of each prompt, and the path of the text."""
        found: dict[str, tuple[Path, str]] = {}
        for name, form in self.section("prompts").items():
            is_long = isinstance(form, dict)
            text = form.get("text") if is_long else form
            if isinstance(text, str):
                found[name] = (("prompts", name, "text") if is_long else ("prompts", name)), text
        return found

    @cached_property
    def variables(self) -> dict[str, list[str]]:
        """The values of each variable; none where they are wrong in form."""
        return {name: _texts(value) for name, value in self.section("variables").items()}

    @cached_property
    def ratios(self) -> list[str]:
        written = _texts(self.written.get("aspect_ratios"))
        default = NATIVE if self.model and not self.model.aspect_ratios else DEFAULT_ASPECT_RATIO
        return written if "aspect_ratios" in self.written else [default]

    @cached_property
    def sounds(self) -> list[bool]:
        written = self.written.get("keep_original_sound", True)
        return [value for value in (written if isinstance(written, list) else [written]) if isinstance(value, bool)]

    @property
    def takes(self) -> int:
        written = self.written.get("takes", 1)
        return written if isinstance(written, int) and 0 < written <= MAX_TAKES else 1

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
        braces = (braces for text in texts for braces in _BRACES.findall(text))
        words = {word for text in braces for word in _WORD.findall(text)}
        strange = [word for word in words if word not in self.variables][:MOST_MISTAKES]
        return frozenset(words | {close for word in strange if (close := nearest(word, self.variables))})

    def selections(self, kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The entries of sweep.exclude or sweep.include that are mappings."""
        entries = self.section("sweep").get(kind)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                yield ("sweep", kind, index), entry


def _texts(value: object) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


# --- model and aspect ratios ----------------------------------------------------------------------------------------


def _model_problems(sheet: _Sheet) -> Iterator[Problem]:
    name = sheet.written.get("model")
    models = list(catalogue.models())
    if isinstance(name, str) and sheet.model is None:
        message = f"there is no model {shown(name)}{did_you_mean(name, models)}"
        yield sheet.problem(("model",), message, f"The models are {listed(models)}.")


def _ratio_problems(sheet: _Sheet) -> Iterator[Problem]:
    if sheet.model is None:
        return
    if sheet.model.aspect_ratios:
        for path, ratio in _written_ratios(sheet):
            yield from _strange_ratio(sheet, sheet.model, path, ratio)
    elif "aspect_ratios" in sheet.written:
        message = f"{sheet.model.name} takes no aspect ratio: its result keeps the shape of the clip"
        yield sheet.problem(("aspect_ratios",), message, "Remove aspect_ratios, or choose another model.", key=True)
    elif sheet.written.get("framing") in ("crop", "pad"):
        message = f"{sheet.written['framing']} needs an aspect ratio, and {sheet.model.name} takes none"
        yield sheet.problem(("framing",), message, "Remove framing, or choose another model.")


def _written_ratios(sheet: _Sheet) -> Iterator[tuple[Path, str]]:
    written = sheet.written.get("aspect_ratios")
    for index, ratio in enumerate(written if isinstance(written, list) else []):
        if isinstance(ratio, str):
            yield ("aspect_ratios", index), ratio


def _strange_ratio(sheet: _Sheet, model: catalogue.Model, path: Path, ratio: str) -> Iterator[Problem]:
    if ratio in model.aspect_ratios:
        return
    meant = re.sub(r"\s*[x×/_-]\s*", ":", ratio.strip().lower())  # 16x9, as the file names have it
    close = f"; did you mean `{meant}`?" if meant in model.aspect_ratios else ""
    takes = listed(model.aspect_ratios, last="or")
    yield sheet.problem(path, f"{shown(ratio)} is not an aspect ratio of {model.name}; it takes {takes}{close}")


def _repeated_values(sheet: _Sheet) -> Iterator[Problem]:
    """A value that stands in its list twice would make every variant with it twice."""
    lists: dict[Path, Any] = {(key,): sheet.written.get(key) for key in ("aspect_ratios", "keep_original_sound")}
    lists |= {("variables", name): values for name, values in sheet.section("variables").items()}
    for path, values in lists.items():
        seen: set[str | bool] = set()
        for index, value in enumerate(values if isinstance(values, list) else []):
            if isinstance(value, str | bool) and value in seen:
                spelled = sheet.document.text((*path, index)) or ""
                yield sheet.problem((*path, index), f"{shown(spelled)} stands here twice", "Remove one of the two.")
            elif isinstance(value, str | bool):
                seen.add(value)


# --- names, prompts, variables, references --------------------------------------------------------------------------


def _name_problems(sheet: _Sheet) -> Iterator[Problem]:
    for section, title in _NAMED.items():
        first: dict[str, str] = {}
        for name in sheet.section(section):
            other = first.setdefault(name.lower(), name)
            if other != name and section != "variables":
                line, _ = sheet.document.place((section, other), key=True)
                message = (
                    f"there is a {title} {shown(other)} in line {line} already, and case does not tell files apart"
                )
                yield sheet.problem((section, name), message, "Rename one of the two.", key=True)


def _prompt_problems(sheet: _Sheet) -> Iterator[Problem]:
    for path, text in sheet.prompts.values():
        is_filled = True
        for problem in _placeholder_problems(sheet, path, text):
            is_filled = False
            yield problem
        if is_filled:
            yield from _length_problems(sheet, path, text)


def _placeholder_problems(sheet: _Sheet, path: Path, text: str) -> Iterator[Problem]:
    for braces in dict.fromkeys(_BRACES.findall(text)):
        match = PLACEHOLDER.fullmatch(braces)
        if match is None:
            message = f"{shown(braces)} is no variable: one name, and nothing else, stands between {{{{ and }}}}"
            place = sheet.document.place_within(path, braces)
            yield sheet.problem(path, message, "Declare it under variables: with all its values.", place=place)
        elif match[1] not in sheet.variables and "variables" not in sheet.unknown:
            close = did_you_mean(match[1], sheet.variables)
            hint = "" if close else f"Add it: variables: {{{match[1]}: …}}."
            place = sheet.document.place_within(path, braces)
            yield sheet.problem(path, f"the variable {shown(match[1])} is not declared{close}", hint, place=place)


def _length_problems(sheet: _Sheet, path: Path, text: str) -> Iterator[Problem]:
    if not text.strip():
        return  # a mistake of form, told there
    uses = PLACEHOLDER.findall(text)
    if any(not sheet.variables.get(name) for name in uses):
        return  # its values are wrong in form
    fixed = len(PLACEHOLDER.sub("", text.strip()))
    longest = fixed + sum(max(len(value) for value in sheet.variables[name]) for name in uses)
    if sheet.model and longest > sheet.model.prompt_max:
        filled = " with its variables filled in" if uses else ""
        most = f"{sheet.model.name} takes at most {sheet.model.prompt_max:,}"
        yield sheet.problem(path, f"the prompt has {longest:,} characters{filled}, and {most}", "Shorten it.")
    is_blank = not PLACEHOLDER.sub("", text).strip()
    if is_blank and all(any(not value.strip() for value in sheet.variables[name]) for name in uses):
        message = "the prompt is empty where its variables are empty"
        yield sheet.problem(path, message, "Write some text around the variable, or remove its empty value.")


def _variable_problems(sheet: _Sheet) -> Iterator[Problem]:
    for name, values in sheet.section("variables").items():
        yield from _nested_placeholders(sheet, ("variables", name), values)
    if "prompts" in sheet.unknown:
        return
    single = {name for _, text in sheet.prompts.values() for name in _SINGLE_BRACES.findall(text)}
    for name in sheet.variables:
        if name not in sheet.used:
            way = "with two braces" if name in single else "or remove it"
            hint = f"Write {{{{ {name} }}}} in a prompt, {way}."
            message = f"no prompt uses the variable {shown(name)}"
            yield sheet.problem(("variables", name), message, hint, key=True, severity="warning")


def _nested_placeholders(sheet: _Sheet, path: Path, values: Any) -> Iterator[Problem]:
    """Prompts are filled in once, so this would be sent, and paid for, with its braces."""
    many = isinstance(values, list)
    for index, value in enumerate(values if many else [values]):
        if isinstance(value, str) and "{{" in value:
            here = (*path, index) if many else path
            place = sheet.document.place_within(here, "{{")
            yield sheet.problem(here, "a variable cannot stand in the value of another", "Write it out.", place=place)


def _reference_problems(sheet: _Sheet) -> Iterator[Problem]:
    for name, files in sheet.section("references").items():
        paths = _texts(files) if isinstance(files, list) else []
        certain = [path for path in paths if not is_glob(path)]
        if sheet.model and len(certain) > (most := sheet.model.images.count[1]):
            message = f"{len(certain)} images, and {sheet.model.name} takes at most {most}"
            yield sheet.problem(("references", name), message, f"Remove {len(certain) - most}, or declare another set.")
        seen: set[str] = set()
        for index, path in enumerate(paths):
            if path in seen:
                message = f"{shown(path)} stands in this set already, and is sent twice"
                yield sheet.problem(("references", name, index), message, "Remove one.", severity="warning")
            seen.add(path)


# --- exclude and include --------------------------------------------------------------------------------------------


def _selector_problems(sheet: _Sheet) -> Iterator[Problem]:
    for kind in ("exclude", "include"):
        for path, match in sheet.selections(kind):
            wrong = [found for axis, value in match.items() for found in _value_problems(sheet, path, axis, value)]
            yield from wrong
            if wrong or not match or not all(isinstance(value, str | bool) for value in match.values()):
                continue
            yield from _idle_variables(sheet, path, match)
            if kind == "include":
                yield from _gaps(sheet, path, match)


def _value_problems(sheet: _Sheet, path: Path, axis: str, value: object) -> Iterator[Problem]:
    """At most one problem: the axis is unknown, or has no such value."""
    here = (*path, axis)
    if axis not in AXES and axis not in sheet.variables:
        if "variables" not in sheet.unknown:
            axes = [*AXES, *sheet.variables]
            message = f"{shown(axis)} is no axis of the sweep{did_you_mean(axis, axes)}"
            yield sheet.problem(here, message, f"There are {listed(axes)}.", key=True)
        return
    if not isinstance(value, str | bool):
        return  # a mistake of form, told there
    wants_bool = axis == "keep_original_sound"
    if isinstance(value, bool) != wants_bool:
        expected = "true or false" if wants_bool else "text"
        hint = "" if wants_bool else "Put it in quotes, if it is a name."
        found = str(value).lower() if isinstance(value, bool) else "text"
        yield sheet.problem(here, f"expected {expected}, found {found}", hint)
    elif isinstance(value, str):
        yield from _unknown_value(sheet, here, axis, value)


def _unknown_value(sheet: _Sheet, here: Path, axis: str, value: str) -> Iterator[Problem]:
    if axis == "aspect_ratio":
        yield from _strange_selection(sheet, here, value)
        return
    sections = {"clip": "clips", "references": "references", "prompt": "prompts"}
    section = sections.get(axis, "variables")
    known: Collection[str] = sheet.variables.get(axis, ())
    if axis in sections:
        known = sheet.references if axis == "references" else sheet.section(section)
    if value in known or section in sheet.unknown or not known:
        return
    if axis == "clip" and any(value.startswith(f"{name}-") for name in sheet.globs):
        return  # one file of a glob: its name is known when the files have been looked up
    title = {"clip": "clip", "references": "reference set", "prompt": "prompt"}.get(axis)
    message = f"there is no {title} {shown(value)}" if title else f"the variable `{axis}` has no value {shown(value)}"
    yield sheet.problem(here, f"{message}{did_you_mean(value, known)}", _choice(list(known)))


def _choice(known: list[str]) -> str:
    return f"There is only `{known[0]}`." if len(known) == 1 else f"There are {listed(known)}."


def _strange_selection(sheet: _Sheet, here: Path, value: str) -> Iterator[Problem]:
    """An include may name any ratio that the model knows; an exclude that names an absent one would do nothing."""
    model = sheet.model
    if model is None:
        return
    if not model.aspect_ratios:
        yield sheet.problem(
            here, f"{model.name} takes no aspect ratio: its result keeps the shape of the clip", key=True
        )
    elif value not in model.aspect_ratios:
        yield from _strange_ratio(sheet, model, here, value)
    elif here[1] == "exclude" and "aspect_ratios" not in sheet.unknown and value not in sheet.ratios:
        message = f"{value} is not among the aspect ratios of the campaign, so this excludes nothing"
        yield sheet.problem(here, message, _choice(sheet.ratios))


def _idle_variables(sheet: _Sheet, path: Path, match: dict[str, Any]) -> Iterator[Problem]:
    """A variable that the chosen prompt does not use selects no variant at all."""
    prompt = match.get("prompt")
    uses = sheet.used if prompt is None else sheet.uses.get(prompt)
    for axis in match:
        if axis in sheet.variables and uses is not None and axis not in uses and sheet.prompts:
            who = "no prompt uses" if prompt is None else f"the prompt {shown(prompt)} does not use"
            message = f"{who} the variable `{axis}`, so this selects nothing"
            yield sheet.problem((*path, axis), message, "Remove it.", key=True)


def _gaps(sheet: _Sheet, path: Path, match: dict[str, Any]) -> Iterator[Problem]:
    """An include is one cell: an axis with several values cannot be left out."""
    counts: dict[str, int] = {
        "clip": len(sheet.clips),
        "references": len(sheet.references),
        "prompt": len(sheet.section("prompts")),
        "aspect_ratio": len(sheet.ratios),
        "keep_original_sound": len(sheet.sounds),
    }
    only = next(iter(sheet.prompts), "") if counts["prompt"] == 1 else ""
    counts |= {name: len(sheet.variables[name]) for name in sheet.uses.get(match.get("prompt", only), ())}
    missing = [axis for axis, count in counts.items() if count > 1 and axis not in match]
    if missing:
        needed = listed([f"`{axis}`" for axis in missing])
        numbers = listed([str(counts[axis]) for axis in missing])
        why = f"because there are {numbers}" if len(missing) == 1 else f"because there are {numbers} of them"
        hint = f"Write {{{', '.join(f'{axis}: …' for axis in [*match, *missing])}}}."
        yield sheet.problem(path, f"include needs {needed}, {why}", hint)


# --- names of deliverables, size, money -----------------------------------------------------------------------------


def _template_fields(sheet: _Sheet) -> list[str]:
    """The fields of archive.name, in order; none where it is wrong in form."""
    template = sheet.section("archive").get("name")
    if not isinstance(template, str):
        return []
    try:
        return sorted(naming.placeholders(template))
    except ValueError:
        return []


def _archive_problems(sheet: _Sheet) -> Iterator[Problem]:
    path = ("archive", "name")
    fields = _template_fields(sheet)
    known = [*sorted(naming.FIELDS), *sheet.variables]
    for name in fields:
        if name not in known and "variables" not in sheet.unknown:
            place = sheet.document.place_within(path, f"{{{name}}}")
            message = f"{{{name[:60]}}} is no field of a name{did_you_mean(name, known)}"
            yield sheet.problem(path, message, f"There are {listed(known, most=20)}.", place=place)
    if fields and sheet.section("archive")["name"].lower().endswith((".mp4", ".mov")):
        message = "the name ends in an extension, and .mp4 is added to it"
        yield sheet.problem(path, message, "Remove the extension.", severity="warning")
    if fields:
        yield from _colliding_names(sheet, fields)


def _colliding_names(sheet: _Sheet, fields: Iterable[str]) -> Iterator[Problem]:
    """Deliverables of one name become revisions of it (`--r2`): nothing is lost, but nobody can tell them apart."""
    counts = {
        "clip": 2 if sheet.globs else len(sheet.clips),
        "references": len(sheet.references),
        "prompt": len(sheet.prompts),
        "aspect_ratio": len(sheet.ratios),
        "sound": len(sheet.sounds),
        "take": sheet.takes,
    }
    missing = [f"{{{field}}}" for field, count in counts.items() if count > 1 and field not in fields]
    if missing:
        message = (
            f"the name has no {listed(missing)}, so different variants get one name and only a number tells them apart"
        )
        yield sheet.problem(("archive", "name"), message, f"Add {listed(missing)} to it.", severity="warning")


def _size_problems(sheet: _Sheet) -> Iterator[Problem]:
    """Each file of a glob counts as well, but that is known later."""
    fillings = [prod(len(sheet.variables[name]) or 1 for name in names) for names in sheet.uses.values()]
    axes = {"clips": len(sheet.clips), "reference sets": len(sheet.references), "prompts": sum(fillings)}
    axes |= {"aspect ratios": len(sheet.ratios), "sounds": len(sheet.sounds), "takes": sheet.takes}
    variants = prod(axes.values())
    if variants > MOST_VARIANTS:
        sum_of_it = " × ".join(f"{count:,} {name}" for name, count in axes.items() if count > 1)
        message = f"the sweep has {variants:,} variants ({sum_of_it}), and a campaign has at most {MOST_VARIANTS:,}"
        yield sheet.problem((), message, "Split it into several campaigns.")


def _money_problems(sheet: _Sheet) -> Iterator[Problem]:
    budget, approve = read_amount(sheet.written.get("budget")), read_amount(sheet.written.get("approve_above"))
    if budget is not None and approve is not None and approve > budget:
        message = "this is more than the budget, so nobody is ever asked"
        yield sheet.problem(("approve_above",), message, "Lower it, or remove it.", severity="warning")
    renders_all = sheet.written.get("rerender") == "every-run"
    if "schedule" in sheet.written and renders_all and "budget" not in sheet.written:
        message = "every scheduled run renders and pays for everything again, and there is no budget to stop it"
        yield sheet.problem(("rerender",), message, "Add budget:, or write rerender: changed.", severity="warning")
