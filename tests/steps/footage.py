"""A small studio in a temporary folder: real clips, cut short, and a campaign over them."""

import subprocess
from pathlib import Path

import imageio_ffmpeg

ROOT = Path(__file__).parent.parent.parent

CAMPAIGN = """\
campaign: tiny
model: kling-o1-video-edit
budget: $40.00
clips:
  cup: {source: media/cup.mp4}
references:
  none: []
  starry: [media/starry-night.jpg]
prompts:
  dusk: Re-light the scene at dusk.
aspect_ratios: [16:9]
"""


def make_studio(folder: Path, campaign: str = CAMPAIGN) -> Path:
    """Lay out a studio with a 3 s clip that needs preparing; returns the campaign's path."""
    media = folder / "media"
    media.mkdir(parents=True)
    (folder / "specs").mkdir()
    (folder / "prefect.yaml").write_text("name: tiny\n")
    (folder / "flows").symlink_to(ROOT / "flows")
    cut(ROOT / "media/clips/cup.mp4", media / "cup.mp4", start=1, seconds=3)
    (media / "starry-night.jpg").write_bytes((ROOT / "media/references/starry-night.jpg").read_bytes())
    spec = folder / "specs/tiny.yaml"
    spec.write_text(campaign)
    return spec


def cut(source: Path, target: Path, *, start: float, seconds: float) -> None:
    """A part of a clip, encoded small and fast."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", "-ss", str(start), "-i", str(source)]
    command += ["-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(target)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
