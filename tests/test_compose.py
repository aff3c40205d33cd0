"""deploy/: what the compose file and the image name is there, and every setting in them is one."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from callsheet.steps.settings import VARIABLES

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text("utf-8")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: Every variable that Prefect reads.
NAMES = """
from prefect.settings import Settings

def names(model):
    prefix = model.model_config.get("env_prefix", "")
    for name, one in model.model_fields.items():
        yield (prefix + name).upper()
        yield from (str(alias).upper() for alias in getattr(one.validation_alias, "choices", ()))
        if hasattr(one.annotation, "model_fields"):
            yield from names(one.annotation)

print(*names(Settings))
"""


def settings() -> set[str]:
    named = {name for one in SERVICES.values() for name in one.get("environment", {})}
    return {name for name in named if name.startswith(("CALLSHEET_", "PREFECT_", "EVOLINK_"))}


def test_every_setting_of_ours_is_one() -> None:
    ours = {name for name in settings() if not name.startswith("PREFECT_")}
    assert ours
    assert ours <= set(VARIABLES)


def test_every_setting_of_prefect_s_is_one() -> None:
    """Those of prefect-redis, which only the server's image has, begin with PREFECT_REDIS. In a process of its own: prefect,
    once imported, takes the log of every later test."""
    ended = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=True, timeout=60)
    theirs = {name for name in settings() if name.startswith("PREFECT_") and not name.startswith("PREFECT_REDIS_")}
    assert len(theirs) > 4
    assert theirs <= set(ended.stdout.split())


@pytest.mark.parametrize("name", ["api", "services", "worker", "deploy"])
def test_what_we_build_has_its_target_and_waits_for_what_it_needs(name: str) -> None:
    one = SERVICES[name]
    assert f" AS {one['build']['target']}\n" in DOCKERFILE
    assert (ROOT / "deploy" / one["build"]["context"] / one["build"]["dockerfile"]).is_file()
    assert set(one["depends_on"]) <= set(SERVICES)


def test_no_secret_is_written_into_it() -> None:
    secret = [
        (name, value)
        for one in SERVICES.values()
        for name, value in one.get("environment", {}).items()
        if re.search("KEY|PASSWORD|SECRET", name)
    ]
    assert len(secret) >= 4
    assert all(re.fullmatch(r"\$\{[A-Z_]+:[?-]\}", value) for _, value in secret), secret


def test_the_worker_s_image_has_the_pins_of_the_lock_and_copies_no_secret_and_no_state() -> None:
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {".env", "deploy/.env", ".venv", ".callsheet", ".git"} <= set(ignored)
