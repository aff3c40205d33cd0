"""Single frames of a video, as pictures for the review board."""

from datetime import timedelta
from fractions import Fraction
from pathlib import Path

from callsheet.media import command

#: Longest side of a poster, in pixels: a cell of the board is some 250 high, and a page shows a thousand of them.
LONGEST = 480
#: Wall clock for one frame; 0.2 s of work on 1080p (measured).
TIME_LIMIT = timedelta(seconds=60)


async def poster(video: Path, target: Path, *, seconds: Fraction, longest: int = LONGEST) -> None:
    """One JPEG of the frame in the middle of a video that is `seconds` long: its longest side `longest` pixels; upright, square
    pixels.

    The target appears by renaming, complete. Raises ToolFailed for a video that has no frame there.
    """
    middle = round(seconds / 2 * 10**6)
    picture = command.source(video, ss=f"{middle}us")["V:0"]
    wide, tall = (
        f"if(gte(dar,1),{longest},2*trunc({longest}*dar/2))",
        f"if(gte(dar,1),2*trunc({longest}/dar/2),{longest})",
    )
    picture = picture.filter("scale", w=wide, h=tall, out_color_matrix="bt601", out_range="pc")
    picture = picture.filter("setsar", 1).filter("format", "yuvj420p")
    # update: the name is one file's name, whatever percent signs it holds.
    options = {"f": "image2", "update": 1, "frames:v": 1, "c:v": "mjpeg", "q:v": 5, "map_metadata": -1}
    await command.write(target, picture, options=options, seconds=Fraction(1), time_limit=TIME_LIMIT)
