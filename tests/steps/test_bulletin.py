"""What is posted about a run: words that add up, and no text of others that becomes a link, a picture or a secret."""

from pathlib import Path

import pytest

from callsheet import causes
from callsheet.steps import bulletin, outcome, wrap
from callsheet.steps.progress import Event, Stage, nobody
from callsheet.steps.wrap import Account, Ended
from tests.unit.plans import plan_of

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
