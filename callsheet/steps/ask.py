"""Whether a run may buy what it has planned: by what a person answers, by what one has answered before, or only after asking.

The ledger keeps every question, answer and approval. One that stands lets a run go on after a crash without asking again, for
exactly the purchases that were approved and are not made yet; each is made once (`callsheet.approval`).
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from callsheet import approval, breakdown
from callsheet.approval import Answer, Question, Ruling
from callsheet.credits import Credits
from callsheet.digest import short
from callsheet.errors import NotApproved, PlanChanged
from callsheet.plan import worst_case
from callsheet.redact import redact
from callsheet.steps import bulletin, clock, outcome
from callsheet.steps import draw_up as drawing
from callsheet.steps import settings as environment
from callsheet.steps.studio import Studio

log = logging.getLogger("callsheet.run")

#: Values of one axis that a form tells the price of.
MOST_VALUES = 30


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A question, and what stands above its form, in Markdown."""

    question: Question
    page: str

    def notice(self, link: str) -> bulletin.Notice:
        """Tells somebody. link: where the form is."""
        return bulletin.of_question(self.question, link)


def read(raw: Mapping[str, Any], at: datetime) -> Answer | None:
    """The answer of a form; None, and told, where it is none."""
    try:
        return approval.read_answer(raw, at)
    except ValueError as error:
        log.warning("what was answered is no answer: %s", redact(str(error)))
        return None


def settle(
    studio: Studio,
    answer: Answer | None,
    *,
    spec: str,
    approved: str | None,
    by: str,
    max_usd: str | None,
    can_ask: bool,
) -> Asking | Ruling | None:
    """None: approved and recorded, the run goes on. A ruling: a person has rejected it. Else what is to be asked.

    Where nobody can be asked, NotApproved or PlanChanged; BudgetExceeded in any case. answer: to this run's last question.
    """
    if answer is not None and not answer.is_yes:
        return _rejected(studio, answer)
    standing = _standing(studio) if can_ask else None
    if answer is not None and studio.drawn.whole.of("shoot"):
        return _answered(studio, answer, standing, max_usd, spec)
    try:
        outcome.approve(studio, approved=approved, by=by, max_usd=max_usd)
    except (NotApproved, PlanChanged) as refusal:
        if standing is not None:
            outcome.approve(studio, approved=None, by=by, max_usd=max_usd, said=_once_more(studio, standing))
        elif can_ask:
            return _asking(studio, refusal.what, _why_changed(refusal), spec)
        else:
            raise
    return None


def _answered(studio: Studio, answer: Answer, standing: Ruling | None, max_usd: str | None, spec: str) -> Asking | None:
    """What a yes comes to. Where it does not hold it is asked again, also where nobody would have to be asked now: who has
    set a cap does not find more spent than that."""
    why, said = _objection(studio, answer), _said(studio, answer)
    if why and standing is not None and studio.plan.costs.usd <= answer.cap.usd:
        why, said = "", _once_more(studio, standing, most=answer.cap)
    if why:
        log.warning("asked again: %s", why)
        return _asking(studio, f"this run costs {studio.drawn.whole.credits.spoken}.", why, spec)
    outcome.approve(studio, approved=None, by=answer.by, max_usd=max_usd, said=said)
    return None


def _why_changed(refusal: NotApproved | PlanChanged) -> str:
    return refusal.what if isinstance(refusal, PlanChanged) else ""


def _rejected(studio: Studio, answer: Answer) -> Ruling:
    log.info("plan %s of %s was rejected by %s", short(answer.plan), studio.plan.campaign, redact(answer.by))
    ruling = replace(_said(studio, answer), word="rejected", plan=answer.plan, expires_at=None, cap=None, allows=None)
    studio.ledger.rule(ruling)
    return ruling


def _said(studio: Studio, answer: Answer) -> Ruling:
    """What is kept of an answer."""
    plan, price = studio.plan, approval.price_of(studio.drawn.whole)
    return Ruling(
        word="approved",
        campaign=plan.campaign,
        route=plan.route,
        plan=plan.digest,
        credits=plan.credits,
        by=redact(answer.by),
        at=answer.at,
        expires_at=answer.at + studio.drawn.settings.approval_time,
        # A cent's rounding is no cap: what was asked may be spent to the last credit.
        cap=answer.cap if answer.cap.usd < price.usd else price,
        left_out=answer.left_out,
        note=redact(answer.note),
        flow_run=studio.run.flow_run,
        occurrence=plan.occurrence,
        shown=answer.plan,
        allows=approval.allowed_by(plan),
    )


def _standing(studio: Studio) -> Ruling | None:
    """An approval that is good for all that this plan would buy."""
    plan, now = studio.plan, clock.now()
    if not plan.of("shoot"):
        return None
    rulings = studio.ledger.rulings(campaign=plan.campaign, route=plan.route, good_at=now)
    return next((ruling for ruling in rulings if ruling.covers(plan, now)), None)


def _once_more(studio: Studio, standing: Ruling, *, most: Credits | None = None) -> Ruling:
    """The record of a run that goes on under an approval, with what that leaves to spend. most: what this run may cost."""
    plan = studio.plan
    log.info("plan %s goes on with what %s approved at %s", short(plan.digest), standing.by, f"{standing.at:%H:%M} UTC")
    left = [] if standing.cap is None else [standing.cap - standing.spent(plan)]
    return replace(
        standing,
        plan=plan.digest,
        credits=plan.credits,
        at=clock.now(),
        expires_at=None,
        cap=min([*left, *([] if most is None else [most])], default=None),
        note=f"goes on with plan {short(standing.plan)}",
        flow_run=studio.run.flow_run,
        allows=None,
    )


def _objection(studio: Studio, answer: Answer) -> str:
    rulings = studio.ledger.rulings(flow_run=studio.run.flow_run)
    asked = next((one for one in rulings if one.word == "asked" and one.plan == answer.plan), None)
    if clock.now() > answer.at + studio.drawn.settings.approval_time:
        return f"{answer.by} approved plan {short(answer.plan)} so long ago that it has expired"
    return approval.objection(answer, asked=asked, whole=studio.drawn.whole, plan=studio.plan)


def _asking(studio: Studio, reason: str, why: str, spec: str) -> Asking:
    """The question about the plan as it stands now, recorded: only what was asked can be answered."""
    whole, now = studio.drawn.whole, clock.now()
    until = now + studio.drawn.settings.approval_time
    question = Question(plan=whole, spec=spec, reason=reason, why=redact(why), until=until)
    ruling = Ruling(
        word="asked",
        campaign=whole.campaign,
        route=whole.route,
        plan=whole.digest,
        credits=whole.credits,
        by="",
        at=now,
        expires_at=until,
        flow_run=studio.run.flow_run,
        occurrence=whole.occurrence,
        shown=whole.digest,
        allows=approval.allowed_by(whole),
    )
    studio.ledger.rule(ruling)
    return Asking(question=question, page=page(question))


def rejection(ruling: Ruling) -> str:
    """For the state of the run."""
    note = f" ({ruling.note})" if ruling.note else ""
    return f"rejected by {ruling.by}{note}: nothing was sent, plan {short(ruling.plan)}"


def page(question: Question) -> str:
    """What stands above the form, in Markdown. A browser shows the first lines of it and scrolls the rest."""
    plan = question.plan
    count, worst = len(plan.of("shoot")), worst_case(plan)
    what = f"{count} variant{'' if count == 1 else 's'}, {plan.credits.spoken}"
    again = f"**Asked again:** {bulletin.plain(question.why)}.\n\n" if question.why else ""
    rows = [
        ("campaign", f"{bulletin.plain(plan.campaign)} (`{question.spec}`) on {bulletin.plain(plan.route)}"),
        ("plan", f"`{short(plan.digest)}`: {bulletin.plain(question.reason)}"),
        ("campaign at worst", f"{bulletin.plain(worst.spoken)}, with what it has cost and holds already"),
        ("answer until", f"{question.until:%Y-%m-%d %H:%M} UTC"),
    ]
    if plan.most > plan.credits:
        rows.insert(2, ("if cheaper routes are down", bulletin.plain(plan.most.spoken)))
    if plan.budget.limit is not None:
        rows.insert(-1, ("budget", bulletin.plain(plan.budget.limit.spoken)))
    table = "\n".join(f"| {name} | {text} |" for name, text in rows)
    return f"{again}**Buy {bulletin.plain(what)}?**\n{_by_value(question)}\n| | |\n|---|---|\n{table}\n"


def _by_value(question: Question) -> str:
    """What each value that can be left out costs."""
    lines = [
        f"| {bulletin.plain(axis.name)} | {bulletin.plain(share.value or 'without')} | {share.shoot} | "
        f"{bulletin.plain(share.credits.spoken)} |"
        for axis in breakdown.by_axis(question.plan.of("shoot"))
        for share in breakdown.shortened(axis.shares, MOST_VALUES)
    ]
    if not lines:
        return ""
    return "\n".join(["", "| axis | value | variants | price |", "|---|---|---|---|", *lines, ""])


# --- what nobody answers -------------------------------------------------------------------------------------------------


def expired(root: Path, flow_runs: Sequence[str]) -> dict[str, str]:
    """Which of these suspended flow runs nobody has answered in time, each with what is to be said of it.

    One that this ledger did not ask for is another checkout's.
    """
    settings = environment.read(root)
    if not flow_runs or not drawing.has_ledger(settings):
        return {}
    with closing(drawing.open_ledger(settings)) as ledger:
        last = {name: next(iter(ledger.rulings(flow_run=name)), None) for name in flow_runs}
    now = clock.now()
    return {
        name: f"nobody answered until {ruling.expires_at:%Y-%m-%d %H:%M} UTC: nothing was sent, plan {short(ruling.plan)}"
        for name, ruling in last.items()
        if ruling is not None and ruling.word == "asked" and ruling.expires_at is not None and now > ruling.expires_at
    }
