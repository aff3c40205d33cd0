"""An occurrence: the moment for which a schedule fired. One campaign renders a variant for it once, however often it fires."""

from datetime import UTC, datetime

from callsheet.errors import SpecError


def read(text: str) -> datetime:
    """The moment that is written here, in UTC. SpecError for what is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SpecError(
            f"{text!r} is no occurrence: it is the time for which a schedule fired.",
            where="occurrence",
            hint="Write it like 2026-11-30T06:00:00+00:00; without a zone it is in UTC.",
        ) from None
    return in_utc(moment)


def in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def spoken(moment: datetime) -> str:
    """the occurrence of 2026-11-30 06:00 UTC; with its seconds where it has some"""
    seconds = "" if moment.second == moment.microsecond == 0 else f":{moment:%S}"
    return f"the occurrence of {moment:%Y-%m-%d %H:%M}{seconds} UTC"
