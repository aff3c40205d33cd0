"""`callsheet models`: the catalogue at a glance, or one model in full; the same as JSON."""

from fractions import Fraction
from typing import Annotated

import typer

from callsheet import catalogue
from callsheet.catalogue import ClipLimits, ImageLimits, Model
from callsheet.cli import completion, console, options
from callsheet.credits import Credits
from callsheet.errors import SpecError
from callsheet.nearest import did_you_mean, listed
from callsheet.tariff import price_of

Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="This model in full.", show_default=False, autocompletion=completion.models),
]

#: What a second is counted of, in the words of a person.
SECONDS_OF = {"input_second": "the clip", "output_second": "the result"}
#: Columns of a fact's name.
FACT = 15


def models(name: Name = None, json: options.Json = False) -> None:
    """List the models with what each accepts and costs."""
    rows = [_named(name)] if name is not None else list(catalogue.models().values())
    if json:
        console.document({"models": [row.model_dump(mode="json") for row in rows]})
    elif name is not None:
        _in_full(rows[0])
    else:
        names = ("model", "clip", "images", "prompt", "credits/s", "USD a take")
        console.table(names, [_cells(row) for row in rows], right=("images", "prompt", "credits/s"))
        console.say("One in full: callsheet models NAME")


def _named(name: str) -> Model:
    known = catalogue.models()
    if name not in known:
        raise SpecError(
            f"There is no model `{name}`{did_you_mean(name, known) or '.'}", hint="`callsheet models` lists them."
        )
    return known[name]


def _cells(row: Model) -> tuple[str, ...]:
    low, high = row.clip.seconds
    least, most = _range(row)
    return (
        row.name,
        f"{low}–{high} s",
        f"≤ {row.images.count[1]}",
        f"≤ {row.prompt_max}",
        str(Credits(units=row.price.units)),
        f"{least.usd} to {most.usd}",
    )


def _range(row: Model) -> tuple[Credits, Credits]:
    """What the shortest and the longest take cost."""
    return price_of(row, row.price.floor_seconds), price_of(row, row.price.cap_seconds)


def _in_full(row: Model) -> None:
    least, most = _range(row)
    second = Credits(units=row.price.units)
    console.tell(f"{row.name}: {row.title}", style="bold")
    console.tell()
    facts = [
        ("kind", row.kind),
        ("clip", *_clip(row.clip)),
        ("images", *_images(row.images)),
        ("prompt", f"at most {row.prompt_max:,} characters"),
        ("aspect ratios", ", ".join(row.aspect_ratios) or "none to choose: the result has the shape of the clip"),
        ("sound", row.sound_field),
        ("price", f"{second.spoken} a second of {SECONDS_OF[row.price.unit]},"),
        ("", f"of which {row.price.floor_seconds} at least and {row.price.cap_seconds} at most are billed"),
        ("a take", f"{least.spoken} to {most.spoken}"),
        ("price since", f"{row.price.effective} (sku {row.price.sku})"),
        ("documents", row.docs),
    ]
    for name, *lines in facts:
        for number, line in enumerate(lines):
            console.tell(f"{'' if number else name:<{FACT}}{line}")


def _clip(limits: ClipLimits) -> tuple[str, ...]:
    (low, high), (narrow, wide), (slow, fast) = limits.seconds, limits.pixels, limits.frame_rates
    return (
        f"{listed(limits.formats, last='or')}, {low} to {high} s, at most {_megabytes(limits.max_bytes)}",
        f"{narrow} to {wide} pixels a side, {slow} to {fast} frames a second",
    )


def _images(limits: ImageLimits) -> tuple[str, ...]:
    least, most = limits.count
    narrow, wide = map(_ratio, limits.ratio)
    return (
        f"none, or {least} to {most}: {listed(limits.formats, last='or')}, at most {_megabytes(limits.max_bytes)} each",
        f"at least {limits.min_side} pixels a side, width to height {narrow} to {wide}",
    )


def _megabytes(size: int) -> str:
    return f"{size // 1_000_000} MB"


def _ratio(value: Fraction) -> str:
    """Width to height."""
    return f"{value.numerator}:{value.denominator}"
