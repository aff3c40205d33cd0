"""What the checks find of a result on its way home, where it is told, and that no check ever loses a paid film."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from starlette.requests import Request
from starlette.responses import Response

from callsheet.errors import ArchiveError, CannotWrite, NothingToShoot
from callsheet.media import frames, look
from callsheet.steps import bulletin, look_up, outcome, pictures
from callsheet.steps import settings as environment

from .local_provider import LocalProvider
from .shoot import CAMPAIGN, run, takes

LABEL = "cup--none--odd--16x9"
ONE = CAMPAIGN.replace("  good: A good one.\n", "")


@pytest.fixture
def one(spec: Path) -> Path:
    """The campaign with one variant. The provider gives back the clip as its result."""
    spec.write_text(ONE)
    return spec


@pytest.fixture(scope="session")
def edited(warm: Path) -> bytes:
    """A good result of the clip: brighter, warmer, in the shape that was asked for, its sound kept."""
    clip = next((warm / ".callsheet/cache/clips").glob("*.mp4"))
    target = warm.parent / "edited.mp4"
    words = [
        "-loglevel",
        "error",
        "-y",
        "-i",
        clip,
        "-vf",
        "crop=960:540,eq=brightness=.1,colorbalance=rm=.2",
        "-preset",
        "ultrafast",
    ]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *map(str, words), str(target)], check=True)
    return target.read_bytes()


def archived(spec: Path, kind: str) -> dict[str, Any]:
    name = "manifest.json" if kind == "manifest" else f"{LABEL}--t1.json"
    found: dict[str, Any] = json.loads((spec.parent.parent / "archive/tiny" / name).read_text())
    return found


async def test_a_flag_is_in_sidecar_manifest_account_table_log_and_status_and_the_film_is_archived(
    one: Path, provider: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    account, ended = await run(one)
    assert (account.message, ended[LABEL]) == ("1 of 1 archived", None)
    quality = archived(one, "sidecar")["quality"]
    flags = [finding for finding in quality["findings"] if finding["verdict"] == "flag"]
    found = [(flag["check"], flag["measured"]) for flag in flags]
    assert found == [("aspect-ratio", "960x720"), ("unchanged", "0.0 of 255")]
    assert archived(one, "manifest")["entries"][0]["quality"] == quality
    document = account.as_json()
    assert (document["flagged"], document["takes"][0]["quality"]) == (1, quality)
    assert account.flags == "1 of 1 flagged: 1 aspect-ratio, 1 unchanged"
    assert outcome.rows(account)[0]["quality"] == "flag: aspect-ratio 960x720; unchanged 0.0 of 255"
    assert "1 flagged by the quality checks" in bulletin.failures_page(account, "specs/tiny.yaml")
    assert f"{LABEL}: flagged: aspect-ratio 960x720; unchanged" in caplog.text

    labels = look_up.flagged(one, sandbox=False)
    assert labels == (LABEL,)
    again, _ = await run(one, again=labels)
    assert (again.message, len(takes(one)), len(provider.jobs)) == ("1 of 1 archived", 2, 2)
    names = {path.name for path in (one.parent.parent / "archive/tiny").glob("*.mp4")}
    assert names == {f"{LABEL}--t1.mp4", f"{LABEL}--t1--r2.mp4"}


async def test_a_good_result_passes_and_nothing_is_to_be_rendered_again(
    one: Path, provider: LocalProvider, edited: bytes
) -> None:
    def film(_request: Request, _whole: bytes) -> Response:
        return Response(edited, media_type="video/mp4")

    provider.films[:] = [film]
    account, _ = await run(one)
    assert archived(one, "sidecar")["quality"]["verdict"] == "pass"
    assert (account.flags, account.as_json()["flagged"]) == ("", 0)
    with pytest.raises(NothingToShoot, match="flag no film"):
        look_up.flagged(one, sandbox=False)


@pytest.mark.parametrize("broken", [CannotWrite("no room is left."), OSError("no folder"), ValueError("odd")], ids=repr)
async def test_a_check_that_cannot_run_loses_no_film(
    one: Path,
    provider: LocalProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: Exception,
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise broken

    monkeypatch.setattr(look, "of_film", fail)
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    assert archived(one, "sidecar")["quality"] is None
    assert "is not checked" in caplog.text


async def test_a_defect_of_a_check_loses_no_film(
    one: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from callsheet.media import quality

    monkeypatch.setattr(quality, "measure", lambda *_: 1 / 0)
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    assert archived(one, "sidecar")["quality"] is None
    assert "ZeroDivisionError" in caplog.text


async def test_verdicts_of_a_campaign_whose_files_are_gone_say_nothing(one: Path, provider: LocalProvider) -> None:
    await run(one)
    settings = environment.read(one.parent.parent)
    from callsheet.steps import draw_up

    ledger = draw_up.open_ledger(settings)
    assert list(look_up.look_up(settings, ledger, takes(one), spec=None)) == [takes(one)[0].id]
    shutil.rmtree(one.parent.parent / "archive")
    assert look_up.look_up(settings, ledger, takes(one), spec=None) == {}
    one.unlink()
    assert look_up.look_up(settings, ledger, takes(one), spec=None) == {}
    ledger.close()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of films whose poster was made by an ffmpeg of its own."""
    names: list[str] = []
    poster = frames.poster

    async def alone(video: Path, target: Path, *, seconds: Any) -> None:
        names.append(video.name)
        await poster(video, target, seconds=seconds)

    monkeypatch.setattr(frames, "poster", alone)
    return names


async def test_the_poster_of_a_result_comes_from_the_decode_that_it_goes_through(
    one: Path, provider: LocalProvider, drawn: list[str]
) -> None:
    await run(one)
    entry = archived(one, "manifest")["entries"][0]
    assert (one.parent.parent / "archive/tiny" / entry["poster"]).read_bytes().startswith(b"\xff\xd8")
    assert entry["poster"] != entry["source_poster"]
    assert f"{LABEL}--t1.mp4" not in drawn


async def test_a_poster_that_could_not_be_put_is_made_in_the_end_and_loses_nothing(
    one: Path, provider: LocalProvider, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = pictures.put
    refused: list[str] = []

    async def full(at: Any, key: str, file: Path, digest: str) -> None:
        if not refused:
            refused.append(key)
            raise ArchiveError("The disk is full.")
        await put(at, key, file, digest)

    monkeypatch.setattr(pictures, "put", full)
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    entry = archived(one, "manifest")["entries"][0]
    assert refused == [f"tiny/{entry['poster']}"]
    assert f"{LABEL}--t1.mp4" in drawn
