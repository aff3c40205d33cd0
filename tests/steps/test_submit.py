"""The paid step against a provider that refuses, fails, loses its answer or delivers rubbish: what is paid, held, archived."""

from pathlib import Path

import pytest

from callsheet.errors import BudgetExceeded, ContentRefused, Rejected, ResultDamaged, SubmissionInDoubt, Unavailable
from callsheet.take import State

from .local_provider import ACCEPT_THEN_500, FAIL_AND_CHARGE, FAIL_LATER, LocalProvider
from .shoot import CAMPAIGN, ODD, run, takes


def odd(spec: Path) -> list[State]:
    return [take.state for take in takes(spec) if "--odd--" in take.slug]


async def test_one_refused_variant_does_not_stop_the_other(spec: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD] = [400]
    account, ended = await run(spec)
    assert account.message == "1 of 2 archived, 1 failed"
    assert account.exit_code == 1
    assert isinstance(ended["cup--none--odd--16x9"], Rejected)
    assert odd(spec) == [State.RELEASED]
    assert len(provider.jobs) == 1
    assert str(account.credits) == "36"


async def test_a_503_is_proof_of_nothing_accepted_and_is_sent_again_as_another_take(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [503, 503]
    account, _ = await run(spec, tries=3)
    assert account.exit_code == 0
    assert odd(spec) == [State.RELEASED, State.RELEASED, State.ARCHIVED]
    assert len({key for prompt, key in provider.submits if prompt == ODD}) == 3
    assert len(provider.jobs) == 2


async def test_a_lost_answer_is_asked_about_with_the_same_key_and_paid_once(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    account, _ = await run(spec, tries=2)
    assert account.message == "2 of 2 archived"
    assert odd(spec) == [State.ARCHIVED]
    keys = [key for prompt, key in provider.submits if prompt == ODD]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert len(provider.jobs) == 2


async def test_a_take_left_in_doubt_holds_its_money_and_the_next_run_settles_it(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    account, ended = await run(spec)
    doubt = ended["cup--none--odd--16x9"]
    assert isinstance(doubt, SubmissionInDoubt)
    assert (doubt.spent, doubt.retry) == ("unknown", "safe")
    assert account.exit_code == 9
    assert odd(spec) == [State.IN_DOUBT]
    assert str(account.credits) == "72"
    again, _ = await run(spec)
    assert again.message == "1 of 1 archived, 1 skipped"
    assert odd(spec) == [State.ARCHIVED]
    assert len(provider.jobs) == 2


async def test_the_replay_carries_the_body_of_the_first_send_although_the_media_would_be_staged_anew(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec)
    await run(spec)
    assert odd(spec) == [State.ARCHIVED]  # another body would have been a conflict, and stayed in doubt


async def test_a_job_that_the_provider_fails_releases_its_money_and_names_the_reason(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [FAIL_LATER]
    account, ended = await run(spec)
    assert isinstance(ended["cup--none--odd--16x9"], ContentRefused)
    assert odd(spec) == [State.FAILED]
    failed = account.of("failed")
    assert "content_policy_violation" in failed[0].reason
    assert str(account.credits) == "36"


async def test_a_failed_job_that_is_charged_all_the_same_stays_in_the_budget_and_says_so(
    spec: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [FAIL_AND_CHARGE]
    account, ended = await run(spec)
    refused = ended["cup--none--odd--16x9"]
    assert isinstance(refused, ContentRefused)
    assert refused.spent == "yes"
    assert "36 credits are charged all the same" in account.of("failed")[0].reason
    assert str(account.credits) == "72"
    spec.write_text(CAMPAIGN.replace("budget: $2.00", "budget: 100 credits"))
    once_more, _ = await run(spec)
    assert once_more.message == "0 of 1 archived, 1 blocked, 1 skipped"
    assert "was charged 36 credits and brought nothing" in once_more.of("failed")[0].reason
    assert not once_more.credits
    with pytest.raises(BudgetExceeded, match="72 of it are spoken for"):
        await run(spec, again=["*--odd--*"])


async def test_a_truncated_result_is_fetched_again_and_the_damaged_one_is_nowhere(
    spec: Path, provider: LocalProvider
) -> None:
    provider.truncate[:] = [40_000]
    account, ended = await run(spec)
    assert [type(error) for error in ended.values()].count(ResultDamaged) == 1
    assert account.message == "1 of 2 archived, 1 not finished"
    assert len(list((spec.parent.parent / "archive").rglob("*.mp4"))) == 2  # one deliverable, one source of the board
    again, _ = await run(spec)
    assert again.message == "1 of 1 archived, 1 skipped"
    assert len(provider.jobs) == 2


async def test_a_provider_that_is_gone_costs_nothing_and_says_so(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLINK_BASE_URL", "http://127.0.0.1:9")
    account, ended = await run(spec)
    assert all(isinstance(error, Unavailable) for error in ended.values())
    assert account.exit_code == 1
    assert set(odd(spec)) == {State.RELEASED}
    assert not account.credits


async def test_a_changed_comma_is_rendered_again_under_the_next_revision(spec: Path, provider: LocalProvider) -> None:
    await run(spec)
    spec.write_text(CAMPAIGN.replace("An odd one.", "An odd one, again."))
    account, _ = await run(spec)
    assert account.message == "1 of 1 archived, 1 skipped"
    names = sorted(take.archive for take in takes(spec) if "odd" in take.slug)
    assert names == ["tiny/cup--none--odd--16x9--t1--r2.mp4", "tiny/cup--none--odd--16x9--t1.mp4"]


async def test_renaming_what_is_not_paid_for_buys_nothing(spec: Path, provider: LocalProvider) -> None:
    await run(spec)
    media = spec.parent.parent / "media"
    (media / "cup.mp4").rename(media / "mug.mp4")
    renamed = CAMPAIGN.replace("cup: media/cup.mp4", "mug: media/mug.mp4").replace("good:", "fine:")
    spec.write_text("# a comment\n" + renamed)
    account, _ = await run(spec)
    assert account.message == "nothing to do, 2 skipped"
    assert len(provider.jobs) == 2


async def test_a_failed_upload_is_told_by_the_name_of_the_clip(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVOLINK_FILES_BASE_URL", "http://127.0.0.1:9")
    account, _ = await run(spec)
    assert {ended.outcome for ended in account.ended} == {"failed"}
    assert all("No answer to the upload of clip cup: " in ended.reason for ended in account.ended)
    assert provider.submits == []
