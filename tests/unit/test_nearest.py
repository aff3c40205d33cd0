"""Did-you-mean: what is close enough to be meant, and how choices are listed."""

import pytest

from callsheet.nearest import LONGEST, did_you_mean, listed, nearest

KEYS = ("aspect_ratios", "clips", "keep_original_sound", "prompts", "variables")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("aspectratios", "aspect_ratios"),
        ("aspect-ratios", "aspect_ratios"),
        ("aspectRatio", "aspect_ratios"),
        ("Clips", "clips"),
        ("clip", "clips"),
        ("variabels", "variables"),
        ("keep_sound", "keep_original_sound"),
        ("colour", None),
        ("", None),
    ],
)
def test_a_slip_is_told_from_another_word(word: str, meant: str | None) -> None:
    assert nearest(word, KEYS) == meant


def test_a_very_long_word_is_not_compared() -> None:
    assert nearest("clips" * LONGEST, ["clips" * LONGEST]) is None


def test_the_question_is_asked_only_where_there_is_an_answer() -> None:
    assert did_you_mean("clip", KEYS) == "; did you mean `clips`?"
    assert did_you_mean("colour", KEYS) == ""


def test_choices_are_listed_as_a_person_lists_them() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"], last="or") == "a or b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdef"), most=3) == "a, b, c and 3 more"
    assert len(listed(["x" * 1_000_000])) < 100
