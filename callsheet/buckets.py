"""Buckets, in words: what s3://bucket/prefix means, and what a refusal of S3 means for a person."""

import re
from typing import NamedTuple

from callsheet.redact import redact

SCHEME = "s3://"

#: Bytes of a whole key, prefix and all (S3).
LONGEST_KEY = 1024

#: Answers after which the same request can succeed, besides 5xx.
BUSY = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "RequestTimeTooSkewed",
        "OperationAborted",
        "InternalError",
        "ServiceUnavailable",
    }
)
#: The bytes that came are not those that were announced.
DAMAGED = frozenset(
    {"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidDigest", "IncompleteBody"}
)

INSTALL = "Install it: pip install 'callsheet[s3]'"
WHO = "Say who asks: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_ENDPOINT_URL_S3 for other stores."
_ALLOW = "Allow it to these keys, or use others: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
_ADVICE = {
    "NoSuchBucket": "Create the bucket, or correct its name; AWS_ENDPOINT_URL_S3 says which store is asked.",
    "InvalidBucketName": "Correct the name of the bucket.",
    "PermanentRedirect": "Set AWS_REGION to the region of the bucket.",
    "AuthorizationHeaderMalformed": "Set AWS_REGION to the region of the bucket.",
    "IllegalLocationConstraintException": "Set AWS_REGION to the region of the bucket.",
    "InvalidAccessKeyId": WHO,
    "SignatureDoesNotMatch": WHO,
    "ExpiredToken": "The credentials have expired: get fresh ones, and run again.",
    "InvalidToken": "The credentials are not valid here: get fresh ones, and run again.",
    "InvalidStorageClass": "Correct archive.storage_class in the campaign, or leave it out.",
    "InvalidObjectState": "It is in a storage class that has to be restored first; restore it, and run again.",
    "AccessControlListNotSupported": "The bucket takes no ACLs: leave archive.acl out of the campaign.",
    "InvalidTag": "Correct archive.tags in the campaign.",
    "InvalidEncryptionAlgorithmError": "Correct archive.sse in the campaign.",
    "InvalidArgument": "Check sse, storage_class, acl and tags of archive: in the campaign.",
}

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", re.ASCII)


class Place(NamedTuple):
    """A bucket and the folder in it; prefix is "" for the whole bucket, and has no slash at either end."""

    bucket: str
    prefix: str

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def spoken(self, name: str = "") -> str:
        return SCHEME + "/".join(part for part in (self.bucket, self.prefix, name) if part)


def is_bucket(text: str) -> bool:
    return text[: len(SCHEME)].lower() == SCHEME


def place_of(text: str) -> Place:
    """What s3://bucket/prefix means. ValueError, in words."""
    bucket, _, prefix = text[len(SCHEME) :].partition("/")
    if not bucket:
        raise ValueError("s3:// names no bucket")
    if not _NAME.fullmatch(bucket):
        raise ValueError(f"{bucket[:70]!r} is no name of a bucket: 3 to 63 small letters, digits, hyphens and dots")
    parts = prefix.strip("/").split("/") if prefix.strip("/") else []
    if any(not part or part.startswith(".") or "\\" in part or not part.isprintable() for part in parts):
        raise ValueError("the prefix is not plain names with / between, none of them empty or beginning with a dot")
    return Place(bucket, "/".join(parts))


def advice(code: str) -> str:
    """What a person can do about this error code of S3."""
    if code.startswith("KMS."):
        return "Check the key that archive.kms_key names, and that these credentials may use it."
    return _ADVICE.get(code, _ALLOW)


def words(error: BaseException) -> str:
    """What boto says of itself, in one short line without a key or a signature."""
    return redact(" ".join(str(error).split()))[:300].rstrip(".")
