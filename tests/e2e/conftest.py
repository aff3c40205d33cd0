"""The command as a person types it: a small studio in a temporary folder, its own home, and no key of anybody."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from callsheet.ledger.book import Ledger
from callsheet.media import command
from tests.conftest import end, free_port

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("callsheet")
SPEC = "specs/tiny.yaml"
#: Seconds. A refusal takes half of one; a whole run some five, and fifteen more where it starts a Prefect server.
PATIENCE = 120

#: One clip of 3 s, one prompt, one aspect ratio: one variant of 36 credits ($0.53).
CAMPAIGN = """\
campaign: tiny
model: kling-o1-video-edit
budget: $5.00
clips:
  beach: media/beach.mp4
references:
  none: []
prompts:
  dusk: Re-light the scene at dusk.
aspect_ratios: [16:9]
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Studio:
    """A checkout with one campaign. `settings` is what its commands find in the environment besides the usual."""

    root: Path
    settings: dict[str, str]

    @property
    def home(self) -> Path:
        return Path(self.settings["CALLSHEET_HOME"])

    @property
    def spec(self) -> Path:
        return self.root / SPEC

    def write(self, text: str | bytes) -> None:
        self.spec.write_bytes(text.encode() if isinstance(text, str) else text)

    def change(self, before: str, after: str) -> None:
        """Write the campaign with one thing changed."""
        assert CAMPAIGN.count(before) == 1
        self.write(CAMPAIGN.replace(before, after))

    def environment(self, **settings: str) -> dict[str, str]:
        return {**_plain_environment(), **self.settings, **settings}

    def call(self, *words: str, **settings: str) -> Ended:
        """`callsheet WORDS` in this studio, without a terminal."""
        ended = subprocess.run(
            [COMMAND, *words],
            cwd=self.root,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)

    def start(
        self, *words: str, stdin: int = subprocess.DEVNULL, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """The same, without waiting for its end; it has a process group of its own, as a command of a shell has."""
        return subprocess.Popen(
            [COMMAND, *words],
            cwd=self.root,
            env=self.environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )

    def run(self, *options: str, **settings: str) -> Ended:
        """`callsheet run` of the campaign, free and approved: whatever stops it is what the campaign or its place is."""
        return self.call("run", SPEC, "--sandbox", "--yes", *options, **settings)

    def takes(self) -> list[str]:
        """The state of each take of the ledger."""
        if not (self.home / "ledger.sqlite").is_file():
            return []
        with closing(Ledger(f"sqlite:///{self.home}/ledger.sqlite")) as ledger:
            return [str(take.state) for take in ledger.takes()]

    def untouched(self) -> bool:
        """Nothing was reserved, nothing was sent, and no server was started for it."""
        book = self.home / "sandbox" / "book.sqlite"
        took = _count(self.home / "ledger.sqlite", "takes") + _count(book, "job")
        served = (self.home / "sandbox" / "server.json").exists() or Path(self.settings["PREFECT_HOME"]).exists()
        return took == 0 and not served


#: new_studio(): a studio of its own; new_studio(PREFECT_API_URL=…) with settings of its own.
NewStudio = Callable[..., Studio]


def _plain_environment() -> dict[str, str]:
    """This process's environment without what would steer the command or its output. Its sandbox copies: what a draft looks
    like is looked at elsewhere, and rendering it would take most of the time of all these runs."""
    steers = ("EVOLINK_", "CALLSHEET_", "PREFECT_", "AWS_")
    looks = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(steers) and name not in looks}
    return {**plain, "CALLSHEET_SANDBOX_ENGINE": "copy:1"}


def _count(file: Path, table: str) -> int:
    if not file.is_file():
        return 0
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as book:
        try:
            return int(book.execute(f"select count(*) from {table}").fetchone()[0])
        except sqlite3.DatabaseError:  # there is no such table: nothing was ever written
            return 0


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good clip and a good picture, and every kind of bad one."""
    folder = tmp_path_factory.mktemp("media")
    film(folder / "beach.mp4", "testsrc2=s=1280x720:r=24:d=3")
    film(folder / "pier.mp4", "testsrc2=s=1920x1080:r=30:d=4")
    film(folder / "long.mp4", "testsrc2=s=320x180:r=10:d=12.4")
    film(folder / "index-in-front.mp4", "testsrc2=s=320x180:r=24:d=3", "-movflags", "+faststart")
    film(folder / "still.jpg", "testsrc2=s=640x480", "-frames:v", "1")
    for name in ("beach", "index-in-front"):
        whole = (folder / f"{name}.mp4").read_bytes()
        (folder / f"{name}-cut.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    (folder / "nothing.mp4").touch()
    (folder / "notes.mp4").write_text("Remember to film the beach.\n")
    (folder / "page.jpg").write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>")
    (folder / "many").mkdir()
    for number in range(5):
        shutil.copy(folder / "still.jpg", folder / "many" / f"{number}.jpg")
    return folder


def film(target: Path, source: str, *options: str) -> None:
    picture = ("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast") if target.suffix == ".mp4" else ()
    words = [command.binary(), "-v", "error", "-f", "lavfi", "-i", source, *picture, *options, str(target)]
    subprocess.run(words, check=True, timeout=60)


@pytest.fixture(scope="session")
def new_studio(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewStudio]:
    port, tops = str(free_port()), list[Path]()

    def lay_out(**settings: str) -> Studio:
        top = tmp_path_factory.mktemp("e2e")
        tops.append(top)
        root = top / "studio"
        (root / "specs").mkdir(parents=True)
        (root / "flows").symlink_to(ROOT / "flows")
        shutil.copytree(media, root / "media", copy_function=os.link)
        for name in ("prefect.yaml", "prefect.toml"):
            shutil.copy(ROOT / name, root / name)
        (top / "person").mkdir()
        own = {
            "HOME": str(top / "person"),
            "CALLSHEET_HOME": str(top / "home"),
            "PREFECT_HOME": str(top / "prefect"),
            "PREFECT_SERVER_API_PORT": port,  # nobody listens there: a run that gets so far starts a server, which shows
        }
        studio = Studio(root=root, settings={**own, **settings})
        studio.write(CAMPAIGN)
        return studio

    yield lay_out
    # A server of Prefect in a studio's own folder is one that no test meant to start, and would outlive them all.
    started = [top for top in tops if (top / "prefect/server.pid").exists()]
    for top in started:
        end(int((top / "prefect/server.pid").read_text()))
    assert not started, f"a command has started a Prefect server of its own, in {started}"


@pytest.fixture
def studio(new_studio: NewStudio) -> Studio:
    return new_studio()


@pytest.fixture(scope="session")
def interrupted(new_studio: NewStudio, prefect: Mapping[str, str]) -> tuple[Studio, Ended]:
    """A whole run, which finds nothing at PREFECT_API_URL, and Ctrl-C as soon as its take was submitted."""
    studio = new_studio(**prefect)
    running = studio.start("run", SPEC, "--sandbox", "--yes")
    deadline = time.monotonic() + PATIENCE
    while studio.takes() != ["submitted"] and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE)
    return studio, Ended(code=running.returncode, out=out, err=err)


@pytest.fixture(scope="session")
def rendered(interrupted: tuple[Studio, Ended]) -> tuple[Studio, Ended]:
    """The same studio after its second run, with `--json`."""
    studio, _ = interrupted
    return studio, studio.run("--json")


@pytest.fixture(scope="module")
def paid(new_studio: NewStudio) -> Iterator[Mapping[str, str]]:
    """A provider that takes a key."""
    served = new_studio().start("sandbox", "--port", "0", "--engine", "copy")
    try:
        assert served.stdout is not None
        url = re.search(r"http://[\d.:]+", served.stdout.readline())
        assert url is not None
        yield {"EVOLINK_BASE_URL": url[0], "EVOLINK_API_KEY": "sk-any"}
    finally:
        served.terminate()
        served.communicate(timeout=PATIENCE)
