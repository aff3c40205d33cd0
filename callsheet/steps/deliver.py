"""Bring a result home: download, verify, put into the archive, write its sidecar, and only then say ARCHIVED.

The archive has the file and its sidecar, synced, before the ledger turns the hold into a charge. Killed in between, the
next run does it again and recognises what is already there. Nothing in the archive is ever replaced: a name taken by
other bytes gets the next revision, `…--r2`.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

import callsheet
from callsheet import catalogue, expiry, limits, naming
from callsheet.archive.store import Stored
from callsheet.campaign import Campaign
from callsheet.errors import (
    ArchiveError,
    JobFailed,
    MediaError,
    ResultDamaged,
    ResultExpired,
    StoreUnreachable,
    ToolMissing,
    Unacceptable,
    Unavailable,
    WouldOverwrite,
)
from callsheet.limits import ClipFacts
from callsheet.media import command
from callsheet.plan import Line, decimal_seconds
from callsheet.provider.client import Downloaded
from callsheet.provider.results import OnBytes
from callsheet.routing import PLAY
from callsheet.sidecar import (
    AxisValues,
    ClipRecord,
    JobRecord,
    MoneyRecord,
    Quality,
    ResultRecord,
    Sidecar,
    SourceFile,
    StillRecord,
    StrayRecord,
    VersionsRecord,
    read,
)
from callsheet.steps import clock, mark, pictures, prepare, private
from callsheet.steps import inspect as inspecting
from callsheet.steps import studio as studios
from callsheet.steps.mark import Film
from callsheet.steps.studio import Studio
from callsheet.steps.survey import hash_of
from callsheet.sweep import Variant
from callsheet.take import State, Take

if TYPE_CHECKING:
    from callsheet.media.quality import Traits

log = logging.getLogger("callsheet.takes")

#: The largest result that is fetched. Kling's own edits of 10 s are tens of megabytes; this only stops a runaway answer.
MAX_RESULT = 2_000_000_000
#: Names tried before giving up on a deliverable; each is an earlier render of the same cell.
MAX_REVISIONS = 999

D = TypeVar("D", Sidecar, StrayRecord)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A downloaded result that decodes. look: what the checks are made on; None where it could not be had."""

    path: Path
    downloaded: Downloaded
    facts: ClipFacts
    look: "Traits | None"


async def deliver(take_id: int, label: str) -> str:
    """The archive's key of the deliverable. ResultExpired, ResultDamaged, ArchiveError: paid for, and still to fetch.

    What was fetched stays under the home until ARCHIVED is committed: links die within a day, and an archive may be full
    for longer.
    """
    studio = studios.current()
    studio.tell(label, "deliver", "began")
    take = studio.ledger.take(take_id)
    if take.state is State.SUCCEEDED:
        line = studio.line(label)

        def moved(done: int, size: int | None) -> None:
            studio.tell(label, "deliver", "moved", done / size if size else 0.0)

        result = await fetch(studio, take, moved, seconds=_seconds(line))
        quality = await inspecting.inspect(studio, line, take, result.look)
        poster = result.look.look.poster if result.look else None
        result = replace(result, look=None)  # it may wait for its turn to be archived, and a look is large
        sent = take
        take = await archive(
            studio, take, result, _names(studio, line), lambda file: _sidecar(studio, line, sent, result, file, quality)
        )
        log.info("take %d %s: %s, %s credits, %s", take.id, take.slug, take.state, take.cost, take.archive)
        if poster is not None:
            await pictures.keep(studio, take, poster)
    forget(studio, take)
    flagged = inspecting.words(studio.qualities.get(take.id))
    studio.tell(label, "deliver", "done", 1.0, f"{take.archive}{flagged}")
    return take.archive


def _seconds(line: Line) -> Fraction | None:
    """How long the result has to be: as long as the clip, unless the model makes a length of its own."""
    return line.seconds if catalogue.model(line.variant.model).price.quantity == "clip" else None


def fetched(home: Path, take: Take) -> Path:
    """Where a result lies, complete, until it is archived. Named by the job: takes of two ledgers may share a number.

    Not where half-made files come in, which are swept away: this may be the only copy of what was paid for.
    """
    return home / "fetched" / f"{take.route}--{take.job}.mp4"


def damaged(home: Path, take: Take) -> Path:
    """Where what came damaged lies, for a person to judge."""
    whole = fetched(home, take)
    return whole.with_name(f"{whole.stem}.damaged.mp4")


def forget(studio: Studio, take: Take) -> None:
    """Remove what was fetched for a take, once the archive has it."""
    if take.state is State.ARCHIVED:
        whole = fetched(studio.home, take)
        for path in (whole, damaged(studio.home, take), mark.signed_place(whole)):
            path.unlink(missing_ok=True)


async def fetch(
    studio: Studio, take: Take, on_bytes: OnBytes | None = None, *, seconds: Fraction | None = None
) -> Result:
    """The result on this machine, from an earlier try or downloaded now, every frame looked at.

    seconds: how long it has to be, more or less; None where that is not known. A truncated or undecodable file, or one of
    another length, must not count as delivered; it is kept beside for a person to judge. ResultExpired and ResultDamaged
    are safe to repeat: the next try asks for a fresh link. Not so once the same damaged file has come twice.
    """
    from callsheet.media import probe  # slow to load, and not needed before something is sent

    target = fetched(studio.home, take)
    private.folder(target.parent)
    downloaded = await asyncio.to_thread(_kept, target) or await _download(studio, take, target, on_bytes)
    try:
        facts = await asyncio.to_thread(probe.clip, target)
        look = await inspecting.decoded(studio, target, downloaded.sha256, facts)
        _refuse_other_length(facts.seconds, seconds)
    except (ToolMissing, command.TookTooLong) as error:
        error.spent = "yes"  # that says nothing about the file, which stays
        raise
    except MediaError as error:
        raise await asyncio.to_thread(_kept_aside, studio, take, target, downloaded, error) from error
    return Result(path=target, downloaded=downloaded, facts=facts, look=look)


def _refuse_other_length(seconds: Fraction, expected: Fraction | None) -> None:
    if expected is not None and abs(seconds - expected) > limits.length_tolerance(expected):
        came, sent = decimal_seconds(seconds), decimal_seconds(expected)
        raise Unacceptable(f"it lasts {came} s, and what was sent {sent} s.")


def _kept_aside(studio: Studio, take: Take, target: Path, downloaded: Downloaded, error: MediaError) -> ResultDamaged:
    """Put the damaged file where a person finds it. The same bytes once more: that is what the provider has."""
    aside = damaged(studio.home, take)
    again = aside.is_file() and hash_of(aside) == downloaded.sha256
    target.replace(aside)
    return ResultDamaged(
        f"the result of job {take.job} is damaged: {error.what}",
        where=take.slug,
        hint=f"What came{', twice the same,' if again else ''} is kept as {aside}. Ask the provider's support with the job "
        f"id, or give it up: callsheet reconcile {_spec(studio)} --lost {take.id}",
        retry="never" if again else "safe",
    )


def _kept(target: Path) -> Downloaded | None:
    """A file gets this name only complete and synced."""
    if not target.is_file():
        return None
    return Downloaded(sha256=hash_of(target), bytes=target.stat().st_size, content_type="")


async def _download(studio: Studio, take: Take, target: Path, on_bytes: OnBytes | None) -> Downloaded:
    """To its place, in its turn: the link that dies first goes first."""
    link = studio.results.pop(take.id, None)
    dies = expiry.dies_at(link.get_secret_value() if link else "", finished=take.updated_at)
    coming = studio.home / "incoming" / target.name
    async with studio.downloads.turn(dies):
        downloaded = await _by_any_link(studio, take, link, coming, on_bytes)
    coming.replace(target)
    return downloaded


async def _by_any_link(
    studio: Studio, take: Take, link: SecretStr | None, coming: Path, on_bytes: OnBytes | None
) -> Downloaded:
    """By the link that is known, and where that is dead, by another one that a status read names. ResultExpired."""

    async def renew() -> SecretStr:
        return await _fresh_link(studio, take)

    url, is_last = link or await renew(), link is None
    while True:
        try:
            return await studio.counter(take.route).provider.download(
                url, coming, max_bytes=MAX_RESULT, on_progress=on_bytes, renew=renew
            )
        except ResultExpired as error:
            fresh = url if is_last else await renew()
            if fresh == url:
                raise _expired(studio, take, error.what.rstrip(".").lower()) from error
            url, is_last = fresh, True


async def _fresh_link(studio: Studio, take: Take) -> SecretStr:
    """A link lives 24 h at most; a status read may give another."""
    status = (await studio.counter(take.route).provider.status([take.job])).get(take.job)
    if status is None:
        raise _expired(studio, take, "the provider no longer knows it")
    if status.state == "failed":
        what = f"job {take.job} succeeded before and is failed now."
        raise JobFailed(what, where=take.slug, says=status.error, spent="unknown")
    if status.result is not None:
        return status.result
    if clock.now() >= expiry.dies_at("", finished=take.updated_at):
        raise _expired(studio, take, "the provider names no link any more")
    raise Unavailable(f"job {take.job} has no link to its result.", where=take.slug, spent="yes")


def _expired(studio: Studio, take: Take, why: str) -> ResultExpired:
    """The hold by its name. Within its day a link that is not there yet may still come."""
    is_over = clock.now() >= expiry.dies_at("", finished=take.updated_at)
    what = expiry.expired(take, why, _spec(studio))
    return ResultExpired(what, where=take.slug, retry="never" if is_over else "safe")


def _spec(studio: Studio) -> str:
    """As a person calls the campaign."""
    return studio.drawn.loaded.shown(studio.drawn.loaded.spec)


async def archive(
    studio: Studio,
    take: Take,
    result: Result,
    names: Iterator[str],
    describe: Callable[[str], Awaitable[D]],
) -> Take:
    """File, document beside it, ledger, in this order, under the first of the names that no other take has.

    describe: the document for a file of this name.
    """
    for key in names:
        document = await describe(f"{key.rpartition('/')[2]}.mp4")
        there = await asyncio.to_thread(_beside, studio, f"{key}.json")
        ours = None if there is None else _ours(there, document)
        if there is not None and ours is None:
            continue
        try:
            async with studio.uploads, mark.marked(studio, take, result.path, result.downloaded, key, document) as film:
                stored = await asyncio.to_thread(_put, studio, f"{key}.mp4", film, ours)
                if ours is None:
                    text = film.described(document).model_dump_json(indent=2) + "\n"
                    await asyncio.to_thread(studio.store.put_text, f"{key}.json", text)
                if stored.sha256 == film.sha256:
                    await asyncio.to_thread(studio.shelf.keep, stored.key, film.path)
        except WouldOverwrite:
            continue
        return studio.ledger.archived(take.id, archive=stored.key, sha256=stored.sha256)
    raise WouldOverwrite(f"{MAX_REVISIONS} renders of {take.slug} are in the archive already.", where=take.slug)


#: How the sound is called in names: kept, left out, or none of the model's business.
SOUND_WORDS: dict[bool | None, str] = {True: "sound", False: "mute", None: "as-made"}


def _names(studio: Studio, line: Line) -> Iterator[str]:
    variant = line.variant
    fields: dict[str, str | int] = {
        **dict.fromkeys((*studio.drawn.loaded.campaign.variables, *catalogue.options()), "none"),
        **dict(variant.variables),
        **{name: str(value) for name, value in variant.options},
        "campaign": variant.campaign,
        "clip": variant.clip,
        "references": variant.references,
        "prompt": variant.prompt_slug,
        "aspect_ratio": variant.aspect_ratio,
        "sound": SOUND_WORDS[variant.keep_original_sound],
        "model": variant.model,
        "take": variant.take,
    }
    key = naming.deliverable(_template(studio.drawn.loaded.campaign, variant), fields)
    return (naming.revision(key, number) for number in range(1, MAX_REVISIONS + 1))


def _template(campaign: Campaign, variant: Variant) -> str:
    """How it is called; what a review promotes to another model has that in its name too."""
    name, own = campaign.archive.name, {model.name for model in campaign.all_models}
    return name if variant.model in own or "{model}" in name else f"{name}--{{model}}"


def _beside(studio: Studio, key: str) -> bytes | None:
    """The document that a name has already; nothing readable where something else is in its place."""
    try:
        return studio.store.read(key)
    except StoreUnreachable:
        raise
    except ArchiveError:
        return b""


def _ours(there: bytes, mine: D) -> D | None:
    """The document that is there, where this name belongs to the same take: one of the same job is our own, left by a run
    that was killed."""
    try:
        found = read(type(mine), there)
    except ValueError:
        return None
    received = found.result.received_sha256 or found.result.sha256
    return found if (found.job.job, received) == (mine.job.job, mine.result.sha256) else None


def _put(studio: Studio, key: str, film: Film, ours: Sidecar | StrayRecord | None) -> Stored:
    """Have the film in the archive. One that its document tells of already stays as it is, also where it would be marked
    or signed in other bytes now. WouldOverwrite."""
    if ours is not None and ours.result.sha256 != film.sha256:
        there = studio.store.stat(key)
        if there is not None and there.sha256 == ours.result.sha256:
            return there
    return studio.store.put(key, film.path, sha256=film.sha256)


async def _sidecar(
    studio: Studio, line: Line, take: Take, result: Result, file: str, quality: Quality | None
) -> Sidecar:
    return Sidecar(
        callsheet=callsheet.__version__,
        campaign=take.campaign,
        slug=take.slug,
        key=take.key,
        plan=take.plan,
        occurrence=take.occurrence,
        axes=AxisValues.of(line.variant),
        prompt=line.variant.text,
        clip=await _clip_record(studio, line),
        references=await _still_records(studio, line),
        job=job_of(take),
        money=money_of(take),
        result=record_of(result, file),
        quality=quality,
        draft=take.route in PLAY,
        archived_at=clock.now(),
        take_id=take.id,
        round="" if studio.drawn.round is None else studio.drawn.round.part_of(line.variant.label),
        versions=await versions(),
    )


async def versions() -> VersionsRecord:
    """What is at work here. Without an ffmpeg the rest is said all the same: the result is paid for."""
    from callsheet.media import tool  # as above

    try:
        ffmpeg = await tool.version()
    except MediaError:
        ffmpeg = ""
    python = ".".join(map(str, sys.version_info[:3]))
    return VersionsRecord(catalogue=catalogue.version(), ffmpeg=ffmpeg, python=python)


def job_of(take: Take) -> JobRecord:
    return JobRecord(
        route=take.route,
        job=take.job,
        request_id=take.request_id,
        idempotency_key=take.idempotency_key,
        submitted_at=take.sent_at,
        finished_at=take.updated_at,
    )


def money_of(take: Take) -> MoneyRecord:
    charged = None if take.charged is None else str(take.charged)
    return MoneyRecord(planned=str(take.price), charged=charged, usd=str(take.cost.usd))


def record_of(result: Result, file: str) -> ResultRecord:
    return ResultRecord(
        file=file,
        sha256=result.downloaded.sha256,
        bytes=result.downloaded.bytes,
        seconds=decimal_seconds(result.facts.seconds),
        width=result.facts.width,
        height=result.facts.height,
        frame_rate=str(result.facts.frame_rate),
        video_codec=result.facts.codec,
        has_sound=result.facts.audio_codec is not None,
    )


async def _clip_record(studio: Studio, line: Line) -> ClipRecord | None:
    variant, survey = line.variant, studio.drawn.survey
    if not variant.clip:
        return None
    surveyed, preparation = survey.clips[variant.clip], survey.clip_preparation(variant)
    prepared = await prepare.prepared_clip(studio, variant)
    trim = studio.drawn.loaded.clips[variant.clip].trim
    return ClipRecord(
        name=variant.clip,
        source=_source(studio, surveyed.path, surveyed.sha256, surveyed.facts.bytes),
        trim=None if trim is None else str(trim),
        decision=preparation.decision,
        reasons=list(preparation.reasons),
        notes=list(preparation.notes),
        prepared_sha256=prepared.sha256,
        prepared_bytes=prepared.bytes,
        seconds=decimal_seconds(prepared.seconds),
        width=prepared.width,
        height=prepared.height,
        start=decimal_seconds(preparation.start),
        reads=decimal_seconds(preparation.reads),
        framing=preparation.framing,
    )


async def _still_records(studio: Studio, line: Line) -> list[StillRecord]:
    records = []
    for number, surveyed in enumerate(studio.drawn.survey.stills[line.variant.references]):
        preparation = studio.drawn.survey.still_preparation(line.variant, surveyed.path)
        prepared = await prepare.prepared_still(studio, line.variant, number)
        records.append(
            StillRecord(
                source=_source(studio, surveyed.path, surveyed.sha256, surveyed.facts.bytes),
                decision=preparation.decision,
                reasons=list(preparation.reasons),
                prepared_sha256=prepared.sha256,
                prepared_bytes=prepared.bytes,
            )
        )
    return records


def _source(studio: Studio, path: Path, sha256: str, size: int) -> SourceFile:
    return SourceFile(file=studio.drawn.loaded.shown(path), sha256=sha256, bytes=size)
