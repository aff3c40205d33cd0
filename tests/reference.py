"""The reference in docs/reference/, written from the code: `make docs` writes it there, and a test finds what is old.

Keys come from the form that reads a campaign, commands from the command line itself, settings from .env.example, which is
tested against what reads them, and errors from their classes.
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from callsheet import errors
from callsheet.campaign_form import CAMPAIGN, FORMS, Form, Key
from callsheet.cli.main import COMMANDS, app
from callsheet.errors import MONEY_WORDS, CallsheetError
from callsheet.steps.settings import VARIABLES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/reference"
WRITTEN = "<!-- written by `make docs` from the code; do not edit -->"
#: Where a document is named in a docstring.
_DOCUMENT = re.compile(r"(?<![\w/`])(?<!\]\()((?:docs/|specs/)[\w./-]+\.md)(#[\w-]+)?")


def pages() -> dict[str, str]:
    """Every page by its name."""
    return {"campaign.md": campaign(), "commands.md": commands(), "settings.md": settings(), "errors.md": of_errors()}


def _page(title: str, intro: str, lines: Iterator[str]) -> str:
    return "\n".join([f"# {title}", "", WRITTEN, "", intro, "", *lines]).rstrip() + "\n"


def _cell(text: str) -> str:
    """In a table a bar ends the cell."""
    linked = _DOCUMENT.sub(lambda found: f"[{found[1]}](../../{found[1]}{found[2] or ''})", " ".join(text.split()))
    return linked.replace("|", "\\|")


# --- the campaign -------------------------------------------------------------------------------------------------------


def campaign() -> str:
    intro = (
        "Every key of a campaign. What each means, with an example in its place: [specs/README.md](../../specs/README.md). "
        "An unknown or repeated key is a mistake; those that begin with `x-` are yours."
    )
    return _page("The keys of a campaign", intro, _forms())


def _forms() -> Iterator[str]:
    yield from _form(CAMPAIGN, "Top level")
    for key, form in FORMS.items():
        yield from _form(form, f"Under `{key}`")


def _form(form: Form, title: str) -> Iterator[str]:
    yield from (f"## {title}", "", form.description.replace("{{", "`{{").replace("}}", "}}`"), "")
    yield from ("| key | value | default | |", "|---|---|---|---|")
    for name, key in form.keys.items():
        must = " (required)" if key.is_required else ""
        default = "" if key.default is None else f"`{_yaml(key.default)}`"
        text = key.description.replace("{{ name }}", "`{{ name }}`")
        example = f" As `{_yaml(key.examples[0])}`." if key.examples else ""
        yield f"| `{name}`{must} | {_value(key)} | {_cell(default)} | {_cell(text + example)} |"
    yield ""


def _value(key: Key) -> str:
    told: dict[str, Any] = {**key.kind.told, **key.told}
    return _cell(_spoken(told))


def _spoken(told: dict[str, Any]) -> str:
    """What a JSON Schema takes, in a few words."""
    if "enum" in told:
        return ", ".join(f"`{_yaml(word)}`" for word in told["enum"])
    for several in ("oneOf", "anyOf"):
        if several in told:
            return " or ".join(dict.fromkeys(_spoken(one) for one in told[several]))
    if "$ref" in told:
        return "a mapping, below"
    if told.get("type") == "array":
        return f"a list of {_several(_spoken(told.get('items', {})))}"
    if told.get("type") == "integer":
        return f"{told['minimum']} to {told['maximum']}"
    words = {"string": "text", "boolean": "true or false", "object": "a mapping"}
    return words.get(str(told.get("type", "")), "text")


def _several(one: str) -> str:
    return {"text": "texts", "a mapping": "mappings", "true or false": "both"}.get(one, one)


def _yaml(value: Any) -> str:
    """On one line, as it would be typed."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_yaml(one)}' for name, one in value.items())}}}"
    return json.dumps(value)


# --- the command line ---------------------------------------------------------------------------------------------------


def commands() -> str:
    intro = (
        "Each command as `--help` has it. `--json` prints one JSON document on standard output, and everything said about it "
        "goes to standard error. Exit codes: [errors.md](errors.md#exit-codes)."
    )
    return _page("Commands", intro, _commands())


def _commands() -> Iterator[str]:
    group = typer.main.get_command(app())
    if not isinstance(group, TyperGroup):
        raise TypeError("the command line is no group of commands")
    for name, command in group.commands.items():
        if command.hidden:
            continue
        yield from (f"## callsheet {name}", "", _cell(inspect.cleandoc(command.help or "")), "")
        yield from ("```sh", *(f"callsheet {typed}" for typed in COMMANDS[name][1]), "```", "")
        rows = [_parameter(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        if rows:
            yield from ("| | |", "|---|---|", *rows, "")


def _parameter(parameter: Any) -> str:
    words = str(parameter.help or "")
    if isinstance(parameter, TyperArgument):
        return f"| `{parameter.metavar or str(parameter.name).upper()}` | {_cell(words)} |"
    if not isinstance(parameter, TyperOption):
        raise TypeError(f"{parameter.name} is neither an argument nor an option")
    metavar = "" if parameter.is_flag or not parameter.metavar else f" {parameter.metavar}"
    spelled = ", ".join(f"`{spelling}{metavar}`" for spelling in (*parameter.opts, *parameter.secondary_opts))
    default = parameter.default
    usual = f" Default: `{default}`." if isinstance(default, str | int) and not isinstance(default, bool) else ""
    return f"| {spelled} | {_cell(words + usual)} |"


# --- settings -----------------------------------------------------------------------------------------------------------


def settings() -> str:
    intro = (
        "From the environment, or from a file `.env` beside prefect.yaml; the environment wins. "
        "[.env.example](../../.env.example) is the same as a file to copy. Further routes: `routes.toml` "
        "([docs/money.md](../money.md#routes)). A variable that begins with `CALLSHEET_` and is not here is a mistake, so that "
        "a misspelt ceiling never counts for nothing."
    )
    return _page("Settings", intro, _settings())


def _settings() -> Iterator[str]:
    told = dict(explained())
    if told.keys() != VARIABLES.keys():
        raise ValueError(f".env.example and the settings differ: {sorted(told.keys() ^ VARIABLES.keys())}")
    yield from ("| variable | default | |", "|---|---|---|")
    for name, (default, words) in told.items():
        yield f"| `{name}` | {f'`{default}`' if default else '–'} | {_cell(words)} |"


def explained() -> Iterator[tuple[str, tuple[str, str]]]:
    """Each variable of .env.example with its default and the words above it, which may be those of two together."""
    words: list[str] = []
    begun = False
    for line in (ROOT / ".env.example").read_text("utf-8").splitlines():
        if found := re.fullmatch(r"# ([A-Z_0-9]+)=(.*)", line):
            begun = True
            yield found[1], (found[2], " ".join(words))
        elif not line.strip() or begun:
            words, begun = [line.removeprefix("# ")] if line.strip() else [], False
        else:
            words.append(line.removeprefix("# "))


# --- errors -------------------------------------------------------------------------------------------------------------

#: Exit codes that no error has.
OTHERS = {
    0: "fine",
    1: "some variants failed or are not finished; the last lines say which, and why",
    9: "some takes are in doubt: `callsheet reconcile SPEC`",
    130: "interrupted; what was submitted goes on, run again to collect it",
    141: "whoever read the output went away, as with `| head`; a run that nobody watches goes on",
}


def of_errors() -> str:
    intro = "Every error has an exit code, says what it means for the money, and whether the same step is tried again."
    return _page("Errors", intro, _errors())


def _errors() -> Iterator[str]:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CallsheetError)]
    kinds.sort(key=lambda kind: inspect.getsourcelines(kind)[1])
    families = [kind for kind in kinds if kind.__base__ is CallsheetError]
    yield from ("## Exit codes", "", "| code | means | errors |", "|---|---|---|")
    coded = {
        **{code: (means, "") for code, means in OTHERS.items()},
        **{k.exit_code: (_says(k)[0], k.__name__) for k in families},
    }
    coded[CallsheetError.exit_code] = ("unexpected; please report it", CallsheetError.__name__)
    for code in sorted(coded):
        means, name = coded[code]
        yield f"| {code} | {_cell(means.rstrip('.'))} | {f'`{name}`' if name else ''} |"
    yield ""
    for family in families:
        says, do = _says(family)
        yield from (f"## {family.exit_code}: {family.__name__}", "", f"{_cell(says)} {_cell(do)}", "")
        members = [kind for kind in kinds if issubclass(kind, family) and kind is not family]
        if members:
            yield from ("| error | means | money | tried again | what to do |", "|---|---|---|---|---|")
            for kind in members:
                says, do = _says(kind)
                again = "yes" if kind.retry == "safe" else ""
                yield f"| `{kind.__name__}` | {_cell(says)} | {MONEY_WORDS[kind.spent]} | {again} | {_cell(do)} |"
            yield ""


def _says(kind: type[CallsheetError]) -> tuple[str, str]:
    """What an error means, by the first lines of its docstring, and what to do about it, by those that begin with Do."""
    text = inspect.cleandoc(kind.__doc__ or "")
    means, _, rest = text.partition("\n\n")
    do = next((part.removeprefix("Do: ") for part in rest.split("\n\n") if part.startswith("Do: ")), "")
    if not means or not do:
        raise ValueError(f"{kind.__name__} does not say what it means and what to do")
    return re.split(r"(?<=\.)\s", means)[0], do


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
