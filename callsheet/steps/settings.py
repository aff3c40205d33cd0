"""The one doorway to the environment: settings from it and from `.env`, by the names the field already uses."""

import os
import socket
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from callsheet.errors import NoCheckout, SpecError
from callsheet.hosts import is_loopback

#: The provider's own hosts (its API documents).
EVOLINK = "https://api.evolink.ai"
EVOLINK_FILES = "https://files-api.evolink.ai"

#: Where Prefect's own server listens unless told otherwise (its documents).
PREFECT_PORT = 4200

#: How the URL of a ledger begins; the path of its file follows.
SQLITE = "sqlite:///"

#: What marks the root of a checkout.
MARKER = "prefect.yaml"


class SettingsWrong(SpecError):
    """A variable of the environment or of .env has a value that cannot be used."""


class Settings(BaseSettings):
    """What the environment says. Keys are secrets: they never print."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", extra="ignore", frozen=True)

    api_key: Annotated[SecretStr | None, Field(alias="EVOLINK_API_KEY")] = None
    api: Annotated[str, Field(alias="EVOLINK_BASE_URL")] = EVOLINK
    files: Annotated[str, Field(alias="EVOLINK_FILES_BASE_URL")] = EVOLINK_FILES
    #: Ledger, caches and the sandbox's state.
    home: Annotated[Path, Field(alias="CALLSHEET_HOME")] = Path(".callsheet")
    #: SQLAlchemy URL of the ledger; by default a SQLite file under home.
    ledger: Annotated[str | None, Field(alias="CALLSHEET_LEDGER")] = None
    staging: Annotated[str, Field(alias="CALLSHEET_STAGING")] = "provider"
    #: Takes submitted and not yet ended, at most, in one run.
    max_in_flight: Annotated[int, Field(alias="CALLSHEET_MAX_IN_FLIGHT", ge=1, le=1000)] = 20
    #: Megabytes of one remote source, at most.
    max_source_mb: Annotated[int, Field(alias="CALLSHEET_MAX_SOURCE_MB", ge=1, le=1_000_000)] = 4000
    #: Gigabytes of prepared media and copies of remote sources that are kept; what is needed now may be more.
    cache_gb: Annotated[int, Field(alias="CALLSHEET_CACHE_GB", ge=0, le=100_000)] = 20
    #: Private networks that an https:// source may be in, with commas between.
    private_sources: Annotated[str, Field(alias="CALLSHEET_PRIVATE_SOURCES")] = ""

    @field_validator("api", "files")
    @classmethod
    def _https_or_loopback(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            return url.rstrip("/")
        raise ValueError("must be an https:// URL; plain http is for this machine only, as http://127.0.0.1:4100")

    @field_validator("ledger")
    @classmethod
    def _known_ledger(cls, url: str | None) -> str | None:
        if url is None:
            return None
        path = url.removeprefix(SQLITE)
        # ":memory:", "" and "file:…" would be a ledger that forgets what was paid for.
        if not url.startswith(SQLITE) or path in ("", ":memory:") or path.startswith("file:") or "?" in path:
            raise ValueError("must be sqlite:/// and the path of a file; no other database is supported")
        return url

    @field_validator("staging")
    @classmethod
    def _known_staging(cls, staging: str) -> str:
        if staging != "provider":
            raise ValueError("only `provider` is supported: files are staged by the provider's own file service")
        return staging

    @field_validator("private_sources")
    @classmethod
    def _networks(cls, text: str) -> str:
        try:
            _networks_of(text)
        except ValueError as error:
            raise ValueError(f"{error}; write networks or addresses, as 10.0.0.0/8, 192.168.1.20") from None
        return text

    @field_validator("api_key", mode="after")
    @classmethod
    def _not_blank(cls, key: SecretStr | None) -> SecretStr | None:
        return key if key is not None and key.get_secret_value().strip() else None

    @property
    def private_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Where an https:// source may be besides the public internet."""
        return _networks_of(self.private_sources)

    @property
    def is_local(self) -> bool:
        """Do the base URLs point at this machine?"""
        return is_loopback(urlsplit(self.api).hostname or "")

    def under(self, root: Path) -> Self:
        """The same settings with `home` and the ledger made absolute, relative to the checkout: from another folder the
        same words must not mean another, empty ledger.

        A provider on this machine serves its files itself, unless told otherwise.
        """
        files = self.api if self.is_local and self.files == EVOLINK_FILES else self.files
        ledger = self.ledger and f"{SQLITE}{(root / self.ledger.removeprefix(SQLITE)).absolute()}"
        return self.model_copy(update={"home": (root / self.home).absolute(), "files": files, "ledger": ledger})


def _networks_of(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def https_proxy_for(host: str) -> str | None:
    """The proxy for this host, as the environment names it: HTTPS_PROXY or ALL_PROXY, unless NO_PROXY leaves it out."""
    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    return proxy if proxy and not proxy_bypass(host) else None


def read(root: Path) -> Settings:
    """Settings for the checkout at `root`, whose `.env` is read. The environment wins over the file. SettingsWrong."""
    try:
        return Settings(_env_file=root / ".env").under(root)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        what = first["msg"].removeprefix("Value error, ")
        where = str(first["loc"][0]) if first["loc"] else ""
        raise SettingsWrong(
            f"{what[:1].lower()}{what[1:]}.", where=where, hint="Correct it in the environment or in .env, or unset it."
        ) from None
    except (UnicodeDecodeError, OSError) as error:
        why = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise SettingsWrong(
            f"the file cannot be read: {why}.", where=str(root / ".env"), hint="Correct it, or remove it."
        ) from None


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
        os.environ["PREFECT_API_URL"] = ""
    else:
        os.environ["PREFECT_API_URL"] = api


def port_is_taken(host: str, port: int) -> bool:
    """Does something listen there?"""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


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
