"""`routes.toml`, beside prefect.yaml: further routes than the provider's own, and what a route takes at a time.

Keys stand in the environment or in .env; the file holds their names only, so it can be shared and committed.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from callsheet import catalogue
from callsheet.errors import RouteWrong
from callsheet.hosts import is_loopback
from callsheet.nearest import did_you_mean, listed
from callsheet.routing import EVOLINK, KINDS, LOOPBACK, SANDBOX, Card, Limits

#: The routes whose address and key are settings (EVOLINK_…): a table of theirs says only how they are used.
BUILT_IN = (EVOLINK, LOOPBACK)
USED = ("models", "price", "idempotency", "in_flight", "per_minute")
NEW = ("api", "files", "key", *USED)
#: A dearer or cheaper route than this is a slip of the pen.
FACTORS = (Fraction(1, 100), Fraction(100))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A table of the file. `key` None: its variable is not set, so the route is not used. Built-in ones have no address."""

    card: Card
    api: str = ""
    files: str = ""
    key: SecretStr | None = None
    key_name: str = ""

    @property
    def is_idle(self) -> bool:
        """Is it not used, for want of its key?"""
        return self.key is None and self.key_name != ""

    @property
    def is_local(self) -> bool:
        return is_loopback(urlsplit(self.api).hostname or "")


def read(file: Path, environment: Mapping[str, str]) -> tuple[Entry, ...]:
    """The tables in their order. RouteWrong names the file, the table and the key."""
    try:
        with file.open("rb") as opened:
            document = tomllib.load(opened, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RouteWrong(f"it is not TOML: {error}.", where=str(file), hint="Write tables like [mirror].") from None
    except OSError as error:
        raise RouteWrong(f"it cannot be read: {error.strerror}.", where=str(file)) from None
    return tuple(_entry(_Table(file, name, table), environment) for name, table in document.items())


@dataclass(frozen=True)
class _Table:
    file: Path
    name: str
    values: Any

    def wrong(self, key: str, what: str, hint: str = "") -> RouteWrong:
        place = f"{self.file}: [{self.name}]{f' {key}' if key else ''}"
        return RouteWrong(what if what.endswith("?") else f"{what}.", where=place, hint=hint)


def _entry(table: _Table, environment: Mapping[str, str]) -> Entry:
    if not isinstance(table.values, dict):
        raise table.wrong("", "this is a value, and a route is a table", f"Write [{table.name}] on a line of its own.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", table.name) or table.name == SANDBOX:
        raise table.wrong("", "this cannot be the name of a route", "Use a-z, 0-9 and -, and not sandbox.")
    known = USED if table.name in BUILT_IN else NEW
    for key in table.values:
        if key not in known:
            guess = did_you_mean(key, known) or f". A route has {listed(known)}"
            raise table.wrong(key, f"there is no such key{guess}")
    card = _card(table)
    if table.name in BUILT_IN:
        return Entry(card=card)
    name = _text(table, "key")
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{2,63}", name):
        hint = 'Write the key into .env under a name, as MIRROR_API_KEY, and key = "MIRROR_API_KEY" here.'
        raise table.wrong("key", "it has to be the name of a variable of the environment, not the key itself", hint)
    api = _url(table, "api")
    files = _url(table, "files") if "files" in table.values else api
    value = environment.get(name, "").strip()
    return Entry(card=card, api=api, files=files, key=SecretStr(value) if value else None, key_name=name)


def _card(table: _Table) -> Card:
    models = table.values.get("models")
    names = list(catalogue.models())
    if models is not None and (not isinstance(models, list) or not models):
        raise table.wrong("models", "it is a list of models", f'Write models = ["{names[0]}"].')
    for model in models or ():
        _refuse_unknown(table, "models", model, names)
    kind = table.values.get("idempotency", "replay" if table.name in BUILT_IN else "none")
    if kind not in KINDS:
        raise table.wrong("idempotency", f"it is {listed(KINDS, last='or')}", IDEMPOTENCY_HINT)
    price = table.values.get("price", 1)
    factors = {}
    if isinstance(price, dict):
        for model, factor in price.items():
            _refuse_unknown(table, "price", model, names)
            factors[model] = _factor(table, factor)
    return Card(
        name=table.name,
        idempotency=kind,
        models=None if models is None else frozenset(models),
        factor=Fraction(1) if factors or isinstance(price, dict) else _factor(table, price),
        factors=factors,
        limits=Limits(in_flight=_count(table, "in_flight"), per_minute=_count(table, "per_minute")),
    )


IDEMPOTENCY_HINT = (
    "replay: a request key that it has seen gives the first job again; reject: it is refused; none: it is ignored, so "
    "nothing is ever sent again."
)


def _refuse_unknown(table: _Table, key: str, model: Any, names: list[str]) -> None:
    if model not in names:
        guess = did_you_mean(str(model), names) or ". `callsheet models` lists them"
        raise table.wrong(key, f"there is no model {model}{guess}")


def _factor(table: _Table, value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise table.wrong("price", "it is a multiple of the catalogue's price", "Write price = 0.95 for 5 % less.")
    factor = Fraction(value)
    if not FACTORS[0] <= factor <= FACTORS[1]:
        raise table.wrong(
            "price", f"{value} times the catalogue's price is no price", "Write price = 0.95 for 5 % less."
        )
    return factor


def _count(table: _Table, key: str) -> int | None:
    value = table.values.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000):
        raise table.wrong(key, "it is a whole number from 1 to 100000")
    return value


def _text(table: _Table, key: str) -> str:
    value = table.values.get(key)
    if not isinstance(value, str) or not value:
        raise table.wrong(
            key, "a route needs it, as text", 'As in api = "https://api.example.com", key = "MIRROR_API_KEY".'
        )
    return value


def _url(table: _Table, key: str) -> str:
    text = _text(table, key)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        usable = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        usable = usable and bool(host) and parts.username is None and not parts.query and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise table.wrong(
            key, "it has to be an https:// address without a key in it; plain http is for this machine only"
        )
    return text.rstrip("/")
