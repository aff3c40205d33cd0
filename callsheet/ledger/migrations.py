"""Laying out a new ledger, and bringing an older one forward, version by version. There is no way back.

A step only ever adds: no fact that an older Callsheet wrote is written anew. SQLite has ledgers since version 1, PostgreSQL
since version 3. The guards are no data, so those of the present version are laid at the end.
"""

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection, bindparam, insert, inspect, select, text, update

from callsheet.errors import SchemaOutdated
from callsheet.journal import GENESIS, TERMS, Entry, terms_of
from callsheet.ledger import guards, tables
from callsheet.take import TRANSITIONS

UPGRADE = "pip install --upgrade callsheet"


def open_schema(connection: Connection) -> None:
    """Lay out an empty database, or bring an older ledger to this version. SchemaOutdated where that is not possible."""
    if not inspect(connection).has_table(tables.version.name):
        _create(connection)
        return
    found = connection.execute(select(tables.version.c.version)).scalar_one()
    if found > tables.SCHEMA_VERSION:
        raise SchemaOutdated(
            f"The ledger is of version {found}, and this Callsheet reads version {tables.SCHEMA_VERSION}.",
            hint=f"A newer Callsheet has brought it forward, so this one must not write it. Run: {UPGRADE}",
        )
    if found < tables.SCHEMA_VERSION:
        _migrate(connection, found)


def _create(connection: Connection) -> None:
    """Tables, the legal transitions, guards, version."""
    tables.metadata.create_all(connection)
    pairs = [{"before": str(before), "after": str(after)} for before, afters in TRANSITIONS.items() for after in afters]
    connection.execute(insert(tables.transitions), pairs)
    guards.lay(connection)
    connection.execute(insert(tables.version).values(version=tables.SCHEMA_VERSION))


def _migrate(connection: Connection, found: int) -> None:
    missing = next((step for step in range(found, tables.SCHEMA_VERSION) if step not in STEPS), None)
    if missing is not None:
        raise SchemaOutdated(
            f"The ledger says that it is of version {found}, and no Callsheet has written such a one.",
            hint="It was changed by another program: put a copy of it from before that in its place.",
        )
    guards.lift(connection)
    for step in range(found, tables.SCHEMA_VERSION):
        STEPS[step](connection)
    guards.lay(connection)
    connection.execute(update(tables.version).values(version=tables.SCHEMA_VERSION))


def _keep_identities(connection: Connection) -> None:
    _each(
        connection,
        "alter table takes add column identity text default '' not null",
        'create index if not exists takes_of_a_key ON takes (route, "key")',
    )


def _chain_the_journal(connection: Connection) -> None:
    """The facts of each entry, as far as they are still known, and its place in the chain."""
    _each(
        connection,
        "alter table journal add column route VARCHAR(64) default '' not null",
        "alter table journal add column campaign VARCHAR(64) default '' not null",
        "alter table journal add column price BIGINT default '0' not null",
        "alter table journal add column charged BIGINT",
        "alter table journal add column job VARCHAR(128) default '' not null",
        "alter table journal add column request_id TEXT default '' not null",
        "alter table journal add column submitted_at VARCHAR(32)",
        "alter table journal add column archive TEXT default '' not null",
        "alter table journal add column sha256 VARCHAR(64) default '' not null",
        "alter table journal add column terms VARCHAR(64) default '' not null",
        "alter table journal add column former VARCHAR(64) default '' not null",
        "alter table journal add column hash VARCHAR(64) default '' not null",
        "CREATE INDEX entries_of_a_take ON journal (take_id)",
    )
    tables.statements.create(connection)
    names = ("route", "campaign", "price", "charged", "job", "request_id", "submitted_at", "archive", "sha256", "terms")
    assigned = ", ".join(f"{name} = :{name}" for name in (*names, "former", "hash"))
    # `_id`: a name of its own, since `id` is the column.
    statement = text(f"update journal set {assigned} where id = :_id").bindparams(bindparam("_id"))  # noqa: S608 no outside text in it
    for entry in _entries_of_version_2(connection):
        facts = {name: getattr(entry, name) for name in (*names, "former", "hash")}
        connection.execute(statement, {**facts, "_id": entry.id})


def _entries_of_version_2(connection: Connection) -> Iterator[Entry]:
    """What came of a take is known from its last entry on; before that, an older journal does not tell."""
    query = """select j.id, j.take_id, j.at, j.before, j.after, j.reason, t.route, t.campaign, t.price, t.charged, t.job,
                      t.request_id, t.submitted_at, t.archive, t.sha256, t.slug, t.key, t.number, t.idempotency_key,
                      t.plan, t.identity, t.created_at,
                      j.id = (select max(l.id) from journal l where l.take_id = j.take_id) as is_last
               from journal j join takes t on t.id = j.take_id order by j.id"""
    former = GENESIS
    results = ("charged", "job", "request_id", "submitted_at", "archive", "sha256")
    for row in connection.execute(text(query)).mappings().all():
        terms = {name: row[name] for name in TERMS}
        known = {name: row[name] for name in results} if row["is_last"] else {}
        first = {name: row[name] for name in ("id", "take_id", "at", "before", "after", "reason")}
        facts = {name: row[name] for name in ("route", "campaign", "price")}
        entry = Entry(**first, **facts, **known, terms=terms_of(**terms)).sealed(former=former)
        former = entry.hash
        yield entry


def _find_a_month(connection: Connection) -> None:
    _each(connection, "CREATE INDEX takes_of_a_month ON takes (route, submitted_at)")


def _give_up_and_own(connection: Connection) -> None:
    """A paid result that cannot be had may be given up; runs own what they work on; callbacks are kept."""
    connection.execute(insert(tables.transitions).values(before="succeeded", after="failed"))
    for table in (tables.runs, tables.claims, tables.callbacks):
        table.create(connection)


def _know_more_of_doubts(connection: Connection) -> None:
    """That a take in doubt was accepted, though nobody knows as which job, is kept; and such a one may be given up."""
    for then in ("in_doubt", "failed"):
        connection.execute(insert(tables.transitions).values(before="in_doubt", after=then))


def _know_the_occurrence(connection: Connection) -> None:
    """Takes and runs know which occurrence of a schedule they are for; runs, too, their campaign's file and their flow run."""
    _each(connection, "alter table takes add column occurrence VARCHAR(32)")
    for index in tables.takes.indexes:
        if index.name == "one_take_per_occurrence":
            index.create(connection)
    # Where runs were laid out by this very migration, they have it all already.
    known = {column["name"] for column in inspect(connection).get_columns("runs")}
    texts = {"spec": "TEXT default '' not null", "flow_run": "VARCHAR(64) default '' not null"}
    for name, kind in {"spec": texts["spec"], "occurrence": "VARCHAR(32)", "flow_run": texts["flow_run"]}.items():
        if name not in known:
            _each(connection, f"alter table runs add column {name} {kind}")


def _keep_what_was_answered(connection: Connection) -> None:
    """An approval knows until when it is good, for which purchases, and what else the person said; questions are kept, too."""
    _each(
        connection,
        "alter table approvals add column word VARCHAR(16) default 'approved' not null",
        "alter table approvals add column expires_at VARCHAR(32)",
        "alter table approvals add column cap BIGINT",
        "alter table approvals add column left_out TEXT default '' not null",
        "alter table approvals add column note TEXT default '' not null",
        "alter table approvals add column flow_run VARCHAR(64) default '' not null",
        "alter table approvals add column occurrence VARCHAR(32)",
        "alter table approvals add column shown VARCHAR(64) default '' not null",
        "alter table approvals add column allows TEXT default '' not null",
    )
    for index in tables.approvals.indexes:
        index.create(connection)


def _take_hints(connection: Connection) -> None:
    """The token of a callback leads to its take, also once the request is forgotten."""
    tables.hooks.create(connection)


#: What leads from a version to the next.
STEPS: Mapping[int, Callable[[Connection], None]] = {
    1: _keep_identities,
    2: _chain_the_journal,
    3: _find_a_month,
    4: _give_up_and_own,
    5: _know_more_of_doubts,
    6: _know_the_occurrence,
    7: _keep_what_was_answered,
    8: _take_hints,
}


def _each(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(text(statement))
