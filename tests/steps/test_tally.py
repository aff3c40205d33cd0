"""Where the takes of a plan stand, as a person is told who leaves a run or asks for its status."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from callsheet.steps import draw_up, presence, tally
from callsheet.steps.draw_up import Drawn

from .local_provider import LocalProvider
from .shoot import run, takes


def drawn(spec: Path, **chosen: object) -> Drawn:
    return draw_up.draw_up(spec, sandbox=False, **chosen)  # type: ignore[arg-type]  # what a test chooses


async def test_before_anything_is_sent_nothing_was(spec: Path, provider: LocalProvider) -> None:
    assert tally.so_far(drawn(spec)) == "0 of 2 archived, 2 not sent"


async def test_films_that_are_made_again_are_not_counted_as_made(spec: Path, provider: LocalProvider) -> None:
    await run(spec)
    assert tally.so_far(drawn(spec)) == "2 of 2 archived"
    assert tally.so_far(drawn(spec, again=("*--good--*",))) == "1 of 2 archived, 1 not sent"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, "run specs/tiny.yaml"),
        ({"only": ("*--good--*",)}, "run specs/tiny.yaml --only *--good--*"),
        ({"again": ("*",)}, "reconcile specs/tiny.yaml"),  # what was made again already would be bought once more
        ({"limit": 1}, "reconcile specs/tiny.yaml"),  # the next one would be bought
    ],
)
def test_what_goes_on_with_a_run_buys_nothing_that_it_did_not(
    spec: Path, provider: LocalProvider, chosen: dict[str, object], words: str
) -> None:
    assert " ".join(tally.next_words(drawn(spec, **chosen), attach_only=False)) == words
    assert tally.next_words(drawn(spec, **chosen), attach_only=True) == ["reconcile", "specs/tiny.yaml"]


async def test_a_ledger_that_cannot_be_read_takes_nothing_from_what_is_said(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = drawn(spec)
    home = plan.settings.home
    home.mkdir(exist_ok=True)
    (home / draw_up.LEDGER).write_text("no database")
    assert tally.so_far(plan) == ""


async def test_a_take_is_worked_on_while_its_run_lives_and_by_nobody_afterwards(
    spec: Path, provider: LocalProvider
) -> None:
    provider.results[:] = [410] * 9
    await run(spec, only=("*--good--*",))
    settings = drawn(spec).settings
    (take,) = takes(spec)

    def told() -> Mapping[int, str]:
        with closing(draw_up.open_ledger(settings)) as ledger:
            return tally.at_work(settings, ledger, ledger.takes())

    assert (str(take.state), told()) == ("succeeded", {take.id: ""})
    with closing(draw_up.open_ledger(settings)) as ledger, presence.owning(settings, ledger, take):
        assert told()[take.id].startswith(f"{presence.who()}, since ")
    assert told() == {take.id: ""}
