"""A ledger in each of the databases: SQLite in a file of the test, PostgreSQL in a schema of the test."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from callsheet.ledger.book import Ledger

from .ledgers import Place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path}/ledger.sqlite")
    return Place(request.getfixturevalue("postgres_schema"))


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with closing(Ledger(place.url)) as opened:
        yield opened
