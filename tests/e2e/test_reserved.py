"""`callsheet reconcile` on what was reserved and never sent: to send it costs, so somebody says yes first."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest

from callsheet.credits import Credits
from callsheet.ledger.book import Booking, Ledger
from tests.e2e.conftest import PATIENCE, SPEC, NewStudio, Studio
from tests.steps.local_provider import LocalProvider, serving

pytestmark = pytest.mark.slow

QUESTION = "1 take is reserved and never sent (take 1); to send it costs 36 credits"


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    with serving() as running:
        yield running


@pytest.fixture
def unsent(new_studio: NewStudio, prefect: Mapping[str, str], provider: LocalProvider) -> Studio:
    """A studio whose run was killed between reserving its only take and sending it."""
    studio = new_studio(**prefect, EVOLINK_BASE_URL=provider.url, EVOLINK_API_KEY="sk-evo-test")
    plan = json.loads(studio.call("plan", SPEC, "--json").out)
    (line,) = plan["lines"]
    booking = Booking(
        campaign="tiny",
        route=plan["route"],
        slug=line["slug"],
        key=line["key"],
        number=1,
        price=Credits.of("36"),
        budget=None,
        plan=plan["digest"],
        supersedes=0,
    )
    studio.home.mkdir(exist_ok=True)
    with closing(Ledger(f"sqlite:///{studio.home}/ledger.sqlite")) as ledger:
        ledger.reserve(booking)
    return studio


def test_what_was_never_sent_is_sent_only_where_somebody_says_so(unsent: Studio, provider: LocalProvider) -> None:
    alone = unsent.call("reconcile", SPEC, "--json")
    assert alone.code == 0, alone.err
    assert QUESTION in alone.err
    assert "Left alone" in alone.err
    code, said = answered(unsent, "n")
    assert code == 0, said
    assert "Spend 36 credits" in said
    assert (unsent.takes(), provider.submits) == (["reserved"], [])
    sent = unsent.call("reconcile", SPEC, "--yes", "--json")
    assert sent.code == 0, sent.err
    assert json.loads(sent.out).items() >= {"archived": 1, "credits": "36"}.items()
    assert (unsent.takes(), len(provider.submits)) == (["archived"], 1)


def test_a_yes_at_the_question_sends_it(unsent: Studio, provider: LocalProvider) -> None:
    code, said = answered(unsent, "y")
    assert code == 0, said
    assert QUESTION in said
    assert (unsent.takes(), len(provider.submits)) == (["archived"], 1)


def answered(studio: Studio, answer: str) -> tuple[int, str]:
    """How `callsheet reconcile` ends, and what it says, with a person at its keyboard who answers so."""
    keyboard, seat = os.openpty()
    running = studio.start("reconcile", SPEC, "--json", stdin=seat)
    os.close(seat)
    os.write(keyboard, f"{answer}\n".encode())
    try:
        _, said = running.communicate(timeout=PATIENCE)
    finally:
        os.close(keyboard)
    return running.returncode, said
