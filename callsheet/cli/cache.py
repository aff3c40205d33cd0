"""`callsheet cache`: what is kept of prepared media and of remote sources, and making room."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from callsheet import eviction
from callsheet.cli import console, options, tables
from callsheet.errors import NotApproved, SpecError
from callsheet.eviction import KINDS, Entry
from callsheet.steps import settings
from callsheet.steps.settings import Settings

#: The only thing that can be done to it.
CLEAR = "clear"
#: Files shown of those that would go.
MOST_SHOWN = 20
NAMES = ("kind", "files", "MB", "needed", "last used (UTC)")
_AGE = re.compile(r"(\d{1,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def cache(
    action: Annotated[
        str | None, typer.Argument(metavar="clear", help="Remove what may go.", show_default=False)
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="Clear only what was not needed for so long: 12h, 30d, 8w."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Clear without asking.")] = False,
    json: options.Json = False,
) -> None:
    """Show or clear the cache of media.

    It holds prepared clips and pictures, and copies of remote sources. What a run or a take still needs is never cleared.
    """
    age = _age(action, older_than)
    found = settings.read(settings.studio_root(Path.cwd() / "-"))
    if action is None:
        _show(found, json=json)
    else:
        _clear(found, age, yes=yes, json=json)


def _age(action: str | None, older_than: str | None) -> timedelta | None:
    """SpecError for words that mean nothing here."""
    if action not in (None, CLEAR):
        raise SpecError(f"There is nothing called `{action}` to do to the cache.", hint="Write: callsheet cache clear")
    if older_than is None:
        return None
    if action is None:
        raise SpecError("--older-than says what is cleared.", hint="Write: callsheet cache clear --older-than 30d")
    match = _AGE.fullmatch(older_than)
    if match is None:
        raise SpecError(f"`{older_than}` is no age.", hint="Write hours, days or weeks: 12h, 30d, 8w.")
    return int(match[1]) * _UNITS[match[2]]


def _show(found: Settings, *, json: bool) -> None:
    from callsheet.steps import make_room

    entries, most = make_room.look(found), found.cache_gb * make_room.GB
    going = eviction.surplus(entries, most)
    if json:
        console.document(_document(found, entries, going, most))
        return
    rows = [_row(kind, [entry for entry in entries if entry.kind == kind]) for kind in KINDS]
    tables.table(NAMES, rows, right=("files", "MB", "needed"))
    console.tell()
    console.facts(
        (
            ("folder", str(found.home / "cache")),
            ("kept", f"{_mb(eviction.weight(entries))} of {found.cache_gb} GB at most (CALLSHEET_CACHE_GB)"),
            (
                "would go",
                _spoken(going) if going else "nothing; over that, the longest unused goes when a run begins or ends",
            ),
        )
    )
    _name(going)


def _document(found: Settings, entries: Sequence[Entry], going: Sequence[Entry], most: int) -> dict[str, Any]:
    return {
        "folder": str(found.home / "cache"),
        "bytes": eviction.weight(entries),
        "max_bytes": most,
        "entries": [entry.as_json() for entry in entries],
        "would_go": [entry.path for entry in going],
    }


def _row(kind: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    needed = [entry for entry in entries if entry.needed]
    last = max((entry.used_at for entry in entries), default=None)
    megabytes = f"{eviction.weight(entries) / 10**6:.1f}"
    return f"{kind}s", str(len(entries)), megabytes, str(len(needed)), f"{last:%Y-%m-%d %H:%M}" if last else "–"


def _clear(found: Settings, age: timedelta | None, *, yes: bool, json: bool) -> None:
    """Ask, then remove. NotApproved, also where there is no terminal to ask at."""
    from callsheet.steps import make_room

    entries = make_room.look(found)
    going = eviction.unused_since(entries, datetime.now(UTC) - age if age is not None else None)
    if going and not yes:
        _ask(going)
    cleared = make_room.clear(found, age) if going else make_room.Cleared(entries=())
    if json:
        console.document({"cleared": [entry.as_json() for entry in cleared.entries], "bytes": cleared.bytes})
        return
    console.tell(f"Removed {_spoken(cleared.entries)}." if cleared.entries else "There is nothing to remove.")
    needed = [entry for entry in entries if entry.needed]
    if needed:
        console.say(f"{_spoken(needed)} stay: {' and '.join(sorted({entry.needed for entry in needed}))}.")


def _ask(going: Sequence[Entry]) -> None:
    if not console.can_ask():
        what = f"This would remove {_spoken(going)}, and there is no terminal to ask for approval at."
        raise NotApproved(what, hint="Pass --yes to approve it without being asked.")
    _name(going)
    if not console.ask(f"Remove {_spoken(going)}? What is needed again is made or fetched again."):
        raise NotApproved("Nothing was removed.")


def _name(going: Sequence[Entry]) -> None:
    for entry in going[:MOST_SHOWN]:
        console.say(f"    {entry.name} ({_mb(entry.bytes)}, used {entry.used_at:%Y-%m-%d %H:%M} UTC)", style="dim")
    if len(going) > MOST_SHOWN:
        console.say(f"    and {len(going) - MOST_SHOWN} more", style="dim")


def _spoken(entries: Sequence[Entry]) -> str:
    return f"{len(entries)} file{'' if len(entries) == 1 else 's'}, {_mb(eviction.weight(entries))}"


def _mb(size: int) -> str:
    return f"{size / 10**6:.1f} MB"
