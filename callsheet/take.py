"""A take: one attempt at a variant, paid for at most once; its states and the only ways between them.

The table below is the law. The ledger copies it into the database, so a bug in Python cannot break it either.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callsheet.credits import Credits


class State(StrEnum):
    RESERVED = "reserved"  # money is held; nothing has left this machine
    SUBMITTING = "submitting"  # committed before the request leaves: it may have been accepted
    SUBMITTED = "submitted"  # the provider gave a job id
    SUCCEEDED = "succeeded"  # the provider has a result; it is paid for and not yet ours
    ARCHIVED = "archived"  # the result is in the archive; the hold became a charge
    FAILED = "failed"  # the job ended without a result, or a person gave its result up; no hold, and perhaps a charge
    IN_DOUBT = "in_doubt"  # nobody knows whether it was accepted; counts as spent
    RELEASED = "released"  # it was provably never accepted; the hold is released


#: The legal transitions. Nothing automatic leads from IN_DOUBT to a second charge.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.RESERVED: frozenset({State.SUBMITTING, State.RELEASED}),
    State.SUBMITTING: frozenset({State.SUBMITTED, State.IN_DOUBT, State.RELEASED}),
    State.SUBMITTED: frozenset({State.SUCCEEDED, State.FAILED}),
    State.SUCCEEDED: frozenset({State.ARCHIVED, State.FAILED}),
    State.IN_DOUBT: frozenset({State.SUBMITTED, State.RELEASED, State.IN_DOUBT, State.FAILED}),
    State.ARCHIVED: frozenset(),
    State.FAILED: frozenset(),
    State.RELEASED: frozenset(),
}

#: A variant has at most one take in these states at a time.
LIVE = frozenset({State.RESERVED, State.SUBMITTING, State.SUBMITTED, State.SUCCEEDED, State.IN_DOUBT})
#: The price counts as held, as charged, or as neither.
HELD = LIVE
CHARGED = frozenset({State.ARCHIVED})
#: States in which the provider has, or may have, the job.
SENT = frozenset({State.SUBMITTING, State.SUBMITTED, State.SUCCEEDED, State.IN_DOUBT, State.ARCHIVED})


@dataclass(frozen=True, kw_only=True)
class Take:
    """One row of the ledger. Times are aware UTC."""

    id: int
    campaign: str
    route: str
    slug: str
    key: str  # VariantKey: 64 hex characters
    number: int  # which sample of the variant, from 1 (`takes:` of the campaign)
    state: State
    price: Credits  # what the plan said; held, then charged
    idempotency_key: str
    plan: str  # digest of the approved plan
    job: str = ""
    request_id: str = ""
    charged: Credits | None = None  # what the provider reported, when it did
    reason: str = ""
    archive: str = ""  # the deliverable's key in the store
    sha256: str = ""
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None = None
    occurrence: datetime | None = None  # of the schedule that it was made for

    @property
    def sent_at(self) -> datetime:
        """When its request left; of one that was never sent, when it was reserved."""
        return self.submitted_at or self.created_at

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def cost(self) -> Credits:
        """What it holds or has cost: the provider's figure where it gave one, else the price; nothing for what came to
        nothing, unless the provider charged it all the same."""
        expected = self.price if self.state in HELD | CHARGED else Credits()
        return self.charged or expected


def may(now: State, then: State) -> bool:
    """Is this transition legal?"""
    return then in TRANSITIONS[now]
