"""What preparation will do to the files of a plan, each distinct one once. Looks at what was decided, makes nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from callsheet.mending import Mended, mended
from callsheet.steps import cache
from callsheet.steps.draw_up import Drawn
from callsheet.sweep import Variant

#: The file, and the name in the cache of what is made of it.
Key = tuple[Path, str]


def mend(drawn: Drawn) -> tuple[Mended, ...]:
    """One entry for each file and way of preparing it that the lines with something left to do need, in their order."""
    found: dict[Key, Mended] = {}
    uses: Counter[Key] = Counter()
    variants = [line.variant for line in drawn.plan.lines if line.action in ("shoot", "attach")]
    media_of = [(v.clip, v.framing, v.aspect_ratio, v.model, v.options, v.references) for v in variants]
    some = dict(zip(reversed(media_of), reversed(variants), strict=True))
    for media, count in Counter(media_of).items():
        for key, one in _of(drawn, some[media]):
            found.setdefault(key, one)
            uses[key] += count
    return tuple(replace(one, variants=uses[key]) for key, one in found.items())


def _of(drawn: Drawn, variant: Variant) -> Iterator[tuple[Key, Mended]]:
    survey, shown = drawn.survey, drawn.loaded.shown
    if variant.clip:
        clip, preparation = survey.clips[variant.clip], survey.clip_preparation(variant)
        entry = cache.clip_entry(clip.sha256, preparation)
        yield (clip.path, entry), mended(shown(clip.path), clip.facts, preparation)
    for still in survey.stills[variant.references]:
        made = survey.still_preparation(variant, still.path)
        yield (still.path, cache.still_entry(still.sha256, made)), mended(shown(still.path), still.facts, made)
