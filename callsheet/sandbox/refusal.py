"""How the sandbox says no: one exception, and the two envelopes the provider documents for it."""

from typing import Any

#: The documented `error.type` of each HTTP status of the gateway. 409, 410 and 421 are not in its table.
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    410: "not_found_error",
    413: "request_too_large_error",
    415: "invalid_request_error",
    421: "invalid_request_error",
    429: "rate_limit_error",
    500: "internal_server_error",
    502: "upstream_error",
    503: "service_unavailable_error",
    507: "internal_server_error",
}


class Refusal(Exception):
    """A request that is answered with an error; nothing was written to the book.

    status: HTTP status. reason: the machine string the live gateway is known to use (its clients classify by it), where
    it has one. param: the field at fault. hint: `fallback_suggestion`. retry_after: seconds, as a header.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        param: str = "",
        hint: str = "",
        retry_after: int | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.param = param
        self.hint = hint
        self.retry_after = retry_after
        self.extra = extra


def invalid(param: str, message: str, *, reason: str = "invalid_parameter", **extra: Any) -> Refusal:
    """400: this field cannot be taken as it is. extra: what the live gateway tells beside it (min, max, allowed_values)."""
    return Refusal(400, reason, message, param=param, **extra)


def envelope(refusal: Refusal, *, string_codes: bool = False) -> dict[str, Any]:
    """The gateway's shape: documented integer `code`, and the machine string beside it as `reason`.

    string_codes: the machine string as `code`, which is what the live gateway was seen to send.
    """
    error: dict[str, Any] = {
        "code": refusal.reason if string_codes else refusal.status,
        "message": refusal.message,
        "type": TYPES.get(refusal.status, "invalid_request_error"),
        "reason": refusal.reason,
        **refusal.extra,
    }
    if refusal.param:
        error["param"] = refusal.param
    if refusal.hint:
        error["fallback_suggestion"] = refusal.hint
    return {"error": error}


def file_envelope(refusal: Refusal) -> dict[str, Any]:
    """The file service's own shape."""
    message = f"{refusal.message} {refusal.hint}".strip()
    return {"success": False, "code": refusal.status, "msg": message, "data": None}
