"""Who goes first: a gate that lets so many through at a time, the most urgent first; and work that others give way to."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from itertools import count


class Gate:
    """`async with gate.turn(due)`: inside are at most `width`; whoever is due first comes next. For one event loop."""

    def __init__(self, width: int) -> None:
        self._free = width
        self._waiting: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._serial = count()

    @asynccontextmanager
    async def turn(self, due: datetime) -> AsyncIterator[None]:
        await self._enter(due)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, due: datetime) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (due, next(self._serial), turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # its turn had come: the next one must not miss it
            raise

    def _leave(self) -> None:
        self._free += 1
        self._admit()

    def _admit(self) -> None:
        while self._free and self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._free -= 1
                turn.set_result(None)


class Precedence:
    """`with first.held():` has precedence; whoever does `await first.given()` begins when nobody has it, one every `apart`, so
    that one quiet moment does not let in all who wait; and after `patience` at the latest. For one event loop."""

    def __init__(self, patience: timedelta, apart: timedelta) -> None:
        self._patience, self._apart = patience.total_seconds(), apart.total_seconds()
        self._holders = 0
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._line = asyncio.Lock()
        self._not_before = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        self._holders += 1
        self._nobody.clear()
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._nobody.set()

    async def given(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience), self._line:
                await self._quiet()

    async def _quiet(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._holders or clock() < self._not_before:
            await self._nobody.wait()
            await asyncio.sleep(max(self._not_before - clock(), 0))
        self._not_before = clock() + self._apart
