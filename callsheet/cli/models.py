"""`callsheet models`: the catalogue at a glance, or one model in full; the same as JSON."""

from dataclasses import asdict
from fractions import Fraction
from json import dumps, loads
from typing import Annotated, Any

import typer

from callsheet import catalogue
from callsheet.catalogue import ClipLimits, ImageLimits, Model, PriceRule
from callsheet.cli import completion, console, options, tables
from callsheet.credits import Credits
from callsheet.errors import SpecError
from callsheet.nearest import did_you_mean, listed
from callsheet.plan import decimal_seconds

Name = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="This model in full.", show_default=False, autocompletion=completion.models),
]

#: What a second is counted of, in the words of a person.
SECONDS_OF = {"clip": "the clip", "duration": "the result"}
#: What images are to a model.
ROLES = {"reference": "to follow", "frames": "first and last frame", "character": "who moves"}
#: Columns of a fact's name.
FACT = 15


def models(name: Name = None, json: options.Json = False) -> None:
    """List the models with what each accepts and costs."""
    known = catalogue.models() if json else catalogue.video_models()
    rows = [_named(name)] if name is not None else list(known.values())
    if json:
        console.document({"models": [_document(row) for row in rows]})
    elif name is not None:
        _in_full(rows[0])
    else:
        names = ("model", "clip", "images", "ratios", "credits/s", "from USD")
        tables.table(names, [_cells(row) for row in rows], right=("images", "credits/s"))
        console.say("One in full, with its options: callsheet models NAME")


def _document(row: Model) -> dict[str, Any]:
    """The row as plain JSON: exact figures as text."""
    document: dict[str, Any] = loads(dumps(asdict(row), default=str))
    return document


def _named(name: str) -> Model:
    known = catalogue.models()
    if name not in known:
        near = "." if any(name in one for one in known) else did_you_mean(name, known) or "."
        parts = [one for one in known if name in one]
        hint = f"It is a part of {listed(parts, most=4)}." if parts and name else "`callsheet models` lists them."
        raise SpecError(f"There is no model `{name}`{near}", hint=hint)
    return known[name]


def _cells(row: Model) -> tuple[str, ...]:
    return (
        row.name,
        _span(row.clip) if row.clip else "–",
        _many(row.images) if row.images else "–",
        "yes" if row.aspect_ratios else "–",
        str(Credits(units=row.price.units)),
        str(Credits(units=row.price.minimum).usd),
    )


def _span(limits: ClipLimits) -> str:
    low, high = limits.seconds
    return f"{low}–{high} s" if limits.required else f"0, {low}–{high} s"


def _many(limits: ImageLimits) -> str:
    low, high = limits.count[0] if limits.required else 0, limits.count[1]
    return str(high) if low == high else f"{low}–{high}"


def _in_full(row: Model) -> None:
    console.tell(f"{row.name}: {row.title}", style="bold")
    console.tell()
    prompt = f"at most {row.prompt_max:,} characters{'' if row.prompt_required else ', or none'}"
    facts: list[tuple[str, ...]] = [
        ("kind", row.kind),
        ("clip", *(_clip(row.clip) if row.clip else ("takes none",))),
        ("images", *(_images(row.images) if row.images else ("takes none",))),
        ("prompt", prompt),
        ("aspect ratios", ", ".join(row.aspect_ratios) or "none to choose: the result has the shape of its input"),
        ("sound", row.sound_field or "no clip whose sound could be kept"),
        *(("options" if number == 0 else "", _option(option)) for number, option in enumerate(row.options.values())),
        ("price", *_price(row.price)),
        ("price since", f"{row.price.effective} (sku {row.price.sku})"),
        ("documents", row.docs),
    ]
    for title, *lines in facts:
        for number, line in enumerate(lines):
            console.tell(f"{'' if number else title:<{FACT}}{line}")


def _option(option: catalogue.Option) -> str:
    default = f"; {option.default} when absent" if option.default is not None else ""
    return f"{option.name}: {option.spoken}{default}{', must be there' if option.required else ''}"


def _price(rule: PriceRule) -> tuple[str, ...]:
    if rule.quantity == "one":
        return (f"{Credits(units=rule.units).spoken} each",)
    lines = [f"{Credits(units=rule.units).spoken} a second of {SECONDS_OF[rule.quantity]}, in steps of {_steps(rule)}"]
    if rule.cap_seconds is not None:
        lines.append(f"no more than {decimal_seconds(rule.cap_seconds)} s are billed")
    for factor in rule.factors:
        lines.append(f"× {float(factor.times):g} with {', '.join(f'{name}: {value}' for name, value in factor.when)}")
    if rule.basis == "request_then_actual":
        lines.append("settled on the seconds of the result")
    return (*lines, f"a take costs {Credits(units=rule.minimum).spoken} at least")


def _steps(rule: PriceRule) -> str:
    return f"{decimal_seconds(rule.step)} s"


def _clip(limits: ClipLimits) -> tuple[str, ...]:
    (low, high), (narrow, wide), (slow, fast) = limits.seconds, limits.pixels, limits.frame_rates
    cases = [
        f"{case.seconds[0]} to {case.seconds[1]} s with {', '.join(f'{name}: {value}' for name, value in case.when)}"
        for case in limits.cases
    ]
    return (
        f"{listed(limits.formats, last='or')}, {low} to {high} s, at most {_megabytes(limits.max_bytes)}"
        f"{'' if limits.required else '; or none'}",
        f"{narrow} to {wide} pixels a side, {slow} to {fast} frames a second",
        *cases,
    )


def _images(limits: ImageLimits) -> tuple[str, ...]:
    narrow, wide = map(_ratio, limits.ratio)
    return (
        f"{_many(limits)} ({ROLES[limits.role]}): {listed(limits.formats, last='or')}, "
        f"at most {_megabytes(limits.max_bytes)} each",
        f"at least {limits.min_side} pixels a side, width to height {narrow} to {wide}",
    )


def _megabytes(size: int) -> str:
    return f"{size // 1_000_000} MB"


def _ratio(value: Fraction) -> str:
    """Width to height."""
    return f"{value.numerator}:{value.denominator}"
