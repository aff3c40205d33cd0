"""Prices are the provider's rule to the unit: hundredths of a second rounded up, a floor, a cap."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import catalogue
from callsheet.credits import Credits
from callsheet.tariff import billed_seconds, price_of

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
