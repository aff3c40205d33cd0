"""The review board of a thousand variants in a headless Chromium, against that of ten; and what a variant weighs in it."""

import statistics
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.row import Row
from callsheet.media import command
from callsheet.review import board
from callsheet.sidecar import AxisValues, Manifest, ManifestEntry
from tests.e2e.browser import Page, browser

SIZES = {"16:9": (480, 270), "1:1": (480, 480), "9:16": (270, 480)}
CLIPS, MANY, FEW = 4, 1000, 10
#: Bytes of the page for one variant, without its pictures; seconds to the first paint.
WEIGHT, SOON = 2500, 1
TIMES = 5
#: Players on the screen once a clip plays and the page was scrolled to its middle.
PLAYERS = 24


def rows(folder: Path) -> Iterator[Row]:
    """Boards in this folder, with one small film and picture of each shape."""
    folder.mkdir(parents=True)
    with TemporaryDirectory(dir=folder) as place:
        for ratio, (width, height) in SIZES.items():
            _film(Path(place) / ratio.replace(":", "x"), width, height)
        few, many = (_laid_out(Path(place), count) for count in (FEW, MANY))
        with browser() as running, running.page(width=1440, height=900) as page:
            for url in (few, many):
                page.open(url)  # the disk and the browser have seen them once
            paints = {url: statistics.median(_paint(page, url) for _ in range(TIMES)) for url in (few, many)}
            players = _players(page, many)
        weight = Path(many.removeprefix("file://")).stat().st_size / MANY
    yield Row(
        what="first paint of the board, 1,000 variants",
        ours=paints[many],
        against="what it may take",
        theirs=SOON,
        at_most=1,
    )
    yield Row(
        what="first paint of the board, 1,000 variants",
        ours=paints[many],
        against="of 10",
        theirs=paints[few],
        at_most=4,
    )
    yield Row(
        what="players of the board, 1,000 variants", ours=players, against="at most", theirs=PLAYERS, unit="", at_most=1
    )
    yield Row(
        what="bytes of the board for a variant",
        ours=weight,
        against="what it may weigh",
        theirs=WEIGHT,
        unit="B",
        at_most=1,
    )


def _paint(page: Page, url: str) -> float:
    """Seconds from the navigation to the first contentful paint."""
    page.open("about:blank")
    page.open(url)
    page.wait_until("performance.getEntriesByName('first-contentful-paint').length")
    return float(page.ask("performance.getEntriesByName('first-contentful-paint')[0].startTime")) / 1000


def _players(page: Page, url: str) -> int:
    page.open(url)
    page.click("#g1 .play")
    page.ask(f"document.querySelector('#v{MANY // CLIPS // 2}').scrollIntoView({{behavior: 'instant'}})")
    page.wait_until(f"document.querySelector('#v{MANY // CLIPS // 2} video')")
    return int(page.ask("document.querySelectorAll('video').length"))


def _film(stem: Path, width: int, height: int) -> None:
    source = ["-f", "lavfi", "-i", f"testsrc2=s={width}x{height}:r=25:d=4", "-pix_fmt", "yuv420p"]
    for words in ([*source, f"{stem}.mp4"], ["-i", f"{stem}.mp4", "-frames:v", "1", "-q:v", "5", f"{stem}.jpg"]):
        subprocess.run([command.binary(), "-v", "error", *words], check=True)


def _laid_out(place: Path, count: int) -> str:
    page = place / f"review-{count}" / "index.html"
    page.parent.mkdir()
    page.write_text(board.build(_manifest(count)), encoding="utf-8")
    return page.as_uri()


def _manifest(count: int) -> Manifest:
    return Manifest(
        callsheet="bench",
        campaign="thousand",
        route="sandbox",
        draft=True,
        plan="0" * 64,
        written_at=datetime(2026, 11, 23, tzinfo=UTC),
        credits="0",
        usd="0",
        entries=[_entry(number, count) for number in range(count)],
    )


def _entry(number: int, count: int) -> ManifestEntry:
    ratio = tuple(SIZES)[number % len(SIZES)]
    stem, (width, height) = ratio.replace(":", "x"), SIZES[ratio]
    clip, prompt = f"clip-{number * CLIPS // count}", f"look-{number // len(SIZES) % 80}"
    return ManifestEntry(
        slug=f"{clip}--none--{prompt}--{stem}",
        key=f"{number:064x}",
        axes=AxisValues(
            clip=clip,
            references="none",
            prompt=prompt,
            aspect_ratio=ratio,
            keep_original_sound=True,
            model="kling",
            take=1,
        ),
        state="archived",
        deliverable=f"{stem}.mp4",
        sidecar=f"{stem}.json",
        source="16x9.mp4",
        poster=f"{stem}.jpg",
        source_poster="16x9.jpg",
        prompt=f"The scene as {prompt} of the series: re-light it, and keep the faces, the product and its label as they are.",
        credits="72",
        seconds="4",
        width=width,
        height=height,
    )
