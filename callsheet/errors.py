"""Every error a user can meet: its exit code, what it means for the money, and whether trying again is safe.

One tree, so that the command line, the flows and the journal agree. `retry` is the single fact that drives every retry
policy: "safe" means the failed attempt provably changed nothing that costs, or that repeating it cannot cost again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

Spent = Literal["no", "yes", "unknown"]
Retry = Literal["never", "safe"]
#: A note is nothing that a person has to do: preparation mends it.
Severity = Literal["error", "warning", "note"]

#: How each value of `spent` reads at the end of a message.
MONEY_WORDS: dict[Spent, str] = {
    "no": "Nothing was spent.",
    "yes": "It is paid for.",
    "unknown": "Whether it is charged is not known; it counts as spent until that is settled.",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake in a campaign, at its place. Lines and columns count from 1; path is dotted, as `clips.beach.trim`.

    Line 0 means no place in a file: there is no such file, or a variable of the environment is wrong.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    severity: Severity = "error"
    #: 2 when the campaign is wrong, 3 when a media file is (docs/reference/errors.md).
    exit_code: int = 2
    #: Just behind the stretch that is meant; 0 where only its beginning is known.
    end_line: int = 0
    end_column: int = 0

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        subject = f"{self.path}: " if self.path else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{self.place}: {subject}{self.message}{hint}"

    def as_json(self) -> dict[str, Any]:
        line, column = max(self.line, 1), max(self.column, 1)
        return {
            "file": self.file,
            "line": line,
            "column": column,
            "end_line": self.end_line or line,
            "end_column": self.end_column or column + 1,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
            "severity": self.severity,
        }


@dataclass(frozen=True, kw_only=True)
class ProviderSays:
    """What the provider itself said, kept word for word (redacted) so that its support can be asked about it."""

    status: int | None = None
    code: str = ""
    message: str = ""
    request_id: str = ""
    param: str = ""
    extra: dict[str, str] = field(default_factory=dict)


class CallsheetError(Exception):
    """The root. `str(error)` reads: where: what. What it means for the money. What to do.

    Subclasses set the class attributes; an instance may override `spent`, `retry` and `after` where it knows better.
    """

    exit_code: int = 70
    spent: Spent = "no"
    retry: Retry = "never"
    #: How long to wait before a safe retry, when the other side said so.
    after: timedelta | None = None

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        spent: Spent | None = None,
        retry: Retry | None = None,
        after: timedelta | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        if spent is not None:
            self.spent = spent
        if retry is not None:
            self.retry = retry
        if after is not None:
            self.after = after

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{where}{self.what} {MONEY_WORDS[self.spent]}{hint}"


# --- 2: the campaign cannot run as written --------------------------------------------------------------------------


class SpecError(CallsheetError):
    """The campaign, a setting or the command line cannot be used as written.

    Do: Each message says where and what; `callsheet check SPEC` finds all of them at once.
    """

    exit_code = 2


class SpecSyntax(SpecError):
    """The file is not readable as YAML. `problems` holds one problem; where keys stand twice, each of them, and what else is
    wrong with the campaign.

    Do: Correct the line that is named. A text with `: `, ` #` or a leading `{{` goes in quotes.
    """

    def __init__(self, problem: Problem, *others: Problem) -> None:
        super().__init__(problem.message, where=problem.place, hint=problem.hint)
        self.problems: tuple[Problem, ...] = (problem, *others)


class SpecInvalid(SpecError):
    """The file is YAML but not a campaign that can run. `problems` holds every mistake, in the order of the file.

    Do: Correct what is named; specs/README.md has every key with an example.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        ordered = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column)))
        errors = [p for p in ordered if p.severity == "error"]
        super().__init__(f"{len(errors)} problem{'s' if len(errors) != 1 else ''} in the campaign.")
        self.problems = ordered
        #: 2, unless nothing but media files is wrong: then 3.
        self.exit_code = 3 if errors and all(p.exit_code == 3 for p in errors) else 2

    def __str__(self) -> str:
        return "\n".join([*(str(p) for p in self.problems), MONEY_WORDS[self.spent]])


class NothingToShoot(SpecError):
    """The sweep, or what --only left of it, is empty.

    Do: Look at `callsheet plan SPEC`, and widen `--only`, `--skip` or `sweep:`.
    """


class SettingsWrong(SpecError):
    """A variable of the environment or of `.env` has a value that cannot be used.

    Do: Correct it there, or unset it (docs/reference/settings.md).
    """


class RouteWrong(SpecError):
    """`routes.toml` says something that cannot be used.

    Do: The message names the table and the key (docs/money.md#routes).
    """


class PackageMissing(SpecError):
    """A part of Callsheet that this needs is not installed.

    Do: The message has the command that installs it.
    """


# --- 3: media -------------------------------------------------------------------------------------------------------


class MediaError(CallsheetError):
    """A media file is damaged or unsuitable, or ffmpeg failed.

    Do: The message names the file; `callsheet prepare FILE` tries it alone.
    """

    exit_code = 3


class ToolMissing(MediaError):
    """ffmpeg cannot be run on this machine.

    Do: `callsheet doctor` says what is missing and how to get it.
    """


class ToolFailed(MediaError):
    """ffmpeg ended badly, ran out of time, or made something other than what was asked.

    Do: Look whether the file plays; export it again, or name another one. The message has ffmpeg's last words.
    """


class CannotWrite(MediaError):
    """A prepared file cannot be written: the disk is full, or the folder is not ours.

    Do: Make room, or set `CALLSHEET_HOME` to a folder that can be written.
    """


class Unacceptable(MediaError):
    """A file is damaged, is not what its name says, or cannot be made what the model accepts.

    Do: Export the file again, or trim it: docs/media.md has what is taken and what is converted.
    """


class CacheUnusable(MediaError):
    """The folder of prepared media and copies of sources cannot be written.

    Do: Make room or correct the permissions of the folder, or set `CALLSHEET_HOME`.
    """


class SourceError(MediaError):
    """A source of another machine is not there, may not be read, or is not followed. `what` begins with its verb.

    Do: Correct the address, or who may read it; a private network needs `CALLSHEET_PRIVATE_SOURCES`.
    """


class SourceUnreachable(SourceError):
    """Its host does not answer now, or broke off again and again; what came so far is kept for the next try.

    Do: Run again; what came is kept.
    """

    retry = "safe"


# --- 4: budget ------------------------------------------------------------------------------------------------------


class BudgetError(CallsheetError):
    """A run is not to spend this.

    Do: Nothing was sent beyond what is held already: `callsheet spend` shows it.
    """

    exit_code = 4


class BudgetExceeded(BudgetError):
    """Held + charged + this would pass the ceiling.

    Do: Raise `budget:`, `--max-usd` or `CALLSHEET_MONTHLY_BUDGET`, or render less: `--only`, `--pilot pairwise`,
    `plan --suggest`.
    """


class PlanChanged(BudgetError):
    """What was approved is not what would run now.

    Do: The message names what moved. Look at the new plan and approve that.
    """


class NotApproved(BudgetError):
    """A person has to confirm this run and has not.

    Do: Answer at the prompt, pass `--yes`, or answer the form in Prefect (docs/approval.md).
    """


# --- 5: provider ----------------------------------------------------------------------------------------------------


class ProviderError(CallsheetError):
    """The provider refused, is out of reach, or did not give a result.

    Do: The message has its words and the id of the request, for its support.
    """

    exit_code = 5

    def __init__(self, what: str, *, says: ProviderSays | None = None, **facts: Any) -> None:
        super().__init__(what, **facts)
        self.says = says or ProviderSays()


class Rejected(ProviderError):
    """The provider refused the request before charging; the same request will be refused again.

    Do: Change what it names. `callsheet check` and `plan` find what can be known before.
    """


class Unauthorized(Rejected):
    """401 or 403: the key is wrong, expired, or may not use this model.

    Do: Check `EVOLINK_API_KEY`: `callsheet doctor --online` asks the provider about it.
    """


class InsufficientCredit(Rejected):
    """402: the account or the key has not enough credit.

    Do: Top up the account, then run again: what is archived is skipped.
    """


class ContentRefused(Rejected):
    """The provider's content policy refused the prompt or the media.

    Do: Change the prompt or the media; the same ones are refused again.
    """


class Unavailable(ProviderError):
    """The provider could not be reached or asked for patience; provably nothing was accepted.

    Do: Run again later; a run tries a while by itself.
    """

    retry = "safe"


class SubmissionInDoubt(ProviderError):
    """A submission left this machine and no answer says what became of it. Never sent again as a new request.

    Do: `callsheet reconcile SPEC` asks for evidence and says what is left for a person to decide
    (docs/recovery.md).
    """

    spent = "unknown"


class JobFailed(ProviderError):
    """The provider accepted the job and ended it without a result. `says` holds its code, message and request id.

    take_id: the take whose job it was; 0 where that is another run's. refunded: did the credits come back, in the
    provider's word; None where it gave none. may_retake: it failed for a passing reason and nothing stays charged, so a
    new take costs no more than this one would have.

    Do: Run again; `retakes:` does so by itself where the reason passes and nothing was charged.
    """

    def __init__(
        self, what: str, *, take_id: int = 0, refunded: bool | None = None, may_retake: bool = False, **facts: Any
    ) -> None:
        super().__init__(what, **facts)
        self.take_id = take_id
        self.refunded = refunded
        self.may_retake = may_retake


class JobUnknown(ProviderError):
    """The provider keeps answering that it has no such job. That proves nothing about the charge: the take is held.

    Do: Look for the job in the provider's list; `callsheet reconcile` says what a person can do.
    """

    spent = "unknown"


class NotThatJob(ProviderError):
    """The provider knows no job of the id that a person gave.

    Do: Copy the id from the provider's list of jobs.
    """

    spent = "unknown"


class WasAccepted(ProviderError):
    """The provider has proved that it has a take of which a person says that it never had it.

    Do: Find its job (`callsheet reconcile --accepted TAKE JOB`), or give it up (`--lost TAKE`).
    """

    spent = "yes"


class StillThere(ProviderError):
    """The result of a take can still be had, or may yet be, so it is not given up.

    Do: The message says what to do instead.
    """

    spent = "yes"


class ResultExpired(ProviderError):
    """The link of a paid result is dead. A status read may still give a fresh one.

    Do: Run again: a fresh link is asked for. Where there is none, `callsheet reconcile SPEC --lost TAKE` gives it
    up.
    """

    spent = "yes"


class ResultDamaged(ProviderError):
    """The provider delivered something other than the promised video (truncated, a web page, undecodable).

    Do: Run again; what came is kept beside. The same damage twice is for the provider's support.
    """

    spent = "yes"
    retry = "safe"


class RouteBusy(ProviderError):
    """A route takes no more jobs at the moment; there is room after `after`. Nothing has left this machine.

    Do: Nothing; a run waits for room by itself.
    """

    retry = "safe"


class StagingFailed(ProviderError):
    """An input cannot be put into the bucket that CALLSHEET_STAGING names, or could not be read there.

    Do: Check the bucket of `CALLSHEET_STAGING` and AWS's settings (docs/archive.md#staging-in-a-bucket).
    """


class PortTaken(ProviderError):
    """A server that this run needs on this machine cannot listen on its port.

    Do: Free the port, or choose another one with `--port` or `PREFECT_SERVER_API_PORT`.
    """


# --- 6: ledger ------------------------------------------------------------------------------------------------------


class LedgerError(CallsheetError):
    """The ledger is out of reach, of another version, or somebody else works on that take.

    Do: Nothing was bought that it does not know.
    """

    exit_code = 6


class IllegalTransition(LedgerError):
    """A take was asked to go where its state does not lead.

    Do: Please report it: the ledger refused a step that Callsheet should not have asked for.
    """


class NoSuchTake(LedgerError):
    """The ledger has no take of this number.

    Do: `callsheet status` lists them.
    """


class TakeAlreadyLive(LedgerError):
    """Another run already owns a take of this variant. It is theirs to finish; this one must not pay for a second.

    Do: Wait for the other run, or run again: the plan then attaches to its take.
    """


class RunInProgress(LedgerError):
    """Another run works on this right now, or has taken it over.

    Do: Wait for it, or look at it in Prefect; `callsheet run` on the same campaign shows it.
    """


class SchemaOutdated(LedgerError):
    """The ledger was written by another version of Callsheet.

    Do: Use the newest Callsheet on this ledger; the message says which side is older.
    """


class LedgerUnreachable(LedgerError):
    """The database cannot be opened, locked or written in time.

    Do: Check that its folder or server can be reached and written; run again.
    """

    retry = "safe"


# --- 7: archive -----------------------------------------------------------------------------------------------------


class ArchiveError(CallsheetError):
    """The archive cannot take a result.

    Do: What is paid for stays held and on this machine: mend the cause and run again.
    """

    exit_code = 7
    spent: Spent = "yes"


class StoreUnreachable(ArchiveError):
    """The archive cannot be written now: disk full, no permission, network.

    Do: Make room, correct permissions or the network, and run again.
    """

    retry = "safe"


class ChecksumMismatch(ArchiveError):
    """What was read back is not what was written.

    Do: Run again; a disk that does so twice is broken.
    """

    retry = "safe"


class WouldOverwrite(ArchiveError):
    """A different file already has this name; nothing in the archive is ever replaced.

    Do: Move the other file away, or change `archive: {name: …}`.
    """


class CannotSign(ArchiveError):
    """A film cannot be signed with the C2PA key that is configured.

    Do: Check `CALLSHEET_C2PA_CERT` and `CALLSHEET_C2PA_KEY` (docs/marking.md#signed-with-c2pa), or
    unset both.
    """


# --- 8: place -------------------------------------------------------------------------------------------------------


class NoCheckout(CallsheetError):
    """No folder with a prefect.yaml above the working directory: there are no flows to run.

    Do: Change into the checkout, or lay one out: `callsheet init my-campaign`.
    """

    exit_code = 8
