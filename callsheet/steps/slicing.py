"""A run whose plan is too big for one process: what it gives to others, how far they are, and what becomes of their slices.

Each slice is a run of its own, with a plan of its own that is approved with the whole. One whose process died is cut again
from what is left of it, and a variant that came to nothing there is not bought a second time.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from typing import Any

from callsheet import causes, slices
from callsheet import plan as planning
from callsheet.credits import Credits
from callsheet.errors import NotApproved
from callsheet.ledger.ownership import Run
from callsheet.plan import Line, Plan
from callsheet.routing import SANDBOX
from callsheet.slices import Slice
from callsheet.steps import bring, left_behind, outcome, presence
from callsheet.steps import draw_up as drawing
from callsheet.steps.draw_up import Drawn
from callsheet.steps.studio import Studio
from callsheet.take import State
from callsheet.yamltext import shown

_WORDS: Mapping[str, tuple[State, ...]] = {
    "archived": (State.ARCHIVED,),
    "failed": (State.FAILED, State.RELEASED),
    "in doubt": (State.IN_DOUBT,),
    "rendering": (State.SUBMITTING, State.SUBMITTED),
    "fetching": (State.SUCCEEDED,),
}
#: What is said of a run whose own process has to go while the slices are at work.
LEFT = "stopped by its worker; its slices go on, and the next run of the campaign accounts for them"
_UNDER_WAY = ("rendering", "fetching")


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """A plan that is shared: what was approved, and how it was selected, so that it can be drawn up again."""

    drawn: Drawn
    #: Who approved it, and what the whole may cost.
    by: str
    ceiling: Credits | None

    @property
    def plan(self) -> Plan:
        return self.drawn.plan

    @property
    def spec(self) -> str:
        return str(self.drawn.loaded.spec)

    @property
    def labels(self) -> list[str]:
        return outcome.to_walk(self.plan)


def is_big(studio: Studio, *, part: str | None, attach_only: bool) -> bool:
    """Is this plan to be shared with other processes? A slice is not cut again, and drafts belong to the sandbox of the
    machine that they were sent from. A pilot is small, and what a review adds is no part of the campaign."""
    drawn = studio.drawn
    if (
        part is not None
        or attach_only
        or drawn.plan.route == SANDBOX
        or drawn.pilot is not None
        or drawn.round is not None
    ):
        return False
    return len(outcome.to_walk(studio.plan)) > studio.drawn.settings.slice


def approver(studio: Studio, otherwise: str) -> str:
    """Who approved the plan of this run, as the ledger has it: it may go on with what somebody said to another run."""
    rulings = studio.ledger.rulings(flow_run=studio.run.flow_run) if studio.run.flow_run else ()
    return next((one.by for one in rulings if one.word == "approved"), otherwise)


def refuse_stranger(studio: Studio, cut_by: str | None) -> None:
    """NotApproved for a slice of a campaign that was cut with another ledger: by another checkout on the same server, or where
    this worker lacks a setting. What it bought would be bought again, since the run that cut it would never hear of it."""
    if cut_by is not None and not studio.ledger.as_flow_runs([cut_by]):
        raise NotApproved(
            f"the ledger here knows nothing of flow run {shown(cut_by)}, which cut this campaign: it has another ledger.",
            where="CALLSHEET_LEDGER",
            hint="Give every worker of the pool the same one, and each checkout a work pool of its own.",
        )


def cut(sharing: Sharing) -> tuple[Slice, ...]:
    """The slices of the plan as it was approved."""
    return _cut(sharing.drawn, sharing.plan, sharing.labels, _left_out(sharing.drawn))


def _cut(drawn: Drawn, plan: Plan, walked: Collection[str], left_out: Collection[str]) -> tuple[Slice, ...]:
    """left_out: labels that no slice may buy, and that are no part of any slice's plan."""
    places = {variant.label: place for place, variant in enumerate(drawn.loaded.variants, start=1)}
    kept = [line for line in plan.lines if line.variant.label not in left_out]
    plan = planning.narrowed(plan, kept, several=len(drawn.pool.cards) > 1)
    cuts = slices.cut(plan, places=[*places], walked=walked, size=drawn.settings.slice, pool=drawn.pool)
    gone = [label for label in left_out if label in places]
    return tuple(replace(one, without=(*one.without, *(x for x in gone if places[x] in one.part))) for one in cuts)


def parameters(sharing: Sharing, one: Slice, *, is_first: bool) -> dict[str, Any]:
    """What the flow run of a slice is given. It may cost its own plan, and at the first cut its share of what the whole has
    to spare."""
    chosen = sharing.drawn.selection.as_arguments()
    bought = len(one.plan.of("shoot"))
    return {
        "spec": sharing.spec,
        "part": str(one.part),
        "only": chosen["only"],
        "skip": [*chosen["skip"], *map(_literal, one.without)],
        "again": chosen["again"],
        "limit": bought or None,
        "attach_only": bought == 0,
        "send_reserved": True,
        "max_usd": None if sharing.ceiling is None else _ceiling(sharing, sharing.ceiling, one, is_first),
        "occurrence": None if sharing.plan.occurrence is None else sharing.plan.occurrence.isoformat(),
        "approved": one.plan.digest,
        "approved_by": sharing.by,
    }


def _left_out(drawn: Drawn) -> dict[str, None]:
    """What a person left out of the plan, in order: a slice would buy it."""
    gone = [line.variant.label for line in drawn.whole.lines if line.variant.label not in drawn.plan.by_label]
    return dict.fromkeys(gone)


def _literal(label: str) -> str:
    """A glob that matches this label only."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in label)


def _ceiling(sharing: Sharing, ceiling: Credits, one: Slice, is_first: bool) -> str:
    """In credits: cents, rounded, would add up to more than the whole."""
    spare = max((ceiling - sharing.plan.costs).units, 0) if is_first else 0
    share = spare * one.costs.units // max(sharing.plan.costs.units, 1)
    return f"{Credits(units=one.costs.units + share)} credits"


async def left_of(sharing: Sharing, cuts: Sequence[Slice]) -> tuple[Slice, ...]:
    """What can still be done of these slices, whose processes are gone or found the plan changed: what is paid for and not
    home, and what nobody has tried. What came to nothing there was tried."""
    drawn = await bring.in_thread(lambda: _again(sharing))
    before = {label: sharing.plan.by_label[label] for one in cuts for label in one.labels}
    walked = [label for label in outcome.to_walk(drawn.plan) if label in before and _may(drawn.plan, before[label])]
    return _cut(drawn, drawn.plan, walked, _left_out(sharing.drawn))


def _again(sharing: Sharing) -> Drawn:
    drawn = sharing.drawn
    return drawing.draw_up(
        drawn.loaded.spec, sandbox=False, occurrence=drawn.plan.occurrence, **drawn.selection.as_arguments()
    )


def _may(now: Plan, before: Line) -> bool:
    line = now.by_label[before.variant.label]
    if line.key != before.key:
        return False
    is_untried = line.supersedes == before.supersedes or _was_never_sent(line)
    is_no_dearer = line.credits <= before.credits and line.most <= before.most
    return line.action == "attach" or (line.action == before.action == "shoot" and is_untried and is_no_dearer)


def _was_never_sent(line: Line) -> bool:
    """Reserved, and released before anything left: its process was stopped, or its route took nothing."""
    return line.take is not None and line.take.state is State.RELEASED and line.take.submitted_at is None


def how_far(sharing: Sharing, plans: Collection[str]) -> tuple[float, str]:
    """Percent, and words: "120 of 600 archived, 2 failed; 90 rendering, 388 waiting". plans: of every slice so far."""
    with closing(drawing.open_ledger(sharing.drawn.settings)) as ledger:
        counted = ledger.counted(campaign=sharing.plan.campaign, plans=plans)
    counts = {word: sum(counted.get(state, 0) for state in states) for word, states in _WORDS.items()}
    count = len(sharing.labels)
    ends = [f"{counts['archived']} of {count} archived"]
    ends += [f"{counts[word]} {word}" for word in ("failed", "in doubt") if counts[word]]
    going_on = [f"{counts[word]} {word}" for word in _UNDER_WAY if counts[word]]
    waiting = count - sum(counts.values())
    going_on += [f"{waiting} waiting"] if waiting > 0 else []
    over = sum(counts[word] for word in ("archived", "failed", "in doubt"))
    return round(100 * over / count, 1), "; ".join([", ".join(ends), *([", ".join(going_on)] if going_on else [])])


def told_to(studio: Studio, told: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Take over why variants did not come home from where they were made: cause and reason by label; the reasons."""
    studio.causes |= {label: causes.named(words) for label, (words, _) in told.items()}
    return {label: outcome.of_cell(reason) for label, (_, reason) in told.items()}


@asynccontextmanager
async def attending(sharing: Sharing, flow_run: str) -> AsyncIterator[Run]:
    """Be there, for `reconcile` and for whoever looks, without a claim on any variant: those are the slices'."""
    settings = sharing.drawn.settings
    campaign, route = sharing.plan.campaign, sharing.plan.route
    spec = str(sharing.drawn.loaded.spec.absolute())
    with (
        closing(drawing.open_ledger(settings)) as ledger,
        presence.present(settings, ledger, campaign=campaign, route=route, spec=spec, flow_run=flow_run) as run,
    ):
        async with presence.beating(ledger, run):
            yield run


async def gone(sharing: Sharing, flow_runs: Collection[str]) -> tuple[set[str], set[str]]:
    """Of these flow runs: those whose process is known and gone, and those that no process is known of."""
    return await asyncio.to_thread(_gone, sharing, flow_runs)


def _gone(sharing: Sharing, flow_runs: Collection[str]) -> tuple[set[str], set[str]]:
    settings = sharing.drawn.settings
    with closing(drawing.open_ledger(settings)) as ledger:
        known = ledger.as_flow_runs(flow_runs)
    dead = {name for name, run in known.items() if left_behind.is_dead(settings, run, run.began)}
    return dead, set(flow_runs) - set(known)
