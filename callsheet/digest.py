"""Content identity: SHA-256 of bytes and of canonical JSON.

Two things are the same when their digests are: a renamed file keeps its digest, a re-ordered mapping too. Canonical JSON
is UTF-8, keys sorted, no spaces, no floats (a float has no single spelling; lengths of time are given as text).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

#: Hex characters of a digest that a person is shown; the whole digest is what is compared.
SHORT = 12

Canonical = str | int | bool | None | Sequence["Canonical"] | Mapping[str, "Canonical"]


def of_bytes(data: bytes) -> str:
    """64 hex characters."""
    return hashlib.sha256(data).hexdigest()


def of_chunks(chunks: Iterable[bytes]) -> str:
    """The digest of the concatenation, in constant memory."""
    running = hashlib.sha256()
    for chunk in chunks:
        running.update(chunk)
    return running.hexdigest()


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
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float; write it as text, so that it has one spelling")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{key!r} is not a text key")
            _refuse_floats(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            _refuse_floats(item)
