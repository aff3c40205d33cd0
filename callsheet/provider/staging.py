"""Staging: an input file in, a URL that the provider can read out. Over the provider's own files service, or a bucket.

A link into a bucket is signed: whoever has it may read the file until it dies, so it is a secret like any other link. boto3
is loaded when the first such link is made, and never before.
"""

import asyncio
import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from callsheet import buckets
from callsheet.digest import short
from callsheet.errors import StagingFailed
from callsheet.hosts import is_loopback, is_public, literal
from callsheet.once import once
from callsheet.provider.client import CONTENT_TYPES, Provider, Staged
from callsheet.redact import redact

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = logging.getLogger("callsheet.takes")

#: A job that is at work for longer than this may never end; jobs take minutes.
LONGEST_JOB = timedelta(hours=24)
#: How long a link lives: a job that waits as long as any, and is then read again. SigV4 allows seven days.
LINK_LIFE = timedelta(hours=48)
#: A link that dies with temporary credentials sooner than a job may is said; one that dies as soon as this is not handed out.
SHORTEST_LINK = timedelta(hours=2)
#: A file that was put there longer ago is put there again: the bucket's own rules may be about to remove it.
FRESH = timedelta(days=1)

#: Seconds to connect, and between two pieces of an answer; and how often one request is sent.
CONNECT, READ, SENDINGS = 10, 60, 5


class Staging(Protocol):
    @property
    def margin(self) -> timedelta:
        """A link has to live this much longer than now to be handed to the provider."""

    async def put(self, file: Path, *, sha256: str, suffix: str, called: str = "") -> Staged:
        """Have the file where the provider can read it. sha256: of its bytes. suffix: with its dot (".mp4"). called: what a
        person calls it. ProviderError; nothing is charged for staging."""


class ProviderStaging:
    """Uploads are named by content, so the service's file list tells which file is which."""

    #: The provider reads its own files at submission.
    margin = timedelta(hours=1)

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def put(self, file: Path, *, sha256: str, suffix: str, called: str = "") -> Staged:
        """Raises what `Provider.upload` raises. The same content put twice is two uploads; who calls keeps what it has until
        `expires_at`."""
        return await self._provider.upload(file, name=f"{short(sha256)}{suffix}", called=called)


@dataclass(frozen=True, kw_only=True)
class _Signer:
    """Who signs links, and until when: None where that is not known, or where the credentials do not end."""

    is_temporary: bool
    ends: datetime | None


class BucketStaging:
    """Files below s3://bucket/prefix, each under the digest of its bytes, and so uploaded once by whatever run comes first."""

    #: When it reads those of others is its own business: perhaps when the job's turn has come.
    margin = LONGEST_JOB

    def __init__(self, place: buckets.Place, *, loopback: bool) -> None:
        """loopback: may links lead to this machine? A provider elsewhere could not follow them."""
        self._place, self._loopback = place, loopback
        self._warned = False

    async def put(self, file: Path, *, sha256: str, suffix: str, called: str = "") -> Staged:
        """StagingFailed; safe to repeat where the bucket did not answer."""
        return await asyncio.to_thread(self._put, file, sha256, suffix, called or file.name)

    def _put(self, file: Path, sha256: str, suffix: str, called: str) -> Staged:
        key = self._place.key(f"{sha256}{suffix}")
        with self._told(called):
            self._have(key, file, sha256, suffix)
            life = self._life(called)
            url = self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._place.bucket, "Key": key}, ExpiresIn=int(life.total_seconds())
            )
        self._refuse_unreadable(url, called)
        return Staged(url=SecretStr(url), expires_at=datetime.now(UTC) + life)

    def _have(self, key: str, file: Path, sha256: str, suffix: str) -> None:
        """Upload it, unless it is there. The name is its digest, so nothing else is ever written over."""
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        if self._is_there(key, file.stat().st_size, checksum):
            return
        with file.open("rb") as body:
            self._client.put_object(
                Bucket=self._place.bucket,
                Key=key,
                Body=body,
                ContentType=CONTENT_TYPES.get(suffix.lower(), "application/octet-stream"),
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,
            )

    def _is_there(self, key: str, size: int, checksum: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            head = self._client.head_object(Bucket=self._place.bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        is_whole = head["ContentLength"] == size and head.get("ChecksumSHA256") == checksum
        return is_whole and datetime.now(UTC) - head["LastModified"] < FRESH

    def _life(self, called: str) -> timedelta:
        """How long a link lives that is signed now. A link dies with the credentials that signed it."""
        signer = self._signer()
        if not signer.is_temporary:
            return LINK_LIFE
        left = LINK_LIFE if signer.ends is None else min(LINK_LIFE, signer.ends - datetime.now(UTC))
        if left < SHORTEST_LINK:
            raise StagingFailed(
                f"a link to {called} would die in {max(0, int(left.total_seconds() // 60))} minutes, with the temporary "
                "credentials that sign it.",
                where=self._place.spoken(),
                hint="Use credentials that last longer, those of a user, or CALLSHEET_STAGING=provider.",
            )
        if not self._warned and (signer.ends is None or left < LONGEST_JOB):
            self._warned = True
            when = "at a time that is not told here" if signer.ends is None else f"{signer.ends:%Y-%m-%d %H:%M} UTC"
            log.warning("links into %s die with the temporary credentials: %s", self._place.spoken(), when)
        return left

    def _signer(self) -> _Signer:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise StagingFailed("there are no credentials.", where=self._place.spoken(), hint=buckets.WHO)
        token = credentials.get_frozen_credentials().token  # fetches fresh ones where the old are about to end
        # boto tells this nowhere else; what has no such thing does not end, or does not say when.
        ends = getattr(credentials, "_expiry_time", None)
        return _Signer(is_temporary=bool(token), ends=ends if isinstance(ends, datetime) else None)

    def _refuse_unreadable(self, url: str, called: str) -> None:
        """StagingFailed for a link that is not https://, or that leads to this machine where the provider is elsewhere."""
        parts = urlsplit(url)
        host, address = parts.hostname or "", literal(parts.hostname or "")
        if is_loopback(host):
            why = "" if self._loopback else f"{host} is this machine"
        elif parts.scheme != "https":
            why = f"plain http to {host} lets others read along"
        else:
            why = "" if address is None or is_public(address) else f"{host} is a private address"
        if why:
            raise StagingFailed(
                f"no link to {called} is handed out: {why}.",
                where=self._place.spoken(),
                hint="Set AWS_ENDPOINT_URL_S3 to an https:// address that the provider reaches, or CALLSHEET_STAGING=provider.",
            )

    @once
    def _session(self) -> Any:
        try:
            import boto3
        except ImportError as error:
            raise StagingFailed(
                "staging in a bucket needs boto3, which is not installed.", hint=buckets.INSTALL
            ) from error
        return boto3.session.Session()

    @once
    def _client(self) -> "S3Client":
        session = self._session
        from botocore.config import Config

        config = Config(
            signature_version="s3v4",
            connect_timeout=CONNECT,
            read_timeout=READ,
            retries={"mode": "standard", "total_max_attempts": SENDINGS},
        )
        client: S3Client = session.client("s3", config=config)
        return client

    @contextmanager
    def _told(self, called: str) -> Iterator[None]:
        """boto's errors as ours, without a key or a signature in them."""
        _ = self._session
        from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

        where = self._place.spoken()
        try:
            yield
        except ClientError as error:
            code = redact(str(error.response.get("Error", {}).get("Code", "")))
            is_busy = (
                code in buckets.BUSY | buckets.DAMAGED or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
            )
            what = f"{called} cannot be staged: the bucket answered {code}."
            hint = "Run again later." if is_busy else buckets.advice(code)
            raise StagingFailed(what, where=where, hint=hint, retry="safe" if is_busy else "never") from None
        except (ConnectionError, HTTPClientError) as error:
            hint = "Check the network and AWS_ENDPOINT_URL_S3, then run again."
            raise StagingFailed(
                f"{called} cannot be staged: {buckets.words(error)}.", where=where, hint=hint, retry="safe"
            ) from None
        except (BotoCoreError, ValueError) as error:
            raise StagingFailed(
                f"{called} cannot be staged: {buckets.words(error)}.", where=where, hint=buckets.WHO
            ) from None
