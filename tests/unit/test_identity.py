"""Identity is what is paid for, by content: what changes none of it buys nothing again; what does changes its own keys only."""

import copy
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet import sweep
from callsheet.campaign import Campaign, parse
from callsheet.plan import Footage, key_of
from callsheet.sweep import Variant

#: The bytes of each file, as far as these tests care.
CONTENT = {"a.mp4": "A", "b.mp4": "B", "moved/a.mp4": "A", "1.jpg": "one", "2.jpg": "two", "copy.jpg": "one"}

Document = dict[str, Any]


def keys(document: Document | str) -> dict[str, str]:
    """The key of every variant, by label."""
    text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
    campaign = parse(text, file="x.yaml")
    return {variant.label: key_of(variant, footage(campaign, variant)) for variant in sweep.expand(campaign)}


def footage(campaign: Campaign, variant: Variant) -> Footage:
    clip = next(clip for clip in campaign.clips if clip.name == variant.clip)
    stills = next(entry for entry in campaign.references if entry.name == variant.references)
    return Footage(
        clip=CONTENT[clip.source],
        window=None if clip.trim is None else (str(clip.trim.start), str(clip.trim.end)),
        seconds=Fraction(4),
        references=tuple(CONTENT[path] for path in stills.files),
    )


MODELS = st.sampled_from(
    ["kling-o1-video-edit", ["kling-o1-video-edit", "kling-o1-video-edit-fast"], "kling-o3-video-edit"]
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "campaign": st.just("summer"),
        "model": MODELS,
        "clips": st.sampled_from(
            [{"beach": "a.mp4", "pier": "b.mp4"}, {"beach": {"source": "a.mp4", "trim": "1s..4s"}, "pier": "b.mp4"}]
        ),
        "references": st.sampled_from([{"none": []}, {"none": [], "brand": ["1.jpg", "2.jpg"]}]),
        "prompts": st.sampled_from(
            [{"dusk": "Dusk."}, {"dusk": "Dusk.", "neon": "Neon, {{ x }}."}, {"dusk": {"text": "Dusk.", "takes": 2}}]
        ),
        "variables": st.just({"x": ["wet", "dry"]}),
    },
    optional={"keep_original_sound": st.sampled_from([True, [True, False]]), "takes": st.integers(1, 2)},
)


def _renamed(document: Document) -> None:
    for section in ("clips", "references", "prompts"):
        document[section] = {f"new-{name}": value for name, value in document[section].items()}
    document["campaign"] = "winter"


def _moved(document: Document) -> None:
    clip = document["clips"]["beach"]
    document["clips"]["beach"] = {**clip, "source": "moved/a.mp4"} if isinstance(clip, dict) else "moved/a.mp4"
    if "brand" in document["references"]:
        document["references"]["brand"] = ["copy.jpg", "2.jpg"]


def _long_forms(document: Document) -> None:
    for section, key in (("clips", "source"), ("prompts", "text")):
        short = {name: value for name, value in document[section].items() if isinstance(value, str)}
        document[section] |= {name: {key: value} for name, value in short.items()}


def _spaced(document: Document) -> None:
    for name, value in document["prompts"].items():
        if isinstance(value, str):
            document["prompts"][name] = f"\n  {value}\n"


def _default_written_out(document: Document) -> None:
    if document["model"] == "kling-o3-video-edit":
        document["options"] = {"quality": "720p"}


def _reordered(document: Document) -> None:
    for key in reversed(list(document)):
        document[key] = document.pop(key)
    for section in ("clips", "references", "prompts"):
        document[section] = dict(reversed(list(document[section].items())))


def _money_and_places(document: Document) -> None:
    document |= {"budget": "$5.00", "archive": {"to": "elsewhere/"}, "rerender": "every-run", "x-notes": ["anything"]}


HARMLESS: list[Callable[[Document], None]] = [
    _renamed,
    _moved,
    _long_forms,
    _spaced,
    _default_written_out,
    _reordered,
    _money_and_places,
]


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.lists(st.sampled_from(HARMLESS), min_size=1, max_size=4, unique=True))
def test_names_places_order_and_spelling_buy_nothing_again(
    document: Document, changes: list[Callable[[Document], None]]
) -> None:
    changed = copy.deepcopy(document)
    for change in sorted(
        changes, key=HARMLESS.index, reverse=True
    ):  # the names go last: the others look things up by them
        change(changed)
    assert sorted(keys(changed).values()) == sorted(keys(document).values())


def test_comments_and_anchors_buy_nothing_again() -> None:
    plain = """
campaign: summer
model: kling-o1-video-edit
clips:
  beach: {source: a.mp4, trim: 1s..4s}
  pier: {source: b.mp4, trim: 1s..4s}
prompts:
  dusk: Dusk.
"""
    anchored = """
# a comment
campaign: summer
model: kling-o1-video-edit   # another
x-window: &window {trim: 1000ms..4s}
clips:
  beach: {<<: *window, source: a.mp4}
  pier: {<<: *window, source: b.mp4}
prompts: {dusk: "Dusk."}
"""
    assert keys(anchored) == keys(plain)


def _takes(document: Document, change: Callable[[Document], None]) -> tuple[dict[str, str], dict[str, str]]:
    changed = copy.deepcopy(document)
    change(changed)
    return keys(document), keys(changed)


#: A paid input, how it is changed, and which variants are affected, by their labels.
PAID: dict[str, tuple[Callable[[Document], None], Callable[[str], bool]]] = {
    "a comma of a prompt": (lambda d: d["prompts"].update(dusk="Dusk,"), lambda label: "--dusk--" in label),
    "a trim": (
        lambda d: d["clips"].update(pier={"source": "b.mp4", "trim": "1s..3s"}),
        lambda label: label.startswith("pier--"),
    ),
    "a clip's bytes": (lambda d: d["clips"].update(pier="a.mp4"), lambda label: label.startswith("pier--")),
    "the order of references": (
        lambda d: d["references"].update(brand=["2.jpg", "1.jpg"]),
        lambda label: "--brand--" in label,
    ),
    "a reference less": (lambda d: d["references"].update(brand=["1.jpg"]), lambda label: "--brand--" in label),
    "a variable's value": (
        lambda d: d.update(variables={"x": ["wet", "DRY"]}),
        lambda label: "+dry--" in label,
    ),
    "the sound of one prompt": (
        lambda d: d["prompts"].update(dusk={"text": "Dusk.", "keep_original_sound": False}),
        lambda label: "--dusk--" in label,
    ),
    "the framing of one clip": (
        lambda d: d["clips"].update(pier={"source": "b.mp4", "framing": "crop", "aspect_ratios": ["9:16"]}),
        lambda label: label.startswith("pier--"),
    ),
    "an option of one prompt": (
        lambda d: d["prompts"].update(dusk={"text": "Dusk.", "options": {"quality": "1080p"}}),
        lambda label: "--dusk--" in label,
    ),
}

BASE: Document = {
    "campaign": "summer",
    "model": "kling-o3-video-edit",
    "clips": {"beach": "a.mp4", "pier": "b.mp4"},
    "references": {"none": [], "brand": ["1.jpg", "2.jpg"]},
    "prompts": {"dusk": "Dusk.", "neon": "Neon, {{ x }}."},
    "variables": {"x": ["wet", "dry"]},
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(PAID)), st.integers(1, 2))
def test_a_change_of_what_is_paid_for_changes_exactly_the_keys_it_concerns(name: str, takes: int) -> None:
    change, concerns = PAID[name]
    before, after = _takes({**BASE, "takes": takes}, change)
    old, new = list(before.items()), list(after.items())
    assert len(old) == len(new)
    for (label, key), (_, changed) in zip(old, new, strict=True):  # the order of the sweep is the order of the file
        assert (key != changed) == concerns(label), label
    assert len(set(before.values())) == len(before)
