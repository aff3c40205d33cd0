"""The plan: every line has an action, a reason and an exact price; identity is content; an approval fits one plan only."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from callsheet import catalogue, digest
from callsheet.credits import ZERO, Credits
from callsheet.errors import BudgetExceeded, NotApproved, PlanChanged
from callsheet.plan import (
    Footage,
    Keys,
    LedgerView,
    Month,
    Plan,
    approve,
    dearest,
    decimal_seconds,
    draw_up,
    identity_of,
    key_of,
    without_new_takes,
    without_repeats,
    worst_case,
)
from callsheet.routing import EVOLINK, SANDBOX
from callsheet.sweep import Variant, expand
from callsheet.take import State

from .campaigns import campaign
from .plans import NOTHING, footage, plan, take_of


def with_first(state: State, **changes: Any) -> Plan:
    key = plan().lines[0].key
    view = replace(NOTHING, takes={key: take_of(key, state)}, **changes)
    return plan(view)


def test_a_fresh_campaign_shoots_everything_at_the_exact_price() -> None:
    fresh = plan()
    assert {line.action for line in fresh.lines} == {"shoot"}
    assert fresh.credits == Credits.of("63.84") * 12 + Credits.of("48") * 12
    assert fresh.as_json()["totals"]["credits"] == str(fresh.credits)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (State.RESERVED, "attach"),
        (State.SUBMITTING, "attach"),
        (State.SUBMITTED, "attach"),
        (State.SUCCEEDED, "attach"),
        (State.ARCHIVED, "skip"),
        (State.FAILED, "shoot"),
        (State.RELEASED, "shoot"),
        (State.IN_DOUBT, "attach"),
    ],
)
def test_the_newest_take_decides_and_only_shoot_costs(state: State, action: str) -> None:
    line = with_first(state).lines[0]
    assert line.action == action
    assert line.reason
    assert line.credits == (Credits.of("63.84") if action == "shoot" else ZERO)


def test_a_take_in_doubt_is_asked_about_again_where_the_key_can_be_replayed() -> None:
    line = with_first(State.IN_DOUBT, replayable={7}).lines[0]
    assert (line.action, line.credits) == ("attach", ZERO)
    assert "the same request key is asked about again" in line.reason
    for state in (State.SUBMITTING, State.IN_DOUBT):
        assert "nothing is sent again" in with_first(state).lines[0].reason


def test_a_deliverable_that_is_gone_is_never_paid_again_by_itself() -> None:
    line = with_first(State.ARCHIVED, missing={7}).lines[0]
    assert line.action == "blocked"
    assert "--again" in line.reason


def test_a_take_that_was_charged_and_brought_nothing_is_paid_again_by_a_persons_word_only() -> None:
    key = plan().lines[0].key
    failed = replace(take_of(key, State.FAILED), charged=Credits.of("63.84"))
    view = replace(NOTHING, takes={key: failed})
    blocked = plan(view, rerender="every-run").lines[0]
    assert (blocked.action, blocked.credits) == ("blocked", ZERO)
    assert "take 7 was charged 63.84 credits and brought nothing (content_policy_violation)" in blocked.reason
    assert "--again beach--none--dusk--16x9" in blocked.reason
    again = plan(view, again=("beach--none--dusk--16x9",)).lines[0]
    assert (again.action, again.supersedes) == ("shoot", 7)


def test_again_and_every_run_render_what_is_archived_and_say_why() -> None:
    key = plan().lines[0].key
    view = replace(NOTHING, takes={key: take_of(key, State.ARCHIVED)})
    asked = plan(view, again=("beach--none--dusk--16x9",)).lines[0]
    every = plan(view, rerender="every-run").lines[0]
    assert asked.action == every.action == "shoot"
    assert "asked for again" in asked.reason
    assert "every-run" in every.reason
    assert asked.supersedes == 7


MONDAY = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)


def test_what_was_made_for_an_occurrence_is_not_made_for_it_again() -> None:
    key, slug = plan().lines[0].key, "beach--none--dusk--16x9"
    made = replace(take_of(key, State.ARCHIVED), occurrence=MONDAY)
    view = replace(NOTHING, takes={key: made}, made={(slug, 1): made}, occurrence=MONDAY)
    assert plan(view, rerender="every-run").lines[0].action == "skip"
    later = replace(view, made={}, occurrence=MONDAY + timedelta(weeks=1))
    assert plan(later, rerender="every-run").lines[0].action == "shoot"
    edited = replace(view, takes={})
    skipped = plan(edited).lines[0]
    assert (skipped.action, skipped.credits) == ("skip", ZERO)
    assert skipped.reason == "take 7 was made for the occurrence of 2026-11-30 06:00 UTC already"
    for newer in (replace(made, id=8, occurrence=None), replace(made, id=8, occurrence=MONDAY - timedelta(weeks=1))):
        assert plan(replace(view, takes={key: newer}), rerender="every-run").lines[0].action == "skip"


def test_a_run_that_is_tried_again_makes_once_what_is_asked_for_again_and_counts_its_limit_over_all_tries() -> None:
    keys = [line.key for line in plan().lines]
    at = take_of(keys[0], State.ARCHIVED).created_at
    takes = {key: take_of(key, State.ARCHIVED, number) for number, key in enumerate(keys[:2], 7)}
    takes[keys[1]] = replace(takes[keys[1]], created_at=at - timedelta(days=1))
    asked = plan(replace(NOTHING, takes=takes), rerender="every-run")
    assert [line.action for line in asked.lines] == ["shoot"] * 24
    again = without_repeats(asked, at, None)
    assert [line.action for line in again.lines[:3]] == ["skip", "shoot", "shoot"]
    assert again.lines[0].reason == "take 7 was made since this run was first approved"
    assert again.credits == asked.credits - asked.lines[0].credits
    assert again.digest != asked.digest
    few = without_repeats(asked, at, 3)
    assert [line.action for line in few.lines] == ["skip", "shoot", "shoot"]
    assert without_repeats(asked, at + timedelta(seconds=1), None) is asked
    failed = take_of(keys[0], State.FAILED)
    assert without_repeats(plan(replace(NOTHING, takes={keys[0]: failed})), at, None).lines[0].action == "shoot"
    charged = replace(NOTHING, takes={keys[0]: replace(failed, charged=failed.price)})
    asked = plan(charged, again=("beach--none--dusk--16x9",))
    assert (asked.lines[0].action, without_repeats(asked, at, None).lines[0].action) == ("shoot", "blocked")


def test_what_costs_nothing_new_is_approved_whatever_was_spent_before() -> None:
    """What is paid for has to be brought home, also where the budget was lowered since, or the provider charged more."""
    view = replace(NOTHING, charged=Credits.of(3000))
    spent = without_new_takes(plan(view))
    month = Month(name="2026-11", limit=Credits.of(10), charged=Credits.of(30), held=ZERO)
    for nothing in (spent, replace(spent, month=month)):
        assert approve(nothing, by="reconcile").credits == ZERO


def test_the_digest_of_a_plan_is_of_its_occurrence_too() -> None:
    digests = {plan(replace(NOTHING, occurrence=when)).digest for when in (None, MONDAY, MONDAY + timedelta(days=1))}
    assert len(digests) == 3


def test_a_changed_variant_says_what_it_was_before() -> None:
    view = replace(NOTHING, earlier={("beach--none--dusk--16x9", 1): take_of("other", State.ARCHIVED)})
    assert plan(view).lines[0].reason == "changed since take 7 of 2026-11-23"


def test_a_changed_variant_says_which_parts_changed_where_the_ledger_knows() -> None:
    variant = expand(campaign())[0]
    before = identity_of(variant._replace(text="At dawn.", keep_original_sound=False), footage(variant))
    earlier = {(variant.slug, 1): take_of("other", State.ARCHIVED)}
    view = replace(NOTHING, earlier=earlier, identities={7: digest.canonical(before)})
    assert plan(view).lines[0].reason == "changed since take 7 of 2026-11-23: prompt and sound"
    unknown = replace(NOTHING, earlier=earlier, identities={7: ""})
    assert plan(unknown).lines[0].reason == "changed since take 7 of 2026-11-23"


def test_the_key_is_the_digest_of_the_identity() -> None:
    variant = expand(campaign())[6]
    identity = identity_of(variant, footage(variant))
    assert digest.of_bytes(digest.canonical(identity).encode()) == key_of(variant, footage(variant))
    assert plan().lines[6].key == digest.of_json(identity)


def test_the_same_content_twice_is_bought_once() -> None:
    variants = expand(campaign())
    same = {v.label: replace(footage(v), clip="sha-one", seconds=Fraction(4)) for v in variants}
    drawn = draw_up(
        campaign="hello", route="sandbox", variants=variants, footage=same,
        rerender="changed", budget=None, view=NOTHING,
    )  # fmt: skip
    assert len(drawn.of("shoot")) == 12
    assert "the same content as beach" in drawn.of("skip")[0].reason


def limited(limit: int, view: LedgerView = NOTHING, **media: Any) -> Plan:
    variants = expand(campaign())
    return draw_up(
        campaign="hello", route="sandbox", variants=variants,
        footage={v.label: replace(footage(v), **media) for v in variants},
        rerender="changed", budget=None, view=view, limit=limit,
    )  # fmt: skip


def test_a_limit_keeps_the_first_new_takes_in_plan_order_and_everything_that_costs_nothing_new() -> None:
    whole = plan()
    done = {line.key: take_of(line.key, State.ARCHIVED, number) for number, line in enumerate(whole.lines[:2], 1)}
    drawn = limited(3, replace(NOTHING, takes=done))
    assert [line.action for line in drawn.lines] == ["skip", "skip", "shoot", "shoot", "shoot"]
    assert [line.variant for line in drawn.lines] == [line.variant for line in whole.lines[:5]]
    assert limited(24).lines == limited(1000).lines == whole.lines


def test_no_line_is_the_same_as_one_that_the_limit_left_out() -> None:
    drawn = limited(5, clip="sha-one", seconds=Fraction(4))
    labels = {line.variant.label for line in drawn.lines}
    assert len(drawn.of("shoot")) == 5
    for line in drawn.of("skip"):
        assert line.reason.removeprefix("the same content as ") in labels


CHANGES: list[Callable[[Variant, Footage], tuple[Variant, Footage]]] = [
    lambda v, f: (v, replace(f, clip="other")),
    lambda v, f: (v, replace(f, window=("0", "3"))),
    lambda v, f: (v, replace(f, references=("r2", "r1"))),
    lambda v, f: (v._replace(text=v.text + "."), f),
    lambda v, f: (v._replace(aspect_ratio="1:1"), f),
    lambda v, f: (v._replace(keep_original_sound=False), f),
    lambda v, f: (v._replace(model="kling-o1-video-edit-fast"), f),
    lambda v, f: (v._replace(take=2), f),
]


def test_keys_that_share_what_they_share_are_the_digests_of_the_identities() -> None:
    """Every key from one `Keys`, first without and then with what it has written out before."""
    keys = Keys()
    many = [
        change(variant, media)
        for variant in [line.variant for line in plan().lines]
        for media in (footage(variant), replace(footage(variant), window=("1/3", "2"), references=()))
        for change in (lambda v, f: (v, f), *CHANGES)
    ]
    assert len({keys.of(v, f) for v, f in many}) > len(plan().lines)
    assert [keys.of(v, f) for v, f in many] == [key_of(v, f) for v, f in many]
    assert key_of(*many[0]) == digest.of_json(identity_of(*many[0]))


def test_whatever_is_paid_for_changes_the_key() -> None:
    variant = expand(campaign())[6]
    media = footage(variant)
    keys = {key_of(*change(variant, media)) for change in CHANGES}
    assert len(keys | {key_of(variant, media)}) == len(CHANGES) + 1


def test_names_do_not_count_and_neither_does_the_length_that_preparation_gives() -> None:
    variant = expand(campaign())[6]
    renamed = variant._replace(campaign="x", clip="y", references="z", prompt="w", slug="s", label="l", prompt_slug="q")
    assert key_of(renamed, replace(footage(variant), seconds=Fraction(9))) == key_of(variant, footage(variant))


def test_approval_fits_this_plan_only() -> None:
    drawn = plan()
    assert approve(drawn, by="test", approved_digest=drawn.digest, confirmed=True).credits == drawn.credits
    with pytest.raises(PlanChanged, match="would run now"):
        approve(drawn, by="test", approved_digest="0" * 64, confirmed=True)


def test_a_plan_over_the_budget_is_refused_with_the_missing_amount() -> None:
    with pytest.raises(BudgetExceeded, match=r"24 variants cost 1342.08 credits .* 342.08 credits .* short") as caught:
        approve(replace(plan(budget="1000"), route=EVOLINK), by="test", place="specs/test.yaml:3:9")
    assert str(caught.value).startswith("specs/test.yaml:3:9: ")
    assert caught.value.exit_code == 4
    assert caught.value.hint == "Raise budget:, or select fewer variants with --only, --limit or --pilot."
    with pytest.raises(BudgetExceeded) as of_drafts:
        approve(replace(plan(budget="1000"), route=SANDBOX), by="test")
    assert of_drafts.value.hint.startswith("Drafts have a budget of their own, as large, and no paid run sees them. ")


def test_what_is_held_and_charged_already_counts_against_the_budget() -> None:
    tight = replace(plan(budget="1400").budget, charged=Credits.of("60"))
    with pytest.raises(BudgetExceeded):
        approve(replace(plan(budget="1400"), budget=tight), by="test")
    approve(plan(budget="1400"), by="test")


def test_a_dear_plan_needs_a_person_and_max_usd_binds_even_then() -> None:
    with pytest.raises(NotApproved, match="approve_above"):
        approve(plan(), by="schedule", approve_above=Credits.of(10))
    approve(plan(), by="terminal", approve_above=Credits.of(10), confirmed=True)
    with pytest.raises(BudgetExceeded, match="--max-usd"):
        approve(plan(), by="terminal", confirmed=True, ceiling=Credits.of(10))


def test_finishing_a_dead_run_spends_nothing_new() -> None:
    finishing = without_new_takes(with_first(State.SUBMITTED))
    assert [line.action for line in finishing.lines] == ["attach"]
    assert finishing.credits == ZERO


def test_the_worst_case_counts_what_is_spoken_for_and_this_plan_only_once() -> None:
    drawn = with_first(State.SUBMITTED, held=Credits.of("63.84"), charged=Credits.of(100))
    assert worst_case(drawn) == Credits.of("163.84") + drawn.credits
    assert len(drawn.of("shoot")) == 23


def test_a_price_that_is_settled_on_what_was_rendered_can_grow_to_whole_seconds_and_any_other_is_final() -> None:
    final = plan().lines[0]
    assert dearest(final) == final.price == Credits.of("63.84")
    motion = catalogue.model("kling-v3-motion-control")
    variant = final.variant._replace(model=motion.name, options=motion.settled({}))
    assert dearest(final._replace(variant=variant, seconds=Fraction("3.4"))) == Credits.of("32.6592")


@pytest.mark.parametrize(("seconds", "text"), [("5.312", "5.312"), ("4", "4"), ("1/3", "0.333333"), ("10", "10")])
def test_seconds_are_written_without_trailing_zeros(seconds: str, text: str) -> None:
    assert decimal_seconds(Fraction(seconds)) == text
