"""What the quality checks found of films in the archive, from the sidecars that are on this machine. Asks no bucket."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from callsheet.errors import ArchiveError, CallsheetError, NothingToShoot
from callsheet.ledger.book import Ledger
from callsheet.quality import flags
from callsheet.sidecar import Quality, Sidecar, read
from callsheet.steps import draw_up as drawing
from callsheet.steps import settings as environment
from callsheet.steps.load import Loaded, resolve
from callsheet.steps.settings import Settings
from callsheet.steps.shelve import shelf_of, store_of
from callsheet.take import Take

log = logging.getLogger("callsheet.takes")


def look_up(settings: Settings, ledger: Ledger, takes: Iterable[Take], *, spec: Path | None) -> dict[int, Quality]:
    """By take. spec: of all of them; else each campaign's file is the one that its last run read. A campaign whose file cannot
    be read any more, and a sidecar that is not here, say nothing."""
    found: dict[int, Quality] = {}
    for campaign, files in _by_campaign(takes).items():
        place = spec or _spec_of(ledger, campaign)
        if place is not None:
            found |= _read(settings, place, files)
    return found


def flagged(spec: Path, *, sandbox: bool) -> tuple[str, ...]:
    """Labels of the variants whose newest film in the archive a check flags. NothingToShoot where there is none."""
    loaded = resolve(spec)
    settings = environment.read(loaded.root)
    found: tuple[str, ...] = ()
    if drawing.has_ledger(settings):
        with closing(drawing.open_ledger(settings)) as ledger:
            routes = drawing.routes_of(ledger, drawing.pool_of(settings, sandbox=sandbox))
            takes = ledger.takes(campaign=loaded.campaign.name, route=routes)
            newest = {(take.slug, take.number): take for take in takes if take.archive}
            found = _labels(loaded, newest, look_up(settings, ledger, newest.values(), spec=spec))
    if not found:
        raise NothingToShoot(
            "the quality checks flag no film of this campaign.",
            where="--again-flagged",
            hint=f"Look: callsheet status {spec}. What they do not see is rendered again with --again SLUG.",
        )
    return found


def _labels(
    loaded: Loaded, newest: Mapping[tuple[str, int], Take], qualities: Mapping[int, Quality]
) -> tuple[str, ...]:
    films = [(variant.label, newest.get((variant.slug, variant.take))) for variant in loaded.variants]
    return tuple(label for label, take in films if take is not None and flags(qualities.get(take.id)))


def _by_campaign(takes: Iterable[Take]) -> Mapping[str, list[Take]]:
    found: dict[str, list[Take]] = {}
    for take in takes:
        if take.archive:
            found.setdefault(take.campaign, []).append(take)
    return found


def _spec_of(ledger: Ledger, campaign: str) -> Path | None:
    spec = ledger.spec_of(campaign)
    return Path(spec) if spec else None


def _read(settings: Settings, spec: Path, takes: Iterable[Take]) -> dict[int, Quality]:
    found: dict[int, Quality] = {}
    try:
        loaded = resolve(spec)
        folder = shelf_of(store_of(loaded), settings.home).folder
    except CallsheetError as error:
        log.debug("no verdicts for %s: %s", spec, error.what)
        return {}
    for take in takes:
        try:
            sidecar = read(Sidecar, folder.read(f"{take.archive.removesuffix('.mp4')}.json") or b"")
        except (ArchiveError, ValueError):  # not on this machine, or a stray's record
            continue
        if sidecar.quality is not None:
            found[take.id] = sidecar.quality
    return found
