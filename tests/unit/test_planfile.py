"""A plan as a file: it comes back as it was, says what it is where it is not one, and names whatever moved."""

import json
from dataclasses import replace
from typing import Any

import pytest

from callsheet import catalogue
from callsheet.errors import SpecError
from callsheet.plan import Plan
from callsheet.planfile import LINES_NAMED, WAYS_NAMED, PlanFile, digest_of_model, is_plan, moved, read, record
from callsheet.selection import Selection
from callsheet.take import State

from .plans import NOTHING, plan, take_of

MEDIA = {"media/clips/beach.mp4": "b" * 64, "media/clips/pier.mp4": "c" * 64}
CHOSEN = Selection(only=("beach*", "pier*"), skip=("x*",), limit=30)


def kept(drawn: Plan | None = None) -> PlanFile:
    return record(drawn or plan(), CHOSEN, spec="specs/test.yaml", spec_sha256="a" * 64, media=MEDIA)


def changed(**facts: Any) -> tuple[str, ...]:
    """What is told when these facts are others now. Any of them gives the plan another digest as well."""
    return moved(kept(), kept().model_copy(update={"digest": "f" * 64, **facts}))


def test_a_plan_comes_back_from_its_file_with_its_selection() -> None:
    then = kept()
    now = read(then.text().encode(), file="plan.json")
    assert now == then
    assert now.chosen == CHOSEN
    assert moved(then, now) == ()


@pytest.mark.parametrize(
    "text", [b"", b"campaign: hello\n", b"[]", b"{}", b'{"plan": 1}', b"\xff\xfe", b"[" * 100_000, b"null"]
)
def test_what_is_no_plan_says_so(text: bytes) -> None:
    assert not is_plan(text)
    with pytest.raises(SpecError, match=r"x\.json: this is not a plan of Callsheet"):
        read(text, file="x.json")


def test_a_plan_of_another_version_says_which() -> None:
    other = json.dumps({**kept().model_dump(), "callsheet_plan": 2, "new": True}).encode()
    assert is_plan(other)
    with pytest.raises(SpecError, match="of version 2, and this Callsheet reads version 1"):
        read(other, file="x.json")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"digest": 7}, "digest"),
        ({"lines": [{"label": "x"}]}, r"lines\.0\.key"),
        ({"selection": {"only": []}}, r"selection\.skip"),
        ({"media": None}, "media"),
    ],
)
def test_a_damaged_plan_says_where(change: dict[str, Any], place: str) -> None:
    with pytest.raises(SpecError, match=f"this plan is damaged: {place}"):
        read(json.dumps({**kept().model_dump(), **change}).encode(), file="x.json")


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"spec_sha256": "0" * 64}, "specs/test.yaml was edited"),
        ({"campaign": "bye"}, "the campaign is called bye and not hello"),
        ({"media": {**MEDIA, "media/clips/pier.mp4": "d" * 64}}, "media/clips/pier.mp4 has other bytes"),
        ({"media": {"media/clips/pier.mp4": "c" * 64}}, "media/clips/beach.mp4 is not used any more"),
        ({"media": {**MEDIA, "a.jpg": "e"}}, "a.jpg is used besides"),
        ({"models": {"kling-o1-video-edit": "0"}}, "the price table says something else of kling-o1-video-edit"),
        ({"budget": "680"}, "the budget is 680 credits ($10.00) and not 2720 credits ($40.00)"),
        ({"budget": None}, "the budget is none and not 2720 credits ($40.00)"),
        ({"route": "evolink"}, "the route is evolink and not sandbox"),
    ],
)
def test_whatever_moved_is_named(facts: dict[str, Any], told: str) -> None:
    assert changed(**facts) == (told,)


def test_a_comment_in_the_campaign_is_a_change_although_the_plan_is_the_same() -> None:
    then = kept()
    assert moved(then, then.model_copy(update={"spec_sha256": "0" * 64})) == ("specs/test.yaml was edited",)


def test_lines_that_the_ledger_turned_round_are_named() -> None:
    line = plan().lines[0]
    archived = plan(replace(NOTHING, takes={line.key: take_of(line.key, State.ARCHIVED)}))
    assert moved(kept(), kept(archived)) == ("beach--none--dusk--16x9 was shoot and is skip",)
    failed = plan(replace(NOTHING, takes={line.key: take_of(line.key, State.FAILED)}))
    assert moved(kept(), kept(failed)) == ("beach--none--dusk--16x9 has a newer take, 7",)


def test_lines_that_came_or_went_are_named_and_many_are_counted() -> None:
    whole, part = plan(), plan()
    part = replace(part, lines=part.lines[1:], digest="f" * 64)
    assert moved(kept(whole), kept(part)) == ("beach--none--dusk--16x9 is not in it any more",)
    assert moved(kept(part), kept(whole)) == ("beach--none--dusk--16x9 is new",)
    none = replace(whole, lines=(), digest="f" * 64)
    found = moved(kept(whole), kept(none))
    (told,) = [words for words in found if "not in it any more" in words]
    assert told.startswith("24 lines are not in it any more: beach--none--dusk--16x9, ")
    assert told.endswith(f" and {24 - LINES_NAMED} more")


def test_newer_takes_are_told_one_by_one_and_many_are_counted() -> None:
    whole = plan()
    lines = kept(whole).lines
    newer = [line.model_copy(update={"supersedes": 100 + n}) for n, line in enumerate(lines)]
    found = changed(lines=newer)
    assert found[0] == "beach--none--dusk--16x9 has a newer take, 100"
    assert found[-1] == f"{24 - WAYS_NAMED} more lines changed like that"
    assert len(found) == WAYS_NAMED + 1


def test_lines_of_other_content_or_price_are_named_beside_their_cause() -> None:
    first, *others = kept().lines
    one = [first.model_copy(update={"key": "0" * 64, "credits": "1"}), *others]
    assert changed(spec_sha256="0" * 64, lines=one) == (
        "specs/test.yaml was edited",
        "beach--none--dusk--16x9 has other content",
    )
    dearer = [first.model_copy(update={"credits": "99"}), *others]
    assert changed(lines=dearer) == (f"beach--none--dusk--16x9 cost {first.credits} credits and would cost 99 now",)
    edited = [line.model_copy(update={"key": "0" * 64}) for line in kept().lines]
    (*_, told) = changed(spec_sha256="0" * 64, lines=edited)
    assert told.startswith("24 lines have other content: beach--none--dusk--16x9, ")
    assert told.endswith(f" and {24 - LINES_NAMED} more")


def test_a_digest_that_moved_for_no_known_reason_is_still_told() -> None:
    assert changed() == (f"plan {kept().digest[:12]} is plan {'f' * 12} now",)


def test_the_price_table_of_a_model_counts_to_the_unit() -> None:
    model = catalogue.model("kling-o1-video-edit")
    dearer = replace(model, price=replace(model.price, units=model.price.units + 1))
    assert digest_of_model(dearer) != digest_of_model(model)
    assert kept().models == {"kling-o1-video-edit": digest_of_model(model)}
