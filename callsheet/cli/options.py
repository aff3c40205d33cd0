"""Arguments and options that several commands share, worded once."""

from pathlib import Path
from typing import Annotated

import typer

from callsheet.cli import completion

Spec = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC", help="The campaign, a YAML file.", show_default=False, autocompletion=completion.specs
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="GLOB",
        help="Only variants whose slug matches; may be given several times.",
        autocompletion=completion.slugs,
    ),
]
Again = Annotated[
    list[str] | None,
    typer.Option(
        "--again",
        metavar="GLOB",
        help="Render these again although they are archived. It costs again.",
        autocompletion=completion.slugs,
    ),
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Free drafts by the local provider; nothing leaves this machine.")
]
