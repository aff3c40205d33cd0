"""A ledger on PostgreSQL: the driver that may be missing, a password that never shows, locks that machines share."""

import logging
import signal
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

import psycopg
import pytest

from callsheet.errors import LedgerUnreachable, RunInProgress
from callsheet.ledger import presence
from callsheet.ledger.book import Booking, Ledger
from callsheet.take import State
from tests.postgres import PASSWORD

from .ledgers import BOOKING, walked_to


def test_a_driver_that_is_missing_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerUnreachable, match="its driver, psycopg, is not installed") as missing:
        Ledger("postgresql://me:secret@127.0.0.1/books")
    assert "pip install 'callsheet[postgres]'" in missing.value.hint
    assert str(missing.value.retry) == "never"


@pytest.mark.parametrize("wrong", ["password", "port", "database", "user"])
def test_the_password_is_in_no_message_log_or_repr(postgres: str, wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    parts = urlsplit(postgres)
    password = "wr%ng/MARKED" if wrong == "password" else unquote(parts.password or "")
    user = "nobody-known" if wrong == "user" else parts.username
    port = 9 if wrong == "port" else parts.port
    database = "none" if wrong == "database" else parts.path[1:]
    url = f"postgresql://{user}:{quote(password, safe='')}@{parts.hostname}:{port}/{database}"
    with pytest.raises(LedgerUnreachable) as refused:
        Ledger(url)
    told = "".join(traceback.format_exception(refused.value)) + caplog.text + repr(refused.value) + str(refused.value)
    assert "The ledger cannot be used now: " in told
    for secret in (password, quote(password, safe=""), "MARKED"):
        assert secret not in told


def test_a_ledger_does_not_print_its_password(postgres_schema: str) -> None:
    with closing(Ledger(postgres_schema)) as ledger:
        assert "MARKED" not in repr(ledger) + repr(ledger._engine) + str(ledger._engine.url)
    assert "MARKED" in PASSWORD


def test_a_row_that_the_database_quotes_shows_in_no_error(postgres_schema: str) -> None:
    with closing(Ledger(postgres_schema)) as ledger:
        take = ledger.reserve(BOOKING)
        ledger.submitting(take.id, request={"video_urls": ["https://files.example.com/MARKED?sig=MARKED"]})
        with pytest.raises(Exception, match="a_job_has_an_id") as refused:
            ledger.submitted(take.id, job="")
    assert "MARKED" not in "".join(traceback.format_exception(refused.value))


def test_whoever_is_there_is_seen_and_whoever_left_is_gone(postgres_schema: str) -> None:
    with presence.present(postgres_schema, "one"):
        assert not presence.is_gone(postgres_schema, "one")
        assert presence.is_gone(postgres_schema, "another")
    assert presence.is_gone(postgres_schema, "one")


def test_ledgers_in_other_schemas_of_the_database_see_runs_of_their_own(postgres: str, postgres_schema: str) -> None:
    with presence.present(postgres_schema, "one"):
        assert presence.is_gone(postgres, "one")


THERE = """
import sys, time
from callsheet.ledger import presence
with presence.present(sys.argv[1], "one"):
    print("there", flush=True)
    time.sleep(600)
"""


def test_a_process_that_is_killed_is_gone(postgres_schema: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", THERE, postgres_schema], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "there\n"
        assert not presence.is_gone(postgres_schema, "one")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    for _ in range(1000):  # until the server has seen that its client is gone
        if presence.is_gone(postgres_schema, "one"):
            return
    pytest.fail("a dead process is seen still")


def test_a_run_that_lost_its_connection_looks_gone_and_goes_on_until_another_takes_its_claims(
    postgres: str, postgres_schema: str
) -> None:
    with closing(Ledger(postgres_schema)) as ledger, presence.present(postgres_schema, "one"):
        for run in ("one", "two"):
            ledger.begin_run(run, campaign="hello", route="sandbox", who="a test")
        ledger.claim("one", ["a" * 64, "b" * 64])
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(pid, 10000) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
            )
        assert presence.is_gone(postgres_schema, "one")
        reserved = ledger.reserve(replace(_other("a"), run="one"))
        ledger.end_run("one")
        ledger.claim("two", ["a" * 64, "b" * 64])
        with pytest.raises(RunInProgress):
            ledger.submitting(reserved.id, request={}, run="one")
        with pytest.raises(RunInProgress):
            ledger.reserve(replace(_other("b"), run="one"))


def test_a_server_that_was_restarted_is_asked_again(postgres: str, postgres_schema: str) -> None:
    """Connections that were kept are dead then; the next verb has a new one."""
    with closing(Ledger(postgres_schema)) as ledger:
        ledger.reserve(BOOKING)
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'callsheet%'"
            )
        assert ledger.take(1).state is State.RESERVED


def test_what_is_reported_as_committed_is_on_the_disk_of_the_server(postgres: str, postgres_schema: str) -> None:
    """Whatever the server's default is."""
    lax = f"{postgres_schema}%20-csynchronous_commit%3Doff"
    with closing(Ledger(lax)) as ledger, ledger._engine.connect() as connection:
        assert connection.exec_driver_sql("show synchronous_commit").scalar_one() == "on"


@pytest.mark.parametrize("level", ["repeatable%5C%20read", "serializable"])
def test_writers_see_what_others_have_just_written_whatever_the_servers_default_is(
    postgres_schema: str, level: str
) -> None:
    """By a view from before its turn, one of two writers would be refused: also the one that records a paid job."""
    with closing(Ledger(f"{postgres_schema}%20-cdefault_transaction_isolation%3D{level}")) as ledger:

        def buy(number: int) -> State:
            take = ledger.reserve(replace(BOOKING, key=f"{number:064}"))
            ledger.submitting(take.id, request={})
            return ledger.submitted(take.id, job=f"task-{number}").state

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(buy, range(12))) == {State.SUBMITTED}


def test_tables_are_never_emptied(postgres: str, postgres_schema: str) -> None:
    with closing(Ledger(postgres_schema)) as ledger:
        walked_to(ledger, State.ARCHIVED)
    for table in ("takes", "journal", "transitions"):
        with psycopg.connect(postgres_schema) as raw, pytest.raises(psycopg.errors.IntegrityError, match="illegal"):
            raw.execute(f"truncate {table} cascade")


def test_several_that_lay_out_one_ledger_at_once_lay_out_one(postgres_schema: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(_open, [postgres_schema] * 8)) == [0] * 8


def _open(url: str) -> int:
    with closing(Ledger(url)) as ledger:
        return len(ledger.takes())


def _other(letter: str) -> Booking:

    return replace(BOOKING, key=letter * 64)
