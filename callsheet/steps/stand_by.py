"""Stand by while another run renders a variant: show how far it is, and go on with what it leaves if it dies.

Nothing new is bought here: a variant that the other run gave up before it was sent, or that failed there, is told, and left
to a run that a person approves.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callsheet.errors import JobFailed, NotApproved
from callsheet.ledger.ownership import Run
from callsheet.plan import Line
from callsheet.steps import presence, stopping
from callsheet.steps import studio as studios
from callsheet.steps.progress import STAGES, Stage
from callsheet.steps.studio import Studio
from callsheet.take import State, Take

log = logging.getLogger("callsheet.takes")

#: Seconds between two looks into the ledger, at least; and how much of the time may go into them.
PERIOD = 1.0
SHARE = 0.05
#: Where the walk of a take stands, by its state.
STANDS: Mapping[State, Stage] = {
    State.RESERVED: "submit",
    State.SUBMITTING: "submit",
    State.IN_DOUBT: "submit",
    State.SUBMITTED: "follow",
    State.SUCCEEDED: "deliver",
}


@dataclass(kw_only=True)
class Elsewhere:
    """What other runs were last seen to do with the variants that they own, read for all of them together."""

    #: Lines by label, as long as somebody stands by for them.
    lines: dict[str, Line] = field(default_factory=dict)
    takes: dict[str, Take] = field(default_factory=dict)
    owners: dict[str, Run] = field(default_factory=dict)
    #: When to look again, in the event loop's seconds.
    due: float = 0.0


async def stand_by(label: str) -> bool:
    """Has the other run brought it home? False where it died over it, and the take is now this run's to go on with.

    JobFailed where it came to nothing there, NotApproved where it was never sent: this run has no leave to buy it.
    """
    studio = studios.current()
    line = studio.line(label)
    elsewhere = studio.elsewhere
    elsewhere.lines[label] = line
    told: set[tuple[Stage, str]] = set()
    try:
        while True:
            stopping.refuse(studio, label)
            _look(studio, elsewhere)
            take = elsewhere.takes.get(line.key)
            _tell(studio, label, take, told)
            if take is not None and _is_home(line, take):
                return True
            if line.key not in elsewhere.owners and (home := _as_it_was_left(studio, line)) is not None:
                return home
            await asyncio.sleep(max(elsewhere.due - asyncio.get_running_loop().time(), 0.01))
    finally:
        del elsewhere.lines[label]


def _look(studio: Studio, elsewhere: Elsewhere) -> None:
    """What the ledger says of every line that is waited for. Runs that are gone are ended."""
    clock = asyncio.get_running_loop().time
    began = clock()
    if began < elsewhere.due:
        return
    keys = _keys(elsewhere.lines.values())
    elsewhere.takes = studio.ledger.newest(keys, route=studio.plan.routes)
    owners = studio.ledger.owners(route=studio.plan.route, keys=keys)
    gone = presence.bury(studio.drawn.settings, studio.ledger, owners.values())
    elsewhere.owners = {key: run for key, run in owners.items() if run.id not in gone}
    elsewhere.due = clock() + max(PERIOD, (clock() - began) / SHARE)


def _keys(lines: Iterable[Line]) -> list[str]:
    return sorted({line.key for line in lines})


def _is_home(line: Line, take: Take) -> bool:
    """Archived, and not a render that was there before the other run began its own."""
    if take.state is not State.ARCHIVED:
        return False
    return line.take is None or line.take.is_live or take.id > line.take.id


def _as_it_was_left(studio: Studio, line: Line) -> bool | None:
    """Its owner is gone, or has ended: is it home? False: the take is this run's now. None: a third run was faster."""
    label = line.variant.label
    other = presence.claimed(studio.drawn.settings, studio.ledger, studio.run, [line.key]).get(line.key)
    take = studio.ledger.newest([line.key], route=studio.plan.routes).get(line.key)
    if other is not None:
        studio.elsewhere.owners[line.key] = other
        return None
    if take is not None and _is_home(line, take):
        return True
    if take is not None and take.is_live and take.state is not State.RESERVED:
        studio.inherited.add(line.key)
        log.info("take %d %s: taken over from a run that is gone", take.id, take.slug)
        return False
    if take is not None and take.state is State.FAILED:
        raise JobFailed(f"it came to nothing in the run that had it: {take.reason}", where=label)
    raise NotApproved(
        "the run that had it ended before it was sent, and this one has no leave to buy it.",
        where=label,
        hint="Run the campaign again.",
    )


def _tell(studio: Studio, label: str, take: Take | None, told: set[tuple[Stage, str]]) -> None:
    """The stages that the other run has passed, each once."""
    if take is None:
        return
    here = STANDS.get(take.state)
    passed = STAGES if take.state is State.ARCHIVED else STAGES[: STAGES.index(here)] if here else ()
    events = [(stage, "done") for stage in passed] + ([(here, "began")] if here else [])
    for stage, state in events:
        if (stage, state) not in told:
            told.add((stage, state))
            studio.tell(
                label, stage, state, 1.0 if state == "done" else 0.0, take.archive if stage == "deliver" else ""
            )
