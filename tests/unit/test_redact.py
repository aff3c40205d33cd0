"""What must never be read by anyone is gone from a text, and what a person needs stays."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.redact import redact

SIGNED = "https://cdn.example.com/signed/3f9a77c0de11/clip.mp4?X-Amz-Signature=5ec7e7&Expires=99"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"cannot read {SIGNED}", "cannot read https://cdn.example.com/***"),
        (f'{{"url":"{SIGNED}"}}', '{"url":"https://cdn.example.com/***"}'),
        (SIGNED.replace("/", "\\/"), "https://cdn.example.com/***"),
        ("HTTPS://user:pass@cdn.example.com:8443/a", "https://cdn.example.com:8443/***"),
        ("https%3A%2F%2Fcdn.example.com%2Fsigned%2Fabc", "https://cdn.example.com/***"),
        ("https://api.example.com", "https://api.example.com"),
        ("Authorization: Bearer abc.def.ghijkl", "Authorization: ***"),
        ("sent Bearer abc.def.ghijkl to it", "sent Bearer *** to it"),
        ("invalid key sk-evo-0123456789abcdef", "invalid key ***"),
        ("token evup_0123456789 expired", "token *** expired"),
        ("AKIAIOSFODNN7EXAMPLE is unknown", "*** is unknown"),
        ("GET /signed/clip.mp4?sig=5ec7e7 gave 403", "GET *** gave 403"),
        ("X-Amz-Signature=5ec7e7 has expired", "X-Amz-Signature=*** has expired"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI is set", "AWS_SECRET_ACCESS_KEY=*** is set"),
        ("x-api-key: 0123456789 was sent", "x-api-key: *** was sent"),
        ('{"api_key": "0123456789", "n": 1}', '{"api_key": "***", "n": 1}'),
        (
            '{"aws_secret_access_key": "wJalr", "client_secret": "x1"}',
            '{"aws_secret_access_key": "***", "client_secret": "***"}',
        ),
        ("{'password':'hunter2'}", "{'password':'***'}"),
        ("the token: it is too long", "the token: it is too long"),
        ("the task-unified-1757169743-7cvnl5zw failed", "the task-unified-1757169743-7cvnl5zw failed"),
        ("Re-light the bearer of the flag at dusk?", "Re-light the bearer of the flag at dusk?"),
    ],
)
def test_secrets_go_by_their_shape_and_the_rest_stays(text: str, clean: str) -> None:
    assert redact(text) == clean


@pytest.mark.parametrize(
    "quoted",
    [
        "/signed/3f9a77c0de11/clip.mp4",
        "3f9a77c0de11",
        "X-Amz-Signature=5ec7e7&Expires=99",
        r"\/signed\/3f9a77c0de11\/clip.mp4",
    ],
)
def test_a_part_of_a_known_url_goes_even_without_its_scheme(quoted: str) -> None:
    assert redact(f"no such object: {quoted}!", known=[SIGNED]) == "no such object: ***!"


def test_a_known_key_goes_whatever_it_looks_like() -> None:
    assert redact("key hunter2-hunter2 is disabled", known=["hunter2-hunter2"]) == "key *** is disabled"


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_signed_url_never_survives_between_any_two_texts(before: str, after: str) -> None:
    clean = redact(f"{before} {SIGNED} {after}", known=[SIGNED])
    assert "3f9a77c0de11" not in clean
    assert "5ec7e7" not in clean


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize("unit", ["/", "a-", "?", "/a?", "x-amz-", "token-", "bearer ", "a=", "://", "https://"])
def test_the_time_it_takes_grows_with_the_text_and_no_faster(unit: str) -> None:
    """A provider chooses its messages; what takes seconds here makes the paid requests beside it time out."""
    text = unit * (24_000 // len(unit)) + "=1"
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
@pytest.mark.parametrize("password", ["SECRET", "SEC@RET", "SEC/RET#%40"])
def test_a_ledgers_url_loses_whoever_may_write_it(scheme: str, password: str) -> None:
    assert redact(f"cannot open {scheme}://me:{password}@db.example.com/books") == (
        f"cannot open {scheme}://***@db.example.com/books"
    )
