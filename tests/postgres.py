"""A PostgreSQL server for the tests: the one that CALLSHEET_TEST_POSTGRES names, else one of our own from Debian's package."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg

VARIABLE = "CALLSHEET_TEST_POSTGRES"
DEBIAN = Path("/usr/lib/postgresql")
USER, PASSWORD = "callsheet", "p@ss/w%rd#:MARKED"
#: Seconds in which a server starts or stops.
LIMIT = 60
#: What a crash of this machine would lose does not matter here; what a client is told does.
FAST = ("-c", "fsync=off", "-c", "max_connections=100", "-c", "shared_buffers=16MB")


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database whose user may create schemas in it."""
    named = os.environ.get(VARIABLE)
    if named:
        yield named
        return
    folder = Path(tempfile.mkdtemp(prefix="callsheet-postgres-"))
    try:
        with _running(folder, _binaries()) as url:
            yield url
    finally:
        shutil.rmtree(folder)


@contextmanager
def schema(url: str) -> Iterator[str]:
    """The URL of an empty schema of that database, gone afterwards with all that is in it."""
    name = f"t_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create schema {name}")
    yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"drop schema {name} cascade")


def _binaries() -> Path:
    """The folder of the newest server that is installed."""
    found = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda file: float(file.parts[-3]))
    anywhere = shutil.which("postgres")
    if found or anywhere:
        return found[-1].parent if found else Path(str(anywhere)).resolve().parent
    raise AssertionError(f"no PostgreSQL: apt-get install postgresql, or set {VARIABLE} to the URL of a database")


@contextmanager
def _running(folder: Path, binaries: Path) -> Iterator[str]:
    who = _somebody(folder)
    password, data = folder / "password", folder / "data"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    laid: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        "--pwfile",
        password,
        "--no-sync",
    ]
    subprocess.run([*laid, "--locale=C", "-E", "UTF8"], check=True, capture_output=True, cwd=folder, **who)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = ("-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binaries / "postgres", *where, *FAST], stdout=log, stderr=log, cwd=folder, **who)
    try:
        _wait_for(process, port, folder / "log")
        yield f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # connections are ended, not waited for
        process.wait(LIMIT)


def _somebody(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: somebody else, who gets the folder."""
    if os.geteuid() != 0:
        return {}
    names = {user.pw_name for user in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + LIMIT
    while "ready to accept connections" not in log.read_text("utf-8", "replace"):
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError(f"PostgreSQL on port {port} does not start:\n{log.read_text('utf-8', 'replace')}")
        time.sleep(0.02)
