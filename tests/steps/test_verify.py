"""An archive that somebody tampered with, read to the last byte; and its manifest, written again from the sidecars."""

import asyncio
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from callsheet.document_schema import of_document
from callsheet.errors import ArchiveError, SpecError
from callsheet.inspection import Finding
from callsheet.sidecar import Manifest, read
from callsheet.steps import rebuild, verify, wrap
from callsheet.steps.load import load
from callsheet.steps.verify import Verified
from tests.buckets import BucketServer

from .conftest import _use
from .local_provider import LocalProvider, serving
from .shoot import CAMPAIGN, run, takes

GOOD, ODD = (f"cup--none--{name}--16x9--t1" for name in ("good", "odd"))


@pytest.fixture(scope="module")
def shot(warm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studio whose campaign is archived: two films, a third that failed to be made, and no stray."""
    folder = tmp_path_factory.mktemp("verified") / "studio"
    shutil.copytree(warm, folder, symlinks=True)
    spec = folder / "specs/tiny.yaml"
    with serving() as provider, pytest.MonkeyPatch.context() as patch:
        _use(provider, patch)
        asyncio.run(run(spec))
        spec.write_text(CAMPAIGN.replace("  odd:", "  wet: A wet one.\n  odd:"))
        provider.results[:] = [410] * 9
        asyncio.run(run(spec))
    return folder


@pytest.fixture
def studio(shot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CALLSHEET_HOME", raising=False)
    shutil.copytree(shot, tmp_path / "studio", symlinks=True)
    return tmp_path / "studio"


def look(target: Path) -> Verified:
    return verify.verify(verify.place_of(str(target)))


def wrong(found: Verified) -> list[tuple[str, str]]:
    return [(one.kind, one.key) for one in found.findings if one.severity == "no"]


def document(studio: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((studio / f"archive/tiny/{name}.json").read_bytes())
    return found


def rewritten(studio: Path, name: str, **told: Any) -> None:
    (studio / f"archive/tiny/{name}.json").write_text(json.dumps(document(studio, name) | told, indent=2))


# --- what a run writes --------------------------------------------------------------------------------------------------


def test_an_archive_that_nobody_touched_is_whole_and_its_documents_fit_their_schemas(studio: Path) -> None:
    heard: list[tuple[int, int]] = []
    found = verify.verify(verify.place_of(str(studio / "archive")), lambda done, all_: heard.append((done, all_)))
    assert (found.findings, found.films, found.documents, found.takes) == ([], 2, 3, 3)
    sizes = [path.stat().st_size for path in (studio / "archive/tiny").glob("*.mp4")]
    assert found.bytes == sum(sizes)
    assert heard[-1] == (found.bytes, found.bytes)
    for name, kind in ((GOOD, "sidecar"), (ODD, "sidecar"), ("manifest", "manifest")):
        Draft202012Validator(of_document(kind)).validate(document(studio, name))
    assert look(studio / "specs/tiny.yaml").is_whole


def test_a_sidecar_tells_of_both_the_film_as_received_and_as_archived(studio: Path) -> None:
    told, film = document(studio, GOOD), (studio / f"archive/tiny/{GOOD}.mp4").read_bytes()
    result, mark = told["result"], told["marking"]
    assert result["sha256"] == hashlib.sha256(film).hexdigest() == takes(studio / "specs/tiny.yaml")[0].sha256
    received = film[: mark["offset"]] + film[mark["offset"] + mark["bytes"] :]
    assert result["received_sha256"] == hashlib.sha256(received).hexdigest()
    assert (result["bytes"], result["received_bytes"]) == (len(film), len(received))
    assert (mark["state"], mark["received_says"]) == ("added", None)
    assert mark["digital_source_type"].encode() in film
    assert told["take_id"] == 1
    assert told["versions"]["ffmpeg"]
    assert (told["clip"]["start"], told["clip"]["framing"]) == ("0", "native")


# --- what can happen to it ----------------------------------------------------------------------------------------------


def lose(path: Path) -> None:
    path.unlink()


def change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def deep(path: Path) -> None:
    path.write_bytes(b"[" * 50_000)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5_000_000)


def lead_away(path: Path) -> None:
    other = path.parents[2] / "elsewhere.mp4"
    path.rename(other)
    path.symlink_to(other)


FILM, DOCUMENT = f"tiny/{GOOD}.mp4", f"tiny/{GOOD}.json"


@pytest.mark.parametrize(
    ("harm", "file", "kinds", "words"),
    [
        (lose, FILM, {("missing", FILM), ("entry", "tiny/manifest.json")}, "the film is gone. A free draft"),
        (change, FILM, {("changed", FILM)}, "the film has other bytes: sha256"),
        (cut, FILM, {("truncated", FILM)}, "cut short"),
        (grow, FILM, {("changed", FILM)}, "and its sidecar says"),
        (lose, DOCUMENT, {("orphan", FILM), ("entry", "tiny/manifest.json")}, "a film without a sidecar"),
        (deep, DOCUMENT, {("unreadable", DOCUMENT)}, "recursion limit"),
        (huge, DOCUMENT, {("unreadable", DOCUMENT)}, "5,000,000 bytes are too many"),
        (deep, "tiny/manifest.json", {("unreadable", "tiny/manifest.json")}, "recursion limit"),
        (
            lead_away,
            FILM,
            {("link", FILM), ("missing", FILM), ("entry", "tiny/manifest.json")},
            "a symbolic link, which is not followed",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_wrong_is_named(
    studio: Path, harm: Callable[[Path], None], file: str, kinds: set[tuple[str, str]], words: str
) -> None:
    harm(studio / "archive" / file)
    for target in (studio / "archive", studio / "specs/tiny.yaml"):
        found = look(target)
        assert set(wrong(found)) == kinds
        assert any(words in one.what for one in found.findings)


def test_the_loss_of_what_was_paid_for_is_said_in_money(studio: Path) -> None:
    rewritten(studio, GOOD, draft=False)
    lose(studio / "archive" / FILM)
    (said,) = [one for one in look(studio / "archive").findings if one.kind == "missing"]
    assert "It was paid for (36 credits, job task-unified-0000000" in said.what
    assert "to render it again costs again" in said.what
    assert said.hint == "Restore it from a backup; nothing else has it."


@pytest.mark.parametrize("named", ["../../../etc/passwd", "/etc/passwd", f"{ODD}.mp4", "..", ""])
def test_a_sidecar_that_names_another_file_has_none_read(studio: Path, named: str) -> None:
    result = document(studio, GOOD)["result"] | {"file": named}
    rewritten(studio, GOOD, result=result)
    (said,) = [one for one in look(studio / "archive").findings if one.kind == "hostile"]
    assert said.key == DOCUMENT


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", "a/../../b.mp4", "../../x", "..", "a\x00b"])
def test_a_manifest_that_leads_out_of_the_archive_is_not_followed(studio: Path, path: str) -> None:
    entries = document(studio, "manifest")["entries"]
    entries[0]["poster"] = path
    rewritten(studio, "manifest", entries=entries)
    assert ("hostile", "tiny/manifest.json") in wrong(look(studio / "archive"))


def test_a_manifest_that_says_something_else_than_a_sidecar_is_told(studio: Path) -> None:
    entries = document(studio, "manifest")["entries"]
    entries[0] |= {"seconds": "4", "prompt": "Another one."}
    rewritten(studio, "manifest", entries=entries)
    (said,) = look(studio / "archive").findings
    assert said.what == "cup--none--good--16x9: prompt, seconds are not what its sidecar says"
    entries = [entry | {"sha256": "0" * 64} for entry in entries if entry["deliverable"]][1:]
    rewritten(studio, "manifest", entries=entries)  # whose approval would be taken for that of this film
    (said,) = look(studio / "archive").findings
    assert said.what == "cup--none--odd--16x9: sha256 is not what its sidecar says"
    rewritten(studio, "manifest", entries=[entry | {"sha256": None} for entry in entries])
    assert look(studio / "archive").findings == []


def test_a_received_digest_that_is_not_that_of_the_film_without_its_mark_is_told(studio: Path) -> None:
    rewritten(studio, GOOD, result=document(studio, GOOD)["result"] | {"received_sha256": "0" * 64})
    assert wrong(look(studio / "archive")) == [("received", FILM)]


def test_the_ledger_is_heard_too(studio: Path) -> None:
    film = studio / "archive" / FILM
    change(film)
    digest = hashlib.sha256(film.read_bytes()).hexdigest()
    rewritten(studio, GOOD, result=document(studio, GOOD)["result"] | {"sha256": digest}, marking=None)
    assert wrong(look(studio / "archive")) == [("ledger", DOCUMENT), ("disagrees", "tiny/manifest.json")]
    for path in (film, film.with_suffix(".json")):
        path.unlink()
    gone = [one for one in look(studio / "specs/tiny.yaml").findings if one.kind == "ledger"]
    assert [(one.key, one.severity) for one in gone] == [(FILM, "note")]  # a draft may be thrown away
    assert "the ledger has it as archived (take 1, 36 credits ($0.53)" in gone[0].what


def test_a_film_that_may_not_be_read_is_named_and_the_others_are_read(
    studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def refuse(path: Path, *args: Any, **named: Any) -> Any:
        if path.name == f"{GOOD}.mp4":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, *args, **named)

    monkeypatch.setattr(Path, "open", refuse)
    found = look(studio / "archive")
    assert wrong(found) == [("unreadable", FILM)]
    assert "the film cannot be read: Input/output error. A free draft" in found.findings[0].what


@pytest.mark.parametrize("amount", ["lots", "1e999999999", "-36", "NaN"])
def test_money_that_is_no_amount_is_told_and_makes_no_manifest(studio: Path, amount: str) -> None:
    rewritten(studio, GOOD, money={"planned": amount, "charged": None, "usd": "0"})
    assert ("unreadable", DOCUMENT) in wrong(look(studio / "archive"))
    rebuilt(studio / "archive")
    assert look(studio / "archive").findings[0].kind == "unreadable"


def test_what_is_half_written_and_what_is_not_ours_is_no_error(studio: Path) -> None:
    archive = studio / "archive"
    (archive / f"tiny/.callsheet-1-{'0' * 16}.part").write_bytes(b"half")
    (archive / "tiny/.DS_Store").write_bytes(b"\0")
    (archive / "notes.txt").write_text("Remember.")
    found = look(archive)
    assert found.is_whole
    assert [one.kind for one in found.findings] == ["leftover"]


def test_films_that_a_campaign_shares_with_another_are_read_with_it(
    studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was bought for one campaign is not bought for the next: its films lie in the other's folder, under other names."""
    spec = studio / "specs/also.yaml"
    told = CAMPAIGN.replace("campaign: tiny", "campaign: also").replace("  good:", "  fine:")
    spec.write_text(told)
    with serving() as provider:
        _use(provider, monkeypatch)
        asyncio.run(run(spec))
        assert provider.submits == []
    monkeypatch.delenv("CALLSHEET_HOME", raising=False)
    film = f"tiny/{GOOD}.mp4"
    manifest = read(Manifest, (studio / "archive/also/manifest.json").read_bytes())
    assert f"../{film}" in {entry.deliverable for entry in manifest.entries}
    assert wrong(look(studio / "archive")) == []
    found = look(spec)
    assert (wrong(found), found.films, found.shared) == ([], 2, 2)
    assert found.bytes == look(studio / "specs/tiny.yaml").bytes
    before = plain(studio / "archive/also/manifest.json")
    assert [one.entries for one in rebuilt(studio / "archive")] == [3]  # it has no film of its own
    assert plain(studio / "archive/also/manifest.json") == before
    change(studio / "archive" / film)
    assert wrong(look(spec)) == [("changed", film)]
    (studio / "archive" / film).unlink()
    assert ("missing", film) in wrong(look(spec))


def test_a_manifest_written_again_keeps_what_another_campaign_had_bought(
    studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = studio / "specs/also.yaml"
    spec.write_text(CAMPAIGN.replace("campaign: tiny", "campaign: also").replace("odd: An odd one.", "new: A new one."))
    with serving() as provider:
        _use(provider, monkeypatch)
        provider.jobs |= {f"before-{n}": {"clip": "", "prompt": "", "end": "ok"} for n in range(9)}  # its ids go on
        asyncio.run(run(spec))
        assert len(provider.submits) == 1
    before = plain(studio / "archive/also/manifest.json")
    (one,) = rebuilt(spec)
    assert (one.entries, one.kept) == (2, 1)
    assert plain(studio / "archive/also/manifest.json") == before
    (studio / f"archive/tiny/{GOOD}.mp4").unlink()
    rebuilt(spec)
    entries = read(Manifest, (studio / "archive/also/manifest.json").read_bytes()).entries
    assert [entry.deliverable is None for entry in entries] == [True, False]


def test_one_campaign_is_not_blamed_for_another(studio: Path) -> None:
    (studio / "archive/other").mkdir()
    (studio / "archive/other/a.mp4").write_bytes(b"a film")
    assert wrong(look(studio / "archive")) == [("orphan", "other/a.mp4")]
    assert look(studio / "specs/tiny.yaml").is_whole


def test_the_folder_of_one_campaign_is_no_archive(studio: Path) -> None:
    with pytest.raises(SpecError, match="one campaign's folder") as raised:
        verify.place_of(str(studio / "archive/tiny"))
    assert str(studio / "archive") in raised.value.hint
    with pytest.raises(SpecError, match="a document of an archive, and not the archive"):
        verify.place_of(str(studio / "archive/tiny/manifest.json"))


@pytest.mark.parametrize("target", ["nowhere", "s3://", "s3://UPPER", "prefect.yaml"])
def test_a_place_that_is_no_archive_is_refused(studio: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(studio)
    with pytest.raises(SpecError):
        verify.place_of(target)


# --- the manifest again -------------------------------------------------------------------------------------------------


def rebuilt(target: Path) -> list[rebuild.Rebuilt]:
    return rebuild.rebuild(verify.place_of(str(target)))


def plain(path: Path) -> str:
    """A manifest without the moment it was written at."""
    text = path.read_text()
    return text.replace(json.loads(text)["written_at"], "")


@pytest.mark.parametrize("target", ["archive", "specs/tiny.yaml"])
def test_a_manifest_written_again_is_the_one_that_the_run_wrote(studio: Path, target: str) -> None:
    file = studio / "archive/tiny/manifest.json"
    before = plain(file)
    (one,) = rebuilt(studio / target)
    assert plain(file) == before
    assert (one.entries, one.kept, one.left) == (3, 1, 0)


def test_of_a_manifest_that_is_gone_or_broken_what_has_a_film_is_written_again(studio: Path) -> None:
    file = studio / "archive/tiny/manifest.json"
    whole = read(Manifest, file.read_bytes())
    for harm in (lose, deep):
        harm(file)
        rebuilt(studio / "specs/tiny.yaml")
        again = read(Manifest, file.read_bytes())
        archived = [entry for entry in whole.entries if entry.state == "archived"]
        assert again.entries == archived
        assert (again.credits, again.draft, again.route) == (whole.credits, whole.draft, whole.route)
        assert look(studio / "archive").is_whole
    deep(file)
    with pytest.raises(ArchiveError, match=r"callsheet verify .*specs/tiny\.yaml --rebuild"):
        wrap.laid_out(load(studio / "specs/tiny.yaml"))


def test_what_was_archived_after_the_old_manifest_takes_its_place(studio: Path) -> None:
    """As after a run with another prompt that was killed before its end; and the other way round."""
    told = document(studio, GOOD)
    before = document(studio, "manifest")["written_at"]
    for name, moment, key in (
        ("later", "2999-01-01T00:00:00Z", "b" * 64),
        ("earlier", "2001-01-01T00:00:00Z", "c" * 64),
    ):
        result = told["result"] | {"file": f"{name}.mp4"}
        changed = told | {"key": key, "archived_at": moment, "result": result, "take_id": None, "prompt": name}
        (studio / f"archive/tiny/{name}.json").write_text(json.dumps(changed))
        shutil.copy(studio / f"archive/tiny/{GOOD}.mp4", studio / f"archive/tiny/{name}.mp4")
        rebuilt(studio / "archive")
        entries = document(studio, "manifest")["entries"]
        assert len(entries) == 3
        rewritten(studio, "manifest", written_at=before)
    (studio / "archive/tiny/later.json").unlink()
    (studio / "archive/tiny/later.mp4").unlink()
    rebuilt(studio / "archive")
    assert {entry["key"] for entry in document(studio, "manifest")["entries"]} >= {told["key"]}


def test_a_variant_whose_film_is_gone_is_in_the_manifest_without_one(studio: Path) -> None:
    lose(studio / "archive" / FILM)
    rebuilt(studio / "archive")
    entries = {entry["slug"]: entry for entry in document(studio, "manifest")["entries"]}
    entry = entries["cup--none--good--16x9"]
    assert (entry["state"], entry["deliverable"], entry["credits"]) == ("archived", None, "36")


def test_a_manifest_of_a_later_version_is_not_written_over(studio: Path) -> None:
    rewritten(studio, "manifest", schema_version=2)
    with pytest.raises(SpecError, match="a newer Callsheet reads it"):
        rebuilt(studio / "archive")


def test_where_there_is_no_sidecar_there_is_nothing_to_make_a_manifest_of(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no sidecar"):
        rebuilt(tmp_path)


# --- a bucket -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_bucket(studio: Path, bucket: BucketServer) -> Iterator[BucketServer]:
    """The same archive, copied to a bucket, as anybody's tool would."""
    client = bucket.client()
    for path in (studio / "archive").rglob("*"):
        if path.is_file():
            key = f"finals/{path.relative_to(studio / 'archive').as_posix()}"
            client.put_object(Bucket="studio", Key=key, Body=path.read_bytes())
    yield bucket
    client.close()


def test_an_archive_in_a_bucket_is_read_there(
    studio: Path, in_bucket: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(studio)
    place = verify.place_of("s3://studio/finals")
    assert verify.verify(place).findings == []
    client = in_bucket.client()
    film = bytearray((studio / "archive" / FILM).read_bytes())
    film[-1] ^= 1
    client.put_object(Bucket="studio", Key=f"finals/{FILM}", Body=bytes(film))
    client.delete_object(Bucket="studio", Key="finals/tiny/manifest.json")
    client.close()
    found: list[Finding] = verify.verify(place).findings
    assert [(one.kind, one.key) for one in found] == [("changed", FILM)]
    rebuild.rebuild(place)
    assert [one.kind for one in verify.verify(place).findings] == ["changed"]


async def test_without_a_mark_a_film_is_the_very_bytes_that_came(spec: Path, provider: LocalProvider) -> None:
    spec.write_text(f"{CAMPAIGN}archive: {{mark: false}}\n")
    await run(spec, only=["*good*"])
    root = spec.parent.parent
    told = document(root, GOOD)
    assert told["marking"]["state"] == "off"
    assert told["result"]["sha256"] == told["result"]["received_sha256"]
    assert b"DigitalSourceType" not in (root / "archive" / FILM).read_bytes()
    assert look(root / "archive").is_whole
