"""Strict YAML 1.2-core reading on PyYAML: plain values, and the line and column of every one of them.

PyYAML alone reads `16:9` as 969, `no` as false and `2026-11-23` as a date, and lets the second of two equal keys win in
silence. This reader walks the parser's events itself, so that depth and size are bounded *while* reading: a composed tree
of a YAML bomb comes too late. Events come from libyaml where PyYAML was built with it (about 8 times faster).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, NoReturn

import yaml

from callsheet.errors import Problem, SpecSyntax

#: Bytes of one file. A campaign of a thousand prompts is a tenth of this.
MAX_BYTES = 1_000_000
#: Lists and mappings inside each other.
MAX_DEPTH = 40
#: Keys, values, lists and mappings, each alias counted as what it stands for.
MAX_NODES = 20_000
#: Characters of all texts together, each alias counted as what it stands for.
MAX_CHARACTERS = 4_000_000
#: Digits of one number. Nothing in a campaign needs more, and Python refuses to print an integer of 4,301.
MAX_DIGITS = 40
#: Keys that stand a second time which are told.
MAX_REPEATED = 100

Path = tuple[str | int, ...]
Place = tuple[int, int]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# YAML 1.2, section 10.3.2: the core schema.
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_CORE = "tag:yaml.org,2002:"

#: Control characters but tab and line ends, lone surrogates, non-characters, a byte order mark inside the text, and the
#: three line ends that only YAML 1.1 knows: editors do not show those, and every line number below would be wrong.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
#: What may not come out of an escape such as "\0" either; a path or a prompt with one in it breaks later, after payment.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|\n|\r")


class _Source(NamedTuple):
    """A file as it was read: its name in messages, and its lines."""

    file: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    """A value and where it stands. Lines and columns count from 0 here; `end` is just behind the value."""

    value: Any
    source: _Source
    start: Place
    end: Place
    text: str | None = None  # a scalar as it is spelled, without quotes
    items: "tuple[_Node, ...]" = ()
    entries: "_Entries" = field(default_factory=dict)

    def child(self, step: str | int) -> "tuple[_Node, _Node] | None":
        """The key and the value under it; an item of a list is its own key."""
        if isinstance(step, str):
            return self.entries.get(step)
        if 0 <= step < len(self.items):
            return self.items[step], self.items[step]
        return None


#: Of each key: the key itself and its value.
_Entries = dict[str, tuple[_Node, _Node]]


class Spot(NamedTuple):
    """A stretch of a file. Lines and columns count from 1, in characters; the end is just behind the last one."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, kw_only=True)
class Document:
    """What YAML says (`value`, plain Python) and where it says it: in `file`, or in one that it extends."""

    file: str
    value: Any
    _root: _Node = field(repr=False, compare=False)
    #: Keys that stand a second time, where they were not refused: of each, the first counts.
    repeated: tuple[Problem, ...] = ()

    def spot(self, path: Path, *, key: bool = False, within: str = "") -> Spot:
        """Where the value at `path` stands, or its key; the nearest parent, where there is no such path.

        within: the first such part of the text, where it can be told. An aliased value has the place where it is written,
        not where it is used. A value left empty has that of its key.
        """
        node = owner = self._root
        for step in path:
            found = node.child(step)
            if found is None:
                break
            owner, node = found
        is_empty = node.text == "" and node.start == node.end
        at = owner if key or is_empty else node
        part = _find(node, within) if within else None
        start, end = part or (at.start, at.end)
        return Spot(
            file=at.source.file, line=start[0] + 1, column=start[1] + 1, end_line=end[0] + 1, end_column=end[1] + 1
        )

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Line and column of `spot`."""
        spot = self.spot(path, key=key)
        return spot.line, spot.column

    def text(self, path: Path) -> str | None:
        """A scalar as it is spelled, without quotes: "40.10" where the value is the number 40.1. None for anything else."""
        node = self._root
        for step in path:
            found = node.child(step)
            if found is None:
                return None
            _, node = found
        return node.text

    def behind(self, path: Path) -> str:
        """What stands in the same line behind a scalar: nothing, or a comment. "" for anything else."""
        node = self._root
        for step in path:
            found = node.child(step)
            if found is None:
                return ""
            _, node = found
        line, column = node.end
        return node.source.lines[line][column:] if node.text and line < len(node.source.lines) else ""

    def over(self, base: "Document") -> "Document":
        """This document with what it does not say taken from `base`. Mappings are merged key by key, at every depth;
        anything else is replaced whole."""
        root = _merged(base._root, self._root)
        return Document(file=self.file, value=root.value, _root=root)


def _merged(below: _Node, above: _Node) -> _Node:
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    entries: _Entries = dict(below.entries)
    for name, (key, node) in above.entries.items():
        entries[name] = (key, _merged(entries[name][1], node)) if name in entries else (key, node)
    values = {name: node.value for name, (_, node) in entries.items()}
    return replace(above, value=values, entries=entries)


def _find(node: _Node, part: str) -> tuple[Place, Place] | None:
    (first, begin), (last, end) = node.start, node.end
    lines = node.source.lines
    for number in range(first, min(last + 1, len(lines))):
        line = lines[number][: end if number == last else None]
        at = line.find(part, begin if number == first else 0)
        if at >= 0:
            return (number, at), (number, at + len(part))
    return None


def read(text: bytes | str, *, file: str, keeps_repeated: bool = False) -> Document:
    """The document in `text`; `file` is only named in messages. SpecSyntax when it cannot be read.

    keeps_repeated: keys that stand a second time are told in the document instead, for who has more to say of it.
    """
    source = _decoded(text, file)
    lines = tuple(_LINE_END.split(source))
    reader = _Reader(_Source(file=file, lines=lines), yaml.parse(source, Loader=_LOADER))
    try:
        root = reader.document()
    except yaml.MarkedYAMLError as error:
        raise SpecSyntax(*reader.repeated, _problem(file, *_explained(error, lines))) from None
    except SpecSyntax as error:
        raise SpecSyntax(*reader.repeated, *error.problems) from None
    if reader.repeated and not keeps_repeated:
        raise SpecSyntax(*reader.repeated)
    return Document(file=file, value=root.value, _root=root, repeated=tuple(reader.repeated))


def dotted(path: Path) -> str:
    """A path as messages show it: `sweep.exclude[0].clip`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{_cut(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def described(value: object) -> str:
    """What a value is, in YAML's words: "a list", "text", "a number"."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a true-or-false value"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def shown(text: str) -> str:
    """A text of the document inside a sentence: on one line, and cut where it is long."""
    return f"`{_cut(text)}`"


def _cut(text: str, most: int = 60) -> str:
    line = " ".join(text[: most + 1].split())
    return line if len(text) <= most else f"{line[:most]}…"


# --- the text -------------------------------------------------------------------------------------------------------


def _decoded(text: bytes | str, file: str) -> str:
    if len(text) > MAX_BYTES:
        _refuse(
            file, (0, 0), f"the file has {len(text):,} bytes, and at most {MAX_BYTES:,} are read", "Split the campaign."
        )
    source = _utf8(text, file) if isinstance(text, bytes) else text
    source = source.removeprefix("\ufeff")
    if found := _FORBIDDEN.search(source):
        _refuse(
            file,
            _position(source[: found.start()]),
            f"the invisible character U+{ord(found[0]):04X} stands here, and it is not allowed",
            "Delete it, or type the line again: such characters come from copying out of a web page or a document.",
        )
    return source


def _utf8(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
    _refuse(file, _position(before), "the file is not UTF-8 text", "Save it again with the encoding UTF-8.")


def _position(before: str) -> Place:
    """Where the text `before` ends."""
    lines = _LINE_END.split(before)
    return len(lines) - 1, len(lines[-1])


def _refuse(file: str, place: Place, message: str, hint: str) -> NoReturn:
    raise SpecSyntax(_problem(file, place, message, hint))


def _problem(file: str, place: Place, message: str, hint: str) -> Problem:
    line, column = place
    return Problem(file=file, line=line + 1, column=column + 1, path="", message=f"{message}.", hint=hint)


# --- events to nodes ------------------------------------------------------------------------------------------------


def _at(mark: Any) -> Place:
    return mark.line, mark.column


class _Anchored(NamedTuple):
    """The value of an anchor, with the nodes and characters each alias of it adds; no value while it is being read."""

    node: _Node | None = None
    nodes: int = 0
    characters: int = 0


class _Reader:
    """Builds nodes from the parser's events, and counts while it does."""

    def __init__(self, source: _Source, events: Iterator[Any]) -> None:
        self._source = source
        self._events = events
        self._nodes = 0
        self._characters = 0
        self._anchors: dict[str, _Anchored] = {}
        self.repeated: list[Problem] = []

    def document(self) -> _Node:
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return _Node(value=None, source=self._source, start=(0, 0), end=(0, 0), text="")
        root = self._node(next(self._events), 0)
        next(self._events)  # the document ends
        more = next(self._events)
        if not isinstance(more, yaml.StreamEndEvent):
            hint = "Remove the line ---, or move what follows it to a file of its own."
            self._refuse(more, "a second document begins here, and a file holds one campaign", hint)
        return root

    def _refuse(self, event: Any, message: str, hint: str) -> NoReturn:
        _refuse(self._source.file, _at(event.start_mark), message, hint)

    def _node(self, event: Any, depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        if depth > MAX_DEPTH:
            self._refuse(event, f"this is nested more than {MAX_DEPTH} levels deep", "Make the document flatter.")
        if not event.anchor:
            return self._built(event, depth)
        nodes, characters = self._nodes, self._characters
        self._anchors[event.anchor] = _Anchored()
        node = self._built(event, depth)
        self._anchors[event.anchor] = _Anchored(
            node=node, nodes=self._nodes - nodes, characters=self._characters - characters
        )
        return node

    def _built(self, event: Any, depth: int) -> _Node:
        self._count(event, 1, 0)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, "seq")
            return self._sequence(event, depth)
        self._check_tag(event, "map")
        return self._mapping(event, depth)

    def _count(self, event: Any, nodes: int, characters: int) -> None:
        self._nodes += nodes
        self._characters += characters
        what = f"{MAX_NODES:,} values" if self._nodes > MAX_NODES else f"{MAX_CHARACTERS:,} characters"
        if self._nodes > MAX_NODES or self._characters > MAX_CHARACTERS:
            self._refuse(
                event, f"the document has more than {what}, every alias counted in full", "Split the campaign."
            )

    def _check_tag(self, event: Any, *known: str) -> str:
        """The core tag of the value, "" where it has none."""
        tag: str = event.tag or ""
        if tag in ("", "!"):
            return tag
        if tag.removeprefix(_CORE) in known and tag.startswith(_CORE):
            return tag.removeprefix(_CORE)
        spelled = f"!!{tag.removeprefix(_CORE)}" if tag.startswith(_CORE) else tag
        self._refuse(
            event,
            f"the tag {shown(spelled)} is not allowed here: a campaign is plain text, numbers, lists and mappings",
            "Remove the tag; if the text itself begins with !, put it in quotes.",
        )

    def _aliased(self, event: Any) -> _Node:
        name = event.anchor
        if name not in self._anchors:
            self._refuse(
                event,
                f"*{name} is used, and no &{name} stands above it",
                f"Put &{name} in front of the value it stands for; text that begins with * goes in quotes.",
            )
        known = self._anchors[name]
        if known.node is None:
            self._refuse(event, f"*{name} is used inside its own value", f"Write out what *{name} should be here.")
        self._count(event, known.nodes, known.characters)
        return known.node

    def _scalar(self, event: Any) -> _Node:
        self._count(event, 0, len(event.value))
        if found := _UNPRINTABLE.search(event.value):
            self._refuse(
                event,
                f"this text has the invisible character U+{ord(found[0]):04X} in it, and it is not allowed",
                "Remove its escape sequence.",
            )
        value = self._resolved(event)
        return _Node(
            value=value,
            source=self._source,
            start=_at(event.start_mark),
            end=_at(event.end_mark),
            text=event.value,
        )

    def _resolved(self, event: Any) -> str | int | float | bool | None:
        is_plain = event.implicit[0]
        is_text = self._check_tag(event, "str") != "" or not is_plain
        return str(event.value) if is_text else self._core(event)

    def _core(self, event: Any) -> str | int | float | bool | None:
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        is_int = _INT.fullmatch(text)
        if not is_int and not _FLOAT.fullmatch(text):
            return text
        if len(text) > MAX_DIGITS:
            hint = "If it is text, put it in quotes."
            self._refuse(event, f"this number has {len(text):,} digits, and at most {MAX_DIGITS} are read", hint)
        if is_int:
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        return float(re.sub(r"\.(inf|nan)$", r"\1", text.lower()))

    def _sequence(self, event: Any, depth: int) -> _Node:
        items: list[_Node] = []
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(item, depth + 1))
        values = [item.value for item in items]
        return _Node(
            value=values,
            source=self._source,
            start=_at(event.start_mark),
            end=_at(item.end_mark),
            items=tuple(items),
        )

    def _mapping(self, event: Any, depth: int) -> _Node:
        own: _Entries = {}
        merged: _Entries = {}
        merged_at: Place | None = None
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            self._refuse_braces(event, key)
            if _is_merge(key):
                self._refuse_second_merge(key, merged_at)
                merged_at = _at(key.start_mark)
                merged = self._merged(depth)
                continue
            node = self._key(key, depth)
            name: str = node.value
            value = self._node(next(self._events), depth + 1)
            if name in own:
                self._tell_second(key, own[name][0].start)
            else:
                own[name] = node, value
        entries = {**merged, **own}
        values = {name: node.value for name, (_, node) in entries.items()}
        return _Node(
            value=values,
            source=self._source,
            start=_at(event.start_mark),
            end=_at(key.end_mark),
            entries=entries,
        )

    def _refuse_braces(self, event: Any, key: Any) -> None:
        """`{{ product }} at dusk` without quotes: what every template language teaches people to write."""
        line, column = _at(event.start_mark)
        if isinstance(key, yaml.MappingStartEvent) and self._source.lines[line].startswith("{{", column):
            hint = 'Put the whole text in quotes: "{{ product }} at dusk".'
            self._refuse(event, "a text that begins with {{ needs quotes: without them, YAML reads a mapping", hint)

    def _refuse_second_merge(self, key: Any, first: Place | None) -> None:
        if first is not None:
            self._refuse(
                key, f"<< stands here a second time; the first is in line {first[0] + 1}", "Write <<: [*a, *b]."
            )

    def _tell_second(self, key: Any, first: Place) -> None:
        """The reading goes on: whoever wrote two of them has all told at once."""
        message = f"the key {shown(key.value)} stands here a second time; the first is in line {first[0] + 1}"
        told = _problem(self._source.file, _at(key.start_mark), message, "Remove one of the two, or rename it.")
        self.repeated.append(told)
        if len(self.repeated) > MAX_REPEATED:
            self._refuse(
                key, f"more than {MAX_REPEATED} keys stand here a second time", "Look at how the file was made."
            )

    def _key(self, event: Any, depth: int) -> _Node:
        """A key, whose value is its text. YAML allows any value as a key; a campaign has text only."""
        node = self._node(event, depth + 1)
        if isinstance(node.value, str):
            return node
        if not node.text:
            hint = "Write a word in front of the colon."
            self._refuse(event, f"a key is text, and this one is {described(node.value)}", hint)
        self._refuse(
            event, f"a key is text, and {node.text} is {described(node.value)}", f'Put it in quotes: "{node.text}".'
        )

    def _merged(self, depth: int) -> _Entries:
        """The entries that `<<` brings in; of several mappings, the first that has a key wins."""
        event = next(self._events)
        node = self._node(event, depth + 1)
        sources = node.items if isinstance(node.value, list) else (node,)
        entries: _Entries = {}
        for source in reversed(sources):
            if not isinstance(source.value, dict):
                hint = "Write <<: *name, where &name stands in front of a mapping."
                self._refuse(
                    event, f"<< takes a mapping or a list of mappings, and this is {described(source.value)}", hint
                )
            entries.update(source.entries)
        return entries


def _is_merge(key: Any) -> bool:
    return isinstance(key, yaml.ScalarEvent) and key.value == "<<" and bool(key.implicit[0])


# --- the parser's complaints in our words ---------------------------------------------------------------------------

_INDENT_HINT = "Entries that belong together begin in the same column; what is inside an entry begins further right."
_QUOTE_HINT = 'A text with ": " or " #" in it, or with a special character in front, goes in quotes.'
_COLON_HINT = "Write key: value, with a space behind the colon."


def _explained(error: yaml.MarkedYAMLError, lines: tuple[str, ...]) -> tuple[Place, str, str]:
    """Where, what, and what to do. libyaml and the Python parser word and place things differently; this meets both."""
    said = f"{error.context or ''}; {error.problem or ''}"
    at = _inside(error.problem_mark, lines)
    began = _inside(error.context_mark, lines) if error.context_mark else at
    before, here, opening = lines[at[0]][: at[1]], _character(at, lines), _character(began, lines)
    if here == "\t" or " tab " in said:
        return at, "a tab is used for indentation; YAML allows only spaces", "Replace the tab by spaces."
    if "parsing a flow" in said:
        return _unclosed(said, at, began, lines)
    if "escape" in said:
        return began, "an unknown escape in a text in double quotes", r"Use single quotes, or write \\ for a backslash."
    if "quoted scalar" in said:
        return began, "the quote that begins here is never closed", f"Write {opening} at the end of the text."
    if "scanning an alias" in said or "scanning an anchor" in said:
        return began, f"a text cannot begin with {opening}", "Put the whole text in quotes."
    if "start any token" in said:
        return at, f"a text cannot begin with {here}", "Put the whole text in quotes."
    if "mapping values are not allowed" in said and ": " in before:
        return at, 'a second ": " in one line', 'A text with ": " in it goes in quotes.'
    if "mapping values are not allowed" in said and _is_indented_too_far(at, lines):
        begin = (at[0], _indentation(lines[at[0]]))
        return begin, "this line begins further right than the entry above it, whose value it would go on", _INDENT_HINT
    if "mapping values are not allowed" in said:
        return at, "a key with a colon, below a line that is no key: that line has no colon", _COLON_HINT
    if "could not find expected ':'" in said:
        return began, "a key without a colon behind it", _COLON_HINT
    if "parsing a block" in said:
        return _misplaced(said, at, before, here)
    return at, f"this is not YAML: {error.problem or error.context}", _QUOTE_HINT


def _is_indented_too_far(at: Place, lines: tuple[str, ...]) -> bool:
    """Does this entry stand below a whole one (`dusk: Re-light.`), further right?"""
    above = next((line for line in reversed(lines[: at[0]]) if line.strip()), "")
    return re.match(r"\s*[^\s#].*: +[^\s#]", above) is not None and _indentation(above) < _indentation(lines[at[0]])


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _inside(mark: Any, lines: tuple[str, ...]) -> Place:
    """The mark as a place of the text; libyaml puts the end of the text one line below its last one."""
    if mark is None:
        return 0, 0
    if mark.line >= len(lines):
        return len(lines) - 1, len(lines[-1])
    return _at(mark)


def _character(at: Place, lines: tuple[str, ...]) -> str:
    line, column = at
    return lines[line][column : column + 1]


def _unclosed(said: str, at: Place, began: Place, lines: tuple[str, ...]) -> tuple[Place, str, str]:
    is_end = not any(line.strip() for line in (lines[at[0]][at[1] :], *lines[at[0] + 1 :]))
    if "flow node" in said and is_end:
        return at, "the file ends inside a list or mapping", "Write the missing ] or }."
    if "flow node" in said:
        hint = "Write one, or put a text that begins so in quotes."
        return at, f"a value is missing in front of {_character(at, lines)}", hint
    kind, opening, closing = ("list", "[", "]") if "sequence" in said else ("mapping", "{", "}")
    if at[0] == began[0] and not is_end:
        return at, f"a comma or {closing} is missing in front of this", f"Separate the values of a {kind} by commas."
    return began, f"the {kind} that begins with {opening} here is never closed", f"Write {closing} at its end."


def _misplaced(said: str, at: Place, before: str, here: str) -> tuple[Place, str, str]:
    if before.strip():
        return at, "this stands behind a value that is already complete", _QUOTE_HINT
    if here == ":":
        return at, "a colon without a key in front of it", _COLON_HINT
    if "collection" in said or "block sequence" in said:
        return at, "the list above is not finished: in its column, every line begins with a -", _INDENT_HINT
    return at, "this line begins in a column that no entry above it has", _INDENT_HINT
