"""The sweep: every combination once, in the order of the file, with readable and unique slugs."""

import pytest

from callsheet.errors import NothingToShoot
from callsheet.sweep import count, expand, fill

from .campaigns import campaign


def slugs(**changes: str) -> list[str]:
    return [variant.slug for variant in expand(campaign(**changes))]


def test_the_axes_multiply_and_a_variable_sweeps_only_the_prompts_that_use_it() -> None:
    found = slugs()
    assert len(found) == 2 * 2 * (1 + 2) * 2
    assert found[0] == "beach--none--dusk--16x9"
    assert "beach--none--neon+snowy--9x16" in found
    assert not any("dusk+" in slug for slug in found)


def test_slugs_are_unique_and_in_the_order_of_the_file() -> None:
    found = slugs()
    assert len(set(found)) == len(found)
    assert [slug.split("--")[0] for slug in found] == ["beach"] * 12 + ["pier"] * 12


def test_the_variables_are_in_the_text_that_is_sent() -> None:
    texts = {variant.prompt_slug: variant.text for variant in expand(campaign())}
    assert texts["neon+wet"] == "Under neon, wet ground"


def test_exclude_takes_away_what_matches_all_its_keys() -> None:
    found = slugs(sweep="{exclude: [{clip: pier, aspect_ratio: 9:16}]}")
    assert len(found) == 24 - 6
    assert not any(slug.startswith("pier") and slug.endswith("9x16") for slug in found)


def test_exclude_can_name_the_value_of_a_variable() -> None:
    found = slugs(sweep="{exclude: [{weather: snowy}]}")
    assert not any("snowy" in slug for slug in found)
    assert len(found) == 16


def test_include_adds_a_cell_that_the_axes_do_not_have() -> None:
    found = slugs(sweep="{include: [{clip: beach, references: brand, prompt: dusk, aspect_ratio: 1:1}]}")
    assert found[-1] == "beach--brand--dusk--1x1"
    assert len(found) == 25


def test_include_of_what_is_there_already_adds_nothing() -> None:
    assert len(slugs(sweep="{include: [{clip: beach, references: brand, prompt: dusk, aspect_ratio: 16:9}]}")) == 24


def test_an_include_comes_back_after_an_exclude() -> None:
    rule = "{exclude: [{clip: pier}], include: [{clip: pier, references: none, prompt: dusk, aspect_ratio: 16:9}]}"
    found = slugs(sweep=rule)
    assert [slug for slug in found if slug.startswith("pier")] == ["pier--none--dusk--16x9"]


def test_takes_share_a_slug_and_have_labels_of_their_own() -> None:
    found = expand(campaign(takes="2"))
    assert len(found) == 48
    assert {variant.take for variant in found} == {1, 2}
    assert found[1].slug == found[0].slug
    assert found[1].label == "beach--none--dusk--16x9--t2"


def test_a_swept_sound_is_a_part_of_the_slug_and_a_fixed_one_is_not() -> None:
    assert slugs(keep_original_sound="[true, false]")[:2] == [
        "beach--none--dusk--16x9--sound",
        "beach--none--dusk--16x9--mute",
    ]
    assert slugs(keep_original_sound="false")[0] == "beach--none--dusk--16x9"


def test_a_glob_is_one_clip_a_file_and_a_selector_may_name_all_of_them() -> None:
    one = campaign(sweep="{exclude: [{clip: pier}]}")
    found = expand(one, {"beach": ("beach-a", "beach-b"), "pier": ("pier-a", "pier-b")})
    assert {variant.clip for variant in found} == {"beach-a", "beach-b"}


def test_values_that_are_spelled_alike_still_have_slugs_of_their_own() -> None:
    found = slugs(variables='{weather: ["wet!", "wet?"]}')
    assert len(set(found)) == len(found) == 24


def test_an_empty_sweep_says_so() -> None:
    with pytest.raises(NothingToShoot, match="exclude leaves no variant"):
        expand(campaign(sweep="{exclude: [{clip: beach}, {clip: pier}]}"))


def test_a_value_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    assert fill("{{ a }} and {{ b }}", [("a", "{{ b }}"), ("b", "c")]) == "{{ b }} and c"


# --- models, options, what clips and prompts say for themselves --------------------------------------------------------


def test_models_are_an_axis_and_a_model_without_aspect_ratios_has_one_cell_for_them() -> None:
    found = slugs(model="[kling-o1-video-edit, kling-o1-video-edit-fast]", prompts="{dusk: Dusk}", variables="{}")
    assert found[:3] == [
        "beach--none--dusk--16x9--kling-o1-video-edit",
        "beach--none--dusk--9x16--kling-o1-video-edit",
        "beach--none--dusk--native--kling-o1-video-edit-fast",
    ]
    assert len(found) == 4 * 3


def test_where_our_preparation_makes_the_shape_a_model_without_aspect_ratios_has_them_too() -> None:
    found = expand(campaign(model="kling-o1-video-edit-fast", framing="crop"))
    assert {variant.aspect_ratio for variant in found} == {"16:9", "9:16"}
    assert {variant.framing for variant in found} == {"crop"}


def test_options_are_axes_and_the_slug_names_the_swept_ones_only() -> None:
    found = expand(campaign(TEXT, options="{duration: [5, 10], quality: 1080p}"))
    assert [variant.slug for variant in found] == ["dusk--16x9--duration-5", "dusk--16x9--duration-10"]
    assert found[0].options == (("duration", 5), ("quality", "1080p"), ("sound", "off"))
    assert found[0].clip == ""
    assert found[0].keep_original_sound is None


TEXT = """
campaign: waves
model: kling-v3-text-to-video
prompts:
  dusk: Waves at dusk.
"""


def test_an_option_counts_for_the_models_that_know_it() -> None:
    found = expand(campaign(model="[kling-o1-video-edit, kling-o3-video-edit]", options="{quality: [720p, 1080p]}"))
    by_model = {v.model: {u.options for u in found if u.model == v.model} for v in found}
    assert by_model["kling-o1-video-edit"] == {()}
    assert by_model["kling-o3-video-edit"] == {(("quality", "720p"),), (("quality", "1080p"),)}


def test_a_clip_and_a_prompt_can_say_things_for_themselves_and_the_prompt_has_the_last_word() -> None:
    found = expand(
        campaign(
            clips="{beach: {source: a.mp4, aspect_ratios: [1:1], takes: 2, framing: crop}, pier: b.mp4}",
            prompts="{dusk: Dusk, neon: {text: Neon, takes: 3, keep_original_sound: false}}",
            variables="{}",
            references="{none: []}",
        )
    )
    cells = {(v.clip, v.prompt, v.aspect_ratio, v.keep_original_sound, v.framing) for v in found}
    assert cells == {
        ("beach", "dusk", "1:1", True, "crop"),
        ("beach", "neon", "1:1", False, "crop"),
        ("pier", "dusk", "16:9", True, "native"),
        ("pier", "dusk", "9:16", True, "native"),
        ("pier", "neon", "16:9", False, "native"),
        ("pier", "neon", "9:16", False, "native"),
    }
    takes = {(v.clip, v.prompt): v.take for v in found}
    assert takes == {("beach", "dusk"): 2, ("beach", "neon"): 3, ("pier", "dusk"): 1, ("pier", "neon"): 3}


def test_a_selector_with_several_values_means_any_of_them() -> None:
    found = slugs(sweep="{exclude: [{clip: [beach, pier], aspect_ratio: [9:16]}]}")
    assert len(found) == 12
    assert not any(slug.endswith("9x16") for slug in found)


def test_an_include_with_several_values_adds_each() -> None:
    rule = "{include: [{clip: [beach, pier], references: none, prompt: dusk, aspect_ratio: 1:1}]}"
    assert slugs(sweep=rule)[24:] == ["beach--none--dusk--1x1", "pier--none--dusk--1x1"]


def test_a_model_and_an_option_can_be_selected() -> None:
    found = expand(campaign(TEXT, options="{duration: [5, 10]}", sweep="{exclude: [{duration: 5}]}"))
    assert [dict(variant.options)["duration"] for variant in found] == [10]
    found = expand(
        campaign(
            model="[kling-o1-video-edit, kling-o1-video-edit-fast]",
            sweep="{exclude: [{model: kling-o1-video-edit-fast, clip: beach}]}",
        )
    )
    assert {(v.model, v.clip) for v in found} == {
        ("kling-o1-video-edit", "beach"),
        ("kling-o1-video-edit", "pier"),
        ("kling-o1-video-edit-fast", "pier"),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"takes": "3"},
        {"model": "[kling-o1-video-edit, kling-o1-video-edit-fast]", "keep_original_sound": "[true, false]"},
        {"clips": "{beach: {source: a.mp4, aspect_ratios: [1:1], takes: 2}, pier: b.mp4}"},
    ],
)
def test_the_grid_is_counted_without_being_expanded(changes: dict[str, str]) -> None:
    one = campaign(**changes)
    members = {clip.name: (clip.name,) for clip in one.clips}
    assert count(one, members) == len(expand(one))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "{clip}--{references}--{prompt}--{aspect_ratio}--t{take}"),
        ({"keep_original_sound": "[true, false]"}, "{clip}--{references}--{prompt}--{aspect_ratio}--{sound}--t{take}"),
        (
            {"model": "[kling-o1-video-edit, kling-o1-video-edit-fast]"},
            "{clip}--{references}--{prompt}--{aspect_ratio}--{model}--t{take}",
        ),
    ],
)
def test_the_default_name_of_a_deliverable_tells_all_variants_apart(changes: dict[str, str], name: str) -> None:
    assert campaign(**changes).archive.name == "{campaign}/" + name


def test_the_default_name_names_no_input_that_the_model_does_not_take() -> None:
    name = campaign(TEXT, options="{duration: [5, 10]}").archive.name
    assert name == "{campaign}/{prompt}--{aspect_ratio}--{duration}--t{take}"
