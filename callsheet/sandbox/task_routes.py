"""Submitting, following and fetching: the gateway's routes."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from callsheet.sandbox import order, task, uploads
from callsheet.sandbox.billing import credits_of, units_for
from callsheet.sandbox.book import BalanceTooSmall, Job, KeyUsed, NewJob, State
from callsheet.sandbox.desk import Desk, base_of, desk_of, page_of
from callsheet.sandbox.refusal import Refusal

#: Ids that one status request may ask for (the vendor's clients: 50).
MAX_BATCH = 50
#: What each value of the list's filter means. `cancelled` is documented, and nothing here is ever cancelled.
FILTERS: dict[str, tuple[State, ...]] = {
    "": get_args(State),
    "pending": ("pending",),
    "processing": ("pending", "processing"),
    "completed": ("completed",),
    "failed": ("failed",),
    "cancelled": (),
}


async def submit(request: Request) -> Response:
    """POST /v1/videos/generations. The job, its key and its reservation are committed before the answer leaves."""
    desk = desk_of(request)
    key = order.idempotency_key(request.headers.get("idempotency-key"))
    body = order.json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    digest = _digest(body)
    if key is not None and (earlier := desk.book.job_of_key(key)) is not None:
        return _replayed(desk, earlier, digest, base_of(request))
    wanted = order.read(body, loopback_callbacks=desk.caller.loopback)
    new = await _priced(desk, wanted, key, digest, request.state.request_id)
    try:
        job = desk.book.accept(new, desk.clock())
    except KeyUsed:
        return _replayed(desk, _job_of(desk, new), digest, base_of(request))
    except BalanceTooSmall:
        raise _too_poor(desk, new.reserved) from None
    if wanted.callback is not None:
        desk.caller.expect(job.id, wanted.callback, _ended(desk, job.id, base_of(request)))
    desk.darkroom.enqueue(job.id)
    return JSONResponse(task.shown(job, desk, base_of(request)))


def _digest(body: dict[str, Any]) -> str:
    """Two bodies are the same when they say the same, in whatever order."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _ended(desk: Desk, job_id: str, base: str) -> Callable[[], Any]:
    """What a callback says of the job by then: the same as the status read."""

    def document() -> Any:
        job = desk.book.job(job_id)
        return None if job is None else task.shown(job, desk, base)

    return document


async def _priced(desk: Desk, wanted: order.Order, key: str | None, digest: str, request_id: str) -> NewJob:
    inputs = await desk.intake.fetch(wanted)
    return NewJob(
        idempotency_key=key,
        body_digest=digest,
        request_id=request_id,
        model=wanted.model.name,
        prompt=wanted.prompt,
        aspect_ratio=wanted.aspect_ratio,
        keep_sound=wanted.keep_sound,
        seconds=inputs.facts.seconds,
        reserved=units_for(inputs.facts.seconds, wanted.model.row.price),
        inputs=inputs.ids,
    )


def _job_of(desk: Desk, new: NewJob) -> Job:
    job = desk.book.job_of_key(new.idempotency_key or "")
    if job is None:
        raise Refusal(500, "internal_error", "The key is used, and its job is not in the book.")
    return job


def _replayed(desk: Desk, job: Job, digest: str, base: str) -> Response:
    if job.body_digest != digest:
        raise Refusal(
            409,
            "idempotency_conflict",
            "This Idempotency-Key already belongs to another request.",
            param="Idempotency-Key",
        )
    return JSONResponse(task.shown(job, desk, base), headers={"Idempotency-Replayed": "true"})


def _too_poor(desk: Desk, wanted: int) -> Refusal:
    left = credits_of(desk.book.account().left)
    return Refusal(
        402,
        "insufficient_quota",
        f"Insufficient balance: this needs {credits_of(wanted)} credits, and {left} are left.",
        estimated_credits=credits_of(wanted),
        account_balance_credits=left,
    )


async def one_task(request: Request) -> Response:
    """GET /v1/tasks/{id}"""
    desk = desk_of(request)
    job = desk.book.job(request.path_params["task_id"])
    if job is None:
        raise Refusal(404, "task_not_found", "Task ID invalid or expired.", param="task_id")
    return JSONResponse(task.shown(job, desk, base_of(request)))


async def many_tasks(request: Request) -> Response:
    """POST /v1/tasks/batch: up to 50 ids; those nobody knows are simply absent from the answer."""
    desk = desk_of(request)
    body = order.json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    ids = body.get("task_ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_BATCH or not all(isinstance(one, str) for one in ids):
        message = f"task_ids must be a list of 1 to {MAX_BATCH} task ids."
        raise Refusal(400, "invalid_parameter", message, param="task_ids", min=1, max=MAX_BATCH)
    jobs = [job for one in dict.fromkeys(ids) if (job := desk.book.job(one)) is not None]
    return JSONResponse({"data": [task.shown(job, desk, base_of(request)) for job in jobs]})


async def list_tasks(request: Request) -> Response:
    """GET /v1/tasks?status=&type=&model=&page=&page_size=: newest first, without result links."""
    desk = desk_of(request)
    query = request.query_params
    if query.get("status", "") not in FILTERS:
        message = "status must be one of processing, completed, failed, cancelled."
        raise Refusal(400, "invalid_parameter", message, param="status")
    page, size = page_of(request, "page_size")
    states = FILTERS[query.get("status", "")] if query.get("type", "video") == "video" else ()
    jobs, total = desk.book.jobs(states=states, model=query.get("model") or None, offset=(page - 1) * size, limit=size)
    rows = [task.listed(job, desk) for job in jobs]
    return JSONResponse({"data": rows, "total": total, "page": page, "page_size": size})


async def show_credits(request: Request) -> Response:
    """GET /v1/credits. What is held for unfinished tasks is no longer remaining and not yet used."""
    account = desk_of(request).book.account()
    left, used = credits_of(account.left), credits_of(account.charged)
    token = {"remaining_credits": left, "unlimited_credits": False, "used_credits": used}
    data = {"token": token, "user": {"remaining_credits": left, "used_credits": used}}
    return JSONResponse({"data": data, "message": "", "success": True})


async def list_models(_request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in order.edits()]})


async def result(request: Request) -> Response:
    """GET /results/{id}/{token}.mp4: the link itself is the permission, and it dies after 24 hours."""
    desk = desk_of(request)
    job = desk.book.job(request.path_params["task_id"])
    if job is None or not task.opens(job, request.path_params["token"]):
        raise Refusal(404, "result_not_found", "There is no such result.")
    if task.has_expired(job, desk.clock()):
        raise Refusal(410, "result_expired", "This link has expired: results are kept for 24 hours.")
    headers = {"X-Content-Type-Options": "nosniff"}
    return FileResponse(desk.place.result(job.id), media_type="video/mp4", headers=headers)


ROUTES = [
    Route("/v1/videos/generations", submit, methods=["POST"]),
    Route("/v1/tasks/batch", many_tasks, methods=["POST"]),
    Route("/v1/tasks/{task_id}", one_task, methods=["GET"]),
    Route("/v1/tasks", list_tasks, methods=["GET"]),
    Route("/v1/credits", show_credits, methods=["GET"]),
    Route("/v1/models", list_models, methods=["GET"]),
    Route("/results/{task_id}/{token}.mp4", result, methods=["GET"]),
]
