"""`callsheet doctor` as a person and as a program use it; what it may find is in tests/steps/test_examine.py."""

import asyncio
import json
import socket
from collections.abc import Iterator

import pytest

from tests.conftest import free_port
from tests.contracts.scripted_provider import Reply, Scripted
from tests.e2e.conftest import NewStudio, Studio

KEY = "sk-evo-of-a-test-0123456789"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port where something listens that is no Prefect server."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_a_machine_that_is_ready_lacks_nothing(studio: Studio) -> None:
    ended = studio.call("doctor", EVOLINK_API_KEY=KEY)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert [line for line in lines if not line.startswith("ok  ")] == []
    starts = ("Python 3.", "ffmpeg ", "PyAV ", f"studio {studio.root}", "EVOLINK_API_KEY is set", "Prefect 3.")
    for start in starts:
        assert any(line.startswith(f"ok  {start}") for line in lines), start
    assert "no server at http://127.0.0.1:" in ended.out
    assert KEY not in ended.out


def test_everything_that_is_lacking_is_told_at_once_and_the_first_gives_the_exit_code(
    new_studio: NewStudio, taken: int
) -> None:
    studio = new_studio(IMAGEIO_FFMPEG_EXE="/bin/false", CALLSHEET_HOME="/proc/x", PREFECT_SERVER_API_PORT=str(taken))
    (studio.root / "prefect.yaml").unlink()
    ended = studio.call("doctor", PYTHONIOENCODING="ascii")
    marks = [line[:4] for line in ended.out.splitlines()]
    assert (marks.count("no  "), marks.count("--  "), ended.code) == (4, 2, 3), ended.out
    assert set(marks) == {"ok  ", "--  ", "no  "}
    assert f"no  Port {taken} of this machine is taken by something that is not a Prefect server. Free it" in ended.out
    assert "--  the terminal takes ascii only: other characters are spelt out. Set LC_ALL=C.UTF-8 or" in ended.out
    assert ended.err == ""


def test_the_json_document_has_every_check_with_its_hint(new_studio: NewStudio) -> None:
    ended = new_studio(PREFECT_API_URL="https://u:secret@prefect.example.com/api").call(
        "doctor", "--json", CALLSHEET_HOME="/proc/x"
    )
    told = json.loads(ended.out)
    assert (ended.code, told["ok"]) == (6, False)
    assert {tuple(check) for check in told["checks"]} == {("name", "status", "message", "hint")}
    checks = {check["name"]: check for check in told["checks"]}
    assert checks["home"]["status"] == "no"
    assert "ledger" not in checks, "a ledger in a home that is none says nothing more"
    assert {"python", "packages", "ffmpeg", "pyav", "checkout", "sandbox", "prefect", "terminal"} <= set(checks)
    assert checks["prefect"]["message"].startswith("PREFECT_API_URL is https://prefect.example.com, another machine")
    assert "secret" not in ended.out


def test_the_takes_of_a_ledger_are_counted_and_the_prefect_server_is_found(
    interrupted: tuple[Studio, object],
) -> None:
    studio, _ = interrupted
    ended = studio.call("doctor")
    assert f"with {len(studio.takes())} take" in ended.out
    assert "its server answers at http://127.0.0.1:" in ended.out


TAKEN = Reply(body={"data": {"user": {"remaining_credits": 680}, "token": {"unlimited_credits": True}}})
REFUSED = Reply(status=401, body={"error": {"code": "invalid_token", "message": f"Invalid token {KEY}"}})


@pytest.mark.parametrize(
    ("reply", "code", "line"),
    [
        (TAKEN, 0, "ok  {url} takes the key, which can spend 680 credits ($10.00)"),
        (REFUSED, 5, "no  loopback: "),
    ],
    ids=["taken", "refused"],
)
async def test_the_provider_is_asked_about_the_key_when_online_is_said(
    reply: Reply, code: int, line: str, studio: Studio
) -> None:
    async with Scripted() as provider:
        provider.on("GET", "/v1/credits", reply)
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY}
        online = await asyncio.to_thread(studio.call, "doctor", "--online", **settings)
        assert [asked.path for asked in provider.asked] == ["/v1/credits"]
        assert online.code == code, online.out
        assert online.out.splitlines()[-1].startswith(line.format(url=provider.url))
        assert KEY not in online.out + online.err


async def test_nobody_is_asked_anything_unless_online_is_said(studio: Studio) -> None:
    async with Scripted() as provider:
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY}
        offline = await asyncio.to_thread(studio.call, "doctor", **settings)
        assert (offline.code, provider.connections) == (0, 0), offline.out


def test_online_without_a_key_ends_as_a_paid_run_would(new_studio: NewStudio) -> None:
    elsewhere = {"EVOLINK_BASE_URL": f"http://127.0.0.1:{free_port()}"}
    ended = new_studio(**elsewhere).call("doctor", "--online")
    assert ended.code == 5
    assert ended.out.splitlines()[-1].startswith("no  There is no EVOLINK_API_KEY")
