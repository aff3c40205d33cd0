"""Run a coroutine in virtual time: nothing sleeps, and what waits for longer is told later."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.faults.virtual import Loop, Time

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """What `main` gives, in no time. It must not reach for a network: that knows nothing of this clock."""
    with asyncio.Runner(loop_factory=lambda: Loop(Time())) as runner:
        return runner.run(main)
