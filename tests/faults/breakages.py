"""Ways to break the product on purpose: a simulator that would not notice them proves nothing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from callsheet.archive.disk import DiskStore
from callsheet.archive.store import Stored
from callsheet.errors import SubmissionInDoubt, Unavailable
from callsheet.ledger.book import Ledger
from callsheet.plan import Line
from callsheet.steps import outcome, submit
from callsheet.steps.studio import Studio
from callsheet.take import State, Take


@contextmanager
def _replaced(owner: Any, name: str, by: object) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, by)
    try:
        yield
    finally:
        setattr(owner, name, original)


def sends_doubt_again() -> AbstractContextManager[None]:
    """After a lost answer the hold is released, and the stage tries again: as a new take, with a new key."""
    real = submit._send_first

    async def send(studio: Studio, line: Line, take: Take) -> Take:
        try:
            return await real(studio, line, take)
        except SubmissionInDoubt as error:
            studio.ledger.released(take.id, reason="no answer came, so it cannot have been accepted")
            raise Unavailable(error.what) from error

    return _replaced(submit, "_send_first", send)


def commits_no_intent() -> AbstractContextManager[None]:
    """The request leaves before the ledger knows of it."""

    def submitting(ledger: Ledger, take_id: int, **_: object) -> Take:
        return replace(ledger.take(take_id), state=State.SUBMITTING)

    return _replaced(Ledger, "submitting", submitting)


def looks_at_no_budget() -> AbstractContextManager[None]:
    """Neither the plan nor a reservation is held to the budget."""

    @contextmanager
    def both() -> Iterator[None]:
        with (
            _replaced(Ledger, "_refuse_overspending", lambda *_: None),
            _replaced(outcome, "approve", lambda *_, **__: None),
        ):
            yield

    return both()


def writes_no_file() -> AbstractContextManager[None]:
    """A result counts as archived that is in no archive."""

    def put(_store: DiskStore, key: str, _file: Path, *, sha256: str) -> Stored:
        return Stored(key=key, sha256=sha256, bytes=1)

    return _replaced(DiskStore, "put", put)


def forgets_what_runs() -> AbstractContextManager[None]:
    """A take whose job runs is given up when nobody hears of it, and its hold with it."""

    def failed(ledger: Ledger, take_id: int, *, charged: object = None) -> Take:
        return ledger.failed(take_id, reason="it took too long")

    return _replaced(Ledger, "succeeded", failed)


BREAKAGES: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    function.__name__: function
    for function in (sends_doubt_again, commits_no_intent, looks_at_no_budget, writes_no_file, forgets_what_runs)
}
