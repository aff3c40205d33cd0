"""What dead runs left, over all campaigns of a ledger: live takes that no living run works on, and runs whose process is gone.

The ledger alone says it: which campaigns have such takes, and from which file each was run last.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from callsheet.errors import CallsheetError
from callsheet.ledger.book import Ledger
from callsheet.ledger.ownership import Run
from callsheet.routing import SANDBOX
from callsheet.steps import clock, presence, timetable
from callsheet.steps import draw_up as drawing
from callsheet.steps import settings as environment
from callsheet.steps.load import resolve
from callsheet.steps.settings import Settings
from callsheet.take import State, Take

#: A run that has ended for the ledger is still to say so to Prefect; that takes seconds.
LAST_WORDS = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Left:
    """Takes of a campaign that are paid for, or may be, and that nobody works on. spec: its file; None where it is gone."""

    campaign: str
    sandbox: bool
    spec: Path | None
    takes: tuple[Take, ...]
    #: The file that its last run read, where that is in no folder of this checkout and no file of this one is of the campaign.
    elsewhere: str = ""

    @property
    def words(self) -> str:
        """hello: 3 takes; hello (sandbox): 1 take"""
        count = len(self.takes)
        return f"{self.campaign}{' (sandbox)' if self.sandbox else ''}: {count} take{'' if count == 1 else 's'}"

    @property
    def ids(self) -> list[int]:
        return [take.id for take in self.takes]


def found(root: Path, *, reserved: bool = False) -> tuple[Left, ...]:
    """By campaign, the one with the oldest take first. What is reserved and was never sent has cost nothing: unless it is
    asked for (reserved), it is left to a run that somebody approves, where its campaign has a file still."""
    settings = environment.read(root)
    if not drawing.has_ledger(settings):
        return ()
    with closing(drawing.open_ledger(settings)) as ledger:
        groups: dict[tuple[str, bool], list[Take]] = defaultdict(list)
        for take in _unowned(settings, ledger):
            groups[take.campaign, take.route == SANDBOX].append(take)
        left = [
            Left(
                campaign=name,
                sandbox=sandbox,
                spec=_spec(root, ledger, name),
                takes=tuple(takes),
                elsewhere=_elsewhere(root, ledger, name),
            )
            for (name, sandbox), takes in groups.items()
        ]
    left = [one if reserved or one.spec is None else replace(one, takes=_sent(one.takes)) for one in left]
    return tuple(one for one in left if one.takes)


def _sent(takes: Iterable[Take]) -> tuple[Take, ...]:
    return tuple(take for take in takes if take.state is not State.RESERVED)


def still_live(root: Path, take_ids: Collection[int]) -> tuple[Take, ...]:
    """Those of these takes that have not come to an end."""
    with closing(drawing.open_ledger(environment.read(root))) as ledger:
        return tuple(take for take in map(ledger.take, sorted(take_ids)) if take.is_live)


def dead(root: Path, flow_runs: Mapping[str, datetime]) -> tuple[str, ...]:
    """Those of these flow runs, which Prefect believes to run, and since when, whose process is gone. One that this ledger
    does not know is another checkout's, or has only just begun."""
    settings = environment.read(root)
    if not flow_runs or not drawing.has_ledger(settings):
        return ()
    with closing(drawing.open_ledger(settings)) as ledger:
        known = ledger.as_flow_runs(flow_runs)
    return tuple(flow_run for flow_run, run in known.items() if is_dead(settings, run, flow_runs[flow_run]))


def is_dead(settings: Settings, run: Run, since: datetime) -> bool:
    """since: when it began to run for Prefect. Resumed, it is a process of its own, which the ledger does not know at once."""
    if run.ended is not None:
        return clock.now() - max(run.ended, since) > LAST_WORDS
    return presence.is_gone(settings, run.id)


def _unowned(settings: Settings, ledger: Ledger) -> list[Take]:
    live = [take for take in ledger.takes() if take.is_live]
    by_route: dict[str, list[Take]] = defaultdict(list)
    for take in live:
        by_route[drawing.claimed_on(settings, take.route)].append(take)
    owned: set[int] = set()
    for route, takes in by_route.items():
        owners = ledger.owners(route=route, keys={take.key for take in takes})
        gone = {run.id for run in owners.values() if presence.is_gone(settings, run.id)}
        owned |= {take.id for take in takes if take.key in owners and owners[take.key].id not in gone}
    return [take for take in live if take.id not in owned]


def _spec(root: Path, ledger: Ledger, campaign: str) -> Path | None:
    """The file that its last run read, while that is still of this campaign; else one in specs/ that is."""
    last = ledger.spec_of(campaign)
    candidates = [*([Path(last)] if last else []), *timetable.files(root)]
    return next((file for file in candidates if _is_of(file, campaign)), None)


def _elsewhere(root: Path, ledger: Ledger, campaign: str) -> str:
    last = ledger.spec_of(campaign)
    if not last or Path(last).is_relative_to(root) or any(_is_of(file, campaign) for file in timetable.files(root)):
        return ""
    return last


def _is_of(file: Path, campaign: str) -> bool:
    try:
        return file.is_file() and resolve(file).campaign.name == campaign
    except CallsheetError:
        return False
