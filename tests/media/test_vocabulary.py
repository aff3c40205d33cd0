"""The words that drafts know: the page has all of them, each is found as people write it, and each can be seen."""

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from callsheet.media import probe
from callsheet.sandbox import camera, effects, engine, looks, scenes
from callsheet.sandbox.engine import Shot
from callsheet.sandbox.lexicon import LEXICON
from callsheet.sandbox.look import NEUTRAL
from callsheet.sandbox.tricks import EFFECT_WORDS
from callsheet.sandbox.word import Word, spoken
from tests.media import vocabulary
from tests.media.conftest import Film

Frames = NDArray[np.float64]


def test_the_page_has_every_word_and_no_other() -> None:
    page = vocabulary.PAGE.read_text("utf-8")
    assert page == vocabulary.written(page), "make docs"


@pytest.mark.parametrize("word", LEXICON, ids=lambda word: word.name)
def test_a_word_is_found_as_the_page_spells_it_in_both_languages(word: Word) -> None:
    for text in (word.name, *spoken(word.words), *spoken(word.chinese)):
        found = looks.words_of(text)
        assert word.name in found or (text.lower() != word.name and found), text


@pytest.mark.parametrize("word", camera.WORDS, ids=lambda word: word.name)
def test_a_move_is_found_as_the_page_spells_it(word: Word) -> None:
    for text in (word.name, *spoken(word.words), *spoken(word.chinese)):
        assert word.name in camera.words_of(text), text


@pytest.mark.parametrize("word", scenes.PLACES, ids=lambda word: word.name)
def test_a_place_is_found_as_the_page_spells_it(word: Word) -> None:
    for text in (*spoken(word.words), *spoken(word.chinese)):
        assert scenes.place_of(text) == word.name, text


def test_no_two_words_have_a_name_and_every_effect_is_known() -> None:
    names = [word.name for word in LEXICON]
    assert len(set(names)) == len(names) > 60
    asked = {word.effect for word in LEXICON if word.effect}
    assert asked == {*effects.EARLY, *effects.LATE}


@pytest.mark.parametrize(
    ("prompt", "denied"),
    [
        ("漂亮的女孩", "bright"),
        ("青年", "teal"),
        ("火车驶过", "fire"),
        ("a flashlight", "flash"),
        ("no vignette", "vignette"),
    ],
)
def test_a_word_within_another_is_not_meant(prompt: str, denied: str) -> None:
    assert denied not in looks.words_of(prompt)


def test_a_negative_prompt_takes_words_away() -> None:
    plain = looks.of_prompt("dusk", has_references=False)
    assert looks.of_prompt("dusk", has_references=False, denied="rain, glitch") == plain
    without = looks.of_prompt("dusk, rain, glitch", has_references=False, denied="rain, glitch")
    assert (without.rain, without.effects) == (0.0, ())


def test_effects_do_not_weaken_a_mood() -> None:
    alone, beside = (looks.of_prompt(text, has_references=False) for text in ("dusk", "dusk, fade in, glitch"))
    assert beside.rain == alone.rain
    assert abs(beside.shadows[1] - alone.shadows[1]) < 0.02


def test_a_prompt_without_a_known_word_turns_the_colours_but_only_a_little() -> None:
    texts = ("qwertz", "the product in its place", "一个杯子", "lorem ipsum")
    found = [looks.of_prompt(text, has_references=False) for text in texts]
    assert len(set(found)) == len(found)
    assert found == [looks.of_prompt(text, has_references=False) for text in texts]
    for look in found:
        assert abs(look.warmth) <= 0.35
        assert abs(look.contrast) <= 0.25


@pytest.fixture(scope="session")
def scene(film: Film) -> Path:
    """Something in every corner, something that moves, and room for light."""
    graph = "testsrc2=s=192x108:r=12:d=1,colorlevels=romax=0.8:gomax=0.8:bomax=0.8,gblur=sigma=1"
    return film(
        "scene.mp4", "-f", "lavfi", "-i", graph, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"
    )


async def drafted(clip: Path, prompt: str, target: Path) -> Frames:
    shot = Shot(
        clip=clip,
        clip_digest=hashlib.sha256(clip.read_bytes()).hexdigest(),
        references=(),
        prompt=prompt,
        aspect_ratio=None,
        keep_sound=False,
        seconds=Fraction(1),
    )
    await engine.render(shot, target, lambda part: None)
    facts = probe.clip(target)
    assert (facts.width, facts.height, facts.frames) == (192, 108, 12), prompt
    with av.open(str(target)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(float) / 255


@pytest.mark.parametrize("word", EFFECT_WORDS, ids=lambda word: word.name)
async def test_an_effect_is_seen_and_keeps_the_frames_and_the_mark(
    scene: Path, tmp_path: Path, word: Word, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "_nudge", lambda prompt, known: NEUTRAL)
    plain = await drafted(scene, "keep it", tmp_path / "plain.mp4")
    seen = await drafted(scene, word.name, tmp_path / "seen.mp4")
    change = np.abs(seen - plain).mean(axis=(1, 2, 3))
    assert change.max() > 0.012
    mark = (slice(-18, -6), slice(-50, -10))
    assert all(float(np.ptp(frame[mark].mean(axis=2))) > 0.2 for frame in seen)
