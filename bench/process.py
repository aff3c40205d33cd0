"""What a command costs: the least of several runs, each next to a run of what it is compared with."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: A command's own environment: nothing of the caller's settings, and bytecode is kept as it is for a user.
PLAIN = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Seconds of processor time (user and system, children included) and of the clock; peak memory in MB (10^6 bytes)."""

    work: float
    clock: float
    megabytes: float


class CommandFailed(Exception):
    """A command that is measured ended with an error, so there is nothing to measure."""


def run(command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> Reading:
    """One run. CommandFailed, with what it wrote to standard error."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env={**PLAIN, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    clock = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise CommandFailed(
            f"{' '.join(command)} ended with {process.returncode}: {said.decode(errors='replace')[-2000:]}"
        )
    return Reading(work=usage.ru_utime + usage.ru_stime, clock=clock, megabytes=usage.ru_maxrss * 1024 / 1e6)


def least(readings: Sequence[Reading]) -> Reading:
    """What the command costs where nothing else disturbs it; the memory is the most that was seen."""
    return Reading(
        work=min(reading.work for reading in readings),
        clock=min(reading.clock for reading in readings),
        megabytes=max(reading.megabytes for reading in readings),
    )


def side_by_side(commands: Mapping[str, Sequence[str]], *, folder: Path, times: int) -> dict[str, Reading]:
    """Each command so often, in turns: a machine that slows down slows all of them."""
    found: dict[str, list[Reading]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            found[name].append(run(command, folder=folder))
    return {name: least(readings) for name, readings in found.items()}
