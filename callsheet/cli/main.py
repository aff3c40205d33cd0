"""The command line: which commands there are, and how an error becomes a message and an exit code."""

import gc
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Annotated

import typer

import callsheet
from callsheet.cli import console, help
from callsheet.errors import CallsheetError

INTERRUPTED = 130

#: The commands in the order in which they are met, the module of each, and what may be typed.
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "init": ("init", ("init my-campaign", "init")),
    "check": ("check", ("check specs/hello.yaml", "check specs/*.yaml --json")),
    "plan": ("plan", ("plan specs/hello.yaml", "plan specs/hello.yaml --paid --only 'bunny--*'")),
    "run": ("run", ("run specs/hello.yaml --sandbox", "run specs/hello.yaml --only 'cup--none--*' --max-usd 3")),
    "deploy": ("deploy", ("deploy", "deploy specs/hello.yaml --sandbox")),
    "status": ("status", ("status", "status specs/hello.yaml --json")),
    "spend": ("status", ("spend",)),
    "audit": ("audit", ("audit", "audit --online --json")),
    "reconcile": ("reconcile", ("reconcile", "reconcile specs/hello.yaml", "reconcile --not-accepted 12")),
    "review": ("review", ("review specs/hello.yaml --open",)),
    "verify": ("verify", ("verify specs/hello.yaml", "verify s3://studio/finals --json")),
    "export": ("export", ("export specs/hello.yaml", "export specs/hello.yaml --approved --out films.csv")),
    "sandbox": ("sandbox", ("sandbox --port 4100",)),
    "webhooks": ("webhooks", ("webhooks --port 4180",)),
    "prepare": (
        "prepare",
        ("prepare beach.mov", "prepare media/*.mp4 --framing crop --aspect-ratio 9:16 --out tall"),
    ),
    "cache": ("cache", ("cache", "cache clear --older-than 30d")),
    "models": ("models", ("models", "models kling-o1-video-edit")),
    "schema": ("schema", ("schema > specs/campaign.schema.json", "schema --of sidecar")),
    "doctor": ("doctor", ("doctor", "doctor --online")),
}


def app(names: Sequence[str] = tuple(COMMANDS)) -> typer.Typer:
    """The command line, with these commands only: the module of a command is loaded here, and no other."""
    line = typer.Typer(
        name="callsheet",
        help="Batch video edits from a YAML campaign: nothing paid twice, nothing paid lost.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        cls=help.Group,
        context_settings=help.SETTINGS,
        epilog=help.examples(("init my-campaign", "plan specs/hello.yaml", "run specs/hello.yaml --sandbox")),
        callback=_root,
    )
    for name in names:
        module, typed = COMMANDS[name]
        function = getattr(import_module(f"callsheet.cli.{module}"), name)
        line.command(name, cls=help.Command, epilog=help.examples(typed))(function)
    return line


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"callsheet {callsheet.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command line; leave with its exit code. SIGTERM is Ctrl-C by another name, in every command."""
    signal.signal(signal.SIGTERM, _interrupt)
    console.fit()
    # Tens of thousands of variants live until the end: looking through them for garbage again and again finds none.
    gc.set_threshold(50_000, 20, 20)
    try:
        app([word for word in sys.argv[1:2] if word in COMMANDS] or tuple(COMMANDS))()
    except CallsheetError as error:
        console.error(error)
        if "--json" in sys.argv[1:]:
            console.document(console.failure(error))
        sys.exit(error.exit_code)
    except SystemExit as leaving:
        if leaving.code == 1 and isinstance(leaving.__context__, BrokenPipeError):  # what typer makes of any pipe's end
            console.hang_up_if_gone()
            console.defect(leaving.__context__)
            sys.exit(console.UNEXPECTED)
        if leaving.code == INTERRUPTED:  # typer makes this of KeyboardInterrupt
            console.interrupted()
        raise
    except Exception as failure:
        console.defect(failure)
        sys.exit(console.UNEXPECTED)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Not by way of SIGINT: what a script started with `&` ignores that."""
    raise KeyboardInterrupt
