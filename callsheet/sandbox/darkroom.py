"""The queue: accepted jobs, first in first out, a few at a time, rendered and settled in the book."""

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

from callsheet.errors import ToolFailed, ToolMissing, Unacceptable
from callsheet.sandbox.book import Book, Job
from callsheet.sandbox.engine import Shot
from callsheet.sandbox.place import Place

log = logging.getLogger("callsheet.sandbox")

#: Links of results die after this long (documented), files of the file service after that long (documented).
RESULT_LIFETIME = timedelta(hours=24)
FILE_LIFETIME = timedelta(hours=72)
#: How often what has expired is looked for.
SWEEP_PERIOD = timedelta(minutes=10)

Progress = Callable[[float], None]
#: Turns a shot into a finished video file; tells its progress as 0.0 to 1.0. The seam for other engines.
Engine = Callable[[Shot, Path, Progress], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A documented `error.code` of a failed task, and what its message says."""

    code: str
    message: str


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
        engine: Engine,
        clock: Callable[[], datetime],
        on_settled: Callable[[str], None] = lambda _job: None,
    ) -> None:
        """on_settled: told of each job once the book says how it ended."""
        self._place = place
        self._book = book
        self._engine = engine
        self._clock = clock
        self._on_settled = on_settled
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._progress: dict[str, float] = {}

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
        self._queue.put_nowait(job_id)

    def progress(self, job: Job) -> int:
        """Percent, as ffmpeg reports it; 100 for a finished job."""
        if job.state == "completed":
            return 100
        return min(int(self._progress.get(job.id, 0.0) * 100), 99)

    async def run(self) -> None:
        """Work until cancelled; a job that is cut short is pending again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep_for_ever())
            for _ in range(concurrency()):
                group.create_task(self._work_for_ever())

    async def _work_for_ever(self) -> None:
        while True:
            job = self._book.begin(await self._queue.get(), self._clock())
            try:
                await self._develop(job)
                self._on_settled(job.id)
            except asyncio.CancelledError:
                self._book.put_back(job.id)
                raise
            finally:
                self._progress.pop(job.id, None)

    async def _develop(self, job: Job) -> None:
        """Render one job and settle it: the file is on disk and synced before the book says completed."""
        try:
            async with asyncio.timeout(time_limit(job.seconds).total_seconds()):
                await self._engine(self._shot(job), self._place.result(job.id), self._follow(job.id))
        except Exception as error:
            failure = _failure(error)
            log.warning("%s failed: %s: %s", job.id, failure.code, error, exc_info=failure.code == "unknown_error")
            self._book.fail(job.id, failure.code, failure.message, self._clock())
            return
        token = secrets.token_urlsafe(24)
        self._book.complete(job.id, token=token, now=self._clock(), lifetime=RESULT_LIFETIME)

    def _follow(self, job_id: str) -> Progress:
        def follow(part: float) -> None:
            self._progress[job_id] = part

        return follow

    def _shot(self, job: Job) -> Shot:
        clip, *images = self._book.inputs(job.id)
        return Shot(
            clip=self._place.stored(clip.id),
            clip_digest=clip.sha256,
            references=tuple((self._place.stored(image.id), image.sha256) for image in images),
            prompt=job.prompt,
            aspect_ratio=job.aspect_ratio,
            keep_sound=job.keep_sound,
            seconds=job.seconds,
        )

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_PERIOD.total_seconds())
            self.sweep()

    def sweep(self) -> None:
        """Remove the bytes of what has expired, and of what the book does not know. Uploads coming in are not touched."""
        now = self._clock()
        _keep_only(self._place.files, self._book.kept_files(now))
        _keep_only(self._place.results, {self._place.result(job).name for job in self._book.kept_results(now)})


def _keep_only(folder: Path, names: set[str]) -> None:
    for path in folder.iterdir():
        if path.name not in names and not path.name.startswith("."):
            path.unlink(missing_ok=True)


def _failure(error: Exception) -> Failure:
    """What a task says when the engine could not make it, in the provider's documented codes."""
    if isinstance(error, ToolMissing):
        return Failure(code="service_unavailable", message=f"{error.what} {error.hint}".strip())
    if isinstance(error, TimeoutError):
        return Failure(code="generation_timeout", message="The video was not ready in time.")
    if isinstance(error, ToolFailed):
        return Failure(code="generation_failed_no_content", message=f"The video could not be edited. {error.what}")
    if isinstance(error, Unacceptable):
        return Failure(code="image_processing_error", message=error.what)
    if isinstance(error, OSError):
        return Failure(code="resource_exhausted", message=f"This machine could not do it: {error.strerror or error}.")
    return Failure(code="unknown_error", message=f"The sandbox's engine failed: {type(error).__name__}: {error}")
