"""Crops in a campaign: aimed before the plan, remembered by content, told where they lose something, made as planned."""

import json
from pathlib import Path

from callsheet.steps import cache, prepare, studio
from callsheet.steps.load import load
from callsheet.steps.survey import Survey, survey

from .footage import ROOT, cut
from .local_provider import LocalProvider
from .shoot import CAMPAIGN

TALL = CAMPAIGN.replace("aspect_ratios: [16:9]", "framing: crop\naspect_ratios: [9:16, 1:1]")


def surveyed(spec: Path) -> Survey:
    return survey(load(spec), spec.parent.parent / ".callsheet")


def test_what_a_crop_loses_is_said_once_and_the_search_is_remembered(spec: Path) -> None:
    spec.write_text(TALL)
    first = surveyed(spec)
    crops = {need.aspect_ratio: made for need, made in first.clip_preparations.items()}
    assert {ratio: bool(made.course) for ratio, made in crops.items()} == {"9:16": True, "1:1": True}
    told = [warning.message for warning in first.warnings]
    assert [line for line in told if "its crop cuts off" in line] == [
        f"media/cup.mp4: {note}" for made in crops.values() for note in made.notes
    ]
    assert crops["9:16"].notes
    memory = spec.parent.parent / ".callsheet/cache/crops.json"
    known = json.loads(memory.read_text())
    assert len(known) == 2
    memory.write_text(json.dumps({key: {**value, "held": 1.0} for key, value in known.items()}))
    again = surveyed(spec)
    assert not [warning for warning in again.warnings if "its crop cuts off" in warning.message]
    assert [made.course for made in again.clip_preparations.values()] == [made.course for made in crops.values()]


def test_a_clip_saved_anew_is_looked_through_anew(spec: Path) -> None:
    spec.write_text(TALL)
    before = surveyed(spec)
    cut(ROOT / "media/clips/box.mp4", spec.parent.parent / "media/cup.mp4", start=4, seconds=3)
    after = surveyed(spec)
    courses = [[made.course for made in one.clip_preparations.values()] for one in (before, after)]
    assert courses[0] != courses[1]


async def test_a_run_makes_the_crop_that_was_planned(spec: Path, provider: LocalProvider) -> None:
    spec.write_text(TALL.replace("[9:16, 1:1]", "[9:16]"))
    planned = surveyed(spec)
    (preparation,) = planned.clip_preparations.values()
    async with studio.opened(spec, sandbox=False) as at:
        made = await prepare.prepared_clip(at, at.plan.lines[0].variant)
    assert made.path == cache.place(at.home, cache.clip_entry(planned.clips["cup"].sha256, preparation))
    assert (made.width, made.height) == (720, 1280)
