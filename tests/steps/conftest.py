"""What the tests of the steps share: a provider on loopback, and a small studio that uses it."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .footage import make_studio
from .local_provider import LocalProvider, serving
from .shoot import CAMPAIGN, run


@pytest.fixture(scope="module")
def provider() -> Iterator[LocalProvider]:
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studio whose clip is prepared already and in which nothing was rendered yet: an encode for each test would be
    most of what it takes."""
    folder = tmp_path_factory.mktemp("warm") / "studio"
    spec = make_studio(folder, CAMPAIGN)
    with serving() as provider, pytest.MonkeyPatch.context() as patch:
        _use(provider, patch)
        asyncio.run(run(spec))
    shutil.rmtree(folder / "archive")
    for left in [*(folder / ".callsheet").glob("ledger*"), *(folder / ".callsheet").glob("*.lock")]:
        left.unlink()
    return folder


@pytest.fixture
def spec(tmp_path: Path, warm: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> Path:
    provider.forget()
    _use(provider, monkeypatch)
    shutil.copytree(warm, tmp_path / "studio", symlinks=True)
    return tmp_path / "studio/specs/tiny.yaml"


@pytest.fixture
def cold(tmp_path: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The campaign in a studio in which nothing was ever done."""
    provider.forget()
    _use(provider, monkeypatch)
    return make_studio(tmp_path / "studio", CAMPAIGN)


def _use(provider: LocalProvider, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("EVOLINK_BASE_URL", provider.url)
    patch.setenv("EVOLINK_FILES_BASE_URL", provider.url)
    patch.setenv("EVOLINK_API_KEY", "sk-evo-test")
    patch.delenv("CALLSHEET_HOME", raising=False)
