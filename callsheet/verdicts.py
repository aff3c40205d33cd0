"""What a reviewer says of the deliverables of a campaign: `<campaign>/verdicts.json` beside the manifest. Versioned.

The review board writes it; `callsheet plan SPEC --verdicts FILE` reads it. A verdict is of a variant by its content key, so one
given on a draft of the sandbox decides whether the same variant is paid for. What leaves the house is a film, though: each
verdict names the one that was seen, and of another film of the same variant it is no judgement (`is_of`).

Several reviewers, tabs and exported files meet here: of each variant the verdict that was given last holds. That is why one
that is taken back stays in the document, with nothing in it: else an older copy of it would bring it back.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from callsheet.sidecar import AxisValues

#: Raised whenever a field changes its meaning or goes away; a new optional field does not raise it.
SCHEMA_VERSION: Literal[1] = 1
#: Bytes of the document at most: 5,000 variants with a note of a page each.
LARGEST = 20_000_000

#: How far the clock of whoever judges may be ahead of ours.
AHEAD = timedelta(days=1)

Says = Literal["approve", "reject", "retake"]


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("no moment in UTC") from None


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Verdict(_Document):
    """Of one variant. Where none of `says`, `stars` and `note` is given, it was taken back."""

    key: str = Field(description="Content key of the variant: 64 hex characters, as in the manifest.")
    slug: str
    axes: AxisValues
    says: Says | None = None
    stars: Annotated[int, Field(ge=1, le=5)] | None = None
    note: Annotated[str, Field(max_length=4000)] = ""
    at: Annotated[AwareDatetime, AfterValidator(_in_utc)] = Field(description="When it was given, in UTC.")
    film: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = Field(
        default="", description="SHA-256 of the film that it was given on; empty in older documents."
    )

    def known_at(self, now: datetime) -> "Verdict":
        """One that was given tomorrow or later is of a clock that is wrong, or of somebody who means it to hold for ever: it
        counts as the oldest of all."""
        return self if self.at <= now + AHEAD else self.model_copy(update={"at": _LONG_AGO})

    @property
    def is_given(self) -> bool:
        """Does it say anything?"""
        return self.says is not None or self.stars is not None or bool(self.note)

    def is_of(self, film: str | None) -> bool:
        """Was it given on this film? Where one of the two is not known, nothing speaks against it."""
        return not self.film or not film or self.film == film

    @property
    def is_judged(self) -> bool:
        """Was the variant judged? A note alone is no judgement."""
        return self.says is not None or self.stars is not None


class Verdicts(_Document):
    """All verdicts of a campaign; at most one a key."""

    schema_version: Literal[1] = SCHEMA_VERSION
    campaign: str
    draft: bool = Field(description="Given on drafts of the sandbox.")
    plan: str = Field(description="Digest of the plan that the board was of.")
    verdicts: list[Verdict]

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        keys = [one.key for one in self.verdicts]
        if len(set(keys)) < len(keys):
            raise ValueError("two verdicts of one variant")
        return self

    def known_at(self, now: datetime) -> "Verdicts":
        """The same, what was given later than anybody can have given it put last."""
        return self.model_copy(update={"verdicts": [one.known_at(now) for one in self.verdicts]})

    def counts(self, films: Mapping[str, str | None]) -> dict[str, int]:
        """How many of these films are approved, rejected, to be retaken, and judged at all. films: SHA-256 by content key."""
        given = [one for one in self.verdicts if one.is_judged and one.key in films and one.is_of(films[one.key])]
        says = Counter(one.says for one in given)
        return {"approve": says["approve"], "reject": says["reject"], "retake": says["retake"], "judged": len(given)}


def merge(known: Verdicts, news: Verdicts) -> Verdicts:
    """Both, of each variant what was given last. The order of merging changes nothing."""
    latest: dict[str, Verdict] = {}
    for one in (*known.verdicts, *news.verdicts):
        there = latest.get(one.key)
        if there is None or _age(one) > _age(there):
            latest[one.key] = one
    newest = max((news, known), key=lambda document: max((one.at for one in document.verdicts), default=_LONG_AGO))
    return newest.model_copy(update={"verdicts": sorted(latest.values(), key=lambda one: (one.slug, one.key))})


def mistake(error: ValidationError) -> str:
    """The first thing that is wrong with a document, with its place and without its value."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"].partition(" at line")[0]


#: As a browser can still write it.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def _age(one: Verdict) -> tuple[datetime, str]:
    """What decides; of two of the same moment always the same one."""
    return (one.at, one.model_dump_json())
