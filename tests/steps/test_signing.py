"""Films signed with C2PA: checked before they are paid for, the same bytes after a crash, and read by C2PA's own reader."""

import json
import shutil
from pathlib import Path
from typing import Any

import c2pa
import pytest
from starlette.responses import Response

from callsheet import marking
from callsheet.archive.disk import DiskStore
from callsheet.errors import CannotSign, LedgerUnreachable, StoreUnreachable
from callsheet.ledger.book import Ledger
from callsheet.signing import signer as signing
from callsheet.signing.signer import Claim, Signer
from callsheet.steps import verify
from callsheet.steps.examine import examine
from callsheet.take import State

from . import chains
from .local_provider import LocalProvider
from .shoot import CAMPAIGN, run, takes

ONE = CAMPAIGN.replace("  good: A good one.\n", "")
NAME = "cup--none--odd--16x9--t1"
CLAIM = Claim(
    title="a.mp4",
    source_type=f"{marking.VOCABULARY}compositeWithTrainedAlgorithmicMedia",
    model="kling-o1-video-edit",
    job="task-1",
    version="0.1",
    clip=("cup", "ab" * 32),
)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return chains.write(tmp_path_factory.mktemp("chain"))


@pytest.fixture
def one(spec: Path, chain: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign of one variant, in a studio that signs."""
    spec.write_text(ONE)
    monkeypatch.setenv("CALLSHEET_C2PA_CERT", str(chain[0]))
    monkeypatch.setenv("CALLSHEET_C2PA_KEY", str(chain[1]))
    return spec


def read(film: Path) -> dict[str, Any]:
    """The active manifest, as C2PA's own reader tells it, once everything holds but that nobody knows the certificate."""
    with c2pa.Reader(film) as reader:
        told = json.loads(reader.json())
    assert [one["code"] for one in told["validation_status"]] == ["signingCredential.untrusted"]
    manifest: dict[str, Any] = told["manifests"][told["active_manifest"]]
    return manifest


def actions(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    (found,) = [one["data"]["actions"] for one in manifest["assertions"] if one["label"].startswith("c2pa.actions")]
    return list(found)


def test_an_edit_is_signed_as_one_of_its_clip(chain: tuple[Path, Path], warm: Path, tmp_path: Path) -> None:
    signed = tmp_path / "signed.mp4"
    said = Signer(*chain).sign(warm / "media/cup.mp4", signed, CLAIM)
    assert (said.algorithm, said.subject, said.issuer) == ("Es256", "Signer", "Studio")
    manifest = read(signed)
    opened, edited = actions(manifest)
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"] == CLAIM.source_type
    assert edited["softwareAgent"]["name"] == "kling-o1-video-edit"
    (clip,) = manifest["ingredients"]
    assert (clip["title"], clip["relationship"]) == ("cup", "parentOf")
    assert manifest["claim_generator_info"][0]["name"] == "Callsheet"


def test_what_has_no_clip_is_signed_as_created(chain: tuple[Path, Path], warm: Path, tmp_path: Path) -> None:
    made = Claim(
        title="a.mp4",
        source_type=f"{marking.VOCABULARY}trainedAlgorithmicMedia",
        model="kling-v3-text-to-video",
        job="task-1",
        version="0.1",
    )
    Signer(*chain).sign(warm / "media/cup.mp4", tmp_path / "signed.mp4", made)
    (created,) = actions(read(tmp_path / "signed.mp4"))
    assert (created["action"], created["digitalSourceType"]) == ("c2pa.created", made.source_type)


def test_a_signed_film_that_is_changed_does_not_hold(chain: tuple[Path, Path], warm: Path, tmp_path: Path) -> None:
    signed = tmp_path / "signed.mp4"
    Signer(*chain).sign(warm / "media/cup.mp4", signed, CLAIM)
    data = bytearray(signed.read_bytes())
    data[-2000] ^= 1
    signed.write_bytes(data)
    with pytest.raises(CannotSign, match="does not hold"):
        Signer(*chain).read(signed)


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("chain.pem", "gone.pem", "CALLSHEET_C2PA_KEY names a file that cannot be read: No such file"),
        ("chain.pem", "chain.pem", "CALLSHEET_C2PA_KEY names a file that is no private key in PEM"),
        ("key.pem", "key.pem", "CALLSHEET_C2PA_CERT names a file that is no certificate in PEM"),
        ("chain.pem", "locked.pem", "The key cannot be read: it is encrypted or damaged"),
        ("chain.pem", "other/key.pem", "C2PA refuses to sign|does not hold"),
        ("old/chain.pem", "old/key.pem", "C2PA refuses to sign|does not hold"),
    ],
)
def test_what_cannot_sign_says_why_and_never_what_is_in_the_key(
    tmp_path: Path, cert: str, key: str, words: str
) -> None:
    chains.write(tmp_path)
    chains.write(tmp_path / "other")
    chains.write(tmp_path / "old", days=-3)
    with pytest.raises(CannotSign, match=words) as caught:
        Signer(tmp_path / cert, tmp_path / key).check()
    for secret in tmp_path.rglob("*.pem"):
        lines = [line for line in secret.read_text().splitlines() if "-----" not in line]
        assert not [line for line in lines if line in str(caught.value)]


async def test_a_run_signs_what_it_archives_and_verify_finds_it_whole(one: Path, provider: LocalProvider) -> None:
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    archive = one.parent.parent / "archive"
    sidecar = json.loads((archive / f"tiny/{NAME}.json").read_bytes())
    signature = sidecar["marking"]["signature"]
    assert (signature["subject"], sidecar["marking"]["offset"]) == ("Signer", None)
    manifest = read(archive / f"tiny/{NAME}.mp4")
    assert manifest["label"] == signature["manifest"]
    assert manifest["title"] == f"{NAME}.mp4"
    assert marking.said_in((archive / f"tiny/{NAME}.mp4").read_bytes()) == "algorithmicallyEnhanced"
    assert verify.verify(verify.place_of(str(one))).findings == []
    home = one.parent.parent / ".callsheet"
    assert [*(home / "fetched").iterdir(), *(home / "incoming").iterdir()] == []


async def test_after_a_crash_behind_the_film_the_same_signed_film_is_recognised(
    one: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise StoreUnreachable("The disk went away.")

    with monkeypatch.context() as patch:
        patch.setattr(DiskStore, "put_text", die)
        await run(one)
    assert [take.state for take in takes(one)] == [State.SUCCEEDED]
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    films = [path.name for path in (one.parent.parent / "archive/tiny").glob("*.mp4")]
    assert films == [f"{NAME}.mp4"]
    assert takes(one)[0].archive == f"tiny/{NAME}.mp4"
    assert list((one.parent.parent / ".callsheet/fetched").iterdir()) == []


async def test_what_is_archived_and_described_stays_as_it_is_also_where_it_would_be_other_bytes_now(
    one: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise LedgerUnreachable("The ledger went away.")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "archived", die)
        await run(one)
    film = one.parent.parent / f"archive/tiny/{NAME}.mp4"
    before = film.read_bytes()
    one.write_text(f"{ONE}archive: {{mark: false}}\n")
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    assert film.read_bytes() == before
    assert [path.name for path in film.parent.glob("*.mp4")] == [film.name]
    assert verify.verify(verify.place_of(str(one))).findings == []


async def test_what_could_not_be_signed_is_not_paid_for(
    one: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, key = chains.write(tmp_path / "old", days=-3)
    monkeypatch.setenv("CALLSHEET_C2PA_CERT", str(old))
    monkeypatch.setenv("CALLSHEET_C2PA_KEY", str(key))
    with pytest.raises(CannotSign) as caught:
        await run(one)
    assert (caught.value.spent, caught.value.exit_code) == ("no", 7)
    with monkeypatch.context() as patch:
        patch.setattr(signing, "find_spec", lambda _name: None)
        with pytest.raises(
            CannotSign, match=r"c2pa-python, which signs with it, is not installed.*Nothing was spent"
        ) as caught:
            await run(one)
    assert "pip install 'callsheet[c2pa]'" in caught.value.hint
    assert (provider.submits, takes(one)) == ([], [])
    one.write_text(f"{ONE}archive: {{mark: false}}\n")
    account, _ = await run(one)  # nothing is to be signed
    assert account.message == "1 of 1 archived"


async def test_a_certificate_that_runs_out_on_the_way_loses_nothing(
    one: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chain: tuple[Path, Path]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for file in chain:
        shutil.copy(file, mine / file.name)
    monkeypatch.setenv("CALLSHEET_C2PA_CERT", str(mine / chain[0].name))
    monkeypatch.setenv("CALLSHEET_C2PA_KEY", str(mine / chain[1].name))
    provider.on_accept = (mine / chain[1].name).unlink
    _, ended = await run(one)
    (error,) = ended.values()
    assert isinstance(error, CannotSign)
    assert error.spent == "yes"
    assert [path.name for path in (one.parent.parent / ".callsheet/fetched").iterdir()] == [
        "loopback--task-unified-00000000.mp4"
    ]
    shutil.copy(chain[1], mine / chain[1].name)
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    assert len(provider.jobs) == 1


async def test_a_film_that_came_signed_is_archived_as_it_came(
    one: Path, provider: LocalProvider, chain: tuple[Path, Path], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.mp4"
    Signer(*chain).sign(one.parent.parent / "media/cup.mp4", theirs, CLAIM)
    provider.films[:] = [lambda *_: Response(theirs.read_bytes(), media_type="video/mp4")]
    account, _ = await run(one)
    assert account.message == "1 of 1 archived"
    film = one.parent.parent / f"archive/tiny/{NAME}.mp4"
    assert film.read_bytes() == theirs.read_bytes()
    told = json.loads(film.with_suffix(".json").read_bytes())
    assert (told["marking"]["state"], told["marking"]["signature"]) == ("kept", None)
    assert verify.verify(verify.place_of(str(one))).findings == []


async def test_doctor_tells_who_signs_or_why_nobody_can(
    one: Path, chain: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told() -> str:
        (found,) = [check async for check in examine(one.parent.parent) if check.name == "signing"]
        return f"{found.status} {found.line}"

    assert await told() == "ok films are signed with Es256 by Signer (C2PA)"
    monkeypatch.setenv("CALLSHEET_C2PA_KEY", str(chain[0]))
    assert (await told()).startswith("no ")
