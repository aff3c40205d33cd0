"""`make bench`: every measurement as one table on standard output, and as bench/results.json."""

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import archive, authoring, board, checks, drafts, orchestration, preparation, sandbox, startup
from bench.row import Row

#: What is measured, by the name that `make bench ONLY=…` takes.
PARTS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "authoring": authoring.rows,
    "preparation": preparation.rows,
    "checks": checks.rows,
    "drafts": drafts.rows,
    "sandbox": sandbox.rows,
    "archive": archive.rows,
    "board": board.rows,
    "startup": startup.rows,
    "orchestration": orchestration.rows,
}
RESULTS = Path(__file__).with_name("results.json")


def main(names: list[str]) -> int:
    """0 where every ratio is what it should be, 1 where one is not, 2 for a name that there is not."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"There is no bench {', '.join(unknown)}; there are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or PARTS:
        print(f"measuring {name} …", file=sys.stderr)
        with TemporaryDirectory(prefix="callsheet-bench-") as folder:
            measured = list(PARTS[name](Path(folder) / "studio"))
        keep(name, measured)
        rows += measured
    print(table(rows))
    return 0 if all(row.holds for row in rows) else 1


def keep(name: str, rows: list[Row]) -> None:
    """Into the file of results, where the last measurement of every part lies."""
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    facts = {"machine": machine(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
    known = {part: known[part] for part in PARTS if part in known}  # what an older bench wrote is no part
    known[name] = {**facts, "rows": [row.as_json() for row in rows]}
    RESULTS.write_text(json.dumps(known, indent=2) + "\n")


def table(rows: list[Row]) -> str:
    header = ("what", "ours", "against", "floor or peer", "ratio", "should be", "")
    cells = [
        (
            row.what,
            f"{row.ours:.3f} {row.unit}",
            row.against,
            f"{row.theirs:.3f} {row.unit}",
            f"{row.ratio:.2f}",
            row.aim,
            "" if row.holds else "no",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in (header, *cells)]
    return "\n".join([*(line.rstrip() for line in lines), "", machine()])


def machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}{load}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
