"""The queue: accepted jobs, first in first out, a few at a time, rendered and settled in the book."""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from callsheet import catalogue
from callsheet.errors import MediaError, ToolFailed, ToolMissing, Unacceptable
from callsheet.media import probe
from callsheet.sandbox import billing, spoiling
from callsheet.sandbox.book import Book, Job
from callsheet.sandbox.engine import Shot
from callsheet.sandbox.engines import Engine, Engines, NoEngine, Progress
from callsheet.sandbox.faults import FOR_EVER, Faults, Rule
from callsheet.sandbox.place import Place

log = logging.getLogger("callsheet.sandbox")

#: Links of results die after this long (documented), files of the file service after that long (documented).
RESULT_LIFETIME = timedelta(hours=24)
FILE_LIFETIME = timedelta(hours=72)
#: Wall seconds that a second of result takes, for `estimated_time` (measured on two cores, engine alone).
RENDER_SECONDS = 0.6
#: How often what has expired is looked for.
SWEEP_PERIOD = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A documented `error.code` of a failed task, and what its message says."""

    code: str
    message: str


class Injected(Exception):
    """A failure on cue."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def concurrency() -> int:
    """One render per two cores: ffmpeg's own threads use the rest (measured: more at a time gains 8 % at most)."""
    return max(1, (os.cpu_count() or 1) // 2)


def time_limit(seconds: Fraction) -> timedelta:
    """Wall clock for one render: a hundred times what it takes on an idle machine, and a minute to begin with."""
    return timedelta(seconds=60 + 60 * float(seconds))


class Darkroom:
    """Renders what the book has pending. Exactly one per book; `run` it for as long as the server lives."""

    def __init__(
        self,
        *,
        place: Place,
        book: Book,
        engines: Engines,
        clock: Callable[[], datetime],
        faults: Faults,
        slack: timedelta = timedelta(0),
        on_settled: Callable[[str], None] = lambda _job: None,
    ) -> None:
        """slack: wall time that an engine takes by design. on_settled: told of each job once the book says how it ended."""
        self._place = place
        self._book = book
        self._engines = engines
        self._clock = clock
        self._faults = faults
        self._slack = slack
        self._on_settled = on_settled
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._places: dict[str, int] = {}
        self._queued = 0
        self._begun = 0
        self._progress: dict[str, float] = {}
        self._works: dict[str, asyncio.Task[bool]] = {}

    def open(self) -> None:
        """Before the first request: clear away what a killed server left, and take up its unfinished jobs in order."""
        for folder in (self._place.files, self._place.results):
            for part in folder.glob(".*"):
                part.unlink(missing_ok=True)
        self.sweep()
        for job_id in self._book.requeue(self._clock()):
            self.enqueue(job_id)

    def enqueue(self, job_id: str) -> None:
        """The job is in the book already; this only says that it is there."""
        self._places[job_id] = self._queued
        self._queued += 1
        self._queue.put_nowait(job_id)

    def ahead_of(self, job_id: str) -> int:
        """Jobs that have to begin before this one does; 0 for one that is on."""
        return max(self._places.get(job_id, 0) - self._begun, 0)

    def seconds_left(self, job: Job) -> float:
        """A guess: as long as it and those before it take, so many at once."""
        alone = float(job.seconds) * RENDER_SECONDS + self._slack.total_seconds()
        return alone * (self.ahead_of(job.id) // self._engines.at_once + 1)

    def progress(self, job: Job) -> int:
        """Percent, as ffmpeg reports it; 100 for a finished job."""
        if job.state == "completed":
            return 100
        return min(int(self._progress.get(job.id, 0.0) * 100), 99)

    def cancel(self, job_id: str) -> bool:
        """End a job without a result, its credits back. False where it has ended already."""
        message = "The request was cancelled."
        if not self._book.fail(job_id, "request_cancelled", message, self._clock(), ending="cancelled"):
            return False
        if (work := self._works.get(job_id)) is not None:
            work.cancel()
        self._on_settled(job_id)
        return True

    async def run(self) -> None:
        """Work until cancelled; a job that is cut short is pending again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep_for_ever())
            for _ in range(self._engines.at_once):
                group.create_task(self._work_for_ever())

    async def _work_for_ever(self) -> None:
        while True:
            job_id = await self._queue.get()
            self._begun += 1
            self._places.pop(job_id, None)
            job = self._book.begin(job_id, self._clock())
            if job is not None:
                await self._work(job)

    async def _work(self, job: Job) -> None:
        """In a task of its own, so that a job that is cancelled ends without ending the work."""
        work = self._works[job.id] = asyncio.create_task(self._develop(job))
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            self._book.put_back(job.id)
            raise
        finally:
            self._works.pop(job.id, None)
            self._progress.pop(job.id, None)
        if not work.cancelled() and work.result():
            self._on_settled(job.id)

    async def _develop(self, job: Job) -> bool:
        """Render one job and settle it: the file is on disk and synced before the book says completed.

        False where somebody else settled it meanwhile.
        """
        try:
            async with asyncio.timeout((time_limit(job.seconds) + self._slack).total_seconds()):
                cue = await self._on_cue(job)
                made = await self._made(job)
                if cue is not None and cue.do == "spoil" and made is None:
                    await spoiling.spoil(self._place.result(job.id), cue.film, clip=self._shot(job).clip)
        except Exception as error:
            failure = error.failure if isinstance(error, Injected) else _failure(error)
            log.warning("%s failed: %s: %s", job.id, failure.code, error, exc_info=failure.code == "unknown_error")
            return self._book.fail(job.id, failure.code, failure.message, self._clock())
        model = catalogue.model(job.model)
        seconds = None if made else await asyncio.to_thread(self._measured, job)
        charged = billing.charge_for(model, reserved=job.reserved, result_seconds=seconds, options=job.options)
        token = secrets.token_urlsafe(24)
        return self._book.complete(
            job.id, charged=charged, token=token, now=self._clock(), lifetime=RESULT_LIFETIME, made=made
        )

    async def _on_cue(self, job: Job) -> Rule | None:
        """What was to happen to it, and what is to happen to its film."""
        cue = self._faults.cue("render", model=job.model, prompt=job.prompt)
        if cue is None:
            return None
        await asyncio.sleep(cue.seconds or (FOR_EVER if cue.do == "stall" else 0))
        if cue.do == "fail":
            raise Injected(Failure(code=cue.code, message=cue.message))
        return cue

    async def _made(self, job: Job) -> str | None:
        """The file of the result is in its place; or, of a job that makes no file, what it made."""
        if catalogue.model(job.model).makes == "element":
            return f"element_{job.id.rpartition('-')[2]}"
        await self._rendered(job)
        return None

    async def _rendered(self, job: Job) -> None:
        """By the cheapest engine that is up; one that cannot work at all gives way to the next. NoEngine."""
        reason: Exception = NoEngine("every engine is down")
        for engine in self._engines.up():
            self._book.served_by(job.id, engine.name)
            try:
                await self._by(engine, job)
                return
            except ToolMissing as error:
                log.warning("engine %s is down: %s", engine.name, error)
                self._engines.rest(engine.name)
                reason = error
        raise reason

    async def _by(self, engine: Engine, job: Job) -> None:
        await engine.render(self._shot(job), self._place.result(job.id), self._follow(job.id))

    def _measured(self, job: Job) -> Fraction:
        """Seconds of the result, for what is settled on them; as asked where it cannot be measured."""
        if catalogue.model(job.model).price.basis == "request_only":
            return job.seconds
        try:
            return probe.clip(self._place.result(job.id)).seconds
        except MediaError:
            return job.seconds

    def _follow(self, job_id: str) -> Progress:
        def follow(part: float) -> None:
            self._progress[job_id] = part

        return follow

    def _shot(self, job: Job) -> Shot:
        inputs = self._book.inputs(job.id)
        clip = next((one.file for one in inputs if one.is_clip), None)
        images = [one.file for one in inputs if not one.is_clip]
        return Shot(
            kind=catalogue.model(job.model).kind,
            clip=None if clip is None else self._place.stored(clip.id),
            clip_digest="" if clip is None else clip.sha256,
            references=tuple((self._place.stored(image.id), image.sha256) for image in images),
            prompt=job.prompt,
            aspect_ratio=job.aspect_ratio,
            keep_sound=job.keep_sound,
            seconds=job.seconds,
            options=job.options,
        )

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_PERIOD.total_seconds())
            self.sweep()

    def sweep(self) -> None:
        """Remove the bytes of what has expired, and of what the book does not know. Uploads coming in are not touched."""
        now = self._clock()
        self._place.keep_only(self._place.files, self._book.files.kept(now))
        self._place.keep_only(
            self._place.results, {self._place.result(job).name for job in self._book.kept_results(now)}
        )


def _failure(error: Exception) -> Failure:
    """What a task says when the engine could not make it, in the provider's documented codes."""
    if isinstance(error, ToolMissing):
        return Failure(code="service_unavailable", message=f"{error.what} {error.hint}".strip())
    if isinstance(error, NoEngine):
        return Failure(code="service_unavailable", message="No engine is up.")
    if isinstance(error, TimeoutError):
        return Failure(code="generation_timeout", message="The video was not ready in time.")
    if isinstance(error, ToolFailed):
        return Failure(code="generation_failed_no_content", message=f"The video could not be edited. {error.what}")
    if isinstance(error, Unacceptable):
        return Failure(code="image_processing_error", message=error.what)
    if isinstance(error, OSError):
        return Failure(code="resource_exhausted", message=f"This machine could not do it: {error.strerror or error}.")
    return Failure(code="unknown_error", message=f"The sandbox's engine failed: {type(error).__name__}: {error}")
