"""The most memory that this process has had. For a program of its own to say of itself."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak() -> int:
    """Kilobytes. On Linux from /proc: `ru_maxrss` begins there with what the parent had at the fork. Elsewhere that is what
    there is, in bytes on macOS."""
    if STATUS.exists():
        (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // 1024 if sys.platform == "darwin" else most
