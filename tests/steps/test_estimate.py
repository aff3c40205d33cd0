"""The estimate of a run's work agrees with what the run does: the same cache, the same files, the same bytes."""

from pathlib import Path

import pytest

from callsheet.steps import outcome, prepare, studio
from callsheet.steps.draw_up import draw_up
from callsheet.steps.estimate import estimate

from .footage import make_studio
from .local_provider import serving


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-test")
    monkeypatch.delenv("CALLSHEET_HOME", raising=False)
    return make_studio(tmp_path / "studio")


async def test_what_the_estimate_calls_missing_is_what_preparing_makes(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clip has to be encoded, so its bytes are not known before; the picture goes as it is."""
    still = (spec.parent.parent / "media/starry-night.jpg").stat().st_size
    before = estimate(draw_up(spec, sandbox=False))
    assert (before.clips, before.clips_to_make, before.stills, before.stills_to_make) == (1, 1, 1, 1)
    assert (before.uploads, before.bytes, before.unsized) == (2, still, 1)
    with serving() as provider:
        monkeypatch.setenv("EVOLINK_BASE_URL", provider.url)
        async with studio.opened(spec, sandbox=False) as at:
            for label in outcome.to_walk(at.plan):
                await prepare.prepare(label)
    made = sum(file.stat().st_size for file in (spec.parent.parent / ".callsheet/cache").glob("*/*.[mj]p[4g]"))
    after = estimate(draw_up(spec, sandbox=False))
    assert (after.clips_to_make, after.stills_to_make, after.unsized) == (0, 0, 0)
    assert (after.uploads, after.bytes) == (2, made)
