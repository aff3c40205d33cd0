"""How much of the disk the sandbox may fill with uploads and results: beyond, it says so instead of filling it up."""

import shutil
import time
from dataclasses import dataclass, field

from callsheet.sandbox.place import Place
from callsheet.sandbox.refusal import Refusal

#: Seconds for which a count holds: counting thousands of files takes milliseconds.
FRESH = 2.0
#: Bytes that are left to everybody else on the disk.
SPARE = 500_000_000


@dataclass(kw_only=True)
class Disk:
    """most: bytes of all uploads and results together."""

    place: Place
    most: int
    _used: int = 0
    _counted_at: float = field(default=-FRESH)

    def check(self) -> None:
        """Refusal 507 where the sandbox has used its share, or the disk is nearly full."""
        if self.used() >= self.most:
            message = f"The sandbox holds {self.used():,} bytes of uploads and results, and may hold {self.most:,}."
            hint = "Delete files, wait until links expire, or start it with a larger --max-disk-gb."
            raise Refusal(507, "resource_exhausted", message, hint=hint)
        if shutil.disk_usage(self.place.root).free < SPARE:
            raise Refusal(507, "resource_exhausted", "The disk of this machine is nearly full.")

    def used(self) -> int:
        """Bytes; a file with two names counts once."""
        if time.monotonic() - self._counted_at >= FRESH:
            sizes: dict[int, int] = {}
            for folder in (self.place.files, self.place.results):
                for path in folder.iterdir():
                    try:
                        facts = path.stat()
                    except FileNotFoundError:
                        continue
                    sizes[facts.st_ino] = facts.st_size
            self._used, self._counted_at = sum(sizes.values()), time.monotonic()
        return self._used
