"""Footage made on the spot: small clips of every awkward kind, encoded once a session by the same ffmpeg."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from callsheet.catalogue import ClipLimits, ImageLimits, model
from callsheet.media import command

ROOT = Path(__file__).parents[2]
Film = Callable[..., Path]

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """film("name.mp4", "-f", "lavfi", ...) runs ffmpeg with these arguments once and gives the file."""
    folder = tmp_path_factory.mktemp("films")
    made: dict[tuple[str, ...], Path] = {}

    def make(name: str, *arguments: str) -> Path:
        key = (name, *arguments)
        if key not in made:
            target = folder / f"{len(made)}-{name}"
            subprocess.run(
                [command.binary(), "-v", "error", "-nostdin", "-y", *arguments, str(target)], check=True, timeout=60
            )
            made[key] = target
        return made[key]

    return make


@pytest.fixture(scope="session")
def pattern(film: Film) -> Film:
    """pattern("name.mp4", rate="30", seconds="4", size="160x120", sound="4", extra=(...)): a moving test picture."""

    def make(
        name: str,
        *,
        rate: str = "30",
        seconds: str = "4",
        size: str = "160x120",
        sound: str = "",
        codec: tuple[str, ...] = H264,
        extra: tuple[str, ...] = (),
    ) -> Path:
        picture = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")
        tone = ("-f", "lavfi", "-i", f"sine=440:r=48000:d={sound}", "-c:a", "aac") if sound else ()
        return film(name, *picture, *tone, *codec, *extra)

    return make


@pytest.fixture
def limits() -> ClipLimits:
    """The real limits of the default model."""
    return model("kling-o1-video-edit").clip_limits


@pytest.fixture
def small(limits: ClipLimits) -> ClipLimits:
    """The same, for pictures of 64 pixels and up: encoding those takes no time."""
    return replace(limits, pixels=(64, 640))


@pytest.fixture
def image_limits() -> ImageLimits:
    return model("kling-o1-video-edit").image_limits


@pytest.fixture(scope="session")
def bunny() -> Path:
    return ROOT / "media/clips/bunny.mp4"


@pytest.fixture(scope="session")
def cup() -> Path:
    return ROOT / "media/clips/cup.mp4"


@pytest.fixture(scope="session")
def box() -> Path:
    return ROOT / "media/clips/box.mp4"
