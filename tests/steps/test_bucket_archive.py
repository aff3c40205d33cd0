"""A campaign whose archive and staging are in a bucket: brought home, found again, looked at, and never paid twice."""

import json
import shutil
from pathlib import Path

import pytest

from callsheet.errors import ArchiveError, StagingFailed, StoreUnreachable
from callsheet.steps import settings, show, studio, wrap
from callsheet.steps.draw_up import draw_up, make_archive
from callsheet.steps.explain import explain
from callsheet.steps.load import load
from callsheet.take import State
from callsheet.verdicts import Verdicts
from tests.buckets import BucketServer, refusing

from .local_provider import LocalProvider
from .shoot import CAMPAIGN, run, takes

pytestmark = pytest.mark.slow

IN_BUCKET = f"{CAMPAIGN}archive: {{to: s3://studio/finals}}\n"


@pytest.fixture
def spec(spec: Path, bucket: BucketServer) -> Path:
    spec.write_text(IN_BUCKET)
    return spec


def names(bucket: BucketServer, below: str = "") -> set[str]:
    client = bucket.client()
    found = {item["Key"] for item in client.list_objects_v2(Bucket="studio", Prefix=below).get("Contents", [])}
    client.close()
    return found


def read(bucket: BucketServer, name: str) -> bytes:
    client = bucket.client()
    try:
        return client.get_object(Bucket="studio", Key=name)["Body"].read()
    finally:
        client.close()


def remove(bucket: BucketServer, name: str) -> None:
    client = bucket.client()
    client.delete_object(Bucket="studio", Key=name)
    client.close()


def shelf(spec: Path) -> Path:
    return spec.parent.parent / ".callsheet/boards/studio/finals/tiny"


async def test_a_campaign_is_archived_in_its_bucket_and_its_board_opens_here(
    spec: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    account, _ = await run(spec)
    assert account.message == "2 of 2 archived"
    there = names(bucket, "finals/tiny/")
    films = sorted(take.archive for take in takes(spec))
    assert {name for name in there if name.endswith(".mp4") and "/review/" not in name} == {
        f"finals/{film}" for film in films
    }
    assert {name for name in there if name.endswith(".json")} == {
        *(f"finals/{film.removesuffix('.mp4')}.json" for film in films),
        "finals/tiny/manifest.json",
    }
    sidecar = json.loads(read(bucket, f"finals/{films[0].removesuffix('.mp4')}.json"))
    assert sidecar["result"]["sha256"] in {take.sha256 for take in takes(spec)}
    assert (account.files, account.board) == ("s3://studio/finals/tiny", shelf(spec) / "review/index.html")
    manifest = json.loads(read(bucket, "finals/tiny/manifest.json"))
    assert manifest == json.loads(account.manifest.read_text())
    for entry in manifest["entries"]:
        for path in ("deliverable", "source", "poster", "source_poster", "sidecar"):
            assert (shelf(spec) / entry[path]).is_file(), path
    assert read(bucket, "finals/tiny/review/index.html") == account.board.read_bytes()
    assert not list((spec.parent.parent / ".callsheet/fetched").glob("*"))
    assert not (spec.parent.parent / "archive").exists()


async def test_a_campaign_that_is_in_its_bucket_is_skipped_for_a_few_requests(
    spec: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    await run(spec)
    sent = len(provider.submits)
    bucket.asked.clear()
    account, _ = await run(spec)
    assert account.message == "nothing to do, 2 skipped"
    assert len(provider.submits) == sent
    # The one that is read is the manifest before this one: what reviews have added is kept.
    assert sorted(bucket.words) == ["GET", "GET list", "GET uploads", "HEAD", "HEAD", "PUT", "PUT"]
    drawn = draw_up(spec, sandbox=False)
    assert explain(drawn, drawn.plan.lines[0].variant.slug).line.action == "skip"


async def test_what_was_put_before_a_run_died_is_recognised(
    spec: Path, bucket: BucketServer, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the file, and before its sidecar and the ledger."""
    bucket.faults += [
        lambda asked, _: (403, b"") if asked.method == "PUT" and asked.key.endswith(".json") else None
    ] * 2
    account, _ = await run(spec)
    assert account.message == "0 of 2 archived, 2 not finished"
    films = {name for name in names(bucket, "finals/tiny/") if name.endswith(".mp4") and "/review/" not in name}
    assert len(films) == 2
    again, _ = await run(spec)
    assert again.message == "2 of 2 archived"
    assert {f"finals/{take.archive}" for take in takes(spec)} == films
    assert len(provider.jobs) == 2


async def test_another_film_of_the_same_name_stays_and_ours_is_its_revision(
    spec: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    name = "finals/tiny/cup--none--good--16x9--t1.mp4"
    client = bucket.client()
    client.put_object(Bucket="studio", Key=name, Body=b"somebody else's")
    client.close()
    account, _ = await run(spec)
    assert account.message == "2 of 2 archived"
    assert read(bucket, name) == b"somebody else's"
    assert "tiny/cup--none--good--16x9--t1--r2.mp4" in {take.archive for take in takes(spec)}


async def test_a_film_that_is_gone_from_the_bucket_is_said_and_not_bought_again(
    spec: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    await run(spec)
    gone = takes(spec)[0]
    remove(bucket, f"finals/{gone.archive}")
    (line,) = draw_up(spec, sandbox=False).plan.of("blocked")
    assert "is gone from the archive" in line.reason
    account, _ = await run(spec)
    entry = next(entry for entry in json.loads(account.manifest.read_text())["entries"] if entry["key"] == gone.key)
    assert entry["deliverable"] is None
    assert len(provider.jobs) == 2


async def test_another_machine_brings_the_board_from_the_bucket(
    spec: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    account, _ = await run(spec)
    whole = {path.relative_to(shelf(spec)): path.read_bytes() for path in shelf(spec).rglob("*.mp4")}
    page = account.board.read_bytes()
    shutil.rmtree(shelf(spec).parent)
    assert wrap.write_board(*wrap.laid_out(load(spec))).read_bytes() == page
    assert {path.relative_to(shelf(spec)): path.read_bytes() for path in shelf(spec).rglob("*.mp4")} == whole
    loaded = load(spec)
    shutil.rmtree(shelf(spec).parent)
    desk = show.Desk(loaded, settings.read(loaded.root))
    assert "connect-src" in desk.page()
    assert {key.rpartition(".")[2] for key in desk.files()} == {"mp4", "jpg", "json"}
    assert all(file.is_file() and file.is_relative_to(shelf(spec).parent) for file in desk.files().values())
    entry = json.loads(read(bucket, "finals/tiny/manifest.json"))["entries"][0]
    facts = {name: entry[name] for name in ("key", "slug", "axes")}
    given = {**facts, "says": "approve", "at": "2026-11-23T12:00:00Z"}
    news = {"campaign": "tiny", "draft": False, "plan": "", "verdicts": [given]}
    assert desk.keep(Verdicts.model_validate(news)).verdicts[0].says == "approve"
    assert read(bucket, "finals/tiny/verdicts.json") == (shelf(spec) / "verdicts.json").read_bytes()
    again, _ = await run(spec)
    assert "Approved" in again.board.read_text()


async def test_a_run_brings_no_film_that_another_machine_made_and_its_board_says_so(
    spec: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    await run(spec)
    shutil.rmtree(shelf(spec).parent)
    bucket.asked.clear()
    account, _ = await run(spec)
    brought = [asked.key for asked in bucket.asked if asked.word == "GET"]
    assert not [key for key in brought if key.endswith(".mp4") and "/review/" not in key]
    assert "callsheet review brings it here" in account.board.read_text()
    assert "callsheet review brings it here" not in read(bucket, "finals/tiny/review/index.html").decode()


async def test_a_part_of_a_campaign_puts_its_pictures_there_and_leaves_the_manifest_alone(
    spec: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    await run(spec)
    posters = names(bucket, "finals/tiny/review/posters/")
    for name in [*posters, "finals/tiny/manifest.json"]:
        remove(bucket, name)
    async with studio.opened(spec, sandbox=False):
        await wrap.wrap({}, is_part=True)
    assert names(bucket, "finals/tiny/review/posters/") == posters
    assert "finals/tiny/manifest.json" not in names(bucket)


# --- before anything is paid for ---------------------------------------------------------------------------------------


def assert_unspent(error: ArchiveError, provider: LocalProvider) -> None:
    assert (error.exit_code, error.spent) == (7, "no")
    assert provider.submits == []


async def test_a_bucket_that_refuses_is_found_out_before_anything_is_paid_for(
    spec: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    spec.write_text(IN_BUCKET.replace("studio/finals", "void-of-nobody/finals"))
    with pytest.raises(
        StoreUnreachable, match=r"tiny\.yaml:10:15: s3://void-of-nobody/finals: .*NoSuchBucket.* Nothing was spent"
    ) as caught:
        make_archive(draw_up(spec, sandbox=False))
    assert_unspent(caught.value, provider)
    with pytest.raises(StoreUnreachable, match="NoSuchBucket") as caught:
        await run(spec)
    assert_unspent(caught.value, provider)
    assert takes(spec) == []


async def test_a_plan_that_cannot_see_its_bucket_is_none_but_what_is_paid_for_is_fetched(
    spec: Path, bucket: BucketServer, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(spec, only=["*good*"])
    provider.results[:] = [500]
    await run(spec)
    sent = len(provider.submits)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreUnreachable, match="Unable to locate credentials") as caught:
        draw_up(spec, sandbox=False)
    assert caught.value.spent == "no"
    with pytest.raises(StoreUnreachable):  # by its manifest, in the end
        await run(spec, attach_only=True)
    assert len(provider.submits) == sent
    assert len(list((spec.parent.parent / ".callsheet/fetched").glob("*.mp4"))) == 1
    assert sorted(take.state for take in takes(spec)) == [State.ARCHIVED, State.SUCCEEDED]


# --- staging -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def staged(spec: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLSHEET_STAGING", "s3://studio/in")
    return spec


async def test_inputs_are_read_from_the_bucket_by_links_and_uploaded_once(
    staged: Path, bucket: BucketServer, provider: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    account, _ = await run(staged)
    assert account.message == "2 of 2 archived"
    assert provider.uploads == {}
    (name,) = names(bucket, "in/")
    links = {str(job["clip"]) for job in provider.jobs.values()}
    assert all(link.startswith(f"{bucket.url}/studio/{name}?X-Amz-") for link in links)
    await run(staged, again=["*good*"])
    assert [asked.key for asked in bucket.asked if asked.method == "PUT"].count(name) == 1
    signatures = {link.partition("X-Amz-Signature=")[2] for link in links}
    told = "\n".join(record.getMessage() for record in caplog.records)
    written = [path.read_text() for path in shelf(staged).rglob("*.json")]
    assert not [signature for signature in signatures for text in (told, *written) if signature in text]


async def test_a_staging_bucket_that_refuses_costs_nothing(
    staged: Path, bucket: BucketServer, provider: LocalProvider
) -> None:
    bucket.faults += [
        lambda asked, _: refusing("PUT", 403, "AccessDenied")(asked, b"") if asked.key.startswith("in/") else None
    ] * 2
    account, ended = await run(staged)
    assert account.message == "0 of 2 archived, 2 failed"
    assert all(isinstance(error, StagingFailed) for error in ended.values())
    assert provider.submits == []
