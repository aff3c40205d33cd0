"""The axes of a sweep, read off its variants: whatever tells two variants apart, by name and value."""

from collections.abc import Iterator, Sequence
from typing import Any

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
    return {axis: value for field in FIELDS for axis, value in _values(variant, field)}


def swept(variants: Sequence[Variant]) -> dict[str, tuple[str, ...]]:
    """The axes on which these variants have more than one value; values in the order of their first use."""
    found: dict[str, dict[str, None]] = {}
    for field in FIELDS:
        for variant in variants:
            for axis, value in _values(variant, field):
                found.setdefault(axis, {})[value] = None
    return {axis: tuple(values) for axis, values in found.items() if len(values) > 1}


def _values(variant: Variant, field: str) -> Iterator[tuple[str, str]]:
    value: Any = getattr(variant, field)
    if value is None:
        return iter(())  # no matter of this variant's model
    pairs = value if isinstance(value, tuple) else ((field, value),)
    return ((axis, spelled(inner)) for axis, inner in pairs)


def spelled(value: object) -> str:
    """A value in YAML's own spelling."""
    return str(value).lower() if isinstance(value, bool) else str(value)
