"""What is there to work with: which ffmpeg runs here and what it can do, and which PyAV probes."""

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import ffmpeg

from callsheet.errors import ToolMissing
from callsheet.limits import ClipFacts
from callsheet.media import command

#: It prints a few hundred lines; a cold start from a slow disk is what takes long.
ASK_LIMIT = timedelta(seconds=20)
#: Seconds of the film that is made for a trial, and how long that may take.
TRIED, TRY_LIMIT = 1, timedelta(seconds=60)

#: ` V....D libx264   libx264 H.264 …` and ` .S zscale   V->V   …`: flags, a name, the rest.
_ROW = re.compile(r"^[A-Z.]{2,6} (\S+) ")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """An ffmpeg that runs. version is its own word, as 9.0.2 or N-118…"""

    version: str
    encoders: frozenset[str]
    filters: frozenset[str]


async def inspect() -> Tool:
    """Ask ffmpeg what it is and can do. ToolMissing where none runs, ToolFailed where it ends badly."""
    return Tool(version=await version(), encoders=await _listed("-encoders"), filters=await _listed("-filters"))


#: What was asked once, by the path of the binary: every document of a run tells it.
_versions: dict[str, str] = {}


async def version() -> str:
    """In ffmpeg's own word. ToolMissing, ToolFailed."""
    binary = command.binary()
    if binary not in _versions:
        _versions[binary] = await _asked_version()
    return _versions[binary]


async def _asked_version() -> str:
    said = " ".join(await command.ask("-version", time_limit=ASK_LIMIT))
    found = re.search(r"ffmpeg version n?(\d+(?:\.\d+)*|\S+)", said)
    if found is None:
        raise ToolMissing(
            f"{command.binary()} is not an ffmpeg.", hint="Unset IMAGEIO_FFMPEG_EXE, or set it to a working ffmpeg."
        )
    return found[1]


async def _listed(what: str) -> frozenset[str]:
    rows = (_ROW.match(f"{line} ") for line in await command.ask(what, time_limit=ASK_LIMIT))
    return frozenset(row[1] for row in rows if row)


async def try_out(folder: Path) -> ClipFacts:
    """Make a second of film in this folder, decode it, and say what the probe takes it for. MediaError."""
    film = folder / "film.mp4"
    picture = ffmpeg.input(f"testsrc2=size=160x96:rate=24:duration={TRIED}", f="lavfi")
    sound = ffmpeg.input(f"sine=duration={TRIED}", f="lavfi")
    options = {"c:v": "libx264", "c:a": "aac", "pix_fmt": "yuv420p"}
    await command.write(film, picture, sound, options=options, seconds=TRIED, time_limit=TRY_LIMIT)
    await command.check_decodes(film, time_limit=TRY_LIMIT)
    from callsheet.media import probe

    return await asyncio.to_thread(probe.clip, film)


def pyav_version() -> str:
    """The version of PyAV, which has to be loaded for that: its libraries are what may not fit. ToolMissing."""
    try:
        import av
    except ImportError as error:
        raise ToolMissing(f"PyAV cannot be loaded: {error}.", hint="Install it again: pip install av") from error
    return av.__version__
