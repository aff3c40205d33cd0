"""The tables and their constraints: one live take a key, one take a job, a job without an id, a price below nothing.

The rules stand in the database, not only in Python: another program, another version or a bug cannot pass them either.
What a constraint cannot say, because it is about how a row changes, the triggers say (`guards`).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

from callsheet.journal import spelt
from callsheet.take import CHARGED, LIVE, State

#: Raised when a table changes. An older ledger is brought forward (`migrations`); a newer one is refused, never guessed at.
SCHEMA_VERSION = 9


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time as sortable text with microseconds: databases disagree about time zones, text does not."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        return None if value is None else spelt(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 SQLAlchemy's signature
        return None if value is None else datetime.fromisoformat(value)


def _listed(states: frozenset[State]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


metadata = MetaData()

version = Table("ledger_version", metadata, Column("version", Integer, nullable=False))

takes = Table(
    "takes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
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
    Column("occurrence", UtcTime),  # the moment of the schedule that it was made for; null for none
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
#: Has or may have cost something: for an occurrence there is one such take of a variant.
COUNTS = f"(state in ({_listed(LIVE | CHARGED)}) or coalesce(charged, 0) > 0)"
Index(
    "one_take_per_occurrence",
    takes.c.campaign,
    takes.c.slug,
    takes.c.number,
    takes.c.occurrence,
    takes.c.route,
    unique=True,
    sqlite_where=text(f"occurrence is not null and {COUNTS}"),
    postgresql_where=text(f"occurrence is not null and {COUNTS}"),
)
Index("takes_of_a_key", takes.c.route, takes.c.key)
Index("takes_of_a_month", takes.c.route, takes.c.submitted_at)
Index("takes_of_a_campaign", takes.c.campaign, takes.c.route, takes.c.state)

transitions = Table(
    "transitions",
    metadata,
    Column("before", String(16), primary_key=True),
    Column("after", String(16), primary_key=True),
)

#: An entry is written before the take that it is about moves, so its take is looked for at the end of the transaction.
journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("take_id", Integer, ForeignKey("takes.id", deferrable=True, initially="DEFERRED"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("before", String(16), nullable=False),
    Column("after", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    # Since version 3: what is true of the take from then on, and the chain (`callsheet.journal`).
    Column("route", String(64), nullable=False, server_default=""),
    Column("campaign", String(64), nullable=False, server_default=""),
    Column("price", BigInteger, nullable=False, server_default="0"),  # units of 1/10000 credit, as is `charged`
    Column("charged", BigInteger),
    Column("job", String(128), nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    Column("submitted_at", UtcTime),
    Column("archive", Text, nullable=False, server_default=""),
    Column("sha256", String(64), nullable=False, server_default=""),
    Column("terms", String(64), nullable=False, server_default=""),
    Column("former", String(64), nullable=False, server_default=""),
    Column("hash", String(64), nullable=False, server_default=""),
)
Index("entries_of_a_take", journal.c.take_id)

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
    # Since version 8: what was asked and what was answered (`callsheet.approval.Ruling`).
    Column("word", String(16), nullable=False, server_default="approved"),
    Column("expires_at", UtcTime),
    Column("cap", BigInteger),  # units of 1/10000 credit
    Column("left_out", Text, nullable=False, server_default=""),  # a JSON list
    Column("note", Text, nullable=False, server_default=""),
    Column("flow_run", String(64), nullable=False, server_default=""),
    Column("occurrence", UtcTime),
    Column("shown", String(64), nullable=False, server_default=""),
    Column("allows", Text, nullable=False, server_default=""),  # JSON: what may be bought, by key
)
Index("approvals_of_a_campaign", approvals.c.campaign, approvals.c.route)
Index("approvals_of_a_flow_run", approvals.c.flow_run)

#: Who is at work on takes, and until when that holds unless it says so again (a lease; its heartbeat moves `until`).
runs = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("campaign", String(64), nullable=False),
    Column("route", String(64), nullable=False),
    Column("who", Text, nullable=False),  # host and process, for a person
    Column("began", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("ended", UtcTime),
    # Since version 7: from which file it runs, for which occurrence, and as which flow run Prefect knows it.
    Column("spec", Text, nullable=False, server_default=""),
    Column("occurrence", UtcTime),
    Column("flow_run", String(64), nullable=False, server_default=""),
)
Index("runs_of_a_campaign", runs.c.campaign, runs.c.route)

#: Which run a variant's content is whose, on a route: nobody else reserves or sends a take of it.
claims = Table(
    "claims",
    metadata,
    Column("route", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("run", String(32), ForeignKey("runs.id"), nullable=False),
)
Index("claims_of_a_run", claims.c.run)

#: What came in at the address that a request named for its callback: evidence that a take was accepted.
callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("token", String(64), nullable=False),  # SHA-256 of the secret part of the address
    Column("job", String(128), nullable=False),
    Column("at", UtcTime, nullable=False),
)
Index("callbacks_of_a_token", callbacks.c.token)

#: Under which token the provider may call back about a take, and when it last did: a hint that its job may have ended.
hooks = Table(
    "hooks",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256 of the secret part of the address
    Column("take_id", Integer, ForeignKey("takes.id"), nullable=False),
    Column("heard_at", UtcTime),
)
Index("hooks_by_time", hooks.c.heard_at)

#: What the provider said that an account can still spend, and what the ledger said then (`callsheet audit --online`).
statements = Table(
    "statements",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("route", String(64), nullable=False),
    Column("account", String(64), nullable=False),  # a digest of address and key
    Column("at", UtcTime, nullable=False),
    Column("balance", BigInteger, nullable=False),  # units of 1/10000 credit, as are the next two
    Column("held", BigInteger, nullable=False),
    Column("charged", BigInteger, nullable=False),
)
