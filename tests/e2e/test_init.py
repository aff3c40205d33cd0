"""A new studio: what `init` lays out runs at once, also from a wheel far from any checkout, and replaces nothing."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from callsheet.errors import SpecError
from callsheet.steps import settings
from callsheet.steps.lay_out import campaign_name, lay_out
from callsheet.steps.settings import VARIABLES, Settings
from tests.conftest import free_port
from tests.e2e.conftest import COMMAND, PATIENCE, ROOT, Ended, Studio

pytestmark = pytest.mark.slow

SPEC = "specs/summer-launch.yaml"


def call(folder: Path, *words: str, command: Path = COMMAND, **settings: str) -> Ended:
    """`callsheet WORDS` in a folder, with a home of its own and no key of anybody."""
    own = {"HOME": str(folder), "PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_API_PORT": str(free_port())}
    environment = Studio(root=folder, settings=own).environment(**settings)
    ended = subprocess.run(
        [command, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_studio_checks_clean_and_its_next_three_commands_are_told(tmp_path: Path) -> None:
    made = call(tmp_path, "init", "Summer Launch")
    assert made.code == 0, made.err
    assert made.out.endswith(
        f"Next:\n  cd 'Summer Launch'\n  callsheet plan {SPEC}\n  callsheet run {SPEC} --sandbox\n"
    )
    studio = tmp_path / "Summer Launch"
    assert f"callsheet run {SPEC} --sandbox" in (studio / SPEC).read_text()
    assert (studio / SPEC).read_text().startswith("# yaml-language-server: $schema=./campaign.schema.json\n")
    assert f"spec: {SPEC}" in (studio / "prefect.yaml").read_text()
    named = re.findall(r"\b(?:clips|references)/\S+\.\w+", (studio / "media" / "README.md").read_text())
    media = {name.removeprefix("media/") for name in files(studio) if name.startswith("media/")}
    assert set(named) == media - {"README.md"}, "every sample has its licence beside it"
    checked = call(studio, "check", SPEC)
    *notes, last = checked.err.splitlines()
    assert (checked.code, last) == (0, f"{SPEC}: 4 variants, no problem that stops it.")
    assert all(": note: " in note for note in notes)


def test_the_json_document_says_what_was_made_and_what_to_type(tmp_path: Path) -> None:
    told = json.loads(call(tmp_path, "init", "Summer Launch", "--json").out)
    assert told["studio"] == str(tmp_path / "Summer Launch")
    assert told["spec"] == SPEC
    assert sorted(told["created"]) == sorted(files(tmp_path / "Summer Launch"))
    assert told["kept"] == []
    assert len(told["next"]) == 3


def test_what_is_there_is_kept_to_the_byte_and_named(tmp_path: Path) -> None:
    studio = tmp_path / "summer-launch"
    (studio / "specs").mkdir(parents=True)
    own = {"prefect.yaml": b"name: mine\n", ".gitignore": b"*.log\n.env\n", SPEC: b"mine", "notes.txt": b"buy milk"}
    for name, content in own.items():
        (studio / name).write_bytes(content)
    made = call(studio, "init")
    assert made.code == 0
    assert f"{studio} has a prefect.yaml already; only what it lacks is added." in made.err
    assert ".gitignore does not name .callsheet/, /archive/: add them" in made.err
    kept = {line.split()[1] for line in made.out.splitlines() if line.startswith("kept")}
    assert kept == {"prefect.yaml", ".gitignore", SPEC}
    assert made.out.endswith(f"  callsheet check {SPEC}\n  callsheet plan {SPEC}\n  callsheet run {SPEC} --sandbox\n")
    laid_out = files(studio)
    assert {name: laid_out[name] for name in own} == own
    again = call(studio, "init")
    assert again.code == 0
    assert not [line for line in again.out.splitlines() if line.startswith("new")]
    assert files(studio) == laid_out


def test_a_studio_with_a_campaign_of_its_own_gets_no_starter_and_no_samples(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "autumn.yaml").write_text("campaign: autumn\n")
    made = lay_out(tmp_path)
    assert made.spec == "specs/autumn.yaml"
    assert {name.split("/")[0] for name in made.created} == {
        *("specs", "flows", "prefect.yaml", "prefect.toml", ".env.example", ".gitignore")
    }
    assert "spec: specs/autumn.yaml" in (tmp_path / "prefect.yaml").read_text()


@pytest.mark.parametrize("place", ["studio", "studio/specs", "studio/dangling"])
def test_a_file_in_the_place_of_a_folder_is_told_before_anything_is_written(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    if place.endswith("dangling"):
        (tmp_path / "studio" / "media").symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / place).touch()
    before = files(tmp_path)
    with pytest.raises(SpecError, match="A file stands where a folder is needed"):
        lay_out(tmp_path / "studio")
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["x" * 300, "loop", "loop/below"], ids=["too long", "a loop", "below a loop"])
def test_a_folder_that_cannot_be_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SpecError) as told:
        lay_out(tmp_path / name)
    assert told.value.hint == "Choose another folder: callsheet init DIR"


def test_a_folder_that_is_refused_ends_the_command_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "studio").touch()
    made = call(tmp_path, "init", "studio")
    assert (made.code, made.out) == (2, "")
    assert "error: A file stands where a folder is needed. Nothing was spent.\n" in made.err
    assert "Traceback" not in made.err


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("summer-launch", "summer-launch"),
        ("Summer Launch (2)", "summer-launch-2"),
        ("Été à Paris", "ete-a-paris"),
        ("夏季", "first"),
        ("", "first"),
        ("prefect", "first"),
        ("x" * 70, "x" * 64),
    ],
)
def test_a_folder_of_any_name_gives_a_name_for_its_campaign(folder: str, name: str) -> None:
    assert campaign_name(folder) == name


def test_every_option_that_the_starter_leaves_out_is_one_that_works(tmp_path: Path) -> None:
    assert call(tmp_path, "init", "studio").code == 0
    spec = tmp_path / "studio" / "specs" / "studio.yaml"
    offered = re.findall(r"^#: ", spec.read_text(), re.MULTILINE)
    spec.write_text(re.sub(r"^#: ", "", spec.read_text(), flags=re.MULTILINE))
    checked = call(tmp_path / "studio", "check", "specs/studio.yaml")
    assert len(offered) > 10
    assert checked.code == 0, checked.err
    assert "112 variants, nothing is wrong, but a run of all of it would not start" in checked.err


def test_the_example_of_the_settings_has_every_one_at_its_default_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (ROOT / ".env.example").read_text()
    assert not [line for line in example.splitlines() if line and not line.startswith("#")]
    offered = dict(re.findall(r"^# ([A-Z0-9_]+)=(.*)$", example, re.MULTILINE))
    assert set(offered) == set(VARIABLES)
    assert offered["EVOLINK_API_KEY"] == ""
    for name in os.environ:
        if name in VARIABLES:
            monkeypatch.delenv(name)
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in offered.items()))
    taken, plain = settings.read(tmp_path), Settings().under(tmp_path)
    assert replace(taken, ledger=None) == plain
    assert taken.ledger == f"sqlite:///{plain.home}/ledger.sqlite"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a wheel built from this checkout, in an environment that borrows only what the wheel depends on."""
    top = tmp_path_factory.mktemp("wheel")
    _do(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(top))
    _do(sys.executable, "-m", "venv", "--without-pip", str(top / "venv"))
    python = top / "venv" / "bin" / "python"
    (wheel,) = top.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check")
    _do(*pip, "--no-deps", "--no-index", str(wheel))
    (site,) = (top / "venv" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"])  # a .pth in there is not followed: not ours
    return python.with_name("callsheet")


def _do(*words: str) -> None:
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)


def test_a_wheel_lays_out_the_same_studio_and_runs_it_away_from_the_checkout(
    installed: Path, prefect: Mapping[str, str], tmp_path: Path
) -> None:
    where = "import callsheet, sys; sys.stdout.write(callsheet.__file__)"
    found = subprocess.run([installed.with_name("python"), "-c", where], cwd=tmp_path, capture_output=True, check=True)
    assert found.stdout.decode().startswith(str(installed.parents[1]))

    made = call(tmp_path, "init", "away/summer-launch", command=installed)
    assert made.code == 0, made.err
    studio = tmp_path / "away" / "summer-launch"
    assert call(tmp_path, "init", "here/summer-launch").code == 0
    assert files(studio) == files(tmp_path / "here" / "summer-launch")

    assert call(studio, "check", SPEC, command=installed).code == 0
    planned = json.loads(call(studio, "plan", SPEC, "--json", command=installed).out)
    assert planned["totals"]["shoot"] == 4
    one = ("--only", "bunny--none--dusk--16x9")
    ran = call(studio, "run", SPEC, "--sandbox", "--yes", *one, "--json", command=installed, **prefect)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["archived"] == 1
    assert (studio / "archive" / "summer-launch" / "bunny--none--dusk--16x9--t1.mp4").stat().st_size > 10_000
