"""Painted drafts, with the real networks: what they keep, that they do not boil, and what is done without them."""

import hashlib
import logging
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from callsheet import marking
from callsheet.media import probe, quality
from callsheet.media.look import of_film
from callsheet.media.quality import Traits
from callsheet.quality import REPEATS
from callsheet.sandbox import arts, engine, looks, style
from callsheet.sandbox.engine import Shot
from tests.media.conftest import Film

pytestmark = pytest.mark.slow

Frames = NDArray[np.float64]


@pytest.fixture(scope="session")
def wall(film: Film) -> Path:
    """A patterned wall that stands still, as a camera sees it (with noise), and a bar that crosses it."""
    graph = (
        "mandelbrot=s=192x128:r=24,trim=end_frame=1,loop=-1:size=1,setpts=N/24/TB,trim=end_frame=24,"
        "noise=alls=12:allf=t,drawbox=x=10:y=100:w=30:h=24:c=red:t=fill"
    )
    return film(
        "wall.mp4",
        "-f",
        "lavfi",
        "-i",
        graph,
        "-r",
        "24",
        "-c:v",
        "libx264",
        "-crf",
        "6",
        "-frames:v",
        "24",
        "-pix_fmt",
        "yuv420p",
    )


@pytest.fixture
def drafted(wall: Path, tmp_path: Path) -> Callable[..., Any]:
    async def make(prompt: str, *references: Path, of: Path = wall, told: list[float] | None = None) -> Path:
        target = tmp_path / f"draft-{len(list(tmp_path.iterdir()))}.mp4"
        shot = Shot(
            clip=of,
            clip_digest=digest(of),
            references=tuple((path, digest(path)) for path in references),
            prompt=prompt,
            aspect_ratio=None,
            keep_sound=False,
            seconds=probe.clip(of).seconds,
        )
        await engine.render(shot, target, (told if told is not None else []).append)
        return target

    return make


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def frames_of(path: Path) -> Frames:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(np.float64)


def boiling(frames: Frames) -> float:
    """Codes by which a pixel of the wall changes from frame to frame."""
    return float(np.abs(np.diff(frames[:, 10:90, 10:150], axis=0)).mean())


def test_the_package_is_there() -> None:
    """It is part of the pinned environment: the tests below are never left out."""
    assert style.installed()


async def test_a_painting_keeps_the_frames_and_tells_its_progress(drafted: Any, wall: Path) -> None:
    told: list[float] = []
    facts = probe.clip(await drafted("an oil painting", told=told))
    assert facts.frames == probe.clip(wall).frames == 24
    assert told == sorted(told)
    assert told[-1] > 0.9


async def test_a_painting_looks_painted_and_does_not_boil(drafted: Any, wall: Path) -> None:
    plain, painted = frames_of(wall), frames_of(await drafted("van gogh"))
    assert np.abs(plain - painted).mean() > 12
    assert boiling(painted) < 2
    network = style.Painter(art="van gogh", after=None)
    raw = [network.paint(Image.fromarray(frame.astype(np.uint8))) for frame in plain[:6]]
    assert boiling(np.stack([np.asarray(one, dtype=np.float64) for one in raw])) > 5 * boiling(painted)


@pytest.mark.parametrize("rate", ["24", "30000/1001", "50"])
async def test_a_painting_moves_from_frame_to_frame_at_every_rate(drafted: Any, film: Film, rate: str) -> None:
    """It is painted twelve times a second; shown so, it would judder, and our own checks would say it."""
    graph = (
        f"mandelbrot=s=320x128:r={rate},trim=end_frame=1,loop=-1:size=1,setpts=N/({rate})/TB,crop=192:128:x=40*t:y=0"
    )
    options = ["-r", rate, "-c:v", "libx264", "-crf", "6", "-t", "2", "-pix_fmt", "yuv420p"]
    clip = film(f"rolling-{rate.replace('/', '-')}.mp4", "-f", "lavfi", "-i", graph, *options)
    draft = await drafted("watercolour", of=clip)
    facts = [probe.clip(path) for path in (clip, draft)]
    looks_of = [
        await of_film(path, known, time_limit=timedelta(seconds=60))
        for path, known in zip((clip, draft), facts, strict=True)
    ]
    source, painted = (Traits(look) for look in looks_of)
    assert facts[0].frames == facts[1].frames
    assert quality.measure(painted, source, None).repeats < REPEATS / 2


async def test_the_same_painting_twice_is_the_same_file(drafted: Any) -> None:
    one, two = await drafted("watercolour"), await drafted("watercolour")
    assert one.read_bytes() == two.read_bytes()
    assert marking.said_in(one.read_bytes()) == "compositeWithTrainedAlgorithmicMedia"


async def test_in_the_style_of_a_reference_means_that_picture(drafted: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pictures = []
    for name, shift in (("one.png", 1), ("two.png", 9)):
        stripes = np.repeat(np.repeat(rng.random((288 // shift, 288 // shift, 1)), shift, axis=0), shift, axis=1) * 255
        Image.fromarray(np.repeat(stripes, 3, axis=2).astype(np.uint8)).save(tmp_path / name)
        pictures.append(tmp_path / name)
    one, two = [frames_of(await drafted("in the style of the reference", picture)) for picture in pictures]
    assert np.abs(one[12] - two[12]).mean() > 3
    assert style.painter_for(looks.of_prompt("a sketch", has_references=True), ((pictures[0], ""),)) == style.Painter(
        art="sketch", after=None
    )


@pytest.mark.parametrize("word", arts.ARTS, ids=lambda word: word.name)
def test_every_art_has_a_painter_or_a_filter(word: Any) -> None:
    look = looks.of_prompt(word.name, has_references=False)
    assert arts.art_of(look) == word.effect
    assert (word.effect in style.STYLES) != (word.effect in arts.FILTERED)
    assert looks.unpainted(look).effects == ()


async def test_without_the_package_filters_paint_and_the_log_says_what_to_install(
    drafted: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(style, "installed", lambda: False)
    caplog.set_level(logging.INFO, "callsheet.sandbox")
    plain = frames_of(await drafted("x"))
    for prompt in ("x, an oil painting", "x, watercolour", "x, pencil sketch", "x, anime"):
        draft = frames_of(await drafted(prompt))
        assert len(draft) == 24
        assert np.abs(draft[5:, :100] - plain[5:, :100]).mean() > 3, prompt
    assert "pip install 'callsheet[style]'" in caplog.text


def test_a_repainted_still_keeps_its_size_and_its_alpha(tmp_path: Path) -> None:
    path = tmp_path / "still.png"
    rng = np.random.default_rng(1)
    Image.fromarray((rng.random((90, 131, 4)) * 255).astype(np.uint8)).save(path)
    before = np.asarray(Image.open(path))
    style.repaint(path, style.Painter(art="painting", after=None))
    after = np.asarray(Image.open(path))
    assert after.shape == before.shape
    assert (after[..., 3] == before[..., 3]).all()
    assert (after[..., :3] != before[..., :3]).any()
    assert Fraction(after.shape[1], after.shape[0]) == Fraction(131, 90)
