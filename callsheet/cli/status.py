"""`callsheet status` and `callsheet spend`: takes and money, straight from the ledger."""

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from callsheet.cli import console, options
from callsheet.credits import ZERO, Credits
from callsheet.take import CHARGED, HELD, Take

OptionalSpec = Annotated[Path | None, typer.Argument(metavar="[SPEC]", help="Only this campaign.", show_default=False)]


def status(spec: OptionalSpec = None, json: options.Json = False) -> None:
    """List the takes of the ledger with their states."""
    takes = _takes(spec)
    held, charged = _sum(takes, HELD), _sum(takes, CHARGED)
    if json:
        rows = [_row(take) for take in takes]
        console.document({"takes": rows, "held": str(held), "charged": str(charged)})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("take", "variant", "state", "route", "credits", "job", "since", "archive or reason"):
        table.add_column(name, justify="right" if name in ("take", "credits") else "left")
    for take in takes:
        since = f"{take.updated_at:%Y-%m-%d %H:%M}"
        label = f"{take.campaign}/{take.slug}"
        table.add_row(
            str(take.id),
            label,
            str(take.state),
            take.route,
            str(take.price),
            take.job,
            since,
            take.archive or take.reason,
        )
    console.show(table)
    console.tell(f"\n{len(takes)} takes; {held.spoken} held, {charged.spoken} charged")


def spend(json: options.Json = False) -> None:
    """Sum up the money by campaign and route."""
    groups: dict[tuple[str, str], list[Take]] = defaultdict(list)
    for take in _takes(None):
        groups[take.campaign, take.route].append(take)
    rows = [
        {"campaign": campaign, "route": route, "held": _sum(takes, HELD), "charged": _sum(takes, CHARGED)}
        for (campaign, route), takes in sorted(groups.items())
    ]
    if json:
        console.document({"spend": [{**row, "held": str(row["held"]), "charged": str(row["charged"])} for row in rows]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("campaign", "route", "held", "charged"):
        table.add_column(name)
    for row in rows:
        table.add_row(*(value.spoken if isinstance(value, Credits) else str(value) for value in row.values()))
    console.show(table)


def _takes(spec: Path | None) -> tuple[Take, ...]:
    from callsheet.steps import draw_up, settings
    from callsheet.steps.load import load

    loaded = load(spec) if spec else None
    found = settings.read(loaded.root if loaded else settings.studio_root(Path.cwd() / "-"))
    ledger = draw_up.open_ledger(found)
    try:
        return ledger.takes(campaign=loaded.campaign.name if loaded else None)
    finally:
        ledger.close()


def _sum(takes: tuple[Take, ...] | list[Take], states: frozenset[Any]) -> Credits:
    return sum((take.price for take in takes if take.state in states), ZERO)


def _row(take: Take) -> dict[str, Any]:
    return {
        "id": take.id,
        "campaign": take.campaign,
        "slug": take.slug,
        "key": take.key,
        "take": take.number,
        "state": str(take.state),
        "job": take.job,
        "route": take.route,
        "credits": str(take.price),
        "charged": None if take.charged is None else str(take.charged),
        "reason": take.reason,
        "archive": take.archive,
    }
