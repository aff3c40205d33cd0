"""Follow a job to its end. A poll that fails is never a failed take; only the provider's own word ends one."""

import logging

from callsheet.credits import Credits
from callsheet.errors import ContentRefused, JobFailed
from callsheet.provider.client import JobStatus
from callsheet.provider.watch import OnProgress
from callsheet.steps import studio as studios
from callsheet.steps.studio import Studio
from callsheet.take import State, Take

log = logging.getLogger("callsheet.takes")

#: Codes with which the provider says that its content policy ended the job (its list of task errors).
POLICY = frozenset({"content_policy_violation", "content_filter", "sensitive_content", "moderation_blocked"})


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
    status = await studio.counter(take.route).watch.until_done(take.job, on_progress=on_progress)
    return _commit(studio, take, status)


def _commit(studio: Studio, take: Take, status: JobStatus) -> Take:
    if status.state == "succeeded":
        if status.result is not None:
            studio.results[take.id] = status.result
        take = studio.ledger.succeeded(take.id, charged=status.charged)
        log.info("take %d %s: %s, %s credits", take.id, take.slug, take.state, status.charged or take.price)
        if status.charged is not None and status.charged != take.price:
            log.warning("take %d %s: planned %s credits, charged %s", take.id, take.slug, take.price, status.charged)
        return take
    says = status.error
    code, message = (says.code, says.message) if says else ("unknown_error", "no reason was given")
    charged = _charged_all_the_same(take, status)
    cost = f" ({charged} credits are charged all the same)" if charged else ""
    take = studio.ledger.failed(take.id, reason=f"{code}: {message}"[:300] + cost, charged=charged)
    log.warning("take %d %s: %s, %s%s", take.id, take.slug, take.state, code, cost)
    kind = ContentRefused if code in POLICY else JobFailed
    raise kind(
        f"job {take.job} ended without a result{cost}: {code}: {' '.join(message.split())}",
        where=label_of(take),
        says=says,
        spent="yes" if charged else "no",
        hint="Change the prompt or the media."
        if kind is ContentRefused
        else "Run the campaign again to try once more.",
    )


def _charged_all_the_same(take: Take, status: JobStatus) -> Credits | None:
    """What a failed job costs: nothing, unless the provider says that it was charged and not (yet) refunded."""
    if status.refunded:
        return None
    return status.charged or (take.price if status.refunded is False else None)


def label_of(take: Take) -> str:
    return f"{take.slug} (take {take.number})" if take.number > 1 else take.slug
