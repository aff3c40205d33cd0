"""`--help` of every command: no wider than the page, no summary cut short, an example below."""

import pytest
from typer.testing import CliRunner

from callsheet.cli.main import COMMANDS, app

NAMES = list(COMMANDS)


def page(*words: str, width: int = 80) -> list[str]:
    ended = CliRunner().invoke(app(), [*words, "--help"], prog_name="callsheet", terminal_width=width - 2)
    assert ended.exit_code == 0
    return ended.stdout.splitlines()


def test_the_list_of_commands_has_a_whole_sentence_for_each() -> None:
    lines = page()
    listed = {line.split()[0]: line for line in lines if line.startswith("  ") and line.split()[0] in NAMES}
    assert list(listed) == NAMES
    for line in listed.values():
        assert line.endswith("."), line
        assert not line.endswith("..."), line
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_a_command_fits_and_ends_with_what_can_be_typed(name: str) -> None:
    lines = page(name)
    assert max(map(len, lines)) <= 80, lines
    assert lines[0].startswith(f"Usage: callsheet {name} [OPTIONS]")
    assert not set("{}<>") & set(lines[0])
    assert "Examples:" in lines
    assert lines[-1].startswith(f"  callsheet {name}")
    assert "Path]" not in "".join(lines)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_a_command_fits_a_narrow_terminal(name: str) -> None:
    lines = page(name, width=40)
    examples = lines.index("Examples:")
    assert max(map(len, lines[:examples])) <= 40, lines
