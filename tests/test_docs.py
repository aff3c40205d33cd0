"""The documents against the code: links lead somewhere, commands exist, tables agree, and every YAML in them is a campaign."""

import inspect
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import get_args

import pytest
import typer
from typer.core import TyperGroup

import callsheet
from callsheet import catalogue, errors
from callsheet.campaign import Campaign, Sources, parse
from callsheet.campaign_form import CAMPAIGN
from callsheet.campaign_text import MAX_TAKES
from callsheet.cli.console import UNEXPECTED
from callsheet.cli.main import INTERRUPTED, app
from callsheet.cli.terminal import HUNG_UP
from callsheet.errors import CallsheetError
from callsheet.plan import Action
from callsheet.sandbox import faults, openapi
from callsheet.steps.draw_up import draw_up
from callsheet.steps.settings import VARIABLES, Settings
from callsheet.sweep import expand
from callsheet.take import State
from tests import licences, reference
from tests.documents import DOCUMENTS, ROOT, blocks, fences, named, together

README = (ROOT / "README.md").read_text("utf-8")
REFERENCE = {path.name: path.read_text("utf-8") for path in (ROOT / "docs/reference").glob("*.md")}
GUIDE = (ROOT / "specs/README.md").read_text("utf-8")

GROUP = typer.main.get_command(app())
assert isinstance(GROUP, TyperGroup)
COMMANDS = GROUP.commands

#: The campaign that the guide's fragments belong to: it declares what they name.
BASE = {
    "campaign": "campaign: base",
    "model": "model: kling-o1-video-edit",
    "clips": "clips: {beach: media/clips/beach.mp4, pier: media/clips/pier.mov}",
    "references": "references: {none: [], brand-a: [media/references/brand-a/logo.png]}",
    "prompts": "prompts: {dusk: Re-light the scene at dusk., neon: The same scene under neon signs.}",
    "aspect_ratios": "aspect_ratios: [16:9, 9:16]",
}


def prose(text: str) -> str:
    """Everything that is not in a code block."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose header begins with `first`."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    table = takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


# --- links --------------------------------------------------------------------------------------------------------------


def links(text: str) -> list[str]:
    without_code = re.sub(r"`[^`\n]*`", "", prose(text))
    return re.findall(r"\]\(([^)]+)\)", without_code)  # one with a space in it leads nowhere, and is to be found


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings: small letters, no punctuation, hyphens for spaces, a number for a repetition."""
    found: list[str] = []
    for title in re.findall(r"^#{1,6} +(.+?) *#*$", prose(text), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_leads_to_a_file_of_the_checkout_and_to_a_heading_in_it(document: Path) -> None:
    for link in links(document.read_text("utf-8")):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


def test_the_documents_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "specs/README.md", "docs/glossary.md"} <= {named(path) for path in DOCUMENTS}


# --- the sandbox --------------------------------------------------------------------------------------------------------

SANDBOX = (ROOT / "docs/sandbox.md").read_text("utf-8")


def test_the_faults_in_the_sandbox_s_page_are_a_script_and_its_table_names_every_deed() -> None:
    (example,) = fences(SANDBOX, "yaml")
    assert len(faults.read(example).faults) == 7
    deeds = {deed for row in rows(SANDBOX, "on") for deed in re.findall(r"`(\w+)`", row[1])}
    assert deeds == {deed for possible in faults.DEEDS.values() for deed in possible}


def test_the_sandbox_s_page_has_every_option_of_its_command_and_every_route() -> None:
    told = {option for row in rows(SANDBOX, "option") for option in re.findall(r"--[a-z-]+", row[0])}
    assert told == {name for name in options("sandbox") if name.startswith("--")} - {"--help", "--while-used"}
    routes = " ".join(row[0] for row in rows(SANDBOX, "route"))
    for path in openapi.document("")["paths"]:
        tail = path.removeprefix("/api/v1/files/upload/").removeprefix("/api/v1/files/").replace("{task_id}", "{id}")
        assert re.sub(r"\{(file|upload)_id\}", "{id}", tail) in routes, path


# --- commands -----------------------------------------------------------------------------------------------------------


def commands(text: str) -> Iterator[list[str]]:
    """The words behind `callsheet` of every command, in code blocks and in sentences."""
    lines = [line.strip().removeprefix("$ ") for _, block in blocks(text) for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]
    for said in (*lines, *spans):
        if re.match(r"(?:\.venv/bin/)?callsheet(?: |$)", said):
            yield shlex.split(said, comments=True)[1:]


def options(name: str) -> set[str]:
    """Every spelling of every option of a command."""
    command = COMMANDS[name]
    return {"--help"} | {spelling for option in command.params for spelling in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_that_a_document_names_exists_with_its_options(document: Path) -> None:
    for words in commands(document.read_text("utf-8")):
        if not words:
            continue
        assert words[0] in COMMANDS, words
        used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= options(words[0]), words


def test_every_command_takes_json() -> None:
    assert all("--json" in options(name) for name in COMMANDS)


def test_every_target_of_make_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        asked = re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M)
        assert set(asked) <= targets, document


# --- tables -------------------------------------------------------------------------------------------------------------


def families() -> dict[int, str]:
    """Each exit code of an error and the class that stands for it: the one nearest to the root."""
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CallsheetError)]
    return {kind.exit_code: kind.__name__ for kind in sorted(found, key=lambda kind: len(kind.__mro__), reverse=True)}


def test_the_table_of_exit_codes_agrees_with_the_errors() -> None:
    table = {int(code): classes.strip("`") for code, *_, classes in rows(REFERENCE["errors.md"], "code")}
    assert {code: name for code, name in table.items() if name} == families()
    assert {code for code, name in table.items() if not name} == {0, 1, 9, INTERRUPTED, HUNG_UP}
    assert families()[UNEXPECTED] == "CallsheetError"


def test_the_table_of_settings_agrees_with_the_settings() -> None:
    table = {row[0].strip("`"): row[1].strip("`") for row in rows(REFERENCE["settings.md"], "variable")}
    fields = {name: getattr(Settings(), variable.setting) for name, variable in VARIABLES.items()}
    assert table.keys() == fields.keys()
    for name, default in fields.items():
        if default is not None:
            assert table[name] == (str(default) or "–"), name
    assert table["EVOLINK_API_KEY"] == "–"
    assert table["CALLSHEET_LEDGER"] == "sqlite:///.callsheet/ledger.sqlite"


@pytest.mark.parametrize("name", reference.pages())
def test_the_reference_is_that_of_the_code(name: str) -> None:
    assert (reference.FOLDER / name).read_text("utf-8") == reference.pages()[name], "make docs"


def test_the_page_of_licences_has_everything_that_is_pinned() -> None:
    told = {row[0]: row[1] for row in rows(licences.PAGE.read_text("utf-8"), "package")}
    assert told == dict(licences.pinned()), "make docs"


@pytest.mark.parametrize("word", [str(state) for state in State])
def test_the_glossary_has_every_state_of_a_take(word: str) -> None:
    glossary = (ROOT / "docs/glossary.md").read_text("utf-8")
    (states,) = [words for words, meaning in rows(glossary, "word") if meaning == "the states of a take"]
    assert re.search(rf"\b{word}\b", states)


@pytest.mark.parametrize("word", [*get_args(Action), "approval", "variant", "hold", "route", "sidecar", "manifest"])
def test_the_glossary_has_the_words_of_the_plan_and_the_archive(word: str) -> None:
    assert re.search(rf"\b{word}\b", (ROOT / "docs/glossary.md").read_text("utf-8"))


def test_the_changelog_begins_with_the_version_that_the_command_has() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## (\S+) - (?:unreleased|\d{4}-\d\d-\d\d)$", changelog, re.M)[0] == callsheet.__version__
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert {title.split()[0] for title in re.findall(r"^### (.+)$", changelog, re.M)} <= kinds


# --- the README in Chinese ----------------------------------------------------------------------------------------------

CHINESE = (ROOT / "README.zh.md").read_text("utf-8")


def levels(text: str) -> list[str]:
    return re.findall(r"^(#{1,6}) ", prose(text), re.M)


def untranslated(text: str) -> list[tuple[str, list[str]]]:
    """Every code block, less what is said in another language: comments, those of a tree of files too, and prompts."""
    found = []
    for language, block in blocks(text):
        code = re.sub(r"(?:^|\s)#.*", "", block, flags=re.M)
        code = re.sub(r"^( *\S*[./]\S*) {2,}.*", r"\1", code, flags=re.M)
        code = re.sub(r"^prompts:\n(?: .*\n)+", lambda prompts: re.sub(r": .*", ":", prompts[0]), code, flags=re.M)
        found.append((language, [line.rstrip() for line in code.splitlines() if line.strip()]))
    return found


def test_the_readme_in_chinese_has_the_headings_code_and_links_of_the_readme() -> None:
    assert levels(CHINESE) == levels(README)
    assert untranslated(CHINESE) == untranslated(README)
    assert set(links(CHINESE)) - {"README.md"} == set(links(README)) - {"README.zh.md"}


# --- campaigns ----------------------------------------------------------------------------------------------------------


def test_the_campaign_in_the_readme_is_hello() -> None:
    (text,) = fences(README, "yaml")
    assert parse(text, file="README.md") == parse((ROOT / "specs/hello.yaml").read_bytes(), file="specs/hello.yaml")


def test_the_plan_of_the_readme_is_that_of_a_fresh_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVOLINK_BASE_URL", "CALLSHEET_LEDGER", "CALLSHEET_MONTHLY_BUDGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CALLSHEET_HOME", str(tmp_path / "home"))
    plan = draw_up(ROOT / "specs/hello.yaml", sandbox=True).plan
    (text,) = [fence for fence in fences(README, "text") if fence.startswith("campaign   hello")]
    said = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert said["variants"] == f"{len(plan.lines)}: {len(plan.of('shoot'))} shoot"
    assert said["cost"] == plan.credits.spoken
    assert said["plan"] == plan.digest[:12]


@pytest.mark.parametrize("document", ["README.zh.md", "docs/author.md"])
def test_the_campaigns_of_a_document_are_campaigns(document: str) -> None:
    found = fences((ROOT / document).read_text("utf-8"), "yaml")
    for number in range(1, len(found) + 1):
        assert expand(parse(together(found[:number]), file=document))


def completed(fragment: str) -> Campaign:
    """A whole campaign as it is; a fragment of one in place of the same keys of BASE."""
    keys = re.findall(r"^([a-z_]+):", fragment, re.M)
    whole = "extends" in keys or {"campaign", "model", "clips", "prompts"} <= set(keys)
    rest = [] if whole else [line for key, line in BASE.items() if key not in keys]
    base = "\n".join(BASE.values()).encode()
    sources = Sources(document=lambda _path: base)
    return parse("\n".join([*rest, fragment]), file="specs/README.md", sources=sources)


MODELS = "model: [kling-o1-video-edit, kling-o1-video-edit-fast]"
FRAGMENTS = fences(GUIDE, "yaml")


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=[fragment.strip().splitlines()[-1] for fragment in FRAGMENTS])
def test_every_yaml_in_the_guide_is_a_campaign_or_a_part_of_one(fragment: str) -> None:
    campaign = completed(fragment)
    assert campaign.warnings == ()
    assert expand(campaign)


def test_the_guide_has_every_key_with_an_example_and_no_other_key() -> None:
    titled = re.findall(r"^\*\*([a-z_]+)\*\*:", GUIDE, re.M)
    shown = {key for fragment in FRAGMENTS for key in re.findall(r"^([a-z_]+):", fragment, re.M)}
    assert sorted(titled) == sorted(set(CAMPAIGN.keys))
    assert shown == set(CAMPAIGN.keys)


def test_the_slugs_of_the_guide_are_those_of_the_sweep() -> None:
    prompts = 'prompts: {dusk: Re-light the scene at dusk., street: "A street, {{ weather }} ground"}'
    text = f"variables: {{weather: [wet, snowy]}}\n{prompts}"
    made = [
        expand(completed(f"{text}\n{more}")) for more in ("", "keep_original_sound: [true, false]", "takes: 2", MODELS)
    ]
    labels = {variant.label for variants in made for variant in variants}
    assert {row[2].strip("`") for row in rows(GUIDE, "part")} <= labels


def test_the_numbers_in_the_guide_are_those_of_the_model() -> None:
    model = catalogue.model("kling-o1-video-edit")
    low, high = model.clip_limits.seconds
    assert f"clips of {low} to {high} seconds" in GUIDE
    assert ["one", "two", "three", "four"][model.image_limits.count[1] - 1] in GUIDE.partition("**references**")[2][:60]
    assert f"{model.prompt_max:,} characters" in GUIDE
    assert f"1 to {MAX_TAKES}. Each one is paid for" in GUIDE
    assert "aspect_ratios: [16:9, 9:16, 1:1]" in GUIDE
    assert list(model.aspect_ratios) == ["16:9", "9:16", "1:1"]


def test_the_fields_of_a_name_are_all_in_the_guide() -> None:
    from callsheet.naming import FIELDS

    section = GUIDE.partition("**archive**")[2].partition("```")[0]
    assert set(re.findall(r"\{([a-z_]+)\}", section)) == FIELDS
