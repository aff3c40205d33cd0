"""The campaign document: what is accepted and means what, every problem at its place, and the schema editors use."""

import json
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from callsheet import catalogue, sweep, yamltext
from callsheet.campaign import NATIVE, Campaign, Sources, Trim, is_glob, parse, parse_trim
from callsheet.campaign_schema import json_schema
from callsheet.credits import Credits
from callsheet.errors import NothingToShoot, Problem, SpecError, SpecInvalid, SpecSyntax

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BROKEN = sorted((HERE / "broken").glob("*.yaml"))

#: The campaign of DESIGN.md, section 5, with a local source in the place of s3://.
SAMPLE = """\
# yaml-language-server: $schema=./campaign.schema.json
campaign: summer-launch
model: kling-o1-video-edit            # `callsheet models` lists them
budget: $40.00                        # hard ceiling of the campaign; "2720 credits" works too
approve_above: $10.00                 # a person confirms a dearer run (terminal, or Prefect UI)

clips:
  beach: media/clips/beach.mp4
  pier: {source: media/clips/pier.mov, trim: 2s..9.5s}
  products: {source: media/clips/product-*.mp4}        # a glob declares one clip a file
references:
  none: []
  brand-a: [media/references/brand-a/*.jpg]
prompts:
  dusk: Re-light the scene at dusk.
  neon: "{{ product }} under neon signs, {{ weather }} ground"
variables:
  product: the bottle
  weather: [wet, snowy]               # a list is one more axis, for the prompts that use it
aspect_ratios: [16:9, 9:16]
keep_original_sound: true             # a list sweeps it
takes: 1                              # samples of every variant
retakes: 2                            # new takes where the provider failed a job and kept nothing

sweep:
  exclude: [{clip: pier, aspect_ratio: 9:16}]
  include: [{clip: beach, references: brand-a, prompt: dusk, aspect_ratio: 1:1}]

framing: native                       # native | crop | pad: who makes the aspect ratio, the model or our preparation
archive: {to: archive/, name: "{campaign}/{clip}--{references}--{prompt}--{aspect_ratio}--t{take}"}
rerender: changed                     # changed | every-run (a scheduled run renders afresh)
schedule: {cron: "0 6 * * 1", timezone: Asia/Shanghai}
"""

SMALL = """\
campaign: summer
model: kling-o1-video-edit
clips:
  beach: media/clips/beach.mp4
prompts:
  dusk: Re-light the scene at dusk.
"""


TEXT_TO_VIDEO = """\
campaign: waves
model: kling-v3-text-to-video
prompts: {dusk: Waves at dusk.}
options: {duration: 5, sound: "on", multi_prompt: [{prompt: a, duration: 5}], multi_shot: true, shot_type: customize}
"""

IMAGE_TO_VIDEO = """\
campaign: frames
model: kling-o1-image-to-video
references: {morning: [a.jpg], day: [a.jpg, b.jpg]}
prompts: {walk: Walk slowly.}
options: {duration: 10}
"""


def problems(text: str | bytes) -> list[str]:
    """What is said about a campaign, without the file's name; each line of a message is a line here."""
    try:
        found = parse(text, file="x.yaml").warnings
    except (SpecSyntax, SpecInvalid) as error:
        found = error.problems
    return [line.removeprefix("x.yaml:") for problem in found for line in str(problem).split("\n")]


def warnings(text: str) -> list[str]:
    campaign = parse(text, file="x.yaml")
    assert all(warning.severity == "warning" for warning in campaign.warnings)
    return [str(warning).removeprefix("x.yaml:") for warning in campaign.warnings]


# --- what is accepted -----------------------------------------------------------------------------------------------


def test_the_campaign_of_the_design_is_read() -> None:
    campaign = parse(SAMPLE.encode(), file="specs/summer-launch.yaml")
    assert campaign.name == "summer-launch"
    assert campaign.models == ("kling-o1-video-edit",)
    assert campaign.budget == Credits.of(2720)
    assert campaign.approve_above == Credits.of_usd(10)
    assert [(clip.name, clip.source) for clip in campaign.clips] == [
        ("beach", "media/clips/beach.mp4"),
        ("pier", "media/clips/pier.mov"),
        ("products", "media/clips/product-*.mp4"),
    ]
    assert [clip.trim for clip in campaign.clips] == [None, Trim(start=Fraction(2), end=Fraction(19, 2)), None]
    assert [clip.path for clip in campaign.clips] == [("clips", "beach"), ("clips", "pier"), ("clips", "products")]
    assert [(s.name, s.files) for s in campaign.references] == [
        ("none", ()),
        ("brand-a", ("media/references/brand-a/*.jpg",)),
    ]
    assert [(prompt.name, prompt.variables) for prompt in campaign.prompts] == [
        ("dusk", ()),
        ("neon", ("product", "weather")),
    ]
    assert campaign.variables == {"product": ("the bottle",), "weather": ("wet", "snowy")}
    assert campaign.aspect_ratios == ("16:9", "9:16")
    assert campaign.keep_original_sound == (True,)
    assert campaign.takes == 1
    assert campaign.retakes == 2
    assert [selector.match for selector in campaign.exclude] == [{"clip": ("pier",), "aspect_ratio": ("9:16",)}]
    assert campaign.include[0].match["aspect_ratio"] == ("1:1",)
    assert campaign.include[0].path == ("sweep", "include", 0)
    assert campaign.framing == "native"
    assert (campaign.archive.to, campaign.rerender) == ("archive/", "changed")
    assert campaign.schedule is not None
    assert (campaign.schedule.cron, campaign.schedule.timezone) == ("0 6 * * 1", "Asia/Shanghai")
    assert campaign.warnings == ()


def test_what_is_left_out_has_the_documented_default() -> None:
    campaign = parse(SMALL, file="x.yaml")
    assert campaign.budget is None
    assert campaign.approve_above is None
    assert [(s.name, s.files) for s in campaign.references] == [("none", ())]
    assert campaign.variables == {}
    assert campaign.aspect_ratios == ("16:9",)
    assert campaign.keep_original_sound == (True,)
    assert campaign.takes == 1
    assert campaign.retakes == 0
    assert (campaign.exclude, campaign.include) == ((), ())
    assert campaign.framing == "native"
    assert campaign.schedule is None
    assert campaign.rerender == "changed"
    assert campaign.archive.name == "{campaign}/{clip}--{references}--{prompt}--{aspect_ratio}--t{take}"


def test_a_model_without_aspect_ratios_keeps_the_shape_of_the_clip() -> None:
    campaign = parse(SMALL.replace("video-edit", "video-edit-fast"), file="x.yaml")
    assert campaign.aspect_ratios == (NATIVE,)


def test_short_and_long_forms_mean_the_same() -> None:
    long = SMALL.replace("beach: media/clips/beach.mp4", "beach: {source: media/clips/beach.mp4}")
    long = long.replace("dusk: Re-light the scene at dusk.", "dusk: {text: Re-light the scene at dusk.}")
    assert parse(long, file="x.yaml") == parse(SMALL, file="x.yaml")


def test_the_way_a_prompt_is_broken_into_lines_in_yaml_does_not_change_it() -> None:
    block = SMALL.replace("dusk: Re-light the scene at dusk.", "dusk: |\n\n    Re-light the scene at dusk.\n\n")
    folded = SMALL.replace("dusk: Re-light the scene at dusk.", "dusk: >-\n    Re-light the\n    scene at dusk.")
    texts = {parse(text, file="x.yaml").prompts[0].text for text in (SMALL, block, folded)}
    assert texts == {"Re-light the scene at dusk."}


def test_keys_that_begin_with_x_hold_anchors() -> None:
    text = SMALL.replace("clips:\n", "x-window: &window {trim: 1s..4s}\nclips:\n  pier: {<<: *window, source: p.mp4}\n")
    clips = parse(text, file="x.yaml").clips
    assert [str(clip.trim) for clip in clips] == ["1s..4s", "None"]


def test_the_sound_can_be_swept() -> None:
    assert parse(SMALL + "keep_original_sound: [true, false]\n", file="x.yaml").keep_original_sound == (True, False)


@pytest.mark.parametrize(
    ("written", "amount"),
    [("$40.00", "2720"), ("2720 credits", "2720"), ("40 USD", "2720"), ("$1,000", "68000"), ("0.5 credits", "0.5")],
)
def test_a_budget_is_exact(written: str, amount: str) -> None:
    assert parse(f"{SMALL}budget: {written}\n", file="x.yaml").budget == Credits.of(amount)


@pytest.mark.parametrize(
    ("written", "start", "end", "canonical"),
    [
        ("2s..9.5s", "2", "9.5", "2s..9.5s"),
        ("..5s", "0", "5", "0s..5s"),
        ("2s..", "2", None, "2s.."),
        ("1m5s..1m9.25s", "65", "69.25", "65s..69.25s"),
        ("500ms..2s", "0.5", "2", "0.5s..2s"),
        ("1s500ms..2s", "1.5", "2", "1.5s..2s"),
        ("00:02..00:09.5", "2", "9.5", "2s..9.5s"),
        ("1:00:02..1:00:04", "3602", "3604", "3602s..3604s"),
        ("1h2m3s..1h2m5s", "3723", "3725", "3723s..3725s"),
        ("2m..2m3s", "120", "123", "120s..123s"),
        (" 2s .. 4s ", "2", "4", "2s..4s"),
        ("0.000001s..1s", "0.000001", "1", "0.000001s..1s"),
    ],
)
def test_a_trim_is_read_exactly(written: str, start: str, end: str | None, canonical: str) -> None:
    trim = parse_trim(written)
    assert trim == Trim(start=Fraction(start), end=None if end is None else Fraction(end))
    assert str(trim) == canonical


@given(st.integers(0, 86_399 * 10**6), st.none() | st.integers(1, 10**6))
def test_a_trim_and_its_spelling_are_the_same_window(start: int, length: int | None) -> None:
    first = Fraction(start, 10**6)
    trim = Trim(start=first, end=None if length is None else first + Fraction(length, 10**6))
    assert parse_trim(str(trim)) == trim


@given(st.text(st.sampled_from("0123456789.:hms "), max_size=25))
def test_a_text_is_a_window_with_a_beginning_before_its_end_or_no_trim(text: str) -> None:
    try:
        trim = parse_trim(text)
    except ValueError:
        return
    assert trim.start >= 0
    assert trim.end is None or trim.start < trim.end
    assert parse_trim(str(trim)) == trim


def test_a_glob_is_told_from_a_path() -> None:
    assert is_glob("media/clips/product-*.mp4")
    assert is_glob("media/[ab].mp4")
    assert not is_glob("media/clips/beach.mp4")


def test_an_include_may_name_any_ratio_of_the_model_and_a_file_of_a_glob() -> None:
    text = SMALL + "sweep:\n  include:\n    - {aspect_ratio: 1:1}\n    - {keep_original_sound: false}\n"
    assert len(parse(text, file="x.yaml").include) == 2
    text = SMALL.replace("beach.mp4", "*.mp4") + "sweep: {exclude: [{clip: beach-first}]}\n"
    assert parse(text, file="x.yaml").exclude[0].match == {"clip": ("beach-first",)}


@pytest.mark.parametrize("cron", ["* * * * *", "*/15 0-6 1,15 jan-mar MON", "0 6 * * 7", "59 23 31 12 sat,sun"])
def test_a_cron_line_has_five_fields_in_their_ranges(cron: str) -> None:
    schedule = parse(f'{SMALL}schedule: {{cron: "{cron}"}}\n', file="x.yaml").schedule
    assert schedule is not None
    assert (schedule.cron, schedule.timezone) == (cron, "UTC")


@pytest.mark.parametrize(
    ("written", "interval", "spoken"),
    [
        ("interval: 6h", timedelta(hours=6), "every 6h (UTC)"),
        ("interval: 90 m", timedelta(minutes=90), "every 90m (UTC)"),
        ("interval: 14d, timezone: Asia/Shanghai", timedelta(weeks=2), "every 2w (Asia/Shanghai)"),
        ("rrule: 'FREQ=MONTHLY;BYDAY=1MO,-1FR;BYHOUR=6'", None, "rrule FREQ=MONTHLY;BYDAY=1MO,-1FR;BYHOUR=6 (UTC)"),
        ("rrule: FREQ=DAILY;UNTIL=20271231T235959Z", None, "rrule FREQ=DAILY;UNTIL=20271231T235959Z (UTC)"),
        ("cron: 0 6 * * 1", None, "cron 0 6 * * 1 (UTC)"),
    ],
)
def test_a_schedule_is_a_cron_line_an_interval_or_a_rule(written: str, interval: timedelta | None, spoken: str) -> None:
    text = f"{SMALL}schedule: {{{written}}}\n"
    schedule = parse(text, file="x.yaml").schedule
    assert schedule is not None
    assert (schedule.interval, schedule.spoken) == (interval, spoken)
    assert is_valid(text)


def test_a_campaign_reports_problems_at_their_place() -> None:
    campaign = parse(SAMPLE, file="specs/summer-launch.yaml")
    problem = campaign.problem(
        ("clips", "pier", "trim"),
        "12.4 s, and kling-o1-video-edit edits at most 10 s.",
        "Set trim: 0s..10s, or declare two clips.",
        exit_code=3,
    )
    assert str(problem) == (
        "specs/summer-launch.yaml:9:46: clips.pier.trim: 12.4 s, and kling-o1-video-edit edits at most 10 s.\n"
        "    Set trim: 0s..10s, or declare two clips."
    )
    assert (problem.severity, problem.exit_code) == ("error", 3)
    assert campaign.problem(("clips", "pier"), "x", key=True).column == 3
    assert campaign.problem(("references", "none", 0), "x", severity="warning").line == 12


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_campaign_gets_exactly_its_messages(path: Path) -> None:
    """Each file begins with what it is told, as `#! line:column: path: message.` and the hint under it."""
    text = path.read_text("utf-8")
    expected = [line.removeprefix("#! ") for line in text.splitlines() if line.startswith("#! ")]
    with pytest.raises(SpecError) as caught:
        parse(text.encode(), file="x.yaml")
    assert caught.value.exit_code == 2
    assert problems(text) == expected


def test_there_is_a_broken_campaign_for_every_kind_of_mistake() -> None:
    assert len(BROKEN) >= 90


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(SpecInvalid) as caught:
        parse((HERE / "broken" / "many-mistakes.yaml").read_bytes(), file="x.yaml")
    places = [(problem.line, problem.column) for problem in caught.value.problems]
    assert len(places) == 7
    assert places == sorted(places)
    assert str(caught.value).endswith("\nNothing was spent.")


def test_of_very_many_problems_the_first_hundred_are_told() -> None:
    text = SMALL + "".join(f"clip{number}: x\n" for number in range(5000))
    with pytest.raises(SpecInvalid) as caught:
        parse(text, file="x.yaml")
    assert len(caught.value.problems) == 100


def test_no_number_of_warnings_hides_an_error() -> None:
    text = (
        SMALL
        + "sweep: {exclude: [{clip: peach}]}\nvariables:\n"
        + "".join(f"  v{number}: x\n" for number in range(300))
    )
    with pytest.raises(SpecInvalid) as caught:
        parse(text, file="x.yaml")
    assert [p.path for p in caught.value.problems if p.severity == "error"] == ["sweep.exclude[0].clip"]
    assert sum(problem.severity == "warning" for problem in caught.value.problems) == 100


def test_a_key_of_the_sweep_that_stands_outside_of_it_is_told_its_place() -> None:
    with pytest.raises(SpecInvalid) as caught:
        parse(SMALL + "exclude: [{clip: pier}]\n", file="x.yaml")
    assert [problem.hint for problem in caught.value.problems] == ["It belongs under sweep: write sweep: {exclude: …}."]


def test_a_mistake_in_one_key_does_not_accuse_the_others() -> None:
    text = SMALL.replace("Re-light the scene", "The {{ product }}") + (
        "variabels: {product: the bottle}\naspect_ratois: [9:16, 1:1]\n"
        "sweep: {exclude: [{product: the bottle}, {aspect_ratio: 9:16}]}\n"
    )
    assert [line for line in problems(text) if "unknown key" not in line] == []
    text = SMALL.replace("clips:\n", "clibs:\n") + "sweep: {exclude: [{clip: pier}]}\n"
    assert problems(text) == ["3:1: clibs: unknown key `clibs`; did you mean `clips`?"]


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (
            "variables: {weather: wet}\n",
            "7:13: variables.weather: no prompt uses the variable `weather`.\n"
            "    Write {{ weather }} in a prompt, or remove it.",
        ),
        (
            "references:\n  brand: [a.jpg, b.jpg, a.jpg]\n",
            "8:25: references.brand[2]: `a.jpg` stands in this set already, and is sent twice.\n    Remove one.",
        ),
        (
            "takes: 3\naspect_ratios: [16:9, 9:16]\narchive: {name: '{clip}-{prompt}'}\n",
            "9:17: archive.name: the name has no {aspect_ratio} and {take}, so different variants get one name and only a "
            "number tells them apart.\n    Add {aspect_ratio} and {take} to it.",
        ),
        (
            "archive: {name: '{clip}.mp4'}\n",
            "7:17: archive.name: the name ends in an extension, and .mp4 is added to it.\n    Remove the extension.",
        ),
        (
            "budget: $5\napprove_above: $10\n",
            "8:16: approve_above: this is more than the budget, so nobody is ever asked.\n    Lower it, or remove it.",
        ),
        (
            "rerender: every-run\nschedule: {cron: 0 6 * * 1}\n",
            "7:11: rerender: every scheduled run renders and pays for everything again, and there is no budget to stop it.\n"
            "    Add budget:, or write rerender: changed.",
        ),
    ],
)
def test_what_is_allowed_but_hardly_meant_is_a_warning(added: str, expected: str) -> None:
    assert warnings(SMALL + added) == [expected]


def test_a_variable_in_single_braces_is_noticed() -> None:
    text = SMALL.replace("Re-light the scene", "The {product}") + "variables: {product: the bottle}\n"
    assert warnings(text) == [
        "7:13: variables.product: no prompt uses the variable `product`.\n"
        "    Write {{ product }} in a prompt, with two braces."
    ]


def test_a_variable_in_single_braces_is_noticed_where_another_prompt_has_it_right() -> None:
    text = SMALL.replace(
        "  dusk: Re-light the scene at dusk.", "  dusk: The {product} at dusk.\n  noon: '{{ product }} at noon, {so}'"
    )
    (told,) = warnings(text + "variables: {product: the bottle}\n")
    assert told.endswith(
        "prompts.dusk: `{product}` is sent as it stands: the values of a variable come between two braces.\n"
        "    Write {{ product }}."
    )


def test_a_prompt_of_exactly_the_maximum_is_accepted() -> None:
    most = catalogue.model("kling-o1-video-edit").prompt_max
    text = SMALL.replace("Re-light the scene at dusk.", "'{{ story }}'")
    parse(f"{text}variables: {{story: [short, {'x' * most}]}}\n", file="x.yaml")
    told = problems(f"{text}variables: {{story: [short, {'x' * (most + 1)}]}}\n")
    assert told[0].endswith(
        "has 5,001 characters with its variables filled in, and kling-o1-video-edit takes at most 5,000."
    )


def test_four_images_are_accepted_and_globs_are_not_counted_yet() -> None:
    parse(SMALL + "references: {brand: [a.jpg, b.jpg, c.jpg, d.jpg]}\n", file="x.yaml")
    parse(SMALL + "references: {brand: [a.jpg, b.jpg, c.jpg, d.jpg, more-*.jpg]}\n", file="x.yaml")


# --- any text -------------------------------------------------------------------------------------------------------

RIGHT = [
    "kling-o1-video-edit",
    "s3://a/b",
    "beach",
    "dusk",
    "none",
    "16:9",
    "1:1",
    "$4",
    "2s..3s",
    "{{ x }}",
    "{clip}",
    "*.mp4",
    "native",
    "0 6 * * 1",
]
WRONG = ["", "4:3", "{{ x", "{nothing}", "s3://a", "a--b", "true", "clips", "x-y", "..", "/"]
INNER = [name for form in json_schema()["$defs"].values() for name in form["properties"]]
KEYS = st.sampled_from(
    [*json_schema()["properties"], *INNER, "clip", "prompt", "aspect_ratio", "x", "beach", "dusk", "clipz"]
)
LEAVES = st.none() | st.booleans() | st.integers(-2, 10**6) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.sampled_from([*RIGHT, *WRONG])
ANYTHING = st.recursive(
    LEAVES | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=3),
    max_leaves=8,
)
SELECTIONS = st.lists(
    st.fixed_dictionaries(
        {"clip": st.sampled_from(["beach", "pier"])},
        optional={
            "prompt": st.sampled_from(["dusk", "neon"]),
            "aspect_ratio": st.sampled_from(["16:9", "1:1"]),
            "references": st.sampled_from(["none", "brand"]),
            "keep_original_sound": st.booleans(),
            "x": st.sampled_from(["wet", "dry"]),
        },
    ),
    max_size=3,
)
#: Campaigns that often have nothing wrong with them.
LIKELY = st.fixed_dictionaries(
    {
        "campaign": st.just("summer"),
        "model": st.sampled_from(sorted(catalogue.models()))
        | st.lists(st.sampled_from(["kling-o1-video-edit", "kling-o1-video-edit-fast"]), min_size=1, max_size=2),
        "clips": st.sampled_from([{"beach": "a.mp4"}, {"beach": {"source": "*.mp4", "trim": "2s.."}, "pier": "b.mp4"}]),
        "prompts": st.sampled_from(
            [
                {"dusk": "Dusk"},
                {"dusk": "Dusk, {{ x }}", "neon": {"text": "{{x}} and {{ x }}"}},
                {"dusk": {"text": "Dusk {{ x }}", "takes": 2, "keep_original_sound": [True, False]}},
            ]
        ),
        "variables": st.sampled_from([{"x": "wet"}, {"x": ["wet", "dry"]}]),
    },
    optional={
        "aspect_ratios": st.sampled_from([["16:9"], ["9:16", "1:1"]]),
        "references": st.sampled_from([{"none": []}, {"none": [], "brand": ["a.jpg", "b-*.jpg"]}]),
        "keep_original_sound": st.sampled_from([True, False, [True, False]]),
        "takes": st.integers(1, 3),
        "sweep": st.fixed_dictionaries({}, optional={"exclude": SELECTIONS, "include": SELECTIONS}),
        "framing": st.sampled_from(["native", "crop"]),
        "options": st.dictionaries(
            st.sampled_from(["duration", "quality", "sound", "negative_prompt", "multi_shot"]),
            st.sampled_from([5, 10, [5, 10], "720p", ["720p", "1080p"], "on", True, "blur", ""]),
            max_size=2,
        ),
        "x-notes": ANYTHING,
    },
)


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_any_text_is_a_campaign_or_a_spec_error(text: str | bytes) -> None:
    with pytest.raises((SpecSyntax, SpecInvalid)):
        parse(text, file="x.yaml")


@settings(max_examples=200, deadline=None)
@given(LIKELY, st.dictionaries(KEYS, ANYTHING, max_size=3))
def test_any_document_is_a_campaign_or_is_told_why_not(document: dict[str, Any], changes: dict[str, Any]) -> None:
    told = _told(json.dumps({**document, **changes}))
    assert all(problem.message.endswith((".", "?")) and "None" not in problem.message for problem in told)


def test_an_option_without_a_value_is_told_where_it_is_written_and_not_where_it_is_selected() -> None:
    document = {
        "campaign": "summer",
        "model": "kling-o1-video-edit",
        "clips": {"beach": "a.mp4"},
        "prompts": {"dusk": "Dusk"},
        "references": {"none": []},
        "options": {"references": None},
        "sweep": {"exclude": [{"references": "none"}]},
    }
    told = _told(json.dumps(document))
    assert not [
        problem for problem in told if problem.path.startswith("sweep") or "None" in problem.message + problem.hint
    ]
    assert any(problem.path == "options.references" for problem in told)


@settings(max_examples=200, deadline=None)
@given(LIKELY)
def test_what_the_loader_accepts_the_sweep_expands_and_the_schema_accepts(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    if not any(problem.severity == "error" for problem in _told(text)):
        assert _expands(parse(text, file="x.yaml"))
        assert is_valid(text)


def _told(text: str) -> tuple[Problem, ...]:
    try:
        return parse(text, file="x.yaml").warnings
    except SpecInvalid as error:
        return error.problems


def _expands(campaign: Campaign) -> bool:
    """What `parse` lets through, `sweep.expand` can expand."""
    try:
        return bool(sweep.expand(campaign))
    except NothingToShoot:
        return bool(campaign.exclude)


# --- the schema for editors -----------------------------------------------------------------------------------------

VALIDATOR = Draft202012Validator(json_schema())


def is_valid(text: str) -> bool:
    return bool(VALIDATOR.is_valid(yamltext.read(text, file="x.yaml").value))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_the_schema_in_specs_is_the_one_of_the_models() -> None:
    written = (ROOT / "specs" / "campaign.schema.json").read_text("utf-8")
    fresh = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert written == fresh, "specs/campaign.schema.json is out of date: run `make schema`"


def test_every_property_is_described_for_the_reader_of_an_editor() -> None:
    schema = json_schema()
    forms = [schema, *schema["$defs"].values()]
    for name, entry in ((n, e) for form in forms for n, e in form["properties"].items()):
        assert entry["description"].endswith("."), name
        assert "`" not in entry["description"], f"{name}: editors show descriptions as plain text"
    one, several = schema["properties"]["model"]["oneOf"]
    assert one["enum"] == several["items"]["enum"] == list(catalogue.video_models())
    assert set(schema["properties"]["options"]["properties"]) == {
        name for model in catalogue.video_models().values() for name in model.options
    }
    assert schema["properties"]["aspect_ratios"]["items"]["enum"] == ["16:9", "9:16", "1:1"]


@pytest.mark.parametrize(
    "text",
    [
        SAMPLE,
        SMALL,
        SMALL + "x-anchors: {a: [1, 2]}\n",
        SMALL + "keep_original_sound: [true, false]\nbudget: 2720 credits\nvariables: {}\nsweep: {}\narchive: {}\n",
        SMALL.replace("beach: media/clips/beach.mp4", "beach: {source: a.mp4, trim: 00:02..}"),
        SMALL.replace("dusk: Re-light the scene at dusk.", "dusk: {text: Dusk}"),
        SMALL.replace("dusk: Re-light", "dusk: |\n    Re-light\n   "),
        SMALL.replace("media/clips/beach.mp4", "s3://studio-raw/beach.mov"),
        SMALL.replace("media/clips/beach.mp4", "{source: HTTPS://example.org/a.mp4, framing: crop, takes: 3}"),
        SMALL.replace("Re-light the scene at dusk.", "{text: Dusk, keep_original_sound: [true, false]}"),
        SMALL.replace("kling-o1-video-edit", "[kling-o1-video-edit, kling-o1-video-edit-fast]"),
        SMALL.replace("kling-o1-video-edit", "kling-o3-video-edit") + "options: {quality: [720p, 1080p]}\n",
        SMALL + "references: {brand: media/references/brand-*.jpg, none: []}\n",
        SMALL + "sweep: {exclude: [{clip: [beach], aspect_ratio: 16:9, keep_original_sound: [false]}]}\n",
        TEXT_TO_VIDEO,
        IMAGE_TO_VIDEO,
    ],
)
def test_loader_and_schema_accept_the_same(text: str) -> None:
    parse(text, file="x.yaml")
    assert is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        SMALL.replace("model: kling-o1-video-edit\n", ""),
        SMALL.replace("summer", "Summer Launch"),
        SMALL.replace("kling-o1-video-edit", "kling-o1"),
        SMALL.replace("beach:", "my beach:"),
        SMALL.replace("beach:", "a--b:"),
        SMALL.replace("beach:", f"{'b' * 65}:"),
        SMALL.replace("media/clips/beach.mp4", "s3://raw"),
        SMALL.replace("media/clips/beach.mp4", "http://example.org/a.mp4"),
        SMALL.replace("media/clips/beach.mp4", "{source: https://example.org/a.mp4?token=x}"),
        SMALL.replace("media/clips/beach.mp4", "{source: a.mp4, takes: 0}"),
        SMALL.replace("media/clips/beach.mp4", "{source: a.mp4, options: {duration: soon}}"),
        SMALL.replace("Re-light the scene at dusk.", "{text: Dusk, file: dusk.txt}"),
        SMALL.replace("Re-light the scene at dusk.", "{}"),
        SMALL.replace("prompts:\n  dusk: Re-light the scene at dusk.\n", ""),
        SMALL.replace("clips:\n  beach: media/clips/beach.mp4\n", ""),
        SMALL.replace("kling-o1-video-edit", "[]"),
        SMALL.replace("kling-o1-video-edit", "kling-custom-element"),
        SMALL + "options: {duraton: 5}\n",
        SMALL + "options: {quality: []}\n",
        SMALL + "options:\n",
        SMALL + "extends: {base: x.yaml}\n",
        SMALL + "extends: []\n",
        SMALL.replace("media/clips/beach.mp4", "{source: a.mp4, trim: 2}"),
        SMALL.replace("media/clips/beach.mp4", "{trim: 2s..3s}"),
        SMALL.replace("media/clips/beach.mp4", "{source: a.mp4, trims: 2s..3s}"),
        SMALL.replace("media/clips/beach.mp4", ""),
        SMALL.replace("Re-light the scene at dusk.", "''"),
        SMALL.replace("Re-light the scene at dusk.", "2026"),
        SMALL + "aspectratios: [16:9]\n",
        SMALL + "aspect_ratios: []\n",
        SMALL + "aspect_ratios: [4:3]\n",
        SMALL + "aspect_ratios: [16:9, 16:9]\n",
        SMALL + "aspect_ratios: 16:9\n",
        SMALL + "budget: 40\n",
        SMALL + "budget:\n",
        SMALL + "budget: forty dollars\n",
        SMALL + "takes: 0\n",
        SMALL + "takes: 21\n",
        SMALL + "takes: '2'\n",
        SMALL + "keep_original_sound: yes\n",
        SMALL + "keep_original_sound: []\n",
        SMALL + "framing: fit\n",
        SMALL + "rerender: always\n",
        SMALL + "references: {}\n",
        SMALL + "references: {brand: 5}\n",
        SMALL + "variables: {weather: []}\n",
        SMALL + "variables: {1st: a}\n",
        SMALL + "sweep: {exclude: [{}]}\n",
        SMALL + "sweep: {exclude: [{clip: []}]}\n",
        SMALL + "sweep: {exclude: [{keep_original_sound: 'no'}]}\n",
        SMALL + "sweep: {excluded: []}\n",
        SMALL + "schedule: {timezone: UTC}\n",
        SMALL + "schedule: {cron: 0 6 * *}\n",
        SMALL + "schedule: {cron: 0 6 * * *, interval: 6h}\n",
        SMALL + "schedule: {interval: 0h}\n",
        SMALL + "schedule: {interval: hourly}\n",
        SMALL + "schedule: {rrule: every Monday}\n",
        SMALL + "schedule:\n",
        SMALL + "archive: {folder: x}\n",
        SMALL + "archive: archive/\n",
    ],
)
def test_loader_and_schema_refuse_the_same(text: str) -> None:
    with pytest.raises(SpecInvalid):
        parse(text, file="x.yaml")
    assert not is_valid(text)


def test_a_prompt_that_yaml_ends_at_a_number_sign_is_noticed() -> None:
    text = SMALL.replace("Re-light the scene at dusk.", "Look #1 of the series")
    assert warnings(text) == [
        "6:9: prompts.dusk: the prompt ends before `#1 of the series`: a # behind a space begins a comment.\n"
        "    Put the whole prompt in quotes, if that belongs to it."
    ]
    for harmless in ("Look  # warm", "'Look #1 of the series'", "Look#1"):
        assert warnings(SMALL.replace("Re-light the scene at dusk.", harmless)) == []


def test_a_file_that_is_extended_again_and_again_is_read_once() -> None:
    """Three files that name the next one a hundred times would be read a million times."""
    texts = {f"{n}.yaml": f"extends: [{', '.join([f'{n + 1}.yaml'] * 100)}]\nx-{n}: 1\n" for n in range(3)}
    texts["3.yaml"] = "budget: $7.00\n"
    read: list[str] = []

    def document(name: str) -> bytes:
        read.append(name)
        return texts[name].encode()

    whole = parse(SMALL + "extends: [0.yaml, 0.yaml]\n", file="whole.yaml", sources=Sources(document=document))
    assert whole.budget == Credits.of_usd(7)
    assert sorted(read) == sorted(texts)
