"""`python -m bench.page`: the figures of bench/results.json as the table of docs/performance.md."""

import json
from pathlib import Path
from typing import Any

from bench.__main__ import PARTS, RESULTS

PAGE = Path(__file__).parents[1] / "docs/performance.md"
BEGIN, END = "<!-- bench/results.json: python -m bench.page -->", "<!-- end of the figures -->"
HEAD = "| what | ours | floor or peer | | ratio | should be |\n|---|---|---|---|---|---|"


def table(results: dict[str, Any]) -> str:
    """The parts in the order in which they are measured, and the machine of the last of them."""
    found = [results[part] for part in PARTS if part in results]
    lines = [_line(row) for part in found for row in part["rows"]]
    last = found[-1]
    return "\n".join([BEGIN, "", HEAD, *lines, "", f"{last['machine']}; {last['at'][:10]}.", "", END])


def _line(row: dict[str, Any]) -> str:
    at_most, at_least = row["at_most"], row["at_least"]
    aim = f"≤ {at_most:g}" if at_most is not None else f"≥ {at_least:g}" if at_least is not None else ""
    ratio = f"{row['ratio']:.2f}" if row["holds"] else f"**{row['ratio']:.2f}**"
    ours, theirs = (f"{row[side]:.4g} {row['unit']}".strip() for side in ("ours", "theirs"))
    return f"| {row['what']} | {ours} | {row['against']} | {theirs} | {ratio} | {aim} |"


def written(page: str, results: dict[str, Any]) -> str:
    before, _, rest = page.partition(BEGIN)
    return before + table(results) + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text())), "utf-8")
