"""`callsheet init`: a new studio in a folder, with a campaign that runs at once; what is there is kept."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import console, options

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="[DIR]", help="Folder of the studio, made if need be; by default this one.", show_default=False
    ),
]


def init(folder: Folder = Path(), json: options.Json = False) -> None:
    """Lay out a new studio, with a first campaign to run at once.

    Writes specs/, media/, flows/, prefect.yaml, prefect.toml, .env.example and .gitignore. A file that is there already is
    kept as it is, so it may be run in any folder, and again.
    """
    from callsheet.steps.lay_out import lay_out

    laid_out = lay_out(folder)
    commands = _next(folder, laid_out.spec)
    if json:
        console.document(
            {
                "studio": str(laid_out.root),
                "spec": laid_out.spec,
                "created": list(laid_out.created),
                "kept": list(laid_out.kept),
                "next": commands,
            }
        )
        return
    if laid_out.was_studio:
        console.say(f"{laid_out.root} has a prefect.yaml already; only what it lacks is added.")
    for word, names in (("new", laid_out.created), ("kept", laid_out.kept)):
        for name in names:
            console.tell(f"{word:<6}{name}", style="dim" if word == "kept" else "")
    if laid_out.unignored:
        console.say(f".gitignore does not name {', '.join(laid_out.unignored)}: add them, to keep them to yourself.")
    console.tell()
    console.tell("Next:")
    for command in commands:
        console.tell(f"  {command}")


def _next(folder: Path, spec: str) -> list[str]:
    """The next three commands to type, here."""
    elsewhere = folder.absolute() != Path.cwd()
    enter = f"cd {shlex.quote(str(folder))}" if elsewhere else f"callsheet check {shlex.quote(spec)}"
    return [enter, f"callsheet plan {shlex.quote(spec)}", f"callsheet run {shlex.quote(spec)} --sandbox"]
