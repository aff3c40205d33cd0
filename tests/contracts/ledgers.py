"""A ledger in either database, to be used by its verbs and behind their back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from callsheet.credits import Credits
from callsheet.journal import Entry
from callsheet.ledger import databases
from callsheet.ledger.book import Booking, Ledger
from callsheet.take import State, Take

BOOKING = Booking(
    campaign="hello",
    route="sandbox",
    slug="beach--none--dusk--16x9",
    key="k" * 64,
    number=1,
    price=Credits.of("63.84"),
    plan="p" * 64,
    supersedes=0,
    budget=Credits.of(1000),
)


@dataclass(frozen=True)
class Place:
    """Where a ledger is. What is done here goes past all of its Python: as another program would."""

    url: str

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @contextmanager
    def raw(self) -> Iterator[Connection]:
        """A transaction, rolled back unless it is committed in it."""
        engine = databases.engine_of(self.url)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def do(self, *statements: str) -> None:
        """Committed."""
        with self.raw() as connection:
            for statement in statements:
                connection.execute(text(statement))
            connection.commit()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.raw() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def without_guards(self, table: str, *statements: str) -> None:
        """As somebody with every right on the database would tamper: the triggers of the table out of the way first."""
        if self.is_sqlite:
            query = f"select name, sql from sqlite_master where type = 'trigger' and tbl_name = '{table}'"
            triggers = self.rows(query)
            dropped = [f"drop trigger {name}" for name, _ in triggers]
            self.do(*dropped, *statements, *[sql for _, sql in triggers])
        else:
            off, on = (f"alter table {table} {word} trigger user" for word in ("disable", "enable"))
            for step in ((off,), statements, (on,)):
                self.do(*step)


def forget_answers(place: Place) -> None:
    """Lay the tables of a ledger out as before version 8; they have no guards then."""
    place.do("drop table hooks", "drop index approvals_of_a_campaign", "drop index approvals_of_a_flow_run")
    if place.is_sqlite:  # a trigger that names a column keeps it
        triggers = place.rows("select name from sqlite_master where type = 'trigger'")
        place.do(*(f"drop trigger {name}" for (name,) in triggers))
    names = ("word", "expires_at", "cap", "left_out", "note", "flow_run", "occurrence", "shown", "allows")
    place.do(*(f"alter table approvals drop column {name}" for name in names))


def forget_occurrences(place: Place) -> None:
    """The same as before version 7."""
    forget_answers(place)
    place.do("drop index one_take_per_occurrence")
    runs = (f"alter table runs drop column {name}" for name in ("spec", "occurrence", "flow_run"))
    place.do("alter table takes drop column occurrence", *runs)


def entry_of(row: Mapping[str, Any]) -> Entry:
    return Entry(**row)


def forge(connection: Connection, of: int, then: State, **facts: Any) -> None:
    """Write an entry of the journal that moves this take, as only a program that knows the chain could."""
    last = connection.execute(text("select * from journal order by id desc limit 1")).mappings().one()
    mine = connection.execute(
        text("select * from journal where take_id = :take order by id desc limit 1"), {"take": of}
    ).mappings()
    told = {**mine.one(), "id": last["id"] + 1, "after": str(then), **facts}
    state = text("select state from takes where id = :take")
    told["before"] = connection.execute(state, {"take": told["take_id"]}).scalar() or ""
    row = entry_of(told).sealed(former=last["hash"])
    names = list(told)
    columns, values = ", ".join(names), ", ".join(f":{name}" for name in names)
    connection.execute(
        text(f"insert into journal ({columns}) values ({values})"), {name: getattr(row, name) for name in names}
    )


def walked_to(ledger: Ledger, state: State, booking: Booking = BOOKING) -> Take:
    """A take brought to a state by the legal way."""
    take = ledger.reserve(booking)
    job = f"task-{take.id}"
    steps = {
        State.SUBMITTING: lambda: ledger.submitting(take.id, request={"prompt": "x"}),
        State.SUBMITTED: lambda: ledger.submitted(take.id, job=job),
        State.SUCCEEDED: lambda: ledger.succeeded(take.id, charged=booking.price),
        State.ARCHIVED: lambda: ledger.archived(take.id, archive=f"a/{take.id}.mp4", sha256="s"),
        State.FAILED: lambda: ledger.failed(take.id, reason="service_error"),
        State.IN_DOUBT: lambda: ledger.in_doubt(take.id, reason="no answer"),
        State.RELEASED: lambda: ledger.released(take.id, reason="refused"),
    }
    ways = {
        State.RESERVED: [],
        State.RELEASED: [State.RELEASED],
        State.IN_DOUBT: [State.SUBMITTING, State.IN_DOUBT],
        State.FAILED: [State.SUBMITTING, State.SUBMITTED, State.FAILED],
    }
    paid = [State.SUBMITTING, State.SUBMITTED, State.SUCCEEDED, State.ARCHIVED]
    for step in ways.get(state, paid[: paid.index(state) + 1] if state in paid else []):
        take = steps[step]()
    return take
