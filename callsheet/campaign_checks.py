"""What must hold across the keys of a campaign: every check yields the problems it finds.

The checks read what was written, not the finished models, so that a mistake in one key does not hide those in the others.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from math import prod
from typing import Any

from callsheet import buckets, naming
from callsheet.campaign_mistakes import example
from callsheet.campaign_models import (
    input_problems,
    model_problems,
    option_problems,
    ratio_problems,
    sound_problems,
    strange_ratio,
)
from callsheet.campaign_sheet import BRACES, NAMED, Sheet, is_glob, texts_of
from callsheet.campaign_text import AXES, OVERRIDES, PLACEHOLDER, read_amount
from callsheet.errors import Problem
from callsheet.nearest import did_you_mean, listed
from callsheet.yamltext import Document, Path, shown

#: Variants of one sweep. A plan of so many was measured to stay under 400 MB (bench/).
MOST_VARIANTS = 100_000

#: A # that is hardly meant as a comment: those have a space behind it, as `# warm`.
_CUT_OFF = re.compile(r" +#[^\s#]")
_SINGLE_BRACES = re.compile(r"(?<!\{)\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}")


def check(document: Document, written: dict[str, Any], texts: Mapping[str, str]) -> Iterator[Problem]:
    """Every problem and warning of what was written, by kind. texts: of the prompts that stand in files."""
    sheet = Sheet(document, written, texts)
    for found in (
        model_problems,
        input_problems,
        ratio_problems,
        sound_problems,
        option_problems,
        _repeated_values,
        _name_problems,
        _prompt_problems,
        _variable_problems,
        _reference_problems,
        _selector_problems,
        _archive_problems,
        _size_problems,
        _schedule_problems,
        _money_problems,
    ):
        yield from found(sheet)


def _repeated_values(sheet: Sheet) -> Iterator[Problem]:
    """A value that stands in its list twice would make every variant with it twice."""
    lists: dict[Path, Any] = {
        (*scope.path, key): scope.written.get(key)
        for scope in sheet.scopes
        for key in ("model", "aspect_ratios", "keep_original_sound")
    }
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


def _name_problems(sheet: Sheet) -> Iterator[Problem]:
    for section, title in NAMED.items():
        first: dict[str, str] = {}
        for name in sheet.section(section):
            other = first.setdefault(name.lower(), name)
            if other != name and section != "variables":
                line = sheet.document.spot((section, other), key=True).line
                message = (
                    f"there is a {title} {shown(other)} in line {line} already, and case does not tell files apart"
                )
                yield sheet.problem((section, name), message, "Rename one of the two.", key=True)


def _prompt_problems(sheet: Sheet) -> Iterator[Problem]:
    for name, form in sheet.section("prompts").items():
        if isinstance(form, dict) and ("text" in form) == ("file" in form):
            message = "a prompt has a text or a file, not both" if "text" in form else "the key `text` is missing"
            yield sheet.problem(("prompts", name), message, "Write text: …, or file: and the path of one.", key=True)
    for path, text in sheet.prompts.values():
        is_filled = True
        for problem in _placeholder_problems(sheet, path, text):
            is_filled = False
            yield problem
        if is_filled:
            yield from _length_problems(sheet, path, text)
        yield from _single_braces(sheet, path, text)
        if (rest := sheet.document.behind(path)) and _CUT_OFF.match(rest) and path[-1] != "file":
            message = f"the prompt ends before {shown(rest.strip())}: a # behind a space begins a comment"
            yield sheet.problem(
                path, message, "Put the whole prompt in quotes, if that belongs to it.", severity="warning"
            )


def _single_braces(sheet: Sheet, path: Path, text: str) -> Iterator[Problem]:
    """The name of a variable, sent and paid for with its braces. Where no prompt uses it at all, its own key is told."""
    for match in _SINGLE_BRACES.finditer(text):
        if match[1] in sheet.used:
            message = f"{shown(match[0])} is sent as it stands: the values of a variable come between two braces"
            yield sheet.problem(path, message, f"Write {{{{ {match[1]} }}}}.", severity="warning", within=match[0])


def _placeholder_problems(sheet: Sheet, path: Path, text: str) -> Iterator[Problem]:
    for braces in dict.fromkeys(BRACES.findall(text)):
        match = PLACEHOLDER.fullmatch(braces)
        if match is None:
            message = f"{shown(braces)} is no variable: one name, and nothing else, stands between {{{{ and }}}}"
            yield sheet.problem(path, message, "Declare it under variables: with all its values.", within=braces)
        elif match[1] not in sheet.variables and "variables" not in sheet.unknown:
            close = did_you_mean(match[1], sheet.variables)
            hint = "" if close else f"Add it: variables: {{{match[1]}: …}}."
            message = f"the variable {shown(match[1])} is not declared{close}"
            yield sheet.problem(path, message, hint, within=braces)


def _length_problems(sheet: Sheet, path: Path, text: str) -> Iterator[Problem]:
    if not text.strip():
        return  # a mistake of form, told there
    uses = PLACEHOLDER.findall(text)
    if any(not sheet.variables.get(name) for name in uses):
        return  # its values are wrong in form
    fixed = len(PLACEHOLDER.sub("", text.strip()))
    longest = fixed + sum(max(len(value) for value in sheet.variables[name]) for name in uses)
    strictest = min(sheet.all_models, key=lambda model: model.prompt_max, default=None)
    if strictest and longest > strictest.prompt_max:
        filled = " with its variables filled in" if uses else ""
        most = f"{strictest.name} takes at most {strictest.prompt_max:,}"
        yield sheet.problem(path, f"the prompt has {longest:,} characters{filled}, and {most}", "Shorten it.")
    is_blank = not PLACEHOLDER.sub("", text).strip()
    if is_blank and all(any(not value.strip() for value in sheet.variables[name]) for name in uses):
        message = "the prompt is empty where its variables are empty"
        yield sheet.problem(path, message, "Write some text around the variable, or remove its empty value.")


def _variable_problems(sheet: Sheet) -> Iterator[Problem]:
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


def _nested_placeholders(sheet: Sheet, path: Path, values: Any) -> Iterator[Problem]:
    """Prompts are filled in once, so this would be sent, and paid for, with its braces."""
    many = isinstance(values, list)
    for index, value in enumerate(values if many else [values]):
        if isinstance(value, str) and "{{" in value:
            here = (*path, index) if many else path
            message = "a variable cannot stand in the value of another"
            yield sheet.problem(here, message, "Write it out.", within="{{")


def _reference_problems(sheet: Sheet) -> Iterator[Problem]:
    for name, files in sheet.section("references").items():
        paths = texts_of(files)
        certain = [path for path in paths if not is_glob(path)]
        yield from image_count_problems(sheet, name, len(certain), is_final=len(certain) == len(paths))
        seen: set[str] = set()
        for index, path in enumerate(paths):
            if path in seen:
                message = f"{shown(path)} stands in this set already, and is sent twice"
                yield sheet.problem(("references", name, index), message, "Remove one.", severity="warning")
            seen.add(path)


def image_count_problems(sheet: Sheet, name: str, count: int, *, is_final: bool) -> Iterator[Problem]:
    """At most one problem: a set of so many images is too large for a model, or too small for one that needs them."""
    for model in sheet.all_models:
        if model.images is None:
            continue
        low, high = model.images.count
        if count > high:
            message = f"{counted(count)}, and {model.name} takes at most {high}"
            hint = f"Remove {count - high}, or declare another set."
        elif is_final and model.images.required and count < low:
            message, hint = f"{counted(count)}, and {model.name} needs {low}", "Add one, or remove the set."
        else:
            continue
        yield sheet.problem(("references", name), message, hint)
        return


def counted(images: int) -> str:
    return f"{images} image{'' if images == 1 else 's'}"


# --- exclude and include --------------------------------------------------------------------------------------------


def _selector_problems(sheet: Sheet) -> Iterator[Problem]:
    for kind in ("exclude", "include"):
        for path, match in sheet.selections(kind):
            wrong = [found for axis, value in match.items() for found in _axis_problems(sheet, path, axis, value)]
            yield from wrong
            if wrong or not match or any(value is None or isinstance(value, dict) for value in match.values()):
                continue
            yield from _idle_variables(sheet, path, match)
            if kind == "include":
                yield from _gaps(sheet, path, match)


def _axis_problems(sheet: Sheet, path: Path, axis: str, value: object) -> Iterator[Problem]:
    """The axis is unknown, or has no such value; of a list, each value is looked at."""
    here = (*path, axis)
    if axis not in AXES and axis not in sheet.variables and axis not in sheet.options:
        if "variables" not in sheet.unknown:
            axes = [*AXES, *sheet.variables, *sheet.options]
            message = f"{shown(axis)} is no axis of the sweep{did_you_mean(axis, axes)}"
            yield sheet.problem(here, message, f"There are {listed(axes)}.", key=True)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_problems(sheet, (*here, index), axis, item)
    else:
        yield from _value_problems(sheet, here, axis, value)


def _value_problems(sheet: Sheet, here: Path, axis: str, value: object) -> Iterator[Problem]:
    """At most one problem."""
    if not isinstance(value, str | bool | int):
        return  # a mistake of form, told there
    if axis in sheet.options:
        known = [str(option) for option in sheet.options[axis] if option is not None]
        if not known:
            return  # it has no value at all, which is told where it is written
        if value not in sheet.options[axis]:
            message = f"the option `{axis}` has no value {shown(str(value))}{did_you_mean(str(value), known)}"
            yield sheet.problem(here, message, _choice(known))
        return
    wants_bool = axis == "keep_original_sound"
    if isinstance(value, bool) != wants_bool or not isinstance(value, bool | str):
        expected = "true or false" if wants_bool else "text"
        hint = "" if wants_bool else "Put it in quotes, if it is a name."
        found = str(value).lower() if isinstance(value, bool) else "text" if isinstance(value, str) else str(value)
        yield sheet.problem(here, f"expected {expected}, found {found}", hint)
    elif isinstance(value, str):
        yield from _unknown_value(sheet, here, axis, value)


def _unknown_value(sheet: Sheet, here: Path, axis: str, value: str) -> Iterator[Problem]:
    if axis == "aspect_ratio":
        yield from _strange_selection(sheet, here, value)
        return
    if axis == "model":
        names = [model.name for model in sheet.all_models]
        if names and value not in names:
            message = f"{shown(value)} is not among the models of the campaign{did_you_mean(value, names)}"
            yield sheet.problem(here, message, _choice(names))
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


def _strange_selection(sheet: Sheet, here: Path, value: str) -> Iterator[Problem]:
    """An include may name any ratio that a model knows; an exclude that names an absent one would do nothing."""
    models = sheet.all_models
    if not models:
        return
    if not any(model.aspect_ratios for model in models) and value not in sheet.all_ratios:
        names = listed([model.name for model in models], most=6)
        verb = "takes" if len(models) == 1 else "take"
        yield sheet.problem(here, f"{names} {verb} no aspect ratio: its result keeps the shape of the clip", key=True)
    elif strange := list(strange_ratio(sheet, models, here, value)):
        yield from strange
    elif here[1] == "exclude" and "aspect_ratios" not in sheet.unknown and value not in sheet.all_ratios:
        message = f"{value} is not among the aspect ratios of the campaign, so this excludes nothing"
        yield sheet.problem(here, message, _choice(sheet.all_ratios))


def _idle_variables(sheet: Sheet, path: Path, match: dict[str, Any]) -> Iterator[Problem]:
    """A variable that the chosen prompts do not use selects no variant at all."""
    chosen = [name for name in texts_of(match.get("prompt")) if name in sheet.uses]
    uses = {name for prompt in chosen for name in sheet.uses[prompt]} if chosen else sheet.used
    for axis in match:
        if axis in sheet.variables and axis not in uses and sheet.prompts:
            one = f"the prompt {shown(chosen[0])} does not use" if len(chosen) == 1 else "these prompts do not use"
            who = one if chosen else "no prompt uses"
            message = f"{who} the variable `{axis}`, so this selects nothing"
            yield sheet.problem((*path, axis), message, "Remove it.", key=True)


def _gaps(sheet: Sheet, path: Path, match: dict[str, Any]) -> Iterator[Problem]:
    """An include says all of a cell: an axis with several values cannot be left out."""
    counts: dict[str, int] = {
        "clip": len(sheet.clips),
        "references": len(sheet.references),
        "prompt": len(sheet.section("prompts")),
        "model": len(sheet.all_models),
        "aspect_ratio": len(sheet.ratios),
        "keep_original_sound": len(sheet.sounds),
    }
    prompts = texts_of(match.get("prompt")) or (list(sheet.prompts) if counts["prompt"] == 1 else [])
    used = [name for prompt in prompts for name in sheet.uses.get(prompt, ())]
    counts |= {name: len(sheet.variables[name]) for name in used}
    counts |= {name: len(values) for name, values in sheet.options.items()}
    missing = [axis for axis, count in counts.items() if count > 1 and axis not in match]
    if missing:
        needed = listed([f"`{axis}`" for axis in missing])
        numbers = listed([str(counts[axis]) for axis in missing])
        why = f"because there are {numbers}" if len(missing) == 1 else f"because there are {numbers} of them"
        hint = f"Write {{{', '.join(f'{axis}: …' for axis in [*match, *missing])}}}."
        yield sheet.problem(path, f"include needs {needed}, {why}", hint)


# --- names of deliverables, size, money -----------------------------------------------------------------------------


def _template_fields(sheet: Sheet) -> list[str]:
    """The fields of archive.name, in order; none where it is wrong in form."""
    template = sheet.section("archive").get("name")
    if not isinstance(template, str):
        return []
    try:
        return sorted(naming.placeholders(template))
    except ValueError:
        return []


def _archive_problems(sheet: Sheet) -> Iterator[Problem]:
    path = ("archive", "name")
    fields = _template_fields(sheet)
    known = [*sorted(naming.FIELDS), *sheet.variables, *sheet.options]
    for name in fields:
        if name not in known and "variables" not in sheet.unknown:
            message = f"{{{name[:60]}}} is no field of a name{did_you_mean(name, known)}"
            yield sheet.problem(path, message, f"There are {listed(known, most=20)}.", within=f"{{{name}}}")
    if fields and sheet.section("archive")["name"].lower().endswith((".mp4", ".mov")):
        message = "the name ends in an extension, and .mp4 is added to it"
        yield sheet.problem(path, message, "Remove the extension.", severity="warning")
    if fields:
        yield from _colliding_names(sheet, fields)
    yield from _bucket_problems(sheet)


def _bucket_problems(sheet: Sheet) -> Iterator[Problem]:
    """What is said of a bucket where there is none, and what a bucket cannot take."""
    form = sheet.section("archive")
    to = form.get("to", "archive/")
    of_buckets = [key for key in ("sse", "kms_key", "storage_class", "acl", "tags") if key in form]
    if not isinstance(to, str) or not buckets.is_bucket(to):
        for key in of_buckets:
            message = f"{key} says how a bucket keeps files, and the archive is a folder"
            yield sheet.problem(("archive", key), message, "Write to: s3://bucket/prefix, or remove it.", key=True)
        return
    if "kms_key" in form and not str(form.get("sse", "")).startswith("aws:kms"):
        hint = "Write sse: aws:kms, or remove it."
        yield sheet.problem(("archive", "kms_key"), "a key needs sse: aws:kms beside it", hint, key=True)
    if form.get("acl") == "public-read":
        message = "everybody on the internet who has a link can watch every result"
        yield sheet.problem(("archive", "acl"), message, "Remove it, unless that is meant.", severity="warning")
    template = form.get("name", naming.TEMPLATE)
    parts = template.count("/") + 1 if isinstance(template, str) else 1
    room = buckets.LONGEST_KEY - naming.longest(parts)
    if len(_prefix_of(to).encode()) > room:
        message = f"the prefix is longer than {room} bytes, and names of {parts} parts would not fit behind it"
        yield sheet.problem(("archive", "to"), message, f"S3 takes {buckets.LONGEST_KEY:,} bytes in all.")


def _prefix_of(to: str) -> str:
    try:
        return buckets.place_of(to).prefix
    except ValueError:  # told already
        return ""


def _colliding_names(sheet: Sheet, fields: Iterable[str]) -> Iterator[Problem]:
    """Deliverables of one name become revisions of it (`--r2`): nothing is lost, but nobody can tell them apart."""
    counts = {
        "clip": 2 if sheet.globs else len(sheet.clips),
        "model": len(sheet.all_models),
        "references": len(sheet.references),
        "prompt": len(sheet.prompts),
        "aspect_ratio": len(sheet.all_ratios),
        "sound": len(sheet.sounds),
        "take": sheet.takes,
        **{name: len(values) for name, values in sheet.options.items()},
    }
    missing = [f"{{{field}}}" for field, count in counts.items() if count > 1 and field not in fields]
    if missing:
        message = (
            f"the name has no {listed(missing)}, so different variants get one name and only a number tells them apart"
        )
        yield sheet.problem(("archive", "name"), message, f"Add {listed(missing)} to it.", severity="warning")


def _size_problems(sheet: Sheet) -> Iterator[Problem]:
    """Each file of a glob counts as well, and what clips and prompts say for themselves: that is counted later."""
    if any(set(OVERRIDES) & scope.written.keys() for scope in sheet.scopes[1:]):
        return
    fillings = [prod(len(sheet.variables[name]) or 1 for name in names) for names in sheet.uses.values()]
    axes = {"clips": len(sheet.clips) or 1, "reference sets": len(sheet.references), "prompts": sum(fillings) or 1}
    axes |= {"models": len(sheet.models) or 1}
    axes |= {f"values of {name}": len(values) for name, values in sheet.options.items()}
    axes |= {"aspect ratios": len(sheet.ratios), "sounds": len(sheet.sounds), "takes": sheet.takes}
    variants = prod(axes.values())
    if variants > MOST_VARIANTS:
        sum_of_it = " × ".join(f"{count:,} {name}" for name, count in axes.items() if count > 1)
        message = f"the sweep has {variants:,} variants ({sum_of_it}), and a campaign has at most {MOST_VARIANTS:,}"
        yield sheet.problem((), message, "Split it into several campaigns.")


def _schedule_problems(sheet: Sheet) -> Iterator[Problem]:
    """One of the three ways to say when."""
    form = sheet.section("schedule")
    said = [key for key in ("cron", "interval", "rrule") if key in form]
    if form and not said:
        message = "the schedule does not say when: it has no cron, interval or rrule"
        yield sheet.problem(("schedule",), message, example(("schedule",)), key=True)
    for other in said[1:]:
        message = f"the schedule has a {said[0]} already, and one of them says when"
        yield sheet.problem(("schedule", other), message, "Remove one of the two.", key=True)


def _money_problems(sheet: Sheet) -> Iterator[Problem]:
    budget, approve = read_amount(sheet.written.get("budget")), read_amount(sheet.written.get("approve_above"))
    if budget is not None and approve is not None and approve > budget:
        message = "this is more than the budget, so nobody is ever asked"
        yield sheet.problem(("approve_above",), message, "Lower it, or remove it.", severity="warning")
    renders_all = sheet.written.get("rerender") == "every-run"
    if "schedule" in sheet.written and renders_all and "budget" not in sheet.written:
        message = "every scheduled run renders and pays for everything again, and there is no budget to stop it"
        yield sheet.problem(("rerender",), message, "Add budget:, or write rerender: changed.", severity="warning")
