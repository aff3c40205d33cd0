"""The documents beside the deliverables: one Sidecar a file, one Manifest a campaign. Versioned; never a secret in them.

Neither holds a link of the provider's: those are signed and die within a day, so provenance is by digest and job id. The
address of a remote source holds no secret: a campaign with a signed one is refused.
Credits are decimal strings, lengths are seconds as decimal strings, times are ISO 8601 in UTC.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

#: Raised whenever a field changes its meaning or goes away; a new optional field does not raise it.
SCHEMA_VERSION = 1


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceFile(_Document):
    """One input as it was read. `file` is relative to the studio where it is inside it, and of a remote source its address."""

    file: str
    sha256: str
    bytes: int


class ClipRecord(_Document):
    name: str
    source: SourceFile
    trim: str | None = Field(default=None, description='The window of the source, as "2s..9.5s".')
    decision: Literal["pass", "remux", "transcode"]
    reasons: list[str] = Field(description="Why it was not passed on untouched; empty for pass.")
    notes: list[str] = Field(
        default=[], description="What was said of it before the run, as frozen frames or a crop's loss."
    )
    prepared_sha256: str
    prepared_bytes: int
    seconds: str = Field(description="Length of the prepared clip, which is what is billed.")
    width: int
    height: int


class StillRecord(_Document):
    source: SourceFile
    decision: Literal["pass", "transcode"]
    reasons: list[str]
    prepared_sha256: str
    prepared_bytes: int


class AxisValues(_Document):
    """Which cell of the sweep: the names as the campaign gives them."""

    clip: str
    references: str
    prompt: str
    aspect_ratio: str
    keep_original_sound: bool | None = Field(description="Null for a model that has no say in it.")
    model: str
    take: int
    variables: dict[str, str] = {}
    options: dict[str, str | int | bool] = Field(default={}, description="Of the model, as sent; lists as JSON.")


class JobRecord(_Document):
    """The provider's side."""

    route: str
    job: str
    request_id: str = ""
    idempotency_key: str
    submitted_at: datetime
    finished_at: datetime


class MoneyRecord(_Document):
    planned: str
    charged: str | None = Field(description="What the provider reported; null where it reported nothing.")
    usd: str


class ResultRecord(_Document):
    file: str = Field(description="Name of the deliverable beside this sidecar.")
    sha256: str
    bytes: int
    seconds: str
    width: int
    height: int
    frame_rate: str
    video_codec: str
    has_sound: bool


class Finding(_Document):
    """What one check of a result found."""

    check: str = Field(description="Name of the check, as docs/quality.md lists them.")
    verdict: Literal["pass", "flag"]
    measured: str = Field(description="The number that was looked at, with its unit.")
    limit: str = Field(description="What it may be.")
    says: str = Field(default="", description="In words, for a flag.")


class Quality(_Document):
    """How a result stood the checks before it counted as good: a flag where one of them flags."""

    verdict: Literal["pass", "flag"]
    findings: list[Finding]


class Sidecar(_Document):
    """Full provenance of one deliverable, written beside it as `<name>.json`."""

    schema_version: int = SCHEMA_VERSION
    callsheet: str = Field(description="Version of Callsheet that wrote this.")
    campaign: str
    slug: str
    key: str = Field(description="Content identity of the variant: 64 hex characters.")
    plan: str = Field(description="Digest of the plan that was approved.")
    occurrence: datetime | None = Field(default=None, description="Of the schedule that it was made for.")
    axes: AxisValues
    prompt: str = Field(description="The prompt as sent.")
    clip: ClipRecord | None = Field(description="Null for a model that takes no clip.")
    references: list[StillRecord]
    job: JobRecord
    money: MoneyRecord
    result: ResultRecord
    quality: Quality | None = Field(default=None, description="Null where nothing was checked.")
    draft: bool = Field(description="True for a sandbox render: a draft, not the provider's work.")
    archived_at: datetime


class StrayRecord(_Document):
    """What is known of a result whose variant the campaign no longer had when it came; beside it as `<name>.json`."""

    schema_version: int = SCHEMA_VERSION
    callsheet: str = Field(description="Version of Callsheet that wrote this.")
    campaign: str
    slug: str
    key: str = Field(description="Content identity of the variant: 64 hex characters.")
    plan: str = Field(description="Digest of the plan that was approved.")
    occurrence: datetime | None = Field(default=None, description="Of the schedule that it was made for.")
    job: JobRecord
    money: MoneyRecord
    result: ResultRecord
    draft: bool = Field(description="True for a sandbox render: a draft, not the provider's work.")
    archived_at: datetime


class ManifestEntry(_Document):
    """One variant of the plan and how it ended."""

    slug: str
    key: str
    axes: AxisValues
    state: str = Field(description="archived, skipped, failed, in_doubt or pending.")
    take_id: int | None = None
    deliverable: str | None = Field(default=None, description="Path of the .mp4, relative to the manifest.")
    sidecar: str | None = None
    source: str | None = Field(
        default=None, description="Playable copy of the prepared clip, relative to the manifest."
    )
    poster: str | None = Field(default=None, description="Still of the deliverable (JPEG), relative to the manifest.")
    source_poster: str | None = Field(default=None, description="Still of the source (JPEG), relative to the manifest.")
    prompt: str = ""
    credits: str = "0"
    seconds: str = ""
    width: int | None = None
    height: int | None = None
    quality: Quality | None = None
    round: Literal["", "retake", "promoted"] = Field(
        default="", description="What a review has added it as; the campaign itself does not have it."
    )
    reason: str = ""


class Manifest(_Document):
    """What a campaign has in the archive now: `<campaign>/manifest.json`, replaced atomically after every run."""

    schema_version: int = SCHEMA_VERSION
    callsheet: str
    campaign: str
    route: str
    draft: bool
    plan: str
    written_at: datetime
    credits: str = Field(description="Charged for the archived variants listed here.")
    usd: str
    entries: list[ManifestEntry]
