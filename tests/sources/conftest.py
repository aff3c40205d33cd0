"""What the tests of remote sources share: one web server, trusted by everything that reads SSL_CERT_FILE."""

from collections.abc import Iterator

import pytest

from .web_server import WebServer, serving


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with serving(tmp_path_factory.mktemp("authority")) as server:
        yield server


@pytest.fixture
def server(running: WebServer, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """The server without files, and nothing asked of it."""
    running.files.clear()
    running.asked.clear()
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(running.authority))
    return running
