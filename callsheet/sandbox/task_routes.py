"""Submitting, following and fetching: the gateway's routes."""

import hashlib
import json
from datetime import timedelta
from fractions import Fraction
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from callsheet import catalogue
from callsheet.sandbox import billing, order, task, uploads
from callsheet.sandbox.billing import credits_of
from callsheet.sandbox.book import BalanceTooSmall, Job, KeyUsed, NewInput, NewJob, State
from callsheet.sandbox.desk import Desk, base_of, desk_of, page_of
from callsheet.sandbox.faults import Deed
from callsheet.sandbox.intake import Inputs
from callsheet.sandbox.refusal import Refusal, invalid

#: Ids that one status request may ask for (the vendor's clients: 50).
MAX_BATCH = 50
#: What each value of the list's filter means.
FILTERS: dict[str, tuple[State, ...]] = {
    "": get_args(State),
    "pending": ("pending",),
    "processing": ("pending", "processing"),
    "completed": ("completed",),
    "failed": ("failed",),
    "cancelled": ("cancelled",),
}
#: What the list itself does on cue; what happens to its request is somebody else's.
HIDING: tuple[Deed, ...] = ("hide",)
#: Seconds that a client is told to wait when too many jobs are waiting.
COME_BACK = 30


async def submit(request: Request) -> Response:
    """POST /v1/videos/generations. The job, its key and its reservation are committed before the answer leaves."""
    desk = desk_of(request)
    key = order.idempotency_key(request.headers.get("idempotency-key"))
    body = order.json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    digest = _digest(body)
    if key is not None and (earlier := desk.book.job_of_key(key)) is not None:
        return _replayed(desk, earlier, digest, base_of(request))
    wanted = order.read(body, loopback_callbacks=desk.policy.loopback_callbacks, strict=desk.policy.strict)
    _check_capacity(desk)
    inputs = await desk.intake.fetch(wanted)
    new = _new_job(wanted, inputs, key=key, digest=digest, request=request)
    try:
        job = desk.book.accept(new, desk.clock())
    except KeyUsed:
        return _replayed(desk, _job_of(desk, new), digest, base_of(request))
    except BalanceTooSmall:
        raise _too_poor(desk, new.reserved) from None
    desk.darkroom.enqueue(job.id)
    return JSONResponse(_shown(desk, job, request), headers=order.ignored_header(wanted.ignored))


def _digest(body: dict[str, Any]) -> str:
    """Two bodies are the same when they say the same, in whatever order."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_capacity(desk: Desk) -> None:
    """Refusal 429 where too many wait, 503 where nothing could render it, 507 where the result would have no room."""
    desk.disk.check()
    if desk.book.waiting() >= desk.policy.most_waiting:
        message = f"Rate limit exceeded: {desk.policy.most_waiting} tasks are waiting."
        hint = f"retry after {COME_BACK} seconds"
        raise Refusal(429, "rate_limit_exceeded", message, hint=hint, retry_after=COME_BACK)
    if not desk.engines.up():
        message = "No engine is up for this model."
        raise Refusal(503, "no_available_channel", message, hint=f"retry after {COME_BACK} seconds")


def _new_job(wanted: order.Order, inputs: Inputs, *, key: str | None, digest: str, request: Request) -> NewJob:
    clip = inputs.facts.seconds if inputs.facts else None
    return NewJob(
        idempotency_key=key,
        body_digest=digest,
        request_id=request.state.request_id,
        model=wanted.model.name,
        prompt=wanted.prompt,
        aspect_ratio=wanted.aspect_ratio,
        keep_sound=wanted.keep_sound,
        options=wanted.options,
        seconds=_result_seconds(wanted, clip),
        reserved=billing.reserved_for(wanted.model, clip_seconds=clip, options=wanted.options),
        inputs=tuple(
            NewInput(file_id=one.file.id, field=one.field, is_clip=one is inputs.clip) for one in inputs.in_order
        ),
        callback=wanted.callback,
        base=base_of(request),
    )


def _result_seconds(wanted: order.Order, clip: Fraction | None) -> Fraction:
    """How long the result is to be: as asked, else as long as the clip."""
    asked = next((Fraction(int(value)) for name, value in wanted.options if name == "duration"), None)
    return asked or clip or Fraction(0)


def _job_of(desk: Desk, new: NewJob) -> Job:
    job = desk.book.job_of_key(new.idempotency_key or "")
    if job is None:
        raise Refusal(500, "internal_error", "The key is used, and its job is not in the book.")
    return job


def _shown(desk: Desk, job: Job, request: Request) -> dict[str, Any]:
    return task.shown(job, desk.book, desk.darkroom, base_of(request))


def _replayed(desk: Desk, job: Job, digest: str, base: str) -> Response:
    if job.body_digest != digest:
        raise Refusal(
            409,
            "idempotency_conflict",
            "This Idempotency-Key already belongs to another request.",
            param="Idempotency-Key",
        )
    shown = task.shown(job, desk.book, desk.darkroom, base)
    return JSONResponse(shown, headers={"Idempotency-Replayed": "true"})


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
    return JSONResponse(_shown(desk, job, request))


async def many_tasks(request: Request) -> Response:
    """POST /v1/tasks/batch: up to 50 ids; those nobody knows are simply absent from the answer."""
    desk = desk_of(request)
    body = order.json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))
    ids = body.get("task_ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_BATCH or not all(isinstance(one, str) for one in ids):
        raise invalid("task_ids", f"task_ids must be a list of 1 to {MAX_BATCH} task ids.", min=1, max=MAX_BATCH)
    jobs = [job for one in dict.fromkeys(ids) if (job := desk.book.job(one)) is not None]
    return JSONResponse({"data": [_shown(desk, job, request) for job in jobs]})


async def list_tasks(request: Request) -> Response:
    """GET /v1/tasks?status=&type=&model=&page=&page_size=: newest first, without result links."""
    desk = desk_of(request)
    query = request.query_params
    if query.get("status", "") not in FILTERS:
        raise invalid("status", f"status must be one of {', '.join(filter(None, FILTERS))}.")
    page, size = page_of(request, "page_size")
    states = FILTERS[query.get("status", "")] if query.get("type", "video") == "video" else ()
    jobs, total = desk.book.jobs(states=states, model=query.get("model") or None, offset=(page - 1) * size, limit=size)
    hidden = desk.faults.cue("list", deeds=HIDING)
    if hidden is not None:
        since = desk.clock() - timedelta(seconds=hidden.seconds)
        jobs = [job for job in jobs if job.created_at <= since]
    rows = [task.listed(job, desk.darkroom) for job in jobs]
    return JSONResponse({"data": rows, "total": total, "page": page, "page_size": size})


async def show_credits(request: Request) -> Response:
    """GET /v1/credits. What is held for unfinished tasks is no longer remaining and not yet used."""
    account = desk_of(request).book.account()
    left, used = credits_of(account.left), credits_of(account.charged)
    token = {"remaining_credits": left, "unlimited_credits": False, "used_credits": used}
    data = {"token": token, "user": {"remaining_credits": left, "used_credits": used}}
    return JSONResponse({"data": data, "message": "", "success": True})


async def show_statement(request: Request) -> Response:
    """GET /v1/credits/statement?page=&page_size=: all that changed the balance, newest first. Ours; the provider has none."""
    desk = desk_of(request)
    page, size = page_of(request, "page_size")
    entries, total = desk.book.statement(offset=(page - 1) * size, limit=size)
    rows = [
        {
            "at": entry.at.isoformat(),
            "kind": entry.kind,
            "credits": credits_of(entry.units),
            "balance": credits_of(entry.balance),
            "task_id": entry.job,
            "model": entry.model,
        }
        for entry in entries
    ]
    account = desk.book.account()
    totals = {
        "granted": credits_of(account.granted),
        "held": credits_of(account.held),
        "charged": credits_of(account.charged),
        "remaining": credits_of(account.left),
    }
    return JSONResponse({"data": rows, "totals": totals, "total": total, "page": page, "page_size": size})


async def list_models(_request: Request) -> Response:
    """GET /v1/models: what may be named in a submission."""
    return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in catalogue.models()]})


async def result(request: Request) -> Response:
    """GET /results/{id}/{token}.mp4: the link itself is the permission, and it dies after 24 hours."""
    desk = desk_of(request)
    job = desk.book.job(request.path_params["task_id"])
    if job is None or job.made is not None or not task.opens(job, request.path_params["token"]):
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
    Route("/v1/credits/statement", show_statement, methods=["GET"]),
    Route("/v1/models", list_models, methods=["GET"]),
    Route("/results/{task_id}/{token}.mp4", result, methods=["GET"]),
]
