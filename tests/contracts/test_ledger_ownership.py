"""Who owns a variant: one run at a time, for as long as it lives; nobody else reserves or sends a take of it."""

import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from callsheet.errors import RunInProgress
from callsheet.ledger.book import Ledger
from callsheet.ledger.ownership import LEASE, Run, new_id
from callsheet.take import State

from .ledgers import BOOKING, Place

KEYS = [f"{number:064x}" for number in range(1200)]  # more than one query takes


def begun(ledger: Ledger, *, route: str = "sandbox") -> Run:
    return ledger.begin_run(new_id(), campaign="hello", route=route, who="process 1 on studio")


def lapse(place: Place, run: Run) -> None:
    """Its lease runs out: it was not heard of for so long."""
    place.do(f"update runs set until = '2000-01-01T00:00:00.000000+00:00' where id = '{run.id}'")


def test_what_a_run_has_claimed_is_left_to_it_and_all_else_is_free(ledger: Ledger) -> None:
    first, second = begun(ledger), begun(ledger)
    assert ledger.claim(first.id, KEYS[:700]) == {}
    others = ledger.claim(second.id, KEYS[600:])
    assert {key: run.id for key, run in others.items()} == dict.fromkeys(KEYS[600:700], first.id)
    owners = ledger.owners(route="sandbox", keys=KEYS)
    assert [owners[key].id for key in KEYS] == [first.id] * 700 + [second.id] * 500
    assert [run.id for run in ledger.running()] == [first.id, second.id]


def test_to_claim_again_what_one_has_changes_nothing(ledger: Ledger) -> None:
    run = begun(ledger)
    for _ in range(2):
        assert ledger.claim(run.id, KEYS[:3]) == {}
    assert set(ledger.owners(route="sandbox", keys=KEYS[:4])) == set(KEYS[:3])


def test_routes_do_not_meet(ledger: Ledger) -> None:
    ledger.claim(begun(ledger).id, KEYS[:1])
    assert ledger.claim(begun(ledger, route="evolink").id, KEYS[:1]) == {}


def test_a_run_that_ended_leaves_its_claims_to_others(ledger: Ledger) -> None:
    first, second = begun(ledger), begun(ledger)
    ledger.claim(first.id, KEYS[:1])
    ledger.end_run(first.id)
    assert ledger.owners(route="sandbox", keys=KEYS[:1]) == {}
    assert ledger.claim(second.id, KEYS[:1]) == {}
    assert [run.id for run in ledger.running()] == [second.id]


def test_a_run_that_is_not_heard_of_for_the_length_of_its_lease_leaves_them_too(ledger: Ledger, place: Place) -> None:
    first, second = begun(ledger), begun(ledger)
    ledger.claim(first.id, KEYS[:1])
    assert {key: run.id for key, run in ledger.claim(second.id, KEYS[:1]).items()} == {KEYS[0]: first.id}
    lapse(place, first)
    assert ledger.claim(second.id, KEYS[:1]) == {}


def test_a_beat_begins_the_lease_again(ledger: Ledger, place: Place) -> None:
    first, second = begun(ledger), begun(ledger)
    ledger.claim(first.id, KEYS[:1])
    lapse(place, first)
    ledger.beat(first.id)
    assert set(ledger.claim(second.id, KEYS[:1])) == {KEYS[0]}
    (again,) = (run for run in ledger.running() if run.id == first.id)
    assert again.until - first.until < LEASE + timedelta(seconds=60)
    assert again.until >= first.until


def test_a_claim_begins_the_lease_again(ledger: Ledger, place: Place) -> None:
    """To draw up a plan may take longer than a lease: what is claimed then is held, and not only from the next beat on."""
    first, second = begun(ledger), begun(ledger)
    lapse(place, first)
    ledger.claim(first.id, KEYS[:1])
    assert set(ledger.claim(second.id, KEYS[:1])) == {KEYS[0]}


def test_a_run_whose_lease_ran_out_is_told_to_whoever_asks_for_those_too(ledger: Ledger, place: Place) -> None:
    first = begun(ledger)
    ledger.claim(first.id, KEYS[:1])
    lapse(place, first)
    assert ledger.owners(route=first.route, keys=KEYS[:1]) == {}
    assert {run.id for run in ledger.owners(route=first.route, keys=KEYS[:1], lapsed=True).values()} == {first.id}
    ledger.end_run(first.id)
    assert ledger.owners(route=first.route, keys=KEYS[:1], lapsed=True) == {}


def test_a_beat_raises_no_run_that_has_ended(ledger: Ledger) -> None:
    run = begun(ledger)
    ledger.end_run(run.id)
    ledger.beat(run.id)
    assert ledger.running() == ()


def test_a_run_that_slept_over_its_lease_reserves_and_sends_nothing_that_another_has_taken(
    ledger: Ledger, place: Place
) -> None:
    first, second = begun(ledger), begun(ledger)
    ledger.claim(first.id, KEYS[:2])
    reserved = ledger.reserve(replace(BOOKING, key=KEYS[0], run=first.id))
    lapse(place, first)
    ledger.claim(second.id, KEYS[:1])
    ledger.beat(first.id)
    with pytest.raises(RunInProgress, match=r"process 1 on studio, since .* has it now"):
        ledger.submitting(reserved.id, request={}, run=first.id)
    with pytest.raises(RunInProgress):
        ledger.refuse_foreign(reserved, run=first.id)
    assert ledger.take(reserved.id).state is State.RESERVED
    assert ledger.submitting(reserved.id, request={}, run=second.id).state is State.SUBMITTING
    assert ledger.reserve(replace(BOOKING, key=KEYS[1], run=first.id)).state is State.RESERVED  # nobody wanted this one
    assert ledger.submitted(reserved.id, job="task-1").state is State.SUBMITTED  # a fact, whoever tells it


def test_a_refusal_that_a_run_hears_after_it_lost_the_variant_releases_nothing(ledger: Ledger, place: Place) -> None:
    first, second = begun(ledger), begun(ledger)
    ledger.claim(first.id, KEYS[:1])
    sent = ledger.reserve(replace(BOOKING, key=KEYS[0], run=first.id))
    ledger.submitting(sent.id, request={}, run=first.id)
    lapse(place, first)
    ledger.claim(second.id, KEYS[:1])
    with pytest.raises(RunInProgress):
        ledger.released(sent.id, reason="429", run=first.id)
    assert ledger.submitted(sent.id, job="task-1").state is State.SUBMITTED  # the other had sent the same key again


def test_what_nobody_has_claimed_is_reserved_by_no_run(ledger: Ledger) -> None:
    with pytest.raises(RunInProgress, match="nobody has it now"):
        ledger.reserve(replace(BOOKING, run=begun(ledger).id))


def test_of_many_who_claim_the_same_at_once_one_gets_each(place: Place) -> None:
    Ledger(place.url).close()
    keys, got, failed = KEYS[:40], {}, []

    def run(number: int) -> None:
        try:
            with closing(Ledger(place.url)) as ledger:
                mine = begun(ledger)
                wanted = keys[number:] + keys[:number]
                others: set[str] = set()
                for start in range(0, len(wanted), 4):
                    others |= set(ledger.claim(mine.id, wanted[start : start + 4]))
                got[mine.id] = set(keys) - others
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(key for mine in got.values() for key in mine) == sorted(keys)
