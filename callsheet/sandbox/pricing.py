"""The price rules of the catalogue as the provider publishes them: expression trees, and amounts in four currencies.

Shapes as in its public rules file of 2026-10-10. Every amount is decimal text; a price in dollars is rounded to 8 places.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from callsheet.catalogue import Model, Options, PriceRule
from callsheet.sandbox import billing, order
from callsheet.sandbox.refusal import Refusal, invalid

#: The provider's fixed rate, under its own name.
RATE = "pricing-fx/v1:USD-CNY=6.8"
#: How long published rules and quotes hold.
FRESH = timedelta(minutes=5)
#: Units of one US dollar, and of one yuan.
PER_USD = billing.UNITS * billing.CREDITS_PER_USD
PER_CNY = billing.UNITS * billing.CREDITS_PER_CNY
#: What a request for a quote can have.
QUOTED = ("model_id", "operation", "parameters", "expected_usage")
#: What says how long it is, by any of its names.
LENGTHS = ("duration", "duration_seconds", "input_seconds", "output_seconds")
#: Longest number that is read from a request.
MOST_DIGITS = 12

_OPERATIONS = {
    "edit": "video_edit",
    "image-to-video": "image_to_video",
    "text-to-video": "text_to_video",
    "reference-to-video": "reference_to_video",
    "motion-control": "motion_control",
    "element": "element_creation",
}

Tree = dict[str, Any]


def operation(model: Model) -> str:
    return _OPERATIONS[model.kind]


def money(units: Fraction | int) -> dict[str, str]:
    """The same amount in units ("uc"), credits, yuan and dollars."""
    return {
        "uc": _decimal(Fraction(units)),
        "credits": _decimal(Fraction(units) / billing.UNITS),
        "cny": _decimal(Fraction(units) / PER_CNY),
        "usd": _decimal(Fraction(floor(Fraction(units) / PER_USD * 10**8 + Fraction(1, 2)), 10**8)),
    }


def _decimal(value: Fraction) -> str:
    """Exact for what has a finite number of places, which every amount here has."""
    text = f"{(Decimal(value.numerator) / Decimal(value.denominator)).normalize():f}"
    return text or "0"


def meta(now: datetime) -> dict[str, Any]:
    return {
        "schema_version": "2",
        "catalog_version": "cat_callsheet",
        "pricing_version": "prc_callsheet",
        "price_scope": "public_default",
        "currency": "USD",
        "exchange_rate_version": RATE,
        "updated_at": now.isoformat(),
        "fresh_until": (now + FRESH).isoformat(),
    }


def rules(model: Model) -> dict[str, Any]:
    """The published rules of one model."""
    body = {
        "model_id": model.name,
        "product_id": model.family,
        "operation": operation(model),
        "modality": "video",
        "lifecycle": "active",
        "pricing_status": "available",
        "settlement_basis": model.price.basis,
        "policy_version": 1,
        "policy_source": "published",
        "parameters": _parameters(model),
        "components": [_component(model)],
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return {**body, "policy_checksum": digest}


def quote(model: Model, parameters: Mapping[str, Any], now: datetime, *, quote_id: str) -> dict[str, Any]:
    """What so much would cost. Refusal 400 names the parameter that is missing or out of bounds."""
    rule, options = model.price, _options(model, parameters)
    count = _counted(model, parameters, options)
    units = billing.units_for(count, rule, options)
    plain = floor(count * rule.units * rule.factor(options) + Fraction(1, 2))
    published = rules(model)
    component = {
        **{key: published["components"][0][key] for key in ("id", "role", "dimension", "sku_id", "unit")},
        "quantity": str(count),
        "billed_quantity": str(count),
        "unit_price": money(rule.units)["usd"],
        "subtotal": money(units)["usd"],
        "unit_price_amounts": money(rule.units),
        "subtotal_amounts": money(units),
        "minimum_charge_amounts": money(rule.minimum),
        "tier_multiplier": _decimal(rule.factor(options)),
        "minimum_charge_applied": units > plain,
        "billing_rule": billing.rule_name(rule),
        "applied_rules": [],
    }
    return {
        "estimate_id": quote_id,
        "catalog_version": "cat_callsheet",
        "pricing_version": "prc_callsheet",
        "exchange_rate_version": RATE,
        "price_scope": "account",
        "policy_version": 1,
        "policy_checksum": published["policy_checksum"],
        "model_id": model.name,
        "product_id": model.family,
        "operation": operation(model),
        "settlement_basis": rule.basis,
        "currency": "USD",
        "amount": money(units)["usd"],
        "amounts": money(units),
        "components": [component],
        "assumptions": [],
        "expires_at": (now + FRESH).isoformat(),
    }


def unread(model: Model, body: Mapping[str, Any]) -> tuple[str, ...]:
    """What neither a quote nor a job of this model has, as dotted names: left out of the sum without a word otherwise."""
    known = {*LENGTHS, *model.options, *(path.partition(".")[0] for path in order.known_fields(model))}
    inner = [f"parameters.{name}" for name in body.get("parameters", {}) if name not in known]
    return tuple(name[:80] for name in (*(name for name in body if name not in QUOTED), *inner))


def _options(model: Model, parameters: Mapping[str, Any]) -> Options:
    """The options that a price depends on, as they were given or by default."""
    given: dict[str, str | int | bool] = dict(model.defaults)
    for name, option in model.options.items():
        value = parameters.get(name)
        if value is None or option.kind != "choice":
            continue
        known = {str(choice): choice for choice in option.choices}
        if str(value) not in known:
            raise invalid(name, f"{name} must be {option.spoken}.", allowed_values=list(option.choices))
        given[name] = known[str(value)]
    return tuple(given.items())


def _counted(model: Model, parameters: Mapping[str, Any], options: Options) -> Fraction:
    rule = model.price
    if rule.quantity == "one":
        return Fraction(1)
    if rule.quantity == "duration":
        seconds = _seconds(parameters, "duration_seconds", "duration")
        if seconds is None:
            seconds = Fraction(int(model.defaults["duration"]))
        low, high = _bounds(model)
        if not low <= seconds <= high:
            raise invalid("duration_seconds", f"duration_seconds must be {low} to {high}.", min=low, max=high)
        return seconds
    made = _seconds(parameters, "output_seconds")
    if rule.basis == "request_then_actual" and made:
        return Fraction(floor(made + Fraction(1, 2)))
    given = _seconds(parameters, "input_seconds")
    if given is None:
        hint = 'It belongs into parameters: {"parameters": {"input_seconds": 5.3}}.'
        raise invalid("input_seconds", "input_seconds is required: the length of the clip.", hint=hint)
    return billing.quantity(rule, clip_seconds=given, options=options)


def _bounds(model: Model) -> tuple[int, int]:
    option = model.options["duration"]
    if option.range is not None:
        return option.range
    numbers = [int(choice) for choice in option.choices]
    return min(numbers), max(numbers)


def _seconds(parameters: Mapping[str, Any], *names: str) -> Fraction | None:
    for name in names:
        value = parameters.get(name)
        if value is None:
            continue
        text = str(value)
        digits = text.replace(".", "", 1)
        if isinstance(value, bool) or len(text) > MOST_DIGITS or not (digits.isascii() and digits.isdecimal()):
            raise invalid(name, f"{name} must be a number of seconds.")
        return Fraction(text)
    return None


def model_of(models: Mapping[str, Model], name: Any) -> Model:
    """Refusal 404 for a name that is in no catalogue, 400 for none."""
    if name is None:
        raise invalid("model_id", "model_id is required.")
    if not isinstance(name, str) or name not in models:
        message, hint = f"Model {str(name)[:80]!r} does not exist.", f"Models here: {', '.join(models)}."
        raise Refusal(404, "model_not_found", message, param="model_id", hint=hint)
    return models[name]


# --- published rules ----------------------------------------------------------------------------------------------------


def _parameters(model: Model) -> list[dict[str, Any]]:
    rule = model.price
    found: list[dict[str, Any]] = []
    if rule.quantity == "clip":
        names = ("output_seconds", "input_seconds") if rule.basis == "request_then_actual" else ("input_seconds",)
        found += [{"name": name, "type": "decimal", "minimum": "0", "default": "0"} for name in names]
    if rule.quantity == "duration":
        found.append(_duration(model))
    priced = {name for factor in rule.factors for name, _ in factor.when}
    for name in sorted(priced):
        option = model.options[name]
        found.append({"name": name, "type": "enum", "values": list(option.choices), "default": option.default})
    return found


def _duration(model: Model) -> dict[str, Any]:
    option = model.options["duration"]
    if option.range is None:
        values = [str(choice) for choice in option.choices]
        return {"name": "duration_seconds", "type": "enum", "values": values, "default": str(option.default)}
    low, high = (str(bound) for bound in option.range)
    return {
        "name": "duration_seconds",
        "type": "integer",
        "minimum": low,
        "maximum": high,
        "default": str(option.default),
    }


def _component(model: Model) -> dict[str, Any]:
    rule = model.price
    role = {"input_second": "video_input", "output_second": "video_output", "element": "element"}[rule.unit]
    return {
        "id": role,
        "role": role,
        "dimension": rule.unit,
        "sku_id": rule.sku,
        "unit": rule.unit,
        "billing_unit_size": 1,
        "display_unit_size": 1,
        "rate": money(rule.units),
        "official_rate": money(rule.units),
        "minimum_charge": money(rule.minimum),
        "billing_rule": billing.rule_name(rule),
        "pricing_status": "available",
        "effective_at": f"{rule.effective}T00:00:00Z",
        "quantity_rule": _quantity_rule(rule),
        "rounding": {"point": "per_component_subtotal", "mode": "half_up"},
        "tiers": [],
    }


def _quantity_rule(rule: PriceRule) -> Tree:
    if rule.quantity == "one":
        return _constant("1")
    if rule.quantity == "duration":
        counted = _variable("duration_seconds")
    elif rule.basis == "request_then_actual":
        made = _variable("output_seconds")
        counted = _if(_op("gt", made, _constant("0")), _nearest(made), _asked(rule))
    else:
        counted = _asked(rule)
    if rule.floor_seconds:
        counted = _op("max", counted, _constant(_decimal(rule.floor_seconds)))
    if rule.cap_seconds is not None:
        counted = _op("min", counted, _constant(_decimal(rule.cap_seconds)))
    factor = _constant("1")
    for row in reversed(rule.factors):
        fits = [_op("eq", _variable(name), _constant(str(value))) for name, value in row.when]
        factor = _if(fits[0] if len(fits) == 1 else _op("and", *fits), _constant(_decimal(row.times)), factor)
    return _op("multiply", counted, factor) if rule.factors else counted


def _asked(rule: PriceRule) -> Tree:
    seconds = _variable("input_seconds")
    if rule.rounding == "nearest":
        return _nearest(seconds)
    if rule.step == 1:
        return _op("ceil", seconds)
    steps = _constant(_decimal(1 / rule.step))
    return _op("divide", _op("ceil", _op("multiply", seconds, steps)), steps)


def _nearest(seconds: Tree) -> Tree:
    return _op("floor", _op("add", seconds, _constant("0.5")))


def _if(condition: Tree, then: Tree, otherwise: Tree) -> Tree:
    return _op("if", condition, then, otherwise)


def _op(name: str, *args: Tree) -> Tree:
    return {"op": name, "args": list(args)}


def _variable(name: str) -> Tree:
    return {"op": "variable", "name": name}


def _constant(value: str) -> Tree:
    return {"op": "constant", "value": value}
