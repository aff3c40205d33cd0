"""A job that the provider failed for a passing reason becomes a new take: as often as asked, and never after a charge."""

import json
from pathlib import Path

import pytest

from callsheet.credits import Credits
from callsheet.errors import BudgetExceeded, JobFailed
from callsheet.ledger.book import Booking, Ledger
from callsheet.steps import studio
from callsheet.take import State

from .local_provider import FAIL_AND_HOLD, FAIL_WITH, KEEPING, REQUEST, LocalProvider
from .shoot import CAMPAIGN, ODD, run, takes

LABEL = "cup--none--odd--16x9"
ONE = CAMPAIGN.replace("  good: A good one.\n", "")
PASSING = ("service_error", "generation_timeout", "resource_exhausted", "quota_exceeded", "service_unavailable")


@pytest.fixture
def one(spec: Path) -> Path:
    """The campaign with one variant and one retake."""
    spec.write_text(f"{ONE}retakes: 1\n")
    return spec


def states(spec: Path) -> list[State]:
    return [take.state for take in takes(spec)]


@pytest.mark.parametrize(
    "forged",
    [{"credits": "x"}, {"credits": "1e99999999"}, {"deliverable": "../../x.mp4"}, {"deliverable": "a/../x.mp4"}],
)
async def test_an_entry_that_somebody_wrote_into_the_manifest_does_not_end_a_run(
    one: Path, provider: LocalProvider, forged: dict[str, str]
) -> None:
    account, _ = await run(one)
    written = json.loads(account.manifest.read_text())
    film = written["entries"][0]["deliverable"]
    added = {**written["entries"][0], "round": "retake", "key": "f" * 64, "deliverable": film, **forged}
    account.manifest.write_text(json.dumps({**written, "entries": [*written["entries"], added]}))
    account, _ = await run(one)
    assert account.exit_code == 0
    assert [entry["key"] for entry in json.loads(account.manifest.read_text())["entries"]] == [
        written["entries"][0]["key"]
    ]


@pytest.mark.parametrize("code", PASSING)
async def test_a_job_that_failed_for_a_passing_reason_is_taken_again_under_a_new_key_and_paid_once(
    one: Path, provider: LocalProvider, code: str
) -> None:
    provider.scripts[ODD] = [FAIL_WITH + code]
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    assert states(one) == [State.FAILED, State.ARCHIVED]
    assert len({key for _, key in provider.submits}) == 2
    assert str(account.credits) == "36"


@pytest.mark.parametrize(
    "code", ["content_policy_violation", "invalid_parameters", "unknown_error", "request_cancelled"]
)
async def test_a_job_that_would_fail_again_is_not_taken_again(one: Path, provider: LocalProvider, code: str) -> None:
    provider.scripts[ODD] = [FAIL_WITH + code]
    await run(one)
    assert states(one) == [State.FAILED]


async def test_a_charge_that_was_kept_is_never_followed_by_another(one: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD] = [FAIL_WITH + "service_error" + KEEPING]
    account, _ = await run(one)
    assert states(one) == [State.FAILED]
    assert str(account.credits) == "36"


async def test_a_failed_job_whose_credits_are_held_is_followed_until_that_is_settled(
    one: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [FAIL_AND_HOLD]
    account, _ = await run(one)
    assert states(one) == [State.SUBMITTED]
    assert account.message == "0 of 1 archived, 1 not finished"
    assert "still holds its credits" in account.ended[0].reason
    (job,) = provider.jobs
    provider.jobs[job]["end"] = FAIL_WITH + "service_error"  # they came back
    account, _ = await run(one)
    assert states(one) == [State.FAILED]
    assert str(account.credits) == "0"
    assert len(provider.submits) == 1


async def test_no_more_retakes_are_made_than_the_campaign_says(one: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD] = [FAIL_WITH + "service_error"] * 5
    account, ended = await run(one)
    assert states(one) == [State.FAILED, State.FAILED]
    assert isinstance(ended[LABEL], JobFailed)
    assert account.exit_code == 1
    assert not account.credits


async def test_a_retake_fits_under_the_ceiling_of_the_run_as_the_failed_take_did(
    one: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [FAIL_WITH + "service_error"]
    account, _ = await run(one, max_usd="0.60")  # 36 credits are $0.53
    assert states(one) == [State.FAILED, State.ARCHIVED]
    assert account.exit_code == 0


async def test_a_campaign_that_says_nothing_makes_no_retake(spec: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD] = [FAIL_WITH + "service_error"]
    await run(spec)
    assert [take.state for take in takes(spec) if "--odd--" in take.slug] == [State.FAILED]


async def test_a_retake_that_no_budget_is_left_for_is_not_sent(
    one: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_MONTHLY_BUDGET", "36 credits")
    provider.scripts[ODD] = [FAIL_WITH + "service_error"]
    with studio.watched_by(lambda event: spend_what_is_released(one) if "retake" in event.detail else None):
        _, ended = await run(one)
    assert isinstance(ended[LABEL], BudgetExceeded)
    assert states(one) == [State.FAILED, State.RESERVED]
    assert len(provider.submits) == 1


def spend_what_is_released(spec: Path) -> None:
    """Another campaign is faster: it holds what the failed take gave back, before the wait is over."""
    ledger = Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")
    other = Booking(
        campaign="other",
        route="loopback",
        slug="another",
        key="k" * 64,
        number=1,
        price=Credits.of(36),
        plan="p",
        supersedes=0,
        budget=None,
    )
    ledger.reserve(other)
    ledger.close()


async def test_a_job_of_an_earlier_run_that_fails_waits_for_the_next_plan(one: Path, provider: LocalProvider) -> None:
    """What the plan showed as paid for already is not bought anew behind its back."""
    provider.scripts[ODD] = ["accept, then 500"]
    await run(one)
    provider.jobs["task-unified-00000000"]["end"] = FAIL_WITH + "service_error"
    account, _ = await run(one)
    assert states(one) == [State.FAILED]
    again, _ = await run(one)
    assert states(one) == [State.FAILED, State.ARCHIVED]
    assert (account.exit_code, again.exit_code) == (1, 0)


async def test_what_the_provider_said_stands_in_the_ledger_the_account_and_the_manifest(
    one: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [FAIL_WITH + "invalid_parameters"]
    account, _ = await run(one)
    words = f"invalid_parameters: Please try later. (request {REQUEST}; its credits came back)"
    assert takes(one)[0].reason == words
    assert account.ended[0].reason.endswith(words)
    assert account.as_json()["takes"][0]["failure"] == {
        "code": "invalid_parameters",
        "message": "Please try later.",
        "request_id": REQUEST,
        "refunded": True,
    }
    assert words in account.manifest.read_text()
    assert words in account.board.read_text()
