"""Bytes coming in: bounded, hashed, looked at, and written under a name of ours. A file's own name is only ever shown."""

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from callsheet.sandbox.refusal import Refusal

#: Largest upload of each kind, in bytes: "100 MB" and "10 MB", read in the stricter way.
MAX_VIDEO = 100_000_000
MAX_IMAGE = 10_000_000
#: Largest JSON body, in bytes; the one of a base64 upload holds a picture of MAX_IMAGE.
MAX_JSON = 256 * 1024
MAX_BASE64_JSON = MAX_IMAGE * 4 // 3 + 64 * 1024
#: What is still read and dropped of a body that is refused: a client that is cut off while it sends sees no answer.
MAX_DRAINED = 200_000_000

MAX_FIELD = 4096
MAX_PARTS = 16
#: First bytes needed to tell what a file is.
HEAD = 16

#: What the service stores: the MIME type of each format.
KINDS = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
}
SUFFIXES = {"jpeg": "jpg"}

_OLD_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
_UNSHOWN = re.compile(r"[^\w .()\[\]-]+")


def format_of(head: bytes) -> str:
    """The format these first bytes announce, or "" for one the service does not store."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "webm"
    if head.startswith(b"RIFF"):
        return {b"WEBP": "webp", b"AVI ": "avi"}.get(head[8:12], "")
    if head[4:8] == b"ftyp" and head[8:12] not in _PICTURE_BRANDS:
        return "mov" if head[8:12] == b"qt  " else "mp4"
    return "mov" if head[4:8] in _OLD_QUICKTIME else ""


def suffix_of(format_name: str) -> str:
    """How the name of a file of this format ends, without the dot."""
    return SUFFIXES.get(format_name, format_name)


def shown_name(name: str) -> str:
    """A name fit to be shown: its last part, plain characters, at most 120 of them. Never a path on this disk."""
    return _UNSHOWN.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1])[:120].strip(" .")


class Upload:
    """One file on its way to disk. `write` refuses what is too large or of no stored format as soon as it shows."""

    def __init__(
        self, folder: Path, *, most_video: int = MAX_VIDEO, most_image: int = MAX_IMAGE, param: str = "file"
    ) -> None:
        """most_video, most_image: bytes. param: the field that a refusal names."""
        self.id = f"file_{secrets.token_urlsafe(18)}"
        self._most = {"video": most_video, "image": most_image}
        self._param = param
        self.bytes = 0
        self.format = ""
        self._target = folder / self.id
        self._part = folder / f".{self.id}.part"
        self._head = b""
        self._digest = hashlib.sha256()
        self._file = self._part.open("xb")

    @property
    def mime(self) -> str:
        return KINDS[self.format]

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        if len(self._head) < HEAD:
            self._head += chunk[: HEAD - len(self._head)]
            if len(self._head) == HEAD:
                self._recognise()
        self.bytes += len(chunk)
        limit = self._most[self.mime.partition("/")[0]] if self.format else self._most["image"]
        if self.bytes > limit:
            message = f"The file is larger than {limit} bytes, the most of a {self.format} file."
            raise Refusal(413, "request_too_large", message, param=self._param)
        self._digest.update(chunk)
        self._file.write(chunk)

    def _recognise(self) -> None:
        self.format = format_of(self._head)
        if not self.format:
            raise Refusal(
                400,
                "invalid_parameter",
                "The file is neither a video (mp4, mov, webm, avi) nor a picture (jpeg, png, webp, gif).",
                param=self._param,
            )

    def sync(self) -> None:
        """Blocks until the bytes are on the disk. Refusal 400 for a file too short to be anything."""
        if not self.format:
            self._recognise()
        self._file.flush()
        os.fsync(self._file.fileno())

    def keep(self) -> None:
        """Give it its final name; the caller writes it into the book in the same breath."""
        self._file.close()
        self._part.replace(self._target)

    def drop(self) -> None:
        """Nothing is left of an upload that was not kept."""
        self._file.close()
        self._part.unlink(missing_ok=True)


@dataclass(kw_only=True)
class Form:
    """A multipart body as it is read: short fields in memory, the one file on disk."""

    folder: Path
    fields: dict[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    original_name: str = ""
    _headers: dict[str, str] = field(default_factory=dict)
    _name: str = ""
    _is_file: bool = False
    _header: tuple[bytes, bytes] = (b"", b"")
    _value: bytes = b""
    _parts: int = 0

    def parser(self, boundary: bytes) -> MultipartParser:
        callbacks: Any = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
        }
        return MultipartParser(boundary, callbacks)

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Refusal(400, "invalid_request", f"The form has more than {MAX_PARTS} parts.")
        self._headers, self._header, self._value = {}, (b"", b""), b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")  # what the parser takes it for
        self._header = (b"", b"")

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", ""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = b"filename" in options
        if not self._is_file:
            return
        if self.upload is not None or self._name != "file":
            raise Refusal(400, "invalid_parameter", "One file per request, in the field `file`.", param="file")
        self.original_name = options[b"filename"].decode("utf-8", "replace")
        self.upload = Upload(self.folder)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file and self.upload is not None:
            self.upload.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD:
            raise Refusal(413, "request_too_large", f"A form field is longer than {MAX_FIELD} bytes.")

    def _on_part_end(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._value.decode("utf-8", "replace")


@asynccontextmanager
async def form_of(request: Request, folder: Path) -> AsyncIterator[Form]:
    """Read a multipart request: the file goes to disk as it comes. What the block does not keep is removed.

    Refusal (400, 413) for a malformed form, no file, a file that is too large or of no stored format.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
        raise Refusal(400, "invalid_request", "The body must be multipart/form-data with a boundary.")
    form = Form(folder=folder)
    body = request.stream()
    try:
        await _read(form, form.parser(boundary), body)
        yield form
    except Refusal:
        await _drain(body)
        raise
    finally:
        if form.upload is not None:
            form.upload.drop()


async def _read(form: Form, parser: MultipartParser, body: AsyncIterator[bytes]) -> None:
    try:
        async for chunk in body:
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError:
        raise Refusal(400, "invalid_request", "The multipart body is malformed.") from None
    if form.upload is None:
        raise Refusal(400, "invalid_parameter", "The field `file` is required.", param="file")


async def body_of(request: Request, *, limit: int) -> bytes:
    """The whole body, in memory. Refusal 413 above `limit` bytes."""
    whole = bytearray()
    body = request.stream()
    async for chunk in body:
        whole += chunk
        if len(whole) > limit:
            await _drain(body)
            raise Refusal(413, "request_too_large", f"The body is larger than {limit} bytes.")
    return bytes(whole)


async def _drain(body: AsyncIterator[bytes]) -> None:
    dropped = 0
    async for chunk in body:
        dropped += len(chunk)
        if dropped > MAX_DRAINED:
            return


def decoded(text: str) -> bytes:
    """The bytes of a data URL or of bare base64. Refusal 400 for anything else."""
    bare = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(bare.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "invalid_parameter", "base64_data is not base64.", param="base64_data") from None
