"""The work before the first submission: what a plan needs prepared and uploaded. Looks into the cache, makes nothing."""

from collections.abc import Iterator
from pathlib import Path

from callsheet.plan import Line
from callsheet.steps import cache
from callsheet.steps.draw_up import Drawn
from callsheet.steps.survey import Survey
from callsheet.sweep import Variant
from callsheet.take import State
from callsheet.work import Piece, Work, summed


def estimate(drawn: Drawn) -> Work:
    """What the lines that have something left to do need, counted as the run does it."""
    return summed(_pieces(drawn.survey, drawn.settings.home, drawn.plan.lines))


def _pieces(survey: Survey, home: Path, lines: tuple[Line, ...]) -> Iterator[Piece]:
    """Each distinct file once; variants share most of them, and a cache entry is looked up on disk."""
    uploaded: dict[tuple[object, ...], bool] = {}
    first: dict[tuple[object, ...], Variant] = {}
    for line in lines:
        if line.action in ("shoot", "attach"):
            variant = line.variant
            media: tuple[object, ...] = (
                variant.clip,
                variant.references,
                variant.aspect_ratio,
                variant.model,
                variant.options,
            )
            uploaded[media] = uploaded.get(media, False) or _is_uploaded(line)
            first.setdefault(media, variant)
    for media, variant in first.items():
        yield from _pieces_of(survey, home, variant, is_uploaded=uploaded[media])


def _is_uploaded(line: Line) -> bool:
    """A take that was already sent keeps its request with the links in it (steps.stage)."""
    return line.take is None or not line.take.is_live or line.take.state is State.RESERVED


def _pieces_of(survey: Survey, home: Path, variant: Variant, *, is_uploaded: bool) -> Iterator[Piece]:
    if variant.clip:
        yield _clip_piece(survey, home, variant, is_uploaded=is_uploaded)
    for still in survey.stills[variant.references]:
        made = survey.still_preparation(variant, still.path)
        entry = cache.still_entry(still.sha256, made)
        known = cache.recall(cache.place(home, entry))
        is_whole = made.decision == "pass"
        yield Piece(
            kind="still",
            entry=entry,
            is_ready=known is not None,
            is_uploaded=is_uploaded,
            sha256=known.sha256 if known else still.sha256 if is_whole else None,
            bytes=known.bytes if known else still.facts.bytes if is_whole else None,
        )


def _clip_piece(survey: Survey, home: Path, variant: Variant, *, is_uploaded: bool) -> Piece:
    clip, preparation = survey.clips[variant.clip], survey.clip_preparation(variant)
    entry = cache.clip_entry(clip.sha256, preparation)
    known = cache.recall(cache.place(home, entry))
    is_whole = preparation.decision == "pass"  # the very bytes of the source
    return Piece(
        kind="clip",
        entry=entry,
        is_ready=known is not None,
        is_uploaded=is_uploaded,
        sha256=known.sha256 if known else clip.sha256 if is_whole else None,
        bytes=known.bytes if known else clip.facts.bytes if is_whole else None,
    )
