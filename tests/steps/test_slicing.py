"""A campaign in slices: each buys what is its own under its own approval, and what is left of a dead one is cut again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callsheet.credits import Credits
from callsheet.errors import BudgetExceeded, NotApproved, PlanChanged, SpecError
from callsheet.ledger.book import Ledger
from callsheet.media import frames
from callsheet.slices import Part
from callsheet.steps import outcome, slicing, studio, submit, wrap
from callsheet.steps.load import load
from callsheet.steps.slicing import Sharing
from callsheet.take import State

from .local_provider import LocalProvider
from .shoot import ODD, run

pytestmark = pytest.mark.slow

PROMPTS = """\
  good: A good one.
  odd: An odd one.
"""
MORE = """\
  good: A good one.
  odd: An odd one.
  fine: A fine one.
"""


@pytest.fixture
def big(spec: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLSHEET_SLICE", "1")
    spec.write_text(spec.read_text().replace(PROMPTS, MORE))
    return spec


@asynccontextmanager
async def shared(spec: Path, max_usd: str | None = None, **chosen: Any) -> AsyncIterator[Sharing]:
    """The plan of a campaign that is big, approved."""
    async with studio.opened(spec, sandbox=False, **chosen) as at:
        assert slicing.is_big(at, part=None, attach_only=False)
        assert not slicing.is_big(at, part="1-2", attach_only=False)
        assert not slicing.is_big(at, part=None, attach_only=True)
        outcome.approve(at, approved=None, by="test", max_usd=max_usd)
        sharing = Sharing(drawn=at.drawn, by="test", ceiling=at.ceiling)
    yield sharing


def given(sharing: Sharing, number: int, *, is_first: bool = True) -> dict[str, Any]:
    """What the run of a slice is given, as `run` takes it."""
    told = slicing.parameters(sharing, slicing.cut(sharing)[number], is_first=is_first)
    assert json.loads(json.dumps(told)) == told
    return {name: value for name, value in told.items() if name not in ("spec", "approved_by", "occurrence")}


async def test_the_slices_make_all_of_it_and_the_campaign_accounts_for_the_whole(
    big: Path, provider: LocalProvider
) -> None:
    async with shared(big) as sharing:
        cuts = slicing.cut(sharing)
        assert [str(one.part) for one in cuts] == ["1-1", "2-2", "3-3"]
        for number in range(3):
            account, _ = await run(big, **given(sharing, number))
            assert account.message == "1 of 1 archived"
            assert not account.manifest.exists()
        percent, words = slicing.how_far(sharing, [one.plan.digest for one in cuts])
        assert (percent, words) == (100.0, "3 of 3 archived")
        assert await slicing.left_of(sharing, cuts) == ()
        async with studio.opened(big, sandbox=False, attach_only=True):
            whole = await wrap.wrap({}, plan=sharing.plan)
    assert whole.message == "3 of 3 archived"
    assert whole.credits == sharing.plan.credits
    assert len(json.loads(whole.manifest.read_bytes())["entries"]) == 3
    assert len(provider.jobs) == 3


async def test_a_slice_that_comes_again_buys_nothing_and_one_of_a_changed_plan_says_so(
    big: Path, provider: LocalProvider
) -> None:
    async with shared(big) as sharing:
        await run(big, **given(sharing, 0))
        account, _ = await run(big, **given(sharing, 0))
        assert account.message == "nothing to do, 1 skipped"
        big.write_text(big.read_text().replace(ODD, "Another one."))
        with pytest.raises(PlanChanged):
            await run(big, **given(sharing, 1))
    assert len(provider.jobs) == 1


async def test_what_is_left_of_dead_slices_is_what_nobody_has_tried(big: Path, provider: LocalProvider) -> None:
    provider.scripts[ODD] = [422]
    async with shared(big) as sharing:
        cuts = slicing.cut(sharing)
        account, _ = await run(big, **given(sharing, 1))
        assert account.message.startswith("0 of 1 archived, 1 ")
        left = await slicing.left_of(sharing, cuts)
        assert [one.labels for one in left] == [cuts[0].labels, cuts[2].labels]
        assert [one.plan.digest for one in left] == [cuts[0].plan.digest, cuts[2].plan.digest]
        percent, words = slicing.how_far(sharing, [one.plan.digest for one in cuts])
        assert words == "0 of 3 archived, 1 failed; 2 waiting"
        assert percent == 33.3


async def test_what_a_stopped_slice_had_reserved_and_never_sent_is_left_for_another(big: Path) -> None:
    async with shared(big) as sharing:
        cuts = slicing.cut(sharing)
        async with studio.opened(big, sandbox=False, part="1-1") as at:
            take = submit._reserve(at, at.plan.lines[0])
            at.ledger.released(take.id, reason="not sent; stopped by its worker", run=at.run.id)
        left = await slicing.left_of(sharing, cuts)
        assert [one.labels for one in left] == [one.labels for one in cuts]


async def test_a_ceiling_is_shared_and_the_shares_add_up_to_no_more(big: Path) -> None:
    async with shared(big, max_usd="2.00") as sharing:
        told = [given(sharing, number)["max_usd"] for number in range(3)]
        assert sum((Credits.parse(one) for one in told), Credits()).units <= Credits.of_usd("2.00").units
        assert min(Credits.parse(one) for one in told) > sharing.plan.lines[0].price
        assert given(sharing, 0, is_first=False)["max_usd"] == "36 credits"
        with pytest.raises(BudgetExceeded, match="35 credits"):
            await run(big, **{**given(sharing, 0), "max_usd": "35 credits"})
        with pytest.raises(SpecError, match="`1e400000` is not an amount of dollars"):
            await run(big, **{**given(sharing, 0), "max_usd": "1e400000"})


async def test_the_campaign_s_run_owns_nothing_while_its_slices_work(big: Path) -> None:
    async with shared(big) as sharing, slicing.attending(sharing, "flow-1") as attending:
        account, _ = await run(big, **given(sharing, 2))
        assert account.message == "1 of 1 archived"
        with closing(Ledger(f"sqlite:///{big.parent.parent}/.callsheet/ledger.sqlite")) as ledger:
            assert [one.id for one in ledger.running()] == [attending.id]
            assert [take.state for take in ledger.takes()] == [State.ARCHIVED]
        assert await slicing.gone(sharing, ["flow-1", "flow-2"]) == (set(), {"flow-2"})


async def test_only_and_limit_hold_in_the_slices(big: Path, provider: LocalProvider) -> None:
    async with shared(big, skip=["*odd*"], limit=2) as sharing:
        for number, _ in enumerate(slicing.cut(sharing)):
            await run(big, **given(sharing, number))
    assert sorted(job["prompt"] for job in provider.jobs.values()) == ["A fine one.", "A good one."]


async def test_a_slice_does_not_buy_what_a_person_left_out_of_the_whole(
    big: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_SLICE", "2")
    big.write_text(big.read_text().replace("  fine: A fine one.\n", "  fine: A fine one.\n  new: A new one.\n"))
    async with shared(big, left_out=("prompt=odd",)) as sharing:
        assert [str(one.part) for one in slicing.cut(sharing)] == ["1-3", "4-4"]
        account, _ = await run(big, **given(sharing, 0))
        assert account.message == "2 of 2 archived"
    assert {prompt for prompt, _ in provider.submits} == {"A good one.", "A fine one."}


def test_a_part_has_the_cells_clips_and_names_of_its_variants(big: Path) -> None:
    """Of two takes of one variant, one may be in each of two slices."""
    big.write_text(big.read_text() + "takes: 2\n")
    whole = load(big)
    assert [variant.label.rpartition("--")[2] for variant in whole.variants] == ["t1", "t2"] * 3
    for first in range(1, 7):
        for last in range(first, 7):
            part = whole.only(Part(first=first, last=last))
            assert part.variants == whole.variants[first - 1 : last]
            texts = {variant.text for variant in part.variants}
            assert {cell.words.text for cell in part.cells} == texts
            assert part.clips == whole.clips


def with_prompts(spec: Path, more: str, tail: str = "") -> None:
    text = spec.read_text().replace("  fine: A fine one.\n", more).replace("$2.00", "$20.00")
    spec.write_text(text + tail)


async def test_what_is_rendered_afresh_is_bought_by_the_slice_that_has_it_first_alone(
    big: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_SLICE", "2")
    with_prompts(big, "  a: A fine one.\n  twin: A good one.\n  b: A new one.\n", "rerender: every-run\n")
    await run(big)
    async with shared(big) as sharing:
        assert [str(one.part) for one in slicing.cut(sharing)] == ["1-2", "3-5"]
        for number in range(2):
            account, _ = await run(big, **given(sharing, number))
            assert account.message == "2 of 2 archived"
    assert [prompt for prompt, _ in provider.submits].count("A good one.") == 2


async def test_what_was_left_out_and_is_archived_does_not_stop_what_is_left_of_a_dead_slice(
    big: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_SLICE", "2")
    with_prompts(big, "  fine: A fine one.\n  new: A new one.\n")
    await run(big, only=["*odd*"])
    async with shared(big, left_out=("prompt=odd",)) as sharing:
        cuts = slicing.cut(sharing)
        left = await slicing.left_of(sharing, cuts)
        assert [one.plan.digest for one in left] == [one.plan.digest for one in cuts]
        told = slicing.parameters(sharing, left[0], is_first=False)
        kept = {name: value for name, value in told.items() if name not in ("spec", "approved_by", "occurrence")}
        account, _ = await run(big, **kept)
    assert account.message == "2 of 2 archived"


async def test_the_word_that_a_slice_was_given_is_good_for_no_other_run(big: Path) -> None:
    """It has neither the cap nor the hour of the approval of the whole."""
    big.write_text(big.read_text() + "approve_above: $0.50\n")
    async with studio.opened(big, sandbox=False) as at:
        outcome.approve(at, approved=at.plan.digest, by="Ada", max_usd="1.60")
        sharing = Sharing(drawn=at.drawn, by="Ada", ceiling=at.ceiling)
    chosen: dict[str, Any] = {"only": ["*odd*"], "part": "2-2"}
    async with studio.opened(big, sandbox=False, **chosen) as at:
        outcome.approve(at, approved=slicing.cut(sharing)[1].plan.digest, by="Ada", max_usd=None)
        slice_s, whole = at.ledger.rulings(campaign="tiny")
    assert (slice_s.allows, slice_s.expires_at) == (None, None)
    assert whole.cap == Credits.of_usd("1.60")
    assert whole.allows is not None


async def test_a_slice_of_a_campaign_that_was_cut_with_another_ledger_buys_nothing(
    big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that cut it would take it for dead, and have it bought once more."""
    async with shared(big, flow_run="f-1"), studio.opened(big, sandbox=False, part="1-1") as at:
        slicing.refuse_stranger(at, "f-1")
        slicing.refuse_stranger(at, None)
    monkeypatch.setenv("CALLSHEET_LEDGER", f"sqlite:///{big.parent.parent}/another.sqlite")
    async with studio.opened(big, sandbox=False, part="1-1") as at:
        with pytest.raises(NotApproved, match="knows nothing of flow run `f-1`"):
            slicing.refuse_stranger(at, "f-1")


async def test_a_part_beyond_the_campaign_and_one_between_two_takes_buy_what_is_in_them(
    big: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_SLICE", "3")
    big.write_text(big.read_text().replace("  fine: A fine one.\n", "").replace("$2.00", "$4.00") + "takes: 2\n")
    account, _ = await run(big, part="100-200")
    assert (account.message, len(provider.jobs)) == ("nothing to do", 0)
    async with shared(big) as sharing:
        assert [str(one.part) for one in slicing.cut(sharing)] == ["1-3", "4-4"]
        for number in range(2):
            await run(big, **given(sharing, number))
        assert len(provider.jobs) == 4
        assert await slicing.left_of(sharing, slicing.cut(sharing)) == ()


async def test_two_runs_of_one_machine_make_the_same_picture_at_the_same_time(
    big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As slices of one clip do; one must not take the other's half-made file away."""
    await run(big, part="1-1")
    both, drawn = asyncio.Event(), []

    async def poster(_video: Path, target: Path, *, seconds: object) -> None:
        drawn.append(target)
        target.write_bytes(b"a picture")
        if len(drawn) == 2:
            both.set()
        await both.wait()

    monkeypatch.setattr(frames, "poster", poster)
    monkeypatch.setattr(wrap, "_facts", lambda _film: SimpleNamespace(seconds=3))
    held = wrap.Held(clips={}, there={})
    film = big.parent.parent / "media/cup.mp4"
    async with (
        studio.opened(big, sandbox=False, part="1-1") as one,
        studio.opened(big, sandbox=False, part="2-2") as other,
    ):
        keys = await asyncio.gather(*(wrap._poster(at, film, "f" * 64, None, held) for at in (one, other)))
    assert keys[0] == keys[1] is not None
    assert not any(target.exists() for target in drawn)
