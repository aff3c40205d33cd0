"""Does the ledger agree with itself and with the provider? What was read of both is judged here, and nothing is changed.

The chain of the journal, each take against its last entry, the money of the one against that of the other, and what the
provider reported. An entry or a take that was tampered with is named.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from callsheet.credits import ZERO, Credits
from callsheet.journal import GENESIS, TERMS, Entry, broken, terms_of
from callsheet.take import CHARGED, HELD, TRANSITIONS, State

#: What a take and its last entry have in common, under the names of both.
SHARED = {
    "state": "after", "updated_at": "at", "reason": "reason", "route": "route", "campaign": "campaign", "price": "price",
    "charged": "charged", "job": "job", "request_id": "request_id", "submitted_at": "submitted_at", "archive": "archive",
    "sha256": "sha256",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Books:
    """What the database holds, word for word, at one moment."""

    entries: Sequence[Entry]
    #: Every column of each take but the request.
    takes: Sequence[Mapping[str, Any]]
    #: Guards of this version that are not in the database, or are switched off.
    unguarded: Sequence[str] = ()

    @property
    def head(self) -> str:
        """The hash of the last entry. Noted elsewhere, it later proves that nothing up to it was written anew."""
        return self.entries[-1].hash if self.entries else GENESIS


@dataclass(frozen=True, kw_only=True)
class Finding:
    """no: the ledger is not as it was written, or money is not where it should be. note: worth knowing."""

    severity: Literal["no", "note"]
    what: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """The money of a campaign on a route. `reported` is what the provider said, of jobs of which it said anything."""

    campaign: str
    route: str
    held: Credits
    charged: Credits
    reported: Credits
    #: Paid takes of which the provider reported no figure: their price counts.
    unreported: int


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the provider could still spend for us at a moment, and what the ledger held and had been charged by then."""

    at: datetime
    balance: Credits
    held: Credits
    charged: Credits


def findings(books: Books, *, noted_head: str = "") -> list[Finding]:
    """Everything that is wrong or worth knowing, the gravest first. noted_head: a head that somebody wrote down earlier."""
    wrong = [
        *(one.what for one in broken(books.entries)),
        *_forgotten(books, noted_head),
        *_walks(books.entries),
        *_takes(books),
        *_sums(books),
        *(f"the database lacks its guard {name}: anybody can change the ledger unseen" for name in books.unguarded),
    ]
    return [*(Finding(severity="no", what=what) for what in wrong), *_differences(books.takes)]


def accounts(books: Books) -> list[Account]:
    """The money by campaign and route, as the takes have it."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for take in books.takes:
        grouped[take["campaign"], take["route"]].append(take)
    return [_account(campaign, route, takes) for (campaign, route), takes in sorted(grouped.items())]


def _account(campaign: str, route: str, takes: Sequence[Mapping[str, Any]]) -> Account:
    held, charged = _money((take["state"], take["price"], take["charged"]) for take in takes)
    paid = [take for take in takes if take["state"] in (State.SUCCEEDED, State.ARCHIVED)]
    return Account(
        campaign=campaign,
        route=route,
        held=held,
        charged=charged,
        reported=Credits(units=sum(_units(take["charged"]) for take in takes)),
        unreported=sum(take["charged"] is None for take in paid),
    )


def _forgotten(books: Books, noted_head: str) -> Iterator[str]:
    if noted_head and noted_head not in {GENESIS, *(entry.hash for entry in books.entries)}:
        yield f"no entry of the journal has the hash {noted_head}: it was cut off or written anew since that was noted"


def _walks(entries: Sequence[Entry]) -> Iterator[str]:
    """Each entry goes on where the one before it of the same take ended, by a way that there is."""
    at: dict[int, str] = {}
    legal = {(str(now), str(then)) for now, thens in TRANSITIONS.items() for then in thens} | {("", "reserved")}
    for entry in entries:
        if entry.before != at.get(entry.take_id, ""):
            yield f"{entry.words} of the journal: the take was {at.get(entry.take_id) or 'not there'} before it"
        if (entry.before, entry.after) not in legal:
            yield f"{entry.words} of the journal: there is no such transition"
        at[entry.take_id] = entry.after


def _takes(books: Books) -> Iterator[str]:
    """Each take is as its last entry says, and each entry has its take."""
    last = {entry.take_id: entry for entry in books.entries}
    for take in books.takes:
        entry = last.pop(take["id"], None)
        if entry is None:
            yield f"take {take['id']} ({take['slug']}): it is not in the journal"
            continue
        for name, theirs in SHARED.items():
            if take[name] != getattr(entry, theirs):
                yield f"take {take['id']} ({take['slug']}): its {name} is {take[name]!r}, and was {getattr(entry, theirs)!r}"
        terms = terms_of(**{name: take[name] for name in TERMS}, occurrence=take.get("occurrence"))
        if terms != entry.terms:
            names = ", ".join((*TERMS, "occurrence"))
            yield f"take {take['id']} ({take['slug']}): one of {names} is not what it was reserved as"
    for entry in last.values():
        yield f"take {entry.take_id}: it is gone, and was {entry.after}"


def _sums(books: Books) -> Iterator[str]:
    """Held and charged of the takes, and of the journal."""
    last = {entry.take_id: entry for entry in books.entries}
    written: dict[tuple[str, str], list[tuple[str, int, int | None]]] = defaultdict(list)
    for entry in last.values():
        written[entry.campaign, entry.route].append((entry.after, entry.price, entry.charged))
    found = {(one.campaign, one.route): (one.held, one.charged) for one in accounts(books)}
    for campaign, route in sorted(written.keys() | found.keys()):
        held, charged = _money(written[campaign, route])
        now_held, now_charged = found.get((campaign, route), (ZERO, ZERO))
        if (held, charged) != (now_held, now_charged):
            yield (
                f"campaign {campaign} on {route}: the takes hold {now_held} and were charged {now_charged} credits, "
                f"and by the journal it is {held} and {charged}"
            )


def _money(facts: Iterable[tuple[str, int, int | None]]) -> tuple[Credits, Credits]:
    """Held and charged, as `Take.cost` counts them. (state, price, charged) of each take."""
    held = charged = 0
    for state, price, reported in facts:
        cost = _units(reported) or (_units(price) if state in HELD | CHARGED else 0)
        if state in HELD:
            held += cost
        else:
            charged += cost
    return Credits(units=held), Credits(units=charged)


def _units(value: Any) -> int:
    """What somebody has put in the place of an amount counts for nothing; that it is there is told of the take."""
    return value if isinstance(value, int) else 0


def _differences(takes: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for take in takes:
        planned, charged = Credits(units=_units(take["price"])), Credits(units=_units(take["charged"]))
        if charged and charged != planned:
            what = f"take {take['id']} ({take['slug']}): planned {planned.spoken}, and the provider charged {charged.spoken}"
            yield Finding(severity="note", what=what)


def against_statement(then: Statement, now: Statement, route: str) -> list[Finding]:
    """Did the account fall by what the ledger was charged since? Takes under way may have been charged already or not."""
    fell = then.balance - now.balance
    most = now.charged + now.held - then.charged
    least = now.charged - then.charged - then.held
    since = f"since {then.at:%Y-%m-%d %H:%M} UTC the account of {route}"
    if fell > most:
        what = (
            f"{since} fell by {fell.spoken}, and this ledger spent {most.spoken} at most: {fell - most} went elsewhere"
        )
        return [Finding(severity="no", what=what)]
    if fell < least:
        what = f"{since} has {(least - fell).spoken} more than what was spent leaves: it was topped up, or given back"
        return [Finding(severity="note", what=what)]
    return []
