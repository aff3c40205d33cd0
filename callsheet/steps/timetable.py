"""Which campaigns of a checkout are to run by themselves, and which deployments have lost theirs. Files are only read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from callsheet.campaign import Campaign
from callsheet.deployment import Wanted, name_of
from callsheet.errors import CallsheetError, Problem, SpecError, SpecInvalid
from callsheet.steps.load import Loaded, load

#: Where the campaigns of a checkout are.
SPECS = "specs"


def problems(campaign: Campaign) -> Iterator[Problem]:
    """At most one: this machine does not know the time zone of the schedule."""
    if campaign.schedule is None:
        return
    try:
        ZoneInfo(campaign.schedule.timezone)
    except (KeyError, ValueError, OSError):  # of a zone that is a folder, too
        message = f"this machine knows no time zone {campaign.schedule.timezone}"
        hint = "Write its name in the tz database, as Asia/Shanghai or UTC."
        yield campaign.problem(("schedule", "timezone"), message, hint)


def of_checkout(root: Path) -> tuple[list[Path], list[Path]]:
    """The campaigns of a checkout that can be read, and the YAML files that are none."""
    there = files(root)
    good = [file for file in there if _read(file) is not None]
    return good, [file for file in there if file not in good]


def files(root: Path) -> list[Path]:
    """The YAML files in specs/ of a checkout."""
    return sorted(path for path in (root / SPECS).glob("*.y*ml") if path.suffix in (".yaml", ".yml"))


def wanted(root: Path, specs: Iterable[Path], *, sandbox: bool) -> tuple[Wanted, ...]:
    """Those of these campaigns that have a schedule. SpecError and its kin for one that cannot run, is outside of the
    checkout, or is called like another."""
    found = []
    for spec in specs:
        loaded = load(spec)
        if wrong := tuple(problems(loaded.campaign)):
            raise SpecInvalid(wrong)
        schedule = loaded.campaign.schedule
        if schedule is not None:
            name = loaded.campaign.name
            found.append(Wanted(campaign=name, spec=_inside(root, spec), schedule=schedule, sandbox=sandbox))
    _refuse_same_names(found)
    return tuple(found)


def lost(root: Path, spec: str, name: str) -> str:
    """Why the deployment of this name, which runs the campaign at `spec`, has no campaign any more; "" where it has one, or
    where its file cannot be read now."""
    file = root / spec
    if not file.is_file():
        return f"{spec} is gone"
    loaded = _read(file)
    if loaded is None:
        return ""
    if name_of(loaded.campaign.name) != name:
        return f"the campaign in {spec} is called {loaded.campaign.name} now"
    return "" if loaded.campaign.schedule else f"{spec} has no schedule any more"


def _read(file: Path) -> Loaded | None:
    try:
        return load(file)
    except CallsheetError:
        return None


def _inside(root: Path, spec: Path) -> str:
    """As a worker finds it, which stands in the checkout."""
    file = spec.absolute().resolve()
    if not file.is_relative_to(root.resolve()):
        raise SpecError(
            f"it is outside of the checkout {root}, where a worker looks for it.",
            where=str(spec),
            hint="Move it into specs/.",
        )
    return file.relative_to(root.resolve()).as_posix()


def _refuse_same_names(found: Sequence[Wanted]) -> None:
    counts = Counter(one.campaign for one in found)
    for one in found:
        if counts[one.campaign] > 1:
            others = " and ".join(other.spec for other in found if other.campaign == one.campaign)
            raise SpecError(
                f"{others} are both called {one.campaign}: their ledger, archive and schedule would be one.",
                where=one.spec,
                hint="Rename one of the campaigns.",
            )
