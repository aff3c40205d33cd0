"""The work before a run: each distinct file once, and bytes only where they are known."""

import pytest

from callsheet.work import Piece, summed

CLIP = Piece(kind="clip", entry="clips/a.mp4", is_ready=False, is_uploaded=True, sha256=None, bytes=None)
STILL = Piece(kind="still", entry="stills/a.jpg", is_ready=True, is_uploaded=True, sha256="s1", bytes=2_000_000)


def piece(kind: str, entry: str, **facts: object) -> Piece:
    base = CLIP if kind == "clip" else STILL
    return Piece(**{**vars(base), "entry": entry, **facts})


def test_a_file_that_many_variants_need_is_prepared_and_uploaded_once() -> None:
    work = summed([CLIP, STILL, CLIP, STILL])
    assert (work.clips, work.stills, work.uploads) == (1, 1, 2)


def test_what_lies_in_the_cache_is_not_made_again() -> None:
    work = summed([CLIP, piece("clip", "clips/b.mp4", is_ready=True), STILL])
    assert (work.clips_to_make, work.stills_to_make) == (1, 0)


def test_bytes_are_summed_where_they_are_known_and_the_others_are_counted() -> None:
    work = summed([CLIP, STILL, piece("clip", "clips/b.mp4", sha256="c2", bytes=500_000)])
    assert (work.bytes, work.unsized) == (2_500_000, 1)


def test_two_preparations_with_the_same_bytes_are_one_upload() -> None:
    work = summed([STILL, piece("still", "stills/b.jpg")])
    assert (work.stills, work.uploads, work.bytes) == (2, 1, 2_000_000)


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_is_uploaded_if_any_variant_needs_that(order: int) -> None:
    pieces = [CLIP, piece("clip", CLIP.entry, is_uploaded=False)][::order]
    assert summed(pieces).uploads == 1
    assert summed(pieces[:1] if order < 0 else pieces[1:]).uploads == 0


def test_the_work_is_told_in_one_line() -> None:
    both = summed([CLIP, STILL])
    assert both.spoken == (
        "1 clip and 1 still, 1 not in the cache yet; 2 uploads, 2.0 MB and 1 of a size that is known once prepared"
    )
    assert summed([STILL]).spoken == "1 still, all in the cache; 1 upload, 2.0 MB"
    assert summed([piece("still", "x", is_uploaded=False)]).spoken == "1 still, all in the cache; nothing to upload"
    assert summed([]).spoken == "no file is needed"
