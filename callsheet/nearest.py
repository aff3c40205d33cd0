"""Did-you-mean: the known word that a mistyped one most likely stands for."""

from collections.abc import Iterable, Sequence
from itertools import islice

#: A word longer than this is not a typing mistake, and comparing is quadratic in its length.
LONGEST = 80
#: Known words that are compared at most, for the same reason: the words come from the campaign.
MOST = 500
#: How alike two words must be, from 0 to 1; 0.6 accepts two wrong letters in five and no unrelated word of the axes.
ALIKE = 0.6


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, case and separators aside, or None where nothing is close."""
    if len(word) > LONGEST:
        return None
    from difflib import get_close_matches  # for a mistake only

    by_plain = {_plain(candidate): candidate for candidate in islice(known, MOST) if len(candidate) <= LONGEST}
    found = get_close_matches(_plain(word), by_plain, n=1, cutoff=ALIKE)
    return by_plain[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "; did you mean `x`?" to put behind a sentence, or nothing."""
    found = nearest(word, known)
    return f"; did you mean `{found}`?" if found else ""


def listed(words: Sequence[str], *, last: str = "and", most: int = 12) -> str:
    """Words as a person lists them: "a, b and c"; the rest as a count where there are many."""
    shown = [word if len(word) <= LONGEST else f"{word[:LONGEST]}…" for word in words[:most]]
    if len(words) > most:
        return f"{', '.join(shown)} {last} {len(words) - most} more"
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def _plain(word: str) -> str:
    """`aspectRatios`, `aspect-ratios` and `aspect_ratios` are one word to a typist."""
    return "".join(letter for letter in word.casefold() if letter not in "_- .")
