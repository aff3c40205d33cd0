"""The same occurrence of a schedule, fired more than once: at once, one after the other, and after one was killed."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from callsheet.steps import outcome, studio
from callsheet.take import State

from .local_provider import LocalProvider
from .shoot import CAMPAIGN, ODD, run, takes

MONDAY = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
EVERY_RUN = CAMPAIGN.replace("$2.00", "$20.00") + "rerender: every-run\n"


async def test_one_that_fires_again_after_it_has_ended_renders_nothing_and_the_next_renders_afresh(
    spec: Path, provider: LocalProvider
) -> None:
    spec.write_text(EVERY_RUN)
    for when, paid in ((MONDAY, 2), (MONDAY, 2), (MONDAY + timedelta(weeks=1), 4), (MONDAY, 4)):
        account, _ = await run(spec, occurrence=when)
        assert (account.exit_code, len(provider.submits)) == (0, paid)
    assert account.message == "nothing to do, 2 skipped"
    assert {take.occurrence for take in takes(spec)} == {MONDAY, MONDAY + timedelta(weeks=1)}


async def test_two_of_one_occurrence_at_once_render_once(spec: Path, provider: LocalProvider) -> None:
    spec.write_text(EVERY_RUN)
    await run(spec)
    await asyncio.gather(*(run(spec, occurrence=MONDAY) for _ in range(2)))
    assert len(provider.submits) == 4
    assert [take.state for take in takes(spec)] == [State.ARCHIVED] * 4


async def test_one_that_fires_again_goes_on_with_what_the_first_did_not_make(
    spec: Path, provider: LocalProvider
) -> None:
    spec.write_text(EVERY_RUN)
    provider.scripts[ODD] = [400]
    first, _ = await run(spec, occurrence=MONDAY)
    assert first.message == "1 of 2 archived, 1 failed"
    again, _ = await run(spec, occurrence=MONDAY)
    assert again.message == "1 of 1 archived, 1 skipped"
    assert len(provider.submits) == 3


async def test_what_was_edited_since_waits_for_the_next_occurrence_or_a_person(
    spec: Path, provider: LocalProvider
) -> None:
    await run(spec, occurrence=MONDAY)
    spec.write_text(CAMPAIGN.replace(ODD, "A very odd one."))
    again, _ = await run(spec, occurrence=MONDAY)
    assert (again.exit_code, len(provider.submits)) == (0, 2)
    by_hand, _ = await run(spec)
    assert (by_hand.message, len(provider.submits)) == ("1 of 1 archived, 1 skipped", 3)


async def test_the_sidecar_and_the_title_of_the_plan_name_it(spec: Path, provider: LocalProvider) -> None:
    await run(spec, occurrence=MONDAY)
    sidecars = [json.loads(file.read_text()) for file in (spec.parent.parent / "archive/tiny").glob("*--*.json")]
    assert {sidecar["occurrence"] for sidecar in sidecars} == {"2026-11-30T06:00:00Z"}
    async with studio.opened(spec, sandbox=False, occurrence=MONDAY) as at:
        assert outcome.plan_title(at.plan).endswith("; the occurrence of 2026-11-30 06:00 UTC")
