"""What the ledger knows of how long takes last, on either database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from callsheet import digest
from callsheet.ledger.book import Ledger
from callsheet.take import Take

from .ledgers import BOOKING, Place


class Clock:
    """Told to go on by the test."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def rendered(
    ledger: Ledger,
    clock: Clock,
    name: str,
    seconds: float,
    *,
    model: str = "kling-o1-video-edit",
    route: str = "evolink",
) -> Take:
    """A take that took so long from the sending to the provider's word that it is done."""
    identity = digest.canonical({"model": model, "prompt": f'{name} "model":"another"'})
    booking = replace(BOOKING, route=route, slug=name, identity=identity, key=digest.of_bytes(identity.encode()))
    take = ledger.reserve(booking)
    clock.now += timedelta(minutes=7)
    ledger.submitting(take.id, request={})
    ledger.submitted(take.id, job=f"job-{name}")
    clock.now += timedelta(seconds=seconds)
    return ledger.succeeded(take.id, charged=None)


def seconds(
    ledger: Ledger, *, route: str = "evolink", model: str = "kling-o1-video-edit", most: int = 50
) -> list[float]:
    return [duration.total_seconds() for duration in ledger.durations(route=route, model=model, most=most)]


def test_durations_run_from_the_sending_to_success_and_the_newest_comes_first(place: Place) -> None:
    clock = Clock()
    ledger = Ledger(place.url, now=clock)
    for name, took in (("a", 60), ("b", 90), ("c", 120)):
        rendered(ledger, clock, name, took)
    assert seconds(ledger) == [120, 90, 60]
    assert seconds(ledger, most=2) == [120, 90]
    ledger.close()


def test_an_archived_take_counts_with_the_time_that_the_provider_took(place: Place) -> None:
    clock = Clock()
    ledger = Ledger(place.url, now=clock)
    take = rendered(ledger, clock, "a", 60)
    clock.now += timedelta(hours=3)
    ledger.archived(take.id, archive="a.mp4", sha256="s" * 64)
    assert seconds(ledger) == [60]
    ledger.close()


def test_another_model_another_route_and_what_failed_say_nothing(place: Place) -> None:
    clock = Clock()
    ledger = Ledger(place.url, now=clock)
    rendered(ledger, clock, "a", 60)
    rendered(ledger, clock, "b", 70, model="kling-o1-video-edit-fast")
    rendered(ledger, clock, "c", 80, route="sandbox")
    lost = rendered(ledger, clock, "d", 90)
    ledger.failed(lost.id, reason="a person gave it up")
    assert seconds(ledger) == [60]
    assert seconds(ledger, model="another") == []
    assert seconds(ledger, model="kling_o1_video_edit") == []
    ledger.close()
