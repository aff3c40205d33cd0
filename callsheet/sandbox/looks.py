"""A prompt as a look: words it knows, in English and Chinese, each turning the picture a certain way.

A draft relights, recolours and dusts the picture; it never adds or removes things. Words it does not know still move the
colours a little, in a way that depends on nothing but the prompt, so that two prompts never give the same draft.
"""

import hashlib
import re
from dataclasses import replace

from callsheet.sandbox.arts import ARTS
from callsheet.sandbox.lexicon import LEXICON
from callsheet.sandbox.look import NEUTRAL, Look, Shift, added
from callsheet.sandbox.word import Word

_NOT = r"(?:no|not|without|never|avoid|remove|minus|less|isn't|non)[\s-]+(?:\w+[\s-]+){0,2}?"
_NOT_CHINESE = "(?:不要|没有|无|不|去掉|非)"
_SLIGHTLY = re.compile(
    r"\b(?:slightly|slight|subtle|subtly|hint of|touch of|soft|gently|a little|a bit)[\s-]+(?:\w+[\s-]+)?$"
)
_VERY = re.compile(
    r"\b(?:very|strong|strongly|heavy|heavily|intense|extremely|deep|dramatic|super)[\s-]+(?:\w+[\s-]+)?$"
)


def words_of(prompt: str) -> dict[str, float]:
    """The known words that a prompt means, each with its strength: 1 as it stands, 0.5 slightly, 1.35 very. Not the negated."""
    text = prompt.lower()
    found = {word.name: strength for word in LEXICON if (strength := _strength(word, text)) > 0}
    if "neon" in found:  # neon is a night scene already; both together would be black
        found.pop("night", None)
    return found


def _strength(word: Word, text: str) -> float:
    best = 0.0
    for hit in re.finditer(rf"(?P<no>\b{_NOT})?(?<![a-z])(?:{word.words})(?![a-z])", text):
        if hit["no"] is None:
            best = max(best, _degree(text[: hit.start()]))
    for hit in re.finditer(f"(?P<no>{_NOT_CHINESE})?(?:{word.chinese})", text):
        if hit["no"] is None:
            best = max(best, 1.0)
    return best


def _degree(before: str) -> float:
    if _SLIGHTLY.search(before):
        return 0.5
    return 1.35 if _VERY.search(before) else 1.0


def of_prompt(prompt: str, *, has_references: bool, denied: str = "") -> Look:
    """The look of a prompt, less the words of `denied`. With references it tints half as much: the palette is theirs."""
    found = {name: strength for name, strength in words_of(prompt).items() if name not in words_of(denied)}
    words = [word for word in LEXICON if word.name in found]
    look = _nudge(prompt, known=bool(words))
    tinting = sum(word.look != NEUTRAL for word in words)
    for word in words:
        look = added(look, word.look, found[word.name] / max(1.0, tinting**0.5))
    tricks = _one_art(tuple((word.effect, found[word.name]) for word in words if word.effect))
    look = replace(look, effects=tricks)
    return _paler(look) if has_references else look


def _one_art(effects: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """At most one way to paint: the first of the table, since "style of" and "painting" come with the others' words."""
    asked = {name for name, _ in effects}
    others = [word.effect for word in ARTS if word.effect in asked][1:]
    return tuple(one for one in effects if one[0] not in others)


def _nudge(prompt: str, *, known: bool) -> Look:
    """A small turn of the colours that depends on the prompt's text alone; larger where no word of it is known."""
    digest = hashlib.sha256(" ".join(prompt.lower().split()).encode()).digest()
    turn = [byte / 127.5 - 1 for byte in digest[:6]]
    size = 0.25 if known else 1.0
    return Look(
        contrast=0.10 * size * turn[0] + (0.0 if known else 0.12),
        saturation=0.10 * size * turn[1],
        warmth=0.35 * size * turn[2],
        shadows=(0.022 * size * turn[3], 0.022 * size * turn[4]),
        highlights=(-0.014 * size * turn[3], 0.016 * size * turn[5]),
        vignette=0.0 if known else 0.2,
    )


def _paler(look: Look) -> Look:
    def half(shift: Shift) -> Shift:
        return (shift[0] / 2, shift[1] / 2)

    return replace(look, warmth=look.warmth / 2, shadows=half(look.shadows), highlights=half(look.highlights))


def unpainted(look: Look) -> Look:
    """The look without its art, which somebody has painted already."""
    arts = {word.effect for word in ARTS}
    return replace(look, effects=tuple(one for one in look.effects if one[0] not in arts))
