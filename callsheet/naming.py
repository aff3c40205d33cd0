"""Names and keys of deliverables: readable, the same every time, and safe on every file system.

A key is a relative POSIX path without extension. What is written between the braces comes from the campaign, so it is
hostile: it can neither add a folder nor climb out of one. A name that had to be changed to be safe carries a short digest
of the original, so that two names that look alike stay two names; a space that became a hyphen and an aspect ratio that
became 9x16 are expected and carry none. Case is kept: on a file system that ignores it, `Dusk` and `dusk` meet in the
archive, which never replaces a file, and the second one becomes a revision.
"""

import re
import unicodedata
from collections.abc import Mapping
from string import Formatter

from callsheet import digest

TEMPLATE = "{campaign}/{clip}--{references}--{prompt}--{aspect_ratio}--t{take}"
#: What every template may name; the campaign's variables come on top.
FIELDS = frozenset({"campaign", "clip", "references", "prompt", "aspect_ratio", "take", "sound", "model"})

#: Bytes of UTF-8 in one part. File systems end at 255; this leaves room for a revision, an extension, and for paths that
#: Windows cuts at 260 characters.
PART_BYTES = 120
#: Folders and name of one key: 8 full parts stay under the 1,024 bytes of an S3 key.
MAX_PARTS = 8

_MARK = 6  #: hex characters that keep two changed names apart
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"})
_PORTS = re.compile(r"(?:COM|LPT)[0-9¹²³]")
#: Beside the deliverables lie `<campaign>/manifest.json`, `<campaign>/verdicts.json` and `<campaign>/review/`.
_OURS = frozenset({"MANIFEST", "REVIEW", "VERDICTS"})
_FORBIDDEN = frozenset('<>:"/\\|?*')
#: A bare ratio: the colon between the numbers is the one character with a spelling of its own.
_RATIO = re.compile(r"(\d{1,5}):(\d{1,5})", re.ASCII)


def deliverable(template: str, fields: Mapping[str, str | int]) -> str:
    """The key of a deliverable: the template filled with the fields, every part made safe.

    ValueError when the template names an unknown field, formats one (`{take:03}`), or is not a relative path of at most
    8 parts.
    """
    unknown = sorted(placeholders(template) - fields.keys())
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} is not a field of a name; there are {_listed(fields)}")
    slugs = {name: _slug(str(value)) for name, value in fields.items()}
    return "/".join(_fit(_fill(part, slugs)) for part in _parts_of(template))


def revision(key: str, number: int) -> str:
    """The key of the nth file that asked for this name, counted from 1: `revision("a/b", 2)` is `a/b--r2`."""
    if number < 1:
        raise ValueError(f"revisions count from 1, not from {number}")
    return key if number == 1 else f"{key}--r{number}"


def longest(parts: int) -> int:
    """Bytes that a key of so many parts can have behind a prefix, with its slash, revision and extension; and the names of
    strays, which are two in one part."""
    return max(parts * (PART_BYTES + 1), 3 * (PART_BYTES + 1) + 10) + len("--r999.json")


def slug_part(name: str) -> str:
    """One name as one safe part of a key; `deliverable("{clip}", {"clip": name})` is the same."""
    return _fit(_slug(name))


def placeholders(template: str) -> set[str]:
    """The fields a template names. ValueError for unbalanced braces, `{}`, a conversion or a format."""
    return {field for part in template.split("/") for _, field in _pieces(part) if field is not None}


def _parts_of(template: str) -> list[str]:
    parts = template.split("/")
    if any(not part.strip(". ") for part in parts):
        raise ValueError(f"{template!r} is not a relative path: a part of it is empty or only dots")
    if len(parts) > MAX_PARTS:
        raise ValueError(f"{template!r} has {len(parts)} parts; {MAX_PARTS} is the most")
    return parts


def _pieces(part: str) -> list[tuple[str, str | None]]:
    """Literal text and the field after it. Formats are refused: `{clip:>9999999999}` would fill the memory."""
    pieces = []
    for literal, field, spec, conversion in Formatter().parse(part):
        if spec or conversion:
            raise ValueError(f"{{{field}}} cannot be formatted in a name; write {{{field}}} alone")
        if field == "":
            raise ValueError("{} names no field")
        pieces.append((literal, field))
    return pieces


def _fill(part: str, slugs: Mapping[str, str]) -> str:
    return "".join(literal + ("" if field is None else slugs[field]) for literal, field in _pieces(part))


def _slug(name: str) -> str:
    """A field's value: no separator of parts or of fields (`--`) left in it."""
    ratio = _RATIO.fullmatch(name)
    wanted = f"{ratio[1]}x{ratio[2]}" if ratio else _normal(name).replace(" ", "-")
    kept = re.sub(r"-{2,}", "-", _plain(wanted)).strip("-. ")
    return kept if kept == wanted and kept else _marked(kept, name)


def _fit(part: str) -> str:
    """A filled part: no device name, no dot at either end, at most PART_BYTES."""
    wanted = _normal(part)
    kept = _plain(wanted).strip(". ")
    if _is_reserved(kept):
        kept = kept.replace(".", "-")
    if kept != wanted or _is_reserved(kept) or not kept:
        kept = _marked(kept, part)
    if len(kept.encode()) > PART_BYTES:
        kept = _marked(kept, part, length=digest.SHORT)
    return kept


def _marked(kept: str, original: str, *, length: int = _MARK) -> str:
    """The readable beginning and a digest of the whole original, in at most PART_BYTES."""
    mark = digest.of_bytes(original.encode(errors="surrogatepass"))[:length]
    head = kept.encode()[: PART_BYTES - length - 1].decode(errors="ignore").rstrip("-. ")
    return f"{head}-{mark}" if head else mark


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _plain(text: str) -> str:
    """Hyphens for what some file system refuses and for what nobody can see: control, bidi and odd space characters."""
    return "".join(c if c.isprintable() and c not in _FORBIDDEN else "-" for c in text)


def _is_reserved(part: str) -> bool:
    stem = part.partition(".")[0].rstrip().upper()
    return stem in _DEVICES or stem in _OURS or _PORTS.fullmatch(stem) is not None


def _listed(fields: Mapping[str, str | int]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(fields))


def seen_from(folder: str, key: str) -> str:
    """A key of the archive as the manifest of this folder names it."""
    return key.removeprefix(f"{folder}/") if key.startswith(f"{folder}/") else f"../{key}"


def from_manifest(folder: str, path: str) -> str:
    """The key, in the archive, of a path that the manifest of this folder names."""
    return path.removeprefix("../") if path.startswith("../") else f"{folder}/{path}"
