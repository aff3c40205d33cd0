"""A seed from its beginning to its end: lives that crash, then recovery in good weather until nothing moves any more."""

import asyncio
import functools
import gc
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from callsheet.ledger import databases
from callsheet.steps import prepare, studio

from . import footage, invariants, life, weather
from .crash import Mortal, in_a_process_of_its_own
from .database import Disturbance, disturbed
from .footage import Ground
from .weather import Crash, Fate, Kind, Weather
from .world import Told, World

#: Runs in good weather at most, until the ledger says the same twice.
MOST_RECOVERIES = 12
#: How a run ends that left nothing to do.
ALL_DONE = re.compile(r"nothing to do, 2 skipped|(\d) of \1 archived(, \d skipped)?")
#: What a run says that was refused because another has the campaign: a dead one's claim has to run out.
BUSY = "RunInProgress"
LEASE = 600.0
#: And where the budget is too small for what an edited prompt asks for anew.
POOR = "BudgetExceeded"
#: One world of so many begins without a ledger; the others with an empty one, since laying it out takes as long as all else.
LAID_OUT_ANEW = 4


class Simulator:
    """One studio on a RAM disk, used by one world after the other. For a process of its own: it sets its environment."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def told(self, seed: int, *, kind: Kind = "replay", climate: Weather | None = None) -> Told:
        """Live the world of this seed and say what was seen. climate: instead of the weather that the seed would have."""
        world = World(fate=Fate(seed=seed, kind=kind, weather=climate or weather.of(seed)))
        ground, given = self._ground, world.fate.weather
        os.environ["EVOLINK_IDEMPOTENCY"] = kind
        databases.engine_of(f"sqlite:///{ground.ledger}").dispose()
        ground.cleared(slack=given.slack, retakes=given.retakes, has_ledger=seed % LAID_OUT_ANEW != 0)
        for number, crash in enumerate((*given.crashes, None)):
            world, _ = self._lived(world, crash)
            invariants.of_money(world, ground)
            if crash is not None:
                world.time.seconds += given.downtimes[number] if number < len(given.downtimes) else 1.0
            if number == 0 and given.is_edited:
                ground.written(slack=given.slack, retakes=given.retakes, is_edited=True)
                world.say("a prompt is edited")
        held_first = sum(state in invariants.DOUBTFUL for state in invariants.states(ground))
        world = self._recovered(world)
        invariants.in_the_end(world, ground)
        return self._told(world, held_first)

    def _recovered(self, world: World) -> World:
        world.fate.is_calm = True
        world.say("the weather is good from here on")
        seen: list[tuple[object, ...]] = []
        for number in range(1, MOST_RECOVERIES + 1):
            world, end = self._lived(world, None, attach_only=number % 2 == 0)
            seen.append(invariants.journal(self._ground))
            # Three times the same: one of each kind of run, at least, has changed nothing.
            is_quiet = seen[-3:] == [seen[-1]] * 3 and POOR not in end
            if BUSY not in end and (is_quiet or (invariants.is_settled(self._ground) and ALL_DONE.fullmatch(end))):
                return world
            if POOR in end:
                self._enrich(world)
            world.time.seconds += LEASE if BUSY in end else 60.0
        world.violate("it never comes to rest")
        return world

    def _enrich(self, world: World) -> None:
        """A person raises the budget, as the refusal says: a plan that is dearer than what is left sends nothing at all."""
        world.richer += 1
        world.say("the budget is raised by a variant")
        given = world.fate.weather
        self._ground.written(slack=given.slack + world.richer, retakes=given.retakes, is_edited=given.is_edited)

    def _lived(self, world: World, crash: Crash | None, *, attach_only: bool = False) -> tuple[World, str]:
        world.points = 0
        world.crash_at = crash.at if crash else None
        world.crash_kills = crash.kill if crash else False
        world.say(f"a run begins{' that only goes on' if attach_only else ''}")
        live = partial(self._live, world, attach_only)
        if crash and crash.kill:
            world, end = in_a_process_of_its_own(world, live)
        else:
            end = _in_this_process(world, live)
        world.lives.append(world.points)
        world.say(f"the run ended: {end}")
        return world, end

    def _live(self, world: World, attach_only: bool, mortal: Mortal) -> str:
        ground = self._ground
        with (
            closing(invariants.Window(ground.ledger)) as window,
            _mortal_files(mortal),
            disturbed(
                Disturbance(world, point=mortal.point, on_commit=lambda: invariants.after_a_commit(world, window))
            ),
        ):
            return life.live(
                world,
                ground.spec,
                ground.result,
                mortal=mortal,
                on_departure=lambda key, prompt: invariants.before_a_post(world, window, key=key, prompt=prompt),
                attach_only=attach_only,
            )

    def _told(self, world: World, held_first: int) -> Told:
        states = invariants.states(self._ground)
        jobs = list(world.book.jobs.values())
        return Told(
            seed=world.fate.seed,
            violations=tuple(world.violations),
            events=tuple(world.events),
            met=world.fate.met,
            crashes=world.crashes,
            points=tuple(world.lives),
            jobs=len(jobs),
            charged=sum(not job.failure or job.kept for job in jobs),
            twice=world.book.charged_twice,
            takes=len(states),
            archived=states.count("archived"),
            held=sum(state in invariants.DOUBTFUL for state in states),
            held_first=held_first,
            died_at=tuple(world.died_at),
            journal=invariants.journal(self._ground),
            virtual=world.time.seconds,
        )


def _in_this_process(world: World, live: Callable[[Mortal], str]) -> str:
    try:
        return live(Mortal(world, kill=None))
    except asyncio.CancelledError as error:
        if world.crash_at is not None and world.points >= world.crash_at:
            return "interrupted"
        world.confess(error)
    except Exception as error:
        world.confess(error)
    return "a defect"


@contextmanager
def _mortal_files(mortal: Mortal) -> Iterator[None]:
    """A process may die before and after each name that a file is given, and each file that is synced."""
    kept = {name: getattr(os, name) for name in ("link", "replace", "rename", "fsync")}

    def dying(name: str, *args: object, **named: object) -> object:
        mortal.point(f"before {name} of a file")
        done = kept[name](*args, **named)
        mortal.point(f"after {name} of a file")
        return done

    for name in kept:
        setattr(os, name, partial(dying, name))
    try:
        yield
    finally:
        for name, original in kept.items():
            setattr(os, name, original)


@contextmanager
def simulator() -> Iterator[Simulator]:
    """A simulator for this process, its clip prepared and every film looked at; its studio is gone in the end."""
    _set_environment()
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="callsheet-faults-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        ground = footage.laid(folder / "studio")
        ground.cleared(slack=0)
        footage.in_real_time(_prepared(ground))
        ground.keep_ledger()
        _look_at_films(ground)
        gc.collect()
        gc.freeze()  # so a forked life copies less
        yield Simulator(ground)
    finally:
        shutil.rmtree(folder)


def _set_environment() -> None:
    # The file of the ledger always has the same name here, and an engine whose connections were closed keeps nothing but how
    # statements are compiled: to make it once saves half of the time of a world.
    databases.engine_of = functools.cache(databases.engine_of)
    for name in [name for name in os.environ if name.startswith(("EVOLINK_", "CALLSHEET_"))]:
        del os.environ[name]
    os.environ["EVOLINK_API_KEY"] = "sk-evo-of-the-simulator"
    log = logging.getLogger("callsheet")
    log.addHandler(logging.NullHandler())
    log.propagate = False


async def _prepared(ground: Ground) -> None:
    async with studio.opened(ground.spec, sandbox=False) as at:
        for line in at.plan.lines:
            await prepare.prepare(line.variant.label)


def _look_at_films(ground: Ground) -> None:
    """What comes to be asked of ffmpeg, asked now: a forked life would forget the answers."""
    prepared = next(path for path in (ground.home / "cache/clips").glob("*.mp4"))
    films = (prepared.read_bytes(), ground.result, ground.result[: len(ground.result) // 2])
    seen = [footage.look_at(film, ground.root / "film.mp4") for film in films]
    footage.compare(seen, seen[0])
