"""What a person is asked before a dear plan is bought, what may be answered, and what an answer is good for.

A form that waits for a day is answered about a plan that may be another one by then. So a question knows the digest of its
plan and every purchase that it would allow; an answer names that digest; and a ruling, which the ledger keeps, lets exactly
those purchases be made, each once, until it expires.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from callsheet import axes
from callsheet.credits import ZERO, Credits, total
from callsheet.digest import short
from callsheet.plan import Line, Plan
from callsheet.sweep import Variant
from callsheet.take import CHARGED

Word = Literal["asked", "approved", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """One variant's: what it may cost at most, and the newest take of it that was known. A later one is this purchase."""

    supersedes: int
    most: Credits


#: What may be bought, by the key of its content.
Allowed = Mapping[str, Purchase]


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What was asked about a plan, or what a person said to it, as the ledger keeps it."""

    word: Word
    campaign: str
    route: str
    #: The digest of the plan that may be bought.
    plan: str
    #: What that would newly cost.
    credits: Credits
    by: str
    at: datetime
    #: Until when it can be answered, or used; None for one that is for the record only.
    expires_at: datetime | None = None
    #: The most that it may cost, where a person set less than what was asked.
    cap: Credits | None = None
    #: Values that a person left out, as "axis=value".
    left_out: tuple[str, ...] = ()
    note: str = ""
    #: As which Prefect knows the run that asked.
    flow_run: str = ""
    occurrence: datetime | None = None
    #: The digest of the plan that the person saw, before anything was left out of it.
    shown: str = ""
    allows: Allowed | None = None

    def is_good_at(self, now: datetime) -> bool:
        return self.expires_at is not None and now <= self.expires_at

    def covers(self, plan: Plan, now: datetime) -> bool:
        """Was everything that this plan would buy approved, at these prices, and not bought since?"""
        is_same = (self.campaign, self.route, self.occurrence) == (plan.campaign, plan.route, plan.occurrence)
        if self.word != "approved" or not is_same or not self.is_good_at(now) or self.allows is None:
            return False
        return all(_is_allowed(line, self.allows.get(line.key)) for line in plan.of("shoot"))

    def spent(self, plan: Plan) -> Credits:
        """What has been bought under it, as far as this plan tells."""
        allows = self.allows or {}
        takes = {line.key: line.take for line in plan.lines if line.take is not None and line.key in allows}
        return total([take.cost for key, take in takes.items() if take.id > allows[key].supersedes])

    @property
    def left(self) -> str:
        """ "; without prompt=neon", where something was left out."""
        return f"; without {', '.join(self.left_out)}" if self.left_out else ""


def price_of(plan: Plan) -> Credits:
    """The most that a run of it sends for: on the dearest routes, with what is reserved already."""
    return plan.most + (plan.costs - plan.credits)


def _is_allowed(line: Line, purchase: Purchase | None) -> bool:
    if purchase is None or line.most > purchase.most:
        return False
    take = line.take
    came_to_nothing = take is not None and not take.is_live and take.state not in CHARGED and not take.cost
    return line.supersedes <= purchase.supersedes or came_to_nothing


def allowed_by(plan: Plan) -> dict[str, Purchase]:
    """Every purchase that this plan would make."""
    return {line.key: Purchase(supersedes=line.supersedes, most=line.most) for line in plan.of("shoot")}


def as_text(allows: Allowed | None) -> str:
    """For a column of the ledger."""
    if allows is None:
        return ""
    return json.dumps({key: [one.supersedes, one.most.units] for key, one in allows.items()}, separators=(",", ":"))


def from_text(text: str) -> Allowed | None:
    if not text:
        return None
    read = json.loads(text).items()
    return {key: Purchase(supersedes=number, most=Credits(units=units)) for key, (number, units) in read}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a form shows of a plan, and what it lets a person choose."""

    plan: Plan
    #: Where it stands: the campaign's file, as the run was given it.
    spec: str
    #: What a person has to confirm, in words; and why once more, where it was asked before.
    reason: str
    why: str
    until: datetime

    @property
    def price(self) -> Credits:
        return price_of(self.plan)

    @property
    def values(self) -> tuple[str, ...]:
        """What can be left out: every value of an axis that has more than one among what would be bought."""
        swept = axes.swept([line.variant for line in self.plan.of("shoot")])
        return tuple(f"{axis}={value}" for axis, values in swept.items() for value in values)

    @property
    def message(self) -> str:
        """For the state of the run, which a list shows."""
        count = len(self.plan.of("shoot"))
        what = f"{count} variant{'' if count == 1 else 's'}, {self.plan.credits.spoken}"
        again = f"; asked again: {self.why}" if self.why else ""
        return (
            f"waits for approval until {self.until:%Y-%m-%d %H:%M} UTC: {what}, plan {short(self.plan.digest)}{again}"
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back from a form, and when it was sent. cap: the most that it may cost."""

    plan: str
    is_yes: bool
    by: str
    cap: Credits
    left_out: tuple[str, ...] = ()
    note: str = ""
    at: datetime


#: Letters of what a person may write.
LONGEST_NAME, LONGEST_NOTE = 100, 1000
#: Of the dollars of a cap.
MOST_DIGITS = 12


def read_answer(raw: Mapping[str, Any], at: datetime) -> Answer:
    """The answer in what a form sent. ValueError where it is none: who approves with words that nobody reads buys nothing."""
    decision, plan, by = raw.get("decision"), raw.get("plan"), raw.get("approved_by")
    values, note = raw.get("leave_out") or [], raw.get("note") or ""
    if decision not in ("approve", "reject"):
        raise ValueError(f"decision is {decision!r}, and can be approve or reject")
    if not isinstance(plan, str) or not isinstance(by, str) or not by.strip() or not isinstance(note, str):
        raise ValueError("plan, approved_by and note are text, and only note may be empty")
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("leave_out is a list of axis=value")
    return Answer(
        plan=plan,
        is_yes=decision == "approve",
        by=_line(by)[:LONGEST_NAME],
        cap=_cap(raw.get("cap_usd")),
        left_out=tuple(dict.fromkeys(values)),
        note=_line(note)[:LONGEST_NOTE],
        at=at,
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def _cap(amount: object) -> Credits:
    """A number of dollars, down to the cent: a form's numbers are floats, whose shortest spelling is what was typed."""
    try:
        if isinstance(amount, bool) or not isinstance(amount, int | float | str):
            raise InvalidOperation
        dollars = Decimal(str(amount))
        if not dollars.is_finite() or dollars.adjusted() > MOST_DIGITS:  # a number of a million digits takes for ever
            raise InvalidOperation
        cents = int(dollars * 100)
    except (InvalidOperation, ValueError):
        raise ValueError(f"cap_usd is {amount!r}, and has to be a number of dollars") from None
    if cents < 0:
        raise ValueError(f"cap_usd is {amount}, and a cap is never below nothing")
    return Credits.of_usd(Decimal(cents) / 100)


def has_one_of(variant: Variant, values: Collection[str]) -> bool:
    """Is it on one of these "axis=value"?"""
    return any(f"{axis}={value}" in values for axis, value in axes.values_of(variant).items())


def is_left_out(line: Line, values: Collection[str]) -> bool:
    """What is paid for, or is another run's, is brought home whatever a person leaves out."""
    is_free = line.action == "attach" and line.costs == ZERO
    return not is_free and has_one_of(line.variant, values)


def objection(answer: Answer, *, asked: Ruling | None, whole: Plan, plan: Plan) -> str:
    """Why this yes is none for the plan as it stands now; "" where it holds. Nothing was sent for it.

    asked: what the ledger knows of the question. whole: the plan as it would be shown now; plan: less what was left out.
    """
    if asked is None or asked.expires_at is None:
        return f"this ledger has asked nothing about plan {short(answer.plan)}"
    if answer.at > asked.expires_at:
        until = f"{asked.expires_at:%Y-%m-%d %H:%M} UTC"
        return f"{answer.by} approved plan {short(answer.plan)} after {until}, when it had expired"
    if answer.plan != whole.digest:
        return f"plan {short(answer.plan)}, which {answer.by} approved, is no more: {_changes(asked, whole)}"
    unknown = [value for value in answer.left_out if not any(has_one_of(line.variant, [value]) for line in whole.lines)]
    if unknown:
        return f"{', '.join(unknown)} is no value of this plan"
    if not plan.of("shoot"):
        return f"{answer.by} left out {', '.join(answer.left_out)}, and nothing is left to buy"
    if plan.costs.usd > answer.cap.usd:
        return (
            f"{answer.by} set the cap to ${answer.cap.usd}, and what is left costs ${plan.costs.usd}: "
            "leave out more, or reject it"
        )
    return ""


def _changes(asked: Ruling, now: Plan) -> str:
    """What is different of a plan that was shown, in a few words."""
    before, after = asked.allows or {}, allowed_by(now)
    dearer = sum(key in before and after[key].most != before[key].most for key in after)
    newer = sum(key in before and after[key].supersedes != before[key].supersedes for key in after)
    counts = {
        "are new": len(after.keys() - before.keys()),
        "are not to be bought any more": len(before.keys() - after.keys()),
        "have another price": dearer,
        "were rendered meanwhile": newer,
    }
    words = [f"{count} {word}" for word, count in counts.items() if count]
    told = f"of its variants {', '.join(words)}" if words else "its budget, its takes or its order changed"
    return f"{told}; it was {asked.credits.spoken} and is {now.credits.spoken}"
