"""The studio that every world begins with: one small clip, prepared once a process, on a RAM disk where there is one.

What ffmpeg says of a file is asked once for each distinct content and kept: the real answer of the real tool.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

from callsheet import marking
from callsheet.errors import MediaError
from callsheet.ledger.book import Ledger
from callsheet.limits import ClipFacts
from callsheet.media import command, frames, look, probe, quality, tool
from tests.steps.footage import cut

ROOT = Path(__file__).parent.parent.parent
PROMPTS = ("A good one.", "An odd one.")
EDITED = "An odd one, in the rain."

CAMPAIGN = """\
campaign: tiny
model: kling-o1-video-edit
budget: {budget} credits
retakes: {retakes}
clips:
  cup: media/cup.mp4
prompts:
  good: {prompts[0]}
  odd: {prompts[1]}
aspect_ratios: [16:9]
"""
CREDITS = 36
LIMIT = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A studio on the disk and what the provider gives back as every result."""

    root: Path
    result: bytes

    @property
    def spec(self) -> Path:
        return self.root / "specs/tiny.yaml"

    @property
    def home(self) -> Path:
        return self.root / ".callsheet"

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def ledger(self) -> Path:
        return self.home / "ledger.sqlite"

    @property
    def kept(self) -> Path:
        return self.root / "empty.sqlite"

    def keep_ledger(self) -> None:
        """An empty ledger as the product lays one out, to begin with."""
        Ledger(f"sqlite:///{self.kept}").close()

    def cleared(self, *, slack: int, retakes: int = 0, has_ledger: bool = False) -> None:
        """As before the first run, but for the media cache; with an empty ledger or none."""
        shutil.rmtree(self.archive, ignore_errors=True)
        for path in self.home.iterdir() if self.home.exists() else ():
            if path.name != "cache":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if has_ledger:
            shutil.copyfile(self.kept, self.ledger)
        self.written(slack=slack, retakes=retakes)

    def written(self, *, slack: int, retakes: int = 0, is_edited: bool = False) -> None:
        """The campaign, with a budget for each variant and so many takes more."""
        prompts = (PROMPTS[0], EDITED) if is_edited else PROMPTS
        budget = CREDITS * (len(PROMPTS) + slack)
        quoted = [f'"{prompt}"' for prompt in prompts]
        self.spec.write_text(CAMPAIGN.format(budget=budget, retakes=retakes, prompts=quoted))


def laid(folder: Path) -> Ground:
    """A new studio in a folder, its media remembered and its clip cut; nothing is prepared yet."""
    for name in ("media", "specs"):
        (folder / name).mkdir(parents=True)
    (folder / "prefect.yaml").write_text("name: tiny\n")
    (folder / "flows").mkdir()
    clip = folder / "media/cup.mp4"
    whole = folder / "media/whole.mp4"
    cut(ROOT / "media/clips/cup.mp4", whole, start=1, seconds=3)
    whole.rename(clip)
    _remember()
    return Ground(root=folder, result=clip.read_bytes())


def _remember() -> None:
    """Ask ffmpeg and PyAV about each distinct file once."""
    asked: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
        (probe, "clip", _once),
        (command, "check_decodes", _once_awaited),
        (look, "of_film", _once_awaited),
        (quality, "measure", _measured_once),
        (frames, "poster", _poster_once),
    )
    for module, name, once in asked:
        setattr(module, name, once(getattr(module, name)))
    in_real_time(tool.version())


def _once(ask: Callable[[Path], ClipFacts]) -> Callable[[Path], ClipFacts]:
    known: dict[str, ClipFacts | Exception] = {}

    def asked(path: Path) -> ClipFacts:
        content = _content(path)
        if content not in known:
            known[content] = _told(lambda: ask(path))
        answer = known[content]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asked


def _once_awaited(ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    known: dict[str, Any] = {}

    async def asked(path: Path, *facts: Any, time_limit: timedelta) -> Any:
        content = _content(path)
        if content not in known:
            known[content] = _told(lambda: in_real_time(ask(path, *facts, time_limit=time_limit)))
        answer = known[content]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asked


def _measured_once(measure: Callable[..., Any]) -> Callable[..., Any]:
    """Of the same looks; they are kept, so that one is known by its place in memory."""
    known: dict[tuple[int, ...], Any] = {}

    def measured(film: quality.Traits, source: quality.Traits | None, sound: Any) -> Any:
        places = (id(film.look), 0 if source is None else id(source.look), id(sound))
        if places not in known:
            known[places] = measure(film, source, sound)
        return known[places]

    return measured


def _poster_once(make: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    known: dict[str, bytes] = {}

    async def made(video: Path, target: Path, *, seconds: Fraction) -> None:
        content = _content(video)
        if content not in known:
            in_real_time(make(video, target, seconds=seconds))
            known[content] = target.read_bytes()
        target.write_bytes(known[content])

    return made


def _told(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as error:
        return error


def in_real_time(work: Awaitable[Any]) -> Any:
    """ffmpeg is a process and needs a loop that really waits: one of its own, in a thread, while virtual time stands."""
    ended: list[Any] = []

    async def awaited() -> Any:
        return await work

    thread = Thread(target=lambda: ended.append(_told(lambda: asyncio.run(awaited()))))
    thread.start()
    thread.join()
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]


def _content(path: Path) -> str:
    return sha256(unmarked(path.read_bytes())).hexdigest()


def unmarked(film: bytes) -> bytes:
    """As it was received: the mark, which names the job, is a box at the end."""
    at = film.rfind(marking.XMP)
    return film if at < 0 else film[: at - 8]


def look_at(film: bytes, place: Path) -> look.Look | None:
    """Have asked everything about these bytes that a run asks; what is wrong with them is an answer too."""
    place.write_bytes(film)
    try:
        facts = probe.clip(place)
        in_real_time(command.check_decodes(place, time_limit=LIMIT))
        in_real_time(frames.poster(place, place.with_suffix(".jpg"), seconds=facts.seconds))
        seen: look.Look = in_real_time(look.of_film(place, facts, time_limit=LIMIT))
        return seen
    except MediaError:
        return None
    finally:
        place.unlink()
        place.with_suffix(".jpg").unlink(missing_ok=True)


def compare(films: Iterable[look.Look | None], source: look.Look | None) -> None:
    """Have measured what a run measures."""
    for film in films:
        if film is not None and source is not None:
            quality.measure(quality.Traits(film), quality.Traits(source), source.sound)
