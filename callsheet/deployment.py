"""What Prefect is to know of campaigns that run by themselves: one deployment each, and what has to be done to get there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from callsheet.campaign import Schedule

#: Every deployment that `callsheet deploy` made has it, and no other.
TAG = "callsheet-schedule"
#: The work pool, unless another is named.
POOL = "callsheet"
#: The only schedule of such a deployment: by its slug a deployment that is made again finds it, and makes no second one.
SLUG = "callsheet"
#: Occurrences that are told in advance.
TOLD = 3

Action = Literal["create", "update", "keep", "remove"]


def name_of(campaign: str) -> str:
    """The name of its deployment. No deployment of prefect.yaml is called like that."""
    return f"scheduled-{campaign}"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A campaign that is to run by itself. `spec`: its file, from the root of the checkout."""

    campaign: str
    spec: str
    schedule: Schedule
    sandbox: bool

    @property
    def name(self) -> str:
        return name_of(self.campaign)

    @property
    def tags(self) -> list[str]:
        return ["callsheet", TAG, f"campaign:{self.campaign}", *(["sandbox"] if self.sandbox else [])]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One deployment: what is done with it, and why. `next`: its next occurrences, in its own time zone."""

    name: str
    spec: str
    action: Action
    why: str = ""
    next: Sequence[datetime] = ()
    #: A person has paused its schedule; that stays so.
    paused: bool = False
    #: Its id, where there is one already.
    id: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "deployment": f"campaign/{self.name}",
            "spec": self.spec,
            "action": self.action,
            "why": self.why,
            "paused": self.paused,
            "next": [moment.isoformat() for moment in self.next],
        }
