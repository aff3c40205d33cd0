"""Staging in a bucket: uploaded once, read by a signed link that outlives any job, and refused where nobody could read it."""

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from callsheet import digest
from callsheet.buckets import Place
from callsheet.errors import StagingFailed
from callsheet.provider import staging
from callsheet.provider.staging import BucketStaging
from callsheet.redact import redact
from tests.buckets import KEY, SECRET, BucketServer, damaging, refusing

PLACE = Place("studio", "in")


@pytest.fixture
def bucketed(bucket: BucketServer) -> BucketStaging:
    return BucketStaging(PLACE, loopback=True)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    file = tmp_path / "clip.mp4"
    file.write_bytes(os.urandom(200_000))
    return file


async def put(bucketed: BucketStaging, clip: Path) -> Any:
    return await bucketed.put(clip, sha256=digest.of_bytes(clip.read_bytes()), suffix=".mp4", called="clip beach")


def got(link: str) -> httpx.Response:
    return httpx.get(link, trust_env=False)


async def test_a_link_gives_the_file_to_whoever_has_it_and_outlives_any_job(
    bucketed: BucketStaging, clip: Path
) -> None:
    staged = await put(bucketed, clip)
    link = staged.url.get_secret_value()
    answer = got(link)
    assert answer.content == clip.read_bytes()
    assert answer.headers["content-type"] == "video/mp4"
    assert urlsplit(link).path == f"/studio/in/{digest.of_bytes(clip.read_bytes())}.mp4"
    asked = {name: value[0] for name, value in parse_qs(urlsplit(link).query).items()}
    assert asked["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert staging.LONGEST_JOB < timedelta(seconds=int(asked["X-Amz-Expires"])) <= timedelta(days=7)
    assert staged.expires_at - datetime.now(UTC) > staging.LONGEST_JOB


async def test_a_file_is_uploaded_once_whoever_asks(bucketed: BucketStaging, bucket: BucketServer, clip: Path) -> None:
    await put(bucketed, clip)
    await put(BucketStaging(PLACE, loopback=True), clip)
    assert bucket.words == ["HEAD", "PUT", "HEAD"]


async def test_a_file_that_lies_there_for_long_is_put_there_again_before_the_bucket_tidies_up(
    bucketed: BucketStaging, bucket: BucketServer, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(bucketed, clip)
    monkeypatch.setattr(staging, "FRESH", timedelta(seconds=-1))
    await put(bucketed, clip)
    assert bucket.words == ["HEAD", "PUT", "HEAD", "PUT"]


async def test_what_is_there_half_is_put_there_whole(bucketed: BucketStaging, bucket: BucketServer, clip: Path) -> None:
    client = bucket.client()
    client.put_object(Bucket="studio", Key=f"in/{digest.of_bytes(clip.read_bytes())}.mp4", Body=clip.read_bytes()[:100])
    client.close()
    staged = await put(bucketed, clip)
    assert got(staged.url.get_secret_value()).content == clip.read_bytes()


async def test_a_link_is_a_secret_everywhere(
    bucketed: BucketStaging, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "callsheet")
    staged = await put(bucketed, clip)
    link = staged.url.get_secret_value()
    assert link not in repr(staged)
    told = redact(f"it was at {link}, they say")
    assert "Signature" not in told
    assert KEY not in told
    assert not [record for record in caplog.records if "X-Amz" in record.getMessage()]


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://minio.example.com:9000", "plain http to minio.example.com"),
        ("https://10.0.0.7", "10.0.0.7 is a private address"),
        ("http://127.0.0.1:9", "127.0.0.1 is this machine"),
    ],
)
async def test_a_link_that_the_provider_could_not_or_should_not_follow_is_not_handed_out(
    bucket: BucketServer, clip: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, why: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setattr(BucketStaging, "_have", lambda *_: None)
    with pytest.raises(StagingFailed, match=why) as caught:
        await put(BucketStaging(PLACE, loopback=False), clip)
    assert (caught.value.spent, caught.value.retry) == ("no", "never")
    assert "CALLSHEET_STAGING=provider" in caught.value.hint


def with_credentials(bucketed: BucketStaging, monkeypatch: pytest.MonkeyPatch, left: timedelta) -> None:
    """Those of a role, which end after that."""
    from botocore.credentials import RefreshableCredentials

    ends = datetime.now(UTC) + left
    credentials = RefreshableCredentials(
        KEY, SECRET, "a-session-token", ends, refresh_using=lambda: pytest.fail("refreshed"), method="test"
    )
    monkeypatch.setattr(bucketed._session, "get_credentials", lambda: credentials)


async def test_a_link_lives_no_longer_than_the_credentials_that_sign_it_and_that_is_said_once(
    bucketed: BucketStaging, clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with_credentials(bucketed, monkeypatch, timedelta(hours=6))
    staged = await put(bucketed, clip)
    await put(bucketed, clip)
    assert timedelta(hours=5) < staged.expires_at - datetime.now(UTC) <= timedelta(hours=6)
    told = [record.getMessage() for record in caplog.records if "die with the temporary credentials" in record.message]
    assert len(told) == 1


async def test_credentials_that_are_about_to_end_sign_no_link(
    bucketed: BucketStaging, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_credentials(bucketed, monkeypatch, timedelta(minutes=61))
    with pytest.raises(StagingFailed, match=r"a link to clip beach would die in 6[01] minutes, with the temporary"):
        await put(bucketed, clip)


async def test_a_session_token_of_unknown_end_is_said(
    bucketed: BucketStaging, clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-session-token")
    await put(bucketed, clip)
    assert "die with the temporary credentials: at a time that is not told here" in caplog.text


@pytest.mark.parametrize(
    ("fault", "what", "retry"),
    [
        (
            refusing("PUT", 403, "AccessDenied"),
            "clip beach cannot be staged: the bucket answered AccessDenied",
            "never",
        ),
        (refusing("PUT", 404, "NoSuchBucket"), "the bucket answered NoSuchBucket", "never"),
        (damaging("PUT", lambda body: body[:-1]), "the bucket answered BadDigest", "safe"),
    ],
)
async def test_a_bucket_that_refuses_is_told(
    bucketed: BucketStaging, bucket: BucketServer, clip: Path, fault: Any, what: str, retry: str
) -> None:
    bucket.faults.append(fault)
    with pytest.raises(StagingFailed, match=what) as caught:
        await put(bucketed, clip)
    assert (caught.value.spent, caught.value.retry, caught.value.where) == ("no", retry, "s3://studio/in")
    assert KEY not in str(caught.value)


async def test_without_credentials_the_hint_says_which_are_needed(
    bucketed: BucketStaging, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StagingFailed) as caught:
        await put(bucketed, clip)
    assert "AWS_PROFILE" in caught.value.hint
