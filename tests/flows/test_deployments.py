"""What prefect.yaml deploys, and for which moment a run is that a schedule made."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    one["name"]: one for one in yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
}


#: Says which occurrence the flow takes a run to be, for what a schedule made and for what somebody asked for. In a process of
#: its own: prefect, once imported, sends the log of every later test of this process to its server.
PROGRAM = """
import importlib.util, json, sys
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

found = importlib.util.spec_from_file_location("campaign", sys.argv[1])
flow = importlib.util.module_from_spec(found)
found.loader.exec_module(flow)
fired = datetime(2026, 11, 30, 14, 0, tzinfo=timezone(timedelta(hours=8)))
told = {}
for scheduled in (True, False):
    run = SimpleNamespace(id="1", auto_scheduled=scheduled, expected_start_time=fired)
    flow.FlowRunContext.get = lambda: SimpleNamespace(flow_run=run)
    for given in ("2026-12-07T06:00:00Z", None):
        occurrence = flow.occurrence_of(given)
        told[f"{scheduled} {given}"] = occurrence and occurrence.isoformat()
print(json.dumps(told))
"""


def test_there_is_one_on_demand_one_example_slices_and_the_hourly_reconcile() -> None:
    assert set(DEPLOYMENTS) == {"campaign", "example", "slice", "reconcile"}
    assert f'DEPLOYMENT = "campaign/{DEPLOYMENTS["slice"]["name"]}"' in (ROOT / "flows/slices.py").read_text("utf-8")
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
    assert one["concurrency_limit"]["limit"] == (50 if name == "slice" else 1)
    # What was late after a standstill must not all be paid for.
    assert one["concurrency_limit"]["collision_strategy"] == ("CANCEL_NEW" if "schedules" in one else "ENQUEUE")
    assert all(schedule["slug"] for schedule in one.get("schedules", ()))


def test_the_occurrence_is_the_time_of_the_schedule_else_what_was_given() -> None:
    words = [sys.executable, "-c", PROGRAM, str(ROOT / "flows/campaign.py")]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(ended.stdout.splitlines()[-1]) == {
        "True 2026-12-07T06:00:00Z": "2026-11-30T06:00:00+00:00",
        "True None": "2026-11-30T06:00:00+00:00",
        "False 2026-12-07T06:00:00Z": "2026-12-07T06:00:00+00:00",
        "False None": None,
    }
