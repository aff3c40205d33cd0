"""Crops of a campaign's clips aimed at what matters in them, before the plan: each is looked for once and remembered.

What is remembered is named by the clip's bytes, its window, the shape and the version of the search, so it is never stale.
"""

import asyncio
import json
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callsheet import digest, limits
from callsheet.limits import ClipFacts, ClipPreparation
from callsheet.steps import cache, private

if TYPE_CHECKING:
    from callsheet.steps.survey import Surveyed

#: Clips looked through at a time.
ABREAST = 2


class Crops:
    """The crops that were looked for before. Where they cannot be read or written, they are looked for again."""

    def __init__(self, home: Path) -> None:
        self._file = home / "cache" / "crops.json"
        self._known: dict[str, Any] = {}
        self._changed = False
        with suppress(OSError, ValueError):
            known = json.loads(self._file.read_text("utf-8"))
            self._known = known if isinstance(known, dict) else {}

    def aim(self, clip: "Surveyed[ClipFacts]", preparation: ClipPreparation) -> ClipPreparation:
        """The preparation with its crop aimed; any other as it is. Blocks for up to a second; call it in no event loop.

        Raises Unacceptable for a clip that does not decode, ToolFailed for one that takes too long.
        """
        if preparation.framing != "crop":
            return preparation
        from callsheet.media import aim, reframe

        key = digest.of_json(
            {
                "version": reframe.VERSION,
                "clip": clip.sha256,
                "window": [str(preparation.start), str(preparation.reads)],
                "shape": str(Fraction(preparation.width, preparation.height)),
            }
        )
        if (remembered := self._recalled(key, preparation)) is not None:
            return remembered
        found = asyncio.run(aim.aim(clip.path, clip.facts, preparation))
        self._known[key] = {
            "course": [[str(second), str(place)] for second, place in found.course],
            "held": found.held,
            "worst_at": str(found.worst_at),
        }
        self._changed = True
        return limits.aimed(preparation, found.course, held=found.held, worst_at=found.worst_at)

    def _recalled(self, key: str, preparation: ClipPreparation) -> ClipPreparation | None:
        with suppress(KeyError, ValueError, TypeError):
            known = self._known[key]
            course = tuple((Fraction(second), Fraction(place)) for second, place in known["course"])
            return limits.aimed(preparation, course, held=float(known["held"]), worst_at=Fraction(known["worst_at"]))
        return None

    def save(self) -> None:
        """Keep what was found, for the next plan."""
        if not self._changed:
            return
        with suppress(OSError):
            private.folder(self._file.parent)
            cache.write_note(self._file, self._known)
