"""A job of the book as the task that the API shows."""

import hmac
from datetime import datetime
from math import ceil
from typing import Any

from callsheet import catalogue
from callsheet.sandbox import billing
from callsheet.sandbox.book import Book, Job
from callsheet.sandbox.darkroom import Darkroom
from callsheet.sandbox.uploads import suffix_of


def shown(job: Job, book: Book, darkroom: Darkroom, base: str) -> dict[str, Any]:
    """The whole task, as GET /v1/tasks/{id} gives it. `base` is where the result can be fetched from.

    `sandbox` is ours alone: what the job was asked for, which the provider's tasks do not say.
    """
    rule = catalogue.model(job.model).price
    document: dict[str, Any] = {
        "created": int(job.created_at.timestamp()),
        "id": job.id,
        "model": job.model,
        "object": "video.generation.task",
        "progress": darkroom.progress(job),
        "status": job.state,
        "task_info": {
            "can_cancel": job.state == "pending",
            "estimated_time": _seconds_left(job, darkroom),
            "video_duration": ceil(job.seconds),
        },
        "type": "video",
        "usage": billing.usage(rule, reserved=job.reserved, charged=job.charged),
        "billing": billing.statement(job.state, reserved=job.reserved, charged=job.charged),
        "request_id": job.request_id,
        "sandbox": _asked(job, book, darkroom, base),
    }
    if job.finished_at is not None:
        document["duration"] = round((job.finished_at - job.created_at).total_seconds(), 3)
    if job.state == "completed":
        document |= _results(job, base)
    if job.state in ("failed", "cancelled"):
        document["error"] = {"code": job.error_code, "message": job.error_message, "type": "task_error"}
    return document


def listed(job: Job, darkroom: Darkroom) -> dict[str, Any]:
    """A row of the list: no links."""
    return {
        "id": job.id,
        "model": job.model,
        "type": "video",
        "status": job.state,
        "progress": darkroom.progress(job),
        "created_at": int(job.created_at.timestamp()),
        "has_results": job.state == "completed",
        "has_error": job.state in ("failed", "cancelled"),
        "credits_used": billing.credits_of(job.charged or 0),
    }


def opens(job: Job, token: str) -> bool:
    """Is this the token of the job's result? Compared in constant time: the link is the permission."""
    return job.token is not None and hmac.compare_digest(job.token.encode(), token.encode())


def has_expired(job: Job, now: datetime) -> bool:
    return job.result_expires_at is None or job.result_expires_at <= now


def _results(job: Job, base: str) -> dict[str, Any]:
    if job.made is not None:
        entry: dict[str, Any] = {"result_id": f"{job.id}-1", "element_id": job.made, "title": "element"}
        return {"results": [], "result_data": [entry]}
    url = f"{base}/results/{job.id}/{job.token}.mp4"
    entry = {"result_id": f"{job.id}-1", "video_url": url, "duration": round(float(job.seconds), 3), "title": "draft"}
    return {"results": [url], "result_data": [entry]}


def _asked(job: Job, book: Book, darkroom: Darkroom, base: str) -> dict[str, Any]:
    inputs = [
        {
            "field": one.field,
            "name": one.file.name,
            "url": f"{base}/files/{one.file.id}.{suffix_of(one.file.format)}",
        }
        for one in book.inputs(job.id)
    ]
    return {
        "prompt": job.prompt,
        "aspect_ratio": job.aspect_ratio,
        "keep_sound": job.keep_sound,
        "options": dict(job.options),
        "inputs": inputs,
        "engine": job.engine,
        "queue_position": darkroom.ahead_of(job.id) if job.state == "pending" else 0,
    }


def _seconds_left(job: Job, darkroom: Darkroom) -> int:
    if job.is_finished:
        return 0
    return max(1, round(darkroom.seconds_left(job)))
