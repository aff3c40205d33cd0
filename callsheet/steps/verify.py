"""Read every byte of an archive and hold it against its sidecars, its manifests and the ledger. Nothing is changed.

Documents are read a few at a time, and a film never into memory. No link is followed, and no file is read because a document
names it: what is read is what lies there.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from callsheet import buckets, inspection, marking, naming, sidecar
from callsheet.archive.disk import DiskStore
from callsheet.archive.store import Store, refuse_strange
from callsheet.errors import ArchiveError, SpecError, StoreUnreachable
from callsheet.inspection import Film, Finding
from callsheet.sidecar import Manifest, Sidecar, StrayRecord
from callsheet.steps import draw_up
from callsheet.steps import settings as environment
from callsheet.steps.load import Loaded, resolve
from callsheet.steps.shelve import store_of
from callsheet.take import Take
from callsheet.verdicts import Verdicts

#: Films that are read at a time, and documents: those of a bucket are far away, and small.
ABREAST, DOCUMENTS = 4, 16

#: Told of the bytes that were read so far, and of those there are.
Heard = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Place:
    """An archive to look into. campaign: where only one of its campaigns is meant, from this file."""

    store: Store
    root: Path
    loaded: Loaded | None = None

    @property
    def campaign(self) -> str | None:
        return None if self.loaded is None else self.loaded.campaign.name

    def is_meant(self, campaign: str) -> bool:
        return self.campaign in (None, campaign)

    def is_its_folder(self, key: str) -> bool:
        """May a name without a document be of what is meant?"""
        return self.campaign is None or key.startswith(f"{naming.slug_part(self.campaign)}/")


@dataclass(kw_only=True)
class Shelf:
    """What lies in an archive, by its names, and what its documents say."""

    sizes: dict[str, int] = field(default_factory=dict)
    #: By the key of the document.
    films: dict[str, Film] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was looked at, and what is wrong."""

    place: str
    documents: int
    films: int
    bytes: int
    takes: int
    findings: list[Finding]
    #: Of the films: in the folder of another campaign, which had bought the same content before.
    shared: int = 0

    @property
    def is_whole(self) -> bool:
        return all(finding.severity == "note" for finding in self.findings)


def place_of(target: str) -> Place:
    """The archive that a person means: a folder, s3://bucket/prefix, or a campaign's; "" for the studio's own. SpecError."""
    if buckets.is_bucket(target):
        from callsheet.archive.s3 import S3Store

        try:
            return Place(store=S3Store(buckets.place_of(target)), root=environment.studio_root(Path.cwd() / "-"))
        except ValueError as error:
            raise SpecError(f"{error}.", where=target[:200], hint="As: s3://studio/finals") from None
    path = Path(target) if target else environment.studio_root(Path.cwd() / "-") / "archive"
    if target and path.is_dir() and (path / inspection.MANIFEST).is_file():
        hint = f"Name the whole archive, {path.absolute().parent}, or the campaign's YAML file."
        raise SpecError("this is one campaign's folder of an archive.", where=target[:200], hint=hint)
    if path.is_dir():
        return Place(store=DiskStore(path), root=environment.studio_root(path / "-"))
    if target and path.is_file() and path.suffix.lower() == ".json":
        hint = "Name the whole archive, or the campaign's YAML file."
        raise SpecError("this is a document of an archive, and not the archive.", where=target[:200], hint=hint)
    if target and path.is_file():
        loaded = resolve(path)
        store = store_of(loaded)
        if isinstance(store, DiskStore) and not store.root.is_dir():
            raise SpecError("Nothing of this campaign is in the archive yet.", where=target, hint=_run(target))
        return Place(store=store, root=loaded.root, loaded=loaded)
    raise SpecError(
        "there is no archive here." if not target else "there is no such folder or campaign.",
        where=str(path)[:200],
        hint="Name a folder, s3://bucket/prefix, or the campaign whose archive is meant.",
    )


def _run(spec: str) -> str:
    return f"Run it first: callsheet run {spec} --sandbox"


def verify(place: Place, heard: Heard = lambda _done, _all: None) -> Verified:
    """Everything that is wrong. StoreUnreachable where the archive does not answer; LedgerError."""
    try:
        return _verified(place, heard)
    except ArchiveError as error:
        error.spent = "no"  # by looking
        raise


def _verified(place: Place, heard: Heard) -> Verified:
    shelf = listed(place)
    manifests = _read_documents(place, shelf)
    films = list(shelf.films.values())
    read = _read_films(place.store, films, shelf, heard)
    for key, manifest in manifests:
        shelf.findings += inspection.of_manifest(key, manifest, sizes=shelf.sizes, films=shelf.films)
    takes = _takes(place)
    by_film = {film.key: film for film in films}
    shelf.findings += inspection.of_ledger(takes, by_film, shelf.sizes, campaign=place.campaign)
    shelf.findings += _orphans(place, shelf, by_film)
    return Verified(
        place=place.store.spoken(),
        documents=len(films) + len(manifests),
        films=sum(film.key in shelf.sizes for film in films),
        bytes=read,
        takes=len(takes),
        shared=sum(not place.is_meant(film.campaign) for film in films),
        findings=sorted(shelf.findings, key=lambda one: (one.severity == "note", one.key, one.kind)),
    )


def listed(place: Place) -> Shelf:
    """What lies there, by name alone."""
    shelf = Shelf()
    for one in place.store.listing():
        if one.kind != "file":
            if place.is_its_folder(one.key):
                shelf.findings.append(inspection.link(one.key))
        elif inspection.is_leftover(one.key):
            if place.is_its_folder(one.key):
                shelf.findings.append(inspection.leftover(one.key))
        elif _is_plain(one.key):
            shelf.sizes[one.key] = one.bytes
    return shelf


def documents(
    place: Place, shelf: Shelf, shared: Collection[str] = ()
) -> Iterator[tuple[str, Sidecar | StrayRecord | Finding]]:
    """Every sidecar and every record of a stray of what is meant, or what is wrong with it; a few in memory at a time.
    shared: keys of more sidecars, of other campaigns."""
    keys = sorted(filter(inspection.is_document, shelf.sizes))
    with ThreadPoolExecutor(DOCUMENTS) as pool:
        for begin in range(0, len(keys), 4 * DOCUMENTS):
            some = keys[begin : begin + 4 * DOCUMENTS]
            read = pool.map(lambda key: _document(place.store, key, shelf.sizes[key]), some)
            for key, found in zip(some, read, strict=True):
                is_its_own = place.is_its_folder(key) if isinstance(found, Finding) else place.is_meant(found.campaign)
                if is_its_own or key in shared:
                    yield key, found


def _read_documents(place: Place, shelf: Shelf) -> list[tuple[str, Manifest]]:
    """Take in what they say. The manifests, which are held against it once all has been read."""
    jobs: dict[tuple[str, str], str] = {}
    manifests = list(_manifests(place, shelf))
    for key, found in documents(place, shelf, _shared(manifests)):
        told = found if isinstance(found, Finding) else inspection.film_of(key, found)
        if isinstance(told, Finding):
            shelf.findings.append(told)
            continue
        shelf.films[key] = told
        if not isinstance(found, Finding):
            other = jobs.setdefault((found.job.route, found.job.job), key)
            if other != key:
                shelf.findings.append(inspection.twice(key, other))
    return manifests


def _shared(manifests: Sequence[tuple[str, Manifest]]) -> set[str]:
    """The sidecars in other folders that these manifests name."""
    paths = ((key, entry.sidecar) for key, manifest in manifests for entry in manifest.entries if entry.sidecar)
    return {there for key, path in paths if path.startswith("../") and (there := inspection.place(key, path))}


def _manifests(place: Place, shelf: Shelf) -> Iterator[tuple[str, Manifest]]:
    for key, size in sorted(shelf.sizes.items()):
        name = key.rpartition("/")[2]
        if name not in (inspection.MANIFEST, inspection.VERDICTS) or not place.is_its_folder(key):
            continue
        most = sidecar.MOST_MANIFEST
        try:
            data = _bytes(place.store, key, size, most)
            if name == inspection.MANIFEST:
                yield key, sidecar.read(Manifest, data)
            else:
                Verdicts.model_validate_json(data)
        except ValidationError as error:
            told = error.errors(include_url=False, include_input=False)[0]["msg"]
            shelf.findings.append(inspection.unreadable(key, f"they are no verdicts: {told[:200]}"))
        except ValueError as error:
            shelf.findings.append(inspection.unreadable(key, str(error), is_manifest=True))


def _document(store: Store, key: str, size: int) -> Sidecar | StrayRecord | Finding:
    try:
        data = _bytes(store, key, size, sidecar.MOST_SIDECAR)
        if "/strays/" in f"/{key}":
            try:
                return sidecar.read(Sidecar, data)
            except ValueError:
                return sidecar.read(StrayRecord, data)
        return sidecar.read(Sidecar, data)
    except ValueError as error:
        return inspection.unreadable(key, str(error))


def _bytes(store: Store, key: str, size: int, most: int) -> bytes:
    """ValueError, in words."""
    if size > most:
        raise ValueError(f"{size:,} bytes are too many for what it should be")
    try:
        data = store.read(key)
    except ArchiveError as error:
        raise ValueError(_why(store, error)) from None
    if data is None:
        raise ValueError("it was removed meanwhile")
    return data


def _read_films(store: Store, films: list[Film], shelf: Shelf, heard: Heard) -> int:
    """Every byte of those that may be whole. How many were read."""
    whole: list[Film] = []
    for film in films:
        if film.key not in shelf.sizes:
            shelf.findings.append(inspection.missing(film))
        elif (wrong := inspection.of_length(film, shelf.sizes[film.key])) is not None:
            shelf.findings.append(wrong)
        else:
            whole.append(film)
    total = sum(film.bytes for film in whole)
    read = 0
    with ThreadPoolExecutor(ABREAST) as pool:
        try:
            for film, found in zip(whole, pool.map(lambda film: _read_film(store, film), whole), strict=True):
                read += film.bytes
                heard(read, total)
                if found is not None:
                    shelf.findings.append(found)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return read


def _read_film(store: Store, film: Film) -> Finding | None:
    running, received = hashlib.sha256(), hashlib.sha256()
    try:
        with store.opened(film.key) as chunks:
            if chunks is None:
                return inspection.missing(film)

            def digested() -> Iterator[bytes]:
                for chunk in chunks:
                    running.update(chunk)
                    yield chunk

            if film.region is None:
                for _ in digested():
                    pass
            else:
                region = film.region
                for piece in marking.received(digested(), region.offset, region.bytes, region.closed):
                    received.update(piece)
    except ArchiveError as error:
        return inspection.unreadable_film(film, _why(store, error))
    return inspection.of_bytes(
        film, sha256=running.hexdigest(), received=None if film.region is None else received.hexdigest()
    )


def _why(store: Store, error: ArchiveError) -> str:
    """Why one file cannot be read. A bucket that does not answer is no word about a file: StoreUnreachable."""
    if isinstance(error, StoreUnreachable) and not isinstance(store, DiskStore):
        raise error
    cause = error.__cause__
    said = cause.strerror if isinstance(cause, OSError) else None
    return (said or error.what).rstrip(".")


def _orphans(place: Place, shelf: Shelf, by_film: dict[str, Film]) -> Iterator[Finding]:
    """Films that no document is of. One whose document cannot be read is told with that."""
    for key in shelf.sizes:
        is_alone = key not in by_film and inspection.document_beside(key) not in shelf.sizes
        if inspection.is_film(key) and is_alone and place.is_its_folder(key):
            yield inspection.orphan(key)


def _takes(place: Place) -> tuple[Take, ...]:
    """Of the studio that the archive belongs to; none where there is no ledger."""
    settings = environment.read(place.root)
    if not draw_up.has_ledger(settings):
        return ()
    with closing(draw_up.open_ledger(settings)) as ledger:
        return ledger.takes(campaign=place.campaign)


def _is_plain(key: str) -> bool:
    """Could Callsheet have put it there? Hidden files and names of other systems are none of its business."""
    try:
        refuse_strange(key)
    except ArchiveError:
        return False
    return True
