"""Preparation of clips, against the ffmpeg that a person would run by hand."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from statistics import mean, median

import httpx

from bench import footage
from bench.authoring import lay_out
from bench.row import Row
from callsheet import catalogue
from callsheet.limits import ClipPreparation, clip_preparation
from callsheet.media import clips, command, probe
from callsheet.steps import prepare, stage, studio
from callsheet.steps.studio import Studio

MODEL = "kling-o1-video-edit"
LIMITS = catalogue.model(MODEL).clip_limits
START, SECONDS = Fraction(1, 2), Fraction(7)
#: Shares of what a clip takes without a limit: where the limit binds a little, and where it binds hard.
SHARES = (Fraction(7, 10), Fraction(2, 5))


#: What makes a clip too large for its seconds is grain: without it 100 MB are never reached at 1080 lines.
GRAIN = "scale=-2:720,fps=30,noise=alls=12:allf=t"


def rows(folder: Path) -> Iterator[Row]:
    """Everything in this folder, which is there afterwards."""
    folder.mkdir(parents=True)
    large = footage.large(folder)
    yield from _one(folder, large)
    yield from _many(folder, large)
    yield from _limited(folder)
    yield _once(folder / "studio")
    yield _naive(folder / "shared", large)


def _preparation(source: Path, *, start: Fraction | None = None, end: Fraction | None = None) -> ClipPreparation:
    return clip_preparation(probe.clip(source), LIMITS, start=start, end=end)


def _clock(source: Path, preparation: ClipPreparation, target: Path, threads: int = 0) -> float:
    began = time.perf_counter()
    asyncio.run(clips.prepare(source, preparation, target, LIMITS, threads=threads))
    return time.perf_counter() - began


def _decoded(clip: Path) -> float:
    """The check of everything that is copied: one broken frame in it would be paid for."""
    began = time.perf_counter()
    asyncio.run(command.check_decodes(clip, time_limit=timedelta(minutes=5)))
    return time.perf_counter() - began


def _by_hand(source: Path, target: Path, start: Fraction, preparation: ClipPreparation) -> float:
    bits = clips.bit_rate(preparation, LIMITS.max_bytes)
    return footage.encode(
        source,
        target,
        start=float(start),
        seconds=float(SECONDS),
        rate=("-crf", "18", "-rc-lookahead", str(clips.LOOKAHEAD), "-maxrate", str(bits), "-bufsize", str(bits // 2)),
        extra=("-c:a", "aac", "-b:a", str(clips.SOUND_BITS)),
    )


def _one(folder: Path, large: Path) -> Iterator[Row]:
    """One transcode, one remux."""
    matroska = footage.as_matroska(large)
    cut, whole = _preparation(large, start=START, end=START + SECONDS), _preparation(matroska)
    if (cut.decision, whole.decision) != ("transcode", "remux"):
        raise RuntimeError(f"these are not a transcode and a remux: {cut.decision}, {whole.decision}")
    turns = [
        (
            _clock(large, cut, folder / "cut.mp4"),
            _by_hand(large, folder / "hand.mp4", START, cut),
            _clock(matroska, whole, folder / "whole.mp4"),
            _clock(large, _preparation(large, start=Fraction(1, 30)), folder / "all.mp4"),
            _decoded(matroska),
        )
        for _ in range(3)
    ]
    ours, theirs, remux, transcode, decoded = (min(times) for times in zip(*turns, strict=True))
    yield Row(
        what="transcode, 7 s of 1080p", ours=ours, against="bare ffmpeg, same settings", theirs=theirs, at_most=1.1
    )
    yield Row(
        what="transcode, 9 s of 1080p",
        ours=transcode,
        against="remux, less its check",
        theirs=max(remux - decoded, 1e-3),
        at_least=20,
    )
    yield Row(
        what="transcode, 9 s of 1080p", ours=transcode, against="remux and the check that it decodes", theirs=remux
    )


def _many(folder: Path, large: Path) -> Iterator[Row]:
    """Four clips at once as a run does it, and one after the other by hand, before and after."""
    starts = [Fraction(number, 4) for number in range(4)]
    cuts = [_preparation(large, start=start, end=start + SECONDS) for start in starts]

    async def all_of_them() -> None:
        abreast = command.abreast()
        gate, threads = asyncio.Semaphore(abreast), command.cores() // abreast if abreast > 1 else 0

        async def one(number: int) -> None:
            async with gate:
                target = folder / f"many-{number}.mp4"
                await clips.prepare(large, cuts[number], target, LIMITS, threads=threads)

        await asyncio.gather(*(one(number) for number in range(len(cuts))))

    def by_hand() -> float:
        return sum(_by_hand(large, folder / "hand.mp4", start, cut) for start, cut in zip(starts, cuts, strict=True))

    before = by_hand()
    began = time.perf_counter()
    asyncio.run(all_of_them())
    ours = time.perf_counter() - began
    theirs = (before + by_hand()) / 2
    yield Row(
        what="4 transcodes, as a run does", ours=ours, against="ffmpeg, one after the other", theirs=theirs, at_most=1.1
    )


def _limited(folder: Path) -> Iterator[Row]:
    """Where the size limit binds: never passed, used well, and at least as good as two passes of average bit rate."""
    used: list[float] = []
    ours: list[float] = []
    theirs: list[float] = []
    for sample in footage.SAMPLES[1:]:
        source = folder / f"limited-{sample.name}"
        footage.ffmpeg("-t", "5", "-i", sample, "-an", "-vf", GRAIN, "-c:v", "libx264", "-crf", "10", source)
        cut = _preparation(source, start=Fraction(0), end=Fraction("3.5"))
        free = asyncio.run(clips.prepare(source, cut, folder / "free.mp4", LIMITS))
        for share in SHARES:
            limits = replace(LIMITS, max_bytes=int(free.bytes * share))
            made = asyncio.run(clips.prepare(source, cut, folder / "made.mp4", limits))
            bits = clips.bit_rate(cut, limits.max_bytes)
            footage.two_pass(source, folder / "two.mp4", seconds=float(cut.seconds), bits=bits)
            used.append(made.bytes / limits.max_bytes)
            ours.append(footage.vmaf(folder / "made.mp4", source, seconds=float(cut.seconds)))
            theirs.append(footage.vmaf(folder / "two.mp4", source, seconds=float(cut.seconds)))
    yield Row(what="size, the largest of the limit", ours=max(used), against="limit", theirs=1, unit="", at_most=1)
    yield Row(
        what="size, the median of the limit", ours=median(used), against="limit", theirs=1, unit="", at_least=0.85
    )
    yield Row(
        what="VMAF where the limit binds",
        ours=mean(ours),
        against="two passes, average rate",
        theirs=mean(theirs),
        unit="",
        at_least=1,
    )


def _once(folder: Path) -> Row:
    """40 clips by 300 variants: every variant is prepared, and the encodes are counted."""
    lay_out(folder)
    clip = footage.BUNNY.relative_to(footage.ROOT)
    lines = [
        "campaign: once",
        f"model: {MODEL}",
        "clips:",
        *(f"  clip-{n}: {{source: {clip}, trim: {n / 100:.2f}s..{3 + n / 100:.2f}s}}" for n in range(40)),
        "prompts:",
        *(f"  prompt-{n}: Number {n} of the series." for n in range(100)),
        "aspect_ratios: [16:9, 9:16, 1:1]",
    ]
    spec = folder / "specs/once.yaml"
    spec.write_text("\n".join(lines) + "\n")

    async def every_variant() -> int:
        async with studio.opened(spec, sandbox=True) as at:
            labels = [line.variant.label for line in at.plan.lines]
            await asyncio.gather(*(prepare.prepare(label) for label in labels))
            return len(labels)

    variants = asyncio.run(every_variant())
    made = len(list((folder / ".callsheet/cache/clips").glob("[!.]*.mp4")))
    return Row(what=f"preparations of {variants:,} variants", ours=made, against="clips", theirs=40, unit="", at_most=1)


def _naive(folder: Path, large: Path) -> Row:
    """Twelve variants of two clips, prepared and uploaded, against a script that does both for each variant in turn."""
    lay_out(folder)
    shutil.copy(large, folder / "media/large.mp4")
    cuts = {f"cut-{number}": Fraction(number, 2) for number in range(2)}
    lines = [
        "campaign: naive",
        f"model: {MODEL}",
        "clips:",
        *(
            f"  {name}: {{source: media/large.mp4, trim: {float(s)}s..{float(s + SECONDS)}s}}"
            for name, s in cuts.items()
        ),
        "prompts: {one: Number one., two: Number two., three: Number three.}",
        "aspect_ratios: [16:9, 9:16]",
    ]
    spec = folder / "specs/naive.yaml"
    spec.write_text("\n".join(lines) + "\n")

    async def both() -> tuple[float, float]:
        async with studio.opened(spec, sandbox=True) as at:
            labels = [line.variant.label for line in at.plan.lines]
            began = time.perf_counter()
            await asyncio.gather(*(prepare.prepare(label) for label in labels))
            await asyncio.gather(*(stage.stage(label) for label in labels))
            ours = time.perf_counter() - began
            began = time.perf_counter()
            for line in at.plan.lines:
                made = folder / "one.mp4"
                start = cuts[line.variant.clip]
                _by_hand(large, made, start, _preparation(large, start=start, end=start + SECONDS))
                await _uploaded(at, made)
            return ours, time.perf_counter() - began

    ours, theirs = asyncio.run(both())
    return Row(
        what="12 variants of 2 clips, prepared and uploaded",
        ours=ours,
        against="a script, for each by itself",
        theirs=theirs,
        at_most=0.25,
    )


async def _uploaded(at: Studio, file: Path) -> None:
    route = next(iter(at.counters.values())).provider.route
    headers = {"Authorization": f"Bearer {route.key.get_secret_value()}"}
    async with httpx.AsyncClient(base_url=route.files, headers=headers, timeout=60, trust_env=False) as http:
        with file.open("rb") as body:
            (await http.post("/api/v1/files/upload/stream", files={"file": (file.name, body)})).raise_for_status()
