"""A campaign file -> the campaign, its files found on disk, and its variants; every mistake at once, at its place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from callsheet import campaign as document
from callsheet import sweep
from callsheet.campaign import Campaign, Clip, ReferenceSet, Sources, Trim, is_remote
from callsheet.campaign_checks import MOST_VARIANTS, counted
from callsheet.campaign_sheet import problem_at
from callsheet.campaign_text import MOST_MISTAKES, MOST_PATHS
from callsheet.errors import NothingToShoot, Problem, SpecError, SpecInvalid, SpecSyntax
from callsheet.nearest import did_you_mean, listed
from callsheet.slices import Part
from callsheet.steps import settings
from callsheet.sweep import Cell, Setup, Variant
from callsheet.yamltext import MAX_BYTES, dotted

#: Whichever stands for the model of a campaign that nothing is rendered of.
ANY_MODEL = "kling-v3-text-to-video"

#: Names in a glob's folder that are never media.
_HIDDEN = "."
_WILD = frozenset("*?[")
#: Bytes by which a video or a picture given as campaign is told from text.
_HEAD = 4096


class SourceClip(NamedTuple):
    """One clip of the sweep and the file it is. `place` leads to it in the campaign document."""

    name: str
    path: Path
    trim: Trim | None
    place: tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A campaign with its files. Paths are absolute; nothing but the existence of local ones has been checked.

    `problems`: files that are not there, and names that mean nothing; empty in what `load` returns.
    """

    spec: Path
    root: Path
    campaign: Campaign
    clips: Mapping[str, SourceClip]
    stills: Mapping[str, tuple[Path, ...]]
    #: Where in the document each still of a set is declared; many share the place of one glob.
    still_places: Mapping[tuple[str, Path], tuple[str | int, ...]]
    cells: tuple[Cell, ...]
    warnings: tuple[Problem, ...]
    problems: tuple[Problem, ...] = ()
    #: The address of each path that is a copy of a remote source. `resolve` only says where the copy lies; see `bring`.
    remote: Mapping[Path, str] = field(default_factory=dict)
    #: The variants, where they are only a part of the campaign's: all of them together decide how each is named.
    part: tuple[Variant, ...] | None = None
    #: Variants that the campaign does not have and a review adds.
    added: tuple[Variant, ...] = ()

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The cells by name, and what is added."""
        if self.part is not None:
            return self.part
        return (*sweep.named(self.campaign, self.cells), *self.added) if self.cells else ()

    def only(self, part: Part) -> "Loaded":
        """A part of the campaign, with the files that it uses."""
        ends = accumulate(cell.tail.takes for cell in self.cells)
        cells = tuple(
            cell
            for cell, end in zip(self.cells, ends, strict=True)
            if part.first <= end and end - cell.tail.takes < part.last
        )
        used = {cell.clip for cell in cells}
        return replace(
            self,
            cells=cells,
            clips={name: clip for name, clip in self.clips.items() if name in used},
            part=self.variants[part.first - 1 : part.last],
        )

    @cached_property
    def setups(self) -> dict[Setup, int]:
        """What the variants need prepared and what they cost, each with the number of variants."""
        found = sweep.setups(self.cells)
        for variant in self.added:
            setup = sweep.setup_of(variant)
            found[setup] = found.get(setup, 0) + 1
        return found

    @property
    def shown_to(self) -> dict[tuple[str, str], None]:
        """Which reference set is sent to which model."""
        pairs = dict.fromkeys((cell.references, cell.tail.model) for cell in self.cells)
        return pairs | dict.fromkeys((variant.references, variant.model) for variant in self.added)

    def shown(self, path: Path) -> str:
        """A path as a person would write it here; of a copy, the address that it is of."""
        if path in self.remote:
            return self.remote[path]
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def load(spec: Path) -> Loaded:
    """Read and resolve a campaign. SpecError (no such file), SpecSyntax, SpecInvalid (every problem)."""
    loaded = resolve(spec)
    if loaded.problems:
        raise SpecInvalid([*loaded.problems, *loaded.warnings])
    return loaded


def resolve(spec: Path) -> Loaded:
    """The same, with what is missing in `problems`: whoever looks into the files that are there can tell all at once."""
    root = settings.studio_root(spec)
    text = _read(spec)
    try:
        campaign = document.parse(text, file=str(spec), sources=sources(root))
    except (SpecInvalid, SpecSyntax) as error:
        missing = _missing_besides(text, str(spec), root, error)
        if not missing:
            raise
        told = sorted([*error.problems, *missing], key=lambda one: (one.file, one.line, one.column))
        raise (SpecInvalid(told) if isinstance(error, SpecInvalid) else SpecSyntax(*told)) from None
    problems: list[Problem] = []
    remote = _copies(campaign, root)
    places = {source: path for path, source in remote.items()}
    clips: dict[str, SourceClip] = {}
    members: dict[str, tuple[str, ...]] = {}
    for clip in campaign.clips:
        found = list(_clip_files(campaign, clip, root, places, problems))
        members[clip.name] = tuple(source.name for source in found)
        problems.extend(_same_names(campaign, clip, found, clips))
        clips.update({source.name: source for source in found})
    stills = {entry.name: _still_files(campaign, entry, root, places, problems) for entry in campaign.references}
    problems.extend(_unknown_clips(campaign, members))
    return Loaded(
        spec=spec,
        root=root,
        campaign=campaign,
        clips=clips,
        stills={name: tuple(files) for name, files in stills.items()},
        still_places={(name, path): place for name, files in stills.items() for path, place in files.items()},
        cells=_cells(campaign, members, problems),
        warnings=campaign.warnings,
        problems=tuple(problems),
        remote=remote,
    )


def _missing_besides(text: bytes, file: str, root: Path, error: SpecInvalid | SpecSyntax) -> list[Problem]:
    """The files that are not there, of a campaign that is wrong elsewhere; nothing where its YAML cannot be read."""
    try:
        read, named = document.named_files(text, file=file)
    except SpecSyntax:
        return []
    told = {problem.path for problem in error.problems}
    found: list[Problem] = []
    for place, pattern in named[:MOST_PATHS]:
        is_wide = (
            "**" in pattern or len([part for part in Path(pattern).parts if _WILD & set(part)]) > 1
        )  # may take minutes
        if "://" in pattern or not pattern.strip() or is_wide or any(_is_at(place, path) for path in told):
            continue
        try:
            if not any(_find(pattern, root)):
                found.append(_missing_at(partial(problem_at, read), place, pattern, root))
        except (
            OSError,
            ValueError,
        ):  # no path that a system takes: a mistake of form, which is told where that is right
            continue
    return found[:MOST_MISTAKES]


def _is_at(place: Sequence[str | int], path: str) -> bool:
    """Was this place, or what it lies in, complained of already?"""
    return any(dotted(tuple(place[:length])) == path for length in range(1, len(place) + 1))


def only_named(root: Path, name: str) -> Loaded:
    """All that is known of a campaign whose file is gone: its name. It has no variant, and the archive of a checkout."""
    text = f"campaign: {name}\nmodel: {ANY_MODEL}\nprompts: {{none: none}}\n"
    campaign = document.parse(text, file=f"(the ledger's {name})")
    return Loaded(
        spec=root / f"{name}.yaml",
        root=root,
        campaign=campaign,
        clips={},
        stills={},
        still_places={},
        cells=(),
        warnings=(),
    )


def _copies(campaign: Campaign, root: Path) -> dict[Path, str]:
    """Where in the home the copy of each remote source lies, or will lie. SettingsWrong where the home is not known."""
    named = [clip.source for clip in campaign.clips] + [file for entry in campaign.references for file in entry.files]
    sources = [source for source in dict.fromkeys(named) if is_remote(source)]
    if not sources:
        return {}
    from callsheet.steps import cache

    return {cache.copy_of(settings.read(root).home, source): source for source in sources}


def _cells(campaign: Campaign, members: Mapping[str, Sequence[str]], problems: list[Problem]) -> tuple[Cell, ...]:
    """The sweep over the clips that are there. An empty one is a problem of its own only where nothing else explains it."""
    many = sweep.count(campaign, members)
    if many > MOST_VARIANTS:
        what = f"the sweep has {many:,} variants, and a campaign has at most {MOST_VARIANTS:,}."
        problems.append(campaign.problem((), what, hint="Split it into several campaigns."))
        return ()
    try:
        return sweep.cells(campaign, members)
    except NothingToShoot as error:
        if not problems:
            what = "this leaves no variant of the sweep."
            problems.append(campaign.problem(("sweep", "exclude"), what, hint=error.hint, key=True))
        return ()


def _same_names(
    campaign: Campaign, clip: Clip, found: Sequence[SourceClip], others: Mapping[str, SourceClip]
) -> Iterator[Problem]:
    """Two files that would be one clip (a_1.mp4 and a-1.mp4, or one name in two folders): neither may vanish in silence."""
    seen = dict(others)
    for source in found:
        other = seen.setdefault(source.name, source)
        if other is not source:
            message = f"{other.path.name} and {source.path.name} would both be the clip `{source.name}`."
            yield campaign.problem(clip.path, message, hint="Rename one of the files, or declare them one by one.")


def _unknown_clips(campaign: Campaign, members: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Selectors that name a clip which no glob made; what a glob stands for is known only here."""
    known = {*members, *(name for names in members.values() for name in names)}
    for selector in (*campaign.exclude, *campaign.include):
        names = [str(name) for name in selector.match.get("clip", ())]
        for index, name in enumerate(names):
            if name not in known:
                near = did_you_mean(name, known)
                hint = f"The clips are {listed(sorted(known))}."
                place = (*selector.path, "clip", *((index,) if len(names) > 1 else ()))
                yield campaign.problem(place, f"there is no clip `{name}`{near or '.'}", hint=hint)


def _read(spec: Path) -> bytes:
    try:
        with spec.open("rb") as file:
            text = file.read(MAX_BYTES + 1)  # more is refused anyway, and a device has no end
    except FileNotFoundError:
        raise SpecError("There is no such file.", where=str(spec), hint=_other_specs(spec, spec.parent)) from None
    except IsADirectoryError:
        what = "This is a folder, and a campaign is one YAML file."
        raise SpecError(what, where=str(spec), hint=_other_specs(spec, spec)) from None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SpecError(
            f"The file cannot be read: {why}.", where=str(spec), hint="Check its name and its permissions."
        ) from error
    if b"\0" in text[:_HEAD]:
        what = "This is not a text file, and a campaign is YAML in UTF-8."
        raise SpecError(what, where=str(spec), hint=_other_specs(spec, spec.parent))
    return text


def sources(root: Path) -> Sources:
    """How the files are read that a campaign names: those it extends, and prompts."""
    return Sources(document=lambda name: _text(Path(name), name), prompt=lambda path: _prompt(root, path))


def _prompt(root: Path, path: str) -> bytes:
    """A text of this studio, which goes to the provider: whoever wrote the campaign must not choose a file of the machine's."""
    file = root / path
    try:
        inside = file.resolve().relative_to(root.resolve()).parts
    except (OSError, ValueError):
        inside = ("..",)
    if any(part.startswith(".") for part in inside):
        what = "lies outside of the studio" if inside == ("..",) else "is a hidden file"
        raise SpecError(
            f"{path} {what}, and a prompt is sent to the provider.",
            hint="Copy the text to where specs/ is, as specs/dusk.txt.",
        )
    return _text(file, path)


def _text(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError):
        there = [path.name for path in file.parent.glob("*") if path.is_file()] if file.parent.is_dir() else []
        near = _close_to(file.name, there)
        hint = f"Did you mean {Path(name).parent / near[0]}?" if near else "Check its path."
        raise SpecError(f"there is no file {name}.", hint=hint) from None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SpecError(f"{name} cannot be read: {why}.", hint="Check its permissions.") from error


def _other_specs(spec: Path, folder: Path) -> str:
    found = {path for place in {folder, Path("specs")} for kind in ("*.yaml", "*.yml") for path in place.glob(kind)}
    there = sorted(str(path) for path in found if path.name != settings.MARKER)
    near = _close_to(str(spec), there) if folder != spec else ()
    if near:
        return f"Did you mean {near[0]}?"
    return (
        f"Campaigns here: {', '.join(there[:5])}."
        if there
        else "A campaign is a YAML file; `callsheet init` lays out a sample."
    )


def _clip_files(
    campaign: Campaign, clip: Clip, root: Path, copies: Mapping[str, Path], problems: list[Problem]
) -> Iterator[SourceClip]:
    long = (*clip.path, "source")
    place = clip.path if campaign.document.text(long) is None else long
    if is_remote(clip.source):
        yield SourceClip(name=clip.name, path=copies[clip.source], trim=clip.trim, place=clip.path)
        return
    paths = list(_find(clip.source, root))
    if not paths:
        problems.append(_missing_at(campaign.problem, place, clip.source, root))
        return
    is_glob = len(paths) > 1 or not (root / clip.source).exists()
    for path in paths:
        name = f"{clip.name}-{sweep.spell(path.stem)}" if is_glob else clip.name
        yield SourceClip(name=name, path=path, trim=clip.trim, place=clip.path)


def _still_files(
    campaign: Campaign, entry: ReferenceSet, root: Path, copies: Mapping[str, Path], problems: list[Problem]
) -> dict[Path, tuple[str | int, ...]]:
    """The stills of a set in order, and where each is declared."""
    found: dict[Path, tuple[str | int, ...]] = {}
    for number, pattern in enumerate(entry.files):
        place: tuple[str | int, ...] = ("references", entry.name, number)
        if campaign.document.text(("references", entry.name)) is not None:
            place = ("references", entry.name)  # one path, and no list
        if is_remote(pattern):
            found.setdefault(copies[pattern], place)
            continue
        paths = list(_find(pattern, root))
        if not paths:
            problems.append(_missing_at(campaign.problem, place, pattern, root))
        found.update({path: place for path in paths if path not in found})
    most, model = min(
        ((model.images.count[1], model.name) for model in campaign.all_models if model.images), default=(len(found), "")
    )
    if len(found) > most:
        problems.append(
            campaign.problem(
                ("references", entry.name),
                f"{counted(len(found))}, and {model} takes at most {most}.",
                hint=f"Keep {most} of them, or declare two reference sets.",
            )
        )
    return found


def _find(pattern: str, root: Path) -> Iterator[Path]:
    """The files a path or a glob names, sorted; a file whose name really contains wildcards is found as it is."""
    exact = root / pattern
    if exact.is_file() or not _WILD & set(pattern):
        if exact.is_file():
            yield exact
        return
    anchor, wild = _split(root, pattern)
    yield from sorted(path for path in anchor.glob(wild) if path.is_file() and not path.name.startswith(_HIDDEN))


def _split(root: Path, pattern: str) -> tuple[Path, str]:
    """The part of a glob before its first wildcard, and the rest (pathlib refuses absolute patterns)."""
    parts = Path(pattern).parts
    first = next(number for number, part in enumerate(parts) if _WILD & set(part))
    return root.joinpath(*parts[:first]), str(Path(*parts[first:]))


def _missing_at(
    problem: Callable[[tuple[str | int, ...], str, str], Problem],
    place: Sequence[str | int],
    pattern: str,
    root: Path,
) -> Problem:
    what = "no file matches" if _WILD & set(pattern) else "there is no file"
    return problem(tuple(place), f"{what} {pattern}.", _nearby(root / pattern, pattern, root))


def _nearby(wanted: Path, pattern: str, root: Path) -> str:
    if ", " in pattern:
        return f"Several files are a list: [{pattern}]."
    if pattern.startswith("~"):
        return f"~ stands for no folder here: write the whole path, or one that begins at {root}."
    if wanted.is_dir():
        return f"That is a folder; for all its files write {pattern.rstrip('/')}/*."
    there = [path.name for path in wanted.parent.glob("*") if path.is_file()] if wanted.parent.is_dir() else []
    near = _close_to(wanted.name, there)
    if near:
        return f"Did you mean {Path(pattern).parent / near[0]}?"
    if (root / settings.MARKER).is_file():
        return f"Relative paths begin at {root}."
    return (
        f"Relative paths begin at {root}, where you are: no {settings.MARKER}, which a studio has, is there or above it or "
        "the campaign."
    )


def _close_to(word: str, known: Sequence[str]) -> list[str]:
    """The one that is meant, if any."""
    from difflib import get_close_matches  # for a mistake only

    return get_close_matches(word, known, n=1, cutoff=0.5)
