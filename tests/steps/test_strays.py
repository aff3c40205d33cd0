"""Takes that no variant carries any more: collected, settled or released all the same, and shown."""

import asyncio
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from callsheet.credits import Credits
from callsheet.document_schema import of_document
from callsheet.errors import IllegalTransition, NotThatJob, Unavailable
from callsheet.ledger.book import Booking, Ledger
from callsheet.steps import settle, strays, verify
from callsheet.take import State

from .local_provider import ACCEPT_THEN_500, FAIL_LATER, LocalProvider
from .shoot import CAMPAIGN, ODD, run, takes

ONE = CAMPAIGN.replace("  good: A good one.\n", "")
EDITED = ONE.replace("An odd one.", "An odd one, edited.")


@pytest.fixture
def one(spec: Path) -> Path:
    """The campaign with one variant."""
    spec.write_text(ONE)
    return spec


async def left_behind(one: Path, provider: LocalProvider, *script: int | str, results: int = 1) -> None:
    """A run that ended after its take was submitted, and a prompt that was edited since."""
    provider.scripts[ODD] = list(script)
    provider.results[:] = [500] * results
    await run(one)
    one.write_text(EDITED)


async def test_a_result_of_an_edited_prompt_reaches_the_archive_with_its_provenance(
    one: Path, provider: LocalProvider
) -> None:
    await left_behind(one, provider)
    assert [take.state for take in takes(one)] == [State.SUCCEEDED]
    account, _ = await run(one)
    old, new = takes(one)
    assert (old.state, new.state) == (State.ARCHIVED, State.ARCHIVED)
    archive = one.parent.parent / "archive"
    assert old.archive.startswith("tiny/strays/")
    film = archive / old.archive
    record = json.loads(film.with_suffix(".json").read_text())
    assert (record["key"], record["job"]["job"], record["result"]["sha256"]) == (old.key, old.job, old.sha256)
    Draft202012Validator(of_document("stray")).validate(record)
    assert (record["identity"]["prompt"], record["identity"]["model"]) == (ODD, "kling-o1-video-edit")
    assert record["marking"]["digital_source_type"] == "algorithmicallyEnhanced"
    assert verify.verify(verify.place_of(str(one))).findings == []
    assert [stray.take.id for stray in account.strays] == [old.id]
    assert account.exit_code == 0
    assert str(account.credits) == "36"  # the old one was paid for by the run before
    assert len(provider.jobs) == 2


async def test_a_lost_answer_of_an_edited_prompt_is_still_asked_about(one: Path, provider: LocalProvider) -> None:
    await left_behind(one, provider, ACCEPT_THEN_500, results=0)
    assert [take.state for take in takes(one)] == [State.IN_DOUBT]
    account, _ = await run(one)
    assert [take.state for take in takes(one)] == [State.ARCHIVED, State.ARCHIVED]
    assert len(provider.jobs) == 2
    assert account.exit_code == 0


async def test_a_failed_job_of_an_edited_prompt_gives_its_money_back(one: Path, provider: LocalProvider) -> None:
    await left_behind(one, provider, ACCEPT_THEN_500, results=0)
    provider.jobs["task-unified-00000000"]["end"] = FAIL_LATER
    account, _ = await run(one)
    assert [take.state for take in takes(one)] == [State.FAILED, State.ARCHIVED]
    assert account.exit_code == 0
    assert str(account.credits) == "36"


async def test_a_take_that_was_never_sent_is_released(one: Path, provider: LocalProvider) -> None:
    await run(one)
    reserved(one)
    account, _ = await run(one)
    assert [take.state for take in takes(one)] == [State.ARCHIVED, State.RELEASED]
    assert account.exit_code == 0
    assert len(provider.submits) == 1


async def test_a_stray_that_stays_in_doubt_is_shown_and_counts_in_the_exit_code(
    one: Path, provider: LocalProvider
) -> None:
    await left_behind(one, provider, ACCEPT_THEN_500, results=0)
    provider.keys.clear()  # the provider has forgotten the key,
    provider.has_list = False  # tells of no jobs,
    provider.scripts[ODD] = [400]  # and refuses what it does not know
    account, _ = await run(one)
    assert [take.state for take in takes(one)] == [State.IN_DOUBT, State.ARCHIVED]
    assert account.exit_code == 9
    assert "refused" in account.strays[0].reason


async def test_what_another_campaign_or_an_unselected_variant_left_is_no_stray(
    spec: Path, provider: LocalProvider
) -> None:
    provider.results[:] = [500, 500]
    await run(spec)
    other = spec.with_name("other.yaml")
    other.write_text(EDITED.replace("campaign: tiny", "campaign: other"))
    account, _ = await run(other)
    assert account.strays == ()
    account, _ = await run(spec, only=["*good*"])
    assert account.strays == ()
    assert sorted(take.state for take in takes(spec)) == [State.ARCHIVED, State.ARCHIVED, State.SUCCEEDED]


async def test_what_was_paid_is_collected_although_a_clip_of_the_campaign_is_gone(
    one: Path, provider: LocalProvider
) -> None:
    await left_behind(one, provider)
    (one.parent.parent / "media/cup.mp4").unlink()
    collected = await strays.rescue(one, sandbox=False)
    assert [stray.take.state for stray in collected] == [State.ARCHIVED]


async def test_a_job_is_taken_for_accepted_only_if_the_provider_knows_it(one: Path, provider: LocalProvider) -> None:
    await left_behind(one, provider, ACCEPT_THEN_500, results=0)
    provider.keys.clear()
    for wrong in ("task-unified-99999999", "../tasks\n"):
        with pytest.raises(NotThatJob):
            await settle.accepted(one, take_id=1, job=wrong)
    assert [take.state for take in takes(one)] == [State.IN_DOUBT]
    await settle.accepted(one, take_id=1, job="task-unified-00000000")
    assert [(take.state, take.job) for take in takes(one)] == [(State.SUBMITTED, "task-unified-00000000")]


async def test_a_take_that_is_not_in_doubt_is_not_settled_by_hand(one: Path, provider: LocalProvider) -> None:
    await run(one)
    by_hand = (
        settle.accepted(one, take_id=1, job="task-unified-99999999"),
        asyncio.to_thread(settle.not_accepted, one, 1),
    )
    for settled in by_hand:
        with pytest.raises(IllegalTransition, match="take 1 is archived, and only a take in doubt") as refused:
            await settled
        assert refused.value.spent == "no"
    assert [take.state for take in takes(one)] == [State.ARCHIVED]


async def test_a_provider_that_cannot_be_asked_settles_nothing(
    one: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await left_behind(one, provider, ACCEPT_THEN_500, results=0)
    monkeypatch.setenv("EVOLINK_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await settle.accepted(one, take_id=1, job="task-unified-00000000")
    assert [take.state for take in takes(one)] == [State.IN_DOUBT]


def reserved(spec: Path) -> None:
    """A take of content that the campaign does not have, held and never sent."""
    ledger = Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")
    ledger.reserve(
        Booking(
            campaign="tiny",
            route="loopback",
            slug="cup--none--gone--16x9",
            key="k" * 64,
            number=1,
            price=Credits.of(36),
            plan="p",
            supersedes=0,
            budget=None,
        )
    )
    ledger.close()
