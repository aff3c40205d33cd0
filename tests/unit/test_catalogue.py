"""The catalogue: every model of the provider is a row, and a row says what the provider's own documents say."""

from fractions import Fraction

import pytest

from callsheet import catalogue
from callsheet.catalogue import Model

NAMES = (
    "kling-o1-video-edit",
    "kling-o1-video-edit-fast",
    "kling-o1-image-to-video",
    "kling-o3-video-edit",
    "kling-o3-reference-to-video",
    "kling-o3-image-to-video",
    "kling-o3-text-to-video",
    "kling-v3-text-to-video",
    "kling-v3-image-to-video",
    "kling-v3-turbo-text-to-video",
    "kling-v3-turbo-image-to-video",
    "kling-v3-motion-control",
    "kling-v2.6-motion-control",
    "kling-custom-element",
)


def test_there_are_fourteen_models_of_which_thirteen_make_a_video() -> None:
    assert tuple(catalogue.models()) == NAMES
    assert set(catalogue.models()) - set(catalogue.video_models()) == {"kling-custom-element"}


@pytest.mark.parametrize("model", catalogue.models().values(), ids=lambda model: model.name)
def test_a_row_is_in_itself_consistent(model: Model) -> None:
    for option in model.options.values():
        assert option.description.endswith(".")
        assert set(option.needs) <= set(model.options)
        values = option.choices or range(option.range[0], option.range[1] + 1) if option.range else option.choices
        assert option.default is None or option.default in values
        assert not option.sums_to or option.sums_to in model.options
    for factor in model.price.factors:
        assert all(value in model.options[name].choices for name, value in factor.when)
    assert model.price.quantity != "duration" or "duration" in model.defaults
    assert model.price.quantity != "clip" or (model.clip is not None and model.clip.required)
    assert (model.kind == "text-to-video") == (model.clip is None and model.images is None and model.makes == "video")
    assert not model.sound_field or model.clip is not None


def test_a_minimum_is_never_below_what_the_shortest_result_costs_by_the_second() -> None:
    for model in catalogue.video_models().values():
        assert model.price.minimum == model.price.units * 3 or model.name.startswith("kling-o1")


def test_another_length_counts_where_an_option_says_so() -> None:
    motion = catalogue.model("kling-v3-motion-control")
    assert motion.clip is not None
    assert motion.clip.under(motion.settled({"character_orientation": "image"})).seconds == (Fraction(3), Fraction(10))
    assert motion.clip.under(motion.settled({"character_orientation": "video"})).seconds == (Fraction(3), Fraction(30))


def test_an_option_names_the_models_that_know_it() -> None:
    assert catalogue.options()["character_orientation"] == ("kling-v3-motion-control", "kling-v2.6-motion-control")
    assert "kling-o1-video-edit" not in {name for names in catalogue.options().values() for name in names}


def test_the_first_factor_that_fits_counts() -> None:
    model = catalogue.model("kling-v3-text-to-video")
    assert model.price.factor(model.settled({"sound": "on"})) == Fraction("1.5")
    assert model.price.factor(model.settled({"sound": "on", "quality": "4k"})) == 5
    assert model.price.factor(model.settled({"quality": "1080p"})) == Fraction("1.334")
    assert model.price.factor(model.settled({})) == 1


def test_options_come_in_the_order_of_the_catalogue_with_their_defaults() -> None:
    model = catalogue.model("kling-o3-text-to-video")
    settled = model.settled({"sound": "on", "duration": 7, "unknown": 1})
    assert settled == (("duration", 7), ("quality", "720p"), ("sound", "on"))
