"""That threads share few heaps once told so: each is a region of 64 MB that is reserved at a time."""

import platform
import subprocess
import sys

COUNT = """
import re, sys, threading
from pathlib import Path
from callsheet.steps import heaps
if "few" in sys.argv:
    heaps.keep_few()
kept, together = [], threading.Barrier(9)
def work():
    kept.append([bytearray(2000) for _ in range(2000)])
    together.wait()
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
together.wait()
maps = Path("/proc/self/maps")
lines = maps.read_text().splitlines() if maps.exists() else []
spans = [re.match("([0-9a-f]+)-([0-9a-f]+) (....) ", line) for line in lines]
ends = {int(span[2], 16) for span in spans if span[3] == "---p"}
print(sum(1 for end in ends if end % (64 << 20) == 0))
together.wait()
"""
#: Others have no heaps of threads: there it must change nothing.
IS_GLIBC = platform.libc_ver()[0] == "glibc"


def heaps_of_eight_threads(*words: str) -> int:
    told = subprocess.run([sys.executable, "-c", COUNT, *words], capture_output=True, text=True, check=True)
    return int(told.stdout)


def test_threads_share_few_heaps_once_told_so() -> None:
    assert (heaps_of_eight_threads() >= 8) == IS_GLIBC
    assert heaps_of_eight_threads("few") <= 2
