"""Draft, judge, go on: the rounds of a campaign as a person runs them, with verdicts beside the manifest."""

import json
import shutil
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, SPEC, NewStudio, Studio

pytestmark = pytest.mark.slow


def entries(studio: Studio) -> dict[tuple[str, int], dict[str, Any]]:
    manifest = json.loads((studio.root / "archive/tiny/manifest.json").read_text())
    return {(entry["slug"], entry["axes"]["take"]): entry for entry in manifest["entries"]}


def judge(studio: Studio, says: str, *, of_films: bool = False) -> str:
    """The verdicts of a reviewer who says this of everything, or of each film that is there."""
    at, file = "2026-11-26T12:00:00Z", studio.root / "archive/tiny/verdicts.json"
    said = [
        {**{k: e[k] for k in ("key", "slug", "axes")}, "says": says, "at": at, "film": e["sha256"] if of_films else ""}
        for e in entries(studio).values()
    ]
    file.write_text(json.dumps({"campaign": "tiny", "draft": True, "plan": "0" * 64, "verdicts": said}))
    return str(file)


def test_what_a_review_adds_is_made_once_and_stays_on_the_board_of_later_runs(
    new_studio: NewStudio, prefect: Mapping[str, str]
) -> None:
    studio = new_studio(**prefect)
    run = ("run", SPEC, "--sandbox", "--yes", "--json")
    assert studio.call(*run).code == 0
    ((slug, _),) = entries(studio)
    file = judge(studio, "retake")
    again = json.loads(studio.call(*run, "--verdicts", file).out)
    assert (again["archived"], again["skipped"], again["credits"]) == (1, 1, "36")
    assert {place: entry["round"] for place, entry in entries(studio).items()} == {(slug, 1): "", (slug, 2): "retake"}
    plan = json.loads(studio.call("plan", SPEC, "--sandbox", "--verdicts", file, "--json").out)
    assert (plan["totals"]["shoot"], plan["totals"]["skip"]) == (0, 2)
    assert json.loads(studio.call(*run).out)["skipped"] == 1
    assert entries(studio)[slug, 2]["deliverable"] == f"{slug}--t2.mp4"
    paid = json.loads(studio.call("plan", SPEC, "--paid", "--verdicts", file, "--json").out)
    assert paid["totals"]["shoot"] == 2  # an older board did not say which film it was
    file = judge(studio, "retake", of_films=True)
    plan = json.loads(studio.call("plan", SPEC, "--sandbox", "--verdicts", file, "--json").out)
    assert (plan["totals"]["shoot"], plan["totals"]["skip"]) == (1, 1)  # a third one: the second is wanted again, too
    paid = json.loads(studio.call("plan", SPEC, "--paid", "--verdicts", file, "--json").out)
    assert (paid["totals"]["shoot"], paid["round"]["once"]) == (1, [f"{slug}", f"{slug}--t2"])
    third = json.loads(studio.call(*run, "--verdicts", file).out)
    assert (third["archived"], sorted(entries(studio))) == (1, [(slug, 1), (slug, 2), (slug, 3)])
    again = json.loads(studio.call(*run, "--verdicts", file).out)
    assert (again["archived"], again["credits"]) == (0, "0")
    for take in (2, 3):
        (studio.root / f"archive/tiny/{slug}--t{take}.mp4").unlink()
    assert studio.call(*run).code == 0
    assert entries(studio).keys() == {(slug, 1)}


def test_an_option_that_the_flows_of_an_older_studio_do_not_know_is_refused_in_words(
    new_studio: NewStudio, prefect: Mapping[str, str]
) -> None:
    studio = new_studio(**prefect)
    flows = studio.root / "flows"
    flows.unlink()
    shutil.copytree(ROOT / "flows", flows)
    text = (flows / "campaign.py").read_text()
    older = text.replace("    keep_unjudged: bool = False,\n", "").replace('"keep_unjudged": True', '"promote": ()')
    (flows / "campaign.py").write_text(older.replace("if keep_unjudged else", "if False else"))
    assert studio.run("--json").code == 0
    file = judge(studio, "approve")
    ended = studio.run("--verdicts", file, "--keep-unjudged")
    assert (ended.code, ended.out) == (2, "")
    assert (
        "--keep-unjudged is newer than the flows of this studio, which do not know it. Nothing was spent." in ended.err
    )
