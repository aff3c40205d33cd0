"""What s3://bucket/prefix means, and what a refusal of S3 means for a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import buckets
from callsheet.buckets import Place, advice, is_bucket, place_of


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://studio", Place("studio", "")),
        ("s3://studio/", Place("studio", "")),
        ("S3://studio/finals/2026/", Place("studio", "finals/2026")),
        ("s3://my.studio-1/é /x", Place("my.studio-1", "é /x")),
    ],
)
def test_a_place_is_a_bucket_and_a_folder_in_it(text: str, place: Place) -> None:
    assert is_bucket(text)
    assert place_of(text) == place


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://ab", "is no name of a bucket"),
        ("s3://Studio", "is no name of a bucket"),
        ("s3://a..b", "is no name of a bucket"),
        ("s3://10.0.0.1", "is no name of a bucket"),
        ("s3://user:password@studio/x", "is no name of a bucket"),
        (f"s3://{'a' * 64}", "is no name of a bucket"),
        ("s3://studio/../x", "not plain names"),
        ("s3://studio/a//b", "not plain names"),
        ("s3://studio/.x", "not plain names"),
        ("s3://studio/a\\b", "not plain names"),
        ("s3://studio/a\nb", "not plain names"),
    ],
)
def test_what_is_no_place_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        place_of(text)


@given(st.text(max_size=80))
def test_a_place_is_spelled_as_it_is_read(text: str) -> None:
    try:
        place = place_of(f"s3://{text}")
    except ValueError:
        return
    assert place_of(place.spoken()) == place
    assert place.key("x") == place.spoken("x").removeprefix(f"s3://{place.bucket}/")


def test_a_path_is_no_bucket() -> None:
    assert not is_bucket("archive/")
    assert not is_bucket("gs://studio")
    assert not is_bucket("s3:/studio")


@pytest.mark.parametrize(
    ("code", "word"),
    [("NoSuchBucket", "Create the bucket"), ("KMS.DisabledException", "kms_key"), ("AccessDenied", "Allow it")],
)
def test_each_refusal_has_a_way_out(code: str, word: str) -> None:
    assert word in advice(code)
    assert code not in buckets.BUSY
