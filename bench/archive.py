"""Fifty results of 100 MB at once into a bucket: what memory that takes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.process import PLAIN, CommandFailed
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
        environment = {**PLAIN, **store.environment, "PYTHONPATH": str(Path(__file__).parents[1])}
        ended = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    if ended.returncode or store.received != FILES * SIZE:
        raise CommandFailed(f"{store.received:,} bytes arrived, of {FILES * SIZE:,}: {ended.stderr[-2000:]}")
    what = f"{FILES} results of {SIZE // 1_000_000} MB into a bucket at once"
    yield Row(
        what=what, ours=int(ended.stdout) * 1024 / 1e6, against="the limit", theirs=float(LIMIT), unit="MB", at_most=1.0
    )


def _sparse(file: Path) -> Path:
    file.touch()
    os.truncate(file, SIZE)
    return file
