"""The wire: the provider's documents as they arrive. Tolerant of what is new, strict about what we rely on.

Strict: the job id, the status word, the staged URL. Everything else falls back to "not said", because an odd figure in
an answer must never cost us the job id that stands beside it. Numbers are read exactly (no float ever holds an amount).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)

from callsheet.credits import Credits

#: What the vendor's own client accepts as the id of a job.
JOB_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
#: Amounts beyond 10^12 credits are nonsense and are not computed with.
MOST_DIGITS = 12
#: An amount this close to a whole unit (1/10000 credit) is that unit, written by a server that counts in floats.
FLOAT_NOISE = Decimal("1e-8")
#: A time from here on is told in milliseconds since 1970; in seconds it would be the year 5138.
MILLISECONDS = 10**11


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer. `document` is its JSON value; None where the body was not JSON, too long, or cut short."""

    status: int
    headers: Mapping[str, str]
    document: Any

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def parsed(body: bytes) -> Any:
    """The JSON value of a body with decimal numbers, or None where it is not JSON."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, ArithmeticError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def amount(value: object) -> Credits | None:
    """Credits from a number, or from a number as text; None for anything else, and for finer than 1/10000 credit."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal) or len(str(value)) > 64:
        return None
    try:
        exact = Decimal(value)
    except InvalidOperation:
        return None
    if not exact.is_finite() or exact.adjusted() > MOST_DIGITS:
        return None
    whole = exact.quantize(Decimal("0.0001"))
    return Credits.of(whole) if abs(exact - whole) <= FLOAT_NOISE else None


def _charge(value: object) -> Credits | None:
    credits = amount(value)
    return credits if credits is not None and credits.units >= 0 else None


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return ""
    return str(value)


def _whole(value: object, most: int) -> int | None:
    """A whole number from 0 to `most`; None where it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        return None
    return int(min(max(value, 0), most))


def _well_formed(job: str) -> str:
    if not is_job_id(job):
        raise ValueError("not the id of a job")
    return job


def is_job_id(text: str) -> bool:
    """Well-formed, and not only dots, which a path would swallow."""
    return JOB_ID.fullmatch(text) is not None and text.strip(".") != ""


def _moment(value: object) -> datetime | None:
    """Aware UTC from unix seconds (or milliseconds), or from ISO 8601 with an offset; None for anything else."""
    if isinstance(value, str) and not value.isdecimal():
        return _of_iso(value)
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal) or len(str(value)) > 32:
        return None
    try:
        number = Decimal(value)
        return datetime.fromtimestamp(float(number / 1000 if number >= MILLISECONDS else number), UTC)
    except (ArithmeticError, ValueError, OSError):
        return None


def _of_iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


Amount = Annotated[Credits | None, BeforeValidator(amount)]
Charge = Annotated[Credits | None, BeforeValidator(_charge)]
Text = Annotated[str, BeforeValidator(_text)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
JobId = Annotated[str, Strict(), AfterValidator(_well_formed)]
Percent = Annotated[int, BeforeValidator(lambda value: _whole(value, 100) or 0)]
Seconds = Annotated[int | None, BeforeValidator(lambda value: _whole(value, 7 * 86_400))]
Links = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()),
]

_Any = TypeVar("_Any")
#: A part of a document that is read where it is an object and empty where it is anything else.
Part = Annotated[_Any, BeforeValidator(lambda value: value if isinstance(value, dict | BaseModel) else {})]
Items = Annotated[
    tuple[_Any, ...],
    BeforeValidator(lambda value: [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []),
]


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Usage(Document):
    credits_reserved: Charge = None
    credits_used: Charge = None


class Billing(Document):
    charge_status: Text = ""
    refund_status: Text = ""
    reserved_credits: Charge = None
    charged_credits: Charge = None
    refunded_credits: Charge = None


class TaskInfo(Document):
    #: Seconds left.
    estimated_time: Seconds = None


class ResultItem(Document):
    video_url: Text = ""


class ErrorObject(BaseModel):
    """What a refused request, or a failed job, says of itself. `code` is a number or a machine string, as text."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    code: Text = ""
    type: Text = ""
    message: Text = ""
    param: Text = ""
    request_id: Text = ""
    fallback_suggestion: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _drop_what_is_no_name(cls, fields: Any) -> Any:
        """JSON may have half a surrogate for a name, which is no text and no part of an answer."""
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if isinstance(name, str) and _is_text(name)}


class Created(Document):
    """The answer to a submission. Only the id is relied on."""

    id: JobId
    usage: Part[Usage] = Usage()
    task_info: Part[TaskInfo] = TaskInfo()


class Task(Document):
    """One job, as a status read tells it."""

    id: JobId
    status: Annotated[str, Strict()] = Field(min_length=1, max_length=64)
    progress: Percent = 0
    results: Links = ()
    result_data: Items[ResultItem] = ()
    usage: Part[Usage] = Usage()
    billing: Part[Billing] = Billing()
    task_info: Part[TaskInfo] = TaskInfo()
    error: Part[ErrorObject] = ErrorObject()
    request_id: Text = ""

    @property
    def link(self) -> str | None:
        """Where the result is, if it says so."""
        links = (*self.results, *(item.video_url for item in self.result_data))
        return next((link for link in links if link), None)


class ListedTask(Document):
    """A row of the list of jobs. Only the id is relied on; what a row does not say makes it less of a proof."""

    id: JobId
    model: Text = ""
    created_at: Moment = None
    credits_used: Charge = None


class TaskList(Document):
    """One page. A row without a well-formed id spoils it: a job that cannot be named would be overlooked."""

    data: tuple[ListedTask, ...]


class StoredFile(Document):
    file_url: Annotated[str, Strict()] = Field(min_length=1)
    expires_at: Text = ""

    @property
    def expiry(self) -> datetime | None:
        """Aware UTC; None where it is not said, or said without an offset."""
        return _of_iso(self.expires_at)


class Upload(Document):
    """The files service's answer; `success: false` may come with HTTP 200."""

    success: bool = True
    data: StoredFile


class Account(Document):
    remaining_credits: Amount = None
    unlimited_credits: bool = False


class Purse(Document):
    token: Part[Account] = Account()
    user: Part[Account] = Account()


class Balance(Document):
    data: Part[Purse] = Purse()

    @property
    def available(self) -> Credits | None:
        """What can be spent with this key: the lesser of the account's balance and the key's own limit."""
        sums = [
            account.remaining_credits for account in (self.data.token, self.data.user) if not account.unlimited_credits
        ]
        return min((left for left in sums if left is not None), default=None)


_Document = TypeVar("_Document", bound=Document)


def read(kind: type[_Document], document: Any) -> _Document | None:
    """The document of this kind, or None where it is malformed."""
    try:
        return kind.model_validate(document)
    except ValidationError:
        return None


def tasks(document: Any) -> list[Task]:
    """The well-formed jobs of a batch answer. None of a malformed one is guessed at."""
    items = document.get("data") if isinstance(document, dict) else None
    if not isinstance(items, list):
        return []
    return [task for item in items if (task := read(Task, item)) is not None]


def error_object(document: Any) -> ErrorObject | None:
    """The error of either envelope: the gateway's `{"error": {...}}` or the files service's `{"success": false}`."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        return _error(error)
    if isinstance(error, str) and error:
        return _error({"message": error, "code": document.get("code")})
    if document.get("success") is False:
        return _error({"code": document.get("code"), "message": document.get("msg") or document.get("message")})
    return None


def _error(fields: Mapping[str, Any]) -> ErrorObject:
    return ErrorObject.model_validate(fields)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
