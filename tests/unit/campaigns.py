"""Small campaigns for tests of what comes after reading one."""

from callsheet.campaign import Campaign, parse

HELLO = """
campaign: hello
model: kling-o1-video-edit
budget: $40.00
clips:
  beach: media/clips/beach.mp4
  pier: media/clips/pier.mp4
references:
  none: []
  brand: [a.jpg, b.jpg]
prompts:
  dusk: Re-light the scene at dusk.
  neon: "Under neon, {{ weather }} ground"
variables:
  weather: [wet, snowy]
aspect_ratios: [16:9, 9:16]
"""


def campaign(text: str = HELLO, **changes: str) -> Campaign:
    """The campaign of this text, with top-level keys replaced by the YAML given (or added)."""
    lines = text.strip().splitlines()
    for key, value in changes.items():
        start = next((n for n, line in enumerate(lines) if line.startswith(f"{key}:")), len(lines))
        end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
        lines[start:end] = [f"{key}: {value}"]
    return parse("\n".join(lines), file="specs/test.yaml")
