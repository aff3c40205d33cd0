"""Every model of the catalogue at the one endpoint: what is taken, what it costs, and what the public catalogue says of it."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import tariff
from callsheet.catalogue import Options, models
from callsheet.sandbox import billing, order, pricing
from callsheet.sandbox.policy import Policy
from callsheet.sandbox.server import serving
from tests.contracts.test_sandbox import Encode, Sandbox, client_of, encode, error_of, picture

__all__ = ["encode"]

SHOTS = [{"prompt": "a street", "duration": 2}, {"prompt": "a door", "duration": 3}]
#: A body of each model; CLIP and IMAGE stand for an upload. And what it costs in credits, by the documents' own examples.
BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "kling-o1-video-edit": ({"prompt": "dusk", "video_urls": ["CLIP"], "image_urls": ["IMAGE"] * 4}, "42"),
    "kling-o1-video-edit-fast": ({"prompt": "dusk", "video_urls": ["CLIP6"]}, "40.8"),
    "kling-o1-image-to-video": ({"prompt": "dusk", "image_urls": ["IMAGE", "IMAGE"], "duration": 10}, "80"),
    "kling-o3-video-edit": ({"video_url": "CLIP", "quality": "1080p", "keep_original_sound": False}, "43.2216"),
    "kling-o3-reference-to-video": ({"prompt": "x", "image_urls": ["IMAGE"] * 4, "duration": 3}, "24.3"),
    "kling-o3-image-to-video": (
        {"prompt": "x", "image_start": "IMAGE", "image_end": "IMAGE", "sound": "on", "quality": "1080p"},
        "45.009",
    ),
    "kling-o3-text-to-video": ({"prompt": "x", "duration": 15, "quality": "4k", "aspect_ratio": "9:16"}, "405"),
    "kling-v3-text-to-video": (
        {"model_params": {"multi_shot": True, "shot_type": "customize", "multi_prompt": SHOTS}, "sound": "on"},
        "40.5",
    ),
    "kling-v3-image-to-video": ({"image_start": "IMAGE", "negative_prompt": "text"}, "27"),
    "kling-v3-turbo-text-to-video": ({"prompt": "x", "quality": "1080p"}, "45"),
    "kling-v3-turbo-image-to-video": ({"image_start": "IMAGE", "duration": 3}, "21.6"),
    "kling-v3-motion-control": (
        {"image_urls": ["IMAGE"], "video_urls": ["CLIP"], "model_params": {"character_orientation": "image"}},
        "32.6592",
    ),
    "kling-v2.6-motion-control": (
        {"image_urls": ["IMAGE"], "video_urls": ["CLIP"], "model_params": {"character_orientation": "video"}},
        "18",
    ),
    "kling-custom-element": (
        {
            "model_params": {
                "element_name": "hero",
                "element_description": "a red chair",
                "reference_type": "image_refer",
                "element_image_list": {"frontal_image": "IMAGE", "refer_images": [{"image_url": "IMAGE"}]},
            }
        },
        "0.001",
    ),
}


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with serving(home=tmp_path, policy=Policy(engine="copy")) as url, client_of(url) as http:
        yield Sandbox(home=tmp_path, http=http)


async def filled(sandbox: Sandbox, encode: Encode, body: Any) -> Any:
    """The body with uploads in the place of their names."""
    text = json.dumps(body)
    files: dict[str, bytes | Path] = {
        "CLIP6": encode(seconds="6"),
        "CLIP": encode(seconds="3.5"),
        "IMAGE": picture(kind="JPEG"),
    }
    for name, content in files.items():
        if f'"{name}"' in text:
            text = text.replace(f'"{name}"', json.dumps(await sandbox.upload(content)))
    return json.loads(text)


def test_every_model_of_the_catalogue_is_tried() -> None:
    assert set(BODIES) == set(models())


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Sandbox]:
    policy = Policy(engine="copy", render_time=timedelta(seconds=60))
    async with serving(home=tmp_path / "slow", policy=policy) as url, client_of(url) as http:
        yield Sandbox(home=tmp_path, http=http)


@pytest.mark.parametrize("name", BODIES)
async def test_a_job_of_every_model_is_taken_and_reserves_its_published_price(
    slow: Sandbox, encode: Encode, name: str
) -> None:
    sandbox, (body, credits) = slow, BODIES[name]
    body = {"model": name, **await filled(sandbox, encode, body)}
    answer = await sandbox.http.post("/v1/videos/generations", json=body)
    assert answer.status_code == 200, answer.text
    assert Fraction(str(answer.json()["usage"]["credits_reserved"])) == Fraction(credits)
    assert answer.json()["model"] == name
    assert 100_000 - await sandbox.remaining() == pytest.approx(float(credits))


@pytest.mark.parametrize(
    ("name", "change", "param"),
    [
        ("kling-o1-image-to-video", {"duration": 7}, "duration"),
        ("kling-o1-image-to-video", {"duration": "5"}, "duration"),
        ("kling-o1-image-to-video", {"duration": True}, "duration"),
        ("kling-o1-image-to-video", {"image_urls": None}, "image_urls"),
        ("kling-o1-image-to-video", {"image_urls": ["IMAGE"] * 3}, "image_urls"),
        ("kling-o3-video-edit", {"video_url": ["CLIP"]}, "video_url"),
        ("kling-o3-video-edit", {"video_url": None}, "video_url"),
        ("kling-o3-video-edit", {"image_urls": ["IMAGE"] * 5}, "image_urls"),
        (
            "kling-o3-video-edit",
            {"image_urls": ["IMAGE"] * 3, "model_params": {"element_list": [{"element_id": "a"}, {"element_id": "b"}]}},
            "image_urls",
        ),
        ("kling-o3-video-edit", {"model_params": []}, "model_params"),
        ("kling-o3-video-edit", {"model_params": {"element_list": ["a"]}}, "model_params.element_list"),
        ("kling-o3-image-to-video", {"image_start": None}, "image_start"),
        ("kling-o3-text-to-video", {"duration": 2}, "duration"),
        ("kling-o3-text-to-video", {"duration": 5.0}, "duration"),
        ("kling-o3-text-to-video", {"quality": "8k"}, "quality"),
        ("kling-o3-text-to-video", {"prompt": "x" * 2501}, "prompt"),
        ("kling-v3-text-to-video", {"model_params": None, "prompt": None}, "model_params"),
        ("kling-v3-text-to-video", {"duration": 6}, "model_params.multi_prompt"),
        ("kling-v3-text-to-video", {"model_params": {"multi_shot": True}, "prompt": "x"}, "model_params.shot_type"),
        ("kling-v3-image-to-video", {"image_start": None}, "image_start"),
        ("kling-v3-image-to-video", {"negative_prompt": "x" * 2501}, "negative_prompt"),
        ("kling-v3-motion-control", {"model_params": None}, "model_params"),
        ("kling-v3-motion-control", {"model_params": {}}, "model_params.character_orientation"),
        ("kling-v3-motion-control", {"image_urls": ["IMAGE"] * 2}, "image_urls"),
        ("kling-custom-element", {"model_params": {"element_name": "x" * 21}}, "model_params.element_name"),
    ],
)
async def test_a_field_outside_a_model_s_contract_is_refused_by_name(
    sandbox: Sandbox, encode: Encode, name: str, change: dict[str, Any], param: str
) -> None:
    body = {"model": name, **BODIES[name][0], **change}
    body = await filled(
        sandbox, encode, {key: value for key, value in body.items() if value is not None or key in change}
    )
    answer = await sandbox.http.post("/v1/videos/generations", json=body)
    assert (answer.status_code, error_of(answer)["param"]) == (400, param), answer.text
    assert await sandbox.count() == 0


async def test_a_clip_of_thirty_seconds_is_for_a_person_who_faces_as_in_the_clip(
    sandbox: Sandbox, encode: Encode
) -> None:
    clip = await sandbox.upload(encode(seconds="12"))
    image = await sandbox.upload(picture(kind="JPEG"))
    body: dict[str, Any] = {"model": "kling-v3-motion-control", "image_urls": [image], "video_urls": [clip]}
    for orientation, status in (("image", 400), ("video", 200)):
        body["model_params"] = {"character_orientation": orientation}
        assert (await sandbox.http.post("/v1/videos/generations", json=body)).status_code == status


async def test_fields_that_a_model_does_not_have_are_ignored_and_named_unless_the_server_is_strict(
    sandbox: Sandbox, encode: Encode, tmp_path: Path
) -> None:
    clip = await sandbox.upload(encode())
    body: dict[str, Any] = {"video_urls": [clip], "seed": 7, "model_params": {"mode": "pro"}, "é": 1}
    answer = await sandbox.submit(**body)
    assert answer.status_code == 200
    assert answer.headers["x-ignored-parameters"] == "seed, model_params, ?"
    async with serving(home=tmp_path / "strict", policy=Policy(strict=True)) as url, client_of(url) as http:
        strict = Sandbox(home=tmp_path, http=http)
        refused = await strict.submit(**{**body, "video_urls": [await strict.upload(encode())]})
        assert (refused.status_code, error_of(refused)["param"]) == (400, "seed")


async def test_an_element_is_made_without_a_film(sandbox: Sandbox, encode: Encode) -> None:
    body = {"model": "kling-custom-element", **await filled(sandbox, encode, BODIES["kling-custom-element"][0])}
    made = (await sandbox.http.post("/v1/videos/generations", json=body)).json()
    task = await sandbox.settled(made["id"])
    assert (task["status"], task["results"]) == ("completed", [])
    assert task["result_data"][0]["element_id"].startswith("element_")
    assert task["usage"]["billing_rule"] == "per_call"


async def test_a_model_that_is_settled_on_its_result_gives_back_what_it_did_not_use(
    sandbox: Sandbox, encode: Encode
) -> None:
    """3.4 s: reserved as 4 s (rounded up), charged as 3 s (to the nearest), at 8.1 credits."""
    clip = await sandbox.upload(encode(seconds="3.4", rate="25"))
    made = (await sandbox.submit(model="kling-o3-video-edit", video_url=clip)).json()
    assert made["usage"]["credits_reserved"] == 32.4
    task = await sandbox.settled(made["id"])
    assert (task["usage"]["credits_used"], task["billing"]["charged_credits"]) == (24.3, 24.3)
    assert await sandbox.remaining() == 100_000 - 24.3
    kinds = [row["kind"] for row in (await sandbox.http.get("/v1/credits/statement")).json()["data"]]
    assert kinds == ["released", "charged", "reserved", "granted"]


# --- the bill, three times ---------------------------------------------------------------------------------------------


def evaluate(tree: dict[str, Any], values: dict[str, Any]) -> Any:
    """The published expression, as the vendor's clients work it out."""
    if tree["op"] == "variable":
        return values[tree["name"]]
    if tree["op"] == "constant":
        text = tree["value"]
        return Fraction(text) if text.replace(".", "").isdecimal() else text
    args = [evaluate(arg, values) for arg in tree["args"]]
    work: dict[str, Any] = {
        "if": lambda yes, one, other: one if yes else other,
        "eq": lambda one, other: str(one) == str(other),
        "and": lambda *all_of: all(all_of),
        "gt": lambda one, other: one > other,
        "max": max,
        "min": min,
        "ceil": ceil,
        "floor": floor,
        "add": lambda one, other: one + other,
        "multiply": lambda one, other: Fraction(one) * other,
        "divide": lambda one, other: Fraction(one) / other,
    }
    return work[tree["op"]](*args)


@given(data=st.data(), name=st.sampled_from(sorted(models())))
def test_the_bill_the_published_rule_and_the_plan_agree_to_the_unit(data: st.DataObject, name: str) -> None:
    model = models()[name]
    clip = data.draw(st.fractions(min_value=Fraction(1, 10), max_value=30, max_denominator=1000))
    given_options = {
        option.name: data.draw(
            st.sampled_from(option.choices) if option.choices else st.integers(*(option.range or (0, 0)))
        )
        for option in model.options.values()
        if option.choices or option.range
    }
    options: Options = model.settled(given_options)
    reserved = billing.reserved_for(model, clip_seconds=clip, options=options)
    assert reserved == tariff.price_of(model, tariff.quantity_of(model, clip, options), options).units
    component = pricing.rules(model)["components"][0]
    values = {**dict(options), "input_seconds": clip, "output_seconds": 0, "duration_seconds": 0}
    values["duration_seconds"] = dict(options).get("duration", 0)
    quantity = evaluate(component["quantity_rule"], values)
    units = floor(quantity * Fraction(component["rate"]["uc"]) + Fraction(1, 2))
    assert max(units, int(component["minimum_charge"]["uc"])) == reserved


@given(st.integers(min_value=0, max_value=10**12))
def test_an_amount_is_the_same_in_every_currency(units: int) -> None:
    shown = {name: Fraction(text) for name, text in pricing.money(units).items()}
    assert shown["uc"] == units == shown["credits"] * 10_000 == shown["cny"] * 100_000
    assert abs(shown["usd"] * 680_000 - units) * 10**8 <= 680_000


# --- the public catalogue ----------------------------------------------------------------------------------------------


async def test_the_catalogue_is_open_and_says_what_each_model_takes(sandbox: Sandbox) -> None:
    sandbox.http.headers.pop("Authorization")
    rows = {row["model_id"]: row for row in (await sandbox.http.get("/v1/catalog/models")).json()["models"]}
    assert set(rows) == set(models())
    edit = rows["kling-o1-video-edit"]
    assert (edit["clip"]["seconds"], edit["images"]["count"]) == ([3.0, 10.0], [1, 4])
    assert edit["price"]["text"] == "12 credits a second of the clip, at least 36"
    health = (await sandbox.http.get("/v1/catalog/health")).json()["models"]
    assert {row["status"] for row in health} == {"available"}
    assert (await sandbox.http.get("/v1/credits")).status_code == 401


async def test_the_price_rules_are_published_for_all_and_for_one(sandbox: Sandbox) -> None:
    whole = (await sandbox.http.get("/v1/catalog/pricing-rules?operation=video_edit")).json()
    assert {row["model_id"] for row in whole["models"]} == {
        "kling-o1-video-edit",
        "kling-o1-video-edit-fast",
        "kling-o3-video-edit",
    }
    one = (await sandbox.http.get("/v1/catalog/models/kling-o1-video-edit/pricing-rules")).json()
    assert one["model"] == whole["models"][0]
    assert one["model"]["components"][0]["rate"] == {"uc": "120000", "credits": "12", "cny": "1.2", "usd": "0.17647059"}
    assert (await sandbox.http.get("/v1/catalog/models/kling-o9/pricing-rules")).status_code == 404


async def test_a_quote_is_what_the_job_then_reserves(sandbox: Sandbox, encode: Encode) -> None:
    clip = await sandbox.upload(encode(seconds="5.77", rate="25"))
    made = (await sandbox.submit(video_urls=[clip])).json()
    asked = {"model_id": "kling-o1-video-edit", "operation": "video_edit", "parameters": {"input_seconds": 5.8}}
    quote = (await sandbox.http.post("/v1/agent-estimates", json=asked)).json()
    assert Fraction(quote["amounts"]["credits"]) == Fraction(str(made["usage"]["credits_reserved"]))
    assert quote["amount"] == quote["amounts"]["usd"]
    assert quote["policy_checksum"] == pricing.rules(models()["kling-o1-video-edit"])["policy_checksum"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"model_id": "kling-o9"}, 404),
        ({"model_id": "kling-o1-video-edit"}, 400),
        ({"model_id": "kling-o1-video-edit", "parameters": []}, 400),
        ({"model_id": "kling-o1-video-edit", "parameters": {"input_seconds": "1e9"}}, 400),
        ({"model_id": "kling-o1-video-edit", "parameters": {"input_seconds": -1}}, 400),
        ({"model_id": "kling-o1-video-edit", "operation": "text_to_video", "parameters": {"input_seconds": 3}}, 400),
        ({"model_id": "kling-o3-text-to-video", "parameters": {"quality": "8k"}}, 400),
        ({"model_id": "kling-o3-text-to-video", "parameters": {"duration_seconds": 99}}, 400),
        ({"model_id": "kling-o3-text-to-video", "parameters": {}}, 200),
    ],
)
async def test_a_quote_for_what_cannot_be_is_refused(sandbox: Sandbox, body: dict[str, Any], status: int) -> None:
    assert (await sandbox.http.post("/v1/agent-estimates", json=body)).status_code == status


async def test_a_refused_quote_says_what_to_write(sandbox: Sandbox) -> None:
    async def told(**body: Any) -> dict[str, Any]:
        return error_of(await sandbox.http.post("/v1/agent-estimates", json=body))

    assert (await told(model="kling-o1-video-edit"))["message"] == "model_id is required."
    assert "kling-o1-video-edit," in (await told(model_id="kling-o1-edit"))["fallback_suggestion"]
    told_where = (await told(model_id="kling-o1-video-edit", input_seconds=5))["fallback_suggestion"]
    assert told_where == 'It belongs into parameters: {"parameters": {"input_seconds": 5.3}}.'


async def test_a_quote_names_what_it_did_not_read(sandbox: Sandbox) -> None:
    known = {"duration": 10, "quality": "720p", "sound": "off"}
    asked = {"model_id": "kling-o3-text-to-video", "duration": 10, "parameters": {**known, "durration": 10}}
    answer = await sandbox.http.post("/v1/agent-estimates", json=asked)
    assert answer.headers["x-ignored-parameters"] == "duration, parameters.durration"
    fine = await sandbox.http.post(
        "/v1/agent-estimates", json={"model_id": "kling-o3-text-to-video", "parameters": known}
    )
    assert "x-ignored-parameters" not in fine.headers


@pytest.mark.parametrize(
    "names", [("0", ""), ("",), (" ",), ("a" * 80,) * 9, ("\r\nX-Other: 1", "\u00e9"), ("x" * 498, "y")]
)
def test_whatever_a_field_is_called_the_header_that_names_it_can_be_sent(names: tuple[str, ...]) -> None:
    header = order.ignored_header(names)
    assert header is not None
    h11.Response(status_code=200, headers=[*header.items()], reason=b"OK")
    assert header["X-Ignored-Parameters"]
