"""Clips for the media benches, made from the sample footage; and bare ffmpeg, as a person would type it."""

import json
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from callsheet.media import command

ROOT = Path(__file__).parents[1]
SAMPLES = sorted((ROOT / "media/clips").glob("*.mp4"))
BUNNY = next(path for path in SAMPLES if path.stem == "bunny")


def ffmpeg(*words: str | Path) -> float:
    """Run it; seconds of the clock."""
    began = time.perf_counter()
    done = subprocess.run(
        [command.binary(), "-v", "error", "-nostdin", "-y", *map(str, words)], capture_output=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg {' '.join(map(str, words))}: {done.stderr.decode(errors='replace')[-1000:]}")
    return time.perf_counter() - began


def large(folder: Path) -> Path:
    """1920x1080 at 30 frames a second, 9 s with sound, at a rate that a camera would choose."""
    target = folder / "large.mp4"
    ffmpeg(
        *("-stream_loop", "2", "-i", BUNNY, "-f", "lavfi", "-i", "sine=440:r=48000:d=8.9", "-t", "9"),
        *("-map", "0:v", "-map", "1:a", "-vf", "scale=1920:1080,fps=30,noise=alls=3:allf=t"),
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", "17", "-pix_fmt", "yuv420p", "-c:a", "aac", target),
    )
    return target


def as_matroska(clip: Path) -> Path:
    """The same streams in a container that the models do not take."""
    target = clip.with_suffix(".mkv")
    ffmpeg("-i", clip, "-c", "copy", target)
    return target


def encode(
    source: Path, target: Path, *, start: float, seconds: float, rate: Sequence[str], extra: Sequence[str] = ()
) -> float:
    """The plain command for what a transcode of ours does; seconds of the clock."""
    return ffmpeg(
        *("-ss", f"{start}", "-t", f"{seconds}", "-i", str(source), "-c:v", "libx264", "-preset", "veryfast", *rate),
        *("-pix_fmt", "yuv420p", *extra, "-movflags", "+faststart", str(target)),
    )


def two_pass(source: Path, target: Path, *, seconds: float, bits: int) -> None:
    """Average bit rate in two passes: what is usually advised for a size limit."""
    log = str(target.with_suffix(".log"))
    for number in (1, 2):
        out = ("-f", "null", "-") if number == 1 else ("-movflags", "+faststart", str(target))
        ffmpeg(
            *("-t", f"{seconds}", "-i", source, "-an", "-c:v", "libx264", "-preset", "veryfast", "-b:v", f"{bits}"),
            *("-pass", f"{number}", "-passlogfile", log, "-pix_fmt", "yuv420p", *out),
        )


def vmaf(made: Path, source: Path, *, seconds: float) -> float:
    """How like the source it looks, 0 to 100, pooled over frames (libvmaf's own model)."""
    log = made.with_suffix(".vmaf.json")
    compared = f"[a][b]libvmaf=log_fmt=json:log_path={_plain(log)}:n_threads=2"
    # Colours by other names would be converted on one side only.
    alike = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709,setpts=PTS-STARTPTS"
    graph = f"[0:v]{alike}[a];[1:v]{alike}[b];{compared}"
    ffmpeg("-i", made, "-t", f"{seconds}", "-i", source, "-lavfi", graph, "-f", "null", "-")
    return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"])


def _plain(path: Path) -> str:
    """A path inside a filter graph, where a colon and a quote mean something."""
    text = str(path)
    if re.search(r"[:'\\,;\[\]]", text):
        raise RuntimeError(f"{text} cannot stand in a filter graph; set TMPDIR to a plain folder.")
    return text
