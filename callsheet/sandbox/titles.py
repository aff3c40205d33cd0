"""Title cards: a prompt set as a title, English or Chinese, over a soft shade; in a font that comes with a package.

Noto Serif SC and Noto Sans SC (SIL Open Font License) draw Latin and Chinese alike, so that a card looks the same on every
machine. Signs that they do not have (emoji, other scripts) are left out rather than drawn as boxes.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pylopdf_fonts_zh_cn
from PIL import Image, ImageDraw, ImageFont

from callsheet.sandbox.shot import RATE, Part, Size

#: Signs of a title and of the line under it: a Chinese sign counts for two.
TITLE_WIDTH, LINE_WIDTH = 56, 120
#: Of the frame's width that a title takes, of its height that it may take.
_WIDE, _HIGH = 0.76, 0.34
_STOPS = re.compile(r"(?<=[.!?;。！？；…])\s*|\n+")
_PAUSES = re.compile(r"(?<=[,:，、：])\s*|\s+[-–—]+\s+")
#: Chinese signs that may not begin a line.
_NEVER_FIRST = "，。、！？；：）》」』”’…,.!?;:)"

Font = ImageFont.FreeTypeFont


@cache
def serif(size: int) -> Font:
    return ImageFont.truetype(pylopdf_fonts_zh_cn.serif_path(), size)


@cache
def sans(size: int) -> Font:
    return ImageFont.truetype(pylopdf_fonts_zh_cn.sans_path(), size)


@cache
def _has(sign: str) -> bool:
    """Whether the font draws this sign; what it lacks looks like what no font has."""
    font = serif(24)
    return sign.isspace() or bytes(font.getmask(sign)) != bytes(font.getmask("\U0010fffe"))


def title_of(prompt: str) -> tuple[str, str]:
    """The prompt as a title and the line under it, "" where the title is all of it."""
    text = " ".join("".join(sign if _has(sign) else " " for sign in prompt).split())
    first, rest = _cut(text, _STOPS)
    if _width(first) > TITLE_WIDTH:
        first, more = _cut(first, _PAUSES)
        rest = f"{more} {rest}".strip()
    if _width(first) > TITLE_WIDTH:
        short = _shortened(first, TITLE_WIDTH)
        return short, _shortened(f"…{first[len(short) - 1 :].strip()} {rest}".strip(), LINE_WIDTH)
    return first.rstrip(".。,，;；:：、"), _shortened(rest, LINE_WIDTH)


def _cut(text: str, at: re.Pattern[str]) -> tuple[str, str]:
    """The first clause that says something, and the rest."""
    parts = [part for part in at.split(text) if part and part.strip()]
    if not parts:
        return text, ""
    first = parts[0].strip()
    return first, text[text.index(first) + len(first) :].strip()


def _width(text: str) -> int:
    return sum(2 if _is_wide(sign) else 1 for sign in text)


def _is_wide(sign: str) -> bool:
    return ord(sign) >= 0x2E80


def _shortened(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept, used = "", 0
    for word in _words(text):
        used += _width(word)
        if used > width - 1:
            break
        kept += word
    return f"{(kept or text[: width // 2]).rstrip(' ,，、;；')}…"


def _words(text: str) -> list[str]:
    """What a line may be broken between: words with the space after them (long ones in parts), Chinese signs one by one."""
    return re.findall(r"[⺀-\U0003ffff][，。、！？；：）》」』”’…]*|[^\s⺀-\U0003ffff]{1,22}\s*|\s+", text)


def draw(part: Part, size: Size, target: Path) -> Path:
    """The card as a PNG with alpha, of the frame's size."""
    width, height = size
    title, line = title_of(part.prompt)
    unit = min(width, height)
    edge = round(unit * 0.075)
    card = _shade(size)
    pen = ImageDraw.Draw(card)
    small = sans(max(13, round(unit * 0.030)))
    under = _broken(line, small, width * 0.70)[:2]
    bottom = height - round(edge * 1.25)
    bottom -= _set(pen, under, small, edge, bottom, fill=(255, 255, 255, 190))
    lines, font = _fitted(title, width * _WIDE, height * _HIGH, unit)
    bottom -= _set(pen, lines, font, edge, bottom - (round(unit * 0.022) if under else 0), fill=(255, 255, 255, 245))
    bottom -= round(unit * (0.045 if under else 0.025))
    _rule(pen, part, small, edge, bottom, unit)
    card.save(target, compress_level=1)
    return target


def _shade(size: Size) -> Image.Image:
    """Darker towards the lower left, so that white reads on any picture."""
    width, height = size
    x, y = np.linspace(0, 1, width)[None, :], np.linspace(0, 1, height)[:, None]
    depth = np.clip((y - 0.30) / 0.70, 0, 1) ** 1.4 * (1 - 0.45 * x)
    alpha = (150 * depth).astype(np.uint8)
    black = np.zeros((height, width, 3), dtype=np.uint8)
    return Image.fromarray(np.concatenate([black, alpha[..., None]], axis=2))


def _rule(pen: ImageDraw.ImageDraw, part: Part, font: Font, left: int, bottom: int, unit: int) -> None:
    """A short line over the title; beside it, where there are several shots, which one this is."""
    thick = max(2, round(unit * 0.006))
    pen.rectangle((left, bottom - thick, left + round(unit * 0.085), bottom), fill=(255, 255, 255, 225))
    if part.count > 1:
        label = f"{part.number} / {part.count}   {part.frames / RATE:.3g} s"
        pen.text(
            (left + round(unit * 0.11), bottom - thick / 2), label, font=font, fill=(255, 255, 255, 210), anchor="lm"
        )


def _fitted(title: str, width: float, height: float, unit: int) -> tuple[list[str], Font]:
    """The title broken into lines at the largest size at which it fits."""
    for size in range(round(unit * 0.115), max(14, round(unit * 0.045)), -2):
        font = serif(size)
        lines = _broken(title, font, width)
        low_enough = len(lines) <= 3 and len(lines) * _leading(font) <= height
        if low_enough and all(font.getlength(line) <= width for line in lines):
            return lines, font
    font = serif(max(14, round(unit * 0.045)))
    return _broken(title, font, width)[:4], font


def _leading(font: Font) -> int:
    return round(font.size * 1.28)


def _broken(text: str, font: Font, width: float) -> list[str]:
    """Lines no wider than this, of as even a length as the number of lines allows."""
    lines = _filled(text, font, width)
    if len(lines) < 2:
        return lines
    narrow = width
    while narrow > width * 0.5 and len(_filled(text, font, narrow * 0.94)) == len(lines):
        narrow *= 0.94
    return _filled(text, font, narrow)


def _filled(text: str, font: Font, width: float) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in _pieces(text, font, width):
        if line and font.getlength((line + word).rstrip()) > width and word not in _NEVER_FIRST:
            lines.append(line.rstrip())
            line = word.lstrip()
        else:
            line += word
    return [one for one in (*lines, line.rstrip()) if one]


def _pieces(text: str, font: Font, width: float) -> list[str]:
    """Chinese breaks where it pauses, if its clauses are short enough for that; else between any two signs."""
    clauses = re.findall(r"[^，。、！？；：]+[，。、！？；：]*", text)
    if any(_is_wide(sign) for sign in text) and all(font.getlength(clause) <= width for clause in clauses):
        return clauses
    return _words(text)


def _set(
    pen: ImageDraw.ImageDraw, lines: list[str], font: Font, left: int, bottom: int, *, fill: tuple[int, int, int, int]
) -> int:
    """Draw the lines so that the last one ends at `bottom`; how high they are."""
    high = _leading(font) * len(lines)
    for number, line in enumerate(lines):
        pen.text((left, bottom - high + number * _leading(font)), line, font=font, fill=fill)
    return high
