"""The flow as Prefect runs it: one failure stops no other, retries are what the error says, and the server learns no secret."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from callsheet.sandbox.book import Book
from callsheet.sandbox.place import Place
from tests import books
from tests.flows.conftest import Flow, Server
from tests.steps.footage import make_studio
from tests.steps.local_provider import ACCEPT_THEN_500, FAIL_LATER, SIGNATURE, LocalProvider, serving

KEY = "sk-evo-4f9d27c1e8b35a60"
PROMPTS = {
    "dusk": "Re-light the scene at dusk.",
    "refused": "What nobody may ask for.",
    "busy": "What is asked for when everybody asks.",
    "lost": "What is accepted, and the answer is lost.",
    "failing": "What is accepted and then failed.",
}
#: What the provider does at each submission in turn, before it simply accepts.
SCRIPTS: dict[str, list[int | str]] = {
    "refused": [400],
    "busy": [503],
    "lost": [ACCEPT_THEN_500],
    "failing": [FAIL_LATER],
}
STAGES = ("prepare", "stage", "submit", "follow", "deliver")


def document(prompts: dict[str, str]) -> str:
    lines = "".join(f"  {name}: {text}\n" for name, text in prompts.items())
    return (
        "campaign: tiny\nmodel: kling-o1-video-edit\nbudget: $40.00\nclips:\n  beach: media/cup.mp4\n"
        f"references:\n  none: []\nprompts:\n{lines}aspect_ratios: [16:9]\n"
    )


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A run of the flow: how it ended, what the provider got, and what the server knows."""

    ended: dict[str, str]
    studio: Path
    provider: LocalProvider
    flow_run: dict[str, Any]
    task_runs: dict[str, dict[str, Any]]
    artifacts: dict[str, dict[str, Any]]
    logs: list[dict[str, Any]]

    def submissions(self, name: str) -> list[str]:
        """The Idempotency-Key of every submission of this prompt."""
        return [key for prompt, key in self.provider.submits if prompt == PROMPTS[name]]


@pytest.fixture(scope="module")
def ran(campaign: Flow, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    spec = make_studio(tmp_path_factory.mktemp("flow") / "studio", document(PROMPTS))
    with serving() as provider:
        provider.scripts.update({PROMPTS[name]: [*script] for name, script in SCRIPTS.items()})
        ended = campaign.run(spec, EVOLINK_BASE_URL=provider.url, EVOLINK_API_KEY=KEY)
        run = ended["run"]
        yield Ran(
            ended=ended,
            studio=spec.parent.parent,
            provider=provider,
            flow_run=server.flow_run(run),
            task_runs={one["name"]: one for one in server.task_runs(run)},
            artifacts={one["key"]: one for one in server.find("artifacts", run)},
            logs=server.find("logs", run),
        )


def test_the_variants_that_fail_stop_no_other_and_the_final_state_counts_them(ran: Ran) -> None:
    assert (ran.ended["state"], ran.ended["message"]) == ("FAILED", "3 of 5 archived, 2 failed")
    assert ran.flow_run["state"]["message"] == "3 of 5 archived, 2 failed"
    films = {film.name.split("--")[2] for film in (ran.studio / "archive/tiny").glob("*.mp4")}
    assert films == {"dusk", "busy", "lost"}


def test_names_of_runs_say_what_they_are_about(ran: Ran) -> None:
    assert ran.flow_run["name"] == "tiny"
    walked = {f"{stage} beach--none--{name}--16x9" for stage in STAGES for name in ("dusk", "busy", "lost")}
    broken = {f"{stage} beach--none--refused--16x9" for stage in STAGES[:3]}
    broken |= {f"{stage} beach--none--failing--16x9" for stage in STAGES[:4]}
    assert set(ran.task_runs) == walked | broken


def test_what_is_safe_to_repeat_is_repeated_and_nothing_else(ran: Ran) -> None:
    tries = {name: len(ran.submissions(name)) for name in PROMPTS}
    assert tries == {"dusk": 1, "refused": 1, "busy": 2, "lost": 2, "failing": 1}
    assert len(set(ran.submissions("busy"))) == 2  # provably not accepted: another take, another key
    assert len(set(ran.submissions("lost"))) == 1  # nobody knows: the same request again
    counted = {name: ran.task_runs[f"submit beach--none--{name}--16x9"]["run_count"] for name in PROMPTS}
    assert counted == tries
    assert ran.task_runs["follow beach--none--failing--16x9"]["run_count"] == 1
    assert len(ran.provider.jobs) == 4


def test_an_encode_has_one_bar_that_ends_at_a_hundred_and_one_line_in_the_log(ran: Ran) -> None:
    """Five variants share the clip: one of them has it made, and the others wait for that."""
    (bar,) = [one for one in ran.artifacts.values() if one["type"] == "progress"]
    assert float(bar["data"]) == 100.0
    assert bar["key"].startswith("prepare-beach-none-")
    (line,) = [log["message"] for log in ran.logs if log["message"].startswith("clip beach: ")]
    assert line.startswith("clip beach: transcode (640x480: scaled to 960x720")
    assert " -> 960x720 mp4 h264, " in line


def test_plan_and_outcome_are_tables_on_the_run(ran: Ran) -> None:
    tables = {key for key, one in ran.artifacts.items() if one["type"] == "table"}
    assert tables == {"tiny-plan", "tiny-outcome"}
    assert ran.artifacts["tiny-plan"]["description"].startswith("5 variants, 180 credits ($2.65) on loopback; plan ")
    assert ran.artifacts["tiny-outcome"]["description"] == "3 of 5 archived, 2 failed"
    plan, outcome = (json.loads(ran.artifacts[f"tiny-{name}"]["data"]) for name in ("plan", "outcome"))
    assert {row["variant"] for row in plan} == {f"beach--none--{name}--16x9" for name in PROMPTS}
    assert {row["variant"].split("--")[2]: row["outcome"] for row in outcome} == {
        "dusk": "archived", "refused": "failed", "busy": "archived", "lost": "archived", "failing": "failed",
    }  # fmt: skip
    assert "content_policy_violation" in next(row["reason"] for row in outcome if "failing" in row["variant"])


def test_the_journal_of_the_takes_is_in_the_logs_of_the_run(ran: Ran) -> None:
    said = [log["message"] for log in ran.logs]
    for state in ("reserved", "submitting", "submitted", "succeeded", "archived"):
        assert [line for line in said if f"beach--none--dusk--16x9: {state}, 36 credits" in line], (state, said)


def test_no_key_and_no_signed_link_is_anywhere_on_the_server(ran: Ran, server: Server) -> None:
    """The provider quoted both in its refusals. Looked for in what the API tells, and in every byte of the database."""
    told = json.dumps([ran.flow_run, ran.task_runs, ran.artifacts, ran.logs]).encode()
    for text in (told, server.written()):
        assert b"may not edit" in text
        assert b"Content policy violation in" in text
        for secret in (KEY, KEY.removeprefix("sk-evo-"), SIGNATURE, "X-Amz-Signature", "/files/0-", "/results/task-"):
            assert secret.encode() not in text, secret


def test_no_key_and_no_signed_link_is_in_any_file_that_the_run_wrote(ran: Ran) -> None:
    """Ledger, archive, sidecars, board, caches. The links of a request are erased once its fate is known."""
    written = {path: path.read_bytes() for path in ran.studio.rglob("*") if path.is_file()}
    assert any(path.name == "ledger.sqlite" for path in written)
    for secret in (KEY, KEY.removeprefix("sk-evo-"), SIGNATURE, "X-Amz-Signature"):
        holders = [str(path) for path, text in written.items() if secret.encode() in text]
        assert holders == [], secret


def test_a_schedule_that_fires_twice_renders_once(campaign: Flow, server: Server, tmp_path: Path) -> None:
    prompts = {name: PROMPTS[name] for name in ("dusk", "refused")}
    spec = make_studio(tmp_path / "studio", document(prompts))
    with serving() as provider, ThreadPoolExecutor() as both:
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY}
        ended = [fired.result() for fired in [both.submit(campaign.run, spec, **settings) for _ in range(2)]]
    assert [one["state"] for one in ended] == ["COMPLETED"] * 2
    assert len(provider.submits) == 2
    costs = [
        one["description"] for one in ended for one in server.find("artifacts", one["run"]) if "plan" in one["key"]
    ]
    assert sorted(cost.split(" on ")[0] for cost in costs)[-1] == "2 variants, 72 credits ($1.06)"


def test_an_occurrence_that_fires_twice_renders_once_also_where_every_run_renders_afresh(
    campaign: Flow, tmp_path: Path
) -> None:
    text = document({"dusk": PROMPTS["dusk"]}) + "rerender: every-run\n"
    spec = make_studio(tmp_path / "studio", text)
    with serving() as provider, ThreadPoolExecutor() as both:
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY}
        fire = partial(campaign.run, spec, "occurrence=2026-11-30T06:00:00+00:00", **settings)
        at_once = [fired.result() for fired in [both.submit(fire) for _ in range(2)]]
        after = fire()
        assert [one["state"] for one in (*at_once, after)] == ["COMPLETED"] * 3
        assert after["message"] == "nothing to do, 1 skipped"
        assert len(provider.submits) == 1


def test_parameters_are_small_and_printable(ran: Ran) -> None:
    given = ran.flow_run["parameters"]
    assert set(given) == {
        "spec", "sandbox", "only", "skip", "again", "limit", "pilot", "attach_only", "send_reserved",
        "max_usd", "occurrence", "approved", "approved_by",
    }  # fmt: skip
    assert given["spec"].endswith("specs/tiny.yaml")


def test_on_the_sandbox_a_variant_that_the_account_cannot_pay_fails_alone(
    campaign: Flow, server: Server, tmp_path: Path
) -> None:
    prompts = {name: PROMPTS[name] for name in ("dusk", "busy")}
    spec = make_studio(tmp_path / "studio", document(prompts))
    home = spec.parent.parent / ".callsheet"
    Book(Place.under(home).book, granted=360_000).close()  # 36 credits: one of the two
    ended = campaign.run(spec, "sandbox")
    assert ended["message"] == "1 of 2 archived, 1 failed"
    assert server.flow_run(ended["run"])["name"] == "tiny (sandbox)"
    assert sorted(take.state for take in books.takes(home)) == ["archived", "released"]
    assert [job.state for job in books.jobs(home)] == ["completed"]
