"""A pilot covers every pair that occurs, with nothing to spare, in few variants, and the same ones every time."""

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet.axes import swept, values_of
from callsheet.credits import Credits
from callsheet.pilot import Pilot, pairwise
from callsheet.sweep import Variant, expand

from .campaigns import campaign

PRICE = Credits.of(48)


def variant(clip: str, references: str = "none", prompt: str = "dusk", ratio: str = "16:9", **facts: object) -> Variant:
    sound, model, variables = facts.get("sound", True), facts.get("model", "m"), facts.get("variables", ())
    slug = "--".join([clip, references, prompt, ratio, str(sound), str(model), *(v for _, v in variables)])  # type: ignore[attr-defined]
    return Variant(
        campaign="c", clip=clip, references=references, prompt=prompt, aspect_ratio=ratio,
        keep_original_sound=bool(sound), model=str(model), options=(), framing="native", take=1, variables=variables, text="",  # type: ignore[arg-type]
        prompt_slug="", slug=slug, label=slug,
    )  # fmt: skip


def grid(*sizes: int) -> list[Variant]:
    """Every combination of up to six axes with so many values."""
    names = ("clip", "references", "prompt", "ratio", "sound", "model")
    widths = [*sizes, *([1] * (len(names) - len(sizes)))]
    cells = product(*(range(width) for width in widths))
    return [variant(f"c{c}", f"r{r}", f"p{p}", f"{a + 1}:1", sound=s == 0, model=f"m{m}") for c, r, p, a, s, m in cells]


def picked(variants: Sequence[Variant], prices: dict[str, Credits] | None = None) -> Pilot:
    return pairwise(variants, prices or {one.label: PRICE for one in variants})


def required(variants: Iterable[Variant], of: Sequence[Variant]) -> set[object]:
    """Every pair of values of swept axes that occurs, and every value (a pair covers both of its own)."""
    axes = swept(of)
    found: set[object] = set()
    for one in variants:
        here = [item for item in values_of(one).items() if item[0] in axes and item[0] != "take"]
        found |= {*here, *combinations(here, 2)}
    return found


@st.composite
def campaigns(draw: st.DrawFn) -> tuple[list[Variant], dict[str, Credits]]:
    """Any part of a grid, with a variable on some prompts, each clip at a price of its own."""
    cells = draw(
        st.lists(
            st.tuples(*(st.integers(0, most) for most in (4, 2, 3, 2, 1)), st.sampled_from(["", "wet", "dry"])),
            min_size=1,
            max_size=60,
            unique=True,
        )
    )
    found = [
        variant(f"c{c}", f"r{r}", f"p{p}", f"{a + 1}:1", sound=s == 0, variables=(("weather", w),) if w else ())
        for c, r, p, a, s, w in cells
    ]
    by_clip = draw(st.lists(st.integers(0, 1_200_000), min_size=5, max_size=5))
    return found, {one.label: Credits(units=by_clip[int(one.clip[1:])]) for one in found}


@given(campaigns())
@settings(max_examples=300, deadline=None)
def test_every_pair_that_occurs_is_covered_and_no_variant_is_to_spare(
    sample: tuple[list[Variant], dict[str, Credits]],
) -> None:
    variants, prices = sample
    found = picked(variants, prices)
    chosen = list(found.variants)
    assert set(chosen) <= set(variants)
    assert chosen == [one for one in variants if one in set(chosen)]
    wanted = required(variants, variants)
    assert required(chosen, variants) == wanted
    assert chosen
    for one in chosen:
        others = [other for other in chosen if other is not one]
        assert not others or not wanted or required(others, variants) < wanted, one.label
    assert found.pairs == len([item for item in wanted if isinstance(item, tuple) and isinstance(item[0], tuple)])
    assert picked(variants, prices) == found


@pytest.mark.parametrize(
    "sizes",
    [(6, 3, 4, 3), (3, 3, 3, 3), (2, 2, 2), (2, 2, 2, 2), (5, 5, 5, 5), (4, 4, 4, 3, 2), (5, 4, 3, 2, 2, 2), (12, 9)],
)
def test_a_full_grid_takes_little_more_than_its_two_largest_axes_need(sizes: tuple[int, ...]) -> None:
    """Each pair of values of the two largest axes needs a variant of its own: no pilot is smaller than their product."""
    found = picked(grid(*sizes))
    least = prod(sorted(sizes)[-2:])
    assert least <= len(found.variants) <= 1.6 * least


def test_where_the_clips_do_not_bind_the_cheapest_one_is_taken() -> None:
    """Two clips, and ratio x prompt needs nine variants: each clip covers its own pairs, the cheap one does the rest."""
    variants = grid(2, 1, 3, 3)
    prices = {one.label: Credits.of(120 if one.clip == "c0" else 36) for one in variants}
    counts = {clip: sum(one.clip == clip for one in picked(variants, prices).variants) for clip in ("c0", "c1")}
    assert counts == {"c0": 3, "c1": 6}


def test_of_several_takes_the_pilot_has_the_first() -> None:
    variants = expand(campaign(takes="3"))
    found = picked(variants)
    assert {one.take for one in found.variants} == {1}
    assert (found.of, found.of_credits) == (72, PRICE * 72)


def test_a_pilot_says_what_it_covers_and_what_it_costs() -> None:
    found = picked(grid(6, 3, 4, 3))
    assert found.spoken == "24 of 216 variants cover all 93 pairs; $16.95 of $152.48"
    assert found.as_json() == {"variants": 24, "of": 216, "pairs": 93, "credits": "1152", "of_credits": "10368"}


def test_one_axis_has_no_pairs_and_every_value_is_wanted() -> None:
    found = picked(grid(3))
    assert len(found.variants) == 3
    assert "cover all 3 values" in found.spoken


def test_of_one_variant_the_pilot_is_that_variant() -> None:
    found = picked(grid(1))
    assert len(found.variants) == 1
    assert found.spoken == "1 of 1 variants, which are all the same variant; $0.71 of $0.71"


def test_ten_thousand_variants_are_no_matter_of_minutes() -> None:
    """Not a benchmark: it fails where the work grows with the square of the variants (that takes hours)."""
    found = picked([variant(f"c{c}", f"r{r}", f"p{p}", f"{a}:1") for c, r, p, a in product(range(10), repeat=4)])
    assert 100 <= len(found.variants) <= 160
