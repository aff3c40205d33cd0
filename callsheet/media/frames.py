"""Single frames of a video, as pictures for the review board."""

import io
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from callsheet.media import command

#: Longest side of a poster, in pixels: a cell of the board is some 250 high, and a page shows a thousand of them.
LONGEST = 480
#: Of a poster that is no encode of ffmpeg's, as Pillow counts; about the bytes of ffmpeg's.
QUALITY = 80
#: Wall clock for one frame; 0.2 s of work on 1080p (measured).
TIME_LIMIT = timedelta(seconds=60)


async def poster(video: Path, target: Path, *, seconds: Fraction, longest: int = LONGEST) -> None:
    """One JPEG of the frame in the middle of a video that is `seconds` long: its longest side `longest` pixels; upright, square
    pixels.

    The target appears by renaming, complete. Raises ToolFailed for a video that has no frame there.
    """
    middle = round(seconds / 2 * 10**6)
    picture = command.source(video, ss=f"{middle}us")["V:0"]
    picture = small(picture, longest, out_color_matrix="bt601", out_range="pc").filter("format", "yuvj420p")
    # update: the name is one file's name, whatever percent signs it holds.
    options = {"f": "image2", "update": 1, "frames:v": 1, "c:v": "mjpeg", "q:v": 5, "map_metadata": -1}
    await command.write(target, picture, options=options, seconds=Fraction(1), time_limit=TIME_LIMIT)


def small(picture: Any, longest: int = LONGEST, **colours: str) -> Any:
    """The picture of a graph, its longest side `longest` pixels, which are square. colours: options of ffmpeg's `scale`."""
    wide, tall = (
        f"if(gte(dar,1),{longest},2*trunc({longest}*dar/2))",
        f"if(gte(dar,1),2*trunc({longest}/dar/2),{longest})",
    )
    return picture.filter("scale", w=wide, h=tall, **colours).filter("setsar", 1)


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """A frame (height, width, 3), sRGB, as a poster's file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
