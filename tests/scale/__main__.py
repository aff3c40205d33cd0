"""`python -m tests.scale`: 600 variants on three workers, one of which is killed half-way; then every book is looked into.

`--variants`, `--slice`, `--workers` for another size; `--keep` leaves the folder with all logs.
"""

import argparse
import hashlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from callsheet.ledger.book import Ledger
from callsheet.take import State, Take
from tests import books, buckets, postgres
from tests.buckets import BUCKET, BucketServer
from tests.e2e.conftest import film
from tests.prefect_api import ask

from . import machines
from .machines import ROOT, Site, until

#: A variant of 3 s costs 36 credits.
PRICE = 36
RATIOS = ("16:9", "9:16", "1:1")
CLIPS = 4
SPEC = "specs/big.yaml"
RENDER_SECONDS = 5
#: Seconds for the whole campaign.
LIMIT = 1500


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what it has started is ended with it
    folder = Path(tempfile.mkdtemp(prefix="callsheet-scale-"))
    began = time.monotonic()
    is_good = False
    try:
        with postgres.server() as url:
            trial(asked, folder, url)
        is_good = True
        print(f"all in {time.monotonic() - began:.0f} s")
    finally:
        if asked.keep or not is_good:
            print(f"left in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=__doc__)
    parser.add_argument("--variants", type=int, default=600, help="rounded up to a multiple of 12")
    parser.add_argument("--slice", type=int, default=100, help="variants of a slice")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument(
        "--what",
        choices=("kill", "stop", "cancel"),
        default="kill",
        help="kill -9 or SIGTERM of a worker, or a cancelled run",
    )
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


def trial(asked: argparse.Namespace, folder: Path, url: str) -> None:
    site = Site(root=folder, settings={"PREFECT_HOME": str(folder / "prefect"), "CALLSHEET_SLICE": str(asked.slice)})
    site.settings |= {"CALLSHEET_LEDGER": machines.database(url, "ledger"), "CALLSHEET_MAX_IN_FLIGHT": "40"}
    site.settings |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "CALLSHEET_CHECKOUT": str(folder / "studio")}
    with (
        buckets.serving() as store,
        machines.prefect_server(site, machines.database(url, "prefect")),
        machines.provider(site, RENDER_SECONDS) as provider,
        closing(site),
    ):
        site.settings |= store.environment
        count = lay_out(folder / "studio", asked.variants, store)
        site.call("prefect", "work-pool", "create", machines.POOL, "--type", "process")
        site.call("prefect", "--no-prompt", "deploy", "--all")
        workers = [machines.worker(site, f"worker-{number}", places=3) for number in range(1, asked.workers + 1)]
        try:
            run = render(site, provider, workers, count, asked.what)
            if asked.what == "cancel":
                look_at_cancelled(site, provider, run)
                return
        finally:
            for one in workers:
                machines.end(one)
        look(site, provider, count, run, store)


def lay_out(studio: Path, variants: int, store: BucketServer) -> int:
    """A checkout with one big campaign, whose clips and archive are in a bucket; how many variants it has."""
    (studio / "specs").mkdir(parents=True)
    (studio / "flows").symlink_to(ROOT / "flows")
    shutil.copy(ROOT / "prefect.yaml", studio)
    bucket = store.emptied()
    for number in range(CLIPS):
        clip = studio.parent / f"clip-{number}.mp4"
        film(clip, f"testsrc2=s=1280x720:r=24:d=3,hue=h={90 * number}")
        bucket.upload_file(str(clip), BUCKET, f"raw/{clip.name}")
    prompts = -(-variants // (CLIPS * len(RATIOS)))
    document = {
        "campaign": "big",
        "model": "kling-o1-video-edit",
        "budget": "$2000.00",
        "clips": {f"clip-{number}": f"s3://{BUCKET}/raw/clip-{number}.mp4" for number in range(CLIPS)},
        "prompts": {f"p{number}": f"Re-light the scene, look number {number}." for number in range(prompts)},
        "aspect_ratios": list(RATIOS),
        "archive": {"to": f"s3://{BUCKET}/finals"},
    }
    (studio / SPEC).write_text(json.dumps(document, indent=1))  # JSON is YAML
    return CLIPS * prompts * len(RATIOS)


def render(site: Site, provider: Path, workers: list[Any], count: int, what: str) -> dict[str, Any]:
    """Run the deployment, and disturb it once a third of the jobs are accepted. The flow run as Prefect has it at the end."""
    began = time.monotonic()
    parameters = json.dumps({"spec": SPEC, "sandbox": False})
    told = site.call("prefect", "deployment", "run", "campaign/campaign", "--params", parameters)
    print(
        f"started {count} variants on {len(workers)} workers: {told.split('Created flow run')[-1].splitlines()[0].strip()}"
    )
    until(lambda: len(books.jobs(provider)) >= count // 3 or _ended(site), LIMIT, 0.3)
    assert not (run := _ended(site)), run["state"]
    told = _disturb(site, workers, count, what)
    print(f"{time.monotonic() - began:5.0f} s  {len(books.jobs(provider))} jobs accepted; {told}")
    until(lambda: _ended(site), LIMIT, 1.0)
    run = _ended(site)
    print(f"{time.monotonic() - began:5.0f} s  {run['name']}: {run['state_type'].lower()}, {run['state']['message']}")
    return run


def _disturb(site: Site, workers: list[Any], count: int, what: str) -> str:
    """Do it; what was done, in words."""
    if what == "cancel":
        (own,) = [run for run in _runs(site) if "spec" in run["parameters"] and not run["parameters"].get("part")]
        _post(site, f"flow_runs/{own['id']}/set_state", {"state": {"type": "CANCELLING"}})
        return "the campaign's run cancelled"
    victim = until(lambda: _busy(site, workers, count), LIMIT, 0.3)
    if what == "kill":
        return f"worker killed with {machines.kill(victim) - 1} processes of its runs"
    victim.terminate()
    victim.wait(machines.PATIENCE)
    return "worker stopped"


def look_at_cancelled(site: Site, provider: Path, run: dict[str, Any]) -> None:
    """All of its slices are over, nothing more is bought, and `reconcile` brings home what is paid for."""
    assert run["state_type"] == "CANCELLED", run["state"]
    open_ones = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")
    until(lambda: not [one for one in _runs(site) if one["state_type"] in open_ones and "spec" in one["parameters"]])
    paid = len(books.jobs(provider))
    site.call("prefect", "deployment", "run", "reconcile/reconcile")

    def states() -> Counter[State]:
        with closing(Ledger(site.settings["CALLSHEET_LEDGER"])) as ledger:
            return Counter(take.state for take in ledger.takes())

    until(lambda: states()[State.ARCHIVED] == paid, LIMIT, 1.0)
    assert len(books.jobs(provider)) == paid
    books.assert_nothing_is_paid_twice(books.jobs(provider), [])
    print(f"       {paid} jobs in all, each archived by the slices or reconcile")


def _busy(site: Site, workers: list[Any], count: int) -> Any:
    """A worker in the middle of a slice, which is not the one that the campaign's own run is on."""
    for number, one in enumerate(workers, start=1):
        log = site.log(f"worker-{number}")
        if f": {count} shoot;" not in log and log.count(" shoot;") > log.count(" archived; "):
            return one
    return None


def _ended(site: Site) -> dict[str, Any]:
    """The campaign's own run, once it is over; nothing before."""
    found = [run for run in _runs(site) if "spec" in run["parameters"] and not run["parameters"].get("part")]
    return next(
        (run for run in found if run["state_type"] not in ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")), {}
    )


def _runs(site: Site) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = _post(site, "flow_runs/filter", {"limit": 200, "sort": "START_TIME_ASC"})
    except OSError:
        return []
    return found


def _post(site: Site, path: str, body: dict[str, Any]) -> Any:
    return ask(site.settings["PREFECT_API_URL"], path, body)


def look(site: Site, provider: Path, count: int, run: dict[str, Any], store: BucketServer) -> None:
    """The provider's book, the ledger, the archive and Prefect's list each say the same."""
    jobs = books.jobs(provider)
    books.assert_nothing_is_paid_twice(jobs, [])
    assert len(jobs) == count, f"{len(jobs)} jobs for {count} variants"
    assert {job.state for job in jobs} == {"completed"}, Counter(job.state for job in jobs)
    assert sum(job.charged or 0 for job in jobs) == count * PRICE * 10_000
    with closing(Ledger(site.settings["CALLSHEET_LEDGER"])) as ledger:
        takes = ledger.takes()
        assert not ledger.running(), ledger.running()
    assert sorted(take.job for take in takes if take.state is State.ARCHIVED) == sorted(job.id for job in jobs)
    assert sum(take.cost.units for take in takes) == count * PRICE * 10_000
    unpaid = [take for take in takes if take.state is not State.ARCHIVED]
    assert all(take.state is State.RELEASED for take in unpaid), Counter(take.state for take in takes)
    _look_at_archive(store, takes, count)
    assert run["state_type"] == "COMPLETED", run["state"]
    slices = [one for one in _runs(site) if one["parameters"].get("part")]
    states = Counter(one["state_type"] for one in slices)
    assert set(states) <= {"COMPLETED", "CRASHED"}, states
    assert states["CRASHED"] >= 1, states  # that of the worker
    print(
        f"       {count} jobs, {count} takes archived, {count} files; slices: {_spoken(states)}; nothing paid twice or lost"
    )


def _look_at_archive(store: BucketServer, takes: tuple[Take, ...], count: int) -> None:
    named = {take.archive: take.sha256 for take in takes if take.state is State.ARCHIVED}
    assert len(named) == count

    client = store.client()

    def held(key: str) -> bytes:
        body: bytes = client.get_object(Bucket=BUCKET, Key=f"finals/{key}")["Body"].read()
        return body

    for name, sha256 in named.items():
        assert hashlib.sha256(held(name)).hexdigest() == sha256, name
    manifest = json.loads(held("big/manifest.json"))
    assert Counter(entry["state"] for entry in manifest["entries"]) == {"archived": count}
    assert held("big/review/index.html").startswith(b"<!")


def _spoken(states: Counter[str]) -> str:
    return ", ".join(f"{number} {state.lower()}" for state, number in sorted(states.items()))


if __name__ == "__main__":
    sys.exit(main())
