"""The mark in a film: an XMP packet that says, for machines, how it was made. In a box of its own, so that nothing moves.

MP4 and MOV files are a row of boxes, and a reader skips those that it does not know. XMP has a `uuid` box at the top level
(Adobe's XMP Specification, part 3). It goes to the end of the file, where no offset in the file leads past it. The packet
says nothing that could differ when it is written again, so that a run that was killed makes the same bytes.

What a film is, in words of IPTC's vocabulary of digital source types: an edit of the clip by a generative model, what such a
model made anew, or, for a draft of the sandbox, what plain filters made. docs/marking.md says why.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

from callsheet.catalogue import Kind

Term = Literal[
    "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia", "algorithmicallyEnhanced"
]

#: The vocabulary (https://cv.iptc.org/newscodes/digitalsourcetype/): a term is this and its name.
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
#: Terms that say: a generative model had part in it.
OF_AI = frozenset({"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"})
#: Of these kinds the result is an edit of the clip; of all others it is made anew, whatever was shown to the model.
EDITS: frozenset[Kind] = frozenset({"edit"})

#: The user type of a box with an XMP packet, and that of one with a C2PA manifest.
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
#: The namespace of what is only ours, by which our packet is known.
OURS = "urn:callsheet:xmp:1:"
TOOL = "Callsheet"

#: The boxes a film may begin with (ISO/IEC 14496-12; QuickTime File Format).
FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"})
#: Boxes at the top level, at most; a film in fragments has two a fragment.
MOST_BOXES = 100_000
#: Bytes of a foreign packet that are looked at.
MOST_PACKET = 1_000_000
#: A size of four bytes ends here.
LARGEST = 0xFFFF_FFFF

_NAMESPACES = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "callsheet": OURS,
}
#: What XML 1.0 has no way to write.
_UNWRITABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SAID = re.compile(rb"DigitalSourceType\s*(?:=\s*[\"']|>)\s*https?://cv\.iptc\.org/newscodes/digitalsourcetype/(\w+)")

#: Gives so many bytes from an offset; fewer at the end of the file.
Read = Callable[[int, int], bytes]


class NotMarkable(ValueError):
    """The file is not a row of boxes that a mark can be added to; in words."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """One box of the top level. size: all of it. is_open: it has no size of its own and ends where the file does."""

    kind: bytes
    offset: int
    size: int
    is_open: bool = False
    #: Of a `uuid` box: its user type, and where what it holds begins.
    user_type: bytes = b""
    content: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a mark goes. seam: the offset at which it is put in."""

    seam: int
    #: Offset and size of the last box, where it had no size and needs one.
    closed: int | None
    closed_size: int
    #: The XMP packets that are there: offset and bytes.
    packets: tuple[tuple[int, int], ...]
    has_c2pa: bool


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What the packet says. sidecar: the archive's key of the document with the whole provenance. Of a draft that the sandbox
    has just made nothing but its term is known."""

    term: str
    model: str = ""
    job: str = ""
    sidecar: str = ""
    tool: str = TOOL

    @property
    def uri(self) -> str:
        return VOCABULARY + self.term

    @property
    def words(self) -> str:
        """For a person who reads the file's properties."""
        made = {
            "compositeWithTrainedAlgorithmicMedia": "Edited with a generative AI model",
            "trainedAlgorithmicMedia": "Made with a generative AI model",
            "algorithmicallyEnhanced": "A draft: the clip altered by plain filters, not by an AI model",
            "algorithmicMedia": "A draft: drawn by a program, not by an AI model",
        }.get(self.term, f"Digital source type {self.term}")
        if not self.sidecar:
            return f"{made}."
        of = f" in place of {self.model}" if self.term.startswith("algorithmic") else f" ({self.model})"
        return f"{made}{of}; job {self.job}. Full provenance: {self.sidecar}"


def term_for(kind: Kind, *, is_draft: bool, has_clip: bool, said: str = "") -> str:
    """The term for what a model of this kind made. said: what the film says of itself already.

    What a paid model made is never called anything else than that; what it says more exactly counts. A draft is made by
    filters, unless the file says that it is not: the sandbox does where a network painted it.
    """
    if is_draft:
        return said or ("algorithmicallyEnhanced" if has_clip else "algorithmicMedia")
    if said in OF_AI:
        return said
    return "compositeWithTrainedAlgorithmicMedia" if kind in EDITS else "trainedAlgorithmicMedia"


def packet(mark: Mark) -> bytes:
    """The XMP packet, the same bytes for the same mark."""
    is_ai = mark.term in OF_AI
    said = {
        "Iptc4xmpExt:DigitalSourceType": mark.uri,
        "Iptc4xmpExt:AISystemUsed": mark.model if is_ai else "",
        "xmp:CreatorTool": mark.tool,
        "callsheet:Model": mark.model,
        "callsheet:Job": mark.job,
        "callsheet:Sidecar": mark.sidecar,
    }
    namespaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    properties = "".join(f"   <{name}>{_text(value)}</{name}>\n" for name, value in said.items() if value)
    words = f'<rdf:Alt><rdf:li xml:lang="x-default">{_text(mark.words)}</rdf:li></rdf:Alt>'
    text = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f'  <rdf:Description rdf:about=""{namespaces}>\n'
        f"{properties}   <dc:description>{words}</dc:description>\n"
        "  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    )
    return text.encode()


def box(content: bytes) -> bytes:
    """The box with an XMP packet in it."""
    return (24 + len(content)).to_bytes(4, "big") + b"uuid" + XMP + content


def said_in(content: bytes) -> str:
    """The term that an XMP packet names; "" for none."""
    found = _SAID.search(content)
    return found[1].decode("ascii", "replace") if found else ""


def boxes(read: Read, length: int) -> Iterator[Box]:
    """The boxes of the top level, each by its header alone. NotMarkable where the file is no row of them."""
    offset = 0
    for _ in range(MOST_BOXES):
        if offset == length:
            return
        one = _box_at(read(offset, 32), offset, length)
        if one.end > length:
            raise NotMarkable(f"a box at byte {offset:,} goes beyond the end of the file")
        yield one
        offset = one.end
    raise NotMarkable(f"it has more than {MOST_BOXES:,} boxes")


def layout(read: Read, length: int) -> Layout:
    """Where a mark goes in this file. NotMarkable, in words."""
    found = list(boxes(read, length))
    if not found or found[0].kind not in FIRST:
        raise NotMarkable("it is no MP4 or MOV file")
    if not any(one.kind in (b"moov", b"moof") for one in found):
        raise NotMarkable("it has no movie box")
    last = found[-1]
    if last.is_open and last.size > LARGEST:
        raise NotMarkable("its last box has no size of its own, and is too large to be given one")
    # The index of a film in fragments is found from the end of the file, and nothing leads to where it begins.
    seam = last.offset if last.kind == b"mfra" and not last.is_open else length
    return Layout(
        seam=seam,
        closed=last.offset if last.is_open else None,
        closed_size=last.size if last.is_open else 0,
        packets=tuple((one.content, one.end - one.content) for one in found if one.user_type == XMP),
        has_c2pa=any(one.user_type == C2PA for one in found),
    )


def received(chunks: Iterable[bytes], offset: int, size: int, closed: int | None) -> Iterator[bytes]:
    """The bytes as they were before the mark, from those with it: without the box, and the last box open again."""
    at = 0
    for chunk in chunks:
        end, piece = at + len(chunk), chunk
        if closed is not None and closed < end and closed + 4 > at:
            kept = bytearray(piece)
            first, last = max(closed - at, 0), min(closed + 4 - at, len(chunk))
            kept[first:last] = bytes(last - first)
            piece = bytes(kept)
        yield piece[: max(0, min(offset - at, len(piece)))]
        yield piece[max(0, offset + size - at) :] if offset + size < end else b""
        at = end


def _box_at(head: bytes, offset: int, length: int) -> Box:
    if len(head) < 8:
        raise NotMarkable(f"{len(head)} bytes at its end are no box")
    size, kind, header = int.from_bytes(head[:4], "big"), head[4:8], 8
    if size == 1:
        size, header = int.from_bytes(head[8:16], "big"), 16
    is_open = size == 0
    if is_open:
        size = length - offset
    if size < header:
        raise NotMarkable(f"a box at byte {offset:,} is shorter than its own header")
    is_named = kind == b"uuid" and size >= header + 16
    user_type = head[header : header + 16] if is_named else b""
    return Box(kind=kind, offset=offset, size=size, is_open=is_open, user_type=user_type, content=offset + header + 16)


def _text(value: str) -> str:
    return escape(_UNWRITABLE.sub("", value))
