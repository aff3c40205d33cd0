"""Worlds by the thousand: each process has a studio of its own and lives its share of them."""

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait

from . import weather
from .breakages import BREAKAGES
from .policies import POLICIES, double_charges
from .simulator import simulator
from .weather import Kind, Weather
from .world import Told

#: Worlds between two looks for garbage; most of it goes by itself.
WORLDS_A_CLEANING = 20


@dataclass(frozen=True, kw_only=True)
class Order:
    """A world to be lived. climate: instead of its seed's weather. broken: the product is, in this way, on purpose."""

    seed: int
    kind: Kind = "replay"
    climate: Weather | None = None
    broken: str = ""
    #: Also count what the policies charge twice in it.
    compared: bool = False

    @property
    def weather(self) -> Weather:
        return self.climate or weather.of(self.seed)


@dataclass(frozen=True, kw_only=True)
class Lived:
    """A world that was lived, and how often each policy paid twice in it."""

    order: Order
    told: Told
    twice: tuple[int, ...] = ()

    @property
    def given(self) -> Weather:
        return self.order.weather


def live(orders: Sequence[Order], *, processes: int | None = None) -> Iterator[Lived]:
    """Each world, as soon as it is over. The events of a world in which all is well are not kept."""
    count = min(processes or os.cpu_count() or 1, len(orders))
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    started = []
    for number in range(count):
        reading, writing = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(writing, orders[number::count]), daemon=True)
        process.start()
        writing.close()
        pipes.append(reading)
        started.append(process)
    yield from _heard(pipes)
    for process in started:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a worker ended with {process.exitcode}")


def _heard(pipes: list[Connection]) -> Iterator[Lived]:
    open_ones = list(pipes)
    while open_ones:
        for pipe in wait(open_ones):
            assert isinstance(pipe, Connection)
            try:
                yield pipe.recv()
            except EOFError:
                open_ones.remove(pipe)


def _work(pipe: Connection, orders: Sequence[Order]) -> None:
    gc.disable()
    with pipe, simulator() as simulated:
        for number, order in enumerate(orders):
            if number % WORLDS_A_CLEANING == 0:
                gc.collect()
            with BREAKAGES[order.broken]() if order.broken else nullcontext():
                told = simulated.told(order.seed, kind=order.kind, climate=order.climate)
            peers = POLICIES if order.compared else ()
            twice = tuple(double_charges(policy, order.seed, order.kind, order.weather) for policy in peers)
            kept = told if len(orders) == 1 or not told.is_fine else replace(told, events=())
            pipe.send(Lived(order=order, told=kept, twice=twice))
