"""Every error has a cause that can be counted, and every cause a next step."""

import pytest

from callsheet import causes, errors
from callsheet.causes import Cause

ALL = [cause for cause in vars(causes).values() if isinstance(cause, Cause)]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errors.ContentRefused("no"), causes.CONTENT),
        (errors.Unauthorized("no"), causes.KEY),
        (errors.InsufficientCredit("no"), causes.CREDIT),
        (errors.Rejected("no"), causes.REQUEST),
        (errors.Unavailable("no"), causes.AWAY),
        (errors.StagingFailed("no"), causes.STAGING),
        (errors.SubmissionInDoubt("no"), causes.DOUBT),
        (errors.JobFailed("no"), causes.JOB),
        (errors.ResultExpired("no"), causes.FETCH),
        (errors.ToolFailed("no"), causes.MEDIA),
        (errors.BudgetExceeded("no"), causes.BUDGET),
        (errors.NotApproved("no"), causes.APPROVAL),
        (errors.PlanChanged("no"), causes.APPROVAL),
        (errors.TakeAlreadyLive("no"), causes.LEDGER),
        (errors.StoreUnreachable("no"), causes.ARCHIVE),
        (errors.NothingToShoot("no"), causes.CAMPAIGN),
        (errors.CallsheetError("no"), causes.OTHER),
        (ZeroDivisionError("no"), causes.DEFECT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_the_narrowest_class_names_the_cause(error: Exception, cause: Cause) -> None:
    assert causes.of(error) is cause


@pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.words)
def test_a_cause_reads_after_a_count_and_says_what_is_next(cause: Cause) -> None:
    assert cause.words[0].islower()
    assert not cause.words.endswith(".")
    said = cause.next.format(spec="specs/a.yaml")
    assert said.endswith(".")
    assert "{" not in said


def test_no_two_causes_are_counted_under_the_same_words() -> None:
    assert len({cause.words for cause in ALL}) == len(ALL)
