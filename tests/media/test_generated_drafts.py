"""Drafts of stills and of prompts: their length to the frame, their shape, how the camera moves, what is written on them."""

import hashlib
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from callsheet.errors import Unacceptable
from callsheet.media import probe
from callsheet.sandbox import camera, engine, scenes, titles
from callsheet.sandbox.camera import View
from callsheet.sandbox.engine import Shot
from callsheet.sandbox.shot import Part, parts_of
from tests.media.conftest import Film

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Picture = NDArray[np.float64]


def shot_of(
    kind: Any,
    prompt: str = "a cup of coffee",
    *,
    stills: Sequence[Path] = (),
    clip: Path | None = None,
    ratio: str | None = None,
    seconds: str = "1",
    keep_sound: bool = False,
    **options: Any,
) -> Shot:
    return Shot(
        kind=kind,
        clip=clip,
        clip_digest=digest(clip) if clip else "",
        references=tuple((path, digest(path)) for path in stills),
        prompt=prompt,
        aspect_ratio=ratio,
        keep_sound=keep_sound,
        seconds=Fraction(seconds),
        options=tuple(options.items()),
    )


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Any]:
    """made("text-to-video", "a fox", seconds="2"): the draft of that shot."""

    async def make(*words: Any, **facts: Any) -> Path:
        target = tmp_path / f"{len(list(tmp_path.glob('draft-*')))}.mp4"
        target = target.with_name(f"draft-{target.name}")
        await engine.render(shot_of(*words, **facts), target, lambda part: None)
        return target

    return make


@pytest.fixture
def dot(tmp_path: Path) -> Path:
    """A soft white dot, a bit to the left of the middle, on grey."""
    x, y = np.meshgrid(np.arange(640), np.arange(360))
    light = 60 + 190 * np.exp(-((x - 280) ** 2 + (y - 180) ** 2) / (2 * 14**2))
    path = tmp_path / "dot.png"
    Image.fromarray(np.repeat(light[..., None], 3, axis=2).astype(np.uint8)).save(path)
    return path


def still(tmp_path: Path, name: str, colour: tuple[int, int, int], size: tuple[int, int] = (640, 360)) -> Path:
    path = tmp_path / name
    Image.new("RGB", size, colour).save(path)
    return path


def frames_of(path: Path) -> list[Picture]:
    """Every frame as sRGB of 0..1."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.float64) / 255 for frame in container.decode(video=0)]


# --- length, rate, shape -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1"])
async def test_a_prompt_becomes_a_film_of_exactly_the_seconds_and_the_shape_asked_for(made: Any, ratio: str) -> None:
    facts = probe.clip(await made("text-to-video", "waves at dusk", ratio=ratio, seconds="2"))
    assert (facts.frames, float(facts.frame_rate), float(facts.seconds)) == (48, 24.0, 2.0)
    assert (facts.width, facts.height) == {"16:9": (960, 540), "9:16": (540, 960), "1:1": (720, 720)}[ratio]


async def test_a_still_becomes_a_film_in_its_own_shape(made: Any, tmp_path: Path) -> None:
    tall = still(tmp_path, "tall.png", (120, 90, 60), (400, 600))
    facts = probe.clip(await made("image-to-video", stills=[tall]))
    assert (facts.frames, float(facts.frame_rate)) == (24, 24.0)
    assert facts.width / facts.height == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize(("quality", "width"), [("720p", 960), ("1080p", 1152), ("4k", 1280)])
async def test_a_better_quality_is_a_little_larger(made: Any, quality: str, width: int) -> None:
    assert probe.clip(await made("text-to-video", ratio="16:9", seconds="1", quality=quality)).width == width


async def test_the_shots_of_a_film_follow_one_another_and_add_up(made: Any) -> None:
    rows = json.dumps([{"prompt": "a red sunset", "duration": 1}, {"prompt": "黑白", "duration": 2}])
    film = await made("text-to-video", "", ratio="1:1", seconds="3", multi_prompt=rows)
    frames = frames_of(film)
    assert len(frames) == 72
    grey = [float(np.ptp(frame, axis=2).mean()) < 0.03 for frame in frames]
    assert not any(grey[:23])
    assert all(grey[25:])


async def test_several_shots_of_one_still_are_each_in_its_own_look(made: Any, dot: Path) -> None:
    rows = json.dumps([{"prompt": "a red sunset, orbit", "duration": 1}, {"prompt": "黑白", "duration": 1}])
    frames = frames_of(await made("image-to-video", "", stills=[dot], seconds="2", multi_prompt=rows))
    assert len(frames) == 48
    assert float(np.ptp(frames[10], axis=2).mean()) > 0.03 > float(np.ptp(frames[40], axis=2).mean())


def test_the_parts_of_a_film_have_all_its_frames() -> None:
    rows = json.dumps([{"prompt": str(n), "duration": seconds} for n, seconds in enumerate((1, 3, 1))])
    parts = parts_of(shot_of("text-to-video", seconds="5", multi_prompt=rows))
    assert [part.frames for part in parts] == [24, 72, 24]
    untold = json.dumps([{"prompt": "a"}, {"prompt": "b"}, {"prompt": "c"}])
    assert sum(part.frames for part in parts_of(shot_of("text-to-video", seconds="5", multi_prompt=untold))) == 120


@pytest.mark.parametrize(("has", "wanted"), [("2", "1"), ("1", "3")])
async def test_a_clip_for_reference_is_cut_or_played_to_and_fro(
    made: Any, pattern: Film, has: str, wanted: str
) -> None:
    clip = pattern("reference.mp4", seconds=has, sound=has)
    facts = probe.clip(await made("reference-to-video", clip=clip, seconds=wanted, keep_sound=True))
    assert (facts.frames, float(facts.frame_rate)) == (int(wanted) * 24, 24.0)
    assert facts.audio_codec == "aac"
    assert float(facts.seconds) == pytest.approx(float(wanted), abs=0.03)


async def test_a_clip_is_played_back_from_its_end(made: Any, film: Film) -> None:
    brightening = "color=black:s=128x128:r=24:d=1,geq=lum='40+N*6':cb=128:cr=128"
    clip = film("brightening.mp4", "-f", "lavfi", "-i", brightening, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    light = [frame.mean() for frame in frames_of(await made("reference-to-video", "x", clip=clip, seconds="2"))]
    assert light[20] > light[4] + 0.1
    assert light[44] < light[26] - 0.1


async def test_references_without_a_clip_are_shown_one_after_the_other(made: Any, tmp_path: Path) -> None:
    stills = [still(tmp_path, "red.png", (200, 30, 30)), still(tmp_path, "blue.png", (30, 40, 200))]
    frames = frames_of(await made("reference-to-video", "x", stills=stills, seconds="2"))
    assert frames[0].mean(axis=(0, 1))[0] > frames[0].mean(axis=(0, 1))[2] + 0.2
    assert frames[-1].mean(axis=(0, 1))[2] > frames[-1].mean(axis=(0, 1))[0] + 0.2


async def test_motion_control_keeps_the_clip_and_takes_the_colours_of_the_character(
    made: Any, pattern: Film, tmp_path: Path
) -> None:
    clip = pattern("motion.mp4", seconds="1")
    character = still(tmp_path, "character.png", (200, 90, 30))
    facts = probe.clip(await made("motion-control", clip=clip, stills=[character], seconds="1"))
    assert (facts.frames, float(facts.frame_rate)) == (30, 30.0)


async def test_what_has_nothing_to_be_made_from_is_refused(made: Any, tmp_path: Path) -> None:
    with pytest.raises(Unacceptable, match="neither"):
        await made("image-to-video")
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(Unacceptable, match="cannot be read"):
        await made("image-to-video", stills=[wrong])


# --- the camera --------------------------------------------------------------------------------------------------------


async def test_the_camera_glides_without_a_jerk(made: Any, dot: Path) -> None:
    """A window of whole pixels would leave steps of a pixel in the way of the dot."""
    frames = frames_of(await made("image-to-video", "slow zoom in", stills=[dot], ratio="16:9", seconds="3"))
    way = np.array([middle(frame) for frame in frames])
    assert np.abs(way[-1] - way[0]).max() > 8
    assert np.abs(np.diff(way, n=2, axis=0)).max() < 0.2


def middle(frame: Picture) -> tuple[float, float]:
    light = np.clip(frame[:460].mean(axis=2) - 0.75 * frame.max(), 0, None)
    return float(light.sum(axis=0) @ np.arange(light.shape[1]) / light.sum()), float(
        light.sum(axis=1) @ np.arange(light.shape[0]) / light.sum()
    )


async def test_two_stills_are_the_first_and_the_last_frame(made: Any, tmp_path: Path) -> None:
    first, last = still(tmp_path, "a.png", (180, 60, 40)), still(tmp_path, "b.png", (40, 80, 190))
    frames = frames_of(await made("image-to-video", "x", stills=[first, last], ratio="16:9", seconds="2"))
    assert frames[0][100:300, 100:500].mean(axis=(0, 1)) == pytest.approx(np.array([180, 60, 40]) / 255, abs=0.15)
    assert frames[-1][100:300, 100:500].mean(axis=(0, 1)) == pytest.approx(np.array([40, 80, 190]) / 255, abs=0.15)
    between = frames[24][100:300, 100:500].mean(axis=(0, 1))
    assert frames[0].mean(axis=(0, 1))[0] > between[0] > frames[-1].mean(axis=(0, 1))[0]


@pytest.mark.parametrize(
    ("prompt", "moves"),
    [
        ("a slow zoom in on the cup", ["zoom in"]),
        ("Dolly out to reveal the valley", ["zoom out"]),
        ("camera pans left", ["pan left"]),
        ("pan right, then tilt up", ["pan right", "tilt up"]),
        ("orbiting the statue", ["orbit"]),
        ("handheld documentary", ["handheld"]),
        ("a static, locked-off camera", ["static"]),
        ("镜头缓缓推近", ["zoom in"]),
        ("镜头左移", ["pan left"]),
        ("环绕拍摄", ["orbit"]),
        ("航拍", ["tilt up"]),
        ("a panda in a panorama", []),
    ],
)
def test_a_prompt_tells_the_camera_where_to_go(prompt: str, moves: list[str]) -> None:
    assert camera.words_of(prompt) == moves


def test_a_camera_that_is_not_told_still_moves_and_always_the_same_way() -> None:
    for prompt in ("a cup", "a dog", "a tree", "一只猫", "a very long story about nothing"):
        move = camera.move_for(prompt, (0.5, 0.5))
        assert move == camera.move_for(prompt, (0.5, 0.5))
        assert move.start != move.end


@pytest.mark.parametrize("word", [word.name for word in camera.WORDS])
@pytest.mark.parametrize("space", [(1.0, 1.0), (1.3, 1.0), (1.0, 1.3)])
def test_no_move_leaves_the_picture(word: str, space: tuple[float, float]) -> None:
    for focus in ((0.0, 0.0), (1.0, 0.5), (0.5, 1.0)):
        move = camera.move_for(word, focus, space=space)
        for view in (move.start, move.end):
            assert all(0 <= corner <= 1 for corner in corners(view, space))


def corners(view: View, space: tuple[float, float]) -> list[float]:
    wide, high = (0.5 / (view.zoom * side) for side in space)
    return [view.x - wide, view.x + wide, view.y - high, view.y + high]


# --- the same again ----------------------------------------------------------------------------------------------------


async def test_the_same_shot_gives_the_same_file(made: Any, dot: Path) -> None:
    for facts in (
        {"kind": "text-to-video", "prompt": "snow in the city at night", "ratio": "16:9", "sound": "on"},
        {"kind": "image-to-video", "prompt": "orbit, film grain", "stills": [dot, dot], "sound": "on"},
    ):
        kind, prompt = facts.pop("kind"), facts.pop("prompt")
        one, two = await made(kind, prompt, **facts), await made(kind, prompt, **facts)
        assert one.read_bytes() == two.read_bytes()


async def test_other_prompts_give_other_films(made: Any) -> None:
    one, two = [frames_of(await made("text-to-video", prompt, ratio="1:1"))[12] for prompt in ("qwertz", "asdfgh")]
    assert np.abs(one[:300] - two[:300]).mean() > 0.02


@pytest.mark.parametrize(("sound", "codec"), [("on", "aac"), ("off", None)])
async def test_sound_is_made_where_it_is_asked_for_and_is_quiet(made: Any, sound: str, codec: str | None) -> None:
    film = await made("text-to-video", "rain on the sea", seconds="2", sound=sound)
    assert probe.clip(film).audio_codec == codec
    if codec is None:
        return
    with av.open(str(film)) as container:
        wave = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert wave.shape[1] / 48_000 == pytest.approx(2, abs=0.06)
    assert 0.005 < float(np.sqrt((wave**2).mean())) < 0.12
    assert float(np.abs(wave).max()) < 0.7


async def test_every_kind_of_draft_says_that_it_is_one(made: Any, dot: Path) -> None:
    for film in (await made("text-to-video"), await made("image-to-video", stills=[dot])):
        with av.open(str(film)) as container:
            assert container.metadata["title"] == "DRAFT"
            assert "synthetic" in container.metadata["comment"].lower()


# --- titles and places -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "title", "line"),
    [
        ("A fox.", "A fox", ""),
        ("A fox runs. It is night, and it snows.", "A fox runs", "It is night, and it snows."),
        ("清晨的山谷。金色的阳光。", "清晨的山谷", "金色的阳光。"),
        ("A fox 🦊 runs\nhome", "A fox runs home", ""),
        ("🦊", "", ""),
    ],
)
def test_a_prompt_is_set_as_a_title_and_a_line(prompt: str, title: str, line: str) -> None:
    assert titles.title_of(prompt) == (title, line)


def test_a_long_prompt_is_cut_between_words() -> None:
    title, line = titles.title_of("wandering " * 200)
    assert title.endswith("wandering…")
    assert len(title) <= titles.TITLE_WIDTH
    assert len(line) <= titles.LINE_WIDTH


@pytest.mark.parametrize("prompt", ["狐狸奔向大海，海浪拍打着礁石", "A fox runs to the sea", "词" * 400, "x" * 900, ""])
@pytest.mark.parametrize("size", [(960, 540), (540, 960), (256, 144)])
def test_a_card_is_drawn_in_both_languages_and_stays_inside(tmp_path: Path, prompt: str, size: tuple[int, int]) -> None:
    path = titles.draw(Part(prompt=prompt, frames=24, number=2, count=3), size, tmp_path / "card.png")
    ink = np.asarray(Image.open(path)).astype(int)[..., 0] > 128
    rows, columns = np.nonzero(ink)
    assert ink.mean() < 0.2
    assert columns.max() < size[0] - 2
    assert rows.min() > size[1] * 0.2
    assert rows.max() < size[1] - 2


@pytest.mark.parametrize(
    ("prompt", "place"),
    [
        ("Waves at the beach", "sea"),
        ("A neon street", "city"),
        ("森林里的小鹿", "forest"),
        ("太空中的宇航员", "space"),
        ("the dunes of Mars", "desert"),
        ("mountains", "hills"),
        ("a bottle of perfume", "studio"),
    ],
)
def test_a_prompt_names_its_place(prompt: str, place: str) -> None:
    assert scenes.place_of(prompt) == place


@pytest.mark.parametrize("place", ["sea", "city", "forest", "space", "desert", "hills", "perfume"])
def test_every_place_is_painted_with_something_to_see(tmp_path: Path, place: str) -> None:
    scene = scenes.paint(place, (256, 144), tmp_path)
    back = np.asarray(Image.open(scene.back)).astype(float)
    assert back.shape == (180, 320, 3)
    assert back.std() > 8
    drift = np.asarray(Image.open(scene.drift))
    assert (drift[:, :256] == drift[:, 256:]).all()
