"""Camera moves over a still: from a prompt's words to a window that glides over the picture, as ffmpeg's expressions.

The window's corners are given to the filter `perspective`, which reads between pixels; `zoompan` rounds to whole ones, and
slow moves shake.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from callsheet.sandbox.word import Word

#: The picture is this much larger than the draft while the camera moves; scaling it down afterwards hides the sampling.
OVERSIZE = 1.25
Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class View:
    """What the camera sees: the middle as parts of the picture's width and height, how near, and how it is turned.

    turn: keystone of a camera that stands aside, as a part of the height (right edge smaller for > 0).
    roll: as parts of the height that the right edge lies lower.
    """

    x: float
    y: float
    zoom: float
    turn: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Move:
    """From one view to another, eased. sway: how far a hand shakes, as a part of the picture's width."""

    start: View
    end: View
    sway: float = 0.0


WORDS: tuple[Word, ...] = (
    Word(
        name="zoom out",
        words=r"zoom(?:s|ing)?[- ]out|pull(?:s|ing)?[- ](?:back|out|away)|doll(?:y|ies|ying)[- ](?:out|back)|reveal(?:s|ing)?",
        chinese="拉远|拉开|后拉|镜头拉出|后退|远离",
    ),
    Word(
        name="zoom in",
        words=r"(?:slow |slowly )?zoom(?:s|ing)?(?:[- ]in)?|push(?:es|ing)?[- ]in|doll(?:y|ies|ying)(?:[- ]in)?|close[- ]?up",
        chinese="推近|推进|推镜|拉近|放大|特写|靠近",
    ),
    Word(
        name="pan left",
        words=r"(?:pan|truck|track|slide|move)(?:s|ning|ing)?(?: to the)?[- ]left",
        chinese="左移|左摇|向左|左平移",
    ),
    Word(
        name="pan right",
        words=r"(?:pan|truck|track|slide|move)(?:s|ning|ing)?(?: to the)?[- ]right|pans|panning|camera pan|tracking shot",
        chinese="右移|右摇|向右|右平移|横移|平移|跟拍",
    ),
    Word(
        name="tilt up",
        words=r"tilt(?:s|ing)?(?:[- ]up)?(?![- ]shift)|cranes?(?:[- ]up)?|pedestal up|ris(?:e|es|ing) shot|drone|aerial",
        chinese="上移|上摇|向上|抬升|升镜|升起|航拍",
    ),
    Word(
        name="tilt down",
        words=r"tilt(?:s|ing)?[- ]down|crane(?:s)?[- ]down|pedestal down|descend(?:s|ing)?",
        chinese="下移|下摇|向下|降镜|下降",
    ),
    Word(
        name="orbit",
        words=r"orbit(?:s|ing)?|arc(?:s|ing)? (?:shot|around)|rotat(?:e|es|ing)|circl(?:e|es|ing)|turntable|360",
        chinese="环绕|旋转|绕拍|转动|环拍",
    ),
    Word(
        name="camera roll",
        words=r"roll(?:s|ing)? camera|camera roll|dutch(?: angle)?|spin(?:s|ning)?",
        chinese="倾斜|翻滚|荷兰角",
    ),
    Word(
        name="handheld", words=r"hand-?held|shaky|documentary|vlog|found footage", chinese="手持|晃动|纪录片|跟随拍摄"
    ),
    Word(
        name="static",
        words=r"static|locked[- ]off|fixed camera|tripod|still camera|no camera movement",
        chinese="固定镜头|静止镜头|固定机位|静态",
    ),
)
#: Where the camera goes where the prompt says nothing of it: chosen by the prompt's text alone.
_UNTOLD = ("zoom in", "zoom out", "pan right", "pan left", "orbit")


def words_of(prompt: str) -> list[str]:
    """The moves that a prompt asks for, in the order of WORDS; a longer way to say it hides the shorter one in it."""
    text, found = prompt.lower(), []
    for word in sorted(WORDS, key=lambda one: -_longest(one, text)):
        if word.found_in(text):
            text = word.without(text)
            found.append(word.name)
    return [word.name for word in WORDS if word.name in found]


def _longest(word: Word, text: str) -> int:
    return max((len(hit) for hit in word.hits(text)), default=0)


def move_for(prompt: str, focus: Point, *, space: Point = (1.0, 1.0)) -> Move:
    """How the camera moves under this prompt over a picture whose subject is at `focus`.

    space: how much wider and higher than the frame the picture is, at the least zoom.
    """
    told = words_of(prompt) or [_untold(prompt)]
    move = Move(start=View(x=0.5, y=0.5, zoom=1.06), end=View(x=0.5, y=0.5, zoom=1.06))
    for name in told:
        move = _with(move, name, focus)
    return replace(move, start=inside(move.start, space), end=inside(move.end, space))


def _untold(prompt: str) -> str:
    digest = hashlib.sha256(" ".join(prompt.lower().split()).encode()).digest()
    return _UNTOLD[digest[7] % len(_UNTOLD)]


def _with(move: Move, name: str, focus: Point) -> Move:
    start, end = move.start, move.end
    if name in ("zoom in", "zoom out"):
        near = View(x=0.35 * 0.5 + 0.65 * focus[0], y=0.35 * 0.5 + 0.65 * focus[1], zoom=end.zoom * 1.34, turn=end.turn)
        return replace(move, end=near) if name == "zoom in" else replace(move, start=near)
    if name in ("pan left", "pan right", "tilt up", "tilt down"):
        return _panned(move, name)
    if name == "orbit":
        return replace(
            move,
            start=replace(start, x=start.x - 0.045, turn=-0.10, zoom=start.zoom * 1.16),
            end=replace(end, x=end.x + 0.045, turn=0.10, zoom=end.zoom * 1.16),
        )
    if name == "camera roll":
        return replace(
            move,
            start=replace(start, roll=-0.05, zoom=start.zoom * 1.12),
            end=replace(end, roll=0.05, zoom=end.zoom * 1.12),
        )
    if name == "handheld":
        return replace(
            move, sway=0.006, start=replace(start, zoom=start.zoom * 1.05), end=replace(end, zoom=end.zoom * 1.05)
        )
    return replace(move, end=start)


def _panned(move: Move, name: str) -> Move:
    """From one side to the other: as far as the picture goes, which `inside` knows."""
    far = {"pan left": (1.0, 0.0), "pan right": (0.0, 1.0), "tilt up": (1.0, 0.0), "tilt down": (0.0, 1.0)}[name]
    side = "x" if name.startswith("pan") else "y"
    start = replace(move.start, zoom=move.start.zoom * 1.13, **{side: far[0]})
    return replace(move, start=start, end=replace(move.end, zoom=move.end.zoom * 1.13, **{side: far[1]}))


def scaled(move: Move, factor: float) -> Move:
    """The same way, so much further from the middle and nearer at its ends."""

    def further(view: View) -> View:
        zoom = 1 + (view.zoom - 1) * factor
        return replace(view, x=0.5 + (view.x - 0.5) * factor, y=0.5 + (view.y - 0.5) * factor, zoom=zoom)

    return replace(move, start=inside(further(move.start), (1, 1)), end=inside(further(move.end), (1, 1)))


def inside(view: View, space: Point) -> View:
    """The view moved so far that all of it lies in the picture."""
    lean = abs(view.turn) * 0.5 + abs(view.roll) * 0.5
    half = [0.5 / (view.zoom * side) * (1 + lean) for side in space]
    x, y = (
        min(max(at, part), 1 - part) if part < 0.5 else 0.5 for at, part in zip((view.x, view.y), half, strict=True)
    )
    return replace(view, x=x, y=y)


def moved(picture: Any, move: Move, frames: int, *, space: Point = (1.0, 1.0)) -> Any:
    """The stream of a still under this move; it keeps its size, and shows the window in it."""
    corners = ((-1, -1), (1, -1), (-1, 1), (1, 1))
    options: dict[str, str] = {}
    for number, (right, low) in enumerate(corners):
        options[f"x{number}"], options[f"y{number}"] = _corner(move, frames, right, low, space)
    return picture.filter("perspective", **options, interpolation="linear", eval="frame")


def _corner(move: Move, frames: int, right: int, low: int, space: Point) -> tuple[str, str]:
    eased = f"st(0,clip((on-1)/{max(frames - 1, 1)},0,1));st(1,0.45*ld(0)+0.55*ld(0)*ld(0)*(3-2*ld(0)));"

    def between(start: float, end: float) -> str:
        return f"({start:.5f}+({end - start:.5f})*ld(1))"

    a, b = move.start, move.end
    # Equal steps of the logarithm: a zoom at an even pace.
    scale = f"({a.zoom:.5f}*pow({b.zoom / a.zoom:.6f},ld(1)))"
    edge = f"(1-{right}*{between(a.turn, b.turn)}/2)"
    sway = [f"+{move.sway:.5f}*{_wobble(phase)}" if move.sway else "" for phase in (0.0, 2.1)]
    x = f"{between(a.x, b.x)}{sway[0]}+{right * 0.5 / space[0]:.6f}/{scale}"
    y = (
        f"{between(a.y, b.y)}{sway[1]}"
        f"+({low * 0.5:.3f}*{edge}+{right * 0.5:.3f}*{between(a.roll, b.roll)})/{space[1]:.6f}/{scale}"
    )
    if a.roll or b.roll:
        x = f"{x}-{low * 0.5:.3f}*{between(a.roll, b.roll)}/{space[0]:.6f}/{scale}*H/W"
    return f"{eased}W*({x})", f"{eased}H*({y})"


def _wobble(phase: float) -> str:
    """A hand: three slow swings that never meet."""
    return f"(sin(on*0.11+{phase})+0.6*sin(on*0.247+{phase * 2})+0.3*sin(on*0.53+{phase * 3}))"
