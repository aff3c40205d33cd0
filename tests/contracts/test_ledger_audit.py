"""An audit of the ledger: what was tampered with behind its guards is named, exactly, and an honest one is sound."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from callsheet import audit
from callsheet.credits import Credits
from callsheet.ledger.book import Ledger
from callsheet.take import State

from .ledgers import BOOKING, Place, forge, walked_to


@pytest.fixture
def used(ledger: Ledger) -> Ledger:
    """A take in each state: take 1 is archived, 2 in doubt …"""
    states = [State.ARCHIVED, State.IN_DOUBT, *(set(State) - {State.ARCHIVED, State.IN_DOUBT})]
    for number, state in enumerate(states):
        walked_to(ledger, state, replace(BOOKING, key=f"{number}" * 64))
    return ledger


def wrong(ledger: Ledger, **options: str) -> list[str]:
    return [finding.what for finding in audit.findings(ledger.books(), **options) if finding.severity == "no"]


def test_a_ledger_that_was_only_used_is_sound(used: Ledger) -> None:
    assert audit.findings(used.books()) == []
    (account,) = audit.accounts(used.books())
    money = used.money(campaign="hello", route="sandbox")
    assert (account.held, account.charged) == (money.held, money.charged)
    assert account.reported == BOOKING.price * 2
    assert account.unreported == 0


TAKES = {
    "state = 'released', reason = 'never sent'": "its state is 'released', and was 'archived'",
    "charged = 1": "its charged is 1, and was 638400",
    "price = 1": "its price is 1, and was 638400",
    "campaign = 'other'": "its campaign is 'other', and was 'hello'",
    "job = 'task-9'": "its job is 'task-9', and was 'task-1'",
    "archive = 'elsewhere.mp4'": "its archive is 'elsewhere.mp4', and was 'a/1.mp4'",
    "submitted_at = null": "its submitted_at is None, and was '2",
    "slug = 'other'": "one of slug, key, ",
    "idempotency_key = 'other'": "one of slug, key, ",
    "identity = 'other'": "one of slug, key, ",
}


@pytest.mark.parametrize("change", TAKES)
def test_a_take_that_was_tampered_with_is_named_with_what_it_was(used: Ledger, place: Place, change: str) -> None:
    place.without_guards("takes", f"update takes set {change} where id = 1")
    found = wrong(used)
    assert TAKES[change] in found[0]
    assert {what.partition(" (")[0] for what in found if not what.startswith("campaign ")} == {"take 1"}


def test_a_charge_that_was_made_smaller_shows_in_the_sums_too(used: Ledger, place: Place) -> None:
    place.without_guards("takes", "update takes set charged = 10000 where id = 1")
    assert wrong(used)[-1] == (
        "campaign hello on sandbox: the takes hold 319.2 and were charged 1 credits, and by the journal it is 319.2 and 63.84"
    )


def test_a_take_and_its_entries_that_are_gone_are_missed(used: Ledger, place: Place) -> None:
    place.without_guards("journal", "delete from journal where take_id = 2")
    place.without_guards("takes", "delete from takes where id = 2")
    assert wrong(used) == ["entries 6 to 8 of the journal: missing"]


def test_a_take_that_is_gone_is_missed(used: Ledger, place: Place) -> None:
    if place.is_sqlite:
        with closing(sqlite3.connect(place.url.removeprefix("sqlite:///"), isolation_level=None)) as raw:
            raw.execute("drop trigger takes_stay")
            raw.execute("delete from takes where id = 2")
    else:
        place.do("alter table journal drop constraint journal_take_id_fkey")
        place.without_guards("takes", "delete from takes where id = 2")
    assert wrong(used)[0] == "take 2: it is gone, and was in_doubt"


def test_an_end_that_was_cut_off_is_missed_by_whoever_noted_the_head(used: Ledger, place: Place) -> None:
    """With the takes set back to what is left, nothing in the ledger itself could tell."""
    head = used.books().head
    last = used.reserve(replace(BOOKING, key="z" * 64))
    noted = used.books().head
    assert wrong(used, noted_head=head) == []
    place.without_guards("journal", f"delete from journal where take_id = {last.id}")
    place.without_guards("takes", f"delete from takes where id = {last.id}")
    assert wrong(used) == []
    assert wrong(used, noted_head=head) == []
    (what,) = wrong(used, noted_head=noted)
    assert what == f"no entry of the journal has the hash {noted}: it was cut off or written anew since that was noted"


def test_a_transition_that_there_is_not_is_found_also_where_the_chain_holds(used: Ledger, place: Place) -> None:
    with place.raw() as connection:
        forge(connection, 1, State.RESERVED)
        connection.commit()
    found = wrong(used)
    assert "(take 1, archived to reserved) of the journal: there is no such transition" in found[0]
    assert "its state is 'archived', and was 'reserved'" in found[1]


def test_a_guard_that_was_taken_away_is_missed(used: Ledger, place: Place) -> None:
    off = "drop trigger journal_stays"
    place.do(off if place.is_sqlite else "alter table journal disable trigger journal_stays")
    assert wrong(used) == ["the database lacks its guard journal_stays: anybody can change the ledger unseen"]


def test_a_guard_that_was_made_to_refuse_nothing_is_missed(used: Ledger, place: Place) -> None:
    if place.is_sqlite:
        toothless = "create trigger journal_stays before delete on journal when 1 = 0 begin select 1; end"
        place.do("drop trigger journal_stays", toothless)
    else:
        body = "begin return old; end"
        place.do(f"create or replace function journal_stays() returns trigger language plpgsql as $$ {body} $$")
    assert "the database lacks its guard journal_stays: anybody can change the ledger unseen" in wrong(used)


def test_what_the_provider_charged_otherwise_than_planned_is_noted_and_nothing_wrong(ledger: Ledger) -> None:
    take = walked_to(ledger, State.SUBMITTED)
    ledger.succeeded(take.id, charged=Credits.of(70))
    (found,) = audit.findings(ledger.books())
    assert (found.severity, found.what) == (
        "note",
        "take 1 (beach--none--dusk--16x9): planned 63.84 credits ($0.94), and the provider charged 70 credits ($1.03)",
    )


def test_a_paid_take_that_the_provider_gave_no_figure_of_is_counted(ledger: Ledger) -> None:
    take = walked_to(ledger, State.SUBMITTED)
    ledger.succeeded(take.id, charged=None)
    (account,) = audit.accounts(ledger.books())
    assert (account.unreported, account.reported, account.held) == (1, Credits(), BOOKING.price)


def test_statements_of_the_provider_are_kept_by_account_and_cannot_be_changed(ledger: Ledger, place: Place) -> None:
    walked_to(ledger, State.ARCHIVED)
    assert ledger.stated(route="sandbox", account="a") is None
    said = ledger.state(route="sandbox", account="a", balance=Credits.of(500))
    ledger.state(route="sandbox", account="b", balance=Credits.of(7))
    assert ledger.stated(route="sandbox", account="a") == said
    assert (said.balance, said.charged, said.held) == (Credits.of(500), BOOKING.price, Credits())
    for change in ("update statements set balance = 1", "delete from statements"):
        with pytest.raises(Exception, match="illegal change: statements are append-only"):
            place.do(change)
