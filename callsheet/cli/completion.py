"""What the shell offers when a person presses Tab. Whatever is wrong is silence: a message would land in their line.

Where nothing is offered the shell completes file names by itself, folders included.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import typer

from callsheet.errors import CallsheetError

#: Most values that are offered; a longer list is no help, and the shell would ask first.
MOST = 500

#: Names that no shell has to quote; the others are left to it, which knows how.
_PLAIN = re.compile(r"[\w.+@%,-]+")


def specs(incomplete: str) -> list[str]:
    """Campaigns whose path begins so: beside what is typed, and one folder further down."""
    folder, _, start = incomplete.rpartition("/")
    typed = f"{folder}/" if "/" in incomplete else ""
    try:
        return list(_found(Path(typed or "."), typed, start))[:MOST]
    except OSError:
        return []


def _found(folder: Path, typed: str, start: str) -> Iterator[str]:
    """What is there, spelt as it was begun; hidden folders only where they are."""
    there = sorted(path for path in folder.iterdir() if path.name.startswith(start))
    yield from (f"{typed}{path.name}" for path in there if _is_campaign(path))
    for below in there:
        if below.is_dir() and _PLAIN.fullmatch(below.name) and not below.name.startswith("."):
            yield from (f"{typed}{below.name}/{path.name}" for path in sorted(below.iterdir()) if _is_campaign(path))


def _is_campaign(path: Path) -> bool:
    from callsheet.steps.settings import MARKER

    named = path.suffix in (".yaml", ".yml") and path.name != MARKER and _PLAIN.fullmatch(path.name)
    return bool(named) and path.is_file()


def slugs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Slugs of the campaign that stands in the line already."""
    from callsheet.steps.load import resolve

    spec = _spec(ctx)
    if spec is None:
        return []
    try:
        labels = (variant.label for variant in resolve(spec).variants)
        return [label for label in labels if label.startswith(incomplete)][:MOST]
    except (CallsheetError, OSError):
        return []


def takes_in_doubt(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Takes of that campaign that only a person can settle, each with its slug, for shells that show it."""
    from callsheet.steps import draw_up, settings
    from callsheet.steps.load import resolve
    from callsheet.take import State

    spec = _spec(ctx)
    if spec is None:
        return []
    try:
        campaign = resolve(spec).campaign.name
        found = settings.read(settings.studio_root(spec))
        if found.ledger is None and not (found.home / draw_up.LEDGER).is_file():
            return []  # looking would lay one out
        with closing(draw_up.open_ledger(found)) as ledger:
            takes = ledger.takes(campaign=campaign)
    except (CallsheetError, OSError):
        return []
    doubtful = [take for take in takes if take.state is State.IN_DOUBT]
    return [(str(take.id), take.slug) for take in doubtful if str(take.id).startswith(incomplete)]


def models(incomplete: str) -> list[tuple[str, str]]:
    """Names of the catalogue."""
    from callsheet import catalogue

    return [(row.name, row.title) for row in catalogue.models().values() if row.name.startswith(incomplete)]


def _spec(ctx: typer.Context) -> Path | None:
    """The campaign in front of the option; the parser has not bound it yet where the option's value is still to come."""
    spec = ctx.params.get("spec")
    if isinstance(spec, Path):
        return spec
    return next((Path(word) for word in ctx.args if not word.startswith("-")), None)
