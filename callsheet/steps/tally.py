"""Where the takes of a campaign stand, from the ledger alone: how far a plan has come, and who is at work on what is open."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from callsheet.credits import ZERO
from callsheet.errors import LedgerError
from callsheet.routing import SANDBOX
from callsheet.steps import draw_up
from callsheet.steps.draw_up import Drawn
from callsheet.steps.settings import Settings
from callsheet.take import State, Take

if TYPE_CHECKING:
    from callsheet.ledger.book import Ledger

#: What a run goes on with by itself. One in doubt waits for a person or for the provider's word.
OPEN = frozenset({State.RESERVED, State.SUBMITTING, State.SUBMITTED, State.SUCCEEDED})
#: How each state reads in a tally; what is not in it was not sent.
WORDS = {
    State.ARCHIVED: "archived",
    State.SUBMITTING: "at the provider",
    State.SUBMITTED: "at the provider",
    State.SUCCEEDED: "at the provider",
    State.IN_DOUBT: "in doubt",
    State.FAILED: "failed",
}
NOT_SENT = "not sent"


def so_far(drawn: Drawn) -> str:
    """2 of 15 archived, 3 at the provider (144 credits ($2.12) held), 10 not sent. Empty where the ledger cannot be read."""
    lines = drawn.plan.lines
    try:
        with closing(draw_up.open_ledger(drawn.settings)) as ledger:
            route = draw_up.routes_of(ledger, drawn.pool)
            takes = ledger.newest(sorted({line.key for line in lines}), route=route)
    except LedgerError:
        return ""
    # What is made again has takes of the same content from before this plan.
    newest = [(line, takes.get(line.key)) for line in lines]
    found = [take if take and (line.action != "shoot" or take.id > line.supersedes) else None for line, take in newest]
    counts = Counter(WORDS.get(take.state, NOT_SENT) if take else NOT_SENT for take in found)
    held = sum((take.cost for take in found if take and take.is_live), ZERO)
    told = [f"{counts.pop('archived', 0)} of {len(lines)} archived"]
    for words in dict.fromkeys((*WORDS.values(), NOT_SENT)):
        if count := counts.get(words):
            told.append(f"{count} {words}")
    return f"{', '.join(told)}{f'; {held.spoken} held' if held else ''}"


def next_words(drawn: Drawn, *, attach_only: bool) -> list[str]:
    """The command that goes on with what this plan has begun. Where running it once more would buy something else besides (what
    was made again already, the next so many), that is the one which buys nothing and brings home what was sent."""
    spec, chosen = drawn.loaded.shown(drawn.loaded.spec), drawn.selection
    draft = ["--sandbox"] if drawn.plan.route == SANDBOX else []
    if attach_only or chosen.again or chosen.limit is not None:
        return ["reconcile", spec, *draft]
    return ["run", spec, *draft, *chosen.words]


def at_work(settings: Settings, ledger: "Ledger", takes: Sequence[Take]) -> dict[int, str]:
    """Who works on each of these takes that is open now, by its id; "" where nobody does. LedgerError."""
    by_route: dict[str, list[Take]] = defaultdict(list)
    for take in takes:
        if take.state in OPEN:
            by_route[draw_up.claimed_on(settings, take.route)].append(take)
    found: dict[int, str] = {}
    for route, some in by_route.items():
        words = draw_up.owners(settings, ledger, route, {take.key for take in some})
        found |= {take.id: words.get(take.key, "") for take in some}
    return found
