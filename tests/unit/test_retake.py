"""May a failed job be tried again, and when: every code, every wait."""

from datetime import timedelta

import pytest

from callsheet import retake


def wait(code: str, *, asked: float | None = None, loopback: bool = False, chance: float = 0.0) -> float:
    after = None if asked is None else timedelta(seconds=asked)
    return retake.wait(code, asked=after, loopback=loopback, chance=chance).total_seconds()


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
    assert retake.is_passing(code, is_charged=False)
    assert (wait(code, chance=0.0), wait(code, chance=1.0)) == (least, most)


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
    assert not retake.is_passing(code, is_charged=False)


@pytest.mark.parametrize("code", retake.PASSING)
def test_a_job_whose_charge_was_kept_is_never_tried_again(code: str) -> None:
    assert not retake.is_passing(code, is_charged=True)


def test_a_longer_wait_that_the_provider_asks_for_is_obeyed() -> None:
    assert wait("resource_exhausted", asked=300) == 300
    assert wait("resource_exhausted", asked=1) == 30


def test_a_provider_on_this_machine_is_not_waited_for() -> None:
    assert wait("service_unavailable", loopback=True, chance=1.0) == 0.2
