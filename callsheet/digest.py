"""Content identity: SHA-256 of bytes and of canonical JSON.

Two things are the same when their digests are: a renamed file keeps its digest, a re-ordered mapping too. Canonical JSON
is UTF-8, keys sorted, no spaces, no floats (a float has no single spelling; lengths of time are given as text).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

#: Hex characters of a digest that a person is shown; the whole digest is what is compared.
SHORT = 12

_PLAIN = frozenset((str, int, bool, type(None)))

Canonical = str | int | bool | None | Sequence["Canonical"] | Mapping[str, "Canonical"]


def of_bytes(data: bytes) -> str:
    """64 hex characters."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: Canonical) -> str:
    """Canonical JSON. TypeError on a float or anything JSON has no word for."""
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def of_json(value: Canonical) -> str:
    """The digest of canonical JSON. TypeError as for `canonical`."""
    return of_bytes(canonical(value).encode())


def short(digest: str) -> str:
    """The first 12 characters, for names and tables."""
    return digest[:SHORT]


def _refuse_floats(value: Canonical) -> None:
    """Without recursion: a plan has a hundred thousand values."""
    left: list[object] = [value]
    while left:
        item = left.pop()
        if type(item) in _PLAIN:
            continue
        if isinstance(item, float):
            raise TypeError(f"{item!r} is a float; write it as text, so that it has one spelling")
        if isinstance(item, Mapping):
            for key in item:
                if not isinstance(key, str):
                    raise TypeError(f"{key!r} is not a text key")
            left.extend(item.values())
        elif isinstance(item, Sequence) and not isinstance(item, str):
            left.extend(item)
