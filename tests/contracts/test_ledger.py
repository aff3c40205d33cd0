"""The ledger's contract: one live take a key, legal transitions only, never over budget, whatever races or bypasses it."""

import threading
import traceback
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from callsheet import digest
from callsheet.audit import findings
from callsheet.credits import Credits
from callsheet.errors import (
    BudgetExceeded,
    IllegalTransition,
    LedgerError,
    SchemaOutdated,
    TakeAlreadyLive,
)
from callsheet.ledger.book import Ledger
from callsheet.take import TRANSITIONS, State

from .ledgers import BOOKING, Place, forge, walked_to


@pytest.mark.parametrize("state", State)
def test_a_take_gets_to_every_state_by_the_legal_way(ledger: Ledger, state: State) -> None:
    take = walked_to(ledger, state)
    assert take.state is state
    assert ledger.take(take.id) == take


@pytest.mark.parametrize("now", State)
def test_the_database_itself_refuses_every_other_transition(ledger: Ledger, place: Place, now: State) -> None:
    """Past all Python: a bug or another program cannot move a take where its state does not lead."""
    take = walked_to(ledger, now)
    facts = {"job": "task-x", "archive": "a", "sha256": "s"}
    said = ", ".join(f"{name} = '{value}'" for name, value in facts.items())
    for then in State:
        with place.raw() as connection:
            forge(connection, take.id, then, **facts)
            change = text(f"update takes set state = '{then}', request = '{{}}', {said}")
            if then in TRANSITIONS[now]:
                connection.execute(change)
            else:
                with pytest.raises(IntegrityError, match="illegal"):
                    connection.execute(change)


@pytest.mark.parametrize("then", [State.IN_DOUBT, State.RELEASED, State.SUBMITTED])
def test_the_database_itself_refuses_a_transition_that_is_not_in_the_journal(
    ledger: Ledger, place: Place, then: State
) -> None:
    walked_to(ledger, State.SUBMITTING)
    with pytest.raises(IntegrityError, match="last entry of the journal does not say so"):
        place.do(f"update takes set state = '{then}', job = 'task-x'")


def test_a_job_that_somebody_found_is_held_with_it_in_one_commit(ledger: Ledger) -> None:
    gone = walked_to(ledger, State.RELEASED)
    dear = replace(BOOKING, supersedes=gone.id, budget=None)
    take = ledger.taken_up(dear, job="task-1", reason="a person found it")
    assert (take.id, take.state, take.job) == (gone.id + 1, State.SUBMITTED, "task-1")
    assert [after for _, _, after, _ in ledger.history(take.id)] == ["reserved", "submitting", "submitted"]
    assert findings(ledger.books()) == []
    with pytest.raises(TakeAlreadyLive):
        ledger.taken_up(dear, job="task-2", reason="a person found it")
    with pytest.raises(IllegalTransition):
        ledger.taken_up(replace(dear, key="o" * 64), job="task-1", reason="a person found it")
    assert len(ledger.takes()) == 2


NEW = (
    "(id, campaign, route, slug, key, number, state, price, idempotency_key, plan, created_at, updated_at, job) values"
)


@pytest.mark.parametrize(
    "change",
    [
        "delete from takes",
        "update takes set price = price - 1",
        "update takes set key = 'other'",
        "update takes set campaign = 'other'",
        "update takes set idempotency_key = 'other'",
        "update takes set identity = 'other'",
        "update takes set charged = 1",
        "update takes set charged = -1",
        "update takes set created_at = '2020', updated_at = '2020'",
        "delete from journal",
        "update journal set reason = 'other'",
        "insert into journal select 9, take_id, at, before, after, reason, route, campaign, price, charged, job, request_id, "
        "submitted_at, archive, sha256, terms, former, hash from journal where id = 1",
        "insert into transitions values ('archived', 'reserved')",
        "update transitions set after = 'archived' where before = 'in_doubt' and after = 'released'",
        "delete from transitions",
        f"insert into takes {NEW} (2, 'c', 'r', 's', 'k', 1, 'submitted', 1, 'i', 'p', 't', 't', 'j')",
        f"insert into takes {NEW} (2, 'c', 'r', 's', 'k', 1, 'reserved', 1, 'i', 'p', 't', 't', 'j')",
        f"insert into takes {NEW} (2, 'c', 'r', 's', 'k', 1, 'reserved', -1, 'i', 'p', 't', 't', 'j')",
    ],
)
def test_what_was_agreed_cannot_be_changed_behind_the_ledgers_back(ledger: Ledger, place: Place, change: str) -> None:
    walked_to(ledger, State.SUBMITTED)
    with pytest.raises(IntegrityError, match="illegal"):
        place.do(change)


def test_a_second_live_take_of_the_same_content_is_refused_also_by_the_database(ledger: Ledger, place: Place) -> None:
    walked_to(ledger, State.SUBMITTING)
    with pytest.raises(TakeAlreadyLive, match="take 1 of the same content is submitting"):
        ledger.reserve(BOOKING)
    terms = "'hello', 'sandbox', 's', '" + BOOKING.key + "', 1, 'reserved', 638400, 'i', 'p', 't', 't', ''"
    with place.raw() as connection:
        forge(connection, 1, State.RESERVED, take_id=2, at="t", before="", submitted_at=None)
        with pytest.raises(IntegrityError, match=r"(?i)unique"):
            connection.execute(text(f"insert into takes {NEW} (2, {terms})"))


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


def test_one_of_many_threads_gets_the_take(place: Place) -> None:
    ledgers = [Ledger(place.url) for _ in range(8)]
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


def test_the_request_is_kept_while_its_fate_is_unknown_and_erased_after(ledger: Ledger) -> None:
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


def test_takes_survive_closing_and_keep_their_aware_times(ledger: Ledger, place: Place) -> None:
    take = walked_to(ledger, State.SUBMITTED)
    ledger.close()
    again = Ledger(place.url)
    found = again.take(take.id)
    again.close()
    assert found == take
    assert found.updated_at.utcoffset() is not None


def test_a_ledger_of_a_newer_version_is_refused_and_says_what_to_run(ledger: Ledger, place: Place) -> None:
    place.do("update ledger_version set version = 99")
    with pytest.raises(SchemaOutdated, match="version 99") as refused:
        Ledger(place.url)
    assert "Run: pip install --upgrade callsheet" in refused.value.hint


def test_a_ledger_of_a_version_that_never_was_is_refused(ledger: Ledger, place: Place) -> None:
    place.do("update ledger_version set version = 0")
    with pytest.raises(SchemaOutdated, match="no Callsheet has written such a one"):
        Ledger(place.url)
    assert place.rows("select version from ledger_version") == [(0,)]


def test_a_take_keeps_the_identity_that_its_key_is_the_digest_of(ledger: Ledger, place: Place) -> None:
    identity = digest.canonical({"prompt": "dusk", "take": 1})
    take = ledger.reserve(replace(BOOKING, key=digest.of_bytes(identity.encode()), identity=identity))
    plain = ledger.reserve(BOOKING)
    assert ledger.identities([take.id, plain.id, 99]) == {take.id: identity, plain.id: ""}
    with pytest.raises(IntegrityError, match="illegal change"):
        place.do("update takes set identity = 'other'")


def test_an_identity_that_is_not_what_the_key_stands_for_is_refused() -> None:
    with pytest.raises(ValueError, match="not what its key stands for"):
        replace(BOOKING, identity='{"prompt":"dusk"}')


def test_identities_of_very_many_takes_are_read_in_batches(ledger: Ledger) -> None:
    take = ledger.reserve(BOOKING)
    assert ledger.identities([*range(2, 40_000), take.id]) == {take.id: ""}


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


def test_no_signed_url_shows_in_the_traceback_of_a_ledger_that_fails(ledger: Ledger, place: Place) -> None:
    """Prefect logs an exception with its causes. SQLAlchemy's own message quotes what was to be written, and PostgreSQL's
    the row that breaks a constraint."""
    take, url = ledger.reserve(BOOKING), "https://files.example.com/clip.mp4?signature=SECRET"
    ledger.submitting(take.id, request={"video_urls": [url]})
    with pytest.raises(LedgerError) as refused:
        ledger.submitted(take.id, job="")
    assert "a_job_has_an_id" in str(refused.value)
    assert "SECRET" not in "".join(traceback.format_exception(refused.value))


def test_what_a_provider_says_is_kept_also_where_the_database_has_no_letter_for_it(ledger: Ledger) -> None:
    take = walked_to(ledger, State.SUBMITTED)
    assert ledger.failed(take.id, reason="bad \x00 and \ud800").reason == "bad \N{REPLACEMENT CHARACTER} and ?"


def test_a_failed_take_that_was_charged_is_what_counts_of_its_key_and_no_plan_that_did_not_see_it_buys_again(
    ledger: Ledger,
) -> None:
    paid = walked_to(ledger, State.SUBMITTED)
    paid = ledger.failed(paid.id, reason="given up", charged=BOOKING.price)
    with pytest.raises(TakeAlreadyLive, match=f"take {paid.id} of the same content is failed"):
        ledger.reserve(BOOKING)
    walked_to(ledger, State.RELEASED, replace(BOOKING, supersedes=paid.id))
    assert ledger.newest([BOOKING.key], route=BOOKING.route) == {BOOKING.key: paid}


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
