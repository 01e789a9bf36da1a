"""Headless Chromium for tests: one process, pages in profiles of their own, JavaScript and Python run in them."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement
from websocket import create_connection

from tests.support.driven_page import DrivenPage, Job
from tests.support.scripted_page import JsError

__all__ = ["Chrome", "Job", "JsError", "Page"]

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # Pages behind the front one must run at full speed: two peers talk at once.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--window-size=1280,900",
    # Each window would load two pages of the browser's own for its address bar, which takes longer than an empty page.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup",
)


class Page(DrivenPage):
    """One tab with storage of its own."""

    def __init__(self, chrome: Chrome, handle: str, base: str) -> None:
        super().__init__(chrome.driver, base)
        self._chrome = chrome
        self.handle = handle

    def focus(self) -> None:
        if self._chrome.front != self.handle:
            self.driver.switch_to.window(self.handle)
            self._chrome.front = self.handle

    def insert(self, box: WebElement, text: str) -> None:
        # Not `send_keys`: older drivers refuse characters outside the Basic Multilingual Plane.
        self.driver.execute_cdp_cmd("Input.insertText", {"text": text})

    def console(self) -> list[str]:
        """What was logged since the last call, by any page, each line with its level first."""
        self.focus()
        lines = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [f"{line['level']} {line['message']}" for line in lines]

    def debug(self) -> Callable[[], None]:
        """From now on the page stops at `debugger`; returns what lets it go on."""
        return self._chrome.debug(self)

    def crash(self) -> None:
        """The renderer process of this page dies, and the tab is closed."""
        self._chrome.crash(self)

    def close(self) -> None:
        self.focus()
        self.driver.close()
        self._chrome.closed(self)


class Chrome:
    """The browser. `new_page` gives each page a profile of its own unless told to share one."""

    def __init__(self, flags: tuple[str, ...] = ()) -> None:
        options = webdriver.ChromeOptions()
        self._profile = tempfile.mkdtemp(prefix="darkswap-chrome-")
        for flag in (*FLAGS, *flags, f"--user-data-dir={self._profile}"):
            options.add_argument(flag)
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(600)
        self._contexts: dict[str, str] = {}
        # WebDriver's own link speaks for one tab; profiles are made on the browser's.
        address = self.driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        with urllib.request.urlopen(f"http://{address}/json/version") as answer:
            self._link = create_connection(json.load(answer)["webSocketDebuggerUrl"], timeout=20, suppress_origin=True)
        self._commands = 0
        self._home = self.driver.current_window_handle
        self.front = self._home

    def new_page(self, base: str, share_with: Page | None = None) -> Page:
        """A blank tab, in a fresh profile or in the one of another page."""
        self.driver.switch_to.window(self._home)
        self.front = self._home
        context = self._contexts[share_with.handle] if share_with else self._new_context()
        target = self._cdp("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        for _ in range(100):
            if target in self.driver.window_handles:
                break
            time.sleep(0.02)
        self._contexts[target] = context
        page = Page(self, target, base)
        page.console()  # the log is the browser's: what pages before this one left there is not this one's
        return page

    def first_page(self, base: str) -> Page:
        """The window that the browser opened with: its profile is on disk, so its caches keep large files too."""
        return Page(self, self._home, base)

    def debug(self, page: Page) -> Callable[[], None]:
        session = self._attach(page)
        self._cdp("Debugger.enable", session)

        def go_on() -> None:
            self._cdp("Debugger.disable", session)

        return go_on

    def _attach(self, page: Page) -> str:
        return str(self._cdp("Target.attachToTarget", targetId=page.handle, flatten=True)["sessionId"])

    def crash(self, page: Page) -> None:
        session = self._attach(page)
        self._commands += 1
        # A page that crashes does not answer.
        self._link.send(json.dumps({"id": self._commands, "method": "Page.crash", "params": {}, "sessionId": session}))
        self._cdp("Target.closeTarget", targetId=page.handle)
        self.closed(page)

    def closed(self, page: Page) -> None:
        context = self._contexts.pop(page.handle)
        self.driver.switch_to.window(self._home)
        self.front = self._home
        if context not in self._contexts.values():
            self._cdp("Target.disposeBrowserContext", browserContextId=context)

    def quit(self) -> None:
        self._link.close()
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _new_context(self) -> str:
        return str(self._cdp("Target.createBrowserContext")["browserContextId"])

    def _cdp(self, command: str, session: str = "", **parameters: object) -> dict[str, Any]:
        self._commands += 1
        to = {"sessionId": session} if session else {}
        self._link.send(json.dumps({"id": self._commands, "method": command, "params": parameters, **to}))
        while (answer := json.loads(self._link.recv())).get("id") != self._commands:
            pass
        result: dict[str, Any] = answer["result"]
        return result
