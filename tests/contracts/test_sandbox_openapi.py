"""The sandbox does what its own OpenAPI document says, whatever is sent to it: schemathesis makes the requests."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from callsheet.catalogue import models
from callsheet.sandbox import openapi
from callsheet.sandbox.policy import Policy
from callsheet.sandbox.server import serving
from tests.contracts.test_sandbox_models import BODIES

pytestmark = pytest.mark.slow

DOCUMENT = openapi.document("http://127.0.0.1")
api = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a sandbox in a thread, since schemathesis asks synchronously."""
    up: Future[str] = Future()
    stop = threading.Event()

    async def serve() -> None:
        async with serving(home=tmp_path_factory.mktemp("api"), policy=Policy(engine="copy")) as url:
            up.set_result(url)
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    yield up.result(timeout=20)
    stop.set()
    thread.join(timeout=20)


@api.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_says(case: Any, server: str) -> None:
    response = case.call(base_url=server, headers={"Authorization": "Bearer sk-any"})
    case.validate_response(response, checks=CHECKS)


def test_the_document_is_served_without_a_key_and_names_every_route(server: str) -> None:
    served = httpx.get(f"{server}/openapi.json", trust_env=False).json()
    assert served["servers"] == [{"url": server}]
    assert served["paths"].keys() == DOCUMENT["paths"].keys()


@pytest.mark.parametrize("name", sorted(models()))
def test_the_document_takes_a_good_body_of_each_model_and_refuses_an_empty_one(name: str) -> None:
    schema = {**DOCUMENT["components"]["schemas"][name], "$defs": {}}
    validator = jsonschema.Draft202012Validator(schema)
    body = {"model": name, **BODIES[name][0]}
    assert list(validator.iter_errors(body)) == []
    assert list(validator.iter_errors({}))
    assert list(validator.iter_errors({**body, "model": "another"}))
