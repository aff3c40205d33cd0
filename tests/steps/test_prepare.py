"""Preparation of exactly the bytes that were planned, priced and named."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from callsheet.errors import CannotWrite, PlanChanged
from callsheet.sidecar import Sidecar
from callsheet.steps import prepare, studio
from callsheet.steps.progress import Event

from .footage import ROOT, cut
from .local_provider import LocalProvider
from .shoot import CAMPAIGN, run, takes

LABEL = "cup--none--odd--16x9"


@pytest.fixture
def spec(cold: Path) -> Path:
    """Nothing is prepared yet."""
    return cold


@pytest.mark.parametrize("trim", ["", "0s..3s"])
async def test_a_clip_that_is_saved_again_after_the_plan_is_neither_sent_nor_kept(
    spec: Path, provider: LocalProvider, trim: str
) -> None:
    """Its render would count as one of the old bytes for ever, and so would the prepared file in the cache."""
    spec.write_text(CAMPAIGN.replace("media/cup.mp4", f"{{source: media/cup.mp4, trim: {trim}}}") if trim else CAMPAIGN)
    clip = spec.parent.parent / "media/cup.mp4"
    async with studio.opened(spec, sandbox=False):
        cut(ROOT / "media/clips/cup.mp4", clip, start=0, seconds=3)
        with pytest.raises(PlanChanged, match=r"media/cup.mp4 was changed"):
            await prepare.prepare(LABEL)
    assert not list((spec.parent.parent / ".callsheet/cache/clips").glob("*.mp4"))
    account, _ = await run(spec)
    assert account.message == "2 of 2 archived"
    for sidecar in account.manifest.parent.glob("cup*.json"):
        record = Sidecar.model_validate_json(sidecar.read_bytes()).clip
        assert record is not None
        assert (record.decision, record.reasons[-1]) == ("transcode", "640x480: scaled to 960x720")


async def test_a_reference_that_is_saved_again_after_the_plan_is_not_sent(spec: Path, provider: LocalProvider) -> None:
    spec.write_text(CAMPAIGN.replace("prompts:", "references:\n  starry: [media/starry-night.jpg]\nprompts:"))
    still = spec.parent.parent / "media/starry-night.jpg"
    async with studio.opened(spec, sandbox=False) as at:
        still.write_bytes(next((ROOT / "media/references").glob("[!s]*.jpg")).read_bytes())
        with pytest.raises(PlanChanged, match=r"media/starry-night.jpg was changed"):
            await prepare.prepare(at.plan.lines[0].variant.label)
    assert takes(spec) == []


async def test_a_clip_that_is_half_saved_meanwhile_is_called_changed_and_not_damaged(
    spec: Path, provider: LocalProvider
) -> None:
    clip = spec.parent.parent / "media/cup.mp4"
    async with studio.opened(spec, sandbox=False):
        clip.write_bytes(clip.read_bytes()[:20_000])
        with pytest.raises(PlanChanged, match=r"media/cup.mp4 was changed"):
            await prepare.prepare(LABEL)


async def test_a_run_that_is_cancelled_stops_its_ffmpeg_and_removes_what_it_had(
    spec: Path, provider: LocalProvider
) -> None:
    begun = asyncio.Event()

    def heard(event: Event) -> None:
        if event.fraction > 0:
            begun.set()

    async def run_until_cancelled() -> None:
        with studio.watched_by(heard):
            async with studio.opened(spec, sandbox=False):
                await asyncio.gather(prepare.prepare(LABEL), prepare.prepare("cup--none--good--16x9"))

    work = asyncio.create_task(run_until_cancelled())
    await begun.wait()
    home = spec.parent.parent / ".callsheet"
    assert str(home) in running()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert str(home) not in running()
    assert [path for path in (home / "cache/clips").iterdir() if path.suffix != ".lock"] == []


def running() -> str:
    return subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("place", ["cache", "cache/clips"])
async def test_a_cache_that_cannot_be_written_is_one_clear_error(
    spec: Path, provider: LocalProvider, place: str
) -> None:
    async with studio.opened(spec, sandbox=False) as at:
        blocked = at.home / place
        shutil.rmtree(blocked, ignore_errors=True)
        blocked.touch()
        with pytest.raises(CannotWrite, match=r"cache/clips cannot be written: (Not a directory|File exists)") as told:
            await prepare.prepare(LABEL)
    assert (told.value.exit_code, told.value.spent, takes(spec)) == (3, "no", [])
