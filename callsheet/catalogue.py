"""The models as data: what each accepts and costs. Read from catalogue.toml, which ships in the wheel.

The file is part of the program (no user's input), so reading it at first use does not make this module impure.
"""

import tomllib
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

Exact = Annotated[Fraction, BeforeValidator(lambda value: Fraction(str(value).replace(":", "/")))]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class ClipLimits(_Row):
    """What a model accepts as its clip. Seconds are exact; pixels are both sides; frame rates are frames a second."""

    field: str
    shape: Literal["list", "single"]
    formats: tuple[str, ...]
    max_bytes: int
    seconds: tuple[Exact, Exact]
    pixels: tuple[int, int]
    frame_rates: tuple[int, int]


class ImageLimits(_Row):
    """What a model accepts as reference images. ratio is width over height."""

    field: str
    count: tuple[int, int]
    formats: tuple[str, ...]
    max_bytes: int
    min_side: int
    ratio: tuple[Exact, Exact]


class PriceRule(_Row):
    """units (1/10000 credit) for each billed second; floor and cap of the billed seconds."""

    basis: Literal["request_only", "request_then_actual"]
    unit: Literal["input_second", "output_second"]
    units: int
    floor_seconds: Exact
    cap_seconds: Exact
    sku: str
    effective: str


class Model(_Row):
    name: str
    title: str
    docs: str
    kind: Literal["edit"]
    prompt_max: int
    aspect_ratios: tuple[str, ...]
    sound_field: str
    clip: ClipLimits
    images: ImageLimits
    price: PriceRule


@cache
def models() -> dict[str, Model]:
    """Every model by name, in the order of the file."""
    tables: dict[str, Any] = tomllib.loads(files("callsheet").joinpath("catalogue.toml").read_text("utf-8"))
    tables.pop("version")
    return {name: Model(name=name, **table) for name, table in tables.items()}


def model(name: str) -> Model:
    """The model of this name. KeyError for one the catalogue does not have; a campaign has been checked for that."""
    return models()[name]
