"""What the provider says is left, against what the ledger spent since it was asked before."""

from datetime import UTC, datetime

import pytest

from callsheet.audit import Statement, against_statement
from callsheet.credits import Credits


def said(balance: int, *, held: int = 0, charged: int = 0) -> Statement:
    moment = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    amounts = {"balance": balance, "held": held, "charged": charged}
    return Statement(at=moment, **{name: Credits.of(amount) for name, amount in amounts.items()})


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (said(1000), said(1000)),
        (said(1000), said(900, charged=100)),
        (said(1000, charged=50), said(900, charged=150)),
        (said(1000), said(900, held=100)),
        (said(1000), said(1000, held=100)),
        (said(1000, held=100), said(1000, charged=100)),
        (said(1000, held=100), said(900, charged=100)),
        (said(1000, held=100), said(1000)),
        (said(900, held=100), said(1000, charged=0, held=0)),
    ],
)
def test_an_account_that_fell_by_what_was_charged_is_right_whatever_is_under_way(
    then: Statement, now: Statement
) -> None:
    assert [finding.severity for finding in against_statement(then, now, "evolink")] in ([], ["note"])


def test_credits_that_this_ledger_did_not_spend_are_wrong() -> None:
    (found,) = against_statement(said(1000), said(863, charged=100), "evolink")
    assert found.severity == "no"
    assert "the account of evolink fell by 137 credits ($2.02), and this ledger spent 100 credits ($1.48)" in found.what
    assert "37 went elsewhere" in found.what


def test_an_account_that_was_topped_up_is_noted() -> None:
    (found,) = against_statement(said(1000), said(1900, charged=100), "evolink")
    assert found.severity == "note"
    assert "has 1000 credits ($14.71) more than what was spent leaves" in found.what
