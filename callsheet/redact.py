"""What must never be read by anyone, taken out of a text: keys, tokens, and whatever a URL says after its host.

A signed URL is a password: its path and query are dropped, its host is kept, since that is what a person needs to see.
`redact` knows the shapes of secrets; `known` adds the secrets themselves, so that a provider which quotes half of a
signed path back at us cannot leak it either.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

#: Stands where something was taken out.
GONE = "***"
#: Path segments shorter than this are names ("v1", "clip.mp4"), not secrets. Characters.
SHORTEST_SEGMENT = 12
#: Characters of a name that are looked at to tell whether it names a secret: the last ones.
LONGEST_NAME = 64

_URL = re.compile(
    r"(?P<scheme>https?)(?::|%3a)(?:\\?/|%2f){2}(?P<authority>(?:(?!%2f)[^\s/\\?#\"'<>])*)(?P<rest>[^\s\"'<>]*)", re.I
)
#: Of a secret URL; anything with "://" matches, so that a malformed one is taken apart too instead of raising here.
_PIECES = re.compile(
    r"[^:]*://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?", re.S
)
_SHAPES = (
    (re.compile(r"(authorization[\"']?\s*[:=]\s*[\"']?)(?:(?:bearer|basic)\s+)?[^\s\"',]+", re.I), rf"\1{GONE}"),
    (re.compile(r"\b(bearer)\s+[A-Za-z0-9._~+/=-]{8,}", re.I), rf"\1 {GONE}"),
    (re.compile(r"\b(?:sk-|evup_)[A-Za-z0-9._-]{4,}"), GONE),
    # Who may write a ledger. Bounded, so that a text of nothing but beginnings takes no longer than others.
    (re.compile(r"\b(postgres(?:ql)?(?:\+\w{1,16})?://)[^\s\"'<>]{0,256}@", re.I), rf"\1{GONE}@"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}"), GONE),
    # A header, and a field of JSON.
    (re.compile(r"\b(x-api-key[\"']?\s{0,4}:\s{0,4}[\"']?)[^\s\"',]+", re.I), rf"\1{GONE}"),
    (
        re.compile(
            r"(?<![A-Za-z])((?:api|access|secret)[_-]?(?:access[_-]?)?key|password|secret|token)([\"']\s{0,4}:\s{0,4}[\"'])[^\"']+",
            re.I,
        ),
        rf"\1\2{GONE}",
    ),
)
#: A word that may be what is left of a signed URL whose host someone cut off: from its first slash, or its question mark.
_WORD = re.compile(r"[^\s\"'<>]+")
#: A name and what it is set to. The name begins where it cannot be continued to the left: each text is looked at once,
#: because whoever writes it (a provider) must not be able to choose how long that takes.
_SETTING = re.compile(r"(?<![\w-])([\w-]+)=[^\s&\"'<>]+", re.ASCII)
_SECRET_NAME = re.compile(
    r"(?:token|secret|(?<![a-z])(?:x-amz-[a-z-]+|signature|sig|api[_-]?key|access[_-]key|password|policy|key-pair-id))$",
    re.I,
)


def redact(text: str, known: Iterable[str] = ()) -> str:
    """`text` without secrets. known: keys and URLs that are secret here, whatever their shape."""
    text = _URL.sub(_host_only, text)
    for secret in sorted(_parts_of(known), key=len, reverse=True):
        text = text.replace(secret, GONE)
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return _SETTING.sub(_without_value, _WORD.sub(_without_path, text))


def _host_only(match: re.Match[str]) -> str:
    host = match["authority"].rpartition("@")[2]
    rest = "" if match["rest"] in ("", "/") else f"/{GONE}"
    return f"{match['scheme'].lower()}://{host}{rest}"


def _without_path(match: re.Match[str]) -> str:
    word = match[0]
    path, mark, query = word.partition("?")
    if not mark or "=" not in query:
        return word
    return path.partition("/")[0] + GONE


def _without_value(match: re.Match[str]) -> str:
    return f"{match[1]}={GONE}" if _SECRET_NAME.search(match[1][-LONGEST_NAME:]) else match[0]


def _parts_of(known: Iterable[str]) -> set[str]:
    """Each secret, and of a URL also what follows the host: whole, in pieces, and with its %-escapes undone."""
    parts: set[str] = set()
    for secret in known:
        url = _PIECES.fullmatch(secret)
        if url is None:
            parts.add(secret)
            continue
        path, query = url["path"], url["query"] or ""
        pieces = [path, *path.split("/"), *re.split("[&=]", query)]
        password = url["authority"].rpartition("@")[0].partition(":")[2]
        parts |= {piece for piece in pieces if len(piece) >= SHORTEST_SEGMENT}
        parts |= {query, url["fragment"] or "", password}
    return {spelling for part in parts if part for spelling in (part, unquote(part), part.replace("/", "\\/"))}
