"""Prepared reference images: upright, sRGB, opaque, small enough, and telling nothing."""

import subprocess
from dataclasses import replace
from datetime import timedelta
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
from callsheet.media import command, frames, look, probe, stills

from . import heic, icc


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


def flat(image: Image.Image) -> Any:
    """The one colour of a plain picture; JPEG keeps it to a code or two."""
    pixels = np.asarray(image).reshape(-1, 3)
    assert np.ptp(pixels, axis=0).max() <= 2
    return pixels.mean(axis=0)


@pytest.mark.parametrize("pixel", [(120, 60, 30), (30, 200, 90), (250, 250, 10), (128, 128, 128)])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff", "a.webp", "a.avif"])
def test_the_colours_of_a_wide_profile_are_those_of_the_standard(
    tmp_path: Path, image_limits: ImageLimits, pixel: tuple[int, int, int], name: str
) -> None:
    exact = {"lossless": True} if name.endswith("webp") else {"quality": 100} if name[-3:] in ("jpg", "vif") else {}
    plain = Image.new("RGB", (400, 300), pixel)
    _, facts, image = made(saved(tmp_path, plain, name, icc_profile=icc.adobe_rgb(), **exact), image_limits)
    assert not facts.has_profile
    assert np.abs(flat(image) - icc.of_adobe_rgb(pixel)).max() < 4


def test_a_transparent_picture_keeps_the_colours_of_its_profile(tmp_path: Path, image_limits: ImageLimits) -> None:
    half = Image.new("RGBA", (400, 300), (30, 200, 90, 255))
    half.paste((30, 200, 90, 0), (0, 0, 200, 300))
    _, _, image = made(saved(tmp_path, half, "a.png", icc_profile=icc.adobe_rgb()), image_limits)
    pixels = np.asarray(image)
    assert np.abs(pixels[:, 220:].mean(axis=(0, 1)) - icc.of_adobe_rgb((30, 200, 90))).max() < 3
    assert pixels[:, :180].mean() > 253


@pytest.mark.parametrize("ink", icc.INKS)
@pytest.mark.parametrize("name", ["a.tiff", "a.jpg"])
def test_the_colours_of_print_are_those_of_its_profile(
    tmp_path: Path, image_limits: ImageLimits, ink: tuple[int, int, int], name: str
) -> None:
    tone = Image.new("CMYK", (400, 300), (*(255 * on for on in ink), 0))
    _, _, image = made(saved(tmp_path, tone, name, icc_profile=icc.press()), image_limits)
    assert np.abs(flat(image) - icc.of_press(ink)).max() < 3


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile_counts_at_every_depth(tmp_path: Path, image_limits: ImageLimits, mode: str) -> None:
    grey = Image.new("L", (400, 300), 100)
    deep = Image.fromarray(np.full((300, 400), 100 * 257, np.uint16)) if mode == "I;16" else grey.convert(mode)
    _, _, image = made(saved(tmp_path, deep, "a.png", icc_profile=icc.grey(1.2)), image_limits)
    assert np.abs(flat(image) - icc.of_grey(100, 1.2)).max() < 3


@pytest.mark.parametrize(
    ("layout", "name"),
    [("rgb48be", "a.png"), ("rgba64be", "a.png"), ("rgb48le", "a.tiff"), ("rgb48le", "a.avif"), ("gray16le", "a.tiff")],
)
def test_sixteen_bits_a_colour_become_the_nearest_eight(
    tmp_path: Path, image_limits: ImageLimits, layout: str, name: str
) -> None:
    deep = (40_000, 20_000, 1_000) if "gray" not in layout else (30_000,) * 3
    raw = np.full((300, 400, 3), deep, ">u2").tobytes()
    words = [command.binary(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb48be", "-s", "400x300", "-i", "-"]
    source = tmp_path / name
    subprocess.run([*words, "-frames:v", "1", "-pix_fmt", layout, str(source)], input=raw, check=True, timeout=60)
    _, _, image = made(source, image_limits)
    assert np.abs(flat(image) - np.array(deep) / 257).max() < 3


@pytest.mark.parametrize(("top", "value"), [(1.0, 0.5), (255.0, 127.5), (65535.0, 32767.5), (4.0, 0.5)])
def test_grey_in_fractions_is_no_white_picture(
    tmp_path: Path, image_limits: ImageLimits, top: float, value: float
) -> None:
    grey = np.full((300, 400), value, np.float32)
    grey[:8, :8] = top
    grey[0, 0] = np.nan
    _, _, image = made(saved(tmp_path, Image.fromarray(grey), "a.tiff"), image_limits)
    assert 125 < np.asarray(image)[100:].mean() < 130


def test_lab_becomes_srgb(tmp_path: Path, image_limits: ImageLimits) -> None:
    level, a, b = icc.INKS[1, 0, 0]
    plain = Image.new("LAB", (400, 300), (round(level * 2.55), a + 128, b + 128))
    _, _, image = made(saved(tmp_path, plain, "a.tiff"), image_limits)
    assert np.abs(flat(image) - icc.of_press((1, 0, 0))).max() < 4


# --- pictures of phones -------------------------------------------------------------------------------------------------

RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 30)


def test_a_heic_of_tiles_comes_out_whole_upright_and_in_its_colours(tmp_path: Path, image_limits: ImageLimits) -> None:
    """Phones store tiles, a cut and a turn: a quarter anticlockwise brings the right side up."""
    source = heic.write(tmp_path / "a.heic", (RED, GREEN, BLUE, YELLOW), columns=2, size=(600, 500), turns=1)
    preparation, facts, image = made(source, image_limits)
    assert preparation.reasons == ("heic picture",)
    assert (facts.width, facts.height) == (500, 600)
    pixels = np.asarray(image).astype(int)
    for row, column, colour in ((20, 20, GREEN), (20, -20, YELLOW), (-20, 20, RED), (-20, -20, BLUE)):
        assert np.abs(pixels[row, column] - colour).max() < 6
    # The tiles are 320 wide, and the picture is cut to 600 x 500: where they meet after the turn.
    assert np.abs(pixels[270, 20] - GREEN).max() < 6
    assert np.abs(pixels[290, 20] - RED).max() < 6
    assert np.abs(pixels[20, 310] - GREEN).max() < 6
    assert np.abs(pixels[20, 330] - YELLOW).max() < 6


def test_the_profile_of_a_heic_counts(tmp_path: Path, image_limits: ImageLimits) -> None:
    source = heic.write(tmp_path / "a.heic", [GREEN], columns=1, size=(320, 320), profile=icc.adobe_rgb())
    preparation, _, image = made(source, image_limits)
    assert preparation.reasons == ("heic picture", "its colour profile is not sRGB")
    assert np.abs(flat(image) - icc.of_adobe_rgb(GREEN)).max() < 6


@pytest.mark.parametrize("pixel", [RED, GREEN, YELLOW, (128, 128, 128)])
def test_wide_colours_that_only_a_code_names_count_too(
    tmp_path: Path, image_limits: ImageLimits, pixel: tuple[int, int, int]
) -> None:
    source = heic.write(tmp_path / "a.heic", [pixel], columns=1, size=(320, 320), code=(12, 13))
    preparation, _, image = made(source, image_limits)
    assert preparation.reasons == ("heic picture", "its colour profile is not sRGB")
    assert np.abs(flat(image) - icc.of_display_p3(pixel)).max() < 6


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_an_hdr_picture_is_refused_in_words(tmp_path: Path, transfer: int, name: str) -> None:
    source = heic.write(tmp_path / "a.heic", [GREEN], columns=1, size=(320, 320), code=(9, transfer))
    with pytest.raises(Unacceptable, match=rf"is an HDR picture \({name}\), which the model does not take"):
        probe.still(source)


def test_a_heic_with_more_pixels_than_are_read_is_refused_unread(tmp_path: Path) -> None:
    source = heic.write(tmp_path / "a.heic", [GREEN], columns=1, size=(20_000, 20_000))
    with pytest.raises(Unacceptable, match="more than 64 million pixels"):
        probe.still(source)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.97])
def test_a_heic_that_is_cut_off_is_refused(tmp_path: Path, part: float) -> None:
    source = heic.write(tmp_path / "a.heic", (RED, GREEN), columns=2, size=(640, 320))
    source.write_bytes(source.read_bytes()[: int(source.stat().st_size * part)])
    with pytest.raises(Unacceptable, match="is cut off: "):
        probe.still(source)


def test_the_first_page_of_several_is_taken(tmp_path: Path, image_limits: ImageLimits) -> None:
    first, second = Image.new("RGB", (400, 300), "red"), Image.new("RGB", (400, 300), "blue")
    source = saved(tmp_path, first, "a.tiff", save_all=True, append_images=[second])
    preparation, _, image = made(source, image_limits)
    assert "animated: the first picture is taken" in preparation.reasons
    assert np.asarray(image)[..., 0].mean() > 250


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
    ("size", "result"), [((200, 150), (400, 300)), ((4100, 2050), (4096, 2048)), ((4500, 1800), (4096, 1639))]
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


def test_a_heavy_picture_gets_the_best_quality_that_fits(tmp_path: Path, image_limits: ImageLimits) -> None:
    noise = Image.effect_noise((600, 600), 90).convert("RGB")
    source = saved(tmp_path, noise, "a.png")
    for quality in (94, 91, 86, 80):
        _, facts, _ = made(source, replace(image_limits, max_bytes=len(encoded(noise, quality)) + 10))
        assert facts.bytes == len(encoded(noise, quality))


def test_a_picture_is_made_smaller_before_it_is_made_coarse(tmp_path: Path, image_limits: ImageLimits) -> None:
    noise = Image.effect_noise((600, 900), 90).convert("RGB")
    source = saved(tmp_path, noise, "a.png")
    tight = replace(image_limits, max_bytes=len(encoded(noise, 80)) - 1)
    preparation = still_preparation(probe.still(source), tight)
    facts = stills.prepare(source, preparation, tmp_path / "still.jpg")
    assert (preparation.width, preparation.height) == (600, 900)
    assert (facts.width, facts.height) == (450, 675)
    assert facts.bytes <= tight.max_bytes


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
    await frames.poster(cup, target, seconds=probe.clip(cup).seconds, longest=240)
    facts = probe.still(target)
    assert (facts.format, facts.width, facts.height) == ("jpeg", 240, 180)
    assert list(tmp_path.iterdir()) == [target]


async def test_a_poster_of_a_moment_after_the_end_fails_and_leaves_nothing(cup: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed):
        await frames.poster(cup, tmp_path / "poster.jpg", seconds=Fraction(60))
    assert list(tmp_path.iterdir()) == []


async def test_the_poster_of_a_decode_is_the_one_that_is_made_alone(cup: Path, tmp_path: Path) -> None:
    facts = probe.clip(cup)
    await frames.poster(cup, tmp_path / "alone.jpg", seconds=facts.seconds)
    seen = await look.of_film(cup, facts, time_limit=timedelta(seconds=60))
    assert seen.poster is not None
    both = [Image.open(tmp_path / "alone.jpg"), Image.open(BytesIO(seen.poster))]
    alone, beside = (np.asarray(picture.convert("RGB")).astype(int) for picture in both)
    assert alone.shape == beside.shape == (360, 480, 3)
    assert np.abs(alone - beside).mean() < 3
    assert len(seen.poster) < 2 * (tmp_path / "alone.jpg").stat().st_size


def test_wide_colours_are_the_same_in_bands_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.effect_noise((90, 600), 80).convert("RGB")
    monkeypatch.setattr(stills, "BAND", 10_000)
    whole = stills._of_display_p3(picture).tobytes()
    monkeypatch.setattr(stills, "BAND", 7)
    assert stills._of_display_p3(picture).tobytes() == whole
