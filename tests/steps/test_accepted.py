"""Between the provider's yes and its place in the ledger: the job id is never lost, and never bought a second time."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from callsheet.credits import Credits
from callsheet.errors import BudgetExceeded, IllegalTransition, LedgerUnreachable, NotApproved, SubmissionInDoubt
from callsheet.ledger.book import Booking, Ledger
from callsheet.plan import Line
from callsheet.steps import outcome, prepare, stage, studio, submit
from callsheet.steps.studio import Studio
from callsheet.take import State, Take

from .local_provider import ACCEPT_THEN_500, LocalProvider
from .shoot import CAMPAIGN, ODD, run, takes

LABEL = "cup--none--odd--16x9"


@asynccontextmanager
async def ready_to_submit(spec: Path) -> AsyncIterator[Studio]:
    async with studio.opened(spec, sandbox=False, only=[LABEL]) as at:
        outcome.approve(at, approved=at.plan.digest, by="test", max_usd=None)
        await prepare.prepare(LABEL)
        await stage.stage(LABEL)
        yield at


def booking(at: Studio, line: Line, price: Credits) -> Booking:
    return Booking(
        campaign=at.plan.campaign,
        route=at.plan.route,
        slug=line.variant.slug,
        key=line.key,
        number=1,
        price=price,
        plan=at.plan.digest,
        supersedes=0,
        budget=None,
    )


def in_the_ledger(spec: Path, *statements: str) -> None:
    """Straight on the file, as a disk or another program would interfere."""
    raw = sqlite3.connect(spec.parent.parent / ".callsheet/ledger.sqlite", isolation_level=None)
    for statement in statements:
        raw.execute(statement)
    raw.close()


async def test_a_job_that_the_ledger_cannot_record_is_named_and_recorded_later_without_asking_again(
    spec: Path, provider: LocalProvider
) -> None:
    provider.on_accept = lambda: in_the_ledger(spec, "alter table takes rename to away")
    async with ready_to_submit(spec):
        with pytest.raises(LedgerUnreachable) as refused:
            await submit.submit(LABEL)
        assert "task-unified-00000000" in str(refused.value)
        assert "callsheet reconcile" in str(refused.value)
        assert (refused.value.spent, refused.value.retry) == ("yes", "safe")
        in_the_ledger(spec, "alter table away rename to takes")
        await submit.submit(LABEL)
    assert [(take.state, take.job) for take in takes(spec)] == [(State.SUBMITTED, "task-unified-00000000")]
    assert len(provider.submits) == 1


async def test_a_commit_whose_answer_was_lost_is_gone_on_from(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ready_to_submit(spec) as at:
        commit = at.ledger.submitted

        def broken(*arguments: Any, **facts: Any) -> Take:
            commit(*arguments, **facts)
            monkeypatch.undo()
            raise LedgerUnreachable("the connection broke after the commit.", retry="safe")

        monkeypatch.setattr(at.ledger, "submitted", broken)
        with pytest.raises(LedgerUnreachable):
            await submit.submit(LABEL)
        take = at.ledger.take(await submit.submit(LABEL))
    assert (take.state, take.job) == (State.SUBMITTED, "task-unified-00000000")
    assert len(provider.submits) == 1


async def test_a_job_whose_take_was_released_meanwhile_is_named_and_nothing_is_sent_again(
    spec: Path, provider: LocalProvider
) -> None:
    def released_by_a_person() -> None:
        ledger = Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")
        ledger.released(1, reason="a person says so")
        ledger.close()

    provider.on_accept = released_by_a_person
    async with ready_to_submit(spec):
        with pytest.raises(IllegalTransition) as refused:
            await submit.submit(LABEL)
    assert "task-unified-00000000" in str(refused.value)
    assert (refused.value.spent, refused.value.retry) == ("yes", "never")


async def test_two_cells_that_are_one_purchase_are_walked_once_also_when_they_go_on_with_a_take(
    spec: Path, provider: LocalProvider
) -> None:
    """Both would else ask with one key at the same time: one refused and released, the other accepted and lost."""
    twins = CAMPAIGN.replace("  cup: media/cup.mp4", "  cup: media/cup.mp4\n  mug: media/cup.mp4")
    spec.write_text(twins.replace("  odd: An odd one.\n", ""))
    async with studio.opened(spec, sandbox=False) as at:
        at.ledger.reserve(booking(at, at.plan.lines[0], Credits.of(36)))
    async with studio.opened(spec, sandbox=False) as at:
        assert outcome.to_walk(at.plan) == ["cup--none--good--16x9"]
    account, _ = await run(spec)
    assert account.exit_code == 0
    assert str(account.credits) == "36"
    assert len(provider.submits) == 1


async def test_a_take_reserved_at_an_old_price_is_reserved_anew_before_it_is_sent(
    spec: Path, provider: LocalProvider
) -> None:
    async with ready_to_submit(spec) as at:
        line = at.plan.lines[0]
        at.ledger.reserve(booking(at, line, Credits.of(1)))
        await submit.submit(LABEL)
    assert [(take.state, str(take.price)) for take in takes(spec)] == [
        (State.RELEASED, "1"),
        (State.SUBMITTED, "36"),
    ]


async def test_a_lost_answer_is_not_asked_about_with_another_key_because_another_account_would_buy_it_again(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec)
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-of-another-account")
    account, ended = await run(spec, tries=3)
    assert account.exit_code == 9
    held = ended[LABEL]
    assert isinstance(held, SubmissionInDoubt)
    assert "another key or address" in held.what
    assert held.retry == "never"
    assert len([prompt for prompt, _ in provider.submits if prompt == ODD]) == 1
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-test")
    account, _ = await run(spec)
    assert account.message == "1 of 1 archived, 1 skipped"
    assert len(provider.jobs) == 2


async def reserved_at(spec: Path, price: int) -> None:
    """A take that an earlier run reserved at this price, and was killed before it sent it."""
    async with studio.opened(spec, sandbox=False, only=[LABEL]) as at:
        at.ledger.reserve(booking(at, at.plan.lines[0], Credits.of(price)))


async def test_a_take_reserved_at_a_lower_price_is_not_bought_at_a_higher_one_without_a_word(
    spec: Path, provider: LocalProvider
) -> None:
    await reserved_at(spec, 30)
    _, ended = await run(spec, only=[LABEL])
    assert isinstance(ended[LABEL], NotApproved)
    assert "36 credits" in str(ended[LABEL])
    assert [take.state for take in takes(spec)] == [State.RELEASED]
    assert not provider.submits
    account, _ = await run(spec, only=[LABEL])
    assert str(account.credits) == "36"


async def test_what_was_reserved_and_not_sent_counts_into_the_ceiling_of_the_run_that_sends_it(
    spec: Path, provider: LocalProvider
) -> None:
    await reserved_at(spec, 36)
    with pytest.raises(BudgetExceeded, match="--max-usd allows"):
        await run(spec, only=[LABEL], max_usd="0.50")  # 34 credits
    assert not provider.submits
    account, _ = await run(spec, only=[LABEL], max_usd="0.60")
    assert str(account.credits) == "36"
