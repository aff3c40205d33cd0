"""A process of its own that looks into media files: one that crashes a decoder, fills the memory or keeps it busy for ever
ends that process, and not a run in which paid jobs are on their way.

Started at the first question and kept: starting takes 0.3 s, an answer 5 to 30 ms. It ends when its standard input does,
also when this process is killed. Requests and answers are JSON, one line each.
"""

import atexit
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import callsheet
from callsheet.errors import Unacceptable

Kind = Literal["clip", "still"]

#: Wall clock for one file. The largest still that is read takes some seconds.
TIME_LIMIT = timedelta(seconds=60)
#: Bytes of address space. A frame of 8K in 10 bits is 100 MB, and decoders keep two dozen of them.
MEMORY = 6 << 30
#: Processes at a time.
ABREAST = 2
#: Bytes of an answer; facts take about one thousand.
LONGEST_ANSWER = 65_536


class ProberDied(Exception):
    """The process ended, or had to be ended, over a file. `why`: in words, to stand in brackets."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Prober:
    """Up to ABREAST processes, each asked about one file at a time. Thread-safe."""

    def __init__(self, *, time_limit: timedelta = TIME_LIMIT, memory: int = MEMORY) -> None:
        self._time_limit = time_limit
        self._memory = memory
        self._idle: list[subprocess.Popen[bytes]] = []
        self._guard = threading.Lock()
        self._places = threading.Semaphore(ABREAST)

    def facts(self, kind: Kind, path: Path) -> dict[str, Any]:
        """The facts of a file, as JSON has them. Unacceptable as the reader says it; ProberDied."""
        with self._places, self._process() as process:
            answer = _asked(process, kind, path, self._time_limit)
        if "refused" in answer:
            raise Unacceptable(answer["refused"]["what"], where=str(path), hint=answer["refused"]["hint"])
        if "broke" in answer:
            raise RuntimeError(f"the reader of media broke over {path}: {answer['broke']}")
        facts: dict[str, Any] = answer["facts"]
        return facts

    def close(self) -> None:
        """End the processes that wait."""
        while self._idle:
            _end(self._idle.pop())

    @contextmanager
    def _process(self) -> Iterator["subprocess.Popen[bytes]"]:
        """One that waits, or a new one; whoever fails over a file is not asked again."""
        with self._guard:
            process = self._idle.pop() if self._idle else self._start()
        try:
            yield process
        except BaseException:
            _end(process)
            raise
        with self._guard:
            self._idle.append(process)

    def _start(self) -> "subprocess.Popen[bytes]":
        """With a bare environment (no key in it), none of the modules of the folder that one stands in (-P), and in a session
        of its own: Ctrl-C is not meant for it."""
        words = [sys.executable, "-P", "-m", __name__, str(self._memory), str(self._time_limit.total_seconds())]
        home = str(Path(callsheet.__file__).parents[1])
        return subprocess.Popen(  # noqa: S603 our own interpreter and module
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "PYTHONPATH": home},
            start_new_session=True,
        )


def _asked(process: "subprocess.Popen[bytes]", kind: Kind, path: Path, limit: timedelta) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise ProberDied("its reader has no pipes")
    request = json.dumps({"kind": kind, "path": str(path.absolute())}).encode() + b"\n"
    try:
        process.stdin.write(request)
        process.stdin.flush()
    except BrokenPipeError:
        raise ProberDied("its reader ended") from None
    line = _line(process.stdout.fileno(), time.monotonic() + limit.total_seconds(), limit)
    answer: dict[str, Any] = json.loads(line)
    return answer


def _line(pipe: int, deadline: float, limit: timedelta) -> bytes:
    """One line of the pipe. ProberDied where none comes in time or whole."""
    line, ready = b"", select.poll()
    ready.register(pipe, select.POLLIN)
    while not line.endswith(b"\n"):
        if not ready.poll(max(deadline - time.monotonic(), 0) * 1000):
            raise ProberDied(f"it kept its reader busy for {limit.total_seconds():g} s")
        part = os.read(pipe, LONGEST_ANSWER)
        line += part
        if not part or len(line) > LONGEST_ANSWER:
            raise ProberDied("it made its reader crash")
    return line


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # what was still to be written to it
                pipe.close()


#: The one of this program.
prober = Prober()
atexit.register(prober.close)


# --- the process itself ------------------------------------------------------------------------------------------------


def serve(memory: int, time_limit: float) -> None:
    """Answer until standard input ends. SIGALRM ends it over a file that takes too long, in whatever loop it is."""
    _bound(memory)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, time_limit + 1)
        answer = _answer(request["kind"], Path(request["path"]))
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.buffer.write(json.dumps(answer, default=str).encode() + b"\n")
        sys.stdout.buffer.flush()


def _bound(memory: int) -> None:
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a lower limit is set already, or the system knows none
            resource.setrlimit(limit, (value, value))


def _answer(kind: Kind, path: Path) -> dict[str, Any]:
    from callsheet.media import probe

    try:
        return {"facts": asdict(probe.clip_here(path) if kind == "clip" else probe.still_here(path))}
    except Unacceptable as error:
        return {"refused": {"what": error.what, "hint": error.hint}}
    except Exception as error:
        return {"broke": f"{type(error).__name__}: {error}"[:300]}


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
