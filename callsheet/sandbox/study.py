"""What is known of an input after looking through it; worked out once a process, whoever asks."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from callsheet.limits import ClipFacts
from callsheet.media import probe, samples
from callsheet.media.samples import Numbers, Pixels, Sampled
from callsheet.sandbox import colour

#: Frames that a palette is taken from, and inputs whose analysis is kept.
PALETTE_FRAMES = 12
KEPT = 128


@dataclass(frozen=True, kw_only=True)
class Studied:
    """A clip: what it is, how it looks, its colours (OKLab)."""

    facts: ClipFacts
    sampled: Sampled
    lab: Numbers


class Memory:
    """Work that depends on an input's bytes alone, done once even when two renders ask at the same time."""

    def __init__(self) -> None:
        self._done: OrderedDict[str, asyncio.Task[Any]] = OrderedDict()

    async def of(self, key: str, work: Callable[[], Awaitable[Any]]) -> Any:
        loop = asyncio.get_running_loop()
        known = self._done.get(key)
        if known is None or known.get_loop() is not loop or (known.done() and not _went_well(known)):
            known = self._done[key] = loop.create_task(_awaited(work))
            while len(self._done) > KEPT:
                self._done.popitem(last=False)
        return await asyncio.shield(known)


async def _awaited(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


def _went_well(task: "asyncio.Task[Any]") -> bool:
    return not task.cancelled() and task.exception() is None


_memory = Memory()


async def facts_of(path: Path, digest: str) -> ClipFacts:
    """Of a clip, without looking through it."""
    facts: ClipFacts = await _memory.of(f"facts {digest}", partial(asyncio.to_thread, probe.clip, path))
    return facts


async def of_clip(path: Path, digest: str) -> Studied:
    """ToolFailed where it does not decode, Unacceptable where it has no picture."""
    studied: Studied = await _memory.of(f"clip {digest}", partial(_study, path, digest))
    return studied


async def of_stills(stills: tuple[tuple[Path, str], ...]) -> list[Numbers]:
    """The colours (OKLab) of each. Unacceptable where one cannot be read."""
    return [await _memory.of(f"still {digest}", partial(_lab_of, path)) for path, digest in stills]


async def _study(path: Path, digest: str) -> Studied:
    facts = await facts_of(path, digest)
    sampled = await samples.in_passing(path, facts)
    chosen = np.linspace(0, len(sampled.frames) - 1, min(PALETTE_FRAMES, len(sampled.frames))).astype(int)
    lab = await asyncio.to_thread(colour.lab_of_pixels, sampled.frames[chosen][:, ::2, ::2])
    return Studied(facts=facts, sampled=sampled, lab=lab)


async def _lab_of(path: Path) -> Numbers:
    pixels: Pixels = await asyncio.to_thread(samples.of_still, path)
    return await asyncio.to_thread(colour.lab_of_pixels, pixels)
