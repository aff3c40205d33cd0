"""What the sandbox's own book, the ledger and the archive say after a run, each read from its own file and not by our code."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that the sandbox accepted. `reserved` and `charged` are units of 1/10000 credit.

    `inputs` are the digests of what it was told to work on, the clip first: the same for the same variant, however often
    its media were uploaded.
    """

    id: str
    key: str
    prompt: str
    aspect_ratio: str
    state: str
    reserved: int
    charged: int | None
    inputs: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A take of the ledger."""

    slug: str
    state: str
    job: str
    archive: str
    price: int


#: States of a take that hold or have cost money.
PAID_FOR = frozenset({"reserved", "submitting", "submitted", "succeeded", "in_doubt", "archived"})


def jobs(home: Path) -> list[Job]:
    """What the sandbox accepted, oldest first."""
    inputs = """select group_concat(sha256, ' ') from
        (select sha256 from input join file on file.id = file_id where job_id = job.id order by position)"""
    columns = f"id, idempotency_key, prompt, aspect_ratio, state, reserved, charged, ({inputs})"
    names = ("id", "key", "prompt", "aspect_ratio", "state", "reserved", "charged", "inputs")
    found = rows(home / "sandbox/book.sqlite", f"select {columns} from job order by seq")
    return [Job(**dict(zip(names, row, strict=True))) for row in found]


def takes(home: Path) -> list[Row]:
    """What the ledger has, oldest first."""
    names = ("slug", "state", "job", "archive", "price")
    query = f"select {', '.join(names)} from takes order by id"
    return [Row(**dict(zip(names, row, strict=True))) for row in rows(home / "ledger.sqlite", query)]


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    """Nothing while there is no such file, or no such table in it yet."""
    if not file.is_file():
        return []
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as book:
        try:
            return book.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return []


def assert_nothing_is_paid_twice(accepted: Sequence[Job], kept: Sequence[Row]) -> None:
    """At any instant: no variant accepted twice, and none with two takes that hold or have cost money."""
    assert not _repeated((job.prompt, job.aspect_ratio, job.inputs) for job in accepted), accepted
    assert not _repeated(job.key for job in accepted), accepted
    assert not _repeated(take.slug for take in kept if take.state in PAID_FOR), kept


def _repeated(things: Iterable[Hashable]) -> list[Hashable]:
    return [thing for thing, count in Counter(things).items() if count > 1]


def assert_paid_once_and_archived(*, home: Path, archive: Path, variants: int, price: int) -> None:
    """In the end: every variant accepted once, charged once, one take each, and the archive is whole.

    archive: the folder of the campaign in it. price: units of each variant.
    """
    accepted, kept = jobs(home), [take for take in takes(home) if take.state != "released"]
    assert_nothing_is_paid_twice(accepted, kept)
    assert [(job.state, job.reserved, job.charged) for job in accepted] == [("completed", price, price)] * variants, (
        accepted
    )
    assert [(take.state, take.price) for take in kept] == [("archived", price)] * variants, kept
    assert {take.job for take in kept} == {job.id for job in accepted}, (kept, accepted)
    films = {film.name: film for film in archive.glob("*.mp4")}
    assert set(films) == {Path(take.archive).name for take in kept}, (films, kept)
    assert len(films) == variants, films
    for film in films.values():
        _assert_its_sidecar_is_right(film, {job.id: job for job in accepted})
    _assert_the_manifest_lists_all(archive, films)


def _assert_its_sidecar_is_right(film: Path, accepted: dict[str, Job]) -> None:
    sidecar = json.loads(film.with_suffix(".json").read_bytes())
    data = film.read_bytes()
    assert sidecar["result"]["file"] == film.name
    assert sidecar["result"]["bytes"] == len(data)
    assert sidecar["result"]["sha256"] == hashlib.sha256(data).hexdigest()
    job = accepted[sidecar["job"]["job"]]
    assert (sidecar["job"]["idempotency_key"], sidecar["prompt"]) == (job.key, job.prompt)


def _assert_the_manifest_lists_all(archive: Path, films: dict[str, Path]) -> None:
    manifest = json.loads((archive / "manifest.json").read_bytes())
    entries = manifest["entries"]
    assert [entry["state"] for entry in entries] == ["archived"] * len(films)
    assert {entry["deliverable"] for entry in entries} == set(films)
    for entry in entries:
        for name in ("deliverable", "sidecar", "source", "poster", "source_poster"):
            assert (archive / entry[name]).is_file(), f"{name} of {entry['slug']}"
    assert (archive / "review/index.html").is_file()
