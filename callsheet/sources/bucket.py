"""A source at s3://bucket/key, read with boto3. Who may read it is AWS's own business: its variables, profiles and roles.

boto3 is loaded when the first such source is used, and never before: it takes a third of a second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from callsheet import buckets
from callsheet.errors import SourceError, SourceUnreachable
from callsheet.redact import redact
from callsheet.sources.transfer import CHUNK, Answer, Version

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Seconds to connect, and between two pieces of the body.
CONNECT, READ = 10, 30


class Buckets:
    """How this studio reads s3://. Thread-safe."""

    def __init__(self) -> None:
        self._client = _client()

    def source(self, url: str) -> "BucketSource":
        """url: s3://bucket/key; the key is taken as it is written, wildcards included."""
        bucket, _, key = url.partition("://")[2].partition("/")
        return BucketSource(url, bucket, key, self._client)


class BucketSource:
    """One object of a bucket."""

    def __init__(self, name: str, bucket: str, key: str, client: "S3Client") -> None:
        self.name = name
        self._bucket, self._key, self._client = bucket, key, client

    @contextmanager
    def open(self, *, unless: Version, offset: int, of: Version) -> Iterator[Answer | None]:
        """The object, or the rest of it. SourceError, SourceUnreachable."""
        asked: dict[str, Any] = {"Bucket": self._bucket, "Key": self._key}
        if unless.etag:
            asked["IfNoneMatch"] = unless.etag
        if offset:
            asked |= {"Range": f"bytes={offset}-", "IfMatch": of.etag}
        with _said():
            response = self._got(asked, can_be_unchanged=bool(unless), is_rest=bool(offset))
            if response is None:
                yield None
                return
            body = response["Body"]
            try:
                chunks = body.iter_chunks(CHUNK)
                yield Answer(version=_version(response), offset=_offset(response), size=_size(response), chunks=chunks)
            finally:
                body.close()

    def _got(self, asked: dict[str, Any], *, can_be_unchanged: bool, is_rest: bool) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            return dict(self._client.get_object(**asked))
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 304 and can_be_unchanged:
                return None
            if status in (412, 416) and is_rest:  # it was changed since the first half came
                whole = {name: asked[name] for name in ("Bucket", "Key")}
                return dict(self._client.get_object(**whole))
            raise


def _client() -> "S3Client":
    """SourceError where boto3 is not installed or its settings cannot be used."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise SourceError("needs boto3, which is not installed.", hint=buckets.INSTALL) from error
    # What is tried again, and when, is decided in transfer: two layers of it would multiply.
    config = Config(connect_timeout=CONNECT, read_timeout=READ, retries={"total_max_attempts": 1})
    try:
        client: S3Client = boto3.session.Session().client("s3", config=config)
        return client
    except (BotoCoreError, ValueError) as error:
        raise SourceError(f"cannot be read: {buckets.words(error)}.", hint=buckets.WHO) from None


def _version(response: dict[str, Any]) -> Version:
    """An object's ETag is exact: it changes with every writing of other bytes."""
    etag, version = response.get("ETag", ""), response.get("VersionId", "")
    modified = response["LastModified"].isoformat() if "LastModified" in response else ""
    return Version(etag=etag, modified=modified, id="" if version == "null" else version, exact=bool(etag))


def _offset(response: dict[str, Any]) -> int:
    begin = response.get("ContentRange", "bytes 0-").removeprefix("bytes ").partition("-")[0]
    return int(begin) if begin.isdecimal() else 0


def _size(response: dict[str, Any]) -> int:
    return _offset(response) + int(response["ContentLength"])


@contextmanager
def _said() -> Iterator[None]:
    """boto's errors as ours, without a key or a signature in them."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,
        HTTPClientError,
        IncompleteReadError,
        ResponseStreamingError,
    )
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        raise _answered(error) from None
    except (ConnectionError, HTTPClientError, IncompleteReadError, ResponseStreamingError, HTTPError) as error:
        hint = "Check the network, and run again: it goes on where it broke off."
        raise SourceUnreachable(f"cannot be fetched now: {buckets.words(error)}.", hint=hint) from None
    except BotoCoreError as error:  # no credentials, no such profile, a strange name of a bucket
        raise SourceError(f"cannot be read: {buckets.words(error)}.", hint=buckets.WHO) from None


def _answered(error: Any) -> SourceError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    if code in buckets.BUSY or status >= 500:
        return SourceUnreachable(f"cannot be fetched now: the store answered {redact(code)}.", hint="Run again later.")
    if status == 404:
        hint = "Check the bucket and the key; a key is taken as it is written, and is no pattern."
        return SourceError(f"is not there: the store answered {redact(code)}.", hint=hint)
    return SourceError(f"may not be read: the store answered {redact(code)}.", hint=buckets.WHO)
