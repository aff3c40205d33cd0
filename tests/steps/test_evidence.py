"""Lost answers on routes that do not replay keys: found where the provider's list is unambiguous, else held and shown."""

import hashlib
import re
from contextlib import closing
from pathlib import Path

import pytest

from callsheet.errors import IllegalTransition, StillThere, SubmissionInDoubt, TakeAlreadyLive, WasAccepted
from callsheet.ledger.book import Ledger
from callsheet.plan import without_new_takes
from callsheet.steps import hear, settle, studio
from callsheet.take import State

from .local_provider import ACCEPT_THEN_500, LocalProvider
from .shoot import ODD, run, takes

LABEL = "cup--none--odd--16x9"
GOOD = "A good one."


@pytest.fixture
def heedless(spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The campaign on a provider that pays no heed to request keys."""
    provider.keys_are = "none"
    monkeypatch.setenv("EVOLINK_IDEMPOTENCY", "none")
    return spec


async def test_a_lost_answer_is_not_sent_again_where_keys_are_not_heeded_and_the_list_settles_it(
    heedless: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    account, ended = await run(heedless, tries=3)
    assert account.exit_code == 9
    doubt = ended[LABEL]
    assert isinstance(doubt, SubmissionInDoubt)
    assert doubt.retry == "never"
    again, _ = await run(heedless)
    assert again.message == "1 of 1 archived, 1 skipped"
    assert len(provider.submits) == len(provider.jobs) == 2
    odd = next(take for take in takes(heedless) if take.slug == LABEL)
    assert provider.jobs[odd.job]["prompt"] == ODD


async def test_the_evidence_is_committed_with_the_take(heedless: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(heedless)
    (found,) = await settle.by_evidence(heedless)
    assert found.job in provider.jobs
    (odd,) = [take for take in takes(heedless) if take.slug == LABEL]
    assert (odd.state, odd.job) == (State.SUBMITTED, found.job)
    assert odd.reason.startswith(f"found in the provider's list: job {found.job}, created ")
    assert await settle.by_evidence(heedless) == ()


async def test_two_lost_answers_of_one_price_at_one_time_are_both_held_with_the_candidates(
    heedless: Path, provider: LocalProvider
) -> None:
    provider.scripts |= {ODD: [ACCEPT_THEN_500], GOOD: [ACCEPT_THEN_500]}
    await run(heedless)
    first, second = await settle.by_evidence(heedless)
    assert first.job == second.job == ""
    assert set(first.candidates) == set(second.candidates) == set(provider.jobs)
    account, ended = await run(heedless)
    assert account.exit_code == 9
    assert "2 jobs of the provider's list fit it" in str(ended[LABEL])
    assert [take.state for take in takes(heedless)] == [State.IN_DOUBT] * 2
    assert len(provider.submits) == 2
    settled = await settle.accepted(heedless, take_id=first.take.id, job=min(provider.jobs))
    assert settled.state is State.SUBMITTED
    (rest,) = await settle.by_evidence(heedless)
    assert rest.job == max(provider.jobs)  # nothing else is left


async def test_a_provider_without_a_list_leaves_the_take_held(heedless: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD], provider.has_list = [ACCEPT_THEN_500], False
    await run(heedless)
    (held,) = await settle.by_evidence(heedless)
    assert (held.job, held.candidates) == ("", ())
    assert "no list of jobs" in held.why


async def test_what_was_never_accepted_is_never_released_for_want_of_evidence(
    heedless: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [500]
    await run(heedless)
    (held,) = await settle.by_evidence(heedless)
    assert "a list may lag" in held.why
    assert [take.state for take in takes(heedless) if take.slug == LABEL] == [State.IN_DOUBT]


async def test_a_refused_key_proves_acceptance_and_the_list_names_the_job(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVOLINK_IDEMPOTENCY", "reject")
    provider.keys_are = "reject"
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    account, _ = await run(spec, tries=2)
    assert account.message == "2 of 2 archived"
    assert len([prompt for prompt, _ in provider.submits if prompt == ODD]) == 2  # the second was the conflict
    assert len(provider.jobs) == 2


async def test_a_refused_key_without_a_list_is_held_and_not_asked_about_for_ever(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVOLINK_IDEMPOTENCY", "reject")
    provider.keys_are, provider.has_list = "reject", False
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    _, ended = await run(spec, tries=3)
    doubt = ended[LABEL]
    assert isinstance(doubt, SubmissionInDoubt)
    assert doubt.retry == "never"
    assert "it was accepted" in doubt.what
    assert [take.state for take in takes(spec) if take.slug == LABEL] == [State.IN_DOUBT]


async def test_what_was_proved_to_be_accepted_is_not_released_by_a_slip_of_the_pen_and_can_be_given_up(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVOLINK_IDEMPOTENCY", "reject")
    provider.keys_are, provider.has_list = "reject", False
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec, tries=3, only=[LABEL])
    (take,) = takes(spec)
    with pytest.raises(WasAccepted, match=f"take {take.id} was accepted") as refused:
        settle.not_accepted(spec, take.id)
    assert f"--lost {take.id}" in refused.value.hint
    assert f"--accepted {take.id} JOB" in refused.value.hint
    assert takes(spec) == [take]
    provider.has_list = True
    with pytest.raises(StillThere, match="its job is task-unified-00000000"):
        await settle.lost(spec, take.id)
    provider.has_list = False
    gone = await settle.lost(spec, take.id)
    assert (gone.state, gone.cost) == (State.FAILED, take.price)
    account, _ = await run(spec, only=[LABEL])
    assert "pay again with --again" in account.of("failed")[0].reason
    assert len(provider.jobs) == 1


async def test_a_job_whose_take_was_released_by_mistake_is_taken_up_and_not_bought_again(
    heedless: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD], provider.has_list = [ACCEPT_THEN_500], False
    await run(heedless, only=[LABEL])
    settle.not_accepted(heedless, 1)
    (job,) = provider.jobs
    found = await settle.accepted(heedless, take_id=1, job=job)
    assert (found.id, found.state, found.job, str(found.price)) == (2, State.SUBMITTED, job, "36")
    account, _ = await run(heedless, only=[LABEL])
    assert account.message == "1 of 1 archived"
    assert [take.state for take in takes(heedless)] == [State.RELEASED, State.ARCHIVED]
    assert len(provider.jobs) == 1
    with pytest.raises(TakeAlreadyLive, match="take 2 of the same content is archived"):
        await settle.accepted(heedless, take_id=1, job=job)


async def test_a_job_is_not_taken_up_beside_another_purchase_of_the_same_content(
    heedless: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD], provider.has_list = [ACCEPT_THEN_500], False
    await run(heedless, only=[LABEL])
    settle.not_accepted(heedless, 1)
    await run(heedless, only=[LABEL])
    with pytest.raises(TakeAlreadyLive, match="take 2 of the same content is archived"):
        await settle.accepted(heedless, take_id=1, job=min(provider.jobs))


async def test_what_is_in_doubt_without_a_proof_is_released_by_a_person_and_not_given_up(
    heedless: Path, provider: LocalProvider
) -> None:
    provider.scripts[ODD] = [500]
    await run(heedless, only=[LABEL])
    with pytest.raises(IllegalTransition, match="is in_doubt"):
        await settle.lost(heedless, 1)
    assert settle.not_accepted(heedless, 1).state is State.RELEASED


async def test_a_key_that_was_never_seen_is_accepted_by_a_route_that_refuses_repetitions(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVOLINK_IDEMPOTENCY", "reject")
    provider.keys_are = "reject"
    provider.scripts[ODD] = [500]  # not accepted, and nobody can know
    account, _ = await run(spec, tries=2)
    assert account.message == "2 of 2 archived"
    assert len(provider.jobs) == 2


async def test_a_job_that_another_key_of_the_account_may_have_made_is_no_evidence(
    heedless: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key was changed between two lost answers: the account lists the job of the first, and the second was refused."""
    provider.scripts |= {ODD: [ACCEPT_THEN_500], GOOD: [500]}
    await run(heedless, only=[LABEL])
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-the-next-one")
    await run(heedless, only=["*--good--*"])
    weighed = await settle.by_evidence(heedless)
    assert [one.job for one in weighed] == ["", ""]
    assert "fits take 1 as well" in weighed[1].why
    assert [take.state for take in takes(heedless)] == [State.IN_DOUBT] * 2


# --- never sent ---------------------------------------------------------------------------------------------------------


async def test_what_was_reserved_and_never_sent_is_sent_by_a_reconciliation_only_where_somebody_allows_it(
    spec: Path, provider: LocalProvider
) -> None:
    async with studio.opened(spec, sandbox=False) as at:
        from .test_accepted import booking

        line = next(line for line in at.plan.lines if line.variant.label == LABEL)
        at.ledger.reserve(booking(at, line, line.price))
    async with studio.opened(spec, sandbox=False, attach_only=True) as at:
        assert at.plan.lines == ()
    (unsent,) = settle.unsent(spec, sandbox=False)
    assert unsent.slug == LABEL
    async with studio.opened(spec, sandbox=False, attach_only=True, send_reserved=True) as at:
        assert [line.variant.label for line in at.plan.lines] == [LABEL]
        assert without_new_takes(at.plan).lines == ()


# --- given up -----------------------------------------------------------------------------------------------------------


async def test_a_paid_result_that_cannot_be_had_is_given_up_and_stays_charged(
    spec: Path, provider: LocalProvider
) -> None:
    provider.results[:] = [410, 410]
    await run(spec, only=["*--odd--*"])
    (take,) = takes(spec)
    assert take.state is State.SUCCEEDED
    provider.results[:] = []
    with pytest.raises(StillThere, match="a link that gives its result"):
        await settle.lost(spec, take.id)
    provider.results[:] = [410]
    gone = await settle.lost(spec, take.id)
    assert (gone.state, str(gone.charged)) == (State.FAILED, "36")
    assert gone.reason.startswith("given up: the link of job")
    account, _ = await run(spec, only=["*--odd--*"])
    assert "pay again with --again" in account.of("failed")[0].reason
    assert len(provider.jobs) == 1


async def test_a_job_that_the_provider_forgot_is_given_up_at_its_price(spec: Path, provider: LocalProvider) -> None:
    provider.results[:] = [500, 500]
    await run(spec, only=["*--odd--*"])
    provider.jobs.clear()
    (take,) = takes(spec)
    gone = await settle.lost(spec, take.id)
    assert (gone.state, gone.cost) == (State.FAILED, take.price)
    assert "does not know job" in gone.reason


async def test_only_what_has_a_job_and_no_file_can_be_given_up(spec: Path, provider: LocalProvider) -> None:
    await run(spec, only=["*--odd--*"])
    with pytest.raises(IllegalTransition, match="is archived"):
        await settle.lost(spec, 1)
    ledger = Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")
    assert ledger.take(1).state is State.ARCHIVED
    ledger.close()


# --- callbacks ----------------------------------------------------------------------------------------------------------


def called_back(spec: Path, provider: LocalProvider, job: str) -> None:
    """As `callsheet webhooks` writes it down, when the provider posts to the address in the request of this job."""
    token = provider.jobs[job]["callback"].rpartition("/")[2]
    with closing(Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")) as ledger:
        hear.record(ledger, hashlib.sha256(token.encode()).hexdigest(), job)


async def test_a_callback_settles_exactly_the_take_whose_request_named_its_address(
    heedless: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_CALLBACK_URL", "https://hooks.example/c/")
    provider.scripts |= {ODD: [ACCEPT_THEN_500], GOOD: [ACCEPT_THEN_500]}
    provider.has_list = False
    _, ended = await run(heedless)
    addresses = {job: one["callback"] for job, one in provider.jobs.items()}
    assert len(set(addresses.values())) == 2
    for address in addresses.values():
        assert re.fullmatch(r"https://hooks\.example/c/[A-Za-z0-9_-]{32}", address)
        assert address.rpartition("/")[2] not in "".join(map(str, ended.values()))
    (odd,) = [job for job, one in provider.jobs.items() if one["prompt"] == ODD]
    called_back(heedless, provider, odd)
    account, _ = await run(heedless)
    assert account.message == "1 of 2 archived, 1 in doubt"
    (settled,) = [take for take in takes(heedless) if take.state is State.ARCHIVED]
    assert (settled.slug, settled.job) == (LABEL, odd)
    assert len(provider.submits) == 2


async def test_a_callback_about_a_job_that_the_provider_does_not_know_settles_nothing(
    heedless: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_CALLBACK_URL", "https://hooks.example/c")
    provider.scripts[ODD], provider.has_list = [ACCEPT_THEN_500], False
    await run(heedless, only=[LABEL])
    (job,) = provider.jobs
    called_back(heedless, provider, job)
    provider.jobs.clear()
    (held,) = await settle.by_evidence(heedless)
    assert (held.job, held.candidates) == ("", (job,))
    assert "status read does not know" in held.why


async def test_no_request_names_an_address_that_nobody_could_call(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(spec, only=[LABEL])
    assert [job["callback"] for job in provider.jobs.values()] == [""]
