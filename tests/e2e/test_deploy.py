"""`callsheet deploy` against a real Prefect server: each schedule once, however often; what is gone is removed."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.prefect_api import ask

from .conftest import CAMPAIGN, NewStudio, Studio

pytestmark = pytest.mark.slow

CRON = 'schedule: {cron: "0 6 * * 1", timezone: Asia/Shanghai}\n'
TWICE = "specs/pier.yaml"


@pytest.fixture
def api(prefect_api: str) -> str:
    return prefect_api


@pytest.fixture
def studio(new_studio: NewStudio, prefect: Mapping[str, str], api: str) -> Studio:
    return new_studio(**prefect)


def deployments(api: str, studio: Studio) -> dict[str, dict[str, Any]]:
    """Those of this studio by name."""
    found = ask(api, "deployments/filter", {"limit": 200})
    return {one["name"]: one for one in found if str(studio.root) in json.dumps(one["pull_steps"])}


def named(name: str, schedule: str = CRON) -> str:
    return CAMPAIGN.replace("campaign: tiny", f"campaign: {name}") + schedule


def test_each_campaign_with_a_schedule_is_deployed_once_and_a_second_time_changes_nothing(
    studio: Studio, api: str
) -> None:
    studio.write(named("once"))
    (studio.root / TWICE).write_text(named("twice", "schedule: {interval: 6h, timezone: Europe/Berlin}\n"))
    (studio.root / "specs/rule.yaml").write_text(named("rule", "schedule: {rrule: FREQ=MONTHLY;BYDAY=1MO;BYHOUR=6}\n"))
    (studio.root / "specs/by-hand.yaml").write_text(named("by-hand", ""))
    first = studio.call("deploy", "--sandbox")
    assert first.code == 0, first.err
    assert "created    campaign/scheduled-once (specs/tiny.yaml): cron 0 6 * * 1 (Asia/Shanghai)" in first.out
    assert "06:00, Asia/Shanghai" in first.out
    assert first.out.rstrip().endswith("worker start --pool callsheet")
    assert "export PREFECT_API_URL" not in first.out  # it is set
    before = deployments(api, studio)
    assert set(before) == {"scheduled-once", "scheduled-twice", "scheduled-rule"}
    again = studio.call("deploy", "--sandbox")
    assert "Nothing to do." in again.out
    assert "created" not in again.out
    after = deployments(api, studio)
    assert [one["updated"] for one in after.values()] == [one["updated"] for one in before.values()]
    one = after["scheduled-twice"]
    assert one["parameters"] == {"spec": TWICE, "sandbox": True}
    assert one["enforce_parameter_schema"] is True
    assert one["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert one["schedules"][0]["schedule"]["anchor_date"] == "2024-01-01T00:00:00+01:00"


def test_a_schedule_that_changes_stays_the_same_one_and_what_a_person_has_paused_stays_so(
    studio: Studio, api: str
) -> None:
    studio.write(named("moved"))
    studio.call("deploy", "specs/tiny.yaml")
    (before,) = deployments(api, studio)["scheduled-moved"]["schedules"]
    deployment = before["deployment_id"]
    ask(api, f"deployments/{deployment}/schedules/{before['id']}", {"active": False}, method="PATCH")
    studio.write(named("moved", CRON.replace("0 6", "30 7")))
    changed = json.loads(studio.call("deploy", "--json").out)
    assert changed["changed"] is True
    (step,) = changed["deployments"]
    assert (step["action"], step["paused"], len(step["next"])) == ("update", True, 3)
    assert step["next"][0].endswith("T07:30:00+08:00")
    (after,) = deployments(api, studio)["scheduled-moved"]["schedules"]
    assert (after["id"], after["slug"], after["active"]) == (before["id"], "callsheet", False)
    assert after["schedule"]["cron"] == "30 7 * * 1"


def test_what_lost_its_file_its_schedule_or_its_name_is_removed_once_somebody_says_so(studio: Studio, api: str) -> None:
    for number in (1, 2, 3):
        (studio.root / f"specs/{number}.yaml").write_text(named(f"lost-{number}"))
    studio.call("deploy")
    (studio.root / "specs/1.yaml").unlink()
    (studio.root / "specs/2.yaml").write_text(named("lost-2", ""))
    (studio.root / "specs/3.yaml").write_text(named("found"))
    asked = studio.call("deploy")
    assert "campaign/scheduled-lost-1: specs/1.yaml is gone" in asked.err
    assert "left       campaign/scheduled-lost-2 (specs/2.yaml): --yes removes it" in asked.out
    assert {"scheduled-lost-1", "scheduled-lost-2", "scheduled-lost-3"} < set(deployments(api, studio))
    removed = studio.call("deploy", "--yes")
    assert (
        "removed    campaign/scheduled-lost-3 (specs/3.yaml): the campaign in specs/3.yaml is called found"
        in removed.out
    )
    assert set(deployments(api, studio)) == {"scheduled-found"}


def test_what_another_checkout_has_deployed_is_neither_replaced_nor_removed(
    studio: Studio, new_studio: NewStudio, prefect: Mapping[str, str], api: str
) -> None:
    other = new_studio(**prefect)
    other.write(named("elsewhere"))
    other.call("deploy")
    studio.write(named("here", ""))
    assert "has a schedule: nothing to do." in studio.call("deploy", "--yes").out
    assert set(deployments(api, other)) == {"scheduled-elsewhere"}
    studio.write(named("elsewhere"))
    refused = studio.call("deploy")
    assert refused.code == 2
    assert f"belongs to the checkout {other.root}" in refused.err


def test_without_a_server_it_says_how_to_start_one(new_studio: NewStudio) -> None:
    studio = new_studio()
    studio.write(named("alone"))
    ended = studio.call("deploy")
    assert ended.code == 5
    assert "No Prefect server answers at http://127.0.0.1:" in ended.err
    assert "Start it: PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL=CRITICAL " in ended.err  # else its first warning ends it
    assert "prefect server start --background --host 127.0.0.1 --port " in ended.err
    assert studio.untouched()


@pytest.mark.parametrize(("origin", "may"), [("http://localhost:{port}", True), ("https://pages.example.com", False)])
def test_pages_of_others_may_not_ask_the_server_that_a_run_starts(api: str, origin: str, may: bool) -> None:
    """Any page that is open in a browser here could start runs else, and approve them."""
    origin = origin.format(port=urlsplit(api).port)
    request = urllib.request.Request(f"{api}/health", headers={"Origin": origin})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == (origin if may else None)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("schedule: {cron: 0 6 * * 1, timezone: Asia/Shangri-La}\n", "this machine knows no time zone Asia/Shangri-La"),
        ("schedule: {cron: 0 6 * *}\n", "has 4 fields, and a cron line has 5"),
    ],
)
def test_a_schedule_that_cannot_be_is_told_by_check_and_by_deploy(
    new_studio: NewStudio, schedule: str, said: str
) -> None:
    studio = new_studio()
    studio.write(named("wrong", schedule))
    for command in ("check", "deploy"):
        ended = studio.call(command, "specs/tiny.yaml")
        assert ended.code == 2
        assert said in ended.err


def test_check_says_of_a_campaign_that_it_runs_by_itself(new_studio: NewStudio) -> None:
    studio = new_studio()
    studio.write(named("told"))
    told = studio.call("check", "specs/tiny.yaml").err
    assert (
        "It runs by itself once it is deployed, cron 0 6 * * 1 (Asia/Shanghai): callsheet deploy specs/tiny.yaml"
        in told
    )


def test_where_no_server_is_named_the_next_commands_name_the_one_that_was_found(
    new_studio: NewStudio, prefect: Mapping[str, str], api: str
) -> None:
    port = api.removesuffix("/api").rpartition(":")[2]
    studio = new_studio(PREFECT_HOME=prefect["PREFECT_HOME"], PREFECT_SERVER_API_PORT=port)
    studio.write(named("unnamed"))
    told = studio.call("deploy", "--sandbox")
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert lines[lines.index("Next:") + 1] == f"  export PREFECT_API_URL={api}"
