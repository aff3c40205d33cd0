"""When a link dies, by what it says itself and at the latest; and how a result whose link died is called."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callsheet import expiry
from callsheet.credits import Credits
from callsheet.take import State, Take

DONE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TAKE = Take(
    id=7,
    campaign="tiny",
    route="evolink",
    slug="cup--none--odd--16x9",
    key="k" * 64,
    number=1,
    state=State.SUCCEEDED,
    price=Credits.of(36),
    idempotency_key="callsheet-1",
    plan="p",
    job="task-unified-1",
    created_at=DONE,
    updated_at=DONE,
)


def at(hour: int, day: int = 24) -> datetime:
    return datetime(2026, 11, day, hour, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "dies"),
    [
        ("X-Amz-Date=20261124T120000Z&X-Amz-Expires=3600&X-Amz-Signature=ab", at(13)),
        ("x-amz-expires=7200&x-amz-date=20261124T120000Z", at(14)),
        ("X-Goog-Date=20261124T120000Z&X-Goog-Expires=3600", at(13)),
        (f"Expires={int(at(15).timestamp())}&Signature=ab&Key-Pair-Id=K", at(15)),
        ("X-Amz-Expires=3600", None),
        ("X-Amz-Date=yesterday&X-Amz-Expires=3600", None),
        ("X-Amz-Date=20261124T120000Z&X-Amz-Expires=99999999999999999999", None),
        ("Expires=99999999999999999999", None),
        ("Expires=soon", None),
        ("", None),
    ],
)
def test_a_signed_link_says_when_it_dies_and_any_other_nothing(query: str, dies: datetime | None) -> None:
    assert expiry.of_link(f"https://cdn.example.com/a.mp4?{query}") == dies


def test_a_link_that_is_no_url_says_nothing() -> None:
    assert expiry.of_link("https://[bad/a.mp4?Expires=1") is None


def test_the_earlier_of_the_link_s_word_and_a_day_counts() -> None:
    early = "https://cdn.example.com/a.mp4?X-Amz-Date=20261124T110000Z&X-Amz-Expires=3600"
    late = "https://cdn.example.com/a.mp4?X-Amz-Date=20261124T110000Z&X-Amz-Expires=604800"
    assert expiry.dies_at(early, finished=DONE) == at(12)
    assert expiry.dies_at(late, finished=DONE) == at(12, day=25)
    assert expiry.dies_at("", finished=DONE) == at(12, day=25)


def test_what_is_paid_for_and_not_fetched_is_named_with_its_job_and_what_can_be_done() -> None:
    soon = expiry.standing(TAKE, DONE + timedelta(hours=1), "specs/tiny.yaml")
    assert soon == "paid for, to be fetched by 2026-11-25 12:00 UTC; job task-unified-1: run the campaign again"
    late = expiry.standing(TAKE, DONE + timedelta(hours=24), "specs/tiny.yaml")
    assert late.startswith("result expired, paid for; job task-unified-1: ")
    assert late.endswith("callsheet reconcile specs/tiny.yaml --lost 7")


@pytest.mark.parametrize("state", [state for state in State if state is not State.SUCCEEDED])
def test_a_take_in_any_other_state_is_no_such_hold(state: State) -> None:
    assert expiry.standing(replace(TAKE, state=state), DONE + timedelta(days=9), "SPEC") == ""


def test_how_its_job_was_found_does_not_hide_by_when_a_result_has_to_be_fetched() -> None:
    found = replace(TAKE, reason="found in the provider's list: job task-unified-1, created 1 s after it was sent")
    assert expiry.standing(found, DONE, "SPEC").startswith("paid for, to be fetched by 2026-11-25 12:00 UTC")
    assert expiry.standing(replace(found, state=State.SUBMITTED), DONE, "SPEC") == found.reason
