"""Bad input, through the command a person types: one clear error a mistake, at its place, and nothing spent or sent."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from threading import Thread

import pytest
from sqlalchemy import create_engine, text

from callsheet.ledger.book import Ledger
from callsheet.ledger.tables import SCHEMA_VERSION
from tests.e2e.conftest import CAMPAIGN, SPEC, Ended, NewStudio, Studio

pytestmark = pytest.mark.slow

BEACH = "beach: media/beach.mp4"
NONE = "none: []"
DUSK = "dusk: Re-light the scene at dusk."
RATIO = "aspect_ratios: [16:9]"
RUN = ("run", SPEC, "--sandbox", "--yes")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing done wrong, and what is to be said of it. In all texts {port} is a taken port and {home} CALLSHEET_HOME."""

    code: int
    message: str
    hint: str = ""
    #: What of the campaign is replaced by what.
    change: tuple[str, str] = ("", "")
    words: tuple[str, ...] = RUN
    settings: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Studio], object] = lambda studio: None


def is_error(line: str) -> bool:
    """Of a place in a file, or of something that has none."""
    return " error: " in f" {line}" or bool(re.match(r"\S+:\d+:\d+: (?!warning: |note: )", line))


def assert_refused(ended: Ended, code: int, message: str, hint: str = "") -> None:
    """One error, with this place and these words and this way on, the right exit code, and nothing else on stdout."""
    assert ended.code == code, ended.err
    errors = [line for line in ended.err.splitlines() if is_error(line)]
    assert len(errors) == 1, ended.err
    assert errors[0].startswith(message), ended.err
    assert hint in ended.err
    assert ended.err.count("Nothing was spent.") == 1, ended.err
    assert "Traceback" not in ended.err
    assert "secret" not in ended.err
    if ended.out:  # of a --json command: the same error, as the one document
        document = json.loads(ended.out)
        assert (document["ok"], document["error"]["exit_code"], document["error"]["spent"]) == (False, code, "no")
        assert document["error"]["message"] in " ".join(ended.err.split())


def spec(code: int, after: str, message: str, hint: str = "", *, before: str) -> Case:
    """A mistake in the campaign, told at its line and column."""
    return Case(code=code, change=(before, after), message=f"{SPEC}:{message}", hint=hint)


CASES = {
    # the campaign as it is written
    "a tab": spec(
        2,
        f"\t{BEACH}",
        "5:1: a tab is used for indentation; YAML allows only spaces.",
        "Replace the tab by spaces.",
        before=f"  {BEACH}",
    ),
    "an unknown key": spec(
        2,
        "aspect_ratio: [16:9]",
        "10:1: aspect_ratio: unknown key `aspect_ratio`; did you mean `aspect_ratios`?",
        before=RATIO,
    ),
    "an aspect ratio that the model has not": spec(
        2,
        "aspect_ratios: [4:3]",
        "10:17: aspect_ratios[0]: `4:3` is not an aspect ratio of kling-o1-video-edit; it takes 16:9, 9:16 or 1:1.",
        before=RATIO,
    ),
    "a key twice": spec(
        2,
        "budget: $5.00\nbudget: $50.00",
        "4:1: the key `budget` stands here a second time; the first is in line 3.",
        "Remove one of the two, or rename it.",
        before="budget: $5.00",
    ),
    "a long prompt": spec(
        2,
        f"dusk: {'x' * 5001}",
        "9:9: prompts.dusk: the prompt has 5,001 characters, and kling-o1-video-edit takes at most 5,000.",
        "Shorten it.",
        before=DUSK,
    ),
    "five images in a list": spec(
        2,
        "many: [media/many/0.jpg, media/many/1.jpg, media/many/2.jpg, media/many/3.jpg, media/many/4.jpg]",
        "7:9: references.many: 5 images, and kling-o1-video-edit takes at most 4.",
        "Remove 1, or declare another set.",
        before=NONE,
    ),
    "five images by a glob": spec(
        2,
        "many: [media/many/*.jpg]",
        "7:9: references.many: 5 images, and kling-o1-video-edit takes at most 4.",
        "Keep 4 of them, or declare two reference sets.",
        before=NONE,
    ),
    "an exclude that leaves nothing": spec(
        2,
        f"{RATIO}\nsweep: {{exclude: [{{clip: beach}}]}}",
        "11:9: sweep.exclude: this leaves no variant of the sweep.",
        "Loosen sweep.exclude, or add to sweep.include.",
        before=RATIO,
    ),
    "an archive in a bucket that cannot be": spec(
        2,
        f"{RATIO}\narchive: {{to: s3://My_Bucket/prefix}}",
        "11:15: archive.to: 'My_Bucket' is no name of a bucket: 3 to 63 small letters, digits, hyphens and dots.",
        "Write s3://bucket/prefix.",
        before=RATIO,
    ),
    # its media
    "a clip that is not there": spec(
        2,
        "beach: media/beech.mp4",
        "5:10: clips.beach: there is no file media/beech.mp4.",
        "Did you mean media/beach.mp4?",
        before=BEACH,
    ),
    "a clip that is a folder": spec(
        2,
        "beach: media/many",
        "5:10: clips.beach: there is no file media/many.",
        "That is a folder; for all its files write media/many/*.",
        before=BEACH,
    ),
    "a long clip": spec(
        2,
        "beach: media/long.mp4",
        "5:10: clips.beach: media/long.mp4 is 12.4 s long, and the model takes at most 10 s.",
        "Write beach: {source: media/long.mp4, trim: 0s..10s}, or declare two clips.",
        before=BEACH,
    ),
    "a trim outside the clip": spec(
        2,
        "beach: {source: media/beach.mp4, trim: 2s..9s}",
        "5:42: clips.beach.trim: media/beach.mp4 is 3 s long, and its trim asks for 2 s to 9 s.",
        "Set trim within 0s..3s.",
        before=BEACH,
    ),
    "a text as clip": spec(
        3,
        "beach: media/notes.mp4",
        "5:10: clips.beach: media/notes.mp4 is not a video: it begins like text.",
        "Check the download, or use another file.",
        before=BEACH,
    ),
    "an empty clip": spec(
        3,
        "beach: media/nothing.mp4",
        "5:10: clips.beach: media/nothing.mp4 is not a video: it is empty (0 bytes).",
        "Check the download, or use another file.",
        before=BEACH,
    ),
    "a truncated clip": spec(
        3,
        "beach: media/beach-cut.mp4",
        "5:10: clips.beach: media/beach-cut.mp4 is cut off: ",
        "Copy or download it again.",
        before=BEACH,
    ),
    "a truncated clip whose index is whole": spec(
        3,
        "beach: media/index-in-front-cut.mp4",
        "5:10: clips.beach: media/index-in-front-cut.mp4 is cut off: ",
        "Copy or download it again.",
        before=BEACH,
    ),
    "a web page as picture": spec(
        3,
        'pictures: ["media/many/[01].jpg", media/page.jpg]',
        "7:37: references.pictures[1]: media/page.jpg is not a picture: it begins like a web page.",
        "Check the download, or use another file.",
        before=NONE,
    ),
    "a video as picture": spec(
        3,
        "pictures: [media/beach.mp4]",
        "7:14: references.pictures[0]: media/beach.mp4 is not a picture: it begins like a video.",
        "Videos belong under clips; a reference is a picture.",
        before=NONE,
    ),
    "a clip at home": spec(
        2,
        "beach: ~/beach.mov",
        "5:10: clips.beach: there is no file ~/beach.mov.",
        "~ stands for no folder here: write the whole path, or one that begins at ",
        before=BEACH,
    ),
    "an aspect ratio with a space": spec(
        2,
        "aspect_ratios: ['16:9 ']",
        "10:17: aspect_ratios[0]: `16:9` has a space before or after it.",
        "Take the space away.",
        before=RATIO,
    ),
    "a prompt from a file of the machine": spec(
        2,
        "dusk: {file: /etc/hostname}",
        "9:16: prompts.dusk.file: /etc/hostname lies outside of the studio, and a prompt is sent to the provider.",
        "Copy the text to where specs/ is, as specs/dusk.txt.",
        before=DUSK,
    ),
    "a prompt from a link that leads out of the studio": Case(
        code=2,
        change=(DUSK, "dusk: {file: specs/out.txt}"),
        prepare=lambda studio: (studio.root / "specs/out.txt").symlink_to("/etc/hostname"),
        message=f"{SPEC}:9:16: prompts.dusk.file: specs/out.txt lies outside of the studio, and a prompt is sent to",
    ),
    "a prompt from the file with the key": Case(
        code=2,
        change=(DUSK, "dusk: {file: .env}"),
        prepare=lambda studio: (studio.root / ".env").write_text("EVOLINK_API_KEY=sk-evo-0123456789\n"),
        message=f"{SPEC}:9:16: prompts.dusk.file: .env is a hidden file, and a prompt is sent to the provider.",
    ),
    "a campaign that extends the file with the key": Case(
        code=2,
        change=("campaign: tiny", "extends: ../.env\ncampaign: tiny"),
        prepare=lambda studio: (studio.root / ".env").write_text("EVOLINK_API_KEY=sk-evo-secret-0123456789\n"),
        message=".env:1:1: what is extended is a mapping of keys, and this is text.",
    ),
    # the file
    "a campaign that is not there": Case(
        words=("run", "specs/tinny.yaml", "--sandbox", "--yes"),
        code=2,
        message="specs/tinny.yaml: error: There is no such file.",
        hint=f"Did you mean {SPEC}?",
    ),
    "a folder as campaign": Case(
        words=("run", "specs", "--sandbox", "--yes"),
        code=2,
        message="specs: error: This is a folder, and a campaign is one YAML file.",
        hint=f"Campaigns here: {SPEC}.",
    ),
    "a film as campaign": Case(
        words=("run", "media/beach.mp4", "--sandbox", "--yes"),
        code=2,
        message="media/beach.mp4: error: This is not a text file, and a campaign is YAML in UTF-8.",
        hint=f"Campaigns here: {SPEC}.",
    ),
    "a campaign without an end": Case(
        words=("check", "/dev/zero"),
        code=2,
        message="/dev/zero: error: This is not a text file, and a campaign is YAML in UTF-8.",
    ),
    # money
    "a budget that is too small": spec(
        4,
        "budget: $0.30",
        "3:9: budget: ",
        "cost 36 credits ($0.53), and the budget is 20.4 credits ($0.30): 15.6 credits ($0.23) short.",
        before="budget: $5.00",
    ),
    "a run dearer than --max-usd": Case(
        change=(RATIO, "aspect_ratios: [16:9, 9:16, 1:1]"),
        words=(*RUN, "--max-usd", "1"),
        code=4,
        message="error: this run costs 108 credits ($1.59), and --max-usd allows 68 credits ($1.00).",
        hint="Raise --max-usd, or select fewer variants with --only.",
    ),
    "a --max-usd that is a word": Case(
        words=(*RUN, "--max-usd", "banana"),
        code=2,
        message="--max-usd: error: 'banana' is not an amount of dollars.",
        hint="Write it like --max-usd 25.00",
    ),
    "a --max-usd below nothing": Case(
        words=(*RUN, "--max-usd", "-5"),
        code=2,
        message="--max-usd: error: '-5' is not an amount of dollars.",
    ),
    "neither a terminal nor --yes": Case(
        words=("run", SPEC, "--sandbox"),
        code=4,
        message="error: this run costs 36 credits ($0.53), and there is no terminal to ask for approval at.",
        hint=f"Look at `callsheet plan {SPEC}`, then pass --yes",
    ),
    "neither a terminal nor --yes, for JSON": Case(
        words=("run", SPEC, "--sandbox", "--json"),
        code=4,
        message="error: this run costs 36 credits ($0.53), and there is no terminal to ask for approval at.",
    ),
    "a run above approve_above that nobody can approve": Case(
        change=("budget: $5.00", "budget: $5.00\napprove_above: $0.10"),
        words=("run", SPEC, "--sandbox"),
        code=4,
        message="error: this run costs 36 credits ($0.53), above approve_above (6.8 credits ($0.10)), and there is no",
    ),
    # the provider, the sandbox, Prefect
    "no key": Case(
        words=("run", SPEC, "--yes"),
        code=5,
        message="error: There is no EVOLINK_API_KEY, so nothing can be rendered by the provider.",
        hint="Set EVOLINK_API_KEY in the environment or in .env to render for money, or add --sandbox to render free",
    ),
    "a provider over plain http": Case(
        words=("run", SPEC, "--yes"),
        settings={"EVOLINK_BASE_URL": "http://example.com", "EVOLINK_API_KEY": "sk-evo-secret"},
        code=2,
        message="EVOLINK_BASE_URL: error: must be an https:// URL; plain http is for this machine only",
        hint="Correct it in the environment or in .env, or unset it.",
    ),
    "a provider over plain http, only checked": Case(
        words=("check", SPEC),
        settings={"EVOLINK_BASE_URL": "http://example.com"},
        code=2,
        message="EVOLINK_BASE_URL: error: must be an https:// URL; plain http is for this machine only",
    ),
    "a number that is a word": Case(
        settings={"CALLSHEET_MAX_IN_FLIGHT": "banana"},
        code=2,
        message="CALLSHEET_MAX_IN_FLIGHT: error: must be a whole number from 1 to 1000",
    ),
    "a ledger on another database": Case(
        settings={"CALLSHEET_LEDGER": "mysql://me:secret@127.0.0.1/books"},
        code=2,
        message="CALLSHEET_LEDGER: error: must be sqlite:/// and the path of a file, or postgresql://",
    ),
    "a ledger on a server that does not run": Case(
        settings={"CALLSHEET_LEDGER": "postgresql://me:secret@127.0.0.1:9/books"},
        code=6,
        message="CALLSHEET_LEDGER: error: The ledger cannot be used now: ",
        hint="Check that the server runs",
    ),
    "a port that is a word": Case(
        settings={"PREFECT_SERVER_API_PORT": "banana"},
        code=2,
        message="PREFECT_SERVER_API_PORT: error: this is not the number of a port.",
        hint="Write one from 1 to 65535, or unset it for 4200.",
    ),
    "a Prefect server without /api": Case(
        settings={"PREFECT_API_URL": "http://127.0.0.1:{port}"},
        code=2,
        message="PREFECT_API_URL: error: this is not the address of a Prefect API.",
        hint="It is http://HOST:PORT with /api behind it.",
    ),
    "a sandbox on a port that is taken": Case(
        words=("sandbox", "--port", "{port}"),
        code=5,
        message="error: Port {port} of 127.0.0.1 is taken by another program.",
        hint="Choose another with --port, or --port 0 for any free one.",
    ),
    "a Prefect port taken by something else": Case(
        settings={"PREFECT_SERVER_API_PORT": "{port}"},
        code=5,
        message="error: Port {port} of this machine is taken by something that is not a Prefect server.",
        hint="choose another with PREFECT_SERVER_API_PORT={next}, or pass --ephemeral for no server.",
    ),
    "a Prefect address taken by something else": Case(
        settings={"PREFECT_API_URL": "http://127.0.0.1:{port}/api"},
        code=5,
        message="error: Port {port} of this machine is taken by something that is not a Prefect server.",
        hint="choose another port, as {next}, in PREFECT_API_URL, or pass --ephemeral for no server.",
    ),
    # the place
    "no checkout": Case(
        prepare=lambda studio: (studio.root / "prefect.yaml").unlink(),
        code=8,
        message="error: No prefect.yaml in ",
        hint="Change into a studio, the folder with flows/ and prefect.yaml, or lay one out: callsheet init DIR",
    ),
    "an --only that matches nothing": Case(
        words=(*RUN, "--only", "beech--*"),
        code=2,
        message="error: --only beech--* matches none of the ",
        hint="A slug looks like beach--none--dusk--16x9; `callsheet plan --lines` lists them all.",
    ),
    "an --only that is a part of slugs": Case(
        words=(*RUN, "--only", "beach"),
        code=2,
        message="error: --only beach matches none of the ",
        hint="Write --only 'beach--*', which matches ",
    ),
    "a clip that is not there, outside of a studio": Case(
        change=(BEACH, "beach: media/xyz.mov"),
        prepare=lambda studio: (studio.root / "prefect.yaml").unlink(),
        words=("check", SPEC),
        code=2,
        message=f"{SPEC}:5:10: clips.beach: there is no file media/xyz.mov.",
        hint="where you are: no prefect.yaml, which a studio has, is there or above it or the campaign.",
    ),
    "a home that is a file": Case(
        prepare=lambda studio: studio.home.write_text("not a folder"),
        code=6,
        message="{home}: error: CALLSHEET_HOME cannot be a folder that is written to: a file stands in its place.",
        hint="Set CALLSHEET_HOME to a folder of yours, or remove what is there.",
    ),
    "a home that is a file, for the sandbox": Case(
        prepare=lambda studio: studio.home.write_text("not a folder"),
        words=("sandbox", "--port", "0"),
        code=6,
        message="{home}: error: CALLSHEET_HOME cannot be a folder that is written to: a file stands in its place.",
    ),
    "an archive that cannot be written": Case(
        change=(RATIO, f"{RATIO}\narchive: {{to: media/page.jpg}}"),
        code=7,
        message=f"{SPEC}:11:15: the archive folder media/page.jpg cannot be written: a file stands in its place.",
        hint="set archive: {to: …} to another folder",
    ),
    "a take that the ledger does not know": Case(
        words=("reconcile", SPEC, "--not-accepted", "99"),
        code=6,
        message="error: there is no take 99.",
        hint="`callsheet status` lists them.",
    ),
}


@pytest.fixture(scope="session")
def taken_port() -> Iterator[int]:
    """Somebody else's web server, which knows no page."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield int(server.server_port)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, new_studio: NewStudio, taken_port: int
) -> Iterator[Callable[[str], tuple[Studio, Ended]]]:
    """How each case that was asked for ended; they are run two at a time, since there is a process for each."""
    wanted = [name for name in CASES if any(f"[{name}]" in item.name for item in request.session.items)]
    studios = {name: _laid_out(CASES[name], new_studio()) for name in wanted}
    with ThreadPoolExecutor(max_workers=2) as pool:
        calls = {name: pool.submit(_called, CASES[name], studios[name], taken_port) for name in wanted}
        yield lambda name: (studios[name], calls[name].result())


def _laid_out(case: Case, studio: Studio) -> Studio:
    if case.change[0]:
        studio.change(*case.change)
    case.prepare(studio)
    return studio


def _called(case: Case, studio: Studio, port: int) -> Ended:
    settings = {name: value.replace("{port}", str(port)) for name, value in case.settings.items()}
    return studio.call(*(word.replace("{port}", str(port)) for word in case.words), **settings)


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_one_clear_error_and_nothing_is_spent(
    name: str, outcomes: Callable[[str], tuple[Studio, Ended]], taken_port: int
) -> None:
    studio, ended = outcomes(name)
    texts = {"{port}": str(taken_port), "{next}": str(taken_port + 1), "{home}": str(studio.home)}
    message, hint = CASES[name].message, CASES[name].hint
    for mark, value in texts.items():
        message, hint = message.replace(mark, value), hint.replace(mark, value)
    assert_refused(ended, CASES[name].code, message, hint)
    assert bool(ended.out) == ("--json" in CASES[name].words)
    assert studio.untouched()


# --- more than one mistake, and how it looks ------------------------------------------------------------------------


def test_the_line_is_shown_with_a_mark_under_the_place_also_behind_wide_letters(studio: Studio) -> None:
    studio.change(DUSK, "dusk: {text: 夕暮れの光, txt: x}")
    _, line, mark, *_ = studio.run().err.splitlines()
    assert line == "    9 |   dusk: {text: 夕暮れの光, txt: x}"
    assert mark.index("^") == line.index("txt") + len("夕暮れの光")  # each of these letters is two columns wide


def test_a_yaml_bomb_is_refused_in_no_time(studio: Studio) -> None:
    names = "abcdefghi"
    layers = [f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]" for below, name in pairwise(names)]
    studio.write("\n".join(["a: &a [x, x, x, x, x, x, x, x, x]", *layers]))
    began = time.monotonic()
    ended = studio.run()
    assert time.monotonic() - began < 5
    assert_refused(ended, 2, f"{SPEC}:5:", "Split the campaign.")
    assert "more than 20,000 values" in ended.err


SEVERAL = """\
campaign: tiny
model: kling-o1-video-edit
budget: five dollars
clips:
  beach: {sorce: media/beach.mp4, trim: 9..4}
prompts:
  dusk: "{{ wether }} at dusk"
aspect_ratios: [4:3]
takes: 0
"""


def test_all_mistakes_of_a_campaign_are_told_at_once_in_the_order_of_the_file(studio: Studio) -> None:
    studio.write(SEVERAL)
    ended = studio.run()
    assert ended.code == 2
    assert places(ended) == ["3:9", "5:11", "5:41", "7:10", "8:17", "9:8"]
    assert ended.err.count("Nothing was spent.") == 1
    assert studio.untouched()


def test_files_that_are_missing_do_not_hide_files_that_are_wrong(studio: Studio) -> None:
    clips = "\n  ".join([BEACH, "pier: media/peer.mp4", "text: media/notes.mp4", "long: media/long.mp4"])
    studio.write(CAMPAIGN.replace(BEACH, clips).replace(NONE, "pictures: [media/page.jpg, media/stil.jpg]"))
    ended = studio.run()
    assert ended.code == 2
    assert places(ended) == ["6:9", "7:9", "8:9", "10:14", "10:30"]
    assert "Did you mean media/still.jpg?" in ended.err


def test_a_mistake_in_the_text_does_not_hide_files_that_are_missing(studio: Studio) -> None:
    clip, pictures = "{source: media/beech.mp4, trim: 1s..x}", "[media/none.jpg, media/manny/*.jpg, s3://b/k.jpg, '']"
    studio.write(CAMPAIGN.replace(BEACH, f"beach: {clip}").replace(NONE, f"pictures: {pictures}"))
    ended = studio.call("check", SPEC)
    places = [line.split(": ")[1] for line in ended.err.splitlines() if is_error(line)]
    assert (ended.code, places) == (
        2,
        [
            "clips.beach.source",
            "clips.beach.trim",
            "references.pictures[0]",
            "references.pictures[1]",
            "references.pictures[3]",
        ],
    )


def test_two_files_of_a_glob_that_would_be_one_clip_are_both_named(studio: Studio) -> None:
    for name in ("a_1.mp4", "a-1.mp4"):
        (studio.root / "media" / name).hardlink_to(studio.root / "media/beach.mp4")
    studio.change(BEACH, "beach: media/a*.mp4")
    message = f"{SPEC}:5:10: clips.beach: a-1.mp4 and a_1.mp4 would both be the clip `beach-a-1`."
    assert_refused(studio.run(), 2, message, "Rename one of the files")


def places(ended: Ended) -> list[str]:
    errors = [line for line in ended.err.splitlines() if is_error(line)]
    return [line.removeprefix(f"{SPEC}:").partition(": ")[0] for line in errors]


def test_a_campaign_of_another_studio_is_not_run_from_here(studio: Studio, new_studio: NewStudio) -> None:
    """Its `.env` and `routes.toml` would say where the keys of this environment are sent."""
    other = new_studio()
    (other.root / "routes.toml").write_text('[mirror]\napi = "https://example.com"\nkey = "AWS_SECRET_ACCESS_KEY"\n')
    for words in (("run", f"{other.root}/{SPEC}", "--sandbox", "--yes"), ("reconcile", f"{other.root}/{SPEC}")):
        ended = studio.call(*words, EVOLINK_API_KEY="sk-secret")
        assert_refused(ended, 2, f"error: the campaign is of the studio {other.root}", "Where you trust that studio")
    assert other.untouched()


def test_nobody_else_of_the_machine_looks_into_the_home(studio: Studio) -> None:
    before = os.umask(0o022)
    try:
        assert studio.call("check", SPEC).code == 0
        assert studio.call("prepare", "media/beach.mp4", "--out", str(studio.root / "made")).code == 0
        assert studio.call("plan", SPEC).code == 0
    finally:
        os.umask(before)
    folders = [studio.home, *(path for path in studio.home.rglob("*") if path.is_dir())]
    assert {path: oct(path.stat().st_mode & 0o777) for path in folders} == dict.fromkeys(folders, "0o700")


def test_a_module_beside_the_campaign_is_not_run(studio: Studio) -> None:
    for name in ("json.py", "av.py", "numpy.py"):
        (studio.root / name).write_text("open('ran', 'w').close()\nraise SystemExit(3)\n")
    for command in ("check", "plan"):
        assert studio.call(command, SPEC).code == 0
    assert not (studio.root / "ran").exists()


def test_a_file_of_something_else_is_not_taken_for_a_manifest_and_replaced(studio: Studio) -> None:
    there = studio.root / "archive/tiny/manifest.json"
    there.parent.mkdir(parents=True)
    there.write_text('{"name": "a web application"}')
    assert_refused(studio.run("--json"), 7, "error: ", "to another folder")
    assert there.read_text() == '{"name": "a web application"}'
    assert studio.untouched()


# --- the ledger, the archive, and who else is there -------------------------------------------------------------------


def test_a_ledger_of_another_version_is_refused_and_left_alone(studio: Studio) -> None:
    studio.home.mkdir()
    url = f"sqlite:///{studio.home}/ledger.sqlite"
    Ledger(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("update ledger_version set version = 99"))
    engine.dispose()
    before = (studio.home / "ledger.sqlite").read_bytes()
    ended = studio.run()
    reads = f"this Callsheet reads version {SCHEMA_VERSION}."
    message = f"{studio.home}/ledger.sqlite: error: The ledger is of version 99, and {reads}"
    assert_refused(ended, 6, message, "Run: pip install --upgrade callsheet")
    assert (studio.home / "ledger.sqlite").read_bytes() == before
    assert studio.untouched()


def test_a_ledger_that_is_no_database_is_refused_and_left_alone(studio: Studio) -> None:
    studio.home.mkdir()
    notes = studio.home / "ledger.sqlite"
    notes.write_text("Remember to film the beach. " * 100)
    assert_refused(studio.run(), 6, f"{notes}: error: The ledger cannot be used now: file is not a database.")
    assert notes.read_text().startswith("Remember")


# --- a person at the terminal -------------------------------------------------------------------------------------


Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def terminal() -> Terminal:
    """Run the campaign with a person at the keyboard, who gives an answer or presses Ctrl-C at the question."""

    def sit_down(studio: Studio, *, answer: bytes = b"", interrupt: bool = False) -> tuple[int, str]:
        keyboard, seat = os.openpty()
        try:
            running = studio.start("run", SPEC, "--sandbox", stdin=seat, stderr=seat)
            said = b""
            while b"[y/N]" not in said:
                said += os.read(keyboard, 4096)
            if interrupt:
                running.send_signal(signal.SIGINT)
            else:
                os.write(keyboard, answer)
            running.wait(timeout=30)
            os.set_blocking(keyboard, False)
            said += os.read(keyboard, 65536)
            rest, _ = running.communicate(timeout=30)
            assert rest == ""
            return running.returncode, " ".join(said.decode().split())
        finally:
            os.close(seat)
            os.close(keyboard)

    return sit_down


def test_a_person_who_does_not_say_yes_has_spent_nothing(studio: Studio, terminal: "Terminal") -> None:
    code, said = terminal(studio, answer=b"\n")
    assert code == 4
    assert "Render these drafts? [y/N]" in said
    assert "these drafts were not approved. Nothing was spent." in said
    assert studio.untouched()


def test_ctrl_c_at_the_question_leaves_with_130(studio: Studio, terminal: "Terminal") -> None:
    code, said = terminal(studio, interrupt=True)
    assert code == 130
    assert "Interrupted. Nothing was spent." in said
    assert "Traceback" not in said
    assert studio.untouched()


def test_ctrl_c_in_a_run_leaves_with_130_and_says_how_to_go_on(interrupted: tuple[Studio, Ended]) -> None:
    _, ended = interrupted
    assert ended.code == 130, ended.err
    assert "Interrupted. What was submitted goes on at the provider; run the campaign again to collect it." in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_what_an_interrupted_run_sent_is_collected_and_not_bought_again(rendered: tuple[Studio, Ended]) -> None:
    studio, ended = rendered
    assert ended.code == 0, ended.err
    assert studio.takes() == ["archived"]


def test_an_unknown_option_is_a_wrong_usage_and_the_right_one_is_named(studio: Studio) -> None:
    ended = studio.call("run", SPEC, "--sandbx")
    assert ended.code == 2
    assert "--sandbox" in ended.err
    assert ended.out == ""


def test_an_option_that_people_expect_is_answered_with_what_there_is(studio: Studio) -> None:
    ended = studio.call("run", SPEC, "--dry-run")
    assert (ended.code, ended.out) == (2, "")
    assert "callsheet plan shows what a run would do and cost, and sends nothing." in ended.err


def test_a_run_takes_paid_as_plan_does(studio: Studio) -> None:
    ended = studio.call("run", SPEC, "--paid", "--yes")
    assert (ended.code, "There is no EVOLINK_API_KEY" in ended.err) == (5, True)
