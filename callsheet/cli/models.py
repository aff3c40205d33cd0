"""`callsheet models`: the catalogue, as a table or as JSON."""

from callsheet import catalogue
from callsheet.cli import console, options
from callsheet.credits import Credits


def models(json: options.Json = False) -> None:
    """List the models with what each accepts and costs."""
    rows = list(catalogue.models().values())
    if json:
        console.document({"models": [row.model_dump(mode="json") for row in rows]})
        return
    names = ("model", "clip", "size", "images", "prompt", "aspect ratios", "price")
    console.table(names, [_cells(row) for row in rows])


def _cells(row: catalogue.Model) -> tuple[str, ...]:
    low, high = row.clip.seconds
    price = Credits(units=row.price.units)
    return (
        row.name,
        f"{low}–{high} s {'/'.join(row.clip.formats)}",
        f"≤ {row.clip.max_bytes // 1_000_000} MB",
        f"≤ {row.images.count[1]}",
        f"≤ {row.prompt_max}",
        " ".join(row.aspect_ratios) or "as the clip",
        f"{price} credits/s, {row.price.floor_seconds} to {row.price.cap_seconds} s",
    )
