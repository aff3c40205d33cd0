"""Run as a program: walk every variant of a campaign through the steps, and die by SIGKILL at the asked instant.

`python -m tests.steps.walk SPEC [INSTANT]`. It is the flow without Prefect: what is killed here is the money's order of
work, and an instant is exact: just before or after a commit, a send, an answer, a rename.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from callsheet.archive.disk import DiskStore
from callsheet.ledger.book import Ledger
from callsheet.provider.client import Provider
from callsheet.steps import deliver, follow, outcome, prepare, retake, stage, studio, submit, wrap

#: What is wrapped, and on which side of it the process dies, at the second time it happens.
INSTANTS: dict[str, tuple[type, str, str]] = {
    "before reserving": (Ledger, "reserve", "before"),
    "after reserving": (Ledger, "reserve", "after"),
    "after the intent, before the send": (Ledger, "submitting", "after"),
    "after the answer, before its commit": (Provider, "submit", "after"),
    "after the job id is committed": (Ledger, "submitted", "after"),
    "after success is committed": (Ledger, "succeeded", "after"),
    "after the download": (Provider, "download", "after"),
    "after the file is in the archive": (DiskStore, "put", "after"),
    "after the sidecar": (DiskStore, "put_text", "after"),
    "after archived is committed": (Ledger, "archived", "after"),
}


def arm(instant: str) -> None:
    owner, name, side = INSTANTS[instant]
    method: Callable[..., Any] = getattr(owner, name)
    calls = [0]

    def die_if_due() -> None:
        if calls[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    def plain(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if side == "before":
            die_if_due()
        result = method(*args, **kwargs)
        die_if_due()
        return result

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        result = await method(*args, **kwargs)
        calls[0] += 1
        die_if_due()
        return result

    setattr(owner, name, awaited if asyncio.iscoroutinefunction(method) else plain)


async def walk(spec: Path) -> int:
    async with studio.opened(spec, sandbox=True) as at:
        outcome.approve(at, approved=at.plan.digest, by="test", max_usd=None)
        labels = outcome.to_walk(at.plan)
        ended = await asyncio.gather(*(shoot(at, label) for label in labels), return_exceptions=True)
        outcome.raise_defects(ended)
        account = await wrap.wrap(outcome.errors(labels, ended))
        sys.stdout.write(f"{account.message}; {account.credits}\n")
        return account.exit_code


async def shoot(at: studio.Studio, label: str) -> None:
    paid = outcome.paid_take(at.plan, label)
    if paid is not None:
        await follow.follow(paid, label)
        await deliver.deliver(paid, label)
        return
    await prepare.prepare(label)

    async def make() -> int:
        await stage.stage(label)
        take = await submit.submit(label)
        await follow.follow(take, label)
        return take

    take = await retake.until_made(label, make)
    await deliver.deliver(take, label)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        arm(sys.argv[2])
    sys.exit(asyncio.run(walk(Path(sys.argv[1]))))
