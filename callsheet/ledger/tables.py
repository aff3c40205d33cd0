"""The tables and what the database itself refuses: a second live take, an illegal transition, a job without an id.

The rules stand in constraints and triggers, not only in Python: another program, another version or a bug cannot pass
them either. The legal transitions are rows, copied from `callsheet.take`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    insert,
    text,
    update,
)

from callsheet.take import LIVE, TRANSITIONS, State

#: Raised when a table changes. An older ledger is brought forward by `migrate`; a newer one is refused, never guessed at.
SCHEMA_VERSION = 2


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time as sortable text with microseconds: databases disagree about time zones, text does not."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 SQLAlchemy's signature
        return None if value is None else datetime.fromisoformat(value)


def _listed(states: frozenset[State]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


metadata = MetaData()

version = Table("ledger_version", metadata, Column("version", Integer, nullable=False))

takes = Table(
    "takes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("campaign", String(64), nullable=False),
    Column("route", String(64), nullable=False),
    Column("slug", Text, nullable=False),
    Column("key", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("price", BigInteger, CheckConstraint("price >= 0"), nullable=False),  # units of 1/10000 credit
    Column("idempotency_key", String(96), nullable=False, unique=True),
    Column("plan", String(64), nullable=False),
    Column("request", Text),  # the body as sent, while its fate is unknown; erased once it is
    Column("job", String(128), nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    Column("charged", BigInteger),  # what the provider reported, units of 1/10000 credit
    Column("reason", Text, nullable=False, server_default=""),
    Column("archive", Text, nullable=False, server_default=""),
    Column("sha256", String(64), nullable=False, server_default=""),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("submitted_at", UtcTime),
    Column(
        "identity", Text, nullable=False, server_default=""
    ),  # canonical JSON whose digest is the key; "" in old takes
    CheckConstraint(f"state in ({_listed(frozenset(State))})", name="a_known_state"),
    CheckConstraint("state not in ('submitted', 'succeeded', 'archived') or job <> ''", name="a_job_has_an_id"),
    CheckConstraint("state <> 'archived' or (archive <> '' and sha256 <> '')", name="an_archived_take_has_a_file"),
    CheckConstraint("state not in ('submitting', 'in_doubt') or request is not null", name="a_sent_request_is_kept"),
)

Index(
    "one_live_take_per_key",
    takes.c.route,
    takes.c.key,
    unique=True,
    sqlite_where=text(f"state in ({_listed(LIVE)})"),
    postgresql_where=text(f"state in ({_listed(LIVE)})"),
)
Index(
    "one_take_per_job",
    takes.c.route,
    takes.c.job,
    unique=True,
    sqlite_where=text("job <> ''"),
    postgresql_where=text("job <> ''"),
)
Index("takes_of_a_key", takes.c.route, takes.c.key)
Index("takes_of_a_campaign", takes.c.campaign, takes.c.route, takes.c.state)

transitions = Table(
    "transitions",
    metadata,
    Column("before", String(16), primary_key=True),
    Column("after", String(16), primary_key=True),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("take_id", Integer, ForeignKey("takes.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("before", String(16), nullable=False),
    Column("after", String(16), nullable=False),
    Column("reason", Text, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("campaign", String(64), nullable=False),
    Column("route", String(64), nullable=False),
    Column("plan", String(64), nullable=False),
    Column("credits", BigInteger, nullable=False),  # what the plan said it would cost, units of 1/10000 credit
    Column("by", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

IDENTITY_TRIGGER = """create trigger takes_keep_their_identity before update on takes when new.identity <> old.identity
       begin select raise(abort, 'illegal change: the identity of a take never changes'); end"""

#: SQLite's own guards. Every transition is journalled by the database, so none can be made without a trace.
SQLITE_TRIGGERS = (
    """create trigger takes_begin_reserved before insert on takes when new.state <> 'reserved'
       begin select raise(abort, 'illegal transition: a take begins reserved'); end""",
    """create trigger takes_move_legally before update of state on takes
       when new.state <> old.state
        and not exists (select 1 from transitions t where t.before = old.state and t.after = new.state)
       begin select raise(abort, 'illegal transition'); end""",
    """create trigger takes_keep_their_terms before update on takes
       when new.key <> old.key or new.price <> old.price or new.route <> old.route
         or new.idempotency_key <> old.idempotency_key
       begin select raise(abort, 'illegal change: key, price, route and idempotency key never change'); end""",
    """create trigger takes_stay before delete on takes
       begin select raise(abort, 'illegal change: a take is never deleted'); end""",
    """create trigger takes_begin_in_the_journal after insert on takes
       begin insert into journal (take_id, at, before, after, reason)
             values (new.id, new.created_at, '', new.state, new.reason); end""",
    """create trigger takes_move_in_the_journal after update of state on takes when new.state <> old.state
       begin insert into journal (take_id, at, before, after, reason)
             values (new.id, new.updated_at, old.state, new.state, new.reason); end""",
    """create trigger journal_stays before delete on journal
       begin select raise(abort, 'illegal change: the journal is append-only'); end""",
    """create trigger journal_is_as_written before update on journal
       begin select raise(abort, 'illegal change: the journal is append-only'); end""",
    IDENTITY_TRIGGER,
)

#: What leads from a version to the next. Only additions: no row of a ledger is ever written anew.
MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: (
        "alter table takes add column identity text default '' not null",
        'create index if not exists takes_of_a_key ON takes (route, "key")',
        IDENTITY_TRIGGER,
    ),
}


def create(connection: Connection) -> None:
    """Lay out an empty ledger: tables, the legal transitions, triggers, version."""
    metadata.create_all(connection)
    pairs = [{"before": str(before), "after": str(after)} for before, afters in TRANSITIONS.items() for after in afters]
    connection.execute(insert(transitions), pairs)
    for trigger in SQLITE_TRIGGERS:
        connection.execute(text(trigger))
    connection.execute(insert(version).values(version=SCHEMA_VERSION))


def migrate(connection: Connection, found: int) -> None:
    """Bring a ledger of version `found` to this one, in the transaction of the connection. KeyError where no way leads."""
    for step in range(found, SCHEMA_VERSION):
        for statement in MIGRATIONS[step]:
            connection.execute(text(statement))
    connection.execute(update(version).values(version=SCHEMA_VERSION))
