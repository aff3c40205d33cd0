"""The money by axis: every axis that has more than one value, each of them adding up to the plan."""

from dataclasses import replace

import pytest

from callsheet.axes import swept
from callsheet.breakdown import by_axis, shortened, summed
from callsheet.credits import Credits
from callsheet.sweep import expand
from callsheet.take import State

from .campaigns import campaign
from .plans import NOTHING, plan, take_of


def test_every_axis_with_more_than_one_value_is_told_in_the_order_of_the_slug() -> None:
    assert [axis.name for axis in by_axis(plan().lines)] == [
        "clip",
        "references",
        "prompt",
        "weather",
        "aspect_ratio",
    ]


def test_the_shares_of_every_axis_add_up_to_the_plan() -> None:
    key = plan().lines[0].key
    drawn = plan(replace(NOTHING, takes={key: take_of(key, State.ARCHIVED)}))
    for axis in by_axis(drawn.lines):
        assert sum(share.variants for share in axis.shares) == 24, axis.name
        assert sum(share.shoot for share in axis.shares) == 23, axis.name
        assert sum((share.credits for share in axis.shares), Credits()) == drawn.credits, axis.name


def test_a_value_tells_its_variants_its_new_takes_and_its_new_money() -> None:
    clip = by_axis(plan().lines)[0]
    assert clip.as_json() == {
        "axis": "clip",
        "values": [
            {"value": "beach", "variants": 12, "shoot": 12, "credits": "766.08", "usd": "11.27"},
            {"value": "pier", "variants": 12, "shoot": 12, "credits": "576", "usd": "8.48"},
        ],
    }


def test_variants_that_a_variable_does_not_concern_are_a_share_of_their_own() -> None:
    weather = next(axis for axis in by_axis(plan().lines) if axis.name == "weather")
    assert [(share.value, share.variants) for share in weather.shares] == [("wet", 8), ("snowy", 8), (None, 8)]


def test_sound_and_takes_are_axes_where_they_are_swept() -> None:
    found = swept(expand(campaign(keep_original_sound="[true, false]", takes="2")))
    assert found["keep_original_sound"] == ("true", "false")
    assert found["take"] == ("1", "2")


def test_one_variant_has_no_axis() -> None:
    assert by_axis(plan().lines[:1]) == ()


@pytest.mark.parametrize("most", [2, 3, 24, 30])
def test_many_values_are_shortened_to_the_first_ones_and_a_sum_of_the_others(most: int) -> None:
    shares = [summed(line.variant.label, [line]) for line in plan().lines]
    shown = shortened(shares, most)
    assert len(shown) == min(most, 24)
    assert sum((share.credits for share in shown), Credits()) == plan().credits
    assert sum(share.variants for share in shown) == 24
    assert (shown[-1].value == f"… {24 - most + 1} more") == (most < 24)
