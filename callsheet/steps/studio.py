"""What one run shares: plan, ledger, provider, watch, archive, limits on what goes on at once. Opened once a run.

The steps take a variant's label or a take's id, which is all that crosses a Prefect boundary, and find everything else in
the current studio.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from callsheet.archive.disk import DiskStore
from callsheet.campaign import Campaign
from callsheet.errors import SpecInvalid, Unauthorized
from callsheet.ledger.book import Ledger
from callsheet.media import command
from callsheet.plan import Line, Plan
from callsheet.provider.client import Provider, Route
from callsheet.provider.staging import ProviderStaging
from callsheet.provider.watch import Watch
from callsheet.steps import bring, leftovers, locks, make_room
from callsheet.steps import draw_up as drawing
from callsheet.steps import settings as environment
from callsheet.steps.draw_up import SANDBOX, Drawn
from callsheet.steps.load import Loaded, load, resolve
from callsheet.steps.progress import Event, Listener, Stage, nobody
from callsheet.steps.settings import Settings

if TYPE_CHECKING:
    from callsheet.evidence import Verdict
    from callsheet.provider.client import Accepted, Staged
    from callsheet.steps.cache import PreparedFile


@dataclass(kw_only=True)
class Studio:
    """Everything a step needs. Not thread-safe: one event loop owns it."""

    drawn: Drawn
    ledger: Ledger
    provider: Provider
    staging: ProviderStaging
    watch: Watch
    store: DiskStore
    #: Takes between submission and their end.
    in_flight: asyncio.Semaphore
    #: ffmpeg processes of preparation at a time, and the threads of each: together as many as there are cores.
    encoders: asyncio.Semaphore
    threads: int
    listener: Listener = nobody
    #: Prepared files by cache name, staged files by digest: the work of several variants, done once.
    prepared: dict[str, "asyncio.Task[PreparedFile]"] = field(default_factory=dict)
    staged: dict[str, "asyncio.Task[Staged]"] = field(default_factory=dict)
    #: What the provider has accepted and the ledger could not record yet, by take.
    accepted: dict[int, "Accepted"] = field(default_factory=dict)
    #: The evidence on takes in doubt that was gathered last, or is just being gathered.
    weighing: "asyncio.Task[dict[int, Verdict]] | None" = None
    #: Result links by take: they are secrets and live in memory only.
    results: dict[int, SecretStr] = field(default_factory=dict)
    #: The stage that each variant was last heard in.
    stages: dict[str, Stage] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        return self.drawn.plan

    @property
    def home(self) -> Path:
        return self.drawn.settings.home

    def line(self, label: str) -> Line:
        return next(line for line in self.plan.lines if line.variant.label == label)

    def tell(self, label: str, stage: Stage, state: str, fraction: float = 0.0, detail: str = "") -> None:
        self.stages[label] = stage
        self.listener(Event(label=label, stage=stage, state=state, fraction=fraction, detail=detail))  # type: ignore[arg-type]


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


@contextmanager
def reaching(provider_of: Callable[[Route], Provider]) -> Iterator[None]:
    """Runs opened inside reach the provider by what this makes of a route: another transport, for a simulation."""
    token = _provider_of.set(provider_of)
    try:
        yield
    finally:
        _provider_of.reset(token)


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
    attach_only: bool = False,
    send_reserved: bool = False,
) -> AsyncIterator[Studio]:
    """Draw up the plan and open everything a run of it needs; close it all at the end.

    One run of a campaign, route and ledger at a time, and none that goes on with takes of another campaign while that one
    runs (RunInProgress): a replay that races the first sending could be accepted after the first was refused, and its job
    id be lost. Unauthorized when there is neither a key nor --sandbox.
    """
    _say_opened()

    def draw() -> Drawn:
        return drawing.draw_up(
            spec,
            sandbox=sandbox,
            only=only,
            skip=skip,
            again=again,
            limit=limit,
            pilot=pilot,
            attach_only=attach_only,
            send_reserved=send_reserved,
        )

    async with _opened(await asyncio.to_thread(load, spec), sandbox=sandbox, draw=draw) as studio:
        yield studio


def _say_opened() -> None:
    if (on_open := _on_open.get()) is not None:
        on_open()


@asynccontextmanager
async def opened_bare(spec: Path, *, sandbox: bool) -> AsyncIterator[Studio]:
    """The same for a campaign whose files cannot be used: no variant, an empty plan, and all the rest."""
    _say_opened()
    loaded = await asyncio.to_thread(resolve, spec)
    async with _opened(loaded, sandbox=sandbox, draw=lambda: drawing.bare(loaded, sandbox=sandbox)) as studio:
        yield studio


@asynccontextmanager
async def _opened(loaded: Loaded, *, sandbox: bool, draw: Callable[[], Drawn]) -> AsyncIterator[Studio]:
    logging.getLogger("callsheet").setLevel(logging.INFO)  # one line a change of a take; Prefect sends it to its server
    settings = environment.read(loaded.root)
    name = drawing.route_name(settings, sandbox=sandbox)
    require_key(settings, sandbox=sandbox)
    require_drafts(loaded.campaign, sandbox=sandbox)
    with locks.alone(settings, route=name, campaign=loaded.campaign.name):
        drawn = await bring.in_thread(draw)
        async with (
            _attached(settings, drawn),
            route(settings, name) as way,
            provider_of(way) as provider,
            Watch(provider) as watch,
        ):
            store = DiskStore(drawn.archive_root)
            await asyncio.to_thread(leftovers.sweep, settings.home, store)
            at_once = min(command.abreast(), max(1, len(set(drawn.survey.clip_preparations.values()))))
            with closing(drawing.open_ledger(settings)) as ledger:
                studio = Studio(
                    drawn=drawn,
                    ledger=ledger,
                    provider=provider,
                    staging=ProviderStaging(provider),
                    watch=watch,
                    store=store,
                    in_flight=asyncio.Semaphore(settings.max_in_flight),
                    encoders=asyncio.Semaphore(at_once),
                    threads=command.cores() // at_once if at_once > 1 else 0,
                    listener=_listener.get(),
                )
                with make_room.listed(settings.home, drawn.survey):
                    await _room_made(studio)
                    token = _current.set(studio)
                    try:
                        yield studio
                    finally:
                        _current.reset(token)
                        await _stopped(studio.prepared.values())
                await _room_made(studio)


async def _room_made(studio: Studio) -> None:
    most = studio.drawn.settings.cache_gb * make_room.GB
    await asyncio.to_thread(make_room.keep_within, studio.home, studio.ledger, most)


async def _stopped(works: "Iterable[asyncio.Task[PreparedFile]]") -> None:
    """Cancel what is still being prepared when a run ends, and wait until its ffmpeg is gone and its files are removed."""
    going_on = [work for work in works if not work.done()]
    for work in going_on:
        work.cancel()
    if going_on:
        await asyncio.wait(going_on)


def require_drafts(campaign: Campaign, *, sandbox: bool) -> None:
    """The sandbox drafts some of the models. SpecInvalid for a campaign with another one, before anything is opened."""
    if not sandbox:
        return
    from callsheet.sandbox import order

    strange = [model.name for model in campaign.all_models if model.name not in order.DRAFTED]
    if strange:
        what = f"the sandbox drafts {' and '.join(order.DRAFTED)} only so far, and not {', '.join(strange)}"
        hint = "`callsheet plan --paid` shows what the provider would charge; run it there, a variant first."
        raise SpecInvalid([campaign.problem(("model",), what, hint)])


def require_key(settings: Settings, *, sandbox: bool) -> None:
    """No run falls back from the paid provider to the sandbox by itself, or the other way round."""
    if not sandbox and settings.api_key is None:
        raise Unauthorized(
            "There is no EVOLINK_API_KEY, so nothing can be rendered by the provider.",
            hint="Set EVOLINK_API_KEY in the environment or in .env to render for money, "
            "or add --sandbox to render free drafts on this machine.",
        )


@asynccontextmanager
async def _attached(settings: Settings, drawn: Drawn) -> AsyncIterator[None]:
    """Be alone with the other campaigns whose takes this plan goes on with."""
    others = {line.take.campaign for line in drawn.plan.of("attach") if line.take} - {drawn.plan.campaign}
    with locks.alone_with_all(settings, route=drawn.plan.route, campaigns=others):
        yield


@asynccontextmanager
async def route(settings: Settings, name: str) -> AsyncIterator[Route]:
    """The route of this name; the sandbox runs for the length of the block."""
    if name == SANDBOX:
        from callsheet.sandbox import launch

        async with launch.running(settings.home) as address:
            yield Route(name=name, api=address.url, files=address.url, key=SecretStr(address.key))
        return
    key, kind = settings.api_key or SecretStr(""), drawing.idempotency_of(settings, name)
    yield Route(name=name, api=settings.api, files=settings.files, key=key, idempotency=kind)
