"""Prepared reference images: upright, sRGB, opaque, small enough, and telling nothing."""

from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from callsheet.catalogue import ImageLimits
from callsheet.errors import ToolFailed, Unacceptable
from callsheet.limits import StillFacts, StillPreparation, still_preparation
from callsheet.media import frames, probe, stills


def made(source: Path, limits: ImageLimits) -> tuple[StillPreparation, StillFacts, Image.Image]:
    preparation = still_preparation(probe.still(source), limits)
    target = source.parent / "prepared" / f"still{preparation.suffix}"
    facts = stills.prepare(source, preparation, target)
    assert facts == probe.still(target)
    assert list(target.parent.iterdir()) == [target]
    assert still_preparation(facts, limits).decision == "pass"
    assert (facts.width, facts.height) == (preparation.width, preparation.height)
    with Image.open(target) as image:
        image.load()
        return preparation, facts, image


def saved(folder: Path, image: Image.Image, name: str, **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


def test_a_picture_within_every_limit_keeps_every_byte(tmp_path: Path, image_limits: ImageLimits) -> None:
    source = saved(tmp_path, Image.new("RGB", (400, 300), "teal"), "a.png")
    made(source, image_limits)
    assert (tmp_path / "prepared" / "still.png").read_bytes() == source.read_bytes()


def test_a_turned_picture_comes_out_upright(tmp_path: Path, image_limits: ImageLimits) -> None:
    halves = Image.new("RGB", (400, 300), "black")
    halves.paste("white", (0, 0, 200, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    _, facts, image = made(saved(tmp_path, halves, "a.jpg", exif=exif), image_limits)
    assert (facts.width, facts.height, facts.orientation) == (300, 400, 1)
    assert np.asarray(image)[:150].mean() > 250


def test_print_colours_become_screen_colours(tmp_path: Path, image_limits: ImageLimits) -> None:
    cyan = Image.new("CMYK", (400, 300), (255, 0, 0, 0))
    _, facts, image = made(saved(tmp_path, cyan, "a.jpg"), image_limits)
    assert facts.mode == "RGB"
    assert np.abs(np.asarray(image).mean(axis=(0, 1)) - [0, 255, 255]).max() < 4


def test_sixteen_bit_grey_keeps_its_tones(tmp_path: Path, image_limits: ImageLimits) -> None:
    ramp = np.linspace(0, 65535, 400 * 300).reshape(300, 400).astype(np.uint16)
    _, _, image = made(saved(tmp_path, Image.fromarray(ramp), "a.png"), image_limits)
    assert 126 < np.asarray(image).mean() < 129


def test_another_profile_becomes_srgb(tmp_path: Path, image_limits: ImageLimits) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    source = saved(tmp_path, Image.new("RGB", (400, 300), (120, 60, 30)), "a.png", icc_profile=lab)
    preparation, facts, image = made(source, image_limits)
    assert preparation.reasons == ("its colour profile is not sRGB",)
    assert not facts.has_profile
    assert "icc_profile" not in image.info


def test_an_unreadable_profile_is_dropped(tmp_path: Path, image_limits: ImageLimits) -> None:
    source = saved(tmp_path, Image.new("RGB", (400, 300), (120, 60, 30)), "a.png", icc_profile=b"no profile")
    _, _, image = made(source, image_limits)
    assert np.abs(np.asarray(image).mean(axis=(0, 1)) - [120, 60, 30]).max() < 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_become_white(tmp_path: Path, image_limits: ImageLimits, mode: str) -> None:
    clear = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 100, 300))
    _, _, image = made(saved(tmp_path, clear.convert(mode), "a.png"), image_limits)
    pixels = np.asarray(image)
    assert pixels[:, 120:].mean() > 250
    assert pixels[:, :80].mean() < 5


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_an_animated_picture_gives_its_first(tmp_path: Path, image_limits: ImageLimits, name: str) -> None:
    first, second = Image.new("RGB", (400, 300), "red"), Image.new("RGB", (400, 300), "blue")
    source = saved(tmp_path, first, name, save_all=True, append_images=[second], duration=100)
    _, facts, image = made(source, image_limits)
    assert not facts.animated
    assert np.asarray(image)[..., 0].mean() > 250


@pytest.mark.parametrize(
    ("size", "result"), [((200, 150), (400, 300)), ((4100, 2050), (2048, 1024)), ((4500, 1800), (2048, 820))]
)
def test_the_size_comes_within_the_limits(
    tmp_path: Path, image_limits: ImageLimits, size: tuple[int, int], result: tuple[int, int]
) -> None:
    _, facts, _ = made(saved(tmp_path, Image.new("RGB", size, "olive"), "a.png"), image_limits)
    assert (facts.width, facts.height) == result


def test_no_tag_comment_or_place_comes_along(tmp_path: Path, image_limits: ImageLimits) -> None:
    exif = Image.Exif()
    exif[0x013B] = "Ada Example"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    source = saved(tmp_path, Image.new("RGB", (400, 300)), "a.jpg", exif=exif, comment=b"call 555 0100")
    preparation, _, image = made(source, image_limits)
    assert preparation.reasons == ("tells a place, a person or a device",)
    assert not image.getexif()
    assert b"555" not in (tmp_path / "prepared" / "still.jpg").read_bytes()


def test_a_heavy_picture_steps_down_in_quality(tmp_path: Path, image_limits: ImageLimits) -> None:
    noise = Image.effect_noise((600, 600), 90).convert("RGB")
    source = saved(tmp_path, noise, "a.png")
    best = len(encoded(noise, 95))
    tight = replace(image_limits, max_bytes=best - 1)
    _, facts, _ = made(source, tight)
    assert best / 3 < facts.bytes < best


def encoded(image: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


def test_a_picture_that_cannot_be_light_enough_is_refused_and_leaves_nothing(
    tmp_path: Path, image_limits: ImageLimits
) -> None:
    source = saved(tmp_path, Image.effect_noise((600, 600), 90).convert("RGB"), "a.png")
    with pytest.raises(ToolFailed, match="stays over 2000 bytes"):
        made(source, replace(image_limits, max_bytes=2000))
    assert not (tmp_path / "prepared").exists()


@pytest.mark.parametrize("decision", ["pass", "transcode"])
def test_a_picture_damaged_after_the_survey_is_refused(
    tmp_path: Path, image_limits: ImageLimits, decision: str
) -> None:
    name = "a.png" if decision == "pass" else "a.bmp"
    source = saved(tmp_path, Image.effect_noise((400, 400), 90).convert("RGB"), name)
    preparation = still_preparation(probe.still(source), image_limits)
    assert preparation.decision == decision
    source.write_bytes(source.read_bytes()[:30_000])
    with pytest.raises(Unacceptable):
        stills.prepare(source, preparation, tmp_path / "prepared" / "still.jpg")
    assert not list(tmp_path.glob("prepared/*"))


async def test_a_poster_shows_the_middle(cup: Path, tmp_path: Path) -> None:
    target = tmp_path / "poster 100%d.jpg"
    await frames.poster(cup, target, seconds=probe.clip(cup).seconds, height=180)
    facts = probe.still(target)
    assert (facts.format, facts.width, facts.height) == ("jpeg", 240, 180)
    assert list(tmp_path.iterdir()) == [target]


async def test_a_poster_of_a_moment_after_the_end_fails_and_leaves_nothing(cup: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed):
        await frames.poster(cup, tmp_path / "poster.jpg", seconds=Fraction(60))
    assert list(tmp_path.iterdir()) == []
