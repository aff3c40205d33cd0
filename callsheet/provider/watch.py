"""The watch: one watcher asks about all waiting jobs of the process together, so that a thousand takes cost one question.

A poll that fails is never a take that failed: the watch waits and asks again. What ends a wait is the provider's own
word, or its word that it does not know the job, said several times over a while.
"""

import asyncio
import copy
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import TracebackType
from typing import Self

from callsheet import pace
from callsheet.errors import JobUnknown, ProviderError, Unavailable
from callsheet.pace import Pace, Usual
from callsheet.provider.client import JobStatus, Provider

log = logging.getLogger("callsheet.takes")

#: Called with a job's progress, 0 to 100, whenever that changed.
OnProgress = Callable[[int], None]

#: A job counts as unknown after this many answers without it in a row, and not before `patience` has passed.
UNKNOWN_ANSWERS = 3

#: Questions on end that nothing answered, from which on the provider counts as out of reach.
TROUBLE = 3


#: The vendor advises: first poll after 15 s, then every 10 to 15 s. A failed job is heard of after two minutes at most.
REMOTE = Pace(first=15, tick=10, slowest=30, longest=120)
LOOPBACK = Pace(first=0.1, tick=0.25, slowest=0.5, longest=1, expects=False)
#: With a provider that does not know a job, or names no link for a finished one.
PATIENCE, LOOPBACK_PATIENCE = timedelta(minutes=2), timedelta(seconds=2)


@dataclass(kw_only=True, eq=False)
class _Waiter:
    """One caller of `until_done`. Times are the event loop's seconds; `since`: when the job was sent.

    ends: when it ends in the provider's last word; None while it gave none.
    """

    job: str
    on_progress: OnProgress | None
    since: float
    due: float
    ends: float | None
    usual: Usual | None
    done: asyncio.Future[JobStatus]
    progress: int | None = None
    missing: list[float] = field(default_factory=list)
    #: Since when it has ended without all that belongs to an end.
    incomplete_since: float | None = None

    def end(self, status: JobStatus) -> None:
        if not self.done.done():
            self.done.set_result(status)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def tell(self, progress: int) -> None:
        """A caller's callback that raises ends that caller's wait with its own error, and nobody else's."""
        if progress == self.progress or self.on_progress is None:
            return
        self.progress = progress
        try:
            self.on_progress(progress)
        except Exception as error:
            self.fail(error)


class Watch:
    """`async with Watch(provider) as watch`. The pace fits the route (loopback is asked quickly) unless given."""

    def __init__(
        self,
        provider: Provider,
        *,
        first: timedelta | None = None,
        tick: timedelta | None = None,
        slowest: timedelta | None = None,
        patience: timedelta | None = None,
    ) -> None:
        here = provider.route.is_loopback
        self._pace = _paced(LOOPBACK if here else REMOTE, first, tick, slowest)
        self._patience = (patience or (LOOPBACK_PATIENCE if here else PATIENCE)).total_seconds()
        self._provider = provider
        self._waiters: dict[_Waiter, None] = {}
        self._news = asyncio.Event()
        self._not_before = 0.0
        self._failures = 0
        self._defects = 0
        self._task: asyncio.Task[None] | None = None
        self._crash: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="callsheet watch")
        self._task.add_done_callback(self._ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whoever still waits gets Unavailable: the job goes on at the provider, and can be followed again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def until_done(
        self,
        job: str,
        *,
        on_progress: OnProgress | None = None,
        estimate: timedelta | None = None,
        age: timedelta = timedelta(0),
        usual: Usual | None = None,
    ) -> JobStatus:
        """Wait until the provider says that the job succeeded or failed. There is no deadline here: a timeout is not a
        failure, and the caller knows how long it wants to wait (cancelling one wait leaves the others alone).

        estimate: what the provider said that is left; zero for a job of an earlier run, which is asked about at once.
        age: since it was sent. usual: how long jobs of its kind take. A succeeded job whose link does not appear within the
        patience is returned without. JobUnknown, or Unauthorized and its kin when the provider refuses to be asked; every
        error leaves the take as it was: submitted, and held.
        """
        if self._task is None or self._task.done():
            raise self._stopped()
        now, elapsed = _now(), age.total_seconds()
        left = None if estimate is None else estimate.total_seconds()
        first = pace.until_first(elapsed=elapsed, left=left, usual=usual, pace=self._pace, chance=_chance())
        waiter = _Waiter(
            job=job,
            on_progress=on_progress,
            since=now - elapsed,
            due=now + first,
            ends=now + left if left else None,
            usual=usual,
            done=asyncio.get_running_loop().create_future(),
        )
        self._waiters[waiter] = None
        self._news.set()
        try:
            return await waiter.done
        finally:
            self._waiters.pop(waiter, None)

    def nudge(self, jobs: Collection[str]) -> None:
        """Ask about these jobs next, as soon as the provider may be asked at all."""
        now = _now()
        for waiter in self._waiters:
            if waiter.job in jobs:
                waiter.due = min(waiter.due, now)
        self._news.set()

    @property
    def is_in_trouble(self) -> bool:
        """Has nothing answered for several questions on end? Or does nobody ask any more?"""
        return self._failures >= TROUBLE or self._crash is not None

    @property
    def broken(self) -> ProviderError | None:
        """Why nothing more is to be sent: a job that nobody asks about is paid for and not fetched."""
        if self._crash is None:
            return None
        what = f"The watch over the jobs broke ({type(self._crash).__name__}), so nothing more is sent."
        return ProviderError(what, where=self._provider.route.name, retry="never", hint="Run the campaign again.")

    # --- the watcher --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            pause = self._pause()
            if pause is None or pause > 0:
                await self._rest(pause)
            else:
                await self._heard(self._round)

    async def _heard(self, look: Callable[[], Awaitable[None]]) -> None:
        """A defect in one question ends no wait of fifty jobs that are paid for; one in several on end does."""
        try:
            await look()
            self._defects = 0
        except Exception as error:
            self._defects += 1
            if self._defects > TROUBLE:
                raise
            words = "a question about the jobs of %s broke (%s); it is asked again"
            log.error(words, self._provider.route.name, type(error).__name__)
            self._not_before = _now() + pace.backed_off(self._defects, self._pace)

    def _pause(self) -> float | None:
        """Seconds until the next question; None while there is nothing to ask about."""
        waiting = [waiter.due for waiter in self._waiters if not waiter.done.done()]
        return max(min(waiting), self._not_before) - _now() if waiting else None

    async def _rest(self, seconds: float | None) -> None:
        """Until the time is up, or until a new job may be due earlier."""
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _round(self) -> None:
        soon = _now() + self._pace.tick / 2  # jobs due within half a tick share the question
        asked = [waiter for waiter in self._waiters if waiter.due <= soon and not waiter.done.done()]
        answers = await self._provider.answers([waiter.job for waiter in asked])
        for waiter in asked:
            self._hear(waiter, answers.get(waiter.job))
            waiter.due = _now() + self._until_next(waiter, answers.get(waiter.job))
        self._not_before = _now() + self._rest_after(answers)

    def _until_next(self, waiter: _Waiter, answer: JobStatus | ProviderError | None) -> float:
        """Seconds until this job's next question. One that is late to be listed, or to have a link, has ended already."""
        if not isinstance(answer, JobStatus) or answer.is_done:
            return self._pace.tick
        now = _now()
        if answer.estimated is not None:
            waiter.ends = now + answer.estimated.total_seconds()
        return pace.until_next(
            elapsed=now - waiter.since,
            left=None if waiter.ends is None else max(waiter.ends - now, 0),
            usual=waiter.usual,
            pace=self._pace,
            chance=_chance(),
        )

    def _hear(self, waiter: _Waiter, answer: JobStatus | ProviderError | None) -> None:
        if waiter.done.done() or isinstance(answer, Unavailable):
            return
        if answer is None:
            self._miss(waiter)
            return
        waiter.missing.clear()
        if isinstance(answer, ProviderError):
            waiter.fail(copy.copy(answer))  # one answer may speak for fifty jobs, and a raised error grows a traceback
            return
        waiter.tell(answer.progress)
        if answer.is_done and not self._waits(waiter, answer):
            waiter.end(answer)

    def _miss(self, waiter: _Waiter) -> None:
        """A job just accepted may not be listed yet; one that stays away is reported, never taken for failed."""
        waiter.missing.append(_now())
        if len(waiter.missing) >= UNKNOWN_ANSWERS and self._is_past_patience(waiter.missing[0]):
            waiter.fail(
                JobUnknown(
                    f"The provider answered {len(waiter.missing)} times in a row that it has no job {waiter.job}.",
                    where=self._provider.route.name,
                    hint="The take stays held. Look for the job in the provider's task list, then `callsheet reconcile`.",
                )
            )

    def _waits(self, waiter: _Waiter, status: JobStatus) -> bool:
        """For the link of a job that succeeded, or until it is settled whether one that failed is charged."""
        if not status.is_settling and (status.state != "succeeded" or status.result is not None):
            return False
        if waiter.incomplete_since is None:
            waiter.incomplete_since = _now()
        return not self._is_past_patience(waiter.incomplete_since)

    def _is_past_patience(self, since: float) -> bool:
        return _now() - since >= self._patience

    def _rest_after(self, answers: Mapping[str, JobStatus | ProviderError]) -> float:
        """Seconds until any next round: a tick, longer in trouble, and never less than the provider asked for."""
        troubles = [answer for answer in answers.values() if isinstance(answer, Unavailable)]
        self._failures = self._failures + 1 if troubles and len(troubles) == len(answers) else 0
        rest = pace.backed_off(self._failures, self._pace) * (1 + pace.JITTER * _chance())
        return max([rest, *(trouble.after.total_seconds() for trouble in troubles if trouble.after)])

    # --- the end ------------------------------------------------------------------------------------------------------

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._crash = None if task.cancelled() else task.exception()
        for waiter in self._waiters:
            waiter.fail(self._stopped())

    def _stopped(self) -> ProviderError:
        """Why nobody is watching; never a hang."""
        where = self._provider.route.name
        if self._crash is None:
            return Unavailable("The watch over the jobs is not running; the job goes on.", where=where, spent="unknown")
        what = f"The watch over the jobs broke ({type(self._crash).__name__}); the job goes on at the provider."
        broken = ProviderError(what, where=where, spent="unknown", retry="safe")
        broken.__cause__ = self._crash
        return broken


def _paced(usual: Pace, first: timedelta | None, tick: timedelta | None, slowest: timedelta | None) -> Pace:
    begin = usual.first if first is None else first.total_seconds()
    step = usual.tick if tick is None else tick.total_seconds()
    slow = max(usual.slowest if slowest is None else slowest.total_seconds(), step)
    return replace(usual, first=begin, tick=step, slowest=slow, longest=max(usual.longest, begin, slow))


def _chance() -> float:
    return random.random()  # noqa: S311 - spreads load, guards nothing


def _now() -> float:
    return asyncio.get_running_loop().time()
