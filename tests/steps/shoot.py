"""A campaign of two variants, and the walk of all of them in this process, as the flow does it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from callsheet.errors import CallsheetError
from callsheet.ledger.book import Ledger
from callsheet.steps import deliver, follow, outcome, prepare, stage, strays, studio, submit, wrap
from callsheet.steps.wrap import Account
from callsheet.take import Take

CAMPAIGN = """\
campaign: tiny
model: kling-o1-video-edit
budget: $2.00
clips:
  cup: media/cup.mp4
prompts:
  good: A good one.
  odd: An odd one.
aspect_ratios: [16:9]
"""
ODD = "An odd one."


async def run(
    spec: Path, *, tries: int = 1, only: Sequence[str] = (), again: Sequence[str] = (), attach_only: bool = False
) -> tuple[Account, dict[str, BaseException | None]]:
    """Walk every variant as the flow does, each stage tried again while its error says that it is safe."""
    async with studio.opened(spec, sandbox=False, only=only, again=again, attach_only=attach_only) as at:
        outcome.approve(at, approved=at.plan.digest, by="test", max_usd=None)
        labels = outcome.to_walk(at.plan)
        ended = await asyncio.gather(*(shoot(label, tries) for label in labels), return_exceptions=True)
        left = strays.found(at)
        collected = await asyncio.gather(*(strays.collect(take) for take in left), return_exceptions=True)
        outcome.raise_defects([*ended, *collected])
        account = await wrap.wrap(outcome.errors(labels, ended), strays.told(at, left, collected))
        return account, dict(zip(labels, ended, strict=True))


async def shoot(label: str, tries: int) -> None:
    await prepare.prepare(label)
    await stage.stage(label)
    for attempt in range(1, tries + 1):
        try:
            take = await submit.submit(label)
            break
        except CallsheetError as error:
            if error.retry != "safe" or attempt == tries:
                raise
    await follow.follow(take, label)
    for attempt in range(1, tries + 1):
        try:
            await deliver.deliver(take, label)
            break
        except CallsheetError as error:
            if error.retry != "safe" or attempt == tries:
                raise


def takes(spec: Path) -> list[Take]:
    ledger = Ledger(f"sqlite:///{spec.parent.parent}/.callsheet/ledger.sqlite")
    found = ledger.takes()
    ledger.close()
    return list(found)
