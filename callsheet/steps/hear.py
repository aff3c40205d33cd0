"""Hear the provider's callbacks. What names a job of a take in doubt is written down as evidence, which a run or `reconcile`
weighs; what names a job at work is a hint, and whoever follows the job asks about it at once. Nothing here moves a take: what a
callback says is never believed, and what is not heard is found out by asking as ever."""

import hmac
import logging
from collections.abc import Callable
from contextlib import closing

from callsheet.callbacks import server
from callsheet.ledger.book import Ledger
from callsheet.steps import draw_up, weigh
from callsheet.steps.settings import Settings

log = logging.getLogger("callsheet.takes")


def serve(settings: Settings, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until told to stop. Blocks. PortTaken, LedgerError."""
    with closing(draw_up.open_ledger(settings)) as ledger:
        server.serve(host=host, port=port, record=lambda token, job: record(ledger, token, job), on_ready=on_ready)


def record(ledger: Ledger, token: str, job: str) -> None:
    """Write it down where the token (its SHA-256) is that of a request whose fate is unknown, or of one at work. LedgerError.

    Every token is compared, and none longer than another.
    """
    known = [take for take, request in ledger.doubts() if hmac.compare_digest(weigh.token_of(request), token)]
    for take in known[:1]:
        if ledger.called_back(token=token, job=job):
            log.info("take %d %s: a callback with its own token named job %s", take.id, take.slug, job)
    if not known and ledger.hint(token=token, job=job):
        log.info("job %s: called back", job)
