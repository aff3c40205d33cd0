"""What preparation does to files, told: what each is now, what is done to it and why, and what comes of it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from callsheet.limits import ClipFacts, ClipPreparation, StillFacts, StillPreparation, spoken_rate, spoken_seconds


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A file as a report tells it. seconds, frame_rate: None for a picture. bytes: None where nobody knows yet."""

    format: str
    width: int
    height: int
    bytes: int | None = None
    seconds: Fraction | None = None
    frame_rate: Fraction | None = None
    #: The codec of the sound; None for none.
    sound: str | None = None

    @property
    def spoken(self) -> str:
        """For people: "1280x720 mp4 h264, 25 fps, aac, 5.312 s, 1.1 MB"."""
        rate = f"{spoken_rate(self.frame_rate)} fps" if self.frame_rate else ""
        sound = "" if self.seconds is None else self.sound or "no sound"
        length = "" if self.seconds is None else f"{spoken_seconds(self.seconds)} s"
        parts = (f"{self.width}x{self.height} {self.format}", rate, sound, length, self.spoken_bytes)
        return ", ".join(part for part in parts if part)

    @property
    def spoken_bytes(self) -> str:
        if self.bytes is None:
            return ""
        return f"{self.bytes / 10**6:.1f} MB" if self.bytes >= 100_000 else f"{self.bytes / 1000:.0f} kB"

    def as_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "width": self.width,
            "height": self.height,
            "bytes": self.bytes,
            "seconds": None if self.seconds is None else spoken_seconds(self.seconds),
            "frame_rate": None if self.frame_rate is None else str(self.frame_rate),
            "sound": self.sound,
        }


@dataclass(frozen=True, kw_only=True)
class Mended:
    """One file and what preparation does to it. after: as planned, or as it came out. variants: that use the result."""

    kind: Literal["clip", "still"]
    file: str
    decision: Literal["pass", "remux", "transcode"]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    before: Shape
    after: Shape
    variants: int = 0

    @property
    def why(self) -> str:
        """The reason of the decision, for people; what they should know of the result behind it."""
        reasons = "; ".join(self.reasons) or "within every limit of the model"
        return " ".join((f"{reasons}.", *self.notes)) if self.notes else reasons

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "file": self.file,
            "decision": self.decision,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "before": self.before.as_json(),
            "after": self.after.as_json(),
        }


def mended(file: str, facts: ClipFacts | StillFacts, preparation: ClipPreparation | StillPreparation) -> Mended:
    """What is going to be done to this file."""
    return Mended(
        kind="clip" if isinstance(preparation, ClipPreparation) else "still",
        file=file,
        decision=preparation.decision,
        reasons=preparation.reasons,
        notes=preparation.notes,
        before=shape_of(facts),
        after=planned_shape(facts, preparation),
    )


def shape_of(facts: ClipFacts | StillFacts) -> Shape:
    """What a file is."""
    if isinstance(facts, StillFacts):
        return Shape(format=f"{facts.format} {facts.mode}", width=facts.width, height=facts.height, bytes=facts.bytes)
    container = facts.container if facts.container != "other" else facts.format_name.split(",")[0]
    return Shape(
        format=f"{container} {facts.codec}",
        width=facts.width,
        height=facts.height,
        bytes=facts.bytes,
        seconds=facts.seconds,
        frame_rate=facts.frame_rate,
        sound=facts.audio_codec,
    )


def planned_shape(facts: ClipFacts | StillFacts, preparation: ClipPreparation | StillPreparation) -> Shape:
    """What a file will be once it is prepared; its bytes are known only of one that stays as it is."""
    size = facts.bytes if preparation.decision == "pass" else None
    if isinstance(preparation, StillPreparation):
        return Shape(format=preparation.format, width=preparation.width, height=preparation.height, bytes=size)
    codec = "h264" if preparation.decision == "transcode" or not isinstance(facts, ClipFacts) else facts.codec
    return Shape(
        format=f"{preparation.container} {codec}",
        width=preparation.width,
        height=preparation.height,
        bytes=size,
        seconds=preparation.seconds,
        frame_rate=preparation.frame_rate,
        sound="aac" if preparation.has_sound else None,
    )
