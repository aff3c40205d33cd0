"""The one doorway to the time of day for the steps and the ledger that they open: aware UTC."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime


def _of_this_machine() -> datetime:
    return datetime.now(UTC)


_reading: ContextVar[Callable[[], datetime]] = ContextVar("clock", default=_of_this_machine)


def now() -> datetime:
    return _reading.get()()


@contextmanager
def read_from(clock: Callable[[], datetime]) -> Iterator[None]:
    """Steps inside take the time from another clock: that of a simulation, where a day takes no time."""
    token = _reading.set(clock)
    try:
        yield
    finally:
        _reading.reset(token)
