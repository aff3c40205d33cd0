"""A ledger in each of the databases: SQLite in a file of the test, PostgreSQL in a schema of the test."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from callsheet.ledger.book import Ledger

from .ledgers import Place


@pytest.fixture
def postgres_place(postgres: str) -> Iterator[Place]:
    schema = f"t_{uuid4().hex}"
    Place(postgres).do(f"create schema {schema}")
    joined = "&" if "?" in postgres else "?"
    yield Place(f"{postgres}{joined}options=-csearch_path%3D{schema}")
    Place(postgres).do(f"drop schema {schema} cascade")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path}/ledger.sqlite")
    found: Place = request.getfixturevalue("postgres_place")
    return found


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with closing(Ledger(place.url)) as opened:
        yield opened
