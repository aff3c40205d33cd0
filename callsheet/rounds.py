"""What verdicts make of a campaign: the next round. What was rejected is left out, what is to be taken again gets one more
take, and with a promotion the winners go on, to another model or to more aspect ratios.

Verdicts are of content. One whose content the campaign no longer has (another prompt, another clip) says nothing any more.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from callsheet import axes, catalogue
from callsheet.campaign import NATIVE
from callsheet.catalogue import Model
from callsheet.errors import NothingToShoot, SpecError
from callsheet.nearest import did_you_mean, listed
from callsheet.sidecar import AxisValues
from callsheet.sweep import JOINT, Variant
from callsheet.verdicts import Says, Verdict, Verdicts
from callsheet.yamltext import shown

#: Variants that must have been judged, all of them rejected, before a value of an axis is given up for those that were not.
LEAST_JUDGED = 2


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Where winners go: to each of these models, or stay on their own; in their own aspect ratio and in each of these."""

    models: tuple[str, ...] = ()
    aspect_ratios: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.models or self.aspect_ratios)


def promotion(words: Sequence[str]) -> Promotion:
    """What `--promote` asks for, word by word: names of models and aspect ratios. SpecError for what is neither."""
    known = catalogue.video_models()
    ratios, names = sorted({ratio for model in known.values() for ratio in model.aspect_ratios}), list(known)
    for word in words:
        if word not in names and word not in ratios:
            near = did_you_mean(word, [*names, *ratios])
            hint = f"Write a model (`callsheet models` lists them) or an aspect ratio: {listed(ratios)}."
            what = "is neither a model nor an aspect ratio that a model makes"
            raise SpecError(f"{shown(word)} {what}{near or '.'}", where="--promote", hint=hint)
    chosen = dict.fromkeys(words)
    return Promotion(
        models=tuple(word for word in chosen if word in names),
        aspect_ratios=tuple(word for word in chosen if word in ratios),
    )


class Loser(NamedTuple):
    """A value of an axis of which everything that was judged was rejected."""

    axis: str
    value: str
    judged: int

    @property
    def spoken(self) -> str:
        """prompt dusk, of which all 3 that were judged are rejected"""
        return f"{self.axis} {self.value}, of which all {self.judged} that were judged are rejected"


@dataclass(frozen=True, kw_only=True)
class Round:
    """The campaign's next round.

    rejected, lost: labels that are left out, the latter each with the value of an axis that is given up. waiting: left out
    because others are promoted. retaken, promoted: what the campaign itself does not have; reasons: why, by label. once: what
    is wanted again but was judged as a film of another route, a draft: of each such cell one film at least is made here, as the
    campaign has it, and no take more. stale: verdicts of content that is gone.
    """

    counts: Mapping[Says, int]
    stale: int
    rejected: frozenset[str]
    lost: Mapping[str, Loser]
    waiting: frozenset[str]
    retaken: tuple[Variant, ...]
    promoted: tuple[Variant, ...]
    reasons: Mapping[str, str]
    once: frozenset[str] = frozenset()
    #: Labels of winners that go on to a model which makes no shape but the clip's own.
    unshaped: tuple[str, ...] = ()

    @property
    def added(self) -> tuple[Variant, ...]:
        return (*self.retaken, *self.promoted)

    def has(self, label: str) -> bool:
        """Is a variant part of this round?"""
        return label not in self.rejected and label not in self.lost and label not in self.waiting

    def part_of(self, label: str) -> Literal["", "retake", "promoted"]:
        """What a variant was added as; "" where the campaign has it."""
        if label in {variant.label for variant in self.retaken}:
            return "retake"
        return "promoted" if label in self.reasons else ""

    @property
    def spoken(self) -> str:
        """12: 5 approved, 4 rejected, 3 to be taken again; 2 more are of content that the campaign no longer has"""
        words: dict[Says, str] = {"approve": "approved", "reject": "rejected", "retake": "to be taken again"}
        said = [f"{self.counts[says]} {word}" for says, word in words.items() if self.counts.get(says)]
        told = f"{sum(self.counts.values())}: {', '.join(said)}" if said else "none that says anything"
        more = "1 more is" if self.stale == 1 else f"{self.stale} more are"
        return f"{told}; {more} of content that the campaign no longer has" if self.stale else told

    @property
    def spoken_left_out(self) -> str:
        """4 rejected; 6 more of prompt dusk, of which all 3 that were judged are rejected"""
        many = Counter(self.lost.values())
        return "; ".join([f"{len(self.rejected)} rejected", *(f"{many[one]} more of {one.spoken}" for one in many)])

    @property
    def spoken_once(self) -> str:
        """1 was asked for on another film, as a draft: this run makes that variant once, and no extra take"""
        alone = len(self.once) == 1
        which = (
            "1 was asked for on another film, as a draft"
            if alone
            else f"{len(self.once)} were asked for on other films, as drafts"
        )
        return f"{which}: this run makes {'that variant' if alone else 'those variants'} once, and no extra take"

    @property
    def spoken_shape(self) -> str:
        """2 winners keep their clip's shape: this model cannot change it"""
        who = "1 winner keeps its" if len(self.unshaped) == 1 else f"{len(self.unshaped)} winners keep their"
        return f"{who} clip's shape: this model cannot change it; framing: crop gives the clip another"

    @property
    def spoken_added(self) -> str:
        """1 more take, 5 promoted"""
        takes = "1 more take" if len(self.retaken) == 1 else f"{len(self.retaken)} more takes"
        parts = ([takes] if self.retaken else []) + ([f"{len(self.promoted)} promoted"] if self.promoted else [])
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        return {
            "verdicts": {says: self.counts.get(says, 0) for says in ("approve", "reject", "retake")},
            "stale": self.stale,
            "losers": [loser._asdict() for loser in dict.fromkeys(self.lost.values())],
            "rejected": sorted(self.rejected),
            "lost": sorted(self.lost),
            "waiting": sorted(self.waiting),
            "retaken": [variant.label for variant in self.retaken],
            "once": sorted(self.once),
            "unshaped": list(self.unshaped),
            "promoted": [variant.label for variant in self.promoted],
        }


def next_round(
    variants: Sequence[Variant],
    earlier: Sequence[Variant],
    keys: Mapping[str, str],
    judged: Verdicts,
    promoted: Promotion,
    images: Mapping[str, int],
    *,
    films: Mapping[str, str] | None = None,
    keep_unjudged: bool = False,
) -> Round:
    """The round after these verdicts.

    variants: the campaign's. earlier: what rounds before this one added and the verdicts know (`restored`). keys: of both, by
    label. images: of each reference set. films: SHA-256 of what is archived on the route, by key. keep_unjudged: nothing is
    given up but what was rejected itself. NothingToShoot where nothing is left; SpecError for a promotion without a winner, or
    to what no winner can be.
    """
    said = {verdict.key: verdict.says for verdict in judged.verdicts if verdict.says is not None}
    everything = [*variants, *earlier]
    of = {v.label: says for v in everything if (says := said.get(keys[v.label]))}
    counts: dict[Says, int] = {}
    for says in of.values():
        counts[says] = counts.get(says, 0) + 1
    known = {keys[variant.label] for variant in everything}
    rejected = frozenset(v.label for v in variants if of.get(v.label) == "reject")
    stale = [one for one in judged.verdicts if one.says is not None and one.key not in known]
    liked = {pair for one in stale if one.says != "reject" for pair in axes.values_said(one.axes).items()}
    lost = {} if keep_unjudged else _lost(variants, of, tuple(_losers(everything, of, liked)))
    seen = {verdict.key: verdict.film for verdict in judged.verdicts}
    here = {v.label for v in everything if _is_here(seen.get(keys[v.label], ""), (films or {}).get(keys[v.label]))}
    wanted = [variant for variant in everything if of.get(variant.label) == "retake"]
    elsewhere = [variant for variant in wanted if variant.label not in here]
    ours = [variant for variant in variants if variant.label not in rejected and variant.label not in lost]
    stand_ins, further_takes = _once(elsewhere, ours)
    retaken = (
        _retaken(variants, earlier, [variant for variant in wanted if variant.label in here], here) + further_takes
    )
    reasons = {take.label: f"one more take of {take.slug}, as the review asks" for take in retaken}
    winners = [variant for variant in everything if of.get(variant.label) == "approve"]
    further: list[Variant] = []
    waiting = frozenset[str]()
    if promoted:
        further = _promoted(everything, winners, promoted, images, reasons)
        own = {v.label for v in winners} if not promoted.models else set()
        waiting = frozenset(v.label for v in variants) - rejected - lost.keys() - own - {v.label for v in stand_ins}
    found = Round(
        counts=counts,
        stale=len(stale),
        rejected=rejected,
        lost=lost,
        waiting=waiting,
        retaken=tuple(retaken),
        promoted=tuple(further),
        reasons=reasons,
        once=frozenset(variant.label for variant in elsewhere),
        unshaped=tuple(winner.label for winner in winners if _loses_its_shape(winner, promoted)),
    )
    if not found.added and not any(found.has(variant.label) for variant in variants):
        raise NothingToShoot(
            f"the verdicts leave none of the {len(variants)} variants.", hint="Approve some, or mark some for a retake."
        )
    return found


def _once(wanted: Sequence[Variant], ours: Sequence[Variant]) -> tuple[list[Variant], list[Variant]]:
    """What is made of each cell that is wanted again as another film: what the campaign itself has of it, the very take first;
    and where it has nothing, the first that is wanted. ours: the campaign's without what is rejected or given up."""
    labels, slugs = {variant.label for variant in wanted}, {variant.slug for variant in wanted}
    has: dict[str, Variant] = {}
    for variant in (*(one for one in ours if one.label in labels), *ours):
        if variant.slug in slugs:
            has.setdefault(variant.slug, variant)
    first: dict[str, Variant] = {}
    for variant in wanted:
        if variant.slug not in has:
            first.setdefault(variant.slug, variant)
    return list(has.values()), list(first.values())


def _is_here(seen: str, film: str | None) -> bool:
    """Is the film that was judged the one of this route? An older verdict does not say which it was."""
    return not seen or seen == film


def restored(variants: Sequence[Variant], judged: Iterable[Verdict]) -> tuple[Variant, ...]:
    """The variants that an earlier round added, as these verdicts name them: another take, model or aspect ratio of what the
    campaign has. Whether their content is still the same, their keys say."""
    by_words = {_words(axes_of): axes_of for axes_of in variants}
    labels, cells = {variant.label for variant in variants}, {_cell(variant) for variant in variants}
    found: dict[str, Variant] = {}
    for verdict in judged:
        root = by_words.get(_words_of(verdict.axes))
        if root is not None and verdict.axes.model in catalogue.video_models():
            variant = _restored(root, verdict)
            if variant.label not in labels and _cell(variant) not in cells:
                found.setdefault(variant.label, variant)
    return tuple(found.values())


def _words(variant: Variant) -> tuple[object, ...]:
    return variant.clip, variant.references, variant.prompt, variant.variables


def _words_of(said: AxisValues) -> tuple[object, ...]:
    return said.clip, said.references, said.prompt, tuple(said.variables.items())


def _restored(root: Variant, verdict: Verdict) -> Variant:
    said, model = verdict.axes, catalogue.model(verdict.axes.model)
    label = verdict.slug if said.take == 1 else f"{verdict.slug}{JOINT}t{said.take}"
    return root._replace(
        aspect_ratio=said.aspect_ratio,
        keep_original_sound=said.keep_original_sound,
        model=model.name,
        options=model.settled({name: value for name, value in said.options.items() if name in model.options}),
        take=said.take,
        slug=verdict.slug,
        label=label,
    )


def _losers(variants: Sequence[Variant], of: Mapping[str, Says], liked: Collection[tuple[str, str]]) -> Iterable[Loser]:
    """Only where another value of that axis is not rejected altogether: else it is no fault of the axis. liked: (axis, value)
    of what was liked before it was edited; whoever works on a winner does not lose it with what is left beside it."""
    for axis, column in axes.columns(variants).items():
        seen: dict[str, list[bool]] = {}
        open_to: set[str] = set()
        for variant, value in zip(variants, column, strict=True):
            if value is None:
                continue
            says = of.get(variant.label)
            if says is None:
                open_to.add(value)
            else:
                seen.setdefault(value, []).append(says == "reject")
        lost = [value for value, rejected in seen.items() if all(rejected) and len(rejected) >= LEAST_JUDGED]
        if any(not all(rejected) for rejected in seen.values()):
            fallen = (value for value in lost if value in open_to and (axis, value) not in liked)
            yield from (Loser(axis, value, len(seen[value])) for value in fallen)


def _lost(variants: Sequence[Variant], of: Mapping[str, Says], losers: Sequence[Loser]) -> dict[str, Loser]:
    """What nobody judged and has a value that lost."""
    found: dict[str, Loser] = {}
    for variant in variants if losers else ():
        if variant.label not in of:
            values = axes.values_of(variant)
            found.update((variant.label, loser) for loser in losers if values.get(loser.axis) == loser.value)
    return found


def _retaken(
    variants: Sequence[Variant], earlier: Sequence[Variant], wanted: Sequence[Variant], here: Collection[str]
) -> list[Variant]:
    """For each film of a cell that is wanted again one take after those that the campaign has, but for those that were made
    and judged already: the verdicts that asked for them still stand."""
    own: dict[str, int] = {}
    for variant in variants:
        own[variant.slug] = max(own.get(variant.slug, 0), variant.take)
    first: dict[str, int] = {}
    for variant in earlier:  # what was promoted has a cell of its own, which begins with it
        first[variant.slug] = min(first.get(variant.slug, variant.take), variant.take)
    made = {variant.label for variant in earlier if variant.label in here}
    found: list[Variant] = []
    asked: Counter[str] = Counter()
    for variant in wanted:
        asked[variant.slug] += 1
        take = own.get(variant.slug, first.get(variant.slug, 0)) + asked[variant.slug]
        again = variant._replace(take=take, label=f"{variant.slug}{JOINT}t{take}")
        if again.label not in made:
            found.append(again)
    return found


def _loses_its_shape(winner: Variant, promoted: Promotion) -> bool:
    """Is it to be made by a model that keeps the shape of the clip, from a clip that was not given another one?"""
    shapeless = any(not catalogue.model(name).aspect_ratios for name in promoted.models)
    return shapeless and winner.framing == NATIVE and winner.aspect_ratio != NATIVE


def _promoted(
    variants: Sequence[Variant],
    winners: Sequence[Variant],
    promoted: Promotion,
    images: Mapping[str, int],
    reasons: dict[str, str],
) -> list[Variant]:
    """Each winner on each model, or its own, in its own aspect ratio and in the others; the reason of each into `reasons`.

    What is there already is not made again. SpecError where a model or an aspect ratio is none for any of them.
    """
    if not winners:
        raise SpecError(
            "the verdicts approve of nothing that could be promoted.",
            where="--promote",
            hint="Press a on the winners of the review board, and export its verdicts again.",
        )
    there = {_cell(variant) for variant in variants}
    labels = {variant.label for variant in variants}
    met: set[str] = set()
    found: list[Variant] = []
    for winner in winners:
        for model in promoted.models or (winner.model,):
            for ratio in dict.fromkeys((winner.aspect_ratio, *promoted.aspect_ratios)):
                variant = _moved(winner, model, ratio, images.get(winner.references, 0))
                if variant is None:
                    continue
                met |= {variant.model, variant.aspect_ratio}
                if _cell(variant) in there:
                    continue
                there.add(_cell(variant))
                variant = _named(winner, variant, labels)
                labels.add(variant.label)
                reasons[variant.label] = f"{winner.label} was approved"
                found.append(variant)
    if unmet := [word for word in (*promoted.models, *promoted.aspect_ratios) if word not in met]:
        by = f" by {listed(promoted.models, last='or')}" if unmet[0] not in promoted.models and promoted.models else ""
        raise SpecError(
            f"no winner can be made with {unmet[0]}{by}.",
            where="--promote",
            hint="`callsheet models NAME` says what a model takes, and in which shapes it makes its films.",
        )
    return found


def _cell(variant: Variant) -> tuple[object, ...]:
    return (
        *_words(variant),
        variant.aspect_ratio,
        variant.keep_original_sound,
        variant.model,
        variant.options,
        variant.take,
    )


def _moved(winner: Variant, name: str, ratio: str, images: int) -> Variant | None:
    """The winner on this model in this aspect ratio; None where the model takes no such input or makes no such shape."""
    model = catalogue.model(name)
    if not model.aspect_ratios and winner.framing == NATIVE and ratio == winner.aspect_ratio:
        ratio = NATIVE
    makes_it = ratio in (model.aspect_ratios or (winner.aspect_ratio, NATIVE))
    takes_words = len(winner.text) <= model.prompt_max and (winner.text or not model.prompt_required)
    if not (makes_it and takes_words and _takes(model, winner, images)):
        return None
    kept = {option: value for option, value in winner.options if option in model.options}
    sound = winner.keep_original_sound if winner.keep_original_sound is not None else True
    return winner._replace(
        model=name,
        aspect_ratio=ratio,
        options=model.settled(kept),
        keep_original_sound=sound if model.sound_field and winner.clip else None,
    )


def _takes(model: Model, winner: Variant, images: int) -> bool:
    """The same clip and as many images? What is in them is looked at as for every variant."""
    if (model.clip is not None) != bool(winner.clip) or any(
        option.required and option.name not in dict(winner.options) for option in model.options.values()
    ):
        return False
    if model.images is None:
        return images == 0
    least, most = model.images.count
    return least <= images <= most if images else not model.images.required


def _named(winner: Variant, variant: Variant, labels: Collection[str]) -> Variant:
    """Under the winner's slug, with what became of it."""
    parts = [winner.slug]
    if variant.model != winner.model:
        parts.append(variant.model)
    if variant.aspect_ratio != winner.aspect_ratio:
        parts.append(variant.aspect_ratio.replace(":", "x"))
    slug = JOINT.join(parts)
    label = slug if variant.take == 1 else f"{slug}{JOINT}t{variant.take}"
    if label in labels:
        raise SpecError(f"two variants of this round would be called {label}.", where="--promote")
    return variant._replace(slug=slug, label=label)
