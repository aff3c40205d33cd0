"""The documents beside the deliverables: one Sidecar a file, one Manifest a campaign. Versioned; never a secret in them.

Neither holds a link of the provider's: those are signed and die within a day, so provenance is by digest and job id. The
address of a remote source holds no secret: a campaign with a signed one is refused.
Credits are decimal strings, lengths are seconds as decimal strings, times are ISO 8601 in UTC.

A field that is not known is read over: machines of one campaign may have several versions of Callsheet, and a newer one may
say more. One of a later version of the document is refused, since its fields may mean something else.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictInt, ValidationError

if TYPE_CHECKING:
    from callsheet.sweep import Variant

#: Raised whenever a field changes its meaning or goes away; a new optional field does not raise it.
SCHEMA_VERSION: Literal[1] = 1

#: Bytes of a document that are read, at most: what is longer is none of ours. A sidecar has some 4 kB, and a manifest some
#: 2 kB for each variant.
MOST_SIDECAR, MOST_MANIFEST = 4_000_000, 500_000_000


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


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
    start: str | None = Field(default=None, description="Where in the source it begins, in seconds.")
    reads: str | None = Field(default=None, description="Seconds of the source from there on that were read.")
    framing: str | None = Field(default=None, description="How it came to its shape: native, crop or pad.")


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

    @classmethod
    def of(cls, variant: "Variant") -> Self:
        return cls(
            clip=variant.clip,
            references=variant.references,
            prompt=variant.prompt,
            aspect_ratio=variant.aspect_ratio,
            keep_original_sound=variant.keep_original_sound,
            model=variant.model,
            take=variant.take,
            variables=dict(variant.variables),
            options=dict(variant.options),
        )


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
    received_sha256: str | None = Field(
        default=None, description="Of the bytes as the provider gave them, without the mark; null in older documents."
    )
    received_bytes: int | None = None


class SignatureRecord(_Document):
    """The C2PA manifest that is signed into the file."""

    algorithm: str
    subject: str = Field(description="Whose certificate it is: its common name.")
    issuer: str
    serial: str
    manifest: str = Field(description="Label of the manifest in the file.")


class MarkingRecord(_Document):
    """How the file itself says, for machines, how it was made: docs/marking.md."""

    state: Literal["added", "kept", "off", "impossible"] = Field(
        description="added: the file has our mark. kept: it came signed (C2PA), and a mark would break that. off: the campaign "
        "wants none. impossible: the file takes none."
    )
    why: str = Field(default="", description="Of what is impossible.")
    digital_source_type: str | None = Field(
        default=None, description="The term of IPTC's vocabulary of digital source types."
    )
    received_says: str | None = Field(
        default=None, description="The term that the file came with, if it came with one."
    )
    offset: int | None = Field(default=None, description="Where the box of the mark begins in the file.")
    bytes: int | None = Field(default=None, description="Of that box: without it the file is as received.")
    closed: int | None = Field(
        default=None, description="Offset of a box whose size was 0 when it came, and is written out now."
    )
    signature: SignatureRecord | None = Field(
        default=None, description="Signed files have moved offsets: only the whole file can be compared then."
    )


class VersionsRecord(_Document):
    """What made the document and what it tells of."""

    catalogue: int = Field(
        description="Of the models' fields, limits and prices. No provider tells versions of its models."
    )
    ffmpeg: str = Field(
        default="", description="Which prepared the inputs, or found them prepared, and decoded the result."
    )
    python: str = ""


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

    schema_version: Literal[1] = SCHEMA_VERSION
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
    take_id: int | None = Field(default=None, description="Number of the take in the ledger.")
    round: Literal["", "retake", "promoted"] = Field(
        default="", description="What a review has added it as; the campaign itself does not have it."
    )
    marking: MarkingRecord | None = Field(default=None, description="Null in older documents: there is no mark.")
    versions: VersionsRecord | None = None


class StrayRecord(_Document):
    """What is known of a result whose variant the campaign no longer had when it came; beside it as `<name>.json`."""

    schema_version: Literal[1] = SCHEMA_VERSION
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
    identity: dict[str, JsonValue] | None = Field(
        default=None,
        description="What was paid for, by content, as the ledger has it: prompt, model, digests of inputs.",
    )
    take_id: int | None = Field(default=None, description="Number of the take in the ledger.")
    marking: MarkingRecord | None = Field(default=None, description="Null in older documents: there is no mark.")
    versions: VersionsRecord | None = None


class ManifestEntry(_Document):
    """One variant of the plan and how it ended."""

    slug: str
    key: str
    axes: AxisValues
    state: str = Field(description="archived, skipped, failed, in_doubt or pending.")
    take_id: int | None = None
    deliverable: str | None = Field(default=None, description="Path of the .mp4, relative to the manifest.")
    sha256: str | None = Field(default=None, description="Of the deliverable; null in older documents.")
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

    schema_version: Literal[1] = SCHEMA_VERSION
    callsheet: str
    campaign: str
    route: str
    draft: bool
    plan: str
    written_at: datetime
    credits: str = Field(description="Charged for the archived variants listed here.")
    usd: str
    entries: list[ManifestEntry]


class _Version(BaseModel):
    schema_version: Annotated[StrictInt, Field(ge=1, le=1_000_000)]


D = TypeVar("D", Sidecar, StrayRecord, Manifest)

_KINDS: dict[type[BaseModel], str] = {Sidecar: "sidecar", StrayRecord: "record of a stray", Manifest: "manifest"}


def read(kind: type[D], data: bytes) -> D:
    """A document from its bytes. ValueError, in words, for what is none, or is one of a later version."""
    try:
        version = _Version.model_validate_json(data).schema_version
        if version > SCHEMA_VERSION:
            raise ValueError(
                f"it is a {_KINDS[kind]} of version {version}, and this Callsheet reads versions up to {SCHEMA_VERSION}; "
                "a newer Callsheet reads it"
            )
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise ValueError(f"it is no {_KINDS[kind]}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """What is wrong first, without what stands there: that may be anything."""
    told = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, told["loc"]))[:120]
    return f"{place}: {told['msg'][:200]}" if place else told["msg"][:200]
