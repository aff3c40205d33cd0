"""What a run would do and cost now: variants x media facts x the ledger's view -> Plan; and its approval.

A plan is drawn up without touching anything. Its digest covers every line with its price and the takes it has seen, so an
approval of it cannot be used for anything else.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, NamedTuple

from callsheet import catalogue, changes, digest
from callsheet.credits import ZERO, Credits, total
from callsheet.digest import Canonical
from callsheet.errors import BudgetExceeded, NotApproved, PlanChanged
from callsheet.nearest import listed
from callsheet.occurrence import spoken
from callsheet.routing import SANDBOX, Offer, Pool, alone
from callsheet.sweep import Variant
from callsheet.take import CHARGED, LIVE, State, Take
from callsheet.tariff import most_of, price_of

Action = Literal["shoot", "attach", "skip", "blocked"]


@dataclass(frozen=True, kw_only=True)
class Footage:
    """What a variant's media are, by content. Seconds are the exact container length of the prepared clip, or what the
    model's `duration` asks for."""

    clip: str  # SHA-256 of the source; "" where there is none
    window: tuple[str, str] | None  # start and end in exact seconds; None for the whole clip
    seconds: Fraction
    references: tuple[str, ...]  # SHA-256 of each source, in order


#: The setting that limits a month.
MONTHLY = "CALLSHEET_MONTHLY_BUDGET"


@dataclass(frozen=True, kw_only=True)
class LedgerView:
    """What the ledger and the archive say at the moment of planning."""

    #: Newest take that counts, by variant key.
    takes: Mapping[str, Take]
    #: Newest archived take of another content, by (slug, take number): what the campaign made here before.
    earlier: Mapping[tuple[str, int], Take]
    #: Identities of those by take id, as canonical JSON; empty for a take older than their recording.
    identities: Mapping[int, str] = field(default_factory=dict)
    held: Credits
    charged: Credits
    #: What is left of this month for all campaigns on this route; None where nothing limits it.
    month: "Month | None" = None
    #: Who works on a variant now, in words, by its key.
    owners: Mapping[str, str] = field(default_factory=dict)
    #: Every route that was or is used, where it matters what was bought before.
    routes: tuple[str, ...] = ()
    #: Ids of archived takes whose file is no longer in the archive.
    missing: Collection[int] = ()
    #: The moment of the schedule that the run is for; None where a person runs it. And what was made for it already, by
    #: (slug, take number): a variant is made for one once.
    occurrence: datetime | None = None
    made: Mapping[tuple[str, int], Take] = field(default_factory=dict)
    #: Ids of takes in doubt that replaying the same Idempotency-Key can settle.
    replayable: Collection[int] = ()


class Line(NamedTuple):
    """One variant: what the run does with it, why, and what that costs now."""

    variant: Variant
    key: str
    action: Action
    reason: str
    credits: Credits  # new money; zero unless action is shoot
    price: Credits  # what one take of it costs, whatever the action
    seconds: Fraction
    take: Take | None
    supersedes: int  # newest take of this content the plan has seen; 0 for none
    owner: str = ""  # the run that works on it now, in words; "" for none
    route: str = ""  # where it would be shot: the cheapest that serves its model
    most: Credits = ZERO  # on the dearest route that serves it, which gets it while the others are down

    @property
    def costs(self) -> Credits:
        """What the run that walks it will have paid for it: to send what is reserved costs what it holds."""
        if self.action == "attach" and not self.owner and self.take is not None and self.take.state is State.RESERVED:
            return self.take.price
        return self.credits

    def as_json(self) -> dict[str, Any]:
        return {
            "slug": self.variant.slug,
            "key": self.key,
            "take": self.variant.take,
            "action": self.action,
            "reason": self.reason,
            "credits": str(self.credits),
            "seconds": decimal_seconds(self.seconds),
            "model": self.variant.model,
            "route": self.route,
        }


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The ceiling of the campaign and what is already spoken for. `limit` None: no ceiling."""

    limit: Credits | None
    charged: Credits
    held: Credits

    @property
    def left(self) -> Credits | None:
        return None if self.limit is None else self.limit - self.charged - self.held

    def as_json(self) -> dict[str, str | None]:
        return {
            "limit": None if self.limit is None else str(self.limit),
            "charged": str(self.charged),
            "held": str(self.held),
            "left": None if self.left is None else str(self.left),
        }


@dataclass(frozen=True, kw_only=True)
class Month(Budget):
    """The ceiling of a month over all campaigns of a route. `name` is 2026-11; months are in UTC."""

    name: str

    @property
    def spoken(self) -> str:
        limit = "none" if self.limit is None else self.limit.spoken
        left = "" if self.left is None else f", {self.left} left"
        return f"{limit} in {self.name} (UTC), all campaigns: {self.charged} charged, {self.held} held{left}"

    def as_json(self) -> dict[str, str | None]:
        return {"name": self.name, **super().as_json()}


@dataclass(frozen=True, kw_only=True)
class Plan:
    campaign: str
    route: str
    lines: tuple[Line, ...]
    budget: Budget
    digest: str
    #: What every campaign of this route may spend together this month; None where nothing limits it.
    month: Month | None = None
    #: Every route on which its content may have been bought, or may be.
    routes: tuple[str, ...] = ()
    #: The moment of the schedule that it is for.
    occurrence: datetime | None = None

    def of(self, action: Action) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.action == action)

    @cached_property
    def by_label(self) -> Mapping[str, Line]:
        return {line.variant.label: line for line in self.lines}

    @cached_property
    def credits(self) -> Credits:
        """What the run would newly spend."""
        return total([line.credits for line in self.lines])

    @cached_property
    def costs(self) -> Credits:
        """What the run would send for: what it newly spends, and what is held for takes that were never sent."""
        return total([line.costs for line in self.lines])

    @cached_property
    def most(self) -> Credits:
        """What the run would newly spend if only the dearest routes were well."""
        return total([line.most for line in self.lines if line.action == "shoot"])

    def as_json(self) -> dict[str, Any]:
        counts: dict[str, Any] = {action: len(self.of(action)) for action in ("shoot", "attach", "skip", "blocked")}
        return {
            "campaign": self.campaign,
            "route": self.route,
            "routes": list(self.routes),
            "digest": self.digest,
            "totals": {
                "variants": len(self.lines),
                **counts,
                "credits": str(self.credits),
                "usd": str(self.credits.usd),
            },
            "budget": self.budget.as_json(),
            "month": None if self.month is None else self.month.as_json(),
            "lines": [line.as_json() for line in self.lines],
        }


@dataclass(frozen=True, kw_only=True)
class Approval:
    """This plan, and no other, may spend up to `credits`."""

    plan: str
    credits: Credits
    by: str


def identity_of(variant: Variant, footage: Footage) -> dict[str, Canonical]:
    """Everything that is paid for, by content. Names, paths and order of keys do not count.

    It holds the source's bytes and the window of it, not the prepared bytes: another version of the encoder must not buy
    everything again. The ledger keeps it with each take, so that a later plan can say what changed.
    """
    return {
        "clip": footage.clip,
        "window": footage.window,
        "framing": variant.framing if variant.framing == "native" else [variant.framing, variant.aspect_ratio],
        "references": footage.references,
        "prompt": variant.text,
        "aspect_ratio": variant.aspect_ratio,
        "keep_original_sound": variant.keep_original_sound,
        "model": variant.model,
        "options": _options(variant),
        "take": variant.take,
    }


def key_of(variant: Variant, footage: Footage) -> str:
    """VariantKey: the digest of the identity."""
    return digest.of_json(identity_of(variant, footage))


class Keys:
    """The keys of many variants, each what `key_of` gives: whatever they share is written out once.

    Canonical JSON has its keys in order, so the text of an identity is what stands in front of the prompt (clip and inner
    axes), the prompt, and what stands behind it.
    """

    def __init__(self) -> None:
        self._heads: dict[tuple[object, ...], str] = {}
        self._prompts: dict[str, str] = {}
        self._ends: dict[tuple[object, ...], str] = {}

    def of(self, variant: Variant, footage: Footage) -> str:
        head_of = (
            footage.clip,
            variant.framing,
            variant.aspect_ratio,
            variant.keep_original_sound,
            variant.model,
            variant.options,
        )
        end_of = (footage.references, variant.take, footage.window)
        head, prompt, end = self._heads.get(head_of), self._prompts.get(variant.text), self._ends.get(end_of)
        if head is None or prompt is None or end is None:
            parts = [
                f"{json.dumps(name)}:{digest.canonical(value)}" for name, value in _sorted_identity(variant, footage)
            ]
            middle = next(number for number, part in enumerate(parts) if part.startswith('"prompt":'))
            head = self._heads[head_of] = "{" + ",".join(parts[:middle]) + ","
            prompt = self._prompts[variant.text] = parts[middle]
            end = self._ends[end_of] = "," + ",".join(parts[middle + 1 :]) + "}"
        return digest.of_bytes(f"{head}{prompt}{end}".encode())


def _sorted_identity(variant: Variant, footage: Footage) -> list[tuple[str, Canonical]]:
    return sorted(identity_of(variant, footage).items())


def keys_of(variants: Sequence[Variant], footage: Mapping[str, Footage]) -> dict[str, str]:
    """The key of each variant by its label; `footage` by label too."""
    keys = Keys()
    return {variant.label: keys.of(variant, footage[variant.label]) for variant in variants}


class Prices:
    """What the catalogue says that a take of each of many variants costs, of which most are alike."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, object, int, int], Credits] = {}

    def of(self, variant: Variant, seconds: Fraction) -> Credits:
        alike = _alike(variant, seconds)
        price = self._known.get(alike)
        if price is None:
            price = self._known[alike] = price_of_take(variant, seconds)
        return price


class Offered:
    """What the routes of a pool offer for many variants, of which most are alike."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[tuple[str, object, int, int], tuple[Offer, ...]] = {}

    def of(self, variant: Variant, seconds: Fraction) -> tuple[Offer, ...]:
        """The cheapest first."""
        alike = _alike(variant, seconds)
        offers = self._known.get(alike)
        if offers is None:
            offers = self._known[alike] = self._pool.offers(variant.model, price_of_take(variant, seconds))
        return offers


def _alike(variant: Variant, seconds: Fraction) -> tuple[str, object, int, int]:
    """Variants that cost the same for it. A Fraction is slow to hash."""
    return variant.model, variant.options, seconds.numerator, seconds.denominator


def price_of_take(variant: Variant, seconds: Fraction) -> Credits:
    """What one take of this variant costs, whose prepared clip, or whose result, is so long."""
    return price_of(catalogue.model(variant.model), seconds, variant.options)


def _options(variant: Variant) -> dict[str, str | int | bool]:
    """What was asked for beyond the model's defaults: to write out a default buys nothing again."""
    defaults = catalogue.model(variant.model).defaults
    return {name: value for name, value in variant.options if defaults.get(name) != value}


def draw_up(
    *,
    campaign: str,
    route: str,
    variants: Sequence[Variant],
    footage: Mapping[str, Footage],
    rerender: str,
    budget: Credits | None,
    view: LedgerView,
    again: Collection[str] = (),
    limit: int | None = None,
    keys: Mapping[str, str] | None = None,
    pool: Pool | None = None,
) -> Plan:
    """The plan of these variants. `footage` by variant label; `again`: labels to render although they are archived.

    pool: where its jobs may go; only `route`, at the catalogue's prices, where none is given.
    keys: by label, where they are known already. limit: of the variants that would be shot, only the first so many are in
    the plan; all others are. ValueError for two variants of one label: a plan is walked by these.
    """
    labels = {variant.label for variant in variants}
    if len(labels) < len(variants):
        raise ValueError("two variants of a plan have the same label")
    lines: list[Line] = []
    claimed: dict[str, str] = {}
    room = len(variants) if limit is None else limit
    keys = keys_of(variants, footage) if keys is None else keys
    pool = pool or alone(route)
    offered = Offered(pool)
    for variant in variants:
        media = footage[variant.label]
        offers = offered.of(variant, media.seconds)
        line = _line(variant, media, keys[variant.label], offers, view, rerender, variant.label in again)
        is_own = line.action == "attach" and not line.owner
        if is_own and line.take is not None and line.take.route not in pool.names:
            line = _out_of_reach(line, line.take)
        if line.action == "shoot" and line.key in claimed:
            line = _same_as(line, claimed[line.key])
        if line.action == "shoot":
            room -= 1
            if room < 0:
                continue
        claimed.setdefault(line.key, variant.label)
        lines.append(line)
    limits = Budget(limit=budget, charged=view.charged, held=view.held)
    return Plan(
        campaign=campaign,
        route=route,
        lines=tuple(lines),
        budget=limits,
        digest=_digest(campaign, route, lines, budget, several=len(pool.cards) > 1, occurrence=view.occurrence),
        month=view.month,
        routes=view.routes or pool.names,
        occurrence=view.occurrence,
    )


def _line(
    variant: Variant,
    media: Footage,
    key: str,
    offers: Sequence[Offer],
    view: LedgerView,
    rerender: str,
    again: bool,
) -> Line:
    """offers: of the routes that serve it, the cheapest first; there is one at least."""
    take = view.takes.get(key)
    if take is None:
        action: Action = "shoot"
        reason = _why_new(variant, media, view)
    else:
        action, reason = _decide(variant, take, view, rerender, again)
    made = view.made.get((variant.slug, variant.take))
    if action == "shoot" and made is not None and view.occurrence is not None:
        action, reason = "skip", f"take {made.id} was made for {spoken(view.occurrence)} already"
    owner = view.owners.get(key, "") if action != "skip" else ""
    if owner:
        action, reason = "attach", f"being rendered by {owner}; it is waited for"
    return Line(
        variant=variant,
        key=key,
        action=action,
        reason=reason,
        credits=offers[0].price if action == "shoot" else ZERO,
        price=offers[0].price,
        seconds=media.seconds,
        take=take,
        supersedes=take.id if take else 0,
        owner=owner,
        route=offers[0].route,
        most=offers[-1].price,
    )


def _out_of_reach(line: Line, take: Take) -> Line:
    return line._replace(
        action="blocked",
        reason=f"take {take.id} is {take.state} on route {take.route}, which is not in routes.toml or has no key now",
    )


def _decide(variant: Variant, take: Take, view: LedgerView, rerender: str, again: bool) -> tuple[Action, str]:
    if take.state in LIVE:
        return _resume(take, view)
    if take.state not in CHARGED and take.cost:
        return _charged_for_nothing(variant, take, again)
    if take.state not in CHARGED:
        return "shoot", f"take {take.id} came to nothing ({take.reason or take.state}); it was not charged"
    if again:
        return "shoot", f"asked for again; take {take.id} stays in the archive"
    if rerender == "every-run" and (view.occurrence is None or take.occurrence != view.occurrence):
        return "shoot", f"rerender: every-run; take {take.id} stays in the archive"
    if take.id in view.missing:
        return "blocked", (
            f"paid for on {take.updated_at:%Y-%m-%d}, but {take.archive} is gone from the archive: "
            f"restore it, or pay again with --again {variant.slug}"
        )
    whose = "" if take.campaign == variant.campaign else f" for campaign {take.campaign}, whose film it stays"
    return "skip", f"archived on {take.updated_at:%Y-%m-%d} as {take.archive}{whose}, nothing of it changed"


def _charged_for_nothing(variant: Variant, take: Take, again: bool) -> tuple[Action, str]:
    """A take that was charged and left no deliverable is paid for again by a person's word only."""
    if again:
        return "shoot", f"asked for again; take {take.id} was charged {take.cost} credits and brought nothing"
    return "blocked", (
        f"take {take.id} was charged {take.cost} credits and brought nothing ({take.reason or take.state}): "
        f"pay again with --again {variant.slug}"
    )


def _why_new(variant: Variant, media: Footage, view: LedgerView) -> str:
    earlier = view.earlier.get((variant.slug, variant.take))
    if earlier is None:
        return "not rendered yet"
    since = f"changed since take {earlier.id} of {earlier.updated_at:%Y-%m-%d}"
    recorded = changes.recorded(view.identities.get(earlier.id, ""))
    if recorded is None:
        return since
    changed = changes.between(recorded, identity_of(variant, media))
    return f"{since}: {listed([change.title for change in changed])}"


def _resume(take: Take, view: LedgerView) -> tuple[Action, str]:
    since = f"since {take.updated_at:%Y-%m-%d %H:%M} UTC"
    if take.state in (State.SUBMITTING, State.IN_DOUBT) and take.id not in view.replayable:
        why = take.reason or "its answer was lost"
        return "attach", (
            f"take {take.id} is in doubt {since} ({why}): evidence of it is looked for and nothing is sent again; "
            "see callsheet reconcile"
        )
    words = {
        State.RESERVED: "reserved, not sent",
        State.SUBMITTING: "sent, its answer was lost: the same request key is asked about again",
        State.SUBMITTED: f"rendering as {take.job}",
        State.SUCCEEDED: f"rendered as {take.job}, not archived yet",
        State.IN_DOUBT: "in doubt: the same request key is asked about again",
    }
    return "attach", f"take {take.id} is {words[take.state]}, {since}; its {take.price} credits are held already"


def _same_as(line: Line, label: str) -> Line:
    """Two cells of one sweep can be the same purchase (two clips with the same bytes): it is bought once."""
    return line._replace(action="skip", reason=f"the same content as {label}", credits=ZERO)


def _digest(
    campaign: str,
    route: str,
    lines: Sequence[Line],
    budget: Credits | None,
    *,
    several: bool = False,
    occurrence: datetime | None = None,
) -> str:
    facts: dict[str, Canonical] = {
        "campaign": campaign,
        "route": route,
        "budget": None if budget is None else budget.units,
        "lines": "\n".join(
            f"{line.variant.label} {line.key} {line.action} {line.credits.units} {line.supersedes}"
            # A plan of one route is spelt as it was before there could be several.
            f"{f' {line.route} {line.most.units}' if several else ''}"
            for line in lines
        ),
    }
    if occurrence is not None:  # likewise
        facts["occurrence"] = occurrence.isoformat()
    return digest.of_json(facts)


def narrowed(plan: Plan, lines: Sequence[Line], *, several: bool) -> Plan:
    """The plan of these lines of it only. several: of a pool with more than one route."""
    spelt = _digest(plan.campaign, plan.route, lines, plan.budget.limit, several=several, occurrence=plan.occurrence)
    return replace(plan, lines=tuple(lines), digest=spelt)


def approve(
    plan: Plan,
    *,
    by: str,
    approved_digest: str | None = None,
    confirmed: bool = False,
    approve_above: Credits | None = None,
    ceiling: Credits | None = None,
    place: str = "",
) -> Approval:
    """Let this plan spend. BudgetExceeded, PlanChanged or NotApproved otherwise; nothing has been spent by then.

    approved_digest: the plan that a person saw; where nothing would be bought now, it does not matter what changed since.
    confirmed: a person said yes to this very plan. ceiling: --max-usd of this run. place: where the budget stands in the
    campaign.
    """
    if approved_digest is not None and approved_digest != plan.digest and plan.credits:
        raise PlanChanged(
            f"plan {digest.short(approved_digest)} was approved, and {digest.short(plan.digest)} would run now: "
            "the campaign, its files or the ledger changed in between.",
            hint="Look at the plan again and approve it afresh.",
        )
    _refuse_over_budget(plan, place)
    _refuse_over_month(plan)
    if ceiling is not None and plan.costs > ceiling:
        held = plan.costs - plan.credits
        unsent = f" ({held} of it are held for takes that were never sent)" if held else ""
        raise BudgetExceeded(
            f"this run costs {plan.costs.spoken}{unsent}, and --max-usd allows {ceiling.spoken}.",
            hint="Raise --max-usd, or select fewer variants with --only.",
        )
    if not confirmed and approve_above is not None and plan.most > approve_above:
        dearer = f", and {plan.most.spoken} if cheaper routes are down" if plan.most > plan.credits else ""
        raise NotApproved(
            f"this run costs {plan.credits.spoken}{dearer}, and approve_above is {approve_above.spoken}: a person confirms it.",
            hint="Answer yes at the prompt, or pass --yes.",
        )
    return Approval(plan=plan.digest, credits=plan.credits, by=by)


def _refuse_over_budget(plan: Plan, place: str) -> None:
    left = plan.budget.left
    if left is None or plan.budget.limit is None or not plan.credits or plan.credits <= left:
        return
    spoken_for = plan.budget.charged + plan.budget.held
    used = f" ({spoken_for} of it are spoken for)" if spoken_for else ""
    missing = plan.credits - left
    part = "select fewer variants with --only, --limit or --pilot"
    hint = f"Raise budget:, or {part}."
    if plan.route == SANDBOX:
        own = "Drafts have a budget of their own, as large, and no paid run sees them."
        hint = f"{own} Draft a part: {part}; or raise budget: meanwhile."
    raise BudgetExceeded(
        f"budget: {len(plan.of('shoot'))} variants cost {plan.credits.spoken}, and the budget is "
        f"{plan.budget.limit.spoken}{used}: {missing.spoken} short.",
        where=place,
        hint=hint,
    )


def _refuse_over_month(plan: Plan) -> None:
    month = plan.month
    if month is None or month.left is None or not plan.credits or plan.credits <= month.left:
        return
    count, short = len(plan.of("shoot")), plan.credits - month.left
    variants = "1 variant costs" if count == 1 else f"{count} variants cost"
    raise BudgetExceeded(
        f"{variants} {plan.credits.spoken}, {short.spoken} more than is left of {month.spoken}.",
        where=MONTHLY,
        hint="Raise it, select fewer variants with --only, or wait for the next month.",
    )


def decimal_seconds(seconds: Fraction) -> str:
    """Seconds as decimal text, to the microsecond, without trailing zeros: "5.312"."""
    micro = round(seconds * 1_000_000)
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}".rstrip("0").rstrip(".")


def worst_case(plan: Plan) -> Credits:
    """What the campaign will have cost at most, once this plan has run: charged and held before, and its own takes."""
    alike = Counter((line.variant.model, line.variant.options, line.seconds) for line in plan.of("shoot"))
    some = {(line.variant.model, line.variant.options, line.seconds): line for line in plan.of("shoot")}
    own = total([dearest(some[kind]) * count for kind, count in alike.items()])
    return plan.budget.charged + plan.budget.held + own


def dearest(line: Line) -> Credits:
    """The most that a take of this line can be charged: its price, or what a result of whole seconds more would cost."""
    return most_of(catalogue.model(line.variant.model), line.seconds, line.variant.options)


def without_repeats(plan: Plan, since: datetime, limit: int | None) -> Plan:
    """The same plan less what was made since then, when this very run was first approved. What is asked for again, or rendered
    for every run, is made once by a run however often Prefect tries it, and a limit counts over all its tries."""
    made = {
        line.key
        for line in plan.lines
        if line.take is not None and line.take.created_at >= since and _is_made(line.take)
    }
    room = len(plan.lines) if limit is None else limit - len(made)
    lines: list[Line] = []
    for line in plan.lines:
        if line.action == "shoot" and line.key in made:
            lines.append(_not_repeated(line))
            continue
        if line.action == "shoot":
            room -= 1
        if line.action != "shoot" or room >= 0:
            lines.append(line)
    return plan if tuple(lines) == plan.lines else narrowed(plan, lines, several=len(plan.routes) > 1)


def _is_made(take: Take) -> bool:
    return take.state in LIVE or take.state in CHARGED or bool(take.cost)


def _not_repeated(line: Line) -> Line:
    if line.take is not None and line.take.state not in LIVE and line.take.state not in CHARGED:
        reason = f"take {line.supersedes} failed since this run was approved, and was charged; another takes a run of its own"
        return line._replace(action="blocked", credits=ZERO, reason=reason)
    reason = f"take {line.supersedes} was made since this run was first approved"
    return line._replace(action="skip", credits=ZERO, reason=reason)


def without_new_takes(plan: Plan, *, send_reserved: bool = False) -> Plan:
    """The same plan less every line that would spend: what finishing a dead run means.

    send_reserved: keep takes that hold their price and were never sent; to send them would cost it.
    """
    unsent = {line.key for line in plan.lines if line.take and line.take.state is State.RESERVED}
    lines = tuple(line for line in plan.lines if line.action != "shoot" and (send_reserved or line.key not in unsent))
    return narrowed(plan, lines, several=len(plan.routes) > 1)
