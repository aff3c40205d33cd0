"""Arguments and options that several commands share, worded once."""

from pathlib import Path
from typing import Annotated

import typer

Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="The campaign, a YAML file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="GLOB", help="Only variants whose slug matches; may be given several times."),
]
Again = Annotated[
    list[str] | None,
    typer.Option("--again", metavar="GLOB", help="Render these again although they are archived. It costs again."),
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Free drafts by the local provider; nothing leaves this machine.")
]
