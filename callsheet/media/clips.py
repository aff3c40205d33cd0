"""Makes the clip that a preparation describes, and hands it out only when it is exactly that.

A person has approved a price for `preparation.seconds`; a file of another billed length, or outside the model's limits,
never gets its name.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from itertools import count
from math import ceil, floor
from pathlib import Path
from typing import Any, TypeVar

import ffmpeg

from callsheet.catalogue import ClipLimits
from callsheet.errors import ToolFailed, Unacceptable
from callsheet.limits import ClipFacts, ClipPreparation, Course, spoken_seconds
from callsheet.media import command, probe, reframe

Result = TypeVar("Result")

#: Sound of a prepared clip: stereo AAC, bits and samples a second; one AAC packet holds 1024 samples.
SOUND_BITS = 192_000
SAMPLE_RATE = 48_000
PACKET = 1024
#: Share of the size limit that an encode aims below; capped CRF used at most 0.942 of it in 22 runs (measured).
SAFETY = Fraction(97, 100)
#: Bits a second above which x264 would mark a 1080p clip with a level (> 4.2) that few decoders promise to play.
MOST_BITS = 50_000_000
#: Constant rate factor and share of the bit rate, tried in order; the first held in every run. The last halves the work
#: of the others by a 720-pixel short side.
LADDER = ((18, Fraction(1)), (22, Fraction(85, 100)), (26, Fraction(65, 100)), (30, Fraction(45, 100)))
LAST_SIDE = 720
LOOKAHEAD = 40

#: By ffmpeg's names.
_PRIMARIES = {"bt709": "bt709", "bt2020": "bt2020", "p3": "smpte432"}
_MATRICES = {"bt709": "bt709", "bt601": "smpte170m", "bt2020": "bt2020nc"}

_serial = count()


async def prepare(
    source: Path,
    preparation: ClipPreparation,
    target: Path,
    limits: ClipLimits,
    *,
    on_progress: command.Progress | None = None,
    within: timedelta | None = None,
    threads: int = 0,
) -> ClipFacts:
    """Make `target` from `source`; the facts of the result. The target appears by renaming, complete and verified.

    pass is a copy byte for byte, never a link: an editor that saves in place would change what was digested and priced.
    Raises Unacceptable for a source that is damaged or cannot be read, CannotWrite where the target cannot be written,
    ToolFailed when ffmpeg fails, works longer than `within` (60 s + 30 times the length), or makes something else than the
    preparation says. After any of those, or cancellation, nothing is left behind. threads: of an encode; 0 for as many as
    there are cores.
    """
    work = _Work(
        source=source,
        preparation=preparation,
        limits=limits,
        within=within or time_limit(_longest(preparation)),
        threads=threads,
    )
    with command.written_to(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _draft(target) as draft:
            if preparation.decision == "transcode":
                facts = await _transcoded(work, draft, on_progress)
            else:
                facts = await _copied(work, draft, on_progress)
            draft.replace(target)
    return facts


@dataclass(frozen=True, kw_only=True)
class _Work:
    """One preparation. `within`: wall clock that each ffmpeg of it may take."""

    source: Path
    preparation: ClipPreparation
    limits: ClipLimits
    within: timedelta
    threads: int


def _longest(preparation: ClipPreparation) -> Fraction:
    """Seconds of clip that ffmpeg may have to work through."""
    return max(preparation.seconds, preparation.start + preparation.reads)


def time_limit(seconds: Fraction) -> timedelta:
    """How long ffmpeg may work on a clip of this many seconds (8K to 1080p took 10 times the length on two cores)."""
    return timedelta(seconds=60 + 30 * float(seconds))


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    draft = target.with_name(f".{target.stem}.draft-{os.getpid()}-{next(_serial)}{target.suffix}")
    try:
        yield draft
    finally:
        command.remove(draft)


# --- pass and remux ----------------------------------------------------------------------------------------------------


async def _copied(work: _Work, draft: Path, on_progress: command.Progress | None) -> ClipFacts:
    if work.preparation.decision == "pass":
        await _in_thread(lambda: _copy(work.source, draft))
    else:
        await _remux(work, draft, on_progress)
    await _refuse_damaged(draft, work)
    facts = await _in_thread(lambda: probe.clip(draft))
    _check(facts, work.preparation, work.limits)
    return facts


def _copy(source: Path, draft: Path) -> None:
    try:
        read = source.open("rb")
    except OSError as error:
        what = f"cannot be read: {error.strerror}."
        raise Unacceptable(what, where=str(source), hint="Check the file and its permissions.") from error
    with read, draft.open("wb") as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())


async def _remux(work: _Work, draft: Path, on_progress: command.Progress | None) -> None:
    file = command.source(work.source)
    tracks = [file["V:0"], file["a:0"]] if work.preparation.has_sound else [file["V:0"]]
    options: dict[str, Any] = {
        "c": "copy",
        "f": "mp4",
        "movflags": "+faststart",
        "map_metadata": -1,
        "map_chapters": -1,
    }
    if work.preparation.frames is not None:
        options |= _times(work.preparation)
    await command.write(
        draft,
        *tracks,
        options=options,
        seconds=work.preparation.seconds,
        time_limit=work.within,
        on_progress=on_progress,
    )


def _times(preparation: ClipPreparation) -> dict[str, Any]:
    """Each frame of a container that counts in milliseconds at its exact time, and no sound beyond the last of them."""
    ticks = _ticks(preparation.frame_rate)
    frame = ticks / preparation.frame_rate
    at = f"round({{}}/{frame})*{frame}"
    # A packet of sound is kept where it ends before the picture, to the millisecond that its times are rounded to.
    beyond = f"gt((pts+d)*tb\\,{float(preparation.seconds) - 0.001:.6f})"
    times: dict[str, Any] = {
        "bsf:v": f"setts=time_base=1/{ticks}:prescale=1:pts={at.format('PTS')}:dts={at.format('DTS')}:duration={frame}",
        "video_track_timescale": ticks,
        "movie_timescale": ticks,
    }
    return {**times, "bsf:a": f"noise=amount=0:drop={beyond}"} if preparation.has_sound else times


async def _refuse_damaged(file: Path, work: _Work) -> None:
    """Unacceptable where a frame does not decode; nothing after this would notice."""
    try:
        await command.check_decodes(file, time_limit=work.within)
    except command.TookTooLong:
        raise
    except ToolFailed as error:
        raise Unacceptable(
            "is damaged: it does not decode to its end.",
            where=str(work.source),
            hint="Copy or export it again.",
        ) from error


# --- transcode ---------------------------------------------------------------------------------------------------------


async def _transcoded(work: _Work, draft: Path, on_progress: command.Progress | None) -> ClipFacts:
    """Climb down the ladder until the file is small enough; it has an end, so this cannot loop."""
    preparation, most = work.preparation, work.limits.max_bytes
    ceiling = bit_rate(preparation, most)
    for factor, share, size in _rungs(preparation, work.limits):
        streams = _graph(work.source, preparation, size)
        options = {**_options(preparation, factor, floor(ceiling * share)), "threads": work.threads}
        await _encode(work, draft, streams, options, on_progress)
        facts = await _in_thread(lambda: _probe_own(draft))
        if facts.bytes <= most:
            _check(facts, preparation, work.limits)
            return facts
    raise ToolFailed(f"{work.source.name} stays over {most} bytes at the strongest compression.")


def _rungs(preparation: ClipPreparation, limits: ClipLimits) -> Iterator[tuple[int, Fraction, tuple[int, int]]]:
    size = preparation.width, preparation.height
    for factor, share in LADDER:
        yield factor, share, size
    side = max(LAST_SIDE, limits.pixels[0])
    if min(size) > side:
        shrink = Fraction(side, min(size))
        yield (*LADDER[-1], (2 * round(size[0] * shrink / 2), 2 * round(size[1] * shrink / 2)))


def bit_rate(preparation: ClipPreparation, max_bytes: int) -> int:
    """Bits a second of picture under which the file stays below max_bytes, half a second of buffer included."""
    sound = SOUND_BITS * preparation.seconds if preparation.has_sound else Fraction(0)
    room = max_bytes * 8 * SAFETY - sound
    return max(min(floor(room / (preparation.seconds + Fraction(1, 2))), MOST_BITS), 1)


def _options(preparation: ClipPreparation, factor: int, bits: int) -> dict[str, Any]:
    ticks = _ticks(preparation.frame_rate)
    options: dict[str, Any] = {
        "f": "mp4",
        "c:v": "libx264",
        "preset": "veryfast",
        "crf": factor,
        # Frames looked ahead: where the size limit binds, 40 spend the bits better than the preset's 10 (VMAF: bench/).
        "rc-lookahead": LOOKAHEAD,
        "maxrate": bits,
        "bufsize": max(bits // 2, 1),
        "pix_fmt": "yuv420p",
        "video_track_timescale": ticks,
        "movie_timescale": ticks,
        "movflags": "+faststart",
        "map_metadata": -1,
        "map_chapters": -1,
    }
    return {**options, "c:a": "aac", "b:a": SOUND_BITS} if preparation.has_sound else options


def _ticks(rate: Fraction) -> int:
    """One time base for the track and the movie, in which a frame is a whole number of ticks: the length is then exact for
    every reader. ffmpeg 9 does so by itself; older ones round the movie up to a millisecond."""
    return rate.numerator * (1 if rate.numerator >= 10_000 else 1000)


async def _encode(
    work: _Work, draft: Path, streams: list[Any], options: dict[str, Any], on_progress: command.Progress | None
) -> None:
    seconds = work.preparation.seconds
    try:
        await command.write(
            draft, *streams, options=options, seconds=seconds, time_limit=work.within, on_progress=on_progress
        )
    except command.TookTooLong:
        raise
    except ToolFailed:
        # Is it the file or is it us? A damaged source is the user's to mend, with other words and another exit.
        await _refuse_damaged(work.source, work)
        raise


def _probe_own(draft: Path) -> ClipFacts:
    try:
        return probe.clip(draft)
    except Unacceptable as error:
        raise ToolFailed(f"ffmpeg made a file that {error.what}") from error


def _check(facts: ClipFacts, preparation: ClipPreparation, limits: ClipLimits) -> None:
    """ToolFailed unless the result is billed as the plan said and the model takes it."""
    planned, made = _hundredths(preparation.seconds), _hundredths(facts.seconds)
    if planned != made:
        raise ToolFailed(
            f"The prepared clip is {spoken_seconds(facts.seconds)} s long, and {spoken_seconds(preparation.seconds)} s "
            "were planned and priced.",
            hint=f"Set trim: 0s..{spoken_seconds(preparation.reads, down=True)}s: a trimmed clip is encoded to its length.",
        )
    if preparation.frames not in (None, facts.frames):
        raise ToolFailed(f"The prepared clip has {facts.frames} frames, and {preparation.frames} were planned.")
    low, high = limits.pixels
    if facts.bytes > limits.max_bytes or not all(low <= side <= high for side in (facts.width, facts.height)):
        raise ToolFailed(
            f"The prepared clip is {facts.width}x{facts.height} and {facts.bytes} bytes: outside the limits."
        )
    if facts.has_sound != preparation.has_sound or facts.has_private_metadata:
        raise ToolFailed("The prepared clip has other tracks or tags than were planned.")


def _hundredths(seconds: Fraction) -> int:
    return ceil(seconds * 100)


# --- the graph ---------------------------------------------------------------------------------------------------------


def _graph(source: Path, preparation: ClipPreparation, size: tuple[int, int]) -> list[Any]:
    """The streams of exactly `preparation.frames` frames, and of sound that ends just before the picture does."""
    options: dict[str, Any] = {"xerror": None, "t": _decimal(preparation.reads)}
    if preparation.start:
        options["ss"] = _decimal(preparation.start)
    if preparation.decoder:
        options["c:v"] = preparation.decoder
    file = command.source(source, **options)
    streams = [_picture(file["V:0"], preparation, size)]
    if preparation.has_sound:
        streams.append(_sound(file["a:0"], preparation))
    return streams


def _decimal(seconds: Fraction) -> str:
    """Microseconds rounded up, as ffmpeg reads them: never a frame less than the window holds."""
    return f"{ceil(seconds * 10**6)}us"


def _picture(stream: Any, preparation: ClipPreparation, size: tuple[int, int]) -> Any:
    if preparation.deinterlace:
        stream = stream.filter("bwdif", mode="send_frame", deint="all")
    if preparation.flatten:
        stream = _on_white(stream, preparation)
    # start_time fills a late start with the first picture; the frames are counted out below, so the end cannot drift.
    stream = stream.filter("fps", fps=_ratio(preparation.frame_rate), start_time=0)
    stream = _sized(stream, preparation, size)
    stream = _counted(stream, preparation)
    tags = {"range": "tv", "color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709"}
    return stream.filter("setsar", 1).filter("format", "yuv420p").filter("setparams", **tags)


def _ratio(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"


def _counted(stream: Any, preparation: ClipPreparation) -> Any:
    """Exactly `frames` frames: the last one stands for those that are planned beyond the end of the source.

    Half a second more is allowed for a last frame that is shown longer than the others; a source that ends sooner than
    its index says still comes out too short, and is refused.
    """
    frames = preparation.frames or 0
    frozen = max(preparation.seconds - preparation.reads, Fraction(0)) + Fraction(1, 2)
    stream = stream.filter("tpad", stop_mode="clone", stop=ceil(frozen * preparation.frame_rate))
    return stream.filter("trim", end_frame=frames).filter("setpts", "N/(FR*TB)")


def _sound(stream: Any, preparation: ClipPreparation) -> Any:
    """Stereo, in step with the picture, and of whole AAC packets that end before it: it never lengthens the clip.

    The encoder adds one packet in front, which some readers count; so one less is kept.
    """
    samples = (floor(preparation.seconds * SAMPLE_RATE / PACKET) - 1) * PACKET
    stream = stream.filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0})
    stream = stream.filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
    return stream.filter("apad", whole_len=samples).filter("atrim", end_sample=samples)


def _on_white(stream: Any, preparation: ClipPreparation) -> Any:
    # Said to the filter that converts: ffmpeg may put its own, which takes BT.601 for granted, in front of a mere tag.
    halves = stream.filter("scale", **_read_as(preparation)).filter("format", "gbrap").filter_multi_output("split")
    ground = halves.stream(0).filter("drawbox", color="white@1", t="fill", replace=1)
    return ffmpeg.filter([ground, halves.stream(1)], "overlay", format="gbrp")


def _sized(stream: Any, preparation: ClipPreparation, size: tuple[int, int]) -> Any:
    if preparation.framing == "native":
        return _colours(stream, preparation, size)
    square = stream.filter("scale", "trunc(iw*sar/2)*2", "trunc(ih/2)*2").filter("setsar", 1)
    if preparation.framing == "crop":
        return _colours(_covering(square, size, preparation.course), preparation, size)
    halves = square.filter_multi_output("split")
    # Blurred at a quarter of the size: what remains visible is the same at a sixteenth of the work.
    small = (max(size[0] // 8, 1) * 2, max(size[1] // 8, 1) * 2)
    ground = _covering(halves.stream(0), small).filter("gblur", sigma=6).filter("scale", *size)
    front = halves.stream(1).filter("scale", *size, flags="lanczos", force_original_aspect_ratio="decrease")
    padded = ffmpeg.filter([ground, front], "overlay", "(W-w)/2", "(H-h)/2", format="auto")
    return _colours(padded, preparation, size)


def _covering(stream: Any, size: tuple[int, int], way: Course = ()) -> Any:
    """Scaled until it covers this size, and cut to it: in the middle, or along this way of the window."""
    stream = stream.filter("scale", *size, flags="lanczos", force_original_aspect_ratio="increase")
    if not way:
        return stream.filter("crop", *size)
    along = reframe.course([(float(second), float(place)) for second, place in way], 1)
    return stream.filter("crop", *size, x=f"(iw-ow)*({along})", y=f"(ih-oh)*({along})")


def _colours(stream: Any, preparation: ClipPreparation, size: tuple[int, int]) -> Any:
    """To this size and to BT.709 in 8 bits; HDR by a tone curve (a plain change of format looks washed out: measured)."""
    is_rgb = preparation.matrix == "rgb" or preparation.flatten
    if preparation.transfer == "sdr" and preparation.primaries == "bt709":
        tags = {"out_color_matrix": "bt709", "out_range": "tv", **({} if is_rgb else _read_as(preparation))}
        return stream.filter("scale", *size, flags="lanczos", **tags)
    stream = stream.filter("scale", *size, flags="lanczos")
    stream = stream.filter("setparams", colorspace="gbr", range="pc") if is_rgb else _told(stream, preparation)
    stream = stream.filter("setparams", color_primaries=_PRIMARIES[preparation.primaries], color_trc="bt709")
    if preparation.transfer == "sdr":
        return stream.filter("zscale", p="bt709", t="bt709", m="bt709", r="tv")
    curve = {"pq": "smpte2084", "hlg": "arib-std-b67"}[preparation.transfer]
    stream = stream.filter("setparams", color_primaries="bt2020", color_trc=curve)
    # Without agamma=0 the light of HLG is raised channel by channel, and strong colours are 50 codes off (measured).
    stream = stream.filter("zscale", t="linear", npl=203, agamma=0).filter("format", "gbrpf32le")
    stream = stream.filter("zscale", p="bt709").filter("tonemap", "mobius", desat=0)
    return stream.filter("zscale", t="bt709", m="bt709", r="tv")


def _told(stream: Any, preparation: ClipPreparation) -> Any:
    """Tagged with the matrix and the range that the pictures are in: phones leave tags out, and without all of them zscale
    finds "no path between colorspaces"."""
    matrix = _MATRICES["bt2020" if preparation.transfer != "sdr" else preparation.matrix]
    return stream.filter("setparams", colorspace=matrix, range="pc" if preparation.full_range else "tv")


def _read_as(preparation: ClipPreparation) -> dict[str, str]:
    """How ffmpeg's scale has to read the source; nothing for one that is RGB itself."""
    if preparation.matrix == "rgb":
        return {}
    matrix = "bt2020" if preparation.transfer != "sdr" else preparation.matrix
    return {"in_color_matrix": matrix, **({"in_range": "pc"} if preparation.full_range else {})}


async def _in_thread(function: Callable[[], Result]) -> Result:
    """Run in a thread, to its end even when cancelled: until then its files are not ours to remove."""
    work = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(work)
    finally:
        if not work.done():
            await asyncio.wait([work])
