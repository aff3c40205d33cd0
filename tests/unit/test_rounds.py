"""What verdicts make of a campaign: who is left out, who is taken again, who goes on; and that saying it twice buys nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from callsheet.errors import NothingToShoot, SpecError
from callsheet.rounds import Promotion, Round, next_round, promotion, restored
from callsheet.sidecar import AxisValues
from callsheet.sweep import Variant, expand
from callsheet.verdicts import Says, Verdict, Verdicts

from .campaigns import campaign

FAST = "kling-o1-video-edit-fast"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def sweep(**changes: str) -> tuple[Variant, ...]:
    return expand(campaign(prompts="{dusk: Dusk., neon: Neon., noon: Noon.}", **changes))


DRAFT, FINAL = "d" * 64, "f" * 64


def verdict(variant: Variant, says: Says, film: str = "") -> Verdict:
    return Verdict(key=key(variant), slug=variant.slug, axes=AxisValues.of(variant), says=says, film=film, at=NOON)


def key(variant: Variant) -> str:
    return f"key of {variant.label}"


def judged(variants: tuple[Variant, ...], said: Mapping[str, Says]) -> Verdicts:
    by_label = {variant.label: variant for variant in variants}
    return Verdicts(
        campaign="c", draft=True, plan="p", verdicts=[verdict(by_label[name], says) for name, says in said.items()]
    )


def after(
    variants: tuple[Variant, ...],
    said: Verdicts,
    promoted: Promotion | None = None,
    images: Mapping[str, int] | None = None,
    films: Mapping[str, str] | None = None,
    **further: bool,
) -> Round:
    before = restored(variants, said.verdicts)
    keys = {variant.label: key(variant) for variant in (*variants, *before)}
    return next_round(variants, before, keys, said, promoted or Promotion(), images or {}, films=films, **further)


def labels(found: Round, variants: tuple[Variant, ...]) -> set[str]:
    return {variant.label for variant in variants if found.has(variant.label)}


def of(variants: tuple[Variant, ...], *parts: str) -> list[str]:
    return [variant.label for variant in variants if all(part in variant.label.split("--") for part in parts)]


def test_what_is_rejected_is_left_out_and_all_else_stays() -> None:
    variants = sweep()
    first, second = variants[0].label, variants[1].label
    found = after(variants, judged(variants, {first: "reject", second: "approve"}))
    assert labels(found, variants) == {variant.label for variant in variants} - {first}
    assert found.spoken == "2: 1 approved, 1 rejected"


def test_a_value_loses_when_all_of_it_that_was_judged_is_rejected_and_another_value_is_not() -> None:
    variants = sweep()
    dusk, neon = of(variants, "dusk"), of(variants, "neon")
    found = after(variants, judged(variants, {dusk[0]: "reject", dusk[1]: "reject", neon[0]: "approve"}))
    assert found.lost.keys() == set(dusk[2:])
    assert not labels(found, variants) & set(dusk)
    assert "prompt dusk, of which all 2 that were judged are rejected" in found.spoken_left_out


def test_one_rejection_gives_no_value_up() -> None:
    variants = sweep()
    found = after(variants, judged(variants, {of(variants, "dusk")[0]: "reject", of(variants, "neon")[0]: "approve"}))
    assert not found.lost


def test_where_everything_judged_is_rejected_no_value_is_to_blame() -> None:
    variants = sweep()
    dusk = of(variants, "dusk")
    assert not after(variants, judged(variants, {dusk[0]: "reject", dusk[1]: "reject"})).lost


def test_a_value_that_lost_is_kept_on_demand_but_not_what_was_rejected_itself() -> None:
    variants = sweep()
    dusk, neon = of(variants, "dusk"), of(variants, "neon")
    said = judged(variants, {dusk[0]: "reject", dusk[1]: "reject", neon[0]: "approve"})
    found = after(variants, said, keep_unjudged=True)
    assert labels(found, variants) == {variant.label for variant in variants} - set(dusk[:2])


def test_a_draft_that_is_wanted_again_is_bought_once() -> None:
    variants = sweep()
    first = variants[0]
    said = judged(variants, {variants[1].label: "approve"})
    said = said.model_copy(update={"verdicts": [*said.verdicts, verdict(first, "retake", DRAFT)]})
    found = after(variants, said)
    assert (found.added, found.once) == ((), frozenset({first.label}))
    assert found.has(first.label)
    assert found.spoken_once.startswith("1 was asked for on another film, as a draft: ")
    assert not after(variants, said, films={key(first): FINAL}).added  # bought since: that film was judged by nobody
    assert after(variants, said, promotion([FAST])).has(first.label)


def test_a_film_that_is_wanted_again_where_it_was_made_is_one_take_more() -> None:
    variants = sweep()
    first = variants[0]
    said = judged(variants, {variants[1].label: "approve"})
    said = said.model_copy(update={"verdicts": [*said.verdicts, verdict(first, "retake", FINAL)]})
    found = after(variants, said, films={key(first): FINAL})
    assert ([take.label for take in found.added], found.once) == ([f"{first.slug}--t2"], frozenset())


def test_of_drafts_that_were_wanted_again_and_again_one_is_bought() -> None:
    variants = sweep()
    first = variants[0]
    said = judged(variants, {variants[1].label: "approve"})
    (second,) = after(variants, judged(variants, {first.label: "retake"})).retaken
    both = [verdict(first, "retake", DRAFT), verdict(second, "retake", "e" * 64)]
    found = after(variants, said.model_copy(update={"verdicts": [*said.verdicts, *both]}))
    assert (found.added, found.has(first.label)) == ((), True)
    both = [verdict(first, "reject", DRAFT), verdict(second, "retake", "e" * 64)]
    found = after(variants, said.model_copy(update={"verdicts": [*said.verdicts, *both]}))
    assert ([take.label for take in found.added], found.has(first.label)) == ([second.label], False)


def test_what_somebody_wants_again_is_not_lost_with_its_value() -> None:
    variants = sweep()
    dusk, neon = of(variants, "dusk"), of(variants, "neon")
    said: dict[str, Says] = {dusk[0]: "reject", dusk[1]: "reject", dusk[2]: "retake", neon[0]: "approve"}
    found = after(variants, judged(variants, said))
    assert not found.lost
    assert [take.label for take in found.retaken] == [f"{dusk[2]}--t2"]


def test_a_retake_is_the_take_after_the_last_and_the_same_verdicts_ask_for_no_further_one() -> None:
    variants = sweep(takes="2")
    said = judged(variants, {variants[0].label: "retake"})
    (take,) = after(variants, said).retaken
    assert (take.take, take.label) == (3, f"{variants[0].slug}--t3")
    (again,) = after(variants, said).retaken
    assert again == take


def test_a_take_that_a_review_added_can_be_taken_again_itself() -> None:
    variants = sweep()
    said = judged(variants, {variants[0].label: "retake"})
    (second,) = after(variants, said).retaken
    more = said.model_copy(update={"verdicts": [*said.verdicts, verdict(second, "retake")]})
    assert [take.take for take in after(variants, more).retaken] == [3]


@pytest.mark.parametrize("says", ["approve", "reject", None])
def test_a_retake_that_was_made_and_judged_is_not_asked_for_a_second_time(says: Says | None) -> None:
    """The verdict on the first take still stands on the board: it must not buy a third one."""
    variants = sweep()
    said = judged(variants, {variants[0].label: "retake"})
    (second,) = after(variants, said).retaken
    judged_since = verdict(second, "approve").model_copy(update={"says": says, "stars": 3})
    more = said.model_copy(update={"verdicts": [*said.verdicts, judged_since]})
    assert after(variants, more).added == ()


def test_of_a_campaign_with_two_takes_each_that_is_wanted_again_is_one_more() -> None:
    variants = sweep(takes="2")
    slug = variants[0].slug
    said = judged(variants, {f"{slug}--t1": "retake", f"{slug}--t2": "retake"})
    both = after(variants, said).retaken
    assert [take.label for take in both] == [f"{slug}--t3", f"{slug}--t4"]
    more = said.model_copy(update={"verdicts": [*said.verdicts, verdict(both[1], "approve")]})
    assert [take.label for take in after(variants, more).retaken] == [f"{slug}--t3"]


def test_a_verdict_on_a_take_of_the_campaign_is_one_verdict() -> None:
    """What a board says of a first take has no number in its slug, and the campaign's label has one, where it asks for two."""
    variants = sweep(takes="2")
    dusk, neon = of(variants, "dusk", "t1"), of(variants, "neon", "t1")
    found = after(variants, judged(variants, {dusk[0]: "reject", neon[0]: "approve"}))
    assert found.spoken == "2: 1 approved, 1 rejected"
    assert not found.lost
    found = after(variants, judged(variants, {dusk[0]: "retake", neon[0]: "approve"}))
    assert [take.take for take in found.added] == [3]


def test_of_each_cell_that_is_wanted_again_as_a_draft_one_film_is_made() -> None:
    variants = sweep()
    first, other = variants[0], variants[1]
    second, third = (
        first._replace(take=n, label=f"{first.slug}--t{n}") for n in (2, 3)
    )  # fmt: skip
    drafts = [verdict(second, "retake", DRAFT), verdict(third, "retake", "e" * 64)]
    said = judged(variants, {other.label: "approve"})
    rejected = said.model_copy(update={"verdicts": [*said.verdicts, verdict(first, "reject", DRAFT), *drafts]})
    found = after(variants, rejected)
    assert [take.label for take in found.added] == [second.label]
    assert (
        found.spoken_once
        == "2 were asked for on other films, as drafts: this run makes those variants once, and no extra take"
    )
    waiting = said.model_copy(update={"verdicts": [*said.verdicts, *drafts[:1]]})
    found = after(variants, waiting, promotion([FAST]))
    assert found.has(first.label)
    assert [take.model for take in found.added] == [FAST]


def test_what_was_promoted_can_be_taken_again() -> None:
    variants = sweep()
    said = judged(variants, {variants[0].label: "approve"})
    (made,) = after(variants, said, promotion([FAST])).promoted
    again = said.model_copy(update={"verdicts": [*said.verdicts, verdict(made, "retake")]})
    (second,) = after(variants, again).retaken
    assert (second.label, second.model) == (f"{made.slug}--t2", FAST)
    more = again.model_copy(update={"verdicts": [*again.verdicts, verdict(second, "approve")]})
    assert after(variants, more).added == ()


def test_verdicts_of_content_that_is_gone_say_nothing() -> None:
    variants = sweep()
    said = judged(variants, {variants[0].label: "reject"})
    gone = said.verdicts[0].model_copy(update={"key": "another"})
    found = after(variants, said.model_copy(update={"verdicts": [gone]}))
    assert not found.rejected
    assert found.spoken.endswith("1 more is of content that the campaign no longer has")


def test_what_was_approved_and_edited_since_is_not_lost_with_what_was_rejected_beside_it() -> None:
    """Whoever works on the winning words does not throw its look out: the approval is stale, and the look was liked."""
    variants = sweep()
    neon, dusk = of(variants, "neon"), of(variants, "dusk")
    wide = [label for label in (*neon, *dusk) if label.endswith("16x9")]
    tall = of(variants, "noon", "9x16")[0]
    said = judged(variants, {**dict.fromkeys(wide[:2], "reject"), tall: "approve", wide[-1]: "approve"})
    edited = said.verdicts[-1].model_copy(update={"key": "as it was"})
    before = after(variants, said.model_copy(update={"verdicts": said.verdicts[:-1]}))
    assert "aspect_ratio 16:9" in before.spoken_left_out
    found = after(variants, said.model_copy(update={"verdicts": [*said.verdicts[:-1], edited]}))
    assert "aspect_ratio 16:9" not in found.spoken_left_out
    assert found.stale == 1


def test_winners_that_a_model_makes_in_the_shape_of_their_clip_only_are_told() -> None:
    variants = sweep(aspect_ratios="[16:9, 9:16]")
    said = judged(variants, dict.fromkeys([one.label for one in variants[:2]], "approve"))
    assert after(variants, said, promotion([FAST])).unshaped == tuple(one.label for one in variants[:2])
    assert after(variants, said, promotion(["1:1"])).unshaped == ()


def test_with_a_promotion_only_winners_go_on_and_what_is_to_be_taken_again() -> None:
    variants = sweep()
    winner, other = variants[0], variants[1]
    found = after(variants, judged(variants, {winner.label: "approve", other.label: "retake"}), promotion([FAST]))
    assert not labels(found, variants)
    assert [take.model for take in found.promoted] == [FAST]
    assert [take.label for take in found.added] == [f"{other.label}--t2", found.promoted[0].label]
    assert found.promoted[0].text == winner.text


def test_winners_go_to_more_aspect_ratios_and_stay_in_their_own() -> None:
    variants = sweep(aspect_ratios="[16:9]")
    winner = variants[0]
    found = after(variants, judged(variants, {winner.label: "approve"}), promotion(["1:1", "9:16"]))
    assert labels(found, variants) == {winner.label}
    assert {take.aspect_ratio for take in found.promoted} == {"1:1", "9:16"}
    assert len({take.label for take in (*variants, *found.promoted)}) == len(variants) + 2


def test_a_model_that_has_no_say_in_the_shape_makes_each_winner_once() -> None:
    variants = sweep(aspect_ratios="[16:9, 9:16]")
    wide = variants[0]
    tall = next(v for v in variants if v[:4] == wide[:4] and v.aspect_ratio == "9:16")
    found = after(variants, judged(variants, {wide.label: "approve", tall.label: "approve"}), promotion([FAST]))
    assert [take.aspect_ratio for take in found.promoted] == ["native"]


def test_what_was_promoted_is_not_promoted_twice() -> None:
    variants = sweep()
    said = judged(variants, {variants[0].label: "approve"})
    (made,) = after(variants, said, promotion([FAST])).promoted
    more = said.model_copy(update={"verdicts": [*said.verdicts, verdict(made, "approve")]})
    with pytest.raises(NothingToShoot):
        after(variants, more, promotion([FAST]))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["kling-o1-video-edit-fats"], "did you mean `kling-o1-video-edit-fast`"),
        (["2:1"], "neither a model nor an aspect ratio that a model makes"),
    ],
)
def test_what_is_neither_model_nor_shape_is_refused(words: list[str], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        promotion(words)


@pytest.mark.parametrize("word", ["kling-v3-text-to-video", "kling-o1-image-to-video"])
def test_a_winner_goes_to_no_model_that_takes_something_else(word: str) -> None:
    variants = sweep()
    with pytest.raises(SpecError, match=f"no winner can be made with {word}"):
        after(variants, judged(variants, {variants[0].label: "approve"}), promotion([word]))


def test_without_a_winner_nothing_is_promoted() -> None:
    variants = sweep()
    with pytest.raises(SpecError, match="approve of nothing"):
        after(variants, judged(variants, {variants[0].label: "reject"}), promotion([FAST]))


def test_all_rejected_leaves_nothing_to_shoot() -> None:
    variants = sweep()
    with pytest.raises(NothingToShoot):
        after(variants, judged(variants, {variant.label: "reject" for variant in variants}))


def test_a_winner_with_images_goes_to_a_model_that_takes_as_many() -> None:
    variants = sweep()
    said = judged(variants, {variants[0].label: "approve"})
    assert after(variants, said, promotion([FAST]), {variants[0].references: 4}).promoted
    with pytest.raises(SpecError):
        after(variants, said, promotion([FAST]), {variants[0].references: 9})
