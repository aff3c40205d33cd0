"""The verbs of the ledger: each is one transaction, durable when it returns (SQLite WAL, synchronous FULL; PostgreSQL).

Each writes its entry of the journal first, then the take: the database lets a take move only as the last entry says. One
writer at a time, on both databases: so the journal is one chain, and what is left of a budget stays so until it is held.

What is committed before what: `reserve` before anything that costs; `submitting` (with the request's body) before the
request leaves; `submitted` before the job is waited for; `archived` after the deliverable is safely in the archive.
Every verb re-reads the row inside its transaction, so doing it twice, or racing another process, is harmless: the second
gets IllegalTransition or TakeAlreadyLive and has changed nothing.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, case, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from callsheet import approval, digest
from callsheet.approval import Ruling
from callsheet.audit import Books, Statement
from callsheet.credits import ZERO, Credits
from callsheet.errors import BudgetExceeded, IllegalTransition, RouteBusy, TakeAlreadyLive
from callsheet.journal import GENESIS, TERMS, Entry, spelt, terms_of
from callsheet.ledger import databases, guards, migrations, ownership
from callsheet.ledger.ownership import LEASE, Run
from callsheet.ledger.tables import approvals, callbacks, hooks, journal, statements, takes
from callsheet.occurrence import spoken
from callsheet.routing import PLAY, Limits
from callsheet.take import CHARGED, HELD, State, Take, may

#: The columns of a take; requests and identities are long, and are asked for by themselves.
_TAKE = tuple(column for column in takes.c if column.name not in ("request", "identity"))
#: What an entry of the journal covers: everything but the request, which is erased.
_MOVED = tuple(column for column in takes.c if column.name != "request")
# Statements of every step of every take, put together once: SQLAlchemy takes longer to do so than SQLite to answer them.
_BY_ID = select(*_TAKE).where(takes.c.id == bindparam("take"))
_WHOLE_BY_ID = select(*_MOVED).where(takes.c.id == bindparam("take"))
_CHANGED = update(takes).where(takes.c.id == bindparam("take")).returning(*_TAKE)
_ADDED = insert(takes).returning(*_TAKE)
_SECOND = (
    select(*_TAKE)
    .where(takes.c.route.in_(bindparam("routes", expanding=True)), takes.c.key == bindparam("key"))
    .where(
        takes.c.state.in_(sorted(HELD))
        | ((takes.c.id > bindparam("supersedes")) & (takes.c.state.in_(sorted(CHARGED)) | (takes.c.charged > 0)))
    )
    .order_by(takes.c.id.desc())
    .limit(1)
)
_OF_KEYS = (
    select(*_TAKE)
    .where(takes.c.route.in_(bindparam("routes", expanding=True)), takes.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(takes.c.id)
)
#: Every route of a take, each found by one step in an index: asked before each purchase, and a distinct would read them all.
_ROUTES = text(
    "with recursive used(route) as (select min(route) from takes union all "
    "select (select min(route) from takes where route > used.route) from used where used.route is not null) "
    "select route from used where route is not null order by route"
)
_IDENTITIES = select(takes.c.id, takes.c.identity).where(takes.c.id.in_(bindparam("takes", expanding=True)))
_LAST_TAKE = select(func.max(takes.c.id))
_EXPECTED = case((takes.c.state.in_(sorted(HELD | CHARGED)), takes.c.price), else_=0)
_SUMS = select(takes.c.state, func.sum(func.coalesce(func.nullif(takes.c.charged, 0), _EXPECTED))).group_by(
    takes.c.state
)
_LAST_ENTRY = select(journal.c.id, journal.c.hash).order_by(journal.c.id.desc()).limit(1)
_WRITTEN = insert(journal)
#: A job that was sent so long ago and is still under way takes no room of a route any more.
FORGOTTEN = timedelta(hours=24)
MINUTE = timedelta(minutes=1)
#: When to look again for room among the jobs in flight.
ROOM_SOON = timedelta(seconds=1)
#: For how long a take that was called back about is not hinted at again.
HINT_REST = timedelta(seconds=2)
#: One route, or all those of a pool.
Routes = str | Collection[str]
#: Ids in one query; SQLite takes 32,766 values in one.
BATCH = 10_000
#: What a row of an approval says as the ruling does.
_RULED = ("word", "campaign", "route", "plan", "at", "expires_at", "flow_run", "occurrence", "shown")
#: States of a take that the provider has made something of.
RENDERED = frozenset({State.SUCCEEDED, State.ARCHIVED})


@dataclass(frozen=True, kw_only=True)
class Money:
    """What a campaign holds (live takes) and has been charged (archived takes, failed ones that cost) on one route."""

    held: Credits = ZERO
    charged: Credits = ZERO

    @property
    def spoken_for(self) -> Credits:
        return self.held + self.charged


@dataclass(frozen=True, kw_only=True)
class Booking:
    """What `reserve` needs to know of one variant."""

    campaign: str
    route: str
    slug: str
    key: str
    number: int
    price: Credits
    plan: str
    #: Newest take of this key that the plan had seen (0: none). A newer one means that somebody else was faster.
    supersedes: int
    #: Ceiling of the campaign on this route; None for no ceiling.
    budget: Credits | None
    #: Ceiling of this month (UTC) over all campaigns of this route; None for no ceiling.
    monthly: Credits | None = None
    #: Canonical JSON of what the key is the digest of; empty where it is not known.
    identity: str = ""
    #: Every route on which the content may have been bought, this one among them: its budget, month and takes count too.
    pool: tuple[str, ...] = ()
    #: The moment of the schedule that it is made for: for one there is one take of a variant that costs anything.
    occurrence: datetime | None = None
    #: The run that has claimed the key; a run without a name claims nothing, and is refused nothing for it.
    run: str = ""

    @property
    def routes(self) -> tuple[str, ...]:
        return self.pool or (self.route,)

    def __post_init__(self) -> None:
        if self.identity and digest.of_bytes(self.identity.encode()) != self.key:
            raise ValueError(f"the identity of {self.slug} is not what its key stands for")


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """One ledger. Thread-safe; every call opens its own short transaction."""

    def __init__(self, url: str, *, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._url = url
        self._engine = databases.engine_of(url)
        try:
            with self._writing() as connection:
                migrations.open_schema(connection)
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        self._engine.dispose()

    # --- verbs ---------------------------------------------------------------------------------------------------------

    def reserve(self, booking: Booking) -> Take:
        """A new take in RESERVED, its price held. Committed before it returns; nothing has left this machine.

        One transaction checks both: no live take for this key on this route and none newer than the plan knew
        (else TakeAlreadyLive), and held + charged + price within the budget of the campaign and of the month (else
        BudgetExceeded). As there is one writer at a time, what was left is left until it is held. RunInProgress where
        another run has claimed the key from this one.
        """
        with self._writing() as connection:
            return self._reserved(connection, booking)

    def taken_up(self, booking: Booking, *, job: str, reason: str) -> Take:
        """A new take in SUBMITTED, all in one transaction, for a job that the provider has and whose own take was released:
        RELEASED is an end. TakeAlreadyLive where its content was bought again since.

        Left in between, it would be a take that is reserved and was never sent, which a run sends.
        """
        with self._writing() as connection:
            take = self._reserved(connection, booking)
            self._moved(connection, take.id, State.SUBMITTING, request="{}", submitted_at=self._now())
            return self._moved(connection, take.id, State.SUBMITTED, job=job, request=None, reason=_storable(reason))

    def submitting(
        self, take_id: int, *, request: Mapping[str, Any], run: str = "", limits: Limits | None = None
    ) -> Take:
        """RESERVED -> SUBMITTING with the body that is about to be sent. Committed before the request leaves.

        The body is kept because a replay of the Idempotency-Key has to carry the very same one. RunInProgress where
        another run has claimed the key from this one. limits: of the route, counted over every process that shares the
        ledger, in the same transaction; RouteBusy says after how long there may be room.
        """
        body = json.dumps(request, sort_keys=True, ensure_ascii=False)
        return self._move(take_id, State.SUBMITTING, run=run, limits=limits, request=body, submitted_at=self._now())

    def submitted(self, take_id: int, *, job: str, request_id: str = "", reason: str = "") -> Take:
        """SUBMITTING or IN_DOUBT -> SUBMITTED: the provider has it, under this job id.

        reason: the evidence, where no answer to the request says so.
        """
        return self._move(take_id, State.SUBMITTED, job=job, request_id=request_id, request=None, reason=reason)

    def in_doubt(self, take_id: int, *, reason: str) -> Take:
        """SUBMITTING -> IN_DOUBT: it left, and nobody knows what became of it. The price stays held. IN_DOUBT -> IN_DOUBT:
        more is known of it, and it is in doubt all the same."""
        return self._move(take_id, State.IN_DOUBT, reason=reason)

    def released(self, take_id: int, *, reason: str, run: str = "") -> Take:
        """-> RELEASED: provably never accepted; the hold is gone.

        RunInProgress where another run has claimed the key from this one: a refusal of its own request proves nothing of
        what the other has sent since, under the same Idempotency-Key.
        """
        return self._move(take_id, State.RELEASED, run=run, reason=reason, request=None)

    def succeeded(self, take_id: int, *, charged: Credits | None) -> Take:
        """SUBMITTED -> SUCCEEDED: there is a result, paid for and not yet ours."""
        return self._move(take_id, State.SUCCEEDED, charged=None if charged is None else charged.units)

    def failed(self, take_id: int, *, reason: str, charged: Credits | None = None) -> Take:
        """SUBMITTED -> FAILED: the provider ended the job without a result; the hold is gone. SUBMITTED, SUCCEEDED or IN_DOUBT
        -> FAILED: a person gives the result up.

        charged: what the provider keeps all the same; it stays in the budget.
        """
        cost = None if charged is None else charged.units
        return self._move(take_id, State.FAILED, reason=reason, charged=cost, request=None)

    def archived(self, take_id: int, *, archive: str, sha256: str) -> Take:
        """SUCCEEDED -> ARCHIVED: the deliverable is in the archive; the hold becomes a charge."""
        return self._move(take_id, State.ARCHIVED, archive=archive, sha256=sha256, reason="")

    # --- who works on what ---------------------------------------------------------------------------------------------

    def begin_run(
        self,
        run: str,
        *,
        campaign: str,
        route: str,
        who: str,
        spec: str = "",
        occurrence: datetime | None = None,
        flow_run: str = "",
    ) -> Run:
        """A run under a lease, for as long as it beats. run: an id of its own (`ownership.new_id`).

        spec: the file of its campaign. flow_run: as which it is known to Prefect.
        """
        with self._writing() as connection:
            began = ownership.moment(connection, self._now())
            new = Run(
                id=run,
                campaign=campaign,
                route=route,
                who=who,
                began=began,
                until=began + LEASE,
                spec=spec,
                occurrence=occurrence,
                flow_run=flow_run,
            )
            return ownership.begin(connection, new)

    def beat(self, run: str) -> None:
        """The run lives: its lease begins again."""
        with self._writing() as connection:
            ownership.beat(connection, run, ownership.moment(connection, self._now()))

    def end_run(self, run: str) -> None:
        """The run is over, or known to be gone: its claims are free."""
        with self._writing() as connection:
            ownership.end(connection, run, ownership.moment(connection, self._now()))

    def claim(self, run: str, keys: Collection[str]) -> dict[str, Run]:
        """Claim these keys for a run, all in one transaction. What others have claimed stays theirs, and is told by key."""
        with self._writing() as connection:
            return ownership.claim(connection, run, keys, ownership.moment(connection, self._now()))

    def owners(self, *, route: str, keys: Collection[str], lapsed: bool = False) -> dict[str, Run]:
        """The runs under a lease that have claimed these keys, by key. lapsed: and those that have not ended, whose lease ran
        out: asleep, stopped, or gone."""
        with self._reading() as connection:
            now = None if lapsed else ownership.moment(connection, self._now())
            return ownership.owners(connection, route, keys, now)

    def running(self) -> tuple[Run, ...]:
        """Every run under a lease, oldest first."""
        with self._reading() as connection:
            return ownership.living(connection, ownership.moment(connection, self._now()))

    def spec_of(self, campaign: str) -> str:
        """The file that the last run of this campaign read; empty where none says so."""
        with self._reading() as connection:
            return ownership.spec_of(connection, campaign)

    def as_flow_runs(self, flow_runs: Collection[str]) -> dict[str, Run]:
        """The last run that Prefect knows as each of these flow runs."""
        with self._reading() as connection:
            return ownership.as_flow_runs(connection, flow_runs)

    def refuse_foreign(self, take: Take, *, run: str) -> None:
        """RunInProgress unless this run has claimed what the take is of: before a request is sent again."""
        with self._reading() as connection:
            ownership.refuse_foreign(connection, key=take.key, run=run, slug=take.slug)

    # --- what else is recorded -----------------------------------------------------------------------------------------
    def called_back(self, *, token: str, job: str) -> bool:
        """Record that a callback with the token of this SHA-256 named a job. False, and nothing is written, the second time."""
        with self._writing() as connection:
            same = (callbacks.c.token == token) & (callbacks.c.job == job)
            if connection.execute(select(callbacks.c.id).where(same).limit(1)).one_or_none() is not None:
                return False
            connection.execute(insert(callbacks).values(token=token, job=job, at=self._now()))
        return True

    def expect_call(self, take_id: int, *, token: str) -> None:
        """The provider may call back about this take under the token of this SHA-256. Before its request leaves."""
        with self._writing() as connection:
            connection.execute(insert(hooks).values(token=token, take_id=take_id))

    def hint(self, *, token: str, job: str) -> bool:
        """The provider says under this token that the job has news. False, and nothing is written, where the take has no such
        job, has ended, or was told so within HINT_REST: a callback that is played again asks for nothing."""
        now = self._now()
        at_work = select(takes.c.id).where((takes.c.job == job) & (takes.c.state == State.SUBMITTED))
        rested = (hooks.c.heard_at.is_(None)) | (hooks.c.heard_at < now - HINT_REST)
        with self._writing() as connection:
            told = update(hooks).where((hooks.c.token == token) & hooks.c.take_id.in_(at_work) & rested)
            return connection.execute(told.values(heard_at=now)).rowcount > 0

    def hinted(self, *, route: str, since: datetime) -> tuple[tuple[str, datetime], ...]:
        """The jobs of this route that are at work and were hinted at since then, each with when that was."""
        joined = hooks.join(takes, takes.c.id == hooks.c.take_id)
        query = select(takes.c.job, hooks.c.heard_at).select_from(joined)
        query = query.where((hooks.c.heard_at >= since) & (takes.c.route == route) & (takes.c.state == State.SUBMITTED))
        with self._reading() as connection:
            return tuple((row.job, row.heard_at) for row in connection.execute(query))

    def rule(self, ruling: Ruling) -> None:
        """Record what was asked or answered. What the same flow run was told of the same plan already is not written twice."""
        with self._writing() as connection:
            same = (approvals.c.flow_run == ruling.flow_run) & (approvals.c.word == ruling.word)
            same &= (approvals.c.plan == ruling.plan) & (approvals.c.at == ruling.at)
            if ruling.flow_run and connection.execute(select(approvals.c.id).where(same).limit(1)).first() is not None:
                return
            connection.execute(insert(approvals).values(**_of_ruling(ruling)))

    def rulings(
        self,
        *,
        campaign: str | None = None,
        route: str | None = None,
        flow_run: str | None = None,
        good_at: datetime | None = None,
    ) -> tuple[Ruling, ...]:
        """What was asked and answered, the newest first: of a campaign on a route, of a flow run, what has not expired."""
        query = select(approvals).order_by(approvals.c.id.desc())
        query = query if good_at is None else query.where(approvals.c.expires_at >= good_at)
        for column, value in (
            (approvals.c.campaign, campaign),
            (approvals.c.route, route),
            (approvals.c.flow_run, flow_run),
        ):
            query = query if value is None else query.where(column == value)
        with self._reading() as connection:
            return tuple(map(_ruling, connection.execute(query).mappings()))

    def state(self, *, route: str, account: str, balance: Credits) -> Statement:
        """Record what the provider says that an account can still spend, with what this ledger says now."""
        with self._writing() as connection:
            money = _money(connection, None, route)
            said = Statement(at=self._now(), balance=balance, held=money.held, charged=money.charged)
            row = {"at": said.at, **{name: getattr(said, name).units for name in ("balance", "held", "charged")}}
            connection.execute(insert(statements).values(route=route, account=account, **row))
        return said

    # --- views ---------------------------------------------------------------------------------------------------------

    def take(self, take_id: int) -> Take:
        """KeyError when there is no such take."""
        with self._reading() as connection:
            row = connection.execute(_BY_ID, {"take": take_id}).mappings().one_or_none()
        if row is None:
            raise KeyError(take_id)
        return _take(row)

    def request(self, take_id: int) -> dict[str, Any]:
        """The body that was sent, while its fate is unknown. KeyError once it has been erased."""
        with self._reading() as connection:
            body = connection.execute(select(takes.c.request).where(takes.c.id == take_id)).scalar_one_or_none()
        if body is None:
            raise KeyError(take_id)
        loaded: dict[str, Any] = json.loads(body)
        return loaded

    def doubts(self) -> tuple[tuple[Take, dict[str, Any]], ...]:
        """Every take of which nobody knows whether it was accepted, with the body that was sent, oldest first."""
        unknown = takes.c.state.in_([State.SUBMITTING, State.IN_DOUBT])
        query = select(*_TAKE, takes.c.request).where(unknown).order_by(takes.c.id)
        with self._reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return tuple((_take(row), json.loads(body)) for row in rows for body in [row.pop("request")])

    def claimed(self, jobs: Sequence[str]) -> set[str]:
        """Those of these jobs that a take has, on whatever route."""
        found: set[str] = set()
        with self._reading() as connection:
            for batch in databases.batches(jobs):
                some = takes.c.job.in_(batch)
                found.update(connection.execute(select(takes.c.job).where(some)).scalars())
        return found

    def callbacks(self, tokens: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """(token, job) of what came in for the tokens of these SHA-256, oldest first."""
        found: list[tuple[str, str]] = []
        query = select(callbacks.c.token, callbacks.c.job).order_by(callbacks.c.id)
        with self._reading() as connection:
            for batch in databases.batches(tokens):
                some = query.where(callbacks.c.token.in_(batch))
                found += [(row.token, row.job) for row in connection.execute(some)]
        return tuple(found)

    def identities(self, take_ids: Sequence[int]) -> dict[int, str]:
        """The identity of each of these takes as canonical JSON; empty for a take older than their recording."""
        found: dict[int, str] = {}
        with self._reading() as connection:
            for begin in range(0, len(take_ids), BATCH):
                batch = take_ids[begin : begin + BATCH]
                rows = connection.execute(_IDENTITIES, {"takes": batch})
                found.update({row.id: row.identity for row in rows})
        return found

    def routes(self) -> tuple[str, ...]:
        """Every route that a take was ever reserved on."""
        with self._reading() as connection:
            return tuple(connection.execute(_ROUTES).scalars())

    def takes(self, *, campaign: str | None = None, route: Routes | None = None) -> tuple[Take, ...]:
        """Every take, oldest first."""
        query = select(*_TAKE).order_by(takes.c.id)
        if campaign is not None:
            query = query.where(takes.c.campaign == campaign)
        if route is not None:
            query = query.where(_on(route))
        with self._reading() as connection:
            return tuple(_take(row) for row in connection.execute(query).mappings())

    def counted(self, *, campaign: str, plans: Collection[str]) -> dict[State, int]:
        """How many variants of a campaign, which were bought under these plans, have a newest take in each state."""
        bought = takes.c.campaign == campaign, takes.c.plan.in_(plans)
        newest = select(func.max(takes.c.id)).where(*bought).group_by(takes.c.key)
        query = select(takes.c.state, func.count()).where(takes.c.id.in_(newest)).group_by(takes.c.state)
        with self._reading() as connection:
            return {State(row[0]): row[1] for row in connection.execute(query)}

    def newest(self, keys: Sequence[str], *, route: Routes) -> dict[str, Take]:
        """The newest take of each key that holds or has cost something, else the newest of any state."""
        found: dict[str, Take] = {}
        routes = [route] if isinstance(route, str) else sorted(route)
        with self._reading() as connection:
            for batch in databases.batches(keys):
                rows = connection.execute(_OF_KEYS, {"routes": routes, "keys": batch}).mappings()
                for take in map(_take, rows):
                    if _outranks(take, found.get(take.key)):
                        found[take.key] = take
        return found

    def made_for(self, occurrence: datetime, *, campaign: str, route: Routes) -> tuple[Take, ...]:
        """The takes of a campaign that were made for an occurrence and have cost something, or may."""
        query = select(*_TAKE).where(takes.c.campaign == campaign, takes.c.occurrence == occurrence, _on(route))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(takes.c.id)).mappings()
            return tuple(take for take in map(_take, rows) if _counts(take))

    def money(self, *, campaign: str, route: Routes) -> Money:
        """Held and charged of one campaign on a route, or on several together."""
        with self._reading() as connection:
            return _money(connection, campaign, route)

    def month(self, *, route: Routes) -> Money:
        """Held and charged of this month, in UTC, over all campaigns of a route, or of several together.

        A take counts in the month in which it was sent; one that is reserved and not sent yet, in this one.
        """
        with self._reading() as connection:
            return _money(connection, None, route, _of_month(self._now()))

    def durations(self, *, route: str, model: str, most: int) -> tuple[timedelta, ...]:
        """How long the last takes of this model took on this route, from sent to SUCCEEDED; the newest first."""
        of_model = takes.c.identity.contains(f'"model":{json.dumps(model)}', autoescape=True)
        last = select(takes.c.id).where(takes.c.route == route, takes.c.state.in_(sorted(RENDERED)), of_model)
        found = last.order_by(takes.c.id.desc()).limit(most).subquery()
        query = select(journal.c.at, journal.c.submitted_at).where(journal.c.take_id == found.c.id)
        query = query.where(journal.c.after == str(State.SUCCEEDED), journal.c.submitted_at.is_not(None))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(journal.c.id.desc()))
            return tuple(row.at - row.submitted_at for row in rows)

    def history(self, take_id: int) -> tuple[tuple[datetime, str, str, str], ...]:
        """(when, before, after, reason) of every transition of a take, in order."""
        query = select(journal.c.at, journal.c.before, journal.c.after, journal.c.reason)
        with self._reading() as connection:
            rows = connection.execute(query.where(journal.c.take_id == take_id).order_by(journal.c.id))
            return tuple((row.at, row.before, row.after, row.reason) for row in rows)

    def stated(self, *, route: str, account: str) -> Statement | None:
        """What the provider said last; None before it was ever asked."""
        query = select(statements).where(statements.c.route == route, statements.c.account == account)
        with self._reading() as connection:
            row = connection.execute(query.order_by(statements.c.id.desc()).limit(1)).one_or_none()
        if row is None:
            return None
        balance, held, charged = (Credits(units=units) for units in (row.balance, row.held, row.charged))
        return Statement(at=row.at, balance=balance, held=held, charged=charged)

    def books(self) -> Books:
        """Journal and takes as they are in the database, at one moment, for an audit."""
        columns = ", ".join(f'"{column.name}"' for column in _MOVED)
        with self._reading() as connection:
            connection = databases.one_view(connection)
            entries = connection.execute(text("select * from journal order by id")).mappings()
            found = connection.execute(text(f"select {columns} from takes order by id")).mappings()  # noqa: S608 names of columns
            return Books(
                entries=[Entry(**_plain(row)) for row in entries],
                takes=[_plain(row) for row in found],
                unguarded=guards.missing(connection),
            )

    # --- inside a transaction ------------------------------------------------------------------------------------------

    def _reserved(self, connection: Connection, booking: Booking) -> Take:
        booking = _over_all_routes(connection, booking)
        if booking.run:
            ownership.refuse_foreign(connection, key=booking.key, run=booking.run, slug=booking.slug)
        self._refuse_second_take(connection, booking)
        self._refuse_second_occurrence(connection, booking)
        self._refuse_overspending(connection, booking)
        self._refuse_a_dear_month(connection, booking)
        at = self._now()
        row = {
            "id": (connection.execute(_LAST_TAKE).scalar_one() or 0) + 1,
            "campaign": booking.campaign,
            "route": booking.route,
            "slug": booking.slug,
            "key": booking.key,
            "number": booking.number,
            "state": State.RESERVED,
            "price": booking.price.units,
            "idempotency_key": f"callsheet-{uuid4().hex}",
            "plan": booking.plan,
            "created_at": at,
            "updated_at": at,
            "identity": booking.identity,
            "occurrence": booking.occurrence,
        }
        _write_down(connection, row, before="")
        return _take(connection.execute(_ADDED, row).mappings().one())

    def _refuse_second_take(self, connection: Connection, booking: Booking) -> None:
        of_content = {"routes": sorted(booking.routes), "key": booking.key, "supersedes": booking.supersedes}
        row = connection.execute(_SECOND, of_content).mappings().one_or_none()
        if row is not None:
            raise TakeAlreadyLive(
                f"take {row['id']} of the same content is {row['state']} since {row['updated_at']:%Y-%m-%d %H:%M} UTC.",
                where=booking.slug,
                hint="Run again: the plan will attach to it or skip it.",
            )

    def _refuse_second_occurrence(self, connection: Connection, booking: Booking) -> None:
        if booking.occurrence is None:
            return
        same = (takes.c.campaign == booking.campaign) & (takes.c.slug == booking.slug)
        same &= (takes.c.number == booking.number) & (takes.c.occurrence == booking.occurrence)
        rows = connection.execute(select(*_TAKE).where(same, _on(booking.routes)).order_by(takes.c.id)).mappings()
        made = next((take for take in map(_take, rows) if _counts(take)), None)
        if made is not None:
            raise TakeAlreadyLive(
                f"take {made.id} was made for {spoken(booking.occurrence)} already: it is {made.state}.",
                where=booking.slug,
                hint="What changed since is rendered at the next occurrence, or by a run of yours.",
            )

    def _refuse_overspending(self, connection: Connection, booking: Booking) -> None:
        if booking.budget is None:
            return
        money = _money(connection, booking.campaign, booking.routes)
        if money.spoken_for + booking.price > booking.budget:
            raise BudgetExceeded(
                f"{booking.price.spoken} more would pass the budget of {booking.budget.spoken}: "
                f"{money.charged} charged, {money.held} held.",
                where=booking.slug,
                hint="Raise budget: in the campaign, or select fewer variants with --only.",
            )

    def _refuse_a_dear_month(self, connection: Connection, booking: Booking) -> None:
        if booking.monthly is None:
            return
        now = self._now()
        money = _money(connection, None, booking.routes, _of_month(now))
        if money.spoken_for + booking.price > booking.monthly:
            raise BudgetExceeded(
                f"{booking.price.spoken} more would pass {booking.monthly.spoken}, what all campaigns may spend on "
                f"{' and '.join(booking.routes)} in {month_name(now)} (UTC): {money.charged} charged, {money.held} held.",
                where=booking.slug,
                hint="Raise CALLSHEET_MONTHLY_BUDGET, or wait for the next month.",
            )

    def _move(self, take_id: int, then: State, *, run: str = "", limits: Limits | None = None, **values: Any) -> Take:
        if "reason" in values:
            values["reason"] = _storable(values["reason"])
        with self._writing() as connection:
            return self._moved(connection, take_id, then, run=run, limits=limits, **values)

    def _moved(
        self,
        connection: Connection,
        take_id: int,
        then: State,
        *,
        run: str = "",
        limits: Limits | None = None,
        **values: Any,
    ) -> Take:
        row = connection.execute(_WHOLE_BY_ID, {"take": take_id}).mappings().one_or_none()
        if row is None:
            raise KeyError(take_id)
        _refuse_illegal(row, then)
        if run:
            ownership.refuse_foreign(connection, key=row["key"], run=run, slug=row["slug"])
        if limits is not None:
            self._refuse_too_many(connection, row["route"], limits)
        values = {**values, "state": then, "updated_at": self._now()}
        _write_down(connection, {**row, **values}, before=row["state"])
        return _take(connection.execute(_CHANGED, {"take": take_id, **values}).mappings().one())

    def _refuse_too_many(self, connection: Connection, route: str, limits: Limits) -> None:
        """By what the ledger knows of the route's takes, so a killed process leaves no count behind."""
        now, sent = self._now(), takes.c.submitted_at
        count = select(func.count()).where(takes.c.route == route)
        if limits.in_flight is not None:
            at_work = takes.c.state.in_((State.SUBMITTING, State.SUBMITTED))
            if connection.execute(count.where(at_work, sent > now - FORGOTTEN)).scalar_one() >= limits.in_flight:
                raise _busy(f"{limits.in_flight} jobs are in flight on route {route}, as many as it takes", ROOM_SOON)
        if limits.per_minute is not None:
            # What was sent in the future was sent before the clock was set back, and nobody waits for days.
            of_minute = (
                select(sent).where(takes.c.route == route, sent > now - MINUTE, sent <= now + MINUTE).order_by(sent)
            )
            times = list(connection.execute(of_minute).scalars())
            if len(times) >= limits.per_minute:
                wait = times[len(times) - limits.per_minute] + MINUTE - now
                wait = min(wait, MINUTE)
                raise _busy(f"{limits.per_minute} jobs were sent on route {route} within a minute", wait)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction; a writer is alone from its first statement on."""
        try:
            with self._engine.begin() as connection:
                databases.be_the_writer(connection)
                yield connection
        except IntegrityError as error:  # without the causes: what they say may quote a request, and signed URLs in it
            raise _refused(error) from None
        except SQLAlchemyError as error:
            raise databases.unreachable(error, self._engine) from None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise databases.unreachable(error, self._engine) from None


def _write_down(connection: Connection, row: Mapping[str, Any], *, before: str) -> None:
    """The next entry of the journal: the take goes from `before` to what `row` says. In the writer's transaction."""
    last = connection.execute(_LAST_ENTRY).one_or_none()
    number, former = (0, GENESIS) if last is None else last
    sent = row.get("submitted_at")
    entry = Entry(
        id=number + 1,
        take_id=row["id"],
        at=spelt(row["updated_at"]),
        before=before,
        after=str(row["state"]),
        reason=row.get("reason") or "",
        route=row["route"],
        campaign=row["campaign"],
        price=row["price"],
        charged=row.get("charged"),
        job=row.get("job") or "",
        request_id=row.get("request_id") or "",
        submitted_at=None if sent is None else spelt(sent),
        archive=row.get("archive") or "",
        sha256=row.get("sha256") or "",
        terms=_terms(row),
    ).sealed(former=former)
    connection.execute(_WRITTEN, {**vars(entry), "at": row["updated_at"], "submitted_at": sent})


def _terms(row: Mapping[str, Any]) -> str:
    occurrence = row.get("occurrence")
    return terms_of(
        **{name: row[name] for name in TERMS[:-1]},
        created_at=spelt(row["created_at"]),
        occurrence=None if occurrence is None else spelt(occurrence),
    )


def _busy(what: str, wait: timedelta) -> RouteBusy:
    return RouteBusy(f"{what}.", after=wait)


def _storable(words: str) -> str:
    """What a provider wrote, without what PostgreSQL has no letter for."""
    return words.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _refuse_illegal(take: RowMapping, then: State) -> None:
    if not may(State(take["state"]), then):
        raise IllegalTransition(
            f"take {take['id']} is {take['state']}, and cannot become {then}.",
            where=take["slug"],
            hint="Another run has moved it on.",
        )


def _plain(row: RowMapping) -> dict[str, Any]:
    """What SQLite lets somebody write into any column, as something that can be hashed and shown."""
    return {name: value if isinstance(value, (int, str, type(None))) else repr(value) for name, value in row.items()}


def month_name(moment: datetime) -> str:
    """2026-11"""
    return f"{moment.astimezone(UTC):%Y-%m}"


def _of_month(moment: datetime) -> ColumnElement[bool]:
    """Takes that count in the month of this moment."""
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=31)).replace(day=1)
    sent = takes.c.submitted_at
    return (sent >= first) & (sent < following) | sent.is_(None) & takes.c.state.in_(sorted(HELD))


def _over_all_routes(connection: Connection, booking: Booking) -> Booking:
    """A purchase counts with all that was ever paid for, on routes too that were first used after its plan was drawn up."""
    if booking.route in PLAY:
        return booking
    paid = {route for route in connection.execute(_ROUTES).scalars() if route not in PLAY}
    return replace(booking, pool=tuple(sorted(paid.union(booking.routes))))


def _on(route: Routes) -> ColumnElement[bool]:
    return takes.c.route == route if isinstance(route, str) else takes.c.route.in_(sorted(route))


def _money(
    connection: Connection, campaign: str | None, route: Routes, only: ColumnElement[bool] | None = None
) -> Money:
    """The sum of `Take.cost`, worked out by the database. campaign None: of all."""
    query = _SUMS.where(_on(route))
    if campaign is not None:
        query = query.where(takes.c.campaign == campaign)
    if only is not None:
        query = query.where(only)
    sums = {State(state): Credits(units=int(units)) for state, units in connection.execute(query)}
    held = sum((units for state, units in sums.items() if state in HELD), ZERO)
    return Money(held=held, charged=sum(sums.values(), ZERO) - held)


def _outranks(take: Take, other: Take | None) -> bool:
    """A take that holds or cost something says more than one that came to nothing; else the later one does."""
    return other is None or _counts(take) or not _counts(other)


def _counts(take: Take) -> bool:
    """Live or archived; or failed, and charged all the same."""
    return take.state in HELD | CHARGED or bool(take.cost)


def _take(row: RowMapping | dict[str, Any]) -> Take:
    values = dict(row)
    charged = values.pop("charged")
    return Take(
        **{
            **values,
            "state": State(row["state"]),
            "price": Credits(units=row["price"]),
            "charged": None if charged is None else Credits(units=charged),
        }
    )


def _of_ruling(ruling: Ruling) -> dict[str, Any]:
    """Its row."""
    return {
        **{name: getattr(ruling, name) for name in _RULED},
        "credits": ruling.credits.units,
        "cap": None if ruling.cap is None else ruling.cap.units,
        "by": _storable(ruling.by),
        "note": _storable(ruling.note),
        "left_out": json.dumps(ruling.left_out) if ruling.left_out else "",
        "allows": approval.as_text(ruling.allows),
    }


def _ruling(row: RowMapping) -> Ruling:
    return Ruling(
        **{name: row[name] for name in (*_RULED, "by", "note")},
        credits=Credits(units=row["credits"]),
        cap=None if row["cap"] is None else Credits(units=row["cap"]),
        left_out=tuple(json.loads(row["left_out"])) if row["left_out"] else (),
        allows=approval.from_text(row["allows"]),
    )


def _refused(error: IntegrityError) -> Exception:
    """A constraint of the database as the error a caller knows."""
    said = databases.said(error)
    twice = ("illegal second take", "takes.route, takes.key", "one_live_take_per_key", "one_take_per_occurrence")
    if any(words in said for words in (*twice, "takes.campaign, takes.slug")):
        return TakeAlreadyLive(
            "another take of the same content is live.", hint="Run again: the plan will attach to it."
        )
    return IllegalTransition(f"the ledger refused it: {said}.")
