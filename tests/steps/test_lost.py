"""A paid result that cannot be had always has a way out, and none is given up on the word of somebody else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from callsheet.errors import ProviderError, StillThere
from callsheet.steps import clock, settle
from callsheet.take import State, Take

from .local_provider import FAIL_LATER, LocalProvider
from .shoot import run, takes
from .test_routes import routes

ONLY = ["*--odd--*"]
LATER = timedelta(hours=25)


async def unfetched(spec: Path, provider: LocalProvider) -> Take:
    """A take that SUCCEEDED, and whose result did not come."""
    provider.results[:] = [500]
    await run(spec, only=ONLY)
    (take,) = takes(spec)
    assert take.state is State.SUCCEEDED
    return take


async def test_a_result_of_a_job_that_failed_after_all_can_be_given_up(spec: Path, provider: LocalProvider) -> None:
    take = await unfetched(spec, provider)
    provider.jobs[take.job]["end"] = FAIL_LATER
    _, ended = await run(spec, only=ONLY)
    assert "succeeded before and is failed now" in str(ended["cup--none--odd--16x9"])
    gone = await settle.lost(spec, take.id)
    assert (gone.state, gone.cost) == (State.FAILED, take.price)
    assert "as failed after all" in gone.reason


async def test_a_job_that_is_at_work_for_more_than_a_day_can_be_given_up_and_stays_charged(
    spec: Path, provider: LocalProvider
) -> None:
    take = await unfetched(spec, provider)
    provider.in_the_making = lambda _job: True
    with pytest.raises(StillThere, match="still at work"):
        await settle.lost(spec, take.id)
    with clock.read_from(lambda: datetime.now(UTC) + LATER):
        gone = await settle.lost(spec, take.id)
    assert (gone.state, gone.cost) == (State.FAILED, take.price)
    assert "at work on it since" in gone.reason


async def test_a_link_that_is_never_followed_can_be_given_up(spec: Path, provider: LocalProvider) -> None:
    take = await unfetched(spec, provider)
    provider.links = "https://10.0.0.1"
    gone = await settle.lost(spec, take.id)
    assert "10.0.0.1 is a private address" in gone.reason


async def test_a_film_that_came_damaged_twice_the_same_can_be_given_up_as_its_error_says(
    spec: Path, provider: LocalProvider
) -> None:
    def damaged(_: Request, whole: bytes) -> Response:
        return Response(whole[: len(whole) // 2])

    provider.films[:] = [damaged] * 3
    _, ended = await run(spec, tries=2, only=ONLY)
    (take,) = takes(spec)
    assert f"--lost {take.id}" in getattr(ended["cup--none--odd--16x9"], "hint", "")
    gone = await settle.lost(spec, take.id)
    assert "what comes of it is damaged, each time the same" in gone.reason


async def test_a_film_that_came_damaged_and_is_whole_now_is_not_given_up(spec: Path, provider: LocalProvider) -> None:
    provider.films[:] = [lambda _, whole: Response(whole[: len(whole) // 2])]
    await run(spec, only=ONLY)
    with pytest.raises(StillThere, match="gives its result"):
        await settle.lost(spec, 1)


async def test_no_result_is_given_up_because_another_provider_does_not_know_it(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A route that was taken out of routes.toml: nobody there can be asked, least of all the built-in one."""
    monkeypatch.setenv("MIRROR_API_KEY", "sk-mirror")
    routes(spec, f'[mirror]\napi = "{provider.url}"\nkey = "MIRROR_API_KEY"\nprice = 0.9\n')
    take = await unfetched(spec, provider)
    assert take.route == "mirror"
    provider.jobs.clear()
    routes(spec, "")
    with pytest.raises(ProviderError, match="route mirror"):
        await settle.lost(spec, take.id)
    monkeypatch.delenv("MIRROR_API_KEY")
    routes(spec, f'[mirror]\napi = "{provider.url}"\nkey = "MIRROR_API_KEY"\n')
    with pytest.raises(ProviderError, match="route mirror"):
        await settle.lost(spec, take.id)
    assert [one.state for one in takes(spec)] == [State.SUCCEEDED]


async def test_no_paid_result_is_given_up_because_a_stand_in_on_this_machine_does_not_know_it(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = await unfetched(spec, provider)
    for name in ("EVOLINK_BASE_URL", "EVOLINK_FILES_BASE_URL"):
        monkeypatch.delenv(name)
    with pytest.raises(ProviderError, match="route loopback"):
        await settle.lost(spec, take.id)
