"""Small pictures of a clip: looked through in passing it has the same colours, at the same times."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callsheet.media import command, probe, samples
from tests.media.conftest import Film

#: Ten seconds that go from red to blue, with a pattern that moves.
FADE = "color=red:s=320x180:r=24:d=5[a];color=blue:s=320x180:r=24:d=5[b];testsrc2=s=80x80:r=24:d=5[c]"
GRAPH = f"{FADE};[a][b]blend=all_expr='A*(1-T/5)+B*T/5'[d];[d][c]overlay=x='20+t*30':y=50"
CODERS = {
    "h264": ("-c:v", "libx264", "-bf", "3"),
    "all intra": ("-c:v", "libx264", "-g", "1"),
    "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
    "prores": ("-c:v", "prores_ks"),
}


@pytest.mark.parametrize("coder", CODERS)
async def test_in_passing_a_clip_has_the_same_colours_at_the_same_times(coder: str, film: Film) -> None:
    name = f"{coder.replace(' ', '-')}.{'mov' if coder == 'prores' else 'mkv' if coder == 'vp9' else 'mp4'}"
    path = film(
        name, "-filter_complex", GRAPH, "-pix_fmt", "yuv422p10le" if coder == "prores" else "yuv420p", *CODERS[coder]
    )
    facts = probe.clip(path)
    close, quick = await samples.of_clip(path, facts), await samples.in_passing(path, facts)
    assert abs(len(close.frames) - len(quick.frames)) <= 1
    count = min(len(close.frames), len(quick.frames))
    assert count >= 29
    means = [of.frames[:count].mean(axis=(1, 2)) for of in (close, quick)]
    assert float(np.abs(means[0] - means[1]).max()) < 8  # the fade goes 51 codes a second; this is 0.16 s


async def test_where_no_frame_is_left_in_passing_the_clip_is_looked_at_closely(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film("short.mp4", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=24:d=1", "-c:v", "libx264")
    asked: list[bool] = []
    write = command.write

    async def counted(target: Path, stream: Any, **options: Any) -> None:
        asked.append(True)
        await write(target, stream, **options)

    monkeypatch.setattr(samples, "write", counted)
    monkeypatch.setattr(samples, "IN_PASSING", {"skip_frame": "all"})
    facts = probe.clip(path)
    assert len((await samples.in_passing(path, facts)).frames) == 6
    assert len(asked) == 2
