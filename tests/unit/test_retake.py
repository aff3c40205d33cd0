"""May a failed job be tried again, and when: every code, every count, every wait."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import retake
from callsheet.errors import JobFailed, ProviderSays


def failed(code: str, *, charged: bool = False, after: float | None = None) -> JobFailed:
    wait = None if after is None else timedelta(seconds=after)
    may = retake.is_passing(code, is_charged=charged)
    return JobFailed("it failed", says=ProviderSays(code=code), may_retake=may, after=wait)


def wait(
    error: JobFailed, *, made: int = 0, most: int = 1, loopback: bool = False, chance: float = 0.0
) -> float | None:
    drawn = retake.wait(error, made=made, most=most, loopback=loopback, chance=chance)
    return None if drawn is None else drawn.total_seconds()


@pytest.mark.parametrize(
    ("code", "least", "most"),
    [
        ("service_error", 60, 75),
        ("resource_exhausted", 30, 60),
        ("service_unavailable", 60, 120),
        ("generation_timeout", 30, 60),
        ("quota_exceeded", 30, 60),
    ],
)
def test_the_wait_is_the_one_that_the_provider_s_own_client_keeps(code: str, least: float, most: float) -> None:
    assert (wait(failed(code), chance=0.0), wait(failed(code), chance=1.0)) == (least, most)


@pytest.mark.parametrize(
    "code",
    [
        "content_policy_violation",
        "invalid_parameters",
        "image_processing_error",
        "image_dimension_mismatch",
        "request_cancelled",
        "generation_failed_no_content",
        "resource_not_found",
        "unknown_error",
        "video_probe_failed",
        "",
    ],
)
def test_every_other_code_ends_it(code: str) -> None:
    assert wait(failed(code), most=5) is None


def test_a_job_whose_charge_was_kept_is_never_tried_again() -> None:
    assert wait(failed("service_error", charged=True), most=5) is None


def test_a_longer_wait_that_the_provider_asks_for_is_obeyed() -> None:
    assert wait(failed("resource_exhausted", after=300)) == 300
    assert wait(failed("resource_exhausted", after=1)) == 30


def test_a_provider_on_this_machine_is_not_waited_for() -> None:
    assert wait(failed("service_unavailable"), loopback=True, chance=1.0) == 0.2


@given(most=st.integers(0, 5), chance=st.floats(0, 1))
def test_there_are_never_more_retakes_than_asked_for(most: int, chance: float) -> None:
    made = 0
    while wait(failed("service_error"), made=made, most=most, chance=chance) is not None:
        made += 1
    assert made == most
