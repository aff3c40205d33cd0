"""Look at this machine: what a run would need and does not find. Nothing is changed, and no other machine is asked.

Every error that a run would end with is met here on purpose, one at a time, and told with all the others.
"""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from pydantic import SecretStr

from callsheet import checkup
from callsheet.checkup import Check
from callsheet.errors import CallsheetError, LedgerUnreachable, MediaError, NoCheckout
from callsheet.steps import draw_up, settings
from callsheet.steps.settings import MARKER, Settings

FLOW = "flows/campaign.py"
#: How to get a key; the provider's own pages say where.
KEY_HINT = "To render for money, put it into the environment or into .env."


async def examine(folder: Path) -> AsyncIterator[Check]:
    """Each check as it is done, for a run from `folder`."""
    yield checkup.of_python(sys.version_info[:3])
    yield _told("packages", _packages)
    tools = await _told_later("ffmpeg", _ffmpeg), _told("pyav", _pyav)
    for check in tools:
        yield check
    if all(check.status != "no" for check in tools):
        yield await _told_later("film", _film)
    yield _told("checkout", lambda: _checkout(folder))
    try:
        found = settings.read(settings.studio_root(folder / "-"))
    except CallsheetError as error:
        yield checkup.of_error("settings", error)
        return  # where home, ledger and provider are is not known
    home = _told("home", lambda: _home(found))
    yield home
    if home.status != "no" or found.ledger is not None:
        yield _told("ledger", lambda: _ledger(found))
    yield _told("sandbox", _sandbox)
    yield _told("signing", lambda: _signing(found))
    for check in _provider(found):
        yield check


async def ask_provider(folder: Path) -> Check:
    """Whether the provider takes the key, and what it can still spend: a status read, which costs nothing."""
    return await _told_later("online", lambda: _balance(folder))


def _told(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except CallsheetError as error:
        return checkup.of_error(name, error)


async def _told_later(name: str, look: Callable[[], Awaitable[Check]]) -> Check:
    try:
        return await look()
    except CallsheetError as error:
        return checkup.of_error(name, error)


def _packages() -> Check:
    try:
        stated = metadata.requires("callsheet") or []
    except metadata.PackageNotFoundError:
        what = "Callsheet runs without being installed, so versions of packages are not compared"
        return Check(name="packages", status="note", message=what, hint="Install it with pip.")
    required = [requirement for requirement in stated if ";" not in requirement]
    return checkup.of_packages(required, {name: _version(name) for name in map(checkup.requirement_name, required)})


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


async def _ffmpeg() -> Check:
    from callsheet.media import command, tool

    found = await tool.inspect()
    return checkup.of_ffmpeg(found.version, found.encoders, found.filters, place=command.binary())


def _pyav() -> Check:
    from callsheet.media import tool

    return Check(name="pyav", status="ok", message=f"PyAV {tool.pyav_version()}")


async def _film() -> Check:
    """Both tools at work, on a film of a second."""
    from callsheet.media import tool

    try:
        with TemporaryDirectory(prefix="callsheet-") as folder:
            facts = await tool.try_out(Path(folder))
    except MediaError as error:
        what = f"no film can be made here that plays: {error.what.rstrip('.')}"
        hint = "Unset IMAGEIO_FFMPEG_EXE, or install imageio-ffmpeg and av again."
        return Check(name="film", status="no", message=what, hint=hint, exit_code=error.exit_code)
    except OSError as error:
        what = f"no film can be made in the folder for temporary files: {error.strerror or error}"
        return Check(name="film", status="no", message=what, hint="Set TMPDIR to a folder of yours.", exit_code=3)
    what = f"a film made here plays: {facts.codec}, {facts.width}x{facts.height}, {facts.frames} frames"
    return Check(name="film", status="ok", message=what)


def _checkout(folder: Path) -> Check:
    root = settings.find_checkout(folder)
    if not (root / FLOW).is_file():
        raise NoCheckout(
            f"{root} has a {MARKER} but no {FLOW}.",
            hint="`callsheet init` there adds what it lacks and keeps the rest.",
        )
    return Check(name="checkout", status="ok", message=f"studio {root}")


def _home(found: Settings) -> Check:
    """Write a file that has no name and is gone at once, in the home or, before there is one, where it would be made."""
    try:
        place = _existing(found.home)
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        why = "a file stands in its place" if isinstance(error, NotADirectoryError) else error.strerror
        raise LedgerUnreachable(
            f"CALLSHEET_HOME cannot be a folder that is written to: {why}.",
            where=str(found.home),
            hint="Set CALLSHEET_HOME to a folder of yours, or remove what is there.",
        ) from error
    return checkup.of_home(str(found.home), shutil.disk_usage(place).free)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _ledger(found: Settings) -> Check:
    from callsheet.ledger.tables import SCHEMA_VERSION

    file = None if draw_up.ledger_file(found) is None else Path(draw_up.ledger_url(found).removeprefix(settings.SQLITE))
    if file is not None and not os.path.lexists(file):
        if found.ledger is not None and not os.path.lexists(file.parent):
            raise LedgerUnreachable(
                f"The ledger's folder {file.parent} is not there.",
                where="CALLSHEET_LEDGER",
                hint="Make it, or unset this.",
            )
        return Check(name="ledger", status="ok", message="no ledger yet: the first run makes it")
    ledger = draw_up.open_ledger(found)
    try:
        takes = len(ledger.takes())
    finally:
        ledger.close()
    counted = f"{takes} take{'' if takes == 1 else 's'}"
    place = "ledger" if file is not None else "ledger on PostgreSQL"
    return Check(name="ledger", status="ok", message=f"{place} of version {SCHEMA_VERSION} with {counted}")


def _sandbox() -> Check:
    from callsheet.sandbox import server

    server.try_port()
    return Check(name="sandbox", status="ok", message="the sandbox can listen on 127.0.0.1")


def _signing(found: Settings) -> Check:
    """Sign something with the key that films are to be signed with."""
    from callsheet.steps import mark

    signer = mark.signer_of(found)
    if signer is None:
        what = "films are marked and not signed: CALLSHEET_C2PA_CERT and CALLSHEET_C2PA_KEY are not set"
        return Check(name="signing", status="ok", message=what)
    said = signer.check()
    return Check(
        name="signing",
        status="ok",
        message=f"films are signed with {said.algorithm} by {said.subject or said.issuer} (C2PA)",
    )


def _provider(found: Settings) -> Iterator[Check]:
    """The keys, and where they would be sent. What is wrong here stops paid runs only."""
    if found.api_key is not None:
        yield Check(name="key", status="ok", message="EVOLINK_API_KEY is set")
    elif found.has_key:
        yield Check(name="key", status="note", message=f"EVOLINK_API_KEY is not set: {_route(found)} gets no jobs")
    else:
        what = "EVOLINK_API_KEY is not set: only --sandbox runs, and a paid run stops"
        yield Check(name="key", status="note", message=what, hint=KEY_HINT)
    if found.api_key is not None or not found.has_key:
        status: checkup.Status = "note" if found.is_local else "ok"
        here = ", which is this machine and not EvoLink" if found.is_local else ""
        good = Check(
            name="provider", status=status, message=f"paid runs go to {found.api}{here}, uploads to {found.files}"
        )
        yield _usable(_route(found), found.api, found.files, found.api_key, good)
    yield from _further(found)


def _further(found: Settings) -> Iterator[Check]:
    """The routes of routes.toml."""
    for entry in found.routes:
        name = entry.card.name
        if entry.is_idle:
            what = f"route {name} of routes.toml is not used: {entry.key_name} is not set"
            yield Check(name="provider", status="note", message=what)
        elif entry.api:
            what = f"paid runs go to {entry.api} as route {name}, uploads to {entry.files}"
            good = Check(name="provider", status="ok", message=what)
            yield _usable(name, entry.api, entry.files, entry.key, good)


def _usable(name: str, api: str, files: str, key: SecretStr | None, good: Check) -> Check:
    """`good`, unless no client can be made for this route."""
    from callsheet.provider.client import Route

    try:
        Route(name=name, api=api, files=files, key=key or SecretStr("none"))
    except CallsheetError as error:
        return Check(name="provider", status="note", message=f"paid runs cannot work: {error.what}", hint=error.hint)
    return good


def _route(found: Settings) -> str:
    return draw_up.route_name(found, sandbox=False)


async def _balance(folder: Path) -> Check:
    from callsheet.steps import studio

    found = settings.read(settings.studio_root(folder / "-"))
    async with studio.reached(found, studio.asked_about(found)) as provider:
        left = await provider.balance()
    spoken = f", which can spend {left.spoken}" if left is not None else "; it does not say what is left"
    return Check(name="online", status="ok", message=f"{provider.route.api} takes the key{spoken}")
