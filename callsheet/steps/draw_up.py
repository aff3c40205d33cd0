"""Load, survey, look into the ledger: the plan of a campaign on one route, as it stands now. Nothing is spent or sent."""

import errno
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from callsheet import plan as planning
from callsheet.credits import ZERO
from callsheet.digest import Canonical
from callsheet.errors import LedgerError, LedgerUnreachable, StoreUnreachable
from callsheet.evidence import Idempotency, may_ask_again
from callsheet.pilot import Pilot, pairwise
from callsheet.plan import LedgerView, Month, Plan
from callsheet.selection import Selection
from callsheet.steps import clock
from callsheet.steps import settings as environment
from callsheet.steps.load import Loaded, resolve
from callsheet.steps.settings import SQLITE, Settings
from callsheet.steps.survey import Survey, survey
from callsheet.sweep import Variant
from callsheet.take import CHARGED, SENT, State, Take

if TYPE_CHECKING:
    from callsheet.ledger.book import Ledger

#: The ledger's file under the home, where CALLSHEET_LEDGER names no other.
LEDGER = "ledger.sqlite"

#: Names of routes, as the ledger keeps them. Drafts of the sandbox never count as renders of the provider.
SANDBOX = "sandbox"
LOOPBACK = "loopback"
EVOLINK = "evolink"

#: How long after the first sending the same Idempotency-Key may be sent again. The provider's clients replay keys, but how
#: long it remembers them is not documented, so on its route only a fresh one is replayed; our own sandbox never forgets.
REPLAY_WINDOW: Mapping[str, timedelta] = {
    SANDBOX: timedelta(days=365),
    LOOPBACK: timedelta(days=365),
    EVOLINK: timedelta(minutes=10),
}


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A plan with everything it was drawn from. `plan` covers the selected variants, `survey` the whole campaign."""

    loaded: Loaded
    survey: Survey
    settings: Settings
    plan: Plan
    #: What the ledger and the archive said when it was drawn up.
    view: LedgerView
    selection: Selection
    pilot: Pilot | None = None

    @property
    def archive_root(self) -> Path:
        return self.loaded.root / self.loaded.campaign.archive.to

    def identity(self, variant: Variant) -> dict[str, Canonical]:
        """What the key of this variant is the digest of."""
        return planning.identity_of(variant, self.survey.footage(variant))

    @property
    def budget_place(self) -> str:
        return self.loaded.campaign.problem(("budget",), "").place


def route_name(settings: Settings, *, sandbox: bool) -> str:
    """Where the jobs of a run go, as the ledger names it. Every local provider is one route, whatever its port."""
    if sandbox:
        return SANDBOX
    return LOOPBACK if settings.is_local else EVOLINK


def draw_up(
    spec: Path,
    *,
    sandbox: bool,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    again: Sequence[str] = (),
    limit: int | None = None,
    pilot: str | None = None,
    attach_only: bool = False,
    send_reserved: bool = False,
) -> Drawn:
    """The plan for `spec` now. SpecError and its kin for a campaign that cannot run; LedgerError.

    only, skip, again: globs of slugs. limit: shoot the first so many only. pilot: how a small set is chosen of what only
    and skip leave. attach_only: leave out every line that would cost anything new, and, unless send_reserved, takes
    that hold their price and were never sent.
    """
    selection = Selection(only=tuple(only), skip=tuple(skip), again=tuple(again), limit=limit, pilot=pilot)
    loaded = resolve(spec)
    if loaded.remote:
        from callsheet.steps.bring import bring

        loaded = bring(loaded)
    settings = environment.read(loaded.root)
    surveyed = survey(loaded, settings.home)
    drawn = _drawn(loaded, surveyed, settings, route_name(settings, sandbox=sandbox), selection)
    if not attach_only:
        return drawn
    return replace(drawn, plan=planning.without_new_takes(drawn.plan, send_reserved=send_reserved))


def redraw(drawn: Drawn, loaded: Loaded) -> Drawn:
    """The plan of another campaign in the place of this one: same settings, route and selection. Errors as `draw_up`."""
    surveyed = survey(loaded, drawn.settings.home)
    return _drawn(loaded, surveyed, drawn.settings, drawn.plan.route, drawn.selection)


def _drawn(loaded: Loaded, surveyed: Survey, settings: Settings, route: str, selection: Selection) -> Drawn:
    chosen = selection.of(loaded.variants)
    footage = {variant.label: surveyed.footage(variant) for variant in chosen}
    pilot = _pilot(selection, chosen, footage)
    chosen = pilot.variants if pilot else chosen
    campaign = loaded.campaign
    keys = planning.keys_of(chosen, footage)
    view = _view(settings, loaded, route, chosen, frozenset(keys.values()))
    plan = planning.draw_up(
        campaign=campaign.name,
        route=route,
        variants=chosen,
        footage=footage,
        rerender=campaign.rerender,
        budget=campaign.budget,
        view=view,
        again=selection.again_of(loaded.variants),
        limit=selection.limit,
        keys=keys,
    )
    return Drawn(
        loaded=loaded, survey=surveyed, settings=settings, plan=plan, view=view, selection=selection, pilot=pilot
    )


def _pilot(selection: Selection, variants: Sequence[Variant], footage: Mapping[str, planning.Footage]) -> Pilot | None:
    if selection.pilot is None:
        return None
    prices = planning.Prices()
    by_label = {v.label: prices.of(v, footage[v.label].seconds) for v in variants}
    return pairwise(variants, by_label)


def bare(loaded: Loaded, *, sandbox: bool) -> Drawn:
    """A plan of nothing, for what has to be done for a campaign whose files cannot be used."""
    settings, campaign = environment.read(loaded.root), loaded.campaign
    nothing = replace(loaded, cells=())
    view = LedgerView(takes={}, earlier={}, held=ZERO, charged=ZERO)
    plan = planning.draw_up(
        campaign=campaign.name,
        route=route_name(settings, sandbox=sandbox),
        variants=(),
        footage={},
        rerender=campaign.rerender,
        budget=campaign.budget,
        view=view,
    )
    unseen = Survey(loaded=nothing, clips={}, stills={}, clip_preparations={}, still_preparations={}, warnings=())
    return Drawn(loaded=nothing, survey=unseen, settings=settings, plan=plan, view=view, selection=Selection())


def ledger_url(settings: Settings) -> str:
    """Never to be shown: of a ledger on PostgreSQL it has the password in it."""
    if settings.ledger is None or isinstance(settings.ledger, str):
        return settings.ledger or f"{SQLITE}{settings.home / LEDGER}"
    return settings.ledger.get_secret_value()


def ledger_file(settings: Settings) -> Path | None:
    """The ledger's file, symbolic links followed: what runs that share a ledger have in common, whatever they call it.

    None for a ledger on PostgreSQL.
    """
    url = ledger_url(settings)
    return Path(url.removeprefix(SQLITE)).resolve() if url.startswith(SQLITE) else None


def has_ledger(settings: Settings) -> bool:
    """Was anything ever reserved here? To look must not lay out an empty ledger; a database that is named tells itself."""
    file = ledger_file(settings)
    return file is None or file.exists()


def open_ledger(settings: Settings) -> "Ledger":
    """The ledger, laid out if it is new. LedgerUnreachable, SchemaOutdated; their `where` says which ledger is meant."""
    from callsheet.ledger.book import Ledger

    make_home(settings)
    try:
        return Ledger(ledger_url(settings), now=clock.now)
    except LedgerError as error:
        error.where = error.where or (str(settings.home / LEDGER) if settings.ledger is None else "CALLSHEET_LEDGER")
        raise


def make_home(settings: Settings) -> None:
    """Have the folder of ledger, caches and the sandbox's state. LedgerUnreachable where there can be none."""
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(settings.home, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        why = "a file stands in its place" if isinstance(error, FileExistsError) else error.strerror
        raise LedgerUnreachable(
            f"CALLSHEET_HOME cannot be a folder that is written to: {why}.",
            where=str(settings.home),
            hint="Set CALLSHEET_HOME to a folder of yours, or remove what is there.",
            retry="never",
        ) from error


def make_archive(drawn: Drawn) -> None:
    """Have the archive's folder, and write there once. StoreUnreachable, before what it could not keep is paid for."""
    folder = drawn.archive_root
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = "a file stands in its place" if isinstance(error, FileExistsError) else error.strerror
        place = drawn.loaded.campaign.problem(("archive", "to"), "").place
        raise StoreUnreachable(
            f"the archive folder {drawn.loaded.shown(folder)} cannot be written: {why}.",
            where=place if "archive" in drawn.loaded.campaign.document.value else "",
            hint="Make room there, or set archive: {to: …} to another folder.",
            spent="no",
            retry="never",
        ) from error


def month_of(settings: Settings, ledger: "Ledger | None", route: str) -> Month | None:
    """What is left of this month on this route; None where nothing limits it. Drafts of the sandbox cost nothing."""
    if settings.monthly_budget is None or route == SANDBOX:
        return None
    name = f"{clock.now():%Y-%m}"
    if ledger is None:
        return Month(name=name, limit=settings.monthly_budget, charged=ZERO, held=ZERO)
    money = ledger.month(route=route)
    return Month(name=name, limit=settings.monthly_budget, charged=money.charged, held=money.held)


def idempotency_of(settings: Settings, route: str) -> Idempotency:
    """What the provider of this route does with a request key it has seen. Our own sandbox replays them."""
    return "replay" if route == SANDBOX else settings.idempotency


def replayable(take: Take, now: datetime, kind: Idempotency = "replay") -> bool:
    """May the same Idempotency-Key still be sent again for this take, on a route of this kind?"""
    return may_ask_again(kind, take, now, REPLAY_WINDOW.get(take.route, timedelta(0)))


def _view(
    settings: Settings,
    loaded: Loaded,
    route: str,
    variants: Sequence[Variant],
    keys: frozenset[str],
) -> LedgerView:
    if settings.ledger is None and not (settings.home / LEDGER).exists():
        return LedgerView(takes={}, earlier={}, held=ZERO, charged=ZERO, month=month_of(settings, None, route))
    campaign = loaded.campaign
    ledger = open_ledger(settings)
    try:
        takes = ledger.newest(sorted(keys), route=route)
        money = ledger.money(campaign=campaign.name, route=route)
        month = month_of(settings, ledger, route)
        earlier = _earlier(ledger.takes(campaign=campaign.name, route=route), keys, variants)
        identities = ledger.identities([take.id for take in earlier.values()])
    finally:
        ledger.close()
    now, archive = clock.now(), loaded.root / campaign.archive.to
    kind = idempotency_of(settings, route)
    return LedgerView(
        takes=takes,
        earlier=earlier,
        identities=identities,
        held=money.held,
        charged=money.charged,
        month=month,
        missing={
            take.id
            for take in takes.values()
            if take.state is State.ARCHIVED and not (archive / take.archive).is_file()
        },
        replayable={take.id for take in takes.values() if take.state in SENT and replayable(take, now, kind)},
    )


def _earlier(takes: Sequence[Take], keys: Collection[str], variants: Sequence[Variant]) -> dict[tuple[str, int], Take]:
    """The newest paid take of other content under the name of each of these variants."""
    names = {(variant.slug, variant.take) for variant in variants}
    return {
        (take.slug, take.number): take
        for take in takes
        if take.state in CHARGED and take.key not in keys and (take.slug, take.number) in names
    }
