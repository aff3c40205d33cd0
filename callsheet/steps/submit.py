"""The paid step: reserve, commit the intent with its request, send once, commit the answer. The ledger decides.

Committed before what: RESERVED (money held) before the request is built; SUBMITTING with the whole request before it
leaves; SUBMITTED before anyone waits for the job. A crash between any two leaves a state from which the next run goes on
without paying again: RESERVED is sent, SUBMITTING and IN_DOUBT are asked about with the same key and the same body where
the route replays keys, else held.
"""

import asyncio
import logging
import random
from datetime import timedelta

from callsheet import digest
from callsheet.errors import (
    InsufficientCredit,
    LedgerError,
    ProviderError,
    Rejected,
    RouteBusy,
    RunInProgress,
    SubmissionInDoubt,
    Unauthorized,
    Unavailable,
)
from callsheet.ledger.book import Booking
from callsheet.plan import Line
from callsheet.provider.client import Accepted, JobRequest, Replay
from callsheet.steps import choose, clock, stage
from callsheet.steps import studio as studios
from callsheet.steps.draw_up import replayable
from callsheet.steps.studio import Studio
from callsheet.take import State, Take

log = logging.getLogger("callsheet.takes")

#: Beside the fields of a kept request: `Route.account` of whoever it was sent to. It is never sent.
ACCOUNT = "callsheet:account"


async def submit(label: str) -> int:
    """The id of the take that carries this variant, submitted: a new one, or the live one the plan attaches to.

    TakeAlreadyLive, BudgetExceeded: nothing was sent. Rejected, Unavailable: sent and provably not accepted; the hold is
    released. SubmissionInDoubt: held; `retry` is "safe" where the same key may be sent again. Any other LedgerError
    names the job, where there is one.
    """
    studio = studios.current()
    studio.tell(label, "submit", "began")
    line = studio.line(label)
    take = _live(studio, line) or _reserve(studio, line)
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
            run=studio.run.id,
        )
    )
    studio.bought += take.price
    _log(take)
    return take


async def _send_first(studio: Studio, line: Line, take: Take) -> Take:
    counter = studio.counter(take.route)
    take, body = await _intent(studio, line, take)
    _log(take)
    choose.sending(counter)
    try:
        accepted = await counter.provider.submit(body, idempotency_key=take.idempotency_key)
    except SubmissionInDoubt as error:
        raise _held(studio, take, error) from error
    except (Rejected, Unavailable) as error:
        choose.refused(counter, line.variant.model, error)
        _release(studio, take, _short(error))
        studio.bought -= take.price
        if isinstance(error, Unauthorized | InsufficientCredit) and choose.another_serves(studio, line):
            error.retry = "safe"  # it was not accepted, and the next try goes to another route
        raise
    choose.took(counter)
    return _accepted(studio, take, accepted)


def _release(studio: Studio, take: Take, reason: str) -> None:
    """Give the hold back. RunInProgress where another run has taken the variant over: it may have sent the same key again."""
    try:
        _log(studio.ledger.released(take.id, reason=reason, run=studio.run.id))
    except RunInProgress as error:
        error.spent = "unknown"
        raise


async def _intent(studio: Studio, line: Line, take: Take) -> tuple[Take, JobRequest]:
    """SUBMITTING, committed, once the route has room for one more; and the request, whose links live long enough."""
    counter = studio.counter(take.route)
    sent_to = {ACCOUNT: counter.provider.route.account}
    while True:
        body = await _request(studio, line, take.route)
        try:
            return studio.ledger.submitting(
                take.id, request={**body.body(), **sent_to}, run=studio.run.id, limits=counter.card.limits
            ), body
        except RouteBusy as busy:
            if choose.gives_way(studio, line, counter):
                why = f"route {take.route} has no room and does not answer."
                _log(studio.ledger.released(take.id, reason=f"not sent; {why}"))
                studio.bought -= take.price
                raise Unavailable(why, where=take.slug) from busy
            wait = busy.after.total_seconds() if busy.after else 1.0
            studio.tell(line.variant.label, "submit", "began", detail=busy.what)
            await asyncio.sleep(max(wait, 0.05) * random.uniform(1, 1.2))  # noqa: S311 - spreads load, guards nothing


async def ask_again(studio: Studio, take: Take) -> Take:
    """The same key with the same body. Only an answer that names a job settles it: a refusal now proves nothing of then.

    SubmissionInDoubt: held. Unavailable: left as it was. RunInProgress: another run has it now.
    """
    if not replayable(take, clock.now()):
        raise _held(
            studio, take, SubmissionInDoubt(f"take {take.id} was sent at {take.submitted_at}, and no answer came.")
        )
    sent = studio.ledger.request(take.id)
    if sent.pop(ACCOUNT, "") != studio.counter(take.route).provider.route.account:
        other = "it was sent with another key or address of the provider, where this one would be a new job."
        raise _held(studio, take, SubmissionInDoubt(other), can_ask=False)
    request = Replay(sent=sent)
    studio.ledger.refuse_foreign(take, run=studio.run.id)
    try:
        accepted = await studio.counter(take.route).provider.submit(request, idempotency_key=take.idempotency_key)
    except Unavailable:
        raise
    except ProviderError as error:
        raise _held(studio, take, error) from error
    return _accepted(studio, take, accepted)


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
    )


def _accepted(studio: Studio, take: Take, accepted: Accepted) -> Take:
    """Commit the job id. Where the ledger cannot take it, it is kept in memory for the next try, and said aloud."""
    studio.accepted[take.id] = accepted
    try:
        take = studio.ledger.submitted(take.id, job=accepted.job, request_id=accepted.request_id)
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


def _held(studio: Studio, take: Take, error: ProviderError, *, can_ask: bool = True) -> SubmissionInDoubt:
    """Commit the doubt and say what can settle it. can_ask: may the same key be sent again while it is young?"""
    if take.state is State.SUBMITTING:
        take = studio.ledger.in_doubt(take.id, reason=_short(error))
        _log(take)
    again = can_ask and replayable(take, clock.now()) and isinstance(error, SubmissionInDoubt)
    return SubmissionInDoubt(
        f"take {take.id}: {error.what}",
        where=take.slug,
        hint="Run the campaign again: the same request key is asked about, and nothing new is bought."
        if again
        else "Look for it in the provider's task list, then see callsheet reconcile.",
        says=error.says,
        retry="safe" if again else "never",
        after=error.after,
    )


def _short(error: ProviderError) -> str:
    return " ".join(part for part in (error.says.code, error.what) if part)[:300]


def _log(take: Take) -> None:
    log.info("take %d %s: %s, %s credits", take.id, take.slug, take.state, take.price)
