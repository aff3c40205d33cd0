"""What a file is, what a model accepts, and so what has to be done to the file: decided and measured before any encoding.

The length of a prepared clip is what the provider measures and bills, and a person approves the price before anything is
prepared; so a preparation states that length exactly, and `media.clips` refuses to hand out a file of another one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from math import ceil, floor
from typing import Any, Literal, TypeVar

from callsheet.catalogue import ClipLimits, ImageLimits
from callsheet.digest import Canonical
from callsheet.errors import Unacceptable

Transfer = Literal["sdr", "pq", "hlg"]
Course = tuple[tuple[Fraction, Fraction], ...]

#: Raised whenever the encoding changes what comes out of the same facts: prepared files made before are not reused.
RECIPE = 3
#: Seconds over the maximum that are cut off without asking: rounding of exporters, not a choice of the user.
SLACK = Fraction(1, 10)
#: Seconds that sound may outlast the picture before the clip is cut to it: the container is billed, not the picture.
OVERHANG = Fraction(1, 2)
#: The rates that cameras and editors know, in frames a second.
RATES = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
#: Share of the subject that a crop's window has to hold at every moment, or it is said.
HELD = 0.85
#: A rate this near a standard one is meant to be it (29.966 is 29.97); 26.777 is not 25.
NEAR = Fraction(1, 50)
#: Shapes this near are the same: 1366x768 is 16:9.
SAME_SHAPE = Fraction(1, 100)
#: Primaries that most screens cannot show: shown as BT.709 unconverted, such colours look pale.
WIDE = {"bt2020": "BT.2020", "p3": "Display P3"}
#: How the names of pixel formats begin that hold red, green and blue themselves.
RGB_FORMATS = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr")
#: Pixels of the short side that a scaled clip is given at most: 5 to 20 MB of upload instead of 90.
SHORT_SIDE = 1080
#: The same for reference images.
STILL_RECIPE = 2
#: Pixels of the long side of a still, at most; a larger one is scaled down to it.
MAX_STILL_SIDE = 4096


@dataclass(frozen=True, kw_only=True)
class ClipFacts:
    """One video file, as probed. Pixels are counted as shown: rotation and the shape of the pixels applied."""

    container: Literal["mp4", "mov", "other"]
    format_name: str
    bytes: int
    #: Length of the container, exact to the microsecond: what a provider measures and bills.
    seconds: Fraction
    #: Length of the picture alone; sound may be longer or shorter.
    video_seconds: Fraction
    codec: str
    profile: str = ""
    pixel_format: str
    width: int
    height: int
    sample_aspect_ratio: Fraction = Fraction(1)
    #: Degrees, one of 0, 90, 180, 270, as a player turns the picture counter-clockwise.
    rotation: int = 0
    mirrored: bool = False
    frame_rate: Fraction
    #: Frames in the file; None where the container keeps no index.
    frames: int | None = None
    variable_rate: bool = False
    interlaced: bool = False
    transfer: Transfer = "sdr"
    #: The YUV matrix: "bt709", "bt601", "bt2020"; "unknown" where the file does not say.
    matrix: str = "unknown"
    #: Which red, green and blue are meant: "bt709", "bt2020", "p3"; "unknown" for any other, and where the file does not say.
    primaries: str = "unknown"
    full_range: bool = False
    has_alpha: bool = False
    #: Of the first sound track; "unknown" where nothing here decodes it, None for a silent clip.
    audio_codec: str | None = None
    audio_tracks: int = 0
    #: Length of the first sound track, counted from the start of the file.
    audio_seconds: Fraction = Fraction(0)
    #: An MP4 or MOV whose first tracks start at zero, the longest of them ending with the container: copies keep its length.
    even_tracks: bool = True
    #: A Matroska of evenly spaced frames from zero on. It counts in milliseconds, but its frames can be timed exactly.
    evenly_spaced: bool = False
    fragmented: bool = False
    #: A place, a person or a device: location tags, author, serial numbers, telemetry tracks.
    has_private_metadata: bool = False
    has_attached_picture: bool = False

    @property
    def has_sound(self) -> bool:
        """Is there sound that can be prepared?"""
        return self.audio_codec not in (None, "unknown")


@dataclass(frozen=True, kw_only=True)
class StillFacts:
    """One picture file, as probed. Width and height are after the EXIF orientation."""

    format: str
    bytes: int
    width: int
    height: int
    mode: str
    orientation: int = 1
    animated: bool = False
    has_alpha: bool = False
    #: An embedded colour profile other than sRGB.
    has_profile: bool = False
    has_private_metadata: bool = False


Facts = TypeVar("Facts", ClipFacts, StillFacts)


@dataclass(frozen=True, kw_only=True)
class ClipPreparation:
    """What is done to a clip, and what comes out; decided before anything is encoded."""

    #: pass: the bytes as they are. remux: the same pictures in a clean container. transcode: encoded afresh.
    decision: Literal["pass", "remux", "transcode"]
    #: Why it is not passed on untouched; empty for pass.
    reasons: tuple[str, ...] = ()
    #: What a person should know before approving: frozen frames, flattened transparency.
    notes: tuple[str, ...] = ()
    #: Where in the source the result begins, in seconds.
    start: Fraction = Fraction(0)
    #: Seconds of the source that are read from there on.
    reads: Fraction
    #: Length of the result's container, to the microsecond: what is billed.
    seconds: Fraction
    width: int
    height: int
    frame_rate: Fraction
    #: Frames of the result; None where they are copied with their own times.
    frames: int | None = None
    has_sound: bool
    #: What the file may weigh: it bounds the bit rate of an encode.
    max_bytes: int
    #: How the picture comes to its shape: stretched evenly, cut at the edges, or set on a blurred copy of itself.
    framing: Literal["native", "crop", "pad"] = "native"
    #: Where a crop's window lies: (second of the result, share of its way from the left or the top). Empty for the middle.
    course: Course = ()
    container: Literal["mp4", "mov"] = "mp4"
    deinterlace: bool = False
    transfer: Transfer = "sdr"
    #: Of the source: "bt709", "bt601", "bt2020", or "rgb" where it has no matrix.
    matrix: str = "bt709"
    #: Of an SDR source whose colours reach beyond BT.709: "bt2020" or "p3".
    primaries: str = "bt709"
    full_range: bool = False
    flatten: bool = False
    #: The decoder to ask for by name; empty for ffmpeg's choice.
    decoder: str = ""

    @property
    def suffix(self) -> str:
        """The ending of the prepared file's name."""
        return f".{self.container}"

    def identity(self) -> dict[str, Canonical]:
        """Canonical JSON of everything that shapes the result: with the source's digest, the key of the prepared file."""
        if self.decision == "remux" and self.frames is not None:
            timed: dict[str, Canonical] = {"frames": self.frames, "frame_rate": str(self.frame_rate)}
            return {"recipe": RECIPE, "decision": self.decision, **timed}
        if self.decision != "transcode":
            return {"recipe": RECIPE, "decision": self.decision}
        return {
            "recipe": RECIPE,
            "decision": self.decision,
            "start": str(self.start),
            "reads": str(self.reads),
            "frames": self.frames,
            "frame_rate": str(self.frame_rate),
            "width": self.width,
            "height": self.height,
            "framing": self.framing,
            "course": [[str(second), str(place)] for second, place in self.course],
            "has_sound": self.has_sound,
            "deinterlace": self.deinterlace,
            "transfer": self.transfer,
            "matrix": self.matrix,
            "primaries": self.primaries,
            "full_range": self.full_range,
            "flatten": self.flatten,
            "max_bytes": self.max_bytes,
        }


@dataclass(frozen=True, kw_only=True)
class StillPreparation:
    """What is done to a reference image, and its size after that; smaller only where nothing else makes it light enough."""

    decision: Literal["pass", "transcode"]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    width: int
    height: int
    #: "jpeg", "png" or "webp": what the result is.
    format: str
    max_bytes: int
    #: Pixels that the short side has at least, however heavy it is.
    min_side: int

    @property
    def suffix(self) -> str:
        """The ending of the prepared file's name."""
        return ".jpg" if self.format == "jpeg" else f".{self.format}"

    def identity(self) -> dict[str, Canonical]:
        """Canonical JSON of everything that shapes the result."""
        if self.decision == "pass":
            return {"recipe": STILL_RECIPE, "decision": "pass"}
        return {
            "recipe": STILL_RECIPE,
            "decision": "transcode",
            "width": self.width,
            "height": self.height,
            "max_bytes": self.max_bytes,
            "min_side": self.min_side,
        }


def facts_as_json(facts: ClipFacts | StillFacts) -> dict[str, str | int | bool | None]:
    """Facts as plain JSON: what is exact as text."""
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return {name: str(value) if isinstance(value, Fraction) else value for name, value in values.items()}


def facts_of_json(kind: type[Facts], document: Mapping[str, Any]) -> Facts:
    """Facts that were written by `facts_as_json`. ValueError, TypeError or KeyError for anything else, as for facts that
    another version wrote, which knew less."""
    if missing := {field.name for field in fields(kind)} - set(document):
        raise KeyError(*sorted(missing))
    exact = {field.name for field in fields(kind) if field.type is Fraction}
    values: dict[str, Any] = {name: Fraction(value) if name in exact else value for name, value in document.items()}
    return kind(**values)


# --- the decision about a clip -----------------------------------------------------------------------------------------


def clip_preparation(
    facts: ClipFacts,
    limits: ClipLimits,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    framing: str = "native",
    aspect_ratio: str | None = None,
) -> ClipPreparation:
    """What makes this clip acceptable to the model, with the exact length that will be billed.

    start, end: the trim, in seconds of the source; None is its own start and end. framing: native, crop or pad;
    native leaves the shape to the model and ignores aspect_ratio.
    Raises Unacceptable where only a person can decide: too long without a trim, a trim outside the clip, an impossible
    shape. Its message is a predicate ("is 12.4 s long, …"), for the caller to put the clip's name before.
    """
    window = _window(facts, start, end)
    _refuse_too_long(window, limits)
    size = _clip_size(facts, limits, framing, aspect_ratio)
    afresh = (
        *_reasons_of_time(facts, window, limits),
        *_reasons_of_picture(facts, limits, size),
        *_reasons_of_file(facts, limits),
    )
    if afresh:
        return _transcode(facts, limits, window, size, afresh)
    copied = _reasons_to_remux(facts, limits)
    if copied and facts.evenly_spaced and facts.frames:
        return _timed(facts, limits, copied, facts.frames)
    if copied and not facts.even_tracks:
        # Copying such tracks moves their ends (15.184 s became 15.191 s, measured): the price would not be exact.
        return _transcode(facts, limits, window, size, (*copied, "a copy of its tracks would have another length"))
    return _copy(facts, limits, copied)


@dataclass(frozen=True, kw_only=True)
class _Window:
    start: Fraction
    end: Fraction
    #: Did a person set it, to something other than the whole clip?
    trimmed: bool

    @property
    def seconds(self) -> Fraction:
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class _Size:
    width: int
    height: int
    framing: Literal["native", "crop", "pad"]
    #: Why the picture is given another shape; empty for its own.
    reason: str = ""


def _window(facts: ClipFacts, start: Fraction | None, end: Fraction | None) -> _Window:
    first, last = start or Fraction(0), facts.video_seconds if end is None else end
    longest = max(facts.seconds, facts.video_seconds)
    hint = f"Set trim within 0s..{spoken_seconds(facts.video_seconds, down=True)}s."
    if first >= facts.video_seconds or last > longest:
        asked = f"{spoken_seconds(first)} s to {'its end' if end is None else f'{spoken_seconds(last)} s'}"
        raise Unacceptable(
            f"is {spoken_seconds(facts.video_seconds)} s long, and its trim asks for {asked}.", hint=hint
        )
    if first < 0 or last <= first:
        raise Unacceptable(
            f"has a trim from {spoken_seconds(first)} s to {spoken_seconds(last)} s, which is empty.", hint=hint
        )
    last = min(last, facts.video_seconds)
    return _Window(start=first, end=last, trimmed=first > 0 or last < facts.video_seconds)


class TooLong(Unacceptable):
    """A clip that is longer than the model takes. trim: a window of it that would do."""

    def __init__(self, what: str, *, trim: str) -> None:
        super().__init__(what, hint=f"Set trim: {trim}, or declare two clips.")
        self.trim = trim


def _refuse_too_long(window: _Window, limits: ClipLimits) -> None:
    longest = limits.seconds[1]
    if window.seconds <= longest + SLACK:
        return
    trim = f"{spoken_seconds(window.start)}s..{spoken_seconds(window.start + longest)}s"
    takes = f"and the model takes at most {spoken_seconds(longest)} s."
    if window.trimmed:
        raise TooLong(f"is {spoken_seconds(window.seconds)} s long after its trim, {takes}", trim=trim)
    raise TooLong(f"is {spoken_seconds(window.seconds)} s long, {takes}", trim=trim)


def _reasons_of_time(facts: ClipFacts, window: _Window, limits: ClipLimits) -> Iterator[str]:
    low, high = limits.seconds
    told = spoken_seconds(window.seconds)
    if window.trimmed:
        yield f"trimmed: {spoken_seconds(window.start)} s to {spoken_seconds(window.end)} s"
    if window.seconds < low:
        yield f"{told} s: frozen to {spoken_seconds(low)} s, the least that is billed"
    elif window.seconds > high:
        yield f"{told} s: cut to {spoken_seconds(high)} s"
    elif not window.trimmed and facts.seconds > facts.video_seconds + OVERHANG:
        yield f"goes on for {spoken_seconds(facts.seconds - facts.video_seconds)} s after its last picture"
    elif not window.trimmed and facts.seconds > high:
        yield f"{spoken_seconds(facts.seconds)} s: cut to {spoken_seconds(high)} s"


def _reasons_of_picture(facts: ClipFacts, limits: ClipLimits, size: _Size) -> Iterator[str]:
    low, high = limits.frame_rates
    if size.reason:
        yield size.reason
    elif (size.width, size.height) != (facts.width, facts.height) and not _sides_fit(facts, limits):
        yield f"{facts.width}x{facts.height}: scaled to {size.width}x{size.height}"
    if facts.sample_aspect_ratio != 1:
        yield "its pixels are not square"
    if facts.rotation or facts.mirrored:
        yield (
            "rotated by a tag that a reader may ignore"
            if facts.rotation
            else "mirrored by a tag that a reader may ignore"
        )
    if facts.variable_rate:
        yield "variable frame rate"
    elif not low <= facts.frame_rate <= high:
        yield f"{spoken_rate(facts.frame_rate)} frames a second"
    if facts.interlaced:
        yield "interlaced"
    if facts.transfer != "sdr":
        yield f"HDR ({facts.transfer.upper()})"
    elif facts.primaries in WIDE:
        yield f"colours beyond BT.709 ({WIDE[facts.primaries]})"
    if facts.has_alpha:
        yield "transparent"


def _reasons_of_file(facts: ClipFacts, limits: ClipLimits) -> Iterator[str]:
    if facts.codec != "h264":
        yield f"{facts.codec} video, not H.264"
    elif facts.pixel_format != "yuv420p" and not facts.has_alpha:
        yield f"pixel format {facts.pixel_format}, not yuv420p"
    elif facts.full_range:
        yield "full-range colours"
    if facts.audio_codec not in (None, "aac"):
        yield f"{facts.audio_codec} sound, not AAC"
    if facts.fragmented:
        yield "fragmented: its length depends on the reader"
    if facts.bytes > limits.max_bytes:
        yield f"{facts.bytes / 10**6:.1f} MB, and the model takes at most {limits.max_bytes / 10**6:.0f} MB"


def _reasons_to_remux(facts: ClipFacts, limits: ClipLimits) -> tuple[str, ...]:
    return tuple(
        reason
        for holds, reason in (
            (
                facts.container not in limits.formats,
                f"container is {facts.format_name.split(',')[0]}, not {limits.formats[0]}",
            ),
            (facts.has_private_metadata, "tells a place, a person or a device"),
            (facts.has_attached_picture, "carries a cover picture"),
            (facts.audio_tracks > 1, f"{facts.audio_tracks} sound tracks: the first is kept"),
        )
        if holds
    )


def _copy(facts: ClipFacts, limits: ClipLimits, reasons: tuple[str, ...]) -> ClipPreparation:
    # A copied container ends where its longest copied track does; an untouched one where it says so.
    seconds = microseconds(max(facts.video_seconds, facts.audio_seconds)) if reasons else facts.seconds
    return ClipPreparation(
        decision="remux" if reasons else "pass",
        reasons=reasons,
        reads=facts.video_seconds,
        seconds=seconds,
        width=facts.width,
        height=facts.height,
        frame_rate=facts.frame_rate,
        has_sound=facts.has_sound,
        max_bytes=limits.max_bytes,
        container="mov" if facts.container == "mov" and not reasons else "mp4",
    )


def _timed(facts: ClipFacts, limits: ClipLimits, reasons: tuple[str, ...], frames: int) -> ClipPreparation:
    """Copied, each frame at its exact time: as long as its frames, to which its sound is cut."""
    copy = _copy(facts, limits, reasons)
    return replace(copy, frames=frames, seconds=microseconds(frames / facts.frame_rate))


def _transcode(
    facts: ClipFacts, limits: ClipLimits, window: _Window, size: _Size, reasons: tuple[str, ...]
) -> ClipPreparation:
    rate, frames = cadence(facts.frame_rate, window.seconds, limits)
    return ClipPreparation(
        decision="transcode",
        reasons=reasons,
        notes=tuple(_notes(facts, window, frames / rate)),
        start=window.start,
        reads=window.seconds,
        seconds=microseconds(frames / rate),
        width=size.width,
        height=size.height,
        frame_rate=rate,
        frames=frames,
        has_sound=facts.has_sound,
        max_bytes=limits.max_bytes,
        framing=size.framing,
        deinterlace=facts.interlaced,
        transfer=facts.transfer,
        matrix=_matrix(facts),
        primaries=facts.primaries if facts.primaries in WIDE and facts.transfer == "sdr" else "bt709",
        full_range=facts.full_range,
        flatten=facts.has_alpha,
        # ffmpeg's own VP9 decoder drops the transparent layer (verified on pixels).
        decoder="libvpx-vp9" if facts.has_alpha and facts.codec == "vp9" else "",
    )


def _notes(facts: ClipFacts, window: _Window, seconds: Fraction) -> Iterator[str]:
    frozen = seconds - window.seconds
    if frozen > Fraction(1, 10):
        yield f"It is shorter than the model takes: its last picture is held for {spoken_seconds(frozen)} s, and paid for."
    if facts.audio_codec == "unknown":
        yield "Its sound is of an unknown kind and is left out."
    if facts.has_alpha:
        yield "Transparent parts become white."
    if facts.transfer != "sdr":
        yield "HDR is mapped to SDR; look at the colours before you spend."


def aimed(preparation: ClipPreparation, course: Course, *, held: float, worst_at: Fraction) -> ClipPreparation:
    """The same preparation with its crop's window on this course; a note where that loses a part of the subject.

    held: share of what moves or stands out that the window holds at its worst moment, `worst_at` seconds into the source.
    """
    notes = preparation.notes
    if held < HELD:
        notes = (
            *notes,
            f"At {spoken_seconds(worst_at)} s its crop cuts off {1 - held:.0%} of what moves or stands out; "
            "framing: pad keeps all of it.",
        )
    return replace(preparation, course=course, notes=notes)


def _matrix(facts: ClipFacts) -> str:
    """Untagged standard-definition pictures are BT.601, larger ones BT.709: what players assume."""
    if facts.pixel_format.startswith(RGB_FORMATS):
        return "rgb"
    if facts.matrix != "unknown":
        return facts.matrix
    return "bt601" if min(facts.width, facts.height) < 720 else "bt709"


# --- frames and seconds ------------------------------------------------------------------------------------------------


def cadence(source: Fraction, seconds: Fraction, limits: ClipLimits) -> tuple[Fraction, int]:
    """The rate and the number of frames of an encoded clip: their quotient is its exact length.

    The length is never more than asked (a hundredth of a second is 0.12 credits), never over the model's maximum, and
    exactly the minimum where less was asked.
    """
    low, high = limits.seconds
    rate = steady_rate(source, limits)
    # A length told in milliseconds may be a hair under a whole number of frames.
    frames = min(floor(min(seconds, high) * rate + Fraction(1, 10)), floor(high * rate))
    if frames / rate < low:
        # 90 frames at 29.97 are 3.003 s, billed as 3.01: at a whole rate the minimum is met exactly.
        rate = Fraction(round(rate))
        frames = ceil(low * rate)
    return rate, frames


def steady_rate(source: Fraction, limits: ClipLimits) -> Fraction:
    """The constant rate to encode at: a standard one near the source's, else the next above (no picture is lost)."""
    low, high = limits.frame_rates
    allowed = [rate for rate in RATES if low <= rate <= high] or [Fraction(high)]
    wanted = _octave(source, Fraction(low), Fraction(high))
    nearest = min(allowed, key=lambda rate: abs(rate - wanted))
    if abs(nearest - wanted) <= wanted * NEAR:
        return nearest
    return next((rate for rate in allowed if rate >= wanted and rate.denominator == 1), allowed[-1])


def _octave(rate: Fraction, low: Fraction, high: Fraction) -> Fraction:
    """The rate times or divided by a whole number, to lie within the limits: 120 -> 60, 12 -> 24, 15 -> 30."""
    if rate > high * (1 + NEAR):
        return rate / ceil(rate / (high * (1 + NEAR)))
    if rate < low * (1 - NEAR):
        return rate * ceil(low * (1 - NEAR) / rate)
    return rate


def microseconds(seconds: Fraction) -> Fraction:
    """As a container tells it: rounded to the nearest microsecond. Never across a hundredth: those are 16 µs away."""
    return Fraction(round(seconds * 10**6), 10**6)


def spoken_seconds(seconds: Fraction, *, down: bool = False) -> str:
    """At most three decimals, no trailing zeros; rounded half up, or down on request: 12.4, 3, 9.967."""
    thousandths = floor(seconds * 1000) if down else floor(seconds * 1000 + Fraction(1, 2))
    sign, thousandths = ("-" if thousandths < 0 else ""), abs(thousandths)
    return f"{sign}{thousandths // 1000}.{thousandths % 1000:03d}".rstrip("0").rstrip(".")


def spoken_rate(rate: Fraction) -> str:
    return spoken_seconds(rate)


# --- sizes -------------------------------------------------------------------------------------------------------------


def _sides_fit(facts: ClipFacts, limits: ClipLimits) -> bool:
    low, high = limits.pixels
    return all(low <= side <= high and side % 2 == 0 for side in (facts.width, facts.height))


def _clip_size(facts: ClipFacts, limits: ClipLimits, framing: str, aspect_ratio: str | None) -> _Size:
    asked = _asked_ratio(facts, framing, aspect_ratio)
    if asked is None:
        if _sides_fit(facts, limits):
            return _Size(width=facts.width, height=facts.height, framing="native")
        width, height = _fitted(Fraction(facts.width), Fraction(facts.height), limits)
        return _Size(width=width, height=height, framing="native")
    wide, high = _reframed(facts, asked, crop=framing == "crop")
    width, height = _fitted(wide, high, limits)
    verb = "cropped" if framing == "crop" else "padded"
    reason = f"{facts.width}x{facts.height}: {verb} to {aspect_ratio}, {width}x{height}"
    return _Size(width=width, height=height, framing="crop" if framing == "crop" else "pad", reason=reason)


def _asked_ratio(facts: ClipFacts, framing: str, aspect_ratio: str | None) -> Fraction | None:
    """Width over height that the preparation has to make; None where the clip has that shape, or the model makes it."""
    if framing == "native" or aspect_ratio is None:
        return None
    wide, _, high = aspect_ratio.partition(":")
    asked = Fraction(int(wide), int(high))
    return None if abs(Fraction(facts.width, facts.height) / asked - 1) <= SAME_SHAPE else asked


def _reframed(facts: ClipFacts, ratio: Fraction, *, crop: bool) -> tuple[Fraction, Fraction]:
    """The largest window of this shape inside the picture, or the smallest around it."""
    width, height = Fraction(facts.width), Fraction(facts.height)
    if (width / height > ratio) == crop:
        return height * ratio, height
    return width, width / ratio


def _fitted(width: Fraction, height: Fraction, limits: ClipLimits) -> tuple[int, int]:
    """Both sides even and within the limits, the shape kept; Unacceptable for a shape that cannot be."""
    low, high = limits.pixels
    short, long = min(width, height), max(width, height)
    least, most = low / short, high / long
    if least > most:
        raise Unacceptable(
            f"is {floor(width)}x{floor(height)}, too long and narrow for sides of {low} to {high} pixels.",
            hint="Set framing: pad (or crop) with an aspect ratio, or crop the clip.",
        )
    scale = max(min(Fraction(1), SHORT_SIDE / short, most), least)
    return _even(width * scale, low, high), _even(height * scale, low, high)


def _even(side: Fraction, low: int, high: int) -> int:
    return min(max(2 * floor(side / 2 + Fraction(1, 2)), low + low % 2), high - high % 2)


# --- the decision about a still ----------------------------------------------------------------------------------------


def still_preparation(facts: StillFacts, limits: ImageLimits) -> StillPreparation:
    """What makes this picture acceptable as a reference image. Raises Unacceptable for a shape outside the limits."""
    low, high = limits.ratio
    if not low <= Fraction(facts.width, facts.height) <= high:
        raise Unacceptable(
            f"is {facts.width}x{facts.height}, too long and narrow: the model takes {low.numerator}:{low.denominator} "
            f"to {high.numerator}:{high.denominator}.",
            hint="Crop it.",
        )
    reasons = tuple(_reasons_of_still(facts, limits))
    width, height = _still_size(facts, limits) if reasons else (facts.width, facts.height)
    notes: tuple[str, ...] = ()
    if min(facts.width, facts.height) < limits.min_side:
        notes = (
            f"{facts.width}x{facts.height} is small, and enlarged to {width}x{height}; a larger picture gives more.",
        )
    return StillPreparation(
        decision="transcode" if reasons else "pass",
        reasons=reasons,
        notes=notes,
        width=width,
        height=height,
        format="jpeg" if reasons else facts.format,
        max_bytes=limits.max_bytes,
        min_side=limits.min_side,
    )


def _reasons_of_still(facts: StillFacts, limits: ImageLimits) -> Iterator[str]:
    if facts.format not in limits.formats:
        yield f"{facts.format} picture"
    if facts.mode not in ("RGB", "L"):
        yield f"colour mode {facts.mode}"
    elif facts.has_alpha:
        yield "transparent"
    if facts.orientation != 1:
        yield "rotated by a tag that a reader may ignore"
    if facts.animated:
        yield "animated: the first picture is taken"
    if facts.has_profile:
        yield "its colour profile is not sRGB"
    if facts.has_private_metadata:
        yield "tells a place, a person or a device"
    if min(facts.width, facts.height) < limits.min_side:
        yield f"{facts.width}x{facts.height}: enlarged"
    if max(facts.width, facts.height) > MAX_STILL_SIDE:
        yield f"{facts.width}x{facts.height}: scaled down"
    if facts.bytes > limits.max_bytes:
        yield f"{facts.bytes / 10**6:.1f} MB, and the model takes at most {limits.max_bytes / 10**6:.0f} MB"


def _still_size(facts: StillFacts, limits: ImageLimits) -> tuple[int, int]:
    short, long = min(facts.width, facts.height), max(facts.width, facts.height)
    scale = max(min(Fraction(1), Fraction(MAX_STILL_SIDE, long)), Fraction(limits.min_side, short))
    # The long side down and the short side up: rounding never makes the shape more extreme than the limit allows.
    made = max(floor(long * scale), limits.min_side), max(ceil(short * scale), limits.min_side)
    return made if facts.width >= facts.height else (made[1], made[0])


# --- what comes back --------------------------------------------------------------------------------------------------


def length_tolerance(seconds: Fraction) -> Fraction:
    """Seconds by which an edit may be shorter or longer than its clip: one, or a fifth of a long clip.

    Providers cut to whole seconds and to whole frames of their own rate (O3's page: output seconds "rounded to nearest
    integer"); nothing they document takes away more than half a second. A file that differs by more is another one, or a
    part of one.
    """
    return max(Fraction(1), seconds / 5)
