"""`callsheet models`: the catalogue, as a table or as JSON."""

from dataclasses import asdict
from json import dumps, loads
from typing import Any

from callsheet import catalogue
from callsheet.cli import console, options
from callsheet.credits import Credits


def models(json: options.Json = False) -> None:
    """List the models a campaign can name, with what they accept and cost."""
    rows = list(catalogue.video_models().values())
    if json:
        console.document({"models": [_document(row) for row in catalogue.models().values()]})
        return
    names = ("model", "clip", "images", "prompt", "aspect ratios", "price", "options")
    console.table(names, [_cells(row) for row in rows])


def _document(row: catalogue.Model) -> dict[str, Any]:
    """The row as plain JSON: exact figures as text."""
    document: dict[str, Any] = loads(dumps(asdict(row), default=str))
    return document


def _cells(row: catalogue.Model) -> tuple[str, ...]:
    return (
        row.name,
        _clip(row.clip),
        _images(row.images),
        f"≤ {row.prompt_max}",
        " ".join(row.aspect_ratios) or "as the input",
        _price(row.price),
        ", ".join(row.options),
    )


def _clip(limits: catalogue.ClipLimits | None) -> str:
    if limits is None:
        return "–"
    low, high = limits.seconds
    maybe = "" if limits.required else ", or none"
    return f"{low}–{high} s, ≤ {limits.max_bytes // 1_000_000} MB{maybe}"


def _images(limits: catalogue.ImageLimits | None) -> str:
    if limits is None:
        return "–"
    low, high = (limits.count[0] if limits.required else 0), limits.count[1]
    many = str(high) if low == high else f"{low}–{high}"
    return f"{many} {'frame' if limits.role == 'frames' else limits.role}{'s' if high > 1 and limits.role == 'frames' else ''}"


def _price(rule: catalogue.PriceRule) -> str:
    least = Credits(units=rule.minimum)
    return f"{Credits(units=rule.units)} credits/s, at least {least}"
