"""Write manifests again from the sidecars: where one is gone, broken, or says something else than they do.

What has no deliverable is in no sidecar: it is kept from the old manifest, where that reads. Where the ledger is there it says
how such a variant stands now.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, NamedTuple

import callsheet
from callsheet import expiry, inspection, naming, sidecar
from callsheet.credits import Credits, total
from callsheet.errors import ArchiveError, SpecError
from callsheet.routing import PLAY
from callsheet.sidecar import Manifest, ManifestEntry, Sidecar
from callsheet.steps import clock, draw_up
from callsheet.steps import settings as environment
from callsheet.steps.shelve import shelf_of
from callsheet.steps.verify import Place, Shelf, documents, listed
from callsheet.steps.wrap import OUTCOMES
from callsheet.take import Take


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A manifest that was written again. left: sidecars that it does not list, since a newer render took their place."""

    key: str
    where: str
    entries: int
    kept: int
    left: int


Round = Literal["", "retake", "promoted"]


class Found(NamedTuple):
    """A sidecar and its key."""

    key: str
    document: Sidecar


def rebuild(place: Place) -> list[Rebuilt]:
    """Every manifest of what is meant. SpecError where there is no sidecar; ArchiveError."""
    shelf = listed(place)
    groups: dict[str, list[Found]] = {}
    for key, found in documents(place, shelf):
        if isinstance(found, Sidecar) and not isinstance(inspection.film_of(key, found), inspection.Finding):
            groups.setdefault(found.campaign, []).append(Found(key, found))
    if not groups:
        hint = "A run of the campaign writes its manifest, too, and buys nothing that is there."
        raise SpecError("there is no sidecar to make a manifest of.", where=place.store.spoken(), hint=hint)
    takes = _takes(place)
    return [_rebuilt(place, shelf, name, found, takes) for name, found in sorted(groups.items())]


def _rebuilt(place: Place, shelf: Shelf, campaign: str, found: Sequence[Found], known: Sequence[Take]) -> Rebuilt:
    key = f"{naming.slug_part(campaign)}/{inspection.MANIFEST}"
    old = _old(place, shelf, key)
    newest = max(found, key=_age)
    # Drafts and what was paid for are two worlds; a manifest is of one of them.
    is_draft = newest.document.draft if old is None or _is_later(newest, old) else old.draft
    if old is not None and old.draft != is_draft:
        old = None
    takes = {take.key: take for take in known if take.campaign == campaign and (take.route in PLAY) == is_draft}
    chosen = _chosen([one for one in found if one.document.draft == is_draft], old, takes)
    rounds = {entry.key: entry.round for entry in old.entries} if old else {}
    entries = {one.document.key: _entry(shelf, key, one, rounds.get(one.document.key, "")) for one in chosen}
    cells = {_cell(entry) for entry in entries.values()}
    kept = [
        entry if _is_shared(shelf, key, entry) else _kept(place, entry, takes)
        for entry in (old.entries if old else ())
        if _cell(entry) not in cells
    ]
    ordered = _ordered(place, old, [*entries.values(), *kept])
    charged = total([Credits.of(entry.credits) for entry in ordered if entry.state == "archived"])
    manifest = Manifest(
        callsheet=callsheet.__version__,
        campaign=campaign,
        route=old.route if old else newest.document.job.route,
        draft=is_draft,
        plan=old.plan if old else newest.document.plan,
        written_at=clock.now(),
        credits=str(charged),
        usd=str(charged.usd),
        entries=ordered,
    )
    text = manifest.model_dump_json(indent=2) + "\n"
    shelf_of(place.store, environment.read(place.root).home).replace_text(key, text)
    return Rebuilt(
        key=key,
        where=place.store.spoken(key),
        entries=len(ordered),
        kept=len(kept),
        left=len(found) - sum(entry.key in entries for entry in ordered),
    )


def _old(place: Place, shelf: Shelf, key: str) -> Manifest | None:
    """The manifest as it is; None where it is gone, or broken. One of a later version is not overwritten: SpecError."""
    if key not in shelf.sizes or shelf.sizes[key] > sidecar.MOST_MANIFEST:
        return None
    try:
        data = place.store.read(key)
        old = None if data is None else sidecar.read(Manifest, data)
        return old if old and all(inspection.is_amount(entry.credits) for entry in old.entries) else None
    except ArchiveError:
        raise
    except ValueError as error:
        if "newer Callsheet" in str(error):
            raise SpecError(f"{error}.", where=place.store.spoken(key)) from None
        return None


def _chosen(found: Sequence[Found], old: Manifest | None, takes: Mapping[str, Take]) -> list[Found]:
    """One for each variant: the newest of its content, or the one that the ledger has; and of a cell whose content was
    changed, what the old manifest has of it, unless it was archived since."""
    by_key: dict[str, Found] = {}
    for one in sorted(found, key=_age):
        by_key[one.document.key] = one
    for key, one in list(by_key.items()):
        take = takes.get(key)
        named = next((other for other in found if take is not None and other.document.take_id == take.id), None)
        by_key[key] = named if named is not None and named.document.key == key else one
    by_cell: dict[tuple[str, int], Found] = {}
    for one in sorted(by_key.values(), key=_age):
        by_cell[one.document.slug, one.document.axes.take] = one
    for entry in old.entries if old else ():
        found_here = by_cell.get(_cell(entry))
        if old is None or found_here is None or _is_later(found_here, old):
            continue
        if entry.key in by_key:
            by_cell[_cell(entry)] = by_key[entry.key]
        else:
            del by_cell[_cell(entry)]
    return list(by_cell.values())


def _cell(entry: ManifestEntry) -> tuple[str, int]:
    return entry.slug, entry.axes.take


def _is_later(one: Found, old: Manifest) -> bool:
    """Was it archived after that manifest was written, by a run that did not come to write another?"""
    return one.document.archived_at > old.written_at


def _age(one: Found) -> tuple[object, ...]:
    """Later takes have greater numbers; a sidecar without one is older than those that have one."""
    return (one.document.take_id or 0, one.document.job.submitted_at, one.key)


def _entry(shelf: Shelf, manifest: str, one: Found, added: Round) -> ManifestEntry:
    document, film = one.document, inspection.film_beside(one.key)
    folder = manifest.rpartition("/")[0]
    entry = ManifestEntry(
        slug=document.slug,
        key=document.key,
        axes=document.axes,
        state="archived",
        take_id=document.take_id,
        prompt=document.prompt,
        credits=inspection.cost_of(document),
        round=document.round or added,
        **_source(shelf, folder, document),
    )
    if film not in shelf.sizes:
        return entry
    return entry.model_copy(
        update={
            "deliverable": naming.seen_from(folder, film),
            "sha256": document.result.sha256,
            "sidecar": naming.seen_from(folder, one.key),
            "poster": _picture(shelf, folder, document.result.sha256),
            "seconds": document.result.seconds,
            "width": document.result.width,
            "height": document.result.height,
            "quality": document.quality,
        }
    )


def _source(shelf: Shelf, folder: str, document: Sidecar) -> dict[str, str | None]:
    if document.clip is None:
        return {}
    stem = f"{folder}/review/sources/{document.clip.prepared_sha256[:16]}"
    source = next((key for suffix in (".mp4", ".mov") if (key := stem + suffix) in shelf.sizes), None)
    return {
        "source": None if source is None else naming.seen_from(folder, source),
        "source_poster": _picture(shelf, folder, document.clip.prepared_sha256),
    }


def _picture(shelf: Shelf, folder: str, sha256: str) -> str | None:
    key = f"{folder}/review/posters/{sha256[:16]}.jpg"
    return naming.seen_from(folder, key) if key in shelf.sizes else None


def _is_shared(shelf: Shelf, manifest: str, entry: ManifestEntry) -> bool:
    """Is its film one that another campaign had bought, and is it there, with its sidecar?"""
    paths = (entry.deliverable or "", entry.sidecar or "")
    return all(path.startswith("../") and inspection.place(manifest, path) in shelf.sizes for path in paths)


def _kept(place: Place, entry: ManifestEntry, takes: Mapping[str, Take]) -> ManifestEntry:
    """An entry of the old manifest that no sidecar is of, as the ledger knows it now."""
    gone = {"deliverable": None, "sidecar": None, "poster": None}
    take = takes.get(entry.key)
    if take is None:
        return entry.model_copy(update=gone if entry.deliverable else {})
    state = OUTCOMES[take.state]
    spec = "SPEC" if place.loaded is None else place.loaded.shown(place.loaded.spec)
    told = {
        "state": state,
        "take_id": take.id,
        "credits": str(take.cost) if state == "archived" else "0",
        "reason": "" if state == "archived" else entry.reason or expiry.standing(take, clock.now(), spec),
    }
    return entry.model_copy(update=told | (gone if entry.deliverable else {}))


def _ordered(place: Place, old: Manifest | None, entries: Sequence[ManifestEntry]) -> list[ManifestEntry]:
    """In the order of the campaign's sweep, where the campaign is there, and what reviews have added behind it; else of the
    old manifest, else of the takes."""
    places: dict[tuple[str, int], int] = {}
    if place.loaded is not None:
        places = {(one.slug, one.take): number for number, one in enumerate(place.loaded.variants)}
        entries = [one for one in entries if one.round or (one.slug, one.axes.take) in places]
        before = [one for one in (old.entries if old else ()) if (one.slug, one.axes.take) not in places]
        places |= {(one.slug, one.axes.take): len(places) + number for number, one in enumerate(before)}
    elif old is not None:
        places = {(one.slug, one.axes.take): number for number, one in enumerate(old.entries)}
    return sorted(
        entries,
        key=lambda one: (places.get((one.slug, one.axes.take), len(places)), one.take_id or 0, one.slug, one.axes.take),
    )


def _takes(place: Place) -> tuple[Take, ...]:
    """Oldest first; none where there is no ledger."""
    settings = environment.read(place.root)
    if not draw_up.has_ledger(settings):
        return ()
    with closing(draw_up.open_ledger(settings)) as ledger:
        return ledger.takes(campaign=place.campaign)
