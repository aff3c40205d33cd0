"""The journal of the ledger: a chain that shows what was tampered with, and takes that are as it says."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from callsheet.journal import GENESIS, Entry, broken
from callsheet.ledger.book import Ledger
from callsheet.take import State

from .ledgers import BOOKING, Place, entry_of, walked_to


def entries(place: Place) -> list[Entry]:
    with place.raw() as connection:
        rows = connection.execute(text("select * from journal order by id")).mappings()
        return [entry_of(dict(row)) for row in rows]


def test_each_entry_carries_the_hash_of_the_one_before_it_and_of_all_its_own_facts(
    ledger: Ledger, place: Place
) -> None:
    walked_to(ledger, State.ARCHIVED)
    walked_to(ledger, State.IN_DOUBT, replace(BOOKING, key="other"))
    found = entries(place)
    assert [entry.id for entry in found] == list(range(1, 9))
    assert [entry.former for entry in found] == [GENESIS, *[entry.hash for entry in found[:-1]]]
    assert list(broken(found)) == []
    archived = found[4]
    assert (archived.price, archived.charged, archived.job) == (638400, 638400, "task-1")
    assert (archived.archive, archived.sha256) == ("a/1.mp4", "s")


CHANGES: dict[str, Any] = {
    "take_id": 1, "at": "2020-01-01T00:00:00.000000+00:00", "before": "reserved", "after": "released", "reason": "other",
    "route": "evolink", "campaign": "other", "price": 1, "charged": 1, "job": "task-9", "request_id": "r",
    "submitted_at": "2020-01-01T00:00:00.000000+00:00", "archive": "b.mp4", "sha256": "t", "terms": "u",
}  # fmt: skip


@pytest.mark.parametrize("fact", CHANGES)
def test_a_fact_that_is_changed_shows_in_its_own_entry_only(ledger: Ledger, place: Place, fact: str) -> None:
    walked_to(ledger, State.RELEASED, replace(BOOKING, key="other"))
    walked_to(ledger, State.ARCHIVED)
    value = CHANGES[fact] if isinstance(CHANGES[fact], int) else f"'{CHANGES[fact]}'"
    place.without_guards("journal", f"update journal set {fact} = {value} where id = 5")
    assert [one.entry for one in broken(entries(place))] == [5]


def test_an_entry_that_was_hashed_anew_shows_in_the_one_behind_it(ledger: Ledger, place: Place) -> None:
    walked_to(ledger, State.ARCHIVED)
    third = replace(entries(place)[2], job="task-9")
    forged = third.sealed(former=third.former)
    place.without_guards("journal", f"update journal set job = 'task-9', hash = '{forged.hash}' where id = 3")
    assert [(one.entry, one.what) for one in broken(entries(place))] == [
        (3, "entry 3 of the journal: changed and hashed anew")
    ]


def test_entries_that_were_taken_out_are_missed_by_their_numbers(ledger: Ledger, place: Place) -> None:
    walked_to(ledger, State.ARCHIVED)
    place.without_guards("journal", "delete from journal where id in (2, 3)")
    assert [one.what for one in broken(entries(place))] == ["entries 2 to 3 of the journal: missing"]


def test_entries_that_changed_places_are_both_found(ledger: Ledger, place: Place) -> None:
    walked_to(ledger, State.ARCHIVED)
    swap = [f"update journal set id = {new} where id = {old}" for old, new in ((2, 99), (3, 2), (99, 3))]
    place.without_guards("journal", *swap)
    assert {one.entry for one in broken(entries(place))} == {2, 3}
