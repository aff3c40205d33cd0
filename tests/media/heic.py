"""HEIC pictures as phones write them, made of ffmpeg's own HEVC: tiles in a grid, a turn, a profile (ISO/IEC 23008-12)."""

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from callsheet.media import command

TILE = 320
Colour = tuple[int, int, int]


def write(
    target: Path,
    tiles: Sequence[Colour],
    *,
    columns: int,
    size: tuple[int, int],
    turns: int = 0,
    profile: bytes = b"",
    code: tuple[int, int] = (1, 13),
) -> Path:
    """A grid of plain tiles, cut to `size`, turned anticlockwise so many times by a tag.

    profile: ICC. code: primaries and transfer of the numbers (ITU-T H.273); BT.709 and sRGB.
    """
    coded = [_coded(target.parent, colour) for colour in tiles]
    ids = range(1, len(tiles) + 1)
    grid = len(tiles) + 1
    payload = struct.pack(">BBBBHH", 0, 0, len(tiles) // columns - 1, columns - 1, *size)
    properties = [
        _box(b"hvcC", coded[0][0]),
        _full(b"ispe", struct.pack(">II", TILE, TILE)),
        _box(b"colr", b"nclx" + struct.pack(">HHHB", *code, 1, 0)),
        _full(b"ispe", struct.pack(">II", *size)),
        _box(b"irot", bytes([turns])),
    ]
    of_grid = [4, 3, 5]
    if profile:
        properties.append(_box(b"colr", b"prof" + profile))
        of_grid = [4, 6, 5]
    associations = [(one, [1, 2, 3]) for one in ids] + [(grid, of_grid)]
    entries = [_entry(one, b"hvc1", hidden=True) for one in ids] + [_entry(grid, b"grid", hidden=False)]

    def meta(begin: int) -> bytes:
        places, offset = [], begin
        for one, (_, sample) in zip(ids, coded, strict=True):
            places.append(struct.pack(">HHHHII", one, 0, 0, 1, offset, len(sample)))
            offset += len(sample)
        places.append(struct.pack(">HHHHII", grid, 1, 0, 1, 0, len(payload)))
        return _full(
            b"meta",
            _full(b"hdlr", struct.pack(">I4s12xB", 0, b"pict", 0))
            + _full(b"pitm", struct.pack(">H", grid))
            + _full(b"iloc", struct.pack(">BBH", 0x44, 0, len(places)) + b"".join(places), version=1)
            + _full(b"iinf", struct.pack(">H", len(entries)) + b"".join(entries))
            + _full(b"iref", _box(b"dimg", struct.pack(f">HH{len(tiles)}H", grid, len(tiles), *ids)))
            + _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", _associated(associations)))
            + _box(b"idat", payload),
        )

    kind = _box(b"ftyp", b"heic" + struct.pack(">I", 0) + b"mif1heic")
    begin = len(kind) + len(meta(0)) + 8
    target.write_bytes(kind + meta(begin) + _box(b"mdat", b"".join(sample for _, sample in coded)))
    return target


def _coded(folder: Path, colour: Colour) -> tuple[bytes, bytes]:
    """(decoder configuration, the one picture) of a plain tile."""
    film = folder / "tile.mp4"
    source = f"color=0x{bytes(colour).hex()}:s={TILE}x{TILE}:r=1:d=1,scale=out_color_matrix=bt709:out_range=tv"
    words = [command.binary(), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", source, "-frames:v", "1"]
    coding = ["-c:v", "libx265", "-preset", "ultrafast", "-crf", "8", "-x265-params", "log-level=none"]
    words += [*coding, "-pix_fmt", "yuv420p", "-tag:v", "hvc1", str(film)]
    subprocess.run(words, check=True, timeout=60)
    data = film.read_bytes()
    film.unlink()
    return _payload(data, b"hvcC"), _payload(data, b"mdat")


def _payload(data: bytes, name: bytes) -> bytes:
    at = data.index(name) - 4
    return data[at + 8 : at + struct.unpack(">I", data[at : at + 4])[0]]


def _entry(number: int, kind: bytes, *, hidden: bool) -> bytes:
    return _full(b"infe", struct.pack(">HH4sB", number, 0, kind, 0), version=2, flags=int(hidden))


def _associated(associations: Sequence[tuple[int, Sequence[int]]]) -> bytes:
    rows = b"".join(struct.pack(f">HB{len(of)}B", one, len(of), *of) for one, of in associations)
    return struct.pack(">I", len(associations)) + rows


def _box(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", len(payload) + 8, name) + payload


def _full(name: bytes, payload: bytes, *, version: int = 0, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags) + payload)
