"""The form of a campaign: which keys there are, what each takes, and what an editor says of it.

It is written in the schema language of pydantic-core, whose validator reads a campaign: `check` of one file spends more
time on building pydantic's own models than on everything else (docs/decisions/0004). Each kind of value says both
what is accepted and how a JSON Schema tells it; a test holds the two against each other.

A key that may be absent has a default of its own, and never accepts null: `budget:` with nothing behind it is a mistake,
and reading it as "no ceiling" would be a dear one.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic_core import CoreSchema, SchemaValidator
from pydantic_core import core_schema as core

from callsheet import campaign_text as text
from callsheet import naming
from callsheet.nearest import listed

#: What takes one of a few words.
CHOICES = {
    "framing": ("native", "crop", "pad"),
    "rerender": ("changed", "every-run"),
    "sse": ("AES256", "aws:kms", "aws:kms:dsse"),
    "storage_class": (
        "STANDARD",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER_IR",
        "GLACIER",
        "DEEP_ARCHIVE",
        "REDUCED_REDUNDANCY",
    ),
    "acl": ("private", "bucket-owner-full-control", "bucket-owner-read", "authenticated-read", "public-read"),
}

#: How pydantic-core calls the choices below, and the key of a mapping, in the place of a mistake.
SHORT, LIST, MAPPING = "<short>", "<list>", "<mapping>"
PICKS = frozenset({SHORT, LIST, MAPPING, "[key]"})

Schema = dict[str, Any]


class Kind(NamedTuple):
    """A kind of value: what the validator accepts, and how a JSON Schema tells it."""

    accepts: CoreSchema
    told: Schema


class Key(NamedTuple):
    """A key of a mapping. `default` and `told` are for editors; who reads the campaign fills in what is absent."""

    kind: Kind
    description: str
    examples: tuple[Any, ...] = ()
    default: Any = None
    is_required: bool = False
    told: Mapping[str, Any] = MappingProxyType({})


class Form(NamedTuple):
    """A mapping of known keys. `name`: of its part of the JSON Schema."""

    name: str
    description: str
    keys: Mapping[str, Key]

    @property
    def kind(self) -> Kind:
        fields = {
            name: core.typed_dict_field(key.kind.accepts, required=key.is_required) for name, key in self.keys.items()
        }
        accepts = core.typed_dict_schema(fields, strict=True, extra_behavior="forbid")
        return Kind(accepts, {"$ref": f"#/$defs/{self.name}"})


# --- kinds ----------------------------------------------------------------------------------------------------------


def _text(check: Callable[[str], str] | None = None, **told: Any) -> Kind:
    accepts: CoreSchema = core.str_schema(strict=True)
    if check is not None:
        accepts = core.no_info_after_validator_function(check, accepts)
    return Kind(accepts, {"type": "string", **told})


def _free(check: Callable[[Any], Any], told: Schema) -> Kind:
    """Whatever `check` takes."""
    return Kind(core.no_info_plain_validator_function(check), told)


def _choice(name: str) -> Kind:
    words = CHOICES[name]
    return Kind(core.literal_schema(list(words)), {"enum": list(words), "type": "string"})


def _list(item: Kind, check: Callable[[list[Any]], Any] | None = None, **told: Any) -> Kind:
    accepts: CoreSchema = core.list_schema(item.accepts, strict=True)
    if check is not None:
        accepts = core.no_info_after_validator_function(check, accepts)
    return Kind(accepts, {"items": item.told, "type": "array", **told})


def _values(item: Kind) -> Kind:
    """At least one. That no value stands there twice is checked in campaign_checks.py, which points at the second one."""
    return _list(item, text.checks_not_empty("the list"), minItems=1, uniqueItems=True)


def _or_list(short: Kind, several: Kind) -> Kind:
    choices = {SHORT: short.accepts, LIST: several.accepts}
    accepts = core.tagged_union_schema(choices, lambda value: LIST if isinstance(value, list) else SHORT)
    return Kind(accepts, {"oneOf": [short.told, several.told]})


def _or_mapping(short: Kind, long: Kind) -> Kind:
    choices = {SHORT: short.accepts, MAPPING: long.accepts}
    accepts = core.tagged_union_schema(choices, lambda value: MAPPING if isinstance(value, dict) else SHORT)
    return Kind(accepts, {"oneOf": [short.told, long.told]})


def _by_name(
    check: Callable[[str], str], pattern: str, value: Kind, filled: Callable[[dict[str, Any]], Any] | None = None
) -> Kind:
    """A mapping whose keys a person makes up."""
    accepts: CoreSchema = core.dict_schema(
        core.no_info_after_validator_function(check, core.str_schema(strict=True)), value.accepts, strict=True
    )
    if filled is not None:
        accepts = core.no_info_after_validator_function(filled, accepts)
    told = {
        "patternProperties": {pattern: value.told},
        "propertyNames": {"maxLength": 64},
        "type": "object",
        "additionalProperties": False,
    }
    return Kind(accepts, told)


_NAME = r"^[A-Za-z0-9](-?[A-Za-z0-9_.])*-?$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_-]*$"
_SOURCE = (
    r"^(?![A-Za-z][A-Za-z0-9+.-]*://)[\s\S]*\S|^[Ss]3://[^/]+/+[^/]"
    r"|^[Hh][Tt][Tt][Pp][Ss]://[^/@]+/+[^/?][^?]*$"
)
_TAG = r"^[A-Za-z0-9 +=._:/@-]+$"
_DIGITS = r"[0-9][0-9,_]*(\.[0-9]+)?"
_UNIT = "([Cc][Rr][Ee][Dd][Ii][Tt][Ss]?|[Uu][Ss][Dd])"
_AMOUNT = _free(
    text.check_amount,
    {
        "type": "string",
        "pattern": rf"^\s*(\$\s*{_DIGITS}|{_DIGITS}\s*{_UNIT})\s*$",
        "maxLength": text.MAX_AMOUNT_LENGTH,
    },
)
_WINDOW = _free(
    text.check_trim, {"type": "string", "pattern": r"^\s*([0-9][0-9hms.:]*)?\s*\.\.\s*([0-9][0-9hms.:]*)?\s*$"}
)
_CLIP_SOURCE = _text(text.checks_source("media/clips"), pattern=_SOURCE)
_STILL_SOURCE = _text(text.checks_source("media/references"), pattern=_SOURCE)
_PROMPT = _text(text.check_prompt, pattern=r"\S")
_RATIOS = _values(_text())
_MODELS = _or_list(_text(), _values(_text()))
_SWITCH = Kind(core.bool_schema(strict=True), {"type": "boolean"})
_SOUNDS = _or_list(_SWITCH, _values(_SWITCH))
_TAKES = Kind(
    core.int_schema(strict=True, ge=1, le=text.MAX_TAKES), {"maximum": text.MAX_TAKES, "minimum": 1, "type": "integer"}
)
_RETAKES = Kind(
    core.int_schema(strict=True, ge=0, le=text.MAX_RETAKES),
    {"maximum": text.MAX_RETAKES, "minimum": 0, "type": "integer"},
)
_OPTIONS = Kind(
    core.dict_schema(
        core.str_schema(strict=True), core.no_info_plain_validator_function(text.check_option), strict=True
    ),
    {"additionalProperties": False, "type": "object"},
)
_EXTENDS = _free(
    text.check_extended,
    {
        "oneOf": [
            {"type": "string", "pattern": r"\S"},
            {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": r"\S"}},
        ]
    },
)


def _picked(*types: str) -> Schema:
    """The value of one axis in exclude and include: one, or a list of which any is meant."""
    one = {"type": types[0] if len(types) == 1 else list(types)}
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}


_SELECTION = Kind(
    core.no_info_after_validator_function(
        text.check_selection,
        core.dict_schema(
            core.str_schema(strict=True), core.no_info_plain_validator_function(text.check_picked), strict=True
        ),
    ),
    {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "clip": {**_picked("string"), "description": "Name of a clip, or of a glob's clips together."},
            "references": {**_picked("string"), "description": "Name of a set of reference images."},
            "prompt": {**_picked("string"), "description": "Name of a prompt."},
            "model": {**_picked("string"), "description": "Name of a model."},
            "aspect_ratio": {**_picked("string"), "description": "An aspect ratio, as 9:16."},
            "keep_original_sound": {**_picked("boolean"), "description": "With the sound of the clip, or without."},
        },
        "additionalProperties": {
            **_picked("string", "boolean", "integer"),
            "description": "A value of the variable or of the option of this name.",
        },
    },
)


# --- forms ----------------------------------------------------------------------------------------------------------

#: What a clip or a prompt says for its own variants, instead of what the campaign says: so it has no default of its own.
_OWN = {
    "model": Key(kind=_MODELS, description="The model, or several, for these variants only."),
    "options": Key(kind=_OPTIONS, description="Options of the model for these variants."),
    "aspect_ratios": Key(kind=_RATIOS, description="Shapes of the result for these variants."),
    "keep_original_sound": Key(kind=_SOUNDS, description="Sound of the clip for these variants."),
    "takes": Key(kind=_TAKES, description="Samples of each of these variants."),
}

CLIP = Form(
    name="ClipForm",
    description="A source clip and the part of it that is used.",
    keys={
        **_OWN,
        "source": Key(
            kind=_CLIP_SOURCE,
            description="Path of the file, s3://bucket/key or https://host/path. A glob declares one clip a file.",
            is_required=True,
        ),
        "trim": Key(
            kind=_WINDOW,
            description="The window that is used, from..to, with units.",
            examples=("2s..9.5s", "..5s", "00:02..00:09.5"),
        ),
        "framing": Key(kind=_choice("framing"), description="Who makes the aspect ratio of this clip."),
    },
)

PROMPT = Form(
    name="PromptForm",
    description="A prompt in its long form: its text, or the file that it is in.",
    keys={
        **_OWN,
        "text": Key(
            kind=_PROMPT,
            description="What the model is asked to do; {{ name }} stands for a variable.",
        ),
        "file": Key(
            kind=_text(text.check_prompt_file),
            description="Path of a text file with the prompt.",
            examples=("specs/prompts/dusk.txt",),
        ),
    },
)

SWEEP = Form(
    name="SweepForm",
    description="Which combinations are left out, and which single ones are added.",
    keys={
        "exclude": Key(kind=_list(_SELECTION), description="Leaves out every variant that has all of these values."),
        "include": Key(
            kind=_list(_SELECTION),
            description="Adds one variant. An axis that is not named takes its only value.",
        ),
    },
)

ARCHIVE = Form(
    name="ArchiveForm",
    description="Where the deliverables go, and what they are called.",
    keys={
        "to": Key(
            kind=_text(text.check_destination),
            description="A folder, or s3://bucket/prefix.",
            examples=("archive/", "s3://studio/finals"),
            default="archive/",
        ),
        "name": Key(
            kind=_text(text.check_template),
            description=f"Path below that, without extension. Fields: {listed(sorted(naming.FIELDS))}, and the "
            "variables.",
            default=naming.TEMPLATE,
        ),
        "mark": Key(
            kind=_SWITCH,
            description="Whether each film says in itself, for machines, that a model made it (docs/marking.md).",
            default=True,
        ),
        "sse": Key(kind=_choice("sse"), description="Server-side encryption, in a bucket.", examples=("aws:kms",)),
        "kms_key": Key(
            kind=_text(text.check_kms_key, pattern=r"^\S+$"),
            description="Id, alias or ARN of the key for aws:kms. Absent: the account's own key for S3.",
            examples=("alias/studio",),
        ),
        "storage_class": Key(
            kind=_choice("storage_class"),
            description="Of the videos in a bucket; the small files beside them are STANDARD.",
            examples=("STANDARD_IA",),
        ),
        "acl": Key(
            kind=_choice("acl"),
            description="Who else may read, in a bucket that takes ACLs.",
            examples=("bucket-owner-full-control",),
        ),
        "tags": Key(
            kind=_by_name(text.check_tag_name, _TAG, _text(text.check_tag), text.check_tags),
            description="Tags of every file in a bucket, at most 10.",
            examples=({"team": "creative-ops"},),
            told={"minProperties": 1, "maxProperties": text.MOST_TAGS, "propertyNames": {"maxLength": 128}},
        ),
    },
)

SCHEDULE = Form(
    name="ScheduleForm",
    description="A time that comes again, at which the campaign runs by itself: one of cron, interval and rrule.",
    keys={
        "cron": Key(
            kind=_text(text.check_cron, pattern=r"^\s*\S+(\s+\S+){4}\s*$"),
            description="Minute, hour, day of the month, month, day of the week.",
            examples=("0 6 * * 1",),
        ),
        "interval": Key(
            kind=_text(text.check_interval, pattern=r"^\s*[1-9][0-9]{0,3}\s*[mhdw]\s*$"),
            description="Minutes, hours, days or weeks between two times, from midnight of Monday, 2024-01-01.",
            examples=("6h", "2w"),
        ),
        "rrule": Key(
            kind=_text(text.check_rrule, pattern=r"^[A-Z]+=[^;=]+(;[A-Z]+=[^;=]+)*$"),
            description="A recurrence rule of one line (RFC 5545).",
            examples=("FREQ=MONTHLY;BYDAY=1MO;BYHOUR=6",),
        ),
        "timezone": Key(
            kind=_text(text.check_timezone),
            description="Name of the zone in the tz database.",
            examples=("Asia/Shanghai",),
            default="UTC",
        ),
    },
)

CAMPAIGN = Form(
    name="CampaignForm",
    description="One campaign of Callsheet: clips, reference images, prompts and aspect ratios; every combination is a "
    "variant.",
    keys={
        "campaign": Key(
            kind=_text(text.check_slug, pattern=r"^[a-z0-9][a-z0-9-]{0,63}$"),
            description="Name of the campaign: small letters, digits and hyphens.",
            examples=("summer-launch",),
            is_required=True,
        ),
        "extends": Key(
            kind=_EXTENDS,
            description="Campaign files whose keys count where this one does not say otherwise; paths begin at this "
            "file.",
            examples=("base.yaml",),
        ),
        "model": Key(
            kind=_MODELS,
            description="The model that makes the videos, or a list to compare several; callsheet models lists them.",
            examples=("kling-o1-video-edit",),
            is_required=True,
        ),
        "options": Key(
            kind=_OPTIONS,
            description="Further settings of the model. A list is one more axis, for the models that know the option.",
            examples=({"duration": 5, "quality": ["720p", "1080p"]},),
        ),
        "budget": Key(
            kind=_AMOUNT,
            description="Hard ceiling of the whole campaign, in dollars or credits.",
            examples=("$40.00", "2720 credits"),
        ),
        "approve_above": Key(
            kind=_AMOUNT, description="A person confirms a run that costs more than this.", examples=("$10.00",)
        ),
        "clips": Key(
            kind=_by_name(text.check_name, _NAME, _or_mapping(_CLIP_SOURCE, CLIP.kind), text.checks_not_empty("clips")),
            description="Source clips by name: a path, or a mapping of source, trim and more. For models that take "
            "clips.",
            examples=({"beach": "media/clips/beach.mp4"},),
            told={"minProperties": 1},
        ),
        "references": Key(
            kind=_by_name(
                text.check_name,
                _NAME,
                _or_list(_STILL_SOURCE, _list(_STILL_SOURCE, text.check_paths)),
                text.checks_not_empty("references"),
            ),
            description="Sets of reference images by name: a path, a glob, or a list of them; an empty list is an edit "
            "without images. For image-to-video: the first frame, and the last.",
            examples=({"none": [], "brand-a": ["media/references/brand-a/*.jpg"]},),
            default={"none": []},
            told={"minProperties": 1},
        ),
        "prompts": Key(
            kind=_by_name(text.check_name, _NAME, _or_mapping(_PROMPT, PROMPT.kind), text.checks_not_empty("prompts")),
            description="Prompts by name: a text, or a mapping of text or file and more. {{ name }} stands for a "
            "variable.",
            examples=({"dusk": "Re-light the scene at dusk."},),
            told={"minProperties": 1},
        ),
        "variables": Key(
            kind=_by_name(text.check_variable, _VARIABLE, _or_list(_text(), _values(_text()))),
            description="What {{ name }} stands for. A list is one more axis for the prompts that use it.",
            examples=({"product": "the bottle", "weather": ["wet", "snowy"]},),
        ),
        "aspect_ratios": Key(
            kind=_RATIOS, description="Shapes of the result. Absent: 16:9.", examples=(["16:9", "9:16"],)
        ),
        "keep_original_sound": Key(
            kind=_SOUNDS, description="Keep the sound of the clip; a list of both sweeps it.", default=True
        ),
        "takes": Key(kind=_TAKES, description="Samples of every variant; each one is paid for.", default=1),
        "retakes": Key(
            kind=_RETAKES,
            description="How often a run tries a variant again whose job the provider failed, for a passing reason and "
            "without a charge.",
            examples=(2,),
            default=0,
        ),
        "sweep": Key(kind=SWEEP.kind, description="Combinations to leave out or to add."),
        "framing": Key(
            kind=_choice("framing"),
            description="Who makes the aspect ratio: the model (native), or our preparation, which crops or pads the "
            "clip.",
            default="native",
        ),
        "archive": Key(kind=ARCHIVE.kind, description="Where deliverables go, and their names."),
        "rerender": Key(
            kind=_choice("rerender"),
            description="What a run renders again: only what changed, or everything, paid for again.",
            default="changed",
        ),
        "schedule": Key(
            kind=SCHEDULE.kind,
            description="When the campaign runs by itself.",
            examples=({"cron": "0 6 * * 1", "timezone": "Asia/Shanghai"},),
        ),
    },
)

#: The forms inside the campaign, by the key that they stand under.
FORMS = {"clips": CLIP, "prompts": PROMPT, "sweep": SWEEP, "archive": ARCHIVE, "schedule": SCHEDULE}

#: Gives what was written, each value as its kind reads it; what is absent stays absent.
VALIDATOR = SchemaValidator(CAMPAIGN.kind.accepts)
