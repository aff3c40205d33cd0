"""Whether a run may buy: what a person answers, what one has answered before, and when it has to be asked again."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callsheet.approval import Answer, Ruling
from callsheet.credits import Credits
from callsheet.errors import NotApproved, PlanChanged
from callsheet.ledger.book import Ledger
from callsheet.steps import ask, clock, draw_up, settings, studio
from callsheet.steps.ask import Asking
from callsheet.steps.studio import Studio
from tests.steps.shoot import shoot

#: Two variants of 36 credits ($0.53) each.
PRICE = Credits.of(72)


@pytest.fixture
def dear(spec: Path) -> Path:
    spec.write_text(f"{spec.read_text()}approve_above: $0.50\n".replace("$2.00", "$20.00"))
    return spec


def settle(at: Studio, answer: Answer | None = None, **given: Any) -> Asking | Ruling | None:
    known: dict[str, Any] = {"spec": "specs/tiny.yaml", "approved": None, "by": "schedule", "max_usd": None}
    return ask.settle(at, answer, **{**known, "can_ask": True, **given})


def yes(to: Asking, **facts: Any) -> Answer:
    known = {"plan": to.question.plan.digest, "is_yes": True, "by": "Ada", "cap": PRICE, "at": clock.now()}
    return Answer(**{**known, **facts})


async def asked(spec: Path, flow_run: str = "f-1", **chosen: Any) -> Asking:
    async with studio.opened(spec, sandbox=False, flow_run=flow_run, **chosen) as at:
        told = settle(at)
        assert isinstance(told, Asking)
        return told


async def answered(spec: Path, answer: Answer | None, flow_run: str = "f-1", **chosen: Any) -> Asking | Ruling | None:
    """What the next process of the same flow run comes to."""
    left_out = answer.left_out if answer is not None and answer.is_yes else ()
    async with studio.opened(spec, sandbox=False, flow_run=flow_run, left_out=left_out, **chosen) as at:
        return settle(at, answer)


def rulings(spec: Path) -> list[Ruling]:
    with closing(Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")) as ledger:
        return list(ledger.rulings())


async def test_a_dear_plan_is_asked_about_and_bought_once_it_is_approved(dear: Path) -> None:
    first = await asked(dear)
    assert "approve_above is 34 credits" in first.question.reason
    assert await answered(dear, yes(first, note="for the launch")) is None
    given, question = rulings(dear)
    assert (question.word, given.word, given.by, given.note) == ("asked", "approved", "Ada", "for the launch")
    assert given.plan == given.shown == question.plan == first.question.plan.digest
    assert (given.flow_run, given.credits) == ("f-1", PRICE)
    assert given.expires_at == given.at + timedelta(hours=24)


async def test_where_nobody_can_be_asked_it_ends_as_before(dear: Path) -> None:
    async with studio.opened(dear, sandbox=False) as at:
        with pytest.raises(NotApproved, match="approve_above"):
            settle(at, can_ask=False)
        with pytest.raises(PlanChanged):
            settle(at, can_ask=False, approved="0" * 64)
    assert rulings(dear) == []


async def test_a_rejection_is_kept_and_the_same_plan_is_asked_about_the_next_time(dear: Path) -> None:
    first = await asked(dear)
    told = await answered(dear, yes(first, is_yes=False, note="too dear"))
    assert isinstance(told, Ruling)
    assert ask.rejection(told).startswith("rejected by Ada (too dear): nothing was sent, plan ")
    assert [one.word for one in rulings(dear)] == ["rejected", "asked"]
    assert isinstance(await answered(dear, None, "f-2"), Asking)


async def test_a_crash_after_the_approval_is_not_asked_about_and_the_same_answer_is_kept_once(dear: Path) -> None:
    first = await asked(dear)
    answer = yes(first)
    assert await answered(dear, answer) is None
    async with studio.opened(dear, sandbox=False, flow_run="f-1") as at:
        assert settle(at, answer) is None
        await shoot(at, at.plan.lines[0].variant.label, 1)
    assert await answered(dear, answer) is None
    assert await answered(dear, None, "f-2") is None, "another run of the same plan goes on with it, too"
    assert [one.note[:7] for one in rulings(dear) if one.word == "approved"] == ["goes on", "goes on", ""]
    with clock.read_from(lambda: datetime.now(UTC) + timedelta(hours=25)):
        assert isinstance(await answered(dear, None, "f-3"), Asking)


async def test_an_approval_buys_once_where_every_run_renders_afresh(dear: Path) -> None:
    dear.write_text(f"{dear.read_text()}rerender: every-run\n")
    first = await asked(dear)
    async with studio.opened(dear, sandbox=False, flow_run="f-1") as at:
        assert settle(at, yes(first)) is None
        for line in at.plan.lines:
            await shoot(at, line.variant.label, 1)
    async with studio.opened(dear, sandbox=False, flow_run="f-1") as at:  # Prefect tries it once more
        assert settle(at, yes(first)) is None
        assert at.plan.credits == Credits()
    assert isinstance(await answered(dear, yes(first), "f-3"), Asking)
    at_six = datetime(2026, 11, 30, 6, tzinfo=UTC)
    assert isinstance(await answered(dear, None, "f-2", occurrence=at_six), Asking)


async def test_what_another_run_buys_while_one_waits_is_no_try_of_the_one_that_waits(dear: Path) -> None:
    dear.write_text(f"{dear.read_text()}rerender: every-run\n")
    await asked(dear, "f-1")
    other = await asked(dear, "f-2")
    async with studio.opened(dear, sandbox=False, flow_run="f-2") as at:
        assert settle(at, yes(other)) is None
        for line in at.plan.lines:
            await shoot(at, line.variant.label, 1)
    async with studio.opened(dear, sandbox=False, flow_run="f-1") as at:  # it is resumed
        assert [line.action for line in at.plan.lines] == ["shoot", "shoot"]
    async with studio.opened(dear, sandbox=False, flow_run="f-2") as at:  # it is tried again
        assert [line.action for line in at.plan.lines] == ["skip", "skip"]


async def test_two_runs_that_wait_for_the_same_plan_buy_it_once(dear: Path) -> None:
    first, second = await asked(dear, "f-1"), await asked(dear, "f-2")
    assert first.question.plan.digest == second.question.plan.digest
    async with studio.opened(dear, sandbox=False, flow_run="f-1") as at:
        assert settle(at, yes(first)) is None
        for line in at.plan.lines:
            await shoot(at, line.variant.label, 1)
    async with studio.opened(dear, sandbox=False, flow_run="f-2") as at:
        assert settle(at, yes(second)) is None
        assert at.plan.credits == Credits()


async def test_a_plan_that_changed_meanwhile_is_asked_about_again_and_says_how(dear: Path) -> None:
    first = await asked(dear)
    dear.write_text(dear.read_text().replace("odd: An odd one.", "odd: An odd one.\n  new: A new one."))
    again = await answered(dear, yes(first))
    assert isinstance(again, Asking)
    assert "of its variants 1 are new; it was 72 credits ($1.06) and is 108 credits ($1.59)" in again.question.why
    assert again.page.startswith("**Asked again:** plan ")
    assert await answered(dear, yes(again, cap=Credits.of(108))) is None


async def test_a_lower_cap_is_asked_about_again_unless_enough_is_left_out(dear: Path) -> None:
    first = await asked(dear)
    low = yes(first, cap=Credits.of_usd("0.60"))
    again = await answered(dear, low)
    assert isinstance(again, Asking)
    assert "set the cap to $0.60, and what is left costs $1.06" in again.question.why
    less = replace(low, left_out=("prompt=odd",))
    async with studio.opened(dear, sandbox=False, flow_run="f-1", left_out=less.left_out) as at:
        assert settle(at, less) is None
        assert [line.variant.prompt for line in at.plan.lines] == ["good"]
        assert at.ceiling == Credits.of_usd("0.60")
        assert at.ledger.owners(route=at.plan.route, keys=[line.key for line in at.drawn.whole.lines]).keys() == {
            line.key for line in at.plan.lines
        }, "what was left out is no run's"
    given = rulings(dear)[0]
    assert (given.cap, given.left_out) == (Credits.of_usd("0.60"), ("prompt=odd",))
    assert given.plan != given.shown == first.question.plan.digest


async def test_a_cap_holds_also_where_what_is_left_would_need_nobody_s_word(dear: Path) -> None:
    first = await asked(dear)
    dear.write_text(dear.read_text().replace("approve_above: $0.50", "approve_above: $0.60"))
    low = yes(first, cap=Credits.of_usd("0.40"), left_out=("prompt=odd",))
    assert isinstance(await answered(dear, low), Asking)


async def test_who_approves_less_than_was_approved_elsewhere_is_heard(dear: Path) -> None:
    first, second = await asked(dear, "f-1"), await asked(dear, "f-2")
    assert await answered(dear, yes(first), "f-1") is None
    assert isinstance(await answered(dear, yes(second, cap=Credits.of_usd("0.60")), "f-2"), Asking)


async def test_what_was_left_out_stays_out_after_a_crash_and_is_asked_about_by_another_run(dear: Path) -> None:
    first = await asked(dear)
    less = yes(first, left_out=("prompt=odd",))
    assert await answered(dear, less) is None
    assert await answered(dear, less) is None
    assert isinstance(await answered(dear, None, "f-2"), Asking)


async def test_what_is_the_same_purchase_as_something_left_out_is_bought_in_its_place(dear: Path) -> None:
    dear.write_text(dear.read_text().replace("  cup: media/cup.mp4", "  cup: media/cup.mp4\n  twin: media/cup.mp4"))
    first = await asked(dear)
    assert first.question.values == ("prompt=good", "prompt=odd"), "of the twin nothing is bought"
    answer = yes(first, left_out=("clip=cup",))
    async with studio.opened(dear, sandbox=False, flow_run="f-1", left_out=answer.left_out) as at:
        assert settle(at, answer) is None
        assert [(line.variant.clip, line.action) for line in at.plan.lines] == [("twin", "shoot")] * 2
        assert at.plan.credits == PRICE


async def test_what_a_limit_left_out_does_not_move_up(dear: Path) -> None:
    first = await asked(dear, limit=1)
    assert len(first.question.plan.of("shoot")) == 1
    answer = yes(first, left_out=("prompt=good",))
    again = await answered(dear, answer, limit=1)
    assert isinstance(again, Asking)
    assert "nothing is left to buy" in again.question.why


async def test_an_answer_that_a_worker_finds_days_later_is_good_for_nothing(dear: Path) -> None:
    first = await asked(dear)
    answer = yes(first)
    with clock.read_from(lambda: datetime.now(UTC) + timedelta(days=2)):
        again = await answered(dear, answer)
    assert isinstance(again, Asking)
    assert "so long ago that it has expired" in again.question.why


async def test_what_nobody_answers_in_time_is_told_and_what_was_answered_or_not_asked_here_is_not(dear: Path) -> None:
    await asked(dear)
    second = await asked(dear, "f-2")
    await answered(dear, yes(second, is_yes=False), "f-2")
    root, known = dear.parent.parent, ["f-1", "f-2", "of another checkout"]
    assert ask.expired(root, known) == {}
    with clock.read_from(lambda: datetime.now(UTC) + timedelta(hours=25)):
        told = ask.expired(root, known)
    assert list(told) == ["f-1"]
    assert "nobody answered until" in told["f-1"]


async def test_nothing_is_claimed_while_it_waits(dear: Path) -> None:
    await asked(dear)
    drawn = draw_up.draw_up(dear, sandbox=False)
    with closing(draw_up.open_ledger(settings.read(dear.parent.parent))) as ledger:
        assert ledger.running() == ()
        assert ledger.owners(route=drawn.plan.route, keys=[line.key for line in drawn.plan.lines]) == {}


async def test_the_page_of_a_question_has_the_price_of_every_value_and_no_markup_of_others(dear: Path) -> None:
    told = await asked(dear)
    assert "| prompt | odd | 1 | 36 credits \\($0\\.53\\) |" in told.page
    assert set(told.question.values) == {"prompt=good", "prompt=odd"}
    notice = told.notice("http://127.0.0.1:4200/runs/flow-run/1")
    assert notice.name == "callsheet.needs-approval"
    assert notice.payload["link"].endswith("/flow-run/1")
    assert notice.payload["plan"] == told.question.plan.digest
