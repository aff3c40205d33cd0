"""Every kind of clip that preparation knows: how a test makes one, what is decided about it, and what comes out.

The table of docs/media.md is this list; `python -m tests.media.matrix` (`make docs`) writes it there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from callsheet.limits import ClipFacts, spoken_rate, spoken_seconds

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/media.md"
BEGIN, END = "<!-- the list in tests/media/matrix.py: make docs -->", "<!-- end of the list -->"

X264 = ("-c:v", "libx264", "-preset", "ultrafast")
H264 = (*X264, "-pix_fmt", "yuv420p")
TONE = ("-f", "lavfi", "-i", "sine=440:r=48000:d=3")
SILENCE = ("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo:d=3")
AAC = ("-c:a", "aac")


def picture(size: str = "160x120", rate: str = "25", seconds: str = "3") -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")


PICTURE = picture()


def hdr(curve: str) -> tuple[str, ...]:
    tags = f"setparams=color_primaries=bt2020:color_trc={curve}:colorspace=bt2020nc:range=tv"
    return (*PICTURE, "-vf", f"format=yuv420p10le,{tags}", *X264)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A kind of clip. `words` make one with ffmpeg; `over`: by what is done to another file, given as its `words`.

    result: the prepared file as it is probed; of a refusal the words of it.
    """

    kind: str
    name: str
    words: tuple[str, ...] = ()
    decision: str
    why: str = ""
    result: str
    asked: dict[str, str] = field(default_factory=dict)
    over: Callable[[bytes], bytes] | None = None


def _playlist(_whole: bytes) -> bytes:
    return b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"


PLAIN = (*PICTURE, *H264)
SOUNDING = (*PICTURE, *TONE, *H264, *AAC)

CASES = (
    Case(
        kind="H.264, AAC, in MP4", name="a.mp4", words=SOUNDING, decision="pass",
        result="mp4 h264 yuv420p 160x120, 25 fps, aac, 3 s",
    ),
    Case(
        kind="the same in MOV", name="a.mov", words=PLAIN, decision="pass",
        result="mov h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="sound that is silent", name="a.mp4", words=(*PICTURE, *SILENCE, *H264, *AAC), decision="pass",
        result="mp4 h264 yuv420p 160x120, 25 fps, aac, 3 s",
    ),
    Case(
        kind="a place in its tags", name="a.mp4",
        words=(*PLAIN, "-metadata", "location=+48.1+11.5/", "-movflags", "use_metadata_tags"),
        decision="remux", why="tells a place, a person or a device",
        result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="several sound tracks", name="a.mp4",
        words=(*PICTURE, *TONE, *SILENCE, "-map", "0", "-map", "1", "-map", "2", *H264, *AAC),
        decision="remux", why="2 sound tracks: the first is kept",
        result="mp4 h264 yuv420p 160x120, 25 fps, aac, 3 s",
    ),
    Case(
        kind="H.264, AAC, in Matroska", name="a.mkv", words=SOUNDING, decision="remux",
        why="container is matroska, not mp4",
        result="mp4 h264 yuv420p 160x120, 25 fps, aac, 3 s",
    ),
    Case(
        kind="WebM, VP9, Opus", name="a.webm",
        words=(*PICTURE, *TONE, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
        decision="transcode", why="vp9 video, not H.264; opus sound, not AAC",
        result="mp4 h264 yuv420p 160x120, 25 fps, aac, 3 s",
    ),
    Case(
        kind="ProRes, 10 bits, 4:2:2", name="a.mov", words=(*PICTURE, "-c:v", "prores_ks"), decision="transcode",
        why="prores video, not H.264", result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="H.264 of 10 bits", name="a.mp4", words=(*PICTURE, *X264, "-pix_fmt", "yuv420p10le"), decision="transcode",
        why="pixel format yuv420p10le, not yuv420p", result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="H.264 of 4:4:4, odd sides", name="a.mp4",
        words=(*PICTURE, "-vf", "scale=161:121,setsar=1,format=yuv444p", *X264),
        decision="transcode", why="161x121: scaled to 162x122; pixel format yuv444p, not yuv420p",
        result="mp4 h264 yuv420p 162x122, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="full-range colours", name="a.mp4",
        words=(*PICTURE, "-vf", "scale=out_range=pc", *X264, "-pix_fmt", "yuvj420p"), decision="transcode",
        why="pixel format yuvj420p, not yuv420p", result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="HDR, PQ", name="a.mp4", words=hdr("smpte2084"), decision="transcode",
        why="HDR (PQ); pixel format yuv420p10le, not yuv420p",
        result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="HDR, HLG", name="a.mp4", words=hdr("arib-std-b67"), decision="transcode",
        why="HDR (HLG); pixel format yuv420p10le, not yuv420p",
        result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="colours of Display P3", name="a.mp4",
        words=(*PICTURE, "-vf", "setparams=color_primaries=smpte432", *H264), decision="transcode",
        why="colours beyond BT.709 (Display P3)", result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="oblong pixels", name="a.mp4", words=(*PICTURE, "-vf", "setsar=64/45", *H264), decision="transcode",
        why="its pixels are not square", result="mp4 h264 yuv420p 228x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="variable frame rate", name="a.mp4",
        words=(*PICTURE, "-vf", "select='not(mod(n,3))+gt(n,45)'", "-fps_mode", "vfr", *H264), decision="transcode",
        why="variable frame rate", result="mp4 h264 yuv420p 160x120, 30 fps, no sound, 3 s",
    ),
    Case(
        kind="120 frames a second", name="a.mp4", words=(*picture(rate="120"), *H264), decision="transcode",
        why="120 frames a second", result="mp4 h264 yuv420p 160x120, 60 fps, no sound, 3 s",
    ),
    Case(
        kind="12 frames a second", name="a.mp4", words=(*picture(rate="12"), *H264), decision="transcode",
        why="12 frames a second", result="mp4 h264 yuv420p 160x120, 24 fps, no sound, 3 s",
    ),
    Case(
        kind="interlaced", name="a.mp4",
        words=(*picture(rate="50"), "-vf", "interlace", "-flags", "+ilme+ildct", "-x264opts", "tff=1", *H264),
        decision="transcode", why="interlaced", result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="transparent", name="a.mov",
        words=(*PICTURE, "-vf", "format=yuva444p10le", "-c:v", "prores_ks", "-profile:v", "4444"), decision="transcode",
        why="transparent; prores video, not H.264", result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="sound in MP3", name="a.mp4", words=(*PICTURE, *TONE, *H264, "-c:a", "libmp3lame"), decision="transcode",
        why="mp3 sound, not AAC", result="mp4 h264 yuv420p 160x120, 25 fps, aac, 3 s",
    ),
    Case(
        kind="in fragments", name="a.mp4", words=(*PLAIN, "-movflags", "frag_keyframe+empty_moov"), decision="transcode",
        why="fragmented: its length depends on the reader",
        result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="shorter than 3 s", name="a.mp4", words=(*picture(seconds="1"), *H264), decision="transcode",
        why="1 s: frozen to 3 s, the least that is billed",
        result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="too small", name="a.mp4", words=(*picture("40x30"), *H264), decision="transcode",
        why="40x30: scaled to 86x64", result="mp4 h264 yuv420p 86x64, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="too large", name="a.mp4", words=(*picture("800x600"), *H264), decision="transcode",
        why="800x600: scaled to 640x480", result="mp4 h264 yuv420p 640x480, 25 fps, no sound, 3 s",
    ),
    Case(
        kind="trimmed", name="a.mp4", words=(*picture(seconds="4"), *H264), decision="transcode",
        why="trimmed: 0.5 s to 4 s", result="mp4 h264 yuv420p 160x120, 25 fps, no sound, 3.48 s",
        asked={"start": "1/2"},
    ),
    Case(
        kind="framing: crop to 9:16", name="a.mp4", words=PLAIN, decision="transcode",
        why="160x120: cropped to 9:16, 68x120", result="mp4 h264 yuv420p 68x120, 25 fps, no sound, 3 s",
        asked={"framing": "crop", "aspect_ratio": "9:16"},
    ),
    Case(
        kind="framing: pad to 9:16", name="a.mp4", words=PLAIN, decision="transcode",
        why="160x120: padded to 9:16, 160x284", result="mp4 h264 yuv420p 160x284, 25 fps, no sound, 3 s",
        asked={"framing": "pad", "aspect_ratio": "9:16"},
    ),
    Case(
        kind="longer than 10 s, no trim", name="a.mp4", words=(*picture(seconds="12"), *H264), decision="refuse",
        result="is 12 s long, and the model takes at most 10 s.",
    ),
    Case(
        kind="long and narrow", name="a.mp4", words=(*picture("1280x32"), *H264), decision="refuse",
        result="is 1280x32, too long and narrow for sides of 64 to 640 pixels.",
    ),
    Case(
        kind="sound only", name="a.mp4", words=(*TONE, *AAC), decision="refuse", result="has sound but no picture.",
    ),
    Case(
        kind="cut off in copying", name="a.mp4", words=PLAIN, over=lambda whole: whole[: len(whole) // 2],
        decision="refuse", result="is cut off: … of its bytes are missing.",
    ),
    Case(
        kind="no byte at all", name="a.mp4", words=PLAIN, over=lambda _: b"", decision="refuse",
        result="is not a video: it is empty (0 bytes).",
    ),
    Case(
        kind="text named .mp4", name="a.mp4", words=PLAIN, over=lambda _: b"Remember to film the beach.\n",
        decision="refuse", result="is not a video: it begins like text.",
    ),
    Case(
        kind="a playlist named .mp4 that names a URL", name="a.mp4", words=PLAIN, over=_playlist, decision="refuse",
        result="is not a video: it begins like text.",
    ),
    Case(
        kind="absurd dimensions", name="a.mkv",
        words=("-f", "lavfi", "-i", "color=gray:s=9000x8000:r=1:d=1", "-pix_fmt", "gray", "-c:v", "ffv1"),
        decision="refuse", result="is 9000x8000, too large to decode.",
    ),
)  # fmt: skip


def told(facts: ClipFacts) -> str:
    """A prepared clip as the table has it."""
    sound = facts.audio_codec or "no sound"
    shape = f"{facts.container} {facts.codec} {facts.pixel_format} {facts.width}x{facts.height}"
    return f"{shape}, {spoken_rate(facts.frame_rate)} fps, {sound}, {spoken_seconds(facts.seconds)} s"


def table() -> str:
    """The list as the page has it."""
    rows = [f"| {case.kind} | {case.decision} | {case.why or '–'} | {case.result} |" for case in CASES]
    return "\n".join([BEGIN, "", "| clip | decision | why | result |", "|---|---|---|---|", *rows, "", END])


def written(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
