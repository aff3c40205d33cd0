"""Files prepared by hand, without a campaign: the same decisions and the same engine as in a run, into a folder."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from callsheet import limits
from callsheet.campaign import Trim
from callsheet.catalogue import ClipLimits, Model
from callsheet.errors import CannotWrite, MediaError, Unacceptable
from callsheet.limits import ClipFacts, ClipPreparation
from callsheet.media import aim, clips, command, probe, stills
from callsheet.mending import Mended, mended, shape_of
from callsheet.steps.survey import hash_of

#: (file, how far its encode is: 0.0 to 1.0)
Listener = Callable[[Path, float], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What files are made for. aspect_ratio: the shape that crop or pad makes. replace: may what is there already go?"""

    model: Model
    framing: str = "native"
    aspect_ratio: str | None = None
    trim: Trim | None = None
    out: Path
    replace: bool = False


@dataclass(frozen=True, kw_only=True)
class Done:
    """A file and what became of it: either `made` with its report, or the error that stopped it."""

    file: Path
    made: Path | None = None
    report: Mended | None = None
    error: MediaError | None = None


async def prepare_all(files: Sequence[Path], order: Order, on_progress: Listener) -> list[Done]:
    """Prepare each file; an error of one stops no other. As many at a time as there are cores for."""
    at_once = min(command.abreast(), len(files))
    room = asyncio.Semaphore(at_once)
    threads = command.cores() // at_once if at_once > 1 else 0

    async def one(file: Path, target: Path) -> Done:
        async with room:
            try:
                made, report = await _prepared(file, target, order, threads, lambda part: on_progress(file, part))
            except MediaError as error:
                error.where = error.where or str(file)
                return Done(file=file, error=error)
            return Done(file=file, made=made, report=report)

    return list(await asyncio.gather(*(one(file, name) for file, name in _names(files, order.out))))


def _names(files: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """A name in the folder for each file, still without its ending; the second a.mp4 is a-2."""
    taken: dict[str, int] = {}
    names = []
    for file in files:
        number = taken[file.stem] = taken.get(file.stem, 0) + 1
        names.append((file, out / (file.stem if number == 1 else f"{file.stem}-{number}")))
    return names


async def _prepared(
    file: Path, name: Path, order: Order, threads: int, on_progress: command.Progress
) -> tuple[Path, Mended]:
    before = await asyncio.to_thread(hash_of, file)
    if await asyncio.to_thread(probe.is_picture, file):
        if order.model.images is None:
            raise Unacceptable(f"is a picture, and {order.model.name} takes none.", where=str(file))
        facts = await asyncio.to_thread(probe.still, file)
        still = limits.still_preparation(facts, order.model.image_limits)
        target = _target(name, still.suffix, file, order)
        with command.written_to(target.parent):
            result = await asyncio.to_thread(stills.prepare, file, still, target)
        report = replace(mended(str(file), facts, still), after=shape_of(result))
    else:
        shot = await asyncio.to_thread(probe.clip, file)
        clip = await _decided(file, shot, order)
        target = _target(name, clip.suffix, file, order)
        film = await clips.prepare(file, clip, target, _limits(order), on_progress=on_progress, threads=threads)
        report = replace(mended(str(file), shot, clip), after=shape_of(film))
    await asyncio.to_thread(_refuse_changed, file, before, target)
    on_progress(1.0)
    return target, report


async def _decided(file: Path, facts: ClipFacts, order: Order) -> ClipPreparation:
    trim = order.trim
    if order.model.clip is None:
        raise Unacceptable(f"is a clip, and {order.model.name} takes none.", where=str(file))
    try:
        preparation = limits.clip_preparation(
            facts,
            _limits(order),
            start=trim.start if trim else None,
            end=trim.end if trim else None,
            framing=order.framing,
            aspect_ratio=order.aspect_ratio,
        )
    except limits.TooLong as error:
        error.hint = f"Use a part of it: --trim {error.trim}"
        raise
    if preparation.framing != "crop":
        return preparation
    found = await aim.aim(file, facts, preparation)
    return limits.aimed(preparation, found.course, held=found.held, worst_at=found.worst_at)


def _limits(order: Order) -> ClipLimits:
    return order.model.clip_limits.under(order.model.settled({}))


def _target(name: Path, suffix: str, file: Path, order: Order) -> Path:
    """Where the result goes. CannotWrite where something else is there, or the source itself."""
    target = name.with_name(f"{name.name}{suffix}")
    if target.exists() and (not order.replace or target.samefile(file)):
        hint = "Give another folder with --out." if target.samefile(file) else "Add --replace, or give another folder."
        raise CannotWrite("is there already.", where=str(target), hint=hint)
    return target


def _refuse_changed(file: Path, sha256: str, made: Path) -> None:
    if hash_of(file) != sha256:
        made.unlink(missing_ok=True)
        what = "was changed while it was prepared."
        raise Unacceptable(what, where=str(file), hint="Prepare it again when it is saved.")
