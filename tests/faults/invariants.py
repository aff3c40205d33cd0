"""What must hold in every world, read from the files with SQL of our own and compared with the provider's book."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from callsheet import audit
from callsheet.ledger.book import Ledger

from .footage import CREDITS, PROMPTS, Ground, unmarked
from .weather import DAY
from .world import World

LIVE = ("reserved", "submitting", "submitted", "succeeded", "in_doubt")
#: A take in one of these may be somebody's job of whom the ledger does not know the name.
DOUBTFUL = ("submitting", "in_doubt")
#: Held and charged as docs/money.md defines them, in units.
SPOKEN_FOR = """select coalesce(sum(case
    when state in ('reserved', 'submitting', 'submitted', 'succeeded', 'in_doubt', 'archived') then
        case when coalesce(charged, 0) > 0 then charged else price end
    else coalesce(charged, 0) end), 0) from takes"""


class Window:
    """A look at what is committed, by a connection of our own that stays open: it sees what any other program would see."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ledger: sqlite3.Connection | None = None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Nothing where no ledger was laid out yet."""
        if self._ledger is None:
            if not self._file.is_file():
                return []
            self._ledger = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)
        try:
            return self._ledger.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return []

    def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()


def after_a_commit(world: World, window: Window) -> None:
    """Held + charged within the budget."""
    budget = CREDITS * (len(PROMPTS) + world.fate.weather.slack + world.richer) * 10_000
    spoken_for = window.rows(SPOKEN_FOR)[0][0]
    if spoken_for > budget:
        world.violate(f"held + charged is {spoken_for} units, and the budget {budget}")


def before_a_post(world: World, window: Window, *, key: str, prompt: str) -> None:
    """Its intent is committed, and nothing of the same content is at the provider under another key, unless it failed."""
    takes = {row[0]: row[1] for row in window.rows("select idempotency_key, state from takes")}
    if takes.get(key) not in DOUBTFUL:
        world.violate(f"a POST for {prompt!r} left, and the take of its key is {takes.get(key, 'in no ledger')}")
    for job in world.book.jobs.values():
        if job.prompt == prompt and job.key != key and takes.get(job.key) != "failed":
            world.violate(f"a POST for {prompt!r} left, which is {job.id} already: its take is {takes.get(job.key)}")


def of_money(world: World, ground: Ground) -> None:
    """No content is paid for twice, and what is paid for is archived or held by name. At any time."""
    by_job = {take["job"]: take for take in _takes(ground)}
    by_key = {take["idempotency_key"]: take for take in _takes(ground)}
    for prompt in {job.prompt for job in world.book.jobs.values()}:
        paid = [job.id for job in world.book.jobs.values() if job.prompt == prompt and not job.failure]
        if len(paid) > 1:
            world.violate(f"{prompt!r} is charged {len(paid)} times: {', '.join(paid)}")
    for job in world.book.jobs.values():
        if job.failure and not job.kept:
            continue
        take = by_job.get(job.id)
        if take is None:
            intent = by_key.get(job.key)
            if intent is None or intent["state"] not in DOUBTFUL:
                world.violate(f"{job.id} is charged and in no hold: its take is {intent and intent['state']}")
        elif take["idempotency_key"] != job.key:
            world.violate(f"take {take['id']} has {job.id}, which was made for another one")
        elif take["state"] == "failed" and not (job.failure and take["charged"]):
            world.violate(f"{job.id} is charged, and its take {take['id']} is failed without a charge")
        elif take["state"] not in (*LIVE, "archived", "failed"):
            world.violate(f"{job.id} is charged, and its take {take['id']} is {take['state']}")


def in_the_end(world: World, ground: Ground) -> None:
    """In good weather everything that can be brought home is home, the archive is whole, and the chain holds."""
    of_money(world, ground)
    right = sha256(ground.result).hexdigest()
    for take in _takes(ground):
        if take["state"] == "archived":
            file = ground.archive / take["archive"]
            if not file.is_file() or sha256(unmarked(file.read_bytes())).hexdigest() != right:
                world.violate(f"take {take['id']} is archived, and {take['archive']} is not there or is damaged")
        elif take["state"] in ("reserved", "submitted"):
            world.violate(f"take {take['id']} is {take['state']}, and no run goes on with it")
        elif take["state"] == "succeeded" and not _is_lost(world, ground, take):
            world.violate(f"take {take['id']} is succeeded, its result can be had, and no run brings it home")
    ledger = Ledger(f"sqlite:///{ground.ledger}")
    try:
        for finding in audit.findings(ledger.books()):
            if finding.severity == "no":
                world.violate(f"audit: {finding.what}")
    finally:
        ledger.close()


def _is_lost(world: World, ground: Ground, take: dict[str, Any]) -> bool:
    """Is its link dead for good, and no copy of it here?"""
    job = world.book.jobs[take["job"]]
    here = ground.home / "fetched" / f"{take['route']}--{take['job']}.mp4"
    return not world.fate.weather.fresh_links and world.time.seconds > job.done + DAY and not here.is_file()


def journal(ground: Ground) -> tuple[tuple[Any, ...], ...]:
    """What the ledger has written down, but for what is random by nature: keys, and hashes over them."""
    columns = "id, take_id, at, before, after, reason, price, charged, job, submitted_at, archive, sha256"
    return tuple(_rows(ground, f"select {columns} from journal order by id"))


def is_settled(ground: Ground) -> bool:
    """Is every take at its end?"""
    return not set(states(ground)) & set(LIVE)


def states(ground: Ground) -> list[str]:
    return [take["state"] for take in _takes(ground)]


def _takes(ground: Ground) -> list[dict[str, Any]]:
    names = ("id", "state", "job", "idempotency_key", "charged", "archive", "route")
    return [dict(zip(names, row, strict=True)) for row in _rows(ground, f"select {', '.join(names)} from takes")]


def _rows(ground: Ground, query: str) -> list[tuple[Any, ...]]:
    with closing(Window(ground.ledger)) as window:
        return window.rows(query)
