"""`plan --why`: what changed since the last render, from the ledger's identity and the archive's sidecar."""

from collections.abc import Callable
from pathlib import Path

import pytest

from callsheet import digest
from callsheet.ledger.book import Booking, Ledger
from callsheet.steps.draw_up import Drawn, draw_up, open_ledger
from callsheet.steps.explain import explain

from .footage import make_studio

SLUG = "cup--starry--dusk--16x9"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CALLSHEET_HOME", "EVOLINK_API_KEY", "EVOLINK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return make_studio(tmp_path / "studio")


def archive_everything(spec: Path, *, recorded: bool = True) -> None:
    """Every variant as if it had been rendered; not recorded: by a Callsheet that kept no identities."""
    drawn = draw_up(spec, sandbox=True)
    ledger = open_ledger(drawn.settings)
    for line in drawn.plan.lines:
        _archive(ledger, drawn, line.variant.label, recorded=recorded)
    ledger.close()


def _archive(ledger: Ledger, drawn: Drawn, label: str, *, recorded: bool) -> None:
    line = next(line for line in drawn.plan.lines if line.variant.label == label)
    booking = Booking(
        campaign=drawn.plan.campaign,
        route=drawn.plan.route,
        slug=line.variant.slug,
        key=line.key,
        number=line.variant.take,
        price=line.price,
        plan=drawn.plan.digest,
        supersedes=0,
        budget=None,
        identity=digest.canonical(drawn.identity(line.variant)) if recorded else "",
    )
    take = ledger.reserve(booking)
    ledger.submitting(take.id, request={})
    ledger.submitted(take.id, job=f"task-{take.id}")
    ledger.succeeded(take.id, charged=line.price)
    key = f"tiny/{label}.mp4"
    (drawn.loaded.root / "archive" / key).parent.mkdir(parents=True, exist_ok=True)
    (drawn.loaded.root / "archive" / key).write_bytes(b"film")
    ledger.archived(take.id, archive=key, sha256="s")


def edited(before: str, after: str) -> Callable[[Path], None]:
    def change(spec: Path) -> None:
        text = spec.read_text()
        assert text.count(before) == 1
        spec.write_text(text.replace(before, after))

    return change


def other_picture(spec: Path) -> None:
    file = spec.parent.parent / "media/starry-night.jpg"
    file.write_bytes(file.read_bytes() + b"\0")


def longer_clip(spec: Path) -> None:
    file = spec.parent.parent / "media/cup.mp4"
    file.write_bytes(file.read_bytes() + b"\0\0\0\x08free")


def one_more_picture(spec: Path) -> None:
    media = spec.parent.parent / "media"
    (media / "more.jpg").write_bytes((media / "starry-night.jpg").read_bytes() + b"\0")
    edited("[media/starry-night.jpg]", "[media/starry-night.jpg, media/more.jpg]")(spec)


CHANGES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "the prompt": (edited("at dusk.", "at dawn."), {"prompt"}),
    "the trim": (edited("media/cup.mp4}", "media/cup.mp4, trim: 0s..2.9s}"), {"window"}),
    "the framing": (edited("aspect_ratios:", "framing: crop\naspect_ratios:"), {"framing"}),
    "the sound": (edited("aspect_ratios:", "keep_original_sound: false\naspect_ratios:"), {"keep_original_sound"}),
    "a picture": (other_picture, {"references"}),
    "the clip": (longer_clip, {"clip"}),
    "one more picture": (one_more_picture, {"references"}),
}


@pytest.mark.parametrize("what", list(CHANGES))
def test_the_part_that_changed_is_named_and_no_other(spec: Path, what: str) -> None:
    change, parts = CHANGES[what]
    archive_everything(spec)
    change(spec)
    drawn = draw_up(spec, sandbox=True)
    told = explain(drawn, SLUG)
    assert told.line.action == "shoot"
    assert told.earlier is not None
    assert {one.change.part for one in told.differences or ()} == parts
    (title,) = {one.change.title for one in told.differences or ()}
    assert told.line.reason == f"changed since take 2 of {told.earlier.updated_at:%Y-%m-%d}: {title}"


def test_a_take_from_before_identities_were_kept_says_so(spec: Path) -> None:
    archive_everything(spec, recorded=False)
    edited("at dusk.", "at dawn.")(spec)
    told = explain(draw_up(spec, sandbox=True), SLUG)
    assert told.earlier is not None
    assert told.differences is None
    assert told.as_json()["since"]["recorded"] is False
    assert told.line.reason.startswith("changed since take 2 of ")


def test_what_is_archived_and_unchanged_has_no_difference_to_tell(spec: Path) -> None:
    archive_everything(spec)
    told = explain(draw_up(spec, sandbox=True), SLUG)
    assert (told.line.action, told.earlier) == ("skip", None)
    assert told.as_json()["since"] is None


def test_every_part_is_told_with_the_line_that_it_comes_from(spec: Path) -> None:
    told = explain(draw_up(spec, sandbox=True), SLUG)
    lines = spec.read_text().splitlines()
    places = {part.part: [one.place for one in part.origins] for part in told.parts}
    for part, text in {
        "clip": "media/cup.mp4",
        "references": "starry-night.jpg",
        "prompt": "dusk:",
        "model": "model:",
    }.items():
        number = next(number for number, line in enumerate(lines, 1) if text in line)
        assert places[part] == [f"{spec}:{number}"]
