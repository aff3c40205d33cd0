"""Plans of the small campaign, for tests of what is said about one."""

from datetime import UTC, datetime
from fractions import Fraction

from callsheet.credits import ZERO, Credits
from callsheet.plan import Footage, LedgerView, Plan, draw_up
from callsheet.sweep import Variant, expand
from callsheet.take import State, Take

from .campaigns import campaign

NOTHING = LedgerView(takes={}, earlier={}, held=ZERO, charged=ZERO)
LENGTHS = {"beach": Fraction("5.312"), "pier": Fraction(4)}


def footage(variant: Variant) -> Footage:
    references = ("r1", "r2") if variant.references == "brand" else ()
    return Footage(clip=f"sha-{variant.clip}", window=None, seconds=LENGTHS[variant.clip], references=references)


def plan(
    view: LedgerView = NOTHING, *, rerender: str = "changed", again: tuple[str, ...] = (), budget: str = "2720"
) -> Plan:
    variants = expand(campaign())
    return draw_up(
        campaign="hello",
        route="sandbox",
        variants=variants,
        footage={variant.label: footage(variant) for variant in variants},
        rerender=rerender,
        budget=Credits.of(budget),
        view=view,
        again=again,
    )


def take_of(key: str, state: State, number: int = 7) -> Take:
    at = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    return Take(
        id=number,
        campaign="hello",
        route="sandbox",
        slug="beach--none--dusk--16x9",
        key=key,
        number=1,
        state=state,
        price=Credits.of("63.84"),
        idempotency_key="callsheet-0123456789",
        plan="p",
        job="task-1",
        reason="content_policy_violation" if state is State.FAILED else "",
        archive="hello/beach.mp4",
        created_at=at,
        updated_at=at,
    )
