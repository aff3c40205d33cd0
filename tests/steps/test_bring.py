"""Remote sources of a campaign: fetched once, known by content, told at their place, and never in the way of a local one."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from callsheet.errors import SpecInvalid
from callsheet.steps.bring import bring, in_thread
from callsheet.steps.draw_up import Drawn, draw_up
from callsheet.steps.load import resolve
from callsheet.steps.survey import survey
from tests.sources.web_server import File, WebServer, serving

from .footage import ROOT, cut
from .local_provider import LocalProvider
from .shoot import CAMPAIGN, run

STARRY = ROOT / "media/references/starry-night.jpg"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with serving(tmp_path_factory.mktemp("authority")) as server:
        yield server


@pytest.fixture
def server(running: WebServer, spec: Path, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """The server with the clip of the studio, and allowed as a source."""
    running.asked.clear()
    running.files.clear()
    running.files["/cup.mp4"] = File(body=(spec.parent.parent / "media/cup.mp4").read_bytes())
    running.files["/starry.jpg"] = File(body=STARRY.read_bytes(), content_type="image/jpeg")
    monkeypatch.setenv("SSL_CERT_FILE", str(running.authority))
    monkeypatch.setenv("CALLSHEET_PRIVATE_SOURCES", "127.0.0.1, ::1")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return running


@pytest.fixture
def remote(spec: Path, server: WebServer) -> Path:
    """The campaign with its clip at https://."""
    spec.write_text(CAMPAIGN.replace("media/cup.mp4", server.url("/cup.mp4")))
    return spec


def planned(spec: Path) -> Drawn:
    return draw_up(spec, sandbox=True)


def keys(drawn: Drawn) -> list[str]:
    return [line.key for line in drawn.plan.lines]


def test_a_remote_clip_is_the_same_variant_as_a_local_file_of_the_same_bytes(spec: Path, server: WebServer) -> None:
    local = keys(planned(spec))
    spec.write_text(CAMPAIGN.replace("media/cup.mp4", server.url("/cup.mp4")))
    assert keys(planned(spec)) == local


def test_what_did_not_change_is_asked_about_and_not_fetched_again(remote: Path, server: WebServer) -> None:
    first = keys(planned(remote))
    copy = next((remote.parent.parent / ".callsheet/cache/sources").glob("*/cup.mp4"))
    before = copy.stat()
    assert keys(planned(remote)) == first
    assert [known for *_, known in server.asked] == ["", '"1"']
    assert copy.stat() == before


def test_what_changed_is_seen_and_is_another_variant(remote: Path, server: WebServer, tmp_path: Path) -> None:
    first = keys(planned(remote))
    cut(ROOT / "media/clips/cup.mp4", tmp_path / "other.mp4", start=0, seconds=3)
    server.files["/cup.mp4"] = File(body=(tmp_path / "other.mp4").read_bytes(), etag='"2"')
    assert not set(keys(planned(remote))) & set(first)


def test_a_reference_image_comes_the_same_way(spec: Path, server: WebServer) -> None:
    local = CAMPAIGN + "references:\n  starry: [media/starry-night.jpg]\n"
    spec.write_text(local)
    expected = keys(planned(spec))
    spec.write_text(local.replace("media/starry-night.jpg", f'"{server.url("/starry.jpg")}"'))
    assert keys(planned(spec)) == expected
    assert [path for path, *_ in server.asked] == ["/starry.jpg"]


def test_a_source_that_two_clips_name_is_fetched_once(spec: Path, server: WebServer) -> None:
    address = server.url("/cup.mp4")
    spec.write_text(
        CAMPAIGN.replace("  cup: media/cup.mp4", f"  cup: {address}\n  part: {{source: '{address}', trim: 0s..3s}}")
    )
    assert len(planned(spec).plan.lines) == 4
    assert len(server.asked) == 1


def test_two_processes_that_need_a_source_fetch_it_once(remote: Path, server: WebServer) -> None:
    """A flock knows no difference between two threads that open a file and two processes that do."""
    loaded = resolve(remote)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: bring(loaded), range(2)))
    assert sorted(known for *_, known in server.asked) == ["", '"1"']


def test_naming_the_variants_of_a_campaign_fetches_nothing(remote: Path, server: WebServer) -> None:
    assert [variant.clip for variant in resolve(remote).variants] == ["cup", "cup"]
    assert server.asked == []


def test_a_source_that_cannot_be_had_is_a_problem_at_its_place(remote: Path, server: WebServer) -> None:
    del server.files["/cup.mp4"]
    with pytest.raises(SpecInvalid) as refused:
        planned(remote)
    (problem,) = refused.value.problems
    assert (problem.line, problem.column, problem.path) == (5, 8, "clips.cup")
    assert problem.message == f"{server.url('/cup.mp4')} is not there: its host answered 404."
    assert refused.value.exit_code == 3


def test_a_source_that_is_no_video_is_named_by_its_address(remote: Path, server: WebServer) -> None:
    server.files["/cup.mp4"] = File(body=b"Remember to film the beach.\n")
    with pytest.raises(SpecInvalid) as refused:
        planned(remote)
    (problem,) = refused.value.problems
    assert problem.message == f"{server.url('/cup.mp4')} is not a video: it begins like text."


def test_a_private_address_is_a_problem_unless_the_studio_allows_it(
    remote: Path, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSHEET_PRIVATE_SOURCES", "10.0.0.0/8")
    with pytest.raises(SpecInvalid) as refused:
        planned(remote)
    (problem,) = refused.value.problems
    assert "is in this machine (localhost), which a source may not name" in problem.message
    assert server.asked == []


def test_while_a_host_does_not_answer_its_copy_counts_and_a_warning_says_so(remote: Path, server: WebServer) -> None:
    first = keys(planned(remote))
    server.files["/cup.mp4"].failures += [503] * 4
    drawn = planned(remote)
    assert keys(drawn) == first
    (warning,) = drawn.survey.warnings
    assert (warning.severity, warning.line) == ("warning", 5)
    assert "its host answered 503; the copy of 20" in warning.message
    assert warning.message.endswith("UTC is used.")


def test_without_a_copy_a_host_that_does_not_answer_is_a_problem(remote: Path, server: WebServer) -> None:
    server.files["/cup.mp4"].failures += [503] * 4
    with pytest.raises(SpecInvalid, match="its host answered 503"):
        planned(remote)


def test_a_copy_that_lost_its_end_is_fetched_again(remote: Path, server: WebServer) -> None:
    planned(remote)
    copy = next((remote.parent.parent / ".callsheet/cache/sources").glob("*/cup.mp4"))
    copy.write_bytes(copy.read_bytes()[:1000])
    planned(remote)
    assert copy.read_bytes() == server.files["/cup.mp4"].body


def test_fetching_is_told_with_the_size(remote: Path, server: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "callsheet.sources")
    planned(remote)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "callsheet.sources"]
    assert line.startswith(f"fetching {server.url('/cup.mp4')} (0.")
    assert line.endswith(" MB)")


async def test_a_run_that_is_cancelled_fetches_no_further(remote: Path, server: WebServer) -> None:
    server.files["/cup.mp4"].failures += [503] * 4
    server.files["/cup.mp4"].retry_after = "20"
    waiting = asyncio.create_task(in_thread(lambda: planned(remote)))
    while not server.asked:  # noqa: ASYNC110 a server in a thread tells no loop
        await asyncio.sleep(0.01)
    begun = time.monotonic()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.get_running_loop().shutdown_default_executor()
    assert time.monotonic() - begun < 5
    assert len(server.asked) == 1


async def test_a_run_renders_a_remote_clip_and_its_sidecar_names_the_address(
    remote: Path, server: WebServer, provider: LocalProvider
) -> None:
    account, _ = await run(remote)
    assert account.message == "2 of 2 archived"
    sidecars = list((remote.parent.parent / "archive/tiny").glob("cup*.json"))
    assert len(sidecars) == 2
    assert {json.loads(path.read_text())["clip"]["source"]["file"] for path in sidecars} == {server.url("/cup.mp4")}


def test_a_local_campaign_loads_neither_boto_nor_the_fetcher(spec: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from callsheet.steps.draw_up import draw_up; "
        "draw_up(Path(sys.argv[1]), sandbox=True); "
        "print([name for name in ('boto3', 'botocore', 'callsheet.sources') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(spec)], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "[]\n", ended.stderr


def test_a_clip_in_a_bucket_is_the_same_variant_and_is_not_fetched_twice(
    spec: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callsheet.sources")
    local = keys(planned(spec))
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    try:
        host, port = store.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7NOBODY0")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        client = boto3.session.Session().client("s3")
        client.create_bucket(Bucket="raw")
        body = (spec.parent.parent / "media/cup.mp4").read_bytes()
        client.put_object(Bucket="raw", Key="day 1/cup.mp4", Body=body)
        client.close()
        spec.write_text(CAMPAIGN.replace("media/cup.mp4", "s3://raw/day 1/cup.mp4"))
        assert [keys(planned(spec)), keys(planned(spec))] == [local, local]
    finally:
        store.stop()
    told = [record.getMessage() for record in caplog.records if record.name == "callsheet.sources"]
    assert len(told) == 1
    assert told[0].startswith("fetching s3://raw/day 1/cup.mp4 (0.")


def test_without_boto_an_s3_source_says_what_to_install(spec: Path) -> None:
    """A module that is None in sys.modules cannot be imported: Python's own word for `not there`."""
    spec.write_text(CAMPAIGN.replace("media/cup.mp4", "s3://raw/cup.mp4"))
    script = (
        "import sys; sys.modules['boto3'] = None; from pathlib import Path; from callsheet.steps.draw_up import draw_up\n"
        "try: draw_up(Path(sys.argv[1]), sandbox=True)\n"
        "except Exception as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(spec)], capture_output=True, text=True, timeout=60)
    assert "s3://raw/cup.mp4 needs boto3, which is not installed." in ended.stdout, ended.stderr
    assert "pip install 'callsheet[s3]'" in ended.stdout


def test_the_survey_of_a_brought_campaign_is_of_the_copy(remote: Path, server: WebServer) -> None:
    loaded = bring(resolve(remote))
    found = survey(loaded, remote.parent.parent / ".callsheet").clips["cup"]
    assert found.path.read_bytes() == server.files["/cup.mp4"].body
    assert loaded.shown(found.path) == server.url("/cup.mp4")
