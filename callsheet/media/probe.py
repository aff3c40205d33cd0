"""What a video or picture file really is, whatever its name says; refused in words a designer understands.

Nothing here trusts the file: the first bytes decide before any library sees it, PyAV may open local files of known
containers only (a text file named .mp4 would otherwise read its neighbours through the concat demuxer: measured), and
Pillow refuses pictures above 64 million pixels from their header. Both decode in a process of their own (`prober`): a file
that crashes one of them must not end a run.
"""

import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import islice, pairwise
from math import isqrt
from pathlib import Path
from statistics import median
from typing import BinaryIO, Literal, cast

import av
import av.container
from av.audio.stream import AudioStream
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideData
from av.video.stream import VideoStream
from pi_heif import register_heif_opener
from PIL import Image, ImageCms, UnidentifiedImageError
from pydantic import TypeAdapter

from callsheet.errors import Unacceptable
from callsheet.limits import ClipFacts, StillFacts, Transfer
from callsheet.media.command import FORMATS, MAX_PIXELS, PROTOCOLS
from callsheet.media.prober import ProberDied, prober

#: Pixels of a still above which it is refused unread; a 1.6 gigapixel PNG is 194 kB on disk (measured).
MAX_STILL_PIXELS = 64_000_000
#: JPEG includes MPO, the two-picture JPEG of phones.
STILL_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")

# Pillow's own guard, at the header; its milder warning counts as the error here. Both are process-wide settings.
Image.MAX_IMAGE_PIXELS = MAX_STILL_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
register_heif_opener()  # HEIC, which phones take: Pillow has no decoder of its own for it
Image.init()  # `Image.open(formats=…)` knows the rarer formats only after this

#: Packets read to find the first picture, and to time a file that keeps no index (20,000 are 5 minutes at 60 a second).
FIRST_PICTURE_PACKETS = 400
TIMED_PACKETS = 20_000
#: Boxes of an MP4 looked at; a fragmented hour has about 4,000.
MAX_BOXES = 20_000
#: Seconds that PyAV may take to open, and to read on.
PATIENCE = (10.0, 10.0)

Kind = Literal["video", "picture", "sound", "text", "web page", "empty", "unknown"]

_CLIP, _STILL = TypeAdapter(ClipFacts), TypeAdapter(StillFacts)

_EXPORT = "Export it again as MP4 (H.264), or use another file."
_EXPORT_STILL = "Export it again as JPEG or PNG, or use another file."


def is_picture(path: Path) -> bool:
    """Does it begin like a still? Only its first bytes are looked at. Unacceptable where there is no such file."""
    return _kind(_head(path)) == "picture"


def clip(path: Path) -> ClipFacts:
    """The facts of a video file; reads the header, the index and the first frame, in another process. Blocks for 5 to
    30 ms, the first time for 0.4 s more.

    Raises Unacceptable, `where` being the path, for anything that is not a readable video: no such file, empty, text, a
    picture, sound only, truncated, undecodable, or fatal to whoever reads it.
    """
    _refuse_unless_video(path)
    try:
        return _CLIP.validate_python(prober.facts("clip", path))
    except ProberDied as error:
        raise _refusal(path, f"cannot be read as a video ({error.why}).", _EXPORT) from None


def still(path: Path) -> StillFacts:
    """The facts of a picture file; decodes it once (40 ms for 4 million pixels), so a truncated one is found, in another
    process.

    Raises Unacceptable, `where` being the path: no such file, empty, not a picture, more than 64 million pixels, damaged,
    or fatal to whoever reads it.
    """
    _head(path)
    try:
        return _STILL.validate_python(prober.facts("still", path))
    except ProberDied as error:
        raise _refusal(path, f"is a damaged picture ({error.why}).", _EXPORT_STILL) from None


def clip_here(path: Path) -> ClipFacts:
    """The same as `clip`, in this process: for the prober's own."""
    _refuse_unless_video(path)
    boxes = _boxes(path)
    try:
        with av.open(
            f"file:{path.absolute()}",
            options={"protocol_whitelist": PROTOCOLS, "format_whitelist": FORMATS},
            timeout=PATIENCE,
        ) as container:
            return _clip_facts(path, container, boxes)
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise _refusal(path, f"cannot be read as a video ({_reason(error)}).", _EXPORT) from error


def still_here(path: Path) -> StillFacts:
    """The same as `still`, in this process: for the prober's own."""
    head = _head(path)
    kind = _kind(head)
    if kind in ("empty", "text", "web page", "video", "sound") and not head.startswith(b"GIF8"):
        hint = "Videos belong under clips; a reference is a picture." if kind == "video" else _OTHER
        raise _refusal(path, f"is not a picture: {_LOOKS[kind]}.", hint)
    _whole_boxes(path)  # decoders of HEIC and AVIF paint over what is missing
    try:
        return _still_facts(path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(path) from error
    except UnidentifiedImageError as error:
        what = "is a damaged picture." if kind == "picture" else "is not a picture of a known kind."
        raise _refusal(path, what, _EXPORT_STILL) from error
    except (OSError, SyntaxError, ValueError, MemoryError, struct.error) as error:
        raise _refusal(path, f"is a damaged picture ({_reason(error)}).", _EXPORT_STILL) from error


# --- the first bytes ---------------------------------------------------------------------------------------------------

_LOOKS: dict[Kind, str] = {
    "picture": "it begins like a picture",
    "sound": "it begins like a sound file",
    "text": "it begins like text",
    "web page": "it begins like a web page",
    "empty": "it is empty (0 bytes)",
    "unknown": "its first bytes are of no known video format",
    "video": "it begins like a video",
}
_OTHER = "Check the download, or use another file."
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\x00", b"MM\x00*")
_SOUNDS = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"\xff\xf9")
_VIDEOS = (b"\x1aE\xdf\xa3", b"GIF8", b"FLV\x01", b"0&\xb2u\x8ef\xcf\x11", b"OggS", b"\x00\x00\x01\xba", b"\x06\x0e+4")
#: What the first box of an MP4 or MOV may be called, old QuickTime files included.
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise _refusal(path, "does not exist, or is not a file.", "Check the path; it is relative to the studio.")
        with path.open("rb") as file:
            return file.read(4096)
    except (OSError, ValueError) as error:
        raise _refusal(path, f"cannot be opened ({_reason(error)}).", "Check the path and its permissions.") from error


def _kind(head: bytes) -> Kind:
    if not head:
        return "empty"
    if head[4:8] in _BOXES:
        return "picture" if head[8:12] in (*_HEIC, b"avif", b"avis") else "video"
    if head[:4] == b"RIFF":
        kinds: dict[bytes, Kind] = {b"AVI ": "video", b"WAVE": "sound", b"WEBP": "picture"}
        return kinds.get(head[8:12], "unknown")
    if head.startswith(_VIDEOS) or (head[:1] == b"G" and head[188:189] == b"G"):
        return "video"
    if head.startswith(_PICTURES):
        return "picture"
    if head.startswith(_SOUNDS):
        return "sound"
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> Kind:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "web page"
    if b"\x00" in head:
        return "unknown"
    try:
        head[:-3].decode() if len(head) == 4096 else head.decode()
    except UnicodeDecodeError:
        return "unknown"
    return "text"


def _refuse_unless_video(path: Path) -> None:
    kind = _kind(_head(path))
    if kind == "video":
        return
    hints: dict[Kind, str] = {
        "picture": "Pictures belong under references; a clip is a video file.",
        "sound": "A clip needs a picture track; use the video it belongs to.",
    }
    raise _refusal(path, f"is not a video: {_LOOKS[kind]}.", hints.get(kind, _OTHER))


def _refusal(path: Path, what: str, hint: str) -> Unacceptable:
    return Unacceptable(what, where=str(path), hint=hint)


def _reason(error: BaseException) -> str:
    """The library's own words, without the path that `where` already names."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words).splitlines()[0][:120]


# --- the boxes of an MP4 or MOV ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Boxes:
    """The outermost boxes of an MP4 or MOV; empty for other containers."""

    brand: bytes = b""
    names: frozenset[bytes] = frozenset()


def _boxes(path: Path) -> _Boxes:
    """Walk the outermost boxes. Unacceptable where one ends after the file does, or where the index is missing.

    A file cut off after its index probes as if it were whole (measured); its last box tells.
    """
    found = _whole_boxes(path)
    if not found:
        return _Boxes()
    names = frozenset(name for name, _, _ in found)
    if b"moov" not in names:
        raise _refusal(path, "is incomplete: its index (moov) is missing.", "Copy or download it again.")
    brand = next((_read_at(path, start + 8, 4) for name, start, _ in found if name == b"ftyp"), b"qt  ")
    return _Boxes(brand=brand, names=names)


def _whole_boxes(path: Path) -> list[tuple[bytes, int, int]]:
    """The outermost boxes, none for a file that has none. Unacceptable where one ends after the file does."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:8] not in _BOXES:
            return []
        found = list(islice(_walk(file, size), MAX_BOXES))
    missing = max((end for _, _, end in found), default=size) - size
    if missing > 0:
        raise _refusal(path, f"is cut off: {missing} of its bytes are missing.", "Copy or download it again.")
    return found


def _walk(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of each outermost box; stops at what is no box."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            wide = file.read(8)
            length = struct.unpack(">Q", wide)[0] if len(wide) == 8 else 0
        elif length == 0:  # "to the end of the file"
            length = size - start
        if length < 8 or not name.isascii():
            return
        yield name, start, start + length
        start += length


def _read_at(path: Path, offset: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(count)


# --- a video -----------------------------------------------------------------------------------------------------------

_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
_MATRICES = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
_PRIMARIES = {1: "bt709", 9: "bt2020", 11: "p3", 12: "p3"}
_FULL_RANGE = 2
#: How many times the usual gap between two frames one gap may differ before the rate counts as variable.
_JITTER = Fraction(1, 20)
#: Words in the names of tags that tell where, by whom or on what a clip was shot.
_PRIVATE = ("location", "gps", "xyz", "author", "artist", "owner", "serial", "com.apple.quicktime.make")
_PRIVATE_END = ("make", "model", "user", "camera")


def _clip_facts(path: Path, container: av.container.InputContainer, boxes: _Boxes) -> ClipFacts:
    video = _video_stream(path, container)
    size = path.stat().st_size
    _refuse_cut_off(path, video, size)
    context = video.codec_context
    if context.width * context.height > MAX_PIXELS:
        raise _refusal(path, f"is {context.width}x{context.height}, too large to decode.", "Export it smaller.")
    frame = _first_picture(path, container, video)
    timing = _timing(path, container, video)
    audio = container.streams.audio
    rotation, mirrored = _turn(frame)
    ratio = Fraction(video.sample_aspect_ratio or video.codec_context.sample_aspect_ratio or 1)
    width, height = _shown(frame.width, frame.height, ratio, rotation)
    sound = Fraction(0)
    if audio:
        sound = _end(audio[0]) or timing.container
    return ClipFacts(
        container=_container(container.format.name, boxes),
        format_name=container.format.name,
        bytes=size,
        seconds=timing.container,
        video_seconds=timing.video,
        codec=context.name,
        profile=str(context.profile or ""),
        pixel_format=frame.format.name,
        width=width,
        height=height,
        sample_aspect_ratio=ratio,
        rotation=rotation,
        mirrored=mirrored,
        frame_rate=timing.rate,
        frames=timing.frames,
        variable_rate=timing.variable,
        interlaced=bool(frame.interlaced_frame) or int(context.field_order or 0) in (2, 3, 4, 5),
        transfer=_TRANSFERS.get(int(context.color_trc or 0), "sdr"),
        matrix=_MATRICES.get(int(context.colorspace or 0), "unknown"),
        primaries=_PRIMARIES.get(int(context.color_primaries or 0), "unknown"),
        full_range=int(context.color_range or 0) == _FULL_RANGE or frame.format.name.startswith("yuvj"),
        has_alpha=_has_alpha(frame, video),
        audio_codec=_sound_codec(audio[0]) if audio else None,
        audio_tracks=len(audio),
        audio_seconds=sound,
        even_tracks=bool(boxes.brand) and _even(timing, video, audio, sound),
        evenly_spaced="matroska" in container.format.name and _evenly_spaced(timing, video, audio),
        fragmented=b"moof" in boxes.names,
        has_private_metadata=_tells_private(container),
        has_attached_picture=any(_is_cover(stream) for stream in container.streams.video),
    )


def _container(name: str, boxes: _Boxes) -> Literal["mp4", "mov", "other"]:
    if "mov" not in name.split(",") or boxes.brand[:2] in (b"3g", b"M4"):
        return "other"
    return "mov" if boxes.brand == b"qt  " else "mp4"


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _video_stream(path: Path, container: av.container.InputContainer) -> VideoStream:
    for stream in container.streams.video:
        # A stream that ffmpeg has no decoder for comes with no codec context.
        if not _is_cover(stream) and stream.codec_context is not None:
            return stream
    if container.streams.audio:
        raise _refusal(path, "has sound but no picture.", "A clip needs a picture track; use the video it belongs to.")
    raise _refusal(path, "has no picture track that can be decoded.", _EXPORT)


def _refuse_cut_off(path: Path, video: VideoStream, size: int) -> None:
    entries = video.index_entries
    end = max((entry.pos + entry.size for entry in entries), default=0)
    if end > size:
        raise _refusal(
            path, f"is cut off: its index goes on for {end - size} bytes more.", "Copy or download it again."
        )


def _first_picture(path: Path, container: av.container.InputContainer, video: VideoStream) -> av.VideoFrame:
    failure = "no picture in its first part"
    try:
        for packet in islice(container.demux(video), FIRST_PICTURE_PACKETS):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    return frame
    except av.FFmpegError as error:
        failure = _reason(error)
    raise _refusal(path, f"cannot be decoded ({failure}).", _EXPORT)


def _turn(frame: av.VideoFrame) -> tuple[int, bool]:
    """(degrees counter-clockwise, mirrored). A mirrored matrix reads as a turn by 180; its determinant tells."""
    sides = cast(SideDataContainer, frame.side_data)  # PyAV's stub names the item's type here
    side = sides.get(SideData.DISPLAYMATRIX)  # and its versions iterate over items or over their types
    matrix = b"" if side is None else bytes(side)
    if len(matrix) < 36:
        return 0, False
    a, b, _, c, d, *_ = struct.unpack("<9i", matrix[:36])
    if a * d - b * c < 0:
        # Turned as well as mirrored when the two axes are exchanged.
        return (90 if abs(b) > abs(a) else 0), True
    return round(frame.rotation / 90) * 90 % 360, False


def _shown(width: int, height: int, ratio: Fraction, rotation: int) -> tuple[int, int]:
    shown = round(width * ratio), height
    return (shown[1], shown[0]) if rotation in (90, 270) else shown


def _has_alpha(frame: av.VideoFrame, video: VideoStream) -> bool:
    # VP9 keeps its alpha in a side layer that the native decoder drops; only the tag tells.
    return any(part.is_alpha for part in frame.format.components) or video.metadata.get("alpha_mode") == "1"


def _sound_codec(stream: AudioStream) -> str:
    if stream.codec_context is None:  # no decoder for it, whatever the stub says
        return "unknown"
    return {"mp3float": "mp3", "aac_fixed": "aac"}.get(stream.codec_context.name, stream.codec_context.name)


def _tells_private(container: av.container.InputContainer) -> bool:
    tags = [key.lower() for key in container.metadata]
    tags += [key.lower() for stream in container.streams for key in stream.metadata]
    told = any(word in tag for tag in tags for word in _PRIVATE) or any(
        tag.rsplit(".", 1)[-1].endswith(_PRIVATE_END) for tag in tags
    )
    return told or any(_is_telemetry(stream) for stream in container.streams)


def _is_telemetry(stream: av.stream.Stream) -> bool:
    """Action cameras, phones and drones write positions frame by frame, in data tracks of many names; only timecode is not."""
    return stream.type == "data" and "timecode" not in stream.metadata


# --- its timing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Timing:
    container: Fraction
    video: Fraction
    rate: Fraction
    frames: int | None
    variable: bool


def _timing(path: Path, container: av.container.InputContainer, video: VideoStream) -> _Timing:
    base = video.time_base or Fraction(1, 1000)
    stamps = [entry.timestamp for entry in video.index_entries]
    complete = video.frames > 0 and len(stamps) >= video.frames
    length = (video.duration or 0) * base
    if not (complete and length):
        stamps, length = _demuxed(container, video, base)
    whole = Fraction(container.duration or 0, av.time_base) or length
    length = length or whole
    rate = _rate(len(stamps), length, video)
    if length <= 0 or rate <= 0:
        raise _refusal(path, "does not say how long it is.", _EXPORT)
    return _Timing(
        container=whole, video=length, rate=rate, frames=len(stamps) or None, variable=_is_variable(stamps, base)
    )


def _demuxed(container: av.container.InputContainer, video: VideoStream, base: Fraction) -> tuple[list[int], Fraction]:
    """Time stamps in order and the length they make, by reading the file through: MKV, WebM and TS keep no full index."""
    container.seek(0)
    stamps: list[int] = []
    end = 0
    for packet in islice(container.demux(video), TIMED_PACKETS):
        if packet.pts is not None:
            stamps.append(packet.pts)
            end = max(end, packet.pts + (packet.duration or 0))
    if len(stamps) < 2 or len(stamps) == TIMED_PACKETS:
        return stamps[:0], Fraction(0)
    stamps.sort()
    end = max(end, stamps[-1] + (stamps[-1] - stamps[0]) // (len(stamps) - 1))
    return stamps, (end - stamps[0]) * base


def _rate(frames: int, length: Fraction, video: VideoStream) -> Fraction:
    told = video.average_rate or video.base_rate or video.guessed_rate
    if told:
        return Fraction(told)
    return Fraction(frames) / length if frames and length else Fraction(0)


def _is_variable(stamps: Sequence[int], base: Fraction) -> bool:
    """Does any gap but the last differ from the usual one by more than a twentieth, and by more than 2 ms?

    Files that count in milliseconds alternate 33 and 34: that is rounding, not a variable rate.
    """
    gaps = [later - earlier for earlier, later in pairwise(sorted(stamps))][:-1]
    if not gaps:
        return False
    usual = Fraction(median(gaps))
    slack = max(usual * _JITTER, Fraction(2, 1000) / base)
    return any(abs(gap - usual) > slack for gap in gaps)


def _end(stream: av.stream.Stream) -> Fraction:
    """Where a track ends, from the start of the file, in seconds; 0 where the file does not say."""
    if stream.duration is None or stream.time_base is None:
        return Fraction(0)
    return (max(stream.start_time or 0, 0) + stream.duration) * stream.time_base


def _even(timing: _Timing, video: VideoStream, audio: Sequence[av.stream.Stream], sound: Fraction) -> bool:
    starts = [stream.start_time or 0 for stream in (video, *audio[:1])]
    longest = max(timing.video, sound)
    return all(start == 0 for start in starts) and abs(longest - timing.container) <= Fraction(1, 1000)


def _evenly_spaced(timing: _Timing, video: VideoStream, audio: Sequence[av.stream.Stream]) -> bool:
    """Does every track begin at zero, to the millisecond, and does each frame lie where its number says?"""
    starts = [(stream.start_time or 0) * (stream.time_base or Fraction(1)) for stream in (video, *audio[:1])]
    if timing.variable or not timing.frames or any(abs(start) > Fraction(1, 1000) for start in starts):
        return False
    return abs(timing.frames / timing.rate - timing.video) <= Fraction(2, 1000)


# --- a picture ---------------------------------------------------------------------------------------------------------

_ORIENTATION, _GPS, _ARTIST = 0x0112, 0x8825, 0x013B
#: The code of these primaries.
_DISPLAY_P3 = 12
#: EXIF's owner, body and lens serial numbers, in its own sub-directory.
_EXIF, _SERIALS = 0x8769, (0xA430, 0xA431, 0xA435)


def _still_facts(path: Path) -> StillFacts:
    with Image.open(path, formats=STILL_FORMATS) as image:
        width, height = image.size
        if width * height > MAX_STILL_PIXELS:
            raise _too_many_pixels(path)
        _refuse_hdr(path, image)
        image.load()
        exif = image.getexif()
        orientation = int(exif.get(_ORIENTATION, 1) or 1)
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        name = (image.format or "").lower()
        return StillFacts(
            format={"mpo": "jpeg", "heif": "heic"}.get(name, name),
            bytes=path.stat().st_size,
            width=width,
            height=height,
            mode=image.mode,
            orientation=orientation,
            animated=name != "mpo" and bool(getattr(image, "is_animated", False)),
            has_alpha=image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info,
            has_profile=_has_profile(image) or is_wide(image),
            has_private_metadata=_still_tells(image, exif),
        )


def _too_many_pixels(path: Path) -> Unacceptable:
    side = isqrt(MAX_STILL_PIXELS)
    return _refusal(
        path, f"has more than {MAX_STILL_PIXELS // 10**6} million pixels.", f"Export it at {side}x{side} or smaller."
    )


def _refuse_hdr(path: Path, image: Image.Image) -> None:
    """Its numbers shown as they are would be flat and grey, and how it is meant is the photographer's to say."""
    transfer = _TRANSFERS.get(int((image.info.get("nclx_profile") or {}).get("transfer_characteristics", 0)))
    if transfer is not None:
        what = f"is an HDR picture ({transfer.upper()}), which the model does not take."
        raise _refusal(path, what, "Export it as JPEG or as SDR.")


def is_wide(image: Image.Image) -> bool:
    """Are its numbers of Display P3 by a code in the file (ITU-T H.273), whether or not there is a profile, too?"""
    return (image.info.get("nclx_profile") or {}).get("color_primaries") == _DISPLAY_P3


def _has_profile(image: Image.Image) -> bool:
    """Is a colour profile other than sRGB embedded? One that cannot be read counts, and is dropped on the way."""
    data = image.info.get("icc_profile")
    if not data:
        return False
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(data)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True
    return "srgb" not in name.lower()


def _still_tells(image: Image.Image, exif: Image.Exif) -> bool:
    serials = exif.get_ifd(_EXIF)
    told = bool(exif.get_ifd(_GPS)) or bool(exif.get(_ARTIST)) or any(serials.get(tag) for tag in _SERIALS)
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return told or "GPS" in (packet if isinstance(packet, str) else bytes(packet).decode(errors="replace"))
