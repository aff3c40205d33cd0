"""One line of a plan explained: gathers what the ledger, the archive and the campaign know of it. Reads, changes nothing."""

from contextlib import suppress

from callsheet import changes, provenance, why
from callsheet.errors import ArchiveError
from callsheet.sidecar import Sidecar, read
from callsheet.steps.draw_up import Drawn
from callsheet.sweep import Variant
from callsheet.take import Take
from callsheet.why import Explanation


def explain(drawn: Drawn, wanted: str) -> Explanation:
    """What is done with the variant of this slug or label, and why. SpecError where the plan has none."""
    line = why.line_of(drawn.plan.lines, wanted)
    variant = line.variant
    earlier = drawn.view.earlier.get((variant.slug, variant.take))
    identity = drawn.identity(variant)
    names = {**(_names_then(drawn, earlier) if earlier else {}), **_names_now(drawn, variant)}
    before = changes.recorded(drawn.view.identities.get(earlier.id, "")) if earlier else None
    return Explanation(
        line=line,
        price=why.price(line),
        prepared=_prepared(drawn, variant),
        parts=why.parts(identity, _origins(drawn, variant), names),
        earlier=earlier,
        differences=None if before is None else why.differences(before, identity, names),
    )


def _origins(drawn: Drawn, variant: Variant) -> dict[str, tuple[provenance.Origin, ...]]:
    loaded = drawn.loaded
    stills = [loaded.still_places[variant.references, path] for path in loaded.stills[variant.references]]
    clip = loaded.clips[variant.clip].place if variant.clip else ()
    return provenance.origins(loaded.campaign, variant, clip=clip, stills=list(dict.fromkeys(stills)))


def _prepared(drawn: Drawn, variant: Variant) -> str:
    if not variant.clip:
        return "no clip: the model makes the video from the prompt and the images"
    preparation = drawn.survey.clip_preparation(variant)
    words = {"pass": "the clip goes as it is", "remux": "copied into a clean container", "transcode": "encoded afresh"}
    reasons = "; ".join(preparation.reasons)
    return f"{words[preparation.decision]}: {reasons}" if reasons else words[preparation.decision]


def _names_now(drawn: Drawn, variant: Variant) -> dict[str, str]:
    """The files of this variant by digest."""
    survey, shown = drawn.survey, drawn.loaded.shown
    clips = [survey.clips[variant.clip]] if variant.clip else []
    return {
        **{clip.sha256: shown(clip.path) for clip in clips},
        **{still.sha256: shown(still.path) for still in survey.stills[variant.references]},
    }


def _names_then(drawn: Drawn, take: Take) -> dict[str, str]:
    """The files of an earlier take, as its sidecar names them; what it does not tell is known by its digest alone."""
    with suppress(ArchiveError, ValueError):
        found = drawn.store.read(f"{take.archive.removesuffix('.mp4')}.json")
        sidecar = read(Sidecar, found or b"")
        clips = [sidecar.clip.source] if sidecar.clip else []
        sources = (*clips, *(still.source for still in sidecar.references))
        return {source.sha256: source.file for source in sources}
    return {}
