"""`callsheet audit`, on the files of a studio that somebody tampered with."""

import json
import sqlite3
from contextlib import closing

from callsheet.credits import Credits
from callsheet.ledger.book import Booking, Ledger

from .conftest import NewStudio, Studio


def used(studio: Studio) -> Studio:
    """A take is archived in its ledger, another is held."""
    studio.home.mkdir()
    booking = Booking(campaign="tiny", route="evolink", slug="cup", key="1" * 64, number=1, price=Credits.of(36),
                      plan="p", supersedes=0, budget=None)  # fmt: skip
    with closing(Ledger(f"sqlite:///{studio.home}/ledger.sqlite")) as ledger:
        take = ledger.reserve(booking)
        ledger.submitting(take.id, request={})
        ledger.submitted(take.id, job="task-1")
        ledger.succeeded(take.id, charged=Credits.of(36))
        ledger.archived(take.id, archive="tiny/cup.mp4", sha256="s")
    return studio


def test_a_ledger_as_it_was_written_is_sound(new_studio: NewStudio) -> None:
    studio = used(new_studio())
    ended = studio.call("audit")
    assert ended.code == 0, ended.err
    head = ended.out.partition("head       ")[2][:64]
    assert "journal    5 entries, 1 takes" in ended.out
    assert "result     the ledger is as it was written" in ended.out
    document = json.loads(studio.call("audit", "--json", "--head", head).out)
    assert document["ok"] is True
    assert document["head"] == head
    money = {"campaign": "tiny", "route": "evolink", "held": "0", "charged": "36", "reported": "36", "unreported": 0}
    assert document["money"] == [money]


def test_a_row_that_was_tampered_with_is_named_and_the_command_leaves_with_6(new_studio: NewStudio) -> None:
    studio = used(new_studio())
    with closing(sqlite3.connect(studio.home / "ledger.sqlite", isolation_level=None)) as raw:
        (guard,) = raw.execute("select sql from sqlite_master where name = 'journal_is_as_written'").fetchone()
        raw.execute("drop trigger journal_is_as_written")
        raw.execute("update journal set charged = 10000 where id = 4")
        raw.execute(guard)
    ended = studio.call("audit")
    assert ended.code == 6
    assert "wrong      entry 4 (take 1, submitted to succeeded) of the journal: changed, its hash" in ended.out
    assert "result     1 wrong" in ended.out
    document = json.loads(studio.call("audit", "--json").out)
    assert document["ok"] is False
    assert [one["severity"] for one in document["findings"]] == ["no"]


def test_a_studio_without_a_ledger_has_nothing_to_audit(new_studio: NewStudio) -> None:
    studio = new_studio()
    assert studio.call("audit").out == "There is no ledger yet.\n"
    assert json.loads(studio.call("audit", "--json").out)["ok"] is True
    assert not studio.home.exists()
