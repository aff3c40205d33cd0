"""Why variants did not come home, in few words that can be counted, each with what a person does next."""

from dataclasses import dataclass

from callsheet import errors


@dataclass(frozen=True, kw_only=True)
class Cause:
    """words follow a count: "2 refused by content policy". next: what to do, with {spec} for the campaign's file."""

    words: str
    next: str


CONTENT = Cause(
    words="refused by content policy",
    next="Change the prompt or the media of these variants, then run again: the same request is refused again.",
)
KEY = Cause(
    words="refused for the key",
    next="Check the key and the models that it may use (`callsheet doctor --online`), then run again.",
)
CREDIT = Cause(words="refused for lack of credit", next="Top up the account or raise the key's limit, then run again.")
REQUEST = Cause(
    words="refused by the provider", next="The reason names what it does not take. Change that, then run again."
)
AWAY = Cause(words="turned away by a busy provider", next="Nothing was accepted. Run again later.")
JOB = Cause(words="failed at the provider", next="Run again to try once more; its support can look up the request.")
DOUBT = Cause(
    words="in doubt",
    next="`callsheet reconcile {spec}` looks for them at the provider and says what a person can do. "
    "They stay held, and are never sent again by themselves.",
)
FETCH = Cause(
    words="paid for and not fetched", next="Run again before the links of the results die, a day after the render."
)
MEDIA = Cause(words="stopped by a media file", next="Replace the file that the reason names, then run again.")
STAGING = Cause(
    words="stopped by the staging bucket",
    next="The reason names what it does not let us do. Mend that, then run again.",
)
BUDGET = Cause(
    words="stopped by the budget",
    next="Raise budget:, --max-usd or CALLSHEET_MONTHLY_BUDGET, or select fewer variants, then run again.",
)
APPROVAL = Cause(words="not approved", next="Look at `callsheet plan {spec}`, then run it again and approve it.")
LEDGER = Cause(words="stopped by the ledger", next="Read the reason; `callsheet status {spec}` has every take.")
ARCHIVE = Cause(
    words="paid for and not archived", next="Make room in the archive or let it be written, then run again."
)
CAMPAIGN = Cause(words="stopped by the campaign", next="`callsheet check {spec}` names every problem with its place.")
BLOCKED = Cause(words="blocked", next="Each reason says what lets it run again.")
DEFECT = Cause(words="stopped by an unexpected error", next="Please report it; run again to go on.")
OTHER = Cause(words="failed", next="Read the reasons, then run again.")

#: The first that fits.
_BY_ERROR: tuple[tuple[type[Exception], Cause], ...] = (
    (errors.ContentRefused, CONTENT),
    (errors.Unauthorized, KEY),
    (errors.InsufficientCredit, CREDIT),
    (errors.Rejected, REQUEST),
    (errors.Unavailable, AWAY),
    (errors.RouteBusy, AWAY),
    (errors.StagingFailed, STAGING),
    (errors.SubmissionInDoubt, DOUBT),
    (errors.JobFailed, JOB),
    (errors.ResultExpired, FETCH),
    (errors.ResultDamaged, FETCH),
    (errors.MediaError, MEDIA),
    (errors.BudgetExceeded, BUDGET),
    (errors.BudgetError, APPROVAL),
    (errors.LedgerError, LEDGER),
    (errors.ArchiveError, ARCHIVE),
    (errors.SpecError, CAMPAIGN),
    (errors.CallsheetError, OTHER),
)


def of(error: Exception) -> Cause:
    """The cause behind an error. What is not an error of ours is a defect."""
    return next((cause for kind, cause in _BY_ERROR if isinstance(error, kind)), DEFECT)


def named(words: str) -> Cause:
    """The cause with these words."""
    return next(
        (cause for cause in (*(cause for _, cause in _BY_ERROR), BLOCKED, DEFECT) if cause.words == words), OTHER
    )
