"""Settings: the environment by its known names only, loopback as one machine, secrets that do not print."""

from pathlib import Path

import pytest

from callsheet.steps import settings
from callsheet.steps.settings import EVOLINK_FILES, SettingsWrong

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
