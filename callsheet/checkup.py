"""The checks of `callsheet doctor`: what each found, and what facts about a machine mean. Only judges; `steps` looks."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from callsheet.errors import CallsheetError

#: ok: it can be relied on. note: runs are possible, but something is less than it could be. no: a run cannot work.
Status = Literal["ok", "note", "no"]

#: Versions of Python that the tests run on.
TESTED = ((3, 11), (3, 13))
#: Bytes free: with less there is no run, and with less than the second one it may end in the middle.
FULL, NARROW = 100_000_000, 2_000_000_000
ENCODERS = {"libx264": "x264", "aac": "aac"}
FILTERS = {"zscale": "zscale"}

_VERSION = re.compile(r"\d+(?:\.\d+)*")
_BOUND = re.compile(r"(>=|<)\s*([\d.]+)")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at. exit_code: what a run that lacks it ends with; 0 unless status is no."""

    name: str
    status: Status
    message: str
    hint: str = ""
    exit_code: int = 0

    @property
    def line(self) -> str:
        """Message and hint as one line."""
        message = self.message.rstrip(".")
        stop = "" if message.endswith("?") else "."
        return f"{message}{stop} {self.hint}" if self.hint else message

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "status": self.status, "message": self.message, "hint": self.hint}


def of_error(name: str, error: CallsheetError) -> Check:
    """What a run would end with."""
    where = f"{error.where}: " if error.where else ""
    what = " ".join(f"{where}{error.what}".split())
    return Check(name=name, status="no", message=what, hint=error.hint, exit_code=error.exit_code)


def exit_code(checks: Iterable[Check]) -> int:
    """That of the first thing that is missing; 0 where a run can work."""
    return next((check.exit_code for check in checks if check.status == "no"), 0)


def of_python(version: tuple[int, int, int]) -> Check:
    """Older ones than the package's own floor cannot install it, so only newer ones are worth a word."""
    spelt = "Python " + ".".join(map(str, version))
    if version[:2] <= TESTED[1]:
        return Check(name="python", status="ok", message=spelt)
    low, high = (".".join(map(str, one)) for one in TESTED)
    return Check(name="python", status="note", message=f"{spelt}: Callsheet is tested on {low} to {high}")


def of_ffmpeg(version: str, encoders: Iterable[str], filters: Iterable[str], *, place: str) -> Check:
    """x264 and aac are in everything that is made; zscale only prepares HDR clips."""
    lacking = [name for known, name in ENCODERS.items() if known not in set(encoders)]
    hint = "Unset IMAGEIO_FFMPEG_EXE to use the one that comes with Callsheet, or set it to a full build."
    if lacking:
        what = f"ffmpeg {version} lacks {' and '.join(lacking)}, which every clip is made with"
        return Check(name="ffmpeg", status="no", message=what, hint=hint, exit_code=3)
    if set(FILTERS) - set(filters):
        what = f"ffmpeg {version} lacks zscale: HDR clips cannot be prepared"
        return Check(name="ffmpeg", status="note", message=what, hint=hint)
    return Check(name="ffmpeg", status="ok", message=f"ffmpeg {version} (x264, aac, zscale), {place}")


def of_home(place: str, free: int) -> Check:
    """A home that can be written, with so many bytes free."""
    spelt = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free // 1_000_000} MB"
    hint = "Make room, or set CALLSHEET_HOME to another disk."
    if free < FULL:
        what = f"CALLSHEET_HOME {place}: only {spelt} free, and the ledger must be written"
        return Check(name="home", status="no", message=what, hint=hint, exit_code=6)
    if free < NARROW:
        what = f"CALLSHEET_HOME {place}: only {spelt} free for prepared clips and results"
        return Check(name="home", status="note", message=what, hint=hint)
    return Check(name="home", status="ok", message=f"CALLSHEET_HOME {place} can be written, {spelt} free")


def of_packages(required: Sequence[str], installed: Mapping[str, str | None]) -> Check:
    """required: as the metadata says, `fastapi<0.151,>=0.139`. installed: version by name, None for none.

    Versions count because two of them break Prefect in silence (docs/decisions/0001).
    """
    wrong = [text for requirement in required if (text := _mismatch(requirement, installed))]
    if wrong:
        hint = "Install Callsheet again; pip then brings the versions that fit."
        return Check(name="packages", status="no", message="; ".join(wrong), hint=hint, exit_code=70)
    return Check(name="packages", status="ok", message=f"{len(required)} packages, in versions that fit each other")


def _mismatch(requirement: str, installed: Mapping[str, str | None]) -> str:
    """What is wrong with one package, "" for nothing."""
    name = requirement_name(requirement)
    found = installed.get(name)
    if found is None:
        return f"{name} is not installed"
    bounds = [(sign, bound) for sign, bound in _BOUND.findall(requirement) if not _holds(found, sign, bound)]
    wanted = " and ".join(f"{sign}{bound}" for sign, bound in bounds)
    return f"{name} {found} is installed, and Callsheet needs {wanted}" if bounds else ""


def requirement_name(requirement: str) -> str:
    """`sqlalchemy` of `sqlalchemy[asyncio]<2.1,>=2.0`."""
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]


def _holds(version: str, sign: str, bound: str) -> bool:
    have, want = _release(version), _release(bound)
    width = max(len(have), len(want))
    padded = [(*parts, *(0,) * (width - len(parts))) for parts in (have, want)]
    return padded[0] >= padded[1] if sign == ">=" else padded[0] < padded[1]


def _release(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    return tuple(map(int, found[0].split("."))) if found else ()
