"""The one doorway to the ffmpeg binary: graph in, finished file out, nothing half-written left behind.

A caller builds a graph with `source()` and ffmpeg-python's filters and hands its streams to `write()`. Whatever the file
claims to be, ffmpeg reads local files of known containers only: `-protocol_whitelist file` alone still lets a text file
named .mp4 read its neighbours through the concat demuxer; `-format_whitelist` is what stops that (measured, ffmpeg 9.0).
"""

import asyncio
import errno
import os
import resource
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from fractions import Fraction
from functools import cache
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg

from callsheet.errors import CannotWrite, ToolFailed, ToolMissing

#: Containers that ffmpeg may open. No playlist (hls, concat, dash) is among them: those read other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,gif,flv,mxf,asf,ogg"
#: Still images, one file each; only for sources of our own making.
STILL_FORMATS = "image2,png_pipe,jpeg_pipe,webp_pipe"
PROTOCOLS = "file"
#: Pixels of one frame above which ffmpeg refuses to decode (8K is 33 million).
MAX_PIXELS = 67_108_864

#: Bytes of one file that ffmpeg may write (ours stay far below), and of its address space.
MAX_FILE = 4 << 30
MEMORY = 16 << 30

#: x264 does not finish within seconds of SIGTERM (it flushes its look-ahead), so it gets this long, then SIGKILL.
GRACE = timedelta(milliseconds=500)

#: Bytes of one line that ffmpeg may print; its messages quote names and tags of the file.
MAX_LINE = 1_048_576

#: What ffmpeg says when the disk and not the clip is at fault: at any time, and of an output that it cannot open.
_DISK_WORDS = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))
_FOLDER_WORDS = tuple(os.strerror(number) for number in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR))
_CANNOT_OPEN = "Error opening output files: "

Progress = Callable[[float], None]

_serial = count()


class TookTooLong(ToolFailed):
    """ffmpeg passed its time limit and was stopped: says nothing about the file."""


@cache
def binary() -> str:
    """The ffmpeg of the imageio-ffmpeg wheel (or of IMAGEIO_FFMPEG_EXE, which that package reads). ToolMissing if none."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise ToolMissing(
            f"No ffmpeg for this machine: {error}.",
            hint="Install the package imageio-ffmpeg for your platform, or set IMAGEIO_FFMPEG_EXE to an ffmpeg 6 or newer.",
        ) from error


def cores() -> int:
    """Processors that this process may use: of the machine, of its affinity, of its container's quota."""
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no container, or one without a quota ("max")
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        may = min(may, ceil(int(quota) / int(period)))
    return max(may, 1)


def abreast() -> int:
    """How many ffmpeg may prepare clips at a time: one for two cores is within 8 % of anything cleverer (measured)."""
    return max(1, cores() // 2)


def source(path: Path, **options: Any) -> Any:
    """A video or sound input of a graph: local file, known container, bounded frame size."""
    return ffmpeg.input(
        f"file:{path.absolute()}",
        **{"protocol_whitelist": PROTOCOLS, "format_whitelist": FORMATS, "max_pixels": MAX_PIXELS, **options},
    )


def still(path: Path, **options: Any) -> Any:
    """A still image of our own making as an input of a graph."""
    return source(path, **{"format_whitelist": STILL_FORMATS, **options})


async def write(
    target: Path,
    *streams: Any,
    options: dict[str, Any],
    seconds: Fraction | float,
    time_limit: timedelta,
    on_progress: Progress | None = None,
) -> None:
    """Run the graph of `streams` into `target`: to a temporary name beside it, synced, then renamed over it.

    options: ffmpeg's output options. seconds: expected length of the output, for `on_progress(0.0 .. 1.0)`.
    Raises ToolFailed when ffmpeg fails or passes time_limit (wall clock), CannotWrite for a full disk or a folder that is
    not ours. On failure and on cancellation ffmpeg is ended and the temporary file removed.
    """
    part = target.with_name(f".{target.stem}.part-{os.getpid()}-{next(_serial)}{target.suffix}")
    graph = ffmpeg.output(*streams, f"file:{part.absolute()}", **options)
    head = [binary(), "-hide_banner", "-nostdin", "-loglevel", "error", "-nostats", "-progress", "pipe:1"]
    arguments = ffmpeg.compile(graph, cmd=[*head, "-stats_period", "0.25"], overwrite_output=True)
    with written_to(target.parent):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            await _run(arguments, time_limit, _progress(float(seconds), on_progress))
            _sync(part)
            part.replace(target)
        except _DiskFailed as failed:
            raise CannotWrite(f"{target.parent} cannot be written: {failed.what}.", hint=_OTHER_FOLDER) from None
        finally:
            remove(part)


_OTHER_FOLDER = "Make room there, or use another folder."


class _DiskFailed(ToolFailed):
    """ffmpeg could not write; in its words."""


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """CannotWrite for what the system says of files in this folder meanwhile, whatever it is."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise CannotWrite(f"{folder} cannot be written: {why}.", hint=_OTHER_FOLDER) from error


def remove(part: Path) -> None:
    """Remove a temporary file; where its folder is none, there is nothing to remove."""
    with suppress(NotADirectoryError):
        part.unlink(missing_ok=True)


def _sync(part: Path) -> None:
    """To the disk. ToolFailed for no file or an empty one: ffmpeg may end with 0 when the graph gave no frame."""
    try:
        with part.open("rb") as written:
            os.fsync(written.fileno())
            size = os.fstat(written.fileno()).st_size
    except FileNotFoundError:
        size = 0
    if size == 0:
        raise ToolFailed("ffmpeg wrote nothing: the graph gave no frame.")


async def check_decodes(path: Path, *, time_limit: timedelta) -> None:
    """Decode every frame of the first video stream. ToolFailed at the first error.

    ffmpeg ends with 0 on a clip with 57 broken frames unless told `-xerror` (measured); this is for files that are
    about to be passed on without a re-encode, where nothing else would notice.
    """
    video = source(path, xerror=None)["V:0"]
    graph = ffmpeg.output(video, "pipe:", f="null")
    head = [binary(), "-hide_banner", "-nostdin", "-loglevel", "error", "-nostats", "-progress", "pipe:1"]
    await _run(ffmpeg.compile(graph, cmd=[*head, "-stats_period", "5"]), time_limit, _progress(0.0, None))


async def ask(*words: str, time_limit: timedelta) -> tuple[str, ...]:
    """What ffmpeg prints about itself, line by line: `ask("-version", …)`. ToolMissing, ToolFailed."""
    lines: list[str] = []
    await _run([binary(), "-hide_banner", *words], time_limit, lines.append)
    return tuple(lines)


async def _run(arguments: list[str], time_limit: timedelta, on_line: Callable[[str], None]) -> None:
    """Run ffmpeg to its end; `on_line` hears its standard output."""
    process = await _start(arguments, time_limit)
    complaints: deque[str] = deque(maxlen=40)
    try:
        async with asyncio.timeout(time_limit.total_seconds()):
            await asyncio.gather(_hear(process.stdout, on_line), _hear(process.stderr, complaints.append))
            await process.wait()
    except TimeoutError:
        raise TookTooLong(
            f"ffmpeg was still working after {time_limit.total_seconds():.0f} s and was stopped."
        ) from None
    finally:
        await _end(process)
    if process.returncode != 0:
        if process.returncode == -signal.SIGXFSZ:
            raise _DiskFailed(os.strerror(errno.EFBIG))
        said = "; ".join(complaints) or "no message"
        if failed := _of_the_disk(said):
            raise _DiskFailed(failed)
        raise ToolFailed(f"ffmpeg ended with {process.returncode}: {said[-600:]}")


def _of_the_disk(said: str) -> str:
    """Why ffmpeg could not write, if that is what it complains of."""
    of_the_folder = next((words for words in _FOLDER_WORDS if _CANNOT_OPEN + words in said), "")
    return of_the_folder or next((words for words in _DISK_WORDS if words in said), "")


async def _start(arguments: list[str], time_limit: timedelta) -> asyncio.subprocess.Process:
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE,
            env={"LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
    except OSError as error:
        raise ToolMissing(
            f"ffmpeg cannot be started: {error.strerror or error}.", hint="Set IMAGEIO_FFMPEG_EXE to a working ffmpeg."
        ) from error
    _bound(process.pid, time_limit)
    return process


def _bound(process: int, time_limit: timedelta) -> None:
    """A hostile clip can make ffmpeg write or remember without end; Linux ends it then. Elsewhere the time limit does.

    The processor time is what all cores can give within the time limit: it ends an ffmpeg whose own process was killed,
    and that nobody waits for any more.
    """
    if not hasattr(resource, "prlimit"):
        return
    work = ceil(time_limit.total_seconds() * cores())
    bounds = (
        (resource.RLIMIT_FSIZE, MAX_FILE),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, work),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, most in bounds:
        with suppress(OSError, ValueError):  # it has ended already
            # Never above what it is bound to already: root could.
            set_already = [one for one in resource.prlimit(process, kind) if one != resource.RLIM_INFINITY]
            tightest = min([most, *set_already])
            resource.prlimit(process, kind, (tightest, tightest))


def _progress(seconds: float, on_progress: Progress | None) -> Callable[[str], None]:
    """Reads the `key=value` blocks of `-progress`; the time is microseconds or N/A."""

    def hear(line: str) -> None:
        key, _, value = line.partition("=")
        if on_progress and seconds > 0 and key == "out_time_us" and value.lstrip("-").isdigit():
            on_progress(min(max(int(value) / 1e6 / seconds, 0.0), 1.0))

    return hear


async def _hear(pipe: asyncio.StreamReader | None, on_line: Callable[[str], None]) -> None:
    async for line in _lines(pipe):
        on_line(line)


async def _lines(pipe: asyncio.StreamReader | None) -> AsyncIterator[str]:
    if pipe is None:
        return
    while chunk := await pipe.readline():
        yield chunk.decode(errors="replace").strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Make sure that no ffmpeg of ours outlives the call, whatever happened; cancelled again meanwhile, kill at once.

    The end of a killed process is waited for, however often the caller is cancelled: until then its files are not ours
    to remove, and its pipes would be closed by chance.
    """
    if process.returncode is not None:
        return
    ended = asyncio.ensure_future(process.wait())
    interrupted: asyncio.CancelledError | None = None
    _signal(process, signal.SIGTERM)
    while not ended.done():
        try:
            await asyncio.wait([ended], timeout=GRACE.total_seconds())
        except asyncio.CancelledError as error:
            interrupted = error
        if not ended.done():
            _signal(process, signal.SIGKILL)
    if interrupted is not None:
        raise interrupted


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
