"""The public catalogue: models and their limits, which are up, price rules, and quotes. Reading it needs no key."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from callsheet.catalogue import ClipLimits, ImageLimits, Model, Option, PriceRule, models
from callsheet.sandbox import order, pricing, uploads
from callsheet.sandbox.billing import credits_of
from callsheet.sandbox.desk import Desk, desk_of
from callsheet.sandbox.refusal import invalid

#: How the vendor's own clients call the one endpoint of all video models.
PROTOCOL = "evolink-video-generations"


async def list_models(request: Request) -> Response:
    """GET /v1/catalog/models: every model, with its fields, the limits of its inputs, and its price."""
    desk = desk_of(request)
    return JSONResponse({"models": [_model(model, desk) for model in models().values()]})


async def health(request: Request) -> Response:
    """GET /v1/catalog/health: which models somebody could render now."""
    status = "available" if desk_of(request).engines.up() else "unavailable"
    return JSONResponse({"models": [{"model_id": name, "status": status} for name in models()]})


async def all_rules(request: Request) -> Response:
    """GET /v1/catalog/pricing-rules?product_id=&operation=&modality=&lifecycle="""
    rows = [pricing.rules(model) for model in models().values()]
    filters = {key: request.query_params.get(key, "") for key in ("product_id", "operation", "modality", "lifecycle")}
    kept = [row for row in rows if all(value in ("", row[key]) for key, value in filters.items())]
    return JSONResponse({"meta": pricing.meta(desk_of(request).clock()), "models": kept})


async def rules_of_one(request: Request) -> Response:
    """GET /v1/catalog/models/{model}/pricing-rules"""
    model = pricing.model_of(models(), request.path_params["model"])
    return JSONResponse({"meta": pricing.meta(desk_of(request).clock()), "model": pricing.rules(model)})


async def estimate(request: Request) -> Response:
    """POST /v1/agent-estimates {"model_id", "operation", "parameters"}: what it would cost. Nothing is reserved."""
    body = order.json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    model = pricing.model_of(models(), body.get("model_id"))
    if body.get("operation", pricing.operation(model)) != pricing.operation(model):
        message = f"{model.name} is of operation {pricing.operation(model)}."
        raise invalid("operation", message)
    parameters = body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise invalid("parameters", "parameters must be an object.")
    now = desk_of(request).clock()
    quote = pricing.quote(model, parameters, now, quote_id=f"est_{secrets.token_hex(12)}")
    return JSONResponse(quote, headers=order.ignored_header(pricing.unread(model, body)))


def _model(model: Model, desk: Desk) -> dict[str, Any]:
    return {
        "model_id": model.name,
        "display_name": model.title,
        "title": model.title,
        "family": model.family,
        "kind": model.kind,
        "operation": pricing.operation(model),
        "modality": "video",
        "lifecycle": "active",
        "aliases": [],
        "capabilities": ["video"],
        "protocols": [PROTOCOL],
        "docs": model.docs,
        "prompt": {"required": model.prompt_required, "max": model.prompt_max},
        "aspect_ratios": list(model.aspect_ratios),
        "sound_field": model.sound_field or None,
        "clip": model.clip and _clip(model.clip),
        "images": model.images and _images(model.images),
        "options": [_option(option) for option in model.options.values()],
        "price": _price(model.price),
        "engines": desk.engines.told(),
    }


def _clip(limits: ClipLimits) -> dict[str, Any]:
    return {
        "field": limits.field,
        "shape": limits.shape,
        "required": limits.required,
        "formats": list(limits.formats),
        "max_bytes": limits.max_bytes,
        "seconds": [float(bound) for bound in limits.seconds],
        "cases": [
            {"when": dict(case.when), "seconds": [float(bound) for bound in case.seconds]} for case in limits.cases
        ],
        "pixels": list(limits.pixels),
        "frame_rates": list(limits.frame_rates),
    }


def _images(limits: ImageLimits) -> dict[str, Any]:
    return {
        "role": limits.role,
        "fields": list(limits.fields),
        "more_field": limits.more_field or None,
        "shape": limits.shape,
        "required": limits.required,
        "count": list(limits.count),
        "formats": list(limits.formats),
        "max_bytes": limits.max_bytes,
        "min_side": limits.min_side,
        "ratio": [float(bound) for bound in limits.ratio],
    }


def _option(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "field": option.field,
        "kind": option.kind,
        "choices": list(option.choices),
        "range": option.range and list(option.range),
        "default": option.default,
        "required": option.required,
        "description": option.description,
        "max_length": option.max_length,
        "max_items": option.max_items,
        "needs": list(option.needs),
    }


def _price(rule: PriceRule) -> dict[str, Any]:
    return {
        "basis": rule.basis,
        "unit": rule.unit,
        "quantity": rule.quantity,
        "step": float(rule.step),
        "rounding": rule.rounding,
        "units_per_step": rule.units,
        "credits_per_step": credits_of(rule.units),
        "minimum_credits": credits_of(rule.minimum),
        "floor_seconds": float(rule.floor_seconds),
        "cap_seconds": None if rule.cap_seconds is None else float(rule.cap_seconds),
        "factors": [{"when": dict(row.when), "times": str(float(row.times))} for row in rule.factors],
        "text": _spoken(rule),
    }


def _spoken(rule: PriceRule) -> str:
    each = f"{credits_of(rule.units):g} credits"
    if rule.quantity == "one":
        return f"{each} each"
    of = "the clip" if rule.quantity == "clip" else "the result"
    return f"{each} a second of {of}, at least {credits_of(rule.minimum):g}"


ROUTES = [
    Route("/v1/catalog/models", list_models, methods=["GET"]),
    Route("/v1/catalog/health", health, methods=["GET"]),
    Route("/v1/catalog/pricing-rules", all_rules, methods=["GET"]),
    Route("/v1/catalog/models/{model}/pricing-rules", rules_of_one, methods=["GET"]),
    Route("/v1/agent-estimates", estimate, methods=["POST"]),
]
