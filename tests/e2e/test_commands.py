"""Every command as a person and as a program use it: one JSON document, exit codes, plain text in a pipe, what it imports."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from jsonschema import Draft202012Validator

import callsheet
from callsheet.credits import Credits
from callsheet.ledger.book import Booking, Ledger
from tests.conftest import free_port
from tests.e2e.conftest import CAMPAIGN, PATIENCE, ROOT, SPEC, Ended, NewStudio, Studio
from tests.steps.local_provider import FAIL_LATER, LocalProvider, serving

pytestmark = pytest.mark.slow

SLUG = "beach--none--dusk--16x9"
PROMPT = "Re-light the scene at dusk."
#: Terminals that can show colours and redraw.
TERM = "xterm-256color"

#: The stable keys (DESIGN, Commands). A command may say more, and never less.
PROBLEM = {"file", "line", "column", "end_line", "end_column", "path", "message", "hint", "severity"}
PLAN = {"campaign", "digest", "totals", "budget", "lines"}
TOTALS = {"variants", "shoot", "attach", "skip", "blocked", "credits", "usd"}
BUDGET = {"limit", "charged", "held", "left"}
LINE = {"slug", "key", "take", "action", "reason", "credits", "seconds", "model"}
RUN = {"campaign", "archived", "skipped", "failed", "in_doubt", "credits", "manifest", "board", "takes"}
STATUS = {"takes", "held", "charged"}
TAKE = {"slug", "key", "take", "state", "job", "route", "credits", "reason", "archive"}


def document(ended: Ended) -> Any:
    """The one JSON document on standard output; more than one, or a word beside it, is no JSON."""
    return json.loads(ended.out)


@pytest.fixture(scope="session")
def archived(rendered: tuple[Studio, Ended]) -> Studio:
    """A studio after a run, which had one variant."""
    return rendered[0]


# --- one document, with its keys --------------------------------------------------------------------------------------


def test_check_says_ok_in_one_document(studio: Studio) -> None:
    ended = studio.call("check", SPEC, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert document(ended) == {"ok": True, "problems": [], "notes": []}


def test_check_lists_the_problems_of_all_campaigns_in_one_document(studio: Studio) -> None:
    studio.change("aspect_ratios: [16:9]", "aspect_ratio: [4:3]")
    (studio.root / "specs/other.yaml").write_text(CAMPAIGN.replace("beach.mp4", "beech.mp4"))
    ended = studio.call("check", SPEC, "specs/other.yaml", "specs/gone.yaml", "--json")
    found = document(ended)
    assert (ended.code, found["ok"], ended.err) == (2, False, "")
    assert [(problem["file"], problem["line"], problem["column"]) for problem in found["problems"]] == [
        (SPEC, 10, 1),
        ("specs/other.yaml", 5, 10),
        ("specs/gone.yaml", 1, 1),
    ]
    assert all(problem.keys() == PROBLEM for problem in found["problems"])
    assert {problem["severity"] for problem in found["problems"]} == {"error"}


def test_check_without_json_says_the_number_of_problems_and_nothing_on_standard_output(studio: Studio) -> None:
    studio.change("aspect_ratios: [16:9]", "aspect_ratio: [4:3]")
    ended = studio.call("check", SPEC)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1] == "1 problem. Nothing was spent."


def test_plan_before_a_run_shoots_and_prices_every_variant(studio: Studio) -> None:
    ended = studio.call("plan", SPEC, "--json")
    plan = document(ended)
    assert ended.code == 0
    assert plan.keys() >= PLAN
    assert plan["totals"] == {
        "variants": 1,
        "shoot": 1,
        "attach": 0,
        "skip": 0,
        "blocked": 0,
        "credits": "36",
        "usd": "0.53",
    }
    assert plan["budget"] == {"limit": "340", "charged": "0", "held": "0", "left": "340"}
    (line,) = plan["lines"]
    assert line.keys() >= LINE
    assert (line["slug"], line["action"], line["credits"], line["seconds"]) == (SLUG, "shoot", "36", "3")
    assert re.fullmatch("[0-9a-f]{64}", plan["digest"])
    assert re.fullmatch("[0-9a-f]{64}", line["key"])
    assert not studio.home.joinpath("ledger.sqlite").exists()


def test_plan_after_a_run_skips_and_says_what_is_charged(archived: Studio) -> None:
    plan = document(archived.call("plan", SPEC, "--sandbox", "--json"))
    assert plan["totals"].items() >= {"shoot": 0, "skip": 1, "credits": "0", "usd": "0.00"}.items()
    assert plan["budget"] == {"limit": "340", "charged": "36", "held": "0", "left": "304"}
    assert plan["lines"][0]["reason"].startswith("archived on ")


def test_drafts_of_the_sandbox_are_no_renders_of_the_provider(archived: Studio) -> None:
    plan = document(archived.call("plan", SPEC, "--paid", "--json"))
    assert (plan["route"], plan["totals"]["shoot"], plan["totals"]["credits"]) == ("evolink", 1, "36")


def test_a_run_hands_back_its_account(rendered: tuple[Studio, Ended]) -> None:
    studio, ended = rendered
    account = document(ended)
    assert account.keys() >= RUN
    assert account.items() >= {"campaign": "tiny", "archived": 1, "skipped": 0, "failed": 0, "in_doubt": 0}.items()
    assert account["credits"] == "36"
    (take,) = account["takes"]
    assert (take["slug"], take["outcome"], take["state"]) == (SLUG, "archived", "archived")
    manifest = json.loads(Path(account["manifest"]).read_text())
    assert manifest["entries"][0]["slug"] == SLUG
    assert Path(account["board"]) == studio.root / "archive/tiny/review/index.html"
    assert "\ncost " in f"\n{ended.err}"  # the plan is said, beside the document


def test_a_second_run_skips_everything_and_costs_nothing(archived: Studio) -> None:
    before = files(archived)
    ended = archived.run("--json")
    account = document(ended)
    assert ended.code == 0, ended.err
    assert account.items() >= {"archived": 0, "skipped": 1, "failed": 0, "in_doubt": 0, "credits": "0"}.items()
    assert archived.takes() == ["archived"]
    assert files(archived) == before


def files(studio: Studio) -> dict[str, tuple[int, bytes]]:
    """Every file of the archive but the two that tell of the last run, which are written anew."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in studio.root.joinpath("archive").rglob("*")
        if path.is_file() and path.name not in ("manifest.json", "index.html")
    }


def test_status_lists_takes_and_sums(archived: Studio) -> None:
    status = document(archived.call("status", "--json"))
    assert status.keys() >= STATUS
    assert (status["held"], status["charged"]) == ("0", "36")
    (take,) = status["takes"]
    assert take.keys() >= TAKE
    assert (take["slug"], take["state"], take["route"], take["credits"]) == (SLUG, "archived", "sandbox", "36")
    assert (archived.root / "archive" / take["archive"]).is_file()
    assert document(archived.call("status", SPEC, "--json")) == status


def test_status_of_another_campaign_is_empty(archived: Studio) -> None:
    other = archived.root / "specs/other.yaml"
    other.write_text(CAMPAIGN.replace("campaign: tiny", "campaign: other"))
    status = document(archived.call("status", "specs/other.yaml", "--json"))
    assert status == {"takes": [], "held": "0", "charged": "0"}
    told = archived.call("status", "specs/other.yaml").out
    assert told.startswith("No takes; 0 credits")
    assert "What another campaign has bought is listed there: callsheet plan specs/other.yaml names it." in told


def test_spend_sums_up_by_campaign_and_route(archived: Studio) -> None:
    spend = document(archived.call("spend", "--json"))
    assert spend == {"spend": [{"campaign": "tiny", "route": "sandbox", "held": "0", "charged": "36"}], "months": []}


def test_before_the_first_run_there_are_no_takes_and_no_spending(studio: Studio) -> None:
    assert document(studio.call("status", "--json")) == {"takes": [], "held": "0", "charged": "0"}
    assert document(studio.call("spend", "--json")) == {"spend": [], "months": []}
    assert studio.call("status").out == "No takes; 0 credits ($0.00) held, 0 credits ($0.00) charged\n"
    assert studio.call("spend").out == "Nothing is held and nothing was charged.\n"


def test_review_builds_the_board_again_where_it_was(archived: Studio) -> None:
    board = archived.root / "archive/tiny/review/index.html"
    page = board.read_bytes()
    board.unlink()
    none = {"approve": 0, "reject": 0, "retake": 0, "judged": 0}
    said = {"campaign": "tiny", "board": str(board), "verdicts": none}
    assert document(archived.call("review", SPEC, "--json")) == said
    assert board.read_bytes() == page
    assert archived.call("review", SPEC).out == f"{board}\n"


def test_review_serves_the_board_keeps_its_verdicts_and_ends_with_ctrl_c(archived: Studio) -> None:
    folder = archived.root / "archive/tiny"
    entry = json.loads((folder / "manifest.json").read_bytes())["entries"][0]
    given: dict[str, Any] = {
        "campaign": "tiny",
        "draft": True,
        "plan": "",
        "verdicts": [
            {**{k: entry[k] for k in ("key", "slug", "axes")}, "says": "approve", "at": "2026-11-23T12:00:00Z"}
        ],
    }
    serving = archived.start("review", SPEC, "--serve", "--port", "0")
    assert serving.stdout is not None
    url = serving.stdout.readline().strip()
    here = {"Origin": url.split("/review/")[0].rsplit("/", 2)[0], "Content-Type": "application/json"}
    assert httpx.get(url).text.startswith("<!doctype html>")
    film = httpx.get(urljoin(url, f"../{entry['deliverable']}"), headers={"Range": "bytes=0-9"})
    assert (film.status_code, film.content) == (206, (folder / entry["deliverable"]).read_bytes()[:10])
    assert httpx.put(urljoin(url, "../verdicts.json"), json=given, headers=here).status_code == 200
    assert "Approved" in httpx.get(url).text
    taken = archived.call("review", SPEC, "--serve", "--port", str(urlsplit(url).port))
    assert (taken.code, "Choose another with --port" in taken.err) == (5, True)
    serving.send_signal(signal.SIGINT)
    serving.communicate(timeout=20)
    assert serving.returncode == 0
    judged = document(archived.call("review", SPEC, "--json"))["verdicts"]
    assert judged == {"approve": 1, "reject": 0, "retake": 0, "judged": 1}
    file = archived.root / "exported.json"
    given["verdicts"][0] |= {"says": "reject", "at": "2026-11-23T13:00:00Z"}
    file.write_text(json.dumps(given))
    merged = archived.call("review", SPEC, "--verdicts", "exported.json")
    assert "1 verdict merged from exported.json." in merged.err
    assert "Rejected" in (folder / "review/index.html").read_text()
    (folder / "verdicts.json").unlink()
    archived.call("review", SPEC)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--port", "4242"), 2, "is for --serve only"),
        (("--verdicts", "nowhere.json"), 2, "nowhere.json: error: the verdicts cannot be read: No such file"),
        (("--verdicts", SPEC), 2, "these are no verdicts: invalid JSON"),
        (("--serve", "--port", "70000"), 2, "70000 is not in the range"),
    ],
)
def test_review_says_what_is_wrong_with_its_options(
    archived: Studio, words: tuple[str, ...], code: int, said: str
) -> None:
    ended = archived.call("review", SPEC, *words)
    assert (ended.code, said in ended.err) == (code, True), ended.err


def test_review_before_the_first_run_says_to_run_first(studio: Studio) -> None:
    ended = studio.call("review", SPEC, "--json")
    assert ended.code == 2
    assert f"Run it first: callsheet run {SPEC} --sandbox" in ended.err
    assert document(ended)["error"]["hint"] == f"Run it first: callsheet run {SPEC} --sandbox"


def test_models_lists_the_catalogue(studio: Studio) -> None:
    models = document(studio.call("models", "--json"))["models"]
    assert {"kling-o1-video-edit", "kling-o1-video-edit-fast"} <= {model["name"] for model in models}
    lines = studio.call("models").out.splitlines()
    assert len(lines) == 1 + sum(model["makes"] == "video" for model in models)
    assert lines[1].startswith("kling-o1-video-edit ")


def test_schema_is_the_file_that_the_campaigns_name(studio: Studio) -> None:
    ended = studio.call("schema")
    assert ended.code == 0
    assert ended.out == (ROOT / "specs/campaign.schema.json").read_text("utf-8")


def test_the_version_is_said_in_one_line(studio: Studio) -> None:
    ended = studio.call("--version")
    assert (ended.code, ended.out, ended.err) == (0, f"callsheet {callsheet.__version__}\n", "")


@pytest.mark.parametrize("words", [("plan", SPEC, "--json"), ("status", SPEC, "--json"), ("reconcile", SPEC, "--json")])
def test_a_command_that_cannot_answer_says_why_in_its_document(studio: Studio, words: tuple[str, ...]) -> None:
    studio.write("campaign: [")
    ended = studio.call(*words)
    assert ended.code == 2
    assert f"{SPEC}:1:" in ended.err
    told = document(ended)
    assert (told["ok"], told["error"]["kind"], told["error"]["exit_code"]) == (False, "SpecSyntax", 2)
    assert [(one["file"], one["line"], one["column"]) for one in told["problems"]] == [(SPEC, 1, 12)]


# --- what goes wrong in a run ------------------------------------------------------------------------------------------


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    with serving() as running:
        yield running


def test_a_variant_that_fails_is_told_at_once_and_the_run_leaves_with_1(
    new_studio: NewStudio, prefect: Mapping[str, str], provider: LocalProvider, rendered: object
) -> None:
    provider.scripts[PROMPT] = [FAIL_LATER]
    studio = new_studio(**prefect, EVOLINK_BASE_URL=provider.url, EVOLINK_API_KEY="sk-evo-test")
    ended = studio.call("run", SPEC, "--yes", "--json")
    assert ended.code == 1, ended.err
    assert re.search(rf"^\d\d:\d\d     1 of 1  failed    {SLUG}  job task-unified-\S+ ended without", ended.err, re.M)
    account = document(ended)
    assert account.items() >= {"archived": 0, "failed": 1, "in_doubt": 0, "credits": "0"}.items()
    assert "content_policy_violation" in account["takes"][0]["reason"]
    status = document(studio.call("status", "--json"))
    assert (status["takes"][0]["state"], status["held"], status["charged"]) == ("failed", "0", "0")


@pytest.fixture
def doubtful(new_studio: NewStudio, prefect: Mapping[str, str]) -> Studio:
    """A studio whose only take left for a provider on this machine more than a year ago, and nobody ever answered."""
    address = f"http://127.0.0.1:{free_port()}"  # nobody listens there, and nothing is sent there
    studio = new_studio(**prefect, EVOLINK_BASE_URL=address, EVOLINK_API_KEY="sk-evo-test")
    plan = document(studio.call("plan", SPEC, "--json"))
    long_ago = datetime.now(UTC) - timedelta(days=400)
    booking = Booking(
        campaign="tiny",
        route=plan["route"],
        slug=SLUG,
        key=plan["lines"][0]["key"],
        number=1,
        price=Credits.of("36"),
        budget=None,
        plan=plan["digest"],
        supersedes=0,
    )
    studio.home.mkdir(exist_ok=True)
    with closing(Ledger(f"sqlite:///{studio.home}/ledger.sqlite", now=lambda: long_ago)) as ledger:
        take = ledger.reserve(booking)
        ledger.submitting(take.id, request={"prompt": PROMPT})
        ledger.in_doubt(take.id, reason="no answer")
    return studio


def test_reconcile_leaves_with_9_while_a_take_is_in_doubt_says_what_settles_it_and_settles_it(
    doubtful: Studio, rendered: object
) -> None:
    ended = doubtful.call("reconcile", SPEC, "--json")
    assert ended.code == 9, ended.err
    assert document(ended).items() >= {"archived": 0, "failed": 0, "in_doubt": 1}.items()
    assert f"callsheet reconcile {SPEC} --not-accepted 1" in ended.err
    assert doubtful.takes() == ["in_doubt"]
    settled = doubtful.call("reconcile", SPEC, "--not-accepted", "1", "--json")
    assert settled.code == 0, settled.err
    assert document(settled).items() >= {"archived": 0, "in_doubt": 0, "credits": "0"}.items()
    assert doubtful.takes() == ["released"]


# --- text: in a pipe, on a terminal, without colours --------------------------------------------------------------------

TEXTS = (("plan", SPEC), ("status",), ("models",), ("--help",), ("plan", "--hlep"), ("check", "specs/wrong.yaml"))


def test_a_pipe_gets_no_escape_codes(archived: Studio) -> None:
    archived.root.joinpath("specs/wrong.yaml").write_text("campaign: [tiny]\n")
    for words in TEXTS:
        ended = archived.call(*words, TERM=TERM)
        assert ended.out + ended.err
        assert "\x1b" not in ended.out + ended.err, words


def test_a_terminal_gets_colours_and_none_with_no_color(archived: Studio) -> None:
    archived.root.joinpath("specs/wrong.yaml").write_text("campaign: [tiny]\n")
    for words in (("plan", SPEC, "--sandbox"), ("check", "specs/wrong.yaml")):
        assert "\x1b[" in on_terminal(archived, *words, TERM=TERM), words
        assert "\x1b" not in on_terminal(archived, *words, TERM=TERM, NO_COLOR="1"), words


def test_on_a_terminal_a_run_shows_its_stages_and_leaves_its_account(
    new_studio: NewStudio, prefect: Mapping[str, str], rendered: object
) -> None:
    studio = new_studio(**prefect)
    said = on_terminal(studio, "run", SPEC, "--sandbox", "--yes", TERM=TERM, COLUMNS="80", LINES="24")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert re.search(r"render +━+ +0 of 1", plain)
    assert "at the provider" in plain or re.search(rf"render +\d+% {SLUG}", plain)
    assert "\nvariants   1 of 1 archived\n" in plain.replace("\r", "")
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1  # the cursor is given back


def on_terminal(studio: Studio, *words: str, **settings: str) -> str:
    """What the command writes to a terminal that is both its outputs."""
    keyboard, seat = os.openpty()
    command = Path(sys.executable).with_name("callsheet")
    environment = studio.environment(**settings)
    running = subprocess.Popen(
        [command, *words], cwd=studio.root, env=environment, stdin=subprocess.DEVNULL, stdout=seat, stderr=seat
    )
    os.close(seat)
    said = b""
    try:
        while piece := os.read(keyboard, 65536):
            said += piece
    except OSError:  # how a terminal without anybody at the other end ends
        pass
    finally:
        os.close(keyboard)
    running.wait(timeout=PATIENCE)
    return said.decode()


# --- the sandbox ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_sandbox_answers_until_it_is_told_to_stop_and_frees_its_port(
    studio: Studio, number: signal.Signals
) -> None:
    port = free_port()
    running = studio.start("sandbox", "--port", str(port))
    assert running.stdout is not None
    assert running.stdout.readline() == f"Callsheet sandbox on http://127.0.0.1:{port}\n"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        assert answer.status == 200
    running.send_signal(number)
    _, said = running.communicate(timeout=10)
    assert running.returncode == 0, said
    assert f"EVOLINK_BASE_URL=http://127.0.0.1:{port}" in said
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("command", ["sandbox", "webhooks"])
def test_a_server_says_where_it_is_as_one_document(studio: Studio, command: str) -> None:
    running = studio.start(command, "--port", "0", "--json")
    assert running.stdout is not None
    told = ""
    while not told.endswith("}\n"):
        read = running.stdout.readline()
        assert read, told
        told += read
    document = json.loads(told)
    port = urlsplit(document["url"]).port
    assert port is not None
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    running.send_signal(signal.SIGTERM)
    rest, _ = running.communicate(timeout=10)
    assert (running.returncode in (0, 130), rest) == (
        True,
        "",
    )  # told to stop before it heeds that as its end, or after


def asked(url: str, body: object = None) -> tuple[int, Any]:
    """Status and document of a request to the sandbox."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Authorization": "Bearer sk-any"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_sandbox_is_poor_faulty_and_spells_its_codes_as_it_is_told(studio: Studio) -> None:
    (studio.root / "faults.yaml").write_text(
        "- {on: credits, do: refuse, status: 429, retry_after: 3, skip: 1, times: 1}\n"
    )
    running = studio.start(
        "sandbox", "--port", "0", "--balance", "7", "--string-codes", "--faults", "faults.yaml", "--engine", "copy"
    )
    assert running.stdout is not None
    url = running.stdout.readline().split()[-1]
    balances = [asked(f"{url}/v1/credits") for _ in range(3)]
    assert [status for status, _ in balances] == [200, 429, 200]
    assert balances[0][1]["data"]["user"]["remaining_credits"] == 7
    poor = asked(f"{url}/v1/videos/generations", {"model": "kling-o3-text-to-video", "prompt": "dusk"})
    assert (poor[0], poor[1]["error"]["code"]) == (402, "insufficient_quota")
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=10)


def test_a_mistake_in_a_file_of_faults_is_told_with_its_place_before_anything_is_served(studio: Studio) -> None:
    (studio.root / "faults.yaml").write_text("seed: 1\nfaults:\n- {on: submit, do: explode}\n")
    ended = studio.call("sandbox", "--port", "0", "--faults", "faults.yaml")
    assert ended.code == 2
    assert "faults.yaml:3:" in ended.err
    assert studio.call("sandbox", "--port", "0", "--faults", "none.yaml").code == 2
    assert studio.call("sandbox", "--port", "0", "--engine", "copy", "--render-seconds", "nan").code == 2
    assert studio.call("sandbox", "--port", "0", "--engine", "draft", "--render-seconds", "3").code == 2


# --- what a command costs before it begins ----------------------------------------------------------------------------

PROBE = """
import sys
from callsheet.cli.main import main
sys.argv = ["callsheet", *sys.argv[2:]]
try:
    main()
finally:
    heavy = {"prefect", "boto3", "sqlalchemy"} & sys.modules.keys()
    open(HEAVY, "w").write(" ".join(sorted(heavy)))
"""


def imported(studio: Studio, *words: str) -> set[str]:
    """The slow libraries that this command has loaded by its end."""
    report = studio.root / "heavy.txt"
    program = f"HEAVY = {str(report)!r}\n{PROBE}"
    subprocess.run(
        [sys.executable, "-c", program, "-", *words], cwd=studio.root, env=studio.environment(), check=True, timeout=60,
        capture_output=True,
    )  # fmt: skip
    return set(report.read_text().split())


def test_check_and_plan_load_neither_prefect_nor_boto3_and_no_database_before_there_is_a_ledger(studio: Studio) -> None:
    assert imported(studio, "check", SPEC) == set()
    assert imported(studio, "plan", SPEC) == set()


def test_with_a_ledger_check_still_loads_none_and_plan_only_the_database(archived: Studio) -> None:
    assert imported(archived, "check", SPEC) == set()
    assert imported(archived, "plan", SPEC) == {"sqlalchemy"}


def test_the_films_are_told_to_other_programs(archived: Studio, tmp_path: Path) -> None:
    table = tmp_path / "films.csv"
    ended = archived.call("export", SPEC, "--out", str(table), "--json", CALLSHEET_ARCHIVE_URL="https://x.example/f/")
    (film,) = document(ended)["films"]
    assert (ended.code, film["link"]) == (0, f"https://x.example/f/tiny/{film['name']}.mp4")
    assert table.read_text().splitlines()[0].startswith("name,link,clip,references,prompt,aspect_ratio,")
    refused = archived.call("export", SPEC, "--approved")
    assert (refused.code, refused.out) == (2, "")
    assert "No film of this campaign was approved" in refused.err
    entry = json.loads((archived.root / "archive/tiny/manifest.json").read_text())["entries"][0]
    said = {name: entry[name] for name in ("key", "slug", "axes")} | {"says": "approve", "at": "2026-11-27T09:00:00Z"}
    reviewed = tmp_path / "reviewed.json"
    for seen, code in (("0" * 64, 2), (entry["sha256"], 0)):
        gone = said | {"key": "f" * 64}
        given = {"campaign": "tiny", "draft": True, "plan": "0" * 64, "verdicts": [said | {"film": seen}, gone]}
        reviewed.write_text(json.dumps(given))
        told = archived.call("export", SPEC, "--approved", "--verdicts", str(reviewed))
        assert (told.code, "another film now than the one that was approved" in told.err) == (code, code == 2)
        assert ("1 approval is of content that the campaign no longer has" in told.err) == (code == 0)
    other = tmp_path / "verdicts.json"
    other.write_text(json.dumps({"campaign": "other", "draft": True, "plan": "0" * 64, "verdicts": []}))
    strange = archived.call("export", SPEC, "--verdicts", str(other))
    assert (strange.code, strange.out) == (2, "")
    assert "'other'" in strange.err


def test_a_manifest_that_is_broken_is_told_as_one_with_what_to_run(studio: Studio) -> None:
    (studio.root / "archive/tiny").mkdir(parents=True)
    (studio.root / "archive/tiny/manifest.json").write_text("{")
    ended = studio.call("export", SPEC)
    assert (ended.code, ended.out) == (7, "")
    assert "callsheet verify specs/tiny.yaml --rebuild" in ended.err


# --- verify, and the schemas of documents -------------------------------------------------------------------------------

FILM = "tiny/beach--none--dusk--16x9--t1.mp4"


@pytest.fixture
def archive(rendered: tuple[Studio, Ended], tmp_path: Path) -> Path:
    """A copy of what was archived."""
    shutil.copytree(rendered[0].root / "archive", tmp_path / "archive")
    return tmp_path / "archive"


def test_an_archive_is_read_and_found_whole(rendered: tuple[Studio, Ended]) -> None:
    studio, _ = rendered
    for target in ([SPEC], []):
        ended = studio.call("verify", *target)
        assert (ended.code, ended.err) == (0, "")
        assert "result     every byte is as it was archived" in ended.out
    told = json.loads(studio.call("verify", SPEC, "--json").out)
    assert (told["ok"], told["films"], told["takes"], told["findings"], told["rebuilt"]) == (True, 1, 1, [], [])


def test_what_is_wrong_is_said_with_exit_code_7(rendered: tuple[Studio, Ended], archive: Path) -> None:
    studio, _ = rendered
    (archive / FILM).unlink()
    ended = studio.call("verify", str(archive))
    assert ended.code == 7
    assert f"wrong      {FILM}: the film is gone." in ended.out
    (archive / "tiny/manifest.json").unlink()
    told = json.loads(studio.call("verify", str(archive), "--rebuild", "--json").out)
    assert [one["kind"] for one in told["findings"]] == ["missing"]
    assert told["rebuilt"][0]["entries"] == 1


def test_a_place_that_is_none_is_refused(studio: Studio) -> None:
    for target, words in (
        ("nowhere", "nowhere: error: there is no such folder or campaign."),
        ("s3://", "s3://: error: s3:// names no bucket."),
        (SPEC, f"{SPEC}: error: Nothing of this campaign is in the archive yet."),
        ("media/page.jpg", "media/page.jpg"),
    ):
        ended = studio.call("verify", target)
        assert ended.code == 2, target
        assert words in ended.err
    ended = studio.call("verify")
    assert (ended.code, "there is no archive here" in ended.err) == (2, True)
    ended = studio.call("verify", "media", "--rebuild")
    assert (ended.code, "there is no sidecar" in ended.err) == (2, True)


def test_every_document_has_a_schema(studio: Studio, archive: Path) -> None:
    for name, file in (("sidecar", FILM.replace(".mp4", ".json")), ("manifest", "tiny/manifest.json")):
        schema = json.loads(studio.call("schema", "--of", name).out)
        Draft202012Validator(schema).validate(json.loads((archive / file).read_bytes()))
    ended = studio.call("schema", "--of", "sidecars")
    assert (ended.code, "did you mean `sidecar`?" in ended.err) == (2, True)


# --- without a Prefect server -------------------------------------------------------------------------------------------


def test_a_run_without_a_server_says_what_every_run_says_and_nothing_of_prefect(studio: Studio) -> None:
    ended = studio.call("run", SPEC, "--sandbox", "--yes", "--ephemeral")
    assert ended.code == 0, ended.err
    assert "1 of 1 archived" in ended.out
    assert not [line for line in ended.err.splitlines() if "prefect" in line.lower() or "ERROR" in line]
