"""What a film was measured to be, against what was asked and what its source is -> the verdict of each check.

`media.quality` measures; this decides. Every limit stands here with its reason; docs/quality.md is the same for a reader,
with what each check cannot see. A flag never stops a film from being archived: it is paid for, and a person judges it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from callsheet.catalogue import Model, Options
from callsheet.sidecar import Finding, Quality

#: What should be heard: the clip's own sound; none; sound that the model makes; or whatever there is.
Sound = Literal["kept", "none", "made", "any"]

#: Seconds that the picture may be shorter or longer than asked. Providers cut to whole seconds and to whole frames of their
#: own rate (O3's page: "rounded to nearest integer"), which takes or gives half a second; the rest is a frame.
LENGTH = 0.55
#: Share by which the shape may differ. Encoders round sides to multiples of 16, which moves 1280x720 by at most 1.8 %; the
#: shapes that can be asked for are 18 % apart and more.
SHAPE = 0.02
#: Frames a second that every model reaches: Kling renders at 24. Less is right only where the source has less.
RATE = 24.0
#: Share of the rate that rounding of containers may take (29.97 told as 29.4 was the widest seen).
RATE_SLACK = 0.02
#: Share of frames that only repeat the one before while the source moves. 24 frames a second shown as 30 repeat a fifth and are
#: seen as judder; in the corpus good films stay at 0.13 or below, those at 0.10 and above being of sources that repeat, too.
REPEATS = 0.18
#: Seconds black, or of one plain colour, where the source is not. One frame is a flash that everybody sees.
BLANK = 0.03
#: The same where there is no source to compare with, between the first and the last second, which may fade.
BLANK_ALONE = 0.3
#: Seconds without any movement where the source moves. Below that a held frame passes for a slow moment.
FROZEN = 0.4
#: The same where there is no source: models hold a beginning or an end for a moment.
FROZEN_ALONE = 1.0
#: Share of the picture that stops while it moves in the source: one of sixteen parts stops by chance.
PART = 0.1
#: Seconds that it stops for: in the corpus flat looks stop single parts for 0.5 s.
PART_FROZEN = 0.8
#: Turns of the brightness, up and down, in one second that the source has not: two flashes a second are four.
JUMPS = 4
#: Frames in colours that no picture has: the planes are damaged. Films made from pictures had none in the corpus.
COLOURS = 0
#: Share of the height or width in black bars that the source has not: 16:9 in 16:10 would be a tenth.
BARS = 0.03
#: Codes (of 255) by which the most changed parts differ from the source. In the corpus an encode changes them by 1 to 4, and
#: the smallest edits, to denoise or to posterise, by 6 to 9.
CHANGE = 4.5
#: By how much more like the source played backwards it has to be, as a correlation, to be called so.
BACKWARDS = 0.15
#: Decibels below full scale under which nothing is heard: 16 bit noise is at -90, a quiet room at -60.
SILENCE = -60.0
#: Seconds without sound where the source has some.
MUTED = 0.5
#: Milliseconds that sound may be early or late: ITU-R BT.1359 finds 90 early acceptable; one limit for both sides.
SYNC = 90
#: How alike two sounds are, as a correlation, for them to be the same one: encodes stay above 0.8, other sound below 0.1.
SAME_SOUND = 0.3


class Stretch(NamedTuple):
    """Of a film, in seconds: where it begins and how long it is."""

    start: float
    seconds: float

    @property
    def spoken(self) -> str:
        return f"{self.seconds:.2f} s at {self.start:.1f} s"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """The sound of a film. Loudness in dBFS, of its loudest second; likeness and offset against the source's sound."""

    loudness: float
    #: None where there is no source with sound, or one of both is silent.
    likeness: float | None = None
    #: Milliseconds that it comes late (early: below zero), the worst of its parts. None where it cannot be told.
    offset: int | None = None
    #: The longest silence where the source is heard.
    silence: Stretch | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of a film, and where there is a source, what of it the source has not."""

    frames: int
    #: Of the picture, last frame included.
    seconds: float
    rate: float
    width: int
    height: int
    #: Share of frames that repeat the one before, above the source's own share.
    repeats: float
    blank: Stretch | None
    frozen: Stretch | None
    #: The longest stop of a part of the picture, and the share of it that stops. None where it cannot be compared.
    part: tuple[Stretch, float] | None
    #: Turns of the brightness in the worst second, and the largest of them in codes.
    jumps: int
    jump: float
    #: Frames in impossible colours, or in others than those around them.
    colours: int
    bars: float
    #: Codes that its most changed parts differ from the source by. None where the shapes differ, and without a source.
    change: float | None
    #: Correlation with the source at the same time, and with the source played backwards.
    likeness: float | None
    backwards: float | None
    #: None for a film without a sound track.
    heard: Heard | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the film should be. source_*: of the prepared clip; None, and False, where there is none."""

    #: None where nobody said how long.
    seconds: float | None
    #: Width over height, and how it is called. None where nobody said which.
    shape: Fraction | None
    shape_name: str
    sound: Sound
    has_source: bool
    source_rate: float | None = None
    #: Width over height of the source: to say that the model kept it.
    source_shape: Fraction | None = None


def sound_of(model: Model, options: Options, *, keeps: bool | None, source_has_sound: bool) -> Sound:
    """What should be heard of a film of this model."""
    if model.sound_field and keeps is not None:
        return "kept" if keeps and source_has_sound else "none"
    wish = dict(options).get("sound")
    if wish is None:
        return "any"
    return "made" if wish in (True, "on") else "none"


def judge(measured: Measured, asked: Asked) -> Quality:
    """The verdict of every check that applies."""
    findings = list(_findings(measured, asked))
    flagged = any(finding.verdict == "flag" for finding in findings)
    return Quality(verdict="flag" if flagged else "pass", findings=findings)


def spoken(quality: Quality) -> str:
    """The flags in one line: "frozen 1.20 s at 3.1 s; sync 240 ms late". Empty where there is none."""
    flags = [finding for finding in quality.findings if finding.verdict == "flag"]
    return "; ".join(f"{flag.check} {flag.measured}" for flag in flags)


def verdict_of(quality: Quality | None) -> str:
    """For a cell of a table: "pass", "flag: frozen 1.20 s at 3.1 s", or nothing where it was not checked."""
    if quality is None:
        return ""
    return f"flag: {spoken(quality)}" if quality.verdict == "flag" else "pass"


def flags(quality: Quality | None) -> list[str]:
    """Names of the checks that flag."""
    return [] if quality is None else [one.check for one in quality.findings if one.verdict == "flag"]


def _findings(found: Measured, asked: Asked) -> Iterator[Finding]:
    yield _finding("decodes", True, f"{found.frames} frames", "to the last one", "")
    if asked.seconds is not None:
        yield _length(found, asked.seconds)
    yield _rate(found, asked)
    yield _repeats(found, asked)
    if asked.shape is not None:
        yield _shape(found, asked, asked.shape)
    yield _bars(found)
    yield _blank(found, asked)
    yield _frozen(found, asked)
    if found.part is not None:
        yield _part(*found.part)
    yield _flicker(found)
    yield _colours(found)
    if found.change is not None:
        yield _change(found.change)
    if found.likeness is not None and found.backwards is not None:
        yield _backwards(found.likeness, found.backwards)
    yield from _sound(found.heard, asked)


def _finding(check: str, good: bool, measured: str, limit: str, says: str) -> Finding:
    return Finding(
        check=check, verdict="pass" if good else "flag", measured=measured, limit=limit, says="" if good else says
    )


# --- picture -----------------------------------------------------------------------------------------------------------


def _length(found: Measured, asked: float) -> Finding:
    off = found.seconds - asked
    how = "shorter" if off < 0 else "longer"
    says = f"The picture lasts {found.seconds:.2f} s, and {asked:.2f} s were asked for: {abs(off):.2f} s {how}."
    return _finding("length", abs(off) <= LENGTH, f"{off:+.2f} s", f"{LENGTH} s either way", says)


def _rate(found: Measured, asked: Asked) -> Finding:
    least = min(asked.source_rate or RATE, RATE) * (1 - RATE_SLACK)
    says = f"It has {found.rate:.2f} frames a second: movement stutters."
    return _finding("frame-rate", found.rate >= least, f"{found.rate:.2f} a second", f"at least {least:.2f}", says)


def _repeats(found: Measured, asked: Asked) -> Finding:
    than = " beyond the source's" if asked.has_source else ""
    says = f"{found.repeats:.0%} of its frames only repeat the one before{than}: movement judders."
    return _finding("judder", found.repeats <= REPEATS, f"{found.repeats:.0%} repeated", f"{REPEATS:.0%}", says)


def _shape(found: Measured, asked: Asked, shape: Fraction) -> Finding:
    is_ = found.width / found.height
    off = abs(is_ / float(shape) - 1)
    says = f"It is {found.width}x{found.height}, and {asked.shape_name} was asked for."
    if asked.source_shape is not None and abs(is_ / float(asked.source_shape) - 1) <= SHAPE:
        says += " That is the shape of the clip: `framing: crop` gives the clip the shape before it is sent."
    return _finding(
        "aspect-ratio", off <= SHAPE, f"{found.width}x{found.height}", f"{asked.shape_name}, to {SHAPE:.0%}", says
    )


def _bars(found: Measured) -> Finding:
    says = f"{found.bars:.0%} of its height or width are black bars that the source has not."
    return _finding("bars", found.bars <= BARS, f"{found.bars:.0%}", f"{BARS:.0%}", says)


def _blank(found: Measured, asked: Asked) -> Finding:
    limit = BLANK if asked.has_source else BLANK_ALONE
    says = "It is black, or of one plain colour" + (", where the source shows something." if asked.has_source else ".")
    return _stretch("blank", found.blank, limit, says)


def _frozen(found: Measured, asked: Asked) -> Finding:
    limit = FROZEN if asked.has_source else FROZEN_ALONE
    return _stretch(
        "frozen",
        found.frozen,
        limit,
        "The picture stands still" + (" where the source moves." if asked.has_source else "."),
    )


def _stretch(check: str, found: Stretch | None, limit: float, says: str) -> Finding:
    measured = "0 s" if found is None else found.spoken
    return _finding(check, found is None or found.seconds <= limit, measured, f"{limit} s", says)


def _part(found: Stretch, share: float) -> Finding:
    says = f"{share:.0%} of the picture stand still while the rest moves, and while they move in the source."
    good = share <= PART or found.seconds <= PART_FROZEN
    return _finding("part-frozen", good, f"{share:.0%} for {found.spoken}", f"{PART:.0%} for {PART_FROZEN} s", says)


def _flicker(found: Measured) -> Finding:
    measured = f"{found.jumps} turns in a second, up to {found.jump:.0f} of 255"
    says = "The brightness goes up and down from frame to frame as the source's does not."
    return _finding("flicker", found.jumps <= JUMPS, measured, f"{JUMPS} in a second", says)


def _colours(found: Measured) -> Finding:
    says = "Frames have colours that no picture has, or for a moment others than the frames around them: green, pink or grey."
    return _finding("colours", found.colours <= COLOURS, f"{found.colours} frames", f"{COLOURS} frames", says)


def _change(change: float) -> Finding:
    says = "It looks like its source: the edit that was asked for cannot be seen."
    return _finding("unchanged", change > CHANGE, f"{change:.1f} of 255", f"more than {CHANGE:g}", says)


def _backwards(likeness: float, backwards: float) -> Finding:
    says = "It moves as the source does when it is played backwards."
    good = abs(backwards) - abs(likeness) <= BACKWARDS  # of a negative both are below zero
    measured = f"like the source {likeness:.2f}, backwards {backwards:.2f}"
    return _finding("backwards", good, measured, f"{BACKWARDS} more", says)


# --- sound -------------------------------------------------------------------------------------------------------------


def _sound(heard: Heard | None, asked: Asked) -> Iterator[Finding]:
    if asked.sound == "any":
        return
    yield _presence(heard, asked.sound)
    if asked.sound != "kept" or heard is None or heard.loudness <= SILENCE:
        return
    yield _stretch("muted", heard.silence, MUTED, "Nothing is heard where the clip has sound.")
    if heard.likeness is not None:
        says = "What is heard is not the sound of the clip."
        good = heard.likeness >= SAME_SOUND
        yield _finding("same-sound", good, f"{heard.likeness:.2f}", f"at least {SAME_SOUND}", says)
    if heard.offset is not None:
        yield _sync(heard.offset)


def _presence(heard: Heard | None, sound: Sound) -> Finding:
    is_heard = heard is not None and heard.loudness > SILENCE
    measured = "no sound track" if heard is None else f"{heard.loudness:.0f} dBFS"
    if sound == "none":
        is_clip_s = heard is not None and (heard.likeness or 0.0) >= SAME_SOUND
        says = f"It has sound, and none was asked for{': that of the clip' if is_clip_s else ''}."
        return _finding("sound", not is_heard, measured, f"none, or below {SILENCE:.0f} dBFS", says)
    what = "that of the clip was to be kept" if sound == "kept" else "the model was to make some"
    says = f"It is silent, and {what}." if heard is not None else f"It has no sound, and {what}."
    return _finding("sound", is_heard, measured, f"above {SILENCE:.0f} dBFS", says)


def _sync(offset: int) -> Finding:
    how = "late" if offset > 0 else "early"
    measured = f"{abs(offset)} ms {how}" if offset else "0 ms"
    says = f"The sound comes {abs(offset)} ms too {how}."
    return _finding("sync", abs(offset) <= SYNC, measured, f"{SYNC} ms", says)
