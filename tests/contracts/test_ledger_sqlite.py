"""A ledger on SQLite: its file, its durability, and the files of older versions."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from callsheet.credits import Credits
from callsheet.errors import IllegalTransition, LedgerUnreachable, TakeAlreadyLive
from callsheet.journal import Entry, broken
from callsheet.ledger.book import Ledger
from callsheet.ledger.tables import SCHEMA_VERSION

from .ledgers import BOOKING

ROOT = Path(__file__).parents[2]
#: Ledgers as the Callsheet of that version laid them out and filled them.
OLD = {number: (Path(__file__).parent / f"ledger-{number}.sql").read_text("utf-8") for number in (1, 2)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, file: Path) -> Path:
    raw = sqlite3.connect(file)
    raw.executescript(OLD[request.param])
    raw.close()
    return file


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    raw = sqlite3.connect(file)
    found = raw.execute(query).fetchall()
    raw.close()
    return found


def test_an_old_ledger_is_brought_forward_and_no_row_of_it_is_touched(old: Path) -> None:
    tables = ("takes", "journal", "approvals")
    columns = {table: ", ".join(f'"{row[1]}"' for row in rows(old, f"pragma table_info({table})")) for table in tables}
    queries = [f"select {columns[table]} from {table}" for table in tables]
    before = [rows(old, query) for query in queries]
    ledger = Ledger(f"sqlite:///{old}")
    takes = ledger.takes()
    ledger.close()
    assert [rows(old, query) for query in queries] == before
    assert [str(take.state) for take in takes] == ["archived", "in_doubt", "failed", "reserved"]
    assert rows(old, "select version from ledger_version") == [(SCHEMA_VERSION,)]


def test_an_old_ledger_ends_up_laid_out_as_a_new_one(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.sqlite"
    for file in (old, new):
        Ledger(f"sqlite:///{file}").close()
    queries = [
        "select name, sql from sqlite_master where type in ('trigger', 'index') order by name",
        "select name, type, \"notnull\", dflt_value from pragma_table_info('takes')",
        "select name, type, \"notnull\", dflt_value from pragma_table_info('journal')",
    ]
    assert [rows(old, query) for query in queries] == [rows(new, query) for query in queries]


def test_an_old_ledger_works_and_guards_as_before(old: Path) -> None:
    ledger = Ledger(f"sqlite:///{old}")
    assert ledger.identities([2]) == {2: ""}
    ledger.submitted(2, job="task-2")
    take = ledger.reserve(replace(BOOKING, key="9" * 64))
    assert take.id == 5
    with pytest.raises(TakeAlreadyLive):
        ledger.reserve(replace(BOOKING, key="3" * 64))
    with pytest.raises(IllegalTransition):
        ledger.submitted(1, job="task-9")
    assert ledger.money(campaign="hello", route="sandbox").held == Credits.of("63.84") * 3
    ledger.close()
    raw = sqlite3.connect(old)
    for change in ("update takes set price = 1", "update takes set identity = 'x'", "delete from journal"):
        with pytest.raises(sqlite3.IntegrityError, match="illegal"):
            raw.execute(change)
    raw.close()


def test_the_journal_of_an_old_ledger_is_chained_with_what_is_known_of_its_takes(old: Path) -> None:
    Ledger(f"sqlite:///{old}").close()
    raw = sqlite3.connect(old)
    raw.row_factory = sqlite3.Row
    entries = [Entry(**row) for row in raw.execute("select * from journal order by id")]
    raw.close()
    assert list(broken(entries)) == []
    assert {(entry.route, entry.campaign, entry.price) for entry in entries} == {("sandbox", "hello", 638400)}
    assert [entry.job for entry in entries if entry.after in ("submitted", "archived", "failed")] == [
        "", "task-1", "", "task-3",
    ]  # fmt: skip
    assert [entry.charged for entry in entries if entry.charged] == [638400]


def test_an_old_ledger_that_several_processes_open_at_once_is_brought_forward_once(old: Path) -> None:
    failed: list[Exception] = []

    def open_it() -> None:
        try:
            Ledger(f"sqlite:///{old}").close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(old, "select version from ledger_version") == [(SCHEMA_VERSION,)]


def test_a_ledger_that_is_no_database_or_of_another_kind_says_so(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a database, but a longer text than the header of one" * 40)
    for url in (f"sqlite:///{tmp_path}/text", f"sqlite:///{tmp_path}/no/such/folder/x.sqlite"):
        with pytest.raises(LedgerUnreachable, match="cannot be used"):
            Ledger(url)


def test_writes_are_durable_before_they_return(file: Path) -> None:
    Ledger(f"sqlite:///{file}").close()
    raw = sqlite3.connect(file)
    assert raw.execute("pragma journal_mode").fetchone() == ("wal",)
    raw.close()


def test_only_its_owner_may_read_a_ledger_because_it_holds_signed_urls(file: Path) -> None:
    before = os.umask(0o022)
    try:
        opened = Ledger(f"sqlite:///{file}")
    finally:
        os.umask(before)
    other = sqlite3.connect(file)  # while somebody has it open, its journals exist
    other.execute("select * from takes")
    modes = {path.name: stat.filemode(path.stat().st_mode) for path in file.parent.iterdir()}
    other.close()
    opened.close()
    assert modes == dict.fromkeys(("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"), "-rw-------")


def test_an_older_callsheet_that_has_the_ledger_open_moves_nothing_any_more(old: Path) -> None:
    """Its verbs write no chain, so the database refuses them, and nothing is sent."""
    Ledger(f"sqlite:///{old}").close()
    raw = sqlite3.connect(old)
    with pytest.raises(sqlite3.IntegrityError, match="illegal"):
        raw.execute("update takes set state = 'submitting', request = '{}', updated_at = '2026' where id = 4")
    raw.close()


def test_a_ledger_that_somebody_removes_meanwhile_is_not_written_on_with(file: Path, tmp_path: Path) -> None:
    """An open connection would go on with a file that nobody has, and what was paid would be lost."""
    ledger = Ledger(f"sqlite:///{file}")
    taken = ledger.reserve(BOOKING)
    kept = file.rename(tmp_path / "kept.sqlite")
    for is_replaced in (False, True):
        if is_replaced:
            Ledger(f"sqlite:///{file}").close()
        with pytest.raises(LedgerUnreachable, match="was removed or replaced"):
            ledger.submitting(taken.id, request={})
        with pytest.raises(LedgerUnreachable, match="was removed or replaced"):
            ledger.takes()
    kept.replace(file)
    assert str(ledger.submitting(taken.id, request={}).state) == "submitting"
    ledger.close()


def test_a_second_ledger_of_this_process_takes_no_lock_from_the_first(file: Path) -> None:
    """Whoever closes a file gives up every lock of the process on it: another process would then take itself for the last one
    and remove the journal that is written to here."""
    first = Ledger(f"sqlite:///{file}")
    taken = first.reserve(BOOKING)
    Ledger(f"sqlite:///{file}").close()
    script = "import sys; from callsheet.ledger.book import Ledger; Ledger(f'sqlite:///{sys.argv[1]}').close()"
    subprocess.run([sys.executable, "-c", script, str(file)], check=True, cwd=ROOT)
    assert file.with_name(f"{file.name}-wal").exists()
    first.submitting(taken.id, request={})
    assert rows(file, "select state from takes") == [("submitting",)]
    first.close()


def test_a_copy_of_the_file_alone_has_all_that_was_committed(file: Path, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{file}")
    ledger.reserve(BOOKING)
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(file.read_bytes())
    assert rows(copy, "select state from takes") == [("reserved",)]
    ledger.close()


def test_a_process_that_ends_leaves_the_whole_ledger_in_one_file(file: Path) -> None:
    script = (
        "import sys; from callsheet.ledger.book import Ledger; from tests.contracts.ledgers import BOOKING;"
        " ledger = Ledger(f'sqlite:///{sys.argv[1]}'); ledger.reserve(BOOKING)"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=True, cwd=ROOT)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert rows(file, "select state from takes") == [("reserved",)]
