"""Virtual time: an event loop in which waiting costs nothing, and a clock that can be set wrong."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar, TypeVarTuple, Unpack

Given = TypeVarTuple("Given")
T = TypeVar("T")

#: When every world begins: long ago, since a few things look at the real time, and must find it later.
EPOCH = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)


class Stalled(Exception):
    """Everybody waits for something that nobody will ever do: the program hangs."""


@dataclass
class Time:
    """seconds: what has really passed since the world began. skew: how wrong the clock of this machine is, in seconds."""

    seconds: float = 0.0
    skew: float = 0.0

    def wall(self) -> datetime:
        """What the machine takes for the time of day."""
        return EPOCH + timedelta(seconds=self.seconds + self.skew)

    def stamp(self, seconds: float) -> int:
        """A moment of the world as the provider writes it: whole seconds since 1970."""
        return int((EPOCH + timedelta(seconds=seconds)).timestamp())

    def true(self) -> datetime:
        """The time of day at the provider's."""
        return EPOCH + timedelta(seconds=self.seconds)


class _Selector(selectors.SelectSelector):
    """Nothing outside the process is waited for: a wait is over at once, and the time has passed."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stalled("nothing is left to happen, and the run has not ended")
        self._time.seconds += max(timeout, 0.0)
        return ready


class Loop(asyncio.SelectorEventLoop):
    """Its time is the world's; what is given to a thread is done on the spot, so that one seed has one course."""

    def __init__(self, time: Time) -> None:
        self._virtual = time
        super().__init__(_Selector(time))
        # What is due within this is due. A nanosecond, the usual, is lost on a float after some weeks of seconds.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._virtual.seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Given]], T], *args: *Given
    ) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future
