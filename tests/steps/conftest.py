"""What the tests of the steps share: a provider on loopback, and a small studio that uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .footage import make_studio
from .local_provider import LocalProvider, serving
from .shoot import CAMPAIGN


@pytest.fixture(scope="module")
def provider() -> Iterator[LocalProvider]:
    with serving() as running:
        yield running


@pytest.fixture
def spec(tmp_path: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> Path:
    provider.forget()
    monkeypatch.setenv("EVOLINK_BASE_URL", provider.url)
    monkeypatch.setenv("EVOLINK_FILES_BASE_URL", provider.url)
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-test")
    monkeypatch.delenv("CALLSHEET_HOME", raising=False)
    return make_studio(tmp_path / "studio", CAMPAIGN)
