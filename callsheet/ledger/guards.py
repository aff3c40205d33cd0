"""What the database refuses of a change: triggers, the same rules on SQLite and PostgreSQL.

Every one says `illegal`, which is how the verbs know it. An entry of the journal is written first, and a take moves only
as the last entry says: so nothing moves without a trace, and a program that cannot write the chain moves nothing.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text

from callsheet.journal import GENESIS
from callsheet.routing import PLAY
from callsheet.take import CHARGED, LIVE


class Guard(NamedTuple):
    """Before `event` on `table`, refuse a row for which `wrong` holds. A condition of SQL over `new` and `old`."""

    name: str
    table: str
    event: str
    wrong: str
    says: str


ALWAYS = "1 = 1"
#: Routes where nothing is paid for.
_PLAY = ", ".join(f"'{route}'" for route in PLAY)
_LIVE = ", ".join(f"'{state}'" for state in sorted(LIVE))
_COUNT = ", ".join(f"'{state}'" for state in sorted(LIVE | CHARGED))
_LAST = "j.id = (select max(l.id) from journal l)"
#: Of a take and of its entry: what a transition may change.
_MOVES = " and ".join(
    [f"j.{name} = new.{name}" for name in ("job", "request_id", "archive", "sha256", "reason")]
    + ["coalesce(j.charged, -1) = coalesce(new.charged, -1)"]
    + ["coalesce(j.submitted_at, '') = coalesce(new.submitted_at, '') and j.at = new.updated_at"]
)  # fmt: skip
_KEPT = (
    "id",
    "campaign",
    "route",
    "slug",
    "key",
    "number",
    "price",
    "idempotency_key",
    "plan",
    "created_at",
    "identity",
)

GUARDS = (
    Guard("takes_begin_reserved", "takes", "insert", "new.state <> 'reserved'",
          "illegal transition: a take begins reserved"),
    Guard("takes_begin_in_the_journal", "takes", "insert",
          f"""not exists (select 1 from journal j where {_LAST} and j.take_id = new.id and j.before = ''
              and j.after = new.state and j.route = new.route and j.campaign = new.campaign and j.price = new.price
              and {_MOVES})""",
          "illegal transition: the last entry of the journal is not about it"),
    Guard("takes_are_bought_once", "takes", "insert",
          f"""new.route not in ({_PLAY}) and exists (select 1 from takes t where t.{'"key"'} = new.{'"key"'}
              and t.route <> new.route and t.route not in ({_PLAY}) and t.state in ({_LIVE}))""",
          "illegal second take: another of the same content is live on another paid route"),
    Guard("takes_are_made_once_an_occurrence", "takes", "insert",
          f"""new.occurrence is not null and exists (select 1 from takes t where t.campaign = new.campaign
              and t.slug = new.slug and t.number = new.number and t.occurrence = new.occurrence
              and (t.route = new.route or t.route not in ({_PLAY}) and new.route not in ({_PLAY}))
              and (t.state in ({_COUNT}) or coalesce(t.charged, 0) > 0))""",
          "illegal second take: this variant was made for its occurrence already"),
    Guard("takes_begin_with_a_price", "takes", "insert", "new.price < 0 or coalesce(new.charged, 0) < 0",
          "illegal amount: money is never negative"),
    Guard("takes_cost_no_less_than_nothing", "takes", "update", "new.price < 0 or coalesce(new.charged, 0) < 0",
          "illegal amount: money is never negative"),
    Guard("takes_move_legally", "takes", "update",
          "not exists (select 1 from transitions t where t.before = old.state and t.after = new.state)",
          "illegal transition"),
    Guard("takes_keep_their_terms", "takes", "update",
          " or ".join(f"new.{name} <> old.{name}" for name in _KEPT)
          + " or coalesce(new.occurrence, '') <> coalesce(old.occurrence, '')",
          f"illegal change: {', '.join(_KEPT)} and occurrence of a take never change"),
    Guard("takes_move_in_the_journal", "takes", "update",
          f"""not exists (select 1 from journal j where {_LAST} and j.take_id = new.id and j.before = old.state
              and j.after = new.state and {_MOVES})""",
          "illegal change: the last entry of the journal does not say so"),
    Guard("takes_stay", "takes", "delete", ALWAYS, "illegal change: a take is never deleted"),
    Guard("journal_follows", "journal", "insert",
          f"""new.id <> coalesce((select max(l.id) from journal l), 0) + 1 or length(new.hash) <> 64
              or new.former <> coalesce((select l.hash from journal l where l.id = new.id - 1), '{GENESIS}')
              or new.before <> coalesce((select t.state from takes t where t.id = new.take_id), '')""",
          "illegal entry: it does not follow the last one of the journal"),
    Guard("journal_stays", "journal", "delete", ALWAYS, "illegal change: the journal is append-only"),
    Guard("journal_is_as_written", "journal", "update", ALWAYS, "illegal change: the journal is append-only"),
    Guard("statements_stay", "statements", "delete", ALWAYS, "illegal change: statements are append-only"),
    Guard("statements_are_as_said", "statements", "update", ALWAYS, "illegal change: statements are append-only"),
    Guard("callbacks_stay", "callbacks", "delete", ALWAYS, "illegal change: callbacks are append-only"),
    Guard("callbacks_are_as_they_came", "callbacks", "update", ALWAYS, "illegal change: callbacks are append-only"),
    Guard("approvals_stay", "approvals", "delete", ALWAYS, "illegal change: approvals are append-only"),
    Guard("approvals_are_as_said", "approvals", "update", ALWAYS, "illegal change: approvals are append-only"),
    *(Guard(f"transitions_are_law_on_{event}", "transitions", event, ALWAYS,
            "illegal change: the legal transitions are a part of the program")
      for event in ("insert", "update", "delete")),
)  # fmt: skip

#: A trigger that somebody else put on a table of another name is theirs.
_TABLES = ("takes", "journal", "transitions", "statements", "callbacks", "approvals")
_NAMED = ", ".join(f"'{table}'" for table in _TABLES)
_EMPTIED = {"takes": "takes_stay", "journal": "journal_stays", "transitions": "transitions_are_law_on_delete",
            "statements": "statements_stay", "callbacks": "callbacks_stay", "approvals": "approvals_stay"}  # fmt: skip


def lay(connection: Connection) -> None:
    """Put every guard of this version in the place of those that an older one laid."""
    lift(connection)
    for guard in GUARDS:
        for statement in _on_postgres(guard) if _is_postgres(connection) else _on_sqlite(guard):
            connection.execute(text(statement))
    if _is_postgres(connection):
        for table, guarding in _EMPTIED.items():  # truncating fires no trigger of a row
            connection.execute(
                text(
                    f"create trigger {table}_are_never_emptied before truncate on {table} execute function {guarding}()"
                )
            )


def lift(connection: Connection) -> None:
    """Take every guard away, for a migration that ends with `lay` in the same transaction."""
    for name, table, _ in _found(connection):
        on = f" on {table}" if _is_postgres(connection) else ""
        connection.execute(text(f"drop trigger {name}{on}"))


def missing(connection: Connection) -> list[str]:
    """Names of guards of this version that are not there, are switched off, or say something else."""
    told = {name: said for name, _, said in _found(connection)}
    wanted = {guard.name: _body(guard) if _is_postgres(connection) else _on_sqlite(guard)[0] for guard in GUARDS}
    if _is_postgres(connection):
        bodies = {guard.name: _body(guard) for guard in GUARDS}
        wanted |= {f"{table}_are_never_emptied": bodies[guarding] for table, guarding in _EMPTIED.items()}
    return [name for name, said in wanted.items() if told.get(name) != said]


def _found(connection: Connection) -> list[tuple[str, str, str]]:
    """Name and table of each trigger, and what it is: its text, or, on PostgreSQL, what it calls, unless it is off."""
    query = f"select name, tbl_name, sql from sqlite_master where type = 'trigger' and tbl_name in ({_NAMED})"
    if _is_postgres(connection):
        query = f"""select t.tgname, c.relname, case t.tgenabled when 'D' then 'off' else p.prosrc end
                    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
                    where not t.tgisinternal and c.relname in ({_NAMED})
                      and c.relnamespace = current_schema()::regnamespace"""
    return [(row[0], row[1], row[2]) for row in connection.execute(text(query))]


def _is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _on_sqlite(guard: Guard) -> tuple[str, ...]:
    return (
        # `CREATE TRIGGER` in capitals is how SQLite keeps it.
        f"CREATE TRIGGER {guard.name} before {guard.event} on {guard.table} when {guard.wrong} "
        f"begin select raise(abort, '{guard.says}'); end",
    )


def _body(guard: Guard) -> str:
    passed = "old" if guard.event == "delete" else "new"
    refused = f"raise exception '{guard.says}' using errcode = '23000'"
    return f" begin if {guard.wrong} then {refused}; end if; return {passed}; end "


def _on_postgres(guard: Guard) -> tuple[str, ...]:
    return (
        f"create or replace function {guard.name}() returns trigger language plpgsql as $${_body(guard)}$$",
        f"create trigger {guard.name} before {guard.event} on {guard.table} for each row execute function {guard.name}()",
    )
