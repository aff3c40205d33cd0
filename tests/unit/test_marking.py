"""The mark in a film: the same bytes each time, found by whoever reads XMP, and taken out again without a trace."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import catalogue, marking
from callsheet.marking import Mark, NotMarkable

EDIT = Mark(
    term="compositeWithTrainedAlgorithmicMedia",
    model="kling-o1-video-edit",
    job="task-1",
    sidecar="summer/beach--dusk--t1.json",
)


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


FTYP, MOOV, MDAT = box(b"ftyp", b"isom"), box(b"moov", b"index"), box(b"mdat", b"pictures")
FILM = FTYP + MOOV + MDAT


def laid(film: bytes) -> marking.Layout:
    return marking.layout(lambda offset, size: film[offset : offset + size], len(film))


def marked(film: bytes, mark: Mark = EDIT) -> bytes:
    found, content = laid(film), marking.box(marking.packet(mark))
    if found.closed is not None:
        film = film[: found.closed] + found.closed_size.to_bytes(4, "big") + film[found.closed + 4 :]
    return film[: found.seam] + content + film[found.seam :]


def in_pieces(film: bytes, cuts: list[int]) -> Iterator[bytes]:
    yield from (film[begin:end] for begin, end in pairwise([0, *sorted(cuts), len(film)]))


def properties(packet: bytes) -> dict[str, str]:
    """As any reader of XML finds them, by their name without a namespace."""
    text = packet.decode().partition("?>")[2].rpartition("<?xpacket")[0]
    found = {one.tag.rpartition("}")[2]: "".join(one.itertext()).strip() for one in ET.fromstring(text).iter()}
    return {name: text for name, text in found.items() if text}


# --- what it says -------------------------------------------------------------------------------------------------------


def test_an_edit_by_a_model_says_so_in_the_words_of_iptc() -> None:
    said = properties(marking.packet(EDIT))
    assert said["DigitalSourceType"] == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    assert said["AISystemUsed"] == said["Model"] == "kling-o1-video-edit"
    assert (said["Job"], said["Sidecar"], said["CreatorTool"]) == ("task-1", EDIT.sidecar, "Callsheet")
    assert said["li"] == (
        "Edited with a generative AI model (kling-o1-video-edit); job task-1. Full provenance: summer/beach--dusk--t1.json"
    )


@pytest.mark.parametrize("model", catalogue.video_models().values(), ids=lambda model: model.name)
def test_only_an_edit_is_called_one_and_everything_else_is_made_anew(model: catalogue.Model) -> None:
    term = marking.term_for(model.kind, is_draft=False, has_clip=model.clip is not None)
    is_edit = model.kind == "edit"
    assert term == ("compositeWithTrainedAlgorithmicMedia" if is_edit else "trainedAlgorithmicMedia")


@pytest.mark.parametrize(
    ("has_clip", "said", "term"),
    [
        (True, "", "algorithmicallyEnhanced"),
        (False, "", "algorithmicMedia"),
        (True, "compositeWithTrainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"),
    ],
)
def test_a_draft_claims_no_model_unless_its_file_says_that_one_painted_it(has_clip: bool, said: str, term: str) -> None:
    assert marking.term_for("edit", is_draft=True, has_clip=has_clip, said=said) == term
    packet = marking.packet(Mark(term=term, model="kling-o1-video-edit", job="t", sidecar="a.json"))
    assert (b"AISystemUsed" in packet) == (term in marking.OF_AI)


@pytest.mark.parametrize("said", ["", "digitalCapture", "algorithmicMedia"])
def test_what_a_paid_model_made_is_never_called_anything_else(said: str) -> None:
    assert marking.term_for("edit", is_draft=False, has_clip=True, said=said) == "compositeWithTrainedAlgorithmicMedia"


def test_what_a_file_says_of_itself_is_found_in_both_ways_to_write_it() -> None:
    assert marking.said_in(marking.packet(EDIT)) == "compositeWithTrainedAlgorithmicMedia"
    attribute = (
        b'<rdf:Description Iptc4xmpExt:DigitalSourceType="https://cv.iptc.org/newscodes/digitalsourcetype/print"/>'
    )
    assert marking.said_in(attribute) == "print"
    assert marking.said_in(b"<DigitalSourceType>anything</DigitalSourceType>") == ""


@given(st.text(), st.text())
def test_names_of_strangers_are_text_in_it(job: str, sidecar: str) -> None:
    ET.fromstring(marking.packet(Mark(term="x", model="m", job=job, sidecar=sidecar)).decode().partition("?>")[2])


# --- where it goes ------------------------------------------------------------------------------------------------------


def test_a_mark_is_a_box_at_the_end_and_nothing_in_front_of_it_moves() -> None:
    film = marked(FILM)
    assert film.startswith(FILM)
    assert film == marked(FILM)
    ((offset, size),) = laid(film).packets
    assert film[offset : offset + size] == marking.packet(EDIT)
    assert film[offset - 24 : offset] == (size + 24).to_bytes(4, "big") + b"uuid" + marking.XMP


def test_the_index_of_a_film_in_fragments_stays_at_its_end() -> None:
    index = box(b"mfra", b"\0\0\0\x10mfro\0\0\0\0\0\0\0\x18")
    film = FTYP + MOOV + box(b"moof", b"x") + MDAT + index
    assert marked(film).endswith(index)
    assert laid(film).seam == len(film) - len(index)


def test_a_last_box_without_a_size_is_given_one() -> None:
    film = FTYP + MOOV + b"\0\0\0\0mdatpictures"
    found = laid(film)
    assert (found.closed, found.closed_size) == (len(FTYP + MOOV), len(MDAT))
    assert marked(film).startswith(FILM)
    assert len(laid(marked(film)).packets) == 1


def test_a_packet_of_the_provider_stays_and_ours_comes_behind() -> None:
    theirs = box(b"uuid", marking.XMP + b"<x:xmpmeta/>")
    film = FTYP + theirs + MOOV + MDAT
    assert marked(film).startswith(film)
    assert [size for _, size in laid(marked(film)).packets] == [12, len(marking.packet(EDIT))]


@given(
    st.sampled_from([FILM, FTYP + MOOV + b"\0\0\0\0mdatpictures", FILM + box(b"mfra", b"index")]),
    st.lists(st.integers(0, 1200), max_size=12),
)
def test_without_the_mark_it_is_what_was_received_wherever_its_pieces_end(film: bytes, cuts: list[int]) -> None:
    found, size = laid(film), len(marking.box(marking.packet(EDIT)))
    pieces = in_pieces(marked(film), [cut for cut in cuts if cut < len(marked(film))])
    assert b"".join(marking.received(pieces, found.seam, size, found.closed)) == film


@pytest.mark.parametrize(
    ("film", "words"),
    [
        (b"", "no MP4 or MOV file"),
        (b"\x1aE\xdf\xa3" + bytes(60), "goes beyond the end|shorter than its own header|no MP4"),
        (FTYP + MDAT, "no movie box"),
        (FILM + b"\0\0", "2 bytes at its end are no box"),
        (FTYP + MOOV + b"\0\0\0\x04mdat", "shorter than its own header"),
        (FTYP + MOOV + MDAT[:-2], "goes beyond the end"),
        (FTYP + MOOV + box(b"free") * marking.MOST_BOXES, "more than 100,000 boxes"),
        (box(b"RIFF") + MOOV, "no MP4 or MOV file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_row_of_boxes_takes_no_mark(film: bytes, words: str) -> None:
    with pytest.raises(NotMarkable, match=words):
        laid(film)


@given(st.binary(max_size=300))
def test_whatever_bytes_there_are_a_layout_is_found_or_refused(film: bytes) -> None:
    try:
        found = laid(FTYP + MOOV + film)
    except NotMarkable:
        return
    assert 0 <= found.seam <= len(FTYP + MOOV + film)
