"""What is wrong in an archive: its documents and manifests held against the names that are there. Only judges; `steps.verify`
reads.

A key here is a path below the archive. What a document says may be hostile: a path in it is a place of the archive or nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from callsheet import digest
from callsheet.routing import PLAY
from callsheet.sidecar import Manifest, ManifestEntry, Sidecar, StrayRecord
from callsheet.take import State, Take

#: no: the archive is not what its documents say. note: something that a person may want to know.
Severity = Literal["no", "note"]
Kind = Literal[
    "missing",
    "changed",
    "truncated",
    "received",
    "orphan",
    "unreadable",
    "hostile",
    "link",
    "entry",
    "disagrees",
    "ledger",
    "leftover",
]

FILM = ".mp4"
DOCUMENT = ".json"
MANIFEST = "manifest.json"
VERDICTS = "verdicts.json"
#: Temporary names: of an archive on a disk, and what other tools leave of a copy.
_TEMPORARY = re.compile(r"\.callsheet-\d+-[0-9a-f]{16}\.part|.*\.(?:part|partial|tmp|crdownload)", re.ASCII | re.I)
#: What Callsheet itself keeps in an archive under a hidden name.
_OURS = re.compile(r"\.callsheet-(?:lock|archive(?:-[0-9a-f]{12})?|nothing)", re.ASCII)

#: Credits as Callsheet writes them; a number like 1e999999999 would keep a machine busy for long.
_AMOUNT = re.compile(r"\d{1,12}(?:\.\d{1,4})?", re.ASCII)

RESTORE = "Restore it from a backup; nothing else has it."
#: Of a draft.
RENDER = "Render it again, or restore it from a backup."
REBUILD = "Write the manifest again from the sidecars: callsheet verify --rebuild"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong. key: where in the archive."""

    kind: Kind
    key: str
    what: str
    hint: str = ""
    severity: Severity = "no"

    def as_json(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "kind": self.kind,
            "file": self.key,
            "message": self.what,
            "hint": self.hint,
        }


class Region(NamedTuple):
    """The mark in a film: without it the bytes are those that were received."""

    offset: int
    bytes: int
    closed: int | None
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film as its document tells of it, and what the document says that others say too."""

    key: str
    document: str
    sha256: str
    bytes: int
    #: What its loss means, in a sentence, and what to do.
    money: str
    cure: str
    campaign: str
    job: str
    said: Mapping[str, str]
    region: Region | None


def is_document(key: str) -> bool:
    """A sidecar or the record of a stray, by its name."""
    name = key.rpartition("/")[2]
    return key.endswith(DOCUMENT) and name not in (MANIFEST, VERDICTS) and not is_of_the_board(key)


def is_film(key: str) -> bool:
    return key.endswith(FILM) and not is_of_the_board(key) and not key.rpartition("/")[2].startswith(".")


def is_of_the_board(key: str) -> bool:
    """Below a folder `review`, where whole names never lead (naming.deliverable)."""
    return "review" in key.split("/")[:-1]


def is_leftover(key: str) -> bool:
    name = key.rpartition("/")[2]
    return _TEMPORARY.fullmatch(name) is not None and _OURS.fullmatch(name) is None


def film_beside(key: str) -> str:
    return key.removesuffix(DOCUMENT) + FILM


def document_beside(key: str) -> str:
    return key.removesuffix(FILM) + DOCUMENT


def film_of(key: str, document: Sidecar | StrayRecord) -> Film | Finding:
    """What the document at this key tells of the film beside it. A Finding where it tells of another one: nothing but the
    film beside a document is its own, and what it names may be any file of this machine."""
    beside = film_beside(key)
    if document.result.file != beside.rpartition("/")[2]:
        named = document.result.file[:80]
        what = f"it names {named!r}, which is not the film beside it; that is not read"
        return Finding(kind="hostile", key=key, what=what, hint="Restore the sidecar from a backup.")
    if not is_amount(cost_of(document)):
        return unreadable(key, "what it says that was charged is no amount")
    result, marking = document.result, document.marking
    region = None
    if (
        marking is not None
        and marking.offset is not None
        and marking.bytes is not None
        and marking.signature is None
        and result.received_sha256
    ):
        region = Region(marking.offset, marking.bytes, marking.closed, result.received_sha256)
    return Film(
        key=beside,
        document=key,
        sha256=result.sha256,
        bytes=result.bytes,
        money=_money(document),
        cure=RENDER if document.draft else RESTORE,
        campaign=document.campaign,
        job=document.job.job,
        said=said_by(document) if isinstance(document, Sidecar) else {},
        region=region,
    )


def is_amount(text: str) -> bool:
    return _AMOUNT.fullmatch(text) is not None


def cost_of(document: Sidecar | StrayRecord) -> str:
    """What it has cost, as the manifest counts it: the provider's figure where it gave one, else the price."""
    charged = document.money.charged
    return charged if charged not in (None, "0") else document.money.planned


#: Of these, what a campaign calls things; all else follows from the content.
NAMES = ("slug", "axes")


def said_by(document: Sidecar) -> dict[str, str]:
    """What a manifest says too, by a word for it; long texts by their digest."""
    result = document.result
    return {
        "slug": document.slug,
        "key": document.key,
        "axes": digest.of_bytes(document.axes.model_dump_json().encode()),
        "prompt": digest.of_bytes(document.prompt.encode()),
        "credits": cost_of(document),
        "seconds": result.seconds,
        "width": str(result.width),
        "height": str(result.height),
        "sha256": result.sha256,
    }


def said_of(entry: ManifestEntry) -> dict[str, str]:
    """The same of an entry of a manifest; an older one does not have the digest."""
    return {
        "slug": entry.slug,
        "key": entry.key,
        "axes": digest.of_bytes(entry.axes.model_dump_json().encode()),
        "prompt": digest.of_bytes(entry.prompt.encode()),
        "credits": entry.credits,
        "seconds": entry.seconds,
        "width": str(entry.width),
        "height": str(entry.height),
        **({"sha256": entry.sha256} if entry.sha256 else {}),
    }


# --- a film -------------------------------------------------------------------------------------------------------------


def missing(film: Film) -> Finding:
    what = f"the film is gone. {film.money}"
    return Finding(kind="missing", key=film.key, what=what, hint=film.cure)


def of_length(film: Film, there: int) -> Finding | None:
    """Where it is shorter or longer than its document says, no byte has to be read."""
    if there == film.bytes:
        return None
    if there < film.bytes:
        what = f"the film is cut short: {there:,} of {film.bytes:,} bytes. {film.money}"
        return Finding(kind="truncated", key=film.key, what=what, hint=film.cure)
    what = f"the film has {there:,} bytes, and its sidecar says {film.bytes:,}. {film.money}"
    return Finding(kind="changed", key=film.key, what=what, hint=film.cure)


def of_bytes(film: Film, *, sha256: str, received: str | None) -> Finding | None:
    """received: the digest without the mark; None where that was not looked at."""
    if sha256 != film.sha256:
        what = (
            f"the film has other bytes: sha256 {sha256[:12]}…, and its sidecar says {film.sha256[:12]}…. {film.money}"
        )
        return Finding(kind="changed", key=film.key, what=what, hint=film.cure)
    if film.region is not None and received != film.region.sha256:
        what = (
            "the film is as it was archived, but without its mark it is not what the sidecar says was received "
            f"(sha256 {film.region.sha256[:12]}…)"
        )
        return Finding(kind="received", key=film.key, what=what, hint="Restore the sidecar from a backup.")
    return None


def orphan(key: str) -> Finding:
    what = "a film without a sidecar: what it is, and what was paid for it, is not known here"
    hint = (
        "A run that was killed leaves one, and the next run writes its sidecar. Else restore the sidecar from a backup, or "
        "move the film away."
    )
    return Finding(kind="orphan", key=key, what=what, hint=hint)


def unreadable(key: str, why: str, *, is_manifest: bool = False) -> Finding:
    hint = REBUILD if is_manifest else "Restore it from a backup: it is all that is known of its film."
    return Finding(kind="unreadable", key=key, what=f"it cannot be read: {why}", hint=hint)


def unreadable_film(film: Film, why: str) -> Finding:
    what = f"the film cannot be read: {why}. {film.money}"
    return Finding(kind="unreadable", key=film.key, what=what, hint=film.cure)


def link(key: str) -> Finding:
    what = "a symbolic link, which is not followed: what it leads to is not in the archive"
    return Finding(kind="link", key=key, what=what, hint="Put the file itself there.")


def leftover(key: str) -> Finding:
    what = "the name of a file that is being written, or that a killed program left"
    return Finding(
        kind="leftover", key=key, what=what, hint="A run removes those that are an hour old.", severity="note"
    )


def twice(key: str, other: str) -> Finding:
    """Two documents of one job: a run archived it, was killed, and made other bytes of it."""
    what = f"the same job as {other}: one of the two films is a second copy of what was paid for once"
    return Finding(kind="disagrees", key=key, what=what, severity="note")


# --- a manifest ---------------------------------------------------------------------------------------------------------


def place(manifest: str, path: str) -> str | None:
    """The key of a path in the manifest at this key; None for one that is no place in the archive."""
    folder = manifest.rpartition("/")[0]
    above = folder.rpartition("/")[0]
    inner, base = (path[3:], above) if path.startswith("../") else (path, folder)
    parts = inner.split("/")
    if not inner or any(not part or part.startswith(".") or "\\" in part or not part.isprintable() for part in parts):
        return None
    return f"{base}/{inner}" if base else inner


#: The files that an entry names, and what each is called.
_NAMED = {
    "deliverable": "film",
    "sidecar": "sidecar",
    "source": "source",
    "poster": "poster",
    "source_poster": "source's poster",
}


def of_manifest(
    key: str, manifest: Manifest, *, sizes: Mapping[str, int], films: Mapping[str, Film]
) -> Iterator[Finding]:
    """sizes: bytes by key of all files of the archive. films: by the key of their document."""
    for entry in manifest.entries:
        yield from _of_entry(key, entry, sizes, films, manifest.campaign)


def _of_entry(
    key: str, entry: ManifestEntry, sizes: Mapping[str, int], films: Mapping[str, Film], campaign: str
) -> Iterator[Finding]:
    for field, called in _NAMED.items():
        path = getattr(entry, field)
        if path is None:
            continue
        there = place(key, path)
        if there is None:
            what = f"{entry.slug}: its {called} is said to be at {path[:80]!r}, which is no place in the archive"
            yield Finding(kind="hostile", key=key, what=what, hint=REBUILD)
        elif there not in sizes:
            hint = RESTORE if field == "deliverable" else REBUILD
            if field in ("source", "poster", "source_poster"):
                hint = "The next run of the campaign makes it again."
            yield Finding(kind="entry", key=key, what=f"{entry.slug}: its {called} {there} is gone", hint=hint)
    yield from _disagreements(key, entry, films, campaign)


def _disagreements(key: str, entry: ManifestEntry, films: Mapping[str, Film], campaign: str) -> Iterator[Finding]:
    """A film that another campaign bought has other names in that one's sidecar; its content is the same."""
    if entry.deliverable is None:
        return
    if entry.state != "archived":
        what = f"{entry.slug}: it is {entry.state}, and has a film"
        yield Finding(kind="disagrees", key=key, what=what, hint=REBUILD)
    film = films.get(place(key, entry.sidecar or "") or "")
    if film is None:
        return
    if place(key, entry.deliverable) != film.key:
        what = f"{entry.slug}: its film is {entry.deliverable[:80]!r}, and its sidecar is of {film.key}"
        yield Finding(kind="disagrees", key=key, what=what, hint=REBUILD)
    said, own = said_of(entry), film.campaign == campaign
    held = (word for word in film.said if word in said and (own or word not in NAMES))
    differ = [word for word in held if said[word] != film.said[word]]
    if differ:
        what = f"{entry.slug}: {', '.join(differ)} {'is' if len(differ) == 1 else 'are'} not what its sidecar says"
        yield Finding(kind="disagrees", key=key, what=what, hint=REBUILD)


# --- the ledger ---------------------------------------------------------------------------------------------------------


def of_ledger(
    takes: Sequence[Take], films: Mapping[str, Film], sizes: Mapping[str, int], *, campaign: str | None
) -> Iterator[Finding]:
    """films: by the key of the film. campaign: the one that this archive is known to be of; takes of others may have their
    films elsewhere, and drafts may be thrown away."""
    here = {film.campaign for film in films.values()}
    for take in takes:
        if take.state is not State.ARCHIVED or not take.archive:
            continue
        film = films.get(take.archive)
        if film is not None and film.campaign == take.campaign:
            yield from _of_take(take, film)
        elif take.archive not in sizes and take.campaign in (here if campaign is None else {campaign}):
            what = (
                f"the ledger has it as archived (take {take.id}, {take.cost.spoken}, job {take.job}), and neither film nor "
                "sidecar is here"
            )
            is_loss = campaign is not None and take.route not in PLAY
            yield Finding(
                kind="ledger", key=take.archive, what=what, hint=RESTORE, severity="no" if is_loss else "note"
            )


def _of_take(take: Take, film: Film) -> Iterator[Finding]:
    if film.job == take.job and film.sha256 != take.sha256:
        what = (
            f"its sidecar says sha256 {film.sha256[:12]}…, and the ledger {take.sha256[:12]}… (take {take.id}): one of them "
            "was changed"
        )
        yield Finding(
            kind="ledger", key=film.document, what=what, hint="callsheet audit tells whether it is the ledger."
        )
    elif film.job != take.job:
        what = f"its sidecar says job {film.job[:80]}, and the ledger {take.job} (take {take.id})"
        yield Finding(
            kind="ledger", key=film.document, what=what, hint="callsheet audit tells whether it is the ledger."
        )


def _money(document: Sidecar | StrayRecord) -> str:
    """What the loss of its film means."""
    if document.draft:
        return "A free draft: a run with --again renders it once more."
    dead = f"{document.job.finished_at:%Y-%m-%d}"
    return (
        f"It was paid for ({cost_of(document)} credits, job {document.job.job[:80]}), and the provider's link lived for a day "
        f"after {dead}: to render it again costs again."
    )
