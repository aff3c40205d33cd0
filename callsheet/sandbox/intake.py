"""The inputs of a submission: found or fetched, measured, and held against the model's limits.

Everything that is wrong with a file is told when the job is submitted, as the live gateway tells it. A URL of an upload
names that upload under any address of this machine; any other is fetched, where the server's policy lets it.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

from callsheet.catalogue import ClipLimits, ImageLimits, Model
from callsheet.errors import MediaError
from callsheet.hosts import is_loopback
from callsheet.limits import ClipFacts, StillFacts
from callsheet.media import probe
from callsheet.sandbox import fetching
from callsheet.sandbox.book import Book
from callsheet.sandbox.order import Link, Order
from callsheet.sandbox.place import Place
from callsheet.sandbox.reach import Reach
from callsheet.sandbox.refusal import Refusal, invalid
from callsheet.sandbox.shelf import StoredFile
from callsheet.sandbox.uploads import Upload, suffix_of

#: How much a clip may run over the model's limit: Kling refuses above 10.05 s (fal.ai's and ComfyUI's published bound).
LENGTH_TOLERANCE = Fraction(5, 100)
#: How far a measured frame rate may lie outside: it is a quotient of rounded times. 23.976 is farther than this from 24.
RATE_TOLERANCE = Fraction(1, 100)
#: Files whose facts are kept.
MOST_REMEMBERED = 1_000
#: How long a fetched file waits for its job to be accepted; from then on the job keeps it.
FETCHED_LIFETIME = timedelta(hours=1)

#: What an element is learnt from (documented: a clip of at most 8 s, 720 to 2160 px; pictures as everywhere).
ELEMENT_CLIP = ClipLimits(
    field="model_params.element_video_list",
    shape="single",
    formats=("mp4", "mov"),
    max_bytes=200_000_000,
    seconds=(Fraction(1), Fraction(8)),
    pixels=(720, 2160),
    frame_rates=(24, 60),
)
ELEMENT_IMAGES = ImageLimits(
    role="reference",
    fields=("model_params.element_image_list",),
    count=(2, 4),
    formats=("jpeg", "png"),
    max_bytes=10_000_000,
    min_side=300,
    ratio=(Fraction(2, 5), Fraction(5, 2)),
)

_FILE_PATH = re.compile(r"/(?:files|api/v1/files/download)/(file_[A-Za-z0-9_-]{24})(?:\.[a-z0-9]{1,5})?")


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file of a job, and the field of the request that named it."""

    field: str
    file: StoredFile


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What was found. facts: of the clip, None without one."""

    clip: Input | None
    images: tuple[Input, ...]
    facts: ClipFacts | None

    @property
    def in_order(self) -> tuple[Input, ...]:
        """The clip first, then the images."""
        return (*((self.clip,) if self.clip else ()), *self.images)


@dataclass(kw_only=True)
class Intake:
    """Measures each distinct file once, as long as it is among the last; an upload never changes, nor do its facts."""

    place: Place
    book: Book
    clock: Callable[[], datetime]
    reach: Reach
    _clips: dict[str, ClipFacts] = field(default_factory=dict)
    _stills: dict[str, StillFacts] = field(default_factory=dict)

    async def fetch(self, order: Order) -> Inputs:
        """Find and measure what the order points at. Refusal 400 names the field, and the numbers that do not fit."""
        model = order.model
        clip = None if order.clip is None else await self._input(order.clip)
        images = tuple([await self._input(link) for link in order.images])
        facts = None
        if clip is not None:
            facts = await self._clip_facts(clip)
            limits = ELEMENT_CLIP if model.clip is None else model.clip.under(order.options)
            check_clip(facts, limits, model)
        for number, image in enumerate(images, start=1):
            check_image(await self._still_facts(image), model.images or ELEMENT_IMAGES, number, image.field)
        return Inputs(clip=clip, images=images, facts=facts)

    async def _input(self, link: Link) -> Input:
        return Input(field=link.field, file=await self.file_at(link.url, link.field))

    async def file_at(self, url: str, param: str) -> StoredFile:
        """The upload that this URL names, else what is fetched from it. Refusal 400, 413."""
        own = self.own_file(url, param)
        if own is not None:
            return own
        upload = await fetching.fetch(url, param, self.place.files, self.reach)
        return self._kept(upload)

    def own_file(self, url: str, param: str) -> StoredFile | None:
        """The upload that this URL names. Any loopback address and port will do: a restart may have moved the server."""
        found = _FILE_PATH.fullmatch(_local_path(url))
        file = self.book.files.get(found[1]) if found else None
        if file is not None and file.expires_at <= self.clock():
            raise fetching.unreachable(param, "has expired or was deleted")
        return file

    def _kept(self, upload: Upload) -> StoredFile:
        now = self.clock()
        name = f"{upload.id}.{suffix_of(upload.format)}"
        file = StoredFile(
            id=upload.id,
            name=name,
            original_name=name,
            upload_path="",
            format=upload.format,
            mime=upload.mime,
            bytes=upload.bytes,
            sha256=upload.sha256,
            is_fetched=True,
            uploaded_at=now,
            expires_at=now + FETCHED_LIFETIME,
        )
        upload.keep()
        self.book.files.add(file)
        return file

    async def _clip_facts(self, clip: Input) -> ClipFacts:
        if clip.file.id not in self._clips:
            try:
                self._clips[clip.file.id] = await asyncio.to_thread(probe.clip, self.place.stored(clip.file.id))
                _forget(self._clips)
            except MediaError as error:
                message = f"Failed to detect video duration, please check the video: it {error.what}"
                raise Refusal(400, "video_probe_failed", message, param=clip.field) from error
        return self._clips[clip.file.id]

    async def _still_facts(self, image: Input) -> StillFacts:
        if image.file.id not in self._stills:
            try:
                self._stills[image.file.id] = await asyncio.to_thread(probe.still, self.place.stored(image.file.id))
                _forget(self._stills)
            except MediaError as error:
                message = f"An image cannot be read: it {error.what}"
                raise Refusal(400, "invalid_media_url", message, param=image.field) from error
        return self._stills[image.file.id]


def _forget(facts: dict[str, Any]) -> None:
    """The file that was measured first, where there are many."""
    if len(facts) > MOST_REMEMBERED:
        facts.pop(next(iter(facts)))


def _local_path(url: str) -> str:
    """The path of an http URL on this machine, "" for any other URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = is_loopback(host)
    except ValueError:
        return ""
    return parts.path if parts.scheme == "http" and local else ""


def check_clip(facts: ClipFacts, limits: ClipLimits, model: Model) -> None:
    """Refusal 400 where the clip is outside the limits."""
    _check_container(facts, limits)
    _check_length(facts.seconds, limits, model)
    _check_picture(facts, limits)


def _check_container(facts: ClipFacts, limits: ClipLimits) -> None:
    if facts.container not in limits.formats:
        _refuse(limits.field, f"The video is {facts.format_name}; {' and '.join(limits.formats)} are taken.")
    if facts.bytes > limits.max_bytes:
        _refuse(limits.field, f"The video has {facts.bytes} bytes; at most {limits.max_bytes} are taken.")


def _check_length(seconds: Fraction, limits: ClipLimits, model: Model) -> None:
    shortest, longest = limits.seconds
    if not shortest <= seconds <= longest + LENGTH_TOLERANCE:
        message = f"The video is {float(seconds):.3f} s long; {model.name} takes {shortest} to {longest} s."
        raise invalid(limits.field, message, min=float(shortest), max=float(longest))


def _check_picture(facts: ClipFacts, limits: ClipLimits) -> None:
    least, most = limits.pixels
    if not (least <= facts.width <= most and least <= facts.height <= most):
        _refuse(limits.field, f"The video is {facts.width}x{facts.height} px; both sides must be {least} to {most} px.")
    slowest, fastest = limits.frame_rates
    if not slowest - RATE_TOLERANCE <= facts.frame_rate <= fastest + RATE_TOLERANCE:
        rate = float(facts.frame_rate)
        _refuse(limits.field, f"The video has {rate:.3f} frames a second; {slowest} to {fastest} are taken.")


def check_image(facts: StillFacts, limits: ImageLimits, number: int, param: str) -> None:
    """Refusal 400 where the image (counted from 1) is outside the limits."""
    if facts.format not in limits.formats:
        _refuse(param, f"Image {number} is {facts.format}; {', '.join(limits.formats)} are taken.")
    if facts.bytes > limits.max_bytes:
        _refuse(param, f"Image {number} has {facts.bytes} bytes; at most {limits.max_bytes} are taken.")
    if min(facts.width, facts.height) < limits.min_side:
        size = f"{facts.width}x{facts.height}"
        _refuse(param, f"Image {number} is {size} px; both sides must be at least {limits.min_side} px.")
    narrowest, widest = limits.ratio
    if not narrowest <= Fraction(facts.width, facts.height) <= widest:
        size = f"{facts.width}x{facts.height}"
        bounds = f"{float(narrowest):g} to {float(widest):g}"
        _refuse(param, f"Image {number} is {size} px; width over height must be {bounds}.")


def _refuse(param: str, message: str) -> None:
    raise invalid(param, message)
