"""The flow as Prefect runs it: one failure stops no other, retries are what the error says, and the server learns no secret."""

import json
import os
import queue
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from callsheet.sandbox.book import Book
from callsheet.sandbox.place import Place
from tests import books
from tests.flows.conftest import PATIENCE, ROOT, Flow, Server
from tests.steps.footage import make_studio
from tests.steps.local_provider import ACCEPT_THEN_500, FAIL_LATER, SIGNATURE, LocalProvider, serving

pytestmark = pytest.mark.slow

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
MESSAGE = "3 of 5 archived, 1 refused by content policy, 1 refused by the provider"
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
    assert (ran.ended["state"], ran.ended["message"]) == ("FAILED", MESSAGE)
    assert ran.flow_run["state"]["message"] == MESSAGE
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
    bars = [one for one in ran.artifacts.values() if one["type"] == "progress" and one["key"] != "tiny-progress"]
    (bar,) = bars
    assert float(bar["data"]) == 100.0
    assert bar["key"].startswith("prepare-beach-none-")
    (line,) = [log["message"] for log in ran.logs if log["message"].startswith("clip beach: ")]
    assert line.startswith("clip beach: transcode (640x480: scaled to 960x720")
    assert " -> 960x720 mp4 h264, " in line


def test_plan_and_outcome_are_tables_on_the_run(ran: Ran) -> None:
    tables = {key for key, one in ran.artifacts.items() if one["type"] == "table"}
    assert tables == {"tiny-plan", "tiny-outcome"}
    assert ran.artifacts["tiny-plan"]["description"].startswith("5 variants, 180 credits ($2.65) on loopback; plan ")
    assert ran.artifacts["tiny-outcome"]["description"] == f"{MESSAGE}; 108 credits ($1.59) spent of 180 planned"
    plan, outcome = (json.loads(ran.artifacts[f"tiny-{name}"]["data"]) for name in ("plan", "outcome"))
    assert {row["variant"] for row in plan} == {f"beach--none--{name}--16x9" for name in PROMPTS}
    assert {row["variant"].split("--")[2]: row["outcome"] for row in outcome} == {
        "dusk": "archived", "refused": "failed", "busy": "archived", "lost": "archived", "failing": "failed",
    }  # fmt: skip
    assert "content_policy_violation" in next(row["reason"] for row in outcome if "failing" in row["variant"])


def test_tags_say_the_campaign_the_route_and_the_plan_and_stay_off_the_task_runs(ran: Ran) -> None:
    campaign, plan, route = sorted(ran.flow_run["tags"])
    assert (campaign, route) == ("campaign:tiny", "route:loopback")
    assert ran.artifacts["tiny-plan"]["description"].endswith(plan.replace(":", " "))
    assert all(one["tags"] == [] for one in ran.task_runs.values())


def test_one_bar_moves_with_the_whole_campaign_to_its_end(ran: Ran) -> None:
    bar = ran.artifacts["tiny-progress"]
    assert (bar["type"], float(bar["data"])) == ("progress", 100.0)
    assert bar["description"] == "3 of 5 archived, 2 failed"
    assert bar["updated"] > bar["created"]


def test_what_failed_is_one_page_by_cause_with_the_next_step(ran: Ran) -> None:
    page = ran.artifacts["tiny-failures"]["data"]
    assert page.index("### 1 refused by content policy") < page.index("### 1 refused by the provider")
    assert "**Next:** Change the prompt or the media" in page
    assert page.count("Nothing was charged.") == 2
    assert "`beach--none--refused--16x9`" in page


def test_the_page_of_the_result_says_where_the_board_is(ran: Ran) -> None:
    page = ran.artifacts["tiny-result"]["data"]
    assert f"`{ran.studio}/archive/tiny/review/index.html`" in page
    assert "callsheet review " in page
    assert "108 credits" in page


def test_an_event_says_that_it_is_over_with_the_way_to_the_board(ran: Ran, server: Server) -> None:
    payload = server.event(ran.ended["run"], "callsheet.finished")["payload"]
    assert (payload["reason"], payload["archived"], payload["failed"], payload["charged"]) == (MESSAGE, 3, 2, "108")
    assert payload["board"] == f"{ran.studio}/archive/tiny/review/index.html"


def test_the_log_has_the_plan_and_the_end_at_the_level_of_how_it_went(ran: Ran) -> None:
    levels = {log["message"]: log["level"] for log in ran.logs if log["name"] == "callsheet.run"}
    assert [level for text, level in levels.items() if text.startswith("plan ")] == [20]
    assert levels[f"tiny: {MESSAGE}; 108 credits ($1.59)"] == 30
    assert levels["refused by content policy: beach--none--failing--16x9"] == 30


def test_a_plan_above_approve_above_is_a_clean_end_that_asks_for_a_person(
    campaign: Flow, server: Server, tmp_path: Path
) -> None:
    spec = make_studio(tmp_path / "studio", document({"dusk": PROMPTS["dusk"]}) + "approve_above: $0.10\n")
    with serving() as provider:
        ended = campaign.run(spec, EVOLINK_BASE_URL=provider.url, EVOLINK_API_KEY=KEY)
        assert provider.submits == []
    said = "nothing was sent: this run costs 36 credits ($0.53), and approve_above is 6.8 credits ($0.10): "
    assert (ended["state"], ended["message"]) == ("FAILED", f"{said}a person confirms it.")
    assert ended["error"] == server.flow_run(ended["run"])["state"]["name"] == "NotApproved"
    event = server.event(ended["run"], "callsheet.needs-approval")
    assert event["resource"]["prefect.resource.id"] == "callsheet.campaign.tiny"
    assert (event["payload"]["credits"], len(event["payload"]["plan"])) == ("36", 64)
    assert [one["key"] for one in server.find("artifacts", ended["run"])] == ["tiny-plan"]


def test_a_digest_approves_that_plan_only_and_once(campaign: Flow, server: Server, tmp_path: Path) -> None:
    """What docs/monitoring.md says to do about callsheet.needs-approval."""
    text = document({"dusk": PROMPTS["dusk"]}) + "approve_above: $0.10\n"
    spec = make_studio(tmp_path / "studio", text)
    with serving() as provider:
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY}
        asked = server.event(campaign.run(spec, **settings)["run"], "callsheet.needs-approval")
        word = f"approved={asked['payload']['plan']}"
        spec.write_text(f"{text}takes: 2\n")
        other = campaign.run(spec, word, **settings)
        assert (other["state"], other["error"]) == ("FAILED", "PlanChanged")
        assert provider.submits == []
        spec.write_text(text)
        assert campaign.run(spec, word, **settings)["message"] == "1 of 1 archived"
        assert campaign.run(spec, word, **settings)["message"] == "nothing to do, 1 skipped"
        assert len(provider.submits) == 1
    assert [row[0] for row in approvals(spec)][:1] == [asked["payload"]["plan"]]


def approvals(spec: Path) -> list[tuple[str]]:
    """The plans that the ledger has an approval of, in order."""
    with closing(sqlite3.connect(spec.parent.parent / ".callsheet/ledger.sqlite")) as book:
        return book.execute("select plan from approvals order by id").fetchall()


def test_the_automations_of_the_docs_tell_a_webhook(campaign: Flow, prefect: Mapping[str, str], tmp_path: Path) -> None:
    spec = make_studio(tmp_path / "studio", document({"dusk": PROMPTS["dusk"]}) + "approve_above: $0.10\n")
    with posts() as (address, heard), serving() as provider:
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY}
        campaign.run(spec, **settings)  # the server is up from here on
        block = bin_("python", "-W", "ignore", "-c", SAVE_WEBHOOK, HOOK=address, **prefect).split()[-1]
        file = tmp_path / "automations.yaml"
        file.write_text((ROOT / "docs/automations.yaml").read_text().replace("WEBHOOK", block))
        assert "Created 4 automation(s)" in bin_("prefect", "automation", "create", "--from-file", str(file), **prefect)
        campaign.run(spec, **settings)
        kind, said = heard.get(timeout=PATIENCE)
        spec.write_text(document({"dusk": PROMPTS["dusk"]}))
        campaign.run(spec, **settings)
        _, over = heard.get(timeout=PATIENCE)
    board = f"{spec.parent.parent}/archive/tiny/review/index.html"
    assert json.loads(over)["text"] == f"tiny on loopback: 1 of 1 archived. Review: {board}"
    assert kind == "application/json"
    text = "callsheet.needs-approval: tiny on loopback: this run costs 36 credits ($0.53), and approve_above is"
    assert json.loads(said)["text"].startswith(text)


#: As in docs/monitoring.md.
SAVE_WEBHOOK = """
import os
from prefect.blocks.webhook import Webhook
hook = Webhook(url=os.environ["HOOK"], headers={"Content-Type": "application/json"})
print(hook.save("callsheet", overwrite=True))
"""


def bin_(name: str, *words: str, **settings: str) -> str:
    """What a program of this environment prints."""
    program = Path(sys.executable).with_name(name)
    ended = subprocess.run(
        [program, *words], env={**os.environ, **settings}, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@contextmanager
def posts() -> Iterator[tuple[str, "queue.Queue[tuple[str, bytes]]"]]:
    """A server on loopback, and what is posted to it: content type and body."""
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.put((self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", heard
        server.shutdown()


#: A page that the server refuses, and one that it takes.
REFUSE = f"""
import asyncio, runpy
flow = runpy.run_path({str(ROOT / "flows/campaign.py")!r})

async def post(key):
    return await flow["posted"]("a page", flow["acreate_markdown_artifact"]("x", key))

async def both():
    print(await post("Not A Key!"), type(await post("a-key")).__name__)

asyncio.run(both())
"""


def test_a_page_that_the_server_does_not_take_ends_nothing(server: Server, prefect: Mapping[str, str]) -> None:
    assert bin_("python", "-W", "ignore", "-c", REFUSE, **prefect).split()[-2:] == ["None", "UUID"]


def test_a_plan_over_its_budget_and_a_take_in_doubt_are_events(campaign: Flow, server: Server, tmp_path: Path) -> None:
    prompts = {name: PROMPTS[name] for name in ("dusk", "lost")}
    spec = make_studio(tmp_path / "studio", document(prompts))
    with serving() as provider:
        provider.scripts[PROMPTS["lost"]] = [ACCEPT_THEN_500]
        provider.has_list = False
        settings = {"EVOLINK_BASE_URL": provider.url, "EVOLINK_API_KEY": KEY, "EVOLINK_IDEMPOTENCY": "none"}
        ended = campaign.run(spec, **settings)
        assert ended["message"] == "1 of 2 archived, 1 in doubt"
        doubt = server.event(ended["run"], "callsheet.in-doubt")
        assert doubt["payload"]["labels"] == ["beach--none--lost--16x9"]
        assert "callsheet reconcile" in doubt["payload"]["next"]
        spec.write_text(spec.read_text().replace("$40.00", "$1.10") + "takes: 2\n")
        over = campaign.run(spec, **settings)
    assert over["message"].startswith("nothing was sent: budget: 2 variants cost 72 credits ($1.06), and the budget is")
    assert server.event(over["run"], "callsheet.budget-reached")["payload"]["variants"] == 2


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
        "spec", "sandbox", "only", "skip", "again", "limit", "pilot", "verdicts", "promote", "keep_unjudged", "attach_only",
        "send_reserved", "max_usd", "occurrence", "part", "cut_by", "approved", "approved_by",
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
    assert ended["message"] == "1 of 2 archived, 1 refused for lack of credit"
    assert server.flow_run(ended["run"])["name"] == "tiny (sandbox)"
    assert sorted(take.state for take in books.takes(home)) == ["archived", "released"]
    assert [job.state for job in books.jobs(home)] == ["completed"]
