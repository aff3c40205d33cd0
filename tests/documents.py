"""The documents of the checkout as tests read them: which there are, their code blocks, campaigns that go on in later ones."""

import re
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
#: What a checkout holds that nobody here wrote.
FOREIGN = {".venv", ".callsheet", "archive", "build", "dist", ".pytest_cache", ".git", "node_modules"}
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md") if not FOREIGN & set(path.relative_to(ROOT).parts))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(text: str) -> list[tuple[str, str]]:
    """The language and the text of every code block, of a list's items too."""
    return [(name, dedent(block)) for _, name, block in re.findall(r"^( *)```(\w*)\n(.*?)^\1```", text, re.M | re.S)]


def fences(text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return [block for name, block in blocks(text) if name == language]


def together(fences: Iterable[str]) -> str:
    """A campaign, and what later blocks put in place of its keys."""
    keys: dict[str, str] = {}
    for fence in fences:
        keys |= dict(re.findall(r"^([a-z_]+)(:.*\n(?: .*\n|\n)*)", fence, re.M))
    return "".join(f"{key}{text}" for key, text in keys.items())
