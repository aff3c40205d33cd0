"""What prefect.yaml deploys, and for which moment a run is that a schedule made."""

import importlib.util
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    one["name"]: one for one in yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
}


@pytest.fixture(scope="module")
def flow() -> ModuleType:
    found = importlib.util.spec_from_file_location("campaign", ROOT / "flows/campaign.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_there_is_one_on_demand_one_example_and_the_hourly_reconcile() -> None:
    assert set(DEPLOYMENTS) == {"campaign", "example", "reconcile"}
    assert "schedules" not in DEPLOYMENTS["campaign"]
    (example,), (hourly,) = (DEPLOYMENTS[name]["schedules"] for name in ("example", "reconcile"))
    assert example["active"] is False
    assert hourly["cron"].split()[1:] == ["*"] * 4
    assert DEPLOYMENTS["example"]["parameters"]["sandbox"] is True


@pytest.mark.parametrize("name", list(DEPLOYMENTS))
def test_each_has_a_pool_a_limit_a_schema_and_stable_schedules(name: str) -> None:
    one = DEPLOYMENTS[name]
    file, _, flow = one["entrypoint"].partition(":")
    assert f"async def {flow}(" in (ROOT / file).read_text("utf-8")
    assert one["work_pool"]["name"] == "callsheet"
    assert one["enforce_parameter_schema"] is True
    assert one["concurrency_limit"]["limit"] == 1
    # What was late after a standstill must not all be paid for.
    assert one["concurrency_limit"]["collision_strategy"] == ("CANCEL_NEW" if "schedules" in one else "ENQUEUE")
    assert all(schedule["slug"] for schedule in one.get("schedules", ()))


@pytest.mark.parametrize("is_scheduled", [True, False])
def test_the_occurrence_is_the_time_of_the_schedule_else_what_was_given(
    flow: ModuleType, monkeypatch: pytest.MonkeyPatch, is_scheduled: bool
) -> None:
    fired = datetime(2026, 11, 30, 14, 0, tzinfo=timezone(timedelta(hours=8)))
    run = SimpleNamespace(id="1", auto_scheduled=is_scheduled, expected_start_time=fired)
    monkeypatch.setattr(flow.FlowRunContext, "get", lambda: SimpleNamespace(flow_run=run))
    given = "2026-12-07T06:00:00Z"
    expected = datetime(2026, 11, 30, 6, 0, tzinfo=UTC) if is_scheduled else datetime(2026, 12, 7, 6, 0, tzinfo=UTC)
    assert flow.occurrence_of(given) == expected
    assert flow.occurrence_of(None) == (expected if is_scheduled else None)
