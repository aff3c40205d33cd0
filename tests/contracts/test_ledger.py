"""The ledger's contract: one live take a key, legal transitions only, never over budget, whatever races or bypasses it."""

import os
import sqlite3
import stat
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from callsheet import digest
from callsheet.credits import Credits
from callsheet.errors import (
    BudgetExceeded,
    IllegalTransition,
    LedgerError,
    LedgerUnreachable,
    SchemaOutdated,
    TakeAlreadyLive,
)
from callsheet.ledger.book import Booking, Ledger
from callsheet.take import TRANSITIONS, State, Take

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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(file: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{file}")
    yield opened
    opened.close()


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


@pytest.mark.parametrize("state", State)
def test_a_take_gets_to_every_state_by_the_legal_way(ledger: Ledger, state: State) -> None:
    take = walked_to(ledger, state)
    assert take.state is state
    assert ledger.take(take.id) == take


@pytest.mark.parametrize("then", State)
@pytest.mark.parametrize("now", State)
def test_the_database_itself_refuses_every_other_transition(
    ledger: Ledger, file: Path, now: State, then: State
) -> None:
    """Straight on the file, past all Python: a bug or another program cannot move a take where its state does not lead."""
    walked_to(ledger, now)
    raw = sqlite3.connect(file)
    change = f"update takes set state = '{then}', job = 'task-x', archive = 'a', sha256 = 's', request = '{{}}'"
    if then in TRANSITIONS[now] or then is now:
        raw.execute(change)
    else:
        with pytest.raises(sqlite3.IntegrityError, match="illegal"):
            raw.execute(change)
    raw.close()


@pytest.mark.parametrize(
    "change",
    [
        "delete from takes",
        "update takes set price = price - 1",
        "update takes set key = 'other'",
        "update takes set idempotency_key = 'other'",
        "delete from journal",
        "update journal set reason = 'other'",
        "insert into takes (campaign, route, slug, key, number, state, price, idempotency_key, plan, created_at, "
        "updated_at, job) values ('c', 'r', 's', 'k', 1, 'submitted', 1, 'i', 'p', 't', 't', 'j')",
    ],
)
def test_what_was_agreed_cannot_be_changed_behind_the_ledgers_back(ledger: Ledger, file: Path, change: str) -> None:
    walked_to(ledger, State.SUBMITTED)
    raw = sqlite3.connect(file)
    with pytest.raises(sqlite3.IntegrityError, match="illegal"):
        raw.execute(change)
    raw.close()


def test_a_second_live_take_of_the_same_content_is_refused_also_by_the_database(ledger: Ledger, file: Path) -> None:
    walked_to(ledger, State.SUBMITTING)
    with pytest.raises(TakeAlreadyLive, match="take 1 of the same content is submitting"):
        ledger.reserve(BOOKING)
    raw = sqlite3.connect(file)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        raw.execute(
            "insert into takes (campaign, route, slug, key, number, state, price, idempotency_key, plan, created_at, "
            f"updated_at) values ('c', 'sandbox', 's', '{BOOKING.key}', 1, 'reserved', 1, 'i', 'p', 't', 't')"
        )
    raw.close()


def test_a_variant_archived_since_the_plan_was_drawn_is_not_paid_again(ledger: Ledger) -> None:
    take = walked_to(ledger, State.ARCHIVED)
    with pytest.raises(TakeAlreadyLive):
        ledger.reserve(BOOKING)
    assert ledger.reserve(replace(BOOKING, supersedes=take.id)).id == take.id + 1


@pytest.mark.parametrize("state", [State.FAILED, State.RELEASED])
def test_a_take_that_came_to_nothing_frees_its_content_and_its_money(ledger: Ledger, state: State) -> None:
    walked_to(ledger, state)
    assert ledger.money(campaign="hello", route="sandbox").spoken_for == Credits()
    assert ledger.reserve(BOOKING).id == 2


def test_the_same_content_on_another_route_is_another_purchase(ledger: Ledger) -> None:
    walked_to(ledger, State.ARCHIVED)
    paid = ledger.reserve(replace(BOOKING, route="evolink"))
    assert ledger.newest([BOOKING.key], route="evolink") == {BOOKING.key: paid}
    assert ledger.money(campaign="hello", route="evolink").charged == Credits()


@pytest.mark.parametrize("state", [State.RESERVED, State.SUBMITTING, State.SUBMITTED, State.SUCCEEDED, State.IN_DOUBT])
def test_live_takes_hold_their_price_and_doubt_counts_as_spent(ledger: Ledger, state: State) -> None:
    walked_to(ledger, state)
    assert ledger.money(campaign="hello", route="sandbox").held == BOOKING.price
    with pytest.raises(BudgetExceeded, match=r"63\.84 held"):
        ledger.reserve(replace(BOOKING, key="other", budget=Credits.of(100)))


def test_an_archived_take_is_charged_and_no_longer_held(ledger: Ledger) -> None:
    walked_to(ledger, State.ARCHIVED)
    money = ledger.money(campaign="hello", route="sandbox")
    assert (money.held, money.charged) == (Credits(), BOOKING.price)


def test_the_budget_is_reached_to_the_unit_and_not_passed(ledger: Ledger) -> None:
    exact = replace(BOOKING, price=Credits.of(50), budget=Credits.of(100))
    ledger.reserve(replace(exact, key="1"))
    ledger.reserve(replace(exact, key="2"))
    with pytest.raises(BudgetExceeded):
        ledger.reserve(replace(exact, key="3", price=Credits(units=1)))


def test_forty_threads_cannot_overspend_by_one_credit(file: Path) -> None:
    ledgers = [Ledger(f"sqlite:///{file}") for _ in range(8)]
    booking = replace(BOOKING, price=Credits.of(10), budget=Credits.of(125))
    refused: list[str] = []

    def reserve(number: int) -> None:
        try:
            ledgers[number % 8].reserve(replace(booking, key=f"key-{number}"))
        except BudgetExceeded as error:
            refused.append(error.what)

    threads = [threading.Thread(target=reserve, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledgers[0].money(campaign="hello", route="sandbox").held == Credits.of(120)
    assert len(refused) == 28
    for one in ledgers:
        one.close()


def test_one_of_many_threads_gets_the_take(file: Path) -> None:
    ledgers = [Ledger(f"sqlite:///{file}") for _ in range(8)]
    won: list[int] = []

    def reserve(ledger: Ledger) -> None:
        try:
            won.append(ledger.reserve(BOOKING).id)
        except TakeAlreadyLive:
            return

    threads = [threading.Thread(target=reserve, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    for one in ledgers:
        one.close()


def test_the_request_is_kept_while_its_fate_is_unknown_and_erased_after(ledger: Ledger, file: Path) -> None:
    take = walked_to(ledger, State.IN_DOUBT)
    assert ledger.request(take.id) == {"prompt": "x"}
    ledger.submitted(take.id, job="task-9")
    with pytest.raises(KeyError):
        ledger.request(take.id)


def test_every_transition_is_in_the_journal(ledger: Ledger) -> None:
    take = walked_to(ledger, State.ARCHIVED)
    ways = [(before, after) for _, before, after, _ in ledger.history(take.id)]
    walk = ["", "reserved", "submitting", "submitted", "succeeded", "archived"]
    assert ways == list(pairwise(walk))


def test_a_verb_out_of_order_says_which_state_the_take_is_in(ledger: Ledger) -> None:
    take = walked_to(ledger, State.ARCHIVED)
    with pytest.raises(IllegalTransition, match="take 1 is archived, and cannot become submitted"):
        ledger.submitted(take.id, job="task-2")
    assert ledger.take(take.id) == take


def test_a_job_belongs_to_one_take(ledger: Ledger) -> None:
    walked_to(ledger, State.SUBMITTED)
    other = ledger.reserve(replace(BOOKING, key="other"))
    ledger.submitting(other.id, request={})
    with pytest.raises(IllegalTransition):
        ledger.submitted(other.id, job="task-1")


def test_takes_survive_closing_and_keep_their_aware_times(ledger: Ledger, file: Path) -> None:
    take = walked_to(ledger, State.SUBMITTED)
    ledger.close()
    again = Ledger(f"sqlite:///{file}")
    found = again.take(take.id)
    again.close()
    assert found == take
    assert found.updated_at.utcoffset() is not None


def test_a_ledger_of_another_version_is_refused(ledger: Ledger, file: Path) -> None:
    ledger.close()
    raw = sqlite3.connect(file)
    raw.execute("update ledger_version set version = 99")
    raw.commit()
    raw.close()
    with pytest.raises(SchemaOutdated, match="version 99"):
        Ledger(f"sqlite:///{file}")


OLD = (Path(__file__).parent / "ledger-1.sql").read_text("utf-8")


@pytest.fixture
def old(file: Path) -> Path:
    """A ledger of schema version 1, as it was laid out and filled by the Callsheet of that time."""
    raw = sqlite3.connect(file)
    raw.executescript(OLD)
    raw.close()
    return file


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    raw = sqlite3.connect(file)
    found = raw.execute(query).fetchall()
    raw.close()
    return found


def test_an_old_ledger_is_brought_forward_and_no_row_of_it_is_touched(old: Path) -> None:
    columns = ", ".join(f'"{row[1]}"' for row in rows(old, "pragma table_info(takes)"))
    queries = [f"select {columns} from takes", "select * from journal", "select * from approvals"]
    before = [rows(old, query) for query in queries]
    ledger = Ledger(f"sqlite:///{old}")
    takes = ledger.takes()
    ledger.close()
    assert [rows(old, query) for query in queries] == before
    assert [str(take.state) for take in takes] == ["archived", "in_doubt", "failed", "reserved"]
    assert rows(old, "select version from ledger_version") == [(2,)]
    assert rows(old, "select distinct identity from takes") == [("",)]


def test_an_old_ledger_ends_up_laid_out_as_a_new_one(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.sqlite"
    for file in (old, new):
        Ledger(f"sqlite:///{file}").close()
    queries = [
        "select name, sql from sqlite_master where type in ('trigger', 'index') order by name",
        "select name, type, \"notnull\", dflt_value from pragma_table_info('takes')",
    ]
    assert [rows(old, query) for query in queries] == [rows(new, query) for query in queries]


def test_an_old_ledger_works_and_guards_as_before(old: Path) -> None:
    ledger = Ledger(f"sqlite:///{old}")
    assert ledger.identities([1, 2]) == {1: "", 2: ""}
    ledger.submitted(2, job="task-2")
    take = ledger.reserve(replace(BOOKING, key="9" * 64))
    assert take.id == 5
    with pytest.raises(TakeAlreadyLive):
        ledger.reserve(replace(BOOKING, key="3" * 64))
    with pytest.raises(IllegalTransition):
        ledger.submitted(1, job="task-9")
    assert ledger.money(campaign="hello", route="sandbox").held == Credits.of("63.84") * 3
    ledger.close()
    raw = sqlite3.connect(old)
    for change in ("update takes set price = 1", "update takes set identity = 'x'", "delete from journal"):
        with pytest.raises(sqlite3.IntegrityError, match="illegal"):
            raw.execute(change)
    raw.close()


def test_an_old_ledger_that_several_processes_open_at_once_is_brought_forward_once(old: Path) -> None:
    failed: list[Exception] = []

    def open_it() -> None:
        try:
            Ledger(f"sqlite:///{old}").close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(old, "select version from ledger_version") == [(2,)]


def test_a_take_keeps_the_identity_that_its_key_is_the_digest_of(ledger: Ledger, file: Path) -> None:
    identity = digest.canonical({"prompt": "dusk", "take": 1})
    take = ledger.reserve(replace(BOOKING, key=digest.of_bytes(identity.encode()), identity=identity))
    plain = ledger.reserve(BOOKING)
    assert ledger.identities([take.id, plain.id, 99]) == {take.id: identity, plain.id: ""}
    raw = sqlite3.connect(file)
    with pytest.raises(sqlite3.IntegrityError, match="identity of a take never changes"):
        raw.execute("update takes set identity = 'other'")
    raw.close()


def test_an_identity_that_is_not_what_the_key_stands_for_is_refused() -> None:
    with pytest.raises(ValueError, match="not what its key stands for"):
        replace(BOOKING, identity='{"prompt":"dusk"}')


def test_identities_of_very_many_takes_are_read_in_batches(ledger: Ledger) -> None:
    take = ledger.reserve(BOOKING)
    assert ledger.identities([*range(2, 40_000), take.id]) == {take.id: ""}


def test_a_ledger_that_is_no_database_or_of_another_kind_says_so(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a database, but a longer text than the header of one" * 40)
    for url in (f"sqlite:///{tmp_path}/text", f"sqlite:///{tmp_path}/no/such/folder/x.sqlite"):
        with pytest.raises(LedgerUnreachable, match="cannot be used"):
            Ledger(url)


def test_writes_are_durable_before_they_return(ledger: Ledger, file: Path) -> None:
    raw = sqlite3.connect(file)
    assert raw.execute("pragma journal_mode").fetchone() == ("wal",)
    raw.close()


def test_what_the_provider_charged_counts_against_the_budget_where_it_differs_from_the_price(ledger: Ledger) -> None:
    take = walked_to(ledger, State.SUBMITTED, replace(BOOKING, price=Credits.of(36), budget=Credits.of(100)))
    ledger.succeeded(take.id, charged=Credits.of(80))
    assert ledger.money(campaign="hello", route="sandbox").held == Credits.of(80)
    ledger.archived(take.id, archive="a.mp4", sha256="s")
    money = ledger.money(campaign="hello", route="sandbox")
    assert (money.held, money.charged) == (Credits(), Credits.of(80))
    with pytest.raises(BudgetExceeded, match="80 charged"):
        ledger.reserve(replace(BOOKING, key="l" * 64, price=Credits.of(36), budget=Credits.of(100)))


def test_a_failed_take_that_the_provider_charged_all_the_same_counts_as_charged(ledger: Ledger) -> None:
    take = walked_to(ledger, State.SUBMITTED)
    failed = ledger.failed(take.id, reason="service_error", charged=BOOKING.price)
    money = ledger.money(campaign="hello", route="sandbox")
    assert (money.held, money.charged) == (Credits(), BOOKING.price)
    assert failed.cost == BOOKING.price


@pytest.mark.parametrize("state", State)
def test_the_cost_of_a_take_is_what_the_ledger_counts_for_it(ledger: Ledger, state: State) -> None:
    take = walked_to(ledger, state)
    assert take.cost == ledger.money(campaign="hello", route="sandbox").spoken_for


def test_no_signed_url_shows_in_the_traceback_of_a_ledger_that_fails(ledger: Ledger, file: Path) -> None:
    """Prefect logs an exception with its causes, and SQLAlchemy's own message quotes what was to be written."""
    take, url = ledger.reserve(BOOKING), "https://files.example.com/clip.mp4?signature=SECRET"
    raw = sqlite3.connect(file)
    raw.execute("create trigger broken before update on takes begin select raise(abort, 'trouble'); end")
    raw.close()
    with pytest.raises(LedgerError, match="trouble") as refused:
        ledger.submitting(take.id, request={"video_urls": [url]})
    assert "SECRET" not in "".join(traceback.format_exception(refused.value))


def test_only_its_owner_may_read_a_ledger_because_it_holds_signed_urls(file: Path) -> None:
    before = os.umask(0o022)
    try:
        opened = Ledger(f"sqlite:///{file}")
    finally:
        os.umask(before)
    other = sqlite3.connect(file)  # while somebody has it open, its journals exist
    other.execute("select * from takes")
    modes = {path.name: stat.filemode(path.stat().st_mode) for path in file.parent.iterdir()}
    other.close()
    opened.close()
    assert modes == dict.fromkeys(("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"), "-rw-------")


def test_the_newest_take_of_thousands_of_keys_is_found_without_reading_the_whole_ledger(ledger: Ledger) -> None:
    wanted = [f"{number:064d}" for number in range(40)]
    for key in wanted:
        ledger.released(ledger.reserve(replace(BOOKING, key=key)).id, reason="refused")
        ledger.reserve(replace(BOOKING, key=key, price=Credits.of(1)))
    ledger.reserve(replace(BOOKING, key="other", price=Credits.of(1)))
    found = ledger.newest([*wanted, "k" * 64], route="sandbox")
    assert sorted(found) == wanted
    assert {take.price for take in found.values()} == {Credits.of(1)}
    assert ledger.newest([], route="sandbox") == {}
