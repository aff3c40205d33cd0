"""The quality checks of a result, against the bare decode that every result goes through anyway."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from bench import footage
from bench.row import Row
from callsheet.media import command, look, probe, quality

TIMES = 5
LIMIT = timedelta(minutes=5)


def rows(folder: Path) -> Iterator[Row]:
    """Seconds of all cores, so that what else runs does not count. The look at the source is made once a clip."""
    folder.mkdir(parents=True)
    film = footage.large(folder)
    facts = probe.clip(film)
    source = quality.Traits(asyncio.run(look.of_film(film, facts, time_limit=LIMIT)))

    def checked() -> None:
        seen = quality.Traits(asyncio.run(look.of_film(film, facts, time_limit=LIMIT)))
        quality.measure(seen, source, source.look.sound)

    def decoded() -> None:
        asyncio.run(command.check_decodes(film, time_limit=LIMIT))

    turns = [(_worked(checked), _worked(decoded)) for _ in range(TIMES)]
    ours, theirs = (min(seconds) for seconds in zip(*turns, strict=True))
    yield Row(
        what="quality checks, 9 s of 1080p", ours=ours, against="the bare decode alone", theirs=theirs, at_most=1.5
    )


def _worked(work: Callable[[], None]) -> float:
    before = _seconds()
    work()
    return _seconds() - before


def _seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
