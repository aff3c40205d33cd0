"""The watch: many jobs, one question; no answer is a failure but the provider's own, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from callsheet import errors
from callsheet.errors import JobUnknown
from callsheet.provider.client import JobStatus, Provider, Route
from callsheet.provider.watch import Watch
from tests.contracts.scripted_provider import Act, Asked, Reply, Reset, Scripted

BATCH = ("POST", "/v1/tasks/batch")
TICK = timedelta(milliseconds=20)
#: What a watch may take in these tests before it counts as hanging. Seconds.
PATIENCE = 5


def task(job: str, status: str = "processing", **more: Any) -> dict[str, Any]:
    results = [f"https://cdn.example.com/{job}.mp4"] if status == "completed" else []
    return {"id": job, "status": status, "progress": 10, "results": results, **more}


class Jobs:
    """What the provider knows; changed by a test while it is asked."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked) -> Act:
        return Reply(body={"data": [self.tasks[job] for job in asked.json["task_ids"] if job in self.tasks]})

    def set(self, *jobs: str, status: str = "processing", **more: Any) -> None:
        self.tasks |= {job: task(job, status, **more) for job in jobs}


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
async def server(jobs: Jobs) -> AsyncIterator[Scripted]:
    async with Scripted() as scripted:
        scripted.on(*BATCH, jobs.answer)
        yield scripted


@pytest.fixture
async def provider(server: Scripted) -> AsyncIterator[Provider]:
    async with Provider(Route(name="loopback", api=server.url, files=server.url, key=SecretStr("sk-evo-1"))) as client:
        yield client


@pytest.fixture
async def watch(provider: Provider) -> AsyncIterator[Watch]:
    quick = Watch(provider, first=TICK, tick=TICK, slowest=TICK * 5, patience=TICK * 5)
    async with asyncio.timeout(PATIENCE), quick as running:
        yield running


async def questions(server: Scripted, count: int) -> None:
    """Wait until the server was asked so often again."""
    until = len(server.asked) + count
    async with server.heard:
        await server.heard.wait_for(lambda: len(server.asked) >= until)


async def test_a_job_that_is_done_is_told_with_its_link(jobs: Jobs, watch: Watch) -> None:
    jobs.set("a", status="completed")
    status = await watch.until_done("a")
    assert (status.state, status.result) == ("succeeded", SecretStr("https://cdn.example.com/a.mp4"))


async def test_a_failed_job_is_an_answer_and_not_an_exception(jobs: Jobs, watch: Watch) -> None:
    jobs.set("a", status="failed", error={"code": "content_policy_violation", "message": "no"})
    status = await watch.until_done("a")
    assert status.state == "failed"
    assert status.error is not None
    assert status.error.code == "content_policy_violation"


async def test_fifty_waiting_jobs_are_one_question(jobs: Jobs, watch: Watch, server: Scripted) -> None:
    names = [f"job-{number}" for number in range(50)]
    jobs.set(*names, status="completed")
    done = await asyncio.gather(*(watch.until_done(name) for name in names))
    assert [status.job for status in done] == names
    assert len(server.asked) == 1


async def test_progress_is_told_when_it_changes(jobs: Jobs, watch: Watch, server: Scripted) -> None:
    jobs.set("a", progress=10)
    seen: list[int] = []
    waiting = asyncio.create_task(watch.until_done("a", on_progress=seen.append))
    await questions(server, 3)
    jobs.set("a", progress=60)
    await questions(server, 3)
    jobs.set("a", status="completed")
    await waiting
    assert seen == [10, 60, 100]


async def test_a_job_that_joins_later_is_asked_about_too(jobs: Jobs, watch: Watch, server: Scripted) -> None:
    jobs.set("early")
    early = asyncio.create_task(watch.until_done("early"))
    await questions(server, 2)
    jobs.set("late", status="completed")
    assert (await watch.until_done("late")).state == "succeeded"
    jobs.set("early", status="completed")
    await early


async def test_two_callers_may_wait_for_one_job(jobs: Jobs, watch: Watch, server: Scripted) -> None:
    jobs.set("a", status="completed")
    one, two = await asyncio.gather(watch.until_done("a"), watch.until_done("a"))
    assert one == two
    assert [asked.json["task_ids"] for asked in server.asked] == [["a"]]


@pytest.mark.parametrize("trouble", [Reset(), Reply(status=500, body={}), Reply(body=b"<html>"), Reply(status=429)])
async def test_a_failed_poll_is_never_a_failed_take(jobs: Jobs, watch: Watch, server: Scripted, trouble: Act) -> None:
    jobs.set("a", status="completed")
    server.on(*BATCH, trouble, trouble, jobs.answer)
    assert (await watch.until_done("a")).state == "succeeded"
    assert len(server.asked) == 3


async def test_the_provider_s_retry_after_is_obeyed(jobs: Jobs, watch: Watch, server: Scripted) -> None:
    jobs.set("a", status="completed")
    server.on(*BATCH, Reply(status=429, headers={"retry-after": "0.3"}), jobs.answer)
    begun = asyncio.get_running_loop().time()
    await watch.until_done("a")
    assert asyncio.get_running_loop().time() - begun >= 0.3


async def test_pauses_grow_while_nothing_answers(provider: Provider, server: Scripted) -> None:
    server.on(*BATCH, Reply(status=500, body={}))
    async with Watch(provider, first=TICK, tick=TICK, slowest=timedelta(seconds=10)) as watch:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.until_done("a"), 0.5)
    assert 2 <= len(server.asked) <= 5  # 20 ms apart it would have been 24


async def test_a_job_that_cannot_be_read_does_not_hold_up_the_others(
    jobs: Jobs, watch: Watch, server: Scripted
) -> None:
    jobs.tasks["bad"] = {"id": "bad", "status": None}
    server.on("GET", "/v1/tasks/bad", Reply(body=b"<html>"))
    jobs.set("good", status="completed")
    bad = asyncio.create_task(watch.until_done("bad"))
    assert (await watch.until_done("good")).state == "succeeded"
    jobs.set("bad", status="completed")
    assert (await bad).state == "succeeded"


async def test_a_job_the_provider_does_not_know_yet_is_waited_for(jobs: Jobs, watch: Watch, server: Scripted) -> None:
    waiting = asyncio.create_task(watch.until_done("a"))
    await questions(server, 2)  # the batch, and the single read that answers 404
    jobs.set("a", status="completed")
    assert (await waiting).state == "succeeded"


async def test_a_job_the_provider_keeps_not_knowing_is_held_and_not_failed(watch: Watch, server: Scripted) -> None:
    with pytest.raises(JobUnknown) as caught:
        await watch.until_done("a")
    assert not isinstance(caught.value, errors.JobFailed | errors.Rejected)
    assert (caught.value.spent, caught.value.retry) == ("unknown", "never")
    assert len(server.to("/v1/tasks/a")) >= 3


async def test_a_finished_job_without_a_link_is_asked_again_and_then_told_as_it_is(
    jobs: Jobs, watch: Watch, server: Scripted
) -> None:
    jobs.set("late", status="completed", results=[])
    waiting = asyncio.create_task(watch.until_done("late"))
    await questions(server, 2)
    jobs.set("late", status="completed")
    assert (await waiting).result is not None
    jobs.set("never", status="completed", results=[])
    status = await watch.until_done("never")
    assert (status.state, status.result) == ("succeeded", None)


async def test_a_dead_key_ends_every_wait_with_an_error_of_its_own(watch: Watch, server: Scripted) -> None:
    server.on(*BATCH, Reply(status=401, body={"error": {"code": "key_expired"}}))
    first, second = await asyncio.gather(watch.until_done("a"), watch.until_done("b"), return_exceptions=True)
    assert isinstance(first, errors.Unauthorized)
    assert isinstance(second, errors.Unauthorized)
    assert first is not second
    assert first.spent == "unknown"


async def test_cancelling_one_wait_leaves_the_others_alone(jobs: Jobs, watch: Watch, server: Scripted) -> None:
    jobs.set("a", "b")
    one, other = asyncio.create_task(watch.until_done("a")), asyncio.create_task(watch.until_done("b"))
    await questions(server, 2)
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    await questions(server, 2)
    assert server.asked[-1].json["task_ids"] == ["b"]
    jobs.set("b", status="completed")
    assert (await other).state == "succeeded"


async def test_a_callback_that_breaks_ends_its_own_wait_only(jobs: Jobs, watch: Watch) -> None:
    jobs.set("a", "b", status="completed")

    def broken(progress: int) -> None:
        raise RuntimeError("the terminal is gone")

    first, second = await asyncio.gather(
        watch.until_done("a", on_progress=broken), watch.until_done("b"), return_exceptions=True
    )
    assert isinstance(first, RuntimeError)
    assert isinstance(second, JobStatus)


class Breaking(Provider):
    """A client with a bug: what it raises is no provider's error."""

    async def answers(self, jobs: Sequence[str]) -> dict[str, JobStatus | errors.ProviderError]:
        raise ZeroDivisionError("a bug of ours")


class Stumbling(Provider):
    """Its first questions end in a defect."""

    stumbles = 2

    async def answers(self, jobs: Sequence[str]) -> dict[str, JobStatus | errors.ProviderError]:
        if self.stumbles:
            self.stumbles -= 1
            raise ZeroDivisionError("a bug of ours")
        return await super().answers(jobs)


async def test_a_defect_in_a_question_or_two_ends_no_wait(provider: Provider, jobs: Jobs) -> None:
    jobs.set("a", status="completed")
    async with (
        asyncio.timeout(PATIENCE),
        Stumbling(provider.route) as client,
        Watch(client, first=TICK, tick=TICK) as watch,
    ):
        assert (await watch.until_done("a")).state == "succeeded"
        assert not watch.is_in_trouble


async def test_a_failed_job_whose_credits_are_still_held_is_asked_again(
    jobs: Jobs, provider: Provider, watch: Watch, server: Scripted
) -> None:
    held = {"charge_status": "reserved"}
    jobs.set("a", status="failed", billing=held)
    async with Watch(provider, first=TICK, tick=TICK, slowest=TICK, patience=timedelta(minutes=1)) as patient:
        waiting = asyncio.create_task(patient.until_done("a"))
        await questions(server, 2)
        assert not waiting.done()
        jobs.set("a", status="failed", billing={"charge_status": "released"})
        assert (await waiting).refunded is True
    jobs.set("b", status="failed", billing=held)
    assert (await watch.until_done("b")).is_settling  # told as it is, once the patience is over


async def test_a_watcher_that_crashes_tells_everyone_and_leaves_nobody_waiting(provider: Provider) -> None:
    async with asyncio.timeout(PATIENCE), Breaking(provider.route) as client, Watch(client, first=TICK) as watch:
        ended = await asyncio.gather(*(watch.until_done(job) for job in "abc"), return_exceptions=True)
        later = (await asyncio.gather(watch.until_done("d"), return_exceptions=True))[0]
        assert watch.is_in_trouble
    for error in (*ended, later):
        assert isinstance(error, errors.ProviderError)
        assert (error.spent, error.retry) == ("unknown", "safe")
        assert isinstance(error.__cause__, ZeroDivisionError)


async def test_closing_ends_every_wait_and_asks_nothing_more(provider: Provider, jobs: Jobs, server: Scripted) -> None:
    jobs.set("a")
    async with Watch(provider, first=TICK, tick=TICK) as watch:
        waiting = asyncio.create_task(watch.until_done("a"))
        await questions(server, 2)
    with pytest.raises(errors.Unavailable):
        await waiting
    with pytest.raises(errors.Unavailable):
        await watch.until_done("a")
    before = len(server.asked)
    await asyncio.sleep(0.1)
    assert len(server.asked) == before


async def test_a_watch_that_was_never_opened_does_not_hang(provider: Provider) -> None:
    with pytest.raises(errors.Unavailable):
        await Watch(provider).until_done("a")


@pytest.mark.parametrize(("estimate", "asked"), [(timedelta(0), 1), (None, 0), (timedelta(hours=1), 0)])
async def test_the_first_question_waits_for_the_estimate_or_the_usual_time_whichever_is_sooner(
    provider: Provider, server: Scripted, jobs: Jobs, estimate: timedelta | None, asked: int
) -> None:
    jobs.set("a", status="completed")
    async with Watch(provider, first=timedelta(seconds=0.4), tick=TICK) as watch:
        waiting = asyncio.create_task(watch.until_done("a", estimate=estimate))
        await asyncio.sleep(0.15)
        assert len(server.asked) == asked
        assert (await waiting).state == "succeeded"


async def test_a_watch_with_nothing_to_wait_for_asks_nothing(watch: Watch, server: Scripted) -> None:
    await asyncio.sleep(0.1)
    assert server.asked == []


async def test_a_thousand_waits_cost_twenty_questions_a_round(jobs: Jobs, provider: Provider, server: Scripted) -> None:
    names = [f"job-{number}" for number in range(1000)]
    jobs.set(*names, status="completed")
    # Jobs that fall due within half a tick are asked about together: on a busy machine a thousand take a while to be there.
    async with Watch(provider, first=timedelta(seconds=0.5), tick=timedelta(seconds=20)) as watch:
        await asyncio.gather(*(watch.until_done(name) for name in names))
    assert len(server.asked) == 20
