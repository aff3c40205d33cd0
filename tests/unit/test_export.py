"""Films as a table: every axis is a column, links are whole, and no cell is a formula."""

import csv
import io
from datetime import UTC, datetime

import pytest

from callsheet import export
from callsheet.sidecar import AxisValues, ManifestEntry
from callsheet.verdicts import Verdict

AXES = AxisValues(
    clip="beach",
    references="none",
    prompt="dusk",
    aspect_ratio="9:16",
    keep_original_sound=False,
    model="kling-o1-video-edit",
    take=2,
    variables={"weather": "wet"},
)


def entry(**facts: object) -> ManifestEntry:
    known: dict[str, object] = {"slug": "s", "key": "k", "axes": AXES, "state": "archived", "deliverable": "a b.mp4"}
    return ManifestEntry.model_validate({**known, **facts})


def read(*entries: ManifestEntry, said: Verdict | None = None) -> list[dict[str, str]]:
    verdicts = {said.key: said} if said else {}
    table = export.text(export.rows(entries, verdicts, lambda path: f"https://x.example/{path}"))
    return list(csv.DictReader(io.StringIO(table)))


def test_a_film_has_its_name_its_link_and_its_axes() -> None:
    (row,) = read(entry())
    assert (row["name"], row["link"]) == ("a b", "https://x.example/a b.mp4")
    assert (row["clip"], row["aspect_ratio"], row["sound"], row["take"]) == ("beach", "9:16", "mute", "2")
    assert row["variable weather"] == "wet"


def test_a_draft_is_called_one() -> None:
    (row,) = export.rows([entry()], {}, str, are_drafts=True)
    assert (row["draft"], read(entry())[0]["draft"]) == ("yes", "")


def test_what_has_no_film_has_no_row() -> None:
    assert read(entry(deliverable=None, state="failed")) == []


def test_a_verdict_is_beside_its_film() -> None:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    said = Verdict(key="k", slug="s", axes=AXES, says="approve", stars=4, note="the one, really", at=at)
    (row,) = read(entry(), said=said)
    assert (row["verdict"], row["stars"], row["note"]) == ("approve", "4", "the one, really")


def test_what_was_said_of_a_draft_is_not_said_of_the_film_that_was_paid_for() -> None:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    said = Verdict(key="k", slug="s", axes=AXES, says="approve", stars=4, note="the one", at=at, film="d" * 64)
    (draft,), (final,) = read(entry(sha256="d" * 64), said=said), read(entry(sha256="f" * 64), said=said)
    assert (draft["verdict"], draft["stars"], draft["note"]) == ("approve", "4", "the one")
    assert (final["verdict"], final["stars"], final["note"]) == ("", "", "")


@pytest.mark.parametrize("prompt", ["=1+1", "+1", "-1", "@x", "\t=1"])
def test_no_cell_is_a_formula(prompt: str) -> None:
    (row,) = read(entry(prompt=prompt))
    assert row["prompt_text"] == f"'{prompt}"


def test_nor_is_a_part_of_one_where_semicolons_are_commas() -> None:
    (row,) = read(entry(prompt="dusk;=cmd|' /C calc'!A0;-1; a-b"))
    assert row["prompt_text"] == "dusk;'=cmd|' /C calc'!A0;'-1; a-b"


def test_commas_quotes_and_lines_stay_in_their_cell() -> None:
    (row,) = read(entry(prompt='a, "b"\nc'))
    assert row["prompt_text"] == 'a, "b"\nc'
