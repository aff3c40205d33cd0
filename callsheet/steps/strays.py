"""Strays: live takes whose content the campaign does not have any more, because a prompt, a clip or the sweep was edited
after they were sent. No line of a plan carries them; what they cost is spent all the same, so they are finished here.

A result goes to `<campaign>/strays/` of the archive, with a record of what the ledger knows of it. A take that was never
sent is released. What stays in doubt is held, and shown.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import callsheet
from callsheet import naming
from callsheet.errors import CallsheetError, ContentRefused, JobFailed
from callsheet.plan import keys_of
from callsheet.redact import redact
from callsheet.routing import PLAY
from callsheet.sidecar import StrayRecord
from callsheet.steps import clock, deliver, follow, presence, submit
from callsheet.steps import studio as studios
from callsheet.steps.load import Loaded, resolve
from callsheet.steps.studio import Studio
from callsheet.take import State, Take

log = logging.getLogger("callsheet.takes")


@dataclass(frozen=True, kw_only=True)
class Stray:
    """A stray and how it stands now. `reason`: why it is not finished, or why it came to nothing."""

    take: Take
    reason: str = ""

    @property
    def is_settled(self) -> bool:
        return not self.take.is_live

    @property
    def words(self) -> str:
        """For a person: "archived, archive/…" or "in doubt: why"."""
        state = str(self.take.state).replace("_", " ")
        return f"{state}: {self.reason or self.take.archive}"

    def as_json(self) -> dict[str, Any]:
        take = self.take
        return {
            "take": take.id,
            "slug": take.slug,
            "key": take.key,
            "state": str(take.state),
            "job": take.job,
            "credits": str(take.cost),
            "reason": self.reason,
            "archive": take.archive,
        }


def found(studio: Studio) -> list[int]:
    """Ids of the strays of this campaign and route, oldest first, now this run's. A variant that was only not selected is
    none, nor is one that another run works on: its campaign may have it still."""
    drawn = studio.drawn
    footage = {variant.label: drawn.survey.footage(variant) for variant in drawn.loaded.variants}
    keys = set(keys_of(drawn.loaded.variants, footage).values())
    takes = studio.ledger.takes(campaign=drawn.plan.campaign, route=drawn.plan.routes)
    left = [take for take in takes if take.is_live and take.key not in keys]
    others = presence.claimed(drawn.settings, studio.ledger, studio.run, {take.key for take in left})
    return [take.id for take in left if take.key not in others]


async def collect(take_id: int) -> None:
    """Bring a stray to its end. SubmissionInDoubt, and what follow and deliver raise: it is held, and can be tried again.

    RELEASED where it was never sent, before anything else; then each commit in the order of any take.
    """
    studio = studios.current()
    take = studio.ledger.take(take_id)
    if take.state is State.RESERVED:
        take = studio.ledger.released(take.id, reason="not sent, and no longer in the campaign", run=studio.run.id)
        log.info("take %d %s: %s", take.id, take.slug, take.state)
    if take.state in (State.SUBMITTING, State.IN_DOUBT):
        take = await submit.ask_again(studio, take)
    if take.state is State.SUBMITTED:
        take = await _followed(studio, take)
    if take.state is State.SUCCEEDED:
        result = await deliver.fetch(studio, take)
        take = await deliver.archive(
            studio, take, result, _names(take), lambda file: _record(studio, take, result, file)
        )
        log.info("take %d %s: %s, %s credits, %s", take.id, take.slug, take.state, take.cost, take.archive)
    deliver.forget(studio, take)


def exit_code(takes: Iterable[Take]) -> int:
    """0 all settled, 9 some in doubt, 1 some not at home yet."""
    left = {take.state for take in takes if take.is_live}
    return 9 if left & {State.SUBMITTING, State.IN_DOUBT} else 1 if left else 0


def told(studio: Studio, takes: Sequence[int], errors: Sequence[BaseException | None]) -> tuple[Stray, ...]:
    """How the collected strays stand. A cancellation, which ends the run, is raised."""
    strays = []
    for take_id, error in zip(takes, errors, strict=True):
        if error is not None and not isinstance(error, Exception):
            raise error
        take = studio.ledger.take(take_id)
        what = error.what if isinstance(error, CallsheetError) else f"unexpected {error!r}" if error else take.reason
        strays.append(Stray(take=take, reason=redact(" ".join(what.split()))))
    return tuple(strays)


async def rescue(spec: Path, *, sandbox: bool) -> tuple[Stray, ...]:
    """Finish every live take of a campaign that cannot be run as it is: a clip is gone, a file is damaged.

    They all count as strays then, and a later run finds them archived. SpecError where not even the document reads.
    """
    loaded = await asyncio.to_thread(resolve, spec)
    return await rescue_all(loaded, sandbox=sandbox)


async def rescue_all(loaded: Loaded, *, sandbox: bool) -> tuple[Stray, ...]:
    """The same for what was read of a campaign, or is known of it though its file is gone (`load.only_named`)."""
    async with studios.opened_bare(loaded, sandbox=sandbox) as studio:
        takes = found(studio)
        ended = await asyncio.gather(*(collect(take) for take in takes), return_exceptions=True)
        return told(studio, takes, ended)


async def _followed(studio: Studio, take: Take) -> Take:
    """A job that the provider failed is an end too."""
    try:
        return await follow.until_succeeded(studio, take)
    except (JobFailed, ContentRefused):
        return studio.ledger.take(take.id)


def _names(take: Take) -> Iterator[str]:
    name = f"{naming.slug_part(take.slug)}--{naming.slug_part(take.job)}"
    key = f"{naming.slug_part(take.campaign)}/strays/{name}"
    return (naming.revision(key, number) for number in range(1, deliver.MAX_REVISIONS + 1))


async def _record(studio: Studio, take: Take, result: deliver.Result, file: str) -> StrayRecord:
    identity = studio.ledger.identities([take.id])[take.id]
    return StrayRecord(
        callsheet=callsheet.__version__,
        campaign=take.campaign,
        slug=take.slug,
        key=take.key,
        plan=take.plan,
        occurrence=take.occurrence,
        job=deliver.job_of(take),
        money=deliver.money_of(take),
        result=deliver.record_of(result, file),
        draft=take.route in PLAY,
        archived_at=clock.now(),
        identity=json.loads(identity) if identity else None,
        take_id=take.id,
        versions=await deliver.versions(),
    )
