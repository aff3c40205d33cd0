"""Cheaper ways to the same campaign: what could be written otherwise, and where. Whether it holds is tried out elsewhere.

A proposal is an edit of the document. `steps.economise` reads, surveys and plans the edited campaign as any other, so what
would not pass `check` is never suggested, and a saving is the difference of two plans.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import floor
from typing import Any, Literal

from callsheet import catalogue, yamltext
from callsheet.campaign import NATIVE, Campaign, Trim, is_glob
from callsheet.catalogue import Model
from callsheet.credits import Credits
from callsheet.limits import SAME_SHAPE, ClipFacts
from callsheet.nearest import listed
from callsheet.plan import Line, Plan, decimal_seconds, price_of_take
from callsheet.provenance import is_written, value_at
from callsheet.sweep import Variant
from callsheet.yamltext import Path, dotted

Kind = Literal["model", "takes", "silent", "trim"]

#: A trim cuts off less than this part of a clip.
MOST_CUT = Fraction(1, 10)
#: A picture that stands still for longer than this is told, in seconds.
STANDSTILL = Fraction(1, 10)

_PLAIN = re.compile(r"[\w./](?:[\w./:*-]*[\w./*-])?")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of the document: the value at `path` becomes `value`; None removes its key.

    place: file:line of what stands there now, or of what it is added to. write: the line as it then reads.
    """

    path: Path
    value: Any
    place: str
    write: str

    @property
    def spoken(self) -> str:
        return f"{self.place}: write {self.write}" if self.write else f"{self.place}: remove {dotted(self.path)}"

    def as_json(self) -> dict[str, Any]:
        return {"place": self.place, "path": dotted(self.path), "write": self.write, "value": self.value}


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What could be done instead; `note` is what it changes in the results."""

    kind: Kind
    title: str
    note: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A proposal that holds, with what it saves alone, exactly."""

    proposal: Proposal
    note: str
    saving: Credits

    @property
    def usd(self) -> Decimal:
        """US dollars, rounded down to the cent: a saving is never promised too high."""
        return -Credits(units=-self.saving.units).usd

    @property
    def spoken(self) -> str:
        return f"saves {self.saving} credits (${self.usd}): {self.proposal.title}"

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.proposal.kind,
            "title": self.proposal.title,
            "note": self.note,
            "credits": str(self.saving),
            "usd": str(self.usd),
            "edits": [edit.as_json() for edit in self.proposal.edits],
        }


def weighed(proposal: Proposal, before: Plan, after: Plan) -> Suggestion | None:
    """The suggestion, where the plan of the edited campaign is cheaper."""
    saving = before.credits - after.credits
    if saving <= Credits():
        return None
    note = "; ".join(words for words in (proposal.note, _standstill(before, after)) if words)
    return Suggestion(proposal=proposal, note=note, saving=saving)


def _standstill(before: Plan, after: Plan) -> str:
    """Clips that a model with a longer minimum would freeze at their end."""
    old = {line.variant.clip: line.seconds for line in before.lines}
    longer = {
        line.variant.clip: line.seconds - old[line.variant.clip]
        for line in after.lines
        if line.seconds - old.get(line.variant.clip, line.seconds) > STANDSTILL
    }
    if not longer:
        return ""
    clips = [f"{clip} for {decimal_seconds(seconds)} s" for clip, seconds in longer.items()]
    return f"at its end the picture stands still: {listed(clips)}"


# --- proposals ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What there is: the campaign, the facts of its clips by name, which clip of the document each is, and its plan."""

    campaign: Campaign
    facts: Mapping[str, ClipFacts]
    declared: Mapping[str, str]
    lines: Sequence[Line]

    @property
    def variants(self) -> list[Variant]:
        return [line.variant for line in self.lines]

    def edit(self, path: Path, value: Any) -> Edit:
        problem = self.campaign.problem(path, "")
        write = "" if value is None else written(path, value)
        return Edit(path=path, value=value, place=f"{problem.file}:{problem.line}", write=write)


def proposals(scene: Scene) -> tuple[Proposal, ...]:
    """Everything that may be cheaper, the trims with the most to gain first among themselves."""
    return (*_models(scene), *_takes(scene), *_silent(scene), *_trims(scene))


def _models(scene: Scene) -> Iterator[Proposal]:
    """Every other model of the same kind and family, for a campaign with one model: another family is another look."""
    names = {variant.model for variant in scene.variants}
    if len(names) != 1 or scene.campaign.document.text(("model",)) not in names:
        return
    now = catalogue.model(names.pop())
    for model in catalogue.video_models().values():
        if (
            model.name == now.name
            or (model.kind, model.family) != (now.kind, now.family)
            or (now.sound_field and not model.sound_field)
        ):
            continue
        ratios = _ratio_edits(scene, model)
        if ratios is not None:
            yield Proposal(
                kind="model",
                title=f"another model: {model.name}",
                note=f"{model.title} renders it: look at a few variants before you spend",
                edits=(scene.edit(("model",), model.name), *ratios),
            )


def _ratio_edits(scene: Scene, model: Model) -> list[Edit] | None:
    """What the change of the model does to the aspect ratios; None where a result would come out in another shape.

    A model without the field keeps the shape of the clip: that is the same where every clip already has the one ratio.
    """
    ratios = {variant.aspect_ratio for variant in scene.variants}
    if ratios <= set(model.aspect_ratios) or (ratios == {NATIVE} and not model.aspect_ratios):
        return []
    framings = {variant.framing for variant in scene.variants}
    if NATIVE not in framings and model.clip is not None:
        return []  # our preparation makes the shapes, whatever the model
    if len(ratios) > 1 or framings != {NATIVE}:
        return None
    if ratios == {NATIVE}:
        fitting = [ratio for ratio in model.aspect_ratios if _all_have(scene, ratio)]
        return [scene.edit(("aspect_ratios",), fitting[:1])] if fitting else None
    if model.aspect_ratios or not _all_have(scene, ratios.pop()):
        return None
    key: Path = ("aspect_ratios",)
    return [scene.edit(key, None)] if is_written(scene.campaign.document, key) else []


def _all_have(scene: Scene, ratio: str) -> bool:
    wide, high = (int(side) for side in ratio.split(":"))
    clips = {variant.clip for variant in scene.variants}
    shapes = (Fraction(scene.facts[clip].width, scene.facts[clip].height) for clip in clips if clip)
    return all(abs(shape / Fraction(wide, high) - 1) <= SAME_SHAPE for shape in shapes)


def _takes(scene: Scene) -> Iterator[Proposal]:
    takes = scene.campaign.takes
    if takes > 1:
        yield Proposal(
            kind="takes",
            title=f"one take of each variant instead of {takes} of identical content",
            note="there is one sample to choose from; more can be rendered later, and the first is not paid again",
            edits=(scene.edit(("takes",), 1),),
        )


def _silent(scene: Scene) -> Iterator[Proposal]:
    """With and without its sound, a clip that has none comes out the same."""
    twins = _sound_twins(scene.variants)
    silent = [
        clip for clip in twins if clip and scene.facts[clip].audio_codec is None and not scene.facts[clip].audio_tracks
    ]
    note = "the results are the same: there is no sound to keep"
    if silent and set(silent) == {variant.clip for variant in scene.variants}:
        edit = scene.edit(("keep_original_sound",), True)
        yield Proposal(
            kind="silent", title="keep_original_sound is not swept: no clip has sound", note=note, edits=(edit,)
        )
        return
    for clip in silent:
        edit = _excluding(scene, {"clip": clip, "keep_original_sound": False})
        yield Proposal(kind="silent", title=f"{clip} once instead of with and without sound", note=note, edits=(edit,))


def _sound_twins(variants: Sequence[Variant]) -> list[str]:
    """The clips of which every variant without sound has its counterpart with sound."""
    without: dict[str, set[Any]] = {}
    kept: dict[str, set[Any]] = {}
    for one in variants:
        cell = (one.references, one.prompt, one.variables, one.aspect_ratio, one.model, one.options, one.take)
        (kept if one.keep_original_sound else without).setdefault(one.clip, set()).add(cell)
    return [clip for clip, cells in without.items() if cells <= kept.get(clip, set())]


def _excluding(scene: Scene, match: dict[str, Any]) -> Edit:
    document = scene.campaign.document
    if is_written(document, ("sweep", "exclude")):
        return scene.edit(("sweep", "exclude", len(scene.campaign.exclude)), match)
    if is_written(document, ("sweep",)):
        return scene.edit(("sweep", "exclude"), [match])
    return scene.edit(("sweep",), {"exclude": [match]})


def _trims(scene: Scene) -> Iterator[Proposal]:
    """Whole seconds, for a clip that is a little longer: most to gain first."""
    found = [(gain, proposal) for gain, proposal in _each_trim(scene) if gain > Credits()]
    yield from (proposal for _, proposal in sorted(found, key=lambda pair: -pair[0].units))


def _each_trim(scene: Scene) -> Iterator[tuple[Credits, Proposal]]:
    """With what it would gain if the cut clip came out at whole seconds; frames may make it a little shorter."""
    with_clip = sorted((line for line in scene.lines if line.variant.clip), key=lambda line: line.variant.clip)
    by_clip = groupby(with_clip, key=lambda line: line.variant.clip)
    for name, group in by_clip:
        lines, clip = list(group), next(c for c in scene.campaign.clips if c.name == scene.declared[name])
        seconds = max(line.seconds for line in lines)
        whole = Fraction(floor(seconds))
        if is_glob(clip.source) or name != clip.name or not whole or _is_shared(scene.campaign, clip.name):
            continue
        if not 0 < (seconds - whole) / seconds < MOST_CUT:
            continue
        start = clip.trim.start if clip.trim else Fraction(0)
        trim = str(Trim(start=start, end=start + whole))
        cut, share = decimal_seconds(seconds - whole), float((seconds - whole) / seconds)
        gain = Credits(
            units=sum(
                (line.price - price_of_take(line.variant, whole)).units for line in lines if line.action == "shoot"
            )
        )
        yield (
            gain,
            Proposal(
                kind="trim",
                title=f"{name} cut to {whole} s",
                note=f"the last {cut} s of it ({share:.1%}) are left out",
                edits=(_trim_edit(scene, clip.name, trim),),
            ),
        )


def _trim_edit(scene: Scene, clip: str, trim: str) -> Edit:
    form = value_at(scene.campaign.document, ("clips", clip))
    if isinstance(form, dict):
        return scene.edit(("clips", clip, "trim"), trim)
    return scene.edit(("clips", clip), {"source": form, "trim": trim})


def _is_shared(campaign: Campaign, clip: str) -> bool:
    """Does the clip, or its trim, stand elsewhere and come in by an alias or a merge? Then others would change with it."""
    document = campaign.document
    key = document.place(("clips", clip), key=True)
    path: Path = ("clips", clip, "trim")
    places = [document.place(("clips", clip))]
    if is_written(document, path):
        places += [document.place(path, key=True), document.place(path)]
    return any(place < key for place in places) or _is_aliased(campaign, clip)


def _is_aliased(campaign: Campaign, clip: str) -> bool:
    """Does another clip stand where this one does, by an alias of it?"""
    document = campaign.document
    where = {other.name: document.place(("clips", other.name)) for other in campaign.clips}
    return list(where.values()).count(where[clip]) > 1


# --- edits ----------------------------------------------------------------------------------------------------------


def applied(value: Any, edits: Sequence[Edit]) -> Any:
    """The value of the document with these edits; the value itself stays as it is."""
    changed = copy.deepcopy(value)
    for edit in edits:
        here = changed
        for step in edit.path[:-1]:
            here = here[step]
        last = edit.path[-1]
        if edit.value is None:
            del here[last]
        elif isinstance(here, list) and last == len(here):
            here.append(edit.value)
        else:
            here[last] = edit.value
    return changed


def written(path: Path, value: Any) -> str:
    """A value with its key as a line of YAML: `bunny: {source: media/bunny.mp4, trim: 0s..5s}`; an item of a list with a -."""
    last = path[-1]
    return f"- {flow(value)}" if isinstance(last, int) else f"{last}: {flow(value)}"


def flow(value: Any) -> str:
    """A value in one line of YAML, quoted only where that is needed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str):
        return value if _is_plain(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    """Is the text read as itself without quotes? `1e5`, `true` and `0x1F` are not."""
    return bool(_PLAIN.fullmatch(text)) and yamltext.read(f"[{text}]", file="").value == [text]
