"""Load, survey, look into the ledger: the plan of a campaign on one route, as it stands now. Nothing is spent or sent."""

import errno
import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from callsheet import approval, naming
from callsheet import plan as planning
from callsheet.campaign import Campaign
from callsheet.credits import ZERO, Credits
from callsheet.digest import Canonical
from callsheet.errors import (
    ArchiveError,
    LedgerError,
    LedgerUnreachable,
    NothingToShoot,
    SettingsWrong,
    SpecInvalid,
    WouldOverwrite,
)
from callsheet.nearest import listed
from callsheet.pilot import Pilot, pairwise
from callsheet.plan import LedgerView, Line, Month, Plan
from callsheet.routing import EVOLINK, LOOPBACK, PLAY, SANDBOX, Idempotency, Pool, alone, may_ask_again
from callsheet.selection import Selection
from callsheet.slices import Part
from callsheet.steps import clock, private
from callsheet.steps import settings as environment
from callsheet.steps.load import Loaded, resolve
from callsheet.steps.settings import SQLITE, Settings
from callsheet.steps.shelve import store_of
from callsheet.steps.survey import Survey, survey
from callsheet.sweep import Variant
from callsheet.take import CHARGED, SENT, State, Take

if TYPE_CHECKING:
    from callsheet.archive.store import Store
    from callsheet.ledger.book import Ledger
    from callsheet.rounds import Round

log = logging.getLogger("callsheet.takes")

#: The ledger's file under the home, where CALLSHEET_LEDGER names no other.
LEDGER = "ledger.sqlite"

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
    #: Where its jobs may go.
    pool: Pool
    #: What the ledger and the archive said when it was drawn up.
    view: LedgerView
    selection: Selection
    store: "Store"
    pilot: Pilot | None = None
    #: What a review makes of the campaign, and how much less that costs than the plan without it; negative where it is more.
    round: "Round | None" = None
    saved: Credits = ZERO
    #: The plan before a person left something out of it.
    whole: Plan

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


def claimed_on(settings: Settings, route: str) -> str:
    """The route that runs which use this one are named after, and claim variants on (`routing.Pool.name`)."""
    built_in = (SANDBOX, LOOPBACK, EVOLINK)
    return route if route in built_in else route_name(settings, sandbox=False)


def pool_of(settings: Settings, *, sandbox: bool) -> Pool:
    """The routes that jobs may go to: the sandbox alone, or every paid route whose key is set. Never empty.

    SettingsWrong for routes of this machine and of others together: no paid run meets a stand-in by chance.
    """
    name = route_name(settings, sandbox=sandbox)
    if sandbox:
        return alone(name)
    built_in = next((entry.card for entry in settings.routes if entry.card.name == name), alone(name).cards[0])
    others = [entry for entry in settings.routes if entry.key is not None]
    strange = [entry.card.name for entry in others if entry.is_local != settings.is_local]
    if strange:
        raise SettingsWrong(
            f"{strange[0]} is {'on another machine' if settings.is_local else 'on this machine'}, and {name} is not.",
            where=environment.ROUTES,
            hint="Take it out, or set EVOLINK_BASE_URL to a provider of the same kind.",
        )
    cards = [*([built_in] if settings.api_key is not None or not others else []), *(entry.card for entry in others)]
    return Pool(name=name, cards=tuple(cards))


def draw_up(
    spec: Path,
    *,
    sandbox: bool,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    again: Sequence[str] = (),
    limit: int | None = None,
    pilot: str | None = None,
    verdicts: str | None = None,
    promote: Sequence[str] = (),
    keep_unjudged: bool = False,
    attach_only: bool = False,
    send_reserved: bool = False,
    occurrence: datetime | None = None,
    part: Part | None = None,
) -> Drawn:
    """The plan for `spec` now. SpecError and its kin for a campaign that cannot run; LedgerError.

    only, skip, again: globs of slugs. limit: shoot the first so many only. pilot: how a small set is chosen of what only
    and skip leave. verdicts: the file of a review, whose next round this is; promote: models and aspect ratios that its
    winners go on to; keep_unjudged: it gives up nothing that nobody judged. attach_only: leave out every line that would
    cost anything new, and, unless send_reserved, takes that hold their price and were never sent. occurrence: the moment of
    the schedule that it is for; what was made for it is not made again. part: of what is selected in the whole campaign,
    only what lies in this part of it; only its files are looked at.
    """
    selection = Selection(
        only=tuple(only),
        skip=tuple(skip),
        again=tuple(again),
        limit=limit,
        pilot=pilot,
        verdicts=verdicts,
        promote=tuple(promote),
        keep_unjudged=keep_unjudged,
    )
    whole = resolve(spec)
    loaded = whole if part is None else whole.only(part)
    if loaded.remote:
        from callsheet.steps.bring import bring

        loaded = bring(loaded)
    settings = environment.read(loaded.root)
    surveyed = survey(loaded, settings.home)
    pool = pool_of(settings, sandbox=sandbox)
    judged, variants = None, whole.variants
    if verdicts is not None:
        from callsheet.steps.iterate import iterate

        loaded, surveyed, judged = iterate(
            loaded,
            surveyed,
            settings.home,
            Path(verdicts),
            promote,
            films_of=partial(_films, settings, pool),
            keep_unjudged=keep_unjudged,
        )
        variants = loaded.variants
    drawn = _drawn(loaded, surveyed, settings, pool, selection, occurrence, variants, judged, buys=not attach_only)
    if not attach_only:
        return drawn
    plan = planning.without_new_takes(drawn.plan, send_reserved=send_reserved)
    return replace(drawn, plan=plan, whole=plan)


def redraw(drawn: Drawn, loaded: Loaded) -> Drawn:
    """The plan of another campaign in the place of this one: same settings, route and selection. Errors as `draw_up`."""
    surveyed = survey(loaded, drawn.settings.home)
    return _drawn(loaded, surveyed, drawn.settings, drawn.pool, drawn.selection, drawn.plan.occurrence)


def _drawn(
    loaded: Loaded,
    surveyed: Survey,
    settings: Settings,
    pool: Pool,
    selection: Selection,
    occurrence: datetime | None,
    variants: Sequence[Variant] = (),
    judged: "Round | None" = None,
    *,
    buys: bool = True,
) -> Drawn:
    """variants: of the whole campaign, of which something is selected; those that are loaded where none are given. judged:
    what a review leaves of these."""
    variants = variants or loaded.variants
    chosen = selection.of(variants)
    if loaded.part is not None:
        here = {variant.label for variant in loaded.part}
        chosen = tuple(variant for variant in chosen if variant.label in here)
    footage = {variant.label: surveyed.footage(variant) for variant in chosen}
    pilot = _pilot(selection, chosen, footage)
    chosen = pilot.variants if pilot else chosen
    campaign = loaded.campaign
    _refuse_unserved(campaign, pool)
    keys = planning.keys_of(chosen, footage)
    store = store_of(loaded)
    view = _view(settings, loaded, pool, chosen, frozenset(keys.values()), occurrence)
    view = replace(view, missing=_missing(store, view.takes.values(), loaded, buys=buys))
    again = selection.again_of(variants)

    def planned(variants: Sequence[Variant], limit: int | None) -> Plan:
        return planning.draw_up(
            campaign=campaign.name,
            route=pool.name,
            variants=variants,
            footage=footage,
            rerender=campaign.rerender,
            budget=campaign.budget,
            view=view,
            again=again,
            limit=limit,
            keys=keys,
            pool=pool,
        )

    plan, saved = _of_round(judged, chosen, planned, selection.limit)
    return Drawn(
        loaded=loaded,
        survey=surveyed,
        settings=settings,
        plan=plan,
        whole=plan,
        pool=pool,
        view=view,
        selection=selection,
        store=store,
        pilot=pilot,
        round=judged,
        saved=saved,
    )


def _of_round(
    judged: "Round | None",
    chosen: Sequence[Variant],
    planned: Callable[[Sequence[Variant], int | None], Plan],
    limit: int | None,
) -> tuple[Plan, Credits]:
    """The plan of what a review makes of these variants, and how much less it costs than the plan without the review: less
    than nothing where what it adds costs more than what it leaves out. NothingToShoot."""
    if judged is None:
        return planned(chosen, limit), ZERO
    left = [variant for variant in chosen if judged.has(variant.label)]
    if not left:
        raise NothingToShoot(
            f"the verdicts leave none of the {len(chosen)} variants that are selected.",
            where="--verdicts",
            hint="Select others, or approve some.",
        )
    plan = planned(left, limit)
    lines = tuple(_with_reason(line, judged.reasons.get(line.variant.label, "")) for line in plan.lines)
    before = planned([variant for variant in chosen if not judged.part_of(variant.label)], limit)
    return replace(plan, lines=lines), before.credits - plan.credits


def _with_reason(line: Line, reason: str) -> Line:
    return line._replace(reason=reason) if reason and line.action == "shoot" else line


def without(drawn: Drawn, left_out: Collection[str]) -> Drawn:
    """The same plan, from the same look into the ledger, less what a person left out as "axis=value".

    What was left out by a limit or a pilot does not take the place.
    """
    if not left_out:
        return drawn
    whole = drawn.whole
    kept = [line for line in whole.lines if not approval.is_left_out(line, left_out)]
    plan = planning.draw_up(
        campaign=whole.campaign,
        route=whole.route,
        variants=[line.variant for line in kept],
        footage={line.variant.label: drawn.survey.footage(line.variant) for line in kept},
        rerender=drawn.loaded.campaign.rerender,
        budget=drawn.loaded.campaign.budget,
        view=drawn.view,
        again=drawn.selection.again_of(drawn.loaded.variants),
        pool=drawn.pool,
    )
    return replace(drawn, plan=plan)


def _refuse_unserved(campaign: Campaign, pool: Pool) -> None:
    """SpecInvalid for a model that no route serves."""
    unserved = [row.name for row in campaign.all_models if not any(card.serves(row.name) for card in pool.cards)]
    if unserved:
        names = listed(pool.names)
        what = f"{listed(unserved)} is served by no route: {names}'s models do not name it"
        raise SpecInvalid([campaign.problem(("model",), what, "Add it to `models` of a route in routes.toml.")])


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
    pool = pool_of(settings, sandbox=sandbox)
    plan = planning.draw_up(
        campaign=campaign.name,
        route=pool.name,
        pool=pool,
        variants=(),
        footage={},
        rerender=campaign.rerender,
        budget=campaign.budget,
        view=view,
    )
    unseen = Survey(loaded=nothing, clips={}, stills={}, clip_preparations={}, still_preparations={}, warnings=())
    return Drawn(
        loaded=nothing,
        survey=unseen,
        settings=settings,
        plan=plan,
        whole=plan,
        pool=pool,
        view=view,
        selection=Selection(),
        store=store_of(loaded),
    )


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
        private.folder(settings.home)
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
    """Have the archive, and write there once. StoreUnreachable, before what it could not keep is paid for; WouldOverwrite where
    what a run writes anew each time would take the place of something else."""
    try:
        drawn.store.check()
        if drawn.plan.of("shoot"):
            _refuse_anothers(drawn)
    except ArchiveError as error:
        _call_unspent(error, drawn.loaded)
        raise


def _refuse_anothers(drawn: Drawn) -> None:
    """A folder of an application has a manifest.json of its own. One of ours that is damaged is written anew."""
    key = f"{naming.slug_part(drawn.plan.campaign)}/manifest.json"
    try:
        there = json.loads(drawn.store.read(key) or b"null")
    except (ValueError, RecursionError):
        return
    if there is not None and not (isinstance(there, dict) and "callsheet" in there):
        raise WouldOverwrite(
            f"{drawn.store.spoken(key)} is there and is no manifest of Callsheet, which each run writes anew.",
            hint="Set archive: {to: …} to another folder, or give the campaign another name.",
        )


def _call_unspent(error: ArchiveError, loaded: Loaded) -> None:
    """It was found before anything was paid for, and has its place in the campaign."""
    if "archive" in loaded.campaign.document.value:
        error.what = f"{error.where}: {error.what}" if error.where else error.what
        error.where = loaded.campaign.problem(("archive", "to"), "").place
    error.spent, error.retry = "no", "never"


def month_of(settings: Settings, ledger: "Ledger | None", route: str | Collection[str]) -> Month | None:
    """What is left of this month on these routes; None where nothing limits it. Drafts of the sandbox cost nothing."""
    if settings.monthly_budget is None or SANDBOX in ([route] if isinstance(route, str) else route):
        return None
    name = f"{clock.now():%Y-%m}"
    if ledger is None:
        return Month(name=name, limit=settings.monthly_budget, charged=ZERO, held=ZERO)
    money = ledger.month(route=route)
    return Month(name=name, limit=settings.monthly_budget, charged=money.charged, held=money.held)


def idempotency_of(settings: Settings, route: str) -> Idempotency:
    """What the provider of this route does with a request key it has seen. Our own sandbox replays them; a route that is
    not in routes.toml any more is asked nothing that could cost; of the built-in one the more careful word counts."""
    if route == SANDBOX:
        return "replay"
    card = next((entry.card for entry in settings.routes if entry.card.name == route), None)
    if route in (EVOLINK, LOOPBACK):
        return settings.idempotency if card is None or card.idempotency == "replay" else card.idempotency
    return "none" if card is None else card.idempotency


def replayable(take: Take, now: datetime, kind: Idempotency = "replay") -> bool:
    """May the same Idempotency-Key still be sent again for this take, on a route of this kind?"""
    return may_ask_again(kind, take, now, REPLAY_WINDOW.get(take.route, REPLAY_WINDOW[EVOLINK]))


def _films(settings: Settings, pool: Pool, keys: Collection[str]) -> dict[str, str]:
    """SHA-256 of the film of each of these contents that is archived on these routes."""
    if not has_ledger(settings):
        return {}
    with closing(open_ledger(settings)) as ledger:
        takes = ledger.newest(sorted(keys), route=routes_of(ledger, pool))
    return {key: take.sha256 for key, take in takes.items() if take.state is State.ARCHIVED}


def _view(
    settings: Settings,
    loaded: Loaded,
    pool: Pool,
    variants: Sequence[Variant],
    keys: frozenset[str],
    occurrence: datetime | None,
) -> LedgerView:
    if settings.ledger is None and not (settings.home / LEDGER).exists():
        month = month_of(settings, None, pool.name)
        return LedgerView(takes={}, earlier={}, held=ZERO, charged=ZERO, month=month, occurrence=occurrence)
    campaign = loaded.campaign
    ledger = open_ledger(settings)
    try:
        route = routes_of(ledger, pool)
        takes = ledger.newest(sorted(keys), route=route)
        money = ledger.money(campaign=campaign.name, route=route)
        month = month_of(settings, ledger, route)
        earlier = _earlier(ledger.takes(campaign=campaign.name, route=route), keys, variants)
        identities = ledger.identities([take.id for take in earlier.values()])
        owned = owners(settings, ledger, pool.name, keys)
        made = ledger.made_for(occurrence, campaign=campaign.name, route=route) if occurrence else ()
    finally:
        ledger.close()
    now = clock.now()
    return LedgerView(
        takes=takes,
        earlier=earlier,
        identities=identities,
        held=money.held,
        charged=money.charged,
        month=month,
        owners=owned,
        routes=route,
        occurrence=occurrence,
        made={(take.slug, take.number): take for take in made},
        replayable={
            take.id
            for take in takes.values()
            if take.state in SENT and replayable(take, now, idempotency_of(settings, take.route))
        },
    )


def _missing(store: "Store", takes: Iterable[Take], loaded: Loaded, *, buys: bool) -> set[int]:
    """Ids of the archived takes whose file is no longer there. A plan that buys nothing does without an archive that does
    not answer: what is paid for is fetched first of all."""
    archived = [take for take in takes if take.state is State.ARCHIVED]
    try:
        there = store.sizes({take.archive for take in archived}) if archived else {}
    except ArchiveError as error:
        if buys:
            _call_unspent(error, loaded)
            raise
        log.warning("what is missing in the archive is not known: %s", error.what)
        return set()
    return {take.id for take in archived if take.archive not in there}


def routes_of(ledger: "Ledger", pool: Pool) -> tuple[str, ...]:
    """Where the content of a plan may have been bought: on the routes of its pool, and on paid ones that are gone since.

    What is not paid for is a world of its own: drafts of the sandbox, and a stand-in on this machine.
    """
    names = {pool.name, *pool.names}
    if pool.name not in PLAY:
        names |= set(ledger.routes()) - set(PLAY)
    return tuple(sorted(names))


def owners(settings: Settings, ledger: "Ledger", route: str, keys: Collection[str]) -> dict[str, str]:
    """Who works on which of these variants now. The claims of a run that is gone count no more."""
    found = ledger.owners(route=route, keys=keys)
    if not found:
        return {}
    from callsheet.steps import presence

    gone = {run.id for run in found.values() if presence.is_gone(settings, run.id)}
    return {key: run.words for key, run in found.items() if run.id not in gone}


def _earlier(takes: Sequence[Take], keys: Collection[str], variants: Sequence[Variant]) -> dict[tuple[str, int], Take]:
    """The newest paid take of other content under the name of each of these variants."""
    names = {(variant.slug, variant.take) for variant in variants}
    return {
        (take.slug, take.number): take
        for take in takes
        if take.state in CHARGED and take.key not in keys and (take.slug, take.number) in names
    }
