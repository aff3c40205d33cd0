"""The archive in a bucket of S3, or of any store that speaks it: an object appears whole under its name, or not at all,
and is never replaced.

A name is given by the last request of an upload with `If-None-Match: *`, which fails where the name exists: of two
writers exactly one wins. A store that heeds no such condition would overwrite in silence, so `check` tries it and refuses
such a one. SHA-256 goes along with every request, so that the store itself refuses bytes that were damaged on the way. An
upload of several parts that was broken off goes on with the parts that the store has and that are ours by their digests.

boto3 is loaded when the first bucket is used, and never before: it takes a third of a second.
"""

import base64
import hashlib
import io
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlencode

from callsheet import buckets
from callsheet.archive.disk import temporary
from callsheet.archive.store import Listed, Stored, other_bytes, refuse_lasting, refuse_strange
from callsheet.campaign import Keeping
from callsheet.errors import ArchiveError, ChecksumMismatch, StoreUnreachable
from callsheet.once import once
from callsheet.redact import redact

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

CHUNK = 1024 * 1024
#: Bytes of a part that are in memory at a time; boto itself reads 16 KiB at a time.
BUFFER = 64 * 1024
#: Bytes of a part; what is no longer goes up in one request. S3 takes 10,000 parts of at least 5 MiB each.
PART = 16 * 1024 * 1024
MOST_PARTS = 10_000

#: Seconds to connect, and between two pieces of an answer; and how often one request is sent, waits growing in between.
CONNECT, READ, SENDINGS = 10, 60, 5
#: How often an upload begins again because another one of the same name came in between, and the seconds it waits then.
ROUNDS, PAUSE = 6, 0.3
#: Connections that are kept open; each upload and each download needs one.
CONNECTIONS = 32
#: Files that are asked about one by one; for more, what the bucket has below their folder is listed.
FEW = 2

#: The object that shows whether conditional writes are heeded; beside it the digest of how it is kept.
_PROBE = ".callsheet-archive"
_NOTHING = ".callsheet-nothing"
_PROBE_TEXT = b"Callsheet keeps an archive here. This object shows that nothing in it is overwritten; do not remove it.\n"
#: Another writer was quicker, or our upload is no longer what it was: look again what has the name.
_OVERTAKEN = frozenset(
    {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload", "InvalidPart", "InvalidPartOrder"}
)
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_KINDS = {".mp4": "video/mp4", ".mov": "video/quicktime", ".jpg": "image/jpeg", ".json": "application/json"}


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A stretch of a file that goes up in one request. sha256: its raw digest."""

    number: int
    offset: int
    size: int
    sha256: bytes

    @property
    def checksum(self) -> str:
        return _text(self.sha256)


@dataclass(frozen=True, kw_only=True)
class _Body:
    """What is to be put: an open file, its digest and its pieces."""

    file: BinaryIO
    sha256: str
    size: int
    pieces: tuple[_Piece, ...]

    @property
    def checksums(self) -> frozenset[str]:
        """How S3 may tell that an object has these very bytes: by the digest of all, or that of the pieces' digests."""
        composite = _text(hashlib.sha256(b"".join(piece.sha256 for piece in self.pieces)).digest())
        whole = _text(bytes.fromhex(self.sha256))
        return frozenset({whole, composite, f"{composite}-{len(self.pieces)}"})


@dataclass(frozen=True, kw_only=True)
class _Found:
    """An object that is being read. told: the SHA-256 that it was put there with, or nothing."""

    chunks: Iterator[bytes]
    told: str


class S3Store:
    """An archive below s3://bucket/prefix: a `store.Store`. Who may write it is AWS's own business: its variables,
    profiles and roles."""

    def __init__(self, place: buckets.Place, keeping: Keeping | None = None, *, part: int = PART) -> None:
        """part: bytes of a part, at least 5 MiB."""
        self.place = place
        self._keeping = keeping or Keeping()
        self._part = part

    def put(self, key: str, file: Path, *, sha256: str) -> Stored:
        """The store has acknowledged every byte, by its digest, when this returns."""
        name = self._name(key)
        try:
            source = file.open("rb")
        except OSError as error:
            raise ArchiveError(f"The file to archive cannot be read: {error.strerror}.", where=str(file)) from error
        with source:
            return self._put(key, name, source, sha256)

    def put_text(self, key: str, text: str) -> Stored:
        data = text.encode()
        return self._put(key, self._name(key), io.BytesIO(data), hashlib.sha256(data).hexdigest())

    def replace_text(self, key: str, text: str) -> Stored:
        refuse_lasting(key)
        name, data = self._name(key), text.encode()
        body = self._measured(io.BytesIO(data), len(data) + 1)
        with self._told(key):
            self._client.put_object(Body=data, **self._upload(name), **self._checks(body))
        return Stored(key=key, sha256=body.sha256, bytes=body.size)

    def stat(self, key: str) -> Stored | None:
        name = self._name(key)
        with self._told(key):
            with self._opened(name) as found:
                return None if found is None else _digested(key, found)

    def read(self, key: str) -> bytes | None:
        name = self._name(key)
        with self._told(key), self._opened(name) as found:
            return None if found is None else b"".join(found.chunks)

    @contextmanager
    def opened(self, key: str) -> Iterator[Iterator[bytes] | None]:
        name = self._name(key)
        with self._told(key), self._opened(name) as found:
            yield None if found is None else found.chunks

    def listing(self) -> Iterator[Listed]:
        """One request for a thousand names. What looks like a folder is none in a bucket."""
        folder = f"{self.place.prefix}/" if self.place.prefix else ""
        with self._told():
            for name, size in self._listed(folder):
                yield Listed(key=name.removeprefix(folder), bytes=size)

    def bring(self, key: str, target: Path) -> Stored | None:
        """target: on this machine, in a folder that is there or can be made. OSError where it cannot be written."""
        name = self._name(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._told(key), temporary(target.parent) as half:
            with half.open("xb") as coming, self._opened(name) as found:
                stored = None if found is None else _digested(key, found, coming)
            if found is None or stored is None:
                return None
            if found.told not in ("", stored.sha256):
                what = f"What came back has the digest {stored.sha256}, and {found.told} was put there."
                raise ChecksumMismatch(what, where=self.spoken(key))
            half.replace(target)
        return stored

    def exists(self, key: str) -> bool:
        name = self._name(key)
        with self._told(key):
            return self._head(name) is not None

    def sizes(self, keys: Collection[str]) -> dict[str, int]:
        wanted = {self._name(key): key for key in keys}
        with self._told():
            if len(wanted) <= FEW:
                heads = {key: self._head(name) for name, key in wanted.items()}
                return {key: int(head["ContentLength"]) for key, head in heads.items() if head is not None}
            there: dict[str, int] = {}
            for folder in sorted({self.place.key(_top(key)) for key in keys}):
                found = self._listed(folder)
                there.update({wanted[name]: size for name, size in found if name in wanted})
            return there

    def spoken(self, key: str = "") -> str:
        return self.place.spoken(key)

    def check(self) -> None:
        """List, ask for what is not there, and write the probe as a deliverable would be written, unless it is there; and be
        refused a second time, in one request and in parts: there are stores that heed the condition in one of them alone.

        Nothing has to be removed for it. Its name has how it is kept in it, so a new key or class is tried afresh.
        """
        probe = self._probe()
        body = self._measured(io.BytesIO(_PROBE_TEXT), self._part)
        try:
            with self._told():
                self._client.list_objects_v2(Bucket=self.place.bucket, Prefix=self.place.key(_PROBE), MaxKeys=1)
                with self._opened(self.place.key(_NOTHING)):
                    pass
                is_written = self._may_create(probe, body) and self._may_create(probe, body)
                if is_written or self._may_create_in_parts(probe, body):
                    raise StoreUnreachable(
                        f"{self.place.spoken()} heeds no conditional writes (If-None-Match), so files in it could be "
                        "overwritten.",
                        hint="Use a store that does (AWS S3, Cloudflare R2, MinIO since 2024), or a folder.",
                    )
        except ArchiveError as error:
            error.spent, error.retry = "no", "never"
            raise

    def sweep_leftovers(self) -> tuple[str, ...]:
        """Broken-off uploads of names that have been given meanwhile: no one can finish those. Any others may be at work, or
        be gone on with by a later run."""
        with self._told():
            uploads = [(name, upload) for name, upload in self._uploads(self.place.prefix) if self._key(name)]
            there = self.sizes({self._key(name) for name, _ in uploads})
            useless = [(name, upload) for name, upload in uploads if self._key(name) in there]
            removed = [name for name, upload in useless if self._give_up(name, upload)]
            return tuple(self.place.spoken(self._key(name)) for name in removed)

    # --- one object -------------------------------------------------------------------------------------------------

    def _put(self, key: str, name: str, source: BinaryIO, sha256: str) -> Stored:
        body = self._measured(source, self._part)
        if body.sha256 != sha256:
            raise ChecksumMismatch(f"The file has the digest {body.sha256}, and {sha256} was promised.", where=key)
        stored = Stored(key=key, sha256=body.sha256, bytes=body.size)
        with self._told(key):
            for number in range(ROUNDS):
                if (head := self._head(name)) is not None:
                    self._tidy(name, body)
                    self._refuse_others(name, head, body)
                    return stored
                if self._sent(name, body):
                    return stored
                time.sleep(PAUSE * number)
        raise StoreUnreachable("Other uploads of this name come in between again and again.", where=self.spoken(key))

    def _sent(self, name: str, body: _Body) -> bool:
        """Upload it and give it its name. False where something came in between."""
        try:
            if len(body.pieces) > 1:
                self._send_in_parts(name, body)
            else:
                body.file.seek(0)
                self._client.put_object(Body=body.file, IfNoneMatch="*", **self._upload(name), **self._checks(body))
        except self._refusal as error:
            if _code(error) in _OVERTAKEN or _status(error) in (409, 412):
                return False
            raise
        return True

    def _send_in_parts(self, name: str, body: _Body) -> None:
        upload, there = self._resumed(name, body)
        self._send_the_rest(name, upload or self._begun(self._upload(name), body), there, body)

    def _begun(self, options: dict[str, Any], body: _Body) -> str:
        """The id of a new upload in parts."""
        metadata = {"sha256": body.sha256}
        begun = self._client.create_multipart_upload(ChecksumAlgorithm="SHA256", Metadata=metadata, **options)
        return begun["UploadId"]

    def _send_the_rest(self, name: str, upload: str, there: Mapping[int, str], body: _Body) -> None:
        """The parts that are not there, and then the name. there: ETags by number."""
        parts = []
        for piece in body.pieces:
            etag = there.get(piece.number) or self._send_part(name, upload, piece, body.file)
            parts.append({"PartNumber": piece.number, "ETag": etag, "ChecksumSHA256": piece.checksum})
        self._client.complete_multipart_upload(
            Bucket=self.place.bucket,
            Key=name,
            UploadId=upload,
            MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
            IfNoneMatch="*",
            MpuObjectSize=body.size,
        )

    def _send_part(self, name: str, upload: str, piece: _Piece, file: BinaryIO) -> str:
        answer = self._client.upload_part(
            Bucket=self.place.bucket,
            Key=name,
            UploadId=upload,
            PartNumber=piece.number,
            Body=io.BufferedReader(_Stretch(file, piece.offset, piece.size), BUFFER),
            ContentLength=piece.size,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=piece.checksum,
        )
        return answer["ETag"]

    def _resumed(self, name: str, body: _Body) -> tuple[str, dict[int, str]]:
        """An upload of these bytes that was broken off, and the ETags of the parts that the store has of it; else nothing.

        Whose bytes a part has is told by its digest alone. One foreign part, and the upload is somebody else's.
        """
        for found, upload in self._uploads(name):
            if found != name:
                continue
            parts = self._parts(name, upload)
            if parts and all(_is_ours(part, body) for part in parts):
                return upload, {int(part["PartNumber"]): str(part["ETag"]) for part in parts}
        return "", {}

    def _refuse_others(self, name: str, head: Mapping[str, Any], body: _Body) -> None:
        """WouldOverwrite, unless what has the name has these very bytes."""
        size, told = int(head["ContentLength"]), str(head.get("Metadata", {}).get("sha256", ""))
        if size == body.size:
            if head.get("ChecksumSHA256") in body.checksums:
                return
            if told in ("", body.sha256):  # it came by another way, without a digest that the store vouches for
                with self._opened(name) as found:
                    if found is not None and _digested("", found).sha256 == body.sha256:
                        return
        named = f", sha256 {told[:12]}…" if told else ""
        raise other_bytes(self.place.spoken(self._key(name)), f"{size:,} bytes{named}")

    def _tidy(self, name: str, body: _Body) -> None:
        """Uploads that cannot be finished any more, since the name is given."""
        if len(body.pieces) > 1:
            for found, upload in list(self._uploads(name)):
                if found == name:
                    self._give_up(name, upload)

    def _give_up(self, name: str, upload: str) -> bool:
        """False where another run was quicker, or where these credentials may not; the bucket's own rules tidy up then."""
        try:
            self._client.abort_multipart_upload(Bucket=self.place.bucket, Key=name, UploadId=upload)
        except self._refusal as error:
            if _status(error) not in (400, 403, 404, 405, 501):
                raise
            return False
        return True

    def _probe(self) -> dict[str, Any]:
        """What an upload of the probe says."""
        options = self._upload(self.place.key(_PROBE))
        if self._keeping.storage_class:
            options["StorageClass"] = self._keeping.storage_class
        mark = hashlib.sha256(repr(sorted(map(str, options.items()))).encode()).hexdigest()[:12]
        return {**options, "Key": f"{options['Key']}-{mark}"}

    def _may_create(self, probe: dict[str, Any], body: _Body) -> bool:
        """Was it written? False where it is there already, which is as it should be."""
        try:
            self._client.put_object(Body=_PROBE_TEXT, IfNoneMatch="*", **probe, **self._checks(body))
        except self._refusal as error:
            if _status(error) in (409, 412):
                return False
            raise
        return True

    def _may_create_in_parts(self, probe: dict[str, Any], body: _Body) -> bool:
        """The same, for an upload that ends like that of a long film."""
        upload = self._begun(probe, body)
        try:
            self._send_the_rest(probe["Key"], upload, {}, body)
        except self._refusal as error:
            self._give_up(probe["Key"], upload)
            if _status(error) in (409, 412):
                return False
            raise
        return True

    # --- requests ---------------------------------------------------------------------------------------------------

    def _upload(self, name: str) -> dict[str, Any]:
        """What every upload says: where to, and how it is kept."""
        keeping, suffix = self._keeping, Path(name).suffix
        options: dict[str, Any] = {"Bucket": self.place.bucket, "Key": name}
        if suffix in _KINDS:
            options["ContentType"] = _KINDS[suffix]
        if keeping.sse:
            options["ServerSideEncryption"] = keeping.sse
        if keeping.kms_key:
            options["SSEKMSKeyId"] = keeping.kms_key
        if keeping.acl:
            options["ACL"] = keeping.acl
        if keeping.tags:
            options["Tagging"] = urlencode(keeping.tags)
        if keeping.storage_class and _is_film(self._key(name)):
            options["StorageClass"] = keeping.storage_class
        return options

    def _checks(self, body: _Body) -> dict[str, Any]:
        checksum = _text(bytes.fromhex(body.sha256))
        return {
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": checksum,
            "Metadata": {"sha256": body.sha256},
            "ContentLength": body.size,
        }

    def _head(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self._client.head_object(Bucket=self.place.bucket, Key=name, ChecksumMode="ENABLED"))
        except self._refusal as error:
            # A HEAD has no body, so no word of why: that the bucket is not there either is told by the request after it.
            if _status(error) == 404:
                return None
            raise

    @contextmanager
    def _opened(self, name: str) -> "Iterator[_Found | None]":
        """An object to be read; None where there is none."""
        try:
            answer = self._client.get_object(Bucket=self.place.bucket, Key=name)
        except self._refusal as error:
            if _code(error) not in _GONE:
                raise
            yield None
            return
        try:
            yield _Found(chunks=answer["Body"].iter_chunks(CHUNK), told=answer.get("Metadata", {}).get("sha256", ""))
        finally:
            answer["Body"].close()

    def _listed(self, folder: str) -> Iterator[tuple[str, int]]:
        """Names below a folder, or beginning like it, and their bytes."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.place.bucket, Prefix=folder)
        for page in pages:
            for item in page.get("Contents", []):
                yield item["Key"], item["Size"]

    def _uploads(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Names and ids of the uploads that have begun and not ended. None where these credentials, or this store, do not
        say: then nothing is gone on with, and everything is sent."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.place.bucket, Prefix=prefix)
        try:
            for page in pages:
                for upload in page.get("Uploads", []):
                    yield upload["Key"], upload["UploadId"]
        except self._refusal as error:
            if _status(error) not in (400, 403, 405, 501):
                raise

    def _parts(self, name: str, upload: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_parts").paginate(
            Bucket=self.place.bucket, Key=name, UploadId=upload
        )
        try:
            return [dict(part) for page in pages for part in page.get("Parts", [])]
        except self._refusal as error:
            if _code(error) == "NoSuchUpload" or _status(error) in (400, 403, 405, 501):
                return []
            raise

    def _name(self, key: str) -> str:
        """The object's whole key. ArchiveError for one that is no place in the archive."""
        refuse_strange(key)
        name = self.place.key(key)
        if len(name.encode()) > buckets.LONGEST_KEY:
            raise ArchiveError(
                f"{len(name.encode()):,} bytes are too many for the name of an object; S3 takes {buckets.LONGEST_KEY:,}.",
                where=self.place.spoken(key),
                hint="Shorten archive.name or the prefix in archive.to.",
            )
        return name

    def _key(self, name: str) -> str:
        """The key in the archive of an object's whole key; "" for what is none of ours."""
        key = name.removeprefix(f"{self.place.prefix}/") if self.place.prefix else name
        if self.place.prefix and key == name:
            return ""
        try:
            refuse_strange(key)
        except ArchiveError:
            return ""
        return key

    def _measured(self, source: BinaryIO, part: int) -> _Body:
        """Read it once for its digests."""
        size = source.seek(0, os.SEEK_END)
        part = max(part, -(-size // MOST_PARTS))
        source.seek(0)
        running, pieces = hashlib.sha256(), []
        for number, offset in enumerate(range(0, max(size, 1), part), start=1):
            digest, left = hashlib.sha256(), min(part, size - offset)
            while left and (chunk := source.read(min(CHUNK, left))):
                running.update(chunk)
                digest.update(chunk)
                left -= len(chunk)
            length = min(part, size - offset)
            pieces.append(_Piece(number=number, offset=offset, size=length, sha256=digest.digest()))
        return _Body(file=source, sha256=running.hexdigest(), size=size, pieces=tuple(pieces))

    # --- boto -------------------------------------------------------------------------------------------------------

    @once
    def _client(self) -> "S3Client":
        """StoreUnreachable where boto3 is not installed or its settings cannot be used."""
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError as error:
                raise StoreUnreachable("The archive needs boto3, which is not installed.", hint=buckets.INSTALL) from error
        config = Config(
            connect_timeout=CONNECT,
            read_timeout=READ,
            retries={"mode": "standard", "total_max_attempts": SENDINGS},
            max_pool_connections=CONNECTIONS,
        )
        try:
            client: S3Client = boto3.session.Session().client("s3", config=config)
            return client
        except (BotoCoreError, ValueError) as error:
            what = f"The archive cannot be used: {buckets.words(error)}."
            raise StoreUnreachable(what, where=self.spoken(), hint=buckets.WHO) from None

    @once
    def _refusal(self) -> "type[Any]":
        """What boto raises for an answer that is an error."""
        from botocore.exceptions import ClientError

        return ClientError

    @contextmanager
    def _told(self, key: str = "") -> Iterator[None]:
        """boto's errors as ours, without a key or a signature in them."""
        where = self.spoken(key)
        _ = self._client  # before botocore is named
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectionError,
            FlexibleChecksumError,
            HTTPClientError,
            IncompleteReadError,
        )

        try:
            yield
        except ClientError as error:
            raise self._answered(error, where) from None
        except FlexibleChecksumError as error:
            raise ChecksumMismatch(f"What came back is not what was sent: {buckets.words(error)}.", where=where) from None
        except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
            hint = "Check the network and AWS_ENDPOINT_URL_S3, then run again."
            raise StoreUnreachable(f"The archive cannot be reached: {buckets.words(error)}.", where=where, hint=hint) from None
        except BotoCoreError as error:  # no credentials, no such profile
            what = f"The archive cannot be used: {buckets.words(error)}."
            raise StoreUnreachable(what, where=where, hint=buckets.WHO) from None

    def _answered(self, error: Any, where: str) -> ArchiveError:
        code, status = _code(error), _status(error)
        if code in buckets.DAMAGED:
            what = f"What arrived in the archive is not what was sent ({code}); nothing has the name."
            return ChecksumMismatch(what, where=where)
        if code == "KeyTooLongError":
            hint = "Shorten archive.name or the prefix in archive.to."
            return ArchiveError("The store takes no name this long.", where=where, hint=hint)
        if code in buckets.BUSY or status >= 500:
            what = f"The archive cannot be reached: the store answered {code or status} {SENDINGS} times."
            return StoreUnreachable(what, where=where, hint="Run again later.")
        said = redact(" ".join(str(error.response.get("Error", {}).get("Message", "")).split()))[:200].rstrip(".")
        what = f"The archive cannot be used: the store answered {code or status}{f' ({said})' if said else ''}."
        return StoreUnreachable(what, where=where, hint=buckets.advice(code))


class _Stretch(io.RawIOBase):
    """A stretch of an open file as a file of its own, so that no part is ever in memory. It can be read again."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        self._file, self._offset, self._size, self._at = file, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._offset + self._at)
        data = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _digested(key: str, found: _Found, target: BinaryIO | None = None) -> Stored:
    """Read it to the last byte, into `target` where there is one."""
    running, size = hashlib.sha256(), 0
    for chunk in found.chunks:
        running.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return Stored(key=key, sha256=running.hexdigest(), bytes=size)


def _top(key: str) -> str:
    """The outermost folder, with its slash; a file without one, by itself."""
    head, slash, _ = key.partition("/")
    return head + slash


def _is_film(key: str) -> bool:
    """A deliverable, and nothing that is read again at every run."""
    return key.endswith(".mp4") and "review" not in key.split("/")[:-1]


def _is_ours(part: Mapping[str, Any], body: _Body) -> bool:
    """Does the store have this part as we would send it?"""
    number = int(part["PartNumber"])
    if not 1 <= number <= len(body.pieces):
        return False
    piece = body.pieces[number - 1]
    if int(part["Size"]) != piece.size:
        return False
    checksum = part.get("ChecksumSHA256")
    return checksum == piece.checksum if checksum else str(part["ETag"]).strip('"') == _md5(body.file, piece)


def _md5(file: BinaryIO, piece: _Piece) -> str:
    """What the ETag of a part is in stores that tell no digest of it."""
    running, stretch = hashlib.md5(usedforsecurity=False), _Stretch(file, piece.offset, piece.size)
    while chunk := stretch.read(CHUNK):
        running.update(chunk)
    return running.hexdigest()


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _code(error: Any) -> str:
    return redact(str(error.response.get("Error", {}).get("Code", "")))


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
