"""Staged media: each distinct prepared file uploaded once a run, readable by the provider at a link until it expires."""

import asyncio
from datetime import timedelta

from callsheet.provider.client import Staged
from callsheet.provider.staging import Staging
from callsheet.steps import choose, clock, prepare
from callsheet.steps import studio as studios
from callsheet.steps.cache import PreparedFile
from callsheet.steps.studio import Studio
from callsheet.take import State


async def stage(label: str) -> None:
    """Have the media of this variant where the provider can read them. ProviderError. Uploads cost nothing.

    A take that was already sent needs none: its request is kept with its links.
    """
    studio = studios.current()
    studio.tell(label, "stage", "began")
    line = studio.line(label)
    take = line.take
    if take is None or not take.is_live or take.state is State.RESERVED:
        route = choose.choose(studio, line).route
        if line.variant.clip:
            await staged_clip(studio, label, route)
        await staged_stills(studio, label, route)
    studio.tell(label, "stage", "done", 1.0)


async def staged_clip(studio: Studio, label: str, route: str) -> Staged:
    """Where this route's provider can read the prepared clip."""
    variant = studio.line(label).variant
    clip = await prepare.prepared_clip(studio, variant)
    return await _once(studio, clip, route, f"clip {variant.clip}")


async def staged_stills(studio: Studio, label: str, route: str) -> list[Staged]:
    variant = studio.line(label).variant
    count = len(studio.drawn.survey.stills[variant.references])
    files = [await prepare.prepared_still(studio, variant, number) for number in range(count)]
    return [
        await _once(studio, file, route, f"image {number} of references {variant.references}")
        for number, file in enumerate(files, start=1)
    ]


async def _once(studio: Studio, file: PreparedFile, route: str, called: str) -> Staged:
    """Variants that need the same file wait for the one that uploads it; a failure or an old link is forgotten."""
    place, staging = (route, file.sha256), studio.counter(route).staging
    work = studio.staged.get(place)
    if work is None or _is_stale(work, staging.margin):
        work = studio.staged[place] = asyncio.create_task(_put(studio, staging, file, called))
    try:
        return await asyncio.shield(work)
    except Exception:
        if studio.staged.get(place) is work:
            del studio.staged[place]
        raise


async def _put(studio: Studio, staging: Staging, file: PreparedFile, called: str) -> Staged:
    async with studio.stagings:
        return await staging.put(file.path, sha256=file.sha256, suffix=file.path.suffix, called=called)


def _is_stale(work: "asyncio.Task[Staged]", margin: timedelta) -> bool:
    if not work.done() or work.cancelled() or work.exception() is not None:
        return work.done()
    return work.result().expires_at - clock.now() < margin
