"""The paid step: reserve, commit the intent with its request, send once, commit the answer. The ledger decides.

Committed before what: RESERVED (money held) before the request is built; SUBMITTING with the whole request before it
leaves; SUBMITTED before anyone waits for the job. A crash between any two leaves a state from which the next run goes on
without paying again: RESERVED is sent, SUBMITTING and IN_DOUBT are asked about with the same key and the same body where
the route's kind allows it, then looked for in callbacks and the provider's list, else held.
"""

import asyncio
import logging
import random
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import SecretStr

from callsheet import digest
from callsheet.errors import (
    InsufficientCredit,
    LedgerError,
    NotApproved,
    ProviderError,
    Rejected,
    RouteBusy,
    RunInProgress,
    SubmissionInDoubt,
    Unauthorized,
    Unavailable,
)
from callsheet.evidence import ACCEPTED, Found, Verdict
from callsheet.hosts import is_loopback
from callsheet.ledger.book import Booking
from callsheet.plan import Line
from callsheet.provider.client import Accepted, JobRequest, Replay
from callsheet.routing import SANDBOX, Idempotency, Offer
from callsheet.steps import choose, clock, stage, stopping
from callsheet.steps import studio as studios
from callsheet.steps import weigh as weighing
from callsheet.steps.draw_up import replayable
from callsheet.steps.studio import Studio
from callsheet.steps.weigh import ACCOUNT
from callsheet.take import State, Take

log = logging.getLogger("callsheet.takes")

#: Of chance in the address of a callback: 192 bits.
TOKEN_BYTES = 24


async def submit(label: str) -> int:
    """The id of the take that carries this variant, submitted: a new one, or the live one the plan attaches to.

    TakeAlreadyLive, BudgetExceeded, NotApproved (it costs more than was held, or the run is to stop): nothing was sent.
    Rejected, Unavailable: sent and provably not accepted; the hold is released. SubmissionInDoubt: held; `retry` is "safe"
    where the same key may be sent again. Any other LedgerError names the job, where there is one.
    """
    studio = studios.current()
    studio.tell(label, "submit", "began")
    line = studio.line(label)
    take = _live(studio, line)
    if take is None:
        stopping.refuse(studio, label)
        _refuse_unplanned(line)
        take = _reserve(studio, line)
    if take.id in studio.accepted:
        take = _accepted(studio, take, studio.accepted[take.id])
    elif take.state is State.RESERVED:
        take = await _send_first(studio, line, take)
    elif take.state in (State.SUBMITTING, State.IN_DOUBT):
        take = await ask_again(studio, take)
    studio.tell(label, "submit", "done", 1.0, take.job)
    return take.id


def _live(studio: Studio, line: Line) -> Take | None:
    """The take to go on with: the one the plan attaches to, or the one an earlier try of this very step left live."""
    take = studio.ledger.newest([line.key], route=studio.plan.routes).get(line.key)
    if take is None or not (take.is_live or (line.action == "attach" and take.state is State.ARCHIVED)):
        return None
    mine = take.key in studio.inherited or (line.take is not None and take.id == line.take.id)
    if not mine and (take.plan != studio.plan.digest or take.slug != line.variant.slug):
        return None
    if take.state is State.RESERVED and (why := _why_not_sent(studio, line, take)):
        _release(studio, take, f"not sent; {why}")
        return None
    return take


def _why_not_sent(studio: Studio, line: Line, take: Take) -> str:
    """A reservation that is not to be used: it had another price, or its route takes nothing now."""
    price = next((offer.price for offer in choose.offers_of(studio, line) if offer.route == take.route), None)
    if price is None:
        return f"route {take.route} does not serve it now"
    if take.price != price:
        return f"its price is {price} now"
    if choose.choose(studio, line).route != take.route:
        return f"route {take.route} is not the one that gets it now"
    return ""


def _reserve(studio: Studio, line: Line) -> Take:
    offer = choose.choose(studio, line)
    _refuse_unapproved(line, offer)
    take = studio.ledger.reserve(
        Booking(
            campaign=studio.plan.campaign,
            route=offer.route,
            pool=studio.plan.routes,
            slug=line.variant.slug,
            key=line.key,
            number=line.variant.take,
            price=offer.price,
            plan=studio.plan.digest,
            supersedes=line.supersedes,
            budget=studio.plan.budget.limit,
            monthly=None if studio.plan.month is None else studio.plan.month.limit,
            identity=digest.canonical(studio.drawn.identity(line.variant)),
            occurrence=studio.plan.occurrence,
            run=studio.run.id,
        )
    )
    studio.dearer += take.price - line.costs
    _log(take)
    return take


def _refuse_unplanned(line: Line) -> None:
    """NotApproved where the plan goes on with a take that was sent, and that ended since: another one costs its price again."""
    if line.action == "attach" and line.take is not None and line.take.state is not State.RESERVED:
        raise NotApproved(
            f"take {line.take.id} was to be gone on with and has ended since; another one was not approved.",
            where=line.variant.label,
            hint="Run the campaign again: its plan says how that take ended, and what another one costs.",
        )


def _refuse_unapproved(line: Line, offer: Offer) -> None:
    """NotApproved where what an earlier run had reserved would cost more now: the plan says that it costs nothing new."""
    if line.action == "attach" and line.take is not None and offer.price > line.take.price:
        raise NotApproved(
            f"take {line.take.id} was reserved at {line.take.price} credits and not sent; it costs {offer.price.spoken} now "
            f"on route {offer.route}, which nobody has approved.",
            where=line.variant.label,
            hint="Run the campaign again: its plan has the price of now.",
        )


async def _send_first(studio: Studio, line: Line, take: Take) -> Take:
    """Once the route has room for one more, and in its turn. The intent is committed only then: what waits for its turn is not
    in doubt if this process ends."""
    counter = studio.counter(take.route)
    while True:
        body = await _request(studio, line, take.route)  # anew each time: its links have to live long enough
        async with counter.senders:
            try:
                take = _intent(studio, line, take, body)
            except RouteBusy as error:
                busy = error
            else:
                return await _sent(studio, line, take, body)
        if choose.gives_way(studio, line, counter):
            why = f"route {take.route} has no room and does not answer."
            _release(studio, take, f"not sent; {why}")
            studio.dearer -= take.price - line.costs
            raise Unavailable(why, where=take.slug) from busy
        wait = busy.after.total_seconds() if busy.after else 1.0
        studio.tell(line.variant.label, "submit", "began", detail=busy.what)
        await asyncio.sleep(max(wait, 0.05) * random.uniform(1, 1.2))  # noqa: S311 - spreads load, guards nothing


def _intent(studio: Studio, line: Line, take: Take, body: JobRequest) -> Take:
    """SUBMITTING, committed. RouteBusy. NotApproved where the run is to stop, or the refusal that stopped the route meanwhile:
    the hold is released then."""
    counter = studio.counter(take.route)
    if studio.stopping:
        _release(studio, take, f"not sent; {studio.stopping}")
        studio.dearer -= take.price - line.costs
        stopping.refuse(studio, line.variant.label)
    if refusal := choose.why_stopped(counter, line.variant.model) or counter.watch.broken:
        raise _refused(studio, line, take, refusal, f"not sent; {refusal.what}")
    request = body.body()
    kept = {**request, ACCOUNT: counter.provider.route.account}
    take = studio.ledger.submitting(take.id, request=kept, run=studio.run.id, limits=counter.card.limits)
    _expect_call(studio, take, weighing.token_of(request))
    return take


async def _sent(studio: Studio, line: Line, take: Take, body: JobRequest) -> Take:
    """What came of the request that leaves now."""
    counter = studio.counter(take.route)
    _log(take)
    choose.sending(counter)
    try:
        accepted = await counter.provider.submit(body, idempotency_key=take.idempotency_key)
    except SubmissionInDoubt as error:
        raise _held(studio, take, error) from error
    except (Rejected, Unavailable) as error:
        told = choose.refused(counter, line.variant.model, error)
        raise _refused(studio, line, take, told, _short(error)) from None
    choose.took(counter)
    return _accepted(studio, take, accepted)


def _refused(studio: Studio, line: Line, take: Take, told: ProviderError, reason: str) -> ProviderError:
    """The hold given back for what was provably not accepted, and the error to raise."""
    _release(studio, take, reason)
    studio.dearer -= take.price - line.costs
    if isinstance(told, Unauthorized | InsufficientCredit) and choose.another_serves(studio, line):
        told.retry = "safe"  # the next try goes to another route
    return told


def _release(studio: Studio, take: Take, reason: str) -> None:
    """Give the hold back. RunInProgress where another run has taken the variant over: it may have sent the same key again."""
    try:
        _log(studio.ledger.released(take.id, reason=reason, run=studio.run.id))
    except RunInProgress as error:
        error.spent = "unknown"
        raise


def _expect_call(studio: Studio, take: Take, token: str) -> None:
    """So that a callback leads to its take. One that does not is no loss: the job is asked about anyway."""
    try:
        if token:
            studio.ledger.expect_call(take.id, token=token)
    except LedgerError as error:
        log.warning("take %d %s: a callback will not be heeded: %s", take.id, take.slug, error.what)


async def ask_again(studio: Studio, take: Take) -> Take:
    """Settle a take in doubt: the same key with the same body where the route's kind allows it, then callbacks and the
    provider's list. Only what names a job settles it: a refusal now proves nothing of then.

    SubmissionInDoubt: held. Unavailable: left as it was. RunInProgress: another run has it now.
    """
    doubt, can_ask = await _sent_again(studio, take)
    if isinstance(doubt, Accepted):
        if not doubt.replayed and _kind(studio, take) == "replay":
            words = "take %d %s: job %s is not said to be a replay; if its first sending was accepted too, there are two jobs"
            log.warning(words, take.id, take.slug, doubt.job)
        return _accepted(studio, take, doubt)
    if doubt.what == ACCEPTED and take.reason != ACCEPTED:
        take = studio.ledger.in_doubt(take.id, reason=ACCEPTED)
        _log(take)
    elif take.state is State.SUBMITTING:
        take = studio.ledger.in_doubt(take.id, reason=_short(doubt))
        _log(take)
    try:
        verdict = (await _weighed(studio, take.route)).get(take.id)
    except ProviderError as error:
        raise _held(studio, take, _with(doubt, f"The provider cannot be asked: {error.what}"), can_ask) from error
    if isinstance(verdict, Found):
        studio.ledger.refuse_foreign(take, run=studio.run.id)
        return weighing.settle(studio.ledger, verdict)
    raise _held(studio, take, _with(doubt, f"{verdict.why}." if verdict else ""), can_ask) from doubt


async def _sent_again(studio: Studio, take: Take) -> tuple[Accepted | ProviderError, bool]:
    """What the provider says to the same key with the same body; and whether it may be asked so once more. Unavailable."""
    if not _may_ask(studio, take):
        return SubmissionInDoubt(f"it was sent at {take.sent_at:%Y-%m-%d %H:%M} UTC, and no answer came."), False
    sent = studio.ledger.request(take.id)
    if sent.pop(ACCOUNT, "") != studio.counter(take.route).provider.route.account:
        other = "it was sent with another key or address of the provider, where this one would be a new job."
        return SubmissionInDoubt(other), False
    studio.ledger.refuse_foreign(take, run=studio.run.id)
    try:
        provider = studio.counter(take.route).provider
        async with studio.counter(take.route).senders:
            return await provider.submit(Replay(sent=sent), idempotency_key=take.idempotency_key), True
    except Unavailable:
        raise
    except ProviderError as error:
        if _kind(studio, take) == "reject" and _is_conflict(error):
            return SubmissionInDoubt(ACCEPTED, says=error.says), False
        return error, isinstance(error, SubmissionInDoubt)


def _may_ask(studio: Studio, take: Take) -> bool:
    return replayable(take, clock.now(), _kind(studio, take))


def _kind(studio: Studio, take: Take) -> Idempotency:
    return studio.counter(take.route).provider.route.idempotency


def _is_conflict(error: ProviderError) -> bool:
    """Does the provider refuse a key because it has seen it?"""
    return error.says.status == 409 or error.says.code == "idempotency_conflict"


async def _weighed(studio: Studio, route: str) -> dict[int, Verdict]:
    """The evidence on every take in doubt. Those who ask while it is being gathered wait for the same answer."""
    going_on = studio.weighing.get(route)
    if going_on is None or going_on.done():
        provider = studio.counter(route).provider
        going_on = studio.weighing[route] = asyncio.create_task(weighing.weigh(provider, studio.ledger))
    return await asyncio.shield(going_on)


def _with(error: ProviderError, words: str) -> ProviderError:
    """The same doubt with what was looked at besides."""
    kind = SubmissionInDoubt if isinstance(error, SubmissionInDoubt) else type(error)
    return kind(f"{error.what} {words}".strip(), says=error.says, retry=error.retry, after=error.after)


async def _request(studio: Studio, line: Line, route: str) -> JobRequest:
    variant = line.variant
    clip = await stage.staged_clip(studio, variant.label, route) if variant.clip else None
    stills = await stage.staged_stills(studio, variant.label, route)
    return JobRequest(
        model=variant.model,
        prompt=variant.text,
        video_urls=(clip.url,) if clip else (),
        images=tuple(still.url for still in stills),
        aspect_ratio=variant.aspect_ratio,
        keep_original_sound=variant.keep_original_sound,
        options=variant.options,
        callback=_callback(studio, route),
    )


def _callback(studio: Studio, route: str) -> SecretStr | None:
    """A secret address of this one request, below CALLSHEET_CALLBACK_URL; None where it could not be reached.

    The provider cannot reach this machine's loopback, and the sandbox calls nothing outside of this machine.
    """
    below = studio.drawn.settings.callback_url
    if below is None:
        return None
    is_here = is_loopback(urlsplit(below).hostname or "")
    if (is_here and not studio.counter(route).provider.route.is_loopback) or (not is_here and route == SANDBOX):
        return None
    return SecretStr(f"{below}/{secrets.token_urlsafe(TOKEN_BYTES)}")


def _accepted(studio: Studio, take: Take, accepted: Accepted) -> Take:
    """Commit the job id. Where the ledger cannot take it, it is kept in memory for the next try, and said aloud."""
    studio.accepted[take.id] = accepted
    try:
        take = _with_job(studio, take, accepted)
    except LedgerError as error:
        log.error("take %d %s: accepted as job %s, which the ledger does not have", take.id, take.slug, accepted.job)
        error.where, error.spent = take.slug, "yes"
        error.hint = (
            f"The provider has take {take.id} as job {accepted.job}. Write that down; once the ledger can be written: "
            f"callsheet reconcile SPEC --accepted {take.id} {accepted.job}"
        )
        raise
    del studio.accepted[take.id]
    studio.estimates[take.id] = timedelta(0) if accepted.replayed else accepted.estimated
    _log(take)
    if accepted.reserved is not None and accepted.reserved != take.price:
        words = "take %d %s: planned %s credits, the provider reserved %s"
        log.warning(words, take.id, take.slug, take.price, accepted.reserved)
    return take


def _with_job(studio: Studio, take: Take, accepted: Accepted) -> Take:
    """SUBMITTED, committed; by an earlier try too, whose answer was lost when the connection to the ledger broke."""
    known = studio.ledger.take(take.id)
    if known.job == accepted.job:
        return known
    return studio.ledger.submitted(take.id, job=accepted.job, request_id=accepted.request_id)


def _held(studio: Studio, take: Take, error: ProviderError, can_ask: bool = True) -> SubmissionInDoubt:
    """Commit the doubt and say what can settle it. can_ask: may the same key be sent again while it is young?"""
    if take.state is State.SUBMITTING:
        take = studio.ledger.in_doubt(take.id, reason=_short(error))
        _log(take)
    again = can_ask and _may_ask(studio, take) and isinstance(error, SubmissionInDoubt)
    return SubmissionInDoubt(
        f"take {take.id}: {error.what}",
        where=take.slug,
        hint="Run the campaign again: the same request key is asked about, and nothing new is bought."
        if again
        else "It stays held. `callsheet reconcile` looks for it at the provider, and says what a person can do.",
        says=error.says,
        retry="safe" if again else "never",
        after=error.after,
    )


def _short(error: ProviderError) -> str:
    return " ".join(part for part in (error.says.code, error.what) if part)[:300]


def _log(take: Take) -> None:
    log.info("take %d %s: %s, %s credits", take.id, take.slug, take.state, take.price)
