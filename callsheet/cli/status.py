"""`callsheet status` and `callsheet spend`: takes and money, straight from the ledger."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callsheet import expiry
from callsheet.cli import console, options, tables
from callsheet.credits import ZERO, Credits
from callsheet.nearest import listed
from callsheet.routing import SANDBOX
from callsheet.take import State, Take

if TYPE_CHECKING:
    from callsheet.plan import Month
    from callsheet.sidecar import Quality

NAMES = ("take", "variant", "state", "route", "credits", "since (UTC)", "file, reason or job")
#: What is not settled is yellow.
STYLE = {State.ARCHIVED: "green", State.FAILED: "red", State.RELEASED: "dim"}


def status(spec: options.SpecOrAll = None, json: options.Json = False) -> None:
    """List the takes of the ledger, each with its state."""
    takes, qualities, workers = _takes(spec)
    held, charged = _held(takes), _charged(takes)
    if json:
        rows = [{**_row(take, spec, qualities.get(take.id)), "worker": workers.get(take.id) or None} for take in takes]
        console.document({"takes": rows, "held": str(held), "charged": str(charged)})
        return
    if takes:
        cells = [_cells(take, spec, qualities.get(take.id)) for take in takes]
        tables.table(NAMES, cells, right=("take", "credits"))
        console.tell()
    count = "No takes" if not takes else f"{len(takes)} take{'' if len(takes) == 1 else 's'}"
    free = "; drafts of the sandbox are free" if takes and all(take.route == SANDBOX for take in takes) else ""
    console.tell(f"{count}; {held.spoken} held, {charged.spoken} charged{free}")
    if spec and not takes:
        console.tell(f"What another campaign has bought is listed there: callsheet plan {spec} names it.")
    for words in _work(takes, workers, spec):
        console.tell(words)
    for take in takes:
        if words := _flags(qualities.get(take.id)):
            console.tell(f"flagged: take {take.id} {take.slug}: {words}", style="yellow")


def _work(takes: Sequence[Take], workers: "Mapping[int, str]", spec: Path | None) -> Iterator[str]:
    """Who is at work on what is not settled, and what to do where nobody is."""
    for words, count in Counter(words for words in workers.values() if words).items():
        yield f"{count} being rendered by {words}"
    idle = [take for take in takes if workers.get(take.id) == ""]
    if idle:
        draft = " --sandbox" if all(take.route == SANDBOX for take in idle) else ""
        which = "1 take that is not settled" if len(idle) == 1 else f"{len(idle)} takes that are not settled"
        them = "it" if len(idle) == 1 else "them"
        yield f"No run is at work on {which}; the next one goes on with {them}: callsheet run {spec or 'SPEC'}{draft}"


def _flags(found: "Quality | None") -> str:
    """What the checks flag; they are slow to load, and not needed before something is archived."""
    if found is None:
        return ""
    from callsheet import quality

    return quality.spoken(found)


def _cells(take: Take, spec: Path | None, found: "Quality | None") -> tuple[console.Piece, ...]:
    """A row for a person. The last cell is where the take stands: its file, what went wrong, or its job."""
    flagged = ", flagged" if _flags(found) else ""
    return (
        str(take.id),
        take.slug if spec else f"{take.campaign}/{take.slug}",
        (f"{take.state}{flagged}", "yellow" if flagged else STYLE.get(take.state, "yellow")),
        take.route,
        str(take.charged or take.price),
        f"{take.updated_at:%Y-%m-%d %H:%M}",
        take.archive or _reason(take, spec) or take.job,
    )


def spend(json: options.Json = False) -> None:
    """Sum up the money by campaign, route and month."""
    groups: dict[tuple[str, str], list[Take]] = defaultdict(list)
    takes, months = _spent()
    for take in takes:
        groups[take.campaign, take.route].append(take)
    rows: list[dict[str, Any]] = [
        {"campaign": campaign, "route": route, "held": _held(takes), "charged": _charged(takes)}
        for (campaign, route), takes in sorted(groups.items())
    ]
    if json:
        told = [{**row, "held": str(row["held"]), "charged": str(row["charged"])} for row in rows]
        console.document(
            {"spend": told, "months": [{"route": route, **month.as_json()} for route, month in months.items()]}
        )
        return
    cells = [(row["campaign"], row["route"], row["held"].spoken, row["charged"].spoken) for row in rows]
    if cells:
        tables.table(("campaign", "route", "held", "charged"), cells)
    else:
        console.tell("Nothing is held and nothing was charged.")
    for route, month in months.items():
        console.tell(f"{route}: {month.spoken}")


def _spent() -> "tuple[tuple[Take, ...], dict[str, Month]]":
    """Every take; and where a month has a ceiling, what is left of this one, by the routes that it is for."""
    from callsheet.steps import draw_up, settings

    found = settings.read(settings.find_checkout(Path.cwd()))
    pool = draw_up.pool_of(found, sandbox=False)
    if not draw_up.has_ledger(found):
        month = draw_up.month_of(found, None, pool.names)
        return (), {} if month is None else {listed(pool.names): month}
    with closing(draw_up.open_ledger(found)) as ledger:
        takes, routes = ledger.takes(), draw_up.routes_of(ledger, pool)
        month = draw_up.month_of(found, ledger, routes)
    return takes, {} if month is None else {listed(routes): month}


def _takes(spec: Path | None) -> "tuple[tuple[Take, ...], dict[int, Quality], dict[int, str]]":
    """Takes, what the checks found of those that are in the archive, and who is at work on those that are open."""
    from callsheet.steps import draw_up, settings
    from callsheet.steps.load import resolve

    loaded = resolve(spec) if spec else None
    found = settings.read(loaded.root if loaded else settings.find_checkout(Path.cwd()))
    if not draw_up.has_ledger(found):
        return (), {}, {}
    from callsheet.steps import tally

    with closing(draw_up.open_ledger(found)) as ledger:
        takes = ledger.takes(campaign=loaded.campaign.name if loaded else None)
        workers = tally.at_work(found, ledger, takes)
        if not any(take.archive for take in takes):
            return takes, {}, workers
        from callsheet.steps.look_up import look_up

        return takes, look_up(found, ledger, takes, spec=spec), workers


def _held(takes: Sequence[Take]) -> Credits:
    return sum((take.cost for take in takes if take.is_live), ZERO)


def _charged(takes: Sequence[Take]) -> Credits:
    return sum((take.cost for take in takes if not take.is_live), ZERO)


def _reason(take: Take, spec: Path | None) -> str:
    """What went wrong, or by when a result has to be fetched that is paid for."""
    from callsheet.steps import clock

    return expiry.standing(take, clock.now(), str(spec or "SPEC"))


def _row(take: Take, spec: Path | None, found: "Quality | None") -> dict[str, Any]:
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
        "reason": _reason(take, spec),
        "archive": take.archive,
        "occurrence": None if take.occurrence is None else take.occurrence.isoformat(),
        "quality": None if found is None else found.model_dump(),
    }
