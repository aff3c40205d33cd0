"""`callsheet verify` and `callsheet schema --of`, as a person types them."""

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from .conftest import SPEC, Ended, Studio

FILM = "tiny/beach--none--dusk--16x9--t1.mp4"


@pytest.fixture
def archive(rendered: tuple[Studio, Ended], tmp_path: Path) -> Path:
    """A copy of what was archived."""
    shutil.copytree(rendered[0].root / "archive", tmp_path / "archive")
    return tmp_path / "archive"


def test_an_archive_is_read_and_found_whole(rendered: tuple[Studio, Ended]) -> None:
    studio, _ = rendered
    for target in ([SPEC], []):
        ended = studio.call("verify", *target)
        assert (ended.code, ended.err) == (0, "")
        assert "result     every byte is as it was archived" in ended.out
    told = json.loads(studio.call("verify", SPEC, "--json").out)
    assert (told["ok"], told["films"], told["takes"], told["findings"], told["rebuilt"]) == (True, 1, 1, [], [])


def test_what_is_wrong_is_said_with_exit_code_7(rendered: tuple[Studio, Ended], archive: Path) -> None:
    studio, _ = rendered
    (archive / FILM).unlink()
    ended = studio.call("verify", str(archive))
    assert ended.code == 7
    assert f"wrong      {FILM}: the film is gone." in ended.out
    (archive / "tiny/manifest.json").unlink()
    told = json.loads(studio.call("verify", str(archive), "--rebuild", "--json").out)
    assert [one["kind"] for one in told["findings"]] == ["missing"]
    assert told["rebuilt"][0]["entries"] == 1


def test_a_place_that_is_none_is_refused(studio: Studio) -> None:
    for target, words in (
        ("nowhere", "nowhere: error: there is no such folder or campaign."),
        ("s3://", "s3://: error: s3:// names no bucket."),
        (SPEC, f"{SPEC}: error: Nothing of this campaign is in the archive yet."),
        ("media/page.jpg", "media/page.jpg"),
    ):
        ended = studio.call("verify", target)
        assert ended.code == 2, target
        assert words in ended.err
    ended = studio.call("verify")
    assert (ended.code, "there is no archive here" in ended.err) == (2, True)
    ended = studio.call("verify", "media", "--rebuild")
    assert (ended.code, "there is no sidecar" in ended.err) == (2, True)


def test_every_document_has_a_schema(studio: Studio, archive: Path) -> None:
    for name, file in (("sidecar", FILM.replace(".mp4", ".json")), ("manifest", "tiny/manifest.json")):
        schema = json.loads(studio.call("schema", "--of", name).out)
        Draft202012Validator(schema).validate(json.loads((archive / file).read_bytes()))
    ended = studio.call("schema", "--of", "sidecars")
    assert (ended.code, "did you mean `sidecar`?" in ended.err) == (2, True)
