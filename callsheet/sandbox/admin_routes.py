"""The switches behind the sandbox, for this machine only: faults on cue, engines, the balance, cancelling. Not of the API."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from callsheet import yamltext
from callsheet.errors import SpecInvalid, SpecSyntax
from callsheet.hosts import is_loopback
from callsheet.sandbox import faults, uploads
from callsheet.sandbox.billing import UNITS, credits_of
from callsheet.sandbox.desk import Desk, desk_of
from callsheet.sandbox.order import json_object
from callsheet.sandbox.refusal import Refusal, invalid

#: Credits that a balance can be set to, at most.
MOST_CREDITS = 10**9


async def show_faults(request: Request) -> Response:
    """GET /sandbox/faults: the rules in force, and how often each came true."""
    return JSONResponse(_admitted(request).faults.told())


async def set_faults(request: Request) -> Response:
    """PUT /sandbox/faults, YAML or JSON: these rules from now on."""
    desk = _admitted(request)
    text = await uploads.body_of(request, limit=yamltext.MAX_BYTES)
    try:
        desk.faults.follow(faults.read(text))
    except (SpecSyntax, SpecInvalid) as error:
        raise invalid("faults", "\n".join(map(str, error.problems))) from None
    return JSONResponse(desk.faults.told())


async def clear_faults(request: Request) -> Response:
    """DELETE /sandbox/faults: nothing goes wrong any more."""
    desk = _admitted(request)
    desk.faults.follow(faults.Script())
    return JSONResponse(desk.faults.told())


async def show_engines(request: Request) -> Response:
    """GET /sandbox/engines: what renders, the cheapest first, and whether it is up."""
    return JSONResponse({"engines": _admitted(request).engines.told()})


async def switch_engine(request: Request) -> Response:
    """PUT /sandbox/engines/{name} {"health": "up" | "down"}. It lasts over restarts."""
    desk = _admitted(request)
    health = (await _object(request)).get("health")
    if health not in ("up", "down"):
        raise invalid("health", "health must be up or down.", allowed_values=["up", "down"])
    name = request.path_params["name"]
    try:
        desk.engines.switch(name, is_down=health == "down")
    except LookupError:
        names = ", ".join(row.name for row in desk.engines.rows)
        raise Refusal(404, "not_found", f"There is no engine {name[:80]!r}; there are {names}.") from None
    return JSONResponse({"engines": desk.engines.told()})


async def set_balance(request: Request) -> Response:
    """PUT /sandbox/account {"remaining_credits": 40}: let this much be left, to see how a client takes it."""
    desk = _admitted(request)
    value = (await _object(request)).get("remaining_credits")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_CREDITS:
        raise invalid("remaining_credits", f"remaining_credits must be a number from 0 to {MOST_CREDITS}.")
    desk.book.grant(round(value * UNITS), desk.clock())
    return JSONResponse({"remaining_credits": credits_of(desk.book.account().left)})


async def cancel_task(request: Request) -> Response:
    """POST /sandbox/tasks/{id}/cancel: the status that the provider's callbacks know and no route of its API brings about."""
    desk = _admitted(request)
    job = desk.book.job(request.path_params["task_id"])
    if job is None:
        raise Refusal(404, "task_not_found", "Task ID invalid or expired.", param="task_id")
    if not desk.darkroom.cancel(job.id):
        raise Refusal(409, "invalid_request", f"The task is {job.state}.")
    return JSONResponse({"id": job.id, "status": "cancelled"})


def _admitted(request: Request) -> Desk:
    if request.client is None or not is_loopback(request.client.host):
        raise Refusal(403, "permission_denied", "These switches are for the machine that the sandbox runs on.")
    return desk_of(request)


async def _object(request: Request) -> dict[str, object]:
    return json_object(await uploads.body_of(request, limit=uploads.MAX_JSON))


ROUTES = [
    Route("/sandbox/faults", show_faults, methods=["GET"]),
    Route("/sandbox/faults", set_faults, methods=["PUT"]),
    Route("/sandbox/faults", clear_faults, methods=["DELETE"]),
    Route("/sandbox/engines", show_engines, methods=["GET"]),
    Route("/sandbox/engines/{name}", switch_engine, methods=["PUT"]),
    Route("/sandbox/account", set_balance, methods=["PUT"]),
    Route("/sandbox/tasks/{task_id}/cancel", cancel_task, methods=["POST"]),
]
