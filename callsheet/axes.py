"""The axes of a sweep, read off its variants: whatever tells two variants apart, by name and value."""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from callsheet.sidecar import AxisValues
from callsheet.sweep import Variant

#: The fields of a variant that a campaign can sweep, in the order of a slug. A field of (name, value) pairs is an axis for
#: each name, and only the variants that have the name are on it.
FIELDS = (
    "clip",
    "references",
    "prompt",
    "variables",
    "aspect_ratio",
    "keep_original_sound",
    "model",
    "options",
    "take",
)


def values_of(variant: Variant) -> dict[str, str]:
    """The value of each axis that this variant is on, as a campaign spells it."""
    return {axis: value for field in FIELDS for axis, value in _values(field, getattr(variant, field)).items()}


def values_said(said: AxisValues) -> dict[str, str]:
    """The same of a cell as a document names it."""
    fields = {field: getattr(said, field) for field in FIELDS}
    pairs = {field: tuple(value.items()) if isinstance(value, dict) else value for field, value in fields.items()}
    return {axis: value for field in FIELDS for axis, value in _values(field, pairs[field]).items()}


def swept(variants: Sequence[Variant]) -> dict[str, tuple[str, ...]]:
    """The axes on which these variants have more than one value; values in the order of their first use."""
    return {
        axis: tuple(value for value in dict.fromkeys(column) if value is not None)
        for axis, column in columns(variants).items()
    }


def columns(variants: Sequence[Variant]) -> dict[str, list[str | None]]:
    """The axes on which these variants have more than one value, and the value of each variant; None where it is not on it.

    Column by column: tens of thousands of variants share a few values.
    """
    found: dict[str, list[str | None]] = {}
    for field in FIELDS:
        column = list(map(attrgetter(field), variants))
        spelt = {value: _values(field, value) for value in dict.fromkeys(column)}
        known = dict.fromkeys((axis, inner) for values in spelt.values() for axis, inner in values.items())
        for axis, count in Counter(axis for axis, _ in known).items():
            if count > 1:
                of = {value: values.get(axis) for value, values in spelt.items()}
                found[axis] = [of[value] for value in column]
    return found


def _values(field: str, value: Any) -> dict[str, str]:
    """What a field of a variant says of one axis, or of several."""
    if value is None:
        return {}  # no matter of this variant's model
    pairs = value if isinstance(value, tuple) else ((field, value),)
    return {axis: spelled(inner) for axis, inner in pairs}


def spelled(value: object) -> str:
    """A value in YAML's own spelling."""
    return str(value).lower() if isinstance(value, bool) else str(value)
