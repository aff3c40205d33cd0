"""How `--help` reads: arguments by their names alone, and below the options an example or two to type."""

import re
import shutil
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

#: Columns of a help page at most, and at least: below that the terminal folds the lines itself.
WIDEST, NARROWEST = 80, 36

#: `-h` is what hands type; the width is that of the terminal, which the library by itself takes for at least 50 columns.
SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "terminal_width": max(min(shutil.get_terminal_size().columns, WIDEST) - 2, NARROWEST),
}


#: What people type that there is not, and what there is instead.
INSTEAD = {
    "--dry-run": "callsheet plan shows what a run would do and cost, and sends nothing.",
    "--dryrun": "callsheet plan shows what a run would do and cost, and sends nothing.",
    "--force": "--again GLOB renders again what is archived; --yes approves the plan without asking.",
    "--verbose": "callsheet status shows every take; the Prefect UI has the log of each stage.",
    "--budget": "--max-usd is the most that this run may cost; the campaign has its own budget.",
    "--output": "archive: {to: ...} in the campaign says where the films go.",
}


class Command(TyperCommand):
    """A command whose epilog is examples, one a line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """An option that people expect and that there is not is answered with the one that there is."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # of the library, whose own class has no public name
            instead = INSTEAD.get(getattr(error, "option_name", ""))
            if instead:
                error.message = f"{error.message}. {instead}"  # type: ignore[attr-defined]  # what has an option_name has it
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """SPEC, not {SPEC}."""
        return [re.sub(r"[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments without their Python type and the word `required`, which the usage shows; then the options."""
        records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                records[param.param_type_name].append(record)
        records["argument"] = [
            (re.sub(r" <.*>$", "", name), words.removesuffix("  [required]")) for name, words in records["argument"]
        ]
        for kind, title in (("argument", "Arguments"), ("option", "Options")):
            if records[kind]:
                with formatter.section(title):
                    formatter.write_dl(records[kind])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 the library's signature
        _write_examples(self.epilog, formatter)


class Group(TyperGroup):
    """The command line as a whole."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 the library's signature
        _write_examples(self.epilog, formatter)


def _write_examples(epilog: str | None, formatter: Any) -> None:
    """Each on a line of its own and never broken: they are there to be copied."""
    if epilog:
        with formatter.section("Examples"):
            for line in epilog.splitlines():
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def examples(commands: Sequence[str]) -> str:
    """The epilog of a command."""
    return "\n".join(f"callsheet {command}" for command in commands)
