"""Which run owns a variant's content on a route: a claim, held under a lease that the run's heartbeat prolongs.

Nobody reserves or sends a take of what another run has claimed; the check is in the very transaction that reserves or
commits the intent. A run that ended, whose lease ran out, or that is known to be gone loses its claims to whoever asks, and
can then record what it knows and pay for nothing more. So a lease too short, a clock that jumps or a process that sleeps
costs waiting, never money.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, text, update

from callsheet.errors import RunInProgress
from callsheet.ledger import databases
from callsheet.ledger.tables import claims, runs

#: Whose a key is on the route of a run. Put together once: it is asked before anything is reserved or sent.
_OWNER = (
    select(runs)
    .join(claims, runs.c.id == claims.c.run)
    .where(claims.c.route == select(runs.c.route).where(runs.c.id == bindparam("run")).scalar_subquery())
    .where(claims.c.key == bindparam("key"))
)
#: How long a run counts as alive after its last sign of life; it gives one three times as often.
LEASE = timedelta(seconds=60)
HEARTBEAT = LEASE / 3


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that is at work on takes, or was. Times are aware UTC."""

    id: str
    campaign: str
    route: str
    who: str
    began: datetime
    until: datetime
    ended: datetime | None = None
    spec: str = ""  # the file of its campaign
    occurrence: datetime | None = None  # of the schedule that started it
    flow_run: str = ""  # as which Prefect knows it

    @property
    def words(self) -> str:
        """process 4242 on studio-1, since 12:03 UTC"""
        return f"{self.who}, since {self.began:%H:%M} UTC"


def new_id() -> str:
    return uuid4().hex


def moment(connection: Connection, here: datetime) -> datetime:
    """Now, by the clock that all who share the ledger have in common: the database's, where it is on a server."""
    if connection.dialect.name == "postgresql":
        told: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
        return told
    return here


def begin(connection: Connection, run: Run) -> Run:
    connection.execute(insert(runs).values(**asdict(run)))
    return run


def beat(connection: Connection, run: str, now: datetime) -> None:
    """A sign of life. One whose lease ran out meanwhile has it again, less what others have claimed since."""
    connection.execute(update(runs).where(runs.c.id == run, runs.c.ended.is_(None)).values(until=now + LEASE))


def end(connection: Connection, run: str, now: datetime) -> None:
    connection.execute(delete(claims).where(claims.c.run == run))
    connection.execute(update(runs).where(runs.c.id == run, runs.c.ended.is_(None)).values(ended=now))


def claim(connection: Connection, run: str, keys: Collection[str], now: datetime) -> dict[str, Run]:
    """Claim these keys for a run on its route, and begin its lease again: drawing up a plan may take longer than one. What
    others hold is left to them, and told by key."""
    beat(connection, run, now)
    route = connection.execute(select(runs.c.route).where(runs.c.id == run)).scalar_one()
    others = {key: owner for key, owner in owners(connection, route, keys, now).items() if owner.id != run}
    free = [key for key in dict.fromkeys(keys) if key not in others]
    for some in databases.batches(free):
        connection.execute(delete(claims).where(claims.c.route == route, claims.c.key.in_(some)))
        connection.execute(insert(claims), [{"route": route, "key": key, "run": run} for key in some])
    return others


def owners(connection: Connection, route: str, keys: Collection[str], now: datetime | None) -> dict[str, Run]:
    """Whose each of these keys is; nobody's where no run has it, or where one had it whose lease ran out by now. now: None
    to count those, too."""
    found: dict[str, Run] = {}
    query = select(claims.c.key, runs).join(runs, runs.c.id == claims.c.run).where(claims.c.route == route)
    query = query.where(runs.c.ended.is_(None), *([runs.c.until > now] if now else []))
    for some in databases.batches(list(keys)):
        for row in connection.execute(query.where(claims.c.key.in_(some))).mappings():
            found[row["key"]] = of(row)
    return found


def living(connection: Connection, now: datetime) -> tuple[Run, ...]:
    """Runs whose lease holds, oldest first."""
    query = select(runs).where(runs.c.ended.is_(None), runs.c.until > now).order_by(runs.c.began)
    return tuple(of(row) for row in connection.execute(query).mappings())


def spec_of(connection: Connection, campaign: str) -> str:
    """The file that the last run of this campaign read; empty where none says so."""
    query = select(runs.c.spec).where(runs.c.campaign == campaign, runs.c.spec != "")
    return connection.execute(query.order_by(runs.c.began.desc()).limit(1)).scalar() or ""


def as_flow_runs(connection: Connection, flow_runs: Collection[str]) -> dict[str, Run]:
    """The last run that is known as each of these flow runs; one that is tried again is several runs."""
    found: dict[str, Run] = {}
    for some in databases.batches(list(flow_runs)):
        query = select(runs).where(runs.c.flow_run.in_(some)).order_by(runs.c.began)
        found |= {row["flow_run"]: of(row) for row in connection.execute(query).mappings()}
    return found


def refuse_foreign(connection: Connection, *, key: str, run: str, slug: str) -> None:
    """RunInProgress unless this run has claimed the key, and nobody since. Not by the lease: by who has it.

    A claim is on the route that a run is named after, whichever of its routes gets the job.
    """
    row = connection.execute(_OWNER, {"run": run, "key": key}).mappings().one_or_none()
    if row is not None and row["id"] == run:
        return
    whose = f"{of(row).words} has it now" if row is not None else "nobody has it now"
    raise RunInProgress(
        f"this run does not own the variant any more: {whose}.",
        where=slug,
        hint="Run the campaign again: it goes on with what was submitted.",
    )


def of(row: RowMapping) -> Run:
    return Run(**{part.name: row[part.name] for part in fields(Run)})
