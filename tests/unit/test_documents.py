"""The documents of an archive: their published schemas are those of the models, later versions are refused, older ones read."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from callsheet import sidecar
from callsheet.document_schema import MODELS, SCHEMAS, of_document
from callsheet.sidecar import Manifest, Sidecar, StrayRecord

ROOT = Path(__file__).parents[2]
#: As Callsheet 0.1 wrote them, before a film had a mark.
OLD = Path(__file__).parent / "documents"


def old(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((OLD / f"{name}.json").read_bytes())
    return document


def kind_of(name: str) -> Any:
    return MODELS[name][0]


@pytest.mark.parametrize("name", MODELS)
def test_the_schema_in_the_tree_is_that_of_the_model(name: str) -> None:
    written = json.loads((ROOT / f"docs/schemas/{name}.schema.json").read_text())
    assert written == of_document(name), "make schema"
    Draft202012Validator.check_schema(written)
    assert written["$id"] == f"urn:callsheet:{name}:1"


def test_a_campaign_has_its_schema_beside_the_others() -> None:
    assert list(SCHEMAS) == ["campaign", *MODELS]
    assert SCHEMAS["campaign"]() == json.loads((ROOT / "specs/campaign.schema.json").read_text())


@pytest.mark.parametrize("name", ["sidecar", "stray", "manifest"])
def test_a_document_from_before_there_were_marks_still_reads_and_fits_its_schema(name: str) -> None:
    document = old(name)
    Draft202012Validator(of_document(name)).validate(document)
    found = sidecar.read(kind_of(name), json.dumps(document).encode())
    if not isinstance(found, Manifest):
        assert found.marking is None
        assert found.result.received_sha256 is None


@pytest.mark.parametrize("name", ["sidecar", "stray", "manifest"])
def test_a_field_that_is_not_known_is_read_over(name: str) -> None:
    document = old(name) | {"colour_grade": "teal"}
    Draft202012Validator(of_document(name)).validate(document)
    assert sidecar.read(kind_of(name), json.dumps(document).encode()).callsheet


@pytest.mark.parametrize("name", ["sidecar", "stray", "manifest"])
def test_a_document_of_a_later_version_is_refused_in_words(name: str) -> None:
    document = old(name) | {"schema_version": 2}
    with pytest.raises(ValueError, match=r"of version 2, and this Callsheet reads versions up to 1; a newer Callsheet"):
        sidecar.read(kind_of(name), json.dumps(document).encode())
    assert not Draft202012Validator(of_document(name)).is_valid(document)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Invalid JSON: EOF"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON: recursion limit"),
        (b"{}", "schema_version: Field required"),
        (b'{"schema_version": 1}', "callsheet: Field required"),
        (b'{"schema_version": "' + b"9" * 50 + b'"}', "schema_version"),
    ],
)
def test_what_is_no_document_is_said_to_be_none(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        sidecar.read(Sidecar, data)
    assert len(str(caught.value)) < 400


def test_what_is_wrong_is_said_without_what_stands_there() -> None:
    document = old("sidecar")
    document["job"]["submitted_at"] = "sk-evo-secret"
    with pytest.raises(ValueError, match=r"job\.submitted_at") as caught:
        sidecar.read(Sidecar, json.dumps(document).encode())
    assert "secret" not in str(caught.value)


def test_a_sidecar_is_no_manifest_and_a_manifest_no_sidecar() -> None:
    with pytest.raises(ValueError, match="it is no manifest"):
        sidecar.read(Manifest, json.dumps(old("sidecar")).encode())
    with pytest.raises(ValueError, match="it is no sidecar"):
        sidecar.read(Sidecar, json.dumps(old("manifest")).encode())
    with pytest.raises(ValueError, match="it is no record of a stray"):
        sidecar.read(StrayRecord, json.dumps(old("manifest")).encode())
