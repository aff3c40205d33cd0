"""What an answer to a question about a plan is good for: exactly what was shown, each purchase once, for a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callsheet import approval
from callsheet.approval import Answer, Question, Ruling, allowed_by, objection, read_answer
from callsheet.credits import Credits
from callsheet.plan import Plan
from callsheet.take import State

from .plans import NOTHING, plan, take_of

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = plan()
RAW: dict[str, Any] = {"decision": "approve", "plan": PLAN.digest, "approved_by": " Ada  L. ", "cap_usd": 1000}


def ruling(of: Plan = PLAN, **facts: Any) -> Ruling:
    known: dict[str, Any] = {"word": "approved", "by": "Ada", "at": NOW, "expires_at": NOW + DAY, "shown": of.digest}
    known |= {"campaign": of.campaign, "route": of.route, "plan": of.digest, "credits": of.credits}
    return Ruling(**{**known, "allows": allowed_by(of), **facts})


ASKED = ruling(word="asked", by="")


def answer(**facts: Any) -> Answer:
    known = {"plan": PLAN.digest, "is_yes": True, "by": "Ada", "cap": PLAN.most, "at": NOW}
    return Answer(**{**known, **facts})


def view(*takes: tuple[int, State, str]) -> Plan:
    """The plan once there is a take of each of these lines: its number, state, what the provider charged."""
    known = {}
    for number, (place, state, charged) in enumerate(takes, start=1):
        key = PLAN.lines[place].key
        known[key] = replace(take_of(key, state, number), charged=Credits.of(charged) if charged else None)
    return plan(replace(NOTHING, takes=known))


# --- what a form sent ----------------------------------------------------------------------------------------------------


def test_an_answer_is_read_from_what_a_form_sent() -> None:
    told = read_answer({**RAW, "cap_usd": 12.34, "leave_out": ["prompt=neon"], "note": "as  agreed\n"}, NOW)
    assert (told.is_yes, told.by, told.cap, told.note) == (True, "Ada L.", Credits.of_usd("12.34"), "as agreed")
    assert told.left_out == ("prompt=neon",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision": "maybe"},
        {"decision": None},
        {"approved_by": "  "},
        {"approved_by": 7},
        {"plan": None},
        {"cap_usd": "all of it"},
        {"cap_usd": True},
        {"cap_usd": float("nan")},
        {"cap_usd": float("inf")},
        {"cap_usd": -1},
        {"cap_usd": "1e999990"},
        {"cap_usd": "1e9999999"},
        {"cap_usd": None},
        {"leave_out": "prompt=neon"},
        {"leave_out": [1]},
        {"note": ["x"]},
    ],
)
def test_what_is_no_answer_approves_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"decision|plan|leave_out|cap"):
        read_answer({**RAW, **wrong}, NOW)


# --- an answer against the plan as it stands -----------------------------------------------------------------------------


def test_a_yes_to_the_plan_that_was_asked_about_holds() -> None:
    assert objection(answer(), asked=ASKED, whole=PLAN, plan=PLAN) == ""


def test_a_yes_to_another_plan_holds_for_none_and_says_what_changed() -> None:
    now = view((0, State.ARCHIVED, ""))
    why = objection(answer(), asked=ASKED, whole=now, plan=now)
    assert "of its variants 1 are not to be bought any more; it was" in why
    assert f"is {now.credits.spoken}" in why


def test_a_yes_that_nobody_asked_for_or_that_comes_too_late_holds_for_nothing() -> None:
    assert "asked nothing" in objection(answer(), asked=None, whole=PLAN, plan=PLAN)
    late = answer(at=NOW + DAY + timedelta(seconds=1))
    assert "when it had expired" in objection(late, asked=ASKED, whole=PLAN, plan=PLAN)


def test_a_cap_below_what_is_left_is_asked_about_again_and_one_above_it_holds() -> None:
    low = answer(cap=Credits.of_usd("1.00"))
    assert "set the cap to $1.00" in objection(low, asked=ASKED, whole=PLAN, plan=PLAN)
    to_the_cent = answer(cap=Credits.of_usd(PLAN.costs.usd))
    assert objection(to_the_cent, asked=ASKED, whole=PLAN, plan=PLAN) == ""


def test_who_leaves_out_everything_or_what_there_is_not_is_asked_again() -> None:
    nothing = replace(PLAN, lines=())
    all_of_it = answer(left_out=("clip=beach", "clip=pier"))
    assert "nothing is left to buy" in objection(all_of_it, asked=ASKED, whole=PLAN, plan=nothing)
    unknown = answer(left_out=("prompt=dawn",))
    assert "prompt=dawn is no value of this plan" in objection(unknown, asked=ASKED, whole=PLAN, plan=PLAN)


def test_what_is_paid_for_comes_home_whatever_is_left_out() -> None:
    line = view((0, State.SUBMITTED, "")).lines[0]
    assert line.action == "attach"
    value = f"clip={line.variant.clip}"
    assert not approval.is_left_out(line, [value])
    assert approval.is_left_out(PLAN.lines[0], [value])
    assert approval.is_left_out(view((0, State.RESERVED, "")).lines[0], [value])


# --- how long, and how often, it is good ---------------------------------------------------------------------------------


def test_an_approval_covers_its_plan_and_what_is_left_of_it_until_it_expires() -> None:
    given, rest = ruling(), view((0, State.ARCHIVED, ""), (1, State.SUBMITTED, ""))
    assert given.covers(PLAN, NOW)
    assert given.covers(rest, NOW + DAY)
    assert given.spent(rest) == Credits.of("63.84") * 2
    assert not given.covers(rest, NOW + DAY + timedelta(seconds=1))
    assert not replace(given, word="asked").covers(PLAN, NOW)
    assert not replace(given, word="rejected").covers(PLAN, NOW)
    assert not replace(given, expires_at=None).covers(PLAN, NOW)


def test_an_approval_is_for_one_purchase_of_each_variant() -> None:
    bought = {line.key: take_of(line.key, State.ARCHIVED) for line in PLAN.lines}
    afresh = plan(replace(NOTHING, takes=bought), rerender="every-run")
    assert afresh.credits == PLAN.credits
    assert not ruling().covers(afresh, NOW)


def test_what_came_to_nothing_uncharged_may_be_bought_under_the_same_approval_and_what_was_charged_may_not() -> None:
    assert ruling().covers(view((0, State.FAILED, "")), NOW)
    first = PLAN.lines[0]
    charged = plan(
        replace(NOTHING, takes={first.key: replace(take_of(first.key, State.FAILED), charged=Credits.of(5))}),
        again=(first.variant.slug,),
    )
    assert not ruling().covers(charged, NOW)


def test_an_approval_is_not_for_another_occurrence_campaign_or_route_nor_a_higher_price() -> None:
    given = ruling()
    for other in ({"occurrence": NOW}, {"campaign": "other"}, {"route": "evolink"}):
        assert not given.covers(replace(PLAN, **other), NOW)
    dearer = tuple(line._replace(most=line.most + Credits.of(1)) for line in PLAN.lines)
    assert not given.covers(replace(PLAN, lines=dearer), NOW)


def test_what_it_allows_is_kept_as_text() -> None:
    assert approval.from_text(approval.as_text(allowed_by(PLAN))) == allowed_by(PLAN)
    assert approval.from_text(approval.as_text(None)) is None
    assert approval.from_text(approval.as_text({})) == {}


def test_a_question_names_every_value_that_would_be_bought_and_says_what_waits() -> None:
    asked = Question(plan=PLAN, spec="specs/hello.yaml", reason="dear.", why="", until=NOW)
    assert {"clip=beach", "clip=pier"} <= set(asked.values)
    assert asked.message.startswith("waits for approval until 2026-11-26 09:00 UTC: ")
    assert "asked again" not in asked.message
    assert replace(asked, why="the plan changed").message.endswith("; asked again: the plan changed")
    assert Question(plan=view(*((n, State.ARCHIVED, "") for n in range(len(PLAN.lines)))),
                    spec="s", reason="", why="", until=NOW).values == ()  # fmt: skip
