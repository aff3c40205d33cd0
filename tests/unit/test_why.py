"""A line explained: its price from the clip's length, and every part with the line of the campaign it comes from."""

from dataclasses import replace
from fractions import Fraction

import pytest

from callsheet import catalogue, why
from callsheet.campaign import Campaign
from callsheet.errors import SpecError
from callsheet.plan import identity_of
from callsheet.provenance import DEFAULT, Origin, origins
from callsheet.sweep import Variant, expand
from callsheet.tariff import price_of

from .campaigns import campaign
from .plans import footage, plan

NAMES = {"sha-beach": "media/clips/beach.mp4", "r1": "a.jpg", "r2": "b.jpg"}


def origins_of(found: Campaign, variant: Variant) -> dict[str, tuple[Origin, ...]]:
    stills = (("references", "brand", 0), ("references", "brand", 1)) if variant.references == "brand" else ()
    return origins(found, variant, clip=("clips", variant.clip), stills=stills)


def line_of_text(text: str, found: Campaign) -> str:
    """`file:line` of the first line that has this text."""
    lines = found.document._root.source.lines
    return f"specs/test.yaml:{next(number for number, line in enumerate(lines, 1) if text in line)}"


def test_every_part_comes_from_the_line_that_says_it() -> None:
    found = campaign()
    variant = next(v for v in expand(found) if v.slug == "pier--brand--neon+snowy--9x16")
    where = origins_of(found, variant)
    assert [(one.place, one.path) for one in where["clip"]] == [(line_of_text("pier.mp4", found), "clips.pier")]
    assert [one.path for one in where["references"]] == ["references.brand[0]", "references.brand[1]"]
    assert [one.place for one in where["prompt"]] == [
        line_of_text("neon:", found),
        line_of_text("weather: [wet", found),
    ]
    assert where["prompt"][1].path == "variables.weather[1]"
    assert where["aspect_ratio"][0].path == "aspect_ratios[1]"
    assert where["model"][0].path == "model"


@pytest.mark.parametrize("part", ["window", "framing", "keep_original_sound", "options", "take"])
def test_what_the_campaign_does_not_write_is_a_default(part: str) -> None:
    found = campaign()
    assert origins_of(found, expand(found)[0])[part] == (DEFAULT,)


def test_long_forms_lead_to_their_own_lines() -> None:
    found = campaign(
        clips="{beach: {source: media/clips/beach.mp4, trim: 1s..5s}, pier: media/clips/pier.mp4}",
        prompts="{dusk: {text: At dusk.}}",
        keep_original_sound="[true, false]",
        takes="2",
        framing="crop",
        variables="{}",
    )
    where = origins_of(found, expand(found)[2])
    paths = {part: places[0].path for part, places in where.items()}
    assert paths["clip"] == "clips.beach.source"
    assert paths["window"] == "clips.beach.trim"
    assert paths["prompt"] == "prompts.dusk.text"
    assert paths["keep_original_sound"] == "keep_original_sound[1]"
    assert paths["take"] == "takes"
    assert paths["framing"] == "framing"


def test_a_value_that_only_an_include_has_comes_from_there() -> None:
    found = campaign(sweep="{include: [{clip: beach, references: brand, prompt: dusk, aspect_ratio: 1:1}]}")
    assert origins_of(found, expand(found)[-1])["aspect_ratio"][0].path == "sweep.include[0].aspect_ratio"


@pytest.mark.parametrize(
    ("seconds", "billed"),
    [
        ("5.312", "5.312 s, billed as 5.32 s at 12 credits a second: 63.84 credits ($0.94)"),
        ("3", "3 s, billed as 3 s at 12 credits a second: 36 credits ($0.53)"),
        ("9.991", "9.991 s, billed as 10 s at 12 credits a second: 120 credits ($1.77)"),
    ],
)
def test_the_price_is_derived_from_the_length(seconds: str, billed: str) -> None:
    line = plan().lines[0]
    priced = line._replace(
        seconds=Fraction(seconds), price=price_of(catalogue.model(line.variant.model), Fraction(seconds))
    )
    assert why.price(priced).spoken == billed


def test_the_parts_are_told_by_file_name_and_in_words() -> None:
    variant = expand(campaign())[6]
    identity = identity_of(variant, replace(footage(variant), window=("1", "11/2")))
    told = {part.title: part.text for part in why.parts(identity, {}, NAMES)}
    assert told == {
        "clip": "media/clips/beach.mp4 (sha-beach)",
        "trim": "1 s to 5.5 s",
        "framing": "native",
        "references": "a.jpg (r1), b.jpg (r2)",
        "prompt": "Re-light the scene at dusk.",
        "aspect ratio": "16:9",
        "sound": "kept",
        "model": "kling-o1-video-edit",
        "options": "none",
        "take": "1",
    }


def test_old_and_new_are_told_part_by_part() -> None:
    variant = expand(campaign())[6]
    before = identity_of(variant, footage(variant))
    changed = variant._replace(keep_original_sound=False, text="Re-light the scene at dawn.")
    after = identity_of(changed, replace(footage(variant), references=("r1",), window=("0", "3")))
    told = {one.change.title: (one.before, one.after) for one in why.differences(before, after, NAMES)}
    assert told["trim"] == ("the whole clip", "0 s to 3 s")
    assert told["sound"] == ("kept", "left out")
    assert set(told) == {"trim", "references", "prompt", "sound"}
    by_part = {one.change.part: one for one in why.differences(before, after, NAMES)}
    assert [file.file for file in by_part["references"].files] == ["b.jpg"]
    assert [word.text for word in by_part["prompt"].words if word.kind == "removed"] == ["dusk"]


def test_a_slug_with_several_takes_stands_for_the_first_and_a_label_for_its_own() -> None:
    lines = plan().lines
    two = [lines[0]._replace(variant=lines[0].variant._replace(take=n, label=f"x--t{n}", slug="x")) for n in (1, 2)]
    assert why.line_of(two, "x").variant.take == 1
    assert why.line_of(two, "x--t2").variant.take == 2


def test_an_unknown_slug_is_told_the_nearest_one_even_among_thousands() -> None:
    line = plan().lines[0]
    labels = [f"clip{number}--none--dusk--16x9" for number in range(3000)]
    many = [line._replace(variant=line.variant._replace(label=label, slug=label)) for label in labels]
    with pytest.raises(SpecError, match=r"did you mean `clip2999--none--dusk--16x9`\?") as caught:
        why.line_of(many, "clip2999--none--dust--16x9")
    assert "?." not in str(caught.value)
    with pytest.raises(SpecError, match="there is no variant `qqqqqqq` in this plan"):
        why.line_of(many, "qqqqqqq")
