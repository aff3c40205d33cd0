"""`callsheet verify`: is every byte of an archive what its sidecar says? And a manifest again from the sidecars."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callsheet.cli import completion, console, options, screen

if TYPE_CHECKING:
    from callsheet.steps.rebuild import Rebuilt
    from callsheet.steps.verify import Heard, Verified

#: Of an archive that is not what its documents say.
BROKEN = 7
#: Findings that are shown to a person; --json has them all.
MOST_SHOWN = 200

Archive = Annotated[
    str,
    typer.Argument(
        metavar="[ARCHIVE|SPEC]",
        help="A folder, s3://bucket/prefix, or a campaign; without, the studio's archive/.",
        show_default=False,
        autocompletion=completion.specs,
    ),
]


def verify(
    archive: Archive = "",
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write the manifests again from the sidecars first.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Read every byte of an archive and say what is wrong.

    It is held against its sidecars, its manifests and the ledger.

    Nothing is changed, unless --rebuild is given. Exit code 7 where something is missing or is not what it should be.
    """
    from callsheet.steps import verify as verifying

    place = verifying.place_of(archive)
    rebuilt: list[Rebuilt] = []
    if rebuild:
        from callsheet.steps import rebuild as rebuilding

        rebuilt = rebuilding.rebuild(place)
    with _bar() as heard:
        found = verifying.verify(place, heard)
    console.document(_document(found, rebuilt)) if json else _tell(found, rebuilt)
    if not found.is_whole:
        raise typer.Exit(BROKEN)


@contextmanager
def _bar() -> "Iterator[Heard]":
    """Bytes read; nothing where the terminal cannot redraw."""
    if not screen.err.is_terminal or screen.err.is_dumb_terminal:
        yield lambda _done, _all: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("reading"), BarColumn(bar_width=32), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen.err, transient=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda done, all_: bars.update(task, completed=done, total=all_)


def _tell(found: "Verified", rebuilt: "list[Rebuilt]") -> None:
    for one in rebuilt:
        kept = f", {one.kept} of them kept from the old one" if one.kept else ""
        left = f"; {one.left} older renders are in sidecars only" if one.left else ""
        console.tell(f"rebuilt    {one.where}: {one.entries} variants{kept}{left}")
    for finding in found.findings[:MOST_SHOWN]:
        word, style = ("wrong", "bold red") if finding.severity == "no" else ("note", "yellow")
        console.show(console.out, (f"{word:<10} ", style), (f"{finding.key}: ", "bold"), finding.what)
        if finding.hint:
            console.tell(f"           {finding.hint}", style="dim")
    if len(found.findings) > MOST_SHOWN:
        console.tell(f"           and {len(found.findings) - MOST_SHOWN} more; --json lists them all")
    console.facts(
        (
            ("archive", found.place),
            ("read", _read(found)),
            ("ledger", f"{found.takes} takes" if found.takes else "none here to hold it against"),
        )
    )
    wrong = sum(finding.severity == "no" for finding in found.findings)
    whole = "every byte is as it was archived" if found.documents else "nothing is archived here"
    console.tell(f"result     {f'{wrong} wrong' if wrong else whole}")


def _read(found: "Verified") -> str:
    films = "1 film" if found.films == 1 else f"{found.films} films"
    return f"{films}, {found.bytes / 10**6:,.1f} MB, {found.documents} documents{_shared(found)}"


def _shared(found: "Verified") -> str:
    if not found.shared:
        return ""
    many = "1 of the films lies" if found.shared == 1 else f"{found.shared} of the films lie"
    return f"; {many} with another campaign that bought the same content"


def _document(found: "Verified", rebuilt: "list[Rebuilt]") -> dict[str, Any]:
    return {
        "ok": found.is_whole,
        "archive": found.place,
        "documents": found.documents,
        "films": found.films,
        "shared": found.shared,
        "bytes": found.bytes,
        "takes": found.takes,
        "findings": [finding.as_json() for finding in found.findings],
        "rebuilt": [
            {"manifest": one.where, "entries": one.entries, "kept": one.kept, "left": one.left} for one in rebuilt
        ],
    }
