"""`callsheet prepare`: what is asked for is checked before anything is made."""

from pathlib import Path
from typing import Any

import pytest

from callsheet.cli import prepare
from callsheet.errors import SpecError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "kling-o1-video-edt"}, "--model: there is no model `kling-o1-video-edt`; did you mean"),
        ({"framing": "zoom"}, "--framing: `zoom` is no framing; it is native, crop or pad."),
        ({"framing": "crop"}, "--framing crop needs --aspect-ratio."),
        ({"aspect_ratio": "9:16"}, "--aspect-ratio needs --framing."),
        ({"framing": "pad", "aspect_ratio": "tall"}, "--aspect-ratio: `tall` is no aspect ratio."),
        ({"trim": "2..4"}, "--trim: "),
    ],
)
def test_options_that_mean_nothing_are_refused_before_anything_is_made(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError) as refused:
        prepare.prepare([tmp_path / "clip.mp4"], out=tmp_path / "out", **options)
    assert refused.value.what.startswith(words)
    assert not (tmp_path / "out").exists()
