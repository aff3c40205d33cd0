"""Prices are the provider's rule to the unit: hundredths of a second rounded up, a floor, a cap."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import catalogue
from callsheet.credits import Credits
from callsheet.tariff import billed_seconds, most_of, price_of, quantity_of

EDIT = catalogue.model("kling-o1-video-edit")
FAST = catalogue.model("kling-o1-video-edit-fast")
SECONDS = st.fractions(min_value=0, max_value=40, max_denominator=1_000_000)


@pytest.mark.parametrize(
    ("seconds", "credits"),
    [
        ("2.0", "36"),
        ("3", "36"),
        ("5.77", "69.24"),
        ("5.312", "63.84"),
        ("10", "120"),
        ("12", "120"),
        ("3.0001", "36.12"),
    ],
)
def test_an_edit_costs_what_the_pricing_rules_say(seconds: str, credits: str) -> None:
    assert price_of(EDIT, Fraction(seconds)) == Credits.of(credits)


@pytest.mark.parametrize(
    ("seconds", "credits"), [("3", "40.8"), ("6", "40.8"), ("6.01", "40.868"), ("20", "136"), ("25", "136")]
)
def test_a_fast_edit_has_its_own_floor_and_cap(seconds: str, credits: str) -> None:
    assert price_of(FAST, Fraction(seconds)) == Credits.of(credits)


@given(SECONDS)
def test_billed_seconds_never_fall_short_and_stay_within_the_rule(seconds: Fraction) -> None:
    rule = EDIT.price
    assert rule.cap_seconds is not None
    billed = billed_seconds(rule, seconds)
    assert rule.floor_seconds <= billed <= rule.cap_seconds
    assert billed.denominator in (1, 2, 4, 5, 10, 20, 25, 50, 100)
    if rule.floor_seconds < seconds <= rule.cap_seconds:
        assert seconds <= billed < seconds + Fraction(1, 100)


@given(SECONDS, SECONDS)
def test_a_longer_clip_never_costs_less(one: Fraction, other: Fraction) -> None:
    shorter, longer = sorted((one, other))
    assert price_of(EDIT, shorter) <= price_of(EDIT, longer)


def test_a_negative_length_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        price_of(EDIT, Fraction(-1))


@pytest.mark.parametrize(
    ("model", "options", "seconds", "credits"),
    [
        ("kling-o1-image-to-video", {}, "5", "40"),
        ("kling-o1-image-to-video", {"duration": 10}, "10", "80"),
        ("kling-o3-video-edit", {}, "5.2", "48.6"),  # six whole seconds at 8.1
        ("kling-o3-video-edit", {"quality": "1080p"}, "3", "32.4162"),
        ("kling-o3-text-to-video", {"duration": 3, "quality": "4k", "sound": "on"}, "3", "81"),
        ("kling-o3-text-to-video", {"duration": 5, "quality": "1080p", "sound": "on"}, "5", "45.009"),
        ("kling-v3-text-to-video", {"duration": 5, "sound": "on"}, "5", "40.5"),
        ("kling-v3-turbo-text-to-video", {"duration": 4, "quality": "1080p"}, "4", "36"),
        ("kling-v3-motion-control", {}, "3.4", "24.4944"),  # rounded to the nearest second
        ("kling-v3-motion-control", {}, "3.5", "32.6592"),
        ("kling-v2.6-motion-control", {"quality": "1080p"}, "4", "28.8"),
        ("kling-custom-element", {}, "0", "0.001"),
    ],
)
def test_every_kind_of_rule_is_the_providers(
    model: str, options: dict[str, str | int], seconds: str, credits: str
) -> None:
    row = catalogue.model(model)
    assert price_of(row, Fraction(seconds), row.settled(options)) == Credits.of(credits)


def test_a_model_that_is_settled_on_its_result_can_cost_no_more_than_is_said() -> None:
    motion = catalogue.model("kling-v3-motion-control")
    assert most_of(motion, Fraction("3.4"), motion.settled({})) == Credits.of("32.6592")
    assert most_of(EDIT, Fraction("3.4")) == price_of(EDIT, Fraction("3.4"))


def test_what_is_priced_is_the_clip_or_the_duration_that_was_asked_for() -> None:
    stills = catalogue.model("kling-o1-image-to-video")
    assert quantity_of(EDIT, Fraction("5.312"), ()) == Fraction("5.312")
    assert quantity_of(stills, Fraction(0), stills.settled({"duration": 10})) == 10
