"""The JSON Schemas (2020-12) of the documents that Callsheet writes, made from their models: docs/schemas/ is this output.

They accept what Callsheet reads: documents of the same version that lack a field which came later, too.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel

from callsheet import sidecar, verdicts
from callsheet.campaign_schema import json_schema as of_campaign

#: Each document by the word for it, with the version of its form.
MODELS: Mapping[str, tuple[type[BaseModel], int]] = {
    "sidecar": (sidecar.Sidecar, sidecar.SCHEMA_VERSION),
    "stray": (sidecar.StrayRecord, sidecar.SCHEMA_VERSION),
    "manifest": (sidecar.Manifest, sidecar.SCHEMA_VERSION),
    "verdicts": (verdicts.Verdicts, verdicts.SCHEMA_VERSION),
}


def of_document(name: str) -> dict[str, Any]:
    """The schema of one of MODELS. Its `$id` has the version in it."""
    model, version = MODELS[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:callsheet:{name}:{version}",
        **model.model_json_schema(),
        "title": f"Callsheet {name}",
    }


#: What each is called that `callsheet schema` prints, and how it is made.
SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "campaign": of_campaign,
    **{name: partial(of_document, name) for name in MODELS},
}
