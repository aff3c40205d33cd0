"""What the media of a campaign are: each distinct file is hashed and probed once, and remembered by size, mtime and inode.

The survey decides (by `limits`) what preparation each clip and still needs, so the plan can price the prepared clip
before anything is encoded.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, cast

from callsheet import catalogue, limits
from callsheet.catalogue import ClipLimits, ImageLimits
from callsheet.credits import Credits, total
from callsheet.errors import Problem, SpecInvalid, Unacceptable
from callsheet.limits import ClipFacts, ClipPreparation, Facts, StillFacts, StillPreparation, TooLong
from callsheet.steps import private
from callsheet.steps.load import Loaded, SourceClip
from callsheet.sweep import Setup, Variant
from callsheet.tariff import price_of, quantity_of

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from callsheet.plan import Footage

#: Bytes read at a time while hashing.
CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Surveyed(Generic[Facts]):
    """A file and what it is. sha256 is of its bytes."""

    path: Path
    sha256: str
    facts: Facts


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Facts by clip name and reference set; preparations by what they depend on."""

    loaded: Loaded
    clips: Mapping[str, Surveyed[ClipFacts]]
    stills: Mapping[str, tuple[Surveyed[StillFacts], ...]]
    clip_preparations: Mapping["ClipNeed", ClipPreparation]
    still_preparations: Mapping[tuple[Path, ImageLimits], StillPreparation]
    warnings: tuple[Problem, ...]
    #: Footage that was looked at before: variants of one clip, set and kind of model share it.
    _footage: dict[tuple[object, ...], "Footage"] = field(default_factory=dict, repr=False, compare=False)

    def clip_preparation(self, variant: Variant) -> ClipPreparation:
        """What is done to the clip of this variant. LookupError for a variant without one."""
        return self.clip_preparations[clip_need(variant)]

    def still_preparation(self, variant: Variant, path: Path) -> StillPreparation:
        return self.still_preparations[path, catalogue.model(variant.model).image_limits]

    def seconds(self, of: Variant | Setup) -> Fraction:
        """What a take of it is billed by."""
        prepared = self.clip_preparations[clip_need(of)].seconds if of.clip else Fraction(0)
        return quantity_of(catalogue.model(of.model), prepared, of.options)

    def footage(self, variant: Variant) -> "Footage":
        """Its media by content."""
        setup = (variant.clip, variant.framing, variant.aspect_ratio, variant.model, variant.options)
        alike = (*setup, variant.references)
        found = self._footage.get(alike)
        if found is None:
            found = self._footage[alike] = self._looked_at(variant)
        return found

    def _looked_at(self, variant: Variant) -> "Footage":
        from callsheet.plan import Footage

        seconds = self.seconds(variant)
        references = tuple(still.sha256 for still in self.stills[variant.references])
        if not variant.clip:
            return Footage(clip="", window=None, seconds=seconds, references=references)
        clip, source = self.clips[variant.clip], self.loaded.clips[variant.clip]
        return Footage(clip=clip.sha256, window=_window(source, clip.facts), seconds=seconds, references=references)


class ClipNeed(NamedTuple):
    """What a clip's preparation depends on: variants that need the same share one."""

    clip: str
    framing: str
    #: None where the model makes the shape.
    aspect_ratio: str | None
    limits: ClipLimits


def clip_need(of: Variant | Setup) -> ClipNeed:
    """LookupError for a variant without a clip."""
    limits = catalogue.model(of.model).clip_limits
    ratio = None if "native" in (of.framing, of.aspect_ratio) else of.aspect_ratio
    return ClipNeed(of.clip, of.framing, ratio, limits.under(of.options))


def survey(loaded: Loaded, home: Path) -> Survey:
    """Survey every file that a variant uses. SpecInvalid with a problem for each file that is missing or cannot be used."""
    memory = _Memory(home / "cache" / "facts.json")
    problems: list[Problem] = list(loaded.problems)
    used_sets = {cell.references for cell in loaded.cells}
    stills_wanted = {path for name in used_sets for path in loaded.stills[name]}
    with _Pool() as pool:
        clip_work = {c.path: _looked(pool, memory, c.path, ClipFacts) for c in loaded.clips.values()}
        still_work = {path: _looked(pool, memory, path, StillFacts) for path in stills_wanted}
        clips = {
            name: found
            for name, source in loaded.clips.items()
            if (found := _settled(clip_work[source.path], loaded, source.place, source.path, problems))
        }
        stills = {
            name: tuple(
                picture
                for path in paths
                if path in still_work
                and (picture := _settled(still_work[path], loaded, loaded.still_places[name, path], path, problems))
            )
            for name, paths in loaded.stills.items()
        }
    memory.save()
    clip_preparations = _aimed(loaded, home, clips, _clip_preparations(loaded, clips, problems), problems)
    still_preparations = _still_preparations(loaded, stills, problems)
    if any(problem.severity == "error" for problem in problems):
        raise SpecInvalid([*problems, *loaded.warnings])
    return Survey(
        loaded=loaded,
        clips=clips,
        stills=stills,
        clip_preparations=clip_preparations,
        still_preparations=still_preparations,
        warnings=(*loaded.warnings, *problems),
    )


def price_of_all(surveyed: Survey) -> Credits:
    """What the campaign costs where everything is rendered once."""
    return total(
        [
            price_of(catalogue.model(setup.model), surveyed.seconds(setup), setup.options) * count
            for setup, count in surveyed.loaded.setups.items()
        ]
    )


def over_budget(surveyed: Survey) -> Iterator[Problem]:
    """A warning where a run of the whole campaign cannot start, whatever was rendered before: it is over the budget."""
    budget, whole = surveyed.loaded.campaign.budget, price_of_all(surveyed)
    if budget is not None and whole > budget:
        message = f"the whole campaign costs {whole.spoken}, and the budget is {budget.spoken}"
        hint = "Raise it, or render a part with --only, --limit or --pilot."
        yield surveyed.loaded.campaign.problem(("budget",), message, hint=hint, severity="warning")


def mended(surveyed: Survey) -> Iterator[Problem]:
    """A note for each file that the model would not take as it is: what preparation does to it, so nobody else has to."""
    loaded = surveyed.loaded
    reasons: dict[tuple[tuple[str | int, ...], Path], dict[str, None]] = {}
    for need, preparation in surveyed.clip_preparations.items():
        source = loaded.clips[need.clip]
        reasons.setdefault((source.place, source.path), {}).update(dict.fromkeys(preparation.reasons))
    for (name, path), place in loaded.still_places.items():
        for still in surveyed.stills.get(name, ()):
            if still.path == path:
                found = [p.reasons for (known, _), p in surveyed.still_preparations.items() if known == path]
                reasons.setdefault((place, path), {}).update(dict.fromkeys(r for several in found for r in several))
    for (place, path), why in reasons.items():
        if why:
            message = f"preparation mends {loaded.shown(path)}: {'; '.join(why)}"
            yield loaded.campaign.problem(place, message, severity="note")


def _clip_preparations(
    loaded: Loaded, clips: Mapping[str, Surveyed[ClipFacts]], problems: list[Problem]
) -> dict[ClipNeed, ClipPreparation]:
    """One decision for each clip, shape and kind of model that the sweep pairs; with `framing: native` shapes are alike."""
    campaign = loaded.campaign
    found: dict[ClipNeed, ClipPreparation] = {}
    refused: set[str] = set()
    for need in dict.fromkeys(clip_need(setup) for setup in loaded.setups if setup.clip):
        name = need.clip
        if name not in clips or name in refused:
            continue
        source = loaded.clips[name]
        try:
            found[need] = limits.clip_preparation(
                clips[name].facts,
                need.limits,
                start=source.trim.start if source.trim else None,
                end=source.trim.end if source.trim else None,
                framing=need.framing,
                aspect_ratio=need.aspect_ratio,
            )
        except Unacceptable as error:
            place = (*source.place, "trim") if source.trim else source.place
            what = f"{loaded.shown(source.path)} {error.what}"
            problems.append(campaign.problem(place, what, hint=_hint(loaded, source, error)))
            refused.add(name)
    return found


def _hint(loaded: Loaded, source: SourceClip, error: Unacceptable) -> str:
    """What to write. A clip that is a path only has no place for a trim yet, so it is told with its source."""
    if not isinstance(error, TooLong):
        return error.hint
    from callsheet.provenance import value_at  # for a mistake only
    from callsheet.suggest import written

    form = value_at(loaded.campaign.document, source.place)
    if not isinstance(form, str) or set("*?[") & set(form):
        return error.hint
    line = written(source.place, {"source": form, "trim": error.trim})
    return f"Write {line}, or declare two clips."


def _aimed(
    loaded: Loaded,
    home: Path,
    clips: Mapping[str, Surveyed[ClipFacts]],
    decided: Mapping[ClipNeed, ClipPreparation],
    problems: list[Problem],
) -> dict[ClipNeed, ClipPreparation]:
    """The same decisions with every crop aimed at what matters in its clip; and what a person should know of each, once."""
    found: dict[ClipNeed, ClipPreparation] = {}
    notes: dict[str, dict[str, None]] = {}
    refused: set[str] = set()
    for need, aiming in _aiming(home, clips, decided).items():
        source = loaded.clips[need.clip]
        try:
            found[need] = aiming()
        except Unacceptable as error:
            if need.clip not in refused:
                problems.append(_unusable(loaded, source.place, source.path, error))
            refused.add(need.clip)
            continue
        notes.setdefault(need.clip, {}).update(dict.fromkeys(found[need].notes))
    for name, told in notes.items():
        source = loaded.clips[name]
        problems.extend(_noted(loaded, source.place, source.path, list(told)))
    return found


def _aiming(
    home: Path, clips: Mapping[str, Surveyed[ClipFacts]], decided: Mapping[ClipNeed, ClipPreparation]
) -> "dict[ClipNeed, Callable[[], ClipPreparation]]":
    """For each need what gives its preparation: the decision itself, or, for a crop, the search in its pictures."""
    found: dict[ClipNeed, Callable[[], ClipPreparation]] = {
        need: partial(_itself, made) for need, made in decided.items()
    }
    crops = [need for need, made in decided.items() if made.framing == "crop"]
    if crops:
        from concurrent.futures import ThreadPoolExecutor

        from callsheet.steps.framing import ABREAST, Crops

        known = Crops(home)
        # In threads, also because whoever surveys may be in an event loop already.
        with ThreadPoolExecutor(max_workers=ABREAST) as pool:
            found |= {need: pool.submit(known.aim, clips[need.clip], decided[need]).result for need in crops}
        known.save()
    return found


def _itself(made: ClipPreparation) -> ClipPreparation:
    return made


def _still_preparations(
    loaded: Loaded, stills: Mapping[str, tuple[Surveyed[StillFacts], ...]], problems: list[Problem]
) -> dict[tuple[Path, ImageLimits], StillPreparation]:
    found: dict[tuple[Path, ImageLimits], StillPreparation] = {}
    told: set[Path] = set()
    for name, model in loaded.shown_to:
        if not stills.get(name):
            continue
        accepted = catalogue.model(model).image_limits
        for still in stills[name]:
            if (still.path, accepted) in found:
                continue
            place = loaded.still_places[name, still.path]
            try:
                preparation = limits.still_preparation(still.facts, accepted)
            except Unacceptable as error:
                if still.path not in told:
                    problems.append(_unusable(loaded, place, still.path, error))
                told.add(still.path)
                continue
            found[still.path, accepted] = preparation
            if still.path not in told:
                problems.extend(_noted(loaded, place, still.path, preparation.notes))
            told.add(still.path)
    return found


class _Pool:
    """Threads for the files that are not known yet; none are made, and nothing is loaded, where all are."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown()

    def submit(self, work: "Callable[..., Surveyed[Facts]]", *given: Any) -> "Callable[[], Surveyed[Facts]]":
        """Begin the work; what is returned waits for it."""
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(max_workers=4)
        return self._threads.submit(work, *given).result


def _looked(pool: _Pool, memory: "_Memory", path: Path, kind: type[Facts]) -> "Callable[[], Surveyed[Facts]]":
    """What is known of the file, or the work that finds it out, begun."""
    try:
        known = memory.known(path, kind)
    except Unacceptable as error:
        return _raising(error)
    return (lambda: known) if known is not None else pool.submit(memory.look, path, kind)


def _raising(error: Unacceptable) -> "Callable[[], Surveyed[Any]]":
    def settle() -> Surveyed[Any]:
        raise error

    return settle


def _settled(
    work: "Callable[[], Surveyed[Facts]]",
    loaded: Loaded,
    place: tuple[str | int, ...],
    path: Path,
    problems: list[Problem],
) -> Surveyed[Facts] | None:
    """The result, or its error as a problem of the campaign's line."""
    try:
        return work()
    except Unacceptable as error:
        problems.append(_unusable(loaded, place, path, error))
        return None


def _noted(loaded: Loaded, place: tuple[str | int, ...], path: Path, notes: Sequence[str]) -> Iterator[Problem]:
    """What preparation will do to a file that a person may not expect."""
    for note in notes:
        yield loaded.campaign.problem(place, f"{loaded.shown(path)}: {note}", severity="warning")


def _unusable(loaded: Loaded, place: tuple[str | int, ...], path: Path, error: Unacceptable) -> Problem:
    """A file to blame: no other line of the campaign would help. `what` of an Unacceptable begins with its verb."""
    return loaded.campaign.problem(place, f"{loaded.shown(path)} {error.what}", hint=error.hint, exit_code=3)


def _window(source: SourceClip, facts: ClipFacts) -> tuple[str, str] | None:
    """The part of the source that is used, in exact seconds; None when a trim leaves nothing out."""
    if source.trim is None:
        return None
    end = facts.seconds if source.trim.end is None else min(source.trim.end, facts.seconds)
    if source.trim.start == 0 and end == facts.seconds:
        return None
    return str(Fraction(source.trim.start)), str(Fraction(end))


class _Memory:
    """Digests and facts of files seen before. A file whose size, mtime or inode changed is looked at again.

    The memory is a convenience: where it cannot be read or written (a read-only home, another version's file), the files
    are simply looked at again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, dict[str, Any]] = {}
        self._changed = False
        with suppress(OSError, ValueError):
            loaded = json.loads(file.read_text("utf-8"))
            self._known = loaded if isinstance(loaded, dict) else {}

    def known(self, path: Path, kind: type[Facts]) -> Surveyed[Facts] | None:
        """What was found when this very file was looked at before. Unacceptable where it cannot be read now."""
        known = self._known.get(str(path), {})
        if known.get("stamp") != _stamp(path):
            return None
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            return Surveyed(path=path, sha256=known["sha256"], facts=limits.facts_of_json(kind, known["facts"]))
        return None

    def look(self, path: Path, kind: type[Facts]) -> Surveyed[Facts]:
        """Probe and hash the file, and remember it. Unacceptable."""
        from callsheet.media import probe

        stamp = _stamp(path)
        facts = probe.clip(path) if kind is ClipFacts else probe.still(path)
        sha256 = hash_of(path)
        self._known[str(path)] = {"stamp": stamp, "sha256": sha256, "facts": limits.facts_as_json(facts)}
        self._changed = True
        return Surveyed(path=path, sha256=sha256, facts=cast("Facts", facts))

    def save(self) -> None:
        if not self._changed:
            return
        from callsheet.steps import cache

        with suppress(OSError):
            private.folder(self._file.parent)
            cache.write_note(self._file, self._known)


def _stamp(path: Path) -> list[int]:
    try:
        facts = path.stat()
    except OSError as error:
        raise Unacceptable(f"cannot be read: {error.strerror}.", hint="Check the file and its permissions.") from error
    return [facts.st_size, facts.st_mtime_ns, facts.st_ino]


def hash_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in constant memory. Unacceptable when it cannot be read."""
    running = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for chunk in _chunks(file):
                running.update(chunk)
    except OSError as error:
        raise Unacceptable(f"cannot be read: {error.strerror}.", hint="Check the file and its permissions.") from error
    return running.hexdigest()


def _chunks(file: Any) -> Iterable[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
