"""What a run tells whoever watches it: which stage of which variant began, moved, ended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["prepare", "stage", "submit", "follow", "deliver"]
#: In the order of a variant's walk.
STAGES: tuple[Stage, ...] = ("prepare", "stage", "submit", "follow", "deliver")


@dataclass(frozen=True, kw_only=True)
class Event:
    """`fraction` runs from 0 to 1 within the stage. `detail` is one short line for a person, without secrets.

    The last three are said once, when the variant's walk has ended in this stage: what is retried has not failed. They
    are the words of the account: `pending` is paid for and not archived, `in_doubt` perhaps paid for.
    """

    label: str
    stage: Stage
    state: Literal["began", "moved", "done", "failed", "pending", "in_doubt"]
    fraction: float = 0.0
    detail: str = ""


#: States in which a variant's walk ends without a deliverable.
UNDONE = frozenset({"failed", "pending", "in_doubt"})

Listener = Callable[[Event], None]


def nobody(_event: Event) -> None:
    """The listener of a run that nobody watches."""
