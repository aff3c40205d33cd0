"""When the link of a result dies: by what the link itself says, and a day after the job was done at the latest."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from callsheet.take import State, Take

#: The provider's documents: links of results live 24 hours.
LIFE = timedelta(hours=24)
#: How the signed links of Amazon and Google call the moment they were made and the seconds that they live.
_SIGNED = (("x-amz-date", "x-amz-expires"), ("x-goog-date", "x-goog-expires"))
_COMPACT = "%Y%m%dT%H%M%SZ"


def of_link(url: str) -> datetime | None:
    """What a signed link says of itself, in UTC; None where it says nothing that can be read."""
    try:
        said = {name.lower(): values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
        for made, lives in _SIGNED:
            if made in said and lives in said:
                begin = datetime.strptime(said[made], _COMPACT).replace(tzinfo=UTC)
                return begin + timedelta(seconds=int(said[lives]))
        return datetime.fromtimestamp(int(said["expires"]), UTC) if "expires" in said else None
    except (ValueError, OverflowError, OSError):
        return None


def dies_at(url: str, *, finished: datetime) -> datetime:
    """The earlier of what the link says and a day after `finished`, by when the job was done. url: "" if not known."""
    latest = finished + LIFE
    return min(of_link(url) or latest, latest)


def standing(take: Take, now: datetime, spec: str) -> str:
    """Of a take that is paid for and not archived: where that leaves it, and what a person can do. Of any other its reason."""
    if take.state is not State.SUCCEEDED:
        return take.reason
    until = take.updated_at + LIFE
    if now < until:
        return f"paid for, to be fetched by {until:%Y-%m-%d %H:%M} UTC; job {take.job}: run the campaign again"
    return expired(take, "its link lived 24 h", spec)


def expired(take: Take, why: str, spec: str) -> str:
    """The name of this hold, the same wherever it is shown."""
    return (
        f"result expired, paid for; job {take.job}: {why}. Ask the provider's support for its result, "
        f"or give it up: callsheet reconcile {spec} --lost {take.id}"
    )
