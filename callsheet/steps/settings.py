"""The one doorway to the environment: settings from it and from `.env`, by the names the field already uses."""

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from callsheet import buckets
from callsheet.credits import Credits
from callsheet.errors import NoCheckout, SettingsWrong, SpecError
from callsheet.hosts import is_loopback
from callsheet.nearest import did_you_mean, listed
from callsheet.routing import KINDS, Idempotency

if TYPE_CHECKING:
    from pydantic import SecretStr

    from callsheet.steps.route_file import Entry

#: The provider's own hosts (its API documents).
EVOLINK = "https://api.evolink.ai"
EVOLINK_FILES = "https://files-api.evolink.ai"

#: Where Prefect's own server listens unless told otherwise (its documents).
PREFECT_PORT = 4200

#: How the URL of a ledger begins; the path of its file follows, or who, where and which database.
SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")

#: Further routes and how they are used, beside prefect.yaml.
ROUTES = "routes.toml"

#: Four weeks: by then what a plan costs is another question.
MOST_HOURS = 672

#: What marks the root of a checkout.
MARKER = "prefect.yaml"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says. Keys are secrets: they never print."""

    api_key: "SecretStr | None" = None
    api: str = EVOLINK
    files: str = EVOLINK_FILES
    #: What the provider does with an Idempotency-Key it has seen; the sandbox replays it, whatever is said here.
    idempotency: Idempotency = "replay"
    #: Ledger, caches and the sandbox's state.
    home: Path = Path(".callsheet")
    #: URL of the ledger, by default a SQLite file under home. One of PostgreSQL is a secret: it has a password in it.
    ledger: "str | SecretStr | None" = None
    #: Where media are put for the provider to read: "provider" for its own file service, or s3://bucket/prefix.
    staging: str = "provider"
    #: Takes submitted and not yet ended, at most, in one run.
    max_in_flight: int = 20
    #: Variants that one process makes of a campaign, where several share it: a bigger plan is cut into slices.
    slice: int = 500
    #: Megabytes of one remote source, at most.
    max_source_mb: int = 4000
    #: Gigabytes of prepared media and copies of remote sources that are kept; what is needed now may be more.
    cache_gb: int = 20
    #: Private networks that an https:// source may be in, with commas between.
    private_sources: str = ""
    #: The public address of `callsheet webhooks`; each request names a secret place below it.
    callback_url: str | None = None
    #: The public address of the archive's folder or bucket, for links to films and boards.
    archive_url: str | None = None
    #: What the sandbox of a run renders with, and how long that takes where it only copies: "draft", "copy", "copy:20".
    sandbox_engine: str = "draft"
    #: What routes.toml says: further paid routes, and how the built-in one is used.
    routes: "tuple[Entry, ...]" = ()
    #: Hours in which a run that waits for approval can be answered, and for which the answer is good.
    approval_hours: float = 24
    #: Certificate chain and key, as files in PEM, that films are signed with (C2PA); None for no signatures.
    c2pa_cert: Path | None = None
    c2pa_key: Path | None = None
    #: What all campaigns may spend together on a paid route in a month (UTC); None for no such ceiling.
    monthly_budget: Credits | None = None

    @property
    def approval_time(self) -> timedelta:
        return timedelta(hours=self.approval_hours)

    @property
    def render_seconds(self) -> int:
        """What a copying sandbox takes for a render."""
        return int(self.sandbox_engine.partition(":")[2] or 0)

    @property
    def private_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Where an https:// source may be besides the public internet."""
        return _networks_of(self.private_sources)

    @property
    def is_local(self) -> bool:
        """Do the base URLs point at this machine?"""
        return is_loopback(urlsplit(self.api).hostname or "")

    @property
    def has_key(self) -> bool:
        """Is there a key of any paid route, the built-in one or one of routes.toml?"""
        return self.api_key is not None or any(entry.key is not None for entry in self.routes)

    def under(self, root: Path) -> "Settings":
        """The same settings with `home` and the ledger made absolute, relative to the checkout: from another folder the
        same words must not mean another, empty ledger.

        A provider on this machine serves its files itself, unless told otherwise.
        """
        files = self.api if self.is_local and self.files == EVOLINK_FILES else self.files
        ledger = self.ledger
        if isinstance(ledger, str):
            ledger = f"{SQLITE}{(root / ledger.removeprefix(SQLITE)).absolute()}"
        return replace(
            self,
            home=(root / self.home).absolute(),
            files=files,
            ledger=ledger,
            c2pa_cert=None if self.c2pa_cert is None else (root / self.c2pa_cert.expanduser()).absolute(),
            c2pa_key=None if self.c2pa_key is None else (root / self.c2pa_key.expanduser()).absolute(),
        )


# Each of these reads one value. ValueError, in words that follow the variable's name.


def _key(text: str) -> "SecretStr | None":
    if not text.strip():
        return None
    from pydantic import SecretStr  # not for a campaign that is only looked at

    return SecretStr(text)


def _url(text: str) -> str:
    """Of a host that is asked over TLS, or of this machine."""
    parts = urlsplit(text)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return text.rstrip("/")
    raise ValueError("must be an https:// URL; plain http is for this machine only, as http://127.0.0.1:4100")


def _file(text: str) -> Path | None:
    return Path(text) if text.strip() else None


def _address(text: str) -> str | None:
    """Where others reach something of ours; None where they do not."""
    if not text.strip():
        return None
    url = _url(text)
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username or parts.password or not parts.hostname or len(url) > 1500:
        raise ValueError(
            "must be an https:// URL without a query, a name or a password, as https://studio.example.com/c"
        )
    return url


def _idempotency(text: str) -> Idempotency:
    for kind in KINDS:
        if text == kind:
            return kind
    raise ValueError(
        "must be replay (the provider gives the first job again), reject (it refuses a key it has seen) or none (it pays "
        "no heed to keys)"
    )


def _ledger(text: str) -> "str | SecretStr":
    if text.startswith(POSTGRES):
        return _postgres(text)
    path = text.removeprefix(SQLITE)
    # ":memory:", "" and "file:…" would be a ledger that forgets what was paid for.
    if not text.startswith(SQLITE) or path in ("", ":memory:") or path.startswith("file:") or "?" in path:
        raise ValueError(
            "must be sqlite:/// and the path of a file, or postgresql://USER:PASSWORD@HOST/DATABASE; "
            "no other database is supported"
        )
    return text


def _postgres(text: str) -> "SecretStr":
    """The words of an error never quote it: what stands in the wrong place may be the password."""
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname or "host=" in parts.query) and len(parts.path) > 1 and not parts.fragment
        usable = usable and parts.port != 0 and "/" not in parts.path[1:]
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, where @ : / # % of a password are %40 %3A %2F %23 %25"
        )
    from pydantic import SecretStr

    return SecretStr(text)


def _staging(text: str) -> str:
    if text == "provider":
        return text
    if not buckets.is_bucket(text):
        raise ValueError("must be provider, for the provider's own file service, or s3://bucket/prefix")
    buckets.place_of(text)
    return text


def _amount(text: str) -> Credits | None:
    if not text.strip():
        return None
    try:
        return Credits.parse(text)
    except ValueError as error:
        raise ValueError(f"must be what a month may cost: {error}") from None


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _hours(text: str) -> float:
    """A part of an hour is for trying it out."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", text) or not 0.01 <= float(text) <= MOST_HOURS:
        raise ValueError(f"must be a number of hours from 0.01 to {MOST_HOURS}")
    return float(text)


def _networks(text: str) -> str:
    try:
        _networks_of(text)
    except ValueError as error:
        raise ValueError(f"{error}; write networks or addresses, as 10.0.0.0/8, 192.168.1.20") from None
    return text


def _engine(text: str) -> str:
    name, _, seconds = text.partition(":")
    is_time = seconds.isascii() and seconds.isdecimal() and len(seconds) < 6
    if text not in ("draft", "copy") and not (name == "copy" and is_time):
        raise ValueError(f"{text!r} is no engine; there are draft, copy, and copy:20 for copies that take 20 s")
    return text


class Variable(NamedTuple):
    """A variable of the environment: the setting that it is, and how its text is read."""

    setting: str
    read: Callable[[str], Any]


VARIABLES: Mapping[str, Variable] = {
    "EVOLINK_API_KEY": Variable("api_key", _key),
    "EVOLINK_BASE_URL": Variable("api", _url),
    "EVOLINK_FILES_BASE_URL": Variable("files", _url),
    "EVOLINK_IDEMPOTENCY": Variable("idempotency", _idempotency),
    "CALLSHEET_HOME": Variable("home", Path),
    "CALLSHEET_LEDGER": Variable("ledger", _ledger),
    "CALLSHEET_MONTHLY_BUDGET": Variable("monthly_budget", _amount),
    "CALLSHEET_APPROVAL_HOURS": Variable("approval_hours", _hours),
    "CALLSHEET_CALLBACK_URL": Variable("callback_url", _address),
    "CALLSHEET_ARCHIVE_URL": Variable("archive_url", _address),
    "CALLSHEET_C2PA_CERT": Variable("c2pa_cert", _file),
    "CALLSHEET_C2PA_KEY": Variable("c2pa_key", _file),
    "CALLSHEET_SANDBOX_ENGINE": Variable("sandbox_engine", _engine),
    "CALLSHEET_STAGING": Variable("staging", _staging),
    "CALLSHEET_MAX_IN_FLIGHT": Variable("max_in_flight", _whole(1, 1000)),
    "CALLSHEET_SLICE": Variable("slice", _whole(1, 100_000)),
    "CALLSHEET_MAX_SOURCE_MB": Variable("max_source_mb", _whole(1, 1_000_000)),
    "CALLSHEET_CACHE_GB": Variable("cache_gb", _whole(0, 100_000)),
    "CALLSHEET_PRIVATE_SOURCES": Variable("private_sources", _networks),
}
#: Variables of these names are ours, so an unknown one is a misspelt one; the tests have some of their own.
_OURS, _OF_TESTS = "CALLSHEET_", "CALLSHEET_TEST_"
#: What prefect.yaml reads when it is deployed; a worker that is started in the same shell has it as well.
_OF_PREFECT_YAML = "CALLSHEET_CHECKOUT"


def _networks_of(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def https_proxy_for(host: str) -> str | None:
    """The proxy for this host, as the environment names it: HTTPS_PROXY or ALL_PROXY, unless NO_PROXY leaves it out."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    return proxy if proxy and not proxy_bypass(host) else None


def read(root: Path) -> Settings:
    """Settings for the checkout at `root`, whose `.env` is read. The environment wins over the file. SettingsWrong."""
    written = {**_written(root / ".env"), **os.environ}
    for name in written:
        if name.startswith(_OURS) and not name.startswith(_OF_TESTS) and name not in {*VARIABLES, _OF_PREFECT_YAML}:
            ours = [known for known in VARIABLES if known.startswith(_OURS)]
            hint = f"The settings are {listed(ours)}. Correct it in the environment or in .env, or unset it."
            raise SettingsWrong(f"there is no such setting{did_you_mean(name, ours) or '.'}", where=name, hint=hint)
    found: dict[str, Any] = {}
    for name, variable in VARIABLES.items():
        try:
            if name in written:
                found[variable.setting] = variable.read(written[name])
        except ValueError as error:
            hint = "Correct it in the environment or in .env, or unset it."
            raise SettingsWrong(f"{error}.", where=name, hint=hint) from None
    if (found.get("c2pa_cert") is None) != (found.get("c2pa_key") is None):
        lacks, has = "CALLSHEET_C2PA_CERT", "CALLSHEET_C2PA_KEY"
        if found.get("c2pa_key") is None:
            lacks, has = has, lacks
        hint = f"Set {lacks} too, to a file in PEM, or unset {has}."
        raise SettingsWrong(f"{has} is set and this is not: films are signed with both.", where=lacks, hint=hint)
    if (root / ROUTES).is_file():
        from callsheet.steps import route_file

        found["routes"] = route_file.read(root / ROUTES, written)
    return Settings(**found).under(root)


def _written(file: Path) -> dict[str, str]:
    """What a `.env` says; nothing where there is none. SettingsWrong where a line of it says nothing."""
    if not file.exists():
        return {}
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        with file.open(encoding="utf-8") as lines:
            wrong = next(
                (one.original for one in parse_stream(lines) if one.error or (one.key and one.value is None)), None
            )
        # Nothing is put in for ${NAME}: it would tell what else the environment has.
        values = dotenv_values(file, encoding="utf-8", interpolate=False)
    except (UnicodeDecodeError, OSError) as error:
        why = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        hint = "Correct it, or remove it."
        raise SettingsWrong(f"the file cannot be read: {why}.", where=str(file), hint=hint) from None
    if wrong is not None:  # its text may be a secret
        what, hint = "this line is no NAME=value.", "Correct it, or begin it with #."
        raise SettingsWrong(what, where=f"{file}:{wrong.line + _blank(wrong.string)}", hint=hint)
    for name, value in values.items():
        if value and "${" in value and (name in VARIABLES or name.endswith("_KEY")):
            what = "it has ${…} in it, and nothing of the environment is put into this file."
            raise SettingsWrong(what, where=f"{file}: {name}", hint="Write the value out, or set the variable itself.")
    return {name: value for name, value in values.items() if value is not None}


def _blank(text: str) -> int:
    """Empty lines that the parser counts to what follows them."""
    return len(text[: len(text) - len(text.lstrip())].splitlines())


def find_checkout(*starts: Path) -> Path:
    """The nearest folder with a prefect.yaml at or above one of the places, tried in order. NoCheckout if there is none."""
    for start in starts:
        for folder in (start.absolute(), *start.absolute().parents):
            if (folder / MARKER).is_file():
                return folder
    raise NoCheckout(
        f"No {MARKER} in {starts[-1].absolute()} or above it, so this is no studio.",
        hint=f"Change into a studio, the folder with flows/ and {MARKER}, or lay one out: callsheet init DIR",
    )


def studio_root(spec: Path) -> Path:
    """Where a campaign's relative paths begin: its checkout, else the working directory's, else the working directory."""
    try:
        return find_checkout(spec.parent, Path.cwd())
    except NoCheckout:
        return Path.cwd()


def refuse_foreign(root: Path) -> None:
    """SpecError where somebody stands in one studio and runs a campaign of another that has a `.env` or `routes.toml`: these
    say where keys of this environment are sent."""
    try:
        here = find_checkout(Path.cwd())
    except NoCheckout:
        return
    says = [name for name in (".env", ROUTES) if (root / name).exists()]
    if says and here.resolve() != root.resolve():
        what = f"the campaign is of the studio {root}, and this is {here}."
        hint = f"Where you trust that studio, change into it: its {' and '.join(says)} can send your keys anywhere."
        raise SpecError(what, hint=hint)


def prefect_api_url() -> str:
    """Where Prefect's server is: PREFECT_API_URL, else the local port (PREFECT_SERVER_API_PORT). SettingsWrong."""
    url = os.environ.get("PREFECT_API_URL", "").strip().rstrip("/")
    if not url:
        return f"http://127.0.0.1:{_prefect_port()}/api"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and "/api" in parts.path and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsWrong(
            "this is not the address of a Prefect API.",
            where="PREFECT_API_URL",
            hint="It is http://HOST:PORT with /api behind it. Unset it to use a server on this machine.",
        )
    return url


def names_prefect_server() -> bool:
    """Does PREFECT_API_URL choose the server, and not PREFECT_SERVER_API_PORT?"""
    return bool(os.environ.get("PREFECT_API_URL", "").strip())


def _prefect_port() -> int:
    text = os.environ.get("PREFECT_SERVER_API_PORT", "").strip() or str(PREFECT_PORT)
    if text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 65536:
        return int(text)
    raise SettingsWrong(
        "this is not the number of a port.",
        where="PREFECT_SERVER_API_PORT",
        hint=f"Write one from 1 to 65535, or unset it for {PREFECT_PORT}.",
    )


def forbid_telemetry() -> None:
    """For Prefect in this process and in every server that it starts."""
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def point_prefect_at(api: str | None) -> None:
    """Tell Prefect, before it is imported, which server to use (None: one inside this process, gone with it).

    Its console log is for workers; a person at the terminal has the live view, so only warnings of it are shown there.
    Our own log goes to the server with the runs. Telemetry stays off.
    """
    forbid_telemetry()
    os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "callsheet")
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    if api is None:
        os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "true"
        # Seconds. Prefect gives it 20 to start, which a busy machine passes, and takes no notice of it otherwise.
        os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
        os.environ["PREFECT_API_URL"] = ""
    else:
        os.environ["PREFECT_API_URL"] = api


def port_is_taken(host: str, port: int) -> bool:
    """Does something listen there?"""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


#: Said before `prefect server start --background`, whoever types it.
QUIET_SERVER = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL=CRITICAL"


def own_pages(port: int | str) -> str:
    """Likewise: the pages of a browser that the server at this port obeys are those of its own UI."""
    return f"PREFECT_SERVER_CORS_ALLOWED_ORIGINS=http://127.0.0.1:{port},http://localhost:{port}"


def of_background_server(port: int) -> dict[str, str]:
    """The environment of a Prefect server that stays in the background at this port of this machine.

    It must not log to its console: Prefect 3.8 gives it pipes that nobody reads once `server start --background` has
    returned, and rich ends a process that writes to such a pipe: the first warning, as of a webhook that does not answer,
    would end the server. Only its own UI may ask it anything from a browser: by default any page that somebody has open may
    start runs and approve them. And it has no module from the folder that one stands in.
    """
    quiet, pages = QUIET_SERVER.partition("="), own_pages(port).partition("=")
    return {pages[0]: pages[2], **os.environ, quiet[0]: quiet[2], "PYTHONSAFEPATH": "1"}


def forget_dead_prefect_server() -> None:
    """Remove the pid file of a background server that is gone (a reboot leaves one, and no server starts beside it)."""
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    file = home / "server.pid"
    try:
        os.kill(int(file.read_text()), 0)
    except ProcessLookupError:
        file.unlink(missing_ok=True)
    except (OSError, ValueError):
        return  # none there, or somebody else's: Prefect itself says what is wrong
