"""Follow a job to its end. A poll that fails is never a failed take; only the provider's own word ends one."""

import json
import logging
from datetime import timedelta

from callsheet import pace, retake
from callsheet.credits import Credits
from callsheet.errors import ContentRefused, JobFailed, ProviderError, ProviderSays, Spent
from callsheet.pace import Usual
from callsheet.provider.client import JobStatus
from callsheet.provider.staging import LONGEST_JOB
from callsheet.provider.watch import OnProgress
from callsheet.steps import clock
from callsheet.steps import studio as studios
from callsheet.steps.studio import Failure, Studio
from callsheet.take import State, Take

log = logging.getLogger("callsheet.takes")

#: Codes with which the provider says that its content policy ended the job (its list of task errors).
POLICY = frozenset({"content_policy_violation", "content_filter", "sensitive_content", "moderation_blocked"})

#: Characters of the provider's message that are kept; what follows them, request id and money, must not be cut off.
LONGEST_MESSAGE = 300


async def follow(take_id: int, label: str) -> None:
    """Return when the take has SUCCEEDED. JobFailed, ContentRefused when the provider ended it without a result.

    SUCCEEDED is committed before the result is fetched: from then on it is paid for.
    """
    studio = studios.current()
    studio.tell(label, "follow", "began")
    take = studio.ledger.take(take_id)
    if take.state is State.SUBMITTED:
        await until_succeeded(
            studio, take, on_progress=lambda percent: studio.tell(label, "follow", "moved", percent / 100)
        )
    studio.tell(label, "follow", "done", 1.0)


async def until_succeeded(studio: Studio, take: Take, on_progress: OnProgress | None = None) -> Take:
    """Wait for the end of a submitted take's job, and commit it. JobFailed, ContentRefused once FAILED is committed."""
    status = await studio.counter(take.route).watch.until_done(
        take.job,
        on_progress=on_progress,
        # Once only: who follows a take again asks at once.
        estimate=studio.estimates.pop(take.id, timedelta(0)),
        age=max(clock.now() - take.sent_at, timedelta(0)),
        usual=_usual(studio, take),
    )
    return _commit(studio, take, status)


def _usual(studio: Studio, take: Take) -> Usual | None:
    """How long takes of the same model took lately on this route; None where too few are known."""
    identity = studio.ledger.identities([take.id])[take.id]
    if not identity:
        return None
    model = json.loads(identity)["model"]
    durations = studio.ledger.durations(route=take.route, model=model, most=pace.MOST)
    return pace.usual([duration.total_seconds() for duration in durations])


def _commit(studio: Studio, take: Take, status: JobStatus) -> Take:
    if status.state == "succeeded":
        if status.result is not None:
            studio.results[take.id] = status.result
        take = studio.ledger.succeeded(take.id, charged=status.charged)
        log.info("take %d %s: %s, %s credits", take.id, take.slug, take.state, status.charged or take.price)
        if status.charged is not None and status.charged != take.price:
            log.warning("take %d %s: planned %s credits, charged %s", take.id, take.slug, take.price, status.charged)
        return take
    if status.is_settling and clock.now() - take.sent_at < LONGEST_JOB:
        raise ProviderError(
            f"job {take.job} ended without a result, and the provider still holds its credits: it is not known whether they "
            "come back.",
            where=label_of(take),
            spent="unknown",
            retry="never",
            hint="Run the campaign again later: it asks until that is settled, for a day.",
        )
    says = status.error or ProviderSays(code="unknown_error", message="no reason was given")
    charged = _charged_all_the_same(take, status)
    reason = _reason(says, charged, status.refunded)
    take = studio.ledger.failed(take.id, reason=reason, charged=charged)
    log.warning("take %d %s: %s, %s", take.id, take.slug, take.state, reason)
    studio.failures[take.id] = Failure(
        code=says.code, message=says.message, request_id=says.request_id, refunded=status.refunded
    )
    raise _failed(take, says, reason, charged, status)


def _reason(says: ProviderSays, charged: Credits | None, refunded: bool | None) -> str:
    """What the provider's support needs, and what became of the money: the same words in ledger, summary and board."""
    money = "its credits came back" if refunded else "whether its credits came back was not said"
    if charged:
        money = f"{charged} credits are charged all the same"
    request = f"request {says.request_id}; " if says.request_id else ""
    return f"{says.code}: {' '.join(says.message.split())[:LONGEST_MESSAGE]} ({request}{money})"


def _failed(
    take: Take, says: ProviderSays, reason: str, charged: Credits | None, status: JobStatus
) -> ContentRefused | JobFailed:
    what = f"job {take.job} ended without a result: {reason}"
    where = label_of(take)
    spent: Spent = "yes" if charged else "no"
    if says.code in POLICY:
        return ContentRefused(what, where=where, says=says, spent=spent, hint="Change the prompt or the media.")
    return JobFailed(
        what,
        where=where,
        says=says,
        spent=spent,
        hint="Run the campaign again to try once more.",
        take_id=take.id,
        refunded=status.refunded,
        after=status.retry_after,
        may_retake=retake.is_passing(says.code, is_charged=bool(charged)),
    )


def _charged_all_the_same(take: Take, status: JobStatus) -> Credits | None:
    """What a failed job costs: nothing, unless the provider says that it was charged and not (yet) refunded."""
    if status.refunded:
        return None
    return status.charged or (take.price if status.refunded is False else None)


def label_of(take: Take) -> str:
    return f"{take.slug} (take {take.number})" if take.number > 1 else take.slug
