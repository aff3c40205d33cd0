"""An occurrence of a schedule is a lock: a variant is made for it once, by whoever fires it, as often as it fires."""

import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from callsheet.audit import findings
from callsheet.credits import Credits
from callsheet.errors import TakeAlreadyLive
from callsheet.ledger.book import Booking, Ledger
from callsheet.ledger.ownership import new_id
from callsheet.ledger.tables import SCHEMA_VERSION
from callsheet.take import State

from .ledgers import BOOKING, Place, forget_occurrences, walked_to

MONDAY = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
OF_MONDAY = replace(BOOKING, occurrence=MONDAY)


def once_more(booking: Booking, after: int) -> Booking:
    """What `rerender: every-run` asks for: the same content, though the plan has seen the take before."""
    return replace(booking, supersedes=after)


def test_the_same_content_is_bought_once_for_an_occurrence_and_again_for_the_next(ledger: Ledger) -> None:
    first = walked_to(ledger, State.ARCHIVED, OF_MONDAY)
    assert first.occurrence == MONDAY
    with pytest.raises(TakeAlreadyLive, match=r"take 1 was made for the occurrence of 2026-11-30 06:00 UTC already"):
        ledger.reserve(once_more(OF_MONDAY, first.id))
    next_week = replace(once_more(OF_MONDAY, first.id), occurrence=MONDAY + timedelta(weeks=1))
    assert ledger.reserve(next_week).occurrence == MONDAY + timedelta(weeks=1)


def test_what_was_edited_in_between_waits_for_the_next_occurrence(ledger: Ledger) -> None:
    walked_to(ledger, State.ARCHIVED, OF_MONDAY)
    edited = replace(OF_MONDAY, key="e" * 64)
    with pytest.raises(TakeAlreadyLive, match="made for the occurrence"):
        ledger.reserve(edited)
    for other in ({"slug": "pier"}, {"number": 2}, {"campaign": "other"}, {"occurrence": None}):
        ledger.released(ledger.reserve(replace(edited, **other)).id, reason="only to see")


@pytest.mark.parametrize("end", [State.RELEASED, State.FAILED])
def test_what_came_to_nothing_and_cost_nothing_may_be_tried_again_for_it(ledger: Ledger, end: State) -> None:
    walked_to(ledger, end, OF_MONDAY)
    assert ledger.made_for(MONDAY, campaign="hello", route="sandbox") == ()
    assert ledger.reserve(OF_MONDAY).occurrence == MONDAY


def test_what_failed_and_was_charged_counts_as_made(ledger: Ledger) -> None:
    take = walked_to(ledger, State.SUBMITTED, OF_MONDAY)
    failed = ledger.failed(take.id, reason="nothing came", charged=Credits.of(5))
    assert ledger.made_for(MONDAY, campaign="hello", route="sandbox") == (failed,)
    with pytest.raises(TakeAlreadyLive):
        ledger.reserve(replace(OF_MONDAY, key="e" * 64))


def test_paid_routes_are_one_for_it_and_drafts_are_none(ledger: Ledger) -> None:
    walked_to(ledger, State.ARCHIVED, replace(OF_MONDAY, route="evolink"))
    with pytest.raises(TakeAlreadyLive):
        ledger.reserve(replace(OF_MONDAY, route="mirror", key="e" * 64, pool=("evolink", "mirror")))
    with pytest.raises(TakeAlreadyLive):  # the database knows it too, whatever the pool says
        ledger.reserve(replace(OF_MONDAY, route="mirror", key="e" * 64))
    assert ledger.reserve(OF_MONDAY).route == "sandbox"


def test_of_many_that_fire_at_once_one_buys(place: Place) -> None:
    Ledger(place.url).close()
    got, refused, failed = [], [], []

    def fire(number: int) -> None:
        try:
            with closing(Ledger(place.url)) as ledger:
                got.append(ledger.reserve(replace(OF_MONDAY, key=f"{number:064x}")))
        except TakeAlreadyLive as error:
            refused.append(error)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=fire, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (len(got), len(refused)) == (1, 7)


def test_no_program_moves_a_take_to_another_occurrence(ledger: Ledger, place: Place) -> None:
    walked_to(ledger, State.ARCHIVED, OF_MONDAY)
    for to in ("null", "'2026-12-07T06:00:00.000000+00:00'"):
        with pytest.raises(DBAPIError, match="illegal"):
            place.do(f"update takes set occurrence = {to}")
    assert findings(ledger.books()) == []
    place.without_guards("takes", "update takes set occurrence = null")
    assert any("what it was reserved as" in str(found) for found in findings(ledger.books()))


def test_a_run_says_its_file_its_occurrence_and_its_flow_run(ledger: Ledger) -> None:
    known: dict[str, Any] = {"spec": "/studio/specs/hello.yaml", "occurrence": MONDAY, "flow_run": "f-1"}
    run = ledger.begin_run(new_id(), campaign="hello", route="sandbox", who="process 1", **known)
    again = ledger.begin_run(new_id(), campaign="hello", route="sandbox", who="process 2", **known)
    ledger.begin_run(new_id(), campaign="hello", route="sandbox", who="process 3")
    assert (run.spec, run.occurrence, run.flow_run) == tuple(known.values())
    assert ledger.as_flow_runs(["f-1", "f-2"]) == {"f-1": again}
    assert (ledger.spec_of("hello"), ledger.spec_of("other")) == ("/studio/specs/hello.yaml", "")


def test_a_ledger_of_version_6_is_brought_forward_on_both_databases(place: Place) -> None:
    with closing(Ledger(place.url)) as ledger:
        take = walked_to(ledger, State.ARCHIVED)
        ledger.begin_run(new_id(), campaign="hello", route="sandbox", who="process 1")
    forget_occurrences(place)
    place.do("update ledger_version set version = 6")
    with closing(Ledger(place.url)) as ledger:
        assert ledger.take(take.id) == take
        assert ledger.books().unguarded == []
        assert findings(ledger.books()) == []
        assert [run.spec for run in ledger.running()] == [""]
        assert ledger.reserve(once_more(OF_MONDAY, take.id)).occurrence == MONDAY
    assert place.rows("select version from ledger_version") == [(SCHEMA_VERSION,)]
