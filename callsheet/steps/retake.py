"""A take after the one that the provider failed: for a passing reason, without a charge, as often as `retakes:` says."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from callsheet import retake
from callsheet.errors import JobFailed
from callsheet.steps import studio as studios
from callsheet.steps.studio import Studio

log = logging.getLogger("callsheet.takes")


async def until_made(label: str, make: Callable[[], Awaitable[int]]) -> int:
    """The id of a take that SUCCEEDED. `make` stages, submits and follows one; it is called again after a failed one.

    By then FAILED is committed and its hold is gone; the next take is reserved like any other, within every budget. What
    `make` raises otherwise, and the failure after the last retake, goes on its way.
    """
    studio, made = studios.current(), 0
    while True:
        try:
            return await make()
        except JobFailed as error:
            if not error.may_retake or made >= most_of(studio, label):
                raise
            made += 1
            await _wait(studio, label, error, made)


async def _wait(studio: Studio, label: str, error: JobFailed, made: int) -> None:
    failed, most = studio.ledger.take(error.take_id), most_of(studio, label)
    wait = retake.wait(
        error.says.code,
        asked=error.after,
        loopback=studio.counter(failed.route).provider.route.is_loopback,
        chance=random.random(),  # noqa: S311 - spreads load, guards nothing
    )
    studio.dearer -= failed.price - studio.line(label).costs  # this run reserved it, and it is released
    seconds = wait.total_seconds()
    log.info("%s: %s; retake %d of %d in %.0f s", label, error.says.code, made, most, seconds)
    studio.tell(label, "follow", "moved", detail=f"{error.says.code}: retake {made} of {most} in {seconds:.0f} s")
    await asyncio.sleep(seconds)


def most_of(studio: Studio, label: str) -> int:
    """Retakes that this run may make of the variant. None where the plan showed it as already paid for, or as another
    run's: nobody approved to buy it here, and another take waits for the next plan."""
    line = studio.line(label)
    return studio.drawn.loaded.campaign.retakes if line.action == "shoot" and not line.owner else 0
