"""The playground over HTTP: who gets in, what a browser is told, and what it leaves in a studio."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from callsheet import campaign
from callsheet.catalogue import Model, models, video_models
from callsheet.sandbox import page, spec, studio
from callsheet.sandbox.server import serving
from tests.e2e.conftest import film

FOLDER = Path(page.__file__).with_name("playground")
O1 = "kling-o1-video-edit"


@dataclass(frozen=True)
class Place:
    root: Path
    http: httpx.AsyncClient

    async def upload(self, name: str, data: bytes) -> str:
        answer = await self.http.post("/api/v1/files/upload/stream", files={"file": (name, data)})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["file_url"])

    async def shown(self, **request: Any) -> str:
        answer = await self.http.post("/playground/campaign", json={"name": "x", "request": request})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["text"])

    async def save(self, name: str = "x", headers: dict[str, str] | None = None, **request: Any) -> httpx.Response:
        body = {"name": name, "request": {"model": O1, "prompt": "at dusk", **request}}
        return await self.http.post("/playground/specs", json=body, headers=headers)


def client_of(url: str, key: str = "sk-any") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=20, trust_env=False)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    root = tmp_path / "studio"
    root.mkdir()
    async with serving(home=tmp_path / "home", studio=root) as url, client_of(url) as http:
        yield Place(root, http)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    target = tmp_path_factory.mktemp("clip") / "a.mp4"
    film(target, "color=gray:s=720x720:r=24:d=3")
    return target.read_bytes()


def picture(red: int = 200) -> bytes:
    data = BytesIO()
    Image.new("RGB", (400, 400), (red, 90, 40)).save(data, "PNG")
    return data.getvalue()


# --- the page and its files --------------------------------------------------------------------------------------------


async def test_the_page_is_open_and_tells_the_browser_to_stay_here(place: Place) -> None:
    async with client_of(str(place.http.base_url), key="") as stranger:
        answer = await stranger.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|https?:|\*|data:", policy)
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", sorted(page.assets()))
async def test_every_file_is_kept_by_the_browser_and_asked_after(place: Place, name: str) -> None:
    first = await place.http.get(f"/playground/{name}")
    again = await place.http.get(f"/playground/{name}", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, first.content) == (200, (FOLDER / name).read_bytes())
    assert first.headers["x-content-type-options"] == "nosniff"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_nothing_but_the_page_s_own_files_is_served(place: Place) -> None:
    for path in ("/playground/page.py", "/playground/..%2fpage.py", "/playground/%2e%2e/page.py", "/playground/"):
        assert (await place.http.get(path)).status_code == 404, path


async def test_what_acts_needs_the_key(place: Place) -> None:
    async with client_of(str(place.http.base_url), key="") as stranger:
        asked = [
            await stranger.get("/playground/session"),
            await stranger.post("/playground/campaign", json={}),
            await stranger.post("/playground/specs", json={}),
        ]
    assert [answer.status_code for answer in asked] == [401, 401, 401]


async def test_a_foreign_host_name_does_not_see_the_page(place: Place) -> None:
    assert (await place.http.get("/", headers={"Host": "evil.example"})).status_code == 421


# --- a request as a campaign -------------------------------------------------------------------------------------------


def smallest(row: Model) -> dict[str, Any]:
    """A request of this model that says what it has to, and its options."""
    request: dict[str, Any] = {"model": row.name, "prompt": "A harbour at dawn: fog # and a gull, 'so' \"to say\"."}
    if row.aspect_ratios:
        request["aspect_ratio"] = row.aspect_ratios[-1]
    for option in row.options.values():
        if option.required or option.default is not None:
            outer, _, inner = option.field.rpartition(".")
            (request.setdefault(outer, {}) if outer else request)[inner] = option.default or option.choices[0]
    return request


@pytest.mark.parametrize("name", sorted(video_models()))
async def test_a_request_of_every_model_becomes_a_campaign_that_checks(place: Place, name: str) -> None:
    row = models()[name]
    text = await place.shown(**smallest(row))
    read = campaign.parse(text, file="specs/x.yaml")
    assert read.models == (name,)
    assert read.prompts[0].text.startswith("A harbour at dawn: fog # and a gull")
    assert read.budget
    assert not read.warnings


@pytest.mark.parametrize(
    "prompt",
    ["{{ x }}", "{{{odd", "a\nb\n---\n# c", "yes", "- [x]", "a\tb", "a: b, c", "🎬 雪", "\\u0041"],
)
async def test_a_prompt_stays_what_it_is(place: Place, prompt: str) -> None:
    read = campaign.parse(await place.shown(model=O1, prompt=prompt), file="specs/x.yaml")
    said = read.prompts[0].text.replace("{{ brace }}", "{")
    assert said == prompt


async def test_an_element_is_no_campaign_and_strange_fields_are_named(place: Place) -> None:
    for request, param in (
        ({"model": "kling-custom-element"}, "model"),
        ({"model": "nothing"}, "model"),
        ({"model": O1, "seed": 4}, "seed"),
        ({"model": O1, "prompt": 3}, "prompt"),
        ({"model": O1, "prompt": "a", "keep_original_sound": "yes"}, "keep_original_sound"),
    ):
        answer = await place.http.post("/playground/campaign", json={"request": request})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_a_campaign_that_could_not_run_is_not_shown(place: Place) -> None:
    request = {"model": "kling-v3-text-to-video", "prompt": "a", "model_params": {"multi_shot": True}}
    answer = await place.http.post("/playground/campaign", json={"request": request})
    assert answer.status_code == 400
    assert "shot_type" in answer.json()["error"]["message"]


# --- what is left in the studio ----------------------------------------------------------------------------------------


async def test_a_length_beyond_all_reason_is_refused_like_any_other(place: Place) -> None:
    request = {"model": "kling-v3-text-to-video", "prompt": "x", "duration": 10**30}
    answer = await place.http.post("/playground/campaign", json={"request": request})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "request")


async def test_a_saved_campaign_has_its_media_beside_it_and_replaces_nothing(place: Place, clip: bytes) -> None:
    request: dict[str, Any] = {
        "video_urls": [await place.upload("../../etc/my [best] clip*.mp4", clip)],
        "image_urls": [await place.upload("雪.png", picture(1)), await place.upload("雪.png", picture(2))],
    }
    first = (await place.save("Summer Launch!", **request)).json()
    again = (await place.save("Summer Launch!", **request)).json()
    assert first["path"] == "specs/summer-launch.yaml"
    assert again["path"] == "specs/summer-launch-2.yaml"
    assert first["command"] == "callsheet run specs/summer-launch.yaml --sandbox"
    assert first["media"] == [
        "media/playground/my-best-clip.mp4",
        "media/playground/雪.png",
        "media/playground/雪-2.png",
    ]
    assert again["media"] == first["media"], "the same bytes are not copied again"
    for kept in (first, again):
        read = campaign.parse((place.root / kept["path"]).read_bytes(), file=kept["path"])
        assert read.name == Path(kept["path"]).stem
        assert read.clips[0].source == first["media"][0]
    assert (place.root / first["media"][0]).read_bytes() == clip
    assert sorted(path.name for path in place.root.rglob("*") if path.is_file()) == sorted(
        ["summer-launch.yaml", "summer-launch-2.yaml", "my-best-clip.mp4", "雪.png", "雪-2.png"]
    )


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "..", "", "CON", "a" * 500, "雪", "-x-", "a\0b"])
async def test_a_name_never_leaves_the_folder(place: Place, clip: bytes, name: str) -> None:
    answer = await place.save(name, video_urls=[await place.upload("a.mp4", clip)])
    assert answer.status_code == 200, answer.text
    assert re.fullmatch(r"specs/[a-z0-9][a-z0-9-]*\.yaml", answer.json()["path"])
    assert [path.parent for path in place.root.parent.rglob("*.yaml")] == [place.root / "specs"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
async def test_a_foreign_page_writes_nothing(place: Place, clip: bytes, origin: str) -> None:
    url = await place.upload("a.mp4", clip)
    answer = await place.save(headers={"Origin": origin}, video_urls=[url])
    assert answer.status_code == 403
    assert not list(place.root.iterdir())
    own = await place.save(headers={"Origin": str(place.http.base_url).rstrip("/")}, video_urls=[url])
    assert own.status_code == 200


async def test_nothing_is_copied_for_a_request_that_is_no_campaign(place: Place, clip: bytes) -> None:
    url = await place.upload("a.mp4", clip)
    for wrong in ({}, {"video_urls": [url], "seed": 1}, {"video_urls": ["http://127.0.0.1/files/none"]}):
        assert (await place.save(**wrong)).status_code == 400
    assert not list(place.root.iterdir())


async def test_a_sandbox_without_a_studio_says_so(tmp_path: Path) -> None:
    async with serving(home=tmp_path) as url, client_of(url) as http:
        answer = await http.post("/playground/specs", json={"request": {"model": O1, "prompt": "a"}})
        session = (await http.get("/playground/session")).json()
    assert answer.status_code == 409
    assert answer.json()["error"]["reason"] == "no_studio"
    assert session["studio"] is None


async def test_a_studio_that_cannot_be_written_is_told_and_not_left_half(place: Place, clip: bytes) -> None:
    (place.root / "specs").write_text("a file where the folder should be")
    answer = await place.save(video_urls=[await place.upload("a.mp4", clip)])
    assert answer.status_code == 500
    assert answer.json()["error"]["reason"] == "studio_not_writable"


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.b.mp4", "a-b"), (".mp4", "upload"), ("***", "upload"), ("é" * 200, "é" * 40), ("-.-.png", "upload")],
)
def test_a_file_s_name_is_made_safe(name: str, stem: str) -> None:
    assert studio.safe_stem(name) == stem


@pytest.mark.parametrize(("wanted", "name"), [("Neon Night", "neon-night"), ("雪", "playground"), ("--", "playground")])
def test_a_campaign_s_name_is_made_safe(wanted: str, name: str) -> None:
    assert spec.safe_name(wanted) == name


# --- its words and colours ---------------------------------------------------------------------------------------------


def words() -> dict[str, dict[str, str]]:
    text = (FOLDER / "words.js").read_text("utf-8")
    table: dict[str, dict[str, str]] = json.loads(text[text.index("export default") + 14 :].strip().removesuffix(";"))
    return table


def test_both_languages_have_every_word_with_the_same_blanks() -> None:
    english, chinese = words()["en"], words()["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", chinese[key])), key
        assert bool(text) == bool(chinese[key]), key


def test_no_word_of_the_page_is_missing_or_left_over() -> None:
    known = words()["en"]
    code = "".join(file.read_text("utf-8") for file in FOLDER.iterdir() if file.name not in ("words.js", "style.css"))
    asked = set(re.findall(r'data-[tl]="([^"]+)"', code)) | set(re.findall(r'\bt\(\s*"([^"]+)"', code))
    asked |= {word for word in re.findall(r'"([a-z]+(?:\.[a-z.]+)?)"', code) if word in known}
    made = [re.sub(r"\$\{.*?\}", "*", key) for key in re.findall(r"\bt\(\s*`([^`]+)`", code)]
    patterns = [re.compile(".+".join(map(re.escape, key.split("*")))) for key in made]
    assert asked <= known.keys(), asked - known.keys()
    assert [key for key in known if key not in asked and not any(one.fullmatch(key) for one in patterns)] == []
    for pattern in patterns:
        assert any(map(pattern.fullmatch, known)), pattern


def test_every_kind_and_role_of_the_catalogue_has_its_words() -> None:
    known = words()["en"]
    for row in models().values():
        assert {f"kind.{row.kind}", f"about.kind.{row.kind}", f"prompt.example.{row.kind}"} <= known.keys()
        assert row.images is None or f"images.{row.images.role}" in known
        elsewhere = {"element_image_list", "element_video_list"}
        assert {f"option.{name}" for name in row.options.keys() - elsewhere} <= known.keys()


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])
def test_text_stands_out_by_wcag_aa_in_both_looks(dark: int) -> None:
    style = (FOLDER / "style.css").read_text("utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", style)
    ground = {name: _whole(both[dark]) for name, *both in pairs}
    on_ground = [(text, behind) for text in ("ink", "soft") for behind in ("paper", "sheet", "wash")]
    others = [("pencil", "paper"), ("pencil", "sheet"), ("on-pencil", "pencil"), ("paper", "ink")]
    for text, behind in (*on_ground, *others):
        assert contrast(ground[text], ground[behind]) >= 4.5, (text, behind)
    assert contrast(ground["edge"], ground["sheet"]) >= 3
    assert contrast(ground["edge"], ground["paper"]) >= 3


def _whole(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(letter * 2 for letter in colour[1:])


def test_the_page_s_own_code_never_makes_markup_of_text_and_names_no_other_host() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
            text.replace("no innerHTML", ""),
        ), file
        hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"www.w3.org", "example.com"}
        assert not hosts, (file, hosts)
