"""A word that prompts are searched for: how it is called, how English and Chinese say it, and what it does to the look."""

import re
from dataclasses import dataclass

from callsheet.sandbox.look import NEUTRAL, Look


@dataclass(frozen=True, kw_only=True)
class Word:
    """words: English, whole words, as a regular expression. chinese: looked for anywhere, Chinese has no spaces.

    effect: what it does besides colour and light, by its name in `effects`.
    """

    name: str
    words: str
    chinese: str
    look: Look = NEUTRAL
    effect: str = ""

    @property
    def pattern(self) -> str:
        return rf"(?<![a-z])(?:{self.words})(?![a-z])|{self.chinese}"

    def hits(self, text: str) -> list[str]:
        """What of this text, in small letters, says it."""
        return [hit[0] for hit in re.finditer(self.pattern, text)]

    def found_in(self, text: str) -> bool:
        return bool(self.hits(text))

    def without(self, text: str) -> str:
        return re.sub(self.pattern, " ", text)


def spoken(words: str) -> list[str]:
    """Ways to say it, as people write them, of a regular expression of this program: the first of each choice."""
    return [re.sub(r"[\s-]+", " ", _first(choice)).strip() for choice in _choices(words)]


def _choices(words: str) -> list[str]:
    """What the bars outside of all groups separate."""
    choices, depth = [""], 0
    for sign in words:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth == 0:
            choices.append("")
        else:
            choices[-1] += sign
    return choices


def _first(choice: str) -> str:
    plain = re.sub(r"\(\?[!<][^)]*\)", "", choice)
    plain = re.sub(r"\[([^\]])[^\]]*\]\??", " ", plain)
    plain = re.sub(r"\(\?:[^()]*\)\?", "", plain)
    plain = re.sub(r"\(\?:([^()|]*)[^()]*\)", r"\1", plain)
    return re.sub(r"-\?|\\w\*|\?|\\", "", plain)
