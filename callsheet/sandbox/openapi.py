"""The API as an OpenAPI document, made from the catalogue: what each route takes and answers, model by model."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from callsheet import __version__
from callsheet.catalogue import Model, Option, models
from callsheet.sandbox import order
from callsheet.sandbox.task_routes import FILTERS, MAX_BATCH

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_URL: Schema = {"type": "string", "minLength": 1, "maxLength": order.MAX_URL}
_OBJECT: Schema = {"type": "object"}

_ERROR_NAMES = {
    400: "A parameter is missing or wrong; `param` names it.",
    401: "No key.",
    402: "The balance is too small.",
    403: "The quota of files is used up.",
    404: "There is no such thing.",
    405: "Another method.",
    409: "The key belongs to another request.",
    410: "The link has expired.",
    413: "The body is too large.",
    421: "A foreign Host.",
    429: "Too many jobs are waiting.",
    500: "A defect of the sandbox.",
    503: "Nothing could render it now.",
    507: "No room on the disk.",
}
#: What every route may answer.
_ALWAYS = (400, 401, 404, 405, 421, 500)


async def show(request: Request) -> Response:
    """GET /openapi.json"""
    return JSONResponse(document(str(request.base_url).rstrip("/")))


def document(base: str) -> dict[str, Any]:
    """The whole API, as it is found under `base`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Callsheet sandbox",
            "version": __version__,
            "description": "EvoLink's documented HTTP API for Kling's models, on this machine. It renders drafts.",
        },
        "servers": [{"url": base}],
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


# --- routes -------------------------------------------------------------------------------------------------------------


def _paths() -> dict[str, Any]:
    task, tasks = _ref("Task"), {"type": "object", "properties": {"data": {"type": "array", "items": _ref("Task")}}}
    upload = _answered(200, _ref("Upload"), errors=(403, 413, 507), error="FileError")
    return {
        "/v1/videos/generations": {
            "post": {
                "operationId": "submit",
                "summary": "Submit a job. It is accepted, and its price reserved, before the answer leaves.",
                "parameters": [_key_header()],
                "requestBody": _json({"oneOf": [_ref(name) for name in models()]}),
                "responses": _answered(200, task, errors=(402, 409, 413, 429, 503, 507)),
            }
        },
        "/v1/tasks/{task_id}": {
            "get": {
                "operationId": "read",
                "summary": "One job.",
                "parameters": [_in_path("task_id")],
                "responses": _answered(200, task),
            }
        },
        "/v1/tasks/batch": {
            "post": {
                "operationId": "readMany",
                "summary": f"Up to {MAX_BATCH} jobs; unknown ids are absent from the answer.",
                "requestBody": _json(
                    {
                        "type": "object",
                        "required": ["task_ids"],
                        "properties": {
                            "task_ids": {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_BATCH}
                        },
                    }
                ),
                "responses": _answered(200, tasks, errors=(413,)),
            }
        },
        "/v1/tasks": {
            "get": {
                "operationId": "list",
                "summary": "Jobs, newest first, without the links of their results.",
                "parameters": [
                    _in_query("status", {"type": "string", "enum": [name for name in FILTERS if name]}),
                    _in_query("type", _TEXT),
                    _in_query("model", _TEXT),
                    _in_query("page", {"type": "integer", "minimum": 1}),
                    _in_query("page_size", {"type": "integer", "minimum": 1, "maximum": 50}),
                ],
                "responses": _answered(200, _ref("TaskList")),
            }
        },
        "/v1/credits": _read("credits", "The balance.", _ref("Credits")),
        "/v1/credits/statement": _read("statement", "All that changed the balance, newest first.", _OBJECT),
        "/v1/models": _read("models", "Names that a submission can have.", _OBJECT),
        "/v1/catalog/models": _read("catalogue", "Every model, its fields, limits and price.", _OBJECT),
        "/v1/catalog/health": _read("health", "Which models can be rendered now.", _OBJECT),
        "/v1/catalog/pricing-rules": _read("rules", "The price rules of all models.", _OBJECT),
        "/v1/catalog/models/{model}/pricing-rules": {
            "get": {
                "operationId": "rulesOfOne",
                "summary": "The price rules of one model.",
                "parameters": [_in_path("model")],
                "responses": _answered(200, _OBJECT),
            }
        },
        "/v1/agent-estimates": {
            "post": {
                "operationId": "estimate",
                "summary": "What a job would cost. Nothing is reserved.",
                "requestBody": _json(
                    {
                        "type": "object",
                        "required": ["model_id"],
                        "properties": {
                            "model_id": {"type": "string", "enum": list(models())},
                            "operation": _TEXT,
                            "parameters": _OBJECT,
                            "expected_usage": _OBJECT,
                        },
                    }
                ),
                "responses": _answered(200, _OBJECT, errors=(413,)),
            }
        },
        "/v1/files/upload-token": {
            "post": {
                "operationId": "uploadToken",
                "summary": "A short-lived key for uploads.",
                "responses": _answered(200, _OBJECT),
            }
        },
        "/api/v1/files/upload/stream": {
            "post": {
                "operationId": "uploadStream",
                "summary": "A file, as a form.",
                "requestBody": _form(),
                "responses": upload,
            }
        },
        "/api/v1/files/upload/base64": {
            "post": {
                "operationId": "uploadBase64",
                "summary": "A picture, as base64.",
                "requestBody": _json(_upload_body("base64_data")),
                "responses": upload,
            }
        },
        "/api/v1/files/upload/url": {
            "post": {
                "operationId": "uploadUrl",
                "summary": "A file that is fetched.",
                "requestBody": _json(_upload_body("file_url")),
                "responses": upload,
            }
        },
        "/api/v1/files/list": _read("files", "Uploads, newest first.", _OBJECT, error="FileError"),
        "/api/v1/files/quota": _read("quota", "How many more files may be kept.", _OBJECT, error="FileError"),
        "/api/v1/files/{file_id}": {
            "delete": {
                "operationId": "deleteFile",
                "summary": "Remove an upload.",
                "parameters": [_in_path("file_id")],
                "responses": _answered(200, _OBJECT, error="FileError"),
            }
        },
        "/api/v1/files/upload-receipts/{upload_id}": {
            "get": {
                "operationId": "receipt",
                "summary": "Whether the upload with this id of the client's own (X-Evo-Upload-Id) has arrived.",
                "parameters": [_in_path("upload_id")],
                "responses": _answered(200, _OBJECT, error="FileError"),
            }
        },
    }


def _read(name: str, summary: str, answer: Schema, *, error: str = "Error") -> dict[str, Any]:
    return {"get": {"operationId": name, "summary": summary, "responses": _answered(200, answer, error=error)}}


def _answered(status: int, answer: Schema, *, errors: tuple[int, ...] = (), error: str = "Error") -> dict[str, Any]:
    told = {str(status): {"description": "As asked.", "content": {"application/json": {"schema": answer}}}}
    for number in sorted({*errors, *_ALWAYS}):
        description = _ERROR_NAMES[number]
        told[str(number)] = {
            "description": description,
            "content": {"application/json": {"schema": _ref(error)}},
        }
    return told


def _json(schema: Schema) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _form() -> dict[str, Any]:
    fields = {"file": {"type": "string", "format": "binary"}, "upload_path": _TEXT, "file_name": _TEXT}
    schema = {"type": "object", "required": ["file"], "properties": fields}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _upload_body(name: str) -> Schema:
    properties = {name: {"type": "string", "minLength": 1}, "upload_path": _TEXT, "file_name": _TEXT}
    return {"type": "object", "required": [name], "properties": properties}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _in_query(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _key_header() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key gives the same job; with another body it is a conflict.",
        "schema": {"type": "string", "pattern": f"^{order.IDEMPOTENCY_KEY.pattern}$"},
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


# --- documents ----------------------------------------------------------------------------------------------------------


def _schemas() -> dict[str, Schema]:
    return {
        **{name: _submission(model) for name, model in models().items()},
        "Task": {
            "type": "object",
            "required": ["id", "model", "object", "status", "progress", "created", "type", "usage", "task_info"],
            "properties": {
                "id": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
                "model": _TEXT,
                "object": {"const": "video.generation.task"},
                "status": {"enum": ["pending", "processing", "completed", "failed", "cancelled"]},
                "progress": {"type": "integer", "minimum": 0, "maximum": 100},
                "created": _COUNT,
                "type": {"const": "video"},
                "results": {"type": "array", "items": _TEXT},
                "usage": {"type": "object", "required": ["billing_rule", "credits_reserved"]},
                "task_info": {"type": "object", "required": ["can_cancel", "estimated_time", "video_duration"]},
                "billing": _OBJECT,
                "error": _OBJECT,
            },
        },
        "TaskList": {
            "type": "object",
            "required": ["data", "total", "page", "page_size"],
            "properties": {"data": {"type": "array", "items": _OBJECT}, "total": _COUNT},
        },
        "Credits": {
            "type": "object",
            "required": ["data", "success"],
            "properties": {
                "data": {
                    "type": "object",
                    "required": ["token", "user"],
                    "properties": {"user": {"type": "object", "properties": {"remaining_credits": _NUMBER}}},
                }
            },
        },
        "Upload": {
            "type": "object",
            "required": ["success", "code", "msg", "data"],
            "properties": {"data": {"type": "object", "required": ["file_id", "file_url", "expires_at"]}},
        },
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {
                "error": {
                    "type": "object",
                    "required": ["code", "message", "type"],
                    "properties": {"code": {"type": ["integer", "string"]}, "message": _TEXT, "type": _TEXT},
                }
            },
        },
        "FileError": {
            "type": "object",
            "required": ["success", "code", "msg"],
            "properties": {"success": {"const": False}, "code": {"type": "integer"}, "msg": _TEXT},
        },
    }


def _submission(model: Model) -> Schema:
    """The body of a submission to this model. Fields inside another one are an object of their own."""
    fields = dict(_fields(model))
    required = ["model", *(name for name, is_required in _required(model) if is_required)]
    properties: dict[str, Any] = {"model": {"const": model.name}}
    for path, schema in fields.items():
        inside = properties
        *way, name = path.split(".")
        for step in way:
            inside = inside.setdefault(step, {"type": "object", "properties": {}})["properties"]
        inside[name] = schema
    shown: Schema = {"type": "object", "title": model.title, "required": required, "properties": properties}
    for option in model.options.values():
        holder, _, name = option.field.rpartition(".")
        if option.required and holder:
            properties[holder].setdefault("required", []).append(name)
    return shown


def _fields(model: Model) -> Iterator[tuple[str, Schema]]:
    prompt: Schema = {"type": "string", "maxLength": model.prompt_max}
    yield "prompt", {**prompt, "minLength": 1} if model.prompt_required else prompt
    if model.clip is not None:
        one = {**_URL, "description": f"A clip of {model.clip.seconds[0]} to {model.clip.seconds[1]} s."}
        yield model.clip.field, one if model.clip.shape == "single" else _list_of(one, (1, 1))
    if model.images is not None:
        for field in model.images.fields:
            yield field, _URL if model.images.shape == "single" else _list_of(_URL, model.images.count)
        if model.images.more_field:
            yield model.images.more_field, _list_of(_URL, (1, order.MOST_WITHOUT))
    if model.sound_field:
        yield model.sound_field, {"type": "boolean", "default": True}
    if model.aspect_ratios:
        yield "aspect_ratio", {"type": "string", "enum": list(model.aspect_ratios)}
    yield "callback_url", {**_URL, "description": "https, and no internal address."}
    for option in model.options.values():
        yield option.field, _option(option)


def _list_of(items: Schema, count: tuple[int, int]) -> Schema:
    return {"type": "array", "items": items, "minItems": count[0], "maxItems": count[1]}


def _option(option: Option) -> Schema:
    told: Schema = {"description": option.description}
    if option.default is not None:
        told["default"] = option.default
    if option.choices:
        return {**told, "enum": list(option.choices)}
    if option.range is not None:
        return {**told, "type": "integer", "minimum": option.range[0], "maximum": option.range[1]}
    kinds = {"switch": "boolean", "text": "string", "list": "array", "mapping": "object"}
    told["type"] = kinds[option.kind]
    if option.kind == "text" and option.max_length:
        told["maxLength"] = option.max_length
    if option.kind == "list":
        told |= {"items": _OBJECT, **({"maxItems": option.max_items} if option.max_items else {})}
    return told


def _required(model: Model) -> Iterator[tuple[str, bool]]:
    """Top-level fields, and whether a body has to have them."""
    yield "prompt", model.prompt_required and "multi_prompt" not in model.options
    if model.clip is not None:
        yield model.clip.field, model.clip.required
    if model.images is not None:
        yield model.images.fields[0], model.images.required
    heads = {option.field.partition(".")[0] for option in model.options.values() if option.required}
    yield from ((head, True) for head in sorted(heads))


ROUTES = [Route("/openapi.json", show, methods=["GET"])]
