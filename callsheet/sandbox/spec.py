"""A request of the API as a campaign of one variant: the text of a file for `specs/`.

Nothing is written here. The text is read back by the same parser that `callsheet check` uses, so what leaves this module
is a campaign that can run.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from callsheet import campaign, tariff
from callsheet.catalogue import Model, OptionValue, models
from callsheet.credits import CREDITS_PER_USD, UNITS_PER_CREDIT
from callsheet.errors import SpecError, SpecInvalid
from callsheet.sandbox.refusal import Refusal

#: Longest name of a campaign that is made here; the room that is left is for -2, -3 and so on.
MAX_NAME = 48
#: Name of a campaign whose request says nothing that could be one.
NAME = "playground"
#: Fields of a request that a campaign has its own words for, or none.
_OWN_FIELDS = ("model", "prompt", "aspect_ratio", "callback_url")

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ,./()_-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What one request asks for, in a campaign's words. `clip` and `images` are the URLs as they were sent."""

    model: Model
    prompt: str
    clip: str | None
    images: tuple[str, ...]
    aspect_ratio: str | None
    keep_sound: bool | None
    options: dict[str, Any]


def wish(body: Mapping[str, Any]) -> Wish:
    """Read a request. Refusal 400 for a model that no campaign renders, and for fields that it does not know."""
    row = _model(body.get("model"))
    fields = dict(_flat(body))
    clip = fields.pop(row.clip.field, None) if row.clip else None
    images = [fields.pop(name, None) for name in row.images.fields] if row.images else []
    sound = fields.pop(row.sound_field, None) if row.sound_field else None
    options = {option.name: fields.pop(option.field) for option in row.options.values() if option.field in fields}
    if strange := next((name for name in fields if name not in _OWN_FIELDS), None):
        raise _invalid(strange[:80], f"{row.name} has no field {strange[:80]!r}.")
    if sound is not None and not isinstance(sound, bool):
        raise _invalid(row.sound_field, f"{row.sound_field} must be true or false.")
    return Wish(
        model=row,
        prompt=_text(body, "prompt") or "",
        clip=next(iter(_urls(clip)), None),
        images=tuple(url for value in images for url in _urls(value)),
        aspect_ratio=_text(body, "aspect_ratio"),
        keep_sound=sound,
        options=options,
    )


def safe_name(wanted: str) -> str:
    """A campaign's name made of what a person typed: small letters, digits and hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower())[:MAX_NAME].strip("-")
    return plain or NAME


def document(name: str, wanted: Wish, clip: str | None, images: tuple[str, ...]) -> str:
    """The campaign's text, with paths in place of the URLs. Refusal 400 where it could not run as written."""
    text = "\n".join(_lines(name, wanted, clip, images)) + "\n"
    try:
        campaign.parse(text, file=f"specs/{name}.yaml")
    except SpecInvalid as error:
        first = error.problems[0]
        raise _invalid("request", f"This request cannot be a campaign: {first.message}.", hint=first.hint) from None
    except SpecError as error:
        raise _invalid("request", f"This request cannot be a campaign: {error.what}", hint=error.hint) from None
    return text


def _model(name: Any) -> Model:
    row = models().get(name) if isinstance(name, str) else None
    if row is None:
        raise _invalid("model", "There is no such model.")
    if row.makes != "video":
        raise _invalid("model", f"{row.name} makes an element for later prompts and no video: no campaign renders it.")
    return row


def _invalid(param: str, message: str, *, hint: str = "") -> Refusal:
    return Refusal(400, "invalid_parameter", message, param=param, hint=hint)


def _flat(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields by the dotted names that the catalogue uses."""
    for name, value in body.items():
        if name == "model_params" and isinstance(value, dict):
            yield from ((f"model_params.{inner}", one) for inner, one in value.items())
        else:
            yield name, value


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise _invalid(name, f"{name} must be text.")
    return value


def _urls(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(one, str) for one in values):
        raise _invalid("request", "A field for URLs holds something else.")
    return tuple(values)


# --- the text -------------------------------------------------------------------------------------------------------


def _lines(name: str, wanted: Wish, clip: str | None, images: tuple[str, ...]) -> Iterator[str]:
    yield "# yaml-language-server: $schema=./campaign.schema.json"
    yield "#"
    yield "# Written by the playground of `callsheet sandbox`: one variant, to be run or to grow from."
    yield f"# Try it free:   callsheet run specs/{name}.yaml --sandbox"
    yield ""
    yield f"campaign: {_scalar(name)}"
    yield f"model: {_scalar(wanted.model.name)}"
    yield f"budget: {_budget(wanted)}   # hard ceiling: what the dearest run of this request can cost"
    if clip is not None:
        yield from ("", "clips:", f"  clip: {_scalar(clip)}")
    if images:
        yield from ("", "references:", f"  images: [{', '.join(map(_scalar, images))}]")
    if wanted.prompt.strip():
        yield from _prompt(wanted.prompt)
    yield from _rest(wanted)


def _prompt(text: str) -> Iterator[str]:
    """In a campaign two braces begin a variable; a variable of one brace says that they are meant as they are."""
    held = re.sub(r"\{(?=\{)", "{{ brace }}", text)
    yield from ("", "prompts:", f"  prompt: {_scalar(held)}")
    if held != text:
        yield from ("variables:", '  brace: "{"')


def _rest(wanted: Wish) -> Iterator[str]:
    said = [f"aspect_ratios: [{wanted.aspect_ratio}]"] if wanted.aspect_ratio in wanted.model.aspect_ratios else []
    if wanted.keep_sound is not None:
        said.append(f"keep_original_sound: {_value(wanted.keep_sound)}")
    if said:
        yield from ("", *said)
    if wanted.options:
        yield from ("", "options:", *(f"  {name}: {_value(value)}" for name, value in wanted.options.items()))


def _budget(wanted: Wish) -> str:
    seconds = _longest(wanted)
    most = tariff.most_of(wanted.model, seconds, wanted.model.settled(_simple(wanted.options)))
    return f"${-(-most.units // (UNITS_PER_CREDIT * CREDITS_PER_USD))}.00"


def _longest(wanted: Wish) -> Fraction:
    if wanted.model.price.quantity == "clip":
        return wanted.model.clip_limits.seconds[1]
    asked = wanted.model.settled(_simple(wanted.options))
    return Fraction(next((value for name, value in asked if name == "duration" and type(value) is int), 1))


def _simple(options: Mapping[str, Any]) -> dict[str, OptionValue]:
    return {name: value for name, value in options.items() if isinstance(value, str | int)}


def _value(value: Any) -> str:
    """A value of an option: a list or a mapping in the flow style, which is JSON."""
    return _scalar(value) if isinstance(value, str) else _printable(json.dumps(value, ensure_ascii=False))


def _scalar(text: str) -> str:
    """Plain where that is the text beyond doubt, quoted everywhere else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and ", " not in text and text == text.strip():
        return text
    return _printable(json.dumps(text, ensure_ascii=False))


def _printable(quoted: str) -> str:
    """JSON leaves some characters as they are that YAML takes for line breaks, or not at all."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
