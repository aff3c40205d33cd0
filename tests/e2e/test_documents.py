"""Every command of `callsheet` in a code block of a document, typed as it stands there, in a studio that has what is named.

What is changed: a question is answered (`--yes`), a server gets a free port and is stopped once it serves. The paid provider
is a sandbox on this machine, and the buckets are moto's. The sandbox's page says its requests with curl, typed here too.
"""

import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.buckets import BucketServer
from tests.documents import DOCUMENTS, blocks, named, together

from .conftest import CAMPAIGN, PATIENCE, ROOT, Ended, NewStudio, Studio, film

pytestmark = pytest.mark.slow

SERVERS = {"sandbox", "webhooks"}
#: Where a document shows what goes wrong.
ENDS = {
    "callsheet check specs/beach.yaml": (2, 0),
    "callsheet reconcile --not-accepted 12": (6,),  # nothing is in doubt
}


class Typed(NamedTuple):
    """A line of a document, and the YAML that stands before it."""

    line: str
    yaml: tuple[str, ...]


def typed(document: Path) -> Iterator[Typed]:
    yaml: list[str] = []
    for language, block in blocks(document.read_text("utf-8")):
        if language == "yaml":
            yaml.append(block)
        for line in block.splitlines() if language != "yaml" else ():
            for part in line.strip().removeprefix("$ ").partition("  #")[0].split(" && "):
                if re.match(r"(?:[A-Z_]+=\S+ )*callsheet ", part):
                    yield Typed(part.strip(), tuple(yaml))


#: Decisions tell of what was typed once.
WITH_COMMANDS = [path for path in DOCUMENTS if path.parent.name != "decisions" and any(typed(path))]


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=named)
def test_the_commands_of_a_document_do_what_they_are_said_to(
    document: Path,
    new_studio: NewStudio,
    prefect: Mapping[str, str],
    prefect_api: str,
    paid: Mapping[str, str],
    bucket: BucketServer,
) -> None:
    studio = new_studio(**prefect, **paid, **bucket.environment, BROWSER="true")
    furnish(studio)
    if any("verify s3://" in line for line, _ in typed(document)):
        finals = (
            CAMPAIGN.replace("campaign: tiny", "campaign: finals").replace("at dusk", "at dawn")
            + "archive: {to: s3://studio/finals}\n"
        )
        (studio.root / "specs/finals.yaml").write_text(finals)
        assert studio.call("run", "specs/finals.yaml", "--sandbox", "--yes").code == 0
        (studio.root / "specs/finals.yaml").unlink()
    if any(re.search("review|verdicts|verify", line) for line, _ in typed(document)):
        for spec in ("specs/hello.yaml", "specs/tiny.yaml"):
            assert studio.call("run", spec, "--sandbox", "--yes").code == 0
        judge(studio, Path(studio.settings["HOME"]) / "Downloads/verdicts.json")
    for line, yaml in typed(document):
        (studio.root / "specs/beach.yaml").write_text(
            together(yaml) if "campaign: beach" in "".join(yaml) else CAMPAIGN
        )
        if "--verdicts archive/hello/" in line or "--approved" in line:
            judge(studio, studio.root / "archive/hello/verdicts.json")
        ended = do(studio, line)
        assert ended.code in ENDS.get(line, (0,)), f"{line}\n{ended.out[-2000:]}\n{ended.err[-2000:]}"


def furnish(studio: Studio) -> None:
    """What the documents name, and no damaged file."""
    for file in set((studio.root / "media").iterdir()) - {studio.root / "media/beach.mp4"}:
        file.unlink() if file.is_file() else shutil.rmtree(file)
    shutil.copytree(ROOT / "media", studio.root / "media", dirs_exist_ok=True)
    for name in ("hello.yaml", "starter.yaml"):
        shutil.copy(ROOT / "specs" / name, studio.root / "specs" / name)
    shutil.copy(ROOT / "specs/starter.yaml", studio.root / "specs/my-campaign.yaml")
    film(studio.root / "media/clips/beach.mp4", "testsrc2=s=1280x720:r=24:d=14")
    (studio.root / "media/clips/beach.mp4").rename(studio.root / "media/clips/beach.mov")
    shutil.copy(studio.root / "media/beach.mp4", studio.root / "beach.mov")
    (Path(studio.settings["HOME"]) / "Downloads").mkdir()


def judge(studio: Studio, file: Path) -> None:
    """A reviewer's verdicts on the first three films of hello that are there: one of each kind."""
    manifest = json.loads((studio.root / "archive/hello/manifest.json").read_text())
    entries = [entry for entry in manifest["entries"] if entry["deliverable"]]
    said = [
        {**{name: entry[name] for name in ("key", "slug", "axes")}, "says": says, "at": "2026-11-26T12:00:00Z"}
        for entry, says in zip(entries, ("approve", "reject", "retake"), strict=False)
    ]
    file.write_text(json.dumps({"campaign": "hello", "draft": True, "plan": "0" * 64, "verdicts": said}))


def do(studio: Studio, line: str) -> Ended:
    words = shlex.split(line.partition(" > ")[0].replace("~", studio.settings["HOME"]))
    settings = dict(word.split("=", 1) for word in words[: words.index("callsheet")])
    _, command, *globs = words[len(settings) :]
    rest = [one for word in globs for one in expanded(studio.root, word)]
    if command in SERVERS or "--serve" in rest:
        if "--port" in rest:
            del rest[rest.index("--port") : rest.index("--port") + 2]
        return served(studio, command, *rest, "--port", "0")
    if command == "run" and "--yes" not in rest:
        rest.append("--yes")
    return studio.call(command, *rest, **settings)


def expanded(root: Path, word: str) -> list[str]:
    """As a shell would."""
    found = sorted(str(path.relative_to(root)) for path in root.glob(word)) if "/*" in word else []
    return found or [word]


def served(studio: Studio, *words: str) -> Ended:
    """Started, asked something, stopped."""
    running = studio.start(*words, stderr=subprocess.STDOUT)
    assert running.stdout is not None
    said = running.stdout.readline()
    address = re.search(r"http://\S+", said)
    assert address is not None, said
    assert httpx.get(address[0], trust_env=False, timeout=PATIENCE).status_code < 500
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=PATIENCE)
    return Ended(code=running.returncode, out=said + out, err="")


def test_the_requests_of_the_page_about_the_sandbox_are_answered(new_studio: NewStudio) -> None:
    text = (ROOT / "docs/sandbox.md").read_text("utf-8")
    lines = [line for language, block in blocks(text) if language == "bash" for line in block.splitlines()]
    given = next(line for line in lines if line.startswith("K="))
    studio = new_studio(CALLSHEET_SANDBOX_ENGINE="draft")
    film(studio.root / "clip.mp4", "testsrc2=s=1280x720:r=24:d=9")  # its draft takes long enough to be cancelled
    running = studio.start("sandbox", "--port", "0")
    try:
        assert running.stdout is not None
        url = re.search(r"http://[\d.:]+", running.stdout.readline())
        assert url is not None
        known: dict[str, str] = {}
        for line in lines:
            if not line.startswith("curl "):
                continue
            for name, value in known.items():
                line = re.sub(rf"\b{name}\b", value, line)
            answer = asked(studio, f"{given}\n{line}".replace("http://127.0.0.1:4100", url[0]))
            if "/files/upload/" in line:
                known["FILE_URL"] = answer["data"]["file_url"]
            if "/generations" in line:
                known["ID"] = known["TASK"] = answer["id"]
            if "/v1/tasks/" in line:
                assert answer["status"] in ("pending", "processing")
        assert set(known) == {"FILE_URL", "ID", "TASK"}
    finally:
        running.terminate()
        running.communicate(timeout=PATIENCE)


def asked(studio: Studio, script: str) -> Any:
    """What a script with one curl is answered; an answer that is an error fails it."""
    words = ["bash", "-ec", script.replace("curl ", "curl -sS --fail-with-body ")]
    told = subprocess.run(words, cwd=studio.root, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert told.returncode == 0, f"{script}\n{told.stdout}{told.stderr}"
    return json.loads(told.stdout)
