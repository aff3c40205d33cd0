"""What goes wrong in a world, drawn from its seed. A draw depends on what it is about and on nothing that was drawn before.

So the tenth submission of a prompt meets the same fault whoever sends it: our steps, or a policy that they are compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

Kind = Literal["replay", "reject", "none"]

#: Faults of the paid request: what happens to it, and what the sender sees. The first five prove that nothing was accepted.
SUBMIT = (
    "connection refused",
    "429, wait",
    "503, not accepted",
    "400, not accepted",
    "402, not accepted",
    "reset, not accepted",
    "reset, accepted",
    "500, accepted",
    "502 of a proxy, not accepted",
    "502 of a proxy, accepted",
    "half an answer, accepted",
    "silence, never accepted",
    "silence, accepted",
    "silence, accepted later",
    "sent twice by the network",
    "sent twice by the network, once later",
)
FREE = ("connection refused", "reset", "429, wait", "500", "a web page", "silence")
RESULT = (
    "connection refused",
    "reset",
    "429, wait",
    "500",
    "cut short",
    "cut short unseen",
    "a web page",
    "silence",
    "404",
)
LEDGER = ("locked", "commit fails", "commit is done and its answer lost")
#: A network that delivers a request twice makes two jobs where no key is heeded, whoever sends it: nobody could prevent that.
ONLY_WITH_KEYS = frozenset({"sent twice by the network", "sent twice by the network, once later"})

DAY = 86_400.0
#: Seconds that a clock jumps by. Three minutes are enough for another run to think that this one is gone.
JUMPS = (180.0, 2 * DAY, 5 * DAY, -3 * 3600.0, -8 * 3600.0)
#: Seconds between a run that died and the next one.
DOWNTIMES = (1.0, 60.0, 8 * 60.0, 11 * 60.0, 3 * 3600.0, 30 * 3600.0, 4 * DAY)


@dataclass(frozen=True, kw_only=True)
class Crash:
    """Where a life ends: at the so many-th point that it passes. kill: at once, and nothing of it is left in memory."""

    at: int
    kill: bool = True


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Likelihoods are of one request or transaction. Times in seconds."""

    submit: float = 0.0
    free: float = 0.0
    result: float = 0.0
    ledger: float = 0.0
    #: Jobs that end without a result; and those among them for which the credits do not come back.
    failing: float = 0.0
    keeping: float = 0.0
    #: A job is in no list for so long after it was accepted.
    unlisted: float = 0.0
    has_batch: bool = True
    has_list: bool = True
    #: A status read of a job gives a fresh link, or the one of when it was done, which dies after a day.
    fresh_links: bool = True
    #: For so long the provider knows a key again.
    memory: float = 30 * DAY
    #: Takes that the budget has room for, besides one for each variant.
    slack: int = 10
    #: `retakes:` of the campaign.
    retakes: int = 0
    crashes: tuple[Crash, ...] = ()
    downtimes: tuple[float, ...] = ()
    #: Clock jumps: at the so many-th request, by so many seconds.
    jumps: tuple[tuple[int, float], ...] = ()
    #: The database is gone from then to then.
    gone: tuple[float, float] | None = None
    #: A second run of the same campaign begins so long after the first.
    second_run: float | None = None
    #: After the first life somebody changes a prompt.
    is_edited: bool = False


CALM = Weather()


def of(seed: int) -> Weather:
    """The weather of a seed: seldom all at once, often several."""
    dice = Random(f"weather {seed}")
    kills = dice.choice((0, 0, 1, 1, 2, 3))
    jumps = tuple(sorted((dice.randint(1, 40), dice.choice(JUMPS)) for _ in range(dice.choice((0, 0, 0, 1, 2)))))
    begin = dice.uniform(0, 300)
    return Weather(
        submit=dice.choice((0.0, 0.05, 0.2, 0.5)),
        free=dice.choice((0.0, 0.05, 0.2)),
        result=dice.choice((0.0, 0.1, 0.3)),
        ledger=dice.choice((0.0, 0.0, 0.02, 0.1)),
        failing=dice.choice((0.0, 0.0, 0.1, 0.3)),
        keeping=dice.choice((0.0, 0.5)),
        unlisted=dice.choice((0.0, 0.0, 20.0, 200.0)),
        has_batch=dice.random() < 0.8,
        has_list=dice.random() < 0.7,
        fresh_links=dice.random() < 0.7,
        # How old a key is can only be told by a clock. One that was set back and has caught up again shows nothing, so
        # such worlds have a provider that does not forget (docs/money.md says so).
        memory=30 * DAY if any(by < 0 for _, by in jumps) else dice.choice((20 * 60.0, DAY, 30 * DAY)),
        slack=dice.choice((0, 1, 10)),
        retakes=dice.choice((0, 0, 2)),
        crashes=tuple(Crash(at=dice.randint(1, 160), kill=dice.random() < 0.85) for _ in range(kills)),
        downtimes=tuple(dice.choice(DOWNTIMES) * dice.uniform(0.9, 1.1) for _ in range(3)),
        jumps=jumps,
        gone=(begin, begin + dice.choice((5.0, 60.0, 600.0))) if dice.random() < 0.1 else None,
        second_run=dice.uniform(0.2, dice.choice((6, 60))) if dice.random() < 0.05 else None,
        is_edited=dice.random() < 0.15,
    )


@dataclass(kw_only=True)
class Fate:
    """The draws of one world. counts: how often each thing was drawn for."""

    seed: int
    kind: Kind
    weather: Weather
    is_calm: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    #: Faults that came true, by name.
    met: dict[str, int] = field(default_factory=dict)

    def next(self, about: str, likelihood: float, faults: Sequence[str]) -> str:
        """The fault of this, or "". Every call about the same thing is its next turn."""
        turn = self.counts[about] = self.counts.get(about, 0) + 1
        if self.is_calm or not likelihood:
            return ""
        dice = Random(f"{self.seed} {about} {turn}")
        if dice.random() >= likelihood:
            return ""
        fault = dice.choice(faults)
        if fault in ONLY_WITH_KEYS and self.kind == "none":
            return ""
        name = f"{about.partition(' ')[0]}: {fault}"
        self.met[name] = self.met.get(name, 0) + 1
        return fault

    def number(self, about: str) -> float:
        """From 0 to 1, the same at every call."""
        return Random(f"{self.seed} {about}").random()
