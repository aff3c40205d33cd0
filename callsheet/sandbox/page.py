"""The playground: one page at `/` that uses the same API as every other client, and its files.

The page and its files are open, as the pages of any server are; all that acts needs the key header, which no form or
image of a foreign page can send. Nothing is loaded from anywhere else, and the browser is told to see to that.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from callsheet import __version__
from callsheet.sandbox import order, spec, studio, uploads
from callsheet.sandbox.desk import Desk, desk_of
from callsheet.sandbox.place import Place
from callsheet.sandbox.refusal import Refusal
from callsheet.sandbox.shelf import StoredFile

#: What the doorman lets in without a key: the page itself, and its files by their names.
PAGE = "/"
_FOLDER = "/playground/"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob:",  # pictures that are being uploaded, out of the browser's own memory
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, and asked after each time: an update shows at once
}


@dataclass(frozen=True, kw_only=True)
class Asset:
    content: bytes
    media_type: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of the page by its name. They are part of the program: read once, and never by a name from outside."""
    folder = Path(__file__).with_name("playground")
    return {file.name: _asset(file) for file in sorted(folder.iterdir()) if file.suffix in _TYPES}


def is_open(path: str) -> bool:
    """May this be read without a key?"""
    return path == PAGE or path.removeprefix(_FOLDER) in assets()


async def index(request: Request) -> Response:
    """GET /"""
    return _answered(request, "index.html")


async def asset(request: Request) -> Response:
    """GET /playground/{name}"""
    return _answered(request, request.path_params["name"])


async def session(request: Request) -> Response:
    """GET /playground/session: what the page should know of its server. The studio's name, not its path."""
    root = desk_of(request).studio
    return JSONResponse({"version": __version__, "studio": None if root is None else root.name})


async def show_spec(request: Request) -> Response:
    """POST /playground/campaign: the campaign of this request, as text. Nothing is written."""
    body = order.json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    wanted, name = _read(body)
    clip, images = _shown_paths(wanted, _uploads(desk_of(request), wanted))
    return JSONResponse({"name": name, "text": spec.document(name, wanted, clip, images)})


async def keep_spec(request: Request) -> Response:
    """POST /playground/specs: the same as a file of the studio, with the uploads it uses. Never replaces a file."""
    desk = desk_of(request)
    _refuse_foreign(request)
    body = order.json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    if desk.studio is None:
        message = "This sandbox was not started in a studio."
        raise Refusal(409, "no_studio", message, hint="Start `callsheet sandbox` in the folder with prefect.yaml.")
    wanted, name = _read(body)
    files = _uploads(desk, wanted)
    _refuse_incomplete(wanted)
    spec.document(name, wanted, *_shown_paths(wanted, files))  # whatever is wrong is told before a file is copied
    try:
        path, media = await asyncio.to_thread(_keep, desk.studio, desk.place, wanted, files, name)
    except OSError as error:
        raise Refusal(
            500, "studio_not_writable", f"The studio cannot be written: {error.strerror or error}."
        ) from error
    return JSONResponse({"path": path, "media": media, "command": f"callsheet run {path} --sandbox"})


def _asset(file: Path) -> Asset:
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    return Asset(content=content, media_type=_TYPES[file.suffix], etag=etag)


def _answered(request: Request, name: str) -> Response:
    found = assets().get(name)
    if found is None:
        raise Refusal(404, "not_found", "There is no such file.")
    headers = {**_HEADERS, "ETag": found.etag}
    known = request.headers.get("if-none-match", "")
    if found.etag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


def _read(body: dict[str, Any]) -> tuple[spec.Wish, str]:
    request, name = body.get("request"), body.get("name", "")
    if not isinstance(request, dict):
        raise Refusal(400, "invalid_parameter", "request must be the body of a generation.", param="request")
    if not isinstance(name, str):
        raise Refusal(400, "invalid_parameter", "name must be text.", param="name")
    return spec.wish(request), spec.safe_name(name)


def _refuse_foreign(request: Request) -> None:
    """A browser says where a request was made; a page of somewhere else writes nothing here."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin)[:2] != urlsplit(str(request.base_url))[:2]:
        raise Refusal(403, "foreign_origin", "Only the playground's own page may write to the studio.")


def _uploads(desk: Desk, wanted: spec.Wish) -> dict[str, StoredFile]:
    """The uploads that the request uses, by their URLs. Refusal 400 for one that is gone."""
    urls = (wanted.clip, *wanted.images) if wanted.clip else wanted.images
    return {url: _upload(desk, url) for url in urls if not _is_remote(url)}


def _upload(desk: Desk, url: str) -> StoredFile:
    file = desk.intake.own_file(url, "request")
    if file is None:
        raise Refusal(400, "invalid_media_url", "A URL names no upload of this sandbox.", param="request")
    return file


def _shown_paths(wanted: spec.Wish, files: dict[str, StoredFile]) -> tuple[str | None, tuple[str, ...]]:
    """The paths that the files would have; one that stands for what is needed and not there yet."""
    clip_limits, image_limits = wanted.model.clip, wanted.model.images
    clip = wanted.clip and _shown(wanted.clip, files)
    if clip is None and clip_limits is not None and clip_limits.required:
        clip = f"{studio.MEDIA}/clip.mp4"
    images = tuple(_shown(url, files) for url in wanted.images)
    if not images and image_limits is not None and image_limits.required:
        images = (f"{studio.MEDIA}/image.jpg",)
    return clip, images


def _shown(url: str, files: dict[str, StoredFile]) -> str:
    if url not in files:
        return url
    return f"{studio.MEDIA}/{studio.safe_stem(files[url].original_name)}.{_suffix(files[url])}"


def _refuse_incomplete(wanted: spec.Wish) -> None:
    if wanted.clip is None and wanted.model.clip is not None and wanted.model.clip.required:
        raise Refusal(400, "invalid_parameter", "The clip is missing.", param=wanted.model.clip.field)
    if not wanted.images and wanted.model.images is not None and wanted.model.images.required:
        raise Refusal(400, "invalid_parameter", "An image is missing.", param=wanted.model.images.fields[0])


def _keep(
    root: Path, place: Place, wanted: spec.Wish, files: dict[str, StoredFile], name: str
) -> tuple[str, list[str]]:
    """The campaign's path, and those of its media."""

    def kept(url: str) -> str:
        if url not in files:
            return url
        return studio.keep_media(root, place.stored(files[url].id), files[url].original_name, _suffix(files[url]))

    clip = wanted.clip and kept(wanted.clip)
    images = tuple(kept(url) for url in wanted.images)
    path = studio.keep_spec(root, name, lambda free: spec.document(free, wanted, clip, images))
    return path, [one for one in (clip, *images) if one is not None and not _is_remote(one)]


def _is_remote(url: str) -> bool:
    return url.startswith("https://")


def _suffix(file: StoredFile) -> str:
    return uploads.suffix_of(file.format)


ROUTES = [
    Route("/", index, methods=["GET"]),
    Route("/playground/session", session, methods=["GET"]),
    Route("/playground/campaign", show_spec, methods=["POST"]),
    Route("/playground/specs", keep_spec, methods=["POST"]),
    Route("/playground/{name}", asset, methods=["GET"]),
]
