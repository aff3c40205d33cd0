"""A marked film plays as it did before, whatever kind of MP4 or MOV file it is."""

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from callsheet import marking
from callsheet.marking import Mark
from callsheet.media import command, probe

CLIP = Path(__file__).parents[2] / "media/clips/cup.mp4"
MARK = Mark(term="trainedAlgorithmicMedia", model="kling-v3-text-to-video", job="task-1", sidecar="a/b.json")


def remuxed(target: Path, *flags: str) -> bytes:
    words = [command.binary(), "-v", "error", "-i", str(CLIP), "-t", "1", "-c", "copy", *flags, str(target)]
    subprocess.run(words, check=True, timeout=60)
    return target.read_bytes()


def opened(film: bytes) -> bytes:
    """The last box, of the pictures, without a size: it ends where the file does."""
    last = list(marking.boxes(lambda offset, size: film[offset : offset + size], len(film)))[-1]
    assert last.kind == b"mdat"
    return film[: last.offset] + bytes(4) + film[last.offset + 4 :]


@pytest.mark.parametrize("kind", ["whole", "in fragments", "index in front", "last box open", "mov"])
async def test_a_marked_film_plays_as_before(kind: str, tmp_path: Path) -> None:
    flags = {
        "in fragments": ("-movflags", "frag_keyframe+empty_moov"),
        "index in front": ("-movflags", "+faststart"),
        "last box open": ("-movflags", "+faststart"),
    }
    plain = tmp_path / f"film.{'mov' if kind == 'mov' else 'mp4'}"
    film = remuxed(plain, *flags.get(kind, ()))
    if kind == "last box open":
        film = opened(film)
        plain.write_bytes(film)
    found = marking.layout(lambda offset, size: film[offset : offset + size], len(film))
    content = marking.box(marking.packet(MARK))
    head = film[: found.seam]
    if found.closed is not None:
        head = head[: found.closed] + found.closed_size.to_bytes(4, "big") + head[found.closed + 4 :]
    marked = plain.with_stem("marked")
    marked.write_bytes(head + content + film[found.seam :])
    assert (found.closed is not None) == (kind == "last box open")
    assert (found.seam == len(film)) == (kind != "in fragments")
    before, after = probe.clip(plain), probe.clip(marked)
    assert after == replace(before, bytes=before.bytes + len(content))
    await command.check_decodes(marked, time_limit=timedelta(seconds=60))
