"""The campaign as it is written: its form as pydantic models, the JSON Schema of them, and one sentence for every mistake.

Texts, amounts and windows are checked here, each alone; what must hold across the keys, and for the model that is named,
is in campaign_checks.py.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from callsheet import catalogue, naming
from callsheet.credits import Credits
from callsheet.nearest import did_you_mean, listed, nearest
from callsheet.yamltext import Path, described, shown

#: Samples of one variant; more is a mistyped number sooner than a wish.
MAX_TAKES = 20
#: Digits of an amount. Longer ones are no money, and Decimal would round them.
MAX_AMOUNT_LENGTH = 20
#: Digits behind the second's point: the plan and the encoder count in microseconds.
MAX_DECIMALS = 6
#: Characters of one point in time.
MAX_TIME_LENGTH = 20
#: A point in time further on than a whole day is a mistyped one.
MAX_SECONDS = 86_400

#: Mistakes that are told at once; who has more fixes these first.
MOST_MISTAKES = 100
#: Paths in one reference set. No model takes more than a handful of images.
MOST_PATHS = 100

AMOUNT_HINT = 'Write it like "$40.00" or "2720 credits".'
TRIM_HINT = "Write start..end with units, as 2s..9.5s, ..5s, 1m2s.. or 00:02..00:09.5."

#: A variable in a prompt.
PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")

#: Names of the sweep's own axes; a variable cannot be called like one of them.
AXES = ("clip", "references", "prompt", "model", "aspect_ratio", "keep_original_sound")
#: What one clip or prompt can say for itself instead of what the campaign says.
OVERRIDES = ("model", "options", "aspect_ratios", "keep_original_sound", "takes")

#: One value of an axis in exclude and include, or several of which any is meant.
Picked = str | bool | int


def mistake(message: str, hint: str = "") -> PydanticCustomError:
    """A validator's complaint, in words that a person is shown as they are."""
    return PydanticCustomError("mistake", "{message}", {"message": message, "hint": hint})


# --- windows of a clip ----------------------------------------------------------------------------------------------

_UNITS = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+)ms)?", re.ASCII)
_CLOCK = re.compile(r"(?:(?P<h>\d+):)?(?P<m>\d+):(?P<s>\d+(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Trim:
    """A window of a clip in exact seconds; no end means to the end of the clip."""

    start: Fraction
    end: Fraction | None

    def __str__(self) -> str:
        """The one spelling: "2s..9.5s", "2s.."."""
        end = "" if self.end is None else f"{_decimal(self.end)}s"
        return f"{_decimal(self.start)}s..{end}"


def parse_trim(text: str) -> Trim:
    """The window in "2s..9.5s", "..5s", "2s..", "1m5s..1m9s", "500ms..2s" or "00:02..00:09.5". ValueError otherwise."""
    start_text, dots, end_text = (part.strip() for part in text.partition(".."))
    if not dots:
        raise ValueError(f"{shown(text)} is no window: it has no ..")
    if not start_text and not end_text:
        raise ValueError(".. alone trims nothing")
    start = _seconds(start_text) if start_text else Fraction(0)
    end = _seconds(end_text) if end_text else None
    if end is not None and end <= start:
        raise ValueError(f"the window ends at {_decimal(end)} s, and it begins at {_decimal(start)} s")
    return Trim(start=start, end=end)


def _seconds(text: str) -> Fraction:
    if len(text) > MAX_TIME_LENGTH:
        raise ValueError(f"{shown(text)} is no point in time")
    if re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII):
        raise ValueError(f"{shown(text)} has no unit")
    match = _UNITS.fullmatch(text) or _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(text)} is no point in time")
    part = match.groupdict()
    total = Fraction(part["h"] or 0) * 3600 + Fraction(part["m"] or 0) * 60 + Fraction(part["s"] or 0)
    total += Fraction(part.get("ms") or 0) / 1000
    if total > MAX_SECONDS:
        raise ValueError(f"{shown(text)} is more than a day")
    if (total * 10**MAX_DECIMALS).denominator != 1:
        raise ValueError(f"{shown(text)} is finer than a microsecond")
    return total


def _decimal(seconds: Fraction) -> str:
    whole, rest = divmod(int(seconds * 10**MAX_DECIMALS), 10**MAX_DECIMALS)
    return f"{whole}.{rest:0{MAX_DECIMALS}d}".rstrip("0").rstrip(".")


# --- texts with a form of their own ---------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_TIMEZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}")
_THOUSANDS = re.compile(r"\D*\d{1,3}(?:,\d{3})+(?:\.\d+)?\D*", re.ASCII)


def _name(text: str) -> str:
    if len(text) > 64:
        raise mistake(
            f"the name {shown(text)} has {len(text)} characters, and at most 64 fit a file name", "Shorten it."
        )
    if not _NAME.fullmatch(text):
        hint = "Use letters, digits, - _ and . only, and begin with a letter or digit."
        raise mistake(f"{shown(text)} cannot be a name, because it becomes part of a file name", hint)
    if "--" in text:
        raise mistake(
            f"the name {shown(text)} has -- in it, which separates the parts of a file name", "Write a single -."
        )
    return text


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        plain = re.sub(r"[^a-z0-9]+", "-", text[:64].lower()).strip("-") or "summer-launch"
        hint = f"Use small letters, digits and -, at most 64 of them: {plain}."
        raise mistake(f"{shown(text)} cannot be the name of a campaign", hint)
    return text


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        hint = "Use letters, digits, _ and -, at most 64, and begin with a letter."
        raise mistake(f"{shown(text)} cannot be the name of a variable", hint)
    if text in (*AXES, "take", "sound", "campaign"):
        raise mistake(f"a variable cannot be called `{text}`, because the sweep itself has a `{text}`", "Rename it.")
    return text


def _amount(value: object) -> Credits:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise PydanticCustomError("no_unit", "an amount without a unit")
    if not isinstance(value, str):
        raise mistake(f"expected an amount, found {described(value)}", AMOUNT_HINT)
    if len(value) > MAX_AMOUNT_LENGTH:
        raise mistake(f"{shown(value)} is no amount: it has {len(value):,} characters", AMOUNT_HINT)
    if "," in value and not _THOUSANDS.fullmatch(value):
        raise mistake(f"{shown(value)}: a comma separates thousands, and here it does not", AMOUNT_HINT)
    try:
        return Credits.parse(value)
    except ValueError as error:
        message = str(error) if "finer" in str(error) else f"{shown(value)} is no amount"
        raise mistake(message, AMOUNT_HINT) from None


def read_amount(value: object) -> Credits | None:
    """The amount that was written; None where it is none, which is told as a mistake of form."""
    try:
        return _amount(value)
    except PydanticCustomError:
        return None


def _trim(value: object) -> Trim:
    if not isinstance(value, str):
        raise mistake(f"expected a window of the clip, found {described(value)}", TRIM_HINT)
    try:
        return parse_trim(value)
    except ValueError as error:
        raise mistake(str(error), TRIM_HINT) from None


def _source(folder: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not text.strip():
            raise mistake("the path is empty", f"Write the path of a file, as {folder}/….")
        if url := _URL.match(text):
            _remote(text, url["scheme"].lower(), text[url.end() :], folder)
        return text

    return check


def _remote(text: str, scheme: str, rest: str, folder: str) -> None:
    """A source that is fetched: s3://bucket/key or https://host/path."""
    if scheme not in ("s3", "https"):
        hint = f"Write s3://bucket/key or https://host/path, or copy the file into {folder}."
        raise mistake(f"{scheme}:// sources are not read", hint)
    host, slash, path = rest.partition("/")
    if not host or not slash or not path.strip("/"):
        form = "s3://bucket/key" if scheme == "s3" else "https://host/path"
        raise mistake(f"{shown(text)} names no file", f"Write {form}.")
    if scheme == "https" and ("@" in host or "?" in path):
        what = "a password" if "@" in host else "a query (signed links have one)"
        raise mistake(f"a source with {what} would be written into every sidecar", "Use a plain address.")


def _prompt(text: str) -> str:
    if not text.strip():
        raise mistake("the prompt is empty", "Write what the model is to do with the clip.")
    return text


def _paths(values: list[str]) -> list[str]:
    if len(values) > MOST_PATHS:
        raise mistake(f"{len(values):,} paths in one set, and {MOST_PATHS} is the most that is read", "Use a glob.")
    return values


def _option(value: object) -> object:
    """Only what no option of any model can be; whether the model knows it is checked with the model."""
    if value is None or not _is_exact(value):
        found = "a fraction" if value is not None else described(value)
        raise mistake(f"expected a value of this option, found {found}", "`callsheet models` lists them.")
    if isinstance(value, list) and not value:
        raise mistake("the list is empty, and then there is nothing to shoot", "Write at least one value.")
    return value


def _prompt_file(text: str) -> str:
    if not text.strip():
        raise mistake("the path is empty", "Write the path of a text file, as specs/prompts/dusk.txt.")
    if _URL.match(text):
        raise mistake("a prompt is read from a file of this machine only", "Copy it here, or write it as text.")
    return text


def _extended(value: object) -> list[str]:
    """The files that are extended, the nearest first."""
    paths = [path for path in (value if isinstance(value, list) else [value]) if isinstance(path, str) and path.strip()]
    if not paths or (isinstance(value, list) and len(paths) < len(value)):
        raise mistake(f"expected the path of a campaign file, found {described(value)}", "Write extends: base.yaml.")
    return paths


def _is_exact(value: object) -> bool:
    """Without fractions and empty values, at any depth: no option takes one."""
    if isinstance(value, list):
        return all(map(_is_exact, value))
    if isinstance(value, dict):
        return all(map(_is_exact, value.values()))
    return isinstance(value, str | int)


def _selection(values: dict[str, Any]) -> dict[str, Any]:
    if not values:
        raise mistake("this names no axis", "Write for example {clip: pier, aspect_ratio: 9:16}.")
    return values


def _picked(value: object) -> "Picked | list[Picked]":
    if isinstance(value, list):
        if not value:
            raise mistake("the list is empty, so this selects nothing", "Write one value of the axis, or several.")
        return [_one_picked(item) for item in value]
    return _one_picked(value)


def _one_picked(value: object) -> Picked:
    if isinstance(value, str | bool | int):
        return value
    raise mistake(f"expected one value of the axis, found {described(value)}", "Put it in quotes, if it is text.")


def _destination(text: str) -> str:
    if not text.strip():
        raise mistake("the place of the archive is empty", "Write a folder, as archive/, or s3://bucket/prefix.")
    url = _URL.match(text)
    if url and url["scheme"].lower() != "s3":
        raise mistake(
            f"{url['scheme'].lower()}:// is no archive", "Write a folder, as archive/, or s3://bucket/prefix."
        )
    if url and not text[url.end() :].strip("/"):
        raise mistake("s3:// names no bucket", "Write s3://bucket/prefix.")
    return text


def _template(text: str) -> str:
    """Only the form; which fields there are depends on the variables."""
    try:
        fields = naming.placeholders(text)
    except ValueError as error:
        raise mistake(str(error), "A field is a name in single braces: {clip}.") from None
    if not fields:
        raise mistake(
            "the name has no field in it, so every deliverable would be called the same", "Use {clip} and others."
        )
    parts = text.split("/")
    if text.startswith("/") or any(not part.strip(". ") for part in parts) or "\\" in text:
        raise mistake(
            f"{shown(text)} is not a path below the archive", "Write folder/name without a leading /, . or .."
        )
    if len(parts) > naming.MAX_PARTS:
        raise mistake(f"the name has {len(parts)} parts, and {naming.MAX_PARTS} is the most", "Use fewer folders.")
    return text


_CRON_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_CRON_HINT = 'Write minute, hour, day, month and day of the week: "0 6 * * 1" is Mondays at 6:00.'


def _cron(text: str) -> str:
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS):
        raise mistake(f"{shown(text)} has {len(fields)} fields, and a cron line has {len(_CRON_FIELDS)}", _CRON_HINT)
    for written, (title, low, high, words) in zip(fields, _CRON_FIELDS, strict=True):
        if not all(_fits_cron(part, low, high, words) for part in written.split(",")):
            raise mistake(f"{shown(written)} is no {title} of a cron line ({low} to {high})", _CRON_HINT)
    return text


def _fits_cron(part: str, low: int, high: int, words: Sequence[str]) -> bool:
    """One part of a list: *, a value, a range, each with or without a step."""
    span, slash, step = part.partition("/")
    if slash and not (step.isascii() and step.isdigit() and 0 < int(step[:4]) <= high):
        return False
    if span == "*":
        return True
    begin, dash, end = span.partition("-")
    values = [_cron_value(word, low, words) for word in ((begin, end) if dash else (begin,))]
    return all(value is not None and low <= value <= high for value in values)


def _cron_value(word: str, low: int, words: Sequence[str]) -> int | None:
    if word.lower() in words:
        return words.index(word.lower()) + low
    return int(word) if word.isascii() and word.isdigit() and len(word) < 4 else None


def _timezone(text: str) -> str:
    """The shape only; whether this machine knows the zone is for the step that schedules."""
    if not _TIMEZONE.fullmatch(text):
        raise mistake(f"{shown(text)} is no time zone", "Write its name in the tz database, as Asia/Shanghai or UTC.")
    return text


def _not_empty(what: str) -> Callable[[Any], Any]:
    def check(values: Any) -> Any:
        if not values:
            raise mistake(
                f"{what} is empty, and then there is nothing to shoot", "Write at least one, or remove the key."
            )
        return values

    return check


# --- the form of the document ---------------------------------------------------------------------------------------

# A key that may be absent has a default of its own, and never accepts null: `budget:` with nothing behind it is a
# mistake, and reading it as "no ceiling" would be a dear one.

_NAME_SCHEMA = {"type": "string", "pattern": r"^[A-Za-z0-9](-?[A-Za-z0-9_.])*-?$", "maxLength": 64}
_VARIABLE_SCHEMA = {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_-]*$", "maxLength": 64}
_SLUG_SCHEMA = {"type": "string", "pattern": r"^[a-z0-9][a-z0-9-]{0,63}$"}
_SOURCE_SCHEMA = {
    "type": "string",
    "pattern": r"^(?![A-Za-z][A-Za-z0-9+.-]*://)[\s\S]*\S|^[Ss]3://[^/]+/+[^/]"
    r"|^[Hh][Tt][Tt][Pp][Ss]://[^/@]+/+[^/?][^?]*$",
}
_DIGITS = r"[0-9][0-9,_]*(\.[0-9]+)?"
_UNIT = "([Cc][Rr][Ee][Dd][Ii][Tt][Ss]?|[Uu][Ss][Dd])"
_AMOUNT_SCHEMA = {
    "type": "string",
    "pattern": rf"^\s*(\$\s*{_DIGITS}|{_DIGITS}\s*{_UNIT})\s*$",
    "maxLength": MAX_AMOUNT_LENGTH,
}
_TRIM_SCHEMA = {"type": "string", "pattern": r"^\s*([0-9][0-9hms.:]*)?\s*\.\.\s*([0-9][0-9hms.:]*)?\s*$"}
_EXTENDS_SCHEMA = {
    "oneOf": [
        {"type": "string", "pattern": r"\S"},
        {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": r"\S"}},
    ]
}
_CRON_SCHEMA = {"type": "string", "pattern": r"^\s*\S+(\s+\S+){4}\s*$"}

Name = Annotated[str, AfterValidator(_name), WithJsonSchema(_NAME_SCHEMA)]
Variable = Annotated[str, AfterValidator(_variable), WithJsonSchema(_VARIABLE_SCHEMA)]
Amount = Annotated[Credits | None, PlainValidator(_amount), WithJsonSchema(_AMOUNT_SCHEMA)]
Window = Annotated[Trim | None, PlainValidator(_trim), WithJsonSchema(_TRIM_SCHEMA)]
ClipSource = Annotated[str, AfterValidator(_source("media/clips")), WithJsonSchema(_SOURCE_SCHEMA)]
StillSource = Annotated[str, AfterValidator(_source("media/references")), WithJsonSchema(_SOURCE_SCHEMA)]
PromptText = Annotated[str, AfterValidator(_prompt), WithJsonSchema({"type": "string", "pattern": r"\S"})]

_SOME = AfterValidator(_not_empty("the list"))
#: That no value stands there twice is checked in campaign_checks.py, which can point at the second one.
_DISTINCT = Field(json_schema_extra={"uniqueItems": True, "minItems": 1})


def _short_or_list(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<short>"


def _short_or_mapping(value: object) -> str:
    return "<mapping>" if isinstance(value, dict) else "<short>"


_SHORT, _LIST, _MAPPING = Tag("<short>"), Tag("<list>"), Tag("<mapping>")
_TAGS = {"<short>", "<list>", "<mapping>", "[key]"}


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


Ratios = Annotated[list[str], _SOME, _DISTINCT]
Sounds = Annotated[
    Annotated[bool, _SHORT] | Annotated[list[bool], _SOME, _DISTINCT, _LIST], Discriminator(_short_or_list)
]
Models = Annotated[
    Annotated[str, _SHORT] | Annotated[list[str], _SOME, _DISTINCT, _LIST], Discriminator(_short_or_list)
]
OptionValues = dict[str, Annotated[Any, PlainValidator(_option)]]
Framing = Literal["native", "crop", "pad"]


class OverridesForm(_Form):
    """What a clip or a prompt says for its own variants, instead of what the campaign says."""

    model: Models = Field(default="", description="The model, or several, for these variants only.")
    options: OptionValues = Field(default_factory=dict, description="Options of the model for these variants.")
    aspect_ratios: Ratios = Field(default_factory=list, description="Shapes of the result for these variants.")
    keep_original_sound: Sounds = Field(default=True, description="Sound of the clip for these variants.")
    takes: int = Field(default=1, ge=1, le=MAX_TAKES, description="Samples of each of these variants.")

    def own(self, key: str) -> bool:
        """Does it say this itself?"""
        return key in self.model_fields_set


class ClipForm(OverridesForm):
    """A source clip and the part of it that is used."""

    source: ClipSource = Field(
        description="Path of the file, s3://bucket/key or https://host/path. A glob declares one clip a file."
    )
    trim: Window = Field(
        default=None,
        description="The window that is used, from..to, with units.",
        examples=["2s..9.5s", "..5s", "00:02..00:09.5"],
    )
    framing: Framing = Field(default="native", description="Who makes the aspect ratio of this clip.")


def _picked_schema(*kinds: str) -> dict[str, Any]:
    """The value of one axis in exclude and include: one, or a list of which any is meant."""
    one = {"type": kinds[0] if len(kinds) == 1 else list(kinds)}
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}


Selection = Annotated[
    dict[str, Annotated[Any, PlainValidator(_picked)]],
    AfterValidator(_selection),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "properties": {
                "clip": {**_picked_schema("string"), "description": "Name of a clip, or of a glob's clips together."},
                "references": {**_picked_schema("string"), "description": "Name of a set of reference images."},
                "prompt": {**_picked_schema("string"), "description": "Name of a prompt."},
                "model": {**_picked_schema("string"), "description": "Name of a model."},
                "aspect_ratio": {**_picked_schema("string"), "description": "An aspect ratio, as 9:16."},
                "keep_original_sound": {
                    **_picked_schema("boolean"),
                    "description": "With the sound of the clip, or without.",
                },
            },
            "additionalProperties": {
                **_picked_schema("string", "boolean", "integer"),
                "description": "A value of the variable or of the option of this name.",
            },
        }
    ),
]


class PromptForm(OverridesForm):
    """A prompt in its long form: its text, or the file that it is in."""

    text: PromptText = Field(default="", description="What the model is asked to do; {{ name }} stands for a variable.")
    file: Annotated[str, AfterValidator(_prompt_file)] = Field(
        default="", description="Path of a text file with the prompt.", examples=["specs/prompts/dusk.txt"]
    )


class SweepForm(_Form):
    """Which combinations are left out, and which single ones are added."""

    exclude: list[Selection] = Field(
        default_factory=list, description="Leaves out every variant that has all of these values."
    )
    include: list[Selection] = Field(
        default_factory=list, description="Adds one variant. An axis that is not named takes its only value."
    )


class ArchiveForm(_Form):
    """Where the deliverables go, and what they are called."""

    to: Annotated[str, AfterValidator(_destination)] = Field(
        default="archive/", description="A folder, or s3://bucket/prefix.", examples=["archive/", "s3://studio/finals"]
    )
    name: Annotated[str, AfterValidator(_template)] = Field(
        default=naming.TEMPLATE,
        description=f"Path below that, without extension. Fields: {listed(sorted(naming.FIELDS))}, and the variables.",
    )


class ScheduleForm(_Form):
    """A time that comes again, at which the campaign runs by itself."""

    cron: Annotated[str, AfterValidator(_cron), WithJsonSchema(_CRON_SCHEMA)] = Field(
        description="Minute, hour, day of the month, month, day of the week.", examples=["0 6 * * 1"]
    )
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        default="UTC", description="Name of the zone in the tz database.", examples=["Asia/Shanghai"]
    )


#: The schedule of a campaign that has none.
_NEVER = ScheduleForm.model_construct(cron="", timezone="UTC")


class CampaignForm(_Form):
    """One campaign of Callsheet: clips, reference images, prompts and aspect ratios; every combination is a variant."""

    campaign: Annotated[str, AfterValidator(_slug), WithJsonSchema(_SLUG_SCHEMA)] = Field(
        description="Name of the campaign: small letters, digits and hyphens.", examples=["summer-launch"]
    )
    extends: Annotated[list[str], PlainValidator(_extended), WithJsonSchema(_EXTENDS_SCHEMA)] = Field(
        default_factory=list,
        description="Campaign files whose keys count where this one does not say otherwise; paths begin at this file.",
        examples=["base.yaml"],
    )
    model: Models = Field(
        description="The model that makes the videos, or a list to compare several; callsheet models lists them.",
        examples=["kling-o1-video-edit"],
    )
    options: OptionValues = Field(
        default_factory=dict,
        description="Further settings of the model. A list is one more axis, for the models that know the option.",
        examples=[{"duration": 5, "quality": ["720p", "1080p"]}],
    )
    budget: Amount = Field(
        default=None,
        description="Hard ceiling of the whole campaign, in dollars or credits.",
        examples=["$40.00", "2720 credits"],
    )
    approve_above: Amount = Field(
        default=None, description="A person confirms a run that costs more than this.", examples=["$10.00"]
    )
    clips: Annotated[
        dict[
            Name,
            Annotated[Annotated[ClipSource, _SHORT] | Annotated[ClipForm, _MAPPING], Discriminator(_short_or_mapping)],
        ],
        AfterValidator(_not_empty("clips")),
    ] = Field(
        default_factory=dict,
        description="Source clips by name: a path, or a mapping of source, trim and more. For models that take clips.",
        examples=[{"beach": "media/clips/beach.mp4"}],
        json_schema_extra={"minProperties": 1},
    )
    references: Annotated[
        dict[
            Name,
            Annotated[
                Annotated[StillSource, _SHORT] | Annotated[list[StillSource], AfterValidator(_paths), _LIST],
                Discriminator(_short_or_list),
            ],
        ],
        AfterValidator(_not_empty("references")),
    ] = Field(
        default={"none": []},
        description="Sets of reference images by name: a path, a glob, or a list of them; an empty list is an edit "
        "without images. For image-to-video: the first frame, and the last.",
        examples=[{"none": [], "brand-a": ["media/references/brand-a/*.jpg"]}],
        json_schema_extra={"minProperties": 1},
    )
    prompts: Annotated[
        dict[
            Name,
            Annotated[
                Annotated[PromptText, _SHORT] | Annotated[PromptForm, _MAPPING], Discriminator(_short_or_mapping)
            ],
        ],
        AfterValidator(_not_empty("prompts")),
    ] = Field(
        default_factory=dict,
        description="Prompts by name: a text, or a mapping of text or file and more. {{ name }} stands for a variable.",
        examples=[{"dusk": "Re-light the scene at dusk."}],
        json_schema_extra={"minProperties": 1},
    )
    variables: dict[
        Variable,
        Annotated[
            Annotated[str, _SHORT] | Annotated[list[str], _SOME, _DISTINCT, _LIST], Discriminator(_short_or_list)
        ],
    ] = Field(
        default_factory=dict,
        description="What {{ name }} stands for. A list is one more axis for the prompts that use it.",
        examples=[{"product": "the bottle", "weather": ["wet", "snowy"]}],
    )
    aspect_ratios: Ratios = Field(
        default_factory=list, description="Shapes of the result. Absent: 16:9.", examples=[["16:9", "9:16"]]
    )
    keep_original_sound: Sounds = Field(
        default=True, description="Keep the sound of the clip; a list of both sweeps it."
    )
    takes: int = Field(default=1, ge=1, le=MAX_TAKES, description="Samples of every variant; each one is paid for.")
    sweep: SweepForm = Field(default_factory=SweepForm, description="Combinations to leave out or to add.")
    framing: Framing = Field(
        default="native",
        description="Who makes the aspect ratio: the model (native), or our preparation, which crops or pads the clip.",
    )
    archive: ArchiveForm = Field(default_factory=ArchiveForm, description="Where deliverables go, and their names.")
    rerender: Literal["changed", "every-run"] = Field(
        default="changed", description="What a run renders again: only what changed, or everything, paid for again."
    )
    schedule: ScheduleForm = Field(
        default_factory=lambda: _NEVER,
        description="When the campaign runs by itself.",
        examples=[{"cron": "0 6 * * 1", "timezone": "Asia/Shanghai"}],
    )


# --- one sentence for every mistake ---------------------------------------------------------------------------------

#: How a key is written, for hints. The rest of the keys have a hint in their own validator.
_EXAMPLES = {
    "campaign": "campaign: summer-launch",
    "extends": "extends: base.yaml",
    "model": "model: kling-o1-video-edit",
    "options": "options: {duration: 5, quality: [720p, 1080p]}",
    "clips": "clips: {beach: media/clips/beach.mp4}",
    "references": "references: {none: [], brand-a: [media/references/brand-a/*.jpg]}",
    "prompts": "prompts: {dusk: Re-light the scene at dusk.}",
    "variables": "variables: {product: the bottle, weather: [wet, snowy]}",
    "aspect_ratios": "aspect_ratios: [16:9, 9:16]",
    "keep_original_sound": "keep_original_sound: true, or [true, false]",
    "takes": "takes: 1",
    "sweep": "sweep: {exclude: [{clip: pier, aspect_ratio: 9:16}]}",
    "framing": "framing: native",
    "archive": "archive: {to: archive/}",
    "rerender": "rerender: changed",
    "schedule": 'schedule: {cron: "0 6 * * 1", timezone: Asia/Shanghai}',
}

_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "bool_type": "true or false",
    "int_type": "a whole number",
}


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One mistake of form. `key`: it is in the key at `path`, not in the value."""

    path: Path
    message: str
    hint: str
    key: bool = False


def formed(written: dict[str, Any], text_of: Callable[[Path], str | None]) -> "CampaignForm | list[Mistake]":
    """The campaign in its form, or every mistake in it. `text_of`: how the scalar at a path is spelled."""
    try:
        return CampaignForm.model_validate(written)
    except ValidationError as error:
        details = error.errors(include_url=False)
    return list(_without_echoes([_told(detail, written, text_of) for detail in details[:MOST_MISTAKES]]))


def known_keys(path: Path) -> tuple[str, ...]:
    """The keys of the mapping at `path`."""
    forms: dict[str | int, type[_Form]] = {
        "clips": ClipForm,
        "prompts": PromptForm,
        "sweep": SweepForm,
        "archive": ArchiveForm,
        "schedule": ScheduleForm,
    }
    form = forms.get(path[0], CampaignForm) if path else CampaignForm
    if issubclass(form, OverridesForm):  # its own keys first
        return tuple(sorted(form.model_fields, key=lambda key: key in OVERRIDES))
    return tuple(form.model_fields)


def _told(detail: ErrorDetails, written: Any, text_of: Callable[[Path], str | None]) -> Mistake:
    path = _path(detail["loc"], written)
    kind = detail["type"]
    if kind == "missing":
        return _missing(path)
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "mistake":
        context = detail["ctx"]
        return Mistake(path=path, message=context["message"], hint=context["hint"], key=detail["loc"][-1] == "[key]")
    if kind == "no_unit":
        spelled = text_of(path)
        hint = f'Write "${spelled}" for dollars, or "{spelled} credits".'
        return Mistake(path=path, message=f"{spelled} has no unit, and it must be dollars or credits", hint=hint)
    if kind == "literal_error":
        return _no_choice(path, detail)
    if kind in ("greater_than_equal", "less_than_equal"):
        message = f"{detail['input']} is not from 1 to {MAX_TAKES}"
        return Mistake(path=path, message=message, hint=example(path))
    return _mistyped(path, detail, text_of)


def _path(loc: Iterable[Any], written: Any) -> Path:
    """Where in the document it is. Pydantic's own steps (which form of a union, "[key]") are no part of that."""
    path: list[str | int] = []
    here: Any = written
    for step in loc:
        if (isinstance(here, dict) and step in here) or (isinstance(here, list) and isinstance(step, int)):
            here = here[step]
        elif step in _TAGS:
            continue
        path.append(step)
    return tuple(path)


def _missing(path: Path) -> Mistake:
    *parent, key = path
    return Mistake(path=tuple(parent), message=f"the key `{key}` is missing", hint=example(path), key=True)


def _unknown(path: Path) -> Mistake:
    *parent, key = path
    known = known_keys(tuple(parent))
    close = did_you_mean(str(key), known)
    hint = "" if close else f"The keys here are {listed(known, most=20)}."
    if str(key) in catalogue.options() and "options" in known:
        close, hint = (
            "",
            f"That is an option of {listed(catalogue.options()[str(key)], most=3)}: write options: {{{key}: …}}.",
        )
    return Mistake(path=path, message=f"unknown key {shown(str(key))}{close}", hint=hint, key=True)


def _no_choice(path: Path, detail: ErrorDetails) -> Mistake:
    found, choices = detail["input"], _CHOICES[str(path[-1])]
    if not isinstance(found, str):
        message = f"expected {listed(choices, last='or')}, found {described(found)}"
    else:
        message = f"{shown(found)} is not {listed(choices, last='or')}{did_you_mean(found, choices)}"
    return Mistake(path=path, message=message, hint=example(path))


_CHOICES = {"framing": ("native", "crop", "pad"), "rerender": ("changed", "every-run")}


def _mistyped(path: Path, detail: ErrorDetails, text_of: Callable[[Path], str | None]) -> Mistake:
    expected, found = _EXPECTED.get(detail["type"], "something else"), detail["input"]
    if path[0] == "references" and len(path) == 2:
        expected = "a path or a list of paths"
    spelled = text_of(path)
    said = described(found)
    if isinstance(found, bool | int | float) and spelled:
        said = f"{spelled}, {described(found)}"
    elif isinstance(found, str) and expected not in ("a list", "a mapping"):
        said = shown(found)
    return Mistake(
        path=path, message=f"expected {expected}, found {said}", hint=_way_out(path, expected, found, spelled)
    )


def _way_out(path: Path, expected: str, found: object, spelled: str | None) -> str:
    if expected == "text" and spelled and path[0] in ("campaign", "prompts", "variables", "clips", "references"):
        return f'Put it in quotes: "{spelled}".'
    if expected == "a mapping" and isinstance(found, str) and re.match(r"[\w.-]+:\S", found):
        return "Write a space behind the colon."
    return example(path)


def example(path: Path) -> str:
    """How the key at `path` is written, for hints; of what a clip or a prompt says for itself, that very key."""
    if not path:
        return ""
    key = path[2] if len(path) > 2 and path[0] in ("clips", "prompts") and path[2] in _EXAMPLES else path[0]
    written = _EXAMPLES.get(str(key))
    return f"Write it like `{written}`." if written else ""


def _without_echoes(mistakes: list[Mistake]) -> Iterator[Mistake]:
    """A misspelt key is one mistake, though the key it should have been is missing then."""
    meant = {
        (*item.path[:-1], nearest(str(item.path[-1]), known_keys(item.path[:-1])))
        for item in mistakes
        if item.message.startswith("unknown key")
    }
    for item in mistakes:
        if not (item.message.endswith("is missing") and (*item.path, item.message.split("`")[1]) in meant):
            yield item


# --- the JSON Schema ------------------------------------------------------------------------------------------------


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a campaign, for completion and checks while typing. It accepts what `parse` accepts."""
    schema: dict[str, Any] = _tidied(CampaignForm.model_json_schema())
    definitions = schema["$defs"]
    for form in (schema, definitions["ClipForm"], definitions["PromptForm"]):
        _with_catalogue(form["properties"])
    definitions["PromptForm"]["oneOf"] = [{"required": ["text"]}, {"required": ["file"]}]
    required = [key for key in schema.pop("required") if key != "model"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Callsheet campaign",
        **schema,
        "required": required,
        "anyOf": [{"required": ["extends"]}, {"required": ["model"], "allOf": list(_needed())}],
        "patternProperties": {"^x-": {"description": "Ignored: a place for anchors."}},
    }


def _with_catalogue(properties: dict[str, Any]) -> None:
    """Put in what the catalogue knows: names of models, their aspect ratios, their options."""
    models = catalogue.video_models()
    for form in properties["model"]["oneOf"]:
        form.get("items", form)["enum"] = list(models)
    ratios = dict.fromkeys(ratio for model in models.values() for ratio in model.aspect_ratios)
    properties["aspect_ratios"]["items"]["enum"] = list(ratios)
    rows: dict[str, list[catalogue.Option]] = {}
    for model in models.values():
        for name, option in model.options.items():
            rows.setdefault(name, []).append(option)
    properties["options"]["properties"] = {name: _option_schema(same) for name, same in rows.items()}
    properties["options"]["additionalProperties"] = False


def _option_schema(rows: Sequence[catalogue.Option]) -> dict[str, Any]:
    """One value of the option as any model takes it, or a list of values, which sweeps it."""
    values: list[dict[str, Any]] = []
    for row in rows:
        if (value := _value_schema(row)) not in values:
            values.append(value)
    one = values[0] if len(values) == 1 else {"anyOf": values}
    models = listed(catalogue.options()[rows[0].name], most=20)
    described_as = {"description": f"{rows[0].description} Known to {models}."}
    if rows[0].kind == "list":
        return {**one, **described_as}
    return {"anyOf": [one, {"type": "array", "minItems": 1, "uniqueItems": True, "items": one}], **described_as}


def _value_schema(row: catalogue.Option) -> dict[str, Any]:
    if row.choices:
        return {"enum": list(row.choices)}
    if row.range:
        return {"type": "integer", "minimum": row.range[0], "maximum": row.range[1]}
    types = {"switch": "boolean", "text": "string", "list": "array", "mapping": "object"}
    schema: dict[str, Any] = {"type": types[row.kind]}
    if row.kind == "text":
        schema |= {"pattern": r"\S", "maxLength": row.max_length}
    if row.kind == "list":
        schema |= {"minItems": 1, "maxItems": row.max_items, "items": {"type": "object"}}
    return schema


def _needed() -> Iterator[dict[str, Any]]:
    """Which keys a model makes necessary; of several models, the first says it."""
    models = catalogue.video_models().values()
    for key, names in (
        ("clips", [model.name for model in models if model.clip and model.clip.required]),
        ("references", [model.name for model in models if model.images and model.images.required]),
        ("prompts", [model.name for model in models if model.prompt_required]),
    ):
        named = {"anyOf": [{"enum": names}, {"type": "array", "prefixItems": [{"enum": names}]}]}
        yield {"if": {"properties": {"model": named}}, "then": {"required": [key]}}


def _tidied(schema: Any) -> Any:
    """Without the titles pydantic makes up and without null defaults; a mapping of names takes no other name."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_schema = "type" in schema or "$ref" in schema or "oneOf" in schema or "anyOf" in schema
    kept = {
        key: _tidied(value)
        for key, value in schema.items()
        if not (is_schema and (key == "title" or (key == "default" and value is None)))
    }
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    return kept
