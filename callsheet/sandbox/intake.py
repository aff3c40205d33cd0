"""The inputs of a submission: found among the sandbox's own files, measured, and held against the model's limits.

The live gateway fetches the URLs when a job is submitted, so everything that is wrong with a file is told then. The
sandbox fetches nothing from anywhere: it reads the upload that the URL names.
"""

import asyncio
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from urllib.parse import urlsplit

from callsheet.catalogue import ClipLimits, ImageLimits
from callsheet.errors import MediaError
from callsheet.limits import ClipFacts, StillFacts
from callsheet.media import probe
from callsheet.sandbox.book import Book, StoredFile
from callsheet.sandbox.order import Edit, Order
from callsheet.sandbox.place import Place
from callsheet.sandbox.refusal import Refusal

#: How much a clip may run over the model's limit: Kling refuses above 10.05 s (fal.ai's and ComfyUI's published bound).
LENGTH_TOLERANCE = Fraction(5, 100)
#: How far a measured frame rate may lie outside: it is a quotient of rounded times. 23.976 is farther than this from 24.
RATE_TOLERANCE = Fraction(1, 100)

_FILE_PATH = re.compile(r"/(?:files|api/v1/files/download)/(file_[A-Za-z0-9_-]{24})(?:\.[a-z0-9]{1,5})?")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    clip: StoredFile
    images: tuple[StoredFile, ...]
    facts: ClipFacts

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.clip.id, *(image.id for image in self.images))


@dataclass(kw_only=True)
class Intake:
    """Measures each distinct file once; an upload never changes, so its facts do not either."""

    place: Place
    book: Book
    clock: Callable[[], datetime]
    _clips: dict[str, ClipFacts] = field(default_factory=dict)
    _stills: dict[str, StillFacts] = field(default_factory=dict)

    async def fetch(self, order: Order) -> Inputs:
        """Find and measure what the order points at. Refusal 400 names the field, and the numbers that do not fit."""
        model = order.model
        clip = self.own_file(order.clip_url, model.clip.field)
        images = tuple(self.own_file(url, model.image_field) for url in order.image_urls)
        facts = await self._clip_facts(clip, model)
        check_clip(facts, model)
        for number, image in enumerate(images, start=1):
            check_image(await self._still_facts(image, model), model.images, number)
        return Inputs(clip=clip, images=images, facts=facts)

    def own_file(self, url: str, param: str) -> StoredFile:
        """The upload that this URL names. Any loopback address and port will do: a restart may have moved the server."""
        found = _FILE_PATH.fullmatch(_local_path(url))
        file = self.book.file(found[1]) if found else None
        if file is None:
            raise _unreachable(param, "is not one of its own files")
        if file.expires_at <= self.clock():
            raise _unreachable(param, "has expired or was deleted")
        return file

    async def _clip_facts(self, clip: StoredFile, model: Edit) -> ClipFacts:
        if clip.id not in self._clips:
            try:
                self._clips[clip.id] = await asyncio.to_thread(probe.clip, self.place.stored(clip.id))
            except MediaError as error:
                message = f"Failed to detect video duration, please check the video: it {error.what}"
                raise Refusal(400, "video_probe_failed", message, param=model.clip.field) from error
        return self._clips[clip.id]

    async def _still_facts(self, image: StoredFile, model: Edit) -> StillFacts:
        if image.id not in self._stills:
            try:
                self._stills[image.id] = await asyncio.to_thread(probe.still, self.place.stored(image.id))
            except MediaError as error:
                message = f"An image cannot be read: it {error.what}"
                raise Refusal(400, "invalid_media_url", message, param=model.image_field) from error
        return self._stills[image.id]


def _local_path(url: str) -> str:
    """The path of an http URL on this machine, "" for any other URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return ""
    return parts.path if parts.scheme == "http" and local else ""


def _unreachable(param: str, why: str) -> Refusal:
    return Refusal(
        400,
        "invalid_media_url",
        f"The sandbox reaches nothing but its own files, and a URL in {param} {why}.",
        param=param,
        hint="Upload the file to /api/v1/files/upload/stream and send the file_url of the answer.",
    )


def check_clip(facts: ClipFacts, model: Edit) -> None:
    """Refusal 400 where the clip is outside the model's limits."""
    limits = model.clip
    _check_container(facts, limits)
    _check_length(facts.seconds, model)
    _check_picture(facts, limits)


def _check_container(facts: ClipFacts, limits: ClipLimits) -> None:
    if facts.container not in limits.formats:
        _refuse(limits.field, f"The video is {facts.format_name}; {' and '.join(limits.formats)} are taken.")
    if facts.bytes > limits.max_bytes:
        _refuse(limits.field, f"The video has {facts.bytes} bytes; at most {limits.max_bytes} are taken.")


def _check_length(seconds: Fraction, model: Edit) -> None:
    shortest, longest = model.clip.seconds
    if not shortest <= seconds <= longest + LENGTH_TOLERANCE:
        message = f"The video is {float(seconds):.3f} s long; {model.name} takes {shortest} to {longest} s."
        raise Refusal(
            400, "invalid_parameter", message, param=model.clip.field, min=float(shortest), max=float(longest)
        )


def _check_picture(facts: ClipFacts, limits: ClipLimits) -> None:
    least, most = limits.pixels
    if not (least <= facts.width <= most and least <= facts.height <= most):
        _refuse(limits.field, f"The video is {facts.width}x{facts.height} px; both sides must be {least} to {most} px.")
    slowest, fastest = limits.frame_rates
    if not slowest - RATE_TOLERANCE <= facts.frame_rate <= fastest + RATE_TOLERANCE:
        rate = float(facts.frame_rate)
        _refuse(limits.field, f"The video has {rate:.3f} frames a second; {slowest} to {fastest} are taken.")


def check_image(facts: StillFacts, limits: ImageLimits, number: int) -> None:
    """Refusal 400 where the reference image (counted from 1) is outside the model's limits."""
    if facts.format not in limits.formats:
        _refuse(limits.fields[0], f"Image {number} is {facts.format}; {', '.join(limits.formats)} are taken.")
    if facts.bytes > limits.max_bytes:
        _refuse(limits.fields[0], f"Image {number} has {facts.bytes} bytes; at most {limits.max_bytes} are taken.")
    if min(facts.width, facts.height) < limits.min_side:
        size = f"{facts.width}x{facts.height}"
        _refuse(limits.fields[0], f"Image {number} is {size} px; both sides must be at least {limits.min_side} px.")
    narrowest, widest = limits.ratio
    if not narrowest <= Fraction(facts.width, facts.height) <= widest:
        size = f"{facts.width}x{facts.height}"
        bounds = f"{float(narrowest):g} to {float(widest):g}"
        _refuse(limits.fields[0], f"Image {number} is {size} px; width over height must be {bounds}.")


def _refuse(param: str, message: str) -> None:
    raise Refusal(400, "invalid_parameter", message, param=param)
