"""Heed hints: ask at once about a job that the provider called back about, in whatever process that was heard.

A callback is not believed. All that it does is to bring forward a status read that would have come anyway; a hint that is lost,
forged by who knows the token, or played again costs nothing but a question.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from callsheet.errors import LedgerError
from callsheet.ledger.book import Ledger
from callsheet.provider.watch import Watch
from callsheet.steps import clock
from callsheet.steps.settings import Settings

log = logging.getLogger("callsheet.takes")

#: Seconds between two looks for hints.
PERIOD = 1.0
#: How far each look goes back: clocks of two machines differ by less.
OVERLAP = timedelta(seconds=10)


@asynccontextmanager
async def heeded(settings: Settings, ledger: Ledger, watches: Mapping[str, Watch]) -> AsyncIterator[None]:
    """For the block, where requests name an address for callbacks. watches: by route."""
    if settings.callback_url is None:
        yield
        return
    listening = asyncio.create_task(_listen(ledger, watches), name="callsheet hints")
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def _listen(ledger: Ledger, watches: Mapping[str, Watch]) -> None:
    told: set[tuple[str, datetime]] = set()
    while True:
        await asyncio.sleep(PERIOD)
        since = clock.now() - OVERLAP
        try:
            found = {route: set(ledger.hinted(route=route, since=since)) for route in watches}
        except LedgerError as error:
            log.debug("hints cannot be read now: %s", error.what)
            continue
        for route, hints in found.items():
            watches[route].nudge({job for job, _ in hints - told})
        told = {hint for hints in found.values() for hint in hints}
