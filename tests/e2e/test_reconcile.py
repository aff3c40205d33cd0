"""`callsheet reconcile` without a campaign: everything that dead runs left is brought home, and nothing is bought."""

import json
import os
import signal
from collections.abc import Iterator, Mapping

import pytest

from tests.e2e.conftest import CAMPAIGN, PATIENCE, NewStudio, Studio
from tests.e2e.instants import wait_until
from tests.steps.local_provider import FAIL_LATER, LocalProvider, serving

pytestmark = pytest.mark.slow

#: Campaigns whose run was killed, in the order in which their takes were reserved, and what became of each since then.
NAMES = ("whole", "second", "gone", "broken")


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    with serving() as running:
        yield running


@pytest.fixture
def studio(new_studio: NewStudio, prefect: Mapping[str, str], provider: LocalProvider) -> Studio:
    return new_studio(**prefect, EVOLINK_BASE_URL=provider.url, EVOLINK_API_KEY="sk-evo-test")


def left(studio: Studio, provider: LocalProvider) -> None:
    """Of each campaign a run that was killed after its only job was accepted. Of two of them the file is not what it was."""
    provider.in_the_making = lambda _: True
    for number, name in enumerate(NAMES, 1):
        spec = studio.root / f"specs/{name}.yaml"
        spec.write_text(CAMPAIGN.replace("campaign: tiny", f"campaign: {name}").replace("dusk.", f"dusk, {name}."))
        running = studio.start("run", f"specs/{name}.yaml", "--yes")
        wait_until(lambda: studio.takes().count("submitted") == number, running, "its job is accepted")  # noqa: B023
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=PATIENCE)
    provider.in_the_making = None
    (studio.root / "specs/gone.yaml").unlink()
    broken = studio.root / "specs/broken.yaml"
    broken.write_text(broken.read_text().replace("media/", "media/no-such-"))


def test_what_dead_runs_of_several_campaigns_left_is_brought_home_and_nothing_is_bought(
    studio: Studio, provider: LocalProvider, rendered: object
) -> None:
    left(studio, provider)
    ended = studio.call("reconcile", "--json")
    assert studio.takes() == ["archived"] * 4, ended.err
    assert len(provider.submits) == 4
    whole, second, gone, broken = json.loads(ended.out)["campaigns"]
    assert whole.items() >= {"campaign": "whole", "archived": 1, "credits": "36"}.items()
    assert second.items() >= {"campaign": "second", "archived": 1, "sandbox": False}.items()
    assert (gone["campaign"], [stray["state"] for stray in gone["strays"]]) == ("gone", ["archived"])
    assert (broken["campaign"], broken["error"]["kind"]) == ("broken", "SpecInvalid")
    assert ended.code == 2  # of that one campaign, which cannot be run as it is
    for name in NAMES:
        assert f"{name}: 1 take left by a run that died" in ended.err
    assert len(list((studio.root / "archive/whole").glob("*.mp4"))) == 1
    for name in ("gone", "broken"):
        assert len(list((studio.root / f"archive/{name}/strays").glob("*.mp4"))) == 1
    again = studio.call("reconcile")
    assert (again.code, again.out) == (0, ""), again.err
    assert "Nothing is left to finish" in again.err


def test_what_a_person_says_of_a_take_needs_no_campaign(
    studio: Studio, provider: LocalProvider, rendered: object
) -> None:
    unknown = studio.call("reconcile", "--lost", "7")
    assert (unknown.code, "there is no take 7" in unknown.err) == (6, True)
    provider.scripts["Re-light the scene at dusk."] = [FAIL_LATER]
    assert studio.call("run", "specs/tiny.yaml", "--yes").code == 1
    refused = studio.call("reconcile", "--not-accepted", "1")
    assert (refused.code, "take 1 is failed" in refused.err) == (6, True)
