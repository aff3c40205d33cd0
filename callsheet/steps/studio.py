"""What one run shares: plan, ledger, provider, watch, archive, limits on what goes on at once. Opened once a run.

The steps take a variant's label or a take's id, which is all that crosses a Prefect boundary, and find everything else in
the current studio.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from callsheet import buckets
from callsheet import plan as planning
from callsheet.archive.store import Store
from callsheet.causes import Cause
from callsheet.credits import ZERO, Credits
from callsheet.errors import ProviderError, Unauthorized
from callsheet.health import Health
from callsheet.ledger.book import Ledger
from callsheet.ledger.ownership import Run
from callsheet.media import command
from callsheet.plan import Line, Plan
from callsheet.provider.client import Provider, Route
from callsheet.provider.staging import BucketStaging, ProviderStaging, Staging
from callsheet.provider.watch import Watch
from callsheet.routing import EVOLINK, LOOPBACK, SANDBOX, Card, Pool
from callsheet.slices import Part
from callsheet.steps import bring, heaps, hints, leftovers, make_room, mark, presence
from callsheet.steps import draw_up as drawing
from callsheet.steps import settings as environment
from callsheet.steps.draw_up import Drawn
from callsheet.steps.gate import Gate, Precedence
from callsheet.steps.load import Loaded, load
from callsheet.steps.progress import Event, Listener, Stage, nobody
from callsheet.steps.settings import Settings
from callsheet.steps.shelve import Shelf, shelf_of

if TYPE_CHECKING:
    from callsheet.evidence import Verdict
    from callsheet.media.quality import Traits
    from callsheet.provider.client import Accepted, Staged
    from callsheet.sidecar import Quality
    from callsheet.steps.cache import PreparedFile
    from callsheet.steps.stand_by import Elsewhere


#: Jobs that are being sent to a route at a time; an answer takes a second or less. A thousand at once would wait for
#: connections, and for each other's work, until their time is up (measured: 169 of 1,000 in doubt).
SENDERS = 16


@dataclass(kw_only=True)
class Counter:
    """A route at work: its client, its files service, its watch, and how it fares."""

    card: Card
    provider: Provider
    staging: Staging
    watch: Watch
    health: Health = field(default_factory=Health)
    senders: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SENDERS))
    #: The refusal of its key or its account that stopped it, and those of single models.
    refusal: ProviderError | None = None
    refused: dict[str, ProviderError] = field(default_factory=dict)


#: Results that are fetched at a time. A line is as full with four as with twenty, and four leave the one whose link dies
#: first a fair share of it; twenty at once would all come late together.
DOWNLOADS = 4

#: Results that go to the archive at a time, and prepared files that go to a provider, for the same reason.
UPLOADS, STAGINGS = 4, 4

#: How long results, and variants that wait for a place, wait for what is being sent where a hundred jobs end at once; and
#: how far apart they begin then.
GIVES_WAY, BEGINS_APART = timedelta(seconds=20), timedelta(seconds=1 / 25)


#: Reference images that are prepared at a time: one of 64 megapixels takes 200 MB for each copy of it.
STILLS_AT_ONCE = 2
#: How far the clocks of two machines that share a ledger may be apart.
SKEW = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why the provider ended a job, in its own words. refunded: None where it did not say whether the credits came back."""

    code: str
    message: str
    request_id: str
    refunded: bool | None


@dataclass(kw_only=True)
class Studio:
    """Everything a step needs. Not thread-safe: one event loop owns it."""

    drawn: Drawn
    ledger: Ledger
    #: This run, as the ledger knows it: the owner of what it works on.
    run: Run
    #: What other runs that are at work now do with the variants that they own.
    elsewhere: "Elsewhere"
    #: Where jobs go, by the route's name; and how each fares.
    counters: Mapping[str, Counter]
    store: Store
    #: The archive's files on this machine, which the board opens from.
    shelf: Shelf
    #: Takes between submission and their end.
    in_flight: asyncio.Semaphore
    #: Sent and not in the archive yet: as many again as are at the provider may be on their way home, and links die.
    on_the_way: asyncio.Semaphore
    #: ffmpeg processes of preparation at a time, and the threads of each: together as many as there are cores.
    encoders: asyncio.Semaphore
    #: Bounds the pictures that are prepared.
    stills: asyncio.Semaphore
    threads: int
    listener: Listener = nobody
    #: Who may fetch its result now.
    downloads: Gate = field(default_factory=lambda: Gate(DOWNLOADS))
    stagings: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STAGINGS))
    #: Sending goes before bringing home: a render takes minutes, and a result can wait for seconds.
    sending: Precedence = field(default_factory=lambda: Precedence(GIVES_WAY, BEGINS_APART))
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UPLOADS))
    #: Results that are decoded at a time: a hundred may come home at once, and each is an ffmpeg.
    decoders: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(max(2, command.cores())))
    #: Prepared files by cache name, staged files by route and digest: the work of several variants, done once.
    prepared: dict[str, "asyncio.Task[PreparedFile]"] = field(default_factory=dict)
    staged: dict[tuple[str, str], "asyncio.Task[Staged]"] = field(default_factory=dict)
    #: The most that this run may cost, and by how much what it has bought is dearer than in the plan.
    ceiling: Credits | None = None
    dearer: Credits = ZERO
    #: What the provider has accepted and the ledger could not record yet, by take.
    accepted: dict[int, "Accepted"] = field(default_factory=dict)
    #: The evidence on takes in doubt that was gathered last, or is just being gathered, by route.
    weighing: "dict[str, asyncio.Task[dict[int, Verdict]]]" = field(default_factory=dict)
    #: Keys of takes that were another run's and are this one's, since that one is gone.
    inherited: set[str] = field(default_factory=set)
    #: Result links by take: they are secrets and live in memory only.
    results: dict[int, SecretStr] = field(default_factory=dict)
    #: What the provider said at the submission that a job has left, by take; zero for one that it had already. A take that
    #: is not here is one of an earlier run.
    estimates: dict[int, timedelta | None] = field(default_factory=dict)
    #: Why jobs failed in this run, by take.
    failures: dict[int, Failure] = field(default_factory=dict)
    #: Looks at prepared clips and at results by digest, and what was found of results of this run, by take.
    looks: "dict[str, asyncio.Task[Traits]]" = field(default_factory=dict)
    films: "dict[str, asyncio.Task[Traits]]" = field(default_factory=dict)
    qualities: "dict[int, Quality]" = field(default_factory=dict)
    #: Why the walks of variants ended without a deliverable, by label.
    causes: dict[str, Cause] = field(default_factory=dict)
    #: Why nothing new is to be sent any more; empty for as long as it is. And whether the process has to go (`stopping`).
    stopping: str = ""
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    #: The stage that each variant was last heard in.
    stages: dict[str, Stage] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        return self.drawn.plan

    @property
    def home(self) -> Path:
        return self.drawn.settings.home

    def line(self, label: str) -> Line:
        return self.plan.by_label[label]

    def counter(self, route: str) -> Counter:
        """Unauthorized for a route that is not in routes.toml any more, or whose key is not set."""
        try:
            return self.counters[route]
        except KeyError:
            raise _out_of_reach(route) from None

    def tell(self, label: str, stage: Stage, state: str, fraction: float = 0.0, detail: str = "") -> None:
        self.stages[label] = stage
        self.listener(Event(label=label, stage=stage, state=state, fraction=fraction, detail=detail))  # type: ignore[arg-type]


def _out_of_reach(route: str) -> Unauthorized:
    gone = f"is not in {environment.ROUTES} any more, or has no key"
    if route in (EVOLINK, LOOPBACK):
        gone = "is not where EVOLINK_BASE_URL points now"
    what = f"route {route} {gone}."
    return Unauthorized(what, spent="unknown", hint="What was sent to it can be followed once it is back.")


_current: ContextVar[Studio] = ContextVar("studio")
_listener: ContextVar[Listener] = ContextVar("listener", default=nobody)
_on_open: ContextVar[Callable[[], None] | None] = ContextVar("on_open", default=None)
_provider_of: "ContextVar[Callable[[Route], Provider]]" = ContextVar("provider_of", default=Provider)


def current() -> Studio:
    """The studio of this run. LookupError outside of one."""
    return _current.get()


@contextmanager
def watched_by(listener: Listener, *, on_open: Callable[[], None] | None = None) -> Iterator[None]:
    """Runs opened inside tell `listener` how they get on. `on_open` is called in a run's own task before it does anything."""
    tokens = _listener.set(listener), _on_open.set(on_open)
    try:
        yield
    finally:
        _listener.reset(tokens[0])
        _on_open.reset(tokens[1])


def heeds_signals() -> bool:
    """Does whoever watches this run heed the signals that end it?"""
    return _on_open.get() is not None


@contextmanager
def reaching(provider_of: Callable[[Route], Provider]) -> Iterator[None]:
    """Runs opened inside reach the provider by what this makes of a route: another transport, for a simulation."""
    token = _provider_of.set(provider_of)
    try:
        yield
    finally:
        _provider_of.reset(token)


@asynccontextmanager
async def reached(settings: Settings, name: str) -> AsyncIterator[Provider]:
    """The provider of this route, for what is asked of it outside of a run."""
    async with route(settings, name) as way, provider_of(way) as provider:
        yield provider


def provider_of(route: Route) -> Provider:
    """A client of this route, by whatever reaches providers here. To be entered."""
    return _provider_of.get()(route)


@asynccontextmanager
async def opened(
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
    part: str | None = None,
    flow_run: str = "",
    left_out: Sequence[str] = (),
) -> AsyncIterator[Studio]:
    """Draw up the plan and open everything a run of it needs; close it all at the end.

    A variant that another run works on now is that run's: its line says so, and `stand_by` waits for it. Two that acted on
    one take could lose what is paid for: a replay that races the first sending may be accepted after the first was refused.
    Unauthorized when there is neither a key nor --sandbox.

    occurrence: the moment of the schedule that the run is for. part: of the campaign, which another run has cut into slices;
    "501-1000". flow_run: as which Prefect knows it. left_out: what a person did not approve, as "axis=value".
    """
    _say_opened()
    place = None if part is None else Part.read(part)

    def draw() -> Drawn:
        drawn = drawing.draw_up(
            spec,
            sandbox=sandbox,
            only=only,
            skip=skip,
            again=again,
            limit=limit,
            pilot=pilot,
            verdicts=verdicts,
            promote=promote,
            keep_unjudged=keep_unjudged,
            attach_only=attach_only,
            send_reserved=send_reserved,
            occurrence=occurrence,
            part=place,
        )
        return drawn if attach_only else drawing.without(drawn, left_out)

    loaded = await asyncio.to_thread(load, spec)
    known = {"spec": str(spec.absolute()), "flow_run": flow_run}
    async with _opened(loaded, sandbox=sandbox, draw=draw, occurrence=occurrence, **known) as studio:
        yield studio


def _say_opened() -> None:
    if (on_open := _on_open.get()) is not None:
        on_open()


@asynccontextmanager
async def opened_bare(loaded: Loaded, *, sandbox: bool) -> AsyncIterator[Studio]:
    """The same for a campaign whose files cannot be used: no variant, an empty plan, and all the rest."""
    _say_opened()
    async with _opened(loaded, sandbox=sandbox, draw=lambda: drawing.bare(loaded, sandbox=sandbox)) as studio:
        yield studio


@asynccontextmanager
async def _opened(
    loaded: Loaded,
    *,
    sandbox: bool,
    draw: Callable[[], Drawn],
    spec: str = "",
    occurrence: datetime | None = None,
    flow_run: str = "",
) -> AsyncIterator[Studio]:
    heaps.keep_few()
    logging.getLogger("callsheet").setLevel(logging.INFO)  # one line a change of a take; Prefect sends it to its server
    settings = environment.read(loaded.root)
    name = drawing.route_name(settings, sandbox=sandbox)
    require_key(settings, sandbox=sandbox)
    with (
        closing(drawing.open_ledger(settings)) as ledger,
        presence.present(
            settings,
            ledger,
            campaign=loaded.campaign.name,
            route=name,
            spec=spec,
            occurrence=occurrence,
            flow_run=flow_run,
        ) as run,
    ):
        drawn = await _drawn_and_claimed(settings, ledger, run, lambda: _once(ledger, run, draw()))
        if drawn.plan.of("shoot"):
            await asyncio.to_thread(drawing.make_archive, drawn)
            await asyncio.to_thread(mark.check, settings, drawn.loaded.campaign.archive)
        async with (
            presence.beating(ledger, run),
            _counters(settings, drawn.pool) as counters,
        ):
            studio = _laid_out(drawn, ledger, run, counters)
            await asyncio.to_thread(leftovers.sweep, settings.home, *studio.shelf.places)
            with make_room.listed(settings.home, drawn.survey):
                await _room_made(studio)
                token = _current.set(studio)
                try:
                    async with hints.heeded(settings, ledger, {name: one.watch for name, one in counters.items()}):
                        yield studio
                finally:
                    _current.reset(token)
                    await _stopped([*studio.prepared.values(), *studio.looks.values(), *studio.films.values()])
            await _room_made(studio)


def _once(ledger: Ledger, run: Run, drawn: Drawn) -> Drawn:
    """Less what was bought since this flow run was first approved, by an earlier try of it: nobody who lets Prefect try a run
    again approves it twice. What is bought while it waits for a person is another's, and asked about as ever."""
    rulings = ledger.rulings(flow_run=run.flow_run) if run.flow_run else ()
    since = min((ruling.at for ruling in rulings if ruling.word == "approved"), default=None)
    if since is None:
        return drawn
    limit = drawn.selection.limit
    plan, whole = (planning.without_repeats(one, since - SKEW, limit) for one in (drawn.plan, drawn.whole))
    return replace(drawn, plan=plan, whole=whole)


async def _drawn_and_claimed(settings: Settings, ledger: Ledger, run: Run, draw: Callable[[], Drawn]) -> Drawn:
    """The plan, each of its variants that has something left to do claimed, or known to be another run's.

    Where another run claims one in between, the plan is drawn up again, and its line says so.
    """
    while True:
        drawn = await bring.in_thread(draw)
        keys = {line.key for line in drawn.plan.lines if line.action != "skip" and not line.owner}
        if not presence.claimed(settings, ledger, run, keys):
            return drawn


@asynccontextmanager
async def _counters(settings: Settings, pool: Pool) -> AsyncIterator[dict[str, Counter]]:
    async with AsyncExitStack() as stack:
        counters = {}
        for card in pool.cards:
            way = await stack.enter_async_context(route(settings, card.name))
            provider = await stack.enter_async_context(provider_of(way))
            watch = await stack.enter_async_context(Watch(provider))
            staging = _staging(settings, provider)
            counters[card.name] = Counter(card=card, provider=provider, staging=staging, watch=watch)
        yield counters


def _staging(settings: Settings, provider: Provider) -> Staging:
    """Where inputs of this provider's jobs are put. The sandbox keeps its own: it is for when there is no network."""
    if settings.staging == "provider" or provider.route.name == SANDBOX:
        return ProviderStaging(provider)
    return BucketStaging(buckets.place_of(settings.staging), loopback=provider.route.is_loopback)


def _laid_out(drawn: Drawn, ledger: Ledger, run: Run, counters: Mapping[str, Counter]) -> Studio:
    from callsheet.steps.stand_by import Elsewhere

    at_once = min(command.abreast(), max(1, len(set(drawn.survey.clip_preparations.values()))))
    return Studio(
        drawn=drawn,
        ledger=ledger,
        run=run,
        elsewhere=Elsewhere(),
        counters=counters,
        store=drawn.store,
        shelf=shelf_of(drawn.store, drawn.settings.home),
        in_flight=asyncio.Semaphore(drawn.settings.max_in_flight),
        on_the_way=asyncio.Semaphore(2 * drawn.settings.max_in_flight),
        encoders=asyncio.Semaphore(at_once),
        stills=asyncio.Semaphore(STILLS_AT_ONCE),
        threads=command.cores() // at_once if at_once > 1 else 0,
        listener=_listener.get(),
    )


async def _room_made(studio: Studio) -> None:
    most = studio.drawn.settings.cache_gb * make_room.GB
    await asyncio.to_thread(make_room.keep_within, studio.home, studio.ledger, most)


async def _stopped(works: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel what is still at work on media at the end, and wait until its ffmpeg is gone and its files are removed."""
    going_on = [work for work in works if not work.done()]
    for work in going_on:
        work.cancel()
    if going_on:
        await asyncio.wait(going_on)


def require_key(settings: Settings, *, sandbox: bool) -> None:
    """No run falls back from the paid provider to the sandbox by itself, or the other way round."""
    if not sandbox and not settings.has_key:
        raise Unauthorized(
            "There is no EVOLINK_API_KEY, so nothing can be rendered by the provider.",
            hint="Set EVOLINK_API_KEY in the environment or in .env to render for money, "
            "or add --sandbox to render free drafts on this machine.",
        )


def asked_about(settings: Settings) -> str:
    """The route whose account is asked about: the built-in one, or the first other where only others have a key."""
    if not settings.has_key:
        raise Unauthorized(
            "There is no EVOLINK_API_KEY, so the provider cannot be asked.",
            hint="Set EVOLINK_API_KEY in the environment or in .env, or leave --online out.",
        )
    return drawing.pool_of(settings, sandbox=False).cards[0].name


@asynccontextmanager
async def route(settings: Settings, name: str) -> AsyncIterator[Route]:
    """The route of this name; the sandbox runs for the length of the block. Unauthorized where settings do not say how to
    reach it any more."""
    if name == SANDBOX:
        from callsheet.sandbox import launch

        async with launch.running(settings.home) as address:
            yield Route(name=name, api=address.url, files=address.url, key=SecretStr(address.key))
        return
    entry = next((one for one in settings.routes if one.card.name == name), None)
    kind = drawing.idempotency_of(settings, name)
    if entry is not None and entry.api:
        if entry.key is None:
            raise _out_of_reach(name)
        yield Route(name=name, api=entry.api, files=entry.files, key=entry.key, idempotency=kind)
        return
    # What another provider says of its jobs is no word about them: that it knows none would give a paid result up.
    if name != drawing.route_name(settings, sandbox=False):
        raise _out_of_reach(name)
    key = settings.api_key or SecretStr("")
    yield Route(name=name, api=settings.api, files=settings.files, key=key, idempotency=kind)
