"""Whoever acts on a take is alone with it: runs of one ledger, other campaigns' runs and people included."""

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callsheet.credits import Credits
from callsheet.errors import NotApproved, RunInProgress
from callsheet.ledger.book import Ledger
from callsheet.ledger.ownership import new_id
from callsheet.routing import EVOLINK, LOOPBACK
from callsheet.steps import outcome, prepare, settle, stage, studio, submit
from callsheet.steps.draw_up import draw_up, replayable
from callsheet.take import State, Take

from .local_provider import ACCEPT_THEN_500, LocalProvider
from .shoot import CAMPAIGN, ODD, run, takes

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


async def test_two_runs_of_a_campaign_at_once_pay_once_and_both_see_it_archived(
    spec: Path, provider: LocalProvider
) -> None:
    (one, _), (other, _) = await asyncio.gather(run(spec), run(spec))
    assert [account.message for account in (one, other)] == ["2 of 2 archived"] * 2
    assert sorted(str(account.credits) for account in (one, other)) == ["0", "72"]
    assert [take.state for take in takes(spec)] == [State.ARCHIVED] * 2
    assert len(provider.submits) == 2


async def test_a_plan_says_who_works_on_a_variant_and_costs_nothing_for_it(spec: Path) -> None:
    async with studio.opened(spec, sandbox=False):
        drawn = draw_up(spec, sandbox=False)
    assert {line.action for line in drawn.plan.lines} == {"attach"}
    assert drawn.plan.lines[0].reason.startswith(f"being rendered by process {os.getpid()} on ")
    assert not drawn.plan.credits
    assert {line.action for line in draw_up(spec, sandbox=False).plan.lines} == {"shoot"}


async def test_two_runs_that_select_different_variants_do_not_wait_for_each_other(
    spec: Path, provider: LocalProvider
) -> None:
    async with studio.opened(spec, sandbox=False, only=["*good*"]):
        account, _ = await run(spec, only=["*odd*"])
    assert account.message == "1 of 1 archived"


async def test_what_a_run_that_died_has_sent_is_taken_over_at_once_and_not_paid_again(
    spec: Path, provider: LocalProvider
) -> None:
    await sent_by_one_that_dies(spec)
    account, _ = await run(spec)
    assert account.message == "2 of 2 archived"
    assert len(provider.submits) == 2


async def test_what_is_refused_to_a_run_that_lost_its_lease_meanwhile_stays_held_for_the_one_that_has_it_now(
    spec: Path, provider: LocalProvider
) -> None:
    """That one may have sent the same key again, and been accepted: a released hold would be paid for a second time."""
    provider.scripts[ODD] = [503]
    provider.on_refuse = lambda: taken_over(spec)
    _, ended = await run(spec, only=["*odd*"])
    (error,) = ended.values()
    assert isinstance(error, RunInProgress)
    assert error.spent == "unknown"
    assert [take.state for take in takes(spec)] == [State.SUBMITTING]
    again, _ = await run(spec, only=["*odd*"])
    assert again.message == "1 of 1 archived"
    assert len({key for _, key in provider.submits}) == 1


def taken_over(spec: Path) -> None:
    """Every lease runs out, and a run that is gone again has had what was claimed."""
    ledger = Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")
    with (
        closing(ledger),
        closing(sqlite3.connect(spec.parent.parent / ".callsheet/ledger.sqlite")) as database,
        database,
    ):
        database.execute("update runs set until = '2000-01-01T00:00:00.000000+00:00'")
        database.commit()
        other = ledger.begin_run(new_id(), campaign="tiny", route=LOOPBACK, who="process 1 on studio")
        ledger.claim(other.id, [take.key for take in ledger.takes()])


async def sent_by_one_that_dies(spec: Path) -> None:
    """Its claims and its lease stay in the ledger; nobody holds its lock."""
    async with studio.opened(spec, sandbox=False) as at:
        labels = outcome.to_walk(at.plan)
        await prepare.prepare(labels[0])
        await stage.stage(labels[0])
        await submit.submit(labels[0])
        at.ledger.begin_run("dead", campaign="tiny", route="loopback", who="process 1 on nowhere")
        keys = [line.key for line in at.plan.lines]
        at.ledger.end_run(at.run.id)
        at.ledger.claim("dead", keys)


async def test_whoever_stands_by_goes_on_with_what_a_run_leaves_and_buys_nothing_that_it_had_not_bought(
    spec: Path, provider: LocalProvider
) -> None:
    async with studio.opened(spec, sandbox=False) as at:
        labels = outcome.to_walk(at.plan)
        await prepare.prepare(labels[0])
        await stage.stage(labels[0])
        await submit.submit(labels[0])
        seen = asyncio.Event()
        with studio.watched_by(lambda event: seen.set() if event.stage == "follow" else None):
            waiting = asyncio.create_task(run(spec))
        await seen.wait()
        at.ledger.end_run(at.run.id)
        account, errors = await waiting
    assert account.message == "1 of 2 archived, 1 failed"
    assert isinstance(errors[labels[1]], NotApproved)
    assert "had not" not in str(errors[labels[1]])
    assert len(provider.submits) == 1


async def test_two_homes_that_share_a_ledger_pay_once(
    spec: Path, tmp_path: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("CALLSHEET_LEDGER", f"sqlite:///{tmp_path}/shared/ledger.sqlite")
    async with studio.opened(spec, sandbox=False):
        (tmp_path / "link.sqlite").symlink_to(tmp_path / "shared/ledger.sqlite")
        monkeypatch.setenv("CALLSHEET_LEDGER", f"sqlite:///{tmp_path}/link.sqlite")
        monkeypatch.setenv("CALLSHEET_HOME", str(tmp_path / "second home"))
        assert {line.action for line in draw_up(spec, sandbox=False).plan.lines} == {"attach"}


async def test_two_homes_that_share_a_ledger_on_postgresql_pay_once(
    spec: Path, tmp_path: Path, provider: LocalProvider, postgres_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_LEDGER", postgres_schema)
    (one, _), (other, _) = await asyncio.gather(run(spec), run(spec))
    assert [account.message for account in (one, other)] == ["2 of 2 archived"] * 2
    monkeypatch.setenv("CALLSHEET_HOME", str(tmp_path / "third home"))
    account, _ = await run(spec)
    assert account.message == "nothing to do, 2 skipped"
    assert len(provider.jobs) == 2


async def test_a_take_of_another_campaign_is_left_to_its_run_and_taken_over_once_there_is_none(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec)
    other = spec.with_name("other.yaml")
    other.write_text(CAMPAIGN.replace("campaign: tiny", "campaign: other"))
    async with studio.opened(spec, sandbox=False):
        (line,) = draw_up(other, sandbox=False).plan.of("attach")
        assert line.owner
    account, _ = await run(other)
    assert account.message == "1 of 1 archived, 1 skipped"
    assert {take.state for take in takes(spec)} == {State.ARCHIVED}
    assert len(provider.jobs) == 2


@pytest.mark.parametrize(
    ("age", "expected"),
    [(timedelta(0), True), (timedelta(minutes=10), True), (timedelta(minutes=10, seconds=1), False)],
)
def test_a_request_key_is_replayed_for_ten_minutes(age: timedelta, expected: bool) -> None:
    assert replayable(sent_at(NOW - age), NOW) is expected


def test_a_clock_that_was_set_back_does_not_make_an_old_request_key_young(  # the provider may have forgotten it
) -> None:
    assert not replayable(sent_at(NOW + timedelta(hours=3)), NOW)


def sent_at(moment: datetime) -> Take:
    return Take(
        id=1,
        campaign="tiny",
        route=EVOLINK,
        slug="cup",
        key="k" * 64,
        number=1,
        state=State.IN_DOUBT,
        price=Credits.of(36),
        idempotency_key="callsheet-0",
        plan="p",
        created_at=moment,
        updated_at=moment,
        submitted_at=moment,
    )


async def test_what_a_run_that_is_stood_by_for_made_after_a_failure_is_gone_on_with_once_it_dies(
    spec: Path, provider: LocalProvider
) -> None:
    spec.write_text(spec.read_text().replace("  good: A good one.\n", "") + "retakes: 1\n")
    label = "cup--none--odd--16x9"
    provider.in_the_making = lambda job: job.endswith("1")
    async with studio.opened(spec, sandbox=False) as at:
        await prepare.prepare(label)
        await stage.stage(label)
        await submit.submit(label)
        seen = asyncio.Event()
        with studio.watched_by(lambda event: seen.set() if event.stage == "follow" else None):
            waiting = asyncio.create_task(run(spec))
        await seen.wait()
        at.ledger.failed(1, reason="service_error")
        await submit.submit(label)
        at.ledger.end_run(at.run.id)
        provider.in_the_making = None
        account, errors = await waiting
    assert [take.state for take in takes(spec)] == [State.FAILED, State.ARCHIVED], errors
    assert account.message == "1 of 1 archived"
    assert len(provider.submits) == 2


async def test_a_take_that_ended_after_the_plan_went_on_with_it_is_not_bought_again(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    provider.keys_are, provider.has_list = "none", False
    await run(spec, only=["*odd*"])
    (doubtful,) = settle.doubtful(spec)
    async with studio.opened(spec, sandbox=False, only=["*odd*"]) as at:
        (label,) = outcome.to_walk(at.plan)
        at.ledger.released(doubtful.id, reason="a person says so")
        with pytest.raises(NotApproved, match="another one was not approved"):
            await submit.submit(label)
    assert len(provider.submits) <= 2  # the first sending, and its key once more
    assert [take.state for take in takes(spec)] == [State.RELEASED]


async def test_no_person_settles_a_take_of_a_run_that_lives_though_its_lease_ran_out(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec)
    (doubtful,) = settle.doubtful(spec)
    async with studio.opened(spec, sandbox=False) as at:
        raw = sqlite3.connect(spec.parent.parent / ".callsheet/ledger.sqlite", isolation_level=None)
        raw.execute("update runs set until = began where id = ?", [at.run.id])
        raw.close()
        with pytest.raises(RunInProgress):
            settle.not_accepted(spec, doubtful.id)


async def test_no_person_releases_a_take_whose_answer_may_be_on_its_way(spec: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec)
    (doubtful,) = settle.doubtful(spec)
    async with studio.opened(spec, sandbox=False):
        with pytest.raises(RunInProgress):
            settle.not_accepted(spec, doubtful.id)
    assert settle.not_accepted(spec, doubtful.id).state is State.RELEASED
