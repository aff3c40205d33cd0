"""What dead runs left, found by the ledger alone; and a run that is to stop, which sends nothing new."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callsheet.errors import NotApproved
from callsheet.ledger.book import Ledger
from callsheet.ledger.ownership import Run, new_id
from callsheet.steps import clock, follow, left_behind, load, outcome, prepare, stage, stopping, strays, studio, submit
from callsheet.take import State

from .local_provider import LocalProvider
from .shoot import run, takes

GOOD, ODD = "cup--none--good--16x9", "cup--none--odd--16x9"


def root_of(spec: Path) -> Path:
    return spec.parent.parent


async def sent(spec: Path, *labels: str) -> None:
    """A run sends these, and is not there any more."""
    async with studio.opened(spec, sandbox=False) as at:
        outcome.approve(at, approved=at.plan.digest, by="test", max_usd=None)
        for label in labels:
            await prepare.prepare(label)
            await stage.stage(label)
            await submit.submit(label)


def begun(spec: Path, flow_run: str) -> Run:
    """A run of no process at all, as one that was killed: nobody holds its lock."""
    with closing(Ledger(f"sqlite:///{root_of(spec)}/.callsheet/ledger.sqlite")) as ledger:
        return ledger.begin_run(
            new_id(), campaign="tiny", route="loopback", who="process 1", spec=str(spec), flow_run=flow_run
        )


async def test_what_was_sent_by_a_run_that_is_gone_is_found_with_its_campaign_and_finished_without_buying(
    spec: Path, provider: LocalProvider
) -> None:
    assert left_behind.found(root_of(spec)) == ()
    await sent(spec, GOOD)
    (left,) = left_behind.found(root_of(spec))
    assert (left.words, left.spec, left.sandbox) == ("tiny: 1 take", spec, False)
    account, _ = await run(spec, attach_only=True)
    assert account.message == "1 of 1 archived"
    assert len(provider.submits) == 1
    assert left_behind.found(root_of(spec)) == ()
    assert left_behind.still_live(root_of(spec), left.ids) == ()


async def test_what_a_living_run_works_on_and_what_was_never_sent_is_left_alone(
    spec: Path, provider: LocalProvider
) -> None:
    async with studio.opened(spec, sandbox=False):
        await sent_within(spec, provider)
        assert left_behind.found(root_of(spec)) == ()


async def sent_within(spec: Path, provider: LocalProvider) -> None:
    at = studio.current()
    outcome.approve(at, approved=at.plan.digest, by="test", max_usd=None)
    await prepare.prepare(GOOD)
    await stage.stage(GOOD)
    await submit.submit(GOOD)


async def test_what_was_reserved_for_a_campaign_that_is_gone_is_found_and_given_back(
    spec: Path, provider: LocalProvider
) -> None:
    async with studio.opened(spec, sandbox=False) as at:
        outcome.approve(at, approved=at.plan.digest, by="test", max_usd=None)
        submit._reserve(at, at.line(GOOD))
    assert left_behind.found(root_of(spec)) == ()  # a run that somebody approves may send it
    assert [left.ids for left in left_behind.found(root_of(spec), reserved=True)] == [[1]]
    spec.unlink()
    (left,) = left_behind.found(root_of(spec))
    assert (left.spec, left.ids) == (None, [1])
    await strays.rescue_all(load.only_named(root_of(spec), left.campaign), sandbox=False)
    assert left_behind.still_live(root_of(spec), left.ids) == ()
    assert provider.submits == []


async def test_what_another_checkout_has_run_last_is_told_to_be_of_that_one(
    spec: Path, provider: LocalProvider
) -> None:
    await sent(spec, GOOD)
    raw = sqlite3.connect(root_of(spec) / ".callsheet/ledger.sqlite", isolation_level=None)
    raw.execute("update runs set spec = '/elsewhere/specs/tiny.yaml'")
    raw.close()
    (left,) = left_behind.found(root_of(spec))
    assert (left.elsewhere, left.spec) == ("", spec)  # this checkout has a file of the campaign, too
    spec.unlink()
    (left,) = left_behind.found(root_of(spec))
    assert (left.elsewhere, left.spec) == ("/elsewhere/specs/tiny.yaml", None)


async def test_a_run_that_prefect_tries_again_buys_what_is_asked_for_again_once(
    spec: Path, provider: LocalProvider
) -> None:
    spec.write_text(spec.read_text().replace("budget: $2.00", "budget: $20.00"))
    await run(spec)
    for _ in range(2):
        account, _ = await run(spec, again=["*"], flow_run="f-1")
        assert account.exit_code == 0
    assert len(provider.submits) == 4
    await run(spec, again=["*"], flow_run="f-2")
    assert len(provider.submits) == 6


async def test_a_campaign_whose_file_was_moved_is_found_by_its_name(spec: Path, provider: LocalProvider) -> None:
    await sent(spec, GOOD)
    moved = spec.rename(spec.with_name("renamed.yaml"))
    (left,) = left_behind.found(root_of(spec))
    assert left.spec == moved


async def test_of_a_campaign_whose_file_is_gone_the_ledger_is_enough(spec: Path, provider: LocalProvider) -> None:
    await sent(spec, GOOD, ODD)
    spec.unlink()
    (left,) = left_behind.found(root_of(spec))
    assert left.spec is None
    await strays.rescue_all(load.only_named(root_of(spec), left.campaign), sandbox=left.sandbox)
    assert [take.state for take in takes(spec)] == [State.ARCHIVED] * 2
    assert len(list((root_of(spec) / "archive/tiny/strays").glob("*.mp4"))) == 2
    assert len(provider.submits) == 2


async def test_a_flow_run_is_dead_when_its_process_is_gone_and_not_while_it_says_its_last_words(
    spec: Path, provider: LocalProvider
) -> None:
    await run(spec)
    begun(spec, "killed")
    ended = begun(spec, "ended")
    with closing(Ledger(f"sqlite:///{root_of(spec)}/.callsheet/ledger.sqlite")) as ledger:
        ledger.end_run(ended.id)
    async with studio.opened(spec, sandbox=False, flow_run="alive"):
        began = datetime.now(UTC)
        asked = dict.fromkeys(["killed", "ended", "alive", "of another checkout"], began)
        assert left_behind.dead(root_of(spec), asked) == ("killed",)
        later = began + timedelta(minutes=6)
        with clock.read_from(lambda: later):
            assert set(left_behind.dead(root_of(spec), asked)) == {"killed", "ended"}
            resumed = {"ended": later}  # after it had waited for a person, as a process that is only about to begin
            assert left_behind.dead(root_of(spec), resumed) == ()


async def test_a_run_that_is_to_stop_follows_what_is_paid_and_sends_nothing_new(
    spec: Path, provider: LocalProvider
) -> None:
    async with studio.opened(spec, sandbox=False) as at:
        outcome.approve(at, approved=at.plan.digest, by="test", max_usd=None)
        await prepare.prepare(GOOD)
        await stage.stage(GOOD)
        take = await submit.submit(GOOD)
        stopping.stop(at, "cancelled in Prefect")
        assert stopping.words(at, at.stopping) == (
            "cancelled in Prefect: 0 of 2 archived, 1 paid and under way, 1 not made; "
            "the next run or the hourly reconcile brings home what is paid"
        )
        with pytest.raises(NotApproved, match="not sent: cancelled in Prefect"):
            await submit.submit(ODD)
        await follow.follow(take, GOOD)
    assert [take.state for take in takes(spec)] == [State.SUCCEEDED]


async def test_what_was_reserved_when_the_run_was_told_to_stop_is_released(spec: Path, provider: LocalProvider) -> None:
    async with studio.opened(spec, sandbox=False) as at:
        outcome.approve(at, approved=at.plan.digest, by="test", max_usd=None)
        await prepare.prepare(ODD)
        reserve = at.ledger.reserve

        def and_stop(booking: object) -> object:
            stopping.stop(at, "cancelled in Prefect")
            return reserve(booking)  # type: ignore[arg-type]

        at.ledger.reserve = and_stop  # type: ignore[assignment,method-assign]
        with pytest.raises(NotApproved, match="cancelled in Prefect"):
            await submit.submit(ODD)
    (take,) = takes(spec)
    assert (take.state, take.reason) == (State.RELEASED, "not sent; cancelled in Prefect")
    assert provider.submits == []


async def test_a_process_that_has_to_go_leaves_what_is_under_way(spec: Path, provider: LocalProvider) -> None:
    async with studio.opened(spec, sandbox=False) as at:
        cancelled = asyncio.Event()

        async def for_ever() -> str:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return "never"

        async def at_once() -> str:
            return "home"

        assert await stopping.unless_left(at, at_once()) == "home"
        asyncio.get_running_loop().call_later(0.05, at.leaving.set)
        assert await stopping.unless_left(at, for_ever()) is None
        assert cancelled.is_set()
