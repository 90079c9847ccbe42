# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for the tests of pages, spoken to in its own protocol on a pipe.

The protocol is that of https://chromedevtools.github.io/devtools-protocol/: JSON, each message ends
with a NUL. ``--remote-debugging-pipe`` makes file descriptor 3 its input and 4 its output.
"""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

DEADLINE = 60.0
"""Seconds for any answer; it takes milliseconds on an idle machine."""

BLOCK = 1 << 16


def find_browser() -> str | None:
    """The first Chromium in the path."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Page:
    """A page in a browser. *events* are all that it told: messages as the protocol has them."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer, self._last, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []

    def attach(self) -> None:
        """Open an empty page, and have the browser tell what it says and what it fetches."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(method)
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, path: Path, width: int = 1280, height: int = 900, scripts: bool = True) -> None:
        """Load the file as on a screen of that size, and wait until all of it is there."""
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._receive("the end of loading")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to in the page."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def complaints(self) -> list[str]:
        """Errors and warnings of the page's console, and exceptions of its scripts."""
        loud = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in loud]

    def requests(self) -> list[str]:
        """Everything that was fetched since the page was opened."""
        sent = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def _receive(self, what: str) -> dict[str, Any]:
        """The next message; events are noted as well."""
        end = time.monotonic() + DEADLINE
        while b"\0" not in self._buffer:
            readable, _, _ = select.select([self._from], [], [], max(0, end - time.monotonic()))
            assert readable, f"the browser did not answer in {DEADLINE:g} s: {what}"
            block = os.read(self._from, BLOCK)
            assert block, f"the browser ended: {what}"
            self._buffer += block
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def open_browser(program: str) -> Iterator[Page]:
    """A browser with one page, ended behind the block."""
    browser_in, to_browser = os.pipe()
    from_browser, browser_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # the shell puts the pipes where the browser wants them
        redirect = f'exec "$@" 3<&{browser_in} 4>&{browser_out}'
        options = ["--headless", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
        options += ["--no-sandbox", f"--user-data-dir={profile}"]  # CI runs as root in a container
        process = subprocess.Popen(
            ["bash", "-c", redirect, "bash", program, *options],
            pass_fds=(browser_in, browser_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(browser_in)
        os.close(browser_out)
        try:
            page = Page(to_browser, from_browser)
            page.attach()
            yield page
        finally:
            process.terminate()
            process.wait(DEADLINE)
            os.close(to_browser)
            os.close(from_browser)
