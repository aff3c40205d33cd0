"""What changed between two identities, down to the words of a prompt and the files of a set."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import digest
from callsheet.changes import TITLES, between, files, recorded, words
from callsheet.plan import identity_of
from callsheet.sweep import expand

from .campaigns import campaign
from .plans import footage

VARIANT = expand(campaign())[6]
IDENTITY = identity_of(VARIANT, footage(VARIANT))
NAMES = {"a1": "a.jpg", "a2": "a.jpg", "b1": "b.jpg", "c1": "c.jpg"}


def told(before: list[str], after: list[str]) -> list[tuple[str, str]]:
    return [(change.kind, change.file) for change in files(before, after, NAMES)]


def test_every_part_of_an_identity_has_a_title() -> None:
    assert list(IDENTITY) == list(TITLES)


def test_an_identity_that_went_through_the_ledger_is_unchanged() -> None:
    """What a tuple was is a list in JSON; that is no change."""
    assert between(recorded(digest.canonical(IDENTITY)) or {}, IDENTITY) == ()


@pytest.mark.parametrize("part", list(TITLES))
def test_a_changed_part_is_named_with_its_old_and_new_value(part: str) -> None:
    (change,) = between(IDENTITY, {**IDENTITY, part: "another"})
    assert (change.part, change.after) == (part, "another")
    assert change.title == TITLES[part]


def test_a_part_that_one_version_did_not_know_is_nothing_there() -> None:
    without = {part: value for part, value in IDENTITY.items() if part != "window"}
    assert between(without, IDENTITY) == ()
    assert [change.part for change in between(IDENTITY, {**IDENTITY, "seed": 7})] == ["seed"]


def test_an_identity_that_was_not_recorded_is_none_and_not_an_empty_one() -> None:
    assert recorded("") is None


def test_the_changed_words_of_a_prompt_are_told_and_nothing_else() -> None:
    found = words("Re-light the scene at dusk, warm low sun.", "Re-light the scene at dawn, low sun!")
    assert [(word.kind, word.text) for word in found if word.kind != "same"] == [
        ("removed", "dusk"),
        ("added", "dawn"),
        ("removed", "warm "),
        ("removed", "."),
        ("added", "!"),
    ]


@given(st.text(alphabet="ab ,\n", max_size=60), st.text(alphabet="ab ,\n", max_size=60))
def test_a_word_diff_holds_both_texts_to_the_letter(before: str, after: str) -> None:
    found = words(before, after)
    assert "".join(word.text for word in found if word.kind != "added") == before
    assert "".join(word.text for word in found if word.kind != "removed") == after


def test_prompts_of_the_greatest_length_are_compared_at_once() -> None:
    long = " ".join(f"word{number % 50}" for number in range(900))[:5000]
    assert words(long, long.replace("word7 ", "other "))


def test_files_of_a_set_are_told_by_name() -> None:
    assert told(["a1"], ["a1", "b1"]) == [("added", "b.jpg")]
    assert told(["a1", "b1"], ["b1"]) == [("removed", "a.jpg")]
    assert told(["a1", "b1"], ["a2", "b1"]) == [("changed", "a.jpg")]
    assert told(["a1", "b1"], ["b1", "c1"]) == [("removed", "a.jpg"), ("added", "c.jpg")]
    assert told(["a1", "b1", "c1"], ["a1", "c1", "b1"]) == [("moved", "c.jpg"), ("moved", "b.jpg")]
    assert told(["a1", "b1"], ["a1", "b1"]) == []


def test_a_file_whose_name_nobody_knows_is_told_by_its_digest() -> None:
    (gone,) = files(["dead"], [], NAMES)
    assert (gone.kind, gone.before, gone.file) == ("removed", "dead", "")


def test_canonical_json_is_what_the_key_is_the_digest_of() -> None:
    text = digest.canonical(IDENTITY)
    assert digest.of_bytes(text.encode()) == digest.of_json(IDENTITY)
    assert json.loads(text)["prompt"] == VARIANT.text
