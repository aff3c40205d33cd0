"""`callsheet models`: every row of the catalogue on a page of 80 columns, with the prices that a plan would have."""

import io
import json
from collections.abc import Callable
from fractions import Fraction

import pytest

from callsheet import catalogue
from callsheet.cli import console, models
from callsheet.cli.terminal import Stream
from callsheet.errors import SpecError
from callsheet.tariff import price_of

NAMES = list(catalogue.models())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """told(name): what the command writes to standard output of 80 columns."""

    def tell(name: str | None = None, *, as_json: bool = False) -> str:
        page = io.StringIO()
        monkeypatch.setattr(console, "out", Stream(file=page, width=80))
        models.models(name, json=as_json)
        return page.getvalue()

    return tell


def test_each_model_that_makes_videos_is_a_line_that_fits_with_its_least_price(told: Callable[..., str]) -> None:
    header, *lines = told().splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue.video_models())
    assert max(map(len, [header, *lines])) <= 80
    for row, line in zip(catalogue.video_models().values(), lines, strict=True):
        assert line.endswith(f"  {price_of(row, Fraction(0), row.settled({})).usd}")


@pytest.mark.parametrize("name", NAMES)
def test_one_model_in_full_fits_the_page_and_leads_to_its_documents(name: str, told: Callable[..., str]) -> None:
    lines = told(name).splitlines()
    row = catalogue.model(name)
    assert lines[0].startswith(f"{name}: ")
    assert lines[-1] == f"documents      {row.docs}"
    assert max(map(len, lines[:-1])) <= 80
    least = price_of(row, Fraction(0), row.settled({})).spoken
    assert f"{least} each" in told(name) or f"a take costs {least} at least" in told(name)
    assert all(f"{option}: " in told(name) for option in row.options)


def test_the_json_of_one_model_is_a_list_of_one(told: Callable[..., str]) -> None:
    every = json.loads(told(as_json=True))["models"]
    assert [row["name"] for row in every] == NAMES
    assert json.loads(told(NAMES[0], as_json=True)) == {"models": every[:1]}


def test_a_mistyped_model_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(SpecError, match=r"There is no model `kling-o3`\.") as part:
        models.models("kling-o3")
    assert part.value.hint.startswith("It is a part of kling-o3-")
    with pytest.raises(SpecError, match="There is no model `kling-01-video-edit`; did you mean `kling-o1-video-edit`"):
        models.models("kling-01-video-edit")
