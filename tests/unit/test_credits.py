"""Money is exact: parsing, printing, adding, and never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.credits import ZERO, Credits, total


@pytest.mark.parametrize(
    ("text", "credits"),
    [
        ("$40.00", "2720"),
        ("$40", "2720"),
        ("40 USD", "2720"),
        ("2720 credits", "2720"),
        ("1 credit", "1"),
        ("$1,000", "68000"),
    ],
)
def test_an_amount_is_read_as_a_person_writes_it(text: str, credits: str) -> None:
    assert Credits.parse(text) == Credits.of(credits)


@pytest.mark.parametrize(
    "text",
    ["40", "", "$", "-$4", "4 euros", "$4 credits", "1e3 credits", "$40,00", "$4,0000", "$0.00001", "NaN credits"],
)
def test_an_amount_without_its_unit_or_finer_than_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"written like|finer than"):
        Credits.parse(text)


@pytest.mark.parametrize(
    ("text", "credits"),
    [
        ("25", "1700"),
        (" 25.00 ", "1700"),
        ("$25", "1700"),
        ("1,000.50", "68034"),
        ("2720.5 credits", "2720.5"),
        ("1 USD", "68"),
    ],
)
def test_a_ceiling_is_dollars_unless_it_says_otherwise(text: str, credits: str) -> None:
    assert Credits.of_ceiling(text) == Credits.of(credits)


@pytest.mark.parametrize("text", ["banana", "-5", ".5", "1e1", "+5", "1_0", "25 euros", "", "$", "NaN", "40,00"])
def test_what_is_no_amount_is_no_ceiling(text: str) -> None:
    with pytest.raises(ValueError, match="an amount is written like"):
        Credits.of_ceiling(text)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_credits_survive_being_printed_and_read(units: int) -> None:
    credits = Credits(units=units)
    assert Credits.of(str(credits)) == credits
    assert "e" not in str(credits).lower()


@given(st.lists(st.integers(min_value=0, max_value=10**9)))
def test_a_total_is_the_sum_of_its_units(units: list[int]) -> None:
    assert total([Credits(units=one) for one in units]).units == sum(units)


@given(st.integers(min_value=0, max_value=10**12))
def test_dollars_are_never_fewer_than_the_credits_are_worth(units: int) -> None:
    credits = Credits(units=units)
    exact = Decimal(units) / 680_000
    assert exact <= credits.usd < exact + Decimal("0.01")


def test_the_spoken_form_says_both() -> None:
    assert Credits.of("63.84").spoken == "63.84 credits ($0.94)"
    assert Credits.of(1).spoken == "1 credit ($0.02)"
    assert not ZERO
