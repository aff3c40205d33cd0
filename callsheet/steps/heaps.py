"""How the C library shares out memory among threads: glibc gives up to eight heaps a core, and what one frees no other uses.

With two, 200 variants in flight took 222 MB instead of 235 and no longer (two cores, `bench/driven.py`).
"""

import ctypes
import sys

#: M_ARENA_MAX of glibc's malloc.h.
ARENA_MAX = -8
HEAPS = 2


def keep_few() -> None:
    """For this process, from now on. Nothing changes where the C library has no such setting, as musl and macOS have not."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(ARENA_MAX, HEAPS)
