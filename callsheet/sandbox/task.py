"""A job of the book as the task that the API shows."""

import hmac
from datetime import datetime
from math import ceil
from typing import Any

from callsheet.sandbox import billing
from callsheet.sandbox.book import Job
from callsheet.sandbox.desk import Desk

#: Wall seconds that a second of clip takes, for `estimated_time` (measured on two cores, engine alone).
RENDER_SECONDS = 0.6


def shown(job: Job, desk: Desk, base: str) -> dict[str, Any]:
    """The whole task, as GET /v1/tasks/{id} gives it. `base` is where the result can be fetched from."""
    document: dict[str, Any] = {
        "created": int(job.created_at.timestamp()),
        "id": job.id,
        "model": job.model,
        "object": "video.generation.task",
        "progress": desk.darkroom.progress(job),
        "status": job.state,
        "task_info": {
            "can_cancel": False,
            "estimated_time": _seconds_left(job, desk),
            "video_duration": ceil(job.seconds),
        },
        "type": "video",
        "usage": billing.usage(reserved=job.reserved, charged=job.charged),
        "billing": billing.statement(job.state, reserved=job.reserved, charged=job.charged),
        "request_id": job.request_id,
        "sandbox": _asked(job, desk, base),
    }
    if job.finished_at is not None:
        document["duration"] = round((job.finished_at - job.created_at).total_seconds(), 3)
    if job.state == "completed":
        document |= _results(job, base)
    if job.state == "failed":
        document["error"] = {"code": job.error_code, "message": job.error_message, "type": "task_error"}
    return document


def _asked(job: Job, desk: Desk, base: str) -> dict[str, Any]:
    """What was asked for; the provider's task does not say it."""
    fields = {True: "video_urls", False: "image_urls"}
    return {
        "prompt": job.prompt,
        "aspect_ratio": job.aspect_ratio,
        "keep_sound": job.keep_sound,
        "inputs": [
            {"field": fields[file.mime.startswith("video/")], "name": file.name, "url": f"{base}/files/{file.id}"}
            for file in desk.book.inputs(job.id)
        ],
        "engine": "draft",
        "queue_position": desk.book.waiting_before(job),
    }


def listed(job: Job, desk: Desk) -> dict[str, Any]:
    """A row of the list: no links."""
    return {
        "id": job.id,
        "model": job.model,
        "type": "video",
        "status": job.state,
        "progress": desk.darkroom.progress(job),
        "created_at": int(job.created_at.timestamp()),
        "has_results": job.state == "completed",
        "has_error": job.state == "failed",
        "credits_used": billing.credits_of(job.charged or 0),
    }


def opens(job: Job, token: str) -> bool:
    """Is this the token of the job's result? Compared in constant time: the link is the permission."""
    return job.token is not None and hmac.compare_digest(job.token.encode(), token.encode())


def has_expired(job: Job, now: datetime) -> bool:
    return job.result_expires_at is None or job.result_expires_at <= now


def _results(job: Job, base: str) -> dict[str, Any]:
    url = f"{base}/results/{job.id}/{job.token}.mp4"
    entry = {"result_id": f"{job.id}-1", "video_url": url, "duration": round(float(job.seconds), 3), "title": "draft"}
    return {"results": [url], "result_data": [entry]}


def _seconds_left(job: Job, desk: Desk) -> int:
    if job.state in ("completed", "failed"):
        return 0
    ahead = desk.book.waiting_before(job) + 1
    return max(1, round(ahead * float(job.seconds) * RENDER_SECONDS))
