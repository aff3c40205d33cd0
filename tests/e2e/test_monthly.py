"""CALLSHEET_MONTHLY_BUDGET: shown by plan and spend, and no run begins that would pass it."""

import json
from contextlib import closing

from callsheet.credits import Credits
from callsheet.ledger.book import Booking, Ledger

from .conftest import SPEC, NewStudio, Studio

#: Nobody listens there, and nothing is sent there.
PAID = {"EVOLINK_BASE_URL": "http://127.0.0.1:9", "EVOLINK_API_KEY": "sk-evo-test"}


def spent(studio: Studio, amount: int, *, campaign: str = "other", route: str = "loopback") -> None:
    """Another campaign has sent a take of this price this month."""
    studio.home.mkdir(exist_ok=True)
    booking = Booking(campaign=campaign, route=route, slug="cup", key=f"{amount}", number=1, price=Credits.of(amount),
                      plan="p", supersedes=0, budget=None)  # fmt: skip
    with closing(Ledger(f"sqlite:///{studio.home}/ledger.sqlite")) as ledger:
        ledger.submitting(ledger.reserve(booking).id, request={})


def test_plan_shows_what_is_left_of_the_month_and_a_run_that_would_pass_it_does_not_begin(
    new_studio: NewStudio,
) -> None:
    studio = new_studio(**PAID, CALLSHEET_MONTHLY_BUDGET="100 credits")
    spent(studio, 90)
    planned = studio.call("plan", SPEC, "--paid")
    assert "100 credits ($1.48) in 20" in planned.out
    assert "(UTC), all campaigns: 0 charged, 90 held, 10 left" in planned.out
    month = json.loads(studio.call("plan", SPEC, "--paid", "--json").out)["month"]
    assert {name: month[name] for name in ("limit", "charged", "held", "left")} == {
        "limit": "100", "charged": "0", "held": "90", "left": "10",
    }  # fmt: skip
    refused = studio.call("run", SPEC, "--yes", "--ephemeral")
    assert refused.code == 4, refused.err
    assert "CALLSHEET_MONTHLY_BUDGET: error: 1 variant costs 36 credits ($0.53), 26 credits ($0.39) more" in refused.err
    assert studio.takes() == ["submitting"]


def test_drafts_are_not_held_to_the_month(new_studio: NewStudio) -> None:
    studio = new_studio(**PAID, CALLSHEET_MONTHLY_BUDGET="1 credit")
    assert json.loads(studio.call("plan", SPEC, "--sandbox", "--json").out)["month"] is None


def test_spend_shows_the_month_of_each_route_that_costs(new_studio: NewStudio) -> None:
    studio = new_studio(**PAID, CALLSHEET_MONTHLY_BUDGET="$2.00")
    assert "loopback: 136 credits ($2.00) in 20" in studio.call("spend").out
    spent(studio, 90)
    spent(studio, 10, campaign="third")
    spent(studio, 70, route="sandbox")
    ended = studio.call("spend")
    assert "(UTC), all campaigns: 0 charged, 100 held, 36 left" in ended.out
    document = json.loads(studio.call("spend", "--json").out)
    assert [(month["route"], month["left"]) for month in document["months"]] == [("loopback", "36")]
    assert len(document["spend"]) == 3


def test_an_amount_that_is_none_is_told(new_studio: NewStudio) -> None:
    ended = new_studio(CALLSHEET_MONTHLY_BUDGET="500").call("plan", SPEC)
    assert ended.code == 2
    assert (
        'CALLSHEET_MONTHLY_BUDGET: error: must be what a month may cost: an amount is written like "$40.00"'
        in ended.err
    )
