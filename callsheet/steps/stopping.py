"""A run that is to stop: nothing new is sent from then on, and what is paid for is followed home for as long as there is time.

What the process leaves under way when it has to go stays the ledger's: the next run of the campaign, or `reconcile`, brings
it home.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from callsheet.errors import NotApproved
from callsheet.steps.studio import Studio
from callsheet.take import SENT, State

T = TypeVar("T")

log = logging.getLogger("callsheet.takes")

#: Seconds in which answers that are on the way can still be heard. A worker gives a process thirty.
LAST_SECONDS = 15.0


def stop(studio: Studio, why: str) -> None:
    """Send nothing new from here on. The first reason is kept."""
    if not studio.stopping:
        studio.stopping = why
        log.warning("%s: nothing new is sent, and what is paid for is followed", why)


def leave_soon(studio: Studio) -> None:
    """The process is about to be ended: what is still under way in a few seconds is left."""
    asyncio.get_running_loop().call_later(LAST_SECONDS, studio.leaving.set)


def refuse(studio: Studio, label: str) -> None:
    """NotApproved where the run is to stop."""
    if studio.stopping:
        raise NotApproved(
            f"not sent: {studio.stopping}.", where=label, hint="Run the campaign again to render what is missing."
        )


async def unless_left(studio: Studio, work: Awaitable[T]) -> T | None:
    """What comes of the work; None where the process has to go before that."""
    task = asyncio.ensure_future(work)
    leaving = asyncio.create_task(studio.leaving.wait())
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        leaving.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def words(studio: Studio, why: str) -> str:
    """For the state in Prefect: "cancelled in Prefect: 3 of 40 archived, 5 paid and under way, 32 not made; …"."""
    lines = [line for line in studio.plan.lines if line.action in ("shoot", "attach")]
    newest = studio.ledger.newest([line.key for line in lines], route=studio.plan.routes)
    takes = [take for line in lines if (take := newest.get(line.key)) is not None and take.id >= line.supersedes]
    home = sum(
        take is not None and take.state is State.ARCHIVED and (line.action == "attach" or take.id > line.supersedes)
        for line in lines
        for take in [newest.get(line.key)]
    )
    under_way = sum(take.is_live and take.state in SENT for take in takes)
    told = [f"{home} of {len(lines)} archived"]
    told += [f"{under_way} paid and under way"] if under_way else []
    told += [f"{rest} not made"] if (rest := len(lines) - home - under_way) else []
    later = "; the next run or the hourly reconcile brings home what is paid" if under_way else ""
    return f"{why}: {', '.join(told)}{later}"
