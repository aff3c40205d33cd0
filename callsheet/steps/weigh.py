"""Gather what proves that takes in doubt were accepted (callbacks, the provider's list, its status reads), and weigh it.

Everything asked here is free. The list is read before the ledger: a job that was accepted in between has, by then, a take
that is being submitted (and is weighed as well) or one that has the job.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from callsheet import evidence
from callsheet.errors import ProviderError
from callsheet.evidence import Callback, Doubt, Found, Job, Listing, Verdict
from callsheet.ledger.book import Ledger
from callsheet.provider.client import JobStatus, Provider
from callsheet.routing import EVOLINK, PLAY
from callsheet.steps import clock
from callsheet.steps.draw_up import REPLAY_WINDOW
from callsheet.take import Take

log = logging.getLogger("callsheet.takes")

#: Beside the fields of a kept request: `Route.account` of whoever it was sent to. It is never sent.
ACCOUNT = "callsheet:account"
#: The field of a request that names the address for its callback; the last part of its path is the token.
CALLBACK = "callback_url"


async def weigh(provider: Provider, ledger: Ledger) -> dict[int, Verdict]:
    """A verdict on each take in doubt of the whole ledger, by id. ProviderError where the provider cannot be asked."""
    before = _doubts(provider, ledger)
    listings = await _listings(provider, before)
    doubts = _doubts(provider, ledger)
    listed = {job.id for listing in listings.values() if listing for job in listing.jobs}
    called = ledger.callbacks([doubt.token for doubt in doubts if doubt.token])
    claimed = ledger.claimed([*listed, *(job for _, job in called)])
    likely = {job.id for job in _jobs(listings) if any(evidence.fits(doubt, job) for doubt in doubts)}
    told = await _told(provider, sorted((likely | {job for _, job in called}) - claimed))
    verdicts = evidence.weigh(
        doubts,
        listings={model: _borne_out(listing, told) for model, listing in listings.items()},
        callbacks=[Callback(token=token, job=job, is_known=job in told) for token, job in called],
        claimed=claimed,
    )
    return {verdict.take.id: verdict for verdict in verdicts}


def settle(ledger: Ledger, found: Found) -> Take:
    """SUBMITTED under the job that the evidence names, with the evidence as the reason. LedgerError."""
    take = ledger.submitted(found.take.id, job=found.job, reason=found.why)
    log.info("take %d %s: %s, %s", take.id, take.slug, take.state, found.why)
    return take


def token_of(request: Mapping[str, Any]) -> str:
    """SHA-256 of the token in the callback address of a kept request; "" where it names none."""
    token = str(request.get(CALLBACK, "")).rpartition("/")[2]
    return hashlib.sha256(token.encode()).hexdigest() if token else ""


def _doubts(provider: Provider, ledger: Ledger) -> list[Doubt]:
    return [
        Doubt(
            take=take,
            model=str(request.get("model", "")),
            token=token_of(request),
            again=again_of(take.route),
            is_askable=(is_askable := request.get(ACCOUNT) == provider.route.account),
            may_be_listed=is_askable or _is_kin(take.route, provider.route.name),
        )
        for take, request in ledger.doubts()
    ]


def again_of(route: str) -> timedelta:
    """For how long a run may have sent the key of a take of this route again, whatever the route's kind was then."""
    return REPLAY_WINDOW.get(route, REPLAY_WINDOW[EVOLINK])


def _is_kin(route: str, asked: str) -> bool:
    """May takes of this route, sent with another key, be of the account that is asked? Which accounts keys belong to is
    not told; only what is not paid for is a world of its own."""
    return route == asked or not {route, asked} & set(PLAY)


async def _listings(provider: Provider, doubts: Sequence[Doubt]) -> dict[str, Listing | None]:
    """One reading for each model, back to its oldest take in doubt."""
    since = {
        model: min(doubt.since for doubt in doubts if doubt.model == model and doubt.is_askable)
        for model in {doubt.model for doubt in doubts if doubt.is_askable}
    }
    return {model: await _listing(provider, model, moment) for model, moment in sorted(since.items())}


async def _listing(provider: Provider, model: str, since: datetime) -> Listing | None:
    """With how wrong our clock is now: it has probably been so when takes were sent, and they are found by their time."""
    listing = await provider.listed(model=model, since=since)
    if listing is None or listing.told_at is None:
        return listing
    return replace(listing, ahead=clock.now() - listing.told_at)


def _jobs(listings: Mapping[str, Listing | None]) -> list[Job]:
    return [job for listing in listings.values() if listing for job in listing.jobs]


async def _told(provider: Provider, jobs: Sequence[str]) -> dict[str, JobStatus]:
    """What the status read says of these jobs; one that it does not know, or cannot be read, is absent."""
    answers = await provider.answers(jobs)
    for job, answer in answers.items():
        if isinstance(answer, ProviderError):
            log.warning("job %s could not be asked about: %s", job, answer.what)
    return {job: answer for job, answer in answers.items() if isinstance(answer, JobStatus)}


def _borne_out(listing: Listing | None, told: Mapping[str, JobStatus]) -> Listing | None:
    """The list with what the status read adds: that it knows the job, and what was reserved for it."""
    if listing is None:
        return None
    jobs = (
        replace(job, is_known=True, credits=told[job.id].reserved or told[job.id].charged or job.credits)
        if job.id in told
        else job
        for job in listing.jobs
    )
    return replace(listing, jobs=tuple(jobs))
