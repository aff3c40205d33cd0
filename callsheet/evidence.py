"""What proves that a take in doubt was accepted, and as which job: callbacks with its own token, else the provider's list.

A take is `Found` only where nothing else can be meant: a callback named one job by the token of its request; or the list
has exactly one job without a take that can be it, and that job can be no other take of ours. What is not in a list proves
nothing, since a list may lag: no evidence ever says that a take was not accepted.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from callsheet.credits import Credits
from callsheet.take import Take

#: The paid request as a whole may take so long; the vendor's own client waits as long.
SUBMIT_LIMIT = timedelta(seconds=30)
#: How far the provider's clock may be from ours. More would mix up what is submitted one after the other.
SKEW = timedelta(seconds=60)


#: Why a take is in doubt that was accepted, by the word of a provider that has seen its key (`reject`).
ACCEPTED = "the provider knows its request key: it was accepted, and only its list or a callback names the job."


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A take of which nobody knows whether it was accepted, and what its kept request says.

    token: SHA-256 of the secret part of its callback address, "" where it named none. is_askable: was it sent to the very
    account that is asked now? may_be_listed: can its job be in the list that is read, as that of another key of the same
    account would be? It is not looked for then, but a job that fits it is no proof for another take. again: for how long after
    the first sending its key may have been sent once more; its job can be as young as that.
    """

    take: Take
    model: str
    token: str = ""
    again: timedelta = timedelta(0)
    is_askable: bool = True
    may_be_listed: bool = True

    @property
    def since(self) -> datetime:
        """The earliest that its job can have been created, by the provider's clock."""
        return self.take.sent_at - SKEW

    @property
    def until(self) -> datetime:
        return self.take.sent_at + SUBMIT_LIMIT + SKEW


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as the provider's list tells it. model "", created None, credits None: it does not say.

    is_known: the provider's status read knows it too.
    """

    id: str
    model: str = ""
    created: datetime | None = None
    credits: Credits | None = None
    is_known: bool = False


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The jobs that the provider lists of a model; complete from `reached` on.

    told_at: the time by the provider's clock when it answered, where it said so. ahead: how far ours was ahead of it then.
    """

    jobs: tuple[Job, ...]
    reached: datetime
    told_at: datetime | None = None
    ahead: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Callback:
    """Somebody who knows the token (its SHA-256 here) named this job. There is no signature: the status read has to
    know the job too."""

    token: str
    job: str
    is_known: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    take: Take
    job: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Unclear:
    """candidates: jobs that may be it, as far as the provider tells."""

    take: Take
    candidates: tuple[str, ...]
    why: str


Verdict: TypeAlias = Found | Unclear


def weigh(
    doubts: Sequence[Doubt],
    *,
    listings: Mapping[str, Listing | None],
    callbacks: Sequence[Callback],
    claimed: Collection[str],
) -> tuple[Verdict, ...]:
    """A verdict for each doubt, in order. `doubts` are all there are, of runs under way too: their jobs are listed as well.

    listings: by model; None where the provider has no list. claimed: jobs that a take of the ledger has.
    """
    called = {doubt.take.id: _called(doubt, callbacks, claimed) for doubt in doubts}
    named = [job for jobs in called.values() for job in jobs]
    verdicts: dict[int, Verdict] = {}
    for doubt in doubts:
        jobs = called[doubt.take.id]
        if jobs:
            verdicts[doubt.take.id] = _by_callback(doubt, jobs, callbacks, named)
    taken = {*claimed, *named}
    found = {take for take, verdict in verdicts.items() if isinstance(verdict, Found)}
    open_ones = [doubt for doubt in doubts if doubt.take.id not in found and doubt.may_be_listed]
    listed = {job.id: job for listing in listings.values() if listing for job in listing.jobs if job.id not in taken}
    may_have = {doubt.take.id: [job for job in listed.values() if may_fit(doubt, job)] for doubt in open_ones}
    for doubt in open_ones:
        if doubt.take.id not in verdicts and doubt.is_askable:
            verdicts[doubt.take.id] = _by_list(doubt, listings.get(doubt.model), may_have)
    return tuple(verdicts.get(doubt.take.id) or _not_askable(doubt) for doubt in doubts)


def fits(doubt: Doubt, job: Job) -> bool:
    """Can this be the job of that take, as far as it is told?"""
    return _is_like(doubt, job) and (job.created is None or doubt.since <= job.created <= doubt.until)


def may_fit(doubt: Doubt, job: Job) -> bool:
    """The same, had its key been sent again as late as that can be: not looked for then, and no proof for another take."""
    return _is_like(doubt, job) and (job.created is None or doubt.since <= job.created <= doubt.until + doubt.again)


def _is_like(doubt: Doubt, job: Job) -> bool:
    return job.model in ("", doubt.model) and job.credits in (None, doubt.take.price)


def _called(doubt: Doubt, callbacks: Sequence[Callback], claimed: Collection[str]) -> list[str]:
    """The jobs that its token named, less those that a take has."""
    if not doubt.token:
        return []
    named = (callback.job for callback in callbacks if callback.token == doubt.token)
    return list(dict.fromkeys(job for job in named if job not in claimed))


def _by_callback(doubt: Doubt, jobs: Sequence[str], callbacks: Iterable[Callback], named: Sequence[str]) -> Verdict:
    (job, *others) = jobs
    known = any(one.is_known for one in callbacks if one.job == job)
    if others:
        why = f"callbacks with its token named {len(jobs)} jobs"
    elif named.count(job) > 1:
        why = f"callbacks of several takes named job {job}"
    elif not doubt.is_askable:
        why = f"a callback with its token named job {job}, and it was sent with another key or address of the provider"
    elif not known:
        why = f"a callback with its token named job {job}, which the provider's status read does not know"
    else:
        return Found(take=doubt.take, job=job, why=f"a callback with its own token named job {job}")
    return Unclear(take=doubt.take, candidates=tuple(jobs), why=why)


def _by_list(doubt: Doubt, listing: Listing | None, may_have: Mapping[int, Sequence[Job]]) -> Verdict:
    """may_have: the jobs that each take in doubt can have."""
    candidates = [job for job in may_have[doubt.take.id] if fits(doubt, job)]
    why = _unclear(doubt, listing, candidates, may_have)
    if why:
        return Unclear(take=doubt.take, candidates=tuple(job.id for job in candidates), why=why)
    (job,) = candidates
    return Found(take=doubt.take, job=job.id, why=f"found in the provider's list: job {job.id}, {_when(doubt, job)}")


def _unclear(
    doubt: Doubt, listing: Listing | None, candidates: Sequence[Job], may_have: Mapping[int, Sequence[Job]]
) -> str:
    """Why the list does not settle it; "" where it does."""
    if listing is None:
        return "no callback named its job, and this provider has no list of jobs"
    if listing.reached > doubt.since:
        return "the provider's list does not go back to when it was sent"
    if abs(listing.ahead) > SKEW:
        words = "ahead of" if listing.ahead > timedelta(0) else "behind"
        off = f"{abs(listing.ahead).total_seconds():.0f} s {words} the provider's"
        return f"the clock of this machine is {off}, so when a job was created proves nothing"
    if not candidates:
        return "no callback named its job, and the provider lists none that fits (a list may lag)"
    if len(candidates) > 1:
        return f"{len(candidates)} jobs of the provider's list fit it"
    (job,) = candidates
    rivals = [take for take, jobs in may_have.items() if take != doubt.take.id and job in jobs]
    if rivals:
        return f"job {job.id} of the provider's list fits take {' and take '.join(map(str, rivals))} as well"
    if not (job.model and job.created and job.is_known):
        return f"the provider does not say enough of job {job.id} to tell it from others"
    return ""


def _when(doubt: Doubt, job: Job) -> str:
    if job.created is None:
        return "created at a time that it does not say"
    seconds = (job.created - doubt.take.sent_at).total_seconds()
    if -1 < seconds < 1:  # the provider tells whole seconds
        return "created in the second in which it was sent"
    return f"created {abs(seconds):.0f} s {'after' if seconds >= 0 else 'before'} it was sent"


def _not_askable(doubt: Doubt) -> Unclear:
    why = "it was sent with another key or address of the provider than is set now"
    return Unclear(take=doubt.take, candidates=(), why=why)
