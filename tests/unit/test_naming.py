"""Names of deliverables: readable when the input is, safe and distinct when it is not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import naming

FIELDS: dict[str, str | int] = {
    "campaign": "summer-launch",
    "clip": "beach",
    "references": "brand-a",
    "prompt": "dusk",
    "aspect_ratio": "9:16",
    "take": 1,
    "sound": "sound",
    "model": "kling-o1-video-edit",
}

#: Any text at all, lone surrogates included, and the characters that have broken file names before.
anything = st.text(max_size=60) | st.text(alphabet=' ./\\:-*?"<>|\x00\n\u202e\u200dé\u0301ﬁA a\ud83d', max_size=40)
a_name = st.text(alphabet="ab1_-", min_size=1, max_size=8).filter(
    lambda name: "-" not in name[0] + name[-1] and "--" not in name
)

DEVICES = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}


def name_it(**changed: str | int) -> str:
    return naming.deliverable(naming.TEMPLATE, {**FIELDS, **changed})


def assert_safe(key: str, parts: int) -> None:
    found = key.split("/")
    assert len(found) == parts
    assert key == unicodedata.normalize("NFC", key)
    for part in found:
        assert part
        assert len(part.encode()) <= naming.PART_BYTES
        assert part.isprintable()
        assert not set(part) & set('<>:"\\|?*')
        assert part == part.strip(". ")
        assert part.partition(".")[0].rstrip().lower() not in DEVICES


def test_the_default_name_reads_like_the_campaign() -> None:
    assert name_it() == "summer-launch/beach--brand-a--dusk--9x16--t1"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("9:16", "9x16"),
        ("golden hour", "golden-hour"),
        ("Golden Hour", "Golden-Hour"),
        ("v1.5_final", "v1.5_final"),
        ("夕暮れ", "夕暮れ"),
        ("🎬", "🎬"),
        ("cafe\u0301", "café"),
    ],
)
def test_a_harmless_name_keeps_its_spelling(name: str, part: str) -> None:
    assert naming.slug_part(name) == part


@pytest.mark.parametrize(
    "name",
    ["..", "", "con", "NUL.txt", "com¹", "../../etc/passwd", "a/b", "a\\b", "a--b", "\u202egpj", "x.", ".x", "a\x00b"],
)
def test_a_changed_name_is_safe_and_carries_a_digest(name: str) -> None:
    part = naming.slug_part(name)
    assert_safe(part, 1)
    assert part != name
    assert part[-6:] == naming.slug_part(name)[-6:]
    assert all(c in "0123456789abcdef" for c in part[-6:])


def test_names_that_look_alike_once_cleaned_stay_apart() -> None:
    assert len({naming.slug_part(name) for name in ("a/b", "a:b", "a\\b", "a-b", "a--b", "a\nb")}) == 6


def test_a_field_cannot_imitate_the_separator_of_fields() -> None:
    assert name_it(clip="a", references="b--c") != name_it(clip="a--b", references="c")


@pytest.mark.parametrize("name", ["manifest", "review", "Review"])
def test_no_deliverable_takes_the_place_of_the_manifest_or_the_review_pages(name: str) -> None:
    assert naming.slug_part(name).lower() not in {"manifest", "review"}


def test_a_long_part_keeps_its_beginning_and_is_told_apart_by_a_digest() -> None:
    keys = {name_it(prompt="a very long name of a prompt " * 8 + ending) for ending in ("dusk", "dawn")}
    assert len(keys) == 2
    for key in keys:
        assert_safe(key, 2)
        assert key.startswith("summer-launch/beach--brand-a--a-very-long-name")


def test_a_long_part_is_not_cut_inside_a_character() -> None:
    assert_safe(naming.slug_part("é" * 100), 1)
    assert_safe(naming.slug_part("x" + "é" * 100), 1)


def test_a_field_may_be_left_out_or_come_from_the_variables() -> None:
    fields = {**FIELDS, "weather": "wet", "sound": "silent"}
    assert naming.deliverable("{weather}/{sound}/{clip}", fields) == "wet/silent/beach"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{clips}", r"\{clips\} is not a field of a name; there are \{aspect_ratio\}, \{campaign\}"),
        ("{clip.__class__}", "is not a field"),
        ("{clip[0]}", "is not a field"),
        ("{0}", "is not a field"),
        ("{}", "names no field"),
        ("{take:03}", "cannot be formatted"),
        ("{clip!r}", "cannot be formatted"),
        ("{clip:>9999999999}", "cannot be formatted"),
        ("{clip", "expected '}'"),
        ("clip}", "Single '}'"),
        ("", "not a relative path"),
        ("/{clip}", "not a relative path"),
        ("{clip}/", "not a relative path"),
        ("../{clip}", "not a relative path"),
        ("{campaign}/. ./{clip}", "not a relative path"),
        ("a/" * 8 + "{clip}", "has 9 parts; 8 is the most"),
    ],
)
def test_a_template_that_cannot_work_is_refused_in_words(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        naming.deliverable(template, FIELDS)


def test_doubled_braces_are_text() -> None:
    assert naming.deliverable("{{{clip}}}", FIELDS) == "{beach}"
    assert naming.placeholders("{{clip}}") == set()


def test_the_placeholders_of_the_default_template_are_all_known() -> None:
    assert naming.placeholders(naming.TEMPLATE) == {"campaign", "clip", "references", "prompt", "aspect_ratio", "take"}
    assert naming.placeholders(naming.TEMPLATE) <= naming.FIELDS


def test_the_first_revision_is_the_name_itself() -> None:
    assert naming.revision("summer/beach", 1) == "summer/beach"
    assert naming.revision("summer/beach", 2) == "summer/beach--r2"
    with pytest.raises(ValueError, match="count from 1"):
        naming.revision("summer/beach", 0)


@given(anything, anything, anything, anything)
def test_whatever_the_fields_hold_the_key_is_safe_and_has_the_parts_of_its_template(
    a: str, b: str, c: str, d: str
) -> None:
    fields: dict[str, str | int] = {**FIELDS, "campaign": a, "clip": b, "references": c, "prompt": d}
    assert_safe(naming.deliverable(naming.TEMPLATE, fields), 2)
    assert_safe(naming.deliverable("{campaign}/{clip}/{references}/{prompt}", fields), 4)


@given(anything.filter(lambda text: not set(text) & set("{}/") and bool(text.strip(". "))))
def test_the_words_of_a_template_are_made_safe_too(text: str) -> None:
    assert_safe(naming.deliverable(f"{text}/{text}{{clip}}", FIELDS), 2)


@given(st.tuples(a_name, a_name, a_name), st.tuples(a_name, a_name, a_name))
def test_two_variants_with_plain_names_never_share_a_key(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    keys = [name_it(clip=clip, references=references, prompt=prompt) for clip, references, prompt in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@given(anything, anything)
def test_two_names_share_a_part_only_when_they_differ_in_spaces_or_normal_form(one: str, other: str) -> None:
    def seen(name: str) -> str:
        return "-".join(unicodedata.normalize("NFC", name).split(" ")).replace(":", "x")

    if seen(one) != seen(other):
        assert naming.slug_part(one) != naming.slug_part(other)


@given(anything)
def test_a_name_alone_is_the_same_as_in_a_template(name: str) -> None:
    assert naming.slug_part(name) == naming.deliverable("{clip}", {"clip": name})


@given(anything, anything)
def test_two_names_meet_on_a_disk_that_ignores_case_only_when_they_differ_in_case(one: str, other: str) -> None:
    def seen(name: str) -> str:
        spelled = "-".join(unicodedata.normalize("NFC", name).split(" ")).replace(":", "x")
        return unicodedata.normalize("NFC", spelled.casefold())

    def on_disk(name: str) -> str:
        return unicodedata.normalize("NFC", naming.slug_part(name).casefold())

    if seen(one) != seen(other):
        assert on_disk(one) != on_disk(other)


@given(st.lists(anything, min_size=1, max_size=naming.MAX_PARTS))
def test_a_key_with_its_revision_and_extension_fits_the_room_that_is_kept_for_it(names: list[str]) -> None:
    fields: dict[str, str | int] = {f"f{number}": name for number, name in enumerate(names)}
    template = "/".join(f"{{{field}}}" for field in fields)
    key = naming.revision(naming.deliverable(template, fields), 999) + ".json"
    assert len(f"/{key}".encode()) <= naming.longest(len(names))
    assert key == unicodedata.normalize("NFC", key)
