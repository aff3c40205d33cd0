"""What every route needs at hand, made once when the server starts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.requests import Request

from callsheet.sandbox.book import Book
from callsheet.sandbox.caller import Caller
from callsheet.sandbox.darkroom import Darkroom
from callsheet.sandbox.disk import Disk
from callsheet.sandbox.engines import Engines
from callsheet.sandbox.faults import Faults
from callsheet.sandbox.intake import Intake
from callsheet.sandbox.place import Place
from callsheet.sandbox.policy import Policy

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Desk:
    place: Place
    book: Book
    intake: Intake
    darkroom: Darkroom
    engines: Engines
    caller: Caller
    faults: Faults
    disk: Disk
    policy: Policy
    clock: Clock
    #: The checkout into which the playground may write; None where there is none.
    studio: Path | None = None


def desk_of(request: Request) -> Desk:
    desk: Desk = request.state.desk
    return desk


def base_of(request: Request) -> str:
    """The address under which this client reaches the server, for the links in an answer. Its host was checked."""
    return str(request.base_url).rstrip("/")


def page_of(request: Request, size_name: str, most: int = 50) -> tuple[int, int]:
    """(page from 1, rows on a page): numbers out of range are brought into it, as lists commonly do."""
    return _number(request, "page", 1, 1_000_000), _number(request, size_name, 20, most)


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        return default
    return min(max(int(text), 1), most)
