"""An occurrence, read and spoken."""

from datetime import UTC, datetime

import pytest

from callsheet.errors import SpecError
from callsheet.occurrence import read, spoken

MONDAY = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-11-30T06:00:00+00:00", "2026-11-30 06:00", "2026-11-30T14:00:00+08:00", " 2026-11-30T06:00Z "]
)
def test_one_moment_is_one_occurrence_however_it_is_written(text: str) -> None:
    assert read(text) == MONDAY
    assert read(text).tzinfo == UTC


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(SpecError, match="'next Monday' is no occurrence"):
        read("next Monday")


def test_it_is_spoken_to_the_second_only_where_it_has_some() -> None:
    assert spoken(MONDAY) == "the occurrence of 2026-11-30 06:00 UTC"
    assert spoken(MONDAY.replace(second=7)) == "the occurrence of 2026-11-30 06:00:07 UTC"
