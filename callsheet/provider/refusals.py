"""An answer that is not what was asked for, as an error: what it proves about the money, and whether to try again.

The rule of the paid request: only what *proves* that nothing was accepted may be called so. Codes count before statuses,
as in the vendor's own client: all three quota cases are HTTP 402 with one type and differ only by code.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from callsheet.errors import (
    ContentRefused,
    InsufficientCredit,
    ProviderError,
    ProviderSays,
    Rejected,
    Spent,
    SubmissionInDoubt,
    Unauthorized,
    Unavailable,
)
from callsheet.provider import wire
from callsheet.provider.wire import Answer

#: How long a Retry-After is obeyed at most; a server that says "next year" is asked again in an hour.
LONGEST_WAIT = timedelta(hours=1)
#: Characters of a provider's message that are kept.
LONGEST_MESSAGE = 600
#: Characters of any other word of the provider's.
LONGEST_WORD = 128
#: Further fields of an error that are kept.
MOST_EXTRAS = 20

BALANCE = frozenset(
    {"insufficient_quota", "insufficient_user_quota", "quota_not_enough", "account_balance_insufficient"}
)
KEY_LIMIT = frozenset({"insufficient_token_quota", "key_quota_exhausted"})
DAILY_LIMIT = frozenset({"token_daily_quota_exceeded", "key_daily_quota_exhausted"})
KEY = frozenset(
    {"key_disabled", "key_expired", "key_model_not_allowed", "user_disabled", "invalid_token", "ip_restricted"}
    | {"model_access_denied"}
)
CONTENT = frozenset(
    {"content_policy_violation", "content_filter", "sensitive_content", "moderation_blocked", "input_moderation_failed"}
)
BUSY = frozenset(
    {"no_available_channel", "model_unavailable", "channel_selection_failed", "service_unavailable"}
    | {"upload_token_rate_limited", "upload_token_unavailable"}
)
PARAMETER = frozenset(
    {"invalid_parameters", "invalid_parameter", "invalid_request", "unsupported_parameters", "invalid_media_url"}
)
#: The provider itself does not know, or says that this key already carries another request.
DOUBT = frozenset({"idempotency_conflict", "paid_outcome_unknown"})
MACHINE_CODES = BALANCE | KEY_LIMIT | DAILY_LIMIT | KEY | CONTENT | BUSY | PARAMETER | DOUBT

#: Statuses that say "I did not take this request" (RFC 9110), of those the provider documents.
REFUSING = frozenset({400, 401, 402, 403, 404, 413, 415, 422, 429})

_SUGGESTED_WAIT = re.compile(r"retry after (\d{1,5}) seconds?", re.I)
_REQUEST_ID = re.compile(r"\(request id:\s*([\w.:-]{1,128})\)", re.I)

Hide = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an error says about the request it answers. spent: what is known about the money if it failed."""

    where: str
    doing: str
    hide: Hide
    spent: Spent = "no"


def of_read(answer: Answer, asked: Asked) -> ProviderError:
    """The error of a free request (status, balance, upload) whose answer is not the documented one."""
    if answer.is_success and wire.error_object(answer.document) is None:
        return unusable(answer, asked)
    refused = _refused(answer, asked)
    if refused is not None:
        return refused
    if _status(answer) >= 500 or answer.status == 408:
        return _busy(answer, asked)
    if 300 <= answer.status < 400:
        return _redirected(answer, asked)
    return _rejected(Rejected, answer, asked, "")


def of_submission(answer: Answer, asked: Asked) -> ProviderError:
    """The error of the paid request: refused, unavailable, or in doubt, which is everything that proves nothing."""
    if says(answer, asked.hide).code in DOUBT:
        return in_doubt(answer, asked)
    if answer.status in REFUSING:
        return _refused(answer, asked) or _rejected(Rejected, answer, asked, "")
    if answer.status == 503 and _is_enveloped(answer):
        return _busy(answer, asked)
    return in_doubt(answer, asked)


def _is_enveloped(answer: Answer) -> bool:
    """Did the API itself answer, and not a proxy in front of it that may have passed the request on?"""
    return isinstance(answer.document, dict) and isinstance(answer.document.get("error"), dict)


def _refused(answer: Answer, asked: Asked) -> ProviderError | None:
    code = says(answer, asked.hide).code
    status = _status(answer)
    if not 400 <= status < 500:
        return None
    if code in BALANCE | KEY_LIMIT | DAILY_LIMIT or status == 402:
        return _rejected(InsufficientCredit, answer, asked, _which_quota(code))
    if code in CONTENT:
        return _rejected(
            ContentRefused, answer, asked, "Change the prompt or the media; the same request is refused again."
        )
    if code in BUSY or status == 429:
        return _busy(answer, asked)
    if code in KEY or status in (401, 403):
        return _rejected(Unauthorized, answer, asked, "Check the key (EVOLINK_API_KEY) and the models it may use.")
    return None


def _status(answer: Answer) -> int:
    """The files service says `success: false, code: 413` under HTTP 200; then the code is the status."""
    error = wire.error_object(answer.document)
    if not answer.is_success or error is None:
        return answer.status
    return int(error.code) if re.fullmatch("[45][0-9]{2}", error.code) else 400


def _which_quota(code: str) -> str:
    if code in KEY_LIMIT:
        return "The limit of this key is used up; the account itself may have credit. Raise the limit of the key."
    if code in DAILY_LIMIT:
        return "Today's limit of this key is used up; it starts again at midnight in the provider's time zone."
    if code in BALANCE:
        return "The balance of the account is too low. Top it up, or shoot less: callsheet plan shows the price."
    return "The account or the key has not enough credit. Top it up, or shoot less: callsheet plan shows the price."


def _rejected(kind: type[Rejected], answer: Answer, asked: Asked, hint: str) -> Rejected:
    said = says(answer, asked.hide)
    what = f"The provider refused {asked.doing}: {_quoted(said)}."
    return kind(what, where=asked.where, hint=hint, says=said, spent=asked.spent)


def _busy(answer: Answer, asked: Asked) -> Unavailable:
    said = says(answer, asked.hide)
    wait = after(answer)
    what = f"The provider did not take {asked.doing}: {_quoted(said)}."
    hint = f"It asks to wait {wait.total_seconds():.0f} s." if wait else ""
    return Unavailable(what, where=asked.where, hint=hint, says=said, after=wait, spent=asked.spent)


def _redirected(answer: Answer, asked: Asked) -> Rejected:
    said = says(answer, asked.hide)
    hint = "The API does not redirect: check EVOLINK_BASE_URL and EVOLINK_FILES_BASE_URL."
    what = f"{asked.doing[:1].upper()}{asked.doing[1:]} was answered with a redirect ({answer.status})."
    return Rejected(what, where=asked.where, hint=hint, says=said, spent=asked.spent)


def unusable(answer: Answer, asked: Asked) -> Unavailable:
    """A success that is not the documented document: a proxy's page, a truncated body, a field of the wrong kind."""
    what = f"The answer to {asked.doing} ({answer.status}) is not the document that the API promises."
    return Unavailable(what, where=asked.where, says=says(answer, asked.hide), spent=asked.spent)


def unreached(cause: Exception, asked: Asked) -> Unavailable:
    """No answer came, and that costs nothing."""
    return Unavailable(
        f"No answer to {asked.doing}: {spoken(cause, asked.hide)}.", where=asked.where, spent=asked.spent
    )


IN_DOUBT_HINT = (
    "It is not sent again as a new request. `callsheet reconcile` settles it, or shows what a person can do."
)


def in_doubt(answer: Answer, asked: Asked) -> SubmissionInDoubt:
    said = says(answer, asked.hide)
    what = f"No one can tell whether the provider accepted {asked.doing}: it answered {_quoted(said)}."
    return SubmissionInDoubt(what, where=asked.where, hint=IN_DOUBT_HINT, says=said)


def lost(cause: Exception, asked: Asked) -> SubmissionInDoubt:
    """The request had begun to leave and no whole answer came back."""
    what = f"No one can tell whether the provider accepted {asked.doing}: {spoken(cause, asked.hide)}."
    return SubmissionInDoubt(what, where=asked.where, hint=IN_DOUBT_HINT)


def spoken(cause: BaseException, hide: Hide) -> str:
    """A network error in words, without what it must not say."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(cause).__name__).lower()
    text = legible(str(cause), hide, 200).rstrip(". ")
    return f"{name} ({text})" if text else name


def _quoted(said: ProviderSays) -> str:
    about = f" [{said.param}]" if said.param else ""
    request = f" (request id {said.request_id})" if said.request_id and said.request_id not in said.message else ""
    words = [str(said.status or ""), said.code, f'"{said.message.rstrip(". ")}"' if said.message else ""]
    return " ".join(word for word in words if word) + about + request


def says(answer: Answer, hide: Hide) -> ProviderSays:
    """What the provider said, word for word but for secrets and control characters."""
    error = wire.error_object(answer.document) or wire.ErrorObject()
    message = legible(error.message, hide, LONGEST_MESSAGE)
    quoted_id = _REQUEST_ID.search(message)
    headers = answer.headers
    request_id = headers.get("x-request-id") or headers.get("x-oneapi-request-id") or error.request_id
    return ProviderSays(
        status=answer.status,
        code=legible(machine_code(error, answer.document), hide, LONGEST_WORD),
        message=message,
        request_id=legible(request_id or (quoted_id[1] if quoted_id else ""), hide, LONGEST_WORD),
        param=legible(error.param, hide, LONGEST_WORD),
        extra=_extras(error, hide),
    )


def machine_code(error: wire.ErrorObject, document: object) -> str:
    """The machine string of an error: `code` where that is one, else a known code in any other field, else the type.

    The docs give `code` as the HTTP status, the live gateway as a string; a server may send both, in two fields.
    """
    if error.code and not error.code.isdigit():
        return error.code
    around = document if isinstance(document, dict) else {}
    others = [error.type, *(error.model_extra or {}).values(), *around.values()]
    known = next((value for value in others if isinstance(value, str) and value in MACHINE_CODES), "")
    return known or error.type or error.code


def _extras(error: wire.ErrorObject, hide: Hide) -> dict[str, str]:
    scalars = {
        key: value
        for key, value in (error.model_extra or {}).items()
        if isinstance(value, str | int | float) or hasattr(value, "as_tuple")
    }
    shown = list(scalars.items())[:MOST_EXTRAS]
    return {legible(key, hide, LONGEST_WORD): legible(str(value), hide, LONGEST_WORD) for key, value in shown}


def legible(text: str, hide: Hide, longest: int) -> str:
    """One line of printable characters, at most `longest`, secrets gone (before it is cut, so that none is cut in half)."""
    line = "".join(character if character.isprintable() else " " for character in text[: 20 * LONGEST_MESSAGE])
    clean = " ".join(hide(line).split())
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


def after(answer: Answer) -> timedelta | None:
    """How long the provider asks to wait: Retry-After in seconds or as a date, else the hint in its envelope."""
    said = _retry_after(answer.headers.get("retry-after", "").strip(), datetime.now(UTC))
    if said is None and (error := wire.error_object(answer.document)) is not None:
        suggested = _SUGGESTED_WAIT.search(error.fallback_suggestion)
        said = timedelta(seconds=int(suggested[1])) if suggested else None
    return None if said is None else min(max(said, timedelta(0)), LONGEST_WAIT)


def _retry_after(text: str, now: datetime) -> timedelta | None:
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        return timedelta(seconds=float(text))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
