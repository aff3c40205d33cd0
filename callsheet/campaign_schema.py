"""The JSON Schema of a campaign (2020-12), for completion and checks while typing. It accepts what `parse` accepts."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from callsheet import catalogue
from callsheet.campaign_form import CAMPAIGN, FORMS, Form, Key
from callsheet.nearest import listed


def json_schema() -> dict[str, Any]:
    """What `campaign.schema.json` holds."""
    forms = {form.name: _form_schema(form) for form in sorted(FORMS.values(), key=lambda form: form.name)}
    campaign = _form_schema(CAMPAIGN)
    for form in (campaign, forms["ClipForm"], forms["PromptForm"]):
        _with_catalogue(form["properties"])
    forms["PromptForm"]["oneOf"] = [{"required": ["text"]}, {"required": ["file"]}]
    forms["ScheduleForm"]["oneOf"] = [{"required": [key]} for key in ("cron", "interval", "rrule")]
    required = [key for key in campaign.pop("required") if key != "model"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Callsheet campaign",
        "$defs": forms,
        **campaign,
        "required": required,
        "anyOf": [{"required": ["extends"]}, {"required": ["model"], "allOf": list(_needed())}],
        "patternProperties": {"^x-": {"description": "Ignored: a place for anchors."}},
    }


def _form_schema(form: Form) -> dict[str, Any]:
    required = [name for name, key in form.keys.items() if key.is_required]
    return {
        "additionalProperties": False,
        "description": form.description,
        "properties": {name: _key_schema(key) for name, key in form.keys.items()},
        **({"required": required} if required else {}),
        "type": "object",
    }


def _key_schema(key: Key) -> dict[str, Any]:
    """A copy all the way down: what the catalogue knows is put in."""
    told: dict[str, Any] = {} if key.default is None else {"default": key.default}
    told["description"] = key.description
    if key.examples:
        told["examples"] = list(key.examples)
    return deepcopy({**told, **key.kind.told, **key.told})


def _with_catalogue(properties: dict[str, Any]) -> None:
    """Put in what the catalogue knows: names of models, their aspect ratios, their options."""
    models = catalogue.video_models()
    for form in properties["model"]["oneOf"]:
        form.get("items", form)["enum"] = list(models)
    ratios = dict.fromkeys(ratio for model in models.values() for ratio in model.aspect_ratios)
    properties["aspect_ratios"]["items"]["enum"] = list(ratios)
    rows: dict[str, list[catalogue.Option]] = {}
    for model in models.values():
        for name, option in model.options.items():
            rows.setdefault(name, []).append(option)
    properties["options"]["properties"] = {name: _option_schema(same) for name, same in rows.items()}
    properties["options"]["additionalProperties"] = False


def _option_schema(rows: Sequence[catalogue.Option]) -> dict[str, Any]:
    """One value of the option as any model takes it, or a list of values, which sweeps it."""
    values: list[dict[str, Any]] = []
    for row in rows:
        if (value := _value_schema(row)) not in values:
            values.append(value)
    one = values[0] if len(values) == 1 else {"anyOf": values}
    models = listed(catalogue.options()[rows[0].name], most=20)
    described_as = {"description": f"{rows[0].description} Known to {models}."}
    if rows[0].kind == "list":
        return {**one, **described_as}
    return {"anyOf": [one, {"type": "array", "minItems": 1, "uniqueItems": True, "items": one}], **described_as}


def _value_schema(row: catalogue.Option) -> dict[str, Any]:
    if row.choices:
        return {"enum": list(row.choices)}
    if row.range:
        return {"type": "integer", "minimum": row.range[0], "maximum": row.range[1]}
    types = {"switch": "boolean", "text": "string", "list": "array", "mapping": "object"}
    schema: dict[str, Any] = {"type": types[row.kind]}
    if row.kind == "text":
        schema |= {"pattern": r"\S", "maxLength": row.max_length}
    if row.kind == "list":
        schema |= {"minItems": 1, "maxItems": row.max_items, "items": {"type": "object"}}
    return schema


def _needed() -> Iterator[dict[str, Any]]:
    """Which keys a model makes necessary; of several models, the first says it."""
    models = catalogue.video_models().values()
    for key, names in (
        ("clips", [model.name for model in models if model.clip and model.clip.required]),
        ("references", [model.name for model in models if model.images and model.images.required]),
        ("prompts", [model.name for model in models if model.prompt_required]),
    ):
        named = {"anyOf": [{"enum": names}, {"type": "array", "prefixItems": [{"enum": names}]}]}
        yield {"if": {"properties": {"model": named}}, "then": {"required": [key]}}
