"""The gate of the downloads: so many at a time, and the one whose link dies first goes first; and who gives way to whom."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from callsheet.steps.gate import Gate, Precedence
from tests import virtual

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def order(width: int, hours: list[int]) -> list[int]:
    """In which order they get in, who come at the same time while one is inside; each stays a second."""

    async def come() -> list[int]:
        gate, inside = Gate(width), list[int]()

        async def one(hour: int) -> None:
            async with gate.turn(NOW + timedelta(hours=hour)):
                inside.append(hour)
                await asyncio.sleep(1)

        await asyncio.gather(*(one(hour) for hour in hours))
        return inside

    return virtual.run(come())


def test_whose_link_dies_first_goes_first() -> None:
    assert order(1, [9, 5, 7, 1, 3]) == [9, 1, 3, 5, 7]


def test_those_who_are_due_together_go_in_the_order_they_came() -> None:
    assert order(1, [9, 5, 5, 5]) == [9, 5, 5, 5]


def test_no_more_than_the_width_are_inside() -> None:
    async def most() -> int:
        gate, inside, seen = Gate(4), 0, 0

        async def one() -> None:
            nonlocal inside, seen
            async with gate.turn(NOW):
                inside += 1
                seen = max(seen, inside)
                await asyncio.sleep(1)
                inside -= 1

        await asyncio.gather(*(one() for _ in range(20)))
        assert asyncio.get_running_loop().time() == 5
        return seen

    assert virtual.run(most()) == 4


def test_who_gives_up_waiting_or_fails_inside_holds_up_nobody() -> None:
    async def come() -> list[str]:
        gate, inside = Gate(1), list[str]()

        async def one(name: str, *, fails: bool = False) -> None:
            async with gate.turn(NOW):
                inside.append(name)
                await asyncio.sleep(1)
                if fails:
                    raise ValueError(name)

        first = asyncio.create_task(one("first", fails=True))
        gives_up, last = asyncio.create_task(one("gives up")), asyncio.create_task(one("last"))
        await asyncio.sleep(0.5)
        gives_up.cancel()
        await asyncio.gather(first, gives_up, last, return_exceptions=True)
        return inside

    assert virtual.run(come()) == ["first", "last"]


def test_who_is_cancelled_just_when_its_turn_comes_passes_it_on() -> None:
    async def come() -> bool:
        gate = Gate(1)
        leave = asyncio.Event()

        async def hold() -> None:
            async with gate.turn(NOW):
                await leave.wait()

        async def enter() -> bool:
            async with gate.turn(NOW):
                return True

        holding = asyncio.create_task(hold())
        await asyncio.sleep(0)
        unlucky, last = asyncio.create_task(enter()), asyncio.create_task(enter())
        await asyncio.sleep(0)
        leave.set()
        await holding  # it has just handed its turn on
        unlucky.cancel()
        await asyncio.gather(unlucky, return_exceptions=True)
        return await asyncio.wait_for(last, 1)

    assert virtual.run(come())


def begun(*holds: tuple[float, float], comes: float, patience: float = 3) -> float:
    """When somebody begins who comes at this second, while others have precedence from one second to another."""

    async def come() -> float:
        first = Precedence(timedelta(seconds=patience), timedelta(0))

        async def hold(since: float, until: float) -> None:
            await asyncio.sleep(since)
            with first.held():
                await asyncio.sleep(until - since)

        async def wait() -> float:
            await asyncio.sleep(comes)
            await first.given()
            return asyncio.get_running_loop().time()

        waits = asyncio.create_task(wait())
        await asyncio.gather(waits, *(hold(*seconds) for seconds in holds))
        return waits.result()

    return virtual.run(come())


def test_who_gives_way_begins_when_nobody_has_precedence() -> None:
    assert begun(comes=1) == 1
    assert begun((0, 2), comes=1) == 2
    assert begun((0, 2), (1, 3), comes=1) == 3
    assert begun((0, 2), comes=2.5) == 2.5


def test_who_gives_way_waits_no_longer_than_it_is_patient() -> None:
    assert begun((0, 60), comes=1) == 4


def test_what_fails_keeps_no_precedence() -> None:
    async def come() -> float:
        first = Precedence(timedelta(seconds=3), timedelta(0))
        with suppress(RuntimeError), first.held():
            raise RuntimeError
        await first.given()
        return asyncio.get_running_loop().time()

    assert virtual.run(come()) == 0


def test_one_quiet_moment_does_not_let_in_all_who_wait() -> None:
    async def come() -> list[float]:
        first = Precedence(timedelta(seconds=10), timedelta(seconds=1))
        begun: list[float] = []

        async def wait() -> None:
            await asyncio.sleep(0.5)
            await first.given()
            begun.append(asyncio.get_running_loop().time())

        async def hold(since: float, until: float) -> None:
            await asyncio.sleep(since)
            with first.held():
                await asyncio.sleep(until - since)

        await asyncio.gather(hold(0, 1), hold(2.5, 6), *(wait() for _ in range(4)))
        return begun

    # quiet from 1 to 2.5: two of them, a second apart; the others once it is quiet again
    assert virtual.run(come()) == [1, 2, 6, 7]
