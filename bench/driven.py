"""`python -m bench.driven SPEC`: the flow as `callsheet run --yes` drives it, in this process, and what it took as JSON.

A program of its own, so that its memory is what a run needs and nothing else's. Requests are counted where they leave.
"""

import asyncio
import json
import re
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import ClassVar

import httpx

from callsheet.cli import checkout, prefect_server
from callsheet.provider.client import Provider, Route
from callsheet.steps import draw_up, settings, studio
from tests.memory import peak

BEGAN = time.perf_counter()
#: Which request it is, by method and path.
KINDS = (
    ("POST", re.compile(r"/v1/videos/generations"), "submit"),
    ("POST", re.compile(r"/v1/tasks/batch"), "status"),
    ("GET", re.compile(r"/v1/tasks/.+"), "status"),
)


class Counting(httpx.AsyncHTTPTransport):
    """The transport of every provider here; `seen` counts what has left."""

    seen: ClassVar[Counter[str]] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        method, path = request.method, request.url.path
        kind = next((name for verb, form, name in KINDS if verb == method and form.fullmatch(path)), "other")
        self.seen[kind] += 1
        return await super().handle_async_request(request)


def provider_of(route: Route) -> Provider:
    return Provider(route, transport=Counting(limits=httpx.Limits(max_connections=200, max_keepalive_connections=50)))


def main(spec: Path) -> int:
    root = settings.find_checkout(spec.absolute().parent)
    drawn = draw_up.draw_up(spec, sandbox=False)
    settings.point_prefect_at(prefect_server.ensure(root))
    flow = checkout.flows(root, "campaign").campaign
    began = time.perf_counter()
    with studio.reaching(provider_of):
        state = asyncio.run(flow(spec=str(spec), approved=drawn.plan.digest, approved_by="bench", return_state=True))
    told = {
        "state": state.type.value,
        "message": state.message,
        "flow": time.perf_counter() - began,
        "whole": time.perf_counter() - BEGAN,
        "requests": dict(Counting.seen),
        "megabytes": peak() / 1024,
        "cpu": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        "children": sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
