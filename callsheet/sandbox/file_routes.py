"""The file service: uploads that live 72 hours, under its own envelope. Links carry an unguessable id, so they need no key."""

import asyncio
import secrets
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from callsheet.sandbox import uploads
from callsheet.sandbox.darkroom import FILE_LIFETIME
from callsheet.sandbox.desk import Desk, base_of, desk_of, page_of
from callsheet.sandbox.order import json_object
from callsheet.sandbox.refusal import Refusal, invalid
from callsheet.sandbox.shelf import StoredFile

#: Files that an account may keep at a time (the vendor's client: 100 for a default account, 500 for a VIP one).
MAX_FILES = 500
#: Files on a page of the list (the vendor's client asks for up to 100).
MAX_PAGE = 100
TOKEN_LIFETIME = timedelta(minutes=5)


async def upload_stream(request: Request) -> Response:
    """POST multipart: `file`, and optionally where and under which name to show it."""
    desk = desk_of(request)
    desk.disk.check()
    async with uploads.form_of(request, desk.place.files) as form:
        if form.upload is None:
            raise _missing("file")
        fields = form.fields
        path = fields.get("upload_path", fields.get("uploadPath", ""))
        name = fields.get("file_name", fields.get("fileName", ""))
        return await _kept(request, form.upload, original=form.original_name, name=name, path=path)


async def upload_base64(request: Request) -> Response:
    """POST JSON `base64_data` (a data URL or bare base64): for pictures; a clip goes by upload/stream."""
    body = json_object(await uploads.body_of(request, limit=uploads.MAX_BASE64_JSON))
    data = uploads.decoded(_text(body, "base64_data", required=True))
    return await _whole(request, data, body, original="")


async def upload_url(request: Request) -> Response:
    """POST JSON `file_url`: one of the sandbox's own files, copied, or what is fetched from there."""
    desk = desk_of(request)
    desk.disk.check()  # before anything is fetched: that lies on the disk as well
    body = json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    source = await desk.intake.file_at(_text(body, "file_url", required=True), "file_url")
    data = await asyncio.to_thread(desk.place.stored(source.id).read_bytes)
    return await _whole(request, data, body, original=source.original_name)


async def list_files(request: Request) -> Response:
    desk = desk_of(request)
    page, size = page_of(request, "pageSize", MAX_PAGE)
    files, total = desk.book.files.page(now=desk.clock(), offset=(page - 1) * size, limit=size)
    rows = [
        {
            "file_id": file.id,
            "file_name": file.name,
            "file_size": file.bytes,
            "upload_time": file.uploaded_at.isoformat(),
        }
        for file in files
    ]
    return _answer("OK", {"total": total, "files": rows})


async def quota(request: Request) -> Response:
    desk = desk_of(request)
    used = desk.book.files.count(desk.clock())
    left = max(MAX_FILES - used, 0)
    return _answer("OK", {"user_group": "default", "used_files": used, "max_files": MAX_FILES, "remain_files": left})


async def delete_file(request: Request) -> Response:
    desk = desk_of(request)
    file = _live(desk, request.path_params["file_id"])
    desk.book.files.expire(file.id, desk.clock())
    desk.darkroom.sweep()
    return _answer("File deleted", {"file_id": file.id})


async def download(request: Request) -> Response:
    """The bytes of an upload, by its unguessable id; a suffix on the id is decoration."""
    desk = desk_of(request)
    file = _live(desk, request.path_params["file_id"].partition(".")[0])
    headers = {"X-Content-Type-Options": "nosniff"}
    return FileResponse(
        desk.place.stored(file.id),
        media_type=file.mime,
        filename=file.name,
        content_disposition_type="inline",
        headers=headers,
    )


async def upload_receipt(request: Request) -> Response:
    """GET, by the client's own id of an upload (X-Evo-Upload-Id): whether it arrived, for a client that lost the answer."""
    desk = desk_of(request)
    upload_id = request.path_params["upload_id"]
    file = desk.book.files.of_receipt(upload_id)
    if file is None or file.expires_at <= desk.clock():
        raise Refusal(404, "upload_not_found", "No upload under this id has arrived.")
    suffix = uploads.suffix_of(file.format)
    shown = _shown(file, base_of(request), suffix)
    receipt = {"upload_id": upload_id, "state": "done", "result_verified": True, "file": shown}
    return _answer("OK", receipt)


async def upload_token(request: Request) -> Response:
    """POST /v1/files/upload-token: a short-lived key for uploads alone. Every key opens the sandbox, and so does this one."""
    expires = int((desk_of(request).clock() + TOKEN_LIFETIME).timestamp())
    return JSONResponse({"upload_token": f"evup_{secrets.token_urlsafe(24)}", "expires_at": expires})


def _live(desk: Desk, file_id: str) -> StoredFile:
    file = desk.book.files.get(file_id)
    if file is None or file.expires_at <= desk.clock():
        raise Refusal(404, "file_not_found", "There is no such file, or it has expired or was deleted.")
    return file


def _check_quota(desk: Desk) -> None:
    if desk.book.files.count(desk.clock()) >= MAX_FILES:
        raise Refusal(
            403, "file_quota_exceeded", f"The file quota of {MAX_FILES} is used up.", hint="Delete files, or wait."
        )


def _missing(name: str) -> Refusal:
    return invalid(name, f"{name} is required.")


def _text(body: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = body.get(name)
    if isinstance(value, str) and value:
        return value
    if required or value is not None:
        raise _missing(name) if required else invalid(name, f"{name} must be text.")
    return ""


async def _whole(request: Request, data: bytes, body: dict[str, Any], *, original: str) -> Response:
    desk_of(request).disk.check()
    upload = uploads.Upload(desk_of(request).place.files)
    try:
        await asyncio.to_thread(upload.write, data)
        return await _kept(
            request, upload, original=original, name=_text(body, "file_name"), path=_text(body, "upload_path")
        )
    finally:
        upload.drop()


async def _kept(request: Request, upload: uploads.Upload, *, original: str, name: str, path: str) -> Response:
    """Sync the bytes, then name them and write them into the book without letting anything come between."""
    desk = desk_of(request)
    await asyncio.to_thread(upload.sync)
    _check_quota(desk)
    now = desk.clock()
    suffix = uploads.suffix_of(upload.format)
    shown = uploads.shown_name(name or original) or f"{upload.id}.{suffix}"
    file = StoredFile(
        id=upload.id,
        name=shown,
        original_name=uploads.shown_name(original) or shown,
        upload_path="/".join(filter(None, map(uploads.shown_name, PurePosixPath(path[:200]).parts))),
        format=upload.format,
        mime=upload.mime,
        bytes=upload.bytes,
        sha256=upload.sha256,
        uploaded_at=now,
        expires_at=now + FILE_LIFETIME,
    )
    upload.keep()
    desk.book.files.add(file, receipt=request.headers.get("x-evo-upload-id", "")[:128] or None)
    return _answer("File uploaded successfully", _shown(file, base_of(request), suffix))


def _shown(file: StoredFile, base: str, suffix: str) -> dict[str, Any]:
    return {
        "file_id": file.id,
        "file_name": file.name,
        "original_name": file.original_name,
        "file_size": file.bytes,
        "mime_type": file.mime,
        "upload_path": file.upload_path,
        "file_url": f"{base}/files/{file.id}.{suffix}",
        "download_url": f"{base}/api/v1/files/download/{file.id}",
        "upload_time": file.uploaded_at.isoformat(),
        "expires_at": file.expires_at.isoformat(),
    }


def _answer(message: str, data: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"success": True, "code": 200, "msg": message, "data": data})


ROUTES = [
    Route("/api/v1/files/upload/stream", upload_stream, methods=["POST"]),
    Route("/api/v1/files/upload/base64", upload_base64, methods=["POST"]),
    Route("/api/v1/files/upload/url", upload_url, methods=["POST"]),
    Route("/api/v1/files/list", list_files, methods=["GET"]),
    Route("/api/v1/files/quota", quota, methods=["GET"]),
    Route("/api/v1/files/upload-receipts/{upload_id}", upload_receipt, methods=["GET"]),
    Route("/v1/files/upload-token", upload_token, methods=["POST"]),
    Route("/api/v1/files/download/{file_id}", download, methods=["GET"]),
    Route("/api/v1/files/{file_id}", delete_file, methods=["DELETE"]),
    Route("/files/{file_id}", download, methods=["GET"]),
]
