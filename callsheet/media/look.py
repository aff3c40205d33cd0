"""A film made small: every frame 160 pixels long and its sound as a telephone has it. What the quality checks measure.

It comes from the one decode that every result goes through anyway, in ffmpeg's own process under its limits; what is read
here is the uncompressed file that our ffmpeg wrote.
"""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from callsheet.errors import ToolFailed
from callsheet.limits import ClipFacts
from callsheet.media import frames as pictures
from callsheet.media.command import PROTOCOLS, source, write

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float64]
Samples = NDArray[np.float32]

#: Pixels of the long side: what people see of a defect is there, and noise and encoding mostly are not.
LONG_SIDE = 160
#: Samples of sound a second.
SAMPLE_RATE = 8000
#: Frames that are looked at: a minute at 60 a second, 80 MB. The models' longest film has 30 seconds.
MOST_FRAMES = 3600
#: Seconds that anything in a film may lie behind the end that its headers tell.
OVERRUN = 1.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """times: of each frame, seconds from the beginning of the file. luma: (count, height, width); chroma: (count, 2, half the
    height, half the width). sound: -1 to 1, mono, from second 0; None for no track. poster: the frame in the middle as a JPEG
    (`media.frames`); None where the film is over before."""

    facts: ClipFacts
    times: Numbers
    luma: Pixels
    chroma: Pixels
    sound: Samples | None
    poster: bytes | None = None

    @property
    def rate(self) -> float:
        """Frames a second as they are shown."""
        span = float(self.times[-1] - self.times[0])
        return (len(self.times) - 1) / span if span > 0 else float(self.facts.frame_rate)

    @property
    def end(self) -> float:
        """Second in which the last frame ends."""
        return float(self.times[-1]) + 1 / max(self.rate, 1.0)


class TooLong(ToolFailed):
    """More frames than are looked at. Says nothing about the file."""


async def of_film(path: Path, facts: ClipFacts, *, time_limit: timedelta) -> Look:
    """Decode every frame of the picture and the first sound track, once. ToolFailed at the first error in either.

    TooLong before anything is decoded, or at the frame where it is: then nothing is known of the rest.
    """
    if facts.seconds * facts.frame_rate > MOST_FRAMES:
        raise TooLong(f"it has more than {MOST_FRAMES} frames.")
    width, height = _small(facts)
    file = source(path, xerror=None)
    both = file["V:0"].filter_multi_output("split")
    picture = both[0].filter("scale", width, height, flags="area", out_range="tv").filter("format", "yuv420p")
    middle = both[1].filter("select", f"if(isnan(prev_selected_t),gte(t,{float(facts.seconds / 2):.6f}),0)")
    streams = [picture, pictures.small(middle).filter("format", "rgb24")]
    if facts.has_sound:
        sound = file["a:0"].filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0})
        sound = sound.filter(
            "atrim", end=float(facts.seconds) + OVERRUN
        )  # where times lie, silence is filled in for hours
        streams.append(sound.filter("aformat", sample_fmts="s16", channel_layouts="mono"))
    with tempfile.TemporaryDirectory(prefix="callsheet-") as folder:
        small = Path(folder) / "look.nut"
        await write(small, *streams, options=_options(facts), seconds=facts.seconds, time_limit=time_limit)
        return _read(small, facts, (width, height))


def _small(facts: ClipFacts) -> tuple[int, int]:
    scale = LONG_SIDE / max(facts.width, facts.height)
    width, height = (max(16, round(side * scale / 2) * 2) for side in (facts.width, facts.height))
    return width, height


def _options(facts: ClipFacts) -> dict[str, Any]:
    picture = {"c:v": "rawvideo", "fps_mode": "passthrough", "frames:v:0": MOST_FRAMES + 1}
    sound = {"c:a": "pcm_s16le"} if facts.has_sound else {}
    return {"f": "nut", **picture, **sound, "map_metadata": -1, "map_chapters": -1}


def _read(small: Path, facts: ClipFacts, size: tuple[int, int]) -> Look:
    """Packets of uncompressed frames are the frames themselves: nothing is decoded here."""
    width, height = size
    area = width * height
    frames: list[Pixels] = []
    times: list[float] = []
    heard: list[NDArray[np.int16]] = []
    poster: bytes | None = None
    with av.open(f"file:{small}", options={"protocol_whitelist": PROTOCOLS, "format_whitelist": "nut"}) as container:
        still = container.streams.video[1]
        for packet in container.demux():
            if not packet.size or packet.pts is None or packet.time_base is None:
                continue
            if packet.stream.index == 1:
                pixels = np.frombuffer(bytes(packet), dtype=np.uint8)
                poster = pictures.jpeg(pixels.reshape(still.height, still.width, 3))
            elif packet.stream.type == "video":
                frames.append(np.frombuffer(bytes(packet), dtype=np.uint8, count=area * 3 // 2))
                times.append(float(Fraction(packet.pts) * packet.time_base))
            else:
                heard.append(np.frombuffer(bytes(packet), dtype=np.int16))
    if not frames:
        raise ToolFailed("no frame of the video can be decoded.")
    if len(frames) > MOST_FRAMES:
        raise TooLong(f"it has more than {MOST_FRAMES} frames.")
    if times[-1] > facts.seconds + OVERRUN:
        raise ToolFailed(f"it says that it is {float(facts.seconds):.1f} s long, and has frames at {times[-1]:.1f} s.")
    whole = np.stack(frames)
    return Look(
        facts=facts,
        times=np.asarray(times),
        luma=whole[:, :area].reshape(-1, height, width),
        chroma=whole[:, area:].reshape(-1, 2, height // 2, width // 2),
        poster=poster,
        sound=np.concatenate(heard).astype(np.float32) / np.float32(32768) if heard else None,
    )
