"""Whoever may act on a take is alone with it: one run a campaign and ledger, other campaigns' runs and people included."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callsheet.credits import Credits
from callsheet.errors import RunInProgress
from callsheet.steps import settle, studio
from callsheet.steps.draw_up import EVOLINK, replayable
from callsheet.take import State, Take

from .local_provider import ACCEPT_THEN_500, LocalProvider
from .shoot import CAMPAIGN, ODD, run, takes

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


async def test_two_homes_that_share_a_ledger_do_not_run_one_campaign_at_the_same_time(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_LEDGER", f"sqlite:///{tmp_path}/shared.sqlite")
    async with studio.opened(spec, sandbox=False):
        monkeypatch.setenv("CALLSHEET_HOME", str(tmp_path / "second home"))
        with pytest.raises(RunInProgress):
            async with studio.opened(spec, sandbox=False):
                pass


async def test_two_homes_that_share_a_ledger_on_postgresql_do_not_either_and_one_run_after_the_other_pays_once(
    spec: Path, tmp_path: Path, provider: LocalProvider, postgres_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_LEDGER", postgres_schema)
    async with studio.opened(spec, sandbox=False):
        monkeypatch.setenv("CALLSHEET_HOME", str(tmp_path / "second home"))
        with pytest.raises(RunInProgress, match="campaign tiny is being run on route loopback by "):
            async with studio.opened(spec, sandbox=False):
                pass
    account, _ = await run(spec)
    assert account.message == "2 of 2 archived"
    monkeypatch.setenv("CALLSHEET_HOME", str(tmp_path / "third home"))
    account, _ = await run(spec)
    assert account.message == "nothing to do, 2 skipped"
    assert len(provider.jobs) == 2


async def test_a_link_to_the_ledger_is_the_same_ledger(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("CALLSHEET_LEDGER", f"sqlite:///{tmp_path}/shared/ledger.sqlite")
    async with studio.opened(spec, sandbox=False):
        (tmp_path / "link.sqlite").symlink_to(tmp_path / "shared/ledger.sqlite")
        monkeypatch.setenv("CALLSHEET_LEDGER", f"sqlite:///{tmp_path}/link.sqlite")
        monkeypatch.setenv("CALLSHEET_HOME", str(tmp_path / "second home"))
        with pytest.raises(RunInProgress):
            async with studio.opened(spec, sandbox=False):
                pass


async def test_a_take_of_another_campaign_is_taken_over_only_once_that_campaign_is_not_running(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec)
    other = spec.with_name("other.yaml")
    other.write_text(CAMPAIGN.replace("campaign: tiny", "campaign: other"))
    async with studio.opened(spec, sandbox=False):
        with pytest.raises(RunInProgress, match="campaign tiny is being run"):
            async with studio.opened(other, sandbox=False):
                pass
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


async def test_no_person_releases_a_take_whose_answer_may_be_on_its_way(spec: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec)
    (doubtful,) = settle.doubtful(spec)
    async with studio.opened(spec, sandbox=False):
        with pytest.raises(RunInProgress):
            settle.not_accepted(spec, doubtful.id)
    assert settle.not_accepted(spec, doubtful.id).state is State.RELEASED
