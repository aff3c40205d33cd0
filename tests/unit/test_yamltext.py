"""Strict YAML: what values are read as, where they stand, and what is refused before it costs memory."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callsheet import yamltext
from callsheet.errors import Problem, SpecSyntax


def value(text: str | bytes) -> Any:
    return yamltext.read(text, file="x.yaml").value


def refusal(text: str | bytes) -> Problem:
    with pytest.raises(SpecSyntax) as caught:
        yamltext.read(text, file="x.yaml")
    (problem,) = caught.value.problems
    return problem


def test_of_keys_that_stand_twice_all_are_told_and_what_else_stops_the_reading() -> None:
    with pytest.raises(SpecSyntax) as caught:
        yamltext.read("a: 1\na: 2\nb: {c: 1, c: 2}\n", file="x.yaml")
    assert [(one.line, one.column) for one in caught.value.problems] == [(2, 1), (3, 11)]
    with pytest.raises(SpecSyntax) as caught:
        yamltext.read("a: 1\na: 2\nb: [1, 2\n", file="x.yaml")
    assert [one.line for one in caught.value.problems] == [2, 3]
    many = "".join(f"a: {n}\n" for n in range(1000))
    with pytest.raises(SpecSyntax, match="a second time") as caught:
        yamltext.read(many, file="x.yaml")
    assert len(caught.value.problems) == yamltext.MAX_REPEATED + 2


def test_of_a_key_that_stands_twice_the_first_counts_where_it_is_kept() -> None:
    document = yamltext.read("a: 1\na: 2\n", file="x.yaml", keeps_repeated=True)
    assert (document.value, len(document.repeated)) == ({"a": 1}, 1)


@pytest.mark.parametrize(
    "text", ["16:9", "1:1", "no", "yes", "on", "off", "2026-11-23", "1_000", "0b11", "0777x", "1:30:00"]
)
def test_what_yaml_1_1_turns_into_something_else_stays_text(text: str) -> None:
    assert value(f"key: {text}") == {"key": text}
    assert value(f"[{text}, {text}]") == [text, text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0o17", 15),
        ("0x1F", 31),
        ("0777", 777),
        ("-12", -12),
        ("+5", 5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", float("-inf")),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("! 5", "5"),
    ],
)
def test_the_core_schema_is_read(text: str, expected: object) -> None:
    read = value(f"key: {text}")["key"]
    assert read == expected
    assert type(read) is type(expected)


def test_not_a_number_is_a_float() -> None:
    assert str(value("key: .nan")["key"]) == "nan"


def test_an_empty_file_holds_nothing() -> None:
    assert value("") is None
    assert value(b"\xef\xbb\xbf# only a comment\n") is None


def test_the_spelling_of_a_number_is_kept() -> None:
    document = yamltext.read("budget: 40.10\nlist: [0x10]\nname: 'a b'\n", file="x.yaml")
    assert document.text(("budget",)) == "40.10"
    assert document.text(("list", 0)) == "0x10"
    assert document.text(("name",)) == "a b"
    assert document.text(("list",)) is None
    assert document.text(("absent",)) is None


SAMPLE = """\
# a comment
clips:
  beach: media/beach.mp4
  pier: {source: pier.mov, trim: 2s..9.5s}
ratios: [16:9, 9:16]
empty:
prompts:
  dusk: |
    Re-light
    the {{ product }}, the {{ weather }}
  quoted: "é {{ product }}"
"""


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ((), False, (2, 1)),
        (("clips",), True, (2, 1)),
        (("clips",), False, (3, 3)),
        (("clips", "beach"), False, (3, 10)),
        (("clips", "pier", "trim"), False, (4, 34)),
        (("clips", "pier", "trim"), True, (4, 28)),
        (("ratios", 1), False, (5, 16)),
        (("ratios", 1), True, (5, 16)),
        (("empty",), False, (6, 1)),
        (("clips", "pier", "sound"), True, (4, 3)),
        (("clips", "pier", "sound"), False, (4, 9)),
        (("ratios", 7), False, (5, 9)),
        (("absent", "deeper"), False, (2, 1)),
    ],
)
def test_every_value_has_its_line_and_column(path: yamltext.Path, key: bool, expected: tuple[int, int]) -> None:
    assert yamltext.read(SAMPLE, file="x.yaml").place(path, key=key) == expected


def _within(document: yamltext.Document, path: yamltext.Path, part: str) -> tuple[int, int]:
    spot = document.spot(path, within=part)
    return spot.line, spot.column


def test_a_part_of_a_text_has_its_line_and_column() -> None:
    document = yamltext.read(SAMPLE, file="x.yaml")
    assert _within(document, ("prompts", "dusk"), "{{ product }}") == (10, 9)
    assert _within(document, ("prompts", "dusk"), "{{ weather }}") == (10, 28)
    assert _within(document, ("prompts", "quoted"), "{{ product }}") == (11, 14)
    assert _within(document, ("prompts", "quoted"), "{{ weather }}") == (11, 11), "of the text, where it is not in it"
    assert _within(document, ("prompts", "absent"), "x") == (8, 3)


def test_windows_line_ends_do_not_move_a_line() -> None:
    document = yamltext.read(SAMPLE.replace("\n", "\r\n").encode(), file="x.yaml")
    assert document.place(("clips", "pier", "trim")) == (4, 34)
    assert _within(document, ("prompts", "dusk"), "{{ weather }}") == (10, 28)


def test_an_aliased_value_stands_where_it_is_written() -> None:
    document = yamltext.read("a: &x {source: one}\nb: *x\n", file="x.yaml")
    assert document.value == {"a": {"source": "one"}, "b": {"source": "one"}}
    assert document.place(("b", "source")) == (1, 16)
    assert document.place(("b",), key=True) == (2, 1)


def test_merge_keys_bring_in_what_is_not_written() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: {<<: *a}\ne: {'<<': 5}\n"
    document = yamltext.read(text, file="x.yaml")
    assert document.value["c"] == {"x": 3, "y": 1, "z": 2}
    assert document.value["d"] == {"x": 1, "y": 1}
    assert document.value["e"] == {"<<": 5}
    assert document.place(("c", "z")) == (2, 17)


def test_an_anchor_may_be_declared_again_and_the_last_one_counts() -> None:
    assert value("a: &x 1\nb: &x 2\nc: *x\n")["c"] == 2


@pytest.mark.parametrize(
    ("data", "line", "column", "words"),
    [
        (b"name: caf\xe9\n", 1, 10, "not UTF-8"),
        ("naïve: x\nb: ".encode() + b"\xff", 2, 4, "not UTF-8"),
        ("a: b".encode("utf-16"), 1, 1, "not UTF-8"),
        (b"a: b\nc: \x00\n", 2, 4, "U+0000"),
        (b"a: \x1b[31mred\n", 1, 4, "U+001B"),
        ("a: b\u2028c: d\n", 1, 5, "U+2028"),
        ("a: \ud800\n", 1, 4, "U+D800"),
        ("a: b\ufeff\n", 1, 5, "U+FEFF"),
        ('a: "\\e[31m"\n', 1, 4, "U+001B"),
        (b"a: " + b"x" * yamltext.MAX_BYTES, 1, 1, "1,000,003 bytes"),
        ("a: " + "9" * 5000, 1, 4, "5,000 digits"),
        ("a: &x1 b\nc: !mine d\n", 2, 4, "`!mine`"),
        ("a: !!int 5\n", 1, 4, "`!!int`"),
        ("a: !!set {b}\n", 1, 4, "`!!set`"),
        ("%TAG ! tag:evil,2026:\n---\na: !x b\n", 3, 4, "tag"),
        ("? [a, b]\n: c\n", 1, 3, "a key is text"),
        ("true: c\n", 1, 1, "a key is text, and true"),
        ("a: 1\n<<: {b: 1}\n<<: {c: 1}\n", 3, 1, "<< stands here a second time"),
        ("a: 1\n'a': 2\n", 2, 1, "a second time; the first is in line 1"),
    ],
)
def test_what_is_not_plain_data_is_refused_at_its_place(data: bytes | str, line: int, column: int, words: str) -> None:
    problem = refusal(data)
    assert (problem.line, problem.column) == (line, column)
    assert words in problem.message
    assert problem.hint


BOMBS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"b{i}: &b{i} [{','.join([f'*b{i - 1}' if i else '*a'] * 9)}]\n" for i in range(9)),
    "merges": f"a: &a {{{','.join(f'k{i}: v' for i in range(500))}}}\nb: {{<<: [{','.join(['*a'] * 2000)}]}}\n",
    "long texts": f"a: &a {'x' * 100_000}\nb: [{','.join(['*a'] * 1000)}]\n",
    "brackets": "[" * 900_000,
    "braces": "{a: " * 200_000,
    "dashes": "- " * 400_000,
    "questions": "? " * 400_000,
    "keys": "".join(f"k{i}: v\n" for i in range(60_000)),
}


#: The largest document that is read.
LARGEST = "".join(f"k{i}: v\n" for i in range(yamltext.MAX_NODES // 2 - 1))


def cost_of(work: Callable[[], object]) -> float:
    """CPU seconds, the least of three tries."""
    tries = []
    for _ in range(3):
        began = time.process_time()
        work()
        tries.append(time.process_time() - began)
    return min(tries)


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_no_more_than_a_large_document(text: str) -> None:
    assert "more than" in refusal(text).message
    assert cost_of(lambda: refusal(text)) < 5 * cost_of(lambda: yamltext.read(LARGEST, file="x.yaml"))


def test_nesting_up_to_the_limit_is_read() -> None:
    deep = value("[" * yamltext.MAX_DEPTH + "]" * yamltext.MAX_DEPTH)
    assert deep
    assert "nested" in refusal("[" * (yamltext.MAX_DEPTH + 2) + "]" * (yamltext.MAX_DEPTH + 2)).message


MALFORMED = [
    "a:\n\tb: c\n",
    "a: b\n\tc: d\n",
    "a: |\n  x\n\ty\n",
    "a: [1, 2\nb: c\n",
    "a: {b: 1\nc: 2\n",
    "a: ['b' c]\n",
    "a: [",
    "a: [b, ",
    "a: [b, c: ]]",
    "a: [}\nb: c\n",
    "a: 'x\n",
    'a: "\\q"\n',
    "a: b: c\n",
    "a\nb: c\n",
    "a: 1\nb\n",
    "a: *\n",
    "a: &\n",
    "a: @x\n",
    "a: %x\n",
    "a: `x`\n",
    "a: 'x' y\n",
    "a:\n  b: 1\n c: 2\n",
    "a: *x\n",
    "a: {{ x }} y\n",
    ": x\n",
    "a: b\n---\nc: d\n",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_both_parsers_of_pyyaml_get_the_same_message(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = refusal(text)
    monkeypatch.setattr(yamltext, "_LOADER", yaml.SafeLoader)
    slow = refusal(text)
    assert (fast.line, fast.message, fast.hint) == (slow.line, slow.message, slow.hint)
    assert "not YAML" not in fast.message, "every common slip has words of its own"


def test_a_message_says_that_nothing_was_spent() -> None:
    with pytest.raises(SpecSyntax) as caught:
        yamltext.read("a:\n\tb: c\n", file="specs/x.yaml")
    assert str(caught.value) == (
        "specs/x.yaml:2:1: a tab is used for indentation; YAML allows only spaces. Nothing was spent.\n"
        "    Replace the tab by spaces."
    )


INDICATORS = [
    ": ",
    "- ",
    "\n",
    "  ",
    "\t",
    "[",
    "]",
    "{",
    "}",
    "&x ",
    "*x",
    "!t ",
    "!!str ",
    "<<: ",
    '"',
    "'",
    "|",
    ">",
]
OTHERS = ["#", "? ", "%", ",", "---\n", "...\n", "\\", "{{ ", " }}", "\r\n", "a", "b: ", "é", "1", "16:9", "~"]
SCRAPS = st.lists(st.sampled_from([*INDICATORS, *OTHERS]), max_size=30).map("".join)


@given(st.text(max_size=60) | st.binary(max_size=60) | SCRAPS)
def test_any_text_is_read_or_refused_with_a_place_inside_it(text: str | bytes) -> None:
    try:
        document = yamltext.read(text, file="x.yaml")
    except SpecSyntax as error:
        (problem,) = error.problems
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message.endswith(".")
    else:
        assert document.place(()) >= (1, 1)


VISIBLE = st.text(st.characters(min_codepoint=32, max_codepoint=0x1FFF, exclude_categories=["Cc", "Cs"]), max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | VISIBLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(VISIBLE, inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_json_is_read_as_what_it_says(data: Any) -> None:
    assert value(json.dumps(data, ensure_ascii=False)) == data
