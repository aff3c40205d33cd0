"""What a flow shows and hands back: approval, the tables of its artifacts, and the account of how it ended."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from callsheet import causes, quality
from callsheet import plan as planning
from callsheet.approval import LONGEST_NAME, Ruling, allowed_by
from callsheet.credits import Credits
from callsheet.errors import CallsheetError, SpecError, Spent
from callsheet.occurrence import spoken
from callsheet.plan import Approval, Line, Plan
from callsheet.redact import redact
from callsheet.steps import clock
from callsheet.steps import studio as studios
from callsheet.steps.studio import Studio
from callsheet.take import State
from callsheet.yamltext import shown

if TYPE_CHECKING:
    from callsheet.steps.wrap import Account

#: What an error means for the money -> how the variant ends.
_UNDONE: dict[Spent, str] = {"no": "failed", "yes": "pending", "unknown": "in_doubt"}

#: States of a take of an earlier run that is paid for, or perhaps, in the order in which they are gone on with.
_URGENT = (State.SUCCEEDED, State.SUBMITTED, State.IN_DOUBT, State.SUBMITTING)
_PAID = (State.SUCCEEDED, State.SUBMITTED)

#: What makes markup of a text in a cell of a table, and how it stands there.
_MARKS = re.compile(r"([\\`\[\]<>!|])")
_ESCAPED = re.compile(r"\\([\\`\[\]<>!|])")

_reporter: "ContextVar[Callable[[Account], None] | None]" = ContextVar("reporter", default=None)


@contextmanager
def reported_to(reporter: "Callable[[Account], None]") -> Iterator[None]:
    """Runs inside hand their account to `reporter` when they end."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def report(account: "Account") -> None:
    reporter = _reporter.get()
    if reporter is not None:
        reporter(account)


def approve(
    studio: Studio, *, approved: str | None, by: str, max_usd: str | None, said: Ruling | None = None
) -> Approval:
    """Approve this run's plan and record it, before anything is sent. BudgetExceeded, PlanChanged, NotApproved.

    approved: the digest of the plan that a person saw. said: what a person answered about this very plan.
    """
    limits = [] if max_usd is None else [_ceiling(max_usd)]
    limits += [] if said is None or said.cap is None else [said.cap]
    ceiling = min(limits, default=None)
    given = planning.approve(
        studio.plan,
        by=by if said is None else said.by,
        approved_digest=approved,
        confirmed=approved is not None or said is not None,
        approve_above=studio.drawn.loaded.campaign.approve_above,
        ceiling=ceiling,
        place=studio.drawn.budget_place,
    )
    studio.ceiling = ceiling
    studio.ledger.rule(said or _word(studio, given, is_a_person_s=approved is not None))
    return given


def _word(studio: Studio, given: Approval, *, is_a_person_s: bool) -> Ruling:
    """What is kept of an approval that no form gave. A person's word for a dear plan is good for a run that goes on with it;
    a slice only repeats what was said of the whole, with its cap and until it expires."""
    plan, now, loaded = studio.plan, clock.now(), studio.drawn.loaded
    dear = loaded.campaign.approve_above
    is_good = is_a_person_s and loaded.part is None and dear is not None and plan.most > dear
    return Ruling(
        word="approved",
        campaign=plan.campaign,
        route=plan.route,
        plan=given.plan,
        credits=given.credits,
        by=redact(" ".join(given.by.split()))[:LONGEST_NAME],  # whatever a parameter says
        at=now,
        expires_at=now + studio.drawn.settings.approval_time if is_good else None,
        cap=studio.ceiling if is_good else None,
        flow_run=studio.run.flow_run,
        occurrence=plan.occurrence,
        shown=plan.digest,
        allows=allowed_by(plan) if is_good else None,
    )


def _ceiling(text: str) -> Credits:
    """Of dollars as a person gives them, "40.00"; of "2720.5 credits", as a slice is given its share of them. SpecError."""
    try:
        return Credits.of_ceiling(text)
    except ValueError:
        raise SpecError(
            f"{shown(text)} is not an amount of dollars.", where="max_usd", hint="Write it like 25.00."
        ) from None


def to_walk(plan: Plan) -> list[str]:
    """Labels of the lines that have something left to do; one of those that are the same purchase. What is paid for
    already comes first: the results that are to be fetched, the oldest before the others, then the jobs under way.

    Two walks of one take would ask with one key at the same time: refused and released for one, accepted and lost for the
    other.
    """
    first = {line.key: line for line in reversed(plan.lines) if line.action in ("shoot", "attach")}
    lines = [line for line in plan.lines if first.get(line.key) is line]
    return [line.variant.label for line in sorted(lines, key=_urgency)]


def _urgency(line: Line) -> tuple[int, float]:
    if line.action != "attach" or line.take is None or line.take.state not in _URGENT:
        return len(_URGENT), 0
    return _URGENT.index(line.take.state), line.take.updated_at.timestamp()


def paid_take(plan: Plan, label: str) -> int | None:
    """The take of an earlier run that this line goes on with, where nothing is left to send. It waits behind nothing that
    is still to be bought: its link dies within a day."""
    line = plan.by_label[label]
    is_paid = line.action == "attach" and line.take is not None and line.take.state in _PAID
    return line.take.id if is_paid and line.take is not None else None


def taken_over(label: str) -> int | None:
    """The same of a run that was stood by for until it died: the last take that it made, whichever the plan knew of."""
    studio = studios.current()
    line = studio.line(label)
    take = studio.ledger.newest([line.key], route=studio.plan.routes).get(line.key)
    return take.id if take is not None and take.state in _PAID else None


def is_elsewhere(label: str) -> bool:
    """Does another run work on this variant?"""
    return bool(studios.current().line(label).owner)


def errors(labels: Sequence[str], ended: Sequence[BaseException | None]) -> dict[str, str]:
    """The reason by label. A cancellation is no reason: it ends the run and is raised."""
    found: dict[str, str] = {}
    for label, result in zip(labels, ended, strict=True):
        if isinstance(result, Exception):
            found[label] = _reason(result)
        elif isinstance(result, BaseException):
            raise result
    return found


@contextmanager
def end_told(label: str) -> Iterator[None]:
    """Whoever watches is told when the walk of this variant, retries and all, ends with an error; it goes on its way."""
    try:
        yield
    except Exception as error:
        studio = studios.current()
        studio.causes[label] = causes.of(error)
        spent = error.spent if isinstance(error, CallsheetError) else "no"
        studio.tell(label, studio.stages.get(label, "prepare"), _UNDONE[spent], detail=_reason(error))
        raise


def _reason(error: Exception) -> str:
    """One line without secrets."""
    if isinstance(error, CallsheetError):
        return redact(" ".join(error.what.split()))
    return redact(" ".join(f"unexpected {type(error).__name__}: {error}".split()))


def raise_defects(ended: Sequence[BaseException | None]) -> None:
    """What is not an error of ours is a defect of the program: it is raised once everything else is safe and written."""
    for result in ended:
        if isinstance(result, Exception) and not isinstance(result, CallsheetError):
            raise result


def plan_title(plan: Plan) -> str:
    occurrence = f"; {spoken(plan.occurrence)}" if plan.occurrence is not None else ""
    return f"{len(plan.lines)} variants, {plan.credits.spoken} on {plan.route}; plan {plan.digest[:12]}{occurrence}"


def cell(text: str) -> str:
    """Text for a table of Prefect, whose UI reads every cell as Markdown: words of a provider, or names of files, make no
    link, picture or HTML there. Names stay as they are: programs read such a table, too (`bulletin.plain` is for pages)."""
    return _MARKS.sub(r"\\\1", text)


def of_cell(text: str) -> str:
    """What stands in such a cell."""
    return _ESCAPED.sub(r"\1", text)


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "variant": line.variant.label,
            "action": line.action,
            "credits": str(line.credits),
            "seconds": planning.decimal_seconds(line.seconds),
            "reason": cell(line.reason),
        }
        for line in plan.lines
    ]


def rows(account: "Account") -> list[dict[str, Any]]:
    return [
        {
            "variant": ended.line.variant.label,
            "outcome": ended.outcome,
            "planned": str(ended.line.credits),
            "charged": str(ended.charged),
            "usd": str(ended.charged.usd),
            "job": ended.take.job if ended.take else "",
            "deliverable": cell(ended.take.archive) if ended.take else "",
            "quality": quality.verdict_of(ended.quality),
            "cause": ended.cause.words if ended.cause else "",
            "reason": cell(ended.reason),
        }
        for ended in account.ended
    ]
