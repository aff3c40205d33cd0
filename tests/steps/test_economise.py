"""Every suggestion is written into the campaign as it says, and the campaign planned again: the saving is exact to the unit."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from callsheet import suggest, yamltext
from callsheet.credits import Credits
from callsheet.media import command
from callsheet.steps.draw_up import Drawn, draw_up
from callsheet.steps.economise import economise
from callsheet.suggest import Edit, Suggestion

from .test_explain import archive_everything

HEAD = "campaign: tiny\n"
EDIT, FAST = "model: kling-o1-video-edit\n", "model: kling-o1-video-edit-fast\n"
PROMPTS = "prompts:\n  dusk: At dusk.\n  neon: Neon.\n"
SOUNDS = "keep_original_sound: [true, false]\n"


def clips(*names: str) -> str:
    return "clips:\n" + "".join(f"  {name}: media/{name}.mp4\n" for name in names)


#: name: size, frames at 24 a second, with sound.
FILMS = {
    "long": ("1280x720", 127, True),  # 5.292 s
    "whole": ("1280x720", 96, True),  # 4 s
    "tall": ("720x1280", 127, True),
    "cheaper": ("1280x720", 81, True),  # 3.375 s: 40.5 credits, and the least of O1 fast is 40.8
    "dearer": ("1280x720", 82, True),  # 3.417 s: 41.04 credits
    "mute": ("1280x720", 96, False),
}

#: What is written, and the kinds of suggestions that are expected, with the name of what each is about.
CAMPAIGNS: dict[str, tuple[str, list[str]]] = {
    "the shape of the clip is what is asked for": (
        EDIT + clips("long", "whole") + PROMPTS,
        ["another model: kling-o1-video-edit-fast", "long cut to 5 s"],
    ),
    "that shape, written out": (
        EDIT + clips("long") + PROMPTS + "aspect_ratios: [16:9]\n",
        ["another model: kling-o1-video-edit-fast", "long cut to 5 s"],
    ),
    "two shapes": (EDIT + clips("long") + PROMPTS + "aspect_ratios: [16:9, 9:16]\n", ["long cut to 5 s"]),
    "another shape than the clip's": (EDIT + clips("tall") + PROMPTS, ["tall cut to 5 s"]),
    "a shape that a selector names": (
        EDIT + clips("whole") + PROMPTS + "aspect_ratios: [16:9]\nsweep: {exclude: [{prompt: neon, aspect_ratio: 16:9}]}\n",
        [],
    ),
    "a shape that preparation makes": (EDIT + clips("long") + PROMPTS + "framing: crop\n", ["long cut to 5 s"]),
    "under the break-even": (EDIT + clips("cheaper") + PROMPTS, []),
    "over the break-even": (EDIT + clips("dearer") + PROMPTS, ["another model: kling-o1-video-edit-fast"]),
    "a fast model that freezes a short clip": (
        FAST + clips("cheaper") + PROMPTS,
        ["another model: kling-o1-video-edit"],
    ),
    "a fast model, upright": (
        FAST + "clips:\n  tall: {source: media/tall.mp4, trim: 0s..3.2s}\n" + PROMPTS,
        ["another model: kling-o1-video-edit"],
    ),
    "several takes": (
        EDIT + clips("whole") + PROMPTS + "takes: 3\n",
        ["one take of each variant instead of 3 of identical content", "another model: kling-o1-video-edit-fast"],
    ),
    "a trim that ends in a fraction": (
        EDIT + "clips:\n  long: {source: media/long.mp4, trim: 100ms..4.2s}\n" + PROMPTS + "aspect_ratios: [1:1, 16:9]\n",
        ["long cut to 4 s"],
    ),
    "a clip in its long form without a trim": (
        EDIT + "clips:\n  long: {source: media/long.mp4}\n" + PROMPTS + "aspect_ratios: [1:1, 16:9]\n",
        ["long cut to 5 s"],
    ),
    "a trim that two clips share": (
        EDIT + "x-trim: &t 0s..4.2s\nclips:\n  long: {source: media/long.mp4, trim: *t}\n"
        "  tall: {source: media/tall.mp4, trim: *t}\n" + PROMPTS + "aspect_ratios: [1:1, 16:9]\n",
        [],
    ),
    "a clip that stands for another too": (
        EDIT + "clips:\n  long: &c media/long.mp4\n  same: *c\n" + PROMPTS + "aspect_ratios: [1:1, 16:9]\n",
        [],
    ),
    "a file under two names": (
        EDIT + "clips:\n  long: media/long.mp4\n  same: media/long.mp4\n" + PROMPTS + "aspect_ratios: [1:1, 16:9]\n",
        [],
    ),
    "clips of a glob": (EDIT + "clips:\n  all: media/lon*.mp4\n" + PROMPTS + "aspect_ratios: [1:1, 16:9]\n", []),
    "no clip with sound": (
        EDIT + clips("mute") + PROMPTS + "aspect_ratios: [1:1, 16:9]\n" + SOUNDS,
        ["keep_original_sound is not swept: no clip has sound"],
    ),
    "one clip without sound": (
        EDIT + clips("mute", "whole") + PROMPTS + "aspect_ratios: [1:1, 16:9]\n" + SOUNDS,
        ["mute once instead of with and without sound"],
    ),
    "one clip without sound, and a sweep": (
        EDIT + clips("mute", "whole") + PROMPTS + "aspect_ratios: [1:1, 16:9]\n" + SOUNDS
        + "sweep:\n  exclude:\n    - {clip: whole, prompt: neon}\n",
        ["mute once instead of with and without sound"],
    ),
    "a clip without sound that is only wanted so": (
        EDIT + clips("mute", "whole") + PROMPTS + "aspect_ratios: [1:1, 16:9]\n" + SOUNDS
        + "sweep:\n  exclude:\n    - {clip: mute, keep_original_sound: true}\n",
        [],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, (size, frames, has_sound) in FILMS.items():
        words = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=24"]
        sound = ["-f", "lavfi", "-i", "sine=r=48000", "-shortest", "-c:a", "aac"] if has_sound else []
        words = [command.binary(), "-v", "error", *words, *sound, "-frames:v", str(frames), "-t", f"{frames / 24:.6f}"]
        words += ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", str(folder / f"{name}.mp4")]
        subprocess.run(words, check=True, timeout=60)
    return folder


@pytest.fixture
def spec(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CALLSHEET_HOME", "EVOLINK_API_KEY", "EVOLINK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "studio"
    (root / "specs").mkdir(parents=True)
    (root / "prefect.yaml").write_text("name: tiny\n")
    shutil.copytree(films, root / "media")
    return root / "specs/tiny.yaml"


def written(text: str, edits: tuple[Edit, ...]) -> str:
    """The campaign after a person has done what each edit says, at the line that it names."""
    lines = text.splitlines()
    for edit in sorted(edits, key=lambda edit: -int(edit.place.rsplit(":", 1)[1])):
        number = int(edit.place.rsplit(":", 1)[1]) - 1
        here = lines[number]
        indent = here[: len(here) - len(here.lstrip())]
        key = str(edit.path[-1])
        if not edit.write:
            del lines[number]
        elif here.strip().startswith(f"{key}:"):
            lines[number] = indent + edit.write
        elif f" {key}: " in here:  # inside a mapping on one line
            old = here.split(f" {key}: ")[1].split("}")[0].split(",")[0]
            lines[number] = here.replace(f" {key}: {old}", f" {edit.write}")
        elif isinstance(edit.path[-1], int):
            lines.insert(number + 1, indent + edit.write)
        elif here.rstrip().endswith("}"):  # added to a mapping on one line
            lines[number] = here.rstrip()[:-1] + f", {edit.write}}}"
        else:
            lines.append(edit.write)
    return "\n".join(lines) + "\n"


def replanned(spec: Path, text: str) -> Credits:
    """What the campaign costs when this is written in its place; SpecError where `check` would find anything."""
    original = spec.read_text()
    spec.write_text(text)
    try:
        return draw_up(spec, sandbox=True).plan.credits
    finally:
        spec.write_text(original)


def planned(spec: Path, text: str) -> tuple[Drawn, tuple[Suggestion, ...]]:
    spec.write_text(HEAD + text)
    drawn = draw_up(spec, sandbox=True)
    return drawn, economise(drawn)


@pytest.mark.parametrize("name", list(CAMPAIGNS))
def test_what_is_suggested_saves_exactly_what_it_says_once_it_is_written(spec: Path, name: str) -> None:
    text, expected = CAMPAIGNS[name]
    drawn, found = planned(spec, text)
    assert [one.proposal.title for one in found] == expected
    for one in found:
        by_hand = replanned(spec, written(spec.read_text(), one.proposal.edits))
        assert drawn.plan.credits - by_hand == one.saving, one.proposal.title
        value = yamltext.read(spec.read_text(), file="x").value
        by_value = replanned(spec, json.dumps(suggest.applied(value, one.proposal.edits)))
        assert by_value == by_hand
    assert list(found) == sorted(found, key=lambda one: -one.saving.units)


def test_the_break_even_of_the_two_models_is_between_two_frames(spec: Path) -> None:
    _, found = planned(spec, EDIT + clips("dearer") + "prompts: {dusk: At dusk.}\n")
    assert [str(one.saving) for one in found] == ["0.24"]
    assert "the picture stands still: dearer for 2.583333 s" in found[0].note


def test_what_is_archived_already_is_not_bought_again_to_save(spec: Path) -> None:
    """Another model or a trim would make other content of everything, and all of it would be paid for anew."""
    spec.write_text(HEAD + EDIT + clips("long", "whole") + PROMPTS)
    archive_everything(spec)
    drawn = draw_up(spec, sandbox=True)
    assert drawn.plan.credits == Credits()
    assert economise(drawn) == ()


def test_a_cheaper_way_that_was_rendered_before_saves_all_that_it_costs_now(spec: Path) -> None:
    cut = EDIT + "clips:\n  long: {source: media/long.mp4, trim: 0s..5s}\n" + PROMPTS + "aspect_ratios: [1:1, 16:9]\n"
    spec.write_text(HEAD + cut)
    archive_everything(spec)
    drawn, found = planned(spec, cut.replace(", trim: 0s..5s", ""))
    assert [one.proposal.title for one in found] == ["long cut to 5 s"]
    assert found[0].saving == drawn.plan.credits
