"""The command with an archive in a bucket: killed right after a film was put there, run again, skipped, looked at."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import books
from tests.buckets import Asked, BucketServer
from tests.e2e.browser import browser
from tests.e2e.conftest import PATIENCE, SPEC, Ended, NewStudio, Studio
from tests.e2e.instants import CAMPAIGN, PRICE, VARIANTS

pytestmark = pytest.mark.slow

PLACE = "s3://studio/finals"


@dataclass(frozen=True, kw_only=True)
class Story:
    """A run that was killed, the one that finished its work, and one that found nothing to do."""

    studio: Studio
    killed: list[str]
    first: Ended
    second: Ended
    asked: list[Asked] = field(repr=False)
    folder: Path


@pytest.fixture(scope="module")
def story(
    new_studio: NewStudio,
    prefect: Mapping[str, str],
    bucket_server: BucketServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Story:
    bucket_server.emptied().close()
    studio = new_studio(**prefect, **bucket_server.environment)
    studio.write(f"{CAMPAIGN}archive: {{to: {PLACE}, tags: {{team: creative-ops}}}}\n")
    killed = _killed_once_a_film_is_there(studio, bucket_server)
    first = studio.run()
    bucket_server.asked.clear()
    second = studio.run("--json")
    return Story(
        studio=studio,
        killed=killed,
        first=first,
        second=second,
        asked=list(bucket_server.asked),
        folder=_synced(bucket_server, tmp_path_factory.mktemp("synced")),
    )


def _killed_once_a_film_is_there(studio: Studio, bucket: BucketServer) -> list[str]:
    """Names in the bucket and states of the takes right after it."""
    running = studio.start("run", SPEC, "--sandbox", "--yes")

    def kill(asked: Asked, body: bytes) -> Any:
        """The film is put, and nobody hears of it."""
        if asked.method != "PUT" or not asked.key.endswith(".mp4") or "/review/" in asked.key:
            return None
        running.kill()
        running.wait(PATIENCE)
        return body

    bucket.faults.append(kill)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == -signal.SIGKILL, said
    assert [name for name in _names(bucket) if name.endswith(".mp4")]
    return studio.takes()


def _names(bucket: BucketServer) -> list[str]:
    client = bucket.client()
    found = [item["Key"] for item in client.list_objects_v2(Bucket="studio", Prefix="finals/tiny/").get("Contents", [])]
    client.close()
    return found


def _synced(bucket: BucketServer, folder: Path) -> Path:
    """The campaign's folder as it is on a disk that the bucket was copied to."""
    client = bucket.client()
    for name in _names(bucket):
        target = folder / name.removeprefix("finals/")
        target.parent.mkdir(parents=True, exist_ok=True)
        client.download_file("studio", name, str(target))
    client.close()
    return folder / "tiny"


@pytest.fixture(scope="module")
def shelf(story: Story) -> Path:
    return story.studio.home / "boards/studio/finals/tiny"


def test_a_run_that_was_killed_with_a_film_in_the_bucket_recognises_it_and_pays_once(story: Story) -> None:
    assert "archived" not in story.killed
    assert story.first.code == 0, story.first.err
    assert f"files      {PLACE}/tiny\n" in story.first.out
    books.assert_paid_once_and_archived(home=story.studio.home, archive=story.folder, variants=VARIANTS, price=PRICE)


def test_the_shelf_of_the_machine_that_ran_it_has_all_that_the_bucket_has(story: Story, shelf: Path) -> None:
    books.assert_paid_once_and_archived(home=story.studio.home, archive=shelf, variants=VARIANTS, price=PRICE)


def test_run_again_it_finds_everything_there_in_a_few_requests(story: Story, shelf: Path) -> None:
    assert story.second.code == 0, story.second.err
    account = json.loads(story.second.out)
    assert (account["archived"], account["skipped"], account["credits"]) == (0, VARIANTS, "0")
    assert account["files"] == f"{PLACE}/tiny"
    assert Path(account["manifest"]) == shelf / "manifest.json"
    assert Path(account["board"]) == shelf / "review/index.html"
    assert len(story.asked) < 15


def test_the_board_opens_from_this_machine_and_plays(story: Story, shelf: Path) -> None:
    with browser() as running, running.page(width=1200, height=800) as page:
        page.open((shelf / "review/index.html").as_uri())
        page.wait_until("[...document.querySelectorAll('.cell img')].every(i => i.complete && i.naturalWidth > 0)")
        page.click("#g1 .play")
        page.wait_until("[...document.querySelectorAll('#g1 video')].some(v => v.currentTime > 0.1)")
        assert page.complaints == []
        assert {url.partition(":")[0] for url in page.requests} <= {"file", "data"}


def test_status_and_review_know_the_archive(story: Story, shelf: Path) -> None:
    told = json.loads(story.studio.call("status", SPEC, "--json").out)
    assert {take["state"] for take in told["takes"]} == {"archived"}
    assert {f"finals/{take['archive']}".rpartition("/")[0] for take in told["takes"]} == {"finals/tiny"}
    page = story.studio.call("review", SPEC)
    assert page.out.strip() == str(shelf / "review/index.html")


def test_a_bucket_that_is_not_there_ends_the_run_before_anything_is_paid_for(
    new_studio: NewStudio, bucket_server: BucketServer
) -> None:
    studio = new_studio(**bucket_server.environment)
    studio.write(f"{CAMPAIGN}archive: {{to: s3://void-of-nobody/finals}}\n")
    ended = studio.run()
    assert ended.code == 7, ended.err
    assert f"{SPEC}:11:15: s3://void-of-nobody/finals: The archive cannot be used: the store answered" in ended.err
    assert "Nothing was spent." in ended.err
    assert "Create the bucket, or correct its name" in ended.err
    assert bucket_server.environment["AWS_SECRET_ACCESS_KEY"] not in ended.err
    assert studio.untouched()
