"""What is posted about a run: words that add up, and no text of others that becomes a link, a picture or a secret."""

import re
from pathlib import Path

import pytest

from callsheet import causes
from callsheet.credits import ZERO
from callsheet.steps import bulletin, outcome
from callsheet.steps.progress import Event, Stage, nobody
from callsheet.steps.wrap import Account, Ended
from tests.unit import plans

LABELS = ("a", "b", "c", "d")


def test_the_bar_counts_every_variant_the_same_and_every_stage_a_fifth() -> None:
    heard: list[Event] = []
    progress = bulletin.Progress(labels=LABELS, also=heard.append)
    assert (progress.percent, progress.words) == (0.0, "0 of 4 archived; 4 waiting")
    for label, stage, state, fraction in (
        ("a", "deliver", "done", 1.0),
        ("b", "submit", "failed", 0.0),
        ("c", "follow", "moved", 0.5),
    ):
        progress.hear(Event(label=label, stage=stage, state=state, fraction=fraction))  # type: ignore[arg-type]
    assert progress.words == "1 of 4 archived, 1 failed; 1 rendering, 1 waiting"
    assert progress.percent == round(100 * (1 + 1 + 0.7) / 4, 1)
    assert len(heard) == 3


def test_a_run_with_nothing_to_do_is_done() -> None:
    assert bulletin.Progress(labels=(), also=nobody).percent == 100.0


@pytest.mark.parametrize("stage", ["prepare", "stage", "submit", "follow", "deliver"])
def test_every_stage_has_a_word_for_what_goes_on(stage: Stage) -> None:
    progress = bulletin.Progress(labels=("a",), also=nobody)
    progress.hear(Event(label="a", stage=stage, state="began"))
    assert progress.words.startswith("0 of 1 archived; 1 ")


def account(reason: str) -> Account:
    """Fifteen variants or so that all failed for one reason."""
    lines = plans.plan().lines
    ended = tuple(Ended(line=line, outcome="failed", take=None, reason=reason, cause=causes.REQUEST) for line in lines)
    archive = Path("/studio/archive/hello")
    board = archive / "review/index.html"
    return Account(
        campaign="hello",
        route="sandbox",
        ended=ended,
        files=str(archive),
        manifest=archive / "manifest.json",
        board=board,
    )


def test_a_reason_that_many_variants_share_is_told_once_with_their_names() -> None:
    told = account("refused")
    page = bulletin.failures_page(told, "specs/a.yaml")
    assert page.startswith(f"### {len(told.ended)} refused by the provider\n\n**Next:** ")
    assert page.count("- refused") == 1
    labels = [f"`{ended.line.variant.label}`" for ended in told.ended]
    assert [label in page for label in labels] == [True] * bulletin.MOST_NAMES + [False] * 4
    assert " and 4 more" in page
    assert "Nothing was charged." in page


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://evil.example/a.png)",
        "[pay here](https://evil.example)",
        "<img src=x onerror=alert(1)>",
        "see www.evil.example",
        "a\n\n# Approved\n\n- [x] done",
    ],
)
def test_what_a_provider_said_is_shown_as_it_is(hostile: str) -> None:
    page = bulletin.failures_page(account(hostile), "specs/a.yaml")
    (quoted,) = [line for line in page.splitlines() if line.startswith("- ")]
    assert not set(re.sub(r"\\.", "", quoted.removeprefix("- "))) & set("![]()<>#:.*`")


@pytest.mark.parametrize(
    "hostile", ["![x](//evil/b.png) <img src=//evil/b.png>", "[go](javascript:alert(1))", "a|b `c` \\[d]"]
)
def test_nor_does_it_make_markup_in_a_table_and_comes_out_of_it_as_it_was(hostile: str) -> None:
    (row, *_) = outcome.rows(account(hostile))
    assert not set(re.sub(r"\\.", "", row["reason"])) & set("![]<>`|")
    assert outcome.of_cell(row["reason"]) == hostile


def test_a_secret_in_a_reason_is_on_no_page() -> None:
    page = bulletin.failures_page(account("refused sk-evo-4f9d27c1e8b35a60 for /a?X-Amz-Signature=b3a1c5d9"), "a.yaml")
    assert "4f9d27c1" not in page
    assert "b3a1c5d9" not in page


def test_the_first_page_names_board_files_and_money() -> None:
    page = bulletin.result_page(account("refused"), "specs/a.yaml")
    assert "`/studio/archive/hello/review/index.html`" in page
    assert "`callsheet review specs/a.yaml --open`" in page
    assert f"{ZERO.spoken.split(' ')[0]} credits" in page


def test_tags_say_whether_it_costs_money() -> None:
    plan = plans.plan()
    assert bulletin.tags(plan)[:2] == ["campaign:hello", "route:sandbox"]
    assert bulletin.tags(plan)[2] == f"plan:{plan.digest[:12]}"
