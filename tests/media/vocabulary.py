"""The words that drafts know, as the tables of docs/drafts.md; `make docs` writes them there."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from callsheet.sandbox import arts, camera, lexicon, scenes, stocks, tricks
from callsheet.sandbox.word import spoken

PAGE = Path(__file__).parents[2] / "docs/drafts.md"
BEGIN, END = "<!-- the words of callsheet/sandbox: make docs -->", "<!-- end of the words -->"


class Said(Protocol):
    """What has a name and words in both languages."""

    @property
    def name(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def chinese(self) -> str: ...


GROUPS: tuple[tuple[str, str, Iterable[Said]], ...] = (
    ("Moods, times of day, weather, colours", "look", lexicon.MOODS),
    ("Film stocks, cameras, processes", "look", stocks.STOCKS),
    ("Ways to paint and draw", "way", arts.ARTS),
    ("Transitions", "what happens", tricks.TRANSITIONS),
    ("Effects", "what happens", tricks.EFFECTS),
    ("Moves of the camera (also over a clip, where the prompt says one)", "move", camera.WORDS),
    ("Places (of text to video)", "place", scenes.PLACES),
)


def tables() -> str:
    lines = [BEGIN, ""]
    for title, head, words in GROUPS:
        lines += [f"### {title}", "", f"| {head} | English | 中文 |", "|---|---|---|"]
        for word in words:
            lines.append(f"| {word.name} | {', '.join(spoken(word.words))} | {'、'.join(spoken(word.chinese))} |")
        lines.append("")
    return "\n".join([*lines, END])


def written(page: str) -> str:
    """The page with the tables of today."""
    before, _, rest = page.partition(BEGIN)
    return before + tables() + (rest.partition(END)[2] or "\n")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
