"""What the media of a campaign are: each distinct file is hashed and probed once, and remembered by size, mtime and inode.

The survey decides (by `limits`) what preparation each clip and still needs, so the plan can price the prepared clip
before anything is encoded.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from callsheet import catalogue, limits
from callsheet.errors import Problem, SpecInvalid, Unacceptable
from callsheet.limits import ClipFacts, ClipPreparation, StillFacts, StillPreparation
from callsheet.plan import Footage
from callsheet.steps.load import Loaded, SourceClip
from callsheet.sweep import Variant

Facts = TypeVar("Facts", ClipFacts, StillFacts)

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
    """Facts by clip name and reference set; preparations by (clip name, aspect ratio)."""

    loaded: Loaded
    clips: Mapping[str, Surveyed[ClipFacts]]
    stills: Mapping[str, tuple[Surveyed[StillFacts], ...]]
    clip_preparations: Mapping[tuple[str, str], ClipPreparation]
    still_preparations: Mapping[Path, StillPreparation]
    warnings: tuple[Problem, ...]

    def clip_preparation(self, variant: Variant) -> ClipPreparation:
        return self.clip_preparations[variant.clip, variant.aspect_ratio]

    def footage(self, variant: Variant) -> Footage:
        clip, source = self.clips[variant.clip], self.loaded.clips[variant.clip]
        return Footage(
            clip=clip.sha256,
            window=_window(source, clip.facts),
            seconds=self.clip_preparation(variant).seconds,
            references=tuple(still.sha256 for still in self.stills[variant.references]),
        )


def survey(loaded: Loaded, home: Path) -> Survey:
    """Survey every file that a variant uses. SpecInvalid with a problem for each file that is missing or cannot be used."""
    memory = _Memory(home / "cache" / "facts.json")
    problems: list[Problem] = list(loaded.problems)
    used_sets = {variant.references for variant in loaded.variants}
    stills_wanted = {path for name in used_sets for path in loaded.stills[name]}
    with ThreadPoolExecutor(max_workers=4) as pool:
        clip_work = {path: pool.submit(memory.clip, path) for path in {c.path for c in loaded.clips.values()}}
        still_work = {path: pool.submit(memory.still, path) for path in stills_wanted}
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
    clip_preparations = _clip_preparations(loaded, clips, problems)
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


def _clip_preparations(
    loaded: Loaded, clips: Mapping[str, Surveyed[ClipFacts]], problems: list[Problem]
) -> dict[tuple[str, str], ClipPreparation]:
    """One decision for each clip and aspect ratio that the sweep pairs; with `framing: native` they are all alike."""
    campaign = loaded.campaign
    model = catalogue.model(campaign.model)
    found: dict[tuple[str, str], ClipPreparation] = {}
    refused: set[str] = set()
    for name, aspect_ratio in dict.fromkeys((v.clip, v.aspect_ratio) for v in loaded.variants):
        if name not in clips or name in refused:
            continue
        source = loaded.clips[name]
        try:
            preparation = limits.clip_preparation(
                clips[name].facts,
                model.clip,
                start=source.trim.start if source.trim else None,
                end=source.trim.end if source.trim else None,
                framing=campaign.framing,
                aspect_ratio=None if campaign.framing == "native" else aspect_ratio,
            )
        except Unacceptable as error:
            place = (*source.place, "trim") if source.trim else source.place
            what = f"{loaded.shown(source.path)} {error.what}"
            problems.append(campaign.problem(place, what, hint=error.hint))
            refused.add(name)
            continue
        if not any(found_name == name for found_name, _ in found):
            problems.extend(_noted(loaded, source.place, source.path, preparation.notes))
        found[name, aspect_ratio] = preparation
    return found


def _still_preparations(
    loaded: Loaded, stills: Mapping[str, tuple[Surveyed[StillFacts], ...]], problems: list[Problem]
) -> dict[Path, StillPreparation]:
    accepted = catalogue.model(loaded.campaign.model).images
    found: dict[Path, StillPreparation] = {}
    for name, surveyed in stills.items():
        for still in surveyed:
            place = loaded.still_places[name, still.path]
            try:
                preparation = limits.still_preparation(still.facts, accepted)
            except Unacceptable as error:
                problems.append(_unusable(loaded, place, still.path, error))
                continue
            found[still.path] = preparation
            problems.extend(_noted(loaded, place, still.path, preparation.notes))
    return found


def _settled(
    work: "Future[Surveyed[Facts]]",
    loaded: Loaded,
    place: tuple[str | int, ...],
    path: Path,
    problems: list[Problem],
) -> Surveyed[Facts] | None:
    """The result, or its error as a problem of the campaign's line."""
    try:
        return work.result()
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

    _CLIPS = TypeAdapter(ClipFacts)
    _STILLS = TypeAdapter(StillFacts)

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, dict[str, Any]] = {}
        self._changed = False
        with suppress(OSError, ValueError):
            loaded = json.loads(file.read_text("utf-8"))
            self._known = loaded if isinstance(loaded, dict) else {}

    def clip(self, path: Path) -> Surveyed[ClipFacts]:
        from callsheet.media import probe

        return self._look(path, lambda: probe.clip(path), self._CLIPS)

    def still(self, path: Path) -> Surveyed[StillFacts]:
        from callsheet.media import probe

        return self._look(path, lambda: probe.still(path), self._STILLS)

    def _look(self, path: Path, probe: Callable[[], Facts], adapter: "TypeAdapter[Facts]") -> Surveyed[Facts]:
        stamp = _stamp(path)
        known = self._known.get(str(path), {})
        if known.get("stamp") == stamp:
            with suppress(ValidationError, KeyError):
                return Surveyed(path=path, sha256=known["sha256"], facts=adapter.validate_python(known["facts"]))
        facts = probe()
        sha256 = hash_of(path)
        self._known[str(path)] = {"stamp": stamp, "sha256": sha256, "facts": adapter.dump_python(facts, mode="json")}
        self._changed = True
        return Surveyed(path=path, sha256=sha256, facts=facts)

    def save(self) -> None:
        if not self._changed:
            return
        part = self._file.with_name(f".{self._file.name}.part-{os.getpid()}")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._known, ensure_ascii=False), "utf-8")
            part.replace(self._file)


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
