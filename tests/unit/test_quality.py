"""The verdicts: each limit on both sides, what applies to which kind of model, and the words."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from callsheet import catalogue, quality
from callsheet.quality import Asked, Heard, Measured, Stretch, judge, sound_of, spoken

GOOD = Measured(
    frames=120,
    seconds=5.0,
    rate=24.0,
    width=1920,
    height=1080,
    repeats=0.0,
    blank=None,
    frozen=None,
    part=None,
    jumps=0,
    jump=0.0,
    colours=0,
    bars=0.0,
    change=20.0,
    likeness=0.8,
    backwards=0.0,
    heard=Heard(loudness=-20.0, likeness=0.9, offset=0, silence=None),
)
ASKED = Asked(
    seconds=5.0,
    shape=Fraction(16, 9),
    shape_name="16:9",
    sound="kept",
    has_source=True,
    source_rate=25.0,
    source_shape=Fraction(16, 9),
)
ALONE = replace(ASKED, has_source=False, source_rate=None, source_shape=None, sound="any")


def flags(measured: Measured, asked: Asked = ASKED) -> list[str]:
    return quality.flags(judge(measured, asked))


def test_a_good_film_passes_every_check_and_each_is_told_with_its_number() -> None:
    verdict = judge(GOOD, ASKED)
    assert verdict.verdict == "pass"
    assert {finding.verdict for finding in verdict.findings} == {"pass"}
    assert all(finding.measured and finding.limit and not finding.says for finding in verdict.findings)
    names = [finding.check for finding in verdict.findings]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("good", "bad", "check"),
    [
        ({"seconds": 5.5}, {"seconds": 5.6}, "length"),
        ({"seconds": 4.5}, {"seconds": 4.4}, "length"),
        ({"rate": 23.976}, {"rate": 20.0}, "frame-rate"),
        ({"rate": 60.0}, {"rate": 12.0}, "frame-rate"),
        ({"repeats": 0.13}, {"repeats": 0.2}, "judder"),
        ({"width": 1920, "height": 1088}, {"width": 1920, "height": 1200}, "aspect-ratio"),
        ({"width": 1284, "height": 716}, {"width": 1080, "height": 1920}, "aspect-ratio"),
        ({"bars": 0.03}, {"bars": 0.1}, "bars"),
        ({"blank": None}, {"blank": Stretch(1.0, 0.04)}, "blank"),
        ({"frozen": Stretch(1.0, 0.3)}, {"frozen": Stretch(1.0, 0.6)}, "frozen"),
        ({"part": (Stretch(1.0, 2.0), 0.0625)}, {"part": (Stretch(1.0, 2.0), 0.5)}, "part-frozen"),
        ({"jumps": 4}, {"jumps": 5}, "flicker"),
        ({"colours": 0}, {"colours": 1}, "colours"),
        ({"change": 5.0}, {"change": 4.0}, "unchanged"),
        ({"likeness": 0.3, "backwards": 0.4}, {"likeness": 0.1, "backwards": 0.7}, "backwards"),
        ({"likeness": -0.9, "backwards": 0.4}, {"likeness": 0.0, "backwards": -0.9}, "backwards"),
    ],
)
def test_each_limit_of_the_picture_has_two_sides(good: dict[str, Any], bad: dict[str, Any], check: str) -> None:
    assert flags(replace(GOOD, **good)) == []
    assert flags(replace(GOOD, **bad)) == [check]


@pytest.mark.parametrize(
    ("heard", "sound", "check"),
    [
        (None, "kept", "sound"),
        (Heard(loudness=-90.0), "kept", "sound"),
        (Heard(loudness=-20.0, likeness=0.05), "kept", "same-sound"),
        (Heard(loudness=-20.0, likeness=0.9, offset=200), "kept", "sync"),
        (Heard(loudness=-20.0, likeness=0.9, offset=-200), "kept", "sync"),
        (Heard(loudness=-20.0, likeness=0.9, offset=0, silence=Stretch(1.0, 0.8)), "kept", "muted"),
        (Heard(loudness=-20.0, likeness=0.9), "none", "sound"),
        (None, "made", "sound"),
    ],
)
def test_sound_is_as_asked(heard: Heard | None, sound: Any, check: str) -> None:
    assert flags(replace(GOOD, heard=heard), replace(ASKED, sound=sound)) == [check]


@pytest.mark.parametrize(
    ("heard", "sound"),
    [
        (Heard(loudness=-20.0, likeness=0.9, offset=60), "kept"),
        (None, "none"),
        (Heard(loudness=-80.0), "none"),
        (Heard(loudness=-20.0), "made"),
        (None, "any"),
        (Heard(loudness=-20.0), "any"),
    ],
)
def test_sound_that_is_as_asked_passes(heard: Heard | None, sound: Any) -> None:
    assert flags(replace(GOOD, heard=heard), replace(ASKED, sound=sound)) == []


def test_a_film_without_a_source_may_stand_still_and_fade_for_a_moment() -> None:
    bare = replace(GOOD, change=None, likeness=None, backwards=None, part=None)
    assert flags(replace(bare, frozen=Stretch(4.0, 0.9), blank=Stretch(2.0, 0.2)), ALONE) == []
    assert flags(replace(bare, frozen=Stretch(3.0, 1.5), blank=Stretch(2.0, 0.5)), ALONE) == ["blank", "frozen"]


def test_a_source_of_few_frames_asks_for_no_more() -> None:
    assert flags(replace(GOOD, rate=15.0), replace(ASKED, source_rate=15.0)) == []


def test_a_flag_says_what_it_found_and_a_shape_that_the_model_kept_says_the_way_out() -> None:
    verdict = judge(GOOD, replace(ASKED, shape=Fraction(9, 16), shape_name="9:16"))
    (flag,) = [finding for finding in verdict.findings if finding.verdict == "flag"]
    assert flag.says == (
        "It is 1920x1080, and 9:16 was asked for. That is the shape of the clip: `framing: crop` gives the clip the shape "
        "before it is sent."
    )
    assert spoken(verdict) == "aspect-ratio 1920x1080"
    assert quality.verdict_of(verdict) == "flag: aspect-ratio 1920x1080"
    assert quality.verdict_of(judge(GOOD, ASKED)) == "pass"
    assert quality.verdict_of(None) == ""


@pytest.mark.parametrize(
    ("model", "options", "keeps", "source_has_sound", "sound"),
    [
        ("kling-o1-video-edit", {}, True, True, "kept"),
        ("kling-o1-video-edit", {}, True, False, "none"),
        ("kling-o1-video-edit", {}, False, True, "none"),
        ("kling-v3-text-to-video", {"sound": "on"}, None, False, "made"),
        ("kling-v3-text-to-video", {"sound": "off"}, None, False, "none"),
        ("kling-o1-image-to-video", {}, None, False, "any"),
        ("kling-v3-motion-control", {}, True, True, "kept"),
    ],
)
def test_what_should_be_heard_follows_from_model_and_campaign(
    model: str, options: dict[str, Any], keeps: bool | None, source_has_sound: bool, sound: str
) -> None:
    given = sound_of(catalogue.model(model), tuple(options.items()), keeps=keeps, source_has_sound=source_has_sound)
    assert given == sound


def test_the_page_names_every_check_in_its_order() -> None:
    page = (Path(__file__).parents[2] / "docs/quality.md").read_text("utf-8")
    named = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    heard = Heard(loudness=-20.0, likeness=0.9, offset=0, silence=Stretch(0.0, 0.1))
    every = judge(replace(GOOD, part=(Stretch(0.0, 0.0), 0.0), heard=heard), ASKED)
    assert named == [finding.check for finding in every.findings]
