"""A quiet bed of sound for drafts that ask for one: a chord that swells, and the weather or the place."""

import hashlib
import re
from typing import Any

import ffmpeg

from callsheet.sandbox.shot import Shot

SAMPLE_RATE = 48_000
#: Four notes each, in hertz; a prompt always gets the same one.
CHORDS = (
    (110.00, 164.81, 220.00, 261.63),
    (98.00, 146.83, 196.00, 246.94),
    (130.81, 196.00, 261.63, 329.63),
    (87.31, 130.81, 174.61, 220.00),
    (116.54, 174.61, 233.08, 293.66),
)
#: Colour of a noise, its band in hertz, swings a second, level.
_Place = tuple[str, tuple[int, int], float, float]
#: What is heard besides, by words (Chinese last).
_PLACES: tuple[tuple[str, _Place], ...] = (
    (r"rain|storm|drizzle|downpour|雨", ("white", (900, 7000), 0.4, 0.030)),
    (r"sea|ocean|beach|waves?|coast|海|沙滩|浪", ("pink", (120, 2200), 0.11, 0.11)),
    (r"wind|snow|winter|desert|mountain|风|雪|冬|沙漠|山", ("pink", (180, 900), 0.17, 0.10)),
    (r"city|street|traffic|neon|城|街|霓虹", ("brown", (60, 500), 0.2, 0.12)),
)
_AIR: _Place = ("pink", (150, 1400), 0.13, 0.035)


def bed(shot: Shot) -> Any:
    """The stream, as long as the shot."""
    seconds = float(shot.seconds)
    digest = hashlib.sha256(shot.prompt.encode()).digest()
    voices = [_voice(note, number, seconds) for number, note in enumerate(CHORDS[digest[0] % len(CHORDS)])]
    voices.append(_place(shot.prompt, int.from_bytes(digest[1:4], "big"), seconds))
    mix = ffmpeg.filter(voices, "amix", inputs=len(voices), normalize=0)
    ease = min(1.2, seconds / 4)
    faded = mix.filter("afade", t="in", d=ease).filter("afade", t="out", st=round(seconds - ease, 3), d=ease)
    return faded.filter("aformat", channel_layouts="stereo", sample_rates=SAMPLE_RATE)


def _voice(note: float, number: int, seconds: float) -> Any:
    """One note, swelling at its own pace."""
    tone = ffmpeg.input(f"sine=frequency={note}:sample_rate={SAMPLE_RATE}:duration={seconds}", f="lavfi")
    return tone.filter("tremolo", f=0.13 + 0.05 * number, d=0.7).filter("volume", round(0.16 / (1 + 0.5 * number), 3))


def _place(prompt: str, seed: int, seconds: float) -> Any:
    told = (place for words, place in _PLACES if re.search(words, prompt.lower()))
    colour, (low, high), swing, level = next(told, _AIR)
    noise = f"anoisesrc=color={colour}:seed={seed}:sample_rate={SAMPLE_RATE}:duration={seconds}:amplitude=0.8"
    band = ffmpeg.input(noise, f="lavfi").filter("highpass", f=low).filter("lowpass", f=high)
    return band.filter("tremolo", f=swing, d=0.6).filter("volume", level)
