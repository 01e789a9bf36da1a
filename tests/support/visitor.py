"""A visitor of the page: what a person sees there, types, clicks and hears, by selenium."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.driven_page import DrivenPage
from tests.support.scripted_page import ScriptedPage

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"

_AXE_RUN = """
const done = arguments[0];
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
  done(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`)));
"""


_LOOK_SECONDS = 1.0
_POLL_SECONDS = 0.05


class Visitor:
    """Sits in front of one tab."""

    def __init__(self, name: str, page: ScriptedPage) -> None:
        self.name = name
        self.page = page

    @property
    def driver(self) -> Any:
        """Of a page that has one."""
        assert isinstance(self.page, DrivenPage)
        return self.page.driver

    # --- seeing
    def text(self, selector: str) -> str:
        """The visible text of an element; empty when it is not there."""
        return str(self._js("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def sees(self, selector: str) -> bool:
        return bool(self._js("return document.querySelector(arguments[0]) !== null", selector))

    def wait_for(self, selector: str, words: str = "", timeout: float = 30.0) -> None:
        """Until an element with that selector says `words`."""
        self.page.focus()
        until = time.monotonic() + timeout
        while not self.page.sees_within(selector, words, min(_LOOK_SECONDS, timeout)):
            if time.monotonic() > until:
                raise TimeoutException(
                    f"waited {timeout:g} s for {self.name} to see {words or selector!r}; the page says:\n"
                    + self.text("body")
                )

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = 30.0) -> None:
        self.page.focus()
        until = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > until:
                raise TimeoutException(f"waited {timeout:g} s for {what}; the page says:\n{self.text('body')}")
            time.sleep(_POLL_SECONDS)

    def faults_of_accessibility(self) -> list[str]:
        """What axe-core finds wrong with the page as it is now."""
        self.page.focus()
        if not self._js("return Boolean(window.axe)"):
            self.driver.execute_script(AXE.read_text("utf-8"))
        return [str(one) for one in self.driver.execute_async_script(_AXE_RUN)]

    def too_wide(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self._js("return document.documentElement.scrollWidth - innerWidth"))

    def moment(self) -> float:
        """On the page's own clock."""
        return float(self._js("return performance.now()"))

    def shift_since(self, moment: float) -> float:
        """How much the page jumped on its own accord, as Web Vitals measures it: up to 0.1 is good."""
        return float(
            self.page.run_js(
                """const entries = await new Promise((resolve) => {
                     new PerformanceObserver((list) => resolve(list.getEntries()))
                       .observe({ type: "layout-shift", buffered: true });
                     setTimeout(resolve, 300, []);
                   });
                   return entries.filter((one) => one.startTime > args[0] && !one.hadRecentInput)
                     .reduce((sum, one) => sum + one.value, 0);""",
                moment,
            )
        )

    def picture(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.focus()
        file.write_bytes(base64.b64decode(self._cdp("Page.captureScreenshot", format="png")["data"]))

    # --- doing
    def open(self, path: str = "/") -> Visitor:
        self.page.focus()
        # A link that differs from the page's address by its fragment alone would not load it anew.
        self.page.open("about:blank").open(path)
        return self

    def ready(self, timeout: float = 60.0) -> Visitor:
        """Until a relay holds a place for this tab, so that its link works."""
        self.wait_for("#open-tab", timeout=timeout)
        return self

    def value(self, selector: str) -> str:
        return str(self._js("return document.querySelector(arguments[0]).value", selector))

    def link(self) -> str:
        return self.value("#own-link")

    def peer_id(self) -> str:
        return self.text("#own-id")

    def click(self, selector: str) -> None:
        self.page.click(selector)

    def type(self, selector: str, text: str, *, enter: bool = False) -> None:
        self.page.fill(selector, text, enter=enter)

    def paste(self, selector: str, text: str) -> None:
        """All at once, as from the clipboard."""
        self._js(
            "const [box, text] = [document.querySelector(arguments[0]), arguments[1]];"
            "box.value = text; box.dispatchEvent(new InputEvent('input', { bubbles: true }));",
            selector,
            text,
        )

    def keys(self, *keys: str) -> None:
        """To whatever has the focus."""
        self.page.focus()
        self.driver.switch_to.active_element.send_keys(*keys)

    def tab_to(self, selector: str, most: int = 60) -> None:
        """Moves the focus with the Tab key alone."""
        for _ in range(most):
            if self._js("return document.activeElement?.matches(arguments[0])", selector):
                return
            self.keys(Keys.TAB)
        raise AssertionError(f"{selector} is not reached with the Tab key")

    def connect(self, target: str) -> None:
        self.type("#target", target, enter=True)

    def say(self, text: str) -> None:
        self.type("#message", text, enter=True)

    def hears(self, text: str, timeout: float = 20.0) -> None:
        self.wait_for(".log", text, timeout)

    def send_file(self, file: Path) -> None:
        self.page.focus()
        self.driver.find_element(By.ID, "file").send_keys(str(file))

    def saves_file(self, name: str, size: int, folder: Path, timeout: float = 60.0) -> bytes:
        """Waits for a file from the peer, saves it into `folder` as a person would, and returns what was saved."""
        link = f'.theirs a[download="{name}"]'
        self.wait_for(link, timeout=timeout)
        return self.saves(link, folder / name, size, timeout)

    def saves(self, link: str, file: Path, size: int = 0, timeout: float = 60.0) -> bytes:
        """Clicks a link that downloads `file`. `size`: of the whole; 0 when it is not known."""
        self._cdp("Page.setDownloadBehavior", behavior="allow", downloadPath=str(file.parent))
        self.click(link)
        # Chromium reserves the name with an empty file before the content is moved there.
        self.wait_until(
            lambda: file.is_file() and file.stat().st_size > 0 and size in (0, file.stat().st_size),
            f"{self.name} to save {size or 'the'} bytes of {file.name}",
            timeout,
        )
        return file.read_bytes()

    def window(self, width: int, height: int) -> None:
        self._cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def theme(self, scheme: str) -> None:
        """What the visitor's system prefers: "light" or "dark"."""
        self._cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def motion(self) -> None:
        """The visitor's system does not ask for less of it."""
        self._cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "no-preference"}])

    def network(self, *, online: bool = True, bytes_per_second: int = -1) -> None:
        """Cuts or slows the tab's requests; -1 is full speed."""
        self._cdp("Network.enable")
        self._cdp(
            "Network.emulateNetworkConditions",
            offline=not online,
            latency=0,
            downloadThroughput=bytes_per_second,
            uploadThroughput=-1,
        )

    def _js(self, script: str, *arguments: object) -> Any:
        return self.page.run_function(script, *arguments)

    def _cdp(self, command: str, **parameters: object) -> dict[str, Any]:
        self.page.focus()
        return dict(self.driver.execute_cdp_cmd(command, parameters))
