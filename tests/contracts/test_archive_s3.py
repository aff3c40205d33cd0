"""The archive in a bucket, beyond what every archive promises (test_archive.py): damage, lost answers, broken-off uploads,
how files are kept, and stores that refuse."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from callsheet.archive import s3
from callsheet.archive.s3 import S3Store
from callsheet.archive.store import Stored
from callsheet.buckets import Place
from callsheet.campaign import Keeping
from callsheet.errors import ArchiveError, ChecksumMismatch, StoreUnreachable, WouldOverwrite
from tests import sink
from tests.buckets import KEY as WHO
from tests.buckets import SECRET, Asked, BucketServer, damaging, refusing

from .test_archive import PART, put, sha

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

CHECKOUT = Path(__file__).parents[2]
KEY = "summer/beach--t1.mp4"
PLACE = Place("studio", "finals")
NAME = f"finals/{KEY}"


@pytest.fixture
def client(bucket: BucketServer) -> "Iterator[S3Client]":
    with closing(bucket.client()) as opened:
        yield opened


@pytest.fixture
def store(bucket: BucketServer) -> S3Store:
    return S3Store(PLACE, part=PART)


@pytest.fixture
def render(tmp_path: Path) -> Path:
    """Three parts."""
    return film(tmp_path, 2 * PART + 1000)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return film(tmp_path, 100_000, "small")


def film(folder: Path, size: int, name: str = "render") -> Path:
    file = folder / f"{name}.mp4"
    file.write_bytes(os.urandom(size))
    return file


# --- requests ----------------------------------------------------------------------------------------------------------


def test_a_film_takes_as_many_requests_as_it_needs(
    store: S3Store, bucket: BucketServer, render: Path, small: Path
) -> None:
    put(store, small)
    assert bucket.words == ["HEAD", "PUT"]
    bucket.asked.clear()
    put(store, render, "summer/long.mp4")
    parts = ["PUT part"] * 3
    assert bucket.words == ["HEAD", "GET uploads", "POST uploads", *parts, "POST upload"]
    assert bucket.asked[-1].headers["if-none-match"] == "*"


def test_a_thousand_files_are_asked_about_in_one_request(store: S3Store, bucket: BucketServer, small: Path) -> None:
    put(store, small)
    bucket.asked.clear()
    assert len(store.sizes([KEY, *(f"summer/{number}.mp4" for number in range(1000))])) == 1
    assert bucket.words == ["GET list"]


def test_a_folder_with_more_files_than_a_page_is_read_to_its_end(
    store: S3Store, bucket: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    keys = [f"summer/{number}.json" for number in range(5)]
    for key in keys:
        store.put_text(key, "{}")
    assert store.sizes(keys) == dict.fromkeys(keys, 2)
    assert bucket.words.count("GET list") == 3


def test_the_whole_digest_and_the_kind_are_kept_with_the_object(
    store: S3Store, client: "S3Client", render: Path
) -> None:
    put(store, render)
    head = client.head_object(Bucket="studio", Key=NAME)
    assert head["Metadata"] == {"sha256": sha(render.read_bytes())}
    assert head["ContentLength"] == render.stat().st_size


def test_a_bucket_without_a_prefix_is_an_archive_too(bucket: BucketServer, client: "S3Client", small: Path) -> None:
    store = S3Store(Place("studio", ""))
    store.check()
    put(store, small)
    assert store.sizes([KEY]) == {KEY: 100_000}
    assert client.head_object(Bucket="studio", Key=KEY)["ContentLength"] == 100_000


def test_a_name_too_long_for_a_bucket_is_said(store: S3Store, small: Path) -> None:
    with pytest.raises(ArchiveError, match=r"1,\d+ bytes are too many for the name of an object"):
        put(store, small, "/".join(["x" * 120] * 9))


# --- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", [lambda body: body[:-1], lambda body: bytes([body[0] ^ 1]) + body[1:]], ids=["cut", "changed"]
)
def test_bytes_that_arrive_damaged_get_no_name(store: S3Store, bucket: BucketServer, small: Path, how: Any) -> None:
    bucket.faults.append(damaging("PUT", how))
    with pytest.raises(ChecksumMismatch, match="What arrived in the archive is not what was sent") as caught:
        put(store, small)
    assert (caught.value.retry, caught.value.spent) == ("safe", "yes")
    assert not store.exists(KEY)
    assert put(store, small).bytes == 100_000


def test_a_part_that_arrives_damaged_is_refused_and_the_others_are_kept(
    store: S3Store, bucket: BucketServer, render: Path
) -> None:
    put_broken_off(store, bucket, render, damaging("PUT part", lambda body: body[:-1]), ChecksumMismatch)
    put(store, render)
    assert store.read(KEY) == render.read_bytes()


def test_a_film_that_is_damaged_on_the_way_back_is_noticed(
    store: S3Store, bucket: BucketServer, tmp_path: Path
) -> None:
    with closing(bucket.client()) as client:
        client.put_object(Bucket="studio", Key=NAME, Body=b"film", Metadata={"sha256": sha(b"another film")})
        with pytest.raises(ChecksumMismatch, match=f"and {sha(b'another film')} was put there"):
            store.bring(KEY, tmp_path / "copy.mp4")
        client.put_object(Bucket="studio", Key=NAME, Body=b"film", ChecksumAlgorithm="CRC32", ChecksumCRC32="AAAAAA==")
    with pytest.raises(ChecksumMismatch, match="What came back is not what was sent"):
        store.bring(KEY, tmp_path / "copy.mp4")
    assert list(tmp_path.iterdir()) == []


# --- answers that are lost ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "word"), [(1000, "PUT"), (PART + 1, "POST upload")], ids=["one request", "in parts"])
def test_an_upload_whose_answer_is_lost_is_recognised(
    store: S3Store, bucket: BucketServer, tmp_path: Path, size: int, word: str
) -> None:
    file = film(tmp_path, size)
    bucket.lost.append(word)
    assert put(store, file) == Stored(key=KEY, sha256=sha(file.read_bytes()), bytes=size)
    assert bucket.words.count(word) == 2


def test_a_conflict_of_two_writers_is_tried_again(store: S3Store, bucket: BucketServer, small: Path) -> None:
    bucket.faults += [refusing("PUT", 409, "ConditionalRequestConflict")] * 2
    assert put(store, small).bytes == 100_000
    assert bucket.words.count("PUT") == 3


def test_a_store_that_never_lets_go_is_given_up_on(
    store: S3Store, bucket: BucketServer, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PAUSE", 0)
    bucket.faults += [refusing("PUT", 409, "ConditionalRequestConflict")] * s3.ROUNDS
    with pytest.raises(StoreUnreachable, match="come in between again and again"):
        put(store, small)


def test_bytes_that_came_by_another_way_are_recognised_by_reading_them(
    store: S3Store, client: "S3Client", bucket: BucketServer, small: Path
) -> None:
    client.put_object(Bucket="studio", Key=NAME, Body=small.read_bytes(), ChecksumAlgorithm="CRC32")
    assert put(store, small).bytes == 100_000
    client.put_object(Bucket="studio", Key=NAME, Body=b"x" * 100_000)
    with pytest.raises(WouldOverwrite):
        put(store, small)


# --- uploads that were broken off --------------------------------------------------------------------------------------


def put_broken_off(
    store: S3Store, bucket: BucketServer, file: Path, fault: Any, error: type[Exception] = StoreUnreachable
) -> None:
    """Up to the second part."""
    parts: list[Asked] = []

    def second(asked: Asked, body: bytes) -> Any:
        parts.extend([asked] if asked.word == "PUT part" else [])
        return fault(asked, body) if len(parts) == 2 else None

    bucket.faults.append(second)
    with pytest.raises(error):
        put(store, file)
    assert not store.exists(KEY)
    bucket.asked.clear()


def test_an_upload_that_was_broken_off_goes_on_with_the_parts_that_are_there(
    store: S3Store, bucket: BucketServer, render: Path, client: "S3Client"
) -> None:
    put_broken_off(store, bucket, render, refusing("PUT part", 403, "ExpiredToken"))
    assert put(store, render) == Stored(key=KEY, sha256=sha(render.read_bytes()), bytes=render.stat().st_size)
    assert bucket.words.count("PUT part") == 2
    assert bucket.words.count("POST uploads") == 0
    assert store.read(KEY) == render.read_bytes()
    assert "Uploads" not in client.list_multipart_uploads(Bucket="studio")


def test_where_nobody_may_look_for_parts_everything_is_sent_again(
    store: S3Store, bucket: BucketServer, render: Path
) -> None:
    put_broken_off(store, bucket, render, refusing("PUT part", 403, "ExpiredToken"))
    bucket.faults.append(refusing("GET uploads", 403, "AccessDenied"))
    put(store, render)
    assert bucket.words.count("PUT part") == 3
    assert store.read(KEY) == render.read_bytes()


def test_parts_of_other_bytes_are_never_taken_for_ours(store: S3Store, bucket: BucketServer, render: Path) -> None:
    put_broken_off(store, bucket, render, refusing("PUT part", 403, "ExpiredToken"))
    other = film(render.parent, render.stat().st_size, "other")
    put(store, other)
    assert bucket.words.count("PUT part") == 3
    assert store.read(KEY) == other.read_bytes()


def test_what_can_never_be_finished_is_swept_and_what_can_is_left(
    store: S3Store, bucket: BucketServer, client: "S3Client", small: Path, render: Path
) -> None:
    put(store, small)
    for key in (NAME, "finals/summer/other.mp4", "others/x.mp4", "finals/.hidden"):
        client.create_multipart_upload(Bucket="studio", Key=key)
    assert store.sweep_leftovers() == (f"s3://studio/{NAME}",)
    left = {upload["Key"] for upload in client.list_multipart_uploads(Bucket="studio")["Uploads"]}
    assert left == {"finals/summer/other.mp4", "others/x.mp4", "finals/.hidden"}


PUT = """
import sys
from pathlib import Path
from callsheet.archive.s3 import S3Store
from callsheet.buckets import Place
S3Store(Place("studio", "finals"), part=5 * 1024 * 1024).put(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3])
"""


@pytest.mark.parametrize("word", ["POST uploads", "PUT part", "POST upload"])
def test_kill_9_at_any_request_leaves_the_whole_film_or_none(
    store: S3Store, bucket: BucketServer, render: Path, word: str
) -> None:
    data = render.read_bytes()
    child = subprocess.Popen([sys.executable, "-c", PUT, KEY, str(render), sha(data)], cwd=CHECKOUT)

    def kill(asked: Asked, body: bytes) -> Any:
        """The request is done, and its answer finds nobody."""
        if asked.word != word:
            return None
        child.send_signal(signal.SIGKILL)
        child.wait(20)
        return body

    bucket.faults.append(kill)
    assert child.wait(60) == -signal.SIGKILL
    assert store.exists(KEY) == (word == "POST upload")
    assert put(store, render).sha256 == sha(data)
    assert store.read(KEY) == data


# --- how files are kept ------------------------------------------------------------------------------------------------


def test_encryption_class_tags_and_acl_are_those_of_the_campaign(
    bucket: BucketServer, client: "S3Client", render: Path, small: Path
) -> None:
    keeping = Keeping(
        sse="aws:kms",
        kms_key="alias/studio",
        storage_class="STANDARD_IA",
        acl="public-read",
        tags=(("team", "creative ops"), ("kind", "a/b")),
    )
    store = S3Store(PLACE, keeping, part=PART)
    store.check()
    put(store, small, "summer/small.mp4")
    put(store, render)
    store.put_text("summer/small.json", "{}")
    store.replace_text("summer/manifest.json", "{}")
    put(store, small, "summer/review/sources/1.mp4")
    classes = {}
    for key in ("small.mp4", "beach--t1.mp4", "small.json", "manifest.json", "review/sources/1.mp4"):
        name = f"finals/summer/{key}"
        head = client.head_object(Bucket="studio", Key=name)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/studio"), key
        classes[key] = head.get("StorageClass", "STANDARD")
        tags = {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(Bucket="studio", Key=name)["TagSet"]}
        assert tags == dict(keeping.tags), key
        grants = client.get_object_acl(Bucket="studio", Key=name)["Grants"]
        assert any("AllUsers" in grant["Grantee"].get("URI", "") for grant in grants), key
    films = {"small.mp4": "STANDARD_IA", "beach--t1.mp4": "STANDARD_IA"}
    assert classes == films | dict.fromkeys(["small.json", "manifest.json", "review/sources/1.mp4"], "STANDARD")


def test_nothing_is_said_of_what_the_campaign_does_not_say(bucket: BucketServer, store: S3Store, small: Path) -> None:
    put(store, small)
    said = set(bucket.asked[-1].headers)
    assert not said & {"x-amz-server-side-encryption", "x-amz-storage-class", "x-amz-acl", "x-amz-tagging"}


# --- before a run ------------------------------------------------------------------------------------------------------


def test_a_bucket_is_checked_with_one_small_object_for_good(bucket: BucketServer, store: S3Store) -> None:
    store.check()
    in_parts = ["POST uploads", "PUT part", "POST upload", "DELETE upload"]
    assert bucket.words == ["GET list", "GET", "PUT", "PUT", *in_parts]
    bucket.asked.clear()
    store.check()
    assert bucket.words == ["GET list", "GET", "PUT", *in_parts]
    bucket.asked.clear()
    S3Store(PLACE, Keeping(storage_class="STANDARD_IA")).check()
    assert bucket.words == ["GET list", "GET", "PUT", "PUT", *in_parts]
    assert {asked.key.partition("-archive-")[0] for asked in bucket.asked if asked.method == "PUT"} == {
        "finals/.callsheet"
    }


def test_a_store_that_would_overwrite_is_refused(bucket: BucketServer, store: S3Store) -> None:
    bucket.faults += [lambda asked, _: (200, b"") if asked.word == "PUT" else None] * 2
    with pytest.raises(StoreUnreachable, match="heeds no conditional writes"):
        store.check()
    bucket.faults.append(
        lambda asked, _: (200, b"<CompleteMultipartUploadResult/>") if asked.word == "POST upload" else None
    )
    with pytest.raises(StoreUnreachable, match="heeds no conditional writes") as caught:
        store.check()
    assert (caught.value.spent, caught.value.retry, caught.value.exit_code) == ("no", "never", 7)


@pytest.mark.parametrize(
    ("fault", "what", "hint"),
    [
        (refusing("GET list", 403, "AccessDenied"), "the store answered AccessDenied", "Allow it to these keys"),
        (refusing("GET", 403, "AccessDenied"), "the store answered AccessDenied", "Allow it to these keys"),
        (refusing("PUT", 403, "AccessDenied"), "the store answered AccessDenied", "Allow it to these keys"),
        (refusing("GET list", 403, "InvalidAccessKeyId"), "InvalidAccessKeyId", "AWS_PROFILE"),
        (refusing("GET list", 400, "ExpiredToken"), "ExpiredToken", "get fresh ones"),
        (refusing("PUT", 400, "KMS.NotFoundException"), "KMS.NotFoundException", "archive.kms_key"),
        (refusing("PUT", 400, "InvalidStorageClass"), "InvalidStorageClass", "archive.storage_class"),
        (refusing("PUT", 400, "AccessControlListNotSupported"), "AccessControlListNotSupported", "archive.acl"),
    ],
)
def test_a_refusal_says_what_to_do_and_that_nothing_was_spent(
    bucket: BucketServer, store: S3Store, fault: Any, what: str, hint: str
) -> None:
    bucket.faults.append(fault)
    with pytest.raises(StoreUnreachable) as caught:
        store.check()
    error = caught.value
    assert what in error.what
    assert hint in error.hint
    assert (error.spent, error.exit_code, error.where) == ("no", 7, "s3://studio/finals")
    assert WHO not in str(error)
    assert error.__cause__ is None


def test_a_bucket_that_is_not_there_is_said(bucket: BucketServer) -> None:
    with pytest.raises(
        StoreUnreachable, match="s3://void: The archive cannot be used: the store answered NoSuchBucket"
    ):
        S3Store(Place("void", "")).check()


def test_without_credentials_the_hint_says_which_are_needed(
    bucket: BucketServer, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreUnreachable, match="Unable to locate credentials") as caught:
        store.check()
    assert "AWS_PROFILE" in caught.value.hint
    assert caught.value.spent == "no"


def test_a_profile_that_is_not_there_is_said(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreUnreachable, match=r"The config profile \(nobody\) could not be found"):
        store.check()


def test_a_store_out_of_reach_is_tried_again_and_tells_no_secret(
    store: S3Store, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "SENDINGS", 2)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}/s3cr3t-of-a-gateway")
    with pytest.raises(StoreUnreachable, match="cannot be reached") as caught:
        put(store, small)
    assert (caught.value.retry, caught.value.spent) == ("safe", "yes")
    assert not {"s3cr3t", WHO, SECRET} & set(str(caught.value).replace("/", " ").split())


def test_a_busy_store_is_said_after_a_bounded_number_of_tries(
    bucket: BucketServer, store: S3Store, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "SENDINGS", 2)
    bucket.faults += [refusing("PUT", 503, "SlowDown")] * 2
    with pytest.raises(StoreUnreachable, match="the store answered SlowDown 2 times") as caught:
        put(store, small)
    assert caught.value.retry == "safe"
    assert put(store, small).bytes == 100_000


def test_without_boto_an_archive_in_a_bucket_says_what_to_install(small: Path) -> None:
    """A module that is None in sys.modules cannot be imported: Python's own word for `not there`."""
    code = f"import sys; sys.modules['boto3'] = None\ntry: exec({PUT!r})\nexcept Exception as error: print(error)"
    words = [sys.executable, "-c", code, KEY, str(small), sha(small.read_bytes())]
    ended = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert "needs boto3, which is not installed" in ended.stdout, ended.stderr
    assert "pip install 'callsheet[s3]'" in ended.stdout


def test_fifty_films_at_once_are_never_in_memory(tmp_path: Path) -> None:
    """Smaller ones than promised, in less room: `make bench ONLY=archive` does the whole."""
    size = PART + 3_000_000
    files = [tmp_path / f"{number}.mp4" for number in range(50)]
    for file in files:
        file.touch()
        os.truncate(file, size)
    with sink.serving() as store:
        words = [sys.executable, "-c", sink.UPLOADER, str(PART), sink.digest_of_nothing(size), *map(str, files)]
        environment = {**os.environ, **store.environment}
        ended = subprocess.run(words, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert store.received == 50 * size
    assert len(set(store.named)) == 50
    assert int(ended.stdout) < 180_000  # kilobytes; 400 MB of films, 250 MB of first parts
