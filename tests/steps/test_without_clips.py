"""A campaign whose model makes the video from pictures: it has no clip, and every step of it does without one."""

import json
from pathlib import Path

import pytest

from callsheet.sidecar import Sidecar
from callsheet.steps import explain, record
from callsheet.steps.draw_up import draw_up
from callsheet.steps.estimate import estimate

from .local_provider import LocalProvider
from .shoot import run

FRAMES = """\
campaign: frames
model: kling-o1-image-to-video
budget: $5.00
references: {morning: media/starry-night.jpg}
prompts: {walk: Walk slowly.}
options: {duration: 10}
aspect_ratios: [9:16]
"""


@pytest.fixture
def frames(spec: Path, provider: LocalProvider) -> Path:
    spec.write_text(FRAMES)
    provider.uploads["result.mp4"] = (spec.parent.parent / "media/cup.mp4").read_bytes()
    return spec


def test_its_plan_is_explained_estimated_and_kept(frames: Path, tmp_path: Path) -> None:
    drawn = draw_up(frames, sandbox=False)
    (line,) = drawn.plan.lines
    assert (str(line.price), line.variant.label) == ("80", "morning--walk--9x16")
    told = {part.title: part for part in explain.explain(drawn, line.variant.label).parts}
    assert (told["clip"].text, told["clip"].origins[0].place) == ("none", "")
    assert told["options"].text == "duration: 10"
    work = estimate(drawn)
    assert (work.clips, work.stills) == (0, 1)
    record.write(drawn, tmp_path / "plan.json")
    assert list(json.loads((tmp_path / "plan.json").read_text())["media"]) == ["media/starry-night.jpg"]


async def test_it_is_rendered_and_archived_with_its_provenance(frames: Path, provider: LocalProvider) -> None:
    account, _ = await run(frames)
    assert account.message == "1 of 1 archived"
    (sent,) = (json.loads(body) for _, body in provider.keys.values())
    assert sent.keys() == {"model", "prompt", "image_urls", "aspect_ratio", "duration"}
    assert (sent["duration"], sent["aspect_ratio"], len(sent["image_urls"])) == (10, "9:16", 1)
    (file,) = (frames.parent.parent / "archive/frames").glob("*--t1.json")
    sidecar = Sidecar.model_validate_json(file.read_bytes())
    assert (sidecar.clip, sidecar.axes.clip, sidecar.axes.options) == (None, "", {"duration": 10})
