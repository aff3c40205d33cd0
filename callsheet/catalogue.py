"""The models as data: what each accepts and costs. Read from catalogue.toml, which ships in the wheel.

The file is part of the program (no user's input), so reading it at first use does not make this module impure. A row that
has a key too many or too few is a TypeError at that first use, and a test reads every row.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

#: A value of an option, as it is sent; of a list or a mapping its canonical JSON.
OptionValue = str | int | bool
#: Values of options that have to hold for something to count.
When = tuple[tuple[str, OptionValue], ...]
#: What a campaign's options are for one variant: (name, value), in the order of the catalogue.
Options = tuple[tuple[str, OptionValue], ...]

Kind = Literal["edit", "image-to-video", "text-to-video", "reference-to-video", "motion-control", "element"]

#: How an option is written, by its kind.
OPTION_KINDS = {
    "choice": "one of its choices",
    "number": "a whole number",
    "switch": "true or false",
    "text": "text",
    "list": "a list",
    "mapping": "a mapping",
}


@dataclass(frozen=True, kw_only=True)
class ClipCase:
    """Another length that a clip may have where options have these values."""

    when: When
    seconds: tuple[Fraction, Fraction]


@dataclass(frozen=True, kw_only=True)
class ClipLimits:
    """What a model accepts as its clip. Seconds are exact; pixels are both sides; frame rates are frames a second."""

    field: str
    shape: Literal["list", "single"]
    formats: tuple[str, ...]
    max_bytes: int
    seconds: tuple[Fraction, Fraction]
    pixels: tuple[int, int]
    frame_rates: tuple[int, int]
    required: bool = True
    cases: tuple[ClipCase, ...] = ()

    def under(self, options: Options) -> "ClipLimits":
        """The limits for these options."""
        if not self.cases:
            return self
        seconds = next((case.seconds for case in self.cases if _holds(case.when, options)), self.seconds)
        return replace(self, seconds=seconds, cases=())


@dataclass(frozen=True, kw_only=True)
class ImageLimits:
    """What a model accepts as images. ratio is width over height; count is of one set, where images are sent at all.

    shape: one field that takes a list, or one field for each image. more_field: another one, for pictures to follow, that
    a campaign cannot fill.
    """

    role: Literal["reference", "frames", "character"]
    fields: tuple[str, ...]
    count: tuple[int, int]
    formats: tuple[str, ...]
    max_bytes: int
    min_side: int
    ratio: tuple[Fraction, Fraction]
    shape: Literal["list", "single"] = "list"
    required: bool = False
    more_field: str = ""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One more field of a model's request. `field` is a dotted path in the body; no default means it is not sent."""

    name: str
    field: str
    kind: Literal["choice", "number", "switch", "text", "list", "mapping"]
    description: str
    choices: tuple[str | int, ...] = ()
    range: tuple[int, int] | None = None
    default: str | int | None = None
    required: bool = False
    #: Characters of a text, or of each prompt in a list.
    max_length: int | None = None
    max_items: int | None = None
    #: Options without which this one means nothing.
    needs: tuple[str, ...] = ()
    #: The option that the durations in this list have to add up to.
    sums_to: str = ""

    @property
    def spoken(self) -> str:
        """What it takes, for messages: "720p, 1080p or 4k", "a whole number from 3 to 15"."""
        if self.choices:
            *rest, last = (str(choice) for choice in self.choices)
            return f"{', '.join(rest)} or {last}" if rest else last
        if self.range:
            return f"a whole number from {self.range[0]} to {self.range[1]}"
        return OPTION_KINDS[self.kind]


@dataclass(frozen=True, kw_only=True)
class Factor:
    """What the price is multiplied by where options have these values."""

    when: When
    times: Fraction


@dataclass(frozen=True, kw_only=True)
class PriceRule:
    """units (1/10000 credit) for each second of the quantity, which is counted in steps between floor and cap.

    basis: request_only is settled as it was reserved; request_then_actual on the seconds of the result.
    quantity: seconds of the prepared clip, the option `duration`, or one for each job.
    """

    basis: Literal["request_only", "request_then_actual"]
    unit: Literal["input_second", "output_second", "element"]
    quantity: Literal["clip", "duration", "one"]
    step: Fraction
    units: int
    minimum: int
    sku: str
    effective: str
    rounding: Literal["up", "nearest"] = "up"
    floor_seconds: Fraction = Fraction(0)
    cap_seconds: Fraction | None = None
    factors: tuple[Factor, ...] = ()

    def factor(self, options: Options) -> Fraction:
        return next((factor.times for factor in self.factors if _holds(factor.when, options)), Fraction(1))


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model. family: models that make the same pictures, at other prices and lengths.

    clip, images: None where it takes none. sound_field: dotted, "" where the clip's sound is no matter.
    """

    name: str
    title: str
    docs: str
    family: str
    kind: Kind
    prompt_max: int
    aspect_ratios: tuple[str, ...]
    price: PriceRule
    makes: Literal["video", "element"] = "video"
    prompt_required: bool = True
    sound_field: str = ""
    clip: ClipLimits | None = None
    images: ImageLimits | None = None
    options: Mapping[str, Option]

    @property
    def clip_limits(self) -> ClipLimits:
        """Of its clip. LookupError for a model that takes none."""
        if self.clip is None:
            raise LookupError(f"{self.name} takes no clip")
        return self.clip

    @property
    def image_limits(self) -> ImageLimits:
        """Of its images. LookupError for a model that takes none."""
        if self.images is None:
            raise LookupError(f"{self.name} takes no images")
        return self.images

    @cached_property
    def defaults(self) -> dict[str, str | int]:
        """The options that have a value without being written."""
        return {name: option.default for name, option in self.options.items() if option.default is not None}

    def settled(self, options: Mapping[str, OptionValue]) -> Options:
        """All options with a value, in the order of the catalogue; those that the model does not know are left out."""
        merged = {**self.defaults, **options}
        return tuple((name, merged[name]) for name in self.options if name in merged)


@cache
def version() -> int:
    """Of the file's own form and figures."""
    return int(tomllib.loads(_text())["version"])


@cache
def models() -> dict[str, Model]:
    """Every model by name, in the order of the file."""
    tables: dict[str, Any] = tomllib.loads(_text())
    tables.pop("version")
    return {name: _model(name, table) for name, table in tables.items()}


def model(name: str) -> Model:
    """The model of this name. KeyError for one the catalogue does not have; a campaign has been checked for that."""
    return models()[name]


def video_models() -> dict[str, Model]:
    """The models that a campaign can name: those that make a video."""
    return {name: row for name, row in models().items() if row.makes == "video"}


@cache
def options() -> dict[str, tuple[str, ...]]:
    """Every option by name, with the models that know it."""
    names = dict.fromkeys(name for row in models().values() for name in row.options)
    return {name: tuple(row.name for row in models().values() if name in row.options) for name in names}


def _text() -> str:
    return Path(__file__).with_suffix(".toml").read_text("utf-8")


# --- tables to rows -------------------------------------------------------------------------------------------------


def _model(name: str, table: dict[str, Any]) -> Model:
    clip, images = table.pop("clip", None), table.pop("images", None)
    rows = table.pop("options", {})
    return Model(
        **_tuples(table, price=_price(table.pop("price"))),
        name=name,
        clip=None if clip is None else _clip(clip),
        images=None if images is None else ImageLimits(**_tuples(images, ratio=_exact(images["ratio"]))),
        options={key: _option(key, row) for key, row in rows.items()},
    )


def _clip(table: dict[str, Any]) -> ClipLimits:
    cases = tuple(
        ClipCase(when=_when(case["when"]), seconds=_exact(case["seconds"])) for case in table.pop("cases", ())
    )
    return ClipLimits(**_tuples(table, seconds=_exact(table["seconds"]), cases=cases))


def _option(name: str, table: dict[str, Any]) -> Option:
    kind = table.pop("kind", "number" if "range" in table else "choice")
    return Option(name=name, kind=kind, field=table.pop("field", name), **_tuples(table))


def _price(table: dict[str, Any]) -> PriceRule:
    factors = tuple(Factor(when=_when(row["when"]), times=Fraction(row["times"])) for row in table.pop("factors", ()))
    exact = {key: _fraction(table[key]) for key in ("step", "floor_seconds", "cap_seconds") if key in table}
    return PriceRule(**_tuples(table, **exact, factors=factors))


def _tuples(table: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Lists as tuples, so that a row can be hashed; `given` instead of what the table says."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()} | given


def _when(table: dict[str, Any]) -> When:
    return tuple(table.items())


def _holds(when: When, options: Options) -> bool:
    return set(when) <= set(options)


def _exact(values: Iterable[str]) -> tuple[Fraction, Fraction]:
    first, second = values
    return _fraction(first), _fraction(second)


def _fraction(text: str) -> Fraction:
    """ "1:100", "2.5" or "3", exactly."""
    return Fraction(text.replace(":", "/"))
