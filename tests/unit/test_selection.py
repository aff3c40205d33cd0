"""What --only, --skip, --again, --limit and --pilot choose; a glob that matches nothing is told, never ignored."""

import pytest

from callsheet.errors import NothingToShoot, SpecError
from callsheet.selection import Selection
from callsheet.sweep import expand

from .campaigns import campaign

VARIANTS = expand(campaign())


def test_nothing_asked_for_is_everything() -> None:
    assert Selection().of(VARIANTS) == VARIANTS
    assert Selection().words == ()
    assert not Selection()


def test_only_and_skip_choose_by_globs_together() -> None:
    chosen = Selection(only=("beach--*",), skip=("*--9x16", "*neon+snowy*")).of(VARIANTS)
    assert [variant.slug for variant in chosen] == [
        "beach--none--dusk--16x9",
        "beach--none--neon+wet--16x9",
        "beach--brand--dusk--16x9",
        "beach--brand--neon+wet--16x9",
    ]


def test_a_take_is_skipped_by_its_label() -> None:
    variants = expand(campaign(takes="2"))
    chosen = Selection(skip=("*--t2",)).of(variants)
    assert len(chosen) == 24
    assert {variant.take for variant in chosen} == {1}


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(only=("beech*",)), "--only beech* matches none of the 24 variants."),
        (Selection(skip=("beech*",)), "--skip beech* matches none of the 24 variants."),
        (Selection(skip=("beach*", "peer*")), "--skip peer* matches none of the 24 variants."),
        (Selection(skip=("beach*", "pier*")), "--skip beach* pier* leaves none of the 24 variants."),
        (Selection(only=("beach*",), skip=("beach*",)), "--skip beach* leaves none of the 12 variants."),
    ],
)
def test_a_glob_that_matches_nothing_and_a_choice_of_nothing_are_errors(selection: Selection, message: str) -> None:
    with pytest.raises(NothingToShoot) as caught:
        selection.of(VARIANTS)
    assert caught.value.what == message
    assert caught.value.hint == "A slug looks like beach--none--dusk--16x9; `callsheet plan --lines` lists them all."


@pytest.mark.parametrize(
    ("word", "wider", "many"), [("beach", "beach--*", 12), ("neon+wet", "*neon+wet*", 8), ("9x16", "*9x16*", 12)]
)
def test_a_word_that_is_a_part_of_slugs_gets_the_glob_that_finds_them(word: str, wider: str, many: int) -> None:
    with pytest.raises(NothingToShoot) as caught:
        Selection(only=(word,)).of(VARIANTS)
    assert caught.value.hint == f"Write --only '{wider}', which matches {many} of them: a glob is of the whole slug."
    assert len(Selection(only=(wider,)).of(VARIANTS)) == many


def test_again_names_itself_in_its_error() -> None:
    assert len(Selection(again=("beach*",)).again_of(VARIANTS)) == 12
    with pytest.raises(NothingToShoot, match="--again beech"):
        Selection(again=("beech*",)).again_of(VARIANTS)


def test_a_limit_below_one_and_an_unknown_pilot_are_refused() -> None:
    with pytest.raises(SpecError, match="0 is not a number of variants"):
        Selection(limit=0)
    with pytest.raises(SpecError, match=r"there is no pilot `pairwize`; did you mean `pairwise`\?"):
        Selection(pilot="pairwize")


def test_a_selection_is_told_as_it_is_typed() -> None:
    asked = Selection(only=("a*", "b*"), skip=("c",), again=("d",), limit=3, pilot="pairwise")
    assert " ".join(asked.words) == "--only a* --only b* --skip c --again d --pilot pairwise --limit 3"
