"""Edits of a campaign: YAML that reads back as meant, applied to a copy; and savings that are never promised too high."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import yamltext
from callsheet.credits import Credits
from callsheet.suggest import Edit, Proposal, Suggestion, applied, flow, weighed, written

from .plans import plan

PROPOSAL = Proposal(kind="trim", title="beach cut to 5 s", note="the last 0.3 s", edits=())

TRAPS = [
    "16:9",
    "0s..5s",
    "true",
    "No",
    "null",
    "123",
    "1e5",
    "0x1F",
    ".5",
    ".nan",
    "~",
    "a: b",
    "a:",
    "- a",
    "{{ x }}",
    "*x",
]
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"]), max_size=12
)
VALUES = st.recursive(
    st.booleans() | st.integers(-5, 99) | TEXTS | st.sampled_from(TRAPS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["clip", "trim", "source"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def edit(path: tuple[str | int, ...], value: Any) -> Edit:
    return Edit(path=path, value=value, place="specs/test.yaml:1", write="")


@given(VALUES)
def test_a_line_that_is_suggested_reads_back_as_it_is_meant(value: Any) -> None:
    assert yamltext.read(f"key: {flow(value)}\n", file="x").value == {"key": value}


@pytest.mark.parametrize("text", TRAPS)
def test_a_text_that_yaml_takes_for_something_else_is_quoted(text: str) -> None:
    assert yamltext.read(f"{{key: {flow(text)}, other: [{flow(text)}, 1]}}", file="x").value == {
        "key": text,
        "other": [text, 1],
    }


def test_a_suggested_line_is_written_as_a_person_would() -> None:
    clip = {"source": "media/clips/bunny.mp4", "trim": "0s..5s"}
    assert written(("clips", "bunny"), clip) == "bunny: {source: media/clips/bunny.mp4, trim: 0s..5s}"
    assert written(("aspect_ratios",), ["9:16"]) == "aspect_ratios: [9:16]"
    assert written(("sweep", "exclude", 2), {"clip": "cup", "keep_original_sound": False}) == (
        "- {clip: cup, keep_original_sound: false}"
    )
    assert written(("takes",), 1) == "takes: 1"


def test_edits_replace_add_append_and_remove_and_leave_the_original_alone() -> None:
    before = {"takes": 3, "sweep": {"exclude": [1]}, "aspect_ratios": ["16:9"], "clips": {"a": "a.mp4"}}
    edits = [
        edit(("takes",), 1),
        edit(("sweep", "exclude", 1), 2),
        edit(("aspect_ratios",), None),
        edit(("clips", "a"), {"source": "a.mp4"}),
        edit(("framing",), "native"),
    ]
    assert applied(before, edits) == {
        "takes": 1,
        "sweep": {"exclude": [1, 2]},
        "clips": {"a": {"source": "a.mp4"}},
        "framing": "native",
    }
    assert before["takes"] == 3
    assert before["sweep"] == {"exclude": [1]}


def test_a_saving_is_the_difference_of_two_plans_and_none_is_no_suggestion() -> None:
    dear = plan()
    cheap = replace(dear, lines=dear.lines[1:])
    found = weighed(PROPOSAL, dear, cheap)
    assert found is not None
    assert found.saving == Credits.of("63.84")
    assert weighed(PROPOSAL, dear, dear) is None
    assert weighed(PROPOSAL, cheap, dear) is None


def test_a_clip_that_would_stand_still_at_its_end_is_told() -> None:
    dear = plan()
    frozen = tuple(
        line._replace(seconds=line.seconds + 1, credits=Credits()) if line.variant.clip == "pier" else line
        for line in dear.lines
    )
    found = weighed(PROPOSAL, dear, replace(dear, lines=frozen))
    assert found is not None
    assert found.note == "the last 0.3 s; at its end the picture stands still: pier for 1 s"


@pytest.mark.parametrize(("credits", "usd"), [("63.84", "0.93"), ("68", "1.00"), ("0.5", "0.00")])
def test_a_saving_in_dollars_is_rounded_down(credits: str, usd: str) -> None:
    found = Suggestion(proposal=PROPOSAL, note="", saving=Credits.of(credits))
    assert str(found.usd) == usd
    assert found.spoken == f"saves {credits} credits (${usd}): beach cut to 5 s"
