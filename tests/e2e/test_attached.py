"""`callsheet run` on a campaign that is running: it shows that run, buys nothing, and goes on where that one dies."""

import json
import re
import signal
from collections.abc import Mapping

import pytest

from tests import books
from tests.e2e.conftest import PATIENCE, SPEC, NewStudio
from tests.e2e.instants import VARIANTS, assert_paid_once_and_archived, has_begun, laid_out, states, wait_until

pytestmark = pytest.mark.slow


def test_a_second_run_shows_the_first_and_takes_over_when_it_is_killed(
    new_studio: NewStudio, prefect: Mapping[str, str]
) -> None:
    studio = laid_out(new_studio, prefect)
    first = studio.start("run", SPEC, "--sandbox", "--yes")
    wait_until(lambda: has_begun(studio, first), first, "its flow has begun")
    wait_until(lambda: states(studio) == ["submitted"] * VARIANTS, first, "every take is sent")
    second = studio.start("run", SPEC, "--sandbox", "--json")  # nothing is bought, so nobody is asked
    query = "select 1 from runs where ended is null and who like"
    ledger = studio.home / "ledger.sqlite"
    wait_until(lambda: bool(books.rows(ledger, f"{query} 'process {second.pid} on %'")), second, "it stands by")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    out, err = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, err
    assert re.search(rf"running    \d variants? (is|are) being rendered by process {first.pid} on ", err)
    account = json.loads(out)
    assert account["archived"] + account["skipped"] == VARIANTS  # some may be home before it draws up its plan
    assert_paid_once_and_archived(studio)
