"""How a draft is encoded, and what its file says of it: a draft, synthetic, by the sandbox, and what drew it."""

import asyncio
import os
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from callsheet import marking
from callsheet.marking import Mark, Term
from callsheet.media.command import Progress, write

#: Written into the file, so that nobody takes a draft for the provider's work.
COMMENT = "Synthetic draft by the Callsheet sandbox; not a render of the provider's model"
TITLE = "DRAFT"
#: Safety net under the darkroom's own limit.
TIME_LIMIT = timedelta(hours=1)
#: Sound that an MP4 holds as it is; anything else is encoded.
COPIED_SOUND = ("aac", "mp3", "mp3float", "ac3", "alac")

_OPTIONS: dict[str, Any] = {
    "c:v": "libx264",
    "preset": "veryfast",
    "crf": 21,
    "fps_mode": "passthrough",
    "colorspace": "bt709",
    "color_primaries": "bt709",
    "color_trc": "bt709",
    "movflags": "+faststart",
    "map_metadata": -1,
    "metadata": f"comment={COMMENT}",
    "metadata:g": f"title={TITLE}",
    "bitexact": None,
}


async def save(
    target: Path,
    picture: Any,
    sound: Any | None,
    *,
    codec: str,
    seconds: Fraction | float,
    on_progress: Progress,
    made: Term,
) -> None:
    """Encode picture and, if there is one, sound (with this codec) into the file, whole or not at all; then say in it how it
    was made. A job whose file has no such word yet is rendered again."""
    streams = [picture] if sound is None else [picture, sound]
    options = {**_OPTIONS, **({"c:a": codec} if sound is not None else {})}
    await write(target, *streams, options=options, seconds=seconds, time_limit=TIME_LIMIT, on_progress=on_progress)
    await asyncio.to_thread(_say, target, made)


def _say(target: Path, made: Term) -> None:
    content = marking.box(marking.packet(Mark(term=made, tool=f"{marking.TOOL} sandbox")))
    with target.open("ab") as film:
        film.write(content)
        film.flush()
        os.fsync(film.fileno())
