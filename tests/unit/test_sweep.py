"""The sweep: every combination once, in the order of the file, with readable and unique slugs."""

import pytest

from callsheet.errors import NothingToShoot
from callsheet.sweep import expand, fill, select

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


def test_only_selects_by_globs_and_a_glob_that_matches_nothing_names_an_example() -> None:
    variants = expand(campaign())
    assert len(select(variants, ["beach--*--9x16"])) == 6
    assert select(variants, []) == variants
    with pytest.raises(NothingToShoot, match="matches none of the 24") as caught:
        select(variants, ["beech*"])
    assert "beach--none--dusk--16x9" in str(caught.value)


def test_a_value_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    assert fill("{{ a }} and {{ b }}", [("a", "{{ b }}"), ("b", "c")]) == "{{ b }} and c"
