"""A submission's JSON, checked against the model's row of the catalogue before anything is fetched."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callsheet.catalogue import ClipLimits, ImageLimits, Model, models
from callsheet.sandbox import caller
from callsheet.sandbox.refusal import Refusal

#: The vendor's own clients send keys of this form (16 to 96 characters).
IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9._-]{16,96}")
#: Longest URL taken, in characters (the documented bound of callback_url, used for all).
MAX_URL = 2048


#: The models whose results the engine can draft.
DRAFTED = ("kling-o1-video-edit", "kling-o1-video-edit-fast")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A model that is drafted here: its row, and its inputs, which it has."""

    row: Model
    clip: ClipLimits
    images: ImageLimits

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def image_field(self) -> str:
        return self.images.fields[0]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a valid submission asks for; its inputs are not yet fetched."""

    model: Edit
    prompt: str
    clip_url: str
    image_urls: tuple[str, ...]
    aspect_ratio: str | None
    keep_sound: bool
    #: Where to tell how the job ended.
    callback: str | None = None


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Refusal 400 for anything else, however deep or odd it is."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text, and nothing can store it
    except (ValueError, RecursionError):
        raise Refusal(400, "invalid_request", "The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Refusal(400, "invalid_request", "The body must be a JSON object.")
    return value


def read(body: Mapping[str, Any], *, loopback_callbacks: bool = False) -> Order:
    """The order in this body. Refusal (400, or 404 for an unknown model) names the field at fault in `param`."""
    model = _model(body.get("model"))
    _refuse_unknown(body, model)
    return Order(
        callback=_callback(body, loopback=loopback_callbacks),
        model=model,
        prompt=_prompt(body.get("prompt"), model),
        clip_url=_clip_url(body, model),
        image_urls=_image_urls(body, model),
        aspect_ratio=_aspect_ratio(body.get("aspect_ratio"), model),
        keep_sound=_sound(body, model),
    )


def idempotency_key(header: str | None) -> str | None:
    """The key of the header, or None without one. Refusal 400 for a malformed one."""
    if header is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(header):
        raise _invalid("Idempotency-Key", "Idempotency-Key must be 16 to 96 characters of A-Z a-z 0-9 . _ -")
    return header


def _invalid(param: str, message: str, *, reason: str = "invalid_parameter", **extra: Any) -> Refusal:
    return Refusal(400, reason, message, param=param, **extra)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def edits() -> dict[str, Edit]:
    """The models that are drafted here, by name."""
    rows = [models()[name] for name in DRAFTED]
    return {row.name: Edit(row=row, clip=row.clip, images=row.images) for row in rows if row.clip and row.images}


def _model(name: Any) -> Edit:
    if not isinstance(name, str) or not name:
        raise _invalid("model", "model is required.")
    known = edits()
    if name not in known:
        raise Refusal(
            404,
            "model_not_found",
            f"Model {name[:80]!r} does not exist.",
            param="model",
            hint=f"Models here: {', '.join(known)}.",
        )
    return known[name]


def _refuse_unknown(body: Mapping[str, Any], model: Edit) -> None:
    """The live gateway's schema lets unknown fields pass; here a field that would change nothing is an error."""
    known = {"model", "prompt", model.clip.field, model.image_field, model.row.sound_field, "callback_url"}
    if model.row.aspect_ratios:
        known.add("aspect_ratio")
    for name in body:
        if name not in known:
            message = f"{model.name} has no field {name[:80]!r}."
            raise _invalid(name[:80], message, reason="unsupported_parameters")


def _callback(body: Mapping[str, Any], *, loopback: bool) -> str | None:
    """loopback: may it be plain http on this machine?"""
    value = body.get("callback_url")
    if value is None:
        return None
    try:
        url = caller.judged(_url("callback_url", value), loopback=loopback)
    except ValueError as error:
        hint = "https only, no internal addresses; `callsheet sandbox --allow-loopback-callbacks` lets this machine be one."
        raise _invalid("callback_url", f"callback_url {error}.", hint=hint) from None
    return url


def _prompt(value: Any, model: Edit) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _invalid("prompt", "prompt is required and must be text.", hint="provide a valid prompt")
    if len(value) > model.row.prompt_max:
        message = f"prompt has {len(value)} characters; at most {model.row.prompt_max} are taken."
        raise _invalid("prompt", message, max=model.row.prompt_max)
    return value


def _clip_url(body: Mapping[str, Any], model: Edit) -> str:
    field = model.clip.field
    value = body.get(field)
    urls = value if model.clip.shape == "list" else [value]
    if not isinstance(urls, list) or len(urls) != 1:
        raise _invalid(field, f"{field} must hold exactly one URL.", min=1, max=1)
    return _url(field, urls[0])


def _image_urls(body: Mapping[str, Any], model: Edit) -> tuple[str, ...]:
    field = model.image_field
    if body.get(field) is None:
        return ()
    urls = body[field]
    least, most = model.images.count
    if not isinstance(urls, list) or not least <= len(urls) <= most:
        message = f"{field} must hold {least} to {most} URLs; leave it out for none."
        raise _invalid(field, message, min=least, max=most)
    return tuple(_url(field, url) for url in urls)


def _url(field: str, value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_URL:
        raise _invalid(field, f"{field} holds something that is not a URL of at most {MAX_URL} characters.")
    return value


def _aspect_ratio(value: Any, model: Edit) -> str | None:
    if value is None:
        return None
    if value not in model.row.aspect_ratios:
        allowed = ", ".join(model.row.aspect_ratios)
        message = f"aspect_ratio must be one of {allowed}."
        raise _invalid("aspect_ratio", message, allowed_values=list(model.row.aspect_ratios))
    return str(value)


def _sound(body: Mapping[str, Any], model: Edit) -> bool:
    value = body.get(model.row.sound_field, True)
    if not isinstance(value, bool):
        raise _invalid(model.row.sound_field, f"{model.row.sound_field} must be true or false.")
    return value
