"""What facts about a machine mean: thresholds, versions, and the exit code."""

import tomllib
from pathlib import Path

import pytest

from callsheet import checkup
from callsheet.checkup import Check

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("free", "status", "words"),
    [
        (78_100_000_000, "ok", "78.1 GB free"),
        (1_999_999_999, "note", "only 2.0 GB free for prepared clips"),
        (99_999_999, "no", "only 99 MB free, and the ledger must be written"),
    ],
)
def test_a_disk_is_judged_by_what_is_free(free: int, status: str, words: str) -> None:
    check = checkup.of_home(".callsheet", free)
    assert (check.status, check.exit_code) == (status, 6 if status == "no" else 0)
    assert words in check.message


@pytest.mark.parametrize(
    ("version", "status"), [((3, 11, 0), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "note"), ((4, 0, 0), "note")]
)
def test_a_python_that_the_tests_do_not_run_on_is_told(version: tuple[int, int, int], status: str) -> None:
    assert checkup.of_python(version).status == status


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        ("0.150.9", ""),
        ("0.139", ""),
        ("0.151", "fastapi 0.151 is installed, and Callsheet needs <0.151"),
        ("0.151.0", "fastapi 0.151.0 is installed, and Callsheet needs <0.151"),
        ("0.138.9", "fastapi 0.138.9 is installed, and Callsheet needs >=0.139"),
        ("0.150.0rc1", ""),
        (None, "fastapi is not installed"),
    ],
)
def test_a_version_is_held_against_what_is_required(installed: str | None, words: str) -> None:
    check = checkup.of_packages(
        ["fastapi<0.151,>=0.139", "sqlalchemy[asyncio]<2.1,>=2.0"], {"sqlalchemy": "2.0.44"} | {"fastapi": installed}
    )
    assert (check.status, check.message) == (
        ("no", words) if words else ("ok", "2 packages, in versions that fit each other")
    )


def test_everything_that_callsheet_requires_is_stated_in_terms_that_are_understood() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in stated:
        bounds = requirement.removeprefix(checkup.requirement_name(requirement)).rpartition("]")[2]
        assert all(bound.startswith((">=", "<")) and not bound.startswith("<=") for bound in bounds.split(",")), (
            requirement
        )


def test_the_exit_code_is_that_of_the_first_check_that_failed() -> None:
    fine = Check(name="a", status="ok", message="")
    less = Check(name="b", status="note", message="")
    checks = [
        fine,
        less,
        Check(name="c", status="no", message="", exit_code=6),
        Check(name="d", status="no", message="", exit_code=3),
    ]
    assert checkup.exit_code(checks) == 6
    assert checkup.exit_code([fine, less]) == 0


def test_a_question_is_not_followed_by_a_stop() -> None:
    checks = [
        Check(name="x", status="no", message=text, hint="Correct it.") for text in ("Did you mean `y`?", "Wrong.")
    ]
    assert [check.line for check in checks] == ["Did you mean `y`? Correct it.", "Wrong. Correct it."]
