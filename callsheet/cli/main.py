"""The command line: which commands there are, and how an error becomes a message and an exit code."""

import sys
from typing import Annotated

import typer

import callsheet
from callsheet.cli import check, doctor, init, models, plan, reconcile, review, run, sandbox, schema, status
from callsheet.errors import CallsheetError

INTERRUPTED = 130
UNEXPECTED = 70

app = typer.Typer(
    name="callsheet",
    help="Batch video edits from a YAML campaign: nothing paid twice, nothing paid lost.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"callsheet {callsheet.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None: ...


app.command("init")(init.init)
app.command("check")(check.check)
app.command("plan")(plan.plan)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("spend")(status.spend)
app.command("reconcile")(reconcile.reconcile)
app.command("review")(review.review)
app.command("sandbox")(sandbox.sandbox)
app.command("models")(models.models)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line; leave with its exit code."""
    from callsheet.cli import console

    try:
        app()
    except CallsheetError as error:
        console.error(error)
        sys.exit(error.exit_code)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # typer makes this of Ctrl-C
            console.say(
                "Interrupted. What was submitted goes on at the provider; run the campaign again to collect it."
            )
        raise
    except BrokenPipeError:
        sys.exit(UNEXPECTED)
    except Exception as failure:
        console.defect(failure)
        sys.exit(UNEXPECTED)
