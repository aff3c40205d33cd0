"""What the models are, and what a request would cost: the catalogue as the API shows it."""

from fractions import Fraction
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from callsheet import tariff
from callsheet.catalogue import ClipLimits, ImageLimits, Model, PriceRule, models
from callsheet.credits import UNITS_PER_CREDIT, Credits
from callsheet.sandbox import order, uploads
from callsheet.sandbox.refusal import Refusal


async def catalogue(_request: Request) -> Response:
    """GET /v1/catalog/models"""
    return JSONResponse({"models": [_model(row) for row in models().values()]})


async def estimate(request: Request) -> Response:
    """POST /v1/agent-estimates: the price of a request with these parameters."""
    body = order.json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    row = models().get(str(body.get("model_id")))
    parameters = body.get("parameters")
    if row is None or not isinstance(parameters, dict):
        raise Refusal(400, "invalid_parameter", "model_id or parameters is wrong.", param="model_id")
    seconds = next((parameters[name] for name in _SECONDS if name in parameters), 0)
    try:
        price = tariff.price_of(row, Fraction(str(seconds)), row.settled({**parameters, "duration": seconds}))
    except ValueError:
        raise Refusal(400, "invalid_parameter", "The seconds are not a length.", param="parameters") from None
    usd = f"{float(price.units) / UNITS_PER_CREDIT / 68:.4f}"
    return JSONResponse({"amount": usd, "amounts": {"credits": str(price), "usd": usd, "uc": str(price.units)}})


_SECONDS = ("input_seconds", "duration_seconds", "output_seconds")


def _model(row: Model) -> dict[str, Any]:
    return {
        "model_id": row.name,
        "title": row.title,
        "family": row.family,
        "kind": row.kind,
        "modality": "video",
        "docs": row.docs,
        "prompt": {"required": row.prompt_required, "max": row.prompt_max},
        "aspect_ratios": row.aspect_ratios,
        "sound_field": row.sound_field or None,
        "clip": row.clip and _clip(row.clip),
        "images": row.images and _images(row.images),
        "options": [vars(option) for option in row.options.values()],
        "price": _price(row.price),
        "engines": [{"name": "draft", "health": "up", "multiplier": "1"}],
    }


def _clip(limits: ClipLimits) -> dict[str, Any]:
    low, high = limits.seconds
    return {**vars(limits), "seconds": [float(low), float(high)], "cases": []}


def _images(limits: ImageLimits) -> dict[str, Any]:
    low, high = limits.ratio
    return {**vars(limits), "ratio": [float(low), float(high)]}


def _price(rule: PriceRule) -> dict[str, Any]:
    per_step = Credits(units=rule.units)
    minimum = Credits(units=rule.minimum)
    return {
        "basis": rule.basis,
        "unit": rule.unit,
        "quantity": rule.quantity,
        "step": str(float(rule.step)),
        "units_per_step": rule.units,
        "credits_per_step": str(per_step),
        "minimum_credits": str(minimum),
        "floor_seconds": float(rule.floor_seconds),
        "cap_seconds": None if rule.cap_seconds is None else float(rule.cap_seconds),
        "rounding": rule.rounding,
        "factors": [{"when": dict(factor.when), "times": f"{float(factor.times):g}"} for factor in rule.factors],
        "text": f"{per_step} credits, at least {minimum}",
    }


ROUTES = [
    Route("/v1/catalog/models", catalogue, methods=["GET"]),
    Route("/v1/agent-estimates", estimate, methods=["POST"]),
]
