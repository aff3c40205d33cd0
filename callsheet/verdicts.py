"""What a reviewer says of the deliverables of a campaign: `<campaign>/verdicts.json` beside the manifest. Versioned.

The review board writes it; `callsheet plan SPEC --verdicts FILE` reads it. A verdict is of a variant by its content key, so one
given on a draft of the sandbox holds for the paid render of the same variant.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from callsheet.sidecar import AxisValues

#: Raised whenever a field changes its meaning or goes away; a new optional field does not raise it.
SCHEMA_VERSION: Literal[1] = 1

Says = Literal["approve", "reject", "retake"]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Verdict(_Document):
    """Of one variant. At least one of `says`, `stars` and `note` is given."""

    key: str = Field(description="Content key of the variant: 64 hex characters, as in the manifest.")
    slug: str
    axes: AxisValues
    says: Says | None = None
    stars: Annotated[int, Field(ge=1, le=5)] | None = None
    note: Annotated[str, Field(max_length=4000)] = ""
    at: datetime = Field(description="When it was given, in UTC.")


class Verdicts(_Document):
    """All verdicts of a campaign; at most one a key."""

    schema_version: Literal[1] = SCHEMA_VERSION
    campaign: str
    draft: bool = Field(description="Given on drafts of the sandbox.")
    plan: str = Field(description="Digest of the plan that the board was of.")
    verdicts: list[Verdict]
