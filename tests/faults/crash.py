"""How a life ends before its time: by kill -9 at a point, with nothing of it left in memory, or by being interrupted there.

A life that will be killed is lived in a forked process: no `finally` runs, no lock is handed back, no buffer is flushed.
All that survives is what is on the disk, and the world outside, which is handed over at the last moment.
"""

import asyncio
import os
import pickle
from collections.abc import Callable
from typing import NoReturn

from .world import World

KILLED = "killed"


class Mortal:
    """Counts the points of one life and ends it at the one that the world says. main: the task to interrupt."""

    def __init__(self, world: World, *, kill: Callable[[], NoReturn] | None) -> None:
        self._world = world
        self._kill = kill
        self.main: asyncio.Task[str] | None = None

    def point(self, name: str) -> None:
        world = self._world
        world.points += 1
        if world.points != world.crash_at:
            return
        world.crashes += 1
        world.died_at.append(name)
        how = "killed" if world.crash_kills else "interrupted"
        world.say(f"*** {how} at point {world.points}: {name} ***")
        if world.crash_kills:
            assert self._kill is not None
            self._kill()
        assert self.main is not None
        self.main.cancel()


def in_a_process_of_its_own(world: World, live: Callable[[Mortal], str]) -> tuple[World, str]:
    """The world after this life, and how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_lived(world, live, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        left = pipe.read()
    _, status = os.waitpid(child, 0)
    if not left:
        raise RuntimeError(f"a life ended with status {status} and told nothing")
    after: tuple[World, str] = pickle.loads(left)
    return after


def _be_lived(world: World, live: Callable[[Mortal], str], writing: int) -> NoReturn:
    def hand_over(end: str) -> NoReturn:
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump((world, end), pipe)
        os._exit(0)

    try:
        end = live(Mortal(world, kill=lambda: hand_over(KILLED)))
    except BaseException as error:  # the parent reports it: this process has nobody to tell
        world.confess(error)
        end = "a defect"
    hand_over(end)
