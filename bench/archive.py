"""Fifty results of 100 MB at once into a bucket: what memory that takes."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import process
from bench.row import Row
from callsheet.archive.s3 import PART
from tests import sink

FILES, SIZE = 50, 100_000_000
#: Megabytes that it may take, all in all.
LIMIT = 300


def rows(folder: Path) -> Iterator[Row]:
    folder.mkdir(parents=True)
    files = [_sparse(folder / f"{number}.mp4") for number in range(FILES)]
    digest = sink.digest_of_nothing(SIZE)
    with sink.serving() as store:
        command = [sys.executable, "-c", sink.UPLOADER, str(PART), digest, *map(str, files)]
        root = str(Path(__file__).parents[1])
        reading = process.run(command, folder=folder, environment={**store.environment, "PYTHONPATH": root})
        arrived = store.received
    if arrived != FILES * SIZE:
        raise process.CommandFailed(f"{arrived:,} bytes arrived, of {FILES * SIZE:,}")
    what = f"{FILES} results of {SIZE // 1_000_000} MB into a bucket at once"
    yield Row(what=what, ours=reading.megabytes, against="the limit", theirs=float(LIMIT), unit="MB", at_most=1.0)


def _sparse(file: Path) -> Path:
    file.touch()
    os.truncate(file, SIZE)
    return file
