"""The playground in a real browser, against a real sandbox: upload, generate, watch; errors, languages, looks, keys."""

import asyncio
import base64
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest

from callsheet import tariff
from callsheet.catalogue import models
from callsheet.sandbox.server import serving
from tests.e2e.browser import Browser, Page, browser
from tests.e2e.conftest import COMMAND, Studio, film

pytestmark = pytest.mark.slow

UNITS = 10_000
PROMPT = "Re-light the scene at dusk, warm low sun."


@dataclass
class Server:
    """A sandbox in a thread, which can be stopped and started again at its address."""

    home: Path
    studio: Path
    credits: int = 1000
    url: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        up: Future[str] = Future()
        self._stop = threading.Event()

        async def serve() -> None:
            async with serving(home=self.home, studio=self.studio, granted=self.credits * UNITS) as url:
                up.set_result(url)
                await asyncio.to_thread(self._stop.wait)

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()))
        self._thread.start()
        self.url = up.result(timeout=20)

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=20)

    def get(self, path: str) -> Any:
        headers = {"Authorization": "Bearer sk-any"}
        return httpx.get(f"{self.url}{path}", headers=headers, trust_env=False, timeout=20).json()

    def count(self) -> int:
        return int(self.get("/v1/tasks")["total"])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    film(folder / "beach.mp4", "testsrc2=s=1280x720:r=24:d=3")
    film(folder / "long.mp4", "testsrc2=s=720x720:r=24:d=12")
    for name, colour in (("one", "red"), ("two", "blue"), ("three", "green")):
        film(folder / f"{name}.png", f"color={colour}:s=400x400", "-frames:v", "1")
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    studio = tmp_path / "studio"
    (studio / "specs").mkdir(parents=True)
    (studio / "prefect.yaml").touch()
    running = Server(home=tmp_path / "home", studio=studio)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    """The page, opened. Whatever happens on it, nothing else is asked for than the sandbox."""
    with chromium.page(width=1280, height=900) as tab:
        opened(tab, server)
        yield tab
        elsewhere = [url for url in tab.requests if not url.startswith((server.url, "blob:"))]
        assert elsewhere == []


def opened(tab: Page, server: Server) -> None:
    tab.open(f"{server.url}/")
    tab.wait_until("document.documentElement.dataset.ready")


def choose_model(page: Page, name: str) -> None:
    page.ask(
        f"(() => {{ const list = document.getElementById('model'); list.value = {json.dumps(name)};"
        " list.dispatchEvent(new Event('change')) })()"
    )


def add_clip(page: Page, file: Path) -> None:
    page.choose_files("#pick-clip", file)
    page.wait_until("document.querySelector('.clip') && !document.querySelector('.clip progress')")
    page.wait_until("/ s/.test(document.querySelector('.clip .hint').textContent)")


def add_images(page: Page, *files: Path) -> None:
    page.choose_files("#pick-image", *files)
    page.wait_until(f"document.querySelectorAll('.tile').length === {len(files)}")
    page.wait_until("!document.querySelector('.tile progress')")


def text(page: Page, selector: str) -> str:
    return str(page.ask(f"document.querySelector({json.dumps(selector)}).textContent"))


def names(page: Page) -> list[str]:
    return list(page.ask("[...document.querySelectorAll('.tile img')].map(image => image.alt)"))


def answer_with(page: Page, path: str, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    """What the server says of a path from now on."""
    page.ask(
        f"(() => {{ const real = window.fetch; window.fetch = (path, options) => path === {json.dumps(path)}"
        f" ? Promise.resolve(new Response({json.dumps(json.dumps(body))},"
        f" {{status: {status}, headers: {json.dumps(headers or {})}}})) : real(path, options) }})()"
    )


# --- from the upload to the result -------------------------------------------------------------------------------------


def test_a_clip_is_uploaded_priced_rendered_once_and_shown_in_step_with_its_source(
    page: Page, server: Server, footage: Path
) -> None:
    add_clip(page, footage / "beach.mp4")
    add_images(page, footage / "one.png", footage / "two.png")
    page.click("#prompt")
    page.write(PROMPT)
    page.wait_until("document.getElementById('sum').textContent === '3 s × 12 credits = 36 credits, $0.53'")
    assert text(page, "#rule") == "12 credits a second of the clip; at least 36. Billed up to 10 s."
    page.click("#go", times=2)
    page.wait_until("document.querySelector('#stage [role=progressbar]')")
    answered = page.ask("Date.now()")
    assert server.count() == 1
    assert text(page, "#counts") == "1 running · 0 completed"
    page.wait_until("document.getElementById('stage').dataset.status === 'completed'", seconds=90)
    page.wait_until(f"Date.now() > {answered} + 3000")  # SAME of main.js: a machine may have drawn the draft sooner
    page.click("#go")  # the same once more, on purpose: outside the moment of a double click it is another job
    page.wait_until("document.querySelectorAll('.card').length === 2", seconds=10)
    page.click(".card:last-child .open")
    page.wait_until("document.querySelector('.pair .made video')?.currentTime > 0.5", seconds=20)
    both = page.ask("[...document.querySelectorAll('.pair video')].map(video => video.currentTime)")
    assert len(both) == 2
    assert abs(both[0] - both[1]) < 0.2
    page.click(".round-play")
    assert page.ask("[...document.querySelectorAll('.pair video')].every(video => video.paused)")
    page.wait_until("document.querySelectorAll('.card[data-status=completed]').length === 2", seconds=90)
    assert server.count() == 2
    page.wait_until("document.getElementById('balance').textContent.includes('928 credits')")
    assert page.ask("document.querySelector('.caption a').download").startswith("task-unified-")
    page.wait_until("document.getElementById('counts').textContent === '0 running · 2 completed'")
    assert page.complaints == []


def test_a_double_click_is_one_job(page: Page, server: Server) -> None:
    choose_model(page, "kling-o1-video-edit")
    page.ask("window.sent = []")
    page.ask(
        "(() => { const real = window.fetch; window.fetch = (path, options) => { if (path.endsWith('generations'))"
        " window.sent.push(options.headers['Idempotency-Key']); return real(path, options) } })()"
    )
    choose_model(page, "kling-v3-text-to-video")
    page.click("#prompt")
    page.write("A harbour at dawn.")
    page.click("#go", times=2)
    page.wait_until("window.sent.length && document.getElementById('go').ariaDisabled === 'false'")
    time.sleep(0.3)
    keys = page.ask("window.sent")
    assert len(set(keys)) == 1
    assert len(keys[0]) >= 16
    assert server.count() == 1


def test_what_was_made_is_there_again_and_its_settings_can_be_used_again(
    page: Page, server: Server, footage: Path
) -> None:
    add_clip(page, footage / "beach.mp4")
    add_images(page, footage / "two.png")
    page.click("#prompt")
    page.write("neon <b>night</b>")
    page.click("#part-settings label:nth-child(3)")
    page.click("#go")
    page.wait_until("document.querySelector('.card')")
    opened(page, server)
    page.wait_until("document.querySelector('.card .prompt')")
    assert text(page, ".card .prompt") == "neon <b>night</b>"
    page.click(".card .link")
    page.wait_until("document.querySelector('.clip')")
    assert page.ask("document.getElementById('prompt').value") == "neon <b>night</b>"
    assert names(page) == ["two.png"]
    assert page.ask("document.querySelector('[name=ratio]:checked').value") == "9:16"
    page.wait_until("document.getElementById('sum').textContent.includes('36 credits')")


def test_the_statement_lists_what_was_reserved_and_charged(page: Page, server: Server, footage: Path) -> None:
    add_clip(page, footage / "beach.mp4")
    page.click("#prompt")
    page.write(PROMPT)
    page.click("#go")
    page.wait_until("document.querySelector('.card')")
    page.wait_for(lambda: server.count() == 1, "the job is accepted")
    page.wait_until("!document.getElementById('balance').hidden")
    page.click("#balance")
    page.wait_until("document.querySelectorAll('#rows tbody tr').length === 1")
    assert "36" in text(page, "#rows tbody tr")
    assert [word in text(page, "#facts") for word in ("Credits left", "Charged", "Reserved")] == [True] * 3
    page.press("Escape")
    page.wait_until("!document.getElementById('statement').open")


def test_files_can_be_dropped_anywhere(page: Page, footage: Path) -> None:
    data = base64.b64encode((footage / "one.png").read_bytes()).decode()
    page.ask(
        f"(() => {{ const bytes = Uint8Array.from(atob('{data}'), letter => letter.charCodeAt(0));"
        " const held = new DataTransfer(); held.items.add(new File([bytes], '雪.png', {type: 'image/png'}));"
        " document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: held, bubbles: true, cancelable: true})) })()"
    )
    page.wait_until("document.querySelector('.tile') && !document.querySelector('.tile progress')")
    assert names(page) == ["雪.png"]
    assert not page.ask("Boolean(document.querySelector('.tile .wrong'))")


@pytest.mark.parametrize("name", list(models()))
def test_the_form_has_what_the_model_takes(page: Page, name: str) -> None:
    row = models()[name]
    choose_model(page, name)
    assert page.ask("!document.getElementById('part-clip').hidden") == (row.clip is not None)
    assert page.ask("!document.getElementById('part-images').hidden") == (row.images is not None)
    shown = page.ask("[...document.querySelectorAll('.setting')].length + document.querySelectorAll('.shapes').length")
    assert shown >= bool(row.aspect_ratios) + ("duration" in row.options) + ("quality" in row.options)
    assert text(page, "#count").endswith(f"/ {row.prompt_max:,}")
    assert text(page, "#rule")
    assert page.complaints == []


def test_the_page_reckons_every_price_as_the_catalogue_does(page: Page) -> None:
    cases: list[list[Any]] = []
    wanted: list[list[str]] = []
    for row in models().values():
        factors: list[dict[str, Any]] = [{}, *(dict(factor.when) for factor in row.price.factors)]
        for seconds in ("1", "2.004", "3", "5", "5.77", "7.5", "9.999", "10", "12.345", "30"):
            for factor in factors:
                options = row.settled({**factor, "duration": int(float(seconds))})
                price = tariff.price_of(row, Fraction(seconds), options)
                cases.append([row.name, float(seconds), dict(options)])
                wanted.append([str(price.units), f"${price.usd:,}"])
    got = page.ask(
        "Promise.all([import('/playground/price.js'), import('/playground/store.js')]).then(([price, {store}]) =>"
        f" {json.dumps(cases)}.map(([name, seconds, options]) => {{"
        " const {units} = price.priced(store.models.find(row => row.model_id === name).price, seconds, options);"
        " return [String(units), price.dollars(units)] }))"
    )
    assert got == wanted


# --- what goes wrong ---------------------------------------------------------------------------------------------------


def test_what_is_missing_is_said_at_its_place(page: Page, server: Server) -> None:
    page.click("#go")
    assert text(page, "#wrong-clip") == "Add a clip."
    assert text(page, "#wrong-prompt") == "Write what is to be done."
    assert page.ask("document.activeElement.id") == "pick-clip"
    assert server.count() == 0


def test_a_file_that_is_too_large_or_of_another_kind_is_never_sent(page: Page) -> None:
    page.ask(
        "(() => { const held = new DataTransfer();"
        " held.items.add(new File([new Uint8Array(10_000_001)], 'big.png', {type: 'image/png'}));"
        " held.items.add(new File(['x'], 'notes.gif', {type: 'image/gif'}));"
        " held.items.add(new File(['x'], 'film.webm', {type: 'video/webm'}));"
        " document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: held, bubbles: true, cancelable: true})) })()"
    )
    said = text(page, "#wrong-images")
    assert "big.png has 10 MB; at most 10 MB are taken. Nothing was sent." in said
    assert "notes.gif is not JPEG, PNG, or WebP." in said
    assert text(page, "#wrong-clip") == "film.webm is not MP4 or MOV."
    assert not [url for url in page.requests if "upload" in url]


def test_a_clip_of_the_wrong_length_is_told_before_and_refused_at_its_place(
    page: Page, server: Server, footage: Path
) -> None:
    add_clip(page, footage / "long.mp4")
    page.click("#prompt")
    page.write(PROMPT)
    page.wait_until("document.getElementById('clip-hint').textContent.includes('takes 3 to 10 s')")
    page.click("#go")
    page.wait_until("document.getElementById('wrong-clip').textContent.includes('12')")
    assert server.count() == 0


def test_a_balance_that_is_too_small_is_told_with_its_numbers(chromium: Browser, tmp_path: Path, footage: Path) -> None:
    poor = Server(home=tmp_path / "home", studio=tmp_path, credits=10)
    poor.start()
    try:
        with chromium.page() as tab:
            opened(tab, poor)
            add_clip(tab, footage / "beach.mp4")
            tab.click("#prompt")
            tab.write(PROMPT)
            tab.click("#go")
            tab.wait_until("document.getElementById('wrong-form').textContent")
            said = "The balance is too small: this needs 36 credits, and 10 are left."
            assert text(tab, "#wrong-form") == said
    finally:
        poor.stop()


def refusal(status: int, **more: Any) -> dict[str, Any]:
    return {"error": {"code": status, "message": "No.", "type": "invalid_request_error", **more}}


def ready_to_send(page: Page) -> None:
    choose_model(page, "kling-v3-text-to-video")
    page.click("#prompt")
    page.write("A harbour at dawn.")


@pytest.mark.parametrize(
    ("param", "place"),
    [("prompt", "prompt"), ("model", "model"), ("quality", "option-quality"), ("image_urls[0]", "form"), ("", "form")],
)
def test_a_refusal_is_said_at_the_field_it_names(page: Page, param: str, place: str) -> None:
    ready_to_send(page)
    answer_with(page, "/v1/videos/generations", 400, refusal(400, param=param, fallback_suggestion="Do better."))
    page.click("#go")
    page.wait_until(f"document.getElementById('wrong-{place}').textContent === 'No. Do better.'")
    assert page.ask(f"!document.getElementById('wrong-{place}').hidden")


def test_too_many_requests_are_waited_for_with_a_countdown(page: Page) -> None:
    ready_to_send(page)
    answer_with(page, "/v1/videos/generations", 429, refusal(429), {"Retry-After": "2"})
    page.click("#go")
    page.wait_until("/Wait [12] s/.test(document.getElementById('go').textContent)")
    assert text(page, "#wrong-form") == "Too many requests. You can send again in 2 s."
    assert page.ask("document.getElementById('go').getAttribute('aria-disabled')") == "true"
    page.wait_until("document.getElementById('go').textContent === 'Generate'", seconds=5)
    assert text(page, "#wrong-form") == ""


@pytest.mark.parametrize("status", [401, 403, 404, 409, 413, 500, 502, 503])
def test_every_other_refusal_has_words_of_its_own(page: Page, status: int) -> None:
    ready_to_send(page)
    answer_with(page, "/v1/videos/generations", status, refusal(status))
    page.click("#go")
    page.wait_until("document.getElementById('wrong-form').textContent.endsWith('No.')")
    assert len(text(page, "#wrong-form")) > 10


def test_a_failed_task_says_why_and_that_nothing_was_charged(page: Page) -> None:
    ready_to_send(page)
    failed = {"id": "task-1", "created": 1, "model": "kling-v3-text-to-video", "status": "failed", "progress": 0}
    failed |= {"error": {"code": "content_policy_violation", "message": "Blocked."}, "usage": {"credits_reserved": 27}}
    answer_with(page, "/v1/videos/generations", 200, failed)
    page.click("#go")
    page.wait_until("document.getElementById('stage').dataset.status === 'failed'")
    said = text(page, "#stage")
    assert "The content was refused" in said
    assert "content_policy_violation" in said
    assert "Nothing was charged" in said


def test_a_server_that_is_gone_is_told_and_the_page_goes_on_when_it_is_back(
    chromium: Browser, server: Server, footage: Path
) -> None:
    with chromium.page() as tab:
        opened(tab, server)
        add_clip(tab, footage / "beach.mp4")
        tab.click("#prompt")
        tab.write(PROMPT)
        before = server.url
        server.stop()
        tab.click("#go")
        tab.wait_until("!document.getElementById('banner').hidden")
        assert "does not answer" in text(tab, "#banner")
        server.start()
        assert server.url == before
        tab.wait_until("document.getElementById('banner').hidden", seconds=20)
        tab.click("#go")
        tab.wait_until("document.querySelector('.card')", seconds=20)
        assert server.count() == 1


def test_nobody_asks_while_nobody_looks(page: Page, footage: Path) -> None:
    add_clip(page, footage / "beach.mp4")
    page.click("#prompt")
    page.write(PROMPT)
    page.click("#go")
    page.wait_until("document.querySelector('.card')")
    page.ask(
        "Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true}), window.away = true,"
        " document.dispatchEvent(new Event('visibilitychange'))"
    )
    time.sleep(0.5)
    page.ask("1")
    asked = len(page.requests)
    time.sleep(2.5)
    page.ask("1")
    assert [url for url in page.requests[asked:] if "/v1/" in url] == []
    page.ask("window.away = false, document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_until("document.getElementById('stage').dataset.status === 'completed'", seconds=90)


# --- for everybody -----------------------------------------------------------------------------------------------------


def test_the_page_speaks_chinese_and_remembers_it(page: Page, server: Server) -> None:
    page.click("[data-lang=zh]")
    assert page.ask("document.documentElement.lang") == "zh-CN"
    assert text(page, "#go") == "生成"
    latin = page.ask(
        "[...document.querySelectorAll('[data-t]')].map(node => node.textContent)"
        ".filter(text => !/[\\u4e00-\\u9fff]/.test(text))"
    )
    assert latin == []
    opened(page, server)
    assert text(page, "#go") == "生成"
    page.click("#go")
    assert text(page, "#wrong-clip") == "请添加视频。"
    page.click("[data-lang=en]")
    assert (page.ask("document.documentElement.lang"), text(page, "#go")) == ("en", "Generate")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_phone_shows_everything_in_one_column(page: Page, server: Server, footage: Path, language: str) -> None:
    page.resize(360, 740, scale=2, phone=True)
    page.click(f"[data-lang={language}]")
    add_images(page, footage / "one.png", footage / "two.png", footage / "three.png")
    for name in models():
        choose_model(page, name)
        page.ask("document.getElementById('more').open = true")
        assert page.ask("document.documentElement.scrollWidth") <= 360, name
    for tab in ("curl", "python", "yaml"):
        page.click(f"[data-tab={tab}]")
        assert page.ask("document.documentElement.scrollWidth") <= 360, tab
    tops = page.ask("['.desk', '.table'].map(name => document.querySelector(name).getBoundingClientRect().top)")
    assert tops[1] > tops[0] + 500
    small = page.ask(
        "[...document.querySelectorAll('button, select, summary, a:not(.skip)')].filter(node => node.checkVisibility())"
        ".filter(node => { const box = node.getBoundingClientRect(); return box.width < 24 || box.height < 24 })"
        ".map(node => node.outerHTML.slice(0, 80))"
    )
    assert small == []


def test_the_look_follows_the_system_and_the_switch(page: Page, server: Server) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.prefer(color_scheme="light")
    assert page.ask(ground) == "rgb(245, 242, 236)"
    page.prefer(color_scheme="dark")
    assert page.ask(ground) == "rgb(19, 18, 17)"
    page.click("#theme")
    assert (page.ask(ground), page.ask("document.getElementById('theme').ariaLabel")) == (
        "rgb(245, 242, 236)",
        "Look: light",
    )
    opened(page, server)
    assert page.ask(ground) == "rgb(245, 242, 236)"
    page.click("#theme")
    page.prefer(color_scheme="light")
    assert page.ask(ground) == "rgb(19, 18, 17)"


def test_everything_can_be_done_by_keyboard_and_the_focus_is_seen(page: Page, server: Server, footage: Path) -> None:
    page.wait_until("!document.getElementById('balance').hidden")  # it comes with the first answer
    reached: list[str] = []
    for _ in range(60):
        page.press("Tab")
        if page.ask("document.activeElement === document.body"):
            break  # through the whole page, and out of it
        where = page.ask(
            "(() => { const node = document.activeElement; const face = node.matches('.set input, .switch input') ?"
            " node.nextElementSibling : node.closest('.drop') ?? node;"
            " return [node.id || node.dataset.tab || node.name || node.className,"
            " getComputedStyle(face).outlineStyle !== 'none'] })()"
        )
        assert where[1], f"the focus on {where[0]} is not seen"
        reached.append(where[0])
    for one in (
        "skip",
        "balance",
        "theme",
        "model",
        "pick-clip",
        "pick-image",
        "prompt",
        "chip",
        "ratio",
        "go",
        "tab-curl",
        "snippet",
    ):
        assert one in reached, one
    add_clip(page, footage / "beach.mp4")
    add_images(page, footage / "one.png", footage / "two.png", footage / "three.png")
    page.ask("document.querySelector('.tile').focus()")
    page.press("ArrowRight")
    assert names(page) == ["two.png", "one.png", "three.png"]
    page.press("ArrowRight")
    assert names(page) == ["two.png", "three.png", "one.png"]
    assert text(page, "#said").strip() == "one.png is now 3 of 3."
    page.press("Delete")
    assert names(page) == ["two.png", "three.png"]
    page.ask("document.getElementById('prompt').focus()")
    page.write(PROMPT)
    page.press("Enter", held="Control")
    page.wait_until("document.querySelector('.card')")
    page.wait_until("document.getElementById('stage').dataset.status === 'completed'", seconds=90)
    page.click("[data-mode=wipe]")
    page.ask("document.querySelector('.wipe').focus()")
    page.press("ArrowLeft")
    assert page.ask("document.querySelector('.pair').style.getPropertyValue('--cut')") == "49%"
    page.ask("document.getElementById('tab-curl').focus()")
    page.press("ArrowRight")
    assert page.ask("document.activeElement.id") == "tab-python"
    assert text(page, "#snippet").startswith("import os")


def test_those_who_listen_are_told_the_progress_and_every_control_has_a_name(page: Page, footage: Path) -> None:
    page.ask(
        "(() => { window.heard = []; new MutationObserver(() => window.heard.push(document.getElementById('said').textContent))"
        ".observe(document.getElementById('said'), {childList: true, characterData: true, subtree: true}) })()"
    )
    add_clip(page, footage / "beach.mp4")
    page.click("#prompt")
    page.write(PROMPT)
    page.click("#go")
    page.wait_until("document.getElementById('stage').dataset.status === 'completed'", seconds=90)
    heard = page.ask("window.heard")
    assert "beach.mp4 is uploaded." in heard
    assert "Done" in heard
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "textbox", "combobox", "radio", "switch", "slider", "tab", "link", "progressbar", "searchbox"}
    nameless = [
        node
        for node in tree
        if not node["ignored"]
        and node["role"]["value"] in controls
        and not node.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []


# --- taken along -------------------------------------------------------------------------------------------------------


def test_the_python_and_the_curl_of_the_page_run_as_they_are(
    page: Page, server: Server, footage: Path, tmp_path: Path
) -> None:
    add_clip(page, footage / "beach.mp4")
    page.click("#prompt")
    page.write('It\'s "dusk" & $HOME `x` \\ {n}\n雪')
    time.sleep(0.4)
    for tab in ("python", "curl"):
        page.click(f"[data-tab={tab}]")
        snippet = text(page, "#snippet")
        assert "sk-" not in snippet
        file = tmp_path / tab
        file.write_text(snippet)
        words = [sys.executable, str(file)] if tab == "python" else ["sh", str(file)]
        ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=90)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "result.mp4").stat().st_size > 1000
    assert server.count() == 2
    assert {task["sandbox"]["prompt"] for task in tasks_of(server)} == {'It\'s "dusk" & $HOME `x` \\ {n}\n雪'}


def tasks_of(server: Server) -> list[dict[str, Any]]:
    return [server.get(f"/v1/tasks/{row['id']}") for row in server.get("/v1/tasks")["data"]]


def test_a_campaign_is_saved_checks_and_has_the_price_of_the_page(page: Page, server: Server, footage: Path) -> None:
    add_clip(page, footage / "beach.mp4")
    add_images(page, footage / "one.png", footage / "two.png")
    page.click("#prompt")
    page.write("dusk: warm # low sun, {{ x }}")
    page.click("[data-tab=yaml]")
    page.wait_until("document.getElementById('snippet').textContent.includes('campaign: dusk-warm-low-sun')")
    page.click("#save-go")
    page.wait_until("document.getElementById('saved').textContent")
    saved = "Wrote specs/dusk-warm-low-sun.yaml. Run it: callsheet run specs/dusk-warm-low-sun.yaml --sandbox"
    assert text(page, "#saved") == saved
    (spec,) = (server.studio / "specs").glob("*.yaml")
    checked = subprocess.run(
        [COMMAND, "check", str(spec.relative_to(server.studio))],
        cwd=server.studio,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    planned = subprocess.run(
        [COMMAND, "plan", str(spec.relative_to(server.studio)), "--sandbox", "--json"],
        cwd=server.studio,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(planned.stdout)["totals"]["credits"] == "36"


def test_the_command_says_where_the_page_is_and_offers_its_studio(studio: Studio) -> None:
    running = studio.start("sandbox", "--port", "0")
    try:
        assert running.stderr is not None
        said = running.stderr.readline()
        found = re.search(r"open (http://127\.0\.0\.1:\d+/) in a browser", said)
        assert found, said
        assert "<title>" in httpx.get(found[1], trust_env=False).text
        headers = {"Authorization": "Bearer any"}
        session = httpx.get(f"{found[1]}playground/session", headers=headers, trust_env=False).json()
        assert session["studio"] == studio.root.name
    finally:
        running.terminate()
        running.communicate(timeout=20)
