"""The texts of a campaign that have a form of their own: names, amounts, windows, sources, templates, times.

Each is checked alone, and a mistake is told in words that a person is shown. Which key takes which is in campaign_form.py;
what must hold across the keys, and for the model that is named, is in campaign_checks.py.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from callsheet import buckets, naming
from callsheet.credits import Credits
from callsheet.yamltext import described, shown

#: Samples of one variant; more is a mistyped number sooner than a wish.
MAX_TAKES = 20
#: New takes of one variant in one run where the provider failed a job; what fails six times is not the provider's bad luck.
MAX_RETAKES = 5
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

#: What S3 takes: tags of a file, characters of a tag's name and of its value, and of a key's ARN (KMS).
MOST_TAGS, LONGEST_TAG_NAME, LONGEST_TAG, LONGEST_KMS_KEY = 10, 128, 256, 2048

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


class Trim(NamedTuple):
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


def check_name(text: str) -> str:
    if len(text) > 64:
        raise mistake(
            f"the name {shown(text)} has {len(text)} characters, and at most 64 fit a file name", "Shorten it."
        )
    if not _NAME.fullmatch(text):
        close = re.sub(r"[^A-Za-z0-9_.]+", "-", _plain(text)).strip("-_.")
        hint = f"Use a to z, A to Z, digits, - _ and . only, and begin with a letter or digit{f': {close}' if close else ''}."
        raise mistake(f"{shown(text)} cannot be a name, because it becomes part of a file name", hint)
    if "--" in text:
        raise mistake(
            f"the name {shown(text)} has -- in it, which separates the parts of a file name", "Write a single -."
        )
    return text


def _plain(text: str) -> str:
    """Without accents and umlauts."""
    return unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode()


def check_slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        plain = re.sub(r"[^a-z0-9]+", "-", _plain(text).lower()).strip("-")[:64] or "summer-launch"
        hint = f"Use a to z, digits and -, at most 64 of them: {plain}."
        raise mistake(f"{shown(text)} cannot be the name of a campaign", hint)
    return text


def check_variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        hint = "Use letters, digits, _ and -, at most 64, and begin with a letter."
        raise mistake(f"{shown(text)} cannot be the name of a variable", hint)
    if text in (*AXES, "take", "sound", "campaign"):
        raise mistake(f"a variable cannot be called `{text}`, because the sweep itself has a `{text}`", "Rename it.")
    return text


def check_amount(value: object) -> Credits:
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
        return check_amount(value)
    except PydanticCustomError:
        return None


def check_trim(value: object) -> Trim:
    if not isinstance(value, str):
        raise mistake(f"expected a window of the clip, found {described(value)}", TRIM_HINT)
    try:
        return parse_trim(value)
    except ValueError as error:
        raise mistake(str(error), TRIM_HINT) from None


def checks_source(folder: str) -> Callable[[str], str]:
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


def check_prompt(text: str) -> str:
    if not text.strip():
        raise mistake("the prompt is empty", "Write what the model is to do with the clip.")
    return text


def check_paths(values: list[str]) -> list[str]:
    if len(values) > MOST_PATHS:
        raise mistake(f"{len(values):,} paths in one set, and {MOST_PATHS} is the most that is read", "Use a glob.")
    return values


def check_option(value: object) -> object:
    """Only what no option of any model can be; whether the model knows it is checked with the model."""
    if value is None or not _is_exact(value):
        found = "a fraction" if value is not None else described(value)
        raise mistake(f"expected a value of this option, found {found}", "`callsheet models` lists them.")
    if isinstance(value, list) and not value:
        raise mistake("the list is empty, and then there is nothing to shoot", "Write at least one value.")
    return value


def check_prompt_file(text: str) -> str:
    if not text.strip():
        raise mistake("the path is empty", "Write the path of a text file, as specs/prompts/dusk.txt.")
    if _URL.match(text):
        raise mistake("a prompt is read from a file of this machine only", "Copy it here, or write it as text.")
    return text


def check_extended(value: object) -> list[str]:
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


def check_selection(values: dict[str, Any]) -> dict[str, Any]:
    if not values:
        raise mistake("this names no axis", "Write for example {clip: pier, aspect_ratio: 9:16}.")
    return values


def check_picked(value: object) -> "Picked | list[Picked]":
    if isinstance(value, list):
        if not value:
            raise mistake("the list is empty, so this selects nothing", "Write one value of the axis, or several.")
        return [_one_picked(item) for item in value]
    return _one_picked(value)


def _one_picked(value: object) -> Picked:
    if isinstance(value, str | bool | int):
        return value
    raise mistake(f"expected one value of the axis, found {described(value)}", "Put it in quotes, if it is text.")


def check_destination(text: str) -> str:
    if not text.strip():
        raise mistake("the place of the archive is empty", "Write a folder, as archive/, or s3://bucket/prefix.")
    url = _URL.match(text)
    if url and url["scheme"].lower() != "s3":
        raise mistake(
            f"{url['scheme'].lower()}:// is no archive", "Write a folder, as archive/, or s3://bucket/prefix."
        )
    if url:
        try:
            buckets.place_of(text)
        except ValueError as error:
            raise mistake(str(error), "Write s3://bucket/prefix.") from None
    return text


def check_kms_key(text: str) -> str:
    if not text or len(text) > LONGEST_KMS_KEY or not text.isprintable() or any(c.isspace() for c in text):
        raise mistake(f"{shown(text)} names no key", "Write its id, its ARN, or alias/ and its name.")
    return text


def check_tag_name(text: str) -> str:
    if text.lower().startswith("aws:"):
        raise mistake("tags that begin with aws: are AWS's own", "Choose another name.")
    return _tagged(text, LONGEST_TAG_NAME, "a tag's name", only_ascii=True)


def check_tag(text: str) -> str:
    return text and _tagged(text, LONGEST_TAG, "a tag")


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    if not 1 <= len(tags) <= MOST_TAGS:
        raise mistake(f"there are {len(tags)} tags, and a file in a bucket has 1 to {MOST_TAGS}", "Remove some.")
    return tags


def _tagged(text: str, most: int, what: str, *, only_ascii: bool = False) -> str:
    is_plain = all(c.isalpha() or c.isdecimal() or c in " +-=._:/@" for c in text)
    if not text or len(text) > most or not is_plain or (only_ascii and not text.isascii()):
        raise mistake(
            f"{shown(text)} is not {what}", f"1 to {most} letters, digits, spaces and + - = . _ : / @ may be in it."
        )
    return text


def check_template(text: str) -> str:
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


def check_cron(text: str) -> str:
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


_INTERVAL = re.compile(r"([1-9]\d{0,3})\s*(m|h|d|w)", re.ASCII)
_INTERVAL_HINT = "Write it like 30m, 6h, 1d or 2w; it is counted from midnight of Monday, 2024-01-01, in the timezone."


def check_interval(text: str) -> str:
    if not _INTERVAL.fullmatch(text.strip()):
        raise mistake(f"{shown(text)} is no interval", _INTERVAL_HINT)
    return text.strip()


def interval_of(text: str) -> timedelta:
    """What `check_interval` took."""
    number, unit = _INTERVAL.findall(text)[0]
    return int(number) * {"m": timedelta(minutes=1), "h": timedelta(hours=1)}.get(
        unit, timedelta(weeks=1) if unit == "w" else timedelta(days=1)
    )


def spelt_interval(interval: timedelta) -> str:
    """90m, 6h, 2d or 1w: in the largest unit that it is a whole number of."""
    units = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
    return next(f"{interval // long}{unit}" for unit, long in units.items() if not interval % long or unit == "m")


_DAY = "(MO|TU|WE|TH|FR|SA|SU)"
#: Parts of a recurrence rule (RFC 5545) and what each may say.
_RRULE_PARTS = {
    "FREQ": "YEARLY|MONTHLY|WEEKLY|DAILY|HOURLY|MINUTELY",
    "INTERVAL": r"[1-9]\d{0,3}",
    "UNTIL": r"\d{8}T\d{6}Z",
    "BYMONTH": r"[1-9]|1[0-2]",
    "BYWEEKNO": r"-?([1-9]|[1-4]\d|5[0-3])",
    "BYYEARDAY": r"-?([1-9]\d?|[12]\d\d|3[0-5]\d|36[0-6])",
    "BYMONTHDAY": r"-?([1-9]|[12]\d|3[01])",
    "BYDAY": rf"([+-]?[1-5])?{_DAY}",
    "BYHOUR": r"\d|1\d|2[0-3]",
    "BYMINUTE": r"\d|[1-5]\d",
    "BYSETPOS": r"-?([1-9]\d?)",
    "WKST": _DAY,
}
_RRULE_SINGLE = ("FREQ", "INTERVAL", "UNTIL", "WKST")
_RRULE_HINT = "Write it like FREQ=MONTHLY;BYDAY=1MO;BYHOUR=6, the first Monday of each month at 6:00."


def check_rrule(text: str) -> str:
    """A rule of one line; where it begins does not depend on when it is deployed."""
    parts = [part.partition("=")[::2] for part in text.split(";")]
    names = [name for name, _ in parts]
    if "COUNT" in names or "DTSTART" in text:
        message = "a schedule counts from no first time of its own, so COUNT and DTSTART mean nothing here"
        raise mistake(message, "Say when it ends with UNTIL=20271231T235959Z.")
    for name, value in parts:
        if name not in _RRULE_PARTS:
            raise mistake(f"{shown(name)} is no part of a recurrence rule", _RRULE_HINT)
        values = [value] if name in _RRULE_SINGLE else value.split(",")
        if not all(re.fullmatch(_RRULE_PARTS[name], one, re.ASCII) for one in values):
            raise mistake(f"{shown(value)} is no {name} of a recurrence rule", _RRULE_HINT)
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice or "FREQ" not in names:
        raise mistake(f"{twice} stands there twice" if twice else "the rule has no FREQ", _RRULE_HINT)
    return text


def check_timezone(text: str) -> str:
    """The shape only; whether this machine knows the zone is for the step that schedules."""
    if not _TIMEZONE.fullmatch(text):
        raise mistake(f"{shown(text)} is no time zone", "Write its name in the tz database, as Asia/Shanghai or UTC.")
    return text


def checks_not_empty(what: str) -> Callable[[Any], Any]:
    def check(values: Any) -> Any:
        if not values:
            raise mistake(
                f"{what} is empty, and then there is nothing to shoot", "Write at least one, or remove the key."
            )
        return values

    return check
