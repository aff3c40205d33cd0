"""The end of a run: the manifest of what the campaign has in the archive, the review board, and the run's own account."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import callsheet
from callsheet import catalogue, causes, expiry, inspection, naming, quality
from callsheet import sidecar as sidecars
from callsheet.archive.store import Store
from callsheet.causes import Cause
from callsheet.credits import Credits, total
from callsheet.errors import ArchiveError, MediaError, NothingToShoot
from callsheet.ledger.book import Ledger
from callsheet.limits import ClipFacts
from callsheet.media import frames
from callsheet.plan import Line, Plan, decimal_seconds, keys_of
from callsheet.review import board
from callsheet.routing import PLAY
from callsheet.sidecar import AxisValues, Manifest, ManifestEntry, Quality, Sidecar
from callsheet.steps import clock, deliver, inspect, judge, outcome, pictures, prepare
from callsheet.steps import settings as environment
from callsheet.steps import studio as studios
from callsheet.steps.cache import PreparedFile
from callsheet.steps.draw_up import Drawn
from callsheet.steps.load import Loaded
from callsheet.steps.shelve import Shelf, address_of, shelf_of, store_of
from callsheet.steps.strays import Stray
from callsheet.steps.strays import exit_code as code_of
from callsheet.steps.studio import Failure, Studio
from callsheet.steps.survey import hash_of
from callsheet.sweep import Variant
from callsheet.take import State, Take
from callsheet.tariff import price_of
from callsheet.verdicts import Verdicts

log = logging.getLogger("callsheet.takes")

#: Where the review board lies in the campaign's folder.
BOARD = "review/index.html"

Outcome = Literal["archived", "skipped", "failed", "in_doubt", "pending"]

#: How a take that did not end in this run counts in its account.
OUTCOMES: Mapping[State, Outcome] = {
    State.ARCHIVED: "archived",
    State.IN_DOUBT: "in_doubt",
    State.SUBMITTING: "in_doubt",
    State.FAILED: "failed",
    State.RELEASED: "failed",
    State.RESERVED: "failed",
    State.SUBMITTED: "pending",
    State.SUCCEEDED: "pending",
}


_OTHER_OUTCOMES: Mapping[Outcome, str] = {
    "in_doubt": "in doubt",
    "pending": "not finished",
    "skipped": "skipped",
}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How one line of the plan ended in this run."""

    line: Line
    outcome: Outcome
    take: Take | None
    reason: str
    #: What the provider said of a job that it failed in this run.
    failure: Failure | None = None
    #: Why it did not come home; None where it did, or was not to.
    cause: Cause | None = None
    #: What the checks found of its film; None where it was not checked, and where there is none.
    quality: Quality | None = None

    @property
    def charged(self) -> Credits:
        """New money of this run for this line: the provider's figure where it gave one, else the price. Nothing where
        another run has bought it."""
        unspent = self.line.action in ("skip", "blocked") or self.line.owner != ""
        if self.take is None or unspent or self.take.state is State.RESERVED:
            return Credits()
        return self.take.cost

    def as_json(self) -> dict[str, Any]:
        take = self.take
        return {
            "slug": self.line.variant.slug,
            "key": self.line.key,
            "take": self.line.variant.take,
            "outcome": self.outcome,
            "state": None if take is None else str(take.state),
            "job": take.job if take else "",
            "credits": str(self.charged),
            "planned": str(self.line.price),
            "reason": self.reason,
            "archive": take.archive if take else "",
            "failure": None if self.failure is None else asdict(self.failure),
            "quality": None if self.quality is None else self.quality.model_dump(),
        }


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a run did. `credits` is what it newly spent (or the provider would have charged, on the sandbox)."""

    campaign: str
    route: str
    ended: tuple[Ended, ...]
    #: Where the files are, for a person: a folder, or one in a bucket.
    files: str
    #: On this machine.
    manifest: Path
    board: Path
    #: Where others find the board; "" where CALLSHEET_ARCHIVE_URL does not say.
    link: str = ""
    #: Takes of earlier runs that the campaign does not have any more, as they stand now.
    strays: tuple[Stray, ...] = ()

    def of(self, outcome: Outcome) -> tuple[Ended, ...]:
        return tuple(ended for ended in self.ended if ended.outcome == outcome)

    @property
    def credits(self) -> Credits:
        return total([ended.charged for ended in self.ended])

    @property
    def flagged(self) -> tuple[Ended, ...]:
        """What this run archived and a check flags."""
        return tuple(ended for ended in self.of("archived") if quality.flags(ended.quality))

    @property
    def flags(self) -> str:
        """ "2 of 40 flagged: 1 frozen, 1 sync". Empty where nothing is."""
        return inspect.counted(ended.quality for ended in self.of("archived"))

    @property
    def exit_code(self) -> int:
        """0 fine, 9 some takes in doubt, 1 some failed or not finished."""
        left = code_of(stray.take for stray in self.strays)
        if self.of("in_doubt"):
            return 9
        return left or int(bool(self.of("failed") or self.of("pending")))

    @property
    def by_cause(self) -> Mapping[Cause, tuple[Ended, ...]]:
        """What did not come home, the most frequent cause first."""
        groups: dict[Cause, list[Ended]] = {}
        for ended in self.ended:
            if ended.cause is not None:
                groups.setdefault(ended.cause, []).append(ended)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0].words))
        return {cause: tuple(members) for cause, members in ordered}

    @property
    def message(self) -> str:
        """One line for a state of Prefect: "38 of 40 archived, 2 refused by content policy"."""
        tried = [ended for ended in self.ended if ended.outcome != "skipped"]
        failed = {cause: sum(one.outcome == "failed" for one in group) for cause, group in self.by_cause.items()}
        counts = {cause.words: count for cause, count in failed.items()}
        counts |= {word: len(self.of(outcome)) for outcome, word in _OTHER_OUTCOMES.items()}
        first = f"{len(self.of('archived'))} of {len(tried)} archived" if tried else "nothing to do"
        return ", ".join([first, *(f"{count} {word}" for word, count in counts.items() if count)])

    def as_json(self) -> dict[str, Any]:
        """pending: those of `failed` that are paid for and not home yet; the next run fetches them."""
        return {
            "campaign": self.campaign,
            "route": self.route,
            "archived": len(self.of("archived")),
            "skipped": len(self.of("skipped")),
            "failed": len(self.of("failed")) + len(self.of("pending")),
            "pending": len(self.of("pending")),
            "in_doubt": len(self.of("in_doubt")),
            "flagged": len(self.flagged),
            "credits": str(self.credits),
            "usd": str(self.credits.usd),
            "files": self.files,
            "manifest": str(self.manifest),
            "board": str(self.board),
            "takes": [ended.as_json() for ended in self.ended],
            "strays": [stray.as_json() for stray in self.strays],
        }


async def wrap(
    errors: Mapping[str, str], strays: tuple[Stray, ...] = (), plan: Plan | None = None, *, is_part: bool = False
) -> Account:
    """Write manifest and board (each replaced atomically), and account for the run. `errors`: reason by label.

    plan: what is accounted for, where others have done it; this run's own otherwise. is_part: only account for it; the run
    that cut the campaign into parts writes the rest when all have ended.
    """
    studio = studios.current()
    plan = plan or studio.plan
    walked = set(outcome.to_walk(plan))
    takes = studio.ledger.newest([line.key for line in plan.lines], route=studio.plan.routes)
    ended = tuple(
        _ended(studio, line, takes.get(line.key), errors.get(line.variant.label, ""), walked) for line in plan.lines
    )
    if not is_part:
        manifest, held = await write_manifest(studio, {item.line.key: item.reason for item in ended if item.reason})
        judged = judge.key_of(plan.campaign) in held.there
        verdicts = await asyncio.to_thread(_judged, studio.store, manifest) if judged else None
        await asyncio.to_thread(write_board, studio.shelf, manifest, verdicts)
        ended = _with_qualities(ended, manifest)
    elif studio.shelf.is_apart:
        await _pictured(studio)
    return Account(
        campaign=plan.campaign,
        route=plan.route,
        ended=ended,
        files=studio.store.spoken(pictures.folder(studio)),
        manifest=studio.shelf.folder.path(f"{pictures.folder(studio)}/manifest.json"),
        board=studio.shelf.folder.path(f"{pictures.folder(studio)}/{BOARD}"),
        link=_link(studio, BOARD),
        strays=strays,
    )


def _link(studio: Studio, name: str) -> str:
    base = studio.drawn.settings.archive_url
    return address_of(studio.store, f"{pictures.folder(studio)}/{name}", base) if base else ""


def laid_out(loaded: Loaded) -> tuple[Shelf, Manifest]:
    """The manifest in the archive, with every file that its board shows on the shelf. NothingToShoot, ArchiveError."""
    store = store_of(loaded)
    manifest = manifest_of(loaded, store)
    shelf = shelf_of(store, environment.read(loaded.root).home)
    if shelf.is_apart:
        shelf.bring(store.sizes(shown(manifest)))
    return shelf, manifest


def manifest_of(loaded: Loaded, store: Store) -> Manifest:
    """The manifest in the archive. NothingToShoot where there is none yet; ArchiveError."""
    folder = naming.slug_part(loaded.campaign.name)
    written = store.read(f"{folder}/manifest.json")
    if written is None:
        raise NothingToShoot(
            "Nothing of this campaign is in the archive yet.",
            where=str(loaded.spec),
            hint=f"Run it first: callsheet run {loaded.spec} --sandbox",
        )
    try:
        return sidecars.read(Manifest, written)
    except ValueError as error:
        raise ArchiveError(
            f"The manifest cannot be read: {error}.",
            where=store.spoken(f"{folder}/manifest.json"),
            hint=f"Write it again from the sidecars: callsheet verify {loaded.spec} --rebuild",
            spent="no",
        ) from None


def write_board(shelf: Shelf, manifest: Manifest, verdicts: Verdicts | None = None) -> Path:
    """The review board of this manifest, where a browser opens it from disk.

    Beside an archive in a bucket lies the same page, for who has the bucket on a disk; here it tells what is not here.
    """
    key = f"{naming.slug_part(manifest.campaign)}/{BOARD}"
    shelf.store.replace_text(key, board.build(manifest, verdicts))
    if shelf.is_apart:
        shelf.folder.replace_text(key, board.build(as_here(shelf, manifest), verdicts))
    return shelf.folder.path(key)


def as_here(shelf: Shelf, manifest: Manifest) -> Manifest:
    """Without the films that are in the bucket alone."""
    folder = naming.slug_part(manifest.campaign)

    def here(entry: ManifestEntry) -> ManifestEntry:
        if entry.deliverable is None or shelf.folder.exists(naming.from_manifest(folder, entry.deliverable)):
            return entry
        return entry.model_copy(
            update={"deliverable": None, "reason": "In the bucket. callsheet review brings it here."}
        )

    return manifest.model_copy(update={"entries": [here(entry) for entry in manifest.entries]})


def shown(manifest: Manifest) -> set[str]:
    """Keys of the files that the board of this manifest plays, shows and leads to."""
    folder = naming.slug_part(manifest.campaign)
    return {
        naming.from_manifest(folder, path)
        for entry in manifest.entries
        for path in (entry.deliverable, entry.source, entry.poster, entry.source_poster, entry.sidecar)
        if path
    }


def _judged(store: Store, manifest: Manifest) -> Verdicts | None:
    """A run does not fail for verdicts that cannot be read; its board is then without them."""
    try:
        return judge.known(store, manifest)
    except ArchiveError as error:
        log.warning("the board is without verdicts: %s: %s", error.where, error.what)
        return None


async def write_manifest(studio: Studio, reasons: Mapping[str, str]) -> tuple[Manifest, "Held"]:
    """The manifest of every variant of the campaign, selected for this run or not, as the ledger knows it now; and what it is
    made of."""
    lines = every_line(studio.drawn, studio.ledger)
    held = await _held(studio, lines)
    entries = [await _entry(studio, line, held, reasons.get(line.key, "")) for line in lines]
    entries += await asyncio.to_thread(_of_earlier_rounds, studio, {entry.key for entry in entries})
    charged = total([Credits.of(entry.credits) for entry in entries if entry.state == "archived"])
    manifest = Manifest(
        callsheet=callsheet.__version__,
        campaign=studio.plan.campaign,
        route=studio.plan.route,
        draft=studio.plan.route in PLAY,
        plan=studio.plan.digest,
        written_at=clock.now(),
        credits=str(charged),
        usd=str(charged.usd),
        entries=entries,
    )
    text = manifest.model_dump_json(indent=2) + "\n"
    await asyncio.to_thread(studio.shelf.replace_text, f"{pictures.folder(studio)}/manifest.json", text)
    return manifest, held


def _is_sound(manifest: str, entry: ManifestEntry) -> bool:
    """Anybody who can write into an archive may have written it."""
    return inspection.is_amount(entry.credits) and inspection.place(manifest, entry.deliverable or "") is not None


def _of_earlier_rounds(studio: Studio, known: Collection[str]) -> list[ManifestEntry]:
    """What reviews have added, as long as its file is there: the campaign does not have it, and its board would lose it."""
    folder = pictures.folder(studio)
    try:
        written = studio.store.read(f"{folder}/manifest.json")
        before = None if written is None else sidecars.read(Manifest, written)
    except (ArchiveError, ValueError) as error:
        log.warning(
            "what reviews have added is not in the manifest any more, for the old one cannot be read: %s", error
        )
        return []
    if before is None or before.draft != (studio.plan.route in PLAY):
        return []
    own = [entry for entry in before.entries if entry.round and entry.deliverable and entry.key not in known]
    kept = [entry for entry in own if _is_sound(f"{folder}/manifest.json", entry)]
    if strange := len(own) - len(kept):
        log.warning(
            "%d entries of the old manifest name no file of the archive, or no amount, and are left out", strange
        )
    there = (
        studio.store.sizes({naming.from_manifest(folder, entry.deliverable or "") for entry in kept}) if kept else {}
    )
    return [entry for entry in kept if naming.from_manifest(folder, entry.deliverable or "") in there]


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the manifest is made of: the prepared clips by label, and the files of the archive that it may name, with their
    bytes. Asked for at once: a bucket is far away."""

    clips: Mapping[str, PreparedFile]
    there: dict[str, int]


async def _pictured(studio: Studio) -> None:
    """Have in the bucket what the board shows of this part's films, which are on this machine alone. It does without them
    where the bucket takes them not: the films are there."""
    lines = every_line(studio.drawn, studio.ledger)
    try:
        held = await _held(studio, lines)
        for line in lines:
            await _entry(studio, line, held, "")
    except ArchiveError as error:
        log.warning("pictures of the board could not be put into the archive: %s", error.what)


async def _held(studio: Studio, lines: Collection[Line]) -> Held:
    clips = {line.variant.label: clip for line in lines if line.take and (clip := await _prepared(studio, line))}
    keys = {
        key
        for clip in clips.values()
        for key in (pictures.source_key(studio, clip), pictures.poster_key(studio, clip.sha256))
    }
    keys.add(judge.key_of(studio.plan.campaign))
    for line in lines:
        if line.take is not None and line.take.archive:
            keys |= {line.take.archive, _beside(line.take), pictures.poster_key(studio, line.take.sha256)}
    there = dict(await asyncio.to_thread(studio.store.sizes, keys))
    if studio.shelf.is_apart:
        small = {key: size for key, size in there.items() if key.endswith((".json", ".jpg"))}
        await asyncio.to_thread(studio.shelf.bring, small)
    return Held(clips=clips, there=there)


def every_line(drawn: Drawn, ledger: Ledger) -> list[Line]:
    """A line for each variant of the whole campaign with the newest take the ledger has of it."""
    planned = {line.variant.label: line for line in drawn.plan.lines}
    variants = drawn.loaded.variants
    keys = keys_of(variants, {v.label: drawn.survey.footage(v) for v in variants})
    takes = ledger.newest(list(keys.values()), route=drawn.plan.routes)
    return [_line(drawn, variant, keys[variant.label], planned.get(variant.label), takes) for variant in variants]


def _line(drawn: Drawn, variant: Variant, key: str, planned: Line | None, takes: Mapping[str, Take]) -> Line:
    if planned is not None:
        return planned._replace(take=takes.get(key))
    footage = drawn.survey.footage(variant)
    return Line(
        variant=variant,
        key=key,
        action="skip",
        reason="not selected for this run",
        credits=Credits(),
        price=price_of(catalogue.model(variant.model), footage.seconds, variant.options),
        seconds=footage.seconds,
        take=takes.get(key),
        supersedes=0,
    )


def _ended(studio: Studio, line: Line, take: Take | None, error: str, walked: Collection[str]) -> Ended:
    if line.key in studio.inherited:
        line = line._replace(owner="")  # another run's no more
    if take is not None:
        deliver.forget(studio, take)  # a run that was killed right after the archive had it
    if line.action == "skip":
        return Ended(line=line, outcome="skipped", take=take, reason=line.reason)
    if line.action != "blocked" and line.variant.label not in walked:
        same = line._replace(action="skip", reason="the same content as another variant", credits=Credits())
        return Ended(line=same, outcome="skipped", take=take, reason=same.reason)
    if line.action == "blocked":
        doubtful = take is not None and take.state is State.IN_DOUBT
        end: Outcome = "in_doubt" if doubtful else "failed"
        cause = causes.DOUBT if doubtful else causes.BLOCKED
        return Ended(line=line, outcome=end, take=take, reason=line.reason, cause=cause)
    if take is None or (not take.is_live and take.id <= line.supersedes and line.action == "shoot"):
        cause = studio.causes.get(line.variant.label, causes.OTHER)
        return Ended(line=line, outcome="failed", take=None, reason=error, cause=cause)
    end = OUTCOMES[take.state]
    reason = "" if end == "archived" else error or take.reason
    return Ended(
        line=line,
        outcome=end,
        take=take,
        reason=reason,
        failure=studio.failures.get(take.id),
        cause=_cause(studio, line.variant.label, end),
        quality=studio.qualities.get(take.id),
    )


def _with_qualities(ended: tuple[Ended, ...], manifest: Manifest) -> tuple[Ended, ...]:
    """With what sidecars say of films that another process brought home, or a run that was killed right after."""
    known = {entry.take_id: entry.quality for entry in manifest.entries if entry.quality is not None}
    return tuple(
        replace(one, quality=known.get(one.take.id)) if one.quality is None and one.take is not None else one
        for one in ended
    )


def _cause(studio: Studio, label: str, end: Outcome) -> Cause | None:
    """What is in doubt is that, whatever error ended its walk: a key that is refused settles nothing."""
    if end == "archived":
        return None
    if end == "in_doubt":
        return causes.DOUBT
    return studio.causes.get(label, causes.FETCH if end == "pending" else causes.OTHER)


async def _entry(studio: Studio, line: Line, held: Held, reason: str) -> ManifestEntry:
    take = line.take
    state = OUTCOMES[take.state] if take else "pending"
    entry = ManifestEntry(
        slug=line.variant.slug,
        key=line.key,
        axes=AxisValues.of(line.variant),
        state=state,
        take_id=take.id if take else None,
        prompt=line.variant.text,
        credits=str(take.cost) if take and state == "archived" else "0",
        round="" if studio.drawn.round is None else studio.drawn.round.part_of(line.variant.label),
        reason="" if state == "archived" else reason or _standing(studio, take),
        **(await _source(studio, line, held) if take else {}),
    )
    if take is None or state != "archived" or take.archive not in held.there:
        return entry
    return entry.model_copy(update=await _deliverable(studio, take, held))


def _standing(studio: Studio, take: Take | None) -> str:
    if take is None:
        return "not rendered yet"
    loaded = studio.drawn.loaded
    return expiry.standing(take, clock.now(), loaded.shown(loaded.spec))


async def _prepared(studio: Studio, line: Line) -> PreparedFile | None:
    """The prepared clip of a line; None where it has none, or none can be made any more."""
    if not line.variant.clip:
        return None
    try:
        return await prepare.prepared_clip(studio, line.variant)
    except MediaError as error:
        log.warning("no source on the board for %s: %s", line.variant.label, error.what)
        return None


async def _source(studio: Studio, line: Line, held: Held) -> dict[str, Any]:
    """The prepared clip as the board plays it, kept once a clip under the review folder, named by its content."""
    clip = held.clips.get(line.variant.label)
    if clip is None:
        return {}
    video = pictures.source_key(studio, clip)
    await _kept(studio, video, clip.path, clip.sha256, held)
    poster = await _poster(studio, clip.path, clip.sha256, clip.seconds, held)
    return {"source": _from_manifest(studio, video), "source_poster": poster}


async def _deliverable(studio: Studio, take: Take, held: Held) -> dict[str, Any]:
    path = studio.shelf.folder.path(take.archive)
    is_here = studio.shelf.has(take.archive, held.there[take.archive])
    sidecar = await asyncio.to_thread(_read_sidecar, studio.shelf, _beside(take), held)
    facts = await asyncio.to_thread(_facts, path) if sidecar is None and is_here else None
    seconds = sidecar.result.seconds if sidecar else decimal_seconds(facts.seconds) if facts else ""
    return {
        "deliverable": _from_manifest(studio, take.archive),
        "sha256": take.sha256 or None,
        "sidecar": _from_manifest(studio, _beside(take)),
        "poster": await _poster(studio, path if is_here else None, take.sha256, None, held),
        "seconds": seconds,
        "width": sidecar.result.width if sidecar else facts.width if facts else None,
        "height": sidecar.result.height if sidecar else facts.height if facts else None,
        "quality": sidecar.quality if sidecar else None,
    }


def _facts(film: Path) -> ClipFacts:
    from callsheet.media import probe  # slow to load, and not needed before something is sent

    return probe.clip(film)


async def _poster(studio: Studio, video: Path | None, sha256: str, seconds: Any, held: Held) -> str | None:
    """A still from the middle; video: None where it is not on this machine. A board without one picture is better than a
    run that fails for it, so that is logged."""
    key = pictures.poster_key(studio, sha256)
    if key not in held.there:
        if video is None:
            return None
        made = pictures.unfinished(studio, sha256)
        try:
            length = seconds if seconds is not None else (await asyncio.to_thread(_facts, video)).seconds
            await frames.poster(video, made, seconds=length)
            await _kept(studio, key, made, await asyncio.to_thread(hash_of, made), held)
        except MediaError as error:
            log.warning("no poster for %s: %s", video.name, error.what)
            return None
        finally:
            made.unlink(missing_ok=True)
    return _from_manifest(studio, key)


async def _kept(studio: Studio, key: str, file: Path, sha256: str, held: Held) -> None:
    """Have a file of the board in the archive, and on its shelf."""
    if key not in held.there:
        await pictures.put(studio, key, file, sha256)
        held.there[key] = file.stat().st_size
    if not studio.shelf.has(key, held.there[key]):
        await asyncio.to_thread(studio.shelf.keep, key, file)


def _beside(take: Take) -> str:
    """Key of the sidecar."""
    return f"{take.archive.removesuffix('.mp4')}.json"


def _from_manifest(studio: Studio, key: str) -> str:
    """A key of the store as seen from the folder of the manifest."""
    return naming.seen_from(pictures.folder(studio), key)


def _read_sidecar(shelf: Shelf, key: str, held: Held) -> Sidecar | None:
    """None when it is gone or another version's: the board then shows what the file itself says."""
    try:
        return sidecars.read(Sidecar, shelf.read(key, held.there) or b"")
    except (ArchiveError, ValueError):
        return None
