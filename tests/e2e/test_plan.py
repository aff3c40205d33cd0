"""`callsheet plan` and the run of a kept plan, as a person types them."""

import json
from collections.abc import Mapping

import pytest

from tests.e2e.conftest import CAMPAIGN, SPEC, Ended, NewStudio, Studio

pytestmark = pytest.mark.slow

#: Two clips by three prompts by two shapes by two sounds: 24 variants of 36 credits.
MANY = CAMPAIGN.replace(
    "  dusk: Re-light the scene at dusk.\naspect_ratios: [16:9]",
    '  dusk: Re-light the scene at dusk.\n  neon: "Neon, {{ weather }}."\n'
    "variables: {weather: [wet, dry]}\naspect_ratios: [16:9, 9:16]\nkeep_original_sound: [true, false]",
).replace("references:", "  shore: {source: media/beach.mp4, trim: 0s..2.5s}\nreferences:")
PLAN = ("plan", SPEC, "--sandbox")
KEPT = ("run", "--plan", "plan.json", "--yes")


@pytest.fixture
def many(studio: Studio) -> Studio:
    studio.write(MANY.replace("$5.00", "$50.00"))
    return studio


@pytest.fixture
def kept(studio: Studio) -> Studio:
    return with_a_plan(studio)


@pytest.fixture(scope="module")
def left_alone(new_studio: NewStudio) -> Studio:
    """The same for tests that change nothing."""
    return with_a_plan(new_studio())


def with_a_plan(studio: Studio) -> Studio:
    """The studio, with its plan in plan.json."""
    ended = studio.call(*PLAN, "--out", "plan.json")
    assert ended.code == 0, ended.err
    assert "Run exactly this: callsheet run --plan plan.json" in ended.err
    return studio


def assert_moved(studio: Studio, told: str) -> None:
    ended = studio.call(*KEPT)
    assert ended.code == 4, ended.err
    assert told in ended.err
    assert ended.err.count("Nothing was spent.") == 1
    assert "Look at it again: callsheet plan specs/tiny.yaml --sandbox --out plan.json" in ended.err
    assert studio.untouched()


def rows(ended: Ended) -> list[str]:
    """The lines of what was told, with single spaces."""
    assert ended.code == 0, ended.err
    return [" ".join(line.split()) for line in ended.out.splitlines()]


def document(ended: Ended) -> dict[str, object]:
    assert ended.code == 0, ended.err
    found: dict[str, object] = json.loads(ended.out)
    return found


def test_the_money_is_told_axis_by_axis_and_adds_up(many: Studio) -> None:
    out = rows(many.call(*PLAN))
    assert "keep_original_sound true 12 12 432 $6.36" in out
    assert "all 24 24 864 $12.71" in out
    assert "cost 864 credits ($12.71)" in out


def test_json_has_the_stable_keys_and_the_money_by_axis(many: Studio) -> None:
    found = document(many.call(*PLAN, "--json"))
    assert {"campaign", "digest", "totals", "budget", "lines", "axes", "work", "pilot"} <= set(found)
    assert found["totals"] == {
        "variants": 24, "shoot": 24, "attach": 0, "skip": 0, "blocked": 0, "credits": "864", "usd": "12.71",
    }  # fmt: skip
    assert found["work"] == {
        "prepare": {"clips": 2, "clips_to_make": 2, "stills": 0, "stills_to_make": 0},
        "upload": {"files": 2, "bytes": (many.root / "media/beach.mp4").stat().st_size, "unsized": 1},
        "worst_case": {"credits": "864", "usd": "12.71"},
    }


def test_what_is_done_to_each_file_is_told_with_its_reason(many: Studio) -> None:
    found = document(many.call(*PLAN, "--json"))["media"]
    assert isinstance(found, list)
    told = [(one["file"], one["decision"], one["reasons"], one["variants"]) for one in found]
    assert told == [
        ("media/beach.mp4", "pass", [], 12),
        (
            "media/beach.mp4",
            "transcode",
            ["trimmed: 0 s to 2.5 s", "2.5 s: frozen to 3 s, the least that is billed"],
            12,
        ),
    ]
    assert found[1]["notes"] == [
        "It is shorter than the model takes: its last picture is held for 0.5 s, and paid for."
    ]
    assert (found[1]["before"]["seconds"], found[1]["after"]["seconds"]) == ("3", "3")
    out = rows(many.call(*PLAN))
    assert "media/beach.mp4 pass 12 within every limit of the model" in out
    assert any(
        row.startswith("media/beach.mp4 transcode 12 trimmed: 0 s to 2.5 s; 2.5 s: frozen to 3 s") for row in out
    )


def test_more_than_sixty_lines_are_shown_when_asked_for(many: Studio) -> None:
    many.write(MANY.replace("$5.00", "$500.00").replace("aspect_ratios:", "takes: 3\naspect_ratios:"))
    few, all_of_them = many.call(*PLAN), many.call(*PLAN, "--lines")
    assert "beach--none--dusk--16x9--sound--t1" not in few.out
    assert "72 lines are not shown; --lines shows all of them." in few.err
    assert all_of_them.out.count("not rendered yet") == 72
    assert "aspect_ratio" in few.out


def test_the_worst_case_is_told_where_a_person_has_to_approve(many: Studio) -> None:
    many.write(MANY.replace("$5.00", "$50.00\napprove_above: $10.00"))
    out = many.call(*PLAN).out
    assert "at worst   864 credits ($12.71) of 3400 credits ($50.00): 0 charged + 0 held + 864 of this plan" in out
    assert "at worst" not in many.call(*PLAN, "--limit", "1").out


def test_one_line_is_explained_with_its_places(studio: Studio) -> None:
    out = rows(studio.call(*PLAN, "--why", "beach--none--dusk--16x9"))
    assert "price 3 s, billed as 3 s at 12 credits a second: 36 credits ($0.53)" in out
    assert any(row.startswith("clip specs/tiny.yaml:5 clips.beach media/beach.mp4 (") for row in out)
    assert "prompt specs/tiny.yaml:9 prompts.dusk Re-light the scene at dusk." in out
    assert "sound default kept" in out
    ended = studio.call(*PLAN, "--why", "beech--none--dusk--16x9")
    assert ended.code == 2
    assert "--why: error: there is no variant `beech--none--dusk--16x9` in this plan; did you mean" in ended.err


def test_skip_limit_and_pilot_choose_on_the_command_line(many: Studio) -> None:
    def lines(*options: str) -> list[str]:
        found = document(many.call(*PLAN, "--json", *options))
        return [line["slug"] for line in found["lines"]]  # type: ignore[attr-defined]

    assert len(lines("--skip", "shore*")) == 12
    assert lines("--skip", "*--mute", "--limit", "2") == [
        "beach--none--dusk--16x9--sound",
        "beach--none--dusk--9x16--sound",
    ]
    assert 6 <= len(lines("--pilot", "pairwise")) <= 8
    assert "cover all " in many.call(*PLAN, "--pilot", "pairwise").out
    ended = many.call(*PLAN, "--skip", "shoar*")
    assert ended.code == 2
    assert "error: --skip shoar* matches none of the 24 variants." in ended.err


def test_cheaper_ways_are_named_with_their_saving_and_the_line_to_write(many: Studio) -> None:
    """The clips have no sound: with and without it, they come out the same."""
    out = many.call(*PLAN, "--suggest").out
    assert "saves 432 credits ($6.35): keep_original_sound is not swept: no clip has sound\n" in out
    assert "    specs/tiny.yaml:14: write keep_original_sound: true\n" in out
    found = document(many.call(*PLAN, "--suggest", "--json"))["suggestions"]
    assert [(one["kind"], one["credits"], one["usd"]) for one in found] == [("silent", "432", "6.35")]  # type: ignore[attr-defined]
    many.write(
        many.spec.read_text()
        .replace("[true, false]", "true")
        .replace("aspect_ratios:", "framing: crop\naspect_ratios:")
    )
    assert "No cheaper way to the same campaign was found." in many.call(*PLAN, "--suggest").out


def test_suggestions_are_about_the_whole_campaign(left_alone: Studio) -> None:
    ended = left_alone.call(*PLAN, "--suggest", "--only", "beach*")
    assert ended.code == 2
    assert "--suggest looks at the whole campaign, and --only leaves some of it out." in ended.err


def test_a_kept_plan_needs_a_persons_yes_as_any_run_does(left_alone: Studio) -> None:
    ended = left_alone.call("run", "--plan", "plan.json")
    assert ended.code == 4
    assert "there is no terminal to ask for approval at" in ended.err
    assert left_alone.untouched()


def test_a_kept_plan_is_found_and_held_from_elsewhere_in_the_checkout(kept: Studio) -> None:
    file = kept.root / "media" / "plan.json"
    (kept.root / "plan.json").rename(file)
    ended = kept.call("run", "--plan", str(file))
    assert "this run costs 36 credits ($0.53)" in ended.err


def test_an_edited_campaign_is_named(kept: Studio) -> None:
    kept.write(CAMPAIGN + "# a comment\n")
    assert_moved(kept, "plan.json: error: 1 thing moved since this plan was drawn up: specs/tiny.yaml was edited.")


def test_a_campaign_that_cannot_be_planned_any_more_is_named(kept: Studio) -> None:
    kept.change("budget: $5.00", "budgit: $5.00")
    assert_moved(kept, "specs/tiny.yaml was edited: 1 problem in the campaign.")


def test_a_file_with_other_bytes_is_named(kept: Studio) -> None:
    clip = kept.root / "media/beach.mp4"
    whole = clip.read_bytes()
    clip.unlink()  # it is a link to the one that all tests share
    clip.write_bytes(whole + b"\0\0\0\x08free")
    moved = "2 things moved since this plan was drawn up: media/beach.mp4 has other bytes; beach--none--dusk--16x9 has other"
    assert_moved(kept, moved)


@pytest.mark.parametrize(
    ("file", "text"), [("specs/base.yaml", "budget: $4.00\n"), ("specs/dusk.txt", "Re-light the scene at dawn.")]
)
def test_a_file_that_the_campaign_reads_besides_itself_is_named(studio: Studio, file: str, text: str) -> None:
    (studio.root / "specs/base.yaml").write_text("budget: $5.00\n")
    (studio.root / "specs/dusk.txt").write_text("Re-light the scene at dusk.")
    own = CAMPAIGN.replace("budget: $5.00", "extends: base.yaml").replace(
        "dusk: Re-light the scene at dusk.", "dusk: {file: specs/dusk.txt}"
    )
    studio.write(own)
    kept = with_a_plan(studio)
    (kept.root / file).write_text(text)
    assert_moved(kept, f"plan.json: error: 2 things moved since this plan was drawn up: {file} has other bytes; ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "specs/other.yaml", *KEPT[1:]), "plan.json: error: this is a plan of specs/tiny.yaml, and not of specs/"),
        ((*KEPT, "--only", "beach*"), "plan.json: error: --plan runs what was selected when the plan was drawn up, and --only"),
        (("run", "--plan", SPEC), "specs/tiny.yaml: error: this is not a plan of Callsheet."),
        (("run", "--plan", "plam.json"), "plam.json: error: the plan cannot be read: No such file or directory."),
        (("run",), "error: no campaign was named."),
        ((*PLAN, "--out", SPEC), "specs/tiny.yaml: error: this file is no plan, and is not replaced by one."),
        ((*PLAN, "--out", "no/such/plan.json"), "no/such/plan.json: error: the plan cannot be written: No such file"),
        ((*PLAN, "--out", "p.json", "--why", "x"), "error: --why explains one variant, and --out is about the whole plan"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(left_alone: Studio, words: tuple[str, ...], message: str) -> None:
    ended = left_alone.call(*words)
    assert ended.code == 2, ended.err
    assert ended.err.startswith(message)
    assert left_alone.spec.read_text() == CAMPAIGN
    assert left_alone.untouched()


def test_with_a_key_of_any_paid_route_the_plan_is_that_of_a_run(new_studio: NewStudio) -> None:
    studio = new_studio(MIRROR_API_KEY="sk-mirror")
    (studio.root / "routes.toml").write_text('[mirror]\napi = "https://api.example.com"\nkey = "MIRROR_API_KEY"\n')
    told = rows(studio.call("plan", SPEC))
    assert "route mirror (https://api.example.com)" in told


def test_a_plan_for_the_provider_is_not_run_on_the_sandbox(new_studio: NewStudio) -> None:
    studio = new_studio()
    assert studio.call("plan", SPEC, "--paid", "--out", "plan.json").code == 0
    ended = studio.call(*KEPT, "--sandbox")
    assert ended.code == 2
    assert "this is a plan for the route evolink, and not for the sandbox." in ended.err
    assert studio.call("plan", SPEC, "--sandbox", "--out", "drafts.json").code == 0
    ended = studio.call("run", "--plan", "drafts.json", "--paid", "--yes")
    assert (ended.code, "this is a plan of free drafts, and not for the provider." in ended.err) == (2, True)
    ended = studio.call(*KEPT)
    assert ended.code == 5
    assert "There is no EVOLINK_API_KEY" in ended.err
    assert studio.untouched()


def test_a_kept_plan_runs_with_its_own_selection_and_once(new_studio: NewStudio, prefect: Mapping[str, str]) -> None:
    """The second time, the ledger has moved on: it is told with the lines, and nothing is bought."""
    studio = new_studio(**prefect)
    studio.write(MANY.replace("$5.00", "$50.00"))
    assert studio.call(*PLAN, "--only", "shore--none--dusk--*", "--limit", "2", "--out", "plan.json").code == 0
    assert document(studio.call(*KEPT, "--json"))["archived"] == 2
    assert studio.takes() == ["archived", "archived"]
    ended = studio.call(*KEPT)
    assert ended.code == 4
    slugs = "shore--none--dusk--16x9--sound and shore--none--dusk--16x9--mute"
    assert f"2 lines were shoot and are skip: {slugs}" in ended.err
    assert studio.takes() == ["archived", "archived"]


# --- after a review -----------------------------------------------------------------------------------------------------


def verdicts(studio: Studio, said: Mapping[str, str]) -> Mapping[str, object]:
    """The plan of `many` with what a reviewer said of its variants, which is left in verdicts.json."""
    plan = json.loads(studio.call(*PLAN, "--json").out)
    axes = {"references": "none", "prompt": "dusk", "model": "kling-o1-video-edit", "take": 1}
    judged = [
        {
            "key": line["key"],
            "slug": line["slug"],
            "axes": {**axes, "clip": "beach", "aspect_ratio": "16:9", "keep_original_sound": True},
            "says": said[line["slug"]],
            "at": "2026-11-26T12:00:00Z",
        }
        for line in plan["lines"]
        if line["slug"] in said
    ]
    assert len(judged) == len(said)
    document = {"campaign": "tiny", "draft": True, "plan": plan["digest"], "verdicts": judged}
    (studio.root / "verdicts.json").write_text(json.dumps(document))
    totals: Mapping[str, object] = plan["totals"]
    return totals


def test_a_review_leaves_out_adds_and_shows_what_it_saves_and_its_plan_is_kept_as_any_other(many: Studio) -> None:
    first, *others = (
        f"{clip}--none--dusk--16x9--{sound}" for clip in ("beach", "shore") for sound in ("sound", "mute")
    )
    whole = verdicts(many, {first: "retake", others[0]: "reject", others[1]: "approve"})
    ended = many.call(*PLAN, "--verdicts", "verdicts.json", "--json", "--out", "plan.json")
    plan = json.loads(ended.out)
    assert ended.code == 0
    assert (plan["totals"]["variants"], whole["variants"]) == (24, 24)  # one less, and one more take
    assert plan["round"]["rejected"] == [others[0]]
    assert plan["round"]["retaken"] == [f"{first}--t2"]
    assert plan["round"]["saved"] == {"credits": "0", "usd": "0.00"}  # what the take more costs is not saved
    reasons = {(line["slug"], line["take"]): line["reason"] for line in plan["lines"]}
    assert reasons[first, 2] == f"one more take of {first}, as the review asks"
    promoted = many.call(*PLAN, "--verdicts", "verdicts.json", "--promote", "1:1")
    assert "added      1 more take, 1 promoted" in promoted.out
    without = json.loads(many.call(*PLAN, "--json").out)["totals"]["credits"]
    cost = json.loads(many.call(*PLAN, "--verdicts", "verdicts.json", "--promote", "1:1", "--json").out)["totals"][
        "credits"
    ]
    assert f"saving     {float(without) - float(cost):g} credits" in promoted.out
    (many.root / "verdicts.json").write_text(json.dumps({"campaign": "tiny"}))
    assert "these are no verdicts" in many.call(*KEPT).err
