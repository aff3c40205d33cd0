"""What a person says of a take in doubt, committed: the provider has it as this job, or never had it."""

from contextlib import closing
from pathlib import Path

from callsheet.errors import LedgerError, ProviderError
from callsheet.provider.client import Provider
from callsheet.provider.wire import is_job_id
from callsheet.steps import draw_up as drawing
from callsheet.steps import presence, studio
from callsheet.steps import settings as environment
from callsheet.steps.load import resolve
from callsheet.steps.settings import Settings
from callsheet.take import State, Take

#: States in which nobody knows whether the provider has the take.
UNKNOWN = (State.SUBMITTING, State.IN_DOUBT)


class NoSuchTake(LedgerError):
    """The ledger has no take of this number."""


class NotThatJob(ProviderError):
    """The provider knows no such job."""

    spent = "unknown"


def doubtful(spec: Path) -> tuple[Take, ...]:
    """Every take of the ledger of which nobody knows whether it was accepted, oldest first."""
    ledger = drawing.open_ledger(_settings(spec))
    try:
        return tuple(take for take in ledger.takes() if take.state in UNKNOWN)
    finally:
        ledger.close()


def not_accepted(spec: Path, take_id: int) -> Take:
    """Release the hold of a take. RunInProgress while a run works on it: its answer may be on the way."""
    settings = _settings(spec)
    take = _take(settings, take_id)
    with closing(drawing.open_ledger(settings)) as ledger, presence.owning(settings, ledger, take):
        return ledger.released(take.id, reason="a person says that it was not accepted")


async def accepted(spec: Path, *, take_id: int, job: str) -> Take:
    """SUBMITTED under this job. NotThatJob unless the provider knows it: a slip of the pen could not be taken back.

    RunInProgress while a run works on the take; Unauthorized, Unavailable where the provider cannot be asked.
    """
    settings = _settings(spec)
    take = _take(settings, take_id)
    with closing(drawing.open_ledger(settings)) as ledger, presence.owning(settings, ledger, take):
        await _refuse_unknown(settings, take, job)
        return ledger.submitted(take.id, job=job)


async def _refuse_unknown(settings: Settings, take: Take, job: str) -> None:
    is_known = False
    if is_job_id(job):
        async with studio.route(settings, take.route) as route, Provider(route) as provider:
            is_known = job in await provider.status([job])
    if not is_known:
        raise NotThatJob(
            f"the provider of route {take.route} knows no job {job!r}.",
            where=f"take {take.id}",
            hint="Copy the id of the job from the provider's task list; it looks like task-unified-1757169743-7cvnl5zw.",
        )


def _settings(spec: Path) -> Settings:
    return environment.read(resolve(spec).root)


def _take(settings: Settings, take_id: int) -> Take:
    ledger = drawing.open_ledger(settings)
    try:
        return ledger.take(take_id)
    except KeyError:
        raise NoSuchTake(f"there is no take {take_id}.", hint="`callsheet status` lists them.") from None
    finally:
        ledger.close()
