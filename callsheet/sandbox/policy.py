"""How a server is minded to behave: what its caller chose when it was started. Nothing here changes while it runs."""

from dataclasses import dataclass
from datetime import timedelta

#: Jobs that wait, at most: the next one is told to come back (429). A thousand is what a load test queues.
MOST_WAITING = 2_000
#: Bytes of uploads and results together, at most.
MOST_DISK = 20_000_000_000


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The defaults are those of a server that keeps to itself: it reaches nothing but this machine."""

    #: Refuse fields that a model does not have; the live gateway ignores them.
    strict: bool = False
    #: `error.code` as the machine string that the live gateway sends, not as the documented number.
    string_codes: bool = False
    #: May inputs be fetched from the public internet, and from other servers on this machine?
    public_inputs: bool = False
    loopback_inputs: bool = True
    #: May callbacks go to plain http on this machine?
    loopback_callbacks: bool = False
    #: What renders: "draft", or "copy" for instant bytes.
    engine: str = "draft"
    #: Wall time that a render of "copy" takes.
    render_time: timedelta = timedelta(0)
    most_waiting: int = MOST_WAITING
    most_disk: int = MOST_DISK
