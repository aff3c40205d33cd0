"""A submission's JSON, checked against the model's row of the catalogue before anything is fetched.

Every model goes through one endpoint and differs by its row alone: which fields it has, and what may stand in them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from callsheet.catalogue import ImageLimits, Model, Options, models
from callsheet.sandbox import caller, order_element, order_options
from callsheet.sandbox.refusal import Refusal, invalid

#: The vendor's own clients send keys of this form (16 to 96 characters).
IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9._-]{16,96}")
#: Longest URL taken, in characters (the documented bound of callback_url, used for all).
MAX_URL = 2048
#: How models call their clip, and how the others do: the two are easily mixed up.
CLIP_FIELDS = {"video_url": "video_urls", "video_urls": "video_url"}
#: Characters of the header that names what was ignored.
MOST_IGNORED = 500
_UNSHOWN = re.compile(r"[^\x21-\x7e]")
#: Pictures and elements together, with a clip and without one (Kling's own bounds; the O3 pages name the first).
MOST_WITH_CLIP, MOST_WITHOUT = 4, 7
#: Commas and brackets of a body: a larger one of nothing but brackets holds the server up for seconds (measured).
MOST_MARKS = 100_000
#: Fields of every model.
COMMON = ("model", "prompt", "callback_url")


@dataclass(frozen=True, kw_only=True)
class Link:
    """A URL of an input, and the field that it stands in."""

    field: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a valid submission asks for; its inputs are not yet fetched."""

    model: Model
    prompt: str
    clip: Link | None
    images: tuple[Link, ...]
    aspect_ratio: str | None
    keep_sound: bool
    options: Options
    #: Where to tell how the job ended.
    callback: str | None = None
    #: Fields that this model does not have. The live gateway lets them pass, and so they change nothing.
    ignored: tuple[str, ...] = ()


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Refusal 400 for anything else, however deep, full or odd it is."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_MARKS:
        raise Refusal(400, "invalid_request", "The body has too many parts.")
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text, and nothing can store it
    except (ValueError, RecursionError):
        raise Refusal(400, "invalid_request", "The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Refusal(400, "invalid_request", "The body must be a JSON object.")
    return value


def read(body: Mapping[str, Any], *, loopback_callbacks: bool = False, strict: bool = False) -> Order:
    """The order in this body. Refusal (400, or 404 for an unknown model) names the field at fault in `param`.

    strict: also refuse fields that the model does not have, which the live gateway ignores.
    """
    model = _model(body.get("model"))
    ignored = tuple(_unknown(body, model))
    if strict and ignored:
        message = f"{model.name} has no field {ignored[0]!r}."
        raise invalid(ignored[0], message, reason="unsupported_parameters")
    callback = _callback(body, loopback=loopback_callbacks)
    options = order_options.read(body, model)
    if model.makes == "element":
        clip, images = order_element.links(options)
    else:
        clip, images = _clip(body, model), tuple(_images(body, model))
        _check_together(model, options, images, clip)
    return Order(
        callback=callback,
        model=model,
        prompt=_prompt(body.get("prompt"), model, options),
        clip=None if clip is None else Link(field=clip[0], url=url(*clip)),
        images=tuple(Link(field=field, url=url(field, value)) for field, value in images),
        aspect_ratio=_aspect_ratio(body.get("aspect_ratio"), model),
        keep_sound=_sound(body, model),
        options=options,
        ignored=ignored,
    )


def idempotency_key(header: str | None) -> str | None:
    """The key of the header, or None without one. Refusal 400 for a malformed one."""
    if header is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(header):
        raise invalid("Idempotency-Key", "Idempotency-Key must be 16 to 96 characters of A-Z a-z 0-9 . _ -")
    return header


def url(field: str, value: Any) -> str:
    """The same value. Refusal 400 where it is no URL at all."""
    if not isinstance(value, str) or not value or len(value) > MAX_URL:
        raise invalid(field, f"{field} holds something that is not a URL of at most {MAX_URL} characters.")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _model(name: Any) -> Model:
    if not isinstance(name, str) or not name:
        raise invalid("model", "model is required.")
    if name not in models():
        raise Refusal(
            404,
            "model_not_found",
            f"Model {name[:80]!r} does not exist.",
            param="model",
            hint=f"Models here: {', '.join(models())}.",
        )
    return models()[name]


def _unknown(body: Mapping[str, Any], model: Model) -> Iterator[str]:
    paths = set(known_fields(model))
    heads = {path.partition(".")[0] for path in paths}
    for name, value in body.items():
        if name not in heads:
            yield name[:80]
        elif name not in paths and isinstance(value, dict):
            yield from (f"{name}.{inner}"[:80] for inner in value if f"{name}.{inner}" not in paths)


def ignored_header(names: tuple[str, ...]) -> dict[str, str] | None:
    """Names that a client made up, as a header can carry them."""
    plain = ", ".join(_UNSHOWN.sub("?", name) or "?" for name in names)
    return {"X-Ignored-Parameters": plain[:MOST_IGNORED].strip()} if names else None


def known_fields(model: Model) -> Iterator[str]:
    """Dotted names of all fields of a model's request."""
    yield from COMMON
    if model.clip is not None:
        yield model.clip.field
    if model.images is not None:
        yield from model.images.fields
        if model.images.more_field:
            yield model.images.more_field
    if model.sound_field:
        yield model.sound_field
    if model.aspect_ratios:
        yield "aspect_ratio"
    yield from (option.field for option in model.options.values())


def _callback(body: Mapping[str, Any], *, loopback: bool) -> str | None:
    """loopback: may it be plain http on this machine?"""
    value = body.get("callback_url")
    if value is None:
        return None
    try:
        return caller.judged(url("callback_url", value), loopback=loopback)
    except ValueError as error:
        hint = "https only, no internal addresses; `callsheet sandbox --allow-loopback-callbacks` lets this machine be one."
        raise invalid("callback_url", f"callback_url {error}.", hint=hint) from None


def _prompt(value: Any, model: Model, options: Options) -> str:
    is_told = any(name == "multi_prompt" for name, _ in options)  # several shots have prompts of their own
    if value is None and (not model.prompt_required or is_told):
        return ""
    if not isinstance(value, str) or (not value.strip() and model.prompt_required and not is_told):
        raise invalid("prompt", "prompt is required and must be text.", hint="provide a valid prompt")
    if len(value) > model.prompt_max:
        message = f"prompt has {len(value)} characters; at most {model.prompt_max} are taken."
        raise invalid("prompt", message, max=model.prompt_max)
    return value


def _clip(body: Mapping[str, Any], model: Model) -> tuple[str, Any] | None:
    limits = model.clip
    value = body.get(limits.field) if limits else None
    if limits is None or (value is None and not limits.required):
        return None
    other = CLIP_FIELDS.get(limits.field, "")
    hint = f"This model has {limits.field}, not {other}." if value is None and other in body else ""
    if limits.shape == "single":
        if not isinstance(value, str) or not value:
            raise invalid(limits.field, f"{limits.field} is required and must be one URL.", hint=hint)
        return limits.field, value
    if not isinstance(value, list) or len(value) != 1:
        raise invalid(limits.field, f"{limits.field} must be a list of exactly one URL.", hint=hint, min=1, max=1)
    return limits.field, value[0]


def _images(body: Mapping[str, Any], model: Model) -> Iterator[tuple[str, Any]]:
    limits = model.images
    if limits is None:
        return
    if limits.shape == "single":
        yield from _frames(body, limits)
    else:
        yield from _listed(body, limits.fields[0], limits.count, required=limits.required)
    if limits.more_field:
        yield from _listed(body, limits.more_field, (1, MOST_WITHOUT), required=False)


def _listed(
    body: Mapping[str, Any], field: str, count: tuple[int, int], *, required: bool
) -> Iterator[tuple[str, Any]]:
    urls = body.get(field)
    if urls is None and not required:
        return
    least, most = count
    if not isinstance(urls, list) or not least <= len(urls) <= most:
        otherwise = "" if required else "; leave it out for none"
        message = f"{field} must be a list of {least if least == most else f'{least} to {most}'} URLs{otherwise}."
        raise invalid(field, message, min=least, max=most)
    yield from ((field, one) for one in urls)


def _frames(body: Mapping[str, Any], limits: ImageLimits) -> Iterator[tuple[str, Any]]:
    """One field for each picture: a later one means nothing without the first."""
    first, *later = limits.fields
    if body.get(first) is None:
        for field in later:
            if body.get(field) is not None:
                raise invalid(first, f"{field} needs {first}.")
        if limits.required:
            raise invalid(first, f"{first} is required and must be one URL.")
        return
    yield from ((field, body[field]) for field in limits.fields if body.get(field) is not None)


def _check_together(
    model: Model, options: Options, images: tuple[tuple[str, Any], ...], clip: tuple[str, Any] | None
) -> None:
    """Pictures and elements count as one sum, where a model takes both."""
    if model.images is None or "element_list" not in model.options:
        return
    elements = next((len(json.loads(str(value))) for name, value in options if name == "element_list"), 0)
    most = MOST_WITH_CLIP if clip is not None else MOST_WITHOUT
    if len(images) + elements > most:
        message = f"{len(images)} images and {elements} elements; together at most {most} are taken."
        raise invalid(model.images.more_field or model.images.fields[0], message, max=most)


def _aspect_ratio(value: Any, model: Model) -> str | None:
    if value is None or not model.aspect_ratios:
        return None
    if value not in model.aspect_ratios:
        message = f"aspect_ratio must be one of {', '.join(model.aspect_ratios)}."
        raise invalid("aspect_ratio", message, allowed_values=list(model.aspect_ratios))
    return str(value)


def _sound(body: Mapping[str, Any], model: Model) -> bool:
    """Kept unless said otherwise (product page; documented for the O3 and motion-control models)."""
    if not model.sound_field:
        return True
    value = order_options.at(body, model.sound_field, True)
    if not isinstance(value, bool):
        raise invalid(model.sound_field, f"{model.sound_field} must be true or false.")
    return value
