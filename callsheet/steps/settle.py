"""What settles takes outside of a run, committed: evidence on those in doubt, and what a person says.

A person says that the provider has a take as this job, that it never had it, or that a paid result is given up. Takes are
numbered over all campaigns of a ledger: `spec` says whose checkout it is that of, None the one that one stands in.
"""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from callsheet import expiry
from callsheet.credits import ZERO, Credits
from callsheet.errors import (
    IllegalTransition,
    NoSuchTake,
    NotThatJob,
    ProviderError,
    ResultExpired,
    RunInProgress,
    StillThere,
    WasAccepted,
)
from callsheet.evidence import ACCEPTED, Found, Unclear
from callsheet.ledger.book import Booking, Ledger
from callsheet.provider.client import JobStatus, Provider
from callsheet.provider.staging import LONGEST_JOB
from callsheet.provider.wire import is_job_id
from callsheet.routing import PLAY
from callsheet.steps import clock, deliver, presence, studio, weigh
from callsheet.steps import draw_up as drawing
from callsheet.steps import settings as environment
from callsheet.steps.load import resolve
from callsheet.steps.settings import Settings
from callsheet.steps.survey import hash_of
from callsheet.take import State, Take, may

#: States in which nobody knows whether the provider has the take.
UNKNOWN = (State.SUBMITTING, State.IN_DOUBT)


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A take that was in doubt, and what came of looking: settled as `job`, or why not and which jobs it may be."""

    take: Take
    why: str
    job: str = ""
    candidates: tuple[str, ...] = ()


def typed(spec: Path | None) -> str:
    """The command that settles, as a person types it."""
    return f"callsheet reconcile {spec}" if spec else "callsheet reconcile"


async def by_evidence(spec: Path | None) -> tuple[Weighed, ...]:
    """Look for every take in doubt of the ledger, and commit what is unambiguous. Nothing is sent that could cost.

    A take whose request key can still be asked about, in a run of its campaign, is left to that: it says more than a list.
    """
    return await of_ledger(_settings(spec))


async def of_ledger(settings: Settings) -> tuple[Weighed, ...]:
    """The same, of the ledger that these settings name."""
    found: list[Weighed] = []
    for route in sorted({take.route for take in _doubtful(settings)}):
        found += await _by_evidence(settings, route)
    return tuple(sorted(found, key=lambda one: one.take.id))


async def _by_evidence(settings: Settings, name: str) -> list[Weighed]:
    with closing(drawing.open_ledger(settings)) as ledger:
        takes = [take for take, _ in ledger.doubts() if take.route == name]
        try:
            async with studio.reached(settings, name) as provider:
                verdicts = await weigh.weigh(provider, ledger)
        except ProviderError as error:
            return [Weighed(take=take, why=f"the provider cannot be asked: {error.what}") for take in takes]
        kind = drawing.idempotency_of(settings, name)
        return [
            _commit(settings, ledger, verdict)
            if kind != "replay" or not drawing.replayable(take, clock.now()) or isinstance(verdict, Unclear)
            else Weighed(take=take, why="its request key can still be asked about: run its campaign")
            for take in takes
            if (verdict := verdicts.get(take.id))
        ]


def _commit(settings: Settings, ledger: Ledger, verdict: Found | Unclear) -> Weighed:
    take = verdict.take
    if isinstance(verdict, Unclear):
        return Weighed(take=take, why=verdict.why, candidates=verdict.candidates)
    try:
        with presence.owning(settings, ledger, take):
            return Weighed(take=weigh.settle(ledger, verdict), why=verdict.why, job=verdict.job)
    except (RunInProgress, IllegalTransition) as error:
        return Weighed(take=take, why=error.what, candidates=(verdict.job,))


async def lost(spec: Path | None, take_id: int) -> Take:
    """FAILED, and charged all the same: a person gives up a paid take whose result cannot be had.

    StillThere while the provider works on it (for a day), names a link that gives it or lists its job; IllegalTransition
    for a take that is not submitted or succeeded, nor proved to be accepted as a job that nobody knows; RunInProgress while
    its campaign runs; ProviderError where the provider cannot be asked.
    """
    settings = _settings(spec)
    take = _take(settings, take_id)
    is_nameless = take.state is State.IN_DOUBT and take.reason == ACCEPTED
    if take.state not in (State.SUBMITTED, State.SUCCEEDED) and not is_nameless:
        raise IllegalTransition(
            f"take {take.id} is {take.state}, and only a take with a job and without a file can be given up.",
            where=take.slug,
        )
    with closing(drawing.open_ledger(settings)) as ledger, presence.owning(settings, ledger, take) as run:
        async with presence.beating(ledger, run), studio.reached(settings, take.route) as provider:
            if is_nameless:
                return ledger.failed(take.id, reason=await _nameless(provider, ledger, take), charged=take.price)
            status = (await provider.status([take.job])).get(take.job)
            why = await _gone(settings, provider, take, status)
        return ledger.failed(take.id, reason=f"given up: {why}", charged=_charged(take, status))


async def _nameless(provider: Provider, ledger: Ledger, take: Take) -> str:
    """Why a take is given up of which only that it was accepted is known. StillThere where its job is found now."""
    verdict = (await weigh.weigh(provider, ledger)).get(take.id)
    if isinstance(verdict, Found):
        raise _still_there(take, f"its job is {verdict.job}", "Without --lost, `callsheet reconcile` follows it.")
    return "given up: it was accepted, and nothing names its job"


def _charged(take: Take, status: JobStatus | None) -> Credits:
    """What the provider says that it charged, else the price: who gives up a result does not get its credits back, unless
    the provider says that they came back."""
    if status is not None and status.refunded:
        return ZERO
    return (status.charged if status else None) or take.charged or take.price


async def _gone(settings: Settings, provider: Provider, take: Take, status: JobStatus | None) -> str:
    """Why there is no result any more. StillThere where that is not sure."""
    if status is None:
        return f"the provider does not know job {take.job}"
    if status.state != "succeeded":
        return _unmade(take, status)
    if status.result is None:
        return f"the provider names no result of job {take.job}"
    if not (why := await _unusable(settings, provider, take, status.result)):
        raise _still_there(take, "the provider names a link that gives its result", "Run the campaign to fetch it.")
    return why


def _unmade(take: Take, status: JobStatus) -> str:
    """Of a job that did not succeed, or does not say so any more."""
    if status.state == "failed" and take.state is State.SUBMITTED:
        raise _still_there(take, "the provider ended it as failed", "The next run records how it ended.")
    if status.state == "failed":
        return f"the provider ended job {take.job} as failed after all"
    if clock.now() - take.sent_at < LONGEST_JOB:
        doing = f"the provider is still at work on it ({status.state})"
        raise _still_there(take, doing, "A job can be given up a day after it was sent.")
    since = f"{take.sent_at:%Y-%m-%d %H:%M} UTC"
    return f"the provider says that it is at work on it since {since} ({status.state}), and gives no result"


async def _unusable(settings: Settings, provider: Provider, take: Take, link: SecretStr) -> str:
    """Why this link will never give the result; "" where it does. Other trouble with it may pass within its day."""
    trial = settings.home / "incoming" / f"trial-{take.id}.mp4"
    await asyncio.to_thread(trial.parent.mkdir, parents=True, exist_ok=True)
    try:
        await provider.download(link, trial, max_bytes=deliver.MAX_RESULT)
        if await asyncio.to_thread(_same, trial, deliver.damaged(settings.home, take)):
            return f"what comes of it is damaged, each time the same; job {take.job}"
    except ResultExpired:
        return f"the link of job {take.job} is dead, and the provider names no other"
    except ProviderError as error:
        if error.retry == "never" or _is_over(take):
            return f"the result of job {take.job} cannot be fetched: {error.what}"
        raise
    finally:
        trial.unlink(missing_ok=True)
    return ""


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and hash_of(one) == hash_of(other)


def _is_over(take: Take) -> bool:
    """Has the day passed that links of results live?"""
    return take.state is State.SUCCEEDED and clock.now() >= expiry.dies_at("", finished=take.updated_at)


def _still_there(take: Take, what: str, hint: str) -> StillThere:
    return StillThere(f"take {take.id} is not given up: {what}.", where=take.slug, hint=hint)


def unsent(spec: Path, *, sandbox: bool) -> Sequence[Take]:
    """Takes of this campaign and route that are reserved and were never sent: sending them would cost what they hold."""
    loaded = resolve(spec)
    settings = environment.read(loaded.root)
    if not drawing.has_ledger(settings):
        return ()
    pool = drawing.pool_of(settings, sandbox=sandbox)
    with closing(drawing.open_ledger(settings)) as ledger:
        takes = ledger.takes(campaign=loaded.campaign.name, route=drawing.routes_of(ledger, pool))
    return [take for take in takes if take.state is State.RESERVED]


def doubtful(spec: Path) -> tuple[Take, ...]:
    """Every take of the ledger of which nobody knows whether it was accepted, oldest first."""
    return _doubtful(_settings(spec))


def _doubtful(settings: Settings) -> tuple[Take, ...]:
    with closing(drawing.open_ledger(settings)) as ledger:
        return tuple(take for take in ledger.takes() if take.state in UNKNOWN)


def not_accepted(spec: Path | None, take_id: int) -> Take:
    """Release the hold of a take. RunInProgress while a run works on it: its answer may be on the way. IllegalTransition
    for a take that is not in doubt; WasAccepted where the provider has said that it knows its request key: what was
    released would be bought again."""
    settings = _settings(spec)
    take = _take(settings, take_id)
    _refuse_settled(take, State.RELEASED)
    with closing(drawing.open_ledger(settings)) as ledger, presence.owning(settings, ledger, take):
        if ledger.take(take.id).reason == ACCEPTED:
            raise WasAccepted(
                f"take {take.id} was accepted: the provider refused its request key because it had seen it.",
                where=take.slug,
                hint=f"Look for its job at the provider: {typed(spec)} --accepted {take.id} JOB. Where nobody "
                f"can find it, give it up: {typed(spec)} --lost {take.id}",
            )
        return ledger.released(take.id, reason="a person says that it was not accepted")


async def accepted(spec: Path | None, *, take_id: int, job: str) -> Take:
    """SUBMITTED under this job. NotThatJob unless the provider knows it: a slip of the pen could not be taken back. The job
    of a take that was released gets a new take, unless its content was bought again (TakeAlreadyLive).

    RunInProgress while a run works on the take; IllegalTransition for a take that is not in doubt; Unauthorized,
    Unavailable where the provider cannot be asked.
    """
    settings = _settings(spec)
    take = _take(settings, take_id)
    if take.state is not State.RELEASED:
        _refuse_settled(take, State.SUBMITTED)
    with closing(drawing.open_ledger(settings)) as ledger, presence.owning(settings, ledger, take):
        await _refuse_unknown(settings, take, job)
        if ledger.take(take.id).state is State.RELEASED:
            return _taken_up(ledger, take, job)
        return ledger.submitted(take.id, job=job)


def _refuse_settled(take: Take, then: State) -> None:
    if not may(take.state, then):
        raise IllegalTransition(
            f"take {take.id} is {take.state}, and only a take in doubt is settled like this.",
            where=take.slug,
            hint="`callsheet status` shows how each take stands.",
        )


def _taken_up(ledger: Ledger, take: Take, job: str) -> Take:
    """Its price is held whatever the budgets say: it is spent."""
    paid = tuple(route for route in ledger.routes() if route not in PLAY)
    booking = Booking(
        campaign=take.campaign,
        route=take.route,
        slug=take.slug,
        key=take.key,
        number=take.number,
        price=take.price,
        plan=take.plan,
        supersedes=take.id,
        budget=None,
        identity=ledger.identities([take.id])[take.id],
        pool=() if take.route in PLAY else paid,
        occurrence=take.occurrence,
    )
    return ledger.taken_up(booking, job=job, reason=f"take {take.id} was released, and a person found its job")


async def _refuse_unknown(settings: Settings, take: Take, job: str) -> None:
    is_known = False
    if is_job_id(job):
        async with studio.reached(settings, take.route) as provider:
            is_known = job in await provider.status([job])
    if not is_known:
        raise NotThatJob(
            f"the provider of route {take.route} knows no job {job!r}.",
            where=f"take {take.id}",
            hint="Copy the id of the job from the provider's task list; it looks like task-unified-1757169743-7cvnl5zw.",
        )


def _settings(spec: Path | None) -> Settings:
    if spec is None:
        return environment.read(environment.find_checkout(Path.cwd()))
    return environment.read(resolve(spec).root)


def _take(settings: Settings, take_id: int) -> Take:
    ledger = drawing.open_ledger(settings)
    try:
        return ledger.take(take_id)
    except KeyError:
        raise NoSuchTake(f"there is no take {take_id}.", hint="`callsheet status` lists them.") from None
    finally:
        ledger.close()
