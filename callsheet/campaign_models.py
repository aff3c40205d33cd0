"""What must hold for the models that a campaign names: their inputs, aspect ratios, sound and options.

A setting can stand in the campaign, or in one clip or prompt for its own variants; each such scope is checked against the
models that its variants are made by.
"""

import re
from collections.abc import Iterator
from typing import Any

from callsheet import catalogue
from callsheet.campaign_mistakes import example
from callsheet.campaign_sheet import Scope, Sheet, takes_clip, texts_of, values_of
from callsheet.errors import Problem
from callsheet.nearest import did_you_mean, listed
from callsheet.yamltext import Path, described, shown

#: Models that a message names; `callsheet models` lists them all.
NAMED_IN_A_MESSAGE = 6


def model_problems(sheet: Sheet) -> Iterator[Problem]:
    """Names that are no model that makes videos."""
    for scope in sheet.scopes:
        written = scope.written.get("model")
        for index, name in enumerate(written if isinstance(written, list) else [written]):
            if isinstance(name, str) and name not in catalogue.video_models():
                path = (*scope.path, "model", index) if isinstance(written, list) else (*scope.path, "model")
                yield _strange_model(sheet, path, name)


def _strange_model(sheet: Sheet, path: Path, name: str) -> Problem:
    models = list(catalogue.video_models())
    if name in catalogue.models():
        message = f"{name} makes an element for later prompts and no video, so no campaign renders it"
        return sheet.problem(path, message, f"The models are {listed(models, most=NAMED_IN_A_MESSAGE)}.")
    message = f"there is no model {shown(name)}{did_you_mean(name, models)}"
    return sheet.problem(path, message, f"The models are {listed(models, most=NAMED_IN_A_MESSAGE)}.")


# --- clips, references, prompts -------------------------------------------------------------------------------------


def input_problems(sheet: Sheet) -> Iterator[Problem]:
    """What the models need and is not there, and what is there and no model takes."""
    models = sheet.all_models
    if not _alike(sheet):
        yield _unlike(sheet)
        return
    is_open = "model" not in sheet.written and not models  # then the most usual kind is meant
    needs_clip = is_open or any(model.clip is not None and model.clip.required for model in models)
    needs_prompt = is_open or any(model.prompt_required for model in models)
    needs_images = any(model.images is not None and model.images.required for model in models)
    for key, needed in (("clips", needs_clip), ("prompts", needs_prompt), ("references", needs_images)):
        if needed and key not in sheet.written and key not in sheet.unknown:
            yield sheet.problem((), f"the key `{key}` is missing", example((key,)), key=True)
    if models and "clips" in sheet.written and not sheet.takes_clips:
        able = _those(lambda model: model.clip is not None)
        yield sheet.problem(("clips",), f"{_names(models)} {_take(models)} no clip", f"{able} take clips.", key=True)
    if models and not any(model.images for model in models) and any(map(texts_of, sheet.references.values())):
        able = _those(lambda model: model.images is not None)
        yield sheet.problem(
            ("references",), f"{_names(models)} {_take(models)} no images", f"{able} take images.", key=True
        )


def _alike(sheet: Sheet) -> bool:
    """Do all models take the same kinds of input? Then every variant has the same parts."""
    declared = "clips" in sheet.written
    return len({(takes_clip(model, declared), model.images is None) for model in sheet.all_models}) <= 1


def _unlike(sheet: Sheet) -> Problem:
    declared = "clips" in sheet.written
    inputs = {model.name: _inputs(model, declared) for model in sheet.all_models}
    first = next(iter(inputs))
    other = next(name for name, taken in inputs.items() if taken != inputs[first])
    message = f"{first} works from {inputs[first]}, and {other} from {inputs[other]}: they cannot share one sweep"
    scope = next(scope for scope in sheet.scopes if other in texts_of(scope.written.get("model")))
    return sheet.problem((*scope.path, "model"), message, "Write a campaign for each.")


def _inputs(model: catalogue.Model, declared: bool) -> str:
    parts = ["a clip"] if takes_clip(model, declared) else []
    parts += ["images"] if model.images else []
    return " and ".join(parts) or "the prompt alone"


def _those(fits: Any) -> str:
    return listed([name for name, model in catalogue.video_models().items() if fits(model)], most=NAMED_IN_A_MESSAGE)


def _names(models: tuple[catalogue.Model, ...]) -> str:
    return listed([model.name for model in models], most=NAMED_IN_A_MESSAGE)


def _take(models: tuple[catalogue.Model, ...]) -> str:
    return "takes" if len(models) == 1 else "take"


# --- aspect ratios and sound ----------------------------------------------------------------------------------------


def ratio_problems(sheet: Sheet) -> Iterator[Problem]:
    for scope in sheet.scopes:
        if not scope.models:
            continue
        able = [model for model in scope.models if model.aspect_ratios]
        if "aspect_ratios" not in scope.written:
            yield from _framing_problems(sheet, scope, able)
        elif able or _is_reframed(sheet):
            for index, ratio in enumerate(_listed_ratios(scope)):
                yield from strange_ratio(sheet, scope.models, (*scope.path, "aspect_ratios", index), ratio)
        else:
            yield _no_ratio(sheet, scope)


def _listed_ratios(scope: Scope) -> list[Any]:
    written = scope.written["aspect_ratios"]
    return written if isinstance(written, list) else []


def _is_reframed(sheet: Sheet) -> bool:
    """Does our preparation give some clips their shape?"""
    return sheet.takes_clips and any(scope.written.get("framing") in ("crop", "pad") for scope in sheet.scopes)


def _framing_problems(sheet: Sheet, scope: Scope, able: list[catalogue.Model]) -> Iterator[Problem]:
    framing = scope.written.get("framing")
    if framing in ("crop", "pad") and not able and not sheet.written.get("aspect_ratios"):
        message = f"{framing} needs an aspect ratio to make, and the campaign names none"
        yield sheet.problem((*scope.path, "framing"), message, "Add aspect_ratios: [9:16], or remove framing.")


def _no_ratio(sheet: Sheet, scope: Scope) -> Problem:
    keeps = "clip" if sheet.takes_clips else "image"
    message = f"{_names(scope.models)} {_take(scope.models)} no aspect ratio: its result keeps the shape of the {keeps}"
    way = "set framing: crop or pad, " if sheet.takes_clips else ""
    hint = f"Remove aspect_ratios, {way}or choose another model."
    return sheet.problem((*scope.path, "aspect_ratios"), message, hint, key=True)


def strange_ratio(sheet: Sheet, models: tuple[catalogue.Model, ...], path: Path, ratio: object) -> Iterator[Problem]:
    """At most one problem: no model has this ratio, nor can our preparation be asked for it."""
    known = list(dict.fromkeys(known for model in models for known in model.aspect_ratios))
    if not known and _is_reframed(sheet):
        known = list(dict.fromkeys(r for model in catalogue.video_models().values() for r in model.aspect_ratios))
    if not isinstance(ratio, str) or ratio in known:
        return
    meant = re.sub(r"\s*[x×/_-]\s*", ":", ratio.strip().lower())  # 16x9, as the file names have it
    if ratio.strip() in known:
        yield sheet.problem(path, f"{shown(ratio)} has a space before or after it", "Take the space away.")
        return
    close = f"; did you mean `{meant}`?" if meant in known else ""
    takes, subject = listed(known, last="or"), "it takes" if len(models) == 1 else "they take"
    message = f"{shown(ratio)} is not an aspect ratio of {_names(models)}; {subject} {takes}{close}"
    yield sheet.problem(path, message)


def sound_problems(sheet: Sheet) -> Iterator[Problem]:
    for scope in sheet.scopes:
        if scope.models and "keep_original_sound" in scope.written:
            if any(model.sound_field for model in scope.models):
                continue
            able = _those(lambda model: model.sound_field)
            message = f"{_names(scope.models)} {_take(scope.models)} no clip whose sound could be kept"
            yield sheet.problem((*scope.path, "keep_original_sound"), message, f"{able} keep it.", key=True)


# --- options --------------------------------------------------------------------------------------------------------


def option_problems(sheet: Sheet) -> Iterator[Problem]:
    """Each problem once, however many models have it."""
    yield from dict.fromkeys(_every_option_problem(sheet))


def _every_option_problem(sheet: Sheet) -> Iterator[Problem]:
    for scope in sheet.scopes:
        options = scope.written.get("options")
        for name, value in options.items() if isinstance(options, dict) else ():
            path = (*scope.path, "options", name)
            if scope.models:
                yield from _option_problems(sheet, scope, path, name, value)
            if name in sheet.variables:
                yield sheet.problem(path, f"there is a variable `{name}` already", "Rename the variable.", key=True)
        if scope.is_campaign or isinstance(options, dict):
            yield from _missing_options(sheet, scope)


def _option_problems(sheet: Sheet, scope: Scope, path: Path, name: str, value: Any) -> Iterator[Problem]:
    rows = [(model, model.options[name]) for model in scope.models if name in model.options]
    if not rows:
        yield _unknown_option(sheet, scope, path, name)
    values = values_of(name, value)
    swept = values is value
    for index, one in enumerate(values):
        here = (*path, index) if swept else path
        if one is None or isinstance(one, float):
            continue  # a mistake of form, told there
        for model, row in rows:
            if complaint := _complaint(row, one):
                yield sheet.problem(here, f"{complaint} ({model.name})")
                break
        else:
            if swept and one in values[:index]:
                yield sheet.problem(here, f"{shown(str(one))} stands here twice", "Remove one of the two.")


def _unknown_option(sheet: Sheet, scope: Scope, path: Path, name: str) -> Problem:
    who = _names(scope.models)
    if name in catalogue.options():
        able = listed(catalogue.options()[name], most=NAMED_IN_A_MESSAGE)
        verb = "has" if len(scope.models) == 1 else "have"
        return sheet.problem(path, f"{who} {verb} no option `{name}`", f"{able} know it.", key=True)
    known = list(dict.fromkeys(option for model in scope.models for option in model.options))
    hint = f"{who} takes the options {listed(known, most=20)}." if known else f"{who} takes no options."
    return sheet.problem(path, f"there is no option {shown(name)}{did_you_mean(name, known)}", hint, key=True)


def _complaint(row: catalogue.Option, value: Any) -> str:
    """What is wrong with one value of an option; "" where nothing is."""
    if row.choices:
        fits = any(value == choice and type(value) is type(choice) for choice in row.choices)
        return "" if fits else f"`{row.name}` is {row.spoken}, not {_said(value)}"
    if row.kind == "number":
        low, high = row.range or (0, 0)
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if fits else f"`{row.name}` is {row.spoken}, not {_said(value)}"
    if row.kind == "text" and isinstance(value, str):
        return _text_complaint(row, value)
    if row.kind == "list" and isinstance(value, list):
        return _list_complaint(row, value)
    if isinstance(value, bool if row.kind == "switch" else dict) and row.kind in ("switch", "mapping"):
        return ""
    return f"`{row.name}` is {row.spoken}, not {_said(value)}"


def _text_complaint(row: catalogue.Option, value: str) -> str:
    if not value.strip():
        return f"`{row.name}` is empty"
    if row.max_length is not None and len(value) > row.max_length:
        return f"`{row.name}` has {len(value):,} characters, and at most {row.max_length:,} are taken"
    return ""


def _list_complaint(row: catalogue.Option, value: list[Any]) -> str:
    if row.max_items is not None and len(value) > row.max_items:
        return f"`{row.name}` has {len(value)} entries, and at most {row.max_items} are taken"
    if not all(isinstance(item, dict) for item in value):
        return f"each entry of `{row.name}` is a mapping"
    longest = max((len(item["prompt"]) for item in value if isinstance(item.get("prompt"), str)), default=0)
    if row.max_length is not None and longest > row.max_length:
        return f"a prompt of `{row.name}` has {longest:,} characters, and at most {row.max_length:,} are taken"
    return ""


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return shown(str(value)) if isinstance(value, str | int) else described(value)


def _missing_options(sheet: Sheet, scope: Scope) -> Iterator[Problem]:
    """Options that a model cannot do without, and those that others mean nothing without."""
    written = {**sheet.section("options"), **_section(dict(scope.written), "options")}
    place = (*scope.path, "options") if "options" in scope.written else (*scope.path, "model")
    for model in scope.models:
        for row in model.options.values():
            if row.required and row.name not in written and not _is_said_elsewhere(sheet, row.name):
                message = f"{model.name} needs the option `{row.name}`: {row.spoken}"
                yield sheet.problem(place, message, f"Write options: {{{row.name}: …}}.", key=True)
            if row.name in written:
                yield from _broken_company(sheet, scope, model, row, written)


def _is_said_elsewhere(sheet: Sheet, name: str) -> bool:
    """Does every clip, or every prompt, say this for itself?"""
    return any(
        forms and all(isinstance(form, dict) and name in _section(form, "options") for form in forms.values())
        for forms in (sheet.clips, sheet.section("prompts"))
    )


def _section(form: dict[str, Any], key: str) -> dict[str, Any]:
    value = form.get(key)
    return value if isinstance(value, dict) else {}


def _broken_company(
    sheet: Sheet, scope: Scope, model: catalogue.Model, row: catalogue.Option, written: dict[str, Any]
) -> Iterator[Problem]:
    path = (*scope.path, "options", row.name)
    if _complaint(row, written[row.name]) or written[row.name] is False:
        return
    for needed in row.needs:
        if needed in model.options and needed not in written:
            yield sheet.problem(path, f"`{row.name}` means nothing without `{needed}`", f"Add {needed}.", key=True)
    shots = written[row.name] if row.sums_to and isinstance(written[row.name], list) else []
    durations = [shot["duration"] for shot in shots if isinstance(shot, dict) and isinstance(shot.get("duration"), int)]
    whole = written.get(row.sums_to, model.defaults.get(row.sums_to))
    if shots and len(durations) == len(shots) and isinstance(whole, int) and sum(durations) != whole:
        message = f"the shots last {sum(durations)} s together, and `{row.sums_to}` is {whole}"
        yield sheet.problem(path, message, f"Let them add up, or set {row.sums_to}: {sum(durations)}.")
