"""Settings: the environment by its known names only, loopback as one machine, secrets that do not print."""

import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from callsheet.errors import SettingsWrong
from callsheet.steps import draw_up, settings
from callsheet.steps.settings import EVOLINK_FILES

NAMES = ("EVOLINK_API_KEY", "EVOLINK_BASE_URL", "EVOLINK_FILES_BASE_URL", "CALLSHEET_HOME", "CALLSHEET_LEDGER")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_home_of_the_user_is_not_the_home_of_callsheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert settings.read(tmp_path).home == tmp_path / ".callsheet"


def test_a_provider_on_this_machine_serves_its_files_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLINK_BASE_URL", "http://127.0.0.1:4100")
    found = settings.read(tmp_path)
    assert found.files == found.api == "http://127.0.0.1:4100"


def test_a_files_service_that_is_named_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLINK_BASE_URL", "http://127.0.0.1:4100")
    monkeypatch.setenv("EVOLINK_FILES_BASE_URL", "http://127.0.0.1:4101/")
    assert settings.read(tmp_path).files == "http://127.0.0.1:4101"


def test_the_paid_provider_keeps_its_own_files_service(tmp_path: Path) -> None:
    assert settings.read(tmp_path).files == EVOLINK_FILES


def test_a_relative_ledger_is_the_checkouts_whatever_folder_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another working directory would else mean another, empty ledger, and everything would be paid for again."""
    monkeypatch.setenv("CALLSHEET_LEDGER", "sqlite:///books/ledger.sqlite")
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path / "specs")
    assert settings.read(tmp_path).ledger == f"sqlite:///{tmp_path}/books/ledger.sqlite"


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_ledger_that_would_be_forgotten_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CALLSHEET_LEDGER", url)
    with pytest.raises(SettingsWrong, match="path of a file"):
        settings.read(tmp_path)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_ledger_on_postgresql_is_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    url = f"{scheme}://me:p%40ss@db.example.com:6432/books?sslmode=require"
    monkeypatch.setenv("CALLSHEET_LEDGER", url)
    found = settings.read(tmp_path)
    assert draw_up.ledger_url(found) == url
    assert draw_up.ledger_file(found) is None
    assert "p%40ss" not in repr(found)
    assert "p%40ss" not in str(found.ledger)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:SECRET@",
        "postgresql://me:SECRET@db.example.com",
        "postgresql://me:SECRET@db.example.com/",
        "postgresql://me:SEC/RET@db.example.com/books",
        "postgresql://me:SEC#RET@db.example.com/books",
        "postgresql://me:SECRET@db.example.com:port/books",
        "postgresql://me:SEC[RET@db.example.com/books",
        "postgresql+psycopg2://me:SECRET@db.example.com/books",
        "mysql://me:SECRET@db.example.com/books",
    ],
)
def test_a_database_that_cannot_be_meant_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("CALLSHEET_LEDGER", url)
    with pytest.raises(SettingsWrong, match="postgresql://USER:PASSWORD@HOST") as wrong:
        settings.read(tmp_path)
    told = "".join(traceback.format_exception(wrong.value))
    assert "SEC" not in told
    assert "RET" not in told


def test_plain_http_to_another_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOLINK_BASE_URL", "http://example.com")
    with pytest.raises(SettingsWrong, match="https"):
        settings.read(tmp_path)


def test_the_environment_wins_over_the_file_and_the_key_never_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("EVOLINK_API_KEY=sk-evo-file\nCALLSHEET_HOME=elsewhere\n")
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-environment")
    found = settings.read(tmp_path)
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == "sk-evo-environment"
    assert found.home == tmp_path / "elsewhere"
    assert "sk-evo" not in repr(found)


def test_a_file_of_settings_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"EVOLINK_API_KEY=\xff\xfe\n")
    with pytest.raises(SettingsWrong, match="the file cannot be read: it is not text in UTF-8") as wrong:
        settings.read(tmp_path)
    assert wrong.value.where == str(tmp_path / ".env")


@pytest.mark.parametrize(
    ("text", "line"),
    [("EVOLINK_API_KEY: sk-evo-secret\n", 1), ("# key\n\nCALLSHEET_HOME=x\n\nEVOLINK_API_KEY sk-evo-secret\n", 5)],
)
def test_a_line_that_sets_nothing_is_told_by_its_number_alone(tmp_path: Path, text: str, line: int) -> None:
    """It was meant to be a key; a run without one would be drafts that nobody asked for."""
    (tmp_path / ".env").write_text(text)
    with pytest.raises(SettingsWrong, match="this line is no NAME=value") as wrong:
        settings.read(tmp_path)
    assert wrong.value.where == f"{tmp_path / '.env'}:{line}"
    assert "sk-evo" not in f"{wrong.value} {wrong.value.hint}"


def test_a_file_of_settings_takes_nothing_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a studio that is not one's own it would send what it has got to an address of its choice."""
    monkeypatch.delenv("EVOLINK_BASE_URL", raising=False)
    monkeypatch.setenv("SOME_TOKEN", "ghp-secret")
    (tmp_path / ".env").write_text("EVOLINK_BASE_URL=https://api.example.com/${SOME_TOKEN}\n")
    with pytest.raises(SettingsWrong, match="EVOLINK_BASE_URL: it has") as wrong:
        settings.read(tmp_path)
    assert "secret" not in str(wrong.value)
    (tmp_path / ".env").write_text("CALLSHEET_HOME=${HOME}/studio\n")  # another home would be another, empty ledger
    with pytest.raises(SettingsWrong, match="CALLSHEET_HOME"):
        settings.read(tmp_path)


def test_a_name_without_a_value_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EVOLINK_API_KEY\n")
    with pytest.raises(SettingsWrong, match="this line is no NAME=value"):
        settings.read(tmp_path)


def test_a_misspelt_setting_is_told_with_the_one_that_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSHEET_MAX_INFLIGHT", "2")
    with pytest.raises(SettingsWrong, match="there is no such setting; did you mean `CALLSHEET_MAX_IN_FLIGHT`"):
        settings.read(tmp_path)


@pytest.mark.parametrize("text", ["0", "1001", "many", "1.5", "", "-1", "9" * 5000])
def test_how_many_takes_are_in_flight_is_a_number_in_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("CALLSHEET_MAX_IN_FLIGHT", text)
    with pytest.raises(SettingsWrong, match="must be a whole number from 1 to 1000"):
        settings.read(tmp_path)


def test_looking_at_settings_without_a_key_does_not_load_pydantic(tmp_path: Path) -> None:
    code = "import sys; from callsheet.steps.settings import Path, read; read(Path()); print('pydantic' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


@pytest.mark.parametrize("url", ["https://hooks.example/c/", "http://127.0.0.1:4180"])
def test_an_address_for_callbacks_is_https_or_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("CALLSHEET_CALLBACK_URL", url)
    assert settings.read(tmp_path).callback_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["http://hooks.example/c", "https://hooks.example/?x=1", "https://me:MARKED@hooks.example", "hooks.example"]
)
def test_another_address_for_callbacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CALLSHEET_CALLBACK_URL", url)
    with pytest.raises(SettingsWrong, match="must be an https:// URL") as refused:
        settings.read(tmp_path)
    assert "MARKED" not in str(refused.value)


def test_what_prefect_yaml_reads_is_no_misspelt_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSHEET_CHECKOUT", str(tmp_path))
    settings.read(tmp_path)


def test_the_sandbox_of_a_run_can_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSHEET_SANDBOX_ENGINE", "copy:20")
    found = settings.read(tmp_path)
    assert (found.sandbox_engine, found.render_seconds) == ("copy:20", 20)
    for wrong in ("fast", "draft:3", "copy:", "copy:x", "copy:1.5"):
        monkeypatch.setenv("CALLSHEET_SANDBOX_ENGINE", wrong)
        with pytest.raises(SettingsWrong, match="is no engine"):
            settings.read(tmp_path)


def test_what_a_route_does_with_request_keys_is_one_of_three_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVOLINK_IDEMPOTENCY", "reject")
    found = settings.read(tmp_path)
    assert draw_up.idempotency_of(found, "evolink") == "reject"
    assert draw_up.idempotency_of(found, "sandbox") == "replay"
    monkeypatch.setenv("EVOLINK_IDEMPOTENCY", "maybe")
    with pytest.raises(SettingsWrong, match=r"replay .* reject .* or none"):
        settings.read(tmp_path)


def test_inputs_are_staged_by_the_provider_or_in_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read(tmp_path).staging == "provider"
    monkeypatch.setenv("CALLSHEET_STAGING", "s3://studio/in")
    assert settings.read(tmp_path).staging == "s3://studio/in"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("evolink", r"must be provider, for the provider's own file service, or s3://bucket/prefix\."),
        ("s3://", r"s3:// names no bucket\."),
        ("s3://My_Bucket/in", "'My_Bucket' is no name of a bucket"),
        ("s3://studio/../in", "the prefix is not plain names"),
    ],
)
def test_a_place_that_nothing_can_be_staged_in_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, what: str
) -> None:
    monkeypatch.setenv("CALLSHEET_STAGING", text)
    with pytest.raises(SettingsWrong, match=what):
        settings.read(tmp_path)
