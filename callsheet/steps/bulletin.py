"""What a run posts where people watch many of them: tags, a bar that moves, pages in Markdown, and notices for automations.

Nothing here decides anything. Whatever a provider or a file said is escaped: it must not become a link or a picture on a page.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callsheet import causes, quality
from callsheet.approval import Question
from callsheet.credits import total
from callsheet.digest import short
from callsheet.errors import BudgetError, BudgetExceeded, PlanChanged
from callsheet.nearest import listed
from callsheet.plan import Plan
from callsheet.redact import redact
from callsheet.routing import PLAY, SANDBOX
from callsheet.steps.progress import STAGES, UNDONE, Event, Listener, Stage
from callsheet.steps.studio import Studio

if TYPE_CHECKING:
    from callsheet.causes import Cause
    from callsheet.steps.wrap import Account, Ended

log = logging.getLogger("callsheet.run")

#: How the tag begins that names the plan of a run.
PLAN = "plan:"
#: Variants that a page or a notice names; the tables have all of them.
MOST_NAMES = 20
#: Reasons of one cause that a page quotes.
MOST_REASONS = 5
LONGEST_REASON = 300

_AT_WORK: Mapping[Stage, str] = {
    "prepare": "preparing",
    "stage": "uploading",
    "submit": "submitting",
    "follow": "rendering",
    "deliver": "fetching",
}
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~&:.@-])")


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An event that automations can act on. `payload` is small, printable, and without secrets."""

    name: str
    campaign: str
    payload: Mapping[str, Any]

    @property
    def resource(self) -> dict[str, str]:
        return {
            "prefect.resource.id": f"callsheet.campaign.{self.campaign}",
            "prefect.resource.name": self.campaign,
            "callsheet.route": str(self.payload["route"]),
        }


@dataclass(kw_only=True)
class Progress:
    """How far a run is: every variant counts the same, and each of its stages a fifth of it."""

    labels: Sequence[str]
    #: Who listened before; hears everything too.
    also: Listener
    _done: dict[str, float] = field(default_factory=dict)
    _stages: dict[str, Stage] = field(default_factory=dict)
    _ends: dict[str, str] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        self._stages[event.label] = event.stage
        self._done[event.label] = (STAGES.index(event.stage) + event.fraction) / len(STAGES)
        if event.state in UNDONE or (event.stage == "deliver" and event.state == "done"):
            self._ends[event.label] = event.state
        self.also(event)

    @property
    def percent(self) -> float:
        if not self.labels:
            return 100.0
        done = sum(1.0 if label in self._ends else self._done.get(label, 0.0) for label in self.labels)
        return round(100 * done / len(self.labels), 1)

    @property
    def words(self) -> str:
        """ "12 of 40 archived, 1 failed; 20 rendering, 7 waiting"."""
        ends = list(self._ends.values())
        parts = [f"{ends.count('done')} of {len(self.labels)} archived"]
        words = {"failed": "failed", "in_doubt": "in doubt", "pending": "not finished"}
        parts += [f"{ends.count(end)} {word}" for end, word in words.items() if end in ends]
        at_work = [self._stages[label] for label in self.labels if label in self._stages and label not in self._ends]
        going_on = [f"{at_work.count(stage)} {word}" for stage, word in _AT_WORK.items() if stage in at_work]
        waiting = len(self.labels) - len(at_work) - len(ends)
        going_on += [f"{waiting} waiting"] if waiting else []
        return "; ".join([", ".join(parts), *([", ".join(going_on)] if going_on else [])])


def watch(studio: Studio, labels: Sequence[str]) -> Progress:
    """The progress of these variants from now on."""
    progress = Progress(labels=labels, also=studio.listener)
    studio.listener = progress.hear
    return progress


def tags(plan: Plan) -> list[str]:
    """What a list of runs is filtered by."""
    route = plan.route if plan.route in PLAY else "paid"
    return [f"campaign:{plan.campaign}", f"route:{route}", f"{PLAN}{short(plan.digest)}"]


def say_plan(plan: Plan) -> None:
    counts = {action: len(plan.of(action)) for action in ("shoot", "attach", "skip", "blocked")}
    words = ", ".join(f"{count} {action}" for action, count in counts.items() if count) or "nothing to do"
    log.info("plan %s of %s on %s: %s; %s", short(plan.digest), plan.campaign, plan.route, words, plan.credits.spoken)


def say_end(account: "Account") -> None:
    """One line, as loud as it went, and one for each cause."""
    level = logging.WARNING if account.exit_code else logging.INFO
    log.log(level, "%s: %s; %s", account.campaign, account.message, account.credits.spoken)
    if account.flags:
        log.warning("%s: %s", account.campaign, account.flags)
    for cause, group in account.by_cause.items():
        labels = listed([ended.line.variant.label for ended in group], most=3)
        log.log(logging.ERROR if cause is causes.DOUBT else logging.WARNING, "%s: %s", cause.words, labels)


def cost(account: "Account") -> str:
    """ "3 of 5 archived, 2 blocked; 108 credits ($1.59) spent of 180 planned"."""
    planned = total([ended.line.credits for ended in account.ended])
    of = f" of {planned} planned" if planned else ""
    return f"{account.message}; {account.credits.spoken} spent{of}"


def result_page(account: "Account", spec: str) -> str:
    """How the run ended, and where everything is. A browser opens no file from a page of a server: paths are to be copied."""
    free = " The provider would have charged that; the sandbox is free." if account.route == SANDBOX else ""
    rows = [
        ("review board", f"<{account.link}>" if account.link else f"`{account.board}`"),
        ("open it", f"`callsheet review {spec} --open`"),
        ("files", plain(account.files) if "`" in account.files else f"`{account.files}`"),
        ("manifest", f"`{account.manifest}`"),
        ("takes and money", f"`callsheet status {spec}`"),
    ]
    table = "\n".join(f"| {name} | {text} |" for name, text in rows)
    return f"**{plain(cost(account))}**{free}\n\n| | where |\n|---|---|\n{table}\n"


def failures_page(account: "Account", spec: str) -> str:
    """What did not come home, by cause, the most frequent first, each with the next step; then what is home and flagged. ""
    where there is neither."""
    pages = [_of_cause(cause, group, spec) for cause, group in account.by_cause.items()]
    return "\n".join([*pages, *([_of_flags(account, spec)] if account.flagged else [])])


def _of_flags(account: "Account", spec: str) -> str:
    """Paid for and in the archive; a person judges them."""
    flagged = account.flagged
    lines = [f"- `{ended.line.variant.label}`: {plain(_flags(ended))}" for ended in flagged[:MOST_NAMES]]
    if len(flagged) > MOST_NAMES:
        lines.append(f"- {len(flagged) - MOST_NAMES} more: see the outcome table")
    again = f"`callsheet run {spec} --again-flagged` pays for another take of each, `--again SLUG` of one."
    head = f"### {len(flagged)} flagged by the quality checks\n\n**Next:** look at them on the review board. {again}"
    return "\n".join([head, "", "They are in the archive and paid for.", "", *lines, ""])


def _flags(ended: "Ended") -> str:
    return "" if ended.quality is None else quality.spoken(ended.quality)[:LONGEST_REASON]


def _of_cause(cause: "Cause", group: "Sequence[Ended]", spec: str) -> str:
    charged = total([ended.charged for ended in group])
    money = f"{charged.spoken} charged or held." if charged else "Nothing was charged."
    reasons: dict[str, list[str]] = {}
    for ended in group:
        reasons.setdefault(ended.reason or "no reason was given", []).append(ended.line.variant.label)
    lines = [f"- {plain(why[:LONGEST_REASON])}  \n  {_names(labels)}" for why, labels in reasons.items()]
    if len(lines) > MOST_REASONS:
        lines[MOST_REASONS:] = [f"- {len(lines) - MOST_REASONS} more reasons: see the outcome table"]
    head = f"### {len(group)} {cause.words}\n\n**Next:** {cause.next.format(spec=spec)}\n\n{money}"
    return "\n".join([head, "", *lines, ""])


def _names(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - MOST_NAMES} more" if len(labels) > MOST_NAMES else ""
    return ", ".join(f"`{label}`" for label in labels[:MOST_NAMES]) + more


def plain(text: str) -> str:
    """Text that Markdown shows as it is, without secrets, links or pictures."""
    return _MARKUP.sub(r"\\\1", " ".join(redact(text).split()))


def state_of(error: BudgetError) -> str:
    """The name of the state of a run that did not start: a list of runs shows no more of it."""
    if isinstance(error, PlanChanged):
        return "PlanChanged"
    return "OverBudget" if isinstance(error, BudgetExceeded) else "NotApproved"


def of_refusal(studio: Studio, error: BudgetError, spec: str) -> Notice:
    """Why this plan did not start: no money left for it, or nobody's word for it."""
    kind = "budget-reached" if isinstance(error, BudgetExceeded) else "needs-approval"
    return Notice(
        name=f"callsheet.{kind}", campaign=studio.plan.campaign, payload=_payload(studio.plan, error.what, spec)
    )


def of_question(question: Question, link: str) -> Notice:
    """This plan waits for a person. link: where it is answered."""
    plan = question.plan
    payload = {**_payload(plan, question.message, question.spec), "until": question.until.isoformat(), "link": link}
    return Notice(name="callsheet.needs-approval", campaign=plan.campaign, payload=payload)


def of_end(studio: Studio, account: "Account", spec: str) -> list[Notice]:
    """That it is over, where it is a run of its own; and what a person has to look at after it."""
    kinds = {causes.DOUBT: "in-doubt", causes.BUDGET: "budget-reached", causes.APPROVAL: "needs-approval"}
    over = [] if studio.drawn.loaded.part is not None else [_finished(studio, account, spec)]
    return over + [
        Notice(
            name=f"callsheet.{kind}",
            campaign=account.campaign,
            payload={
                **_payload(studio.plan, group[0].reason, spec),
                "next": cause.next.format(spec=spec),
                "count": len(group),
                "labels": [ended.line.variant.label for ended in group[:MOST_NAMES]],
            },
        )
        for cause, kind in kinds.items()
        if (group := account.by_cause.get(cause, ()))
    ]


def _finished(studio: Studio, account: "Account", spec: str) -> Notice:
    outcomes = ("archived", "skipped", "failed", "in_doubt", "pending")
    payload = {
        **_payload(studio.plan, account.message, spec),
        **{outcome: sum(ended.outcome == outcome for ended in account.ended) for outcome in outcomes},
        "charged": str(account.credits),
        "board": account.link or str(account.board),
        "next": f"callsheet review {spec} --open",
    }
    return Notice(name="callsheet.finished", campaign=account.campaign, payload=payload)


def _payload(plan: Plan, reason: str, spec: str) -> dict[str, Any]:
    """plan: the whole digest, which a person's approval names."""
    return {
        "campaign": plan.campaign,
        "spec": spec,
        "route": plan.route,
        "plan": plan.digest,
        "variants": len(plan.of("shoot")),
        "credits": str(plan.credits),
        "usd": str(plan.credits.usd),
        "reason": redact(" ".join(reason.split()))[:LONGEST_REASON],
    }
