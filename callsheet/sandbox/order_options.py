"""The further fields of a submission (duration, quality, shots ...): what the model's options say of them, in its order."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from callsheet.catalogue import Model, Option, Options, OptionValue
from callsheet.sandbox.refusal import invalid

_MISSING = object()
#: Longest list or mapping that is taken, as JSON.
MOST_JSON = 32_768


def read(body: Mapping[str, Any], model: Model) -> Options:
    """All options that have a value, as the catalogue spells them. Refusal 400 names the field by its dotted path."""
    given = dict(_read(body, model))
    for option in model.options.values():
        _check_needs(option, given, model)
    return tuple(given.items())


def at(body: Mapping[str, Any], path: str, default: Any = _MISSING) -> Any:
    """The value at a dotted path. Refusal 400 where something else than an object stands on the way to it."""
    inside: Any = body
    *way, name = path.split(".")
    for step in way:
        inside = inside.get(step, {})
        if not isinstance(inside, dict):
            raise invalid(step, f"{step} must be an object.")
    return inside.get(name, default)


def _read(body: Mapping[str, Any], model: Model) -> Iterator[tuple[str, OptionValue]]:
    for option in model.options.values():
        value = at(body, option.field)
        if value is _MISSING:
            value = _MISSING if option.default is None else option.default
        if value is not _MISSING:
            yield option.name, _valued(option, value)
        elif option.required:
            raise invalid(option.field, f"{option.field} is required: {option.spoken}.", **_allowed(option))


def _valued(option: Option, value: Any) -> OptionValue:
    kind = type(value)
    if option.kind == "choice" and value in option.choices and kind is not bool:
        return str(value) if isinstance(value, str) else int(value)
    if option.kind == "number" and kind is int and option.range and option.range[0] <= value <= option.range[1]:
        return int(value)
    if option.kind == "switch" and kind is bool:
        return bool(value)
    if option.kind == "text" and kind is str:
        return _text(option, value)
    if (option.kind == "list" and kind is list) or (option.kind == "mapping" and kind is dict):
        return _canonical(option, value)
    raise invalid(option.field, f"{option.field} must be {option.spoken}.", **_allowed(option))


def _allowed(option: Option) -> dict[str, Any]:
    if option.choices:
        return {"allowed_values": list(option.choices)}
    return {"min": option.range[0], "max": option.range[1]} if option.range else {}


def _text(option: Option, value: str) -> str:
    if option.max_length is not None and len(value) > option.max_length:
        message = f"{option.field} has {len(value)} characters; at most {option.max_length} are taken."
        raise invalid(option.field, message, max=option.max_length)
    return value


def _canonical(option: Option, value: Any) -> str:
    if option.max_items is not None and len(value) > option.max_items:
        message = f"{option.field} has {len(value)} entries; at most {option.max_items} are taken."
        raise invalid(option.field, message, max=option.max_items)
    if option.sums_to:
        _check_shots(option, value)
    elif option.kind == "list" and not all(isinstance(one, dict) for one in value):
        raise invalid(option.field, f"{option.field} must be a list of objects.")
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if len(text) > MOST_JSON:
        raise invalid(option.field, f"{option.field} is longer than {MOST_JSON} characters.", max=MOST_JSON)
    return text


def _check_shots(option: Option, shots: list[Any]) -> None:
    for shot in shots:
        prompt = shot.get("prompt") if isinstance(shot, dict) else None
        if not isinstance(prompt, str) or not prompt.strip():
            raise invalid(option.field, f"Every shot of {option.field} needs a prompt.")
        if option.max_length is not None and len(prompt) > option.max_length:
            message = f"A prompt of {option.field} has {len(prompt)} characters; at most {option.max_length} are taken."
            raise invalid(option.field, message, max=option.max_length)
        if _shot_seconds(shot) < 1:
            raise invalid(option.field, f"Every shot of {option.field} needs a duration of whole seconds from 1.")


def _shot_seconds(shot: Mapping[str, Any]) -> int:
    """Whole seconds, also where they are written as text, as Kling's own documents do; 0 for anything else."""
    value = shot.get("duration")
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 4:
        return int(value)
    return value if type(value) is int else 0


def _check_needs(option: Option, given: Mapping[str, OptionValue], model: Model) -> None:
    value = given.get(option.name)
    if value is None or value is False:
        return
    for needed in option.needs:
        if not given.get(needed):
            field = model.options[needed].field
            raise invalid(field, f"{option.field} needs {field}.")
    if option.sums_to:
        total = sum(_shot_seconds(shot) for shot in json.loads(str(value)))
        if total != given.get(option.sums_to):
            whole = given.get(option.sums_to)
            message = f"The shots of {option.field} last {total} s together, and {option.sums_to} is {whole}."
            raise invalid(option.field, message)
