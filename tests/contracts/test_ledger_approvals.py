"""What was asked and answered: kept for good, the same answer once, and found by campaign, flow run and time."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from callsheet.approval import Purchase, Ruling
from callsheet.credits import Credits
from callsheet.ledger.book import Ledger
from callsheet.ledger.tables import SCHEMA_VERSION

from .ledgers import Place, forget_answers

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
ASKED = Ruling(
    word="asked",
    campaign="hello",
    route="sandbox",
    plan="p" * 64,
    credits=Credits.of("63.84"),
    by="",
    at=NOW,
    expires_at=NOW + timedelta(days=1),
    flow_run="f-1",
    occurrence=NOW,
    shown="p" * 64,
    allows={"k" * 64: Purchase(supersedes=3, most=Credits.of("63.84"))},
)
YES = replace(ASKED, word="approved", by="Ada", cap=Credits.of(60), left_out=("prompt=neon", "clip=a=b"), note="雨 ok")


def test_what_was_said_is_read_as_it_was_written(ledger: Ledger) -> None:
    for one in (ASKED, YES, replace(YES, word="rejected", flow_run="f-2", allows=None, cap=None, left_out=())):
        ledger.rule(one)
    assert ledger.rulings(flow_run="f-1") == (YES, ASKED)
    assert [one.word for one in ledger.rulings(campaign="hello", route="sandbox")] == ["rejected", "approved", "asked"]
    assert ledger.rulings(campaign="hello", route="evolink") == ()


def test_the_same_answer_to_the_same_run_is_kept_once(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.rule(YES)
    ledger.rule(replace(YES, at=NOW + timedelta(minutes=1)))
    assert len(ledger.rulings()) == 2


def test_what_has_expired_is_not_found(ledger: Ledger) -> None:
    ledger.rule(YES)
    ledger.rule(replace(YES, expires_at=None, flow_run="f-2"))
    assert ledger.rulings(campaign="hello", good_at=NOW + timedelta(days=1)) == (YES,)
    assert ledger.rulings(campaign="hello", good_at=NOW + timedelta(days=1, microseconds=1)) == ()


def test_letters_that_a_database_has_not_are_replaced(ledger: Ledger) -> None:
    ledger.rule(replace(YES, by="A\x00da", note="\ud800"))
    (one,) = ledger.rulings()
    assert (one.by, one.note) == ("A\N{REPLACEMENT CHARACTER}da", "?")


def test_no_program_changes_what_was_said(ledger: Ledger, place: Place) -> None:
    ledger.rule(YES)
    for change in ("update approvals set \"by\" = 'Eve'", "delete from approvals"):
        with pytest.raises(DBAPIError, match="append-only"):
            place.do(change)
    assert ledger.rulings() == (YES,)


def test_a_ledger_of_version_7_is_brought_forward_on_both_databases(place: Place) -> None:
    Ledger(place.url).close()
    forget_answers(place)
    place.do(
        'insert into approvals (campaign, route, plan, credits, "by", at) '
        "values ('hello', 'sandbox', 'p', 638400, 'terminal', '2026-11-26T09:00:00.000000+00:00')",
        "update ledger_version set version = 7",
    )
    with closing(Ledger(place.url)) as ledger:
        (old,) = ledger.rulings()
        assert (old.word, old.by, old.credits, old.at) == ("approved", "terminal", Credits.of("63.84"), NOW)
        assert (old.expires_at, old.allows, old.left_out) == (None, None, ())
        assert ledger.books().unguarded == []
        ledger.rule(YES)
        assert ledger.rulings(flow_run="f-1") == (YES,)
    assert place.rows("select version from ledger_version") == [(SCHEMA_VERSION,)]
