"""Hear callbacks for the requests of a studio whose fate is unknown: written down as evidence, which a run or `reconcile`
weighs. Nothing here moves a take."""

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
    """Write it down where the token (its SHA-256) is that of a request whose fate is unknown. LedgerError.

    Every token is compared, and none longer than another.
    """
    known = [take for take, request in ledger.doubts() if hmac.compare_digest(weigh.token_of(request), token)]
    for take in known[:1]:
        if ledger.called_back(token=token, job=job):
            log.info("take %d %s: a callback with its own token named job %s", take.id, take.slug, job)
