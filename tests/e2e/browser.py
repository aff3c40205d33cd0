"""A headless Chromium driven over its DevTools protocol: open a page, ask it, press its keys, take its picture.

Only what the tests of the review pages and of the playground need. The browser gets a new empty profile and is told to
stay off the network; every request that a page makes is recorded, so a test can say that there was none.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import connect
from websockets.sync.connection import Connection

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
)
#: Seconds. Chromium starts in one to three on two cores; a loaded machine needs more.
START = 40.0
ANSWER = 30.0

#: DevTools needs the codes of keys that are no letter; of a letter, its own.
KEYS = {
    " ": ("Space", 32),
    "Enter": ("Enter", 13),
    "Escape": ("Escape", 27),
    "Tab": ("Tab", 9),
    "ArrowRight": ("ArrowRight", 39),
    "ArrowLeft": ("ArrowLeft", 37),
    "ArrowUp": ("ArrowUp", 38),
    "ArrowDown": ("ArrowDown", 40),
    "Delete": ("Delete", 46),
}
#: As DevTools counts the keys that are held.
HELD = {"Control": 2, "Shift": 8}


class BrowserFailed(Exception):
    """Chromium is missing, did not start, or the page threw."""


def binary() -> str:
    """The first Chromium on the PATH. A missing one fails the test: a skipped one would hide that nobody looked."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise BrowserFailed(
        f"no browser on the PATH (looked for {', '.join(NAMES)}): install chromium, e.g. apt-get install -y chromium"
    )


@dataclass(kw_only=True)
class Page:
    """One tab. `complaints` are console errors, exceptions and refused resources; `requests` every URL asked for."""

    socket: Connection
    session: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    _serial: int = 0

    def open(self, url: str) -> None:
        """Navigate and wait for the load event."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for(lambda: "Page.loadEventFired" in self.events, "the page to load")

    def ask(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression; a promise is awaited. BrowserFailed where it throws."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserFailed(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait_until(self, expression: str, *, seconds: float = 10.0) -> None:
        """Wait until a JavaScript expression is true."""
        self.wait_for(lambda: bool(self.ask(f"Boolean({expression})")), expression, seconds=seconds)

    def wait_for(self, is_so: Callable[[], bool], what: str, *, seconds: float = ANSWER) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                raise BrowserFailed(f"waited {seconds:g} s for {what}; the page said {self.complaints}")
            self._listen(0.025)

    def press(self, key: str, *, held: str = "") -> None:
        """A real key press, with its default action; `held` is Control or Shift."""
        code, number = KEYS[key] if key in KEYS else (f"Key{key.upper()}", ord(key.upper()))
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": HELD.get(held, 0)}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def choose_files(self, selector: str, *files: Path) -> None:
        """What a person does in the dialog of a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def click(self, selector: str, *, times: int = 1) -> None:
        """A real click in the middle of the first match, scrolled into view; times: 2 for a double click.

        It waits for two frames first, as a hand does: what the last key or click set off (a dialog that closes tells
        its page in a task of its own, and the page scrolls back then) has happened before the place is measured.
        """
        box = self.ask(
            "new Promise(frame => requestAnimationFrame(() => requestAnimationFrame(frame))).then(() => {"
            f" const node = document.querySelector({json.dumps(selector)});"
            " node.scrollIntoView({block: 'center', behavior: 'instant'}); const box = node.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2] })"
        )
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=count)

    def resize(self, width: int, height: int, *, scale: float = 1, phone: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )

    def prefer(self, **features: str) -> None:
        """Media features: `prefer(color_scheme="dark", reduced_motion="reduce")`."""
        named = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def disable_scripts(self) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def picture(self, file: Path) -> Path:
        """A PNG of what is in the window."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        return file

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol; what else arrives meanwhile is recorded."""
        self._serial += 1
        self.socket.send(
            json.dumps({"id": self._serial, "sessionId": self.session, "method": method, "params": parameters})
        )
        deadline = time.monotonic() + ANSWER
        while True:
            message = json.loads(self.socket.recv(timeout=max(0.0, deadline - time.monotonic())))
            if message.get("id") == self._serial:
                if "error" in message:
                    raise BrowserFailed(f"{method}: {message['error']['message']}")
                return dict(message["result"])
            self._record(message)

    def _listen(self, seconds: float) -> None:
        """Record what happens meanwhile, also in a page whose scripts are off."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self._record(json.loads(self.socket.recv(timeout=left)))
            except TimeoutError:
                return

    def _record(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method", ""), message.get("params", {})
        self.events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in {"error", "warning", "assert"}:
            self.complaints.append(" ".join(str(argument.get("value", "")) for argument in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in {"error", "warning"}:
            entry = parameters["entry"]
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}".strip())


@contextmanager
def browser() -> Iterator["Browser"]:
    """A Chromium with a profile of its own; ended, with all its processes, when the block ends."""
    profile = Path(tempfile.mkdtemp(prefix="callsheet-chromium-"))
    command = [binary(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        with connect(_address(process, profile), max_size=None, open_timeout=START) as socket:
            yield Browser(socket=socket)
    finally:
        _end(process)
        shutil.rmtree(profile, ignore_errors=True)


@dataclass(kw_only=True)
class Browser:
    socket: Connection

    @contextmanager
    def page(self, *, width: int = 1440, height: int = 900) -> Iterator[Page]:
        """A new tab of this size; closed when the block ends. One tab at a time."""
        root = Page(socket=self.socket, session="")
        context = self._call("Target.createBrowserContext")["browserContextId"]
        target = self._call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        root.session = session
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            root.call(f"{domain}.enable")
        root.resize(width, height)
        root.complaints.clear()
        try:
            yield root
        finally:
            self._call("Target.disposeBrowserContext", browserContextId=context)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command to the browser itself, with ids that no page uses."""
        self.socket.send(json.dumps({"id": 1_000_000, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=ANSWER))
            if message.get("id") == 1_000_000:
                if "error" in message:
                    raise BrowserFailed(f"{method}: {message['error']['message']}")
                return dict(message["result"])


def _address(process: "subprocess.Popen[bytes]", profile: Path) -> str:
    """Chromium writes the port it was given, and the path of its socket, into the profile."""
    place, deadline = profile / "DevToolsActivePort", time.monotonic() + START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BrowserFailed(f"Chromium ended with {process.returncode} at its start")
        lines = place.read_text().split("\n") if place.exists() else []
        if len(lines) >= 2 and lines[1]:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise BrowserFailed(f"Chromium did not open its DevTools port in {START:g} s")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The browser and every process of its own session."""
    for force in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, force)
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return
