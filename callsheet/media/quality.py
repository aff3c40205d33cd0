"""What a film is like, measured on its small copy and on that of its source; `callsheet.quality` decides what is too much.

Whatever the source does too is no defect: title cards stand still, fades are black, sirens flash. So everything is measured
on both, and what counts is what the film has and its source has not at about the same second.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from callsheet.media.look import SAMPLE_RATE, Look, Numbers, Pixels, Samples
from callsheet.quality import Heard, Measured, Stretch

Flags = NDArray[np.bool_]

#: Parts of the picture, down and across, in which movement is looked for: noise is everywhere alike, movement is not.
GRID = 4
#: Codes (of 255) by which a part changes between two frames of the same picture: 0.0 to 0.1, at a low bit rate up to 0.25.
STILL = 0.3
#: Seconds over which movement is looked for, and codes by which some part changes in them when something moves: camera noise,
#: so small, is 0.3 to 0.6 however long one waits.
SPAN, MOVES = 0.2, 1.2
#: The same for one part alone, where flat looks lose what moves a little.
MOVES_MUCH = 2.2
#: Repetitions of one frame that count as judder: 12 frames a second shown as 60.
REPEATED = 4
#: Seconds of a hold that is looked at.
LEAST_HOLD = 0.2
#: Seconds by which an edit's fade or cut may lie beside its source's.
NEAR = 0.3
#: Luma (16 is black) below which 98 % of a black picture lie; and below which a dark source may turn black in a night edit.
BLACK, DARK = 28, 64
#: Codes between the darkest and the brightest parts (2 % left out at both ends) of a picture of one plain colour.
PLAIN = 6
#: Codes by which the brightness has to turn to count; and how many times the source's own turn it has to be there: an edit may
#: be more contrasty. Seconds within which it has to come and go.
JUMP, MORE, TURNED = 1.5, 2.5, 0.2
#: Codes that only a frame of another picture turns by, and how many turns that counts as.
FLASH, FLASHED = 20.0, 10
#: How far outside of 0 to 255 red, green or blue of a damaged picture are; encoding overshoots by 20, strong saturation by 50.
OUTSIDE = 64.0
#: Share of the frame that has to be so.
COLOURED = 0.08
#: Codes that the mean colour jumps by into a damaged frame, and back within a second.
TINTED = 12.0
#: Luma below which a row or column is a black bar, and codes by which the picture beside it is brighter.
BAR, EDGE = 26, 12
#: Frames a second that are laid over the source's.
COMPARED = 8
#: Envelope of sound: steps a second.
STEPS = 100
#: Milliseconds of offset that are looked for.
REACH = 2500
#: Below this a sound has too little in it to be compared, in dBFS.
AUDIBLE = -60.0
#: What counts as silent where the source is heard: so far below full scale, and so far below the source.
SILENT, BELOW = -75.0, 20.0


class Traits:
    """What is worked out about one film alone, once: an edit is measured against the traits of its source, and forty edits
    have the same source. Safe to share between threads, which at worst work something out twice."""

    def __init__(self, look: Look) -> None:
        self.look = look

    @property
    def dark(self) -> Numbers:
        """Luma below which 2 % of each frame lie."""
        return self._levels[0]

    @property
    def bright(self) -> Numbers:
        """Luma below which 98 % of each frame lie."""
        return self._levels[1]

    @cached_property
    def moving(self) -> "_Moving":
        return _moving(self)

    @cached_property
    def swings(self) -> Numbers:
        return _swings(self.look)

    @cached_property
    def outside(self) -> Numbers:
        return _outside(self.look)

    @cached_property
    def bars(self) -> float:
        return _bars(self)

    @cached_property
    def _levels(self) -> tuple[Numbers, Numbers]:
        luma = self.look.luma
        flat = np.sort(luma.reshape(len(luma), -1)[:, ::3], axis=1, kind="stable")  # by radix, which is quick for bytes
        at_most = flat.shape[1] - 1
        dark, bright = (flat[:, min(int(share * flat.shape[1]), at_most)].astype(np.float64) for share in (0.02, 0.98))
        return dark, bright


@dataclass(frozen=True, kw_only=True)
class _Moving:
    """How a film moves, worked out once. parts: how much each part changes from each frame to the next, (count - 1, GRID *
    GRID); over: the same over SPAN seconds, in which slow movement adds up and noise does not."""

    look: Look
    parts: Numbers
    over: Numbers

    def where_shown(self, is_blank: Flags) -> "_Moving":
        """With movement in what is blank, which does not count as frozen, too."""
        return replace(self, parts=np.where(is_blank[:, None], MOVES, self.parts))

    @property
    def whole(self) -> Numbers:
        return np.asarray(self.parts.max(axis=1, initial=0.0))


def measure(traits: Traits, source: Traits | None, sound: Samples | None) -> Measured:
    """Everything that is measured of a film. source: the clip that it is an edit of. sound: of its clip."""
    film, theirs = traits.look, None if source is None else source.moving
    is_blank = _is_blank(traits, source)
    mine = traits.moving.where_shown(is_blank[1:])
    frozen = _longest_hold(mine, mine.whole, theirs, None)
    part, overlay = None, None
    if source is not None and theirs is not None and _is_same_shape(film, source.look):
        part = _part(mine, theirs, frozen)
        overlay = _overlay(film, source.look)
    jumps, jump = _jumps(traits, source)
    return Measured(
        frames=len(film.times),
        seconds=film.end - float(film.times[0]),
        rate=film.rate,
        width=film.facts.width,
        height=film.facts.height,
        repeats=_repeats(mine, theirs),
        blank=_longest(is_blank, film),
        frozen=frozen,
        part=part,
        jumps=jumps,
        jump=jump,
        colours=_colours(traits, source),
        bars=max(0.0, traits.bars - (source.bars if source is not None else 0.0)),
        change=None if overlay is None else overlay[0],
        likeness=None if overlay is None else overlay[1],
        backwards=None if overlay is None else overlay[2],
        heard=None if film.sound is None else _heard(film.sound, sound),
    )


def _is_same_shape(film: Look, source: Look) -> bool:
    one, other = (look.facts.width / look.facts.height for look in (film, source))
    return abs(one / other - 1) < 0.03


# --- movement ----------------------------------------------------------------------------------------------------------


def _moving(traits: Traits) -> _Moving:
    look = traits.look
    luma = look.luma.astype(np.int16)
    step = max(1, round(SPAN * look.rate))
    parts = _in_parts(luma[1:], luma[:-1])
    far = _in_parts(luma[step:], luma[:-step]) if len(luma) > step else parts[:0]
    # Of each change from frame to frame, the change over the time around it; at both ends that of the nearest.
    at = np.clip(np.arange(len(parts)) - step // 2, 0, max(len(far) - 1, 0))
    over = far[at] if len(far) else parts.copy()
    over[traits.bright[1:] <= DARK] = 0.0  # what moves in the dark, a harder look makes black
    return _Moving(look=look, parts=parts, over=over)


def _in_parts(later: NDArray[np.int16], earlier: NDArray[np.int16]) -> Numbers:
    changed = np.abs(later - earlier)
    height, width = changed.shape[1] // GRID * GRID, changed.shape[2] // GRID * GRID
    parts = changed[:, :height, :width].reshape(-1, GRID, height // GRID, GRID, width // GRID)
    return np.asarray(parts.mean(axis=(2, 4), dtype=np.float64).reshape(-1, GRID * GRID))


def _lasts(look: Look) -> Numbers:
    """Seconds that each frame is shown."""
    return np.append(np.diff(look.times), look.end - look.times[-1])


def _holds(look: Look, changes: Numbers, least: float) -> list[Stretch]:
    """Where one picture is shown, as stretches one after the other, each of one frame or of several that are the same."""
    starts = [0, *(int(i) + 1 for i in np.flatnonzero(changes >= least))]
    times = np.append(look.times, look.end)
    ends = [*starts[1:], len(look.times)]
    held = [Stretch(float(times[a]), float(times[b] - times[a])) for a, b in zip(starts, ends, strict=True)]
    return _joined(held, 1.5 / max(look.rate, 1.0))


def _joined(held: list[Stretch], frame: float) -> list[Stretch]:
    """A key frame re-draws a still picture a little differently: two holds with one frame between them are one."""
    joined: list[Stretch] = []
    for one in held:
        if joined and one.seconds > 2 * frame and joined[-1].seconds > 2 * frame:
            joined[-1] = Stretch(joined[-1].start, joined[-1].seconds + one.seconds)
        else:
            joined.append(one)
    return joined


def _still_for(theirs: _Moving, part: int | None, start: float, seconds: float) -> float:
    """For how long of this window nothing much moves, in this part or in any."""
    times = theirs.look.times
    inside = (times[1:] > start) & (times[1:] <= start + seconds)
    if not inside.any():
        return seconds
    over = theirs.over.max(axis=1, initial=0.0) if part is None else theirs.over[:, part]
    least = MOVES if part is None else MOVES_MUCH
    return float(np.diff(times)[inside][over[inside] < least].sum())


def _longest_hold(mine: _Moving, changes: Numbers, theirs: _Moving | None, part: int | None) -> Stretch | None:
    """The longest hold of the film, less what of it the source holds too."""
    worst: Stretch | None = None
    for held in _holds(mine.look, changes, STILL if part is None else STILL / 2):
        lasts = held.seconds
        if lasts < LEAST_HOLD or (worst is not None and lasts <= worst.seconds):
            continue
        if theirs is not None:
            lasts -= _still_for(theirs, part, held.start, held.seconds)
        if worst is None or lasts > worst.seconds:
            worst = Stretch(held.start, lasts)
    return worst if worst is not None and worst.seconds > LEAST_HOLD / 2 else None


def _part(mine: _Moving, theirs: _Moving, frozen: Stretch | None) -> tuple[Stretch, float]:
    """The part of the picture that stops, having moved before, and for how long. A part that never moves may be a plain
    background that the edit put there."""
    stops: list[Stretch] = []
    for part in range(GRID * GRID):
        stop = _longest_hold(mine, mine.parts[:, part], theirs, part)
        if stop is not None and stop.seconds > 2 * LEAST_HOLD and _moves_outside(mine, part, stop):
            stops.append(stop)
    longest = max(stops, key=lambda stop: stop.seconds, default=None)
    # Where all of it stops, that is `frozen`.
    if longest is None or (frozen is not None and frozen.seconds > longest.seconds / 2):
        return Stretch(0.0, 0.0), 0.0
    together = [stop for stop in stops if abs(stop.start - longest.start) < SPAN]
    return longest, len(together) / (GRID * GRID)


def _moves_outside(mine: _Moving, part: int, stop: Stretch) -> bool:
    """Does this part move for a while, before it stops or after?"""
    times = mine.look.times
    outside = (times[1:] <= stop.start) | (times[1:] > stop.start + stop.seconds)
    return float(np.diff(times)[outside & (mine.over[:, part] >= MOVES)].sum()) >= LEAST_HOLD


def _repeats(mine: _Moving, theirs: _Moving | None) -> float:
    """Less the source's own, which counts generously: a re-encode evens out what is nearly the same."""
    own = _repeated(mine, 0.15)
    return own if theirs is None else max(0.0, own - _repeated(theirs, 0.3))


def _repeated(moving: _Moving, share: float) -> float:
    """Share of frames that repeat the one before, where the picture moves before and after. share: of the usual change, below
    which it is a repetition."""
    changes = moving.whole
    if len(changes) < 8:
        return 0.0
    padded = np.pad(changes, 3, constant_values=0.0)
    around = np.stack([padded[k : k + len(changes)] for k in range(7) if k != 3])
    moves = (around[:3].max(axis=0) >= MOVES / 3) & (around[3:].max(axis=0) >= MOVES / 3)
    if moves.sum() < 8:
        return 0.0
    usual = np.median(np.maximum(around[:3].max(axis=0), around[3:].max(axis=0))[moves])
    repeats = _short_runs(changes < max(STILL / 4, share * usual))
    return float((moves & repeats).sum() / moves.sum())


def _short_runs(flags: Flags) -> Flags:
    """Of these flags those in runs of REPEATED at most: what stands still for longer is held, and not repeated."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    short = flags.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        short[start:end] = end - start <= REPEATED
    return short


# --- black and plain ---------------------------------------------------------------------------------------------------


def _is_blank(traits: Traits, source: Traits | None) -> Flags:
    """Frames that are black or plain where the source shows something."""
    film, low, high = traits.look, traits.dark, traits.bright
    is_blank = (high <= BLACK) | ((high - low <= PLAIN) & _is_grey_flat(film))
    if source is not None:
        fine = (source.bright <= DARK) | (source.bright - source.dark <= 2 * PLAIN)
        is_blank &= ~_near(fine, source.look.times, film.times)
    else:
        is_blank &= (film.times > film.times[0] + 1) & (film.times < film.end - 1) | is_blank.all()
    return np.asarray(is_blank)


def _is_grey_flat(look: Look) -> Flags:
    """Is its colour the same all over, too?"""
    spread = look.chroma.reshape(len(look.chroma), 2, -1).astype(np.float32).std(axis=2).max(axis=1)
    return np.asarray(spread < 2.0)


def _near(flags: Flags, of: Numbers, at: Numbers) -> Flags:
    """For each moment of `at`: is a flag set within NEAR of it?"""
    moments = of[flags]
    if not len(moments):
        return np.zeros(len(at), dtype=bool)
    after = np.clip(np.searchsorted(moments, at), 0, len(moments) - 1)
    before = np.clip(after - 1, 0, None)
    gap = np.minimum(np.abs(moments[after] - at), np.abs(moments[before] - at))
    return np.asarray(gap <= NEAR)


def _longest(flags: Flags, look: Look) -> Stretch | None:
    """The longest run of flagged frames."""
    lasts, best, start, length = _lasts(look), None, 0.0, 0.0
    for flag, time, last in zip(flags, look.times, lasts, strict=True):
        if not flag:
            length = 0.0
            continue
        start = float(time) if length == 0.0 else start
        length += float(last)
        if best is None or length > best.seconds:
            best = Stretch(start, length)
    return best


# --- brightness and colour ---------------------------------------------------------------------------------------------


def _swings(look: Look) -> Numbers:
    """For each frame at which the brightness turns, how far it came and goes within TURNED, the smaller of both; 0 for any
    other. A cut, a fade and a series of steps do not turn, nor does what stays for longer."""
    light = look.luma.mean(axis=(1, 2), dtype=np.float64)
    swings = np.zeros(len(light))
    for turn in _turns(light):
        first = int(np.searchsorted(look.times, look.times[turn] - TURNED))
        last = int(np.searchsorted(look.times, look.times[turn] + TURNED, side="right"))
        before, after = light[first : turn + 1] - light[turn], light[turn:last] - light[turn]
        swings[turn] = max(min(before.max(), after.max()), min(-before.min(), -after.min()))
    return swings


def _turns(light: Numbers) -> list[int]:
    """Where it is highest or lowest before it goes back by JUMP."""
    turns: list[int] = []
    top, bottom, is_rising = 0, 0, None
    for index, value in enumerate(light):
        top = index if value > light[top] else top
        bottom = index if value < light[bottom] else bottom
        if is_rising is not False and light[top] - value >= JUMP:
            turns.append(top)
            bottom, is_rising = index, False
        elif is_rising is not True and value - light[bottom] >= JUMP:
            turns.append(bottom)
            top, is_rising = index, True
    return turns


def _around(values: Numbers, of: Numbers, at: Numbers, reach: float) -> Numbers:
    """For each moment of `at`, the largest of the values within reach."""
    first, last = np.searchsorted(of, at - reach), np.searchsorted(of, at + reach, side="right")
    return np.asarray([values[a:b].max(initial=0.0) for a, b in zip(first, last, strict=True)])


def _jumps(traits: Traits, source: Traits | None) -> tuple[int, float]:
    """Turns of the brightness in the worst second, and the largest. A single frame that flashes counts as many."""
    film, swings = traits.look, traits.swings
    allowed = np.full(len(swings), JUMP)
    if source is not None:
        allowed += MORE * _around(source.swings, source.look.times, film.times, NEAR)
    over = swings > allowed
    ends = np.searchsorted(film.times, film.times + 1.0)
    total = np.concatenate([[0], np.cumsum(over)])
    worst = int((total[ends] - total[:-1]).max(initial=0))
    largest = float(swings[over].max(initial=0.0))
    return (max(worst, FLASHED) if largest > FLASH else worst), largest


def _colours(traits: Traits, source: Traits | None) -> int:
    """Frames in impossible colours, and frames that leave the colours around them for a moment."""
    film = traits.look
    wrong = traits.outside > COLOURED
    tinted = _tinted(film)
    if source is not None:
        wrong &= ~_near(source.outside > COLOURED / 2, source.look.times, film.times)
        tinted &= ~_near(_tinted(source.look, TINTED / 3), source.look.times, film.times)
    return int((wrong | tinted).sum())


def _outside(look: Look) -> Numbers:
    """Share of each frame whose red, green or blue no picture has."""
    light = look.luma[:, ::2, ::2].astype(np.float32)[:, : look.chroma.shape[2], : look.chroma.shape[3]]
    grey = 1.164 * (light - 16)
    blue, red = (look.chroma[:, plane].astype(np.float32) - 128 for plane in (0, 1))
    worst = np.zeros_like(grey)
    for channel in (grey + 1.793 * red, grey - 0.213 * blue - 0.533 * red, grey + 2.112 * blue):
        np.maximum(worst, np.maximum(-channel, channel - 255), out=worst)
    return np.asarray((worst > OUTSIDE).mean(axis=(1, 2)), dtype=np.float64)


def _tinted(look: Look, codes: float = TINTED) -> Flags:
    """Frames between a jump of the mean colour and another one back, within a second."""
    mean = look.chroma.mean(axis=(2, 3), dtype=np.float64)
    leaps = np.flatnonzero(np.abs(np.diff(mean, axis=0)).max(axis=1) > codes) + 1
    tinted = np.zeros(len(mean), dtype=bool)
    for start, end in pairwise(leaps):
        is_short = look.times[end] - look.times[start] <= 1.0
        if is_short and np.abs(mean[end] - mean[start - 1]).max() < codes / 2:
            tinted[start:end] = True
    return tinted


def _bars(traits: Traits) -> float:
    """Share of the height, or of the width, in black bars on both sides."""
    lit = traits.look.luma[traits.bright > DARK]
    if not len(lit):
        return 0.0
    bright = np.percentile(lit[:: max(1, len(lit) // 40)], 95, axis=0)
    return max(_bar_share(bright.max(axis=1)), _bar_share(bright.max(axis=0)))


def _bar_share(lines: Numbers) -> float:
    """lines: how bright each row, or column, ever is."""
    dark = lines <= BAR
    if dark.all() or not (dark[0] and dark[-1]):
        return 0.0
    first, last = int(np.argmin(dark)), int(np.argmin(dark[::-1]))
    is_even = abs(first - last) <= max(2, 0.25 * max(first, last))
    beside = [lines[min(first + 1, len(lines) - 1)], lines[max(len(lines) - last - 2, 0)]]
    is_sharp = min(beside) > BAR + EDGE
    return (first + last) / len(lines) if is_even and is_sharp else 0.0


# --- against the source ------------------------------------------------------------------------------------------------


def _overlay(film: Look, source: Look) -> tuple[float, float, float]:
    """(codes by which the most changed parts differ, likeness, likeness of the source played backwards)."""
    every = max(1, round(film.rate / COMPARED))
    chosen = np.arange(0, len(film.times), every)
    times = film.times[chosen]
    mine = _sized(film.luma[chosen], source.luma.shape[1:])
    at = np.clip(np.searchsorted(source.times, times - 0.5 / source.rate), 0, len(source.times) - 1)
    theirs = _nearest(mine, source, at)
    change = _changed(mine, source.luma[theirs], film.chroma[chosen], source.chroma[theirs])
    back = np.clip(np.searchsorted(source.times, source.end - times), 0, len(source.times) - 1)
    return (
        change,
        _likeness(mine, source.luma[theirs].astype(np.float32)),
        _likeness(mine, source.luma[back].astype(np.float32)),
    )


def _sized(frames: Pixels, size: tuple[int, ...]) -> NDArray[np.float32]:
    """The frames in a size that is nearly theirs: the two small copies may differ by two rows."""
    exact = frames.astype(np.float32)
    for axis in (1, 2):
        exact = _resampled(exact, axis, size[axis - 1])
    return exact


def _resampled(frames: NDArray[np.float32], axis: int, count: int) -> NDArray[np.float32]:
    has = frames.shape[axis]
    if has == count:
        return frames
    places = np.clip((np.arange(count) + 0.5) * has / count - 0.5, 0, has - 1)
    below = np.minimum(places.astype(int), has - 2)
    share = (places - below).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(3)])
    lower, upper = (np.take(frames, below + step, axis=axis) for step in (0, 1))
    return np.asarray(lower * (1 - share) + upper * share)


def _nearest(mine: NDArray[np.float32], source: Look, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the source's frames at these places and up to two beside them, those that are the most alike: another frame rate
    drifts by so many."""
    best, differs = at.copy(), np.full(len(at), np.inf)
    for step in range(-2, 3):
        there = np.clip(at + step, 0, len(source.times) - 1)
        apart = np.abs(mine - source.luma[there]).mean(axis=(1, 2))
        best[apart < differs] = there[apart < differs]
        differs = np.minimum(differs, apart)
    return best


def _changed(mine: NDArray[np.float32], theirs: Pixels, colour: Pixels, of_source: Pixels) -> float:
    """Of parts of about 10 by 10 pixels, in the frames that changed most: how much the 2 % that changed most differ."""
    light = _parted(np.abs(mine - theirs))
    flat = _sized(colour.reshape(-1, *colour.shape[2:]), of_source.shape[2:]).reshape(of_source.shape)
    tone = _parted(np.abs(flat - of_source).max(axis=1))
    light, tone = (np.quantile(parts, 0.9, axis=0) for parts in (light, tone))
    return float(max(np.quantile(light, 0.98), np.quantile(tone, 0.98)))


def _parted(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 9 by 16 parts."""
    rows, columns = (max(1, side // parts) for side, parts in zip(frames.shape[1:], (9, 16), strict=True))
    height, width = (frames.shape[1] // rows) * rows, (frames.shape[2] // columns) * columns
    parts = frames[:, :height, :width].reshape(len(frames), height // rows, rows, width // columns, columns)
    return np.asarray(parts.mean(axis=(2, 4)))


def _likeness(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Correlation of what changes over time: what stands still is alike backwards, too."""
    one, other = mine - mine.mean(axis=0), theirs - theirs.mean(axis=0)
    one -= one.mean(axis=(1, 2), keepdims=True)
    other -= other.mean(axis=(1, 2), keepdims=True)
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale > 0 else 0.0


# --- sound -------------------------------------------------------------------------------------------------------------


def _loudness(sound: Samples, seconds: float) -> Numbers:
    """dBFS of each stretch of so many seconds, the last one whole or not."""
    step = max(1, round(SAMPLE_RATE * seconds))
    edges = np.arange(0, max(len(sound), 1), step)
    power = np.add.reduceat(sound.astype(np.float64) ** 2, edges) if len(sound) else np.zeros(1)
    counts = np.diff(np.append(edges, max(len(sound), 1)))
    return np.asarray(10 * np.log10(power / counts + 1e-12))


def _heard(sound: Samples, of_source: Samples | None) -> Heard:
    loudness = float(_loudness(sound, 1.0).max())
    if of_source is None or _loudness(of_source, 1.0).max() < AUDIBLE:
        return Heard(loudness=loudness)
    silence = _silence(sound, of_source)
    if loudness < AUDIBLE:
        return Heard(loudness=loudness, silence=silence)
    likeness, offset = _offset(sound, of_source)
    return Heard(loudness=loudness, likeness=likeness, offset=offset, silence=silence)


def _silence(sound: Samples, of_source: Samples) -> Stretch | None:
    """The silence in which the most of the source is not heard."""
    mine, theirs = _loudness(sound, 0.05), _loudness(of_source, 0.05)
    # Sound may end a little before the picture: prepared clips end up to two packets before it.
    mine = np.pad(mine, (0, max(0, len(theirs) - len(mine))), constant_values=-120.0)[: len(theirs)]
    missed = (mine < theirs - BELOW) & (theirs > AUDIBLE)
    worst, edges = None, np.flatnonzero(np.diff(np.concatenate([[False], mine < SILENT, [False]]).astype(np.int8)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        lasts = float(missed[start:end].sum()) * 0.05
        if lasts and (worst is None or lasts > worst.seconds):
            worst = Stretch(float(start) * 0.05, lasts)
    return worst


def _offset(sound: Samples, of_source: Samples) -> tuple[float, int | None]:
    """(how alike they are at the offset where they are most so, that offset in milliseconds). The worst of the whole and its
    halves: what runs too slow is in step at first."""
    likeness, whole = _aligned(sound, of_source)
    if likeness < 0.3:
        return likeness, None
    half = min(len(sound), len(of_source)) // 2
    offsets = [whole]
    for start in (0, half):
        part = slice(start, start + half)
        alike, offset = _aligned(sound[part], of_source[part])
        if half >= 2 * SAMPLE_RATE and alike >= 0.5:
            offsets.append(offset)
    return likeness, max(offsets, key=abs)


def _aligned(sound: Samples, of_source: Samples) -> tuple[float, int]:
    """Normalised cross-correlation by way of Fourier; the wave itself, where it is the same, else its envelope."""
    by_wave = _correlated(sound, of_source, SAMPLE_RATE)
    if by_wave[0] >= 0.3:
        return by_wave
    by_envelope = _correlated(_envelope(sound), _envelope(of_source), STEPS)
    return by_envelope if by_envelope[0] >= 0.6 else by_wave


def _envelope(sound: Samples) -> Samples:
    loud = np.clip(_loudness(sound, 1 / STEPS), -70, 0)
    return np.asarray(loud - loud.mean(), dtype=np.float32)


def _correlated(one: Samples, other: Samples, rate: int) -> tuple[float, int]:
    size = 1 << (len(one) + len(other)).bit_length()
    product = np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size))
    found = np.fft.irfft(product, size)
    reach = min(REACH * rate // 1000, size // 2 - 1)
    around = np.concatenate([found[-reach:], found[: reach + 1]])
    scale = float(np.sqrt((one.astype(np.float64) ** 2).sum() * (other.astype(np.float64) ** 2).sum()))
    best = int(np.argmax(around))
    return (float(around[best]) / scale if scale > 0 else 0.0), round((best - reach) * 1000 / rate)
