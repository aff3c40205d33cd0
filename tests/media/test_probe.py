"""What files are, and how those that are not what they say are refused."""

import socket
import struct
import zlib
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from callsheet.errors import ToolFailed, Unacceptable
from callsheet.media import command, probe
from tests.media.conftest import Film


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def nobody_called(listener: socket.socket) -> bool:
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


# --- clips that are fine -----------------------------------------------------------------------------------------------


def test_the_facts_of_a_plain_clip(bunny: Path) -> None:
    facts = probe.clip(bunny)
    assert (facts.container, facts.codec, facts.pixel_format) == ("mp4", "h264", "yuv420p")
    assert (facts.width, facts.height, facts.frame_rate, facts.frames) == (1280, 720, Fraction(25), 132)
    assert (facts.seconds, facts.video_seconds) == (Fraction("5.312"), Fraction("5.28"))
    assert (facts.audio_codec, facts.audio_tracks, facts.even_tracks) == ("aac", 1, True)
    assert not any((facts.variable_rate, facts.interlaced, facts.has_private_metadata, facts.has_alpha))


def test_an_odd_rate_and_milliseconds_are_not_a_variable_rate(cup: Path, box: Path) -> None:
    assert probe.clip(cup).frame_rate == Fraction(26777, 1000)
    assert not probe.clip(cup).variable_rate
    assert not probe.clip(box).variable_rate
    assert probe.clip(box).audio_codec == "mp3"


@pytest.mark.parametrize(("degrees", "size"), [("90", (120, 160)), ("180", (160, 120)), ("-90", (120, 160))])
def test_a_turned_clip_is_measured_as_shown(pattern: Film, film: Film, degrees: str, size: tuple[int, int]) -> None:
    plain = pattern("plain.mp4")
    facts = probe.clip(film("turned.mp4", "-display_rotation", degrees, "-i", str(plain), "-c", "copy"))
    assert facts.rotation == int(degrees) % 360
    assert (facts.width, facts.height) == size
    assert not facts.mirrored


def test_a_mirrored_clip_is_told_from_a_turned_one(pattern: Film, film: Film) -> None:
    facts = probe.clip(film("mirrored.mp4", "-display_hflip", "-i", str(pattern("plain.mp4")), "-c", "copy"))
    assert (facts.mirrored, facts.rotation) == (True, 0)


def test_oblong_pixels_are_measured_as_shown(pattern: Film) -> None:
    facts = probe.clip(pattern("oblong.mp4", size="180x144", extra=("-vf", "setsar=64/45")))
    assert (facts.width, facts.height, facts.sample_aspect_ratio) == (256, 144, Fraction(64, 45))


def test_a_variable_rate_is_found(pattern: Film) -> None:
    variable = ("-vf", "select='not(mod(n,3))+gt(n,60)'", "-fps_mode", "vfr")
    assert probe.clip(pattern("variable.mp4", extra=variable)).variable_rate


def test_interlaced_footage_is_found(pattern: Film) -> None:
    woven = ("-vf", "interlace", "-flags", "+ilme+ildct", "-x264opts", "tff=1")
    assert probe.clip(pattern("woven.mp4", rate="50", extra=woven)).interlaced


@pytest.mark.parametrize(("curve", "kind"), [("smpte2084", "pq"), ("arib-std-b67", "hlg")])
def test_hdr_is_told_by_its_curve(pattern: Film, curve: str, kind: str) -> None:
    hdr = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-color_trc", curve)
    assert probe.clip(pattern("hdr.mp4", codec=hdr, extra=("-vf", f"setparams=color_trc={curve}"))).transfer == kind


@pytest.mark.parametrize(
    "tag", ["location=+48.1+11.5/", "com.apple.quicktime.location.ISO6709=+48.1/", "artist=Ada Example"]
)
def test_a_tag_that_tells_a_place_or_a_person_is_found(pattern: Film, film: Film, tag: str) -> None:
    tagged = ("-c", "copy", "-metadata", tag, "-movflags", "use_metadata_tags")
    assert probe.clip(film("tagged.mov", "-i", str(pattern("plain.mp4")), *tagged)).has_private_metadata


@pytest.mark.parametrize(
    ("name", "kind"), [("a.mov", "mov"), ("a.mkv", "other"), ("a.avi", "other"), ("a.ts", "other")]
)
def test_the_container_is_told_by_its_bytes(pattern: Film, film: Film, tmp_path: Path, name: str, kind: str) -> None:
    made = film(name, "-i", str(pattern("plain.mp4", sound="4")), "-c", "copy")
    disguised = tmp_path / "innocent.mp4"
    disguised.write_bytes(made.read_bytes())
    facts = probe.clip(disguised)
    assert facts.container == kind
    assert abs(facts.video_seconds - 4) < Fraction(1, 20)


def test_a_clip_in_fragments_is_found(pattern: Film, film: Film) -> None:
    pieces = ("-c", "copy", "-movflags", "frag_keyframe+empty_moov")
    assert probe.clip(film("pieces.mp4", "-i", str(pattern("plain.mp4")), *pieces)).fragmented


def test_a_cover_picture_is_not_the_clip(pattern: Film, film: Film, tmp_path: Path) -> None:
    cover = tmp_path / "cover.png"
    Image.new("RGB", (64, 64), "red").save(cover)
    with_cover = film(
        "cover.mp4",
        *("-i", str(pattern("plain.mp4")), "-i", str(cover), "-map", "1", "-map", "0", "-c", "copy"),
        *("-disposition:v:0", "attached_pic"),
    )
    facts = probe.clip(with_cover)
    assert facts.has_attached_picture
    assert (facts.width, facts.frames) == (160, 120)


# --- clips that are not ------------------------------------------------------------------------------------------------


def refusal(path: Path) -> Unacceptable:
    with pytest.raises(Unacceptable) as refused:
        probe.clip(path)
    assert refused.value.where == str(path)
    assert refused.value.hint
    return refused.value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a video: it is empty (0 bytes)."),
        (b"shot list\nday one\n", "is not a video: it begins like text."),
        ("脚本 第一天\n".encode(), "is not a video: it begins like text."),
        (b"<!DOCTYPE html><html>404</html>", "is not a video: it begins like a web page."),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "is not a video: it begins like a picture."),
        (b"ID3\x04" + bytes(64), "is not a video: it begins like a sound file."),
        (b"PK\x03\x04" + bytes(64), "is not a video: its first bytes are of no known video format."),
        (struct.pack(">I4s", 64, b"ftyp") + b"isom" + bytes(52), "is incomplete: its index (moov) is missing."),
    ],
)
def test_a_file_that_is_no_video_is_refused_in_plain_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert refusal(path).what == words


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.mp4").what == "does not exist, or is not a file."
    assert refusal(tmp_path).what == "does not exist, or is not a file."


def test_sound_without_a_picture_is_refused(film: Film) -> None:
    sound = film("sound.mp4", "-f", "lavfi", "-i", "sine=440:d=4", "-c:a", "aac")
    assert refusal(sound).what == "has sound but no picture."


@pytest.mark.parametrize("flags", ["+faststart", "frag_keyframe+empty_moov", "0"])
def test_a_clip_cut_off_in_copying_is_refused(pattern: Film, film: Film, tmp_path: Path, flags: str) -> None:
    whole = film("whole.mp4", "-i", str(pattern("plain.mp4")), "-c", "copy", "-movflags", flags)
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 5])
    assert "is cut off: " in refusal(half).what


def test_a_picture_that_nothing_decodes_is_refused(tmp_path: Path, film: Film, pattern: Film) -> None:
    strange = tmp_path / "strange.mp4"
    strange.write_bytes(pattern("plain.mp4").read_bytes().replace(b"avc1", b"zzzz"))
    assert refusal(strange).what == "has no picture track that can be decoded."


def test_an_index_that_leads_nowhere_is_refused(tmp_path: Path, bunny: Path) -> None:
    data = bytearray(bunny.read_bytes())
    start = data.index(b"stco") + 12  # the first chunk's offset
    data[start : start + 4] = struct.pack(">I", len(data) - 4)
    lost = tmp_path / "lost.mp4"
    lost.write_bytes(data)
    assert "is cut off: its index goes on for" in refusal(lost).what


def test_noise_behind_a_good_header_is_refused(tmp_path: Path, bunny: Path) -> None:
    data = bytearray(bunny.read_bytes())
    data[1015:900_000] = bytes(899_000 - 15)
    blank = tmp_path / "blank.mp4"
    blank.write_bytes(data)
    assert "cannot be decoded" in refusal(blank).what


def test_a_text_that_names_its_neighbours_reads_none_of_them(tmp_path: Path, bunny: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(bunny.read_bytes())
    trap = tmp_path / "trap.mp4"
    trap.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    assert refusal(trap).what == "is not a video: it begins like text."


async def test_ffmpeg_itself_reads_no_neighbours_either(tmp_path: Path, bunny: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(bunny.read_bytes())
    trap = tmp_path / "trap.mp4"
    trap.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(ToolFailed, match="ffmpeg ended with"):
        await command.check_decodes(trap, time_limit=probe_limit())


async def test_a_playlist_named_mp4_calls_nobody(tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    trap = tmp_path / "trap.mp4"
    trap.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n")
    refusal(trap)
    with pytest.raises(ToolFailed):
        await command.check_decodes(trap, time_limit=probe_limit())
    assert nobody_called(listener)


def probe_limit() -> timedelta:
    return timedelta(seconds=20)


# --- stills ------------------------------------------------------------------------------------------------------------


def still_refusal(path: Path) -> str:
    with pytest.raises(Unacceptable) as refused:
        probe.still(path)
    assert refused.value.where == str(path)
    assert refused.value.hint
    return refused.value.what


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(side: int) -> bytes:
    """A one-bit PNG of side x side pixels in very few bytes."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 12_000, 40_000])
def test_a_picture_bomb_is_refused_from_its_header(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(side))
    assert still_refusal(path) == "has more than 64 million pixels."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a picture: it is empty (0 bytes)."),
        (b"<html><body>Not found</body></html>", "is not a picture: it begins like a web page."),
        (b"mood board", "is not a picture: it begins like text."),
        (struct.pack(">I4s", 24, b"ftyp") + b"heic" + bytes(64), "is a damaged picture."),
        (struct.pack(">I4s", 24, b"ftyp") + b"isom" + bytes(64), "is not a picture: it begins like a video."),
        (b"\xff\xd8\xff" + bytes(64), "is a damaged picture."),
        (b"\x00\x01\x02\x03" * 20, "is not a picture of a known kind."),
    ],
)
def test_a_file_that_is_no_picture_is_refused_in_plain_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "reference.jpg"
    path.write_bytes(content)
    assert still_refusal(path).startswith(words)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_a_picture_cut_off_in_copying_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.effect_noise((400, 400), 60).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged" in still_refusal(path) or "known kind" in still_refusal(path)


def test_a_picture_is_measured_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300)).save(path, exif=exif)
    facts = probe.still(path)
    assert (facts.width, facts.height, facts.orientation, facts.format) == (300, 400, 6, "jpeg")


def test_a_picture_that_tells_where_it_was_taken_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    Image.new("RGB", (400, 300)).save(path, exif=exif)
    assert probe.still(path).has_private_metadata
