"""What the darkroom asks of the engine: a shot; and what follows from it alone: its parts, its size."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from callsheet.catalogue import Kind, OptionValue

Progress = Callable[[float], None]
Size = tuple[int, int]

#: Frames a second of what is made from nothing, as the provider's.
RATE = 24
#: The shape of a draft that nothing gives a shape.
PLAIN_SHAPE = "16:9"
#: Pixels of a draft by the quality asked for: enough to tell them apart, never what it costs to watch.
AREAS = {"720p": 960 * 540, "1080p": 1152 * 648, "4k": 1280 * 720}
#: Width and height of the shapes that can be asked for, at the area of 720p; met exactly, or in proportion to it.
SIZES: dict[str, Size] = {"16:9": (960, 540), "9:16": (540, 960), "1:1": (720, 720)}


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What to make. Digests identify the inputs' bytes; seconds is the length of the result that is asked for.

    references: images in their order; of "image-to-video" the first frame and, if there is one, the last.
    options: of the catalogue, settled; `multi_prompt` as canonical JSON text.
    """

    clip: Path | None
    clip_digest: str
    references: tuple[tuple[Path, str], ...]
    prompt: str
    aspect_ratio: str | None
    keep_sound: bool
    seconds: Fraction
    kind: Kind = "edit"
    options: tuple[tuple[str, OptionValue], ...] = ()

    @property
    def area(self) -> int:
        return AREAS.get(str(self.option("quality")), AREAS["720p"])

    @property
    def wants_sound(self) -> bool:
        """Sound that is made for it, not kept."""
        return self.option("sound") == "on"

    @property
    def denied(self) -> str:
        """What the result shall not have: the negative prompt."""
        return str(self.option("negative_prompt") or "")

    def option(self, name: str) -> OptionValue | None:
        return dict(self.options).get(name)


#: Turns a shot into a finished video file; tells its progress as 0.0 to 1.0. The seam for other engines.
Engine = Callable[[Shot, Path, Progress], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of the shots that a generated draft consists of; most have one."""

    prompt: str
    frames: int
    number: int
    count: int
    denied: str = ""


def parts_of(shot: Shot) -> tuple[Part, ...]:
    """The prompts one after the other with their frames, which add up to the length asked for."""
    whole = round(shot.seconds * RATE)
    told = _told(shot)
    if not told:
        return (Part(prompt=shot.prompt, frames=whole, number=1, count=1, denied=shot.denied),)
    total = sum(seconds for _, seconds in told)
    ends = [Fraction(0)]
    for _, seconds in told:
        ends.append(ends[-1] + seconds)
    marks = [round(end / total * whole) for end in ends]
    return tuple(
        Part(prompt=prompt, frames=max(1, marks[n + 1] - marks[n]), number=n + 1, count=len(told), denied=shot.denied)
        for n, (prompt, _) in enumerate(told)
    )


def _told(shot: Shot) -> list[tuple[str, Fraction]]:
    """Prompt and seconds of each shot in `multi_prompt`; the seconds alike where they are not said."""
    text = shot.option("multi_prompt")
    rows = json.loads(text) if isinstance(text, str) and text else []
    return [(str(row.get("prompt", shot.prompt)), Fraction(str(row.get("duration") or 1))) for row in rows]


def size_of(aspect_ratio: str, area: int) -> Size:
    """Of a shape that can be asked for."""
    factor = (area / AREAS["720p"]) ** 0.5
    width, height = SIZES[aspect_ratio]
    return _even(width * factor), _even(height * factor)


def fitted(width: int, height: int, area: int) -> Size:
    """Of a picture in its own shape: no larger than it is, nor than a draft may be."""
    longest = size_of(PLAIN_SHAPE, area)[0]
    scale = min(1.0, (area / (width * height)) ** 0.5, longest / max(width, height))
    return _even(width * scale), _even(height * scale)


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
