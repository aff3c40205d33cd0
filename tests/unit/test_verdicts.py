"""Verdicts of several reviewers in one document: of each variant what was said last, and nothing comes back."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest
from pydantic import ValidationError

from callsheet.sidecar import AxisValues
from callsheet.verdicts import Verdict, Verdicts, merge

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
AXES = AxisValues(
    clip="beach", references="none", prompt="dusk", aspect_ratio="16:9", keep_original_sound=True, model="m", take=1
)


def verdict(key: str, minutes: int, **said: Any) -> Verdict:
    return Verdict(key=key * 64, slug=f"slug-{key}", axes=AXES, at=NOON + timedelta(minutes=minutes), **said)


def document(*verdicts: Verdict, plan: str = "p") -> Verdicts:
    return Verdicts(campaign="summer", draft=True, plan=plan, verdicts=list(verdicts))


def test_of_each_variant_the_last_verdict_holds_in_whatever_order_they_come() -> None:
    tabs = [
        document(verdict("a", 1, says="approve"), verdict("b", 5, stars=2)),
        document(verdict("a", 3, says="reject"), verdict("c", 1, note="soft label")),
        document(verdict("b", 4, says="retake"), verdict("a", 2, stars=5)),
    ]
    for one, two, three in permutations(tabs):
        merged = merge(merge(one, two), three)
        assert merged.verdicts == [
            verdict("a", 3, says="reject"),
            verdict("b", 5, stars=2),
            verdict("c", 1, note="soft label"),
        ]


def test_two_of_one_moment_are_decided_the_same_way_everywhere() -> None:
    one, two = document(verdict("a", 1, says="approve")), document(verdict("a", 1, says="reject"))
    assert merge(one, two).verdicts == merge(two, one).verdicts


def test_what_was_taken_back_does_not_come_back_from_an_older_copy() -> None:
    copy = document(verdict("a", 1, says="approve"))
    back = merge(copy, document(verdict("a", 2)))
    assert not merge(back, copy).verdicts[0].is_given
    assert merge(back, copy).counts({"a" * 64: None})["judged"] == 0


def test_the_document_says_of_which_plan_its_newest_verdict_is() -> None:
    old, new = document(verdict("a", 1, stars=1), plan="old"), document(verdict("b", 2, stars=1), plan="new")
    assert merge(old, new).plan == merge(new, old).plan == "new"


def test_counts_are_of_the_variants_that_are_asked_about() -> None:
    known = document(verdict("a", 1, says="approve"), verdict("b", 1, stars=3), verdict("c", 1, note="hm"))
    films = dict.fromkeys(["a" * 64, "b" * 64, "c" * 64])
    assert known.counts(films) == {"approve": 1, "reject": 0, "retake": 0, "judged": 2}
    assert known.counts({})["judged"] == 0


def test_a_verdict_of_another_film_is_none_of_this_one() -> None:
    draft, final = "d" * 64, "f" * 64
    said = verdict("a", 1, says="approve", film=draft)
    assert (said.is_of(draft), said.is_of(final)) == (True, False)
    assert said.is_of(None)  # a manifest of an older version does not say which film it has
    assert verdict("a", 1, says="approve").is_of(final)  # nor does an older verdict
    assert document(said).counts({said.key: final})["approve"] == 0
    assert document(said).counts({said.key: draft})["approve"] == 1


@pytest.mark.parametrize("film", ["d" * 63, "D" * 64, "d" * 64 + "\n", "../" + "d" * 61])
def test_a_film_is_a_digest(film: str) -> None:
    with pytest.raises(ValidationError, match="film"):
        verdict("a", 1, film=film)


def test_moments_are_kept_in_utc_and_one_without_a_zone_is_refused() -> None:
    east = verdict("a", 0).model_dump() | {"at": datetime(2026, 11, 23, 20, tzinfo=timezone(timedelta(hours=8)))}
    assert Verdict.model_validate(east).at == NOON
    assert Verdict.model_validate(east).model_dump_json().count("2026-11-23T12:00:00Z") == 1
    with pytest.raises(ValidationError, match="timezone"):
        Verdict.model_validate(east | {"at": "2026-11-23T12:00:00"})


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_moment_that_is_none_in_utc_is_refused(at: str) -> None:
    with pytest.raises(ValidationError, match="no moment in UTC"):
        Verdict.model_validate(verdict("a", 0).model_dump() | {"at": at})


def test_two_verdicts_of_one_variant_are_no_document() -> None:
    with pytest.raises(ValidationError, match="two verdicts of one variant"):
        document(verdict("a", 0), verdict("a", 1, stars=2))


@pytest.mark.parametrize("wrong", [{"stars": 6}, {"stars": 0}, {"says": "maybe"}, {"note": "x" * 4001}, {"who": "me"}])
def test_what_a_board_cannot_say_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Verdict.model_validate(verdict("a", 0).model_dump() | wrong)
