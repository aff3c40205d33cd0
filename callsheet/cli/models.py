"""`callsheet models`: the catalogue, as a table or as JSON."""

from rich.table import Table

from callsheet import catalogue
from callsheet.cli import console, options
from callsheet.credits import Credits


def models(json: options.Json = False) -> None:
    """List the models a campaign can name, with what they accept and cost."""
    rows = list(catalogue.models().values())
    if json:
        console.document({"models": [row.model_dump(mode="json") for row in rows]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "clip", "size", "images", "prompt", "aspect ratios", "price"):
        table.add_column(name)
    for row in rows:
        low, high = row.clip.seconds
        price = Credits(units=row.price.units)
        table.add_row(
            row.name,
            f"{low}–{high} s {'/'.join(row.clip.formats)}",
            f"≤ {row.clip.max_bytes // 1_000_000} MB",
            f"≤ {row.images.count[1]}",
            f"≤ {row.prompt_max}",
            " ".join(row.aspect_ratios) or "as the clip",
            f"{price} credits/s, {row.price.floor_seconds} to {row.price.cap_seconds} s",
        )
    console.show(table)
