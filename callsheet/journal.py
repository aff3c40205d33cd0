"""The journal of transitions as a chain: each entry carries the hash of the one before it and a hash of all its own facts.

So an entry that was changed, taken out, put in or moved shows, and shows where. What a chain cannot show by itself is that
its end was cut off, or that all of it was written anew from some entry on: whoever has noted an earlier head can tell.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from callsheet import digest
from callsheet.digest import Canonical

#: What the first entry has in the place of a former hash.
GENESIS = "0" * 64
#: What never changes of a take: an entry has one digest of it all.
TERMS = ("slug", "key", "number", "idempotency_key", "plan", "identity", "created_at")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One transition, with what is true of the take from then on. Money in units of 1/10000 credit; times as they are kept."""

    id: int  # from 1, without a gap
    take_id: int
    at: str
    before: str  # "" where the take begins
    after: str
    reason: str = ""
    route: str
    campaign: str
    price: int
    charged: int | None = None
    job: str = ""
    request_id: str = ""
    submitted_at: str | None = None
    archive: str = ""
    sha256: str = ""
    terms: str  # digest of what never changes of a take (`terms_of`)
    former: str = GENESIS
    hash: str = ""

    @property
    def words(self) -> str:
        """entry 7 (take 3, submitted to succeeded)"""
        return f"entry {self.id} (take {self.take_id}, {self.before or 'new'} to {self.after})"

    def hashed(self) -> str:
        """What its hash has to be."""
        facts: dict[str, Canonical] = {**vars(self)}
        del facts["hash"]
        return digest.of_json(facts)

    def sealed(self, *, former: str) -> "Entry":
        """The same, as it is written behind the entry with this hash."""
        linked = replace(self, former=former)
        return replace(linked, hash=linked.hashed())


def spelt(moment: datetime) -> str:
    """As the ledger keeps a time: UTC, microseconds, sortable as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def terms_of(
    *,
    slug: str,
    key: str,
    number: int,
    idempotency_key: str,
    plan: str,
    identity: str,
    created_at: str,
    occurrence: str | None = None,
) -> str:
    """The digest of what a take was reserved as, and stays. Without an occurrence it is what it was before there were any."""
    terms: dict[str, Canonical] = {
        "slug": slug,
        "key": key,
        "number": number,
        "idempotency_key": idempotency_key,
        "plan": plan,
        "identity": identity,
        "created_at": created_at,
    }
    if occurrence is not None:
        terms["occurrence"] = occurrence
    return digest.of_json(terms)


@dataclass(frozen=True, kw_only=True)
class Broken:
    """An entry that is not as it was written, or not where it was."""

    entry: int
    what: str


def broken(entries: Iterable[Entry]) -> Iterator[Broken]:
    """What is wrong with the chain, from its beginning. Nothing for one that holds.

    An entry that was changed and hashed anew agrees with itself: it shows in the intact one behind it, which follows what
    it was.
    """
    last, hash_of_last = 0, GENESIS
    for entry in entries:
        own = entry.hashed() == entry.hash
        if entry.id != last + 1:
            gone = f"entry {last + 1}" if entry.id == last + 2 else f"entries {last + 1} to {entry.id - 1}"
            yield Broken(entry=last + 1, what=f"{gone} of the journal: missing")
        elif own and entry.former != hash_of_last:
            culprit = max(last, 1)
            yield Broken(entry=culprit, what=f"entry {culprit} of the journal: changed and hashed anew")
        if not own:
            yield Broken(
                entry=entry.id, what=f"{entry.words} of the journal: changed, its hash is not that of its facts"
            )
        last, hash_of_last = entry.id, entry.hash
