"""Several routes: the cheapest gets the jobs, one that is down gives way, one that refuses the key is asked once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsheet.credits import Credits, total
from callsheet.errors import (
    BudgetExceeded,
    InsufficientCredit,
    ProviderError,
    RunInProgress,
    TakeAlreadyLive,
    Unauthorized,
    Unavailable,
)
from callsheet.steps import draw_up, settle, studio
from callsheet.take import State

from .local_provider import ACCEPT_THEN_500, LocalProvider, serving
from .shoot import CAMPAIGN, ODD, run, takes

GOOD = "A good one."


@pytest.fixture(scope="module")
def second() -> Iterator[LocalProvider]:
    with serving() as running:
        yield running


@pytest.fixture
def mirror(spec: Path, second: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> LocalProvider:
    """A second route, ten per cent dearer."""
    second.forget()
    monkeypatch.setenv("MIRROR_API_KEY", "sk-mirror")
    routes(spec, f'[mirror]\napi = "{second.url}"\nkey = "MIRROR_API_KEY"\nprice = 1.1\n')
    return second


def routes(spec: Path, text: str) -> None:
    (spec.parent.parent / "routes.toml").write_text(text)


async def test_the_cheapest_gets_every_job_and_the_plan_says_the_worst(
    spec: Path, provider: LocalProvider, mirror: LocalProvider
) -> None:
    plan = draw_up.draw_up(spec, sandbox=False).plan
    assert {line.route for line in plan.lines} == {"loopback"}
    assert (str(plan.credits), str(plan.most)) == ("72", "79.2")
    account, _ = await run(spec)
    assert account.message == "2 of 2 archived"
    assert (len(provider.jobs), len(mirror.jobs)) == (2, 0)


async def test_a_route_that_accepts_nothing_gives_way_and_each_take_has_the_price_of_its_route(
    spec: Path, provider: LocalProvider, mirror: LocalProvider
) -> None:
    provider.scripts[GOOD] = provider.scripts[ODD] = [503] * 9
    account, _ = await run(spec, tries=5)
    assert account.message == "2 of 2 archived"
    assert (len(provider.jobs), len(mirror.jobs)) == (0, 2)
    assert 3 <= len(provider.submits) <= 4  # once it is down, nobody asks
    archived = [take for take in takes(spec) if take.state is State.ARCHIVED]
    assert [(take.route, str(take.price)) for take in archived] == [("mirror", "39.6")] * 2
    assert not {take.key for take in archived if take.route == "loopback"}


async def test_a_take_in_doubt_stays_with_its_route(spec: Path, provider: LocalProvider, mirror: LocalProvider) -> None:
    provider.scripts[ODD] = [ACCEPT_THEN_500]
    account, _ = await run(spec, tries=5)
    assert account.message == "2 of 2 archived"
    assert (len(provider.jobs), len(mirror.jobs), len(mirror.submits)) == (2, 0, 0)


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthorized), (403, Unauthorized), (402, InsufficientCredit)])
async def test_a_route_that_refuses_the_key_or_the_account_is_asked_once_and_says_why_once(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[ProviderError]
) -> None:
    monkeypatch.setenv("CALLSHEET_MAX_IN_FLIGHT", "1")
    spec.write_text(CAMPAIGN.replace("$2.00", "$20.00") + "takes: 5\n")
    provider.scripts[GOOD] = provider.scripts[ODD] = [status] * 10
    account, errors = await run(spec, one_by_one=True)
    assert len(provider.submits) == 1
    assert {type(error) for error in errors.values()} == {kind}
    assert len({ended.reason for ended in account.of("failed")}) == 1
    assert len(account.of("failed")) == 10


async def test_of_jobs_that_are_refused_at_the_same_time_the_first_refusal_is_told_for_all(
    spec: Path, provider: LocalProvider
) -> None:
    spec.write_text(CAMPAIGN.replace("$2.00", "$20.00") + "takes: 5\n")
    provider.scripts[GOOD] = provider.scripts[ODD] = [402] * 10
    account, _ = await run(spec)
    assert len(provider.submits) > 1
    (reason,) = {ended.reason for ended in account.of("failed")}
    assert "request id req_0000000" in reason
    kept = {take.reason for take in takes(spec)}
    assert len(kept) == len(provider.submits)  # the ledger keeps the request id of each


async def test_a_route_that_is_stopped_gives_way_to_another(
    spec: Path, provider: LocalProvider, mirror: LocalProvider
) -> None:
    provider.scripts[GOOD] = provider.scripts[ODD] = [402] * 9
    account, _ = await run(spec, tries=2, one_by_one=True)
    assert account.message == "2 of 2 archived"
    assert (len(provider.submits), len(mirror.jobs)) == (1, 2)


async def test_a_dearer_route_is_not_used_past_the_ceiling_of_the_run(
    spec: Path, provider: LocalProvider, mirror: LocalProvider
) -> None:
    provider.scripts[GOOD] = provider.scripts[ODD] = [503] * 9
    account, errors = await run(
        spec, tries=5, max_usd="1.12"
    )  # 76.16 credits: one of each, and not two of the mirror's
    assert len(mirror.jobs) == 1
    assert [type(error) for error in errors.values() if error] == [Unavailable]
    assert account.message == "1 of 2 archived, 1 failed"


async def test_what_a_dearer_route_takes_is_not_missing_for_what_is_still_to_be_bought(
    spec: Path, provider: LocalProvider, mirror: LocalProvider
) -> None:
    """74.12 credits: the plan costs 72, and one of the mirror's and one of the other 75.6."""
    provider.scripts[GOOD] = [503] * 3
    await run(spec, tries=5, max_usd="1.09", one_by_one=True)
    sent = [take.price for take in takes(spec) if take.state is State.ARCHIVED]
    assert total(sent) <= Credits.of_usd("1.09")
    assert (len(provider.jobs), len(mirror.jobs)) == (2, 0)


async def test_where_only_a_dearer_route_is_left_the_ceiling_is_told(
    spec: Path, provider: LocalProvider, mirror: LocalProvider
) -> None:
    provider.scripts[ODD] = [401]
    account, errors = await run(spec, tries=2, max_usd="1.06", one_by_one=True)  # what the plan costs
    assert account.message == "1 of 2 archived, 1 failed"
    assert [type(error) for error in errors.values()] == [type(None), BudgetExceeded]
    assert not mirror.jobs


async def test_what_was_bought_on_a_route_is_not_bought_again_once_that_route_is_gone(
    spec: Path, provider: LocalProvider, mirror: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.scripts[GOOD] = provider.scripts[ODD] = [503] * 9
    await run(spec, tries=5)
    monkeypatch.delenv("MIRROR_API_KEY")
    # On the paid provider the ledger's routes count; a stand-in on this machine knows those of its own file only.
    monkeypatch.setenv("MIRROR_API_KEY", "sk-mirror")
    assert {line.action for line in draw_up.draw_up(spec, sandbox=False).plan.lines} == {"skip"}


async def test_no_person_settles_a_take_of_another_route_while_a_run_works_on_it(
    spec: Path, provider: LocalProvider, mirror: LocalProvider
) -> None:
    provider.scripts[GOOD] = provider.scripts[ODD] = [401] * 9
    mirror.scripts[ODD] = [ACCEPT_THEN_500]
    await run(spec, tries=2, one_by_one=True, only=["*odd*"])
    (doubtful,) = settle.doubtful(spec)
    assert doubtful.route == "mirror"
    async with studio.opened(spec, sandbox=False):
        with pytest.raises(RunInProgress):
            settle.not_accepted(spec, doubtful.id)


async def test_one_variant_is_live_on_one_route_only(
    spec: Path, provider: LocalProvider, mirror: LocalProvider
) -> None:
    """Two runs at the same time, one of which knows of the mirror only."""
    one, other = await asyncio.gather(run(spec), run(spec), return_exceptions=True)
    for ended in (one, other):
        assert not isinstance(ended, BaseException) or isinstance(ended, TakeAlreadyLive)
    assert len(provider.jobs) + len(mirror.jobs) == 2


async def test_no_more_jobs_are_in_flight_than_the_route_takes(spec: Path, provider: LocalProvider) -> None:
    routes(spec, "[loopback]\nin_flight = 1\n")
    at_once: list[int] = []
    provider.on_accept = lambda: at_once.append(
        sum(take.state in (State.SUBMITTING, State.SUBMITTED) for take in takes(spec))
    )
    account, _ = await run(spec)
    assert account.message == "2 of 2 archived"
    assert at_once == [1, 1]
