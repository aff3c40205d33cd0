"""The draft engine: a shot in, a video worth watching out, with ffmpeg, numpy and Pillow and no model of pictures.

A clip is recoloured, relit and reframed, every frame of it; stills get a camera that moves; a prompt alone becomes a titled
animatic. Deterministic: the same shot gives the same file.
"""

import tempfile
from pathlib import Path

from callsheet.errors import Unacceptable
from callsheet.sandbox import animatic, edits, stillfilm
from callsheet.sandbox.shot import Engine, Progress, Shot

__all__ = ["Engine", "Shot", "render"]


async def render(shot: Shot, target: Path, on_progress: Progress) -> None:
    """Make the draft of this shot at `target` (whole or not at all).

    Raises ToolFailed where ffmpeg cannot decode the clip, Unacceptable where an image cannot be read or the shot lacks
    what its kind is made from.
    """
    with tempfile.TemporaryDirectory(prefix="callsheet-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if shot.clip is not None:
            await edits.render(shot, shot.clip, target, folder, on_progress)
        elif shot.kind == "text-to-video":
            await animatic.render(shot, target, folder, on_progress)
        elif shot.references:
            await stillfilm.render(shot, target, folder, on_progress)
        else:
            raise Unacceptable(f"there is neither a clip nor an image, and {shot.kind} needs one.")
