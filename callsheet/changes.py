"""What changed between two identities: which parts, and inside a prompt which words, inside a set which files."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from callsheet.digest import Canonical

#: The parts of an identity and what people call them, in the order in which they are told.
TITLES: Mapping[str, str] = {
    "clip": "clip",
    "window": "trim",
    "framing": "framing",
    "references": "references",
    "prompt": "prompt",
    "aspect_ratio": "aspect ratio",
    "keep_original_sound": "sound",
    "model": "model",
    "options": "options",
    "take": "take",
}

_TOKEN = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One part of an identity, as it was and as it is."""

    part: str
    before: Canonical
    after: Canonical

    @property
    def title(self) -> str:
        return TITLES.get(self.part, self.part)


@dataclass(frozen=True, kw_only=True)
class Words:
    """A piece of a text: in both versions, only in the old one, or only in the new one."""

    kind: Literal["same", "removed", "added"]
    text: str


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """What became of one reference image. Files are known by name where one is given for their digest."""

    kind: Literal["added", "removed", "changed", "moved"]
    before: str  # SHA-256; empty for an added one
    after: str
    file: str


def recorded(identity: str) -> dict[str, Any] | None:
    """The identity that a ledger keeps as canonical JSON; None where it keeps none."""
    if not identity:
        return None
    parts: dict[str, Any] = json.loads(identity)
    return parts


def between(before: Mapping[str, Canonical], after: Mapping[str, Canonical]) -> tuple[Change, ...]:
    """The parts that differ, in the order of TITLES. A part that one of them does not know is nothing there."""
    names = [*TITLES, *sorted((before.keys() | after.keys()) - TITLES.keys())]
    changes = (Change(part=name, before=_plain(before.get(name)), after=_plain(after.get(name))) for name in names)
    return tuple(change for change in changes if change.before != change.after)


def _plain(value: Canonical) -> Canonical:
    """JSON has no tuples: what was written as one comes back as a list."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def words(before: str, after: str) -> tuple[Words, ...]:
    """The two texts as one, word by word; the kept and removed words are the old text, the kept and added ones the new."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    found: list[Words] = []
    for tag, begin, end, new_begin, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Words(kind="same", text="".join(old[begin:end])))
            continue
        if end > begin:
            found.append(Words(kind="removed", text="".join(old[begin:end])))
        if new_end > new_begin:
            found.append(Words(kind="added", text="".join(new[new_begin:new_end])))
    return tuple(found)


def files(before: Sequence[str], after: Sequence[str], names: Mapping[str, str]) -> tuple[FileChange, ...]:
    """What became of each file of a set. `names`: the file's name by digest; the same name with other bytes is a change."""
    gone = [one for one in before if one not in after]
    come = [one for one in after if one not in before]
    found: list[FileChange] = []
    for old in gone:
        same_name = next((new for new in come if old in names and names.get(new) == names[old]), None)
        if same_name is None:
            found.append(FileChange(kind="removed", before=old, after="", file=names.get(old, "")))
        else:
            come.remove(same_name)
            found.append(FileChange(kind="changed", before=old, after=same_name, file=names[old]))
    found += [FileChange(kind="added", before="", after=new, file=names.get(new, "")) for new in come]
    kept_before, kept_after = (
        [one for one in side if one in other] for side, other in ((before, after), (after, before))
    )
    found += [
        FileChange(kind="moved", before=one, after=one, file=names.get(one, ""))
        for one, other in zip(kept_after, kept_before, strict=False)
        if one != other
    ]
    return tuple(found)
