"""`callsheet prepare`: clips and stills made acceptable by hand, with a report of what each was and is."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from callsheet import catalogue
from callsheet.cli import completion, console, options, screen, tables
from callsheet.errors import SpecError
from callsheet.limits import spoken_rate, spoken_seconds
from callsheet.mending import Mended, Shape
from callsheet.nearest import did_you_mean, listed

if TYPE_CHECKING:
    from callsheet.steps.by_hand import Done, Listener, Order

Framing = Literal["native", "crop", "pad"]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Clips and stills.", show_default=False)]
#: A model that takes both, and is what most campaigns name.
MODEL = "kling-o1-video-edit"


def prepare(
    files: Files,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="What it is made for.", autocompletion=completion.models)
    ] = MODEL,
    framing: Annotated[
        str, typer.Option("--framing", metavar="HOW", help="Who makes the shape of a clip: native, crop or pad.")
    ] = "native",
    aspect_ratio: Annotated[
        str | None, typer.Option("--aspect-ratio", metavar="W:H", help="The shape that crop or pad makes, as 9:16.")
    ] = None,
    trim: Annotated[
        str | None, typer.Option("--trim", metavar="WINDOW", help="The part of each clip to use, as 2s..9.5s.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the results go.")] = Path("prepared"),
    replace: Annotated[bool, typer.Option("--replace", help="Replace what is in that folder already.")] = False,
    json: options.Json = False,
) -> None:
    """Make clips and stills acceptable to a model by hand.

    Says what was done to each and why. Nothing is sent. The same engine as in a run: a file within every limit is copied byte
    for byte. An error of one file stops no other; the exit code is then 3.
    """
    order = _order(model, framing, aspect_ratio, trim, out, replace=replace)
    done = _made(files, order)
    failed = [one for one in done if one.error is not None]
    if json:
        console.document({"ok": not failed, "model": model, "files": [_document(one) for one in done]})
    else:
        _report([one.report for one in done if one.report is not None])
        for one in failed:
            if one.error is not None:
                console.error(one.error)
        if len(failed) < len(done):
            console.say(f"{len(done) - len(failed)} of {len(done)} prepared for {model} in {out}")
    if failed:
        raise typer.Exit(3)


def _order(
    model: str, framing: str, aspect_ratio: str | None, trim: str | None, out: Path, *, replace: bool
) -> "Order":
    """SpecError for what does not go together, or means nothing."""
    from callsheet.campaign import parse_trim
    from callsheet.steps.by_hand import Order

    known = catalogue.video_models()
    if model not in known:
        raise SpecError(
            f"--model: there is no model `{model}`{did_you_mean(model, known) or '.'}",
            hint="`callsheet models` lists them.",
        )
    if framing not in get_args(Framing):
        raise SpecError(f"--framing: `{framing}` is no framing; it is {listed(get_args(Framing), last='or')}.")
    if (framing != "native") != (aspect_ratio is not None):
        what = f"--framing {framing} needs --aspect-ratio" if aspect_ratio is None else "--aspect-ratio needs --framing"
        raise SpecError(f"{what}.", hint="As: --framing crop --aspect-ratio 9:16")
    if aspect_ratio is not None and not re.fullmatch(r"[1-9]\d{0,3}:[1-9]\d{0,3}", aspect_ratio, re.ASCII):
        raise SpecError(f"--aspect-ratio: `{aspect_ratio}` is no aspect ratio.", hint="As: --aspect-ratio 9:16")
    try:
        window = None if trim is None else parse_trim(trim)
    except ValueError as error:
        raise SpecError(f"--trim: {error}.", hint="As: --trim 2s..9.5s") from error
    return Order(model=known[model], framing=framing, aspect_ratio=aspect_ratio, trim=window, out=out, replace=replace)


def _made(files: Sequence[Path], order: "Order") -> list["Done"]:
    from callsheet.steps.by_hand import prepare_all

    with _bars(len(files)) as hear:
        return asyncio.run(prepare_all(files, order, hear))


@contextmanager
def _bars(count: int) -> Iterator["Listener"]:
    """A bar for each file that is at work; nothing where the terminal cannot redraw."""
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

    if not screen.err.is_terminal or screen.err.is_dumb_terminal:
        yield lambda _file, _part: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=32), TaskProgressColumn())
    with Progress(*columns, console=screen.err, transient=True) as shown:
        whole = shown.add_task("files", total=count)
        bars: dict[Path, TaskID] = {}

        def hear(file: Path, part: float) -> None:
            if part >= 1:
                shown.advance(whole)
                if file in bars:
                    shown.remove_task(bars.pop(file))
                return
            if file not in bars:
                bars[file] = shown.add_task(file.name, total=1.0)
            shown.update(bars[file], completed=part)

        yield hear


def _report(reports: Sequence[Mended]) -> None:
    if reports:
        names = ("file", "preparation", "pixels", "fps", "seconds", "size", "why")
        tables.table(names, [_cells(one) for one in reports])
        console.tell()


def _cells(one: Mended) -> tuple[str, ...]:
    before, after = one.before, one.after
    return (
        one.file,
        one.decision,
        _change(_pixels(before), _pixels(after)),
        _change(_rate(before.frame_rate), _rate(after.frame_rate)),
        _change(_seconds(before.seconds), _seconds(after.seconds)),
        _change(before.spoken_bytes, after.spoken_bytes),
        one.why,
    )


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _pixels(shape: Shape) -> str:
    return f"{shape.width}x{shape.height}"


def _rate(rate: Fraction | None) -> str:
    return "–" if rate is None else spoken_rate(rate)


def _seconds(seconds: Fraction | None) -> str:
    return "–" if seconds is None else spoken_seconds(seconds)


def _document(one: "Done") -> dict[str, Any]:
    if one.error is not None:
        error = one.error
        told = {"kind": type(error).__name__, "where": error.where, "message": error.what, "hint": error.hint}
        return {"file": str(one.file), "prepared": None, "error": told}
    report = {} if one.report is None else one.report.as_json()
    return {**report, "prepared": str(one.made), "error": None}
