"""Run as a program after `make demo` was run twice: verify what it made, from the files themselves.

`python -m tests.demo SECOND_RUN.txt`: the manifest, every deliverable against its sidecar, lengths, shapes and sound
against the source, the sandbox's own book against the ledger, the board's links; and that the second run did nothing.
"""

import hashlib
import sqlite3
import sys
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import av

from callsheet.credits import Credits, total
from callsheet.sidecar import Manifest, ManifestEntry, Sidecar

ARCHIVE = Path("archive/hello")
VARIANTS = 15
#: 8 of bunny (5.312 s, billed 5.32 s) and 7 of cup (4 s): 8 × 63.84 + 7 × 48 credits.
CREDITS = Credits.of("846.72")


def verify(second_run: str) -> None:
    manifest = Manifest.model_validate_json((ARCHIVE / "manifest.json").read_bytes())
    assert len(manifest.entries) == VARIANTS
    assert {entry.state for entry in manifest.entries} == {"archived"}
    assert Credits.of(manifest.credits) == CREDITS
    for entry in manifest.entries:
        verify_deliverable(entry)
    assert len(list(ARCHIVE.glob("*.mp4"))) == VARIANTS
    verify_books()
    verify_board(manifest)
    assert "15 skip" in second_run, second_run
    assert "credits    nothing" in second_run, second_run


def verify_deliverable(entry: ManifestEntry) -> None:
    film = ARCHIVE / str(entry.deliverable)
    sidecar = Sidecar.model_validate_json(film.with_suffix(".json").read_bytes())
    assert sidecar.result.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    assert sidecar.money.planned == sidecar.money.charged == entry.credits
    with av.open(str(film)) as result, av.open(str(ARCHIVE / str(entry.source))) as source:
        frames, wanted = (sum(1 for _ in one.decode(video=0)) for one in (result, source))
        assert frames == wanted, f"{film}: {frames} frames, and the source has {wanted}"
        assert bool(result.streams.audio) == bool(source.streams.audio)
        video = result.streams.video[0]
        across, down = (int(side) for side in entry.axes.aspect_ratio.split(":"))
        assert abs(Fraction(video.width, video.height) - Fraction(across, down)) < Fraction(1, 50), film
    for still in (entry.poster, entry.source_poster):
        assert (ARCHIVE / str(still)).read_bytes().startswith(b"\xff\xd8"), still


def verify_books() -> None:
    """The provider's side and ours agree: every variant accepted once, and charged what was planned."""
    book = sqlite3.connect(".callsheet/sandbox/book.sqlite")
    jobs = book.execute("select id, reserved from job").fetchall()
    ledger = sqlite3.connect(".callsheet/ledger.sqlite")
    takes = ledger.execute("select job, price from takes where state = 'archived'").fetchall()
    assert sorted(jobs) == sorted(takes)
    assert total([Credits(units=units) for _, units in jobs]) == CREDITS


def verify_board(manifest: Manifest) -> None:
    page = unquote((ARCHIVE / "review/index.html").read_text("utf-8"))
    for entry in manifest.entries:
        assert str(entry.deliverable) in page
    assert "http://" not in page.replace("http://www.w3.org", "")


if __name__ == "__main__":
    verify(Path(sys.argv[1]).read_text("utf-8"))
    sys.stdout.write(f"demo: {VARIANTS} variants verified, and the second run did nothing\n")
